"""The public functions: text in, text out, and `load_config`.

Each works on one file's text; only `load_config` and its siblings read files, and nothing here writes one.
Formats are named as sops names them: ``yaml``, ``json``, ``dotenv``, ``ini``, ``binary``; and ``toml``.
The work is done in `encconf.engine`.
"""

from __future__ import annotations

from encconf.engine import loading
from encconf.engine.opening import as_text, bounded, open_text
from encconf.errors import EncconfError
from encconf.shape.arguments import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar, overload

    from encconf.engine.inspection import Inspection
    from encconf.engine.loading import Input, Readable
    from encconf.engine.opening import Opened
    from encconf.envelope.cache import DataKeyCache
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Rule
    from encconf.shape.section import Section
    from encconf.sources.references import Resolve

    T = TypeVar("T")
    Notify = Callable[[str], None]

if TYPE_CHECKING:

    @overload
    def load_config(
        path: Input,
        *,
        section: Section = (),
        schema: type[T],
        mask: bool = False,
        format: str | None = None,
        credentials: Credentials | None = None,
        cache: DataKeyCache | None = None,
        resolve: bool | Resolve = False,
    ) -> T: ...

    @overload
    def load_config(
        path: Input,
        *,
        section: Section = (),
        schema: None = None,
        mask: bool = False,
        format: str | None = None,
        credentials: Credentials | None = None,
        cache: DataKeyCache | None = None,
        resolve: bool | Resolve = False,
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
    """Open an encrypted file and return what it holds, as an ordinary dict.

    ``path`` is a file's name, an open file, or a resource of a package (`importlib.resources.files`), in a
    zip for example.  The file is decrypted in this process and its MAC verified; nothing is written and no
    program is run unless a key needs one (gpg).  The content says what format the file has, unless
    ``format`` does.  Keys come from where sops looks for them, or from ``credentials``; a ``cache`` keeps
    data keys, so that a key service is asked once.  Dates become `datetime.datetime` with a time zone,
    ``!!binary`` values that are not UTF-8 become `bytes`; YAML merge keys are applied.

    ``section`` is one mapping of the file: ``"app.db"``, or ``("app", "db")``.  With a ``schema`` (a
    dataclass, TypedDict, attrs class or msgspec Struct; or a pydantic model), an object of that type is
    returned.  With ``mask``, values that were encrypted print as ``'**********'`` (see `MaskedStr`); a
    ``schema`` always gets them masked.  References (``ref+vault://secret/data/app#/password``) stay as they
    are, unless ``resolve`` is True or says which may be resolved (see `Resolve`).

    Raises EncconfError: NotEncryptedError, KeyAccessError, MacError, DecryptError, ParseError,
    UnresolvedError, PathNotFoundError (section), ConfigTypeError (schema) and so on, each with the file's
    name.

    >>> config = load_config("secrets.enc.yaml")  # doctest: +SKIP
    >>> db = load_config("secrets.enc.yaml", section="app.db", schema=Database)  # doctest: +SKIP
    """
    check(section=section, schema=schema, mask=mask, format=format)
    check(credentials=credentials, cache=cache, resolve=resolve)
    found: dict[str, Any] | T | EncconfError = loading.load_file(
        path,
        section,
        schema,
        masker=loading.masker_for(mask, schema),
        format=format,
        credentials=credentials,
        cache=cache,
        resolve=resolve,
    )
    if isinstance(found, EncconfError):
        raise found
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
    """What an open file holds, text or binary; otherwise as `load_config`.

    >>> app.config.from_file("secrets.enc.yaml", load=encconf.load)  # doctest: +SKIP
    """
    return load_config(
        fp, section=section, mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve
    )


def load_configs(
    paths: Sequence[Input],
    *,
    mask: bool = False,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> list[dict[str, Any]]:
    """Open many files at once, in order; each as by `load_config`.

    >>> shop, mail = load_configs(["shop.enc.yaml", "mail.enc.yaml"])  # doctest: +SKIP

    Key services are asked for up to 32 files at a time, and once for files with the same wrapped
    key; with ``resolve``, each secret is asked for once for all of them.  Raises the error of the first
    file, in the order given, that cannot be opened; then one UnresolvedError for all references.
    """
    check(paths=paths, mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve)
    return loading.load_many(
        paths, mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve
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
    """What an encrypted text holds, as an ordinary dict; see `load_config`.

    >>> config = loads(Path("secrets.enc.yaml").read_text())  # doctest: +SKIP

    Raises InputError for a stream of several YAML documents; `loads_all` reads those.
    """
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
    """What each document of an encrypted YAML stream holds; see `load_config`, also for what is raised.

    >>> first, second = loads_all(text)  # doctest: +SKIP
    """
    check(mask=mask, format=format, credentials=credentials, cache=cache, resolve=resolve)
    return loading.load_text(
        text, format=format, mask=mask, credentials=credentials, cache=cache, resolve=resolve
    )


@bounded
def decrypt(
    text: str | bytes,
    *,
    format: str = "yaml",
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """The plain text of an encrypted one, to the byte what `encrypt` was given.

    >>> text = decrypt(Path("secrets.enc.json").read_text(), format="json")  # doctest: +SKIP

    Raises what `load_config` raises for a file that cannot be opened.

    A text that sops wrote keeps its own layout.  ``ignore_mac`` is for recovery: it shows what a
    file says without saying that it is what someone wrote.  ``notify`` gets what could not be
    done fully, for example a comment that does not decrypt.
    """
    from encconf.engine.plaintext import plain_text

    check(format=format, credentials=credentials)
    text = as_text(text)
    return plain_text(
        open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
    )


def encrypt(
    text: str | bytes,
    rule: Rule | None = None,
    *,
    format: str = "yaml",
    twin: str | Opened | None = None,
    donors: Sequence[Opened] = (),
    new_data_key: bool = False,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> str:
    """Encrypt a plain text for the keys of a rule.

    >>> enc = encrypt("password: x\\n", find_rule("secrets.enc.yaml"))  # doctest: +SKIP

    ``twin`` is the encrypted text that the result replaces: its data key and the ciphertext of
    every unchanged value and comment are kept, so that only changed lines differ.  A twin that
    cannot be opened is not used, and ``notify`` gets the reason.  Without a ``rule`` the keys and the
    selection are the twin's, which then must open.  If nothing changed, the twin is returned.
    With ``new_data_key`` nothing of the twin is kept but metadata that encconf does not know.
    ``donors`` have more ciphertexts to keep, under the twin's data key: those of another branch.

    Raises AlreadyEncryptedError for a text with a ``sops`` entry, ParseError for one that its
    format or sops cannot hold, KeyAccessError or MasterKeyError when a key cannot be used.
    """
    from encconf.engine import sealing

    check(rule=rule, format=format, credentials=credentials)
    return sealing.encrypt(
        as_text(text, binary=format == "binary"),
        rule,
        format=format,
        twin=twin,
        donors=donors,
        new_data_key=new_data_key,
        credentials=credentials,
        notify=notify,
    )


def inspect(text: str | bytes, *, format: str = "yaml") -> Inspection:
    """Read an encrypted text's ``sops`` block, without a key.

    >>> inspect(Path("secrets.enc.yaml").read_text()).leaves[0].path  # doctest: +SKIP
    ('db', 'host')

    Raises NotEncryptedError, MetadataError or ParseError.
    """
    from encconf.engine import inspection

    check(format=format)
    return inspection.inspect(as_text(text), format)
