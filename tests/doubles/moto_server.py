"""AWS on this machine: moto's KMS, STS and IAM behind one port, with faults on request.

    with MotoServer() as aws:
        arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        environ = aws.environ                           # for encconf, sops and boto3 alike

moto 5.2.5 encrypts for real (AES-GCM, the encryption context as additional data) and can enforce
IAM policies.  Two of its rules are mended here: that a multi-Region key (``mrk-…``, 40 characters)
cannot decrypt, and that a disabled key still can.

As a program it serves until its standard input ends and prints its URL first:

    python -m doubles.moto_server --delay 0.05
"""

from __future__ import annotations

import argparse
import io
import logging
import math
import re
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import botocore.config
import botocore.session
import moto.kms.models
import moto.kms.utils
import moto.settings
from doubles.serving import Serving
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

REGION = "eu-central-1"
ROOT = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret-of-nobody"}
"""Credentials that may do everything, unless policies are enforced."""


class MotoServer(Serving):
    """Listens on 127.0.0.1 until `close`; all state is this process's, so one server at a time.

    ``calls`` are the actions asked for, in order: ``Decrypt``, ``AssumeRole sops@host`` with the name of
    the session, and so on; ``users`` are the access keys that asked. Every answer takes ``delay`` seconds
    longer. ``together`` says how many calls of an action wait for each other, for ten seconds at most, and
    ``peaks`` has how many there were at a time. The next ``throttled`` calls of KMS are answered that there
    were too many, and the next ``failing`` ones with an internal error; the next calls of any service get the
    ``faults``, such as "400 ExpiredTokenException".  The next ``lost`` calls are made, but answered with an
    internal error.
    """

    def __init__(self) -> None:
        _mend()
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.calls: list[str] = []
        self.users: list[str] = []
        self.delay = 0.0
        self.together: dict[str, int] = {}
        self.peaks: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._met = threading.Condition()
        self.throttled = 0
        self.failing = 0
        self.faults: list[str] = []
        self.lost = 0
        self._session = botocore.session.Session()  # one: it keeps the models of services, which are large
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._lock = threading.Lock()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environ(self) -> dict[str, str]:
        """Variables by which every AWS client works here, with credentials that may do everything."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true", **ROOT}

    def client(self, service: str, region: str = REGION) -> Any:
        """A client of the SDK's own, to set things up and to compare with."""
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=ROOT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ROOT["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def enforce(self, policies: bool = True) -> None:
        """Let IAM's policies count from now on, or no longer."""
        ActionAuthenticatorMixin.request_count = 0
        moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if policies else math.inf

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if not action:
            form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
            action = " ".join([form.get("Action", ""), form.get("RoleSessionName", "")]).strip()
        signed = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        with self._lock:
            self.calls.append(action)
            self.users.append(signed[1] if signed else "")
            fault = self.faults.pop(0) if self.faults else ""
            if service == "TrentService" and self.throttled:
                self.throttled -= 1
                fault = "400 ThrottlingException"
            elif service == "TrentService" and self.failing:
                self.failing -= 1
                fault = "500 KMSInternalException"
        time.sleep(self.delay)
        if action in self.together:
            with self._met:
                self._now[action] += 1
                self.peaks[action] = max(self.peaks[action], self._now[action])
                self._met.notify_all()
                self._met.wait_for(lambda: self.peaks[action] >= self.together[action], 10)
                self._now[action] -= 1
        if fault:
            code, _, name = fault.partition(" ")
            start(f"{code} x", [("Content-Type", "application/x-amz-json-1.1")])
            return [f'{{"__type": "{name}", "message": "a fault made by the test"}}'.encode()]
        if self.lost:
            self.lost -= 1
            list(self._moto(environ, lambda *_: lambda _: None))
            start("500 x", [])
            return [b"{}"]
        answer: Iterable[bytes] = self._moto(environ, start)
        return answer


class _DisabledError(JsonRESTError):  # type: ignore[misc]  # moto has few types
    code = 400

    def __init__(self, arn: str) -> None:
        super().__init__("DisabledException", f"{arn} is disabled.")


def _mend() -> None:
    """Teach moto the two rules; once is enough."""
    utils, backend = moto.kms.utils, moto.kms.models.KmsBackend
    if utils.KEY_ID_LEN == 40:
        return
    utils.KEY_ID_LEN = 40
    utils.HEADER_LEN = 40 + utils.IV_LEN + utils.TAG_LEN
    utils.CIPHERTEXT_HEADER_FORMAT = f">40s{utils.IV_LEN}s{utils.TAG_LEN}s"
    deserialize = utils._deserialize_ciphertext_blob

    def unpadded(ciphertext_blob: bytes) -> Any:
        blob = deserialize(ciphertext_blob)
        return blob._replace(key_id=blob.key_id.rstrip("\0"))

    utils._deserialize_ciphertext_blob = unpadded

    def guarded(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **options: Any) -> Any:
            named = options.get("key_id")
            key = self.keys.get(self.any_id_to_key_id(named)) if named else None
            if key is not None and key.key_state == "Disabled":
                raise _DisabledError(key.arn)
            return operation(self, *args, **options)

        return call

    backend.encrypt = guarded(backend.encrypt)
    backend.decrypt = guarded(backend.decrypt)


def main() -> None:
    parser = argparse.ArgumentParser(description="AWS on this machine, until standard input ends")
    parser.add_argument("--delay", type=float, default=0, help="seconds added to every answer")
    arguments = parser.parse_args()
    with MotoServer() as server:
        server.delay = arguments.delay
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
