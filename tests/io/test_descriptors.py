"""What a path of a descriptor names."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from encconf.errors import (
    InputDeniedError,
    InputError,
    LimitError,
    OutputDeniedError,
    OutputError,
    UnwrittenError,
)
from encconf.io import descriptors, fileio

from .processes import environ, python


class TestOpenElsewhere:
    """On Windows, a file that another program has open can be neither replaced nor, perhaps, read."""

    @pytest.fixture(autouse=True)
    def _windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.name", "nt")

    def refuse(self, times: int) -> Callable[[], str]:
        left = [None] * times

        def work() -> str:
            if left:
                left.pop()
                raise PermissionError(errno.EACCES, "Permission denied")
            return "done"

        return work

    def test_it_is_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(descriptors, "is_open_elsewhere", lambda *_, **__: True)
        assert descriptors.patiently("x", self.refuse(3)) == "done"
        monkeypatch.setattr(descriptors, "is_open_elsewhere", lambda *_, **__: False)  # it was just replaced
        assert descriptors.patiently("x", self.refuse(3)) == "done"

    def test_the_error_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(descriptors, "OPEN_PATIENCE", 0.2)
        monkeypatch.setattr(descriptors, "is_open_elsewhere", lambda *_, **__: True)
        with pytest.raises(OSError, match="another program has it open") as found:
            descriptors.patiently("x", self.refuse(100_000))
        error = descriptors.cannot_write(found.value)
        assert (error.message, error.hint) == (
            "cannot be written: another program has it open",
            "close it there, then run this again",
        )
        assert descriptors.cannot_read(found.value).hint == error.hint

    def test_what_the_permissions_forbid_is_said_soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(descriptors, "is_open_elsewhere", lambda *_, **__: False)
        with pytest.raises(PermissionError):
            descriptors.patiently("x", self.refuse(100_000))

    def test_a_folder_is_not_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(descriptors, "is_open_elsewhere", lambda *_, **__: True)
        with pytest.raises(PermissionError):
            descriptors.patiently(str(tmp_path), self.refuse(3))


@pytest.mark.posix
def test_elsewhere_nothing_is_tried_again(tmp_path: Path) -> None:
    assert not descriptors.is_open_elsewhere(str(tmp_path), to_read=False)
    tries = []

    def work() -> None:
        tries.append(1)
        raise PermissionError

    with pytest.raises(PermissionError):
        descriptors.patiently(str(tmp_path / "x"), work)
    assert tries == [1]


def test_a_key_file_of_powershell_is_a_text() -> None:
    assert fileio.as_utf8("AGE-SECRET-KEY-1x\r\n".encode("utf-16")) == b"AGE-SECRET-KEY-1x\r\n"
    for data in (b"", b"AGE", b"\xff\xfe\x00", bytes(range(256))):
        assert fileio.as_utf8(data) == data


@pytest.mark.posix
class TestDescriptors:
    """--output may be a pipe that a path names."""

    CODE = (
        "import sys; from encconf.io import fileio; fileio.write_atomic(fileio.resolve(sys.argv[1]), 'new')"
    )

    def test_a_pipe_is_written(self) -> None:
        done = python(self.CODE, "/dev/stderr")
        assert done.stderr == b"new"

    def test_a_process_substitution(self) -> None:
        script = 'exec 3>&1; "$0" -c "$1" >(cat >&3); wait $!'
        done = subprocess.run(
            ["bash", "-c", script, sys.executable, self.CODE],
            env=environ(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"new", done.stderr

    def test_a_socket_is_written(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            done = python(self.CODE, f"/dev/fd/{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            assert done.returncode == 0, done.stderr
            assert ours.recv(10) == b"new"

    def test_a_file_that_is_open_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        with path.open("w") as file:
            file.write("before ")
            file.flush()
            python(self.CODE, "/dev/stderr", capture_output=False, stderr=file)
            file.write("?")  # its position is the same
        assert path.read_text().startswith("before new")

    def test_other_paths_are_no_descriptors(self, tmp_path: Path) -> None:
        (tmp_path / "2").write_text("")
        for path in (str(tmp_path / "2"), "/dev/null", "/dev/fd", "/proc/1/fd/2", "/dev/fd/x", ""):
            assert fileio.descriptor_of(path) is None


@pytest.mark.posix
def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    """Another program that has it open, such as Node.js, has made it so."""
    read, write = os.pipe()
    for descriptor in (read, write):
        os.set_blocking(descriptor, False)
    with pytest.raises(BlockingIOError):
        descriptors.read_all(read, None, wait=False)
    data = bytes(1 << 18)  # more than a pipe holds

    def send() -> None:
        time.sleep(0.05)
        descriptors.write_all(write, data)
        os.close(write)

    writer = threading.Thread(target=send)
    writer.start()
    assert descriptors.read_all(read, None) == data
    writer.join()
    os.close(read)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("limit", "said"),
    [(1 << 10, "1 KiB"), (2047 << 9, "1023 KiB"), (1 << 20, "1 MiB"), (3 << 19, "1 MiB"), (9 << 20, "9 MiB")],
)
def test_more_than_the_limit(tmp_path: Path, limit: int, said: str) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(limit + 1)
    with path.open("rb") as file, pytest.raises(LimitError, match=f"^larger than {said}$"):
        descriptors.read_all(file.fileno(), limit)
    with path.open("rb") as file:
        assert len(descriptors.read_all(file.fileno(), limit + 1)) == limit + 1


@pytest.mark.posix
def test_what_another_user_puts_into_a_folder_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of each owner and mode, on the same device or another, in each kind of folder."""
    me, other, third = 1000, 1001, 1002
    monkeypatch.setattr(os, "geteuid", lambda: me)

    def state(mode: int, owner: int, device: int) -> os.stat_result:
        return os.stat_result((mode, 1, device, 1, owner, 0, 0, 0, 0, 0))

    modes = (0o700, 0o755, 0o701, 0o757, 0o777, 0o1777, 0o1702, 0o1775, 0o1701, 0o2777, 0o770)
    for mode, owner, of_folder, device in itertools.product(modes, (me, other, 0), (me, third, 0), (1, 2)):
        for sticky in (True, False):
            everyone = bool(mode & stat.S_IWOTH) and (bool(mode & stat.S_ISVTX) or not sticky)
            planted = everyone and device == 1 and owner != me and owner != of_folder
            file, folder = state(0o644, owner, device), state(mode, of_folder, 1)
            assert descriptors.is_planted(file, folder, sticky=sticky) is planted, (oct(mode), owner, sticky)


def test_errors_of_the_system() -> None:
    for error, kind, text in (
        (PermissionError(errno.EACCES, "Permission denied"), OutputDeniedError, "permission denied"),
        (OSError(errno.ENOSPC, "No space left"), UnwrittenError, "no space left"),
        (OSError(errno.ENOTDIR, "Not a directory"), OutputError, "not a directory"),
        (OSError(errno.ETXTBSY, "another program has it open"), OutputError, "another program has it open"),
    ):
        found = descriptors.cannot_write(error)
        assert (type(found), found.message) == (kind, f"cannot be written: {text}")
        assert bool(found.hint) is (error.errno == errno.ETXTBSY)
    denied = descriptors.cannot_write(PermissionError(errno.EPERM, "Operation not permitted"))
    assert isinstance(denied, PermissionError)
    assert (denied.errno, denied.strerror) == (errno.EPERM, "Operation not permitted")
    unread = descriptors.cannot_read(PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(unread, InputDeniedError)
    assert (unread.errno, unread.message) == (errno.EACCES, "cannot be read: permission denied")
    assert type(descriptors.cannot_read(OSError(errno.EIO, "Input/output error"))) is InputError


@pytest.mark.posix
def test_what_is_a_terminal() -> None:
    main, terminal = os.openpty()
    read, write = os.pipe()
    try:
        for found in (descriptors.is_terminal, descriptors.shows_colors):
            assert [found(each) for each in (terminal, read)] == [True, False]
    finally:
        for descriptor in (main, terminal, read, write):
            os.close(descriptor)
