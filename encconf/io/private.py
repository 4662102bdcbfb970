"""Make private folders for plaintext that a program reads from a file, and remove those left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

from encconf.errors import EncconfError, OutputError
from encconf.io.descriptors import (
    CREATE,
    NOFOLLOW,
    cannot_write,
    is_random_name,
    patiently,
    random_name,
    reason,
    write_all,
)
from encconf.io.fileio import upwards
from encconf.io.locks import Claim
from encconf.io.process import SignalGuard


class PrivateFolder:
    """``with PrivateFolder() as path:`` — a new folder of mode 0700, which is removed afterwards.

    It is in memory (tmpfs) if $TMPDIR, $XDG_RUNTIME_DIR or /dev/shm is, and otherwise in $TMPDIR or /tmp.
    It is always removed with its content, also after SIGINT, SIGTERM, SIGHUP and SIGQUIT.  After SIGKILL,
    the next process removes it.  A process holds a lock on its folder, so that others do not remove it.

    Raises OutputError, also if the folder could not be removed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._guard = SignalGuard()
        self._lock = _Lock()
        self.path = ""

    def __enter__(self) -> str:
        self._guard.__enter__()
        try:
            failed = OutputError("no folder for temporary files was found", hint="set TMPDIR to a folder")
            for place in _temporary_places(self._environ):
                sweep_private(place)
                try:
                    while not self._make(place):
                        pass
                except OSError as error:
                    failed = OutputError(f"cannot make a temporary folder in {place}: {reason(error)}")
                else:
                    return self.path
            raise failed
        except BaseException:
            self.__exit__()
            raise

    def _make(self, place: str) -> bool:
        """Make the folder and lock it.  Returns False if another process removed it in between."""
        path = os.path.join(place, random_name(_PRIVATE_FOLDER, 8))
        os.mkdir(path, 0o700)
        self.path = path
        try:
            self._lock.take(path)
        except FileNotFoundError:
            self.path = ""
        return bool(self.path)

    def __exit__(self, _: object = None, error: object = None, __: object = None) -> None:
        try:
            try:
                self._guard.hold()
            finally:  # also after a signal just before they are held
                if self.path:
                    self._lock.empty()  # also if somebody has moved it
                    remove_folder(self.path)
            if self.path and os.path.lexists(self.path):
                hint = f"the temporary folder with the plaintext could not be removed; remove {self.path}"
                if not isinstance(error, EncconfError):
                    raise OutputError("plaintext was left behind", hint=hint)
                error.hint = f"{error.hint}; {hint}" if error.hint else hint
        finally:
            self._lock.release()
            self._guard.__exit__()


_PRIVATE_FOLDER = "encconf-"


class _Lock:
    """The lock of a private folder: of the folder itself, or on Windows a `Claim` to its path."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._claim: Claim | None = None

    def take(self, path: str) -> bool:
        """Lock a folder.  Returns False if there are no locks here.

        Raises FileNotFoundError if another process has the lock, since that process removes the folder.
        """
        if os.name == "nt":
            self._claim = Claim(path)
            if not self._claim.take() and self._claim.possible:
                raise FileNotFoundError(path)
            return self._claim.possible
        import fcntl

        descriptor = _open_folder(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.stat(path)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            raise FileNotFoundError(path) from None
        except OSError:  # the file system has no locks, as some on a network
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def empty(self) -> None:
        """Remove the content of a folder that is locked."""
        if self._descriptor is not None:
            empty_folder(self._descriptor)

    def release(self) -> None:
        if self._claim is not None:
            self._claim.release()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def sweep_private(place: str) -> None:
    """Remove this user's private folders that no process has locked: their processes were killed."""
    try:
        with os.scandir(place) as entries:
            names = [entry.name for entry in entries if is_random_name(entry.name, _PRIVATE_FOLDER, 8)]
    except OSError:
        return
    for name in names:
        path, lock = os.path.join(place, name), _Lock()
        try:
            state = os.lstat(path)
            if not _is_folder(state) or (hasattr(os, "geteuid") and state.st_uid != os.geteuid()):
                continue
            if os.name == "nt":
                os.chmod(path, 0o700)
            if lock.take(path):
                lock.empty()
                remove_folder(path)
        except OSError:
            continue
        finally:
            lock.release()


def _is_folder(state: os.stat_result) -> bool:
    """Whether this is a folder, and not a junction of Windows, which leads to another one as a link does."""
    return stat.S_ISDIR(state.st_mode) and not getattr(state, "st_reparse_tag", 0)


def write_private(path: str, data: str) -> None:
    """Write a new file that only its owner can read (0600).  Raises OutputError."""
    try:
        descriptor = os.open(path, CREATE, 0o600)
        try:
            write_all(descriptor, data.encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(error).about(path) from None


def _temporary_places(environ: Mapping[str, str]) -> Iterator[str]:
    configured = environ.get("TMPDIR") or ""
    mounts = memory_mounts()
    for place in (configured, environ.get("XDG_RUNTIME_DIR") or "", "/dev/shm"):
        if os.path.isabs(place) and _in_memory(place, mounts) and os.access(place, os.W_OK | os.X_OK):
            yield place
    for place in (*temporary_folders(environ), "."):
        if os.path.isdir(place):
            yield os.path.abspath(place)


def temporary_folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders for temporary files: your own, and /tmp, which on Windows is not the system's."""
    chosen = [environ.get(name) for name in ("TMPDIR", "TEMP")]
    return [*filter(None, chosen), *(["/tmp"] if os.name == "posix" else [])]


def memory_mounts() -> dict[str, bool]:
    """Return every mount point, and whether it is only in memory.  Empty without /proc."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            return {fields[1]: fields[2] in ("tmpfs", "ramfs") for fields in map(str.split, mounts)}
    except OSError:
        return {}


def is_in_memory(place: str) -> bool:
    """Whether a folder is only in memory."""
    return _in_memory(place, memory_mounts())


def _in_memory(place: str, mounts: Mapping[str, bool]) -> bool:
    return next((mounts[each] for each in upwards(os.path.realpath(place)) if each in mounts), False)


def _unlink(path: str) -> None:
    if os.name == "nt":
        os.chmod(path, 0o600)  # it does not remove a file that is read-only
    os.unlink(path)


def remove_folder(path: str) -> None:
    """Remove a folder and its content, as far as possible.  Raises no error.

    No link is followed, also not one that has taken the place of a folder: whoever may write to the folder
    around it could make it lead to your files.
    """
    if os.open in os.supports_dir_fd:
        with suppress(OSError):
            descriptor = _open_folder(path)
            try:
                empty_folder(descriptor)
            finally:
                os.close(descriptor)
    else:
        _empty_by_name(path)
    with suppress(OSError):  # the caller looks whether the folder is gone
        os.rmdir(path)


def empty_folder(descriptor: int) -> None:
    """Remove the content of an open folder, as far as possible.  Raises no error."""
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(descriptor, 0o700)  # an editor may have changed it
    try:
        names = os.listdir(descriptor)
    except OSError:
        return
    for name in names:
        try:
            os.unlink(name, dir_fd=descriptor)
        except OSError:  # it is a folder, or it stays, but the others can still be removed
            with suppress(OSError):
                inner = _open_folder(name, descriptor)
                try:
                    empty_folder(inner)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=descriptor)


def _open_folder(name: str, at: int | None = None) -> int:
    """Open a folder, which may not be readable.  Raises OSError, also for a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=at)
    except PermissionError:
        if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            os.chmod(name, 0o700, dir_fd=at)
        return os.open(name, flags, dir_fd=at)


def _empty_by_name(path: str) -> None:
    try:
        if not _is_folder(os.lstat(path)):
            return
        with suppress(OSError):
            os.chmod(path, 0o700)
        with os.scandir(path) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        try:
            if _is_folder(entry.stat(follow_symlinks=False)):
                remove_folder(entry.path)
            else:
                patiently(entry.path, partial(_unlink, entry.path))
        except OSError:
            continue  # the others can still be removed
