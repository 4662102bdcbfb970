"""Unix sockets that only their owner can connect to, at any time, and the process at the other end of one."""

from __future__ import annotations

import _socket
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from encconf.errors import UsageError
from encconf.io.descriptors import random_name, reason

PATH_LIMIT = 107
"""The longest path of a unix socket on Linux, in bytes (103 on macOS)."""


class OwnSocket:
    """A path for a socket.  It must not exist, or must be a socket that a dead server has left.

    The socket is made under another name and then renamed.  So clients find it ready, and a library that
    removes a socket by its name never removes another server's.  Raises UsageError.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        folder, name = os.path.split(self.path)
        if not name:
            raise UsageError("the path of the socket is missing")
        self._temporary = os.path.join(folder, random_name("."))
        if max(len(os.fsencode(self.path)), len(os.fsencode(self._temporary))) > PATH_LIMIT:
            raise UsageError(f"the path of a socket has at most {PATH_LIMIT} bytes")
        self._inode = 0

    @contextmanager
    def making(self) -> Iterator[str]:
        """Yield the name to bind a socket to, and rename the socket at the end.  Raises OSError."""
        _refuse_unless_dead(self.path)
        before = os.umask(0o177)
        try:
            try:
                yield self._temporary
            finally:
                os.umask(before)
            _refuse_unless_dead(self.path)
            self._inode = os.lstat(self._temporary).st_ino
            os.rename(self._temporary, self.path)
        finally:
            if os.path.lexists(self._temporary):
                os.unlink(self._temporary)

    def remove(self) -> None:
        """Remove the socket, unless another server has replaced it."""
        try:
            if os.lstat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except OSError:
            return  # the socket was removed already


def _refuse_unless_dead(path: str) -> None:
    """Raise UsageError unless the path does not exist, or is a socket that no process listens on."""
    import socket

    try:
        kind = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(kind):
        raise UsageError(f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise UsageError(f"cannot listen on {path}: {reason(error)}") from None
    raise UsageError(f"cannot listen on {path}: another process does")


# --- the process at the other end of a Unix socket ------------------------------------------------
# This needs only ``_socket``, and not the slower ``socket``, so that a run of ``git textconv`` is short.


def peer_of(connection: _socket.socket) -> tuple[int, int]:
    """Return the peer's process number and its user when it connected, from the kernel (only on Linux)."""
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(found[:4], sys.byteorder), int.from_bytes(found[4:8], sys.byteorder)
