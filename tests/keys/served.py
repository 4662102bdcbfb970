"""Key services that tests of both sides run, who holds the keys, and who has none."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle import AgeKey, clean_environ, gpg_home, scratch

from encconf import keyservice
from encconf.identities.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def alice() -> AgeKey:
    return AgeKey.generate()


@pytest.fixture(scope="module")
def holder(alice: AgeKey) -> dict[str, str]:
    """The environment of one who has the keys: alice's, and the PGP key of the fixtures."""
    return clean_environ({**alice.environ(), "GNUPGHOME": str(gpg_home())})


@pytest.fixture(scope="module")
def empty_gnupg() -> Path:
    home = scratch() / "nopgp"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


@pytest.fixture
def others(empty_gnupg: Path) -> Callable[..., Credentials]:
    """Credentials of one who has no key, but these key services."""

    def make(*uris: str, local: bool = False, **more: Any) -> Credentials:
        environ = clean_environ({"GNUPGHOME": str(empty_gnupg)})
        return Credentials(environ, key_services=uris, local_key_service=local, timeout=20, **more)

    return make


@pytest.fixture
def path() -> Iterator[str]:
    """Where a socket may be put; short, as sockets need it."""
    folder = scratch() / f"s{os.urandom(3).hex()}"
    folder.mkdir(mode=0o700)
    yield str(folder / "ks")
    assert os.listdir(folder) == []


def answered(uri: str) -> bool:
    kind, _, place = uri.partition("://")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as probe:
        address: Any = place if kind == "unix" else ("127.0.0.1", int(place.rpartition(":")[2]))
        return probe.connect_ex(address) == 0


@contextlib.contextmanager
def running(command: list[str], environ: dict[str, str], uri: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server, from when it listens to its end by SIGTERM."""
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not answered(uri):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextlib.contextmanager
def serving(
    holder: dict[str, str], path: str = "", approve: Callable[[str], bool] | None = None, **more: str
) -> Iterator[tuple[str, list[str]]]:
    """Our server in this process: its address, and what it logs."""
    log: list[str] = []
    network, address = ("unix", path) if path else ("tcp", "127.0.0.1:0")
    environ = {**holder, **more}
    with keyservice.serving(
        network,
        address,
        credentials=lambda: Credentials(environ, timeout=20),
        approve=approve,
        log=log.append,
    ) as uri:
        yield uri, log


def encconf(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "encconf", "keyservice", *args],
        env=clean_environ({"PYTHONPATH": str(ROOT), **environ}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
