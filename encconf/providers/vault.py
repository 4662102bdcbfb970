"""HashiCorp Vault and OpenBao: the login, connections, and why a call failed.

`encconf.providers.vault` finds the token, or what is needed to log in.

VAULT_ADDR and SOPS_HC_VAULT_ALLOWLIST (``all``, ``none``, or addresses) say which servers may get a token or
a login.  These variables are read, too: VAULT_NAMESPACE, VAULT_CACERT, VAULT_CAPATH (else SSL_CERT_FILE),
VAULT_CLIENT_CERT with VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME, VAULT_SKIP_VERIFY.  All of these may begin
with BAO_ if BAO_ADDR is set and VAULT_ADDR is not.  Proxies are those of requests (HTTPS_PROXY, NO_PROXY
of the process).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials, expanded
from encconf.providers import SERVICE_ACCOUNT, Login, needing, one_line, text_in
from encconf.providers.https import Server, Trust, is_path, origin, permitted, reason_of
from encconf.record import Record
from encconf.text.printable import printable
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


ALLOW_LIST = "SOPS_HC_VAULT_ALLOWLIST"

_REASONS = {401: "denied", 403: "denied", 404: "missing", 412: "unreachable"}
NO_MOUNT = "no handler for route"


def ask(
    server: str,
    credentials: Credentials,
    method: str,
    steps: Sequence[str],
    needs: str,
    *,
    who: Identity | None = None,
    namespace: str | None = None,
    again: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Return a server's answer to a request for the path of these steps, with a token of these credentials.

    ``server`` is an origin (see `encconf.providers.https.origin`).  ``needs`` is what the token's policy must
    allow, for the hint of a refusal.  ``who`` is by default the login of the environment.  If a login's token
    is refused, the request is repeated after a new login, unless ``again`` is false.  ``options`` are those
    of requests.  Raises NotMyKeyError without a token, and MasterKeyError.  An answer that is not a JSON
    object is an error, too: it may be a proxy's page.
    """
    environ = settings(credentials)
    who = who or identity(credentials)
    namespace = (namespace or environ.get("VAULT_NAMESPACE", "")).strip() or None
    if namespace and not (namespace.isascii() and namespace.isprintable()):
        raise MasterKeyError(
            "the namespace of Vault is not a name", reason="wrong", hint="check VAULT_NAMESPACE"
        )
    _permit(server, environ, who.places if who.method == "token" and not who.token else "")
    with needing("Vault", "vault"):
        connections = credentials.client(
            ("vault", server), lambda: _connections(server, credentials, environ)
        )

    def send(token: str) -> dict[str, Any]:
        headers = {"X-Vault-Namespace": namespace, "X-Vault-Token": token or None}
        return _answer(connections, method, steps, headers, [token], needs=needs, **options)

    if who.method == "token":
        try:
            return send(who.token)
        except MasterKeyError as error:
            denied = error.reason == "denied" or "missing client token" in error.message
            if not who.token and denied:
                raise NotMyKeyError(
                    f"no Vault token, which {server} requires\nlooked in: {who.places}", hint=_LOG_IN
                ) from None
            if needs and denied and _is_refused(server, credentials, who, namespace):
                raise MasterKeyError(
                    "the Vault token is not valid, or has expired",
                    reason="expired",
                    hint="log in again: vault login",
                ) from None
            raise
    login = credentials.client(("vault login", server, namespace, who.key), Login)
    return login.call(lambda: log_in(who, connections, namespace), send, "denied" if again else None)


def valid(
    server: str, credentials: Credentials, *, who: Identity | None = None, namespace: str | None = None
) -> dict[str, Any] | None:
    """Return what the server knows about the token, or None if the token is not valid.

    A token without the default policy may not ask about itself.  Then a list of mounts is read, which every
    valid token may read, even if the list is empty.
    """
    for path in (["auth", "token", "lookup-self"], ["sys", "internal", "ui", "mounts"]):
        try:
            answer = ask(server, credentials, "GET", path, "", who=who, namespace=namespace)
        except MasterKeyError as error:
            if error.reason != "denied" or not error.code:
                raise
            continue
        if "data" not in answer:
            raise odd_answer(server)
        own = path[0] == "auth" and answer["data"]
        return own if isinstance(own, dict) else {}
    return None


def engine_of(
    server: str, credentials: Credentials, steps: Sequence[str], *, again: bool = True
) -> tuple[str, list[str]] | None:
    """Return the type and the mount of the engine that a path is in.

    Returns None if the server does not say it.  A token that may do anything in an engine may ask for it.
    """
    try:
        path = ["sys", "internal", "ui", "mounts", *steps]
        found = ask(server, credentials, "GET", path, "", again=again)["data"]
        return str(found["type"]), str(found["path"]).strip("/").split("/")
    except MasterKeyError as error:
        if error.reason not in ("denied", "wrong") or not error.code:
            raise
        return None
    except (TypeError, LookupError):
        return None


def _is_refused(server: str, credentials: Credentials, who: Identity, namespace: str | None) -> bool:
    """Whether the server does not know the token.  If it does, the token's policy was the reason."""
    try:
        return valid(server, credentials, who=who, namespace=namespace) is None
    except MasterKeyError:
        return False


def log_in(who: Identity, server: Server, namespace: str | None) -> tuple[str, float]:
    """Log in, and return a new token and for how many seconds it may be used."""
    payload = who.payload()
    parts = ["auth", *who.mount.split("/"), "login"]
    if who.method == "userpass":
        parts.append(payload.pop("username"))
    if not is_path(parts):
        raise MasterKeyError(
            "the mount of Vault's login is not valid", reason="wrong", hint="set VAULT_AUTH_MOUNT"
        )

    hidden = [value for name, value in payload.items() if name not in ("role", "role_id")]
    try:
        answer = _answer(server, "POST", parts, {"X-Vault-Namespace": namespace}, hidden, json=payload)
    except MasterKeyError as error:
        reason = error.reason
        if error.code and reason in ("denied", "wrong", "missing"):
            reason = "expired" if "expired" in error.message else "denied"
        hint = _LOGIN_HINTS.get(who.method) if error.code and reason in ("denied", "expired") else None
        message = f"logging in by {who.method}: {error.message}"
        raise MasterKeyError(message, reason=reason, hint=hint or error.hint) from None
    try:
        auth = answer["auth"]
        token, lifetime = auth["client_token"], auth["lease_duration"]
        if isinstance(token, str) and token.isascii() and token.isprintable():
            # The token is used a little shorter than it is valid.  0 means that it is valid forever.
            return token, float(lifetime) * 0.9 or float("inf")
    except (TypeError, LookupError, ValueError):
        pass
    raise odd_answer(server.name)


_LOGIN_HINTS = {
    "approle": "check the role id and the secret id, and that the secret id may still be used",
    "kubernetes": "check that the service account is bound to the role, with a token of this cluster",
    "jwt": "check that the JWT is still valid and that its issuer, audience and subject match the role",
    "userpass": "check the name and the password",
}


def _answer(
    server: Server,
    method: str,
    steps: Sequence[str],
    headers: Mapping[str, str | None],
    hidden: Sequence[str],
    *,
    needs: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Return the answer to a request, {} if it has no content.  Raises MasterKeyError.

    The error quotes none of the ``hidden`` texts.
    """
    from urllib.parse import quote

    path = "/v1/" + "/".join(quote(step, safe="") for step in steps)
    answer = server.ask(method, path, headers={"X-Vault-Request": "true", **headers}, **options)
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    said = found if isinstance(found, dict) else {}
    if answer.status_code in (200, 404) and said is not found:
        raise odd_answer(server.name)
    if answer.ok:
        return said
    error = _refused(answer.status_code, said.get("errors"), answer.text, needs, hidden)
    if method == "GET" and error.reason == "missing":
        return said  # the answer about a deleted version has this status, too
    raise error


_LOG_IN = "log in (vault login), or set VAULT_TOKEN"


def odd_answer(server: str) -> MasterKeyError:
    hint = "check the address, and whether a proxy or a login page answers in its place"
    return MasterKeyError(f"{server} did not answer like a Vault server", hint=hint)


def _refused(status: int, errors: object, text: str, needs: str, hidden: Sequence[str]) -> MasterKeyError:
    """Return an error with the server's own reasons."""
    said = errors if isinstance(errors, list) else []
    words = "; ".join(map(str, said)) or text or f"HTTP {status}"
    for secret in filter(None, hidden):  # Vault never quotes them, but another server may
        words = words.replace(secret, "…")
    detail = one_line(words)
    reason, hint = reason_of(status, _REASONS), None
    if NO_MOUNT in words:
        # This is the server's text for a path that belongs to no mount.
        reason, detail = "wrong", f"{detail} (no secrets engine is mounted there)"
        hint = "vault secrets list shows the mounts; is VAULT_NAMESPACE right?"
    elif "is sealed" in words:
        reason, hint = "unreachable", "ask an administrator to unseal it: vault operator unseal"
    elif status == 501:
        hint = "ask an administrator to initialize it: vault operator init"
    elif status == 403 and needs:
        hint = f"the token's policy needs {needs}"
    elif status == 429:
        detail = f"the server throttles: {detail}"
    return MasterKeyError(f"Vault: {detail}", reason=reason, hint=hint, code=str(status))


def _permit(server: str, environ: Mapping[str, str], no_token: str) -> None:
    """Raise an error unless the token may go to this server.  ``no_token`` lists places without a token."""
    places = permitted(environ, ALLOW_LIST)
    address = environ.get("VAULT_ADDR", "").strip()
    chosen = origin(address)
    if places is None or server in places:
        return
    if server == chosen and environ.get(ALLOW_LIST, "").strip() != "none":
        return
    if no_token:
        raise NotMyKeyError(f"no Vault token\nlooked in: {no_token}", hint=_LOG_IN)
    now = chosen or ("not a plain address" if address else "unset")
    raise MasterKeyError(
        f"encconf sends a Vault token only to VAULT_ADDR ({now}) and the servers in {ALLOW_LIST}, not to "
        f"{server}",
        reason="denied",
        hint=f"if you trust this server: export VAULT_ADDR={server}, or add {server} to {ALLOW_LIST}",
    )


def _connections(server: str, credentials: Credentials, environ: Mapping[str, str]) -> Server:
    """Return connections to one server, with the TLS settings of the environment.  Raises MasterKeyError."""
    skip = environ.get("VAULT_SKIP_VERIFY", "")
    if skip not in ("", *TRUE, *FALSE):
        raise MasterKeyError("VAULT_SKIP_VERIFY is neither true nor false")
    roots = environ.get("VAULT_CACERT") or environ.get("VAULT_CAPATH") or environ.get("SSL_CERT_FILE")
    certificate, key = environ.get("VAULT_CLIENT_CERT"), environ.get("VAULT_CLIENT_KEY")
    if bool(certificate) != bool(key):
        raise MasterKeyError("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY must be set together")
    trust = Trust(
        skip not in TRUE and (roots or True),
        "VAULT_CACERT",
        server_name=environ.get("VAULT_TLS_SERVER_NAME"),
        certificate=(certificate, key) if certificate and key else None,
        own="VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
    )
    return Server(server, credentials, trust, moved="use the address of the active server")


# --- the login: a token, or what is needed to get one ---------------------------------------------
# VAULT_AUTH_METHOD is the way to log in (by default ``token``, or ``approle`` if there is no token and both
# of its ids are set):
#
# - ``token``: VAULT_TOKEN, else the file that VAULT_TOKEN_FILE names, else ``~/.vault-token``.
# - ``approle``: VAULT_ROLE_ID, and VAULT_SECRET_ID or the file that VAULT_SECRET_ID_FILE names.
# - ``kubernetes``: the role VAULT_ROLE (or VAULT_ROLE_ID) and the service account's token, the file
#   VAULT_KUBERNETES_JWT_TOKEN_PATH; the mount VAULT_KUBERNETES_MOUNT_POINT.
# - ``jwt``: the role VAULT_ROLE, if any, and VAULT_JWT or the file that VAULT_JWT_FILE names.
# - ``userpass``: VAULT_USERNAME, and VAULT_PASSWORD or the file that VAULT_PASSWORD_FILE names.
#
# VAULT_AUTH_MOUNT is the mount of a method, by default its name.  The token of a login is kept in this
# process only, and encconf gets a new one when it expires or is refused.
#
# All of these may begin with BAO_ if BAO_ADDR is set and VAULT_ADDR is not.


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
