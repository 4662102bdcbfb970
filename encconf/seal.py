"""One document and its MAC: every chosen leaf under the data key, and the checks on the whole.

sops's MAC (sops 3.13.2, sops.go) is an unkeyed SHA-512 over the values alone, one after the other,
stored encrypted.  It does not see keys of unencrypted values, types, nulls, empty values or where
one value ends.  encconf adds a check that does, where sops looks for none: the nonce of the
encrypted MAC, which GCM authenticates, is

    "ENCCONF1" || salt (8 bytes) || HMAC-SHA256(K, salt || lastmodified || structure)[:16]

with K = HMAC-SHA256(data key, "encconf strict v1") and `structure` a SHA-256 over the rule that
says what is encrypted, what it chose, and the tree's shape, types and values.  Nobody can make, alter
or remove it without the data key.  A file that sops rewrites gets a random nonce and is read by
sops's rules.  Not seen by either: comments, and the recipients.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sys
from array import array

from encconf import cipher
from encconf.errors import DecryptError, MacMismatchError, MacMissingError, PlainValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from encconf.document import Document, Leaf, Scope

    Settings = Mapping[str, str | bool]

_MARK = b"ENCCONF1"
_PREFIX = cipher.PREFIX.encode()
_STRICT_LABEL = b"encconf strict v1"
# sops starts the hash so when only encrypted values count: SHA-256 of "sops".
_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_TYPES = {name.encode(): name for name in ("str", "int", "float", "bool", "time", "comment")}
_TYPE_CODES = {"str": 1, "int": 2, "float": 3, "bool": 4, "time": 5, "null": 6, "comment": 7}


def path_text(path: Sequence[str | int]) -> str:
    """A path in sops's spelling, ``["a"][0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in path)


class Encryptor:
    """Encrypts values under one data key."""

    __slots__ = ("_gcm", "_nonces")

    def __init__(self, data_key: bytes) -> None:
        self._gcm = cipher.aes_gcm(data_key)
        self._nonces = _nonces()

    def __call__(self, type: str, data: bytes, aad: bytes, nonce: bytes | None = None) -> str:
        """The ``ENC[…]`` text of a value; a fresh nonce unless one is given."""
        nonce = nonce or next(self._nonces)
        return cipher.encode(self._gcm.encrypt(nonce, data, aad), nonce, type)


def _nonces() -> Iterator[bytes]:
    size = cipher.NONCE_SIZE
    while True:  # one system call for many nonces
        pool = os.urandom(size * 256)
        for at in range(0, len(pool), size):
            yield pool[at : at + size]


def unseal(document: Document, chosen: bytearray, data_key: bytes, *, accept_plain: bool = False) -> None:
    """Decrypt every chosen leaf in place: ``type`` and ``data`` become the plaintext's.

    With ``accept_plain`` a value that somebody wrote in plaintext stays as it is.

    Raises PlainValueError naming the path of such a value, DecryptError for one that doesn't fit its place.
    """
    # This loop is most of the time that opening a large file takes, hence no calls of ours in it.
    decrypt = cipher.aes_gcm(data_key).decrypt
    match = cipher.ENC.match
    decode = cipher.b64decode
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        data = leaf.data
        if not is_chosen or not data:
            continue  # null and the empty string are never encrypted
        parts = match(data) if leaf.type == "str" else None
        if parts is None:
            if data.startswith(_PREFIX):
                raise DecryptError(
                    f"the ciphertext at {path_text(leaf.path)} is cut off or damaged",
                    hint="take the value from an older version of the file that can be opened",
                )
            if accept_plain:
                continue
            raise PlainValueError(
                f"the value at {path_text(leaf.path)} is not encrypted, though the file's rule says so",
                hint="encconf edit FILE opens the file and encrypts the value when you save",
            )
        ciphertext, nonce, tag, kind = parts.groups()
        try:
            leaf.data = decrypt(decode(nonce), decode(ciphertext) + decode(tag), leaf.aad)
        except Exception as error:
            if not cipher.is_refusal(error):
                raise
            raise DecryptError(
                f"the value at {path_text(leaf.path)} cannot be decrypted: it was changed or moved",
                hint="take the value from an older version of the file that can be opened",
            ) from None
        type = _TYPES.get(kind)
        if type is None:
            raise DecryptError(f"the value at {path_text(leaf.path)} has an unknown type")
        if type != "str" and not _is_of(leaf, type):
            # The type is not authenticated by sops: with another one a value would be spelled otherwise.
            raise DecryptError(
                f"the value at {path_text(leaf.path)} is not of the type it says it is ({type})"
            )
        leaf.sealed = data.decode().rstrip()  # the line break of a block scalar is not part of it
        leaf.type = type


_FORMS = {
    "int": re.compile(rb"-?(?:0|[1-9][0-9]{0,18})\Z"),
    "float": re.compile(rb"[-+]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][-+]?[0-9]{1,4})?|[iI]nf)\Z|NaN\Z"),
    "bool": re.compile(rb"(?:[tT]rue|TRUE|[fF]alse|FALSE|[tTfF01])\Z"),
    "time": re.compile(
        rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})\Z"
    ),
}


def _is_of(leaf: Leaf, type: str) -> bool:
    """Whether decrypted bytes are of the form that sops writes for a type; a comment only in a list."""
    if type == "comment":
        return isinstance(leaf.step, int)
    return leaf.data is not None and _FORMS[type].match(leaf.data) is not None


def _counted(document: Document, chosen: bytearray, only_encrypted: bool) -> Iterable[Leaf]:
    if only_encrypted:
        return [leaf for leaf, is_chosen in zip(document.leaves, chosen, strict=True) if is_chosen]
    return document.leaves


def digest(document: Document, chosen: bytearray, only_encrypted: bool) -> str:
    """What sops stores as the MAC: upper-case hexadecimal SHA-512 over the leaves' bytes."""
    found = hashlib.sha512(_ONLY_ENCRYPTED if only_encrypted else b"")
    leaves = _counted(document, chosen, only_encrypted)
    found.update(b"".join([leaf.data for leaf in leaves if leaf.data and leaf.type != "comment"]))
    return found.hexdigest().upper()


def _structure(document: Document, chosen: bytearray, settings: Settings) -> bytes:
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    leaves = list(_counted(document, chosen, only_encrypted))
    # With only_encrypted, plain values may come and go: the places of encrypted ones are all that counts.
    shape = _places(leaves) if only_encrypted else document.shape
    values = [leaf.data or b"" for leaf in leaves]
    rule = [f"{name}={value}" for name, value in sorted(settings.items())]
    found = hashlib.sha256(b"%d %d %d;" % (len(rule), len(shape), len(leaves)))
    found.update(_lengths(rule))
    found.update("".join(rule).encode())
    if not only_encrypted:
        found.update(chosen)
    found.update(_lengths(shape))
    found.update("".join(shape).encode())
    found.update(bytes([_TYPE_CODES[leaf.type] for leaf in leaves]))
    found.update(_lengths(values))
    found.update(b"".join(values))
    return found.digest()


def _places(leaves: list[Leaf]) -> list[str]:
    """Where leaves stand, in tokens: collections are numbered as they first come, list items are not."""
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
    """Lengths as 4-byte little-endian numbers, so that no boundary can move."""
    lengths = array("I", map(len, items))
    if sys.byteorder == "big":
        lengths.byteswap()
    return lengths.tobytes()


def _strict_tag(data_key: bytes, salt: bytes, lastmodified: str, structure: bytes) -> bytes:
    key = hmac.digest(data_key, _STRICT_LABEL, "sha256")
    return hmac.digest(key, salt + lastmodified.encode() + structure, "sha256")[:16]


def seal_mac(
    document: Document, chosen: bytearray, settings: Settings, data_key: bytes, lastmodified: str
) -> str:
    """The ``ENC[…]`` text of the document's MAC, with the strict check in its nonce.

    ``settings`` are the members of the ``sops`` block that say what is encrypted.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    salt = os.urandom(8)
    structure = _structure(document, chosen, settings)
    nonce = _MARK + salt + _strict_tag(data_key, salt, lastmodified, structure)
    value = digest(document, chosen, only_encrypted).encode()
    return Encryptor(data_key)("str", value, lastmodified.encode(), nonce)


def check_mac(
    document: Document,
    chosen: bytearray,
    settings: Settings,
    data_key: bytes,
    lastmodified: str,
    mac: str | None,
) -> None:
    """Check an unsealed document against its stored MAC.

    Raises MacMissingError or MacMismatchError; neither says what the MAC is or should be, since it
    is a hash of the plaintexts.
    """
    only_encrypted = bool(settings.get("mac_only_encrypted"))
    hint = (
        "someone changed the file without its key; compare it with an older version, "
        "or open it with: encconf decrypt --ignore-mac FILE"
    )
    if not mac:
        raise MacMissingError("the file has no MAC, so nothing shows that it is as it was written", hint=hint)
    parts = cipher.split(mac.encode())
    stored = cipher.unlock(data_key, parts[0], parts[1], lastmodified.encode()) if parts else None
    if stored is None or parts is None:
        what = "the file's MAC cannot be decrypted: it or lastmodified was changed"
        raise MacMismatchError(what, hint=hint)
    if not hmac.compare_digest(stored, digest(document, chosen, only_encrypted).encode()):
        raise MacMismatchError("MAC mismatch: a value was changed, added, moved or removed", hint=hint)
    nonce = parts[1]
    if nonce[:8] == _MARK and len(nonce) == cipher.NONCE_SIZE:
        structure = _structure(document, chosen, settings)
        if not hmac.compare_digest(nonce[16:], _strict_tag(data_key, nonce[8:16], lastmodified, structure)):
            raise MacMismatchError("MAC mismatch: a key, a type or the structure was changed", hint=hint)
