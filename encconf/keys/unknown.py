"""Entries of key types that this version cannot use: kept verbatim, so that nobody loses a key.

That is the cloud types without a module yet, and whatever a newer sops invents.
"""

from __future__ import annotations

from encconf.errors import BadKeyError, MasterKeyError
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.identities.credentials import Credentials


class UnknownKey:
    """An entry of the list ``TYPE``, of which only its looks are known."""

    DATED = False
    __slots__ = ("TYPE", "entry")

    def __init__(self, type: str, entry: Mapping[str, object]) -> None:
        self.TYPE = type
        self.entry = dict(entry)

    @property
    def name(self) -> str:
        """Its texts, less the ciphertext and the date."""
        texts = (v for k, v in self.entry.items() if isinstance(v, str) and k not in ("created_at", "enc"))
        return " ".join(text for text in texts if text)

    @property
    def label(self) -> str:
        """The same; names of cloud keys are read whole."""
        return printable(self.name) or "(no name)"

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Raises MasterKeyError."""
        raise self._unusable()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Raises MasterKeyError."""
        raise self._unusable()

    def to_entry(self) -> dict[str, object]:
        """All members that came, less ``created_at`` and ``enc``."""
        return {k: v for k, v in self.entry.items() if k not in ("created_at", "enc")}

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> UnknownKey:
        """An entry of no list; `encconf.keys.from_entry` knows which."""
        return cls("unknown", entry)

    @classmethod
    def from_config(cls, value: object) -> UnknownKey:
        """Raises BadKeyError: nothing can be encrypted for a key of an unknown type."""
        raise BadKeyError("this version of encconf does not support this type of key")

    def _unusable(self) -> MasterKeyError:
        return MasterKeyError(
            f"{printable(self.TYPE)} keys are not supported by this version of encconf",
            hint="try a newer version, or the sops that wrote the file",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnknownKey) and (self.TYPE, self.name) == (other.TYPE, other.name)

    def __hash__(self) -> int:
        return hash((self.TYPE, self.name))

    def __repr__(self) -> str:
        return f"UnknownKey({self.TYPE!r}, {self.name!r})"
