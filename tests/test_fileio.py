"""Files: nothing hangs, nothing is lost, nothing plain lies about."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from encconf import fileio
from encconf.errors import (
    ChangedError,
    InputError,
    LimitError,
    MissingFileError,
    OutputError,
    ParseError,
)

ROOT = Path(__file__).resolve().parent.parent


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".encconf-")]


def python(code: str, *args: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in another process."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        timeout=60,
        check=False,
        **{"capture_output": True, **options},  # type: ignore[call-overload]
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

    def test_a_bash_pipe(self) -> None:
        code = "import sys; from encconf import fileio; print(fileio.read_text(sys.argv[1]))"
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -c '{code}' <(sleep 0.1; echo hello)"],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"hello\n\n", done.stderr

    def test_stdin(self) -> None:
        done = python("from encconf import fileio; print(repr(fileio.read_stdin()))", input=b"a\r\n")
        assert done.stdout == b"'a\\r\\n'\n"


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
        fileio.write_atomic(str(path), "new", mode=0o600)
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_setuid_is_not_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o6755)
        fileio.write_atomic(str(path), "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_attributes_are_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        try:
            os.setxattr(path, "user.note", b"mine")
        except OSError:
            return  # this file system has none, and then there is nothing to keep
        fileio.write_atomic(str(path), "new")
        assert os.getxattr(path, "user.note") == b"mine"

    def test_the_owner_is_kept_as_far_as_that_is_allowed(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o660)
        if os.geteuid() != 0:
            fileio.write_atomic(str(path), "new")
            assert path.stat().st_uid == os.geteuid()
            return
        os.chown(path, 12345, 23456)
        fileio.write_atomic(str(path), "new")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)
        # Somebody else who may write the folder and the file, but not give files away:
        # his file is not readable by his own group, for whom it was never meant.
        os.chown(path, 0, 23456)
        path.chmod(0o666)
        tmp_path.chmod(0o777)
        code = (
            "import fcntl, os, signal, sys, time; from encconf import fileio; os.chdir(sys.argv[1])\n"
            "os.setgroups([]); os.setgid(777); os.setuid(777); fileio.write_atomic('x', 'theirs')"
        )
        done = python(code, tmp_path)
        assert done.returncode == 0, done.stderr
        assert path.read_text() == "theirs"
        assert path.stat().st_uid == 777
        assert stat.S_IMODE(path.stat().st_mode) == 0o606

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
            "import resource, sys; from encconf import fileio\n"
            "sys.dont_write_bytecode = True\n"  # Python would leave a cut off .pyc
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "fileio.write_atomic(sys.argv[1], 'x' * 10_000)"
        )
        done = python(code, path)
        assert b"OutputError" in done.stderr
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]
        assert b"x" * 100 not in done.stderr

    def test_a_full_file_system(self, tmp_path: Path) -> None:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=False,
                          capture_output=True).returncode:  # fmt: skip
            return  # only root can make one; the limit above is the same to the writer
        try:
            path = tmp_path / "x"
            path.write_text("old" * 1000)
            with pytest.raises(OutputError, match="no space"):
                fileio.write_atomic(str(path), "x" * 100_000)
            assert path.read_text() == "old" * 1000
            assert os.listdir(tmp_path) == ["x"]
            subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
            with pytest.raises(OutputError, match="read-only file system"):
                fileio.write_atomic(str(path), "new")
        finally:
            subprocess.run(["umount", tmp_path], check=True)

    def test_a_locked_folder_is_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        holder = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(fileio, "LOCK_PATIENCE", 0.1)
        with pytest.raises(OutputError, match="locked"):
            fileio.write_atomic(str(tmp_path / "x"), "a")
        threading.Timer(0.3, os.close, (holder,)).start()
        monkeypatch.setattr(fileio, "LOCK_PATIENCE", 10)
        fileio.write_atomic(str(tmp_path / "x"), "a")
        assert (tmp_path / "x").read_text() == "a"

    def test_of_many_writers_one_wins_each_time(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys; from encconf import fileio, errors\n"
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


_SLOW_WRITE = """
import os, sys, time
from encconf import fileio
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
            [sys.executable, "-c", _SLOW_WRITE, path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
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
            with fileio.SignalGuard():
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
        with fileio.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
            fileio.write_private(os.path.join(path, "x"), "secret")
            assert stat.S_IMODE(os.stat(os.path.join(path, "x")).st_mode) == 0o600
            os.makedirs(os.path.join(path, "deep", "er"))
            os.symlink(tmp_path, os.path.join(path, "deep", "link"))
            (tmp_path / "bystander").write_text("")
        assert not os.path.exists(path)
        assert (tmp_path / "bystander").exists()

    def test_it_is_in_memory_where_that_is_possible(self, tmp_path: Path) -> None:
        mounts = fileio._memory_mounts()
        if not mounts.get("/dev/shm"):
            return  # a machine without
        with fileio.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert path.startswith("/dev/shm/")

    def test_on_disk_it_is_in_tmpdir(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fileio, "_memory_mounts", dict)
        with fileio.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert os.path.dirname(path) == str(tmp_path)
        with fileio.PrivateFolder({"TMPDIR": str(tmp_path / "none")}) as path:
            assert os.path.dirname(path) == "/tmp"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_goes_with_a_signal(self, number: signal.Signals) -> None:
        code = (
            "import os, time; from encconf import fileio\n"
            "with fileio.PrivateFolder() as path:\n"
            "    fileio.write_private(path + '/x', 'secret')\n"
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


def closed(*descriptors: int) -> Callable[[], None]:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


class TestStandardStreams:
    def test_closed_ones_are_never_a_file(self, tmp_path: Path) -> None:
        code = (
            "import os, sys; from encconf import fileio; fileio.open_standard_streams()\n"
            "descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
            "os.write(descriptor, str(descriptor).encode())"
        )
        done = python(code, tmp_path / "x", capture_output=False, preexec_fn=closed(0, 1, 2))
        assert done.returncode == 0
        assert int((tmp_path / "x").read_text()) > 2

    @pytest.mark.parametrize(
        ("descriptor", "call", "error"),
        [(1, "write_stdout('x')", "OutputError"), (0, "read_stdin()", "InputError")],
    )
    def test_using_a_closed_one_is_an_error(self, descriptor: int, call: str, error: str) -> None:
        code = f"from encconf import fileio; fileio.open_standard_streams(); fileio.{call}"
        done = python(code, capture_output=False, stderr=subprocess.PIPE, preexec_fn=closed(descriptor))
        assert error.encode() in done.stderr

    def test_a_full_stdout_is_an_error(self) -> None:
        with open("/dev/full", "wb") as full:
            done = python(
                "from encconf import fileio; fileio.write_stdout('x')",
                capture_output=False,
                stdout=full,
                stderr=subprocess.PIPE,
            )
        assert b"OutputError" in done.stderr
        assert b"no space" in done.stderr

    def test_a_stdout_that_does_not_block(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        process = subprocess.Popen(
            [sys.executable, "-c", "from encconf import fileio; fileio.write_stdout('x' * 1_000_000)"],
            cwd=ROOT,
            stdout=writing,
        )
        os.close(writing)
        time.sleep(0.3)
        with open(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_000
        assert process.wait(10) == 0
