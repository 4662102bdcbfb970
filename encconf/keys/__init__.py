"""Master keys, which wrap and unwrap data keys.  Each type has its own file, and a row in `TABLE`.

A master key only identifies a key.  It has neither a ciphertext (see `encconf.envelope`) nor a
client.  Key types are named and ordered as in the metadata of sops 3.13.3 (stores/stores.go).  Other types
come from plug-ins (`row_of`).  Entries of a type that neither has are kept as they are, so that no recipient
is lost.
"""

from __future__ import annotations

from binascii import a2b_base64

from encconf.errors import BadKeyError, MasterKeyError, MetadataError, PluginError
from encconf.record import Record
from encconf.text.printable import printable
from encconf.text.words import weak_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

    from encconf.identities.credentials import Credentials


class MasterKey(Record):
    """A master key.  Each type is a subclass.  Keys with the same type and name are equal.

    The attributes of a type are texts.  They have the names of the members of its entries, which are the
    ``fields`` of its row in `TABLE`, unless the class names its ``ATTRIBUTES``.
    """

    TYPE = ""
    """The name of the type's list in the metadata."""

    ATTRIBUTES = tuple[str, ...]()
    """The attribute for each of the ``fields``, if any has another name than its member."""

    DATED = True
    """Whether the type's entries have a ``created_at``."""

    listed = False
    """Whether the key comes from the block of a file, which anyone may have changed.

    Such a key gets no data key, unless an equal one is named elsewhere (`encconf.engine.admission`).
    """

    @property
    def name(self) -> str:
        """What identifies the key among those of its type, as sops's ToString returns it."""
        text: str = getattr(self, (self.ATTRIBUTES or TABLE[self.TYPE].fields)[0])
        return text

    @property
    def label(self) -> str:
        """The name to show, on one line.  A long name may be shortened."""
        return printable(self.name) or "(no name)"

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Encrypt a data key (32 bytes, or a share of 33), and return the ``enc`` of its entry.

        Raises BadKeyError if the master key is malformed, and MasterKeyError if it cannot be used.
        """
        raise NotImplementedError

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Decrypt an ``enc``.  Raises NotMyKeyError, or MasterKeyError if it should have worked."""
        raise NotImplementedError

    def unwrap_spoiled(self, ask: Callable[[MasterKey], bytes], credentials: Credentials) -> bytes:
        """Unwrap a data key that an old sops wrapped with other settings than the entry names.

        ``ask`` unwraps it with a key.  Raises what ``ask`` raises for this key.
        """
        return ask(self)

    def is_own(self, credentials: Credentials) -> bool:
        """Whether its private key is yours.  False if that is not known."""
        return False

    def to_entry(self) -> dict[str, object]:
        """Return its members in the metadata, without ``created_at`` and ``enc``."""
        fields = TABLE[self.TYPE].fields
        return {
            field: getattr(self, name) for field, name in zip(fields, self.ATTRIBUTES or fields, strict=True)
        }

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> Self:
        """Read an entry of the metadata.  A malformed key raises an error only when it is used."""
        fields = TABLE[cls.TYPE].fields
        names = zip(cls.ATTRIBUTES or fields, fields, strict=True)
        return cls(**{name: member(entry, field) for name, field in names})

    @classmethod
    def from_config(cls, value: Any) -> Self:
        """Read a text of ``.sops.yaml`` or of the command line, or several settings.  Raises BadKeyError."""
        raise BadKeyError("this version of encconf does not support this type of key")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MasterKey) and (self.TYPE, self.name) == (other.TYPE, other.name)

    def __hash__(self) -> int:
        return hash((self.TYPE, self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


KeyClass = type[MasterKey]


class UnknownKey(MasterKey):
    """An entry of a type that encconf does not know, or whose plug-in fails.  It can only be kept."""

    DATED = False

    def __init__(self, type: str, entry: Mapping[str, object], why: PluginError | None = None) -> None:
        self.TYPE = type
        self._why = why
        self._entry = {name: value for name, value in entry.items() if name not in ("created_at", "enc")}

    @property
    def name(self) -> str:
        """The texts of the entry, without the ciphertext and the date."""
        return " ".join(text for text in self._entry.values() if isinstance(text, str) and text)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Raises MasterKeyError."""
        raise self._unusable()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Raises MasterKeyError."""
        raise self._unusable()

    def _unusable(self) -> MasterKeyError:
        if self._why is not None:
            return MasterKeyError(self._why.message, hint=self._why.hint)
        return MasterKeyError(
            f"{printable(self.TYPE)} keys are not supported by this version of encconf",
            hint="try a newer version, the sops that wrote the file, or the plug-in for such keys",
        )

    def to_entry(self) -> dict[str, object]:
        """Return all members, without ``created_at`` and ``enc``."""
        return dict(self._entry)


class KeyType(Record):
    """What the rest of encconf knows about a type of master key.

    ``target`` is its class (``module:name``).  ``title`` and ``plural`` are what people call such keys.

    Command line: ``option`` is the option (without dashes, "" without one), ``short`` its short form,
    ``metavar`` its value in the help, and ``variable`` the environment variable that can replace the option.

    ``.sops.yaml``: ``member`` is the name in a rule, and ``group_member`` the name in a key group if that
    differs.  In a group, a key is a text (with ``commas``, several keys) if ``settings`` is empty.  Otherwise
    it is a mapping with the names in ``settings``, or a text for the first of them.  With ``only_list``, the
    member of a rule must be a list.

    Key service: ``number`` is the number of its message in the oneof, or 0 if its protocol lacks the type.
    The message's ``fields`` are members of the metadata's entry, numbered from 1.

    ``sops`` is whether sops has the type.  It ignores keys of other types, and loses them when it writes.

    ``form`` is a pattern for the beginning of a text that names such a key; the first type that fits counts.

    ``since`` is the version of sops that added the type, if people may still use an older sops.

    ``personal`` is whether a key belongs to a person, and not to a service whose policies decide who has
    access.  Using it may ask them, so keys of these types are used one after the other.

    ``secrets`` are variables that log in to its service, besides
    `encconf.identities.credentials.KEY_VARIABLES`.  ``way`` is what ``encconf doctor`` calls its login.
    """

    target: str
    title: str
    plural: str
    member: str
    fields: tuple[str, ...]
    option: str = ""
    metavar: str = ""
    variable: str = ""
    number: int = 0
    sops: bool = True
    group_member: str = ""
    settings: tuple[str, ...] = ()
    short: str = ""
    form: str = ""
    commas: bool = False
    only_list: bool = False
    personal: bool = False
    secrets: tuple[str, ...] = ()
    way: str = ""
    since: tuple[int, ...] = ()

    @property
    def name_in_group(self) -> str:
        """The name of the type's member in a key group."""
        return self.group_member or self.member

    def with_settings(self, text: str, more: Mapping[str, object]) -> object:
        """Return the value for `master_key` of a key that a text names, with those of ``more`` that apply."""
        own = {name: value for name, value in more.items() if value and name in self.settings}
        return {self.settings[0]: text, **own} if own else text


CONTEXT = "context"
"""The only setting (and field of a key service's message) that is a mapping of texts."""

# The order is that in which sops loads a group.
TABLE: dict[str, KeyType] = {
    "kms": KeyType(
        "encconf.keys.aws_kms:AwsKmsKey",
        "AWS KMS",
        "AWS KMS keys",
        form=r"arn:",
        option="kms",
        short="-k",
        metavar="ARNS",
        variable="SOPS_KMS_ARN",
        member="kms",
        settings=("arn", "role", CONTEXT, "aws_profile"),
        number=1,
        fields=("arn", "role", CONTEXT, "aws_profile"),
        secrets=("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        way="cloud",
    ),
    "gcp_kms": KeyType(
        "encconf.keys.gcp_kms:GcpKmsKey",
        "Google Cloud KMS",
        "Google Cloud KMS keys",
        form=r"projects/",
        option="gcp-kms",
        metavar="IDS",
        variable="SOPS_GCP_KMS_IDS",
        member="gcp_kms",
        settings=("resource_id",),
        number=3,
        fields=("resource_id",),
        secrets=("GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"),
        way="cloud",
    ),
    "hckms": KeyType(
        "encconf.keys.huawei_kms:HuaweiKey",
        "Huawei Cloud KMS",
        "Huawei Cloud KMS keys",
        form=r"[a-z0-9-]+:[0-9a-fA-F-]{36}\Z",
        option="hckms",
        metavar="IDS",
        variable="SOPS_HUAWEICLOUD_KMS_IDS",
        member="hckms",
        only_list=True,
        settings=("key_id",),
        number=7,
        fields=("key_id",),
        secrets=("HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
        way="cloud",
        since=(3, 12, 0),  # "Add support for HuaweiCloud KMS"
    ),
    "azure_kv": KeyType(
        "encconf.keys.azure_kv:AzureKey",
        "Azure Key Vault",
        "Azure Key Vault keys",
        form=r"https://[^/]*\.vault\.|https://[^/]+/keys/",
        option="azure-kv",
        metavar="URLS",
        variable="SOPS_AZURE_KEYVAULT_URLS",
        member="azure_keyvault",
        settings=("vaultUrl", "key", "version"),
        number=4,
        fields=("vault_url", "name", "version"),
        secrets=("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD"),
        way="cloud",
    ),
    "hc_vault": KeyType(
        "encconf.keys.hc_vault:VaultKey",
        "Vault transit",
        "Vault or OpenBao transit keys",
        form=r"https?://",
        option="hc-vault-transit",
        metavar="URIS",
        variable="SOPS_VAULT_URIS",
        member="hc_vault_transit_uri",
        group_member="hc_vault",
        number=5,
        fields=("vault_address", "engine_path", "key_name"),
        way="vault",
        since=(3, 6, 0),  # "encrypting data through the use of Hashicorp Vault"
    ),
    "pgp": KeyType(
        "encconf.keys.pgp:PgpKey",
        "PGP",
        "PGP fingerprints",
        form=r"(?:0x)?[0-9A-Fa-f ]{16,}!?\Z",
        option="pgp",
        short="-p",
        metavar="FINGERPRINTS",
        variable="SOPS_PGP_FP",
        member="pgp",
        number=2,
        fields=("fp",),
        personal=True,
    ),
    "age": KeyType(
        "encconf.keys.age:AgeKey",
        "age",
        "age recipients",
        form=r"age1|ssh-",
        option="age",
        short="-a",
        metavar="RECIPIENTS",
        variable="SOPS_AGE_RECIPIENTS",
        member="age",
        commas=True,
        number=6,
        fields=("recipient",),
        personal=True,
        since=(3, 7, 0),  # "Add support for age"
    ),
}


def in_config_order() -> list[tuple[str, KeyType]]:
    """Return types and rows in the order in which sops reads the members of a rule: personal ones first."""
    rows = list(TABLE.items())
    return [row for row in reversed(rows) if row[1].personal] + [row for row in rows if not row[1].personal]


def key_class(type: str) -> KeyClass:
    """Import and return the class of a type that has a row."""
    module, _, name = TABLE[type].target.partition(":")
    found: KeyClass = getattr(__import__(module, fromlist=[name]), name)  # importlib costs 0.3 ms
    return found


def row_of(type: str) -> KeyType | None:
    """Return the row of a type, which may be that of a plug-in, or None.  Raises PluginError.

    Only a type without a row makes encconf look for a plug-in, so ordinary files pay nothing for it.
    """
    if type not in TABLE:
        from encconf import plugins

        found = plugins.load(plugins.KEYS, type)
        if found is None:
            return None
        if not isinstance(found, KeyType) or found.sops or found.member != type:
            raise PluginError(
                f"the plug-in {printable(type)} is not a KeyType with sops=False and member={type!r}",
                hint="docs/plugins.md has an example",
            )
        TABLE[type] = found
    return TABLE[type]


def from_entry(type: str, entry: Mapping[str, object]) -> MasterKey:
    """Return the master key of an entry in the metadata's list ``type``, which may be an unknown type."""
    key: MasterKey
    try:
        key = UnknownKey(type, entry) if row_of(type) is None else key_class(type).from_entry(entry)
    except PluginError as error:
        key = UnknownKey(type, entry, error)  # other keys may still open the file
    key.listed = True
    return key


def master_key(type: str, value: object) -> MasterKey:
    """Return the master key that a value of the configuration names: a text, or its type's ``settings``.

    The type has a row.  Raises BadKeyError.
    """
    row = TABLE[type]
    mapping = isinstance(value, dict) and row.settings and value.keys() <= {*row.settings}
    if not mapping and not isinstance(value, str):
        more = f", or a mapping of {', '.join(row.settings)}" if row.settings else ""
        raise BadKeyError(f"{row.title}: a key is a string{more}")
    if isinstance(value, dict) and len(row.settings) == 1:
        value = value.get(*row.settings, "")
    return key_class(type).from_config(value)


def is_personal(key: MasterKey) -> bool:
    """Whether a key belongs to a person, and not to a service."""
    row = TABLE.get(key.TYPE)
    return row is not None and row.personal


def is_remote(key: MasterKey, credentials: Credentials) -> bool:
    """Whether using a key calls a service, so that other keys can be used at the same time."""
    row = TABLE.get(key.TYPE)
    return row is not None and not (row.personal and credentials.local_key_service)


WRAPPED_LIMIT = 16 << 10
"""The longest wrapped data key that encconf tries to open, in characters (16 KiB)."""


def check_enc(enc: str) -> None:
    """Raise MasterKeyError for a text that cannot be a wrapped data key, before it is parsed."""
    if len(enc) > WRAPPED_LIMIT:
        raise MasterKeyError(f"its enc is longer than {WRAPPED_LIMIT >> 10} KiB")
    try:
        enc.encode()
    except UnicodeEncodeError:
        raise MasterKeyError("its enc is not UTF-8") from None


def parse_list(value: str) -> list[str]:
    """Return the items of ``a, b``, trimmed and without empty ones."""
    return [item for item in (part.strip() for part in value.split(",")) if item]


def base64_bytes(text: str, complaint: str) -> bytes:
    """Decode base64 (standard alphabet, padded).  Raises MasterKeyError with the complaint."""
    try:
        if data := a2b_base64(text, strict_mode=True):
            return data
    except ValueError:
        pass
    raise MasterKeyError(complaint)


def as_given(text: str) -> str:
    """Return a text that was given as a key in a form to show, for the error that it is not a key."""
    return printable(text)[:120] or "an empty text"


def shorten(name: str) -> str:
    """Shorten a name to one like ``age1ql3z…ac8p``, which is enough to distinguish keys by eye."""
    name = printable(name)
    return name if len(name) <= 16 else f"{name[:8]}…{name[-4:]}"


def member(entry: Mapping[str, object], name: str) -> str:
    """Return a member of an entry as text, or "" if it is missing.  Raises MetadataError.

    This is as tolerant as sops (mapstructure, weakly typed): the case of the name does not matter, and a
    number or a bool becomes text.
    """
    value = entry.get(name)
    if value is None:
        value = next((v for k, v in entry.items() if type(k) is str and k.lower() == name), None)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    text = weak_text(value)
    if text is None:
        raise MetadataError(f"the member {name!r} of a master key is not a string")
    return text
