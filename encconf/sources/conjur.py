"""``conjur:PATH/OF/VARIABLE``: a variable of CyberArk Conjur (vals: ``ref+conjur://PATH/OF/VARIABLE``).

``version`` is the number of one of the last twenty versions.  Values can be any bytes.  The parameters
``address``, ``account``, ``login`` and ``apikey`` are from vals.

Environment: CONJUR_APPLIANCE_URL, CONJUR_ACCOUNT, and one of

- CONJUR_AUTHN_LOGIN (``host/app`` or a user) with CONJUR_AUTHN_API_KEY or CONJUR_AUTHN_API_KEY_FILE;
- CONJUR_AUTHN_JWT_SERVICE_ID, with CONJUR_AUTHN_JWT_TOKEN or the file JWT_TOKEN_PATH (by default that of
  the service account of Kubernetes), and CONJUR_AUTHN_JWT_HOST_ID if the service needs one;
- CONJUR_AUTHN_TOKEN_FILE, which Conjur's authenticator renews in a sidecar.

CONJUR_CERT_FILE, else CONJUR_SSL_CERTIFICATE (the PEM text itself), else SSL_CERT_FILE has the authorities of
the server's certificate.  The login goes only to CONJUR_APPLIANCE_URL and the addresses of
ENCCONF_CONJUR_ALLOWLIST.  The token of a login is valid for eight minutes.  This process uses it for five
minutes, and gets a new one if it is refused.  Proxies are those of requests.

Permissions: ``read`` and ``execute`` on the variable; to write, ``update``, and the variable must be in the
policy.  Limits: ``Credentials.call_limit`` for each request, two more if the server says "later".
Errors: missing (not there, not visible, or without a value), denied, expired (a JWT, a token's file),
unreachable, slow, wrong, unusable (a variable of these is unset, no requests).
"""

from __future__ import annotations

from collections.abc import Mapping

from encconf.errors import MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.providers import ODD_ANSWER, SERVICE_ACCOUNT, Login, needing, one_line, text_in
from encconf.providers.https import Server, Trust, check_permitted, is_path, origin_and_path, reason_of
from encconf.sources import Probe, Uri, refuse_existing, variable, version_in
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUERY = ("version", "address", "account", "login", "apikey")
ALLOW_LIST = "ENCCONF_CONJUR_ALLOWLIST"
_BYTES = {"Content-Type": "application/octet-stream"}  # otherwise Rails reads a form
_LIFETIME = 300  # how many seconds a token is used
_ADDRESS = ("CONJUR_APPLIANCE_URL", "export CONJUR_APPLIANCE_URL=…")
_ACCOUNT = ("CONJUR_ACCOUNT", "export CONJUR_ACCOUNT=…")

# The reason of `encconf.errors.UnavailableError` by status; then texts if Conjur gives none, and hints.
_REASONS = {401: "expired", 403: "denied", 404: "missing"}
_MEANINGS = {
    401: ("the token was rejected", "log in again"),
    403: ("this login may not read or write it", "you need execute, or update, on the variable"),
    404: (
        "the variable does not exist or has no value",
        "check that it is in the policy, has a value, and is visible to this login",
    ),
}


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the variable's value."""
    conjur = _Conjur(uri.query, credentials)
    version = version_in(uri, "variable")
    query = {"version": version} if version else {}
    answer = conjur.ask("GET", _variable(conjur, uri), params=query)
    return bytes(answer.content)


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Set a variable of the policy."""
    conjur = _Conjur(uri.query, credentials)
    if not replace:
        refuse_existing(lambda: conjur.ask("GET", _variable(conjur, uri)).content)
    conjur.ask("POST", _variable(conjur, uri), data=value, headers=_BYTES)


def _variable(conjur: _Conjur, uri: Uri) -> str:
    parts = uri.path.strip("/").split("/")
    if not is_path(parts):
        raise SourceError("expected the path of a variable", hint="conjur:PATH/OF/VARIABLE")
    return f"/secrets/{_quote(conjur.account)}/variable/{_quote('/'.join(parts))}"


def _quote(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


class _Conjur:
    """A server, and the login for it."""

    def __init__(self, given: Mapping[str, str], credentials: Credentials) -> None:
        environ = credentials.environ
        self._credentials = credentials
        own = environ.get("CONJUR_APPLIANCE_URL", "").strip().rstrip("/")
        self.address = (given.get("address") or variable(environ, *_ADDRESS)).rstrip("/")
        self.account = given.get("account") or variable(environ, *_ACCOUNT)
        self._login = given.get("login") or environ.get("CONJUR_AUTHN_LOGIN", "")
        self._apikey = given.get("apikey") or environ.get("CONJUR_AUTHN_API_KEY", "")
        plain = origin_and_path(self.address)
        if plain is None:
            raise SourceError("the address of Conjur is not a plain URL", hint="https://conjur.example.com")
        server, _ = plain
        if self.address != own:
            check_permitted(server, environ, ALLOW_LIST, "a Conjur login", "CONJUR_APPLIANCE_URL")

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Return the answer to a request with a token.  Raises SourceError and MasterKeyError."""
        who = (self.address, self.account, self._login, self._apikey)
        login = self._credentials.client(("conjur token", *who), Login)

        def call(token: str) -> Any:
            answer = self._send(method, path, token=token, **options)
            if answer.status_code not in (200, 201):
                raise self._refusal(answer)
            return answer

        return login.call(lambda: (self._log_in(), _LIFETIME), call, _REASONS[401])

    def _log_in(self) -> str:
        """Log in, and return a new token, encoded for the header."""
        from binascii import b2a_base64

        environ = self._credentials.environ
        account = _quote(self.account)
        if path := environ.get("CONJUR_AUTHN_TOKEN_FILE"):
            return b2a_base64(_content(path).encode(), newline=False).decode()
        service = environ.get("CONJUR_AUTHN_JWT_SERVICE_ID")
        key = self._apikey
        if not key and (path := environ.get("CONJUR_AUTHN_API_KEY_FILE")):
            key = _content(path)
        if service and not key:
            jwt = environ.get("CONJUR_AUTHN_JWT_TOKEN") or _content(
                environ.get("JWT_TOKEN_PATH") or environ.get("CONJUR_JWT_TOKEN_PATH") or SERVICE_ACCOUNT
            )
            host = environ.get("CONJUR_AUTHN_JWT_HOST_ID")
            where = f"/authn-jwt/{_quote(service)}/{account}" + (f"/{_quote(host)}" if host else "")
            answer = self._send("POST", f"{where}/authenticate", data={"jwt": jwt})
            hint = "check that the JWT is still valid and that its claims match the host in Conjur's policy"
        elif key and self._login:
            where = f"/authn/{account}/{_quote(self._login)}"
            answer = self._send("POST", f"{where}/authenticate", data=key.encode(), headers=_BYTES)
            hint = "check CONJUR_AUTHN_LOGIN and CONJUR_AUTHN_API_KEY"
        else:
            raise SourceError(
                "no login for Conjur is set",
                reason="unusable",
                hint="set CONJUR_AUTHN_LOGIN and CONJUR_AUTHN_API_KEY, or CONJUR_AUTHN_JWT_SERVICE_ID",
            )
        if answer.status_code in (401, 403):
            reason = "expired" if "expired" in answer.text[:2000].lower() else "denied"
            raise SourceError("Conjur refuses the login", reason=reason, hint=hint)
        if answer.status_code != 200:
            raise self._refusal(answer)
        return b2a_base64(bytes(answer.content), newline=False).decode()

    def _send(self, method: str, path: str, *, token: str = "", **options: Any) -> Any:
        credentials = self._credentials
        server = credentials.client(("conjur", self.address), lambda: _server(self.address, credentials))
        if token:
            options["headers"] = {**options.get("headers", {}), "Authorization": f'Token token="{token}"'}
        return server.ask(method, path, **options)

    def _refusal(self, answer: Any) -> MasterKeyError:
        """Return an error with Conjur's own reason, which names variables, but no values."""
        status = answer.status_code
        try:
            detail = one_line(answer.json()["error"]["message"])
        except (*ODD_ANSWER, ValueError):
            detail = ""
        text, hint = _MEANINGS.get(status, (f"HTTP {status}", None))
        return MasterKeyError(f"Conjur: {detail or text}", reason=reason_of(status, _REASONS), hint=hint)


def _content(path: str) -> str:
    return text_in(path, "the login for Conjur")


def _server(address: str, credentials: Credentials) -> Server:
    environ = credentials.environ
    file, text = environ.get("CONJUR_CERT_FILE"), environ.get("CONJUR_SSL_CERTIFICATE", "")
    if text and not file:
        trust = Trust(environ.get("SSL_CERT_FILE") or True, "CONJUR_SSL_CERTIFICATE", pem=text)
    else:
        trust = Trust(file or environ.get("SSL_CERT_FILE") or True, "CONJUR_CERT_FILE")
    with needing("Conjur", "cyberark"):
        return Server(address, credentials, trust, moved="set CONJUR_APPLIANCE_URL to that server")


def probe(credentials: Credentials) -> Probe:
    """Log in, and ask Conjur whose login it is."""
    environ = credentials.environ
    names = [name for name, _ in (_ADDRESS, _ACCOUNT) if not environ.get(name)]
    if names:
        return Probe(False, missing=names)
    try:
        who = str(_Conjur({}, credentials).ask("GET", "/whoami").json().get("username", ""))
    except (ValueError, AttributeError):
        who = ""
    return Probe(True, printable(who) or None)
