"""The ``sops`` block as data: who can open the file, which values are encrypted, and its MAC.

Names and meaning are those of sops 3.13.3 (stores/stores.go); older spellings differ in order only.
Members that encconf does not know, and keys of types it does not know, are kept as they are.  What
is read here is not trusted: nothing is authenticated before the data key is there.
"""

from __future__ import annotations

from encconf import formats, keys
from encconf.envelope.wrapped import WrappedKey
from encconf.errors import MetadataError, NotEncryptedError
from encconf.rules.selection import DEFAULT, EVERYTHING, Selection
from encconf.text.document import LAYOUT as LAYOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from encconf.text.document import Document

SOPS_VERSION = "3.13.3"
"""What encconf writes as ``version``: the release of sops whose format it writes."""
LAYOUT_AAD = b"encconf layout 1"
"""Additional data of the layout record's ciphertext; a value's always ends with a colon."""
CONFLICT = "encconf_conflict"
"""The member that holds, encrypted, what a merge could not decide (see `encconf.git.merge`)."""
PARENTS = "encconf_merge"
"""The member that says which versions were merged without a key, so that there is no MAC yet."""

UNMERGED = (CONFLICT, PARENTS)
"""What goes when somebody who holds the key has written the file again."""

_OWN = frozenset({"key_groups", "shamir_threshold", "lastmodified", "mac", "version", LAYOUT})
_MAX_GROUPS = 255
MAX_KEYS = 1000
"""How many master keys a file may have."""
MAX_WRAPPED = 512 << 10
"""How long all wrapped data keys of a file may be together, in characters (512 KiB)."""


class Metadata:
    """What the ``sops`` block says.

    ``groups`` are the key groups, one for a file without Shamir; ``threshold`` how many of them are
    needed (0 when the file doesn't say); ``lastmodified`` RFC 3339 as written; ``mac`` and
    ``layout`` are ``ENC[…]`` texts; ``unknown`` every other member, verbatim.
    """

    def __init__(
        self,
        groups: list[list[WrappedKey]],
        threshold: int,
        selection: Selection,
        lastmodified: str,
        mac: str | None = None,
        layout: str | None = None,
        version: str = SOPS_VERSION,
        unknown: Mapping[str, object] | None = None,
    ) -> None:
        self.groups = groups
        self.threshold = threshold
        self.selection = selection
        self.lastmodified = lastmodified
        self.mac = mac
        self.layout = layout
        self.version = version
        self.unknown = dict(unknown or {})

    def replace(self, **changes: Any) -> Metadata:
        """This block with other values for the named fields."""
        return type(self)(**{**vars(self), **changes})

    def renewed(self, **changes: Any) -> Metadata:
        """The same, for values that are encrypted again: without a MAC, a layout and the marks of a merge."""
        unknown = {name: value for name, value in self.unknown.items() if name not in UNMERGED}
        stale = {"lastmodified": "", "mac": None, "layout": None, "version": SOPS_VERSION, "unknown": unknown}
        return self.replace(**{**stale, **changes})

    @property
    def unmerged(self) -> str | None:
        """Why a merge of this file is not finished, None if it is; the file could say so without cause."""
        if CONFLICT in self.unknown:
            return "both sides of a merge changed the same value, and the conflict is not resolved yet"
        if PARENTS in self.unknown:
            return "the file was merged without a key, so it has no MAC yet"
        return None

    @classmethod
    def of(cls, document: Document) -> Metadata:
        """Read a document's block.

        Raises NotEncryptedError if it has none, MetadataError if the block is malformed.
        """
        block = document.block
        if block is None:
            if any(part.block for part in document.parts[:1]):
                raise MetadataError("the sops entry is not a mapping", hint="is this file encrypted?")
            raise NotEncryptedError
        version = _text(block, "version") or ""
        # To rops, which writes no version, no rule means that everything is encrypted.
        selection = Selection.from_entries(block, DEFAULT if version else EVERYTHING)
        names = selection.NAMES
        unknown: dict[str, object] = {}
        flat: dict[str, object] = {}
        for name, value in block.items():
            if name != "key_groups" and (name in keys.TABLE or _is_key_list(value)):
                flat[name] = value
            elif name not in _OWN and name not in names:
                unknown[name] = value
        group = _group(flat, "sops")
        groups = [group] if group else _groups(block.get("key_groups"))
        _limit(groups)
        threshold = block.get("shamir_threshold") or 0
        if isinstance(threshold, str) and threshold.isdecimal() and len(threshold) < 4:
            threshold = int(threshold)
        if not isinstance(threshold, int) or isinstance(threshold, bool) or not 0 <= threshold <= _MAX_GROUPS:
            raise MetadataError("shamir_threshold is not a number of key groups")
        if _before_3_3(version):
            for wrapped in (wrapped for group in groups for wrapped in group):
                wrapped.spoiled = _has_values(wrapped.entry.get("context"))
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
        """The block's members, sorted by name as sops writes them since 3.13.0."""
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


def metadata_of(text: str, format: str) -> Metadata:
    """The metadata of an encrypted text.  Raises NotEncryptedError, ParseError, MetadataError."""
    return Metadata.of(formats.scan_encrypted(text, formats.module(format)))


def _before_3_3(version: str) -> bool:
    """Whether a sops wrote it that mixed up the values of AWS's encryption contexts."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal() and len(version) < 20):
        return False
    return (int(major), int(minor)) < (3, 3)


def _has_values(context: object) -> bool:
    """Whether an entry's context has several values that could be mixed up."""
    return isinstance(context, dict) and len({str(value) for value in context.values()}) > 1


def _text(block: Mapping[str, object], name: str) -> str | None:
    value = block.get(name)
    if value is None:
        return None
    if not isinstance(value, (str, int, float)):
        raise MetadataError(f"{name} in the sops block is not a string")
    return str(value)


def _is_key_list(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, dict) and "enc" in item for item in value)


def _group(members: Mapping[str, object], where: str) -> list[WrappedKey]:
    group: list[WrappedKey] = []
    ordered = [name for name in keys.TABLE if name in members]
    for name in [*ordered, *(name for name in members if name not in keys.TABLE)]:
        entries = members[name]
        if entries is None or entries == "":
            continue
        if not isinstance(entries, list):
            raise MetadataError(f"{name} in {where} is not a list of keys")
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise MetadataError(f"{where}.{name}[{number}] is not a mapping")
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


def _limit(groups: list[list[WrappedKey]]) -> None:
    """Raise MetadataError for more keys than anyone has: each of them may be tried."""
    if sum(map(len, groups)) > MAX_KEYS:
        raise MetadataError(f"the sops block has more than {MAX_KEYS} master keys")
    if sum(len(wrapped.enc) for group in groups for wrapped in group) > MAX_WRAPPED:
        raise MetadataError(f"the wrapped keys in the sops block are longer than {MAX_WRAPPED >> 10} KiB")


def _entries(group: list[WrappedKey]) -> dict[str, object]:
    lists: dict[str, list[object]] = {}
    for wrapped in group:
        lists.setdefault(wrapped.key.TYPE, []).append(dict(sorted(wrapped.to_entry().items())))
    return dict(sorted(lists.items()))
