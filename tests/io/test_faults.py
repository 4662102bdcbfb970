"""Whatever system call fails: a file has its old content or the new one, and nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from encconf.errors import EncconfError, OutputError
from encconf.io import fileio, private
from encconf.io.descriptors import random_name

pytestmark = pytest.mark.posix

CALLS = (
    "open", "write", "fsync", "fchmod", "fchown", "replace", "link", "stat", "fstat", "ftruncate", "lseek",
    "read", "access", "listxattr", "getxattr", "setxattr", "unlink", "mkdir", "rmdir", "listdir", "scandir",
)  # fmt: skip
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EOPNOTSUPP)
OLD, NEW = b"the old content, which is longer\n", b"the new content\n"


class Fault:
    """One of the calls of a system function fails, or none, if they are only counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int, error: int) -> None:
        self.count = 0
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == number and name == "access":
                return False
            if self.count == number:
                raise OSError(error, os.strerror(error))
            return real(*args, **options)

        monkeypatch.setattr(os, name, call)
        if real in os.supports_dir_fd:
            monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, call})


def faults(run: Callable[[str, int, int], int]) -> Iterator[None]:
    """Let each call fail once with each error.  ``run`` returns how often the function was called."""
    for name in CALLS:
        for number in range(1, run(name, 0, 0) + 1):
            for error in ERRORS:
                run(name, number, error)
                yield


@contextmanager
def nothing_open() -> Iterator[None]:
    """Assert that no descriptor stays open, and that the handlers of signals are those of before."""
    before = _open()
    yield
    assert _open() == before


def _open() -> tuple[list[str], list[object]]:
    signals = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT
    return os.listdir("/dev/fd"), [signal.getsignal(each) for each in signals]


@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("kind", ["new", "replaced", "linked", "private"])
def test_a_file_has_its_old_content_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, unnamed: bool
) -> None:
    """A file with hard links is overwritten; its copy is named if it is damaged.  The mode stays."""
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    names = ["file", *(["other"] if kind == "linked" else [])]
    outcomes = set()

    def run(name: str, number: int, error: int) -> int:
        folder = tmp_path / f"{name}-{number}-{error}"
        folder.mkdir()
        path = folder / "file"
        if kind != "new":
            path.write_bytes(OLD)
            path.chmod(0o604 if kind == "private" else 0o640)
        if kind == "linked":
            os.link(path, folder / "other")
        said: EncconfError | None = None
        with nothing_open(), monkeypatch.context() as patch:
            fault = Fault(patch, name, number, error)
            try:
                mode = 0o600 if kind == "private" else None
                replacing = None if kind == "new" else OLD.decode()
                fileio.write_atomic(str(path), NEW, mode=mode, replacing=replacing)
            except EncconfError as failed:
                said = failed
        found = path.read_bytes() if path.exists() else None
        left = set(os.listdir(folder)) - {*names}
        case = (name, number, errno.errorcode.get(error), said)
        if said is None:
            assert found == NEW, case
            wanted = {"new": 0o644, "private": 0o600}.get(kind, 0o640)
            assert name == "fchmod" or stat.S_IMODE(path.stat().st_mode) == wanted, case
        elif kind == "linked" and found == NEW:
            (copy,) = left
            assert "is written, but the copy of its old content cannot be removed" in said.message, case
            assert (said.hint, (folder / copy).read_bytes()) == (f"remove {folder / copy}", OLD)
        elif found not in (OLD, None) and name != "unlink":  # of its other name, after it was written
            assert "the content that it had before is in " in (said.hint or ""), case
            saved = Path((said.hint or "").rpartition(" is in ")[2])
            assert saved.read_bytes() == OLD
            left -= {saved.name}
        else:
            assert (found != OLD) is (kind == "new"), case
        assert not left or name == "unlink", case
        outcomes.add(said is None)
        return fault.count

    assert len(list(faults(run))) >= 30
    assert outcomes == {True, False}
    assert not [name for name in os.listdir(tmp_path.parent) if name.startswith(".encconf")]


@pytest.mark.parametrize("by_name", [False, True])
def test_a_private_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_name: bool) -> None:
    """If it cannot be, that is an error with its name.  Windows removes it by its name."""

    def run(name: str, number: int, error: int) -> int:
        place = tmp_path / f"{name}-{number}-{error}"
        killed = place / random_name("encconf-", 8)  # what a killed process has left
        (killed / "a").mkdir(parents=True)
        said: OutputError | None = None
        with nothing_open(), monkeypatch.context() as patch:
            patch.chdir(place)
            patch.setattr(private, "memory_mounts", dict)
            patch.setattr(private, "temporary_folders", lambda environ: [environ["TMPDIR"]])
            fault = Fault(patch, name, number, error)
            if by_name:
                patch.setattr(os, "supports_dir_fd", set())
            try:
                with private.PrivateFolder({"TMPDIR": str(place)}) as folder:
                    inner = Path(folder) / "a" / "b"
                    with suppress(OSError):  # the fault
                        inner.mkdir(parents=True)
                    private.write_private(str(inner / "plain"), "secret")
            except OutputError as failed:
                said = failed
        assert number or not killed.exists()
        left = [str(place / each) for each in os.listdir(place) if each != killed.name]
        hint = said.hint or "" if said is not None else ""
        assert not left or hint.endswith(f"remove {left[0]}"), (name, number, error, said)
        return fault.count

    assert len(list(faults(run))) >= 30


def test_a_file_is_read_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def run(name: str, number: int, error: int) -> int:
        read: object = None
        with nothing_open(), monkeypatch.context() as patch:
            fault = Fault(patch, name, number, error)
            try:
                read = fileio.read_bytes(str(path))
            except EncconfError as failed:
                read = failed
        assert read == OLD if number == 0 else f"{path}: cannot be read: " in str(read), (name, number, read)
        return fault.count

    assert len(list(faults(run))) >= 3 * len(ERRORS)
