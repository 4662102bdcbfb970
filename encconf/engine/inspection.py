"""What an encrypted text shows without a key."""

from __future__ import annotations

from encconf import formats
from encconf.engine.cipher import split
from encconf.engine.metadata import Metadata
from encconf.engine.opening import bounded
from encconf.text.document import Document, Leaf
from encconf.text.path import Path


class InspectedLeaf:
    """One value of an encrypted text, as it looks without a key.

    ``path`` holds the keys and indexes that lead to it.  ``encrypted`` says whether the file's selection
    encrypts it.  ``type`` is str, int, float, bool, bytes, time or null.
    """

    __slots__ = ("encrypted", "path", "type")

    def __init__(self, path: Path, encrypted: bool, type: str) -> None:
        self.path = path
        self.encrypted = encrypted
        self.type = type

    def __repr__(self) -> str:
        return f"InspectedLeaf({self.path!r}, encrypted={self.encrypted}, type={self.type!r})"


class Inspection:
    """What an encrypted text shows without a key.  None of it is authenticated.

    ``leaves`` are its values in order; ``encrypted`` and ``plain`` count them.  ``groups`` are its key
    groups, as pairs of type and name, and ``threshold`` is how many of them are needed (0: there is one).
    ``version`` and ``lastmodified`` are strings as the file has them.

    >>> found = inspect(text)  # doctest: +SKIP
    >>> [leaf.path for leaf in found.leaves if not leaf.encrypted]  # doctest: +SKIP
    [('region',)]
    """

    def __init__(self, document: Document, metadata: Metadata, chosen: bytearray) -> None:
        self.format = document.format
        self.version = metadata.version
        self.lastmodified = metadata.lastmodified
        self.threshold = metadata.threshold
        self.selection = metadata.selection
        self.groups = [
            [(wrapped.key.TYPE, wrapped.key.name) for wrapped in group] for group in metadata.groups
        ]
        self.leaves = [
            InspectedLeaf(leaf.path, bool(is_chosen and leaf.data), _type_of(leaf))
            for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        ]
        self.encrypted = sum(leaf.encrypted for leaf in self.leaves)
        self.plain = len(self.leaves) - self.encrypted


def _type_of(leaf: Leaf) -> str:
    """The type of a value.  A ciphertext names its type, too."""
    parts = split(leaf.data or b"")
    return parts[2] if parts is not None else leaf.type


@bounded
def inspect(text: str, format: str) -> Inspection:
    """See `encconf.inspect`."""
    document = formats.get(format).scan(text, comments=True)
    metadata = Metadata.of(document)
    return Inspection(document, metadata, metadata.selection.choose(document).leaves)
