"""Files that cannot be replaced are overwritten, and what fails is undone."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from encconf.errors import OutputError
from encconf.io import fileio, replace
from encconf.io.process import SignalGuard

from .processes import leftovers, mounted, python

ROOT = Path(__file__).resolve().parents[2]


_NO_FOLDER = PermissionError(errno.EACCES, "Permission denied")


class TestOverwriting:
    """A file that cannot be replaced by renaming another one is written to."""

    def refuse(self, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
        def refused(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, call, refused)

    def linked(self, folder: Path) -> Path:
        """Make a file that has a second name, ``y``, so that it is overwritten in place."""
        path = folder / "x"
        path.write_text("old")
        (folder / "y").hardlink_to(path)
        return path

    def overwritten(self, path: Path, text: str = "new") -> None:
        """Write, and see that it is the same file, and that nothing else is left there."""
        before = path.stat()
        fileio.write_atomic(str(path), text, replacing=path.read_text())
        after = path.stat()
        assert path.read_text() == text
        assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, before.st_uid, before.st_mode)
        assert leftovers(path.parent) == []

    @pytest.mark.services  # unshare, as root
    @pytest.mark.parametrize("text", ["", "new", "longer than the old one" * 1000])
    def test_a_single_file_that_is_mounted(self, tmp_path: Path, text: str) -> None:
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
    def test_a_file_whose_place_cannot_be_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        self.refuse(monkeypatch, "replace", number)
        self.overwritten(path)

    def test_a_file_in_a_folder_that_takes_no_other(
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

    def test_why_it_failed_is_said_also_if_the_copy_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        (tmp_path / "y").hardlink_to(path)
        real = os.ftruncate
        sizes: list[int] = []

        def full(descriptor: int, size: int) -> None:
            sizes.append(size)
            if len(sizes) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor, size)

        def refused(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(os, "ftruncate", full)
        monkeypatch.setattr(os, "unlink", refused)
        with pytest.raises(OutputError, match="no space left on device"):
            fileio.write_atomic(str(path), "newer")
        assert path.read_text() == "old"

    def test_a_file_whose_old_content_can_be_kept_nowhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        (tmp_path / "y").hardlink_to(path)
        real = os.open

        def nowhere(name: str, *args: Any, **options: Any) -> int:
            if os.path.basename(name).startswith(".encconf-saved-"):
                raise OSError(errno.EROFS, "Read-only file system")
            return real(name, *args, **options)

        monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, nowhere})
        monkeypatch.setattr(os, "open", nowhere)
        fileio.write_atomic(str(path), "new")
        assert (tmp_path / "y").read_text() == "new"

    @pytest.mark.parametrize("mode", [0o666, 0o660, 0o640])
    def test_a_file_whose_owner_or_group_cannot_be_kept(
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

    def test_a_folder_that_may_not_be_listed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    def test_hard_links_stay(self, tmp_path: Path) -> None:
        path = self.linked(tmp_path)
        self.overwritten(path)
        assert (tmp_path / "y").read_text() == "new"

    def test_what_fails_is_undone(self, tmp_path: Path) -> None:
        path = self.linked(tmp_path)
        code = (
            "import resource, sys; from encconf.io import fileio\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "fileio.write_atomic(sys.argv[1], 'x' * 10_000)"
        )
        done = python(code, path)
        assert b"UnwrittenError" in done.stderr
        assert path.read_text() == "old"
        assert sorted(os.listdir(tmp_path)) == ["x", "y"]

    def test_a_copy_is_kept_where_it_cannot_be_undone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = self.linked(tmp_path)
        self.refuse(monkeypatch, "ftruncate", errno.EIO)
        with pytest.raises(OutputError, match="damaged") as caught:
            fileio.write_atomic(str(path), "new")
        (saved,) = [tmp_path / name for name in os.listdir(tmp_path) if replace.is_saved(name)]
        assert str(saved) in (caught.value.hint or "")
        assert saved.read_text() == "old"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert replace.sweep(str(tmp_path)) == []

    @pytest.mark.parametrize("variable", ["TMPDIR", "TEMP"])
    def test_a_copy_is_kept_elsewhere_if_the_folder_takes_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        for name in ("in", "out"):
            (tmp_path / name).mkdir()
        for name in ("TMPDIR", "TEMP"):
            monkeypatch.setenv(name, str(tmp_path / "out") if name == variable else "relative")
        path = self.linked(tmp_path / "in")
        real = os.open

        def no_copy(name: str, *args: object, **options: object) -> int:
            if os.path.dirname(name) == str(tmp_path / "in") and replace.is_saved(os.path.basename(name)):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(name, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", no_copy)
        self.refuse(monkeypatch, "ftruncate", errno.EIO)
        with pytest.raises(OutputError, match="damaged") as caught:
            fileio.write_atomic(str(path), "new")
        (saved,) = (tmp_path / "out").iterdir()
        assert caught.value.hint == f"the content that it had before is in {saved}"
        assert saved.read_text() == "old"

    def test_without_any_copy_the_old_content_is_said_to_be_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = self.linked(tmp_path)
        monkeypatch.setattr(replace, "random_name", lambda prefix: "copy")
        self.refuse(monkeypatch, "ftruncate", errno.EIO)
        real = os.open

        def no_copy(name: str, *args: object, **options: object) -> int:
            if os.path.basename(name) == "copy":
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(name, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", no_copy)
        with pytest.raises(OutputError, match="damaged") as caught:
            fileio.write_atomic(str(path), "new")
        assert caught.value.hint == "the content that it had before is lost"

    def test_a_copy_that_another_program_has_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = self.linked(tmp_path)
        real = os.ftruncate

        def cleaned_up(descriptor: int, length: int) -> None:
            for name in leftovers(tmp_path):
                (tmp_path / name).unlink()
            real(descriptor, length)

        monkeypatch.setattr(os, "ftruncate", cleaned_up)
        self.overwritten(path)

    def test_a_copy_is_there_after_a_kill(self, tmp_path: Path) -> None:
        path = self.linked(tmp_path)
        code = (
            "import os, signal, sys; from encconf.io import fileio\n"
            "os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "fileio.write_atomic(sys.argv[1], 'n')"
        )
        assert python(code, path).returncode == -signal.SIGKILL
        assert path.read_text() == "nld"
        (saved,) = [tmp_path / name for name in os.listdir(tmp_path) if replace.is_saved(name)]
        assert saved.read_text() == "old"

    @pytest.mark.parametrize(
        ("number", "outer"),
        [
            (signal.SIGINT, nullcontext),
            (signal.SIGUSR1, nullcontext),
            (signal.SIGINT, SignalGuard),
            (signal.SIGTERM, SignalGuard),
        ],
    )
    def test_signals_wait_until_it_is_done(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, outer: Callable[[], Any]
    ) -> None:
        """`edit` and the commands for many files have a guard of their own, a program may have handlers."""
        path = self.linked(tmp_path)
        real = os.ftruncate

        def interrupted(descriptor: int, length: int) -> None:
            os.kill(os.getpid(), number)
            real(descriptor, length)

        def handler(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "ftruncate", interrupted)
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with pytest.raises((KeyboardInterrupt, SystemExit)), outer():
                fileio.write_atomic(str(path), "n")
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert path.read_text() == "n"
        assert leftovers(tmp_path) == []


@pytest.mark.posix
def test_a_file_too_large_to_be_kept_stays_as_it_is(tmp_path: Path) -> None:
    """A sparse file can have a terabyte, and its old content would be in memory."""
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "y").hardlink_to(path)
    with pytest.raises(OutputError, match="it cannot be replaced, and is larger than 256 MiB"):
        fileio.write_atomic(str(path), "a: 1\n")
    assert path.stat().st_size == 1 << 40
    (tmp_path / "y").unlink()
    fileio.write_atomic(str(path), "a: 1\n")
    assert path.read_text() == "a: 1\n"
