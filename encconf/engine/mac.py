"""The MAC of a document: sops's, and a stricter check in its nonce.

sops's MAC (sops 3.13.3, sops.go) is an unkeyed SHA-512 over the values alone, one after the other,
stored encrypted.  It does not cover the keys of unencrypted values, types, nulls, empty values, or where
one value ends.  encconf adds a check that covers them, in a place that sops ignores: the nonce of the
encrypted MAC, which GCM authenticates, is

    "ENCCONF2" || D || HMAC-SHA256(K, D || structure)[:16]   with D = HMAC-SHA256(K, lastmodified)[:8]

with K = HMAC-SHA256(data key, "encconf strict v2") and `structure` a SHA-256 over the rule that
says what is encrypted, what it chose, and the tree's shape, types and values.  An unencrypted ``1.0``
counts as the integer that sops makes of it when it rewrites a file and keeps the MAC, as for `updatekeys`.
Nobody can make, alter or remove the check without the data key.  A program that writes another MAC gives it
a random nonce (sops), or keeps the nonce and writes another date, to which D does not belong (rops): such a
file is read by sops's rules.  The nonce is a function of all that the MAC says, so no two MACs share one.
Older files have "ENCCONF1", a random salt in the place of D, and the date under the second HMAC.
Neither check covers comments or recipients.

The hashes are CPython's own, without OpenSSL: `hashlib` and `hmac` load all of it, which takes longer than
opening a small file.  Interpreters that lack them use `hashlib`.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from _operator import _compare_digest as compare_digest
from itertools import compress

from encconf.engine import cipher
from encconf.errors import MacMismatchError, MacMissingError
from encconf.text.words import is_usual_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from hashlib import sha256 as sha256
    from hashlib import sha512

    from encconf.text.document import Document, Leaf, Scope, Value

    Settings = Mapping[str, str | bool]
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256, sha512
        else:
            from _sha256 import sha256
            from _sha512 import sha512
    except ImportError:
        from hashlib import sha256, sha512

_MARK, _STRICT_LABEL = b"ENCCONF2", b"encconf strict v2"
_OLD_MARK, _OLD_STRICT_LABEL = b"ENCCONF1", b"encconf strict v1"
ORDINARY = b"%b"
"""The additional data of the MAC of an ordinary file: only its date."""
# Only what sops and rops write is a date here: a MAC with other additional data was made for another purpose.
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})"
# sops starts the hash with the SHA-256 of "sops" if the MAC covers only encrypted values.
_ONLY_ENCRYPTED = sha256(b"sops").digest()
_TYPE_CODES = {"str": 1, "int": 2, "float": 3, "bool": 4, "time": 5, "null": 6, "comment": 7}

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def is_date(text: str) -> bool:
    """Whether a text has the form of a date that sops reads from ``lastmodified``."""
    return is_usual_date(text) or re.fullmatch(_DATE, text) is not None


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104)."""
    padded = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner = sha256(padded.translate(_INNER) + data).digest()
    return sha256(padded.translate(_OUTER) + inner).digest()


def digest(values: Sequence[Value], chosen: bytearray, only_encrypted: bool) -> str:
    """The hash that sops stores as the MAC: SHA-512 over the values' bytes, in upper-case hexadecimal."""
    found = sha512(_ONLY_ENCRYPTED if only_encrypted else b"")
    counted = compress(values, chosen) if only_encrypted else values
    found.update(b"".join([value.data for value in counted if value.data and value.type != "comment"]))
    return found.hexdigest().upper()


def _structure(
    document: Document,
    values: Sequence[Value],
    chosen: bytearray,
    settings: Settings,
    *,
    exact: bool = False,
) -> bytes:
    """Return the hash of the rule, the shape, the types and the values.

    ``exact`` distinguishes unencrypted floats such as ``1.0`` from integers, as in files of older versions.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    counted = list(compress(values, chosen)) if only_encrypted else values
    # With only_encrypted, plaintext values may be added and removed: only places of encrypted ones count.
    shape = _places(list(compress(document.leaves, chosen))) if only_encrypted else document.outline
    datas = [value.data or b"" for value in counted]
    rule = [f"{name}={value}" for name, value in sorted(settings.items())]
    found = sha256(b"%d %d %d;" % (len(rule), len(shape), len(datas)))
    found.update(_packed(rule))
    if not only_encrypted:
        found.update(chosen)
    found.update(_packed(shape))
    types = bytearray(map(_TYPE_CODES.__getitem__, [value.type for value in counted]))
    if _TYPE_CODES["float"] in types and not exact and not only_encrypted:
        for at, value in enumerate(counted):
            if value.type == "float" and not chosen[at] and datas[at].removeprefix(b"-").isdigit():
                types[at] = _TYPE_CODES["int"]
    found.update(types)
    found.update(struct.pack(f"<{len(datas)}I", *map(len, datas)) + b"".join(datas))
    return found.digest()


def _places(leaves: Sequence[Leaf]) -> list[str]:
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
            sign = "[" if scope.listed else "{"
            tokens.append(f"{sign}{above}{f'.{scope.step}' if isinstance(scope.step, str) else ''}")
        step = f".{leaf.step}" if isinstance(leaf.step, str) else "-"
        tokens.append(f"{numbers[id(leaf.scope)]}{step}")
    return tokens


def _packed(texts: Sequence[str]) -> bytes:
    """The lengths of texts as 4-byte little-endian numbers, which fix where each ends, and then the texts.

    dotenv and INI files may have bytes that are not UTF-8.
    """
    lengths = struct.pack(f"<{len(texts)}I", *map(len, texts))
    return lengths + "".join(texts).encode("utf-8", "surrogateescape")


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
    values: Sequence[Value],
    chosen: bytearray,
    settings: Settings,
    data_key: bytes,
    lastmodified: str,
    purpose: bytes = ORDINARY,
    *,
    strict: bool = True,
) -> str:
    """Return the ``ENC[…]`` text of the MAC of a document's values, with the strict check in its nonce.

    If it must not be ``strict``, the nonce is random, as that of sops.

    ``settings`` are the members of the ``sops`` block that say what is encrypted.  ``purpose`` is the
    additional data of the MAC, with ``%b`` in place of the date.  With any purpose other than `ORDINARY`,
    the MAC fits no ordinary file.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    date = purpose % lastmodified.encode()
    structure = _structure(document, values, chosen, settings)
    nonce = _nonce(data_key, date, structure) if strict else os.urandom(cipher.NONCE_SIZE)
    value = digest(values, chosen, only_encrypted).encode()
    return cipher.encode(cipher.aes_gcm(data_key).encrypt(nonce, value, date), nonce, "str")


def check_mac(
    document: Document,
    values: Sequence[Value],
    chosen: bytearray,
    settings: Settings,
    data_key: bytes,
    lastmodified: str,
    mac: str | None,
    purpose: bytes = ORDINARY,
) -> bool:
    """Check the values of a document against its stored MAC.  ``purpose`` is as for `seal_mac`.

    Returns whether the MAC has the strict check, too: otherwise another program wrote it.  Raises
    MacMissingError or MacMismatchError.  Neither shows the MAC, which is a hash of the plaintexts.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    hint = "compare the file with an older version, or open it with: encconf decrypt --ignore-mac FILE"
    if not mac:
        raise MacMissingError(
            "the file has no MAC, so encconf cannot verify that it was not changed", hint=hint
        )
    if not is_date(lastmodified):
        raise MacMismatchError("lastmodified is not a date, so the file's MAC does not count", hint=hint)
    date = purpose % lastmodified.encode()
    parts = cipher.split(mac)
    stored = cipher.unlock(data_key, parts[0], parts[1], date) if parts else None
    if stored is None or parts is None:
        what = "the file's MAC cannot be decrypted: it or lastmodified was changed"
        raise MacMismatchError(what, hint=hint)
    if not compare_digest(stored, digest(values, chosen, only_encrypted).encode()):
        raise MacMismatchError("MAC mismatch: a value was changed, added, moved or removed", hint=hint)
    nonce = parts[1]
    if nonce[:8] not in (_MARK, _OLD_MARK):
        return False

    for exact in (False, True):
        structure = _structure(document, values, chosen, settings, exact=exact)
        if nonce[:8] == _MARK:
            wanted = _nonce(data_key, date, structure)
        else:
            wanted = _nonce_before(data_key, nonce[8:16], date, structure)
        if compare_digest(nonce, wanted):
            return True
        if not compare_digest(nonce[8:16], wanted[8:16]):
            return False  # another program that holds the data key has written another date
    raise MacMismatchError("MAC mismatch: a key, a type or the structure was changed", hint=hint)
