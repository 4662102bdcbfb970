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
from encconf.identities.credentials import Credentials
from encconf.identities.home import expanded
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


class _Login:
    """The fields of a login, from ``given`` or else the environment.  ``needed`` are the missing ones."""

    def __init__(self, credentials: Credentials, given: Mapping[str, str]) -> None:
        self._credentials = credentials
        self.environ = settings(credentials)
        self.given = given
        self.mount = self.setting("auth_mount").strip("/")
        self.texts: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.needed: list[str] = []

    def setting(self, name: str) -> str:
        return self.given.get(name) or self.environ.get(f"VAULT_{name.upper()}", "").strip()

    def named(self, name: str) -> str:
        """Return the value of the variable that an address names.  It may name only Vault's variables."""
        variable = self.given.get(name) or self.environ.get(f"VAULT_{name.upper()}", "")
        if variable and not variable.startswith(("VAULT_", "BAO_")):
            message = (
                f"{name} is {printable(variable)[:80]}, but only VAULT_… and BAO_… variables may be sent "
                "to a Vault"
            )
            raise MasterKeyError(
                message, reason="wrong", hint=f"rename the variable to VAULT_{printable(variable)[:80]}"
            )
        return self._credentials.environ.get(variable, "").strip() if variable else ""

    def give(self, field: str, text: str, file: str, wanted: str) -> None:
        """Set a field to a text, or to the content of a file."""
        if text:
            self.texts[field] = text
        elif file:
            self.files[field] = expanded(file, self._credentials.home)
        else:
            self.needed.append(wanted)

    def method(self) -> str:
        """Return the way to log in.  Raises MasterKeyError for an unknown one."""
        method = self.setting("auth_method").lower()
        if not method:
            by_ids = self.setting("role_id") and (self.setting("secret_id") or self.setting("secret_id_file"))
            by_token = bool(self.given.keys() & {"token_env", "token_file"})
            if not by_ids or by_token or _token(self._credentials, self.environ)[0]:
                return "token"
            return "approle"
        if method != "token" and method not in _METHODS:
            raise MasterKeyError(
                f"VAULT_AUTH_METHOD={printable(method)[:40]} is not a known login method",
                reason="wrong",
                hint=f"known methods are {', '.join(('token', *_METHODS))}",
            )
        return method

    def token(self) -> Identity:
        """Return the identity of a token."""
        if self.given.get("token_env"):
            token = _clean(self.named("token_env"), "token_env")
            return Identity("token", token=token, places="token_env (unset)")
        if self.given.get("token_file"):
            path = expanded(self.given["token_file"], self._credentials.home)
            return Identity("token", token=_clean(_content(path, "token_file"), "token_file"))
        token, places = _token(self._credentials, self.environ)
        return Identity("token", token=token, places=places)


def _approle(login: _Login) -> None:
    login.give("role_id", login.setting("role_id"), login.setting("role_id_file"), "VAULT_ROLE_ID")
    wanted = "VAULT_SECRET_ID or VAULT_SECRET_ID_FILE"
    login.give("secret_id", login.setting("secret_id"), login.setting("secret_id_file"), wanted)


def _role(login: _Login) -> str:
    return login.given.get("role_id") or login.setting("role") or login.setting("role_id")


def _kubernetes(login: _Login) -> None:
    login.mount = login.setting("kubernetes_mount_point").strip("/") or login.mount
    login.give("role", _role(login), "", "VAULT_ROLE")
    login.files["jwt"] = login.setting("kubernetes_jwt_token_path") or SERVICE_ACCOUNT


def _jwt(login: _Login) -> None:
    if role := _role(login):
        login.texts["role"] = role
    login.give("jwt", login.setting("jwt"), login.setting("jwt_file"), "VAULT_JWT or VAULT_JWT_FILE")


def _userpass(login: _Login) -> None:
    login.give("username", login.setting("username"), "", "VAULT_USERNAME")
    password = login.named("password_env") or login.environ.get("VAULT_PASSWORD", "")
    wanted = "VAULT_PASSWORD or VAULT_PASSWORD_FILE"
    login.give("password", password, login.setting("password_file"), wanted)


_METHODS = {"approle": _approle, "kubernetes": _kubernetes, "jwt": _jwt, "userpass": _userpass}


def identity(credentials: Credentials, given: Mapping[str, str] | None = None) -> Identity:
    """Return the login of the environment.  The settings in ``given`` override it.

    They have the names of vals's addresses: auth_method, token_env, token_file, role_id, secret_id,
    username, password_env and password_file.  Raises MasterKeyError if something is missing.
    """
    login = _Login(credentials, given or {})
    method = login.method()
    if method == "token":
        return login.token()
    _METHODS[method](login)
    if login.needed:
        raise MasterKeyError(
            f"logging in to Vault with {method} needs more settings",
            reason="unusable",
            hint=f"set {' and '.join(login.needed)}",
        )
    return Identity(method, login.mount or method, texts=login.texts, files=login.files)


def _token(credentials: Credentials, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the token, or "", and the places where it was looked for.  Raises MasterKeyError."""
    if token := environ.get("VAULT_TOKEN", "").strip():
        return _clean(token, "VAULT_TOKEN"), ""
    if path := environ.get("VAULT_TOKEN_FILE"):
        return _clean(_content(expanded(path, credentials.home), "VAULT_TOKEN_FILE"), "VAULT_TOKEN_FILE"), ""
    place = "~/.vault-token"
    found = "no home"
    if credentials.home:
        path = expanded(place, credentials.home)
        found = "empty" if os.path.exists(path) else "not there"
        token = _content(path, place) if found == "empty" else ""
    unset = "empty" if "VAULT_TOKEN" in environ else "unset"
    return _clean(token, place), f"VAULT_TOKEN ({unset}), {place} ({found})"


def _clean(token: str, place: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise MasterKeyError(f"{place} has characters that are not valid in a Vault token")
    return token


def _content(path: str, what: str) -> str:
    """Return the text in a file with a token or password.  Raises MasterKeyError."""
    return text_in(path, f"{what} to log in to Vault")
