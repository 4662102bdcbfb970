"""Google Cloud KMS on this machine: encrypt and decrypt over gRPC and REST, on Google's own message types.

    kms = GcpKms()
    name = kms.create("projects/p/locations/global/keyRings/r/cryptoKeys/k")
    with grpc_server(kms, ca) as port, ConnectProxy({"cloudkms.googleapis.com": port}) as proxy:
        environ = {**proxy.environ, "GOOGLE_OAUTH_ACCESS_TOKEN": kms.token}

The encryption is real (AES-256-GCM); status codes and message types are Google's, the texts of the
errors and the layout of a ciphertext are this double's own.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from doubles import google_grpc
from doubles.testca import TestCA
from google.api_core import exceptions
from google.auth import jwt
from google.cloud.kms_v1.types import resources, service
from google.protobuf import json_format

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_HEAD = b"\x0a\x24"


class GcpKms:
    """The keys, and who may use them: the bearer of ``token``, or of a JWT of the service account.

    Every call is noted in ``calls`` as its name and its ``authorization``.  Every answer takes ``delay``
    seconds longer; each of ``faults`` is raised by one call, instead of an answer.  With ``damaging`` the
    checksums in the answers are wrong, with ``forgetful`` there are none.
    """

    def __init__(self) -> None:
        self.token = "token-" + base64.urlsafe_b64encode(os.urandom(18)).decode()
        self.denied: set[str] = set()
        self.disabled: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.faults: list[exceptions.GoogleAPICallError] = []
        self.delay = 0.0
        self.damaging = False
        self.forgetful = False
        self._keys: dict[str, list[AESGCM]] = {}
        self._account = rsa.generate_private_key(65537, 2048)
        self._lock = threading.Lock()

    def create(self, name: str) -> str:
        """Add a key, or a new version of it, by which it encrypts from then on; returns its name."""
        self._keys.setdefault(name, []).append(AESGCM(AESGCM.generate_key(256)))
        return name

    def service_account(self) -> str:
        """The JSON of a service account whose signed tokens are accepted."""
        secret = self._account.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        info = {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "key-1",
            "private_key": secret.decode(),
            "client_email": "encconf@p.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        return json.dumps(info)

    # --- the service ---

    def call(self, operation: str, request: Any, authorization: str) -> Any:
        """Answer an EncryptRequest or a DecryptRequest; raises what Google would answer."""
        with self._lock:
            self.calls.append((operation, authorization))
            fault = self.faults.pop(0) if self.faults else None
        if self.delay:
            time.sleep(self.delay)
        if fault is not None:
            raise fault
        self._authenticate(authorization.removeprefix("Bearer "))
        name = request.name
        if not _NAME.fullmatch(name):
            raise exceptions.InvalidArgument(f"Resource name [{name}] does not match the pattern.")
        if name in self.denied:
            raise exceptions.PermissionDenied(
                f"Permission 'cloudkms.cryptoKeyVersions.useTo{operation}' denied on resource '{name}' "
                "(or it may not exist)."
            )
        if name not in self._keys:
            raise exceptions.NotFound(f"CryptoKey {name} not found.")
        return self._encrypt(request) if operation == "Encrypt" else self._decrypt(request)

    def _authenticate(self, token: str) -> None:
        if token == self.token:
            return
        public = self._account.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            claims = jwt.decode(token, certs=public)
        except (ValueError, exceptions.GoogleAPIError):
            claims = {}
        if claims.get("iss") != "encconf@p.iam.gserviceaccount.com":
            raise exceptions.Unauthenticated("Request had invalid authentication credentials.")

    def _encrypt(self, request: service.EncryptRequest) -> service.EncryptResponse:
        version = len(self._keys[request.name])
        key = self._version(request.name, version)
        checked = request.plaintext_crc32c is not None
        if checked and request.plaintext_crc32c != google_crc32c.value(request.plaintext):
            raise exceptions.InvalidArgument("The checksum in field plaintext_crc32c did not match.")
        nonce = os.urandom(12)
        head = _HEAD + struct.pack(">I", version)
        ciphertext = head + nonce + key.encrypt(nonce, request.plaintext, None)
        answer = service.EncryptResponse(name=f"{request.name}/cryptoKeyVersions/{version}")
        answer.ciphertext = ciphertext
        if not self.forgetful:
            answer.ciphertext_crc32c = google_crc32c.value(ciphertext) ^ self.damaging
            answer.verified_plaintext_crc32c = checked
        answer.protection_level = resources.ProtectionLevel.SOFTWARE
        return answer

    def _decrypt(self, request: service.DecryptRequest) -> service.DecryptResponse:
        ciphertext = request.ciphertext
        checked = request.ciphertext_crc32c is not None
        if checked and request.ciphertext_crc32c != google_crc32c.value(ciphertext):
            raise exceptions.InvalidArgument("The checksum in field ciphertext_crc32c did not match.")
        invalid = exceptions.InvalidArgument("Decryption failed: the ciphertext is invalid.")
        if len(ciphertext) < 34 or not ciphertext.startswith(_HEAD):
            raise invalid
        (version,) = struct.unpack(">I", ciphertext[2:6])
        if not 0 < version <= len(self._keys[request.name]):
            raise invalid
        try:
            plaintext = self._version(request.name, version).decrypt(ciphertext[6:18], ciphertext[18:], None)
        except InvalidTag:
            raise invalid from None
        answer = service.DecryptResponse(plaintext=plaintext)
        if not self.forgetful:
            answer.plaintext_crc32c = google_crc32c.value(plaintext) ^ self.damaging
        return answer

    def _version(self, name: str, version: int) -> AESGCM:
        full = f"{name}/cryptoKeyVersions/{version}"
        if full in self.disabled or name in self.disabled:
            raise exceptions.FailedPrecondition(f"{full} is not enabled, current state is: DISABLED.")
        return self._keys[name][version - 1]


_MESSAGES = {
    "Encrypt": (service.EncryptRequest, service.EncryptResponse),
    "Decrypt": (service.DecryptRequest, service.DecryptResponse),
}


def grpc_server(kms: GcpKms, ca: TestCA) -> AbstractContextManager[int]:
    """Serve gRPC over TLS on 127.0.0.1; gives the port."""
    return google_grpc.serve("google.cloud.kms.v1.KeyManagementService", _MESSAGES, kms.call, ca)


@contextlib.contextmanager
def rest_server(kms: GcpKms, ca: TestCA | None = None) -> Iterator[int]:
    """Serve REST on 127.0.0.1, over TLS if there is a ``ca``; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            found = re.fullmatch(r"/v1/([^?:]+(?::[^?:/]+/[^?:]+)?):(encrypt|decrypt)(\?.*)?", self.path)
            if found is None:
                self._reply(404, _error(404, "not found", "NOT_FOUND"))
                return
            operation = found[2].capitalize()
            asked, answered = _MESSAGES[operation]
            text = json.dumps({**body, "name": found[1]})
            request = asked(json_format.Parse(text, asked.pb(asked()), ignore_unknown_fields=True))
            try:
                answer = kms.call(operation, request, self.headers.get("Authorization", ""))
            except exceptions.GoogleAPICallError as error:
                status = error.grpc_status_code.name
                self._reply(int(error.code), _error(int(error.code), error.message, status))
            else:
                self._reply(200, json.loads(answered.to_json(answer)))

        def _reply(self, code: int, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # who asked may have stopped waiting
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if ca is not None:
        server.socket = ca.context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _error(code: int, message: str, status: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "status": status}}


@contextlib.contextmanager
def token_server(kms: GcpKms, ca: TestCA | None = None) -> Iterator[tuple[int, list[str]]]:
    """Serve on 127.0.0.1 whatever gives tokens; gives the port, and the list of the paths asked for.

    That is OAuth's refresh, the exchange of STS, the impersonation of IAM and the metadata server.
    """
    paths: list[str] = []
    token = {"access_token": kms.token, "expires_in": 3600, "token_type": "Bearer"}
    issued = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    impersonated = {"accessToken": kms.token, "expireTime": "2099-01-01T00:00:00Z"}
    account = {"email": "encconf@p.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._reply({**token, **issued, **impersonated})

        def do_GET(self) -> None:
            self._reply(token if "/token" in self.path else account)

        def _reply(self, answer: object) -> None:
            paths.append(self.path.partition("?")[0])
            unknown = "universe" in self.path
            body = json.dumps(answer).encode()
            self.send_response(404 if unknown else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Metadata-Flavor", "Google")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if ca is not None:
        server.socket = ca.context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, paths
    finally:
        server.shutdown()
        server.server_close()
