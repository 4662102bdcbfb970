"""The public functions: text in, text out, and `load_config`.

Most of them work on the text of one file.  Only `load_config`, `load` and `load_configs` read files, and none
of them writes a file.  Formats have the names of sops: ``yaml``, ``json``, ``dotenv``, ``ini``, ``binary``;
encconf also has ``toml``.  `encconf.engine` does the work.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine import loading
from encconf.engine.loading import check
from encconf.engine.opening import as_text, open_text
from encconf.errors import about, bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar, Unpack, overload

    from encconf.engine.loading import FileOptions, Input, Readable, Section
    from encconf.engine.metadata import Inspection
    from encconf.envelope.unwrap import DataKeyCache
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Rule
    from encconf.sources.references import Resolve

    T = TypeVar("T")
    Notify = Callable[[str], None]

if TYPE_CHECKING:

    @overload
    def load_config(path: Input, *, schema: type[T], **options: Unpack[FileOptions]) -> T: ...

    @overload
    def load_config(
        path: Input, *, schema: None = None, **options: Unpack[FileOptions]
    ) -> dict[str, Any]: ...


def load_config(
    path: Input,
    *,
    section: Section = (),
    schema: type[T] | None = None,
    mask: bool = False,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> dict[str, Any] | T:
    """Open an encrypted file and return its content as an ordinary dict.

    ``path`` is a file's name, an open file, or a resource of a package (`importlib.resources.files`), for
    example in a zip.  The file is decrypted in this process and its MAC verified.  Nothing is written, and no
    program is run unless a key needs one (gpg).  The format is detected from the content, unless you give
    ``format``.  Keys are looked for where sops looks for them, or in ``credentials``.  A ``cache`` keeps
    data keys, so that a key service is asked only once.  Dates become `datetime.datetime` with a time zone
    (those in the year 0, which Python does not have, stay texts), ``!!binary`` values that are not UTF-8
    become `bytes`, and YAML merge keys are applied.

    ``section`` names one mapping of the file: ``"app.db"``, or ``("app", "db")``.  With a ``schema`` (a
    dataclass, TypedDict, attrs class, msgspec Struct or pydantic model), an object of that type is
    returned.  With ``mask``, values that were encrypted print as ``'**********'`` (see `MaskedStr`); a
    ``schema`` always gets them masked.  References (``ref+vault://secret/data/app#/password``) stay as they
    are, unless ``resolve`` is True or a `Resolve`, which says what may be resolved.

    Raises EncconfError: NotEncryptedError, KeyAccessError, MacError, DecryptError, ParseError,
    UnresolvedError, PathNotFoundError (section), ConfigTypeError (schema) and so on, each with the file's
    name.

    >>> config = load_config("secrets.enc.yaml")  # doctest: +SKIP
    >>> db = load_config("secrets.enc.yaml", section="app.db", schema=Database)  # doctest: +SKIP
    """
    check(section=section, schema=schema, mask=mask, format=format)
    check(credentials=credentials, cache=cache, resolve=resolve)
    masker = loading.masker_for(mask, schema)
    with about("", frames=False):
        name, tree, format = loading.tree_of(
            path, masker, format=format, credentials=credentials, cache=cache, resolve=resolve
        )
        found: dict[str, Any] | T = loading.shaped(
            tree, section, schema, name=name, lax=formats.get(format).flat
        )
        return found


def load(
    fp: Readable,
    *,
    section: Section = (),
    mask: bool = False,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> dict[str, Any]:
    """Return the content of an open file (text or binary) as a dict; see `load_config`.

    >>> app.config.from_file("secrets.enc.yaml", load=encconf.load)  # doctest: +SKIP
    """
    return load_config(
        fp, section=section, mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve
    )


def load_configs(
    paths: Iterable[Input],
    *,
    mask: bool = False,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> list[dict[str, Any]]:
    """Open many files at once, and return the content of each in the same order; see `load_config`.

    >>> shop, mail = load_configs(["shop.enc.yaml", "mail.enc.yaml"])  # doctest: +SKIP

    Key services are asked for up to 32 files at a time, and only once for files with the same wrapped
    key.  With ``resolve``, each secret is fetched once for all files.  If files cannot be opened, the error
    of the first of them is raised.  If references cannot be resolved, one UnresolvedError names all of them.
    """
    check(paths=paths, mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve)
    with about("", frames=False):
        return loading.load_many(
            paths, loading.masker_for(mask), resolve, format=format, credentials=credentials, cache=cache
        )


def loads(
    text: str | bytes,
    *,
    format: str = "yaml",
    mask: bool = False,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> dict[str, Any]:
    """Return the content of an encrypted text as an ordinary dict; see `load_config`.

    >>> config = loads(Path("secrets.enc.yaml").read_text())  # doctest: +SKIP

    Raises InputError if several YAML documents have values; `loads_all` reads those.
    """
    with about("", frames=False):
        return loading.only(
            loads_all(text, format=format, mask=mask, credentials=credentials, cache=cache, resolve=resolve)
        )


@bounded
def loads_all(
    text: str | bytes,
    *,
    format: str = "yaml",
    mask: bool = False,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> list[dict[str, Any]]:
    """Return the content of each document of an encrypted YAML stream.  Raises what `load_config` raises.

    >>> first, second = loads_all(text)  # doctest: +SKIP
    """
    check(mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve)
    with about("", frames=False):
        opened = loading.open_values(as_text(text), format, credentials, cache)
        texts = loading.resolved([("", opened)], resolve, credentials)[0]
        return loading.values_of(opened, texts, loading.masker_for(mask))


@bounded
def decrypt(
    text: str | bytes,
    *,
    format: str = "yaml",
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """Return the plaintext of an encrypted text, byte for byte as it was given to `encrypt`.

    >>> text = decrypt(Path("secrets.enc.json").read_text(), format="json")  # doctest: +SKIP

    A text that sops wrote keeps its own layout.  ``ignore_mac`` is for recovery: it decrypts a text that
    someone may have changed without a key.  ``notify`` gets warnings, for example about a comment that
    cannot be decrypted.

    Raises what `load_config` raises for a file that cannot be opened.
    """
    from encconf.engine.plaintext import plain_text

    check(format=format, credentials=credentials)
    with about("", frames=False):
        text = as_text(text)
        return plain_text(
            open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
        )


def encrypt(
    text: str | bytes,
    rule: Rule | None = None,
    *,
    format: str = "yaml",
    twin: str | None = None,
    new_data_key: bool = False,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> str:
    """Encrypt a plaintext for the keys of a rule.

    >>> enc = encrypt("password: x\\n", find_rule("secrets.enc.yaml"))  # doctest: +SKIP

    ``twin`` is the encrypted text that the result replaces.  Its data key and the ciphertext of
    every unchanged value and comment are kept, so that only changed lines differ.  If the twin
    cannot be opened, or lacks most of the text's secrets, so that a stranger may have made it, the result
    has a new data key, and ``notify`` gets the reason.  Without a ``rule``, the text is a change of the twin:
    the data key, the keys and the selection are those of the twin, and it must open.  If nothing changed,
    the twin is returned.  A text has no name, so this looks for no ``.sops.yaml``: to follow one, give the
    rule that `find_rule` returns.  With ``new_data_key``, only the twin's unknown metadata is kept.

    Raises StrangerError if a data key would be wrapped for a recipient that only the twin names,
    AlreadyEncryptedError for a text with a ``sops`` entry, ParseError for one that is not valid in
    its format or that sops cannot store, and KeyAccessError or MasterKeyError if a key cannot be used.
    """
    from encconf.engine import sealing

    check(rule=rule, format=format, credentials=credentials)
    with about("", frames=False):
        return sealing.encrypt(
            as_text(text, binary=formats.get(format).single_value),
            rule,
            format=format,
            twin=twin,
            new_data_key=new_data_key,
            credentials=credentials,
            notify=notify,
        )


def inspect(text: str | bytes, *, format: str = "yaml") -> Inspection:
    """Read the ``sops`` block and the paths of an encrypted text, without a key.

    >>> inspect(Path("secrets.enc.yaml").read_text()).leaves[0].path  # doctest: +SKIP
    ('db', 'host')

    Raises NotEncryptedError, MetadataError or ParseError.
    """
    from encconf.engine import metadata

    check(format=format)
    return metadata.inspect(as_text(text), format)
