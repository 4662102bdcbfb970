"""Doubles of CyberArk's Central Credential Provider and of Conjur, each behind one port of 127.0.0.1.

    with CredentialProvider(ca.context()) as provider:
        provider.add("Safe", "db", "s3cret", UserName="app")
        environ = {"CYBERARK_CCP_URL": provider.url, "CYBERARK_APP_ID": "app"}

Paths, parameters, codes and the shape of answers are those of CyberArk's documentation, and its clients
(pyaim, conjur-api) work against them.  Neither is installable here, so that nothing is proved about the
real ones but that those clients and encconf ask alike.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from doubles.serving import Serving

Answer = tuple[int, object, dict[str, str]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up, or has the wrong certificate, is part of a test."""


class _Double(Serving):
    """A server in threads of its own.

    ``calls`` are the requests seen, "GET /path?query"; the next ``faults`` are statuses to answer with
    instead; every answer takes ``delay`` seconds longer.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.calls: list[str] = []
        self.faults: list[int] = []
        self.delay = 0.0
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._scheme = "https" if context else "http"
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}"

    def answer(self, request: _Handler, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Status, body (bytes as they are, else JSON) and headers."""
        raise NotImplementedError


class _Handler(BaseHTTPRequestHandler):
    double: ClassVar[_Double]
    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1  # one packet for an answer

    def log_message(self, *args: object) -> None:
        """Nothing: pytest shows what matters."""

    def handle(self) -> None:
        try:
            super().handle()
        except ssl.SSLError:
            # Else what the client sent meanwhile would end the connection before the alert has arrived.
            with contextlib.suppress(OSError):
                while socket.socket.recv(self.connection, 1 << 16):
                    pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def subject(self) -> str | None:
        """The common name in the client's certificate."""
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        subject = (certificate or {}).get("subject", ())
        return next((value for part in subject for name, value in part if name == "commonName"), None)

    def _handle(self) -> None:
        double = self.double
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        double.calls.append(f"{self.command} {self.path}")
        time.sleep(double.delay)
        url = urlsplit(self.path)
        query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
        if double.faults:
            status, answer, headers = (
                double.faults.pop(0),
                b"",
                {"Location": "https://elsewhere.example.test/"},
            )
        else:
            status, answer, headers = double.answer(self, url.path, query, body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


# --- the Central Credential Provider ---------------------------------------------------------

_PROPERTIES = ("Safe", "Folder", "Object", "UserName", "Address", "Database", "PolicyID")


class CredentialProvider(_Double):
    """The web service AIMWebService: accounts in safes, and the applications that may have them.

    ``applications`` are the safes that each may see, by its id; ``certificates`` the common name that an
    application must come with; ``changing`` the objects whose password is being changed.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self.accounts: list[dict[str, str]] = []
        self.applications: dict[str, set[str]] = {}
        self.certificates: dict[str, str] = {}
        self.changing: set[str] = set()
        self.service = "/AIMWebService"
        self.vault = True  # whether the provider has a connection to it

    def add(self, safe: str, name: str, content: str, **properties: str) -> None:
        """A new account."""
        self.accounts.append({"Safe": safe, "Folder": "Root", "Name": name, "Content": content, **properties})

    def answer(self, request: _Handler, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if path.lower() != f"{self.service}/api/Accounts".lower():
            return 404, b"<html>The resource cannot be found.</html>", {}
        application = query.get("appid")
        if not application:
            return _refused(400, "AIMWS031E", "Invalid request. The AppID parameter is required")
        wanted = {name: query[name.lower()] for name in _PROPERTIES if query.get(name.lower())}
        if not wanted:
            return _refused(400, "AIMWS030E", "Invalid query format")
        if not self.vault:
            return _refused(400, "APPAP007E", "Connection to the Vault has failed")
        if application not in self.applications:
            said = (
                f"Problem occurred while trying to use user in the Vault (User {application} is not defined)"
            )
            return _refused(403, "APPAP008E", said)
        if self.certificates.get(application) not in (None, request.subject()):
            return _refused(403, "APPAP306E", f"Failed to authenticate application [{application}]")
        found = [
            account
            for account in self.accounts
            if account["Safe"] in self.applications[application] and _fits(account, wanted)
        ]
        asked = ";".join(f"{name}={value}" for name, value in wanted.items())
        if not found:
            return _refused(404, "APPAP004E", f"Password object matching query [{asked}] was not found")
        if len(found) > 1:
            said = f"Too many password objects matching query [{asked}] were found: ({len(found)} objects)"
            return _refused(400, "APPAP229E", said)
        changing = found[0]["Name"] in self.changing
        if changing and query.get("failrequestonpasswordchange", "").lower() == "true":
            return _refused(500, "APPAP282E", f"Password [{found[0]['Name']}] is currently being changed")
        return 200, {**found[0], "PasswordChangeInProcess": str(changing)}, {}


def _fits(account: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    names = {"Object": "Name"}
    return all(
        account.get(names.get(name, name), "").lower() == value.lower() for name, value in wanted.items()
    )


def _refused(status: int, code: str, said: str) -> Answer:
    return status, {"ErrorCode": code, "ErrorMsg": said}, {}


# --- Conjur ----------------------------------------------------------------------------------


class Variable:
    """Its versions, and who may see it (``read``), have it (``execute``) and change it (``update``)."""

    def __init__(self, *versions: bytes) -> None:
        self.versions = list(versions)
        self.read: set[str] = set()
        self.execute: set[str] = set()
        self.update: set[str] = set()


class Conjur(_Double):
    """``keys`` are API keys by login, ``jwts`` the logins of JWTs, ``variables`` what is kept.

    A token lasts ``lifetime`` seconds.
    """

    account = "acme"

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self.keys: dict[str, str] = {}
        self.jwts: dict[str, str] = {}
        self.variables: dict[str, Variable] = {}
        self.tokens: dict[str, tuple[str, float]] = {}
        self.lifetime = 480.0

    def logins(self) -> list[str]:
        """The requests that wanted a token."""
        return [call for call in self.calls if call.endswith("/authenticate")]

    def token(self, login: str) -> bytes:
        """A new one, as the server gives it."""
        now = time.time()
        token = {
            "protected": _base64(b'{"alg":"conjur.org/slosilo/v2","kid":"test"}'),
            "payload": _base64(json.dumps({"sub": login, "iat": int(now)}).encode()),
            "signature": secrets.token_urlsafe(24),
        }
        text = json.dumps(token).encode()
        self.tokens[_base64(text)] = (login, now + self.lifetime)
        return text

    def answer(self, request: _Handler, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if path.endswith("/authenticate"):
            login = self._login(path, request, body)
            if login is None:
                return 401, b"", {}
            token = self.token(login)
            if request.headers.get("Accept-Encoding", "").lower() == "base64":
                return 200, _base64(token).encode(), {"Content-Encoding": "base64"}
            return 200, token, {}
        header = re.fullmatch(r'Token token="([^"]+)"', request.headers.get("Authorization", ""))
        login, until = self.tokens.get(header[1] if header else "", ("", 0.0))
        if until <= time.time():
            return 401, b"", {}
        if path == "/whoami":
            return 200, {"client_ip": "127.0.0.1", "account": self.account, "username": login}, {}
        match = re.fullmatch(r"/secrets/([^/]+)/variable/([^/]+)", path)
        if match is None or match[1] != self.account:
            return 404, b"", {}
        if request.command == "POST":
            return self._change(unquote(match[2]), login, body)
        return self._value(unquote(match[2]), login, query.get("version"))

    def _login(self, path: str, request: _Handler, body: bytes) -> str | None:
        if match := re.fullmatch(rf"/authn/{self.account}/([^/]+)/authenticate", path):
            # What has no type is a form to Rails, and the key is not read.
            whole = request.headers.get("Content-Type", "") not in ("", "application/x-www-form-urlencoded")
            login = unquote(match[1])
            return login if whole and self.keys.get(login) == body.decode() else None
        if match := re.fullmatch(rf"/authn-jwt/([^/]+)/{self.account}(?:/([^/]+))?/authenticate", path):
            login = self.jwts.get(parse_qs(body.decode()).get("jwt", [""])[0])
            return login if match[2] is None or unquote(match[2]) == login else None
        return None

    def _value(self, name: str, login: str, version: str | None) -> Answer:
        variable = self.variables.get(name)
        if variable is None or login not in variable.read | variable.execute:
            return self._missing(name)
        if login not in variable.execute:
            return 403, {"error": {"code": "forbidden", "message": "CONJ00079E Forbidden"}}, {}
        number = int(version) if version else len(variable.versions)
        if not 0 < number <= len(variable.versions):
            return self._missing(name)
        return 200, variable.versions[number - 1], {}

    def _change(self, name: str, login: str, body: bytes) -> Answer:
        variable = self.variables.get(name)
        if variable is None:
            return self._missing(name)
        if login not in variable.update:
            return 403, b"", {}
        if not body:
            return 422, {"error": {"code": "argument_error", "message": "'value' may not be empty"}}, {}
        variable.versions.append(body)
        return 201, b"", {}

    def _missing(self, name: str) -> Answer:
        said = f"CONJ00076E Variable {self.account}:variable:{name} is empty or not found."
        return 404, {"error": {"code": "not_found", "message": said}}, {}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
