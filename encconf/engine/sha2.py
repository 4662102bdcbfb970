"""SHA-256, SHA-512 and HMAC without OpenSSL.

`hashlib` and `hmac` load all of OpenSSL, which takes longer than opening a small file.  CPython's own
implementation gives the same results.  Interpreters that lack it use `hashlib`.
"""

from __future__ import annotations

import sys
from _operator import _compare_digest as compare_digest

__all__ = ["compare_digest", "hmac_sha256", "sha256", "sha512"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256, sha512
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256, sha512
        else:
            from _sha256 import sha256
            from _sha512 import sha512
    except ImportError:
        from hashlib import sha256, sha512

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104)."""
    padded = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner = sha256(padded.translate(_INNER) + data).digest()
    return sha256(padded.translate(_OUTER) + inner).digest()
