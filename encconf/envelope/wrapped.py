"""A master key of a file, and the data key that it wrapped."""

from __future__ import annotations

from collections.abc import Mapping

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
    The data key is then wrapped again the next time the file is written.
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
