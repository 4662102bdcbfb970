"""Values and their ``ENC[AES256_GCM,…]`` texts.

The form is that of sops 3.13.3 (aes/cipher.go): AES-256 in GCM with a 32-byte nonce, all parts in standard
base64, and the value's place as additional data.  This module knows nothing about files or their MAC.
"""

from __future__ import annotations

import binascii
import os
import re
import sys
from collections.abc import Iterator, Sequence

from encconf.errors import DecryptError, PlainValueError
from encconf.text.document import ENC_BYTES, ENC_PREFIX, Document, Leaf, Unsealed, Value, aads
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_SIZE = 32
TAG_SIZE = 16

_BASE64 = rb"[A-Za-z0-9+/]+={0,2}"
# sops's own pattern has no end anchor, so it accepts `ENC[…]` with the line break of a block scalar.
# rops encrypts an empty string, which gives empty data; sops never encrypts one.
ENC = re.compile(
    rb"ENC\[AES256_GCM,data:(%b|),iv:(%b),tag:(%b),type:([a-z]+)\]\s*\Z" % (_BASE64, _BASE64, _BASE64)
)

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
    return data is not None and len(data) > len(ENC_PREFIX) and split(data) is not None


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


# --- the values of a document --------------------------------------------------------------------

TYPES = frozenset(["str", "int", "float", "bool", "time", "comment"])
"""The types of values.  The ``sops`` block also has ciphertexts of ``bytes``."""


class Encryptor:
    """Encrypts values under one data key."""

    __slots__ = ("_gcm", "_nonces")

    def __init__(self, data_key: bytes) -> None:
        self._gcm = aes_gcm(data_key)
        self._nonces = _nonces()

    def __call__(self, type: str, data: bytes, aad: bytes, nonce: bytes | None = None) -> str:
        """Return the ``ENC[…]`` text of a value.  The nonce is fresh unless one is given."""
        nonce = nonce or next(self._nonces)
        return encode(self._gcm.encrypt(nonce, data, aad), nonce, type)

    def leaves(self, leaves: Sequence[Leaf]) -> list[str]:
        """Return the ``ENC[…]`` texts of a plaintext's leaves, with fresh nonces."""
        # As `self(leaf.type, leaf.data, leaf.aad)`, with one call of ours for each leaf instead of three.
        encrypt = self._gcm.encrypt
        encs: list[str] = []
        for leaf, aad, nonce in zip(leaves, aads(leaves), self._nonces, strict=False):  # nonces never end
            assert leaf.data is not None
            encs.append(encode(encrypt(nonce, leaf.data, aad), nonce, leaf.type))
        return encs


def _nonces() -> Iterator[bytes]:
    size = NONCE_SIZE
    while True:  # one system call for many nonces
        pool = os.urandom(size * 256)
        for at in range(0, len(pool), size):
            yield pool[at : at + size]


def unseal(
    document: Document, chosen: bytearray, data_key: bytes, *, accept_plain: bool = False
) -> list[Value]:
    """Return the value of each leaf: of every chosen one, what its ciphertext holds, else the leaf itself.

    With ``accept_plain``, values that somebody wrote in plaintext stay as they are.  Raises PlainValueError
    for such a value otherwise, and DecryptError for a ciphertext that was changed or moved.
    """
    # This loop is most of the time that opening a large file takes, hence no calls of ours in it.
    decrypt = aes_gcm(data_key).decrypt
    match = ENC.match
    decode = b64decode
    scope = None
    around = ""
    values: list[Value] = []
    add, new = values.append, object.__new__
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        data = leaf.data
        if not is_chosen or not data:
            add(leaf)  # null and the empty string are never encrypted
            continue
        parts = match(data)
        if parts is None:
            if data.startswith(ENC_BYTES):
                raise DecryptError(
                    f"the ciphertext at {spell(leaf.path)} is cut off or damaged",
                    hint="restore the value from an older version of the file",
                )
            if accept_plain:
                add(leaf)
                continue
            raise PlainValueError(
                f"the value at {spell(leaf.path)} is plaintext, but the file's selection encrypts it",
                hint="if it is a new value, encconf edit FILE encrypts it when you save; "
                "if it replaces another, look at encconf diff FILE, and add --ignore-mac",
            )
        ciphertext, nonce, tag, kind = parts.groups()
        if leaf.scope is not scope:
            scope = leaf.scope
            around = scope.aad
        step = leaf.step
        aad = around if type(step) is int else f"{around}{step}:"  # as `Leaf.aad`
        try:
            plain = decrypt(
                decode(nonce), decode(ciphertext) + decode(tag), aad.encode("utf-8", "surrogateescape")
            )
        except Exception as error:
            if not is_refusal(error):
                raise
            raise DecryptError(
                f"the value at {spell(leaf.path)} cannot be decrypted: it was changed or moved",
                hint="restore the value from an older version of the file",
            ) from None
        value = new(Unsealed)  # as `Unsealed(…)` does, in half of the time
        value.enc = data
        if kind == b"str":
            value.type = "str"
            value.data = plain
        else:
            value.type, value.data = _typed(leaf, kind.decode(), plain)
        add(value)
    return values


def _typed(leaf: Leaf, type: str, data: bytes) -> tuple[str, bytes]:
    """Return the type that a leaf's ciphertext states, and its plaintext, an integer as sops writes it.

    Raises DecryptError if the plaintext has another type.
    """
    if type not in TYPES:
        raise DecryptError(f"the value at {spell(leaf.path)} has an unknown type")
    if not _is_of(leaf, type, data):
        # sops does not authenticate the type, and another type would give another spelling.
        raise DecryptError(
            f"the value at {spell(leaf.path)} does not have the type it is marked with ({type})"
        )
    digits = data[1:] if data[:1] in (b"-", b"+") else data
    if type == "int" and (digits[:1] == b"0" or data[:1] == b"+"):
        # Another program wrote it; to YAML, 010 would be octal.
        digits = digits.lstrip(b"0") or b"0"
        data = digits if data[:1] != b"-" or digits == b"0" else b"-" + digits
    return type, data


# Compiled when first used.
_FORMS = {
    # Go writes infinity as +Inf, Rust as inf.
    "float": (
        rb"[-+]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][-+]?[0-9]{1,4})?\Z"
        rb"|(?:[-+]?[iI]nf|[nN]a[nN])\Z"
    ),
    "time": (
        rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
        rb"(?:Z|[-+]([0-9]{2}):([0-9]{2}))\Z"
    ),
}
_BOOLS = frozenset(b"true True TRUE false False FALSE t T f F 0 1".split())
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _is_of(leaf: Leaf, type: str, data: bytes) -> bool:
    """Whether decrypted bytes have a form that sops reads for a type.  Only list items can be comments."""
    if type == "comment":
        return isinstance(leaf.step, int)
    if type == "bool":
        return data in _BOOLS
    if type == "int":
        digits = data[1:] if data[:1] in (b"-", b"+") else data
        return digits.isdigit() and len(digits.lstrip(b"0")) < 20
    match = re.match(_FORMS[type], data)
    if match is None:
        return False
    if type == "time":
        return _exists(*(int(part or 0) for part in match.groups()))
    # Only infinity and NaN end in a letter; a finite number must fit a float.
    return match[0][-1:].isalpha() or abs(float(match[0])) <= sys.float_info.max


def _exists(
    year: int, month: int, day: int, hour: int, minute: int, second: int, zone_hour: int, zone_minute: int
) -> bool:
    """Whether a date and time exists.  Go has a year 0."""
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 28 if month == 2 and not leap else _DAYS[month - 1]
    return 1 <= day <= days and zone_hour < 24 and zone_minute < 60
