"""Key services that tests of both sides run."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from oracle import clean_environ

from encconf.identities.credentials import Credentials
from encconf.keyservice import server as keyservice

ROOT = Path(__file__).resolve().parents[2]


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
