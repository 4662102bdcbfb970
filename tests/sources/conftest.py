"""Servers that are of no use, for all tests of this folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from encconf import sources


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
