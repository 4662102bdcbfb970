"""Text in, text out, and `load_config`: the only place that sees both documents and keys.

Each function works on one file's text; reading and writing files is the callers' (but for
`load_config`).  Formats are named as sops names them: ``yaml``, ``json``, ``dotenv``, ``ini``,
``binary``; and ``toml``.
"""

from __future__ import annotations

import os
import time
from functools import wraps

from encconf import formats
from encconf.engine import seal
from encconf.engine.cipher import KEY_SIZE, PREFIX, aes_gcm, split, unlock
from encconf.engine.metadata import LAYOUT, LAYOUT_AAD, SOPS_VERSION, UNMERGED, Metadata
from encconf.envelope.data_key import DataKeyCache, are_spoiled, open_data_key, shuts_out, wrap_again
from encconf.errors import (
    AlreadyEncryptedError,
    ClearTextError,
    ConfigError,
    ConfigTypeError,
    DecryptError,
    EmitError,
    EncconfError,
    InputError,
    LimitError,
    MacMismatchError,
    MissingFileError,
    UnmergedError,
    UsageError,
    WrongTypeError,
)
from encconf.formats import goyaml, sniff
from encconf.identities.credentials import Credentials
from encconf.rules.selection import DEFAULT
from encconf.text.document import Comment, Document, Edit, Leaf, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ParamSpec, Protocol, TypeVar, overload

    from encconf.formats import Format
    from encconf.rules.config import Rule
    from encconf.rules.selection import Chosen, Selection
    from encconf.shape.section import Section
    from encconf.sources.references import Resolve
    from encconf.text.path import Path

    P = ParamSpec("P")
    T = TypeVar("T")
    Notify = Callable[[str], None]
    FilePath = str | os.PathLike[str]

    class OpenFile(Protocol):
        """What `open` gives, in text or binary mode."""

        def read(self) -> str | bytes:
            """All of it."""

    class Resource(Protocol):
        """What `importlib.resources.files` gives."""

        def read_bytes(self) -> bytes:
            """All of it."""

    Readable = OpenFile | Resource
    Input = FilePath | Readable
    Masker = Callable[[object], object]


def bounded(function: Callable[P, T]) -> Callable[P, T]:
    """Let a file that takes more memory or stack than there is be refused as what it is.

    The bounds of the formats are meant to come first: this is for small machines, and deep callers.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (MemoryError, RecursionError) as error:
            what = "memory" if isinstance(error, MemoryError) else "stack"
        raise LimitError(f"the file takes more {what} than there is") from None

    return call


class Opened:
    """An encrypted document with its leaves unsealed, and what it took to do so.

    ``comments`` are the edits that decrypt its comments, None where nobody has asked for them.
    """

    __slots__ = ("chosen", "comments", "data_key", "document", "metadata")

    def __init__(self, document: Document, metadata: Metadata, chosen: Chosen, data_key: bytes) -> None:
        self.document = document
        self.metadata = metadata
        self.chosen = chosen
        self.data_key = data_key
        self.comments: list[Edit] | None = None

    @property
    def covered(self) -> bytearray | None:
        """Which leaves the MAC covers (1), None for all."""
        return self.chosen.leaves if self.metadata.selection.mac_only_encrypted else None

    def check_mac(self, purpose: bytes = seal.ORDINARY) -> None:
        """Raises MacMissingError or MacMismatchError; ``purpose`` as for `seal.check_mac`."""
        seal.check_mac(
            self.document,
            self.chosen.leaves,
            self.metadata.selection.to_entries(),
            self.data_key,
            self.metadata.lastmodified,
            self.metadata.mac,
            purpose,
        )


def _open(
    text: str,
    format: Format,
    credentials: Credentials | None,
    *,
    comments: bool,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    cache: DataKeyCache | None = None,
) -> Opened:
    document = formats.scan_encrypted(text, format, comments=comments)
    metadata = Metadata.of(document)
    if metadata.selection.needs_comments and not comments:
        document = format.scan(text, comments=True)
    chosen = metadata.selection.choose(document)
    credentials = credentials or Credentials.from_env()
    data_key = open_data_key(metadata.groups, metadata.threshold, credentials, cache)
    credentials.audit("decrypt", text)
    seal.unseal(document, chosen.leaves, data_key, accept_plain=accept_plain)
    opened = Opened(document, metadata, chosen, data_key)
    if not ignore_mac:
        try:
            opened.check_mac()
        except MacMismatchError:
            if metadata.unmerged is not None:
                hint = "see to it with: encconf edit FILE"
                raise UnmergedError(metadata.unmerged, hint=hint) from None
            if not _as_older_sops(format, opened):
                raise
            opened.check_mac()
    return opened


def _as_older_sops(format: Format, opened: Opened) -> bool:
    """Read plain numbers as sops before 3.13.2 did, as floats; whether there are any that differ."""
    found = False
    for leaf, is_chosen in zip(opened.document.leaves, opened.chosen.leaves, strict=True):
        if not is_chosen and format.fragile(leaf):
            assert leaf.data is not None
            number = float(leaf.data) or -0.0  # a zero is fragile when it is spelled -0
            leaf.type, leaf.data = "float", goyaml.format_float(number)
            found = True
    return found


# --- loading -------------------------------------------------------------------------------------


TEXTS_ONLY = ("dotenv", "ini")
"""Formats in which every value is a text: a ``schema`` may read numbers and booleans from them."""

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
    masker = masker_for(mask, schema)
    tree, format = tree_of(path, masker, format=format, credentials=credentials, cache=cache, resolve=resolve)
    if not section and schema is None:
        return tree
    name = path if isinstance(path, str) else _source(path)[0]
    found: dict[str, Any] | T = shaped(tree, section, schema, name=name, lax=format in TEXTS_ONLY)
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


@bounded
def tree_of(
    path: Input,
    masker: Masker | None,
    *,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> tuple[dict[str, Any], str]:
    """What an encrypted file holds, and its format.

    ``masker`` gets each value that was encrypted, and gives what to load.
    """
    name, read = _source(path)
    # Without its traceback: error trackers print the local variables of frames, data keys among them.
    try:
        opened = _load(_text(read()), format, credentials, cache, name)
        texts = resolved([(name, opened)], resolve, credentials)[0] if resolve else {}
        return _only(_trees(opened, texts, masker)), opened.document.format
    except EncconfError as error:
        raise (error.about(name) if name else error).with_traceback(None) from error.__cause__


def masker_for(mask: bool, schema: object = None) -> Masker | None:
    """What hides values: nothing, unless it is asked for or a schema's errors could show them."""
    if not mask and schema is None:
        return None
    from encconf.shape.mask import masked, masked_number

    # pydantic's errors show the input; msgspec's do not, and it takes no subclass of int.
    return masked_number if hasattr(schema, "__pydantic_validator__") else masked


def shaped(tree: Any, section: Section, schema: type[T] | None, *, name: str, lax: bool) -> Any:
    """A section of a loaded tree, as an object of the type ``schema`` if there is one."""
    keys: tuple[str, ...] = ()
    try:
        if section:
            from encconf.shape.section import at

            tree, keys = at(tree, section)
        if schema is not None:
            from encconf.shape.schema import convert

            return convert(tree, schema, at=keys, lax=lax)
        if not isinstance(tree, dict):
            raise ConfigTypeError(f"{'.'.join(keys)}: expected a mapping")
    except EncconfError as error:
        raise (error.about(name) if name else error).with_traceback(None) from None
    return tree


def _source(path: Input) -> tuple[str, Callable[[], str | bytes]]:
    """The name of what was given to read, and how to read it.  Raises WrongTypeError."""
    if isinstance(path, (str, os.PathLike)):
        from encconf.io import fileio

        name = os.fspath(path)
        return name, lambda: fileio.read_text(name)
    name = getattr(path, "name", "")
    name = name if isinstance(name, str) else ""
    read = getattr(path, "read_bytes", None) or getattr(path, "read", None)
    if not callable(read):
        raise WrongTypeError(f"a file's name or an open file is needed, not {type(path).__name__}")
    return name, lambda: _resource(read)


def _resource(read: Callable[[], str | bytes]) -> str | bytes:
    try:
        return read()
    except FileNotFoundError:
        raise MissingFileError("no such file") from None


def _text(given: object, *, binary: bool = False) -> str:
    """A text, of bytes if they are UTF-8.  Raises WrongTypeError, and InputError for other bytes."""
    if isinstance(given, str):
        return given
    if isinstance(given, (bytes, bytearray)):
        from encconf.io import fileio

        return fileio.decode(bytes(given), binary=binary)
    hint = None
    if isinstance(given, (dict, list)):
        hint = "make a text of it first, with json.dumps for example"
    raise WrongTypeError(f"a text is needed (str or bytes), not {type(given).__name__}", hint=hint)


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
    from encconf.io.side_by_side import side_by_side

    credentials = credentials or Credentials.from_env()
    cache = cache if cache is not None else DataKeyCache()

    def load(path: Input) -> dict[str, Any] | tuple[str, Opened]:
        if not resolve:
            return load_config(path, mask=mask, format=format, credentials=credentials, cache=cache)
        name, read = _source(path)
        try:
            return name, _load(_text(read()), format, credentials, cache, name)
        except EncconfError as error:
            raise error.about(name).with_traceback(None) from error.__cause__

    found: list[dict[str, Any]] = []
    opened: list[tuple[str, Opened]] = []
    for _, loaded in side_by_side(load, paths):
        if isinstance(loaded, EncconfError):
            raise loaded
        if isinstance(loaded, tuple):
            opened.append(loaded)
        else:
            found.append(loaded)
    if opened:
        texts = resolved(opened, resolve, credentials)
        for (name, one), own in zip(opened, texts, strict=True):
            try:
                found.append(_only(_trees(one, own, masker_for(mask))))
            except EncconfError as error:
                raise error.about(name).with_traceback(None) from error.__cause__
    return found


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
    return _only(
        loads_all(text, format=format, mask=mask, credentials=credentials, cache=cache, resolve=resolve)
    )


def _only(trees: list[dict[str, Any]]) -> dict[str, Any]:
    if len(trees) != 1:
        raise InputError(
            f"the file holds {len(trees)} documents, not one", hint="read them all with loads_all"
        )
    return trees[0]


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
    try:
        opened = _load(_text(text), format, credentials, cache)
        texts = resolved([("", opened)], resolve, credentials)[0] if resolve else {}
        return _trees(opened, texts, masker_for(mask))
    except EncconfError as error:
        raise error.with_traceback(None) from error.__cause__  # see `tree_of`


def read_plain(name: str, format: str | None) -> tuple[str, Document, dict[str, Any]]:
    """Format, document and values of a readable file.  Raises ClearTextError for one that is encrypted."""
    from encconf.io import fileio

    text = fileio.read_text(name)
    if sniff.find(text, name) is not None:
        raise ClearTextError("the file is encrypted", hint="give its path as it is, without plain()")
    format = format or formats.of_path(name)
    module = formats.module(format)
    return format, module.scan(text, comments=True), _only(module.load_plain(text))


def _load(
    text: str,
    format: str | None,
    credentials: Credentials | None,
    cache: DataKeyCache | None,
    name: str = "",
) -> Opened:
    """Open a text for its values; its content says the format where ``format`` does not.

    Where sops made a binary file of a ``.toml`` or ``.env.sops``, the values are those of the text inside.
    """
    inner = "" if format else formats.of_inner(name)
    format = format or sniff.format_of(text, name)
    if format == "binary" and inner in ("", "binary"):
        raise UsageError(
            "a binary file has no values to load, only bytes",
            hint="get them with decrypt; if it is something else, say what: format='yaml'",
        )
    opened = _open(text, formats.module(format), credentials, comments=False, cache=cache)
    if format != "binary":
        return opened
    document = formats.module(inner).scan(plain_text(opened))
    if document.block is not None:
        raise InputError("it was encrypted twice", hint="decrypt it, and load what comes of it")
    for leaf in document.leaves:
        leaf.sealed = ""  # all of the file was encrypted
    metadata = opened.metadata.renewed(selection=DEFAULT)
    return Opened(document, metadata, DEFAULT.choose(document), opened.data_key)


def resolved(
    files: Sequence[tuple[str, Opened]],
    resolve: bool | Resolve,
    credentials: Credentials | None,
    under: Path = (),
) -> list[dict[int, str]]:
    """What the leaves with references ``under`` a path become, by their numbers, for some opened files.

    A file's name may be "".  Raises UnresolvedError for all that cannot be resolved.
    """
    from encconf.sources import references

    places = [(name, opened.document, opened.covered) for name, opened in files]
    return references.resolve(places, resolve, credentials or Credentials.from_env(), under)


def _trees(opened: Opened, texts: Mapping[int, str], masker: Masker | None) -> list[dict[str, Any]]:
    """The values, with some texts in place of leaves; ``masker`` as for `tree_of`."""
    document = opened.document
    module = formats.module(document.format)
    if module.LOADS_TEXT:
        trees = module.load_plain(plain_text(opened))
        for index, text in texts.items():
            _node(trees[0], document.leaves[index])[document.leaves[index].step] = text
        if masker is not None:
            for index, leaf in enumerate(document.leaves):
                if leaf.sealed is not None or index in texts:
                    node = _node(trees[0], leaf)
                    node[leaf.step] = masker(node[leaf.step])
        return trees
    for index, text in texts.items():
        leaf = document.leaves[index]
        leaf.data = text.encode()
        leaf.sealed = leaf.sealed or ""  # a secret from elsewhere is one
    return _values(document, masker)


def _node(tree: Any, leaf: Leaf) -> Any:
    """The mapping or list of a tree in which a leaf is."""
    for step in leaf.scope.path:
        tree = tree[step]
    return tree


def _values(document: Document, masker: Masker | None = None) -> list[dict[str, Any]]:
    """Fill the trees of an unsealed document with Python values."""
    parse = goyaml.parse
    integral = False  # whether floats may be integers
    if document.format == "json":
        from encconf.formats import json

        integral = not json.tells_integers(document)
    comments: list[Leaf] = []
    for leaf in document.leaves:
        kind = leaf.type
        data = leaf.data
        value: object
        if data is None:
            value = None
        elif kind == "str":
            try:
                value = data.decode()
            except UnicodeDecodeError:
                value = data
        elif kind == "comment":
            comments.append(leaf)
            continue
        else:
            if integral and kind == "float" and len(data) < 16 and data.lstrip(b"-").isdigit():
                kind = "int"
            try:
                value = parse(kind, data)
            except ValueError:
                raise DecryptError(
                    f"the value at {seal.path_text(leaf.path)} is not of the type it says it is ({kind})"
                ) from None
        if masker is not None and leaf.sealed is not None:
            value = masker(value)
        leaf.scope.node[leaf.step] = value
    for leaf in reversed(comments):
        del leaf.scope.node[leaf.step]
    formats.module(document.format).settle(document)
    return document.trees


# --- decrypting ----------------------------------------------------------------------------------


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
    file says without saying that it is what someone wrote.  ``notify`` is told of what could not
    be done fully, a comment that does not decrypt, say.
    """
    text = _text(text)
    opened = open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
    return plain_text(opened)


@bounded
def open_text(
    text: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    notify: Notify | None = None,
) -> Opened:
    """Open an encrypted text, comments included, for `plain_text` and as the twin of `encrypt`.

    Whoever needs the plain text of a file and then writes it again asks its master keys but once.
    With ``accept_plain``, values that are plaintext where they should be encrypted stay as they are.
    Raises what `decrypt` raises.
    """
    module = formats.module(format)
    opened = _open(text, module, credentials, comments=True, ignore_mac=ignore_mac, accept_plain=accept_plain)
    opened.comments = _open_comments(module, opened, notify)
    return opened


def plain_text(opened: Opened, *, layout: bool = True) -> str:
    """The plain text of an opened one; without ``layout`` its values are spelled as sops spells them.

    Line breaks, blank lines and comments are then as they were, too, except at the end of the text.
    """
    document = opened.document
    text = document.text
    module = formats.module(document.format)
    comments = opened.comments or []
    literals = _literals(module, document)
    detach = module.detach(document)
    canonical = splice(text, _around(literals, comments, text) + detach)
    packed = _open_layout(opened)
    if packed is None:
        return canonical
    from encconf.engine import layout as layouts

    record = layouts.Layout.unpack(packed)
    if record is None:
        return canonical
    if not layout:
        record.of_gaps_only()
        if not record.gaps and not record.newline:
            return canonical
    if record.whole is not None:
        return layouts.restore_whole(record, canonical) or canonical
    edits = layouts.apply(record, module, document, literals)
    if edits is None:
        return canonical
    result = splice(text, _around(edits, comments, text) + detach)
    result = layouts.finish(record, module, result)
    # The record may be older than the file: then the text would say something else.
    return result if _says(module, result, document) else canonical


def text_to_change(opened: Opened) -> str:
    """The `plain_text`, for one of its values to be changed by its place.

    Raises EmitError where a value cannot be told from the lines below it.
    """
    text = plain_text(opened)
    if quoted := _quoted(opened.document):
        module = formats.module(opened.document.format)
        _refuse_torn(module, module.scan(text), quoted)
    return text


def _literals(module: Format, document: Document) -> list[Edit | None]:
    literal = module.literal
    return [
        literal(document, leaf, leaf.type, leaf.data)
        if leaf.sealed is not None and leaf.data is not None and leaf.type != "comment"
        else None
        for leaf in document.leaves
    ]


def _around(literals: Sequence[Edit | None], comments: list[Edit], text: str) -> list[Edit]:
    """Edits of values and comments together: the header of a block scalar may hold a comment."""
    edits = sorted(edit for edit in literals if edit is not None)
    apart: list[Edit] = []
    at = 0
    for start, end, plain in sorted(comments):
        while at < len(edits) and edits[at][1] <= start:
            at += 1
        if at < len(edits) and edits[at][0] <= start:
            value = edits[at]
            edits[at] = (value[0], value[1], value[2].replace(text[start:end], plain, 1))
        else:
            apart.append((start, end, plain))
    return edits + apart


def _open_layout(opened: Opened) -> bytes | None:
    parts = split((opened.metadata.layout or "").encode())
    if parts is None:
        return None
    # None for one that somebody without the key put there: the file's own layout is used.
    return unlock(opened.data_key, parts[0], parts[1], LAYOUT_AAD)


def _says(module: Format, text: str, document: Document) -> bool:
    """Whether a plain text holds the values of an unsealed document, and no others."""
    try:
        found = module.scan(text)
    except EncconfError:
        return False
    wanted = [leaf for leaf in document.leaves if leaf.type != "comment"]
    if len(found.leaves) != len(wanted) or found.shape != document.shape:
        return False
    return _tokens(found.leaves, module) == _tokens(wanted, module)


def _open_comments(module: Format, opened: Opened, notify: Notify | None) -> list[Edit]:
    """The edits that decrypt a document's comments; each comment learns its plaintext.

    Only where the file's rule says that comments are encrypted: no MAC covers them, and a ciphertext
    that somebody moved to a plain place would be written in clear by the next edit.
    """
    edits: list[Edit] = []
    places: list[bytes] | None = None
    lost = 0
    key = aes_gcm(opened.data_key)
    for comment, is_chosen in zip(opened.document.comments, opened.chosen.comments, strict=True):
        if not is_chosen or not comment.text.startswith(PREFIX):
            continue
        parts = split(comment.text.encode("utf-8", "surrogateescape"))
        if parts is None or parts[2] != "comment":
            continue
        ciphertext, nonce, _ = parts
        data = unlock(key, ciphertext, nonce, _comment_aad(comment.scope.aad))
        if data is None:
            # go-yaml puts a few comments where nobody would look; the tag says when a guess is right.
            if places is None:
                places = _all_places(opened.document)
            comment.misplaced = True
            for place in places:
                data = unlock(key, ciphertext, nonce, place)
                if data is not None:
                    break
        # sops puts any bytes into dotenv and INI files, as lone surrogates here.
        errors = "surrogateescape" if opened.document.format in ("dotenv", "ini") else "replace"
        plain = None if data is None else module.comment_text(data.decode("utf-8", errors))
        if plain is None:
            lost += 1
            continue
        if isinstance(comment.scope.node, list) and plain.strip(" ") == "":
            plain = plain[1:]
        comment.sealed = comment.text
        comment.text = plain
        edits.append((comment.start, comment.end, plain))
    items = [leaf for leaf in opened.document.leaves if leaf.type == "comment" and leaf.data is not None]
    counts: dict[int, int] = {}
    for leaf in items:
        counts[id(leaf.scope)] = counts.get(id(leaf.scope), 0) + 1
    for leaf in items:  # comments as sops stores them in a list
        alone = counts[id(leaf.scope)] == len(leaf.scope.node)
        edits.append(module.comment(opened.document, leaf, alone=alone))
    if lost and notify:
        notify(f"{lost} encrypted comments could not be decrypted and stay as they are")
    return edits


def _stored(comment: Comment) -> bytes:
    """What is encrypted for a comment.

    sops would turn a bare ``#`` inside a list into an item, so it is stored as a blank, a blank as
    two, and so on.
    """
    data = comment.text.encode("utf-8", "surrogateescape")
    return data + b" " if isinstance(comment.scope.node, list) and not data.strip(b" ") else data


def _comment_aad(aad: str) -> bytes:
    return aad.encode("utf-8", "surrogateescape") or b":"  # sops joins no keys and adds its colon


def _all_places(document: Document) -> list[bytes]:
    """Every place where sops may have put a comment, as additional data."""
    places = {b":"}
    pending: list[tuple[object, str]] = [(tree, "") for tree in document.trees]
    while pending:
        node, aad = pending.pop()
        if isinstance(node, dict):
            pending.extend((item, f"{aad}{key}:") for key, item in node.items())
        elif isinstance(node, list):
            pending.extend((item, aad) for item in node)
        else:
            continue
        places.add(_comment_aad(aad))
    return sorted(places)


# --- encrypting ----------------------------------------------------------------------------------


@bounded
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
    cannot be opened is not used, and ``notify`` is told so.  Without a ``rule`` the keys and the
    selection are the twin's, which then must open.  If nothing changed, the twin is returned.
    With ``new_data_key`` nothing of the twin is kept but metadata that encconf does not know.
    ``donors`` have more ciphertexts to keep, under the twin's data key: those of another branch.

    Raises AlreadyEncryptedError for a text with a ``sops`` entry, ParseError for one that its
    format or sops cannot hold, KeyAccessError or MasterKeyError when a key cannot be used.
    """
    module = formats.module(format)
    text = _text(text, binary=format == "binary")
    credentials = credentials or Credentials.from_env()
    old: Opened | None = twin if isinstance(twin, Opened) else None
    if isinstance(twin, str):
        try:
            old = open_text(twin, format=format, credentials=credentials)
        except EncconfError as error:
            if rule is None:
                raise
            if notify:
                notify(f"the existing encrypted file is not reused, every value is encrypted afresh: {error}")
    if rule is None and old is None:
        raise UsageError("nothing says which keys to encrypt for", hint="give a rule or an encrypted twin")
    selection = rule.selection if rule is not None else old.metadata.selection  # type: ignore[union-attr]
    if format == "binary" and selection != DEFAULT:
        if notify and rule is not None:
            notify(f"a binary file is one value, which is always encrypted: {selection.kind} is not used")
        selection = DEFAULT
    plain = _plain(module, text, selection)
    if old is not None and (quoted := _quoted(old.document)):
        _refuse_torn(module, plain, quoted)
    chosen = selection.choose(plain).leaves
    block = old.metadata if old is not None else Metadata([], 0, selection, "")
    model = old
    if new_data_key:
        if rule is None:
            raise UsageError("a new data key needs a rule that says whom it is for")
        old = None
    if (
        old is not None
        and rule is not None
        and shuts_out(old.metadata.groups, old.metadata.threshold, rule.groups, rule.threshold)
    ):
        old = None  # those who may not read the file any more know its data key
        if notify:
            notify("some who could open the file are not to any more: every value gets a new data key")
    data_key = old.data_key if old is not None else os.urandom(KEY_SIZE)
    groups, threshold = ([], 0) if old is None else (old.metadata.groups, old.metadata.threshold)
    if rule is not None:
        groups, threshold = wrap_again(
            data_key, groups, threshold, rule.groups, rule.threshold, credentials, lastmodified()
        )
    elif are_spoiled(groups):
        named = [[wrapped.key for wrapped in group] for group in groups]
        groups, threshold = wrap_again(
            data_key, groups, threshold, named, threshold, credentials, lastmodified()
        )
    metadata = block.renewed(
        groups=groups, threshold=threshold, selection=selection, lastmodified=lastmodified()
    )
    known = twin.document.text if isinstance(twin, Opened) else twin
    credentials.audit("encrypt", text if known is None else known)
    sealer = _Sealer(module, plain, metadata, data_key, old, notify, donors if old is not None else (), model)
    return sealer.run(chosen)


def _plain(module: Format, text: str, selection: Selection) -> Document:
    """The document of a text to encrypt; no key service is asked for one that cannot be."""
    plain = module.scan(text, comments=module.COMMENTS_STAY or selection.needs_comments)
    if any(part.block is not None for part in plain.parts):
        raise AlreadyEncryptedError(
            'the file has a top-level "sops" entry: it is encrypted already, or the name is taken',
            hint="to change an encrypted file, use: encconf edit FILE",
        )
    return plain


def _quoted(document: Document) -> set[tuple[Path, bytes]]:
    """The values that begin with a quote, by their paths: few files have any."""
    return {
        (leaf.path, leaf.data)
        for leaf in document.leaves
        if leaf.data and leaf.data.lstrip(b" \t").startswith((b'"', b"'"))
    }


def _refuse_torn(module: Format, plain: Document, quoted: set[tuple[Path, bytes]]) -> None:
    """Refuse a text in which one of the values that were ``quoted`` takes in what were values of their own.

    sops stores a value that begins with a quote and has no other; in the plain text, the next quote of
    the kind ends it.
    """
    for leaf in plain.leaves:
        first = module.unclosed(plain, leaf)
        if first is not None and (leaf.path, first) in quoted:
            raise EmitError(
                f"the value at {seal.path_text(leaf.path)} begins with a quote that ends lines below it",
                hint="put the whole value between quotes of the other kind, with: encconf edit FILE",
            )


def lastmodified() -> str:
    """A second ago, RFC 3339 in UTC.

    sops keeps the nonce of a MAC that it writes again for the same values in the same second; a
    file that it rewrites must not keep ours, which says that encconf wrote it.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))


class _Sealer:
    """One run of `encrypt`: from a plain text to the finished encrypted one."""

    def __init__(
        self,
        module: Format,
        given: Document,
        metadata: Metadata,
        data_key: bytes,
        old: Opened | None,
        notify: Notify | None,
        donors: Sequence[Opened] = (),
        model: Opened | None = None,
    ) -> None:
        self.module = module
        self.model = model
        self.donors = donors
        self.notify = notify
        self.given = given
        self.original = given.text
        self.metadata = metadata
        self.data_key = data_key
        self.old = old
        self.selection = metadata.selection
        self.encrypt = seal.Encryptor(data_key)

    def run(self, chosen: bytearray) -> str:
        module = self.module
        plain = given = self.given
        if self.notify is not None:
            for leaf, is_chosen in zip(plain.leaves, chosen, strict=True):
                if not is_chosen and module.fragile(leaf):
                    path = seal.path_text(leaf.path)
                    self.notify(f"sops before 3.13.2 reads the plain number at {path} as another one")
        prepared = module.prepare(plain, chosen)
        if prepared is not None:
            comments = module.COMMENTS_STAY or self.selection.needs_comments
            plain = module.scan(prepared.text, comments=comments)
            if [leaf.data for leaf in given.leaves] != [leaf.data for leaf in plain.leaves]:
                raise EmitError(
                    "the text cannot be put into the form that sops reads without changing a value",
                    hint="please report the layout that causes this; nothing was written",
                )
            meant, chosen = chosen, self.selection.choose(plain).leaves
            if chosen != meant:
                # sops copies the comments of an anchored collection for each alias; a flow copy has none.
                # It takes all comments of a key in INI for one.
                raise EmitError(
                    "what is encrypted depends on comments that sops finds at other places",
                    hint="write out the collection in an alias's place, with its comments; in INI, make the "
                    "comments of one key lines that follow each other",
                )
        reused = self._reusable(plain)
        self._warn(given, reused)
        sealed = self._seal_leaves(plain, chosen, reused)
        edits = [
            module.sealed(plain, leaf, enc, was_plain=was_plain)
            for leaf, (enc, was_plain) in zip(plain.leaves, sealed, strict=True)
            if enc is not None
        ]
        metadata = self.metadata
        metadata.mac = seal.seal_mac(
            plain, chosen, self.selection.to_entries(), self.data_key, metadata.lastmodified
        )
        attached = edits + module.attach(plain, self._block())
        encs = [enc for enc, _ in sealed]
        if module.COMMENTS_STAY and prepared is None:
            comment_edits = self._seal_comments(plain, plain, self.selection.choose(plain))
            final, final_chosen = self._scan_finished(plain, attached + comment_edits, chosen, encs)
            if self._comes_back(final, final_chosen):
                return self._finished(final.text, len(final.parts))
        # Where comments belong depends on what follows them: the block is there before they are read.
        final, now_chosen = self._scan_finished(plain, attached, chosen, encs)
        comment_edits = self._seal_comments(plain, final, now_chosen)
        if not module.COMMENTS_STAY and prepared is None:
            result = splice(final.text, comment_edits)
            # Comments decide nothing that is not decided yet, unless the rule is about them.
            known = None if self.selection.needs_comments else now_chosen
            if self._comes_back(module.scan(result, comments=True) if comment_edits else final, known):
                return self._finished(result, len(final.parts))
        result = self._with_layout(plain, final, sealed, prepared, comment_edits)
        if not self._comes_back(module.scan(result, comments=True)):
            raise EmitError(
                "the text cannot be encrypted so that it comes back as it is, comments included",
                hint="please report the layout or comment that causes this; nothing was written",
            )
        return self._finished(result, len(final.parts))

    def _scan_finished(
        self, plain: Document, edits: list[Edit], chosen: bytearray, sealed: list[str | None]
    ) -> tuple[Document, Chosen]:
        """Make a text of the plain one with these edits, and see that it says what was meant."""
        final = self.module.scan(splice(plain.text, edits), comments=True)
        now_chosen = self.selection.choose(final)
        self._check(plain, final, chosen, now_chosen.leaves, sealed)
        return final, now_chosen

    def _comes_back(self, document: Document, chosen: Chosen | None = None) -> bool:
        """Open a finished document as a reader does; whether that gives the original text, to the byte.

        ``chosen`` is what the rule of this run chooses there, if it is known.
        """
        _refuse_larger(document.text)
        metadata = Metadata.of(document)
        if chosen is None or metadata.selection != self.selection:
            chosen = metadata.selection.choose(document)
        opened = Opened(document, metadata, chosen, self.data_key)
        seal.unseal(document, opened.chosen.leaves, self.data_key)
        opened.check_mac()
        opened.comments = _open_comments(self.module, opened, None)
        return plain_text(opened) == self.original

    def _finished(self, result: str, parts: int) -> str:
        return self._with_version(self._unless_unchanged(result, parts))

    def _unless_unchanged(self, result: str, parts: int) -> str:
        """The twin itself when nothing differs but the MAC and its date."""
        old = self.old
        if old is None or old.metadata.mac is None or self.metadata.mac is None:
            return result
        before, now = old.metadata.lastmodified, self.metadata.lastmodified
        again = result.replace(self.metadata.mac, old.metadata.mac)
        if before != now and again.count(now) == parts:
            again = again.replace(now, before)
        return again if again == old.document.text else result

    def _with_version(self, result: str) -> str:
        """The text with a version and its rule in the block: rops writes neither, and sops needs them."""
        old = self.old
        if old is None or old.metadata.version or result == old.document.text:
            return result
        document = self.module.scan(result)
        assert document.block_text is not None
        block = document.block or {}
        members: dict[str, str | None] = {"version": SOPS_VERSION}
        if self.selection.kind not in block:
            members[self.selection.kind] = self.selection.pattern
        return splice(result, self.module.attach(document, self.module.amend(document.block_text, members)))

    def _seal_leaves(
        self, plain: Document, chosen: bytearray, reused: list[Leaf | None] | None
    ) -> list[tuple[str | None, bool]]:
        encrypt = self.encrypt
        out: list[tuple[str | None, bool]] = []
        before = self._placed_before(plain) if self.old is None else None
        for index, leaf in enumerate(plain.leaves):
            if not chosen[index] or leaf.data is None or (not leaf.data and not self.module.SEALS_EMPTY):
                out.append((None, False))
                continue
            was = reused[index] if reused is not None else None
            if was is not None and was.type != leaf.type and not self._keeps_block():
                was = None  # the new block says that it is of this version, which tells integers from floats
            if was is not None and was.sealed is not None:
                # See formats.json.token: an integer may have been stored as a float.
                leaf.type, leaf.data = was.type, was.data
                out.append((was.sealed, was.style == ""))
            else:
                place = before[index] if before is not None else None
                was_plain = place is not None and place.style == ""
                out.append((encrypt(leaf.type, leaf.data, leaf.aad), was_plain))
        return out

    def _placed_before(self, plain: Document) -> list[Leaf | None] | None:
        """Where the values stood in a file that gets a new data key: they stay on as many lines."""
        if self.model is None:
            return None
        from encconf.text.align import align

        leaves = self.model.document.leaves
        taken = align(_tokens(leaves, self.module), _tokens(plain.leaves, self.module))
        return [leaves[index] if index is not None else None for index in taken]

    def _warn(self, plain: Document, reused: list[Leaf | None] | None) -> None:
        """Tell of new values that others read differently: one line for each reason."""
        if self.notify is None:
            return
        places: dict[str, list[str]] = {}
        for index, leaf in enumerate(plain.leaves):
            if reused is None or reused[index] is None:
                reason = self.module.caveat(leaf)
                if reason is not None:
                    places.setdefault(reason, []).append(seal.path_text(leaf.path))
        for reason, paths in places.items():
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            self.notify(f"{', '.join(paths[:3])}{more}: {reason}")

    def _reusable(self, plain: Document) -> list[Leaf | None] | None:
        if self.old is None:
            return None
        from encconf.text.align import align

        reused: list[Leaf | None] = [None] * len(plain.leaves)
        used: set[str | None] = set()
        for source in (self.old, *self.donors):
            old = source.document.leaves
            taken = align(_tokens(old, self.module), _tokens(plain.leaves, self.module))
            for at, index in enumerate(taken):
                if index is not None and reused[at] is None and old[index].sealed not in used:
                    reused[at] = old[index]
            # Both may have a ciphertext from before they parted: it is given out once.
            used = {leaf.sealed for leaf in reused if leaf is not None and leaf.sealed is not None}
        return reused

    def _keeps_block(self) -> bool:
        """Whether the block is the twin's but for its MAC."""
        metadata, old = self.metadata, self.old
        return (
            old is not None
            and old.document.block_text is not None
            and old.metadata.groups is metadata.groups
            and old.metadata.selection == metadata.selection
        )

    def _block(self, layout: str | None = None) -> str:
        """The block's text: the twin's own with a new MAC where nothing else changed."""
        metadata, old = self.metadata, self.old
        if self._keeps_block():
            assert old is not None
            assert old.document.block_text is not None
            return self.module.amend(
                old.document.block_text,
                {
                    "mac": metadata.mac,
                    "lastmodified": metadata.lastmodified,
                    LAYOUT: layout,
                    **dict.fromkeys(UNMERGED),
                },
            )
        metadata.layout = layout
        return self.module.render_block(metadata.to_block())

    def _check(
        self,
        plain: Document,
        final: Document,
        chosen: bytearray,
        now_chosen: bytearray,
        sealed: list[str | None],
    ) -> None:
        """The finished text must hold exactly what was meant; a spelling mistake ends here."""
        fits = len(final.leaves) == len(plain.leaves) and final.shape == plain.shape and chosen == now_chosen
        # Without its block a file is lost: it holds the only copy of the data key.
        fits = fits and all(part.block is not None for part in final.parts)
        if fits:
            there = Metadata.of(final)
            fits = there.mac == self.metadata.mac and _wraps(there) == _wraps(self.metadata)
        if fits:
            for leaf, found, enc in zip(plain.leaves, final.leaves, sealed, strict=True):
                if enc is None:
                    if found.type != leaf.type or found.data != leaf.data:
                        fits = False
                elif found.type != "str" or found.data != enc.encode():
                    fits = False
                if not fits:
                    raise EmitError(
                        f"the value at {seal.path_text(leaf.path)} cannot be encrypted where it stands",
                        hint="spell the value in another way, in double quotes on one line for example",
                    )
        if not fits:
            raise EmitError(
                "the text cannot be encrypted without changing its structure",
                hint="please report the layout that causes this; nothing was written",
            )

    def _seal_comments(self, plain: Document, final: Document, chosen: Chosen) -> list[Edit]:
        if not final.comments:
            return []
        reused = self._reusable_comments(plain, final)
        edits: list[Edit] = []
        for index, comment in enumerate(final.comments):
            if not chosen.comments[index]:
                continue
            data = _stored(comment)
            if not data or (data.startswith(PREFIX.encode()) and split(data)):
                # (One that could not be decrypted must not be encrypted over again.)
                continue
            enc = reused.get(index) or self.encrypt("comment", data, _comment_aad(comment.scope.aad))
            if self.selection.kind == "unencrypted_comment_regex" and self.selection.matches(enc):
                raise ConfigError(
                    "unencrypted_comment_regex matches an encrypted comment: the file could not be read back",
                    hint="make the pattern more exact, for example by anchoring it with ^ and $",
                )
            edits.append((comment.start, comment.end, enc))
        return edits

    def _reusable_comments(self, plain: Document, final: Document) -> dict[int, str]:
        """The ciphertexts that comments keep, by the comment's number."""
        reused: dict[int, str] = {}
        old = self.old
        if old is None:
            return reused
        from encconf.text.align import align

        now = _with_comments(plain.leaves, final, self.module)
        for opened in (old, *self.donors):
            before = _with_comments(opened.document.leaves, opened.document, self.module)
            taken = align([token for token, _, _ in before], [token for token, _, _ in now])
            used = set(reused.values())
            for (_, index, _), source in zip(now, taken, strict=True):
                enc = before[source][2] if source is not None else None
                if index is not None and enc is not None and index not in reused and enc not in used:
                    reused[index] = enc
        # What sops encrypted for another place than the one it reads it from stays as it is, too.
        used = set(reused.values())
        astray: dict[bytes, list[str]] = {}
        for comment in reversed(old.document.comments):
            if comment.misplaced and comment.sealed and comment.sealed not in used:
                astray.setdefault(_stored(comment), []).append(comment.sealed)
        if astray:
            for index, comment in enumerate(final.comments):
                left = astray.get(_stored(comment))
                if index not in reused and left:
                    reused[index] = left.pop()
        return reused

    def _with_layout(
        self,
        plain: Document,
        final: Document,
        sealed: list[tuple[str | None, bool]],
        prepared: formats.Prepared | None,
        comment_edits: list[Edit],
    ) -> str:
        """Add the layout record if decrypting would not give the original back, and the comments."""
        module = self.module
        literals: list[Edit | None] = []
        for leaf, found, (enc, _) in zip(plain.leaves, final.leaves, sealed, strict=True):
            if enc is None or leaf.data is None:
                literals.append(None)
            else:
                literals.append(module.literal(final, found, leaf.type, leaf.data))
        detach = module.detach(final)
        canonical = splice(final.text, [edit for edit in literals if edit is not None] + detach)
        if canonical == self.original:
            return splice(final.text, comment_edits)
        from encconf.engine import layout as layouts

        layout = layouts.record(module, self.original, plain, final, literals, canonical, prepared)
        packed = layout.pack()
        old = self.old
        if old is not None and old.metadata.layout is not None and _open_layout(old) == packed:
            enc_layout = old.metadata.layout
        else:
            enc_layout = self.encrypt("bytes", packed, LAYOUT_AAD)
        return splice(final.text, comment_edits + module.attach(final, self._block(enc_layout)))


def _refuse_larger(result: str) -> None:
    """Refuse to write what is not read again for its size."""
    from encconf.io import fileio

    if 4 * len(result) > fileio.LIMIT and len(result.encode("utf-8", "surrogateescape")) > fileio.LIMIT:
        raise LimitError(
            f"the encrypted file would be larger than {fileio.LIMIT >> 20} MiB, and no larger one is read",
            hint="split the file; for large binary data, encrypt it with age and keep only its key here",
        )


def _wraps(metadata: Metadata) -> list[list[str]]:
    """Every wrapped data key, by group; a block lists them by type."""
    return [sorted(wrapped.enc for wrapped in group) for group in metadata.groups]


def _tokens(leaves: list[Leaf], module: Format) -> list[_Token]:
    """What must be the same for a ciphertext to be kept: place, type and bytes."""
    return [(leaf.aad, *module.token(leaf)) for leaf in leaves]


_Token = tuple[bytes, str, "bytes | None"]


def _with_comments(
    leaves: list[Leaf], document: Document, module: Format
) -> list[tuple[_Token, int | None, str | None]]:
    """Tokens of leaves and comments in the order of the text, with each comment's number and ciphertext.

    ``leaves`` have the plaintexts, ``document`` (with as many leaves) the places and comments.
    """
    items: list[tuple[int, tuple[_Token, int | None, str | None]]] = [
        (place.start, (token, None, leaf.sealed if leaf.type == "comment" else None))
        for leaf, place, token in zip(leaves, document.leaves, _tokens(leaves, module), strict=True)
    ]
    for index, comment in enumerate(document.comments):
        token = (_comment_aad(comment.scope.aad), "comment", _stored(comment))
        items.append((comment.start, (token, index, comment.sealed)))
    items.sort(key=lambda item: item[0])
    return [item for _, item in items]


# --- looking -------------------------------------------------------------------------------------


class InspectedLeaf:
    """One value of an encrypted text, as it looks without a key.

    ``path`` are keys and indexes; ``encrypted`` is whether the file's rule encrypts it; ``type`` is str, int,
    float, bool, bytes, time or null.
    """

    __slots__ = ("encrypted", "path", "type")

    def __init__(self, path: Path, encrypted: bool, type: str) -> None:
        self.path = path
        self.encrypted = encrypted
        self.type = type

    def __repr__(self) -> str:
        return f"InspectedLeaf({self.path!r}, encrypted={self.encrypted}, type={self.type!r})"


class Inspection:
    """What an encrypted text says of itself without a key; nothing of it is authenticated.

    ``leaves`` are its values in order; ``encrypted`` and ``plain`` count them; ``groups`` are its key
    groups, as pairs of type and name; ``threshold`` is how many groups are needed (0: one group);
    ``version`` and ``lastmodified`` are texts.
    """

    __slots__ = (
        *("encrypted", "format", "groups", "lastmodified", "leaves", "plain", "selection", "threshold"),
        "version",
    )

    def __init__(self, document: Document, metadata: Metadata, chosen: bytearray) -> None:
        self.format = document.format
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
    """The type of a value, which a ciphertext says too."""
    parts = split(leaf.data) if leaf.data is not None and leaf.data.startswith(PREFIX.encode()) else None
    return parts[2] if parts is not None else leaf.type


def inspect(text: str | bytes, *, format: str = "yaml") -> Inspection:
    """Read an encrypted text's ``sops`` block, without a key.

    >>> inspect(Path("secrets.enc.yaml").read_text()).leaves[0].path  # doctest: +SKIP
    ('db', 'host')

    Raises NotEncryptedError, MetadataError or ParseError.
    """
    document = formats.module(format).scan(_text(text), comments=True)
    metadata = Metadata.of(document)
    return Inspection(document, metadata, metadata.selection.choose(document).leaves)
