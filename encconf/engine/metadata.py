"""The ``sops`` block as data: who can open the file, which values are encrypted, and its MAC.

Names and meanings are those of sops 3.13.3 (stores/stores.go); older versions only order them differently.
Members and key types that encconf does not know are kept as they are.  Nothing read here is trusted:
encconf can authenticate a file only once it has the data key (`encconf.engine.opening`).
"""

from __future__ import annotations

from encconf import SOPS_VERSION, formats, keys
from encconf.engine.cipher import is_ciphertext, split
from encconf.envelope import WrappedKey, are_spoiled
from encconf.errors import EncconfError, LostBlockError, MetadataError, NotEncryptedError, bounded
from encconf.record import Record
from encconf.rules.selection import DEFAULT, EVERYTHING, Selection
from encconf.text.document import ENC_PREFIX, LAYOUT, Document, Leaf, position, splice
from encconf.text.path import Path, spell
from encconf.text.printable import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from encconf.keys import MasterKey
    from encconf.text.document import Comment, Value


LAYOUT_AAD = b"encconf layout 1"
"""Additional data of the layout record's ciphertext.  That of a value always ends with a colon."""
CONFLICT = "encconf_conflict"
"""The member that holds an unresolved conflict, encrypted (see `encconf.git.conflict`)."""
PARENTS = "encconf_merge"
"""The member that names the versions that were merged without a key.  The file then has no MAC yet."""

UNMERGED = (CONFLICT, PARENTS)
"""The members that are removed when someone who holds the key writes the file again."""

_OWN = frozenset({"key_groups", "shamir_threshold", "lastmodified", "mac", "version", LAYOUT})
_MAX_GROUPS = 255
MAX_KEYS = 1000
"""How many master keys a file may have."""
MAX_WRAPPED = 512 << 10
"""How long all wrapped data keys of a file may be together, in characters (512 KiB)."""


class Metadata(Record):
    """What the ``sops`` block says.

    ``groups`` are the key groups; a file without Shamir has one.  ``threshold`` is how many of them are
    needed (0 if the file doesn't say).  ``lastmodified`` is an RFC 3339 date, as written.  ``mac`` and
    ``layout`` are ``ENC[…]`` texts.  ``unknown`` holds every other member, verbatim.
    """

    groups: list[list[WrappedKey]]
    threshold: int
    selection: Selection
    lastmodified: str
    mac: str | None = None
    layout: str | None = None
    version: str = SOPS_VERSION
    unknown: Mapping[str, object] = {}

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse changes: the data key, the twin and the MAC of one block may not meet another one."""
        raise TypeError("a block is replaced, not changed: use replace()")

    @property
    def keys(self) -> list[list[MasterKey]]:
        """The master keys of each group."""
        return [[wrapped.key for wrapped in group] for group in self.groups]

    def renewed(self, **changes: Any) -> Metadata:
        """Return this block for re-encrypted values: without its MAC, layout record and marks of a merge.

        The version stays if it says that master keys are spoiled: only then do all programs open these.
        """
        unknown = {name: value for name, value in self.unknown.items() if name not in UNMERGED}
        stale = {"lastmodified": "", "mac": None, "layout": None, "version": SOPS_VERSION, "unknown": unknown}
        made = self.replace(**{**stale, **changes})
        return made.replace(version=self.version) if are_spoiled(made.groups) else made

    @property
    def unmerged(self) -> str | None:
        """Why a merge of this file is unfinished, or None.  This is what the file claims, unauthenticated."""
        if CONFLICT in self.unknown:
            return "a merge left a conflict in the file, which is not resolved yet"
        if PARENTS in self.unknown:
            return "the file was merged without a key, so it has no MAC yet"
        return None

    @classmethod
    def of(cls, document: Document) -> Metadata:
        """Read a document's block.

        Raises NotEncryptedError if it has none, LostBlockError if it has encrypted values nevertheless, and
        MetadataError if the block is malformed.
        """
        block = document.block
        if block is None:
            raise _without_block(document)
        version = _text(block, "version") or ""
        # rops writes no version; in its files, no selection means that everything is encrypted.
        selection = Selection.from_entries(block, DEFAULT if version else EVERYTHING)
        names = selection.NAMES
        unknown: dict[str, object] = {}
        flat: dict[str, object] = {}
        for name, value in block.items():
            is_key_list = (
                isinstance(value, list)
                and value
                and all(isinstance(item, dict) and "enc" in item for item in value)
            )
            if name != "key_groups" and (name in keys.TABLE or is_key_list):
                flat[name] = value
            elif name not in _OWN and name not in names:
                unknown[name] = value
        group = _group(flat, "sops")
        groups = [group] if group else _groups(block.get("key_groups"))
        if sum(map(len, groups)) > MAX_KEYS:  # encconf may try each of them
            raise MetadataError(f"the sops block has more than {MAX_KEYS} master keys")
        if sum(len(wrapped.enc) for group in groups for wrapped in group) > MAX_WRAPPED:
            raise MetadataError(f"the wrapped keys in the sops block are longer than {MAX_WRAPPED >> 10} KiB")
        threshold = block.get("shamir_threshold") or 0
        if isinstance(threshold, str) and threshold.isdecimal() and len(threshold) < 4:
            threshold = int(threshold)
        if not isinstance(threshold, int) or isinstance(threshold, bool) or not 0 <= threshold <= _MAX_GROUPS:
            raise MetadataError("shamir_threshold is not a number of key groups")
        _mark_spoiled(groups, version)
        return cls(
            groups,
            threshold,
            selection,
            _text(block, "lastmodified") or "",
            _text(block, "mac"),
            _text(block, LAYOUT),
            version,
            unknown,
        )

    def to_block(self) -> dict[str, object]:
        """Return the block's members, sorted by name, as sops has written them since 3.13.0."""
        block: dict[str, object] = dict(self.unknown)
        if len(self.groups) == 1:
            block.update(_entries(self.groups[0]))
        elif self.groups:
            block["key_groups"] = [_entries(group) for group in self.groups]
        if self.threshold:
            block["shamir_threshold"] = self.threshold
        block.update(self.selection.to_entries())
        block["lastmodified"] = self.lastmodified
        block["mac"] = self.mac or ""
        block["version"] = self.version or SOPS_VERSION
        if self.layout is not None:
            block[LAYOUT] = self.layout
        return dict(sorted(block.items()))


def ciphertext_in(
    document: Document, values: Sequence[Value] = (), comments: Sequence[Comment] = ()
) -> str | None:
    """Return where a text without a block has a ciphertext, or None if it is plaintext.

    A ciphertext is a whole value, or a whole comment as sops writes it.  A text that only quotes one is
    plaintext, and so is what an opened file has as one of its ``values`` or ``comments``.
    """
    if ENC_PREFIX not in document.text:
        return None
    if document.format.single_value:
        return "a value in it" if formats.has_ciphertext(document.text) else None
    known = {value.data for value in values}
    for leaf in document.leaves:
        if is_ciphertext(leaf.data) and leaf.data not in known:
            return f"the value at {spell(leaf.path)}"
    texts = {comment.text for comment in comments}
    for comment in document.comments:
        if is_ciphertext(comment.text) and comment.text not in texts:
            return f"the comment on line {position(document.text, comment.start)[0]}"
    return None


_BETWEEN = " \t\r\n\"':=|>-"
"""What may be between the name of a member and its value, in any format."""


def rewritten(block_text: str, old: Metadata, new: Metadata) -> str | None:
    """Return the text of a block with a new MAC, date and layout record, and no other change.

    Returns None if the text does not have each of the old ones exactly once after its name.
    """
    for name in ("mac", "lastmodified", "layout"):
        before, now = vars(old)[name], vars(new)[name]
        if before is None and now is None:
            continue
        pieces = block_text.split(before) if before else []
        places = [at for at, piece in enumerate(pieces[:-1], 1) if piece.rstrip(_BETWEEN).endswith(name)]
        if len(places) != 1 or now is None:
            return None
        block_text = before.join(pieces[: places[0]]) + now + before.join(pieces[places[0] :])
    return block_text


def with_block(document: Document, metadata: Metadata) -> str:
    """Return the text of a document with this metadata as its block, and no other change."""
    format = document.format
    return splice(document.text, format.attach(document, format.render_block(metadata.to_block())))


def without_block(document: Document) -> str:
    """Return the text of a document without its block, if it has one."""
    if document.block is None:
        return document.text
    return splice(document.text, document.format.detach(document))


def metadata_of(text: str, format: str) -> Metadata:
    """The metadata of an encrypted text.  Raises NotEncryptedError, ParseError, MetadataError."""
    return Metadata.of(formats.scan_encrypted(text, formats.get(format)))


def _without_block(document: Document) -> EncconfError:
    """Return the error for a document without a block, which may have had one."""
    if any(part.block for part in document.parts[:1]):
        return MetadataError("the sops entry is not a mapping", hint="is this file encrypted?")
    if ENC_PREFIX in document.text:
        document = document.format.scan(document.text, comments=True)
        if (place := ciphertext_in(document)) is not None:
            return LostBlockError(place)
    return NotEncryptedError()


def _mark_spoiled(groups: list[list[WrappedKey]], version: str) -> None:
    """Mark the keys of a block whose sops, before 3.3, mixed up the values of their encryption contexts."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal() and len(version) < 20):
        return
    if (int(major), int(minor)) < (3, 3):
        for wrapped in (wrapped for group in groups for wrapped in group):
            context = wrapped.entry.get("context")  # its values could be mixed up, if they differ
            wrapped.spoiled = isinstance(context, dict) and len(set(map(str, context.values()))) > 1


def _text(block: Mapping[str, object], name: str) -> str | None:
    value = block.get(name)
    if value is None:
        return None
    if not isinstance(value, (str, int, float)):
        raise MetadataError(f"{name} in the sops block is not a string")
    return str(value)


def _group(members: Mapping[str, object], where: str) -> list[WrappedKey]:
    group: list[WrappedKey] = []
    ordered = [name for name in keys.TABLE if name in members]
    for name in [*ordered, *(name for name in members if name not in keys.TABLE)]:
        entries = members[name]
        if entries is None or entries == "":
            continue
        if not isinstance(entries, list):
            raise MetadataError(f"{escaped(name)} in {where} is not a list of keys")
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise MetadataError(f"{where}.{escaped(name)}[{number}] is not a mapping")
            group.append(WrappedKey.from_entry(name, entry))
    return group


def _groups(value: object) -> list[list[WrappedKey]]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MAX_GROUPS:
        raise MetadataError("key_groups in the sops block is not a list of at most 255 groups")
    groups = []
    for number, members in enumerate(value):
        if not isinstance(members, dict):
            raise MetadataError(f"key_groups[{number}] in the sops block is not a mapping")
        groups.append(_group(members, f"key_groups[{number}]"))
    return groups


def _entries(group: list[WrappedKey]) -> dict[str, object]:
    lists: dict[str, list[object]] = {}
    for wrapped in group:
        lists.setdefault(wrapped.key.TYPE, []).append(dict(sorted(wrapped.to_entry().items())))
    return dict(sorted(lists.items()))


# --- what an encrypted text shows without a key ---


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
        self.format = document.format.name
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
