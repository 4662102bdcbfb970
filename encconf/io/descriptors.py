"""Open descriptors: flags to open them, functions to read and write, and the errors.

A flag that a platform lacks is 0.
"""

from __future__ import annotations

import errno
import os

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
    from typing import TypeVar

    D = TypeVar("D", InputDeniedError, OutputDeniedError)

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)
NOCTTY = getattr(os, "O_NOCTTY", 0)
CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
BINARY = getattr(os, "O_BINARY", 0)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | CLOEXEC | BINARY

PRIVATE = 0o600
"""The mode of a file with plaintext or keys: only its owner can read it."""

CHUNK = 1 << 20
"""How many bytes are read at a time (1 MiB)."""

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))


def read_all(descriptor: int, limit: int | None) -> bytes:
    """Read up to the end.  Raises OSError, and LimitError for more than ``limit`` bytes (unless None)."""
    chunks = []
    size = 0
    while chunk := os.read(descriptor, CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if limit is not None and size > limit:
            unit = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
            raise LimitError(f"larger than {unit}")
    return b"".join(chunks)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to a descriptor, which may be non-blocking.  Raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            import select

            select.select([], [descriptor], [])


def cannot_read(error: OSError) -> InputError:
    """Return the error for a file that cannot be read."""
    said = f"cannot be read: {reason(error)}"
    return _denied(InputDeniedError(said), error) if isinstance(error, PermissionError) else InputError(said)


def cannot_write(error: OSError) -> OutputError:
    """Return the error for a file that cannot be written."""
    said = f"cannot be written: {reason(error)}"
    if not isinstance(error, PermissionError):
        return UnwrittenError(said) if error.errno in _FULL else OutputError(said)
    return _denied(OutputDeniedError(said), error)


def _denied(denied: D, error: OSError) -> D:
    denied.errno, denied.strerror = error.errno, error.strerror
    return denied


def reason(error: OSError) -> str:
    """Return the system's text for an error, which contains neither the file's name nor its content."""
    reason = error.strerror or type(error).__name__
    return reason[:1].lower() + reason[1:]
