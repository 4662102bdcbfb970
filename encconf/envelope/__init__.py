"""The data key, and the key groups that wrap it: their entries, and how many groups open the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encconf import keys
from encconf.keys import MasterKey
from encconf.record import Record

DATA_KEY_SIZE = 32
"""The size of a data key for AES-256, in bytes."""


class WrappedKey(Record):
    """A master key and the data key that it wrapped.

    ``enc`` is the ciphertext as text.  ``created_at`` is an RFC 3339 date, or None if the type has none.
    ``entry`` is the metadata's entry with unknown members, or {} for a new one.  ``spoiled`` is whether a
    sops before 3.3.0 wrapped the data key, perhaps with another encryption context than the entry names.
    The data key is then wrapped again the next time the recipients of the file change.
    """

    key: MasterKey
    enc: str
    created_at: str | None = None
    entry: Mapping[str, object] = {}
    spoiled: bool = False

    @classmethod
    def from_entry(cls, type: str, entry: Mapping[str, object]) -> WrappedKey:
        """Read an entry of the metadata's list ``type``.  Raises MetadataError."""
        created_at = keys.member(entry, "created_at") or None
        return cls(keys.from_entry(type, entry), keys.member(entry, "enc"), created_at, entry)

    def part(self, size: int) -> tuple[str, str, str, int]:
        """Return what identifies its data key or share.  A data key and a share differ in ``size``."""
        return self.key.TYPE, self.key.name, self.enc, size

    def to_entry(self) -> dict[str, object]:
        """Return the members to write: the existing ones in their order, then new ones."""
        entry = {**self.entry, **self.key.to_entry()}
        if self.created_at is not None:
            entry["created_at"] = self.created_at
        entry["enc"] = self.enc
        return entry


def quorum(threshold: int | None, groups: Sequence[object]) -> int:
    """Return how many of these key groups are needed to open a file: the threshold, or by default all.

    Of several groups, at least 2 are needed, since one share of a key is useless.
    """
    return max(threshold or len(groups), 2) if len(groups) > 1 else 1


def only_in(these: Sequence[Sequence[MasterKey]], those: Sequence[Sequence[MasterKey]]) -> list[MasterKey]:
    """Return the keys in these groups that are in none of those groups."""
    known = {key for group in those for key in group}
    return list(dict.fromkeys(key for group in these for key in group if key not in known))


def are_spoiled(held: Sequence[Sequence[WrappedKey]]) -> bool:
    """Whether the data key is to be wrapped again when the recipients change (see `WrappedKey`)."""
    return any(wrapped.spoiled for group in held for wrapped in group)


def removes_access(
    held: Sequence[Sequence[WrappedKey]],
    held_threshold: int,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
) -> bool:
    """Whether someone who can get the data key now must lose access.

    ``held`` and ``held_threshold`` are those of the file, the others are those that it will get.
    That is so if a key was removed or is in another group, or if more groups are needed than before: the
    old shares are in the history, and still fit together.
    """
    if len(held) != len(groups):
        return True
    if quorum(threshold, groups) > quorum(held_threshold, held):
        return True
    pairs = zip(held, groups, strict=True)
    return any({wrapped.key for wrapped in before} - set(after) for before, after in pairs)
