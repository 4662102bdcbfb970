"""Servers that are of no use, and files that may not be read, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from encconf import sources

from .machine import who

VALUE = b"s3cret-of-this-machine"


@pytest.fixture
def silent() -> Iterator[str]:
    """``127.0.0.1:PORT``, where one is let in and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody_there() -> Iterator[str]:
    """``127.0.0.1:PORT``, where nothing listens and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe may take long: here much else goes on, and two seconds are soon over."""
    monkeypatch.setattr(sources, "PROBE_LIMIT", 60.0)


@pytest.fixture
def closed() -> Iterator[Callable[[], Path]]:
    """Gives a folder with files that this user may not read, who is nobody from then on if it was root."""
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    user = os.geteuid()

    def close() -> Path:
        for path in (folder / "db", folder / "secret"):
            path.write_bytes(VALUE)
            sources.fetch(f"file:{path}", who())  # all that it takes is loaded
            path.chmod(0)
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield close
    os.seteuid(user)
    folder.chmod(0o700)
    shutil.rmtree(folder)
