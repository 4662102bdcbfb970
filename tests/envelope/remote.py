"""Key services that answer as a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from oracle import AgeKey as Pair
from oracle import clean_environ

from encconf.envelope import WrappedKey
from encconf.identities.credentials import Credentials
from encconf.keys import MasterKey

DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"


def holds(*pairs: Pair, **environ: str) -> Credentials:
    """Credentials with these identities."""
    return Credentials(clean_environ({"SOPS_AGE_KEY": "\n".join(pair.identity for pair in pairs), **environ}))


# --- services ------------------------------------------------------------------------------


class Load:
    """How many calls to services there are, and were at most, at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0


class Remote:
    """A key of a service that answers after ``delay`` seconds, with ``error`` if there is one."""

    DATED = True
    listed = False
    load = Load()

    def __init__(
        self, name: str, delay: float = 0, error: Exception | None = None, type: str = "kms"
    ) -> None:
        self.TYPE = type
        self.name = self.label = name
        self.delay = delay
        self.error = error
        self.calls = 0
        self.load = Remote.load  # this test's: calls that hang may outlive it

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        self.work()
        return f"{self.name}:{data_key.hex()}"

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        self.work()
        return bytes.fromhex(enc.split(":")[1])

    def unwrap_spoiled(self, ask: Callable[[MasterKey], bytes], credentials: Credentials) -> bytes:
        return ask(self)  # type: ignore[arg-type]

    def work(self) -> None:
        with self.load.lock:
            self.calls += 1
            self.load.now += 1
            self.load.most = max(self.load.most, self.load.now)
        time.sleep(self.delay)
        with self.load.lock:
            self.load.now -= 1
        if self.error is not None:
            raise self.error

    def wrapped(self, part: bytes = DATA_KEY) -> WrappedKey:
        return WrappedKey(self, f"{self.name}:{part.hex()}", NOW)  # type: ignore[arg-type]

    def to_entry(self) -> dict[str, object]:
        return {"arn": self.name}
