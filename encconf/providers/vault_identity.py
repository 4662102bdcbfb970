"""The login for HashiCorp Vault and OpenBao: a token, or what is needed to get one.

VAULT_AUTH_METHOD is the way to log in (by default ``token``, or ``approle`` if there is no token and both of
its ids are set):

- ``token``: VAULT_TOKEN, else the file that VAULT_TOKEN_FILE names, else ``~/.vault-token``.
- ``approle``: VAULT_ROLE_ID, and VAULT_SECRET_ID or the file that VAULT_SECRET_ID_FILE names.
- ``kubernetes``: the role VAULT_ROLE (or VAULT_ROLE_ID) and the service account's token, the file
  VAULT_KUBERNETES_JWT_TOKEN_PATH; the mount VAULT_KUBERNETES_MOUNT_POINT.
- ``jwt``: the role VAULT_ROLE, if any, and VAULT_JWT or the file that VAULT_JWT_FILE names.
- ``userpass``: VAULT_USERNAME, and VAULT_PASSWORD or the file that VAULT_PASSWORD_FILE names.

VAULT_AUTH_MOUNT is the mount of a method, by default its name.  The token of a login is kept in this process
only, and encconf gets a new one when it expires or is refused.

All of these may begin with BAO_ if BAO_ADDR is set and VAULT_ADDR is not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials, expanded
from encconf.providers import SERVICE_ACCOUNT, text_in
from encconf.record import Record
from encconf.text.printable import printable


def settings(credentials: Credentials) -> Mapping[str, str]:
    """Return the environment, with VAULT_ instead of BAO_ in the names of OpenBao's variables."""
    environ = credentials.environ
    if environ.get("VAULT_ADDR") or not environ.get("BAO_ADDR"):
        return environ
    own = {f"VAULT_{name[4:]}": value for name, value in environ.items() if name.startswith("BAO_")}
    return {**{name: value for name, value in environ.items() if not name.startswith("VAULT_")}, **own}


class Identity(Record):
    """The login for a server: a ``token`` ("" for none), or a ``method`` and what it needs to log in.

    ``mount`` is the method's path.  ``texts`` and ``files`` are the fields of a login: values, and names of
    files that are read for each login.  ``places`` says where a token was looked for.
    """

    method: str
    mount: str = ""
    token: str = ""
    places: str = ""
    texts: Mapping[str, str] = {}
    files: Mapping[str, str] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """What distinguishes this login from others."""
        fields = (tuple(sorted(self.texts.items())), tuple(sorted(self.files.items())))
        return self.method, self.mount, self.token, *fields

    def payload(self) -> dict[str, str]:
        """Return the fields of a login.  Raises MasterKeyError."""
        read = {name: _content(path, f"the file for {name}") for name, path in self.files.items()}
        return {**self.texts, **read}


class _Settings:
    """The settings of a login: those that are ``given``, or else the environment's."""

    def __init__(self, credentials: Credentials, given: Mapping[str, str]) -> None:
        self._credentials = credentials
        self._environ = settings(credentials)
        self.given = given

    def get(self, name: str) -> str:
        return self.given.get(name) or self._environ.get(f"VAULT_{name.upper()}", "").strip()

    def text(self, name: str) -> str:
        """Return the text for a field of a login, or ""."""
        if name == "role":
            return self.given.get("role_id") or self.get("role") or self.get("role_id")
        if name == "password":
            return self._named("password_env") or self._environ.get("VAULT_PASSWORD", "")
        return self.get(name)

    def file(self, name: str) -> str:
        """Return the path of the file with a field, or ""."""
        return expanded(self.get(name), self._credentials.home)

    def _named(self, name: str) -> str:
        """Return the value of the variable that an address names.  It may name only Vault's variables."""
        variable = self.given.get(name) or self._environ.get(f"VAULT_{name.upper()}", "")
        if variable and not variable.startswith(("VAULT_", "BAO_")):
            shown = printable(variable)[:80]
            message = f"{name} is {shown}, but only VAULT_… and BAO_… variables may be sent to a Vault"
            raise MasterKeyError(message, reason="wrong", hint=f"rename the variable to VAULT_{shown}")
        return self._credentials.environ.get(variable, "").strip() if variable else ""

    def token(self) -> tuple[str, str]:
        """Return the token, or "", and the places where it was looked for.  Raises MasterKeyError."""
        if self.given.get("token_env"):
            return _clean(self._named("token_env"), "token_env"), "token_env (unset)"
        chosen = "token_file" if self.given.get("token_file") else "VAULT_TOKEN_FILE"
        if chosen != "token_file" and (token := self.get("token")):
            return _clean(token, "VAULT_TOKEN"), ""
        if path := self.file("token_file"):
            return _clean(_content(path, chosen), chosen), ""
        place, found, token = "~/.vault-token", "no home", ""
        if self._credentials.home:
            path = expanded(place, self._credentials.home)
            found = "empty" if os.path.exists(path) else "not there"
            token = _content(path, place) if found == "empty" else ""
        unset = "empty" if "VAULT_TOKEN" in self._environ else "unset"
        return _clean(token, place), f"VAULT_TOKEN ({unset}), {place} ({found})"

    def method(self) -> str:
        """Return the way to log in.  Raises MasterKeyError for an unknown one."""
        method = self.get("auth_method").lower()
        if not method:
            by_ids = self.get("role_id") and (self.get("secret_id") or self.get("secret_id_file"))
            by_token = self.given.keys() & {"token_env", "token_file"}
            return "approle" if by_ids and not by_token and not self.token()[0] else "token"
        if method not in ("token", *_FIELDS):
            raise MasterKeyError(
                f"VAULT_AUTH_METHOD={printable(method)[:40]} is not a known login method",
                reason="wrong",
                hint=f"known methods are {', '.join(('token', *_FIELDS))}",
            )
        return method


_FIELDS = {
    "approle": {"role_id": "", "secret_id": "secret_id_file"},
    "kubernetes": {"role": "", "jwt": "kubernetes_jwt_token_path"},
    "jwt": {"role": "", "jwt": "jwt_file"},
    "userpass": {"username": "", "password": "password_file"},
}
"""For each method, the fields of a login, and the setting of the file that may have a field."""


def identity(credentials: Credentials, given: Mapping[str, str] | None = None) -> Identity:
    """Return the login of the environment.  The settings in ``given`` override it.

    They have the names of vals's addresses: auth_method, token_env, token_file, role_id, secret_id,
    username, password_env and password_file.  Raises MasterKeyError if something is missing.
    """
    chosen = _Settings(credentials, given or {})
    method = chosen.method()
    if method == "token":
        token, places = chosen.token()
        return Identity(method, token=token, places=places)
    mount = chosen.get("auth_mount").strip("/") or method
    texts, files, needed = {}, {}, []
    for field, file in _FIELDS[method].items():
        if method == "kubernetes" and field == "jwt":
            files[field] = chosen.file(file) or SERVICE_ACCOUNT
        elif text := chosen.text(field):
            texts[field] = text
        elif file and (path := chosen.file(file)):
            files[field] = path
        elif (method, field) != ("jwt", "role"):  # a mount has a default role
            needed.append(" or ".join(f"VAULT_{name.upper()}" for name in (field, file) if name))
    if needed:
        raise MasterKeyError(
            f"logging in to Vault with {method} needs more settings",
            reason="unusable",
            hint=f"set {' and '.join(needed)}",
        )
    if method == "kubernetes":
        mount = chosen.get("kubernetes_mount_point").strip("/") or mount
    return Identity(method, mount, texts=texts, files=files)


def _clean(token: str, place: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise MasterKeyError(f"{place} has characters that are not valid in a Vault token")
    return token


def _content(path: str, what: str) -> str:
    """Return the text in a file with a token or password.  Raises MasterKeyError."""
    return text_in(path, f"{what} to log in to Vault")
