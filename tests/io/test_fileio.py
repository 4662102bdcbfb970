"""Files: nothing hangs, nothing is lost, nothing plain lies about."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from project import OWN_MOUNTS, after

from encconf.errors import (
    ChangedError,
    InputError,
    LimitError,
    MissingFileError,
    OutputError,
    ParseError,
)
from encconf.io import fileio, inplace, locks, private, replace, signals

ROOT = Path(__file__).resolve().parents[2]


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".encconf-")]


def python(
    code: str, *args: object, before: Sequence[str] = (), **options: object
) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in another process; ``before`` are words before Python's own."""
    return subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        timeout=60,
        check=False,
        **{"capture_output": True, **options},  # type: ignore[call-overload]
    )


def mounted(mounts: str, code: str, *args: object) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in a process that has mounts of its own: no root is needed for that."""
    script = f'set -e; {mounts}; exec "$@"'
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script, "sh", sys.executable, "-c", code, *map(str, args)],
        env=environ,
        capture_output=True,
        check=False,
        timeout=60,
    )


class TestReading:
    @pytest.mark.parametrize("text", ["", "a\r\nb\rc\n", "\ufeffa: é\n", "a: \0\n", "no end"])
    def test_every_byte_is_kept(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "x"
        path.write_bytes(text.encode())
        assert fileio.read_text(str(path)) == text

    def test_a_missing_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "none" / "x")
        with pytest.raises(MissingFileError) as caught:
            fileio.read_text(path)
        assert str(caught.value) == f"{path}: no such file"
        assert caught.value.exit_code == 100

    def test_what_is_not_utf8_is_named_by_its_place_only(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"a: 1\npassword: caf\xe9 secret\n")
        with pytest.raises(ParseError) as caught:
            fileio.read_text(str(path))
        assert "line 2: not UTF-8 at byte 18" in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert "secret" not in repr(caught.value)

    @pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
    def test_i9_utf16_is_read_as_text(self, tmp_path: Path, mark: bytes) -> None:
        path = tmp_path / "x"
        order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
        path.write_bytes(mark + "a: ä\n".encode(order))
        assert fileio.read_text(str(path)) == "a: ä\n"
        fileio.write_atomic(str(path), "a: b\n", replacing="a: ä\n")
        assert path.read_bytes() == b"a: b\n"

    def test_i9_half_a_character_of_utf16(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"\xff\xfea")
        with pytest.raises(ParseError, match="not UTF-16"):
            fileio.read_text(str(path))

    @pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "/"])
    def test_neither_file_nor_pipe(self, tmp_path: Path, what: str) -> None:
        link = tmp_path / "x.yaml"
        link.symlink_to(what)
        with pytest.raises(InputError):
            fileio.read_text(str(link))

    def test_a_socket(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "s"))
            with pytest.raises(InputError):
                fileio.read_text(str(tmp_path / "s"))

    def test_a_path_that_is_none(self) -> None:
        with pytest.raises(InputError):
            fileio.read_text("a\0b")

    def test_the_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"x" * 4097)
        monkeypatch.setattr(fileio, "LIMIT", 4096)
        with pytest.raises(LimitError):
            fileio.read_text(str(path))
        path.write_bytes(b"x" * 4096)
        assert len(fileio.read_text(str(path))) == 4096

    def test_a_pipe_is_read_to_its_end_also_when_its_writer_is_late(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)

        def write() -> None:
            time.sleep(0.2)
            with open(path, "wb") as pipe:
                pipe.write(b"a: 1\n")
                pipe.flush()
                time.sleep(0.2)
                pipe.write(b"b: 2\n")

        writer = threading.Thread(target=write)
        writer.start()
        assert fileio.read_text(str(path)) == "a: 1\nb: 2\n"
        writer.join()

    def test_b7_a_pipe_that_no_program_writes_to(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        started = time.monotonic()
        with pytest.raises(InputError, match="no program writes to it"):
            fileio.read_text(str(path))
        assert fileio.PIPE_PATIENCE <= time.monotonic() - started < fileio.PIPE_PATIENCE + 3

    def test_b7_whoever_has_opened_it_may_take_their_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fileio, "PIPE_PATIENCE", 0.1)
        path = tmp_path / "pipe"
        os.mkfifo(path)

        def write() -> None:
            with open(path, "wb") as pipe:
                time.sleep(0.5)
                pipe.write(b"a: 1\n")

        writer = threading.Thread(target=write)
        writer.start()
        assert fileio.read_text(str(path)) == "a: 1\n"
        writer.join()

    def test_b7_the_limit_of_a_small_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"x" * 2049)
        with pytest.raises(LimitError, match="larger than 2 KiB"):
            fileio.read_bytes(str(path), limit=2048)
        assert len(fileio.read_bytes(str(path), limit=2049)) == 2049

    def test_a_bash_pipe(self) -> None:
        code = "import sys; from encconf.io import fileio; print(fileio.read_text(sys.argv[1]))"
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -c '{code}' <(sleep 0.1; echo hello)"],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"hello\n\n", done.stderr

    def test_stdin(self) -> None:
        done = python("from encconf.io import fileio; print(repr(fileio.read_stdin()))", input=b"a\r\n")
        assert done.stdout == b"'a\\r\\n'\n"

    def test_stdin_is_named_in_its_errors(self) -> None:
        done = python("from encconf.io import fileio; fileio.read_stdin()", input=b"a\xff")
        assert done.stderr.decode().strip().endswith("ParseError: stdin: line 1: not UTF-8 at byte 1")


class TestWriting:
    def test_a_new_file_gets_what_the_umask_leaves(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            fileio.write_atomic(str(tmp_path / "x"), "a\r\n")
            fileio.write_atomic(str(tmp_path / "y"), b"\xff", mode=0o600)
        finally:
            os.umask(before)
        assert (tmp_path / "x").read_bytes() == b"a\r\n"
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "y").stat().st_mode) == 0o600

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o755])
    def test_the_mode_is_kept(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(mode)
        fileio.write_atomic(str(path), "new", mode=0o644)
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.parametrize(
        ("before", "after"), [(0o666, 0o600), (0o644, 0o600), (0o755, 0o700), (0o640, 0o640), (0o604, 0o600)]
    )
    def test_b9_what_is_private_is_not_left_to_everyone(
        self, tmp_path: Path, before: int, after: int
    ) -> None:
        path, linked = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        path.chmod(before)
        fileio.write_atomic(str(path), "new", mode=fileio.PRIVATE)
        assert stat.S_IMODE(path.stat().st_mode) == after
        path.chmod(before)
        linked.hardlink_to(path)  # this one is overwritten, not replaced
        fileio.write_atomic(str(path), "new", mode=fileio.PRIVATE)
        assert stat.S_IMODE(linked.stat().st_mode) == after

    def test_setuid_is_not_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o6755)
        fileio.write_atomic(str(path), "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_attributes_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        had, given = {"user.note": b"mine"}, {}
        monkeypatch.setattr(os, "listxattr", lambda _: list(had))
        monkeypatch.setattr(os, "getxattr", lambda _, name: had[name])
        monkeypatch.setattr(os, "setxattr", lambda _, name, value: given.update({name: value}))
        fileio.write_atomic(str(path), "new")
        assert given == had

    @pytest.mark.parametrize("attribute", ["system.posix_acl_access", "security.selinux"])
    def test_without_its_access_list_a_file_is_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        before = path.stat().st_ino

        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "listxattr", lambda _: [attribute])
        monkeypatch.setattr(os, "getxattr", lambda _, name: b"")
        monkeypatch.setattr(os, "setxattr", refuse)
        fileio.write_atomic(str(path), "new")
        assert path.read_text() == "new"
        assert (path.stat().st_ino == before) == (attribute == "system.posix_acl_access")

    def test_the_owner_and_group_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        real, given = os.stat, []

        def foreign(*args: Any, **options: Any) -> os.stat_result:
            state = list(real(*args, **options))
            state[stat.ST_UID], state[stat.ST_GID] = 12345, 23456
            return os.stat_result(state)

        monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
        monkeypatch.setattr(os, "stat", foreign)
        fileio.write_atomic(str(path), "new")
        assert given == [(12345, 23456)]
        assert path.read_text() == "new"

    def test_a_link_is_resolved_once(self, tmp_path: Path) -> None:
        mine, foreign, link = tmp_path / "mine", tmp_path / "foreign", tmp_path / "link"
        mine.write_text("mine")
        foreign.write_text("foreign")
        link.symlink_to(mine)
        path = fileio.resolve(str(link))
        link.unlink()
        link.symlink_to(foreign)
        fileio.write_atomic(path, "new")
        assert (mine.read_text(), foreign.read_text()) == ("new", "foreign")

    def test_a_file_that_became_a_link_is_not_followed(self, tmp_path: Path) -> None:
        foreign, path = tmp_path / "foreign", tmp_path / "x"
        foreign.write_text("foreign")
        path.symlink_to(foreign)
        with pytest.raises(OutputError):
            fileio.write_atomic(str(path), "new")
        assert foreign.read_text() == "foreign"

    def test_the_longest_name(self, tmp_path: Path) -> None:
        path = tmp_path / ("x" * 250 + ".yaml")
        fileio.write_atomic(str(path), "a")
        fileio.write_atomic(str(path), "b")
        assert path.read_text() == "b"

    def test_a_name_without_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        fileio.write_atomic("x", "a")
        assert (tmp_path / "x").read_text() == "a"

    @pytest.mark.parametrize("now", ["other", None])
    def test_a_file_that_changed_meanwhile(self, tmp_path: Path, now: str | None) -> None:
        path = tmp_path / "x"
        if now is not None:
            path.write_text(now)
        with pytest.raises(ChangedError) as caught:
            fileio.write_atomic(str(path), "new", replacing="old")
        assert caught.value.exit_code == 3
        assert path.exists() == (now is not None)
        assert leftovers(tmp_path) == []

    def test_a_file_that_appeared_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"\xff")
        with pytest.raises(ChangedError):
            fileio.write_atomic(str(path), "new", replacing=None)
        assert path.read_bytes() == b"\xff"
        path.unlink()
        fileio.write_atomic(str(path), "new", replacing=None)
        fileio.write_atomic(str(path), "newer", replacing="new")
        assert path.read_text() == "newer"

    @pytest.mark.parametrize("path", ["none/x", "file/x", "."])
    def test_where_no_file_can_be(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError):
            fileio.write_atomic(str(tmp_path / path), "new")

    def test_a_pipe_and_a_device_are_written_to(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
        reader.start()
        fileio.write_atomic(str(path), "x" * 200_000)
        reader.join()
        assert len(found[0]) == 200_000
        fileio.write_atomic(os.devnull, "x")
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
        assert stat.S_ISFIFO(path.stat().st_mode)

    def test_a_full_disk_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        code = (
            "import resource, sys; from encconf.io import fileio\n"
            "sys.dont_write_bytecode = True\n"  # Python would leave a cut off .pyc
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "fileio.write_atomic(sys.argv[1], 'x' * 10_000)"
        )
        done = python(code, path)
        assert b"UnwrittenError" in done.stderr
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]
        assert b"x" * 100 not in done.stderr

    def test_a_full_file_system(self, tmp_path: Path) -> None:
        code = (
            "import os, subprocess, sys; from encconf import errors; from encconf.io import fileio\n"
            "path = 'x'; mount = ['mount', '-o', 'remount,ro', os.getcwd()]\n"
            "fileio.write_atomic(path, 'old' * 1000)\n"
            "def refused(text):\n"
            "    try: fileio.write_atomic(path, text)\n"
            "    except errors.OutputError as error: return str(error)\n"
            "print(refused('x' * 100_000), os.listdir(), open(path).read() == 'old' * 1000)\n"
            "subprocess.run(mount, check=True)\n"
            "print(refused('new'))"
        )
        done = mounted(f"mount -t tmpfs -o size=64k none {tmp_path}; cd {tmp_path}", code)
        assert done.returncode == 0, done.stderr
        full, read_only = done.stdout.decode().splitlines()
        assert "no space" in full
        assert full.endswith("['x'] True")
        assert "read-only file system" in read_only

    def test_a_locked_folder_is_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        holder = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.1)
        with pytest.raises(OutputError, match="locked"):
            fileio.write_atomic(str(tmp_path / "x"), "a")
        threading.Timer(0.3, os.close, (holder,)).start()
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 10)
        fileio.write_atomic(str(tmp_path / "x"), "a")
        assert (tmp_path / "x").read_text() == "a"

    def test_of_many_writers_one_wins_each_time(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys; from encconf import errors; from encconf.io import fileio\n"
            "path, done = sys.argv[1], 0\n"
            "while done < 20:\n"
            "    old = fileio.read_text(path)\n"
            "    try: fileio.write_atomic(path, str(int(old) + 1), replacing=old)\n"
            "    except errors.ChangedError: continue\n"
            "    done += 1\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) for _ in range(3)]
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
        assert path.read_text() == "60"
        assert os.listdir(tmp_path) == ["x"]


_NO_FOLDER = PermissionError(errno.EACCES, "Permission denied")


class TestOverwriting:
    """A file that cannot be replaced by renaming another one is written to."""

    def refuse(self, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
        def refused(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, call, refused)

    def overwritten(self, path: Path, text: str = "new") -> None:
        """Write, and see that it is the same file, and that nothing else is left there."""
        before = path.stat()
        fileio.write_atomic(str(path), text, replacing=path.read_text())
        after = path.stat()
        assert path.read_text() == text
        assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, before.st_uid, before.st_mode)
        assert leftovers(path.parent) == []

    @pytest.mark.parametrize("text", ["", "new", "longer than the old one" * 1000])
    def test_c1_a_single_file_that_is_mounted(self, tmp_path: Path, text: str) -> None:
        outside, inside = tmp_path / "b", tmp_path / "m"
        outside.write_text("old text")
        inside.write_text("")
        code = (
            "import sys; from encconf.io import fileio\n"
            "fileio.write_atomic(sys.argv[1], sys.argv[2], replacing='old text')"
        )
        done = mounted(f"mount --bind {outside} {inside}", code, inside, text)
        assert done.returncode == 0, done.stderr
        assert outside.read_text() == text
        assert inside.read_text() == ""
        assert leftovers(tmp_path) == []

    @pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM, errno.EACCES])
    def test_c1_a_file_whose_place_cannot_be_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        self.refuse(monkeypatch, "replace", number)
        self.overwritten(path)

    def test_c1_a_file_in_a_folder_that_takes_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        real = os.open
        others = tmp_path / "others"
        others.mkdir()
        monkeypatch.setenv("TMPDIR", str(others))

        def no_new_files(name: str, flags: int, *args: Any, **options: Any) -> int:
            new = flags & (os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY)
            if new and (options.get("dir_fd") is not None or os.path.dirname(name) == str(tmp_path)):
                raise _NO_FOLDER
            return real(name, flags, *args, **options)

        monkeypatch.setattr(os, "open", no_new_files)
        fileio.check_writable(str(path))
        self.overwritten(path)
        assert os.listdir(others) == []

    @pytest.mark.parametrize("mode", [0o666, 0o660, 0o640])
    def test_c1_a_file_whose_owner_or_group_cannot_be_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(mode)
        real = os.fstat

        def another(descriptor: int) -> os.stat_result:
            state = list(real(descriptor))
            state[stat.ST_GID] += 1
            return os.stat_result(state)

        self.refuse(monkeypatch, "fchown", errno.EPERM)
        monkeypatch.setattr(os, "fstat", another)
        self.overwritten(path)

    def test_c1_a_folder_that_may_not_be_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        real = os.open

        def unlisted(name: str, flags: int, *args: Any, **options: Any) -> int:
            if name == str(tmp_path):
                raise _NO_FOLDER
            return real(name, flags, *args, **options)

        monkeypatch.setattr(os, "open", unlisted)
        fileio.write_atomic(str(path), "new", replacing="old")
        fileio.write_atomic(str(tmp_path / "y"), "other", replacing=None)
        assert (path.read_text(), (tmp_path / "y").read_text()) == ("new", "other")
        assert leftovers(tmp_path) == []

    def test_c1_hard_links_stay(self, tmp_path: Path) -> None:
        path, other = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        other.hardlink_to(path)
        self.overwritten(path)
        assert other.read_text() == "new"

    def test_c1_what_fails_is_undone(self, tmp_path: Path) -> None:
        path, other = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        other.hardlink_to(path)
        code = (
            "import resource, sys; from encconf.io import fileio\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "fileio.write_atomic(sys.argv[1], 'x' * 10_000)"
        )
        done = python(code, path)
        assert b"UnwrittenError" in done.stderr
        assert path.read_text() == "old"
        assert sorted(os.listdir(tmp_path)) == ["x", "y"]

    def test_c1_a_copy_is_kept_where_it_cannot_be_undone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, other = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        other.hardlink_to(path)
        self.refuse(monkeypatch, "ftruncate", errno.EIO)
        with pytest.raises(OutputError, match="damaged") as caught:
            fileio.write_atomic(str(path), "new")
        (saved,) = [tmp_path / name for name in os.listdir(tmp_path) if inplace.is_saved(name)]
        assert str(saved) in (caught.value.hint or "")
        assert saved.read_text() == "old"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert replace.sweep(str(tmp_path)) == []

    def test_c1_a_copy_is_there_after_a_kill(self, tmp_path: Path) -> None:
        path, other = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        other.hardlink_to(path)
        code = (
            "import os, signal, sys; from encconf.io import fileio\n"
            "os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "fileio.write_atomic(sys.argv[1], 'n')"
        )
        assert python(code, path).returncode == -signal.SIGKILL
        assert path.read_text() == "nld"
        (saved,) = [tmp_path / name for name in os.listdir(tmp_path) if inplace.is_saved(name)]
        assert saved.read_text() == "old"

    def test_c1_signals_wait_until_it_is_done(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, other = tmp_path / "x", tmp_path / "y"
        path.write_text("old")
        other.hardlink_to(path)
        real = os.ftruncate

        def interrupted(descriptor: int, length: int) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            real(descriptor, length)

        monkeypatch.setattr(os, "ftruncate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fileio.write_atomic(str(path), "new")
        assert path.read_text() == "new"


class TestDescriptors:
    """--output may be a pipe that a path names (C2)."""

    CODE = (
        "import sys; from encconf.io import fileio; fileio.write_atomic(fileio.resolve(sys.argv[1]), 'new')"
    )

    def test_c2_a_pipe(self) -> None:
        done = python(self.CODE, "/dev/stderr")
        assert done.stderr == b"new"

    def test_c2_a_process_substitution(self) -> None:
        script = 'exec 3>&1; "$0" -c "$1" >(cat >&3); wait $!'
        done = subprocess.run(
            ["bash", "-c", script, sys.executable, self.CODE],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"new", done.stderr

    def test_c2_a_socket(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            done = python(self.CODE, f"/dev/fd/{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            assert done.returncode == 0, done.stderr
            assert ours.recv(10) == b"new"

    def test_c2_a_file_that_is_open_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        with path.open("w") as file:
            file.write("before ")
            file.flush()
            python(self.CODE, "/dev/stderr", capture_output=False, stderr=file)
            file.write("?")  # its position is the same
        assert path.read_text().startswith("before new")

    def test_c2_other_paths_are_no_descriptors(self, tmp_path: Path) -> None:
        (tmp_path / "2").write_text("")
        for path in (str(tmp_path / "2"), "/dev/null", "/dev/fd", "/proc/1/fd/2", "/dev/fd/x", ""):
            assert fileio.descriptor_of(path) is None


class TestTurns:
    def test_f4_one_after_the_other(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys, time; from encconf.io import fileio, locks\n"
            "for _ in range(10):\n"
            "    with locks.Turn(sys.argv[1]):\n"
            "        old = fileio.read_text(sys.argv[1]); time.sleep(0.005)\n"
            "        fileio.write_atomic(sys.argv[1], str(int(old) + 1), replacing=old)\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) for _ in range(4)]
        assert [writer.wait(60) for writer in writers] == [0] * 4
        assert path.read_text() == "40"

    def test_f4_not_for_ever_and_not_for_what_is_not_there(
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


class TestLeftovers:
    def test_f3_a_write_that_is_killed_leaves_nothing(self, tmp_path: Path) -> None:
        for there in (False, True):
            path = tmp_path / f"x{there}"
            if there:
                path.write_text("old")
            process = subprocess.Popen(
                [sys.executable, "-c", _SLOW_WRITE, str(path)], cwd=ROOT, stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            with process.stdout:
                process.stdout.readline()
                process.kill()
                process.wait(10)
            assert leftovers(tmp_path) == []

    def test_f3_without_unnamed_files_it_is_as_private_and_swept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o640)
        code = f"import os; del os.O_TMPFILE\n{_SLOW_WRITE}"
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            assert replace.sweep(str(tmp_path / "none")) == []
            (name,) = leftovers(tmp_path)
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
            process.kill()
            process.wait(10)
        assert replace.sweep(str(tmp_path)) == [name]
        assert os.listdir(tmp_path) == ["x"]

    def test_f5_what_has_finished_meanwhile_is_not_said_to_be_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leftover = tmp_path / replace.unfinished_name()
        leftover.write_text("half")
        real = locks.lock

        def finished(descriptor: int, patience: float) -> bool:
            leftover.unlink()
            return real(descriptor, patience)

        monkeypatch.setattr(locks, "lock", finished)
        assert replace.sweep(str(tmp_path)) == []


_SLOW_WRITE = """
import os, sys, time
from encconf.io import fileio
real = os.fsync
def slow(descriptor):
    print("writing", flush=True)
    time.sleep(30)
    real(descriptor)
os.fsync = slow
fileio.write_atomic(sys.argv[1], "new")
"""


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
    def test_a_write_that_is_ended(self, tmp_path: Path, number: signal.Signals) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        process = subprocess.Popen(
            [*after("ulimit -c 0"), sys.executable, "-c", _SLOW_WRITE, path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"writing\n"
            process.send_signal(number)
            code = process.wait(10)
        # Python ends itself by SIGINT after a KeyboardInterrupt that nobody catches.
        assert code == (-signal.SIGINT if number == signal.SIGINT else 128 + number)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]

    def test_a_write_that_is_killed_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        command = [sys.executable, "-c", _SLOW_WRITE, path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            process.kill()
            process.wait(10)
        assert path.read_text() == "old"

    def test_handlers_of_a_program_are_left_alone(self, tmp_path: Path) -> None:
        def handler(number: int, frame: object) -> None: ...

        before = signal.signal(signal.SIGTERM, handler)
        try:
            with signals.SignalGuard():
                assert signal.getsignal(signal.SIGTERM) is handler
                assert signal.getsignal(signal.SIGHUP) not in (handler, signal.SIG_DFL)
            assert signal.getsignal(signal.SIGTERM) is handler
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_other_threads_may_write(self, tmp_path: Path) -> None:
        thread = threading.Thread(target=fileio.write_atomic, args=(str(tmp_path / "x"), "a"))
        thread.start()
        thread.join()
        assert (tmp_path / "x").read_text() == "a"


class TestPrivateFolder:
    def test_it_is_private_and_gone_afterwards(self, tmp_path: Path) -> None:
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
            private.write_private(os.path.join(path, "x"), "secret")
            assert stat.S_IMODE(os.stat(os.path.join(path, "x")).st_mode) == 0o600
            os.makedirs(os.path.join(path, "deep", "er"))
            os.symlink(tmp_path, os.path.join(path, "deep", "link"))
            (tmp_path / "bystander").write_text("")
        assert not os.path.exists(path)
        assert (tmp_path / "bystander").exists()

    def test_it_is_in_memory_where_that_is_possible(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk, memory = tmp_path / "disk", tmp_path / "memory"
        disk.mkdir()
        memory.mkdir()
        monkeypatch.setattr(private, "memory_mounts", lambda: {"/": False, str(memory): True})
        environ = {"TMPDIR": str(disk), "XDG_RUNTIME_DIR": str(memory)}
        with private.PrivateFolder(environ) as path:
            assert os.path.dirname(path) == str(memory)

    def test_f3_the_next_one_removes_what_was_killed_and_nothing_else(self, tmp_path: Path) -> None:
        code = (
            "import os, sys, time; from encconf.io import private\n"
            "private.memory_mounts = dict\n"
            "with private.PrivateFolder({'TMPDIR': sys.argv[1]}) as path:\n"
            "    private.write_private(path + '/x', 'secret'); os.chmod(path, 0)\n"
            "    print(path, flush=True); time.sleep(30)\n"
        )
        running = []
        for _ in range(2):
            command = [sys.executable, "-c", code, str(tmp_path)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
            assert process.stdout is not None
            running.append((process, process.stdout.readline().decode().strip()))
        (killed, gone), (alive, there) = running
        killed.kill()
        killed.communicate(timeout=10)
        (tmp_path / "encconf-mine").mkdir()
        (tmp_path / "encconf-0123456789abcdef").write_text("a file")
        private.sweep_private(str(tmp_path))
        assert not os.path.exists(gone)
        assert os.path.exists(there)
        assert (tmp_path / "encconf-mine").exists()
        assert (tmp_path / "encconf-0123456789abcdef").exists()
        alive.terminate()
        alive.communicate(timeout=10)
        assert not os.path.exists(there)

    def test_b9_it_is_removed_also_without_rights(self, tmp_path: Path) -> None:
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            os.mkdir(os.path.join(path, "deep"))
            private.write_private(os.path.join(path, "deep", "x"), "secret")
            os.chmod(os.path.join(path, "deep"), 0)
            os.chmod(path, 0)
        assert not os.path.exists(path)

    def test_b9_what_cannot_be_removed_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private, "remove_folder", lambda path: None)
        with pytest.raises(OutputError) as caught, private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            pass
        assert path in (caught.value.hint or "")
        with pytest.raises(InputError, match="first") as other, private.PrivateFolder({}) as path:
            raise InputError("first", hint="try")
        assert path in (other.value.hint or "")
        os.rmdir(path)

    def test_on_disk_it_is_in_tmpdir(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private, "memory_mounts", dict)
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert os.path.dirname(path) == str(tmp_path)
        with private.PrivateFolder({"TMPDIR": str(tmp_path / "none")}) as path:
            assert os.path.dirname(path) == "/tmp"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_goes_with_a_signal(self, number: signal.Signals) -> None:
        code = (
            "import os, time; from encconf.io import private\n"
            "with private.PrivateFolder() as path:\n"
            "    private.write_private(path + '/x', 'secret')\n"
            "    print(path, flush=True); time.sleep(30)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        with process.stdout:
            path = process.stdout.readline().decode().strip()
            assert os.path.exists(path + "/x")
            process.send_signal(number)
            assert process.wait(10) != 0
        assert not os.path.exists(path)


class TestStandardStreams:
    def test_closed_ones_are_never_a_file(self, tmp_path: Path) -> None:
        code = (
            "import os, sys; from encconf.io import fileio; fileio.open_standard_streams()\n"
            "descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
            "os.write(descriptor, str(descriptor).encode())"
        )
        done = python(code, tmp_path / "x", capture_output=False, before=after("exec <&- >&- 2>&-"))
        assert done.returncode == 0
        assert int((tmp_path / "x").read_text()) > 2

    @pytest.mark.parametrize(
        ("descriptor", "call", "error"),
        [(1, "write_stdout('x')", "UnwrittenError"), (0, "read_stdin()", "InputError")],
    )
    def test_using_a_closed_one_is_an_error(self, descriptor: int, call: str, error: str) -> None:
        code = f"from encconf.io import fileio; fileio.open_standard_streams(); fileio.{call}"
        closed = after(f"exec {descriptor}>&-")
        done = python(code, capture_output=False, stderr=subprocess.PIPE, before=closed)
        assert error.encode() in done.stderr

    def test_a_full_stdout_is_an_error(self) -> None:
        with open("/dev/full", "wb") as full:
            done = python(
                "from encconf.io import fileio; fileio.write_stdout('x')",
                capture_output=False,
                stdout=full,
                stderr=subprocess.PIPE,
            )
        assert b"UnwrittenError" in done.stderr
        assert b"no space" in done.stderr

    def test_a_stdout_that_does_not_block(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        process = subprocess.Popen(
            [sys.executable, "-c", "from encconf.io import fileio; fileio.write_stdout('x' * 1_000_000)"],
            cwd=ROOT,
            stdout=writing,
        )
        os.close(writing)
        time.sleep(0.3)
        with open(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_000
        assert process.wait(10) == 0
