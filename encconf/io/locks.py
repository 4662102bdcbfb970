"""Wait for other processes, so that only one at a time writes in a folder or changes a file."""

from __future__ import annotations

import os
import sys

from encconf.errors import OutputError
from encconf.io.descriptors import BINARY, NOFOLLOW, NONBLOCK

LOCK_PATIENCE = 10.0
"""How many seconds a write waits for another one in the same folder."""

TURN_PATIENCE = 60.0
"""How many seconds a change of one value waits for other changes of the same file."""


class LockedFolder:
    """An open folder that no other encconf writes to meanwhile.

    The folder itself is locked, so that no lock file can be planted or left behind.  All names are
    relative to the open folder, so it does not matter if someone replaces the folder.  On Windows, and for a
    folder that may not be listed, ``descriptor`` is None and names are whole paths.  Windows has no locks of
    folders: a `Claim` has the folder's path as its name.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor: int | None = None
        self.locked = False
        self._claim: Claim | None = None

    def __enter__(self) -> LockedFolder:
        if os.open in os.supports_dir_fd:
            try:
                self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW)
            except PermissionError:
                return self
            try:
                self.locked = lock(self.descriptor, LOCK_PATIENCE)
            except BaseException:
                os.close(self.descriptor)
                raise
        elif os.name == "nt":
            self._claim = Claim(self.folder)
            self.locked = self._claim.take(LOCK_PATIENCE)
            if not self.locked and self._claim.possible:
                said = f"cannot be written: another process writes in its folder ({LOCK_PATIENCE:g} s)"
                raise OutputError(said, hint="find a process that hangs, and end it")
        return self

    def __exit__(self, *_: object) -> None:
        if self._claim is not None:
            self._claim.release()
        if self.descriptor is not None:
            os.close(self.descriptor)  # unlocks

    def name(self, name: str) -> str:
        """Return the name of a file in the folder, for system calls with ``dir_fd``."""
        return name if self.descriptor is not None else os.path.join(self.folder, name)

    def has(self, name: str) -> bool:
        """Whether the folder has a file of this name, or a link."""
        try:
            os.stat(self.name(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file of the folder.  A link is not followed."""
        flags |= NOFOLLOW | NONBLOCK | BINARY
        return os.open(self.name(name), flags, mode, dir_fd=self.descriptor)

    def unlink(self, name: str) -> bool:
        """Remove a file.  Returns False if there is none."""
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


class Claim:
    """A claim to a path that one thread of all processes can have, on Windows.  It ends with the process.

    ``possible`` is False if this system has no claims.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle: int | None = None
        self.possible = sys.platform == "win32"

    def take(self, patience: float = 0) -> bool:
        """Wait for the claim, at most ``patience`` seconds.  Returns whether it was free in this time."""
        if sys.platform == "win32":
            import hashlib
            import time

            from encconf.io import windows

            real = os.path.normcase(os.path.realpath(self._path))
            # For all sessions of this machine.  A path can be longer than a name, and has backslashes.
            name = f"Global\\encconf-{hashlib.sha256(real.encode('utf-8', 'surrogatepass')).hexdigest()}"
            deadline = time.monotonic() + patience
            try:
                while (handle := windows.take(name)) is None:
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(0.01)
                self._handle = handle
            except OSError:
                self.possible = False
        return self._handle is not None

    def release(self) -> None:
        """Give the claim back, if it was taken."""
        if sys.platform == "win32" and self._handle is not None:
            from encconf.io import windows

            windows.release(self._handle)
            self._handle = None


def lock(descriptor: int, patience: float) -> bool:
    """Lock an open file or folder.  Returns False if the file system has no locks (some NFS).

    Also returns False if another user holds the lock of a folder for everyone, such as /tmp: anyone can do
    that for ever, and that user cannot replace your files there.

    Raises OutputError after ``patience`` seconds, and soon if the lock is held by a user who may not write
    there: whoever can read a folder can lock it, and would otherwise stop all writers.
    """
    import fcntl
    import time

    begin = time.monotonic()
    deadline, look = begin + patience, begin + _LOOK
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            now = time.monotonic()
            if now > look:
                if _is_held_by_intruder(descriptor):
                    return False
                look = now + 10 * _LOOK
            if now > deadline:
                pid, uid = _holder(descriptor) or (0, 0)
                by = f"process {pid} of {_user(uid)}" if pid else "another process"
                said = f"cannot be written: its folder is locked by {by} ({patience:g} s)"
                raise OutputError(said) from None
            time.sleep(0.01)
        except OSError:
            return False


_LOOK = 0.1
"""After how many seconds a writer looks who holds the lock."""


def _is_held_by_intruder(descriptor: int) -> bool:
    """Whether another user holds the lock of a folder for everyone.

    Raises OutputError if the lock is held by a process whose user may not write there.
    """
    state = os.fstat(descriptor)
    holder = _holder(descriptor)
    if holder is None or holder[1] in (0, os.geteuid(), state.st_uid):
        return False
    if state.st_mode & 0o022:
        return state.st_mode & 0o1002 == 0o1002
    raise OutputError(
        f"cannot be written: its folder is locked by process {holder[0]} of {_user(holder[1])}, who may not "
        "write there",
        hint=f"end the process (kill {holder[0]}), and do not let that user read the folder",
    )


def _holder(descriptor: int) -> tuple[int, int] | None:
    """Return the process that holds a lock, and its user, as far as Linux shows them."""
    state = os.fstat(descriptor)
    place = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as locks:
            found = [words for words in map(str.split, locks) if words[1] == "FLOCK" and words[5] == place]
        pid = int(found[0][4])
        # The owner of /proc/PID is root if the process wants that.
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            uid = next(line.split()[2] for line in status if line.startswith("Uid:"))
        return pid, int(uid)
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _user(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"


class Turn:
    """``with Turn(path):`` — wait until no other `Turn` holds the file, at most `TURN_PATIENCE` seconds.

    It makes changes that read, compute and write happen one after another.  No content depends on it: a
    process that does not wait, or waited too long, still replaces only what it has read (``replacing``).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._claim: Claim | None = None

    def __enter__(self) -> None:
        import time

        if os.name == "nt":
            self._claim = Claim(self._path)
            self._claim.take(TURN_PATIENCE)
            return
        deadline = time.monotonic() + TURN_PATIENCE
        while time.monotonic() < deadline:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | NOFOLLOW | NONBLOCK)
                lock(self._descriptor, deadline - time.monotonic())
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):
                    return
            except (OSError, OutputError):
                return  # the file does not exist yet, or the time is up
            except BaseException:  # such as Ctrl-C, or the exception of a program's alarm
                self.__exit__()
                raise
            self.__exit__()  # the file was replaced meanwhile, so lock the new one

    def __exit__(self, *_: object) -> None:
        if self._claim is not None:
            self._claim.release()
        if self._descriptor is not None:
            os.close(self._descriptor)  # unlocks
            self._descriptor = None
