"""Encrypt and decrypt the leaves of one document.  Its MAC is in `encconf.engine.mac`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence

from encconf.engine import cipher
from encconf.errors import DecryptError, PlainValueError
from encconf.text.document import Document, Leaf, aads
from encconf.text.path import spell

_PREFIX = cipher.PREFIX.encode()
_TYPES = frozenset(["int", "float", "bool", "time", "comment"])  # and str


class Encryptor:
    """Encrypts values under one data key."""

    __slots__ = ("_gcm", "_nonces")

    def __init__(self, data_key: bytes) -> None:
        self._gcm = cipher.aes_gcm(data_key)
        self._nonces = _nonces()

    def __call__(self, type: str, data: bytes, aad: bytes, nonce: bytes | None = None) -> str:
        """Return the ``ENC[…]`` text of a value.  The nonce is fresh unless one is given."""
        nonce = nonce or next(self._nonces)
        return cipher.encode(self._gcm.encrypt(nonce, data, aad), nonce, type)

    def leaves(self, leaves: Sequence[Leaf]) -> list[str]:
        """Return the ``ENC[…]`` texts of leaves, with fresh nonces."""
        # As `self(leaf.type, leaf.data, leaf.aad)`, with one call of ours for each leaf instead of three.
        encrypt, encode = self._gcm.encrypt, cipher.encode
        encs: list[str] = []
        for leaf, aad, nonce in zip(leaves, aads(leaves), self._nonces, strict=False):  # nonces never end
            assert leaf.data is not None
            encs.append(encode(encrypt(nonce, leaf.data, aad), nonce, leaf.type))
        return encs


def _nonces() -> Iterator[bytes]:
    size = cipher.NONCE_SIZE
    while True:  # one system call for many nonces
        pool = os.urandom(size * 256)
        for at in range(0, len(pool), size):
            yield pool[at : at + size]


def unseal(document: Document, chosen: bytearray, data_key: bytes, *, accept_plain: bool = False) -> None:
    """Decrypt every chosen leaf in place: ``type`` and ``data`` become those of the plaintext.

    With ``accept_plain``, values that somebody wrote in plaintext stay as they are.  Raises PlainValueError
    for such a value otherwise, and DecryptError for a ciphertext that was changed or moved.
    """
    # This loop is most of the time that opening a large file takes, hence no calls of ours in it.
    decrypt = cipher.aes_gcm(data_key).decrypt
    match = cipher.ENC.match
    decode = cipher.b64decode
    scope = None
    around = ""
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        data = leaf.data
        if not is_chosen or not data:
            continue  # null and the empty string are never encrypted
        parts = match(data)
        if parts is None:
            if data.startswith(_PREFIX):
                raise DecryptError(
                    f"the ciphertext at {spell(leaf.path)} is cut off or damaged",
                    hint="restore the value from an older version of the file",
                )
            if accept_plain:
                continue
            raise PlainValueError(
                f"the value at {spell(leaf.path)} is plaintext, but the file's selection encrypts it",
                hint="encconf edit FILE opens the file and encrypts the value when you save",
            )
        ciphertext, nonce, tag, kind = parts.groups()
        if leaf.scope is not scope:
            scope = leaf.scope
            around = scope.aad
        step = leaf.step
        aad = around if type(step) is int else f"{around}{step}:"  # as `Leaf.aad`
        try:
            leaf.data = decrypt(
                decode(nonce), decode(ciphertext) + decode(tag), aad.encode("utf-8", "surrogateescape")
            )
        except Exception as error:
            if not cipher.is_refusal(error):
                raise
            raise DecryptError(
                f"the value at {spell(leaf.path)} cannot be decrypted: it was changed or moved",
                hint="restore the value from an older version of the file",
            ) from None
        leaf.type = "str" if kind == b"str" else _type(leaf, kind.decode())
        leaf.sealed = data.decode().rstrip()  # the line break of a block scalar is not part of it


def _type(leaf: Leaf, type: str) -> str:
    """Return the type that a ciphertext states.  Raises DecryptError if the value has another."""
    if type not in _TYPES:
        raise DecryptError(f"the value at {spell(leaf.path)} has an unknown type")
    if not _is_of(leaf, type):
        # sops does not authenticate the type, and another type would give another spelling.
        raise DecryptError(
            f"the value at {spell(leaf.path)} does not have the type it is marked with ({type})"
        )
    return type


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


def _is_of(leaf: Leaf, type: str) -> bool:
    """Whether decrypted bytes have a form that sops reads for a type.  Only list items can be comments.

    An integer gets the form that sops writes.
    """
    if type == "comment":
        return isinstance(leaf.step, int)
    data = leaf.data or b""
    if type == "bool":
        return data in _BOOLS
    if type == "int":
        digits = data[1:] if data[:1] in (b"-", b"+") else data
        if digits[:1] == b"0" or data[:1] == b"+":  # another program wrote it; to YAML, 010 would be octal
            digits = digits.lstrip(b"0") or b"0"
            leaf.data = digits if data[:1] != b"-" or digits == b"0" else b"-" + digits
        return digits.isdigit() and len(digits) < 20
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
