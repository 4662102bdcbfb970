"""Entries of key types that this version does not know: kept as they are, so that nobody loses a key."""

from __future__ import annotations

from encconf.errors import BadKeyError, MasterKeyError
from encconf.keys import NamedKey
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.identities.credentials import Credentials


class UnknownKey(NamedKey):
    """An entry of the list ``TYPE``."""

    DATED = False

    def __init__(self, type: str, entry: Mapping[str, object]) -> None:
        self.TYPE = type
        self.entry = dict(entry)

    @property
    def name(self) -> str:
        """Its texts, without the ciphertext and the date."""
        texts = (v for k, v in self.entry.items() if isinstance(v, str) and k not in ("created_at", "enc"))
        return " ".join(text for text in texts if text)

    @property
    def label(self) -> str:
        """The same, to show."""
        return printable(self.name) or "(no name)"

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Raises MasterKeyError."""
        raise self._unusable()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Raises MasterKeyError."""
        raise self._unusable()

    def to_entry(self) -> dict[str, object]:
        """All members, without ``created_at`` and ``enc``."""
        return {k: v for k, v in self.entry.items() if k not in ("created_at", "enc")}

    @classmethod
    def from_config(cls, value: object) -> UnknownKey:
        """Raises BadKeyError: nothing can be encrypted for a key of an unknown type."""
        raise BadKeyError("this version of encconf does not support this type of key")

    def _unusable(self) -> MasterKeyError:
        return MasterKeyError(
            f"{printable(self.TYPE)} keys are not supported by this version of encconf",
            hint="try a newer version, or the sops that wrote the file",
        )
