"""Encrypt and decrypt the leaves of one document, and make and check its MAC.

sops's MAC (sops 3.13.2, sops.go) is an unkeyed SHA-512 over the values alone, one after the other,
stored encrypted.  It does not cover the keys of unencrypted values, types, nulls, empty values, or where
one value ends.  encconf adds a check that covers them, in a place that sops ignores: the nonce of the
encrypted MAC, which GCM authenticates, is

    "ENCCONF2" || D || HMAC-SHA256(K, D || structure)[:16]   with D = HMAC-SHA256(K, lastmodified)[:8]

with K = HMAC-SHA256(data key, "encconf strict v2") and `structure` a SHA-256 over the rule that
says what is encrypted, what it chose, and the tree's shape, types and values.  Nobody can make, alter
or remove it without the data key.  A program that rewrites the file gives it a random nonce (sops), or
keeps the nonce and writes another date, to which D does not belong (rops): such a file is read by
sops's rules.  The nonce is a function of all that the MAC says, so that no two MACs share one.
Older files have "ENCCONF1", a random salt in the place of D, and the date under the second HMAC.
Neither check covers comments or recipients.
"""

from __future__ import annotations

import os
import re
import struct
import sys

from encconf.engine import cipher
from encconf.engine.sha2 import compare_digest, hmac_sha256, sha256, sha512
from encconf.errors import DecryptError, MacMismatchError, MacMissingError, PlainValueError
from encconf.text.document import aads
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from hashlib import _Hash as Hash

    from encconf.text.document import Document, Leaf, Scope

    Settings = Mapping[str, str | bool]

_MARK, _STRICT_LABEL = b"ENCCONF2", b"encconf strict v2"
_OLD_MARK, _OLD_STRICT_LABEL = b"ENCCONF1", b"encconf strict v1"
ORDINARY = b"%b"
"""The additional data of the MAC of an ordinary file: only its date."""
# Only what sops and rops write is a date here: a MAC with other additional data was made for another purpose.
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})"
_DIGITS = str.maketrans("123456789", "000000000")
_PREFIX = cipher.PREFIX.encode()
# sops starts the hash with the SHA-256 of "sops" if the MAC covers only encrypted values.
_ONLY_ENCRYPTED = sha256(b"sops").digest()
_TYPES = {name.encode(): name for name in ("str", "int", "float", "bool", "time", "comment")}
_TYPE_CODES = {"str": 1, "int": 2, "float": 3, "bool": 4, "time": 5, "null": 6, "comment": 7}


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
    for leaf, is_chosen, aad in zip(document.leaves, chosen, aads(document.leaves), strict=True):
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
        try:
            leaf.data = decrypt(decode(nonce), decode(ciphertext) + decode(tag), aad)
        except Exception as error:
            if not cipher.is_refusal(error):
                raise
            raise DecryptError(
                f"the value at {spell(leaf.path)} cannot be decrypted: it was changed or moved",
                hint="restore the value from an older version of the file",
            ) from None
        type = _TYPES.get(kind)
        if type is None:
            raise DecryptError(f"the value at {spell(leaf.path)} has an unknown type")
        if type != "str" and not _is_of(leaf, type):
            # sops does not authenticate the type, and another type would give another spelling.
            raise DecryptError(
                f"the value at {spell(leaf.path)} does not have the type it is marked with ({type})"
            )
        leaf.sealed = data.decode().rstrip()  # the line break of a block scalar is not part of it
        leaf.type = type


# Compiled when first used.
_FORMS = {
    # Go writes infinity as +Inf, Rust as inf.
    "float": rb"[-+]?[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][-+]?[0-9]{1,4})?\Z|(?:[-+]?[iI]nf|[nN]a[nN])\Z",
    "time": (
        rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
        rb"(?:Z|[-+]([0-9]{2}):([0-9]{2}))\Z"
    ),
}
_BOOLS = frozenset(b"true True TRUE false False FALSE t T f F 0 1".split())
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _is_of(leaf: Leaf, type: str) -> bool:
    """Whether decrypted bytes have the form that sops writes for a type.  Only list items can be comments."""
    if type == "comment":
        return isinstance(leaf.step, int)
    data = leaf.data or b""
    if type == "bool":
        return data in _BOOLS
    if type == "int":
        digits = data.removeprefix(b"-")
        return digits.isdigit() and len(digits) < 20 and (digits[:1] != b"0" or digits == b"0")
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


def _counted(document: Document, chosen: bytearray, only_encrypted: bool) -> Iterable[Leaf]:
    if only_encrypted:
        return [leaf for leaf, is_chosen in zip(document.leaves, chosen, strict=True) if is_chosen]
    return document.leaves


def digest(document: Document, chosen: bytearray, only_encrypted: bool) -> str:
    """The hash that sops stores as the MAC: SHA-512 over the leaves' bytes, in upper-case hexadecimal."""
    found = sha512(_ONLY_ENCRYPTED if only_encrypted else b"")
    leaves = _counted(document, chosen, only_encrypted)
    _feed(found, [leaf.data for leaf in leaves if leaf.data and leaf.type != "comment"])
    return found.hexdigest().upper()


def _feed(found: Hash, values: Sequence[bytes]) -> None:
    """Hash values one after the other, in batches: fast, and without a copy of all of them."""
    for at in range(0, len(values), 64):
        found.update(b"".join(values[at : at + 64]))


def _structure(document: Document, chosen: bytearray, settings: Settings) -> bytes:
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    leaves = list(_counted(document, chosen, only_encrypted))
    # With only_encrypted, plaintext values may be added and removed: only places of encrypted ones count.
    shape = _places(leaves) if only_encrypted else document.shape
    values = [leaf.data or b"" for leaf in leaves]
    rule = [f"{name}={value}" for name, value in sorted(settings.items())]
    found = sha256(b"%d %d %d;" % (len(rule), len(shape), len(leaves)))
    found.update(_lengths(rule))
    found.update("".join(rule).encode())
    if not only_encrypted:
        found.update(chosen)
    found.update(_lengths(shape))
    found.update("".join(shape).encode())
    found.update(bytes(map(_TYPE_CODES.__getitem__, [leaf.type for leaf in leaves])))
    found.update(_lengths(values))
    _feed(found, values)
    return found.digest()


def _places(leaves: list[Leaf]) -> list[str]:
    """The places of leaves, as tokens.  Collections are numbered in order; list items are not."""
    numbers: dict[int, int] = {}
    tokens: list[str] = []
    for leaf in leaves:
        new: list[Scope] = []
        scope: Scope | None = leaf.scope
        while scope is not None and id(scope) not in numbers:
            new.append(scope)
            scope = scope.parent
        for scope in reversed(new):
            numbers[id(scope)] = len(numbers)
            above = numbers[id(scope.parent)] if scope.parent is not None else "-"
            sign = "{" if isinstance(scope.node, dict) else "["
            tokens.append(f"{sign}{above}{f'.{scope.step}' if isinstance(scope.step, str) else ''}")
        step = f".{leaf.step}" if isinstance(leaf.step, str) else "-"
        tokens.append(f"{numbers[id(leaf.scope)]}{step}")
    return tokens


def _lengths(items: Sequence[str] | Sequence[bytes]) -> bytes:
    """The lengths of items as 4-byte little-endian numbers.  They fix where each item ends."""
    return struct.pack(f"<{len(items)}I", *map(len, items))


def _nonce(data_key: bytes, date: bytes, structure: bytes) -> bytes:
    """The nonce of a MAC for a date and a structure."""
    key = hmac_sha256(data_key, _STRICT_LABEL)
    made_at = hmac_sha256(key, date)[:8]
    return _MARK + made_at + hmac_sha256(key, made_at + structure)[:16]


def _nonce_before(data_key: bytes, salt: bytes, date: bytes, structure: bytes) -> bytes:
    """The nonce that the first versions of encconf wrote."""
    key = hmac_sha256(data_key, _OLD_STRICT_LABEL)
    return _OLD_MARK + salt + hmac_sha256(key, salt + date + structure)[:16]


def seal_mac(
    document: Document,
    chosen: bytearray,
    settings: Settings,
    data_key: bytes,
    lastmodified: str,
    purpose: bytes = ORDINARY,
) -> str:
    """Return the ``ENC[…]`` text of the document's MAC, with the strict check in its nonce.

    ``settings`` are the members of the ``sops`` block that say what is encrypted.  ``purpose`` is the
    additional data of the MAC, with ``%b`` in place of the date.  With any purpose other than `ORDINARY`,
    the MAC fits no ordinary file.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    date = purpose % lastmodified.encode()
    nonce = _nonce(data_key, date, _structure(document, chosen, settings))
    value = digest(document, chosen, only_encrypted).encode()
    return Encryptor(data_key)("str", value, date, nonce)


def _is_date(text: str) -> bool:
    # Most dates have this form, and checking it needs no compiled pattern.
    return text.translate(_DIGITS) == "0000-00-00T00:00:00Z" or re.fullmatch(_DATE, text) is not None


def check_mac(
    document: Document,
    chosen: bytearray,
    settings: Settings,
    data_key: bytes,
    lastmodified: str,
    mac: str | None,
    purpose: bytes = ORDINARY,
) -> None:
    """Check a decrypted document against its stored MAC.  ``purpose`` is as for `seal_mac`.

    Raises MacMissingError or MacMismatchError.  Neither shows the MAC, which is a hash of the plaintexts.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    hint = "compare the file with an older version, or open it with: encconf decrypt --ignore-mac FILE"
    if not mac:
        raise MacMissingError(
            "the file has no MAC, so encconf cannot verify that it was not changed", hint=hint
        )
    if not _is_date(lastmodified):
        raise MacMismatchError("lastmodified is not a date, so the file's MAC does not count", hint=hint)
    date = purpose % lastmodified.encode()
    parts = cipher.split(mac.encode())
    stored = cipher.unlock(data_key, parts[0], parts[1], date) if parts else None
    if stored is None or parts is None:
        what = "the file's MAC cannot be decrypted: it or lastmodified was changed"
        raise MacMismatchError(what, hint=hint)
    if not compare_digest(stored, digest(document, chosen, only_encrypted).encode()):
        raise MacMismatchError("MAC mismatch: a value was changed, added, moved or removed", hint=hint)
    nonce = parts[1]
    if nonce[:8] not in (_MARK, _OLD_MARK):
        return  # another program's
    structure = _structure(document, chosen, settings)
    if nonce[:8] == _OLD_MARK:
        wanted = _nonce_before(data_key, nonce[8:16], date, structure)
    else:
        wanted = _nonce(data_key, date, structure)
        if not compare_digest(nonce[8:16], wanted[8:16]):
            return  # another program that holds the data key has written another date
    if not compare_digest(nonce, wanted):
        raise MacMismatchError("MAC mismatch: a key, a type or the structure was changed", hint=hint)
