"""age files under a passphrase with little work (2¹⁰), which age and pyrage only make with a lot.

Small ones, in one chunk; see the age specification (C2SP, age.md).
"""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import scrypt

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_WORK = 10


def locked(content: bytes, passphrase: str) -> bytes:
    """The binary age file."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    label = b"age-encryption.org/v1/scrypt"
    wrapping = scrypt(passphrase.encode(), salt=label + salt, n=1 << _WORK, r=8, p=1, dklen=32)
    stanza = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    header = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (_base64(salt), _WORK, _base64(stanza))
    mac = HMAC(_derived(file_key, b"", b"header"), SHA256())
    mac.update(header)
    chunk = ChaCha20Poly1305(_derived(file_key, nonce, b"payload")).encrypt(
        bytes(11) + b"\x01", content, None
    )
    return header + b" " + _base64(mac.finalize()) + b"\n" + nonce + chunk


def armored(file: bytes) -> bytes:
    """The same as text."""
    text = b64encode(file)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    begin, end = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
    return b"\n".join([begin, *lines, end, b""])


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)
