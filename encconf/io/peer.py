"""The process at the other end of a Unix socket.

Only the start of Python's own ``socket`` is loaded here: a short run of ``git textconv`` needs no more.
"""

from __future__ import annotations

import _socket
import sys


def peer_of(connection: _socket.socket) -> tuple[int, int]:
    """The number of the process and its user when it connected, from the kernel (SO_PEERCRED; Linux only)."""
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(found[:4], sys.byteorder), int.from_bytes(found[4:8], sys.byteorder)
