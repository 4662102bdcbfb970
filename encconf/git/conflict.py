"""Keep an unresolved conflict inside the encrypted file.

The file has our values.  The block's member ``encconf_conflict`` has the other versions, encrypted and bound
to the MAC.  The MAC is encrypted for a file with a conflict, so neither encconf nor sops opens the file
before you resolve the conflict in ``encconf edit``, which shows both sides.
"""

from __future__ import annotations

import json
import zlib

from encconf.engine import cipher, opening, plaintext
from encconf.engine.cipher import split, unlock
from encconf.engine.mac import seal_mac
from encconf.engine.metadata import CONFLICT, with_block
from encconf.errors import KeyAccessError, MacMismatchError, ParseError, UndecidedError
from encconf.merge import Merged
from encconf.record import Record
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Notify

    Labels = tuple[str, str, str]

_PLACE = "encconf conflict 1"  # additional data of the conflict's ciphertext, followed by the file's MAC
# Additional data of the file's MAC, with its date.  A file cannot claim it as a date: it is not UTF-8.
_PURPOSE = b"\xffencconf conflict 2 %b"
_FIRST_PURPOSE = b"%b encconf conflict 1"  # that of earlier versions of encconf, which is no date, either
_MAX_SIZE = 64 << 20


class Conflict(Record):
    """An encrypted file with a conflict.  ``opened`` has our values, and ``merged`` has both sides."""

    opened: opening.Opened
    merged: Merged
    labels: Labels


def with_conflict(text: str, merged: Merged, labels: Labels, format: str, credentials: Credentials) -> str:
    """Add the other versions to an encrypted text with our values, and bind its MAC to them."""
    try:
        opened = opening.open_text(text, format=format, credentials=credentials)
    except KeyAccessError:
        raise UndecidedError(
            f"both sides changed {listed(merged.conflicts, 5)}, and you can no longer open the file",
            hint="ask somebody who can open it to merge",
        ) from None
    document, data_key = opened.document, opened.data_key
    settings = opened.metadata.selection.to_entries()
    date = opened.metadata.lastmodified
    leaves, strict = opened.chosen.leaves, opened.strict
    mac = seal_mac(document, opened.values, leaves, settings, data_key, date, _PURPOSE, strict=strict)

    record = {
        "base": merged.base,
        "theirs": merged.theirs,
        "paths": merged.conflicts,
        "labels": labels,
        "whole": merged.whole,
    }
    packed = zlib.compress(json.dumps(record).encode(), 9)
    enc = cipher.Encryptor(data_key)("bytes", packed, f"{_PLACE} {mac}".encode())
    unknown = {**opened.metadata.unknown, CONFLICT: enc}
    return with_block(document, opened.metadata.replace(mac=mac, unknown=unknown))


def open_conflict(
    text: str, *, format: str, credentials: Credentials | None = None, notify: Notify | None = None
) -> Conflict:
    """Open a file that claims to hold a conflict.

    Raises MacMismatchError if the file or its conflict was changed without the key.
    """
    opened = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True, notify=notify)
    metadata = opened.metadata
    try:
        strict = opened.check_mac(_PURPOSE)
    except MacMismatchError:
        strict = opened.check_mac(_FIRST_PURPOSE)
    opened = opened.replace(strict=strict)
    parts = split(str(metadata.unknown.get(CONFLICT)))
    place = f"{_PLACE} {metadata.mac}".encode()  # the MAC fits, so it is ASCII
    packed = unlock(opened.data_key, parts[0], parts[1], place) if parts is not None else None
    if packed is None:
        raise MacMismatchError(
            "the file's conflict was changed without its key",
            hint="restore both sides with: git checkout --merge FILE",
        )

    try:
        record = json.loads(zlib.decompressobj().decompress(packed, _MAX_SIZE))
        base, theirs = _strings([record["base"], record["theirs"]])
        paths = _strings(record["paths"])
        mine, old, yours = _strings(record["labels"])
        whole = bool(record["whole"])
    except (ValueError, KeyError, TypeError, zlib.error):  # whoever has the key may have written anything
        raise ParseError(
            "the file's conflict cannot be read", hint="restore both sides with: git checkout --merge FILE"
        ) from None
    merged = Merged(plaintext.plain_text(opened), base, theirs, paths, whole=whole)
    return Conflict(opened, merged, (mine, old, yours))


def _strings(values: list[object]) -> list[str]:
    """Return a list, whose items must be strings.  Raises ValueError."""
    found = [each for each in values if isinstance(each, str)]
    if len(found) < len(values):
        raise ValueError
    return found
