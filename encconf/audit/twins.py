"""Plaintext copies of encrypted files: their likely names, and how similar two files are."""

from __future__ import annotations

import os
import re

from encconf import formats
from encconf.engine.cipher import PREFIX
from encconf.errors import EncconfError
from encconf.formats import sniff
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.sealed import Sealed

_MARKED = r"(?i)(?:\A|[._-])(?:enc|sops|encrypted)(?=[._-]|\Z)"
_PLAIN_WORDS = ("dec", "decrypted", "plain", "clear")


def plain_names(name: str) -> list[str]:
    """What the plain text of an encrypted file may be called: ``secrets.yaml`` of ``secrets.enc.yaml``."""
    folder, base = os.path.split(name)
    found: list[str] = []
    if marked := re.search(_MARKED, base):
        rest = base[: marked.start()] + base[marked.end() :]
        found.append(rest if marked.start() else rest[1:])  # "enc.x.yaml", but ".enc.env" is ".env"
        if base.startswith("."):
            found.append(rest)
    stem, dot, suffix = base.rpartition(".")
    for word in _PLAIN_WORDS:
        found.append(f"{base}.{word}")
        if stem:
            found += [f"{each}.{word}{dot}{suffix}" for each in (stem, re.sub(_MARKED, "", stem)) if each]
    return [os.path.join(folder, each) for each in dict.fromkeys(found) if each and each != base]


def compare(sealed: Sealed, data: bytes) -> tuple[int, int]:
    """How many encrypted values a file has in plaintext, and how many of these with the same length."""
    format = sealed.document.format
    if sniff.find(data) is not None:
        return 0, 0  # it is encrypted, too
    if format == "binary":
        size = next(iter(sealed.lengths.values()))
        return int(bool(data)), int(len(data) == size)
    try:
        document = formats.module(format).scan(fileio.decode(data))
    except EncconfError:
        return 0, 0
    if document.block is not None:
        return 0, 0
    shared = same = 0
    prefix = PREFIX.encode()
    for leaf in document.leaves:
        size = sealed.lengths.get(leaf.path, -1)
        if size >= 0 and leaf.data and not leaf.data.startswith(prefix):
            shared += 1
            same += len(leaf.data) == size
    return shared, same
