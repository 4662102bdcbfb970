"""``cyberark:SAFE/OBJECT``: an account's password from CyberArk's Central Credential Provider.

``#UserName``, ``#Address``, ``#Database`` and others are other properties of the account.  Instead of or in
addition to an object, ``username``, ``address``, ``database``, ``policy_id`` and ``folder`` find an account:
``cyberark:SAFE?username=app&address=db.example.com``.  ``reason`` is for the audit log, and ``app_id``
replaces CYBERARK_APP_ID.  ``fail_on_change=true`` refuses a password that is being changed.  Otherwise
encconf only shows a notice.

Environment: CYBERARK_CCP_URL is the address (``https://ccp.example.com``, or with the path of a web service
other than AIMWebService), and CYBERARK_APP_ID the application.  CYBERARK_CLIENT_CERT and CYBERARK_CLIENT_KEY
are PEM files with the client's certificate and its key without a passphrase (one file may have both).
CYBERARK_CACERT (else SSL_CERT_FILE) has the authorities of the server's certificate.  The certificate or the
machine's address is the identity, since the application has no password.  A secret's address never names the
server.  Proxies are those of requests.

Permissions: the application and the provider's user are members of the safe with Retrieve and List accounts.
Limits: ``Credentials.call_limit`` for each request, two more if the server says "later".  Errors: missing,
denied (also: the certificate is refused), expired (the client's certificate), unreachable (also: the provider
has no Vault, or the password is being changed), slow, wrong (several accounts fit), unusable (no
CYBERARK_CCP_URL, no requests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from encconf.errors import MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.providers import ODD_ANSWER, needing, one_line
from encconf.providers.https import Server, Trust, origin_and_path, reason_of
from encconf.sources import Probe, Uri, variable
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# CyberArk's names for our parameters.
_CRITERIA = {
    "folder": "Folder",
    "username": "UserName",
    "address": "Address",
    "database": "Database",
    "policy_id": "PolicyID",
}
QUERY = (*_CRITERIA, "app_id", "reason", "fail_on_change")
_FORM = "cyberark:SAFE/OBJECT"
_SERVICE = "/AIMWebService"

# The reasons of `encconf.errors.UnavailableError` for CyberArk's codes.  Those of other codes depend on the
# status.
_REASONS = {
    "APPAP004E": "missing",
    "APPAP007E": "unreachable",  # the provider has no connection to the Vault
    "APPAP008E": "denied",
    "APPAP282E": "unreachable",  # the password is being changed
    "APPAP306E": "denied",
}
_STATUSES = {401: "denied", 403: "denied"}
_LATER = (429, 502, 503, 504)  # not 500, which means "being changed" or similar, and lasts longer
_HINTS = {
    "APPAP004E": "check that the account exists and that the application and the provider may see it",
    "APPAP008E": "define the application's id in the Vault",
    "APPAP229E": "add ?username=…&address=…, so that one account fits",
    "APPAP282E": "try again in a minute",
    "APPAP306E": "allow this certificate, address or user in the application's Authentication tab",
}


def canonical(uri: Uri) -> Uri:
    """Return the address with its field, which by default is the password."""
    return Uri(uri.scheme, uri.body, uri.query, uri.field or "Content")


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the account's properties as JSON."""
    body = _ask(_question(uri, credentials.environ), credentials)
    import json

    try:
        answer = json.loads(body)
        changing = str(answer.get("PasswordChangeInProcess", "")).lower() == "true"
        if not isinstance(answer.get("Content"), str):
            raise ValueError
    except (*ODD_ANSWER, ValueError):
        raise SourceError(
            "the answer is not from a Central Credential Provider", hint="check CYBERARK_CCP_URL"
        ) from None
    if changing:
        credentials.say(f"{uri.label}: CyberArk is changing this password, so this may be the old one")
    return body


def _question(uri: Uri, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the request.  Raises SourceError for a malformed address."""
    safe, _, name = uri.path.partition("/")
    app = uri.query.get("app_id") or variable(environ, "CYBERARK_APP_ID", "set it to the application's id")
    question = {"AppID": app, "Safe": safe}
    if name:
        question["Object"] = name
    for ours, theirs in _CRITERIA.items():
        if ours in uri.query:
            question[theirs] = uri.query[ours]
    if not safe or len(question) < 3:
        raise SourceError("expected the name of a safe and of an account", hint=_FORM)
    for value in question.values():
        if not value.isprintable() or any(sign in value for sign in "+&%;"):
            raise SourceError(
                "CyberArk does not allow + & % or ; in names", hint="give the account another name"
            )
    if "reason" in uri.query:
        question["Reason"] = re.sub(r"[+&%;]|[^ -~]", " ", uri.query["reason"])
    if uri.query.get("fail_on_change") == "true":
        question["FailRequestOnPasswordChange"] = "true"
    return question


def _ask(question: Mapping[str, str], credentials: Credentials) -> bytes:
    """Return the body of the answer.  Raises SourceError and MasterKeyError."""
    address = variable(credentials.environ, "CYBERARK_CCP_URL", "set it to https://ccp.example.com")
    from urllib.parse import quote, urlencode

    name, path = _split(address)
    server = credentials.client(("cyberark", name), lambda: _server(name, credentials))
    # Encode a blank as %20, since CyberArk does not accept a plus sign.
    answer = server.ask("GET", f"{path}/api/Accounts", params=urlencode(question, quote_via=quote))
    if answer.status_code != 200:
        raise _refusal(answer)
    return bytes(answer.content)


def _split(address: str) -> tuple[str, str]:
    """Return the origin and the path of the web service.  Raises SourceError."""
    plain = origin_and_path(address)
    if plain is None:
        raise SourceError("CYBERARK_CCP_URL is not a plain address", hint="https://ccp.example.com")
    server, path = plain
    return server, f"/{path.strip('/')}" if path.strip("/") else _SERVICE


def _server(name: str, credentials: Credentials) -> Server:
    environ = credentials.environ
    certificate, key = environ.get("CYBERARK_CLIENT_CERT"), environ.get("CYBERARK_CLIENT_KEY")
    if key and not certificate:
        raise SourceError(
            "CYBERARK_CLIENT_KEY is only used with CYBERARK_CLIENT_CERT",
            reason="unusable",
            hint="set both, or neither",
        )
    roots = environ.get("CYBERARK_CACERT") or environ.get("SSL_CERT_FILE")
    pair = (certificate, key or certificate) if certificate else None
    if pair:
        _check(*pair)
    trust = Trust(
        roots or True,
        "CYBERARK_CACERT",
        certificate=pair,
        own="CYBERARK_CLIENT_CERT and CYBERARK_CLIENT_KEY",
    )
    with needing("CyberArk", "cyberark"):
        return Server(name, credentials, trust, moved="set CYBERARK_CCP_URL to that server", later=_LATER)


def _check(certificate: str, key: str) -> None:
    """Raise SourceError for unusable files, with which a connection would fail or ask for a passphrase."""
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "none")
    except (OSError, ValueError) as error:
        detail = "" if isinstance(error, ssl.SSLError) else f": {one_line(error)}"
        raise SourceError(
            f"CYBERARK_CLIENT_CERT and CYBERARK_CLIENT_KEY are not a certificate and its key{detail}",
            reason="unusable",
            hint="they are PEM files that this user can read, and the key has no passphrase",
        ) from None


def _refusal(answer: Any) -> MasterKeyError:
    """Return an error with the provider's own reason, which quotes the query, but no password."""
    status = answer.status_code
    try:
        said = answer.json()
        code, text = printable(str(said["ErrorCode"]))[:40], one_line(said["ErrorMsg"])
    except (*ODD_ANSWER, ValueError):
        code, text = f"HTTP {status}", "no Central Credential Provider answers there"
    reason = _REASONS.get(code) or reason_of(status, _STATUSES)
    hint = _HINTS.get(code, "CyberArk's documentation explains the code")
    return MasterKeyError(f"CyberArk: {code}: {text}", reason=reason, hint=hint, code=code)


def probe(credentials: Credentials) -> Probe:
    """Send a request without an account.  The refusal shows that the provider answers."""
    environ = credentials.environ
    names = [name for name in ("CYBERARK_CCP_URL", "CYBERARK_APP_ID") if not environ.get(name)]
    if names:
        return Probe(False, missing=names)
    who = printable(environ["CYBERARK_APP_ID"])
    try:
        _ask({"AppID": environ["CYBERARK_APP_ID"]}, credentials)
    except MasterKeyError as error:
        if not error.code.startswith("AIMWS"):
            raise
    certificate = environ.get("CYBERARK_CLIENT_CERT")
    note = f"with the certificate {printable(certificate)}" if certificate else "by this machine's address"
    return Probe(True, who, note=note)
