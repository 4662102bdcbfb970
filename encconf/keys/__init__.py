"""Master keys: who can open a data key.  One file per type, one row in `TABLE`.

A master key holds who, never a ciphertext and no client; what it wrapped is a
`encconf.envelope.data_key.WrappedKey`.  Key types are named and ordered as in the metadata of sops 3.13.3
(stores/stores.go).  A type without a row's module is kept as it is (`encconf.keys.unknown`).
"""

from __future__ import annotations

from encconf.errors import BadKeyError, MasterKeyError, MetadataError
from encconf.identities.credentials import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol, Self

    from encconf.identities.credentials import Credentials

    class MasterKey(Protocol):
        """What a key type must have.  Equal and hashed by type and name."""

        TYPE: str
        """The name of its list in the metadata."""

        DATED: bool
        """Whether its entries have a ``created_at``."""

        @property
        def name(self) -> str:
            """All that tells it from another of its type, as sops's ToString."""

        @property
        def label(self) -> str:
            """The name for people: one line, shortened where it is long and public anyway."""

        def wrap(self, data_key: bytes, credentials: Credentials) -> str:
            """Encrypt a data key (32 bytes, or a part of 33): the ``enc`` of its entry.

            Raises BadKeyError when the key is malformed, MasterKeyError when it cannot be used.
            """

        def unwrap(self, enc: str, credentials: Credentials) -> bytes:
            """Decrypt an ``enc``.  Raises NotMyKeyError, or MasterKeyError when it should have worked."""

        def to_entry(self) -> dict[str, object]:
            """Its members in the metadata, without ``created_at`` and ``enc``."""

        @classmethod
        def from_entry(cls, entry: Mapping[str, object]) -> Self:
            """Read an entry of the metadata; malformed keys are found only when they are used."""

        @classmethod
        def from_config(cls, value: object) -> Self:
            """Read what stands in ``.sops.yaml`` or on the command line; raises BadKeyError."""

    KeyClass = type[MasterKey]


# In the order in which sops loads a group; None: kept, and not usable in this version.
TABLE: dict[str, str | None] = {
    "kms": "encconf.keys.aws_kms:AwsKmsKey",
    "gcp_kms": "encconf.keys.gcp_kms:GcpKmsKey",
    "hckms": "encconf.keys.huawei_kms:HuaweiKey",
    "azure_kv": "encconf.keys.azure_kv:AzureKey",
    "hc_vault": "encconf.keys.hc_vault:VaultKey",
    "pgp": "encconf.keys.pgp:PgpKey",
    "age": "encconf.keys.age:AgeKey",
}


def key_class(type: str) -> KeyClass | None:
    """The class for a type, imported now; None for a type that this version cannot use."""
    target = TABLE.get(type)
    if target is None:
        return None
    module, _, name = target.partition(":")
    found: KeyClass = getattr(__import__(module, fromlist=[name]), name)  # importlib itself would cost 0.3 ms
    return found


def from_entry(type: str, entry: Mapping[str, object]) -> MasterKey:
    """The master key of an entry in the metadata's list ``type``, whatever the type."""
    known = key_class(type)
    if known is not None:
        return known.from_entry(entry)
    from encconf.keys.unknown import UnknownKey

    return UnknownKey(type, entry)


def master_key(type: str, value: object) -> MasterKey:
    """The master key that one value of the configuration names; raises BadKeyError."""
    known = key_class(type)
    if known is None:
        usable = ", ".join(name for name, target in TABLE.items() if target)
        raise BadKeyError(
            f"{printable(type)} keys cannot be used by this version of encconf",
            hint=f"it can use these: {usable}",
        )
    return known.from_config(value)


WRAPPED_LIMIT = 16 << 10
"""The longest wrapped data key that a master key is asked to open, in characters (16 KiB)."""


def check_size(enc: str) -> None:
    """Raise MasterKeyError for what is longer than any wrapped data key, before anything reads it."""
    if len(enc) > WRAPPED_LIMIT:
        raise MasterKeyError(f"its enc is longer than {WRAPPED_LIMIT >> 10} KiB")


def parse_list(value: str) -> list[str]:
    """The items of ``a, b``: trimmed, and without the empty ones that a comma too many makes."""
    return [item for item in (part.strip() for part in value.split(",")) if item]


def shorten(name: str) -> str:
    """``age1ql3z…ac8p``: enough to tell keys apart by eye, on one line."""
    name = printable(name)
    return name if len(name) <= 16 else f"{name[:8]}…{name[-4:]}"


def member(entry: Mapping[str, object], name: str) -> str:
    """One member of an entry as text; "" when it is missing.

    As forgiving as the reader of sops (mapstructure, weakly typed): the case of its name does
    not matter, and a number or a bool is as good as its text.
    """
    value = entry.get(name)
    if value is None:
        value = next((v for k, v in entry.items() if type(k) is str and k.lower() == name), None)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise MetadataError(f"the member {name!r} of a master key is not a text")
