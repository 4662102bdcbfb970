"""Open descriptors: flags to open them, functions to read and write, names for new files, and the errors.

A flag that a platform lacks is 0.
"""

from __future__ import annotations

import errno
import os
import sys

from encconf.errors import (
    InputDeniedError,
    InputError,
    LimitError,
    OutputDeniedError,
    OutputError,
    UnwrittenError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")
    D = TypeVar("D", InputDeniedError, OutputDeniedError)

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)
NOCTTY = getattr(os, "O_NOCTTY", 0)
BINARY = getattr(os, "O_BINARY", 0)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | BINARY

PRIVATE = 0o600
"""The mode of a file with plaintext or keys: only its owner can read it."""

CHUNK = 1 << 20
"""How many bytes are read at a time (1 MiB)."""

OPEN_PATIENCE = 2.0
"""How many seconds to wait, on Windows, until other programs have closed a file."""

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))


def read_all(descriptor: int, limit: int | None, *, wait: bool = True) -> bytes:
    """Read up to the end of a descriptor, which may be non-blocking.

    Raises OSError, and LimitError for more than ``limit`` bytes (unless None).  With ``wait=False``, a
    descriptor that has nothing to read yet is an OSError, too.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:  # another program that has the same pipe open has made it non-blocking
            if not wait:
                raise
            import select

            select.select([descriptor], [], [])
            continue
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if limit is not None and size > limit:
            unit = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
            raise LimitError(f"larger than {unit}")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to a descriptor, which may be non-blocking.  Raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            import select

            select.select([], [descriptor], [])


def random_name(prefix: str, size: int = 4) -> str:
    """Return a name for a new file or folder: the prefix, and ``size`` random bytes in hexadecimal."""
    return prefix + os.urandom(size).hex()


def is_random_name(name: str, prefix: str, size: int = 4) -> bool:
    """Whether `random_name` may have made a name.  It does not make words, as in ``.encconf-settings``."""
    digits = name[len(prefix) :]
    return name.startswith(prefix) and len(digits) == 2 * size and not digits.strip("0123456789abcdef")


PLANTED = "that another user has put into a folder for everyone"


def is_planted(state: os.stat_result, folder: os.stat_result, *, sticky: bool = True) -> bool:
    """Whether another user has put a file or link into a folder for everyone, such as /tmp.

    It could make you overwrite another file, or show that user what you write.  Linux refuses such files, too
    (``fs.protected_regular``, ``_symlinks``, ``_fifos``), but neither the paths that `fileio.resolve` returns
    nor files that are replaced.  A file that is mounted there, as in a container, is of another device.
    Without ``sticky``, so are the files of a folder where users can also remove those of others.  On Windows,
    modes and owners say nothing.
    """
    if os.name != "posix":
        return False
    wanted = 0o1002 if sticky else 0o002
    shared = folder.st_mode & wanted == wanted and state.st_dev == folder.st_dev
    return shared and state.st_uid not in (os.geteuid(), folder.st_uid)


def refuse_planted(state: os.stat_result, folder: os.stat_result) -> None:
    """Raise OutputDeniedError for a file that is planted (`is_planted`)."""
    if is_planted(state, folder):
        raise OutputDeniedError(f"cannot be written: it is a file {PLANTED}", hint="use another folder")


def cannot_read(error: OSError) -> InputError:
    """Return the error for a file that cannot be read."""
    said = f"cannot be read: {reason(error)}"
    if error.errno == errno.ETXTBSY:
        return InputError(said, hint=_CLOSE)
    return _denied(InputDeniedError(said), error) if isinstance(error, PermissionError) else InputError(said)


def cannot_write(error: OSError) -> OutputError:
    """Return the error for a file that cannot be written."""
    said = f"cannot be written: {reason(error)}"
    if error.errno == errno.ETXTBSY:
        return OutputError(said, hint=_CLOSE)
    if error.errno == errno.ENOENT:
        return OutputError("cannot be written: its folder does not exist")
    if not isinstance(error, PermissionError):
        return UnwrittenError(said) if error.errno in _FULL else OutputError(said)
    return _denied(OutputDeniedError(said), error)


_CLOSE = "close it there, then run this again"


def _denied(denied: D, error: OSError) -> D:
    denied.errno, denied.strerror = error.errno, error.strerror
    return denied


def reason(error: OSError) -> str:
    """Return the system's text for an error, which contains neither the file's name nor its content."""
    reason = error.strerror or type(error).__name__
    return reason[:1].lower() + reason[1:]


def is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is open on a terminal.  Python's isatty says so of Windows's NUL, too."""
    if not os.isatty(descriptor):
        return False
    if sys.platform == "win32":
        from encconf.io import windows

        return windows.is_console(descriptor)
    else:
        return True


def shows_colors(descriptor: int) -> bool:
    """Whether a descriptor is open on a terminal that shows colors.  On Windows, this switches them on."""
    if sys.platform == "win32":
        from encconf.io import windows

        return is_terminal(descriptor) and windows.shows_colors(descriptor)
    else:
        return is_terminal(descriptor)


def set_mode(descriptor: int, mode: int) -> None:
    """Set the mode of an open file, on systems where files have modes."""
    if os.name == "posix":
        os.fchmod(descriptor, mode)


def patiently(path: str, work: Callable[[], T], *, to_read: bool = False) -> T:
    """Return what ``work`` returns, which opens or replaces a file.

    On Windows, other programs that have the file open may forbid that.  Most close it soon: virus scanners,
    editors, other runs of encconf.  So this tries again.  Raises an OSError that says so (ETXTBSY) after
    `OPEN_PATIENCE` seconds.
    """
    end, refused = 0.0, 0
    while True:
        try:
            return work()
        except PermissionError:
            if os.name != "nt" or os.path.isdir(path):
                raise
            import time

            end = end or time.monotonic() + OPEN_PATIENCE
            refused = 0 if is_open_elsewhere(path, to_read=to_read) else refused + 1
            if refused > 10:  # it was not just being replaced, so the permissions forbid it
                raise
            if time.monotonic() > end:
                raise OSError(errno.ETXTBSY, "another program has it open") from None
            time.sleep(0.02)


def is_open_elsewhere(path: str, *, to_read: bool) -> bool:
    """Whether, on Windows, another program has a file open so that it cannot be replaced (or even read)."""
    if sys.platform == "win32":
        from encconf.io import windows

        return windows.is_open_elsewhere(path, to_read=to_read)
    else:
        return False
