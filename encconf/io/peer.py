"""Find the process at the other end of a Unix socket.

This needs only ``_socket``, and not the slower ``socket``, so that a run of ``git textconv`` is short.
"""

from __future__ import annotations

import _socket
import sys


def peer_of(connection: _socket.socket) -> tuple[int, int]:
    """Return the peer's process number and its user when it connected, from the kernel (only on Linux)."""
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(found[:4], sys.byteorder), int.from_bytes(found[4:8], sys.byteorder)
