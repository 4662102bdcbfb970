"""Sockets that only their owner can connect to."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from encconf.errors import UsageError
from encconf.io.sockets import PATH_LIMIT, OwnSocket


def listening(place: OwnSocket) -> socket.socket:
    """A socket that listens at a place."""
    listener = socket.socket(socket.AF_UNIX)
    with place.making() as temporary:
        listener.bind(temporary)
        listener.listen()
        assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600
    return listener


def test_it_appears_when_it_is_ready_and_is_removed(tmp_path: Path) -> None:
    place = OwnSocket(str(tmp_path / "s"))
    with listening(place):
        assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(place.path)
        assert os.listdir(tmp_path) == ["s"]
    place.remove()
    place.remove()
    assert os.listdir(tmp_path) == []


def test_a_dead_server_s_place_is_taken_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    dead = OwnSocket(path)
    listening(dead).close()
    alive = OwnSocket(path)
    with listening(alive):
        dead.remove()  # not its own any more
        assert os.path.exists(path)
        with pytest.raises(UsageError, match="another process does"), OwnSocket(path).making():
            pytest.fail("the place is taken")


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    place = OwnSocket(str(tmp_path / "s"))

    def fail() -> None:
        with socket.socket(socket.AF_UNIX) as listener, place.making() as temporary:
            listener.bind(temporary)
            assert not os.path.exists(place.path)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == []
    assert os.umask(before) == before


def test_places_that_no_socket_can_have(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is not a socket"), OwnSocket(str(tmp_path / "file")).making():
        pytest.fail("it would be overwritten")
    with pytest.raises(UsageError, match="at most 107 bytes"):
        OwnSocket("/" + "x" * PATH_LIMIT)
    with pytest.raises(UsageError, match="path of the socket is missing"):
        OwnSocket("/")
