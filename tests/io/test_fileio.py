"""Files: nothing hangs, nothing is lost, nothing plain lies about."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import after

from encconf.errors import (
    ChangedError,
    InputDeniedError,
    InputError,
    LimitError,
    MissingFileError,
    OutputDeniedError,
    OutputError,
    ParseError,
    UnwrittenError,
)
from encconf.io import fileio

from .processes import another_user, environ, python


@contextmanager
def _written_pipe(folder: Path, *parts: bytes, late: float = 0, pause: float = 0.2) -> Iterator[str]:
    """A pipe that a thread opens ``late`` and writes some parts to, with pauses between them."""
    path = folder / "pipe"
    os.mkfifo(path)

    def write() -> None:
        time.sleep(late)
        with open(path, "wb") as pipe:
            for number, part in enumerate(parts):
                time.sleep(pause if number else 0)
                pipe.write(part)
                pipe.flush()

    writer = threading.Thread(target=write)
    writer.start()
    yield str(path)
    writer.join()


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
    def test_utf16_is_read_as_text(self, tmp_path: Path, mark: bytes) -> None:
        path = tmp_path / "x"
        order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
        path.write_bytes(mark + "a: ä\n".encode(order))
        assert fileio.read_text(str(path)) == "a: ä\n"
        fileio.write_atomic(str(path), "a: b\n", replacing="a: ä\n")
        assert path.read_bytes() == b"a: b\n"

    def test_the_line_of_what_is_not_utf8(self) -> None:
        for data, line, at in ((b"\xff", 1, 0), (b"\n\xff", 2, 1), (b"a\nb\n\n\xff\n", 4, 5)):
            with pytest.raises(ParseError, match=f"line {line}: not UTF-8 at byte {at}"):
                fileio.decode(data)

    def test_half_a_character_of_utf16(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"\xff\xfea")
        with pytest.raises(ParseError, match="not valid UTF-16"):
            fileio.read_text(str(path))

    @pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "/"])
    @pytest.mark.posix
    def test_neither_file_nor_pipe(self, tmp_path: Path, what: str) -> None:
        link = tmp_path / "x.yaml"
        link.symlink_to(what)
        with pytest.raises(InputError):
            fileio.read_text(str(link))

    @pytest.mark.posix
    def test_what_windows_does_otherwise(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It opens no folder, and has its null device in every folder."""

        def refused(*_: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        (tmp_path / "x").touch()
        with monkeypatch.context() as patch:
            patch.setattr("os.name", "nt")
            patch.setattr("os.devnull", "nul")
            patch.setattr("os.open", refused)
            assert [fileio.read_bytes(name) for name in ("nul", f"{tmp_path}/NUL")] == [b"", b""]
            for path, said in ((tmp_path, "it is a folder"), (tmp_path / "x", "permission denied")):
                with pytest.raises(InputError, match=said):
                    fileio.read_bytes(str(path))
        assert fileio.read_bytes("/dev/null") == b""
        with pytest.raises(MissingFileError):
            fileio.read_bytes(f"{tmp_path}/null")

    @pytest.mark.posix
    def test_a_pipe_of_windows_is_there_with_its_writer(self, tmp_path: Path) -> None:
        with _written_pipe(tmp_path, b"a: 1\n") as path, pytest.MonkeyPatch.context() as patch:
            time.sleep(0.2)
            patch.setattr("os.name", "nt")
            patch.delattr("select.poll")
            found = fileio.read_bytes(path)
        assert found == b"a: 1\n"

    @pytest.mark.posix
    def test_a_path_that_windows_cannot_follow(self, tmp_path: Path) -> None:
        def refused(_: str) -> str:
            raise OSError(errno.EINVAL, "The pipe is being closed")

        name = str(tmp_path / "x")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.name", "nt")
            patch.setattr("os.path.realpath", refused)
            with pytest.raises(InputError, match="cannot be used: the pipe is being closed"):
                fileio.resolve(name)

    @pytest.mark.posix
    def test_a_socket(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "s"))
            with pytest.raises(InputError):
                fileio.read_text(str(tmp_path / "s"))
        (tmp_path / "link").symlink_to("/dev/zero")
        with pytest.raises(InputError, match="it is neither a regular file nor a pipe"):
            fileio.read_text(str(tmp_path / "link"))

    def test_a_path_that_is_none(self) -> None:
        with pytest.raises(InputError):
            fileio.read_text("a\0b")

    def test_bytes_as_text(self, tmp_path: Path) -> None:
        """Only if the caller wants it; then UTF-16 stays as it is, too."""
        path = tmp_path / "x"
        for data in (b"a\xff\n", b"\xff\xfea\0", b"\xfe\xff\0a", b"\xff"):
            path.write_bytes(data)
            text = data.decode("utf-8", "surrogateescape")
            assert fileio.text_of(str(path), data, binary=True) == text
            assert fileio.read_text(str(path), binary=True) == text
            assert fileio.encode(text) == data
        with pytest.raises(ParseError, match=r"/x: line 1: not UTF-8"):
            fileio.text_of(str(path), b"\xff")

    def test_who_watches_gets_each_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[str, str]] = []
        monkeypatch.setattr(fileio, "watching", lambda path, text: seen.append((path, text)))
        (tmp_path / "x").write_text("a")
        assert fileio.read_text(str(tmp_path / "x")) == "a"
        assert seen == [(str(tmp_path / "x"), "a")]

    def test_a_file_of_the_kernel_that_would_have_to_be_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as /proc/kmsg, which is a regular file."""
        (tmp_path / "x").write_text("a")
        answers = iter([BlockingIOError(errno.EAGAIN, "not yet"), b"a", b""])

        def read(*_: int) -> bytes:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

        monkeypatch.setattr(os, "read", read)
        with pytest.raises(InputError, match="not yet"):
            fileio.read_text(str(tmp_path / "x"))

    def test_the_largest_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        for size, large in ((64 * 1024**2, False), (64 * 1024**2 + 1, True)):
            path.touch()
            os.truncate(path, size)
            if large:
                with pytest.raises(LimitError, match="larger than 64 MiB"):
                    fileio.read_bytes(str(path))
            else:
                assert len(fileio.read_bytes(str(path))) == size

    def test_the_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"x" * 4097)
        monkeypatch.setattr(fileio, "LIMIT", 4096)
        with pytest.raises(LimitError):
            fileio.read_text(str(path))
        path.write_bytes(b"x" * 4096)
        assert len(fileio.read_text(str(path))) == 4096

    @pytest.mark.posix
    def test_a_pipe_is_read_to_its_end_also_when_its_writer_is_late(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also if so many files are open that select cannot wait for it."""
        monkeypatch.setattr(fileio, "PIPE_PATIENCE", 60)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
        many = [os.dup(0) for _ in range(1024)]
        try:
            started = time.monotonic()
            with _written_pipe(tmp_path, b"a: 1\n", b"b: 2\n", late=0.2) as path:
                assert fileio.read_text(path) == "a: 1\nb: 2\n"
            assert time.monotonic() - started < 30
        finally:
            for descriptor in many:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    @pytest.mark.posix
    def test_a_pipe_that_no_program_writes_to(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        started = time.monotonic()
        with pytest.raises(InputError, match="no program writes to it"):
            fileio.read_text(str(path))
        assert fileio.PIPE_PATIENCE <= time.monotonic() - started < fileio.PIPE_PATIENCE + 20

    @pytest.mark.posix
    def test_a_link_to_a_pipe_is_not_read_unless_it_is_the_system_s(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("/dev/stdin")
        code = "import sys; from encconf.io import fileio; print(fileio.read_text(sys.argv[1]))"
        for path, said in (("/dev/stdin", "a: 1"), (str(tmp_path / "link"), "")):
            done = subprocess.run(
                [sys.executable, "-c", code, path], input="a: 1\n", text=True, capture_output=True, timeout=60
            )
            assert done.stdout.strip() == said
        assert "it is a link to a pipe" in done.stderr

    @pytest.mark.posix
    def test_whoever_has_opened_it_may_take_their_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fileio, "PIPE_PATIENCE", 0.1)
        with _written_pipe(tmp_path, b"", b"a: 1\n", pause=0.5) as path:
            assert fileio.read_text(path) == "a: 1\n"

    def test_the_limit_of_a_small_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"x" * 2049)
        with pytest.raises(LimitError, match="larger than 2 KiB"):
            fileio.read_bytes(str(path), limit=2048)
        assert len(fileio.read_bytes(str(path), limit=2049)) == 2049

    @pytest.mark.posix
    def test_what_was_written_before_and_after_it_was_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pipe with something in it is not waited for, and its end is when its writer closes it."""
        monkeypatch.setattr(fileio, "PIPE_PATIENCE", 60)
        with _written_pipe(tmp_path, b"a: 1\n", b"b: 2\n", pause=0.3) as path:
            started = time.monotonic()
            assert fileio.read_bytes(path) == b"a: 1\nb: 2\n"
            assert time.monotonic() - started < 30

    @pytest.mark.posix
    def test_a_bash_pipe(self) -> None:
        code = "import sys; from encconf.io import fileio; print(fileio.read_text(sys.argv[1]))"
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -c '{code}' <(sleep 0.1; echo hello)"],
            env=environ(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"hello\n\n", done.stderr

    def test_stdin(self) -> None:
        done = python("from encconf.io import fileio; print(repr(fileio.read_stdin()))", input=b"a\r\n")
        assert done.stdout.strip() == b"'a\\r\\n'"

    def test_stdin_is_named_in_its_errors(self) -> None:
        done = python("from encconf.io import fileio; fileio.read_stdin()", input=b"a\xff")
        assert "ParseError: stdin: line 1: not UTF-8 at byte 1\n" in done.stderr.decode()


def test_a_file_that_need_not_be_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert fileio.read_existing(str(path)) is None
    assert fileio.read_existing(str(path / "below")) is None
    path.write_text("a\r\n", newline="")
    assert fileio.read_existing(str(path)) == "a\r\n"
    assert fileio.read_existing(os.devnull) == ""
    with pytest.raises(InputError, match="it is a folder"):
        fileio.read_existing(str(tmp_path))


class TestFolders:
    @pytest.mark.posix
    def test_each_that_is_missing_gets_the_mode(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        fileio.make_folders(str(tmp_path / "a/b/c"), 0o700)
        modes = [(tmp_path / name).stat().st_mode & 0o777 for name in (".", "a", "a/b", "a/b/c")]
        assert modes == [0o755, 0o700, 0o700, 0o700]
        fileio.make_folders(str(tmp_path / "a/b/c"))
        assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700

    @pytest.mark.posix
    @pytest.mark.parametrize("umask", [0, 0o022, 0o077])
    def test_by_default_they_are_those_of_makedirs(self, tmp_path: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            fileio.make_folders(str(tmp_path / "a/b"))
            os.makedirs(tmp_path / "c/b")
        finally:
            os.umask(before)
        for name in ("", "b"):
            assert (tmp_path / "a" / name).stat().st_mode == (tmp_path / "c" / name).stat().st_mode

    def test_where_a_file_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("")
        with pytest.raises(OutputError, match=r"cannot create the folder: file (already )?exists") as caught:
            fileio.make_folders(str(tmp_path / "a/b"))
        assert caught.value.file == str(tmp_path / "a")

    def test_below_the_current_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        fileio.make_folders("")
        fileio.make_folders("a/../b")
        assert os.listdir() == ["b"]

    @pytest.mark.posix
    def test_above_what_a_link_leads_to(self, tmp_path: Path) -> None:
        (tmp_path / "far" / "away").mkdir(parents=True)
        (tmp_path / "link").symlink_to("far/away")
        fileio.make_folders(str(tmp_path / "link/../new"))
        assert os.path.isdir(tmp_path / "far/new")
        assert not os.path.exists(tmp_path / "new")

    @pytest.mark.posix
    def test_below_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        (tmp_path / "link").symlink_to("there")
        (tmp_path / "gone").symlink_to("none")
        fileio.make_folders(str(tmp_path / "link/new"))
        assert os.listdir(tmp_path / "there") == ["new"]
        for name in ("gone", "gone/new"):
            with pytest.raises(OutputError, match="a link to a folder that does not exist") as caught:
                fileio.make_folders(str(tmp_path / name))
            assert caught.value.file == str(tmp_path / "gone")
        assert not (tmp_path / "none").exists()

    def test_on_a_drive_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        looks = iter(range(100))
        monkeypatch.setattr(os.path, "isdir", lambda path: next(looks) < 0)
        with pytest.raises(OutputError, match="cannot create the folder"):
            fileio.make_folders(str(tmp_path))


@pytest.mark.posix
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

    def test_each_closed_one_becomes_one_that_cannot_be_used(self) -> None:
        """Stdin cannot be read then, and the others cannot be written or read.  Open ones stay."""

        def state() -> list[tuple[int, int, int]]:
            found = [(os.fstat(number), fcntl.fcntl(number, fcntl.F_GETFL)) for number in range(3)]
            return [(each.st_dev, each.st_ino, flags & os.O_ACCMODE) for each, flags in found]

        null = os.stat(os.devnull)
        for count in range(4):
            for closed in itertools.combinations(range(3), count):
                saved = [os.dup(number) for number in range(3)]
                wanted, before = state(), os.listdir("/dev/fd")
                for number in closed:
                    os.close(number)
                    access = os.O_RDONLY if number == 1 else os.O_WRONLY
                    wanted[number] = (null.st_dev, null.st_ino, access)
                try:
                    fileio.open_standard_streams()
                    assert (state(), os.listdir("/dev/fd")) == (wanted, before), closed
                finally:
                    for number, copy in enumerate(saved):
                        os.dup2(copy, number)
                        os.close(copy)

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

    def test_a_disk_that_is_full_only_when_the_file_is_closed(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """As with NFS."""

        def full(descriptor: int, close: Callable[[int], None] = os.close) -> None:
            close(descriptor)
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "close", full)
            with pytest.raises(UnwrittenError, match="no space left"):
                fileio.write_stdout("x")
        assert capfd.readouterr().out == "x"

    def test_a_stdin_that_does_not_block(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        process = subprocess.Popen(
            [sys.executable, "-c", "from encconf.io import fileio; print(len(fileio.read_stdin()))"],
            env=environ(),
            stdin=reading,
            stdout=subprocess.PIPE,
        )
        os.close(reading)
        with open(writing, "wb") as pipe:
            for _ in range(2):
                time.sleep(0.3)
                pipe.write(b"x" * 1000)
                pipe.flush()
        assert process.communicate(timeout=10)[0] == b"2000\n"

    def test_a_stdout_that_does_not_block(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        process = subprocess.Popen(
            [sys.executable, "-c", "from encconf.io import fileio; fileio.write_stdout('x' * 1_000_000)"],
            env=environ(),
            stdout=writing,
        )
        os.close(writing)
        time.sleep(0.3)
        with open(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_000
        assert process.wait(10) == 0


def test_a_path_and_the_folders_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(fileio.upwards("a/../b"))[:2] == [str(tmp_path / "b"), str(tmp_path)]
    root = os.path.abspath("/")  # C:\\, for example
    assert list(fileio.upwards("/a/b")) == [os.path.join(root, "a", "b"), os.path.join(root, "a"), root]
    assert list(fileio.upwards("/")) == [root]


@pytest.mark.posix
class TestOwn:
    """A file that is read for its owner is refused if somebody else could have written it."""

    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o400])
    def test_one_that_only_you_may_write(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "x"
        path.write_text("a")
        path.chmod(mode)
        assert fileio.read_text(str(path), own=True) == "a"

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_one_that_others_may_write(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "x"
        path.write_text("a")
        path.chmod(mode)
        with pytest.raises(InputError, match="others can write to it"):
            fileio.read_text(str(path), own=True)
        assert fileio.read_text(str(path)) == "a"

    def test_without_own_it_does_not_matter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("a")
        path.chmod(0o666)
        assert fileio.read_bytes(str(path)) == b"a"
        monkeypatch.delattr(os, "geteuid")  # as on Windows
        assert fileio.read_bytes(str(path), own=True) == b"a"

    def test_one_of_another_user_or_of_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("a")
        owner = path.stat().st_uid
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        if owner == 0:
            assert fileio.read_text(str(path), own=True) == "a"
            os.chown(path, 65534, -1)
        with pytest.raises(InputError, match="belongs to another user"):
            fileio.read_text(str(path), own=True)

    def test_no_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="not a regular file"):
            fileio.read_text(str(tmp_path / "pipe"), own=True)


@pytest.mark.posix
@pytest.mark.services  # as another user: rights count
class TestRights:
    def test_what_can_be_written_is_what_write_atomic_writes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For every mode of a folder, and of a file in it, by its path and by its name in that folder."""
        monkeypatch.chdir("/")
        fileio.write_atomic(str(tmp_path / "x"), "all that it takes is loaded")
        fileio.write_atomic(str(tmp_path / "x"), "also what replaces a file")
        table = set()
        with another_user() as top:
            for folder_mode, mode in itertools.product(range(8), (0o6, 0o4, 0o2, 0, None)):
                folder = top / f"{folder_mode}-{mode}"
                folder.mkdir()
                path = folder / "x"
                if mode is not None:
                    path.write_text("old")
                    path.chmod(mode << 6)
                os.chdir(folder)
                folder.chmod(folder_mode << 6)
                said: list[object] = []
                for write, name in (
                    (fileio.check_writable, str(path)),
                    (fileio.check_writable, "x"),
                    (lambda path: fileio.write_atomic(path, "new"), str(path)),
                ):
                    try:
                        write(name)
                        said.append("written")
                    except OutputError as error:
                        said.append("permission denied" in error.message and type(error))
                os.chdir("/")
                folder.chmod(0o700)
                assert said[0] == said[1] == said[2], (oct(folder_mode), mode, said)
                assert path.exists() is (mode is not None or said[2] == "written")
                table.add(said[2])
        assert table == {"written", OutputDeniedError}
        for name in (f"{tmp_path}/none/x", "none/x"):
            with pytest.raises(OutputError, match="its folder does not exist"):
                fileio.check_writable(name)

    def test_what_can_be_read(self) -> None:
        with another_user() as folder:
            for mode in (0o6, 0o4, 0o2, 0):
                (folder / "x").write_text("a")
                (folder / "x").chmod(mode << 6)
                if mode & 4:
                    assert fileio.read_text(str(folder / "x")) == "a"
                else:
                    with pytest.raises(InputDeniedError, match="permission denied"):
                        fileio.read_text(str(folder / "x"))
                (folder / "x").unlink()
            (folder / "below").mkdir(mode=0)
            with pytest.raises(InputDeniedError, match="permission denied"):
                fileio.read_text(str(folder / "below"))


@pytest.mark.posix
@pytest.mark.services  # chown, as root
def test_what_is_planted_is_refused_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a pipe or a link of another user in a folder for everyone, which may be the current one."""
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    shared.chmod(0o1777)
    own.mkdir()
    (own / "x").touch()
    (own / "l").symlink_to("../shared/l")  # your own link, to a link that is planted
    (shared / "l").symlink_to(own / "x")
    (shared / "f").touch()
    os.mkfifo(shared / "p")
    for name in "lfp":
        os.chown(shared / name, 65534, -1, follow_symlinks=False)
    for folder in (tmp_path, shared, own):
        monkeypatch.chdir(folder)
        for path in (own / "l", shared / "l"):
            with pytest.raises(InputDeniedError, match="another user"):
                fileio.resolve(os.path.relpath(path))
        for path in (shared / "f", shared / "p"):
            for call in (fileio.check_writable, lambda path: fileio.write_atomic(path, "mine")):
                with pytest.raises(OutputDeniedError, match="another user"):
                    call(os.path.relpath(path))


@pytest.mark.parametrize(
    ("name", "there", "meant"),
    [
        ("secrets.enc.yml", "secrets.enc.yaml", True),
        ("secret.enc.yaml", "secrets.enc.yaml", True),
        ("secrets.yaml", "secrets.enc.yaml", True),
        ("b.yaml", "a.yaml", False),
        ("app2.yaml", "app1.yaml", False),
        ("app.dev.enc.yaml", "app.prd.enc.yaml", False),
        ("staging.enc.yaml", "prod.enc.yaml", False),
        ("secret.yaml", "secrets.json", False),
    ],
)
def test_a_similar_name(name: str, there: str, meant: bool) -> None:
    digits = name.replace(".", "1.", 1)  # a name that differs in a number only is not meant
    for names in (["other", there], [there, "other"], [digits, there]):
        assert (fileio.similar(name, names) == there) is meant


def test_the_most_similar_name() -> None:
    for names in itertools.permutations(["secrets.yaml", "secreet-s.yaml", "secrat.json"]):
        assert fileio.similar("secret.yaml", names) == "secrets.yaml"


class TestTexts:
    def test_stdin_is_text(self) -> None:
        read, write = os.pipe()
        saved = os.dup(0)
        try:
            os.dup2(read, 0)
            os.close(read)
            os.write(write, b"a\n\xff\n")
            os.close(write)
            with pytest.raises(ParseError, match="stdin: line 2: not UTF-8 at byte 2"):
                fileio.read_stdin()
        finally:
            os.dup2(saved, 0)
            os.close(saved)

    def test_a_text_of_sops_may_hold_any_bytes(self) -> None:
        for text in (b"sops_mac=x\nA=\xff\n", b"A=\xff\nsops_mac=x\n", b"[sops]\na = \xff\n"):
            assert fileio.encode(fileio.decode(text)) == text
        with pytest.raises(ParseError, match="line 2: not UTF-8"):
            fileio.decode(b"x_sops_mac=x\nA=\xff\n")

    def test_utf_16_becomes_utf_8(self) -> None:
        text = "ab: é\n"
        assert fileio.as_utf8(text.encode()) == text.encode()
        for order, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
            assert fileio.as_utf8(mark + text.encode(order)) == text.encode()
        for data in (b"", b"a", b"ab", b"abcd", b"\xff\xff\0a", b"\xfe\xfe\0a", b"\xff"):
            assert fileio.as_utf8(data) == data, "no mark"
        assert fileio.as_utf8(b"\xff\xfea") == b"\xff\xfea", "half a character"


class TestNames:
    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text("a: 1\n")
        with pytest.raises(InputError, match="its name ends with /, but it is not a folder"):
            fileio.resolve(f"{tmp_path}/x.yaml/")
        with pytest.raises(OutputError, match="no such folder"):
            fileio.resolve(f"{tmp_path}/y.yaml/")

    @pytest.mark.posix
    def test_what_a_name_leads_to(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The judge is `pathlib`; what leads nowhere is refused, unless it is just a new name."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a/b").mkdir(parents=True)
        (tmp_path / "a/file").touch()
        links = {"l1": "a/file", "a/l2": "../l1", "l3": "a/l2", "dir": "a/b", "gone": "a/none", "l4": "gone",
                 "loop": "loop", "a/up": "..", "out": "none/x"}  # fmt: skip
        for name, target in links.items():
            (tmp_path / name).symlink_to(target)
        found = ("a/file", "l1", "l3", "a/l2", "dir", "a/up/l3", "a/b/../file")
        for name in (*found, "new", "dir/new", "none/x"):
            assert fileio.resolve(name) == str((tmp_path / name).resolve()), name
        for name in ("gone", "l4", "a/up/gone", "out"):
            with pytest.raises(MissingFileError, match="a link to a file that does not exist"):
                fileio.resolve(name)
        for name in ("a/file/", "l1/", "a/file/."):
            with pytest.raises(InputError, match="its name ends with /"):
                fileio.resolve(name)
        for name in ("new/", "new/.", "none/x/"):
            with pytest.raises(OutputError, match="no such folder"):
                fileio.resolve(name)
        for name in ("a/", "dir/", "dir/."):
            assert fileio.resolve(name) == str((tmp_path / name).resolve())
        assert fileio.resolve("/dev/stdin") == "/dev/stdin"

    @pytest.mark.posix
    def test_no_name_is_found_without_a_current_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(FileNotFoundError):
            fileio.resolve("x")
        assert fileio.resolve(str(tmp_path)) == str(tmp_path)

    @pytest.mark.posix
    def test_names_that_windows_uses_otherwise(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for name, said in (
            ("aux.yaml", "a device"), ("AUX", "a device"), ("a/com1.enc.yaml", "a device"),
            ("nul .x", "a device"), ("lpt².yaml", "a device"), ("conin$", "a device"),
            ("prn", "a device"), ("NUL.txt", "a device"), ("a.yaml:b", "a colon"), ("a:", "a colon"),
            ("a.yaml.", "did you mean a.yaml?"),
            ("a.yaml ", "did you mean a.yaml?"), ("a. .", "did you mean a?"), ("nul", ""), ("com10.yaml", ""),
            ("auxiliary.yaml", ""), ("a.aux", ""), ("..", ""), (".env", ""), ("a b.yaml", ""),
            ("\\\\?\\C:\\aux", ""),
        ):  # fmt: skip
            found = ""
            with monkeypatch.context() as patch:
                patch.setattr("os.name", "nt")
                patch.setattr("os.devnull", "nul")
                try:
                    fileio.resolve(name)
                except InputError as error:
                    found = f"{error} {error.hint}"
            assert bool(found) is bool(said), (name, found)
            assert said in found, (name, found)

    def test_a_link_to_a_pipe_of_this_process_is_read(self, tmp_path: Path) -> None:
        """Only a link that somebody made elsewhere may be a trap."""
        read, write = os.pipe()
        os.write(write, b"a: 1\n")
        os.close(write)
        link = tmp_path / "link"
        link.symlink_to(f"/proc/self/fd/{read}")
        with pytest.raises(InputError, match="it is a link to a pipe"):
            fileio.read_bytes(str(link))
        assert fileio.read_bytes(f"/proc/self/fd/{read}") == b"a: 1\n"
        os.close(read)

    @pytest.mark.posix
    def test_which_names_are_open_descriptors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that the system gives them, not links to them: a branch may have such a link."""
        number = os.open(tmp_path, os.O_RDONLY)
        (tmp_path / "link").symlink_to("/dev/stdout")
        (tmp_path / "fd").symlink_to("/dev/fd")
        monkeypatch.chdir("/dev/fd")
        names: dict[str, int | None] = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/0": 0}
        for place in ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd"):
            names[f"{place}/{number}"] = number
        others = (
            *(
                "/dev/fd/1234567890",
                "/dev/null",
                "/dev/fd",
                "/dev/none",
                "/dev/",
                "/dev/a\0",
                "/proc/self/fd/x",
            ),
            *(f"/proc/{os.getppid()}/fd/0", f"/proc/self/fdinfo/{number}"),
            *(f"{tmp_path}/link", f"{tmp_path}/fd/0", f"{tmp_path}/0", "0"),
        )
        names |= dict.fromkeys(others)
        assert {name: fileio.descriptor_of(name) for name in names} == names
        os.close(number)

    @pytest.mark.posix
    def test_an_open_descriptor_is_written_where_it_is(self, tmp_path: Path) -> None:
        """Whatever the caller thinks that it replaces."""
        with open(tmp_path / "x", "w") as file:
            file.write("old\n")
            file.flush()
            for replacing in (fileio.ANYTHING, None, "old\n"):
                fileio.write_atomic(f"/dev/fd/{file.fileno()}", "new\n", replacing=replacing)
        assert (tmp_path / "x").read_text() == "old\n" + 3 * "new\n"

    def test_when_a_file_has_changed(self, tmp_path: Path) -> None:
        path, found = tmp_path / "x", []
        found.append(fileio.stamp(str(path)))
        for text in ("a", "ab", "ba"):
            path.write_text(text)
            os.utime(path, ns=(0, len(found)))
            found += [fileio.stamp(str(path))] if fileio.stamp(str(path)) == fileio.stamp(str(path)) else []
        (tmp_path / "y").write_text("ba")
        os.utime(tmp_path / "y", ns=(0, 3))
        (tmp_path / "y").rename(path)
        found.append(fileio.stamp(str(path)))
        assert (found[0], len(set(found))) == (None, 5)

    def test_what_a_file_had(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every other text than the one that was read is a change, in any encoding."""
        path = tmp_path / "x"
        monkeypatch.setattr(fileio, "LIMIT", 20)
        utf16 = "a: ä\n".encode("utf-16")
        for data, text, same in (
            *((b"a", "a", True), (b"a", "b", False), (b"a", None, False), ("ä\n".encode(), "ä\n", True)),
            *((utf16, "a: ä\n", True), (utf16, "a: b\n", False), (utf16[:-1], "a: ä", False)),
            *((b"\xff", "\udcff", True), (b"\xff", "", False), (b"x" * 21, "x" * 21, False)),
        ):
            path.write_bytes(data)
            if same:
                fileio.write_atomic(str(path), "new", replacing=text)
            else:
                with pytest.raises(ChangedError):
                    fileio.write_atomic(str(path), "new", replacing=text)
            assert path.read_bytes() == (b"new" if same else data)

    def test_what_cannot_be_replaced(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        special = ["/dev/stdout", "/dev/fd/1", "/dev/null", tmp_path / "pipe"]
        assert all(fileio.is_special(str(path)) for path in special)
        assert not any(fileio.is_special(str(path)) for path in (tmp_path, tmp_path / "none", "a\0"))

    def test_what_is_near_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "below").mkdir()
        for folder in (tmp_path, tmp_path / "below"):
            (folder / "secret.yaml").touch()
        monkeypatch.chdir(tmp_path)
        for name, said in (
            (f"{tmp_path}/none/x", f"the folder {tmp_path}/none does not exist"),
            ("none/x", "the folder none does not exist"),
            ("secrte.yaml", "did you mean secret.yaml?"),
            ("below/secrte.yaml", "did you mean below/secret.yaml?"),
            (f"{tmp_path}/secrte.yaml", f"did you mean {tmp_path}/secret.yaml?"),
            ("other", f"looked in {tmp_path}"),
            ("below/other", f"looked in {tmp_path}/below"),
            (f"{tmp_path}/other", ""),
        ):
            assert fileio.near(name) == said
        for name, other, found in (
            ("abc.yaml", "abcd.yaml", ""),
            ("abcd.yaml", "abce.yaml", "abce.yaml"),
            ("abcd1.yaml", "abcd2.yaml", ""),
            ("a.yaml", "a.enc.yaml", "a.enc.yaml"),
            ("a.enc.yml", "a.enc.yaml", "a.enc.yaml"),
        ):
            assert fileio.similar(name, [other]) == found, name
