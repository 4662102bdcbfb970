"""Two writers of one file take turns."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project

from encconf.errors import OutputError
from encconf.io import locks

from .processes import environ


class TestTurns:
    def test_one_after_the_other(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys, time; from encconf.io import fileio, locks\n"
            "for _ in range(10):\n"
            "    with locks.Turn(sys.argv[1]):\n"
            "        old = fileio.read_text(sys.argv[1]); time.sleep(0.005)\n"
            "        fileio.write_atomic(sys.argv[1], str(int(old) + 1), replacing=old)\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, path], env=environ()) for _ in range(4)]
        assert [writer.wait(60) for writer in writers] == [0] * 4
        assert path.read_text() == "40"

    def test_not_for_ever_and_not_for_what_is_not_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        with locks.Turn(str(path)):
            path.write_text("")
        monkeypatch.setattr(locks, "TURN_PATIENCE", 0.2)
        with locks.Turn(str(path)):
            started = time.monotonic()
            with locks.Turn(str(path)):
                assert time.monotonic() - started >= 0.2


def test_a_link_has_no_turn(tmp_path: Path) -> None:
    """A link that somebody plants must not make writers wait for another file."""
    path, link = tmp_path / "x", tmp_path / "link"
    path.write_text("")
    link.symlink_to(path)
    with locks.Turn(str(link)):
        started = time.monotonic()
        with locks.Turn(str(path)):
            assert time.monotonic() - started < 10


def test_an_interrupted_turn_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()

    def interrupted(descriptor: int, patience: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(locks, "lock", interrupted)
    turn = locks.Turn(str(path))
    before = os.listdir("/dev/fd")
    with pytest.raises(KeyboardInterrupt):
        turn.__enter__()
    assert os.listdir("/dev/fd") == before


def test_a_file_that_was_replaced_meanwhile_is_locked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    real = locks.lock

    def lock(descriptor: int, patience: float) -> bool:
        if not (tmp_path / "old").exists():
            path.rename(tmp_path / "old")
            path.touch()
        return real(descriptor, patience)

    monkeypatch.setattr(locks, "lock", lock)
    before = os.listdir("/dev/fd")
    with locks.Turn(str(path)):
        assert len(os.listdir("/dev/fd")) == len(before) + 1
        monkeypatch.setattr(locks, "lock", real)
        with open(path) as new, pytest.raises(OutputError):
            locks.lock(new.fileno(), 0)
        with open(tmp_path / "old") as old:
            assert locks.lock(old.fileno(), 0)
    assert os.listdir("/dev/fd") == before


class TestFolder:
    def test_what_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to(tmp_path)
        for name in ("file", "link", "missing"):
            with pytest.raises(OSError, match=name), locks.LockedFolder(str(tmp_path / name)):
                pass

    def test_names_are_those_in_the_open_folder(self, tmp_path: Path) -> None:
        """Whatever has its path by now."""
        (tmp_path / "a").mkdir()
        with locks.LockedFolder(str(tmp_path / "a")) as folder:
            (tmp_path / "a").rename(tmp_path / "b")
            (tmp_path / "a").mkdir()
            (tmp_path / "a/other").touch()
            os.close(folder.open("new", os.O_WRONLY | os.O_CREAT))
            assert (folder.has("new"), folder.has("other")) == (True, False)
            assert not folder.unlink("other")
            assert os.listdir(tmp_path / "b") == ["new"]
            assert folder.unlink("new")
            folder.sync()
        assert (os.listdir(tmp_path / "a"), os.listdir(tmp_path / "b")) == (["other"], [])

    def test_no_link_is_followed_and_no_pipe_is_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        with locks.LockedFolder(str(tmp_path)) as folder:
            assert folder.has("link")
            (tmp_path / "file").rename(tmp_path / "moved")
            assert folder.has("link"), "wherever it leads"
            (tmp_path / "moved").rename(tmp_path / "file")
            with pytest.raises(OSError, match="link"):
                folder.open("link", os.O_RDONLY)
            os.close(folder.open("pipe", os.O_RDONLY))
            descriptor = folder.open("private", os.O_WRONLY | os.O_CREAT)
            assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
            os.close(descriptor)

    @pytest.mark.services  # as another user: may not list the folder
    def test_a_folder_that_may_not_be_listed_has_whole_paths(self, shared: Path) -> None:
        shared.chmod(0o333)
        os.seteuid(65534)
        try:
            with locks.LockedFolder(str(shared)) as folder:
                assert (folder.locked, folder.descriptor) == (False, None)
                os.close(folder.open("new", os.O_WRONLY | os.O_CREAT))
                assert folder.has("new")
                folder.sync()
        finally:
            os.seteuid(0)
        assert os.listdir(shared) == ["new"]


_HOLD = """\
import fcntl, os, sys, time
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(int(sys.argv[2]))
    os.seteuid(int(sys.argv[2]))
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(100)
"""


@contextmanager
def _held(path: Path, user: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a user that has locked a file or folder."""
    words = [sys.executable, "-c", _HOLD, path, str(user)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder
        finally:
            holder.kill()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


class TestHolder:
    @pytest.mark.services  # as root: starts a process of another user
    def test_a_user_who_may_not_write_there_stops_no_writer_for_long(
        self, shared: Path, sealed: Project
    ) -> None:
        file = shared / "s.enc.yaml"
        file.write_text(sealed.read("secrets.enc.yaml"))
        with _held(file, 65534), _held(shared, 65534) as holder:
            started = time.monotonic()
            said = sealed.run("set", str(file), "db.port", "1", code=3).err
            assert time.monotonic() - started < 10
        assert f"is locked by process {holder.pid} of nobody, who may not write there" in said
        assert f"kill {holder.pid}" in said
        with _held(file, 65534):  # the file alone stops nothing
            started = time.monotonic()
            sealed.run("set", str(file), "db.port", "1")
            assert time.monotonic() - started < 10
        assert [path.name for path in shared.iterdir()] == ["s.enc.yaml"]

    @pytest.mark.services  # as root: starts a process of another user
    def test_users_who_may_write_there_wait_for_each_other(
        self, shared: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.5)
        for mode, owner in ((0o775, 0), (0o777, 0), (0o755, 65534)):
            shared.chmod(mode)
            os.chown(shared, owner, -1)
            with (
                _held(shared, 65534) as holder,
                pytest.raises(OutputError) as caught,
                locks.LockedFolder(str(shared)),
            ):
                pass
            assert f"locked by process {holder.pid} of nobody (0.5 s)" in caught.value.message

    @pytest.mark.services  # as root: starts a process of another user
    def test_another_user_stops_no_writer_in_a_folder_for_everyone(
        self, shared: Path, sealed: Project
    ) -> None:
        shared.chmod(0o1777)
        file = shared / "s.enc.yaml"
        file.write_text(sealed.read("secrets.enc.yaml"))
        with _held(file, 65534), _held(shared, 65534):
            started = time.monotonic()
            sealed.run("set", str(file), "db.port", "1")
            assert time.monotonic() - started < 10
        assert sealed.run("get", str(file), "db.port").out.strip() == "1"

    @pytest.mark.services  # as root: starts a process of another user
    def test_everybody_waits_for_root(self, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.5)
        os.chown(shared, 65534, -1)
        with _held(shared, 0) as holder:
            monkeypatch.setattr(os, "geteuid", lambda: 1234)
            with pytest.raises(OutputError) as caught, locks.LockedFolder(str(shared)):
                pass
        assert f"locked by process {holder.pid} of root (0.5 s)" in caught.value.message

    def test_your_own_process_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also if others hold locks elsewhere.  No descriptor stays open."""
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.5)
        for name in "abc":
            (tmp_path / name).mkdir()
        user = os.geteuid()
        with _held(tmp_path / "a", user), _held(tmp_path / "b", user) as holder, _held(tmp_path / "c", user):
            before = os.listdir("/dev/fd")
            with pytest.raises(OutputError) as caught, locks.LockedFolder(str(tmp_path / "b")):
                pass
            assert os.listdir("/dev/fd") == before
        assert f"is locked by process {holder.pid} of " in caught.value.message

    @pytest.mark.services  # as root: starts a process of another user
    def test_a_user_without_a_name(self, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.2)
        shared.chmod(0o777)
        with _held(shared, 54321), pytest.raises(OutputError) as caught, locks.LockedFolder(str(shared)):
            pass
        assert "of user 54321 (0.2 s)" in caught.value.message

    def test_only_a_lock_of_the_same_kind_stops_a_writer(self, tmp_path: Path) -> None:
        """A lock of lockf does not exclude one of flock, so its process is not named."""
        path = tmp_path / "x"
        path.write_bytes(bytes(100))
        cpus = os.sched_getaffinity(0)
        with open(path, "rb+") as file, _held(path, os.geteuid()) as holder:
            try:
                for cpu in cpus:  # Linux lists the locks of each, the newest first
                    os.sched_setaffinity(0, {cpu})
                    file.seek(2 * cpu)
                    os.lockf(file.fileno(), os.F_LOCK, 1)
            finally:
                os.sched_setaffinity(0, cpus)
            with pytest.raises(OutputError, match=f"locked by process {holder.pid} of "):
                locks.lock(file.fileno(), 0.2)

    def test_a_holder_that_the_system_does_not_show(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.2)
        real = open

        def missing(path: str, *args: object, **how: object) -> object:
            return real(str(path).replace("/proc/locks", "/nonexistent"), *args, **how)  # type: ignore[call-overload]

        with locks.LockedFolder(str(tmp_path)) as held:
            assert not held.unlink("nothing")
            monkeypatch.setattr("builtins.open", missing)
            with pytest.raises(OutputError) as caught, locks.LockedFolder(str(tmp_path)):
                pass
        assert caught.value.message == "cannot be written: its folder is locked by another process (0.2 s)"

    def test_a_file_system_without_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", fail)
        with locks.LockedFolder(str(tmp_path)) as folder:
            assert (folder.locked, folder.descriptor is None) == (False, False)
