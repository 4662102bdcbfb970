"""A double of Huawei Cloud KMS: encrypt-data and decrypt-data, over HTTP, with signatures that are checked.

    with Huawei() as huawei:
        huawei.add_key("0d0466b0-e727-4d9c-b35d-f84bb474a37f")
        # an unmodified client finds it by huawei.environ

Its ciphertexts are AES-256-GCM.  The signature is that of the SDKs (SDK-HMAC-SHA256); codes and wording
of errors are illustrations.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from doubles.serving import Serving

ACCESS_KEY = "ACCESSKEYOFATEST"
SECRET_KEY = "a-secret-key-of-a-test"
PROJECT = "0123456789abcdef0123456789abcdef"
REGION = "tr-west-1"


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"error_code": code, "error_msg": message}}


class Huawei(Serving):
    """The server of one region.

    ``denied`` are the denied operations (encrypt, decrypt); ``disabled`` the ids of keys;
    ``later`` the status codes to answer the next calls with instead; ``delay`` the seconds that each takes;
    ``session_token`` what a temporary credential must bring as well; ``calls`` the paths seen.
    """

    def __init__(self) -> None:
        self.keys: dict[str, AESGCM] = {}
        self.disabled: set[str] = set()
        self.denied: set[str] = set()
        self.later: list[int] = []
        self.delay = 0.0
        self.session_token = ""
        self.calls: list[str] = []
        handler = type("Handler", (_Handler,), {"huawei": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoint(self) -> dict[str, str]:
        """The variable that leads a client here."""
        return {f"HUAWEICLOUD_SDK_REGION_KMS_{REGION.replace('-', '_').upper()}": self.address}

    @property
    def environ(self) -> dict[str, str]:
        """The way here, and a credential."""
        return {
            **self.endpoint,
            "HUAWEICLOUD_SDK_AK": ACCESS_KEY,
            "HUAWEICLOUD_SDK_SK": SECRET_KEY,
            "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT,
        }

    def add_key(self, key_id: str) -> str:
        """A new key; returns how sops and encconf name it."""
        self.keys[key_id] = AESGCM(AESGCM.generate_key(256))
        return f"{REGION}:{key_id}"

    def operate(self, operation: str, body: Mapping[str, str]) -> dict[str, str]:
        """What the API answers."""
        key_id = body.get("key_id", "")
        if operation in self.denied:
            raise RefusalError(403, "KMS.0306", f"No permission to {operation} with this key.")
        if key_id not in self.keys:
            raise RefusalError(400, "KMS.0205", "The key_id is invalid.")
        if key_id in self.disabled:
            raise RefusalError(400, "KMS.1201", "The key is disabled.")
        if body.get("encryption_algorithm") != "SYMMETRIC_DEFAULT":
            raise RefusalError(400, "KMS.0202", "The algorithm is invalid.")
        key = self.keys[key_id]
        if operation == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + key.encrypt(nonce, body["plain_text"].encode(), None)
            return {"key_id": key_id, "cipher_text": base64.b64encode(sealed).decode()}
        try:
            sealed = base64.b64decode(body["cipher_text"], validate=True)
            plain = key.decrypt(sealed[:12], sealed[12:], None).decode()
        except (InvalidTag, ValueError):
            raise RefusalError(400, "KMS.0209", "The cipher_text is invalid.") from None
        return {"key_id": key_id, "plain_text": plain}

    def signed(self, method: str, path: str, headers: Any, body: bytes) -> bool:
        """Whether the signature in the header Authorization is that of our secret key."""
        match = re.fullmatch(
            r"SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
            headers.get("Authorization", ""),
        )
        if match is None or match[1] != ACCESS_KEY:
            return False
        segments = [quote(unquote(part), safe="-_.~") for part in urlsplit(path).path.split("/")]
        canonical = [
            *(method, "/".join(segments).rstrip("/") + "/", ""),
            *(f"{name}:{headers.get(name, '').strip()}" for name in match[2].split(";")),
            *("", match[2], hashlib.sha256(body).hexdigest()),
        ]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = "\n".join(["SDK-HMAC-SHA256", headers.get("X-Sdk-Date", ""), digest])
        wanted = hmac.new(SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, match[3]) and self.session_token == headers.get(
            "X-Security-Token", ""
        )


class _Handler(BaseHTTPRequestHandler):
    huawei: ClassVar[Huawei]
    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1  # one packet for an answer: else each waits 40 ms

    def log_message(self, *args: object) -> None:
        """Nothing: pytest shows what matters."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        huawei = self.huawei
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        huawei.calls.append(self.path)
        time.sleep(huawei.delay)
        try:
            if huawei.later:
                raise RefusalError(
                    huawei.later.pop(0), "APIGW.0308", "The throttling threshold has been reached."
                )
            if not huawei.signed(self.command, self.path, self.headers, body):
                raise RefusalError(401, "APIGW.0301", "Incorrect IAM authentication information.")
            match = re.fullmatch(rf"/v1\.0/{PROJECT}/kms/(encrypt|decrypt)-data", self.path)
            if match is None:
                raise RefusalError(404, "APIGW.0101", "The API does not exist.")
            self._answer(200, huawei.operate(match[1], json.loads(body)))
        except RefusalError as refusal:
            self._answer(refusal.status, refusal.body)

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Request-Id", "a-request-of-a-test")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
