"""One value and its ``ENC[AES256_GCM,…]`` text.

The form is that of sops 3.13.3 (aes/cipher.go): AES-256 in GCM with a 32-byte nonce, all parts in standard
base64, and the value's place as additional data.  This module knows nothing about files.
"""

from __future__ import annotations

import binascii
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE = 32
NONCE_SIZE = 32
TAG_SIZE = 16

_BASE64 = rb"[A-Za-z0-9+/]+={0,2}"
# sops's own pattern has no end anchor, so it accepts `ENC[…]` with the line break of a block scalar.
# rops encrypts an empty string, which gives empty data; sops never encrypts one.
ENC = re.compile(
    rb"ENC\[AES256_GCM,data:(%b|),iv:(%b),tag:(%b),type:([a-z]+)\]\s*\Z" % (_BASE64, _BASE64, _BASE64)
)
PREFIX = "ENC[AES256_GCM,"

b64decode = binascii.a2b_base64
b64encode = binascii.b2a_base64


def encode(ciphertext: bytes, nonce: bytes, type: str) -> str:
    """Spell a ciphertext, which ends with its 16-byte tag."""
    data = b64encode(ciphertext[:-TAG_SIZE], newline=False).decode()
    iv = b64encode(nonce, newline=False).decode()
    tag = b64encode(ciphertext[-TAG_SIZE:], newline=False).decode()
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{type}]"


def split(enc: bytes | str) -> tuple[bytes, bytes, str] | None:
    """Return the ciphertext with its tag, the nonce and the type of an ``ENC[…]`` text, or None."""
    match = ENC.match(enc if isinstance(enc, bytes) else enc.encode(errors="replace"))
    if match is None:
        return None
    data, iv, tag, type = match.groups()
    try:
        return b64decode(data) + b64decode(tag), b64decode(iv), type.decode()
    except binascii.Error:
        return None


def is_ciphertext(data: bytes | str | None) -> bool:
    """Whether a whole value is an ``ENC[…]`` text."""
    return data is not None and len(data) > len(PREFIX) and split(data) is not None


def aes_gcm(data_key: bytes) -> AESGCM:
    """Return AES-GCM under a data key of 32 bytes.  Code that only looks at ciphertexts loads no crypto."""
    try:
        # The Rust class itself: the public module that re-exports it also imports every other cipher,
        # which takes longer (9 ms) than opening a small file.  They are the same object (a test says so).
        from cryptography.hazmat.bindings._rust import openssl

        return openssl.aead.AESGCM(data_key)
    except (ImportError, AttributeError):  # another layout of `cryptography`
        from cryptography.hazmat.primitives.ciphers import aead

        return aead.AESGCM(data_key)


def unlock(key: bytes | AESGCM, ciphertext: bytes, nonce: bytes, aad: bytes) -> bytes | None:
    """Decrypt a ciphertext (with its tag) under a data key, or under what `aes_gcm` made of one.

    Returns None if the ciphertext was changed or is for another place.
    """
    try:
        return (aes_gcm(key) if isinstance(key, bytes) else key).decrypt(nonce, ciphertext, aad)
    except Exception as error:
        if not is_refusal(error):
            raise
        return None


def is_refusal(error: Exception) -> bool:
    """Whether decryption failed because the ciphertext was changed or is for another place.

    The class to catch is imported only here, after a failure: with `typing`, the import takes 2 ms.
    """
    from cryptography.exceptions import InvalidTag

    return isinstance(error, (InvalidTag, ValueError))
