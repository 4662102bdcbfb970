"""A double of Azure: key vaults with real RSA keys and with secrets, Entra ID's tokens, managed identities.

    with Azure(ca.context()) as azure, ConnectProxy(azure.routes) as proxy:
        version = azure.add_key("sops")
        # an unmodified client now finds https://myvault.vault.azure.net/keys/sops

It answers for every host name that leads to it, and at ``https://127.0.0.1:PORT`` too.  Paths, bodies and
error codes follow Azure's REST reference; the wording of errors is an approximation.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import re
import secrets
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from doubles.connect_proxy import ConnectProxy
from doubles.serving import Closing

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SECRET = "a-client-secret-of-a-test"
IDENTITY_HEADER = "an-identity-header-of-a-test"
_LOGIN = "https://login.microsoftonline.com"
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class RefusalError(Exception):
    """An answer that is an error of Key Vault's."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"code": code, "message": message}
        if inner:
            error["innererror"] = {"code": inner}
        self.body = {"error": error}


class Call:
    """A request that was seen: ``authorized`` is whether it had a token."""

    def __init__(self, method: str, host: str, path: str, authorized: bool) -> None:
        self.method = method
        self.host = host
        self.path = path
        self.authorized = authorized

    def __repr__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


class Azure(Closing):
    """The servers: HTTPS for vaults and Entra ID, HTTP for managed identities.

    ``denied`` are operations (encrypt, decrypt, get, getSecret, setSecret) that are denied; ``resource``
    is what vaults say
    that tokens must be for; ``later`` are answers to give to the next authorized calls instead, as
    (status, headers); ``delay`` makes every authorized call take that many seconds.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.keys: dict[str, dict[str, rsa.RSAPrivateKey]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.disabled: set[str] = set()
        self.denied: set[str] = set()
        self.tokens: set[str] = set()
        self.calls: list[Call] = []
        self.later: list[tuple[int, dict[str, str]]] = []
        self.delay = 0.0
        self.resource = "https://vault.azure.net"
        self.identity = True  # whether the machine has a managed identity
        self.expired = False  # whether the client's secret is
        self._https = self._listen(context)
        self._http = self._listen(None)

    @property
    def port(self) -> int:
        """Where HTTPS is."""
        return int(self._https.server_address[1])

    @property
    def plain(self) -> str:
        """The address of managed identities, by HTTP."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def routes(self) -> Mapping[str, int]:
        """For a ConnectProxy."""
        return {"*.vault.azure.net": self.port, "login.microsoftonline.com": self.port}

    @property
    def environ(self) -> dict[str, str]:
        """A client's secret."""
        return {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET}

    def add_key(self, name: str) -> str:
        """A new key, or a new version of one; returns the version."""
        version = uuid.uuid4().hex
        self.keys.setdefault(name, {})[version] = _rsa_key(sum(map(len, self.keys.values())))
        return version

    def add_secret(self, name: str, value: str) -> str:
        """A new secret, or a new version of one; returns the version."""
        version = uuid.uuid4().hex
        self.secrets.setdefault(name, {})[version] = value
        return version

    def asked_for_tokens(self) -> list[Call]:
        """The calls that wanted one."""
        return [call for call in self.calls if call.path.endswith("/token")]

    def of_vaults(self) -> list[Call]:
        """The calls with a token."""
        return [call for call in self.calls if call.authorized]

    def close(self) -> None:
        """Stop both servers."""
        for server in (self._https, self._http):
            server.shutdown()
            server.server_close()

    def _listen(self, context: ssl.SSLContext | None) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"azure": self})
        server = _Server(("127.0.0.1", 0), handler)
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    # --- what is answered: status, body, headers ---------------------------------------------

    def discovery(self) -> Any:
        host = urlsplit(_LOGIN).netloc
        return {
            "tenant_discovery_endpoint": f"{_LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }

    def configuration(self, tenant: str) -> Any:
        return {
            "token_endpoint": f"{_LOGIN}/{tenant}/oauth2/v2.0/token",
            "authorization_endpoint": f"{_LOGIN}/{tenant}/oauth2/v2.0/authorize",
            "issuer": f"{_LOGIN}/{tenant}/v2.0",
        }

    def sign_in(self, form: Mapping[str, str]) -> tuple[int, Any]:
        """Entra ID: by secret, or by an assertion of anybody's (it is not checked)."""
        if self.expired:
            said = "AADSTS7000222: The provided client secret keys for app are expired.\r\nTrace ID: 0"
            return 401, {"error": "invalid_client", "error_description": said, "error_codes": [7000222]}
        if form.get("grant_type") != "client_credentials" or form.get("client_id") != CLIENT:
            said = "AADSTS700016: Application was not found in the directory."
            return 400, {"error": "unauthorized_client", "error_description": said}
        if "client_assertion" not in form and form.get("client_secret") != SECRET:
            said = "AADSTS7000215: Invalid client secret provided. Ensure it is.\r\nTrace ID: 0"
            return 401, {"error": "invalid_client", "error_description": said, "error_codes": [7000215]}
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self._token()}

    def managed_identity(self, query: Mapping[str, str]) -> tuple[int, Any]:
        if not self.identity:
            return 400, {"error": "invalid_request", "error_description": "Identity not found"}
        end = str(int(time.time()) + 3600)
        token = {"access_token": self._token(), "expires_on": end, "expires_in": "3600"}
        return 200, {**token, "resource": query.get("resource", ""), "token_type": "Bearer"}

    def _token(self) -> str:
        token = f"a-token-of-a-test.{secrets.token_urlsafe(16)}"
        self.tokens.add(token)
        return token

    def key(self, host: str, name: str, version: str) -> Any:
        self._may("get")
        version, key = self._find(name, version)
        numbers = key.public_key().public_numbers()
        return {
            "key": {
                "kid": f"https://{host}/keys/{name}/{version}",
                "kty": "RSA",
                "key_ops": ["encrypt", "decrypt"],
                "n": _encode(_integer(numbers.n)),
                "e": _encode(_integer(numbers.e)),
            },
            "attributes": {"enabled": version not in self.disabled, "created": 1, "updated": 1},
        }

    def operate(self, host: str, name: str, version: str, operation: str, body: Mapping[str, str]) -> Any:
        self._may(operation)
        version, key = self._find(name, version)
        if version in self.disabled:
            said = f"Operation {operation} is not allowed on a disabled key."
            raise RefusalError(403, "Forbidden", said, "KeyDisabled")
        if body.get("alg") != "RSA-OAEP-256":
            raise RefusalError(400, "BadParameter", "The specified algorithm is not supported for this key")
        apply: Callable[..., bytes] = key.public_key().encrypt if operation == "encrypt" else key.decrypt
        try:
            value = apply(_decode(body["value"]), _OAEP)
        except ValueError:
            raise RefusalError(400, "BadParameter", "The parameter is incorrect.") from None
        return {"kid": f"https://{host}/keys/{name}/{version}", "value": _encode(value)}

    def secret(self, host: str, name: str, version: str, body: Mapping[str, str] | None) -> Any:
        """Get one, or with a body give it a new version."""
        if body is not None:
            self._may("setSecret", "secrets")
            version = self.add_secret(name, body["value"])
        else:
            self._may("getSecret", "secrets")
        versions = self.secrets.get(name, {})
        version = version or next(reversed(versions), "")
        if version not in versions:
            said = f"A secret with (name/id) {name}/{version} was not found in this key vault."
            raise RefusalError(404, "SecretNotFound", said)
        if version in self.disabled:
            said = "Operation get is not allowed on a disabled secret."
            raise RefusalError(403, "Forbidden", said, "SecretDisabled")
        return {
            "value": versions[version],
            "id": f"https://{host}/secrets/{name}/{version}",
            "attributes": {"enabled": True, "created": 1, "updated": 1},
        }

    def _may(self, operation: str, kind: str = "keys") -> None:
        if operation in self.denied:
            action = f"Microsoft.KeyVault/vaults/{kind}/{operation}/action"
            said = f"Caller is not authorized to perform action on resource.\r\nAction: '{action}'"
            raise RefusalError(403, "Forbidden", said, "ForbiddenByRbac")

    def _find(self, name: str, version: str) -> tuple[str, rsa.RSAPrivateKey]:
        versions = self.keys.get(name, {})
        version = version or next(reversed(versions), "")
        if version not in versions:
            said = f"A key with (name/id) {name}/{version} was not found in this key vault."
            raise RefusalError(404, "KeyNotFound", said)
        return version, versions[version]


@contextlib.contextmanager
def the_only_way(azure: Azure, patch: pytest.MonkeyPatch, empty: Path) -> Iterator[ConnectProxy]:
    """The way to the double, for the SDKs of this process; metadata services lead nowhere.

    ``empty`` is a folder without programs.
    """
    with ConnectProxy(azure.routes) as proxy:
        for name, value in proxy.environ.items():
            patch.setenv(name, value)
        patch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
        patch.setenv("PATH", str(empty))  # no az, azd or pwsh
        yield proxy
        assert not any("169.254" in line for line, _ in proxy.log)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up, or trusts another authority, is part of a test."""


class _Handler(BaseHTTPRequestHandler):
    azure: ClassVar[Azure]
    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1  # one packet for an answer: else each waits 40 ms

    def log_message(self, *args: object) -> None:
        """Nothing: pytest shows what matters."""

    def do_GET(self) -> None:
        self._handle({})

    def do_PUT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        form = "x-www-form-urlencoded" in self.headers.get("Content-Type", "")
        self._handle(dict(parse_qsl(body)) if form else json.loads(body or "{}"))

    def _handle(self, body: Mapping[str, str]) -> None:
        azure, host = self.azure, self.headers.get("Host", "")
        url = urlsplit(self.path)
        path, query = url.path, dict(parse_qsl(url.query))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        azure.calls.append(Call(self.command, host, path, bool(token)))
        if path == "/common/discovery/instance":
            self._answer(200, azure.discovery())
        elif path.endswith("/.well-known/openid-configuration"):
            self._answer(200, azure.configuration(path.split("/")[1]))
        elif path.endswith("/oauth2/v2.0/token"):
            self._answer(*azure.sign_in(body))
        elif path == "/msi/token":
            if self.headers.get("X-IDENTITY-HEADER") == IDENTITY_HEADER:
                self._answer(*azure.managed_identity(query))
            else:
                self._answer(401, {"statusCode": 401, "message": "bad header"})
        elif path == "/metadata/identity/oauth2/token":
            self._answer(*azure.managed_identity(query))
        elif token not in azure.tokens:
            challenge = f'Bearer authorization="{_LOGIN}/{TENANT}", resource="{azure.resource}"'
            error = RefusalError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            self._answer(401, error.body, {"WWW-Authenticate": challenge})
        else:
            self._vault(host, path, body)

    def _vault(self, host: str, path: str, body: Mapping[str, str]) -> None:
        azure = self.azure
        time.sleep(azure.delay)
        if azure.later:
            status, headers = azure.later.pop(0)
            error = RefusalError(
                status, "Throttled", "Request was not processed because too many were received."
            )
            self._answer(status, error.body, headers)
            return
        match = re.fullmatch(r"/keys/([^/]+)/?([0-9a-f]*)/?(encrypt|decrypt)?", path)
        secret = re.fullmatch(r"/secrets/([^/]+)/?([0-9a-f]*)", path)
        try:
            if secret is not None:
                given = body if self.command == "PUT" else None
                self._answer(200, azure.secret(host, secret[1], secret[2], given))
            elif match is None:
                raise RefusalError(404, "NotFound", path)
            elif match[3]:
                self._answer(200, azure.operate(host, match[1], match[2], match[3], body))
            else:
                self._answer(200, azure.key(host, match[1], match[2]))
        except RefusalError as refusal:
            self._answer(refusal.status, refusal.body)

    def _answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@functools.cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    """The first, second … key of this process: making one takes long, and each double may have the same."""
    return rsa.generate_private_key(65537, 2048)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _integer(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
