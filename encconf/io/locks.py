"""Waiting for other processes: one writer in a folder, one change of a file at a time."""

from __future__ import annotations

import os

from encconf.errors import OutputError
from encconf.io.descriptors import BINARY, CLOEXEC, NOFOLLOW, NONBLOCK

LOCK_PATIENCE = 10.0
"""How long a write waits for another one in the same folder, in seconds."""

TURN_PATIENCE = 60.0
"""How long a change of one value waits for other changes of the same file, in seconds."""


class LockedFolder:
    """An open folder, which no other encconf writes to meanwhile.

    The folder itself is locked, so that no lock file can be planted or left behind.  All names are
    relative to the open folder, so that nobody can replace it.  On Windows, and for a folder that may not
    be listed, ``descriptor`` is None and names are whole paths.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor: int | None = None
        self.locked = False

    def __enter__(self) -> LockedFolder:
        if os.open in os.supports_dir_fd:
            try:
                self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW | CLOEXEC)
            except PermissionError:
                return self
            try:
                self.locked = lock(self.descriptor, LOCK_PATIENCE)
            except BaseException:
                os.close(self.descriptor)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)  # unlocks

    def name(self, name: str) -> str:
        """A name in the folder, for system calls with ``dir_fd``."""
        return name if self.descriptor is not None else os.path.join(self.folder, name)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file of the folder, never through a link."""
        flags |= NOFOLLOW | NONBLOCK | CLOEXEC | BINARY
        return os.open(self.name(name), flags, mode, dir_fd=self.descriptor)

    def unlink(self, name: str) -> bool:
        """Remove a file; False if there is none."""
        try:
            os.unlink(self.name(name), dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def sync(self) -> None:
        """Make sure that the folder's entries are on the disk."""
        if self.descriptor is not None:
            try:
                os.fsync(self.descriptor)
            except OSError:
                return  # some file systems cannot sync a folder; the file itself is safe


def lock(descriptor: int, patience: float) -> bool:
    """Lock an open file or folder; returns False if the file system has no locks (some NFS).

    Raises OutputError after ``patience`` seconds.
    """
    import fcntl
    import time

    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OutputError(
                    f"cannot be written: its folder is locked by another process ({patience:g} s)"
                ) from None
            time.sleep(0.01)
        except OSError:
            return False


class Turn:
    """``with Turn(path):`` — wait until no other `Turn` holds the file, at most `TURN_PATIENCE` seconds.

    For changes that read, compute and write, so that they happen one after another.  Nothing depends on it:
    a process that does not wait, or waited too long, still replaces only what it has read (``replacing``).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        import time

        deadline = time.monotonic() + TURN_PATIENCE
        while os.name == "posix" and time.monotonic() < deadline:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | NOFOLLOW | NONBLOCK | CLOEXEC)
                lock(self._descriptor, deadline - time.monotonic())
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):
                    return
            except (OSError, OutputError):
                return  # there is no such file yet, or it has waited long enough
            self.__exit__()  # it was replaced meanwhile

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # unlocks
            self._descriptor = None
