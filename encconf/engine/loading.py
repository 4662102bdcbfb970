"""The values of encrypted files as Python dicts: `encconf.load_config` and its siblings.

`tree_of` opens a file and returns its values, and `shaped` makes what the caller wants of them: one section,
or an object of the caller's type.  `check` checks the types of options, so that the error names the option
and is not one from deep inside.
"""

from __future__ import annotations

import os

from encconf import formats
from encconf.engine.metadata import ciphertext_in
from encconf.engine.opening import (
    Opened,
    as_text,
    open_encrypted,
    open_text,
    refuse_proposal,
    refuse_unloadable,
)
from encconf.envelope.unwrap import DataKeyCache
from encconf.errors import (
    ConfigTypeError,
    DecryptError,
    EncconfError,
    InputError,
    LostBlockError,
    MissingFileError,
    NotEncryptedError,
    PathNotFoundError,
    PlaintextError,
    UsageError,
    WrongTypeError,
    about,
    bounded,
)
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.rules.selection import DEFAULT
from encconf.text.document import OMITTED, Unsealed, reached
from encconf.text.path import Path, spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable
    from typing import Any, TypedDict, TypeVar

    from _typeshed import SupportsRead

    from encconf.rules.config import Notify
    from encconf.sources.references import Resolve
    from encconf.text.document import Document, Leaf, Value

    class Options(TypedDict, total=False):
        """The options of `load_config` and `load_layers`."""

        section: Section
        mask: bool
        credentials: Credentials | None
        cache: DataKeyCache | None
        resolve: bool | Resolve

    class FileOptions(Options, total=False):
        """The options of `load_config`."""

        format: str | None

    T = TypeVar("T")
    FilePath = str | os.PathLike[str]

    Readable = SupportsRead[str | bytes] | Traversable
    Input = FilePath | Readable
    Masker = Callable[[object], object]
    Section = str | tuple[str, ...]


def tree_of(
    path: Input,
    masker: Masker | None,
    *,
    format: str | None = None,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> tuple[str, dict[str, Any], str]:
    """Return the name of an encrypted file, its values, and its format.

    ``masker`` is called with each value that was encrypted and returns the value to load.
    """
    name, opened = _opened(path, format, credentials, cache)
    with about(name, frames=False):
        texts = resolved([(name, opened)], resolve, credentials)[0] if resolve else {}
        return name, only(values_of(opened, texts, masker)), opened.document.format.name


@bounded
def _opened(
    path: Input, format: str | None, credentials: Credentials | None, cache: DataKeyCache | None
) -> tuple[str, Opened]:
    """Open a file for its values, and return its name, too."""
    is_path = isinstance(path, (str, os.PathLike))
    name = path_of(path, "loading") if is_path else getattr(path, "name", "")
    name = name if isinstance(name, str) else ""
    with about(name, frames=False):
        try:
            text = fileio.read_text(name) if is_path else _read(path)
            return name, open_values(text, format, credentials, cache, name)
        except (MissingFileError, NotEncryptedError) as error:
            if is_path:
                from encconf.rules.config import meant_by

                error.hint = meant_by(error, name) or error.hint
            raise


@bounded
def open_values(
    text: str,
    format: str | None,
    credentials: Credentials | None,
    cache: DataKeyCache | None,
    name: str = "",
) -> Opened:
    """Open a text for its values.  Without ``format``, its content decides the format.

    If sops stored a ``.toml`` or ``.env.sops`` as a binary file, the values are those of the text inside.
    """
    given = format
    format = format or formats.format_of(text, name)
    single = formats.get(format).single_value
    inner = formats.of_inner(name) if single and not given else format
    if formats.get(inner).single_value:
        raise no_values()
    opened = open_encrypted(text, format, credentials, comments=False, cache=cache)
    if not single:
        return opened
    from encconf.engine.plaintext import plain_text

    document = formats.get(inner).scan(plain_text(opened))
    if document.block is not None:
        raise InputError("it was encrypted twice", hint="decrypt it once, then load the result")
    # All of it was encrypted.
    values: list[Value] = [Unsealed(leaf.type, leaf.data, b"") for leaf in document.leaves]
    metadata = opened.metadata.renewed(selection=DEFAULT)
    return Opened(document, metadata, DEFAULT.choose(document), opened.data_key, values)


def no_values() -> UsageError:
    hint = "get them with decrypt; if it has another format, give it: format='yaml'"
    return UsageError("a binary file has bytes, not values", hint=hint)


def masker_for(mask: bool, schema: object = None) -> Masker | None:
    """Return the masker, or None.  A schema needs one, because its errors could show values."""
    if not mask and schema is None:
        return None
    from encconf.shape.mask import masked, masked_number

    # pydantic's errors show the input.  msgspec's do not, and it accepts no subclass of int.
    return masked_number if hasattr(schema, "__pydantic_validator__") else masked


def shaped(tree: Any, section: Section, schema: type[T] | None, *, name: str, lax: bool) -> Any:
    """Return a section of a loaded tree, converted to the type ``schema`` if one is given."""
    keys: tuple[str, ...] = ()
    with about(name, frames=False):
        if section:
            tree, keys = _at(tree, section)
        if schema is not None:
            from encconf.shape.schema import convert

            return convert(tree, schema, at=keys, lax=lax)
        if not isinstance(tree, dict):
            raise ConfigTypeError(f"{spell(keys)}: expected a mapping")
        return tree


def _read(opened: Any) -> str:
    """Return the text of an open file, or of a resource of a package."""
    read = getattr(opened, "read_bytes", None) or getattr(opened, "read", None)
    if not callable(read):
        raise WrongTypeError(f"expected the name of a file or an open file, not {type(opened).__name__}")
    try:
        return as_text(read())
    except FileNotFoundError:
        raise MissingFileError("no such file") from None


def load_many(
    paths: Iterable[Input], masker: Masker | None, resolve: bool | Resolve, **options: Any
) -> list[dict[str, Any]]:
    """See `encconf.load_configs`."""
    from encconf.io.threads import side_by_side

    paths = list(paths)
    credentials = options["credentials"] or Credentials.from_env()
    cache = options["cache"] if options["cache"] is not None else DataKeyCache()
    options.update(credentials=credentials, cache=cache)

    def load(path: Input) -> Any:
        return _opened(path, **options) if resolve else tree_of(path, masker, **options)[1]

    found = []
    for _, loaded in side_by_side(load, paths):
        if isinstance(loaded, EncconfError):
            raise loaded
        found.append(loaded)
    if not resolve:
        return found
    trees = []
    for (name, opened), texts in zip(found, resolved(found, resolve, credentials), strict=True):
        with about(name, frames=False):
            trees.append(only(values_of(opened, texts, masker)))
    return trees


def copied(value: Any) -> Any:
    """Return a copy of the dicts and lists of a value.  Single values are immutable."""
    if isinstance(value, dict):
        return {key: copied(member) for key, member in value.items()}
    return list(map(copied, value)) if isinstance(value, list) else value


def only(trees: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only document of a text that has values.  Raises InputError if others have some, too."""
    if not trees or any(trees[1:]):
        raise InputError(f"the file has {len(trees)} documents, not one", hint="read them all with loads_all")
    return trees[0]


def read_plain(name: str, format: str | None) -> tuple[str, Document, dict[str, Any]]:
    """Return format, document and values of a plaintext file.  Raises PlaintextError if it is encrypted."""
    text = fileio.read_text(name)
    if formats.find(text, name) is not None:
        raise PlaintextError("the file is encrypted", hint="pass the path without plain()")
    format = format or formats.of_path(name)
    document = formats.get(format).scan(text, comments=True)
    if (place := ciphertext_in(document)) is not None:
        raise LostBlockError(place)
    return format, document, only(document.format.load_plain(text))


@bounded
def open_to_edit(
    text: str,
    format: str,
    masker: Masker | None,
    credentials: Credentials | None,
    notify: Notify | None = None,
) -> tuple[Opened, dict[str, Any]]:
    """Open a text with its comments, for `encconf.engine.changes`, and return its values, too."""
    if formats.get(format).single_value:
        raise no_values()
    opened = open_text(text, format=format, credentials=credentials, notify=notify)
    return opened, only(values_of(opened, {}, masker))


def resolved(
    files: Sequence[tuple[str, Opened]],
    resolve: bool | Resolve,
    credentials: Credentials | None,
    under: Path = (),
) -> list[dict[int, str]]:
    """Resolve the references ``under`` a path in opened files.  Returns texts by leaf number for each file.

    A file's name may be "".  Raises one UnresolvedError that names all references that cannot be resolved.
    Raises ProposalError: somebody without a key wrote the references of a proposal, and one may run a
    program.
    """
    if not resolve:
        return [{} for _ in files]
    for name, opened in files:
        with about(name, frames=False):
            refuse_proposal(opened.document)
    from encconf.sources import references

    places = [(name, opened.document, opened.values, opened.covered) for name, opened in files]
    return references.resolve(places, resolve, credentials or Credentials.from_env(), under)


@bounded
def values_of(opened: Opened, texts: Mapping[int, str], masker: Masker | None) -> list[dict[str, Any]]:
    """Return the values, with ``texts`` in place of some leaves.  ``masker`` is as for `tree_of`."""
    document, format = opened.document, opened.document.format
    refuse_unloadable(opened)
    if not format.shows_types(document, opened.values):
        return _reread(opened, texts, masker)
    if texts:
        opened = opened.with_texts(texts)
    python_value = format.python_value
    integral = not format.tells_integers(document)  # whether floats may be integers
    values: list[object] = []
    for index, found in enumerate(opened.values):
        kind = found.type
        data = found.data
        value: object
        if kind == "comment":
            values.append(OMITTED)
            continue
        if kind == "str" and data is not None:
            try:
                value = data.decode()
            except UnicodeDecodeError:
                value = data
        else:
            if integral and data and len(data) < 16 and data.lstrip(b"-").isdigit():
                kind = "int"
            try:
                value = python_value(kind, data)
            except ValueError:
                path = spell(document.leaves[index].path)
                raise DecryptError(
                    f"the value at {path} does not have the type it is marked with ({kind})"
                ) from None
        if masker is not None and found.sealed is not None:
            value = masker(value)
        values.append(value)
    return format.loaded(document, values)


def _reread(opened: Opened, texts: Mapping[int, str], masker: Masker | None) -> list[dict[str, Any]]:
    """Return the values as the format reads them in the plaintext: the encrypted text does not show types."""
    from encconf.engine.plaintext import plain_text

    document = opened.document
    trees = document.format.load_plain(plain_text(opened))
    for index, text in texts.items():
        _node(trees[0], document.leaves[index])[document.leaves[index].step] = text
    if masker is not None:
        for index, leaf in enumerate(document.leaves):
            if opened.values[index].sealed is not None or index in texts:
                node = _node(trees[0], leaf)
                node[leaf.step] = masker(node[leaf.step])
    return trees


def _node(tree: Any, leaf: Leaf) -> Any:
    """Return the mapping or list of a tree that holds a leaf."""
    for step in leaf.scope.path:
        tree = tree[step]
    return tree


# --- one section --------------------------------------------------------------------------------------


def _at(tree: Any, section: Section) -> tuple[Any, tuple[str, ...]]:
    """Return the value at a section, and the keys that lead to it.

    A tuple is an exact path.  In a str, dots separate keys, but the longest key that the file has is tried
    first: ``"app.db"`` is the key ``app.db`` if it exists, or else ``db`` inside ``app``.  Raises
    PathNotFoundError or WrongTypeError.
    """
    check(section=section)
    keys = section if isinstance(section, tuple) else _longest(tree, section.split("."))
    at, found = reached(tree, keys or ())
    if keys is None or at < len(keys):
        name = spell(section) if isinstance(section, tuple) else section
        raise PathNotFoundError(f"the file has no section {name}", hint=_sections_hint(tree))
    return found, keys


def _longest(tree: Any, parts: list[str]) -> tuple[str, ...] | None:
    if not parts:
        return ()
    if not isinstance(tree, dict):
        return None
    for size in range(len(parts), 0, -1):
        key = ".".join(parts[:size])
        if key in tree:
            rest = _longest(tree[key], parts[size:])
            if rest is not None:
                return (key, *rest)
    return None


def _sections_hint(tree: Any) -> str | None:
    names = [str(key) for key, value in tree.items() if isinstance(value, dict)]
    return f"the file has these sections: {listed(names)}" if names else None


# --- the types of options ----------------------------------------------------------------------------


def path_of(value: Any, call: str) -> str:
    """Return a file's name as a str.  Raises WrongTypeError, which names the call."""
    if isinstance(value, (str, os.PathLike)):
        name = os.fspath(value)
        if isinstance(name, str):
            return name
    raise WrongTypeError(f"{call} needs a file's name (str or path), not {type(value).__name__}")


def check(**given: Any) -> None:
    """Check the types of options, which are given by name.  None is always accepted.

    Raises WrongTypeError, and UsageError for a negative interval.
    """
    for name, value in given.items():
        if value is not None and not _OPTIONS[name][0](value):
            raise WrongTypeError(f"{name} must be {_OPTIONS[name][1]}, not {type(value).__name__}")
    if (given.get("interval") or 0) < 0:
        raise UsageError("interval must not be negative: it is in seconds")


def _is_schema(value: object) -> bool:
    """Whether it is a class or a type of `typing`: ``dict[str, int]``, ``A | B``, ``Annotated``, NewType."""
    signs = ("__origin__", "__args__", "__supertype__", "__value__")
    return isinstance(value, type) or any(hasattr(value, sign) for sign in signs)


def _is_a(module: str, name: str) -> Callable[[Any], bool]:
    """Return a test for a class that is imported only if an option is given: then it is loaded already."""
    return lambda value: isinstance(value, getattr(__import__(module, fromlist=[name]), name))


_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "cache": (lambda value: isinstance(value, DataKeyCache), "a DataKeyCache"),
    "credentials": (lambda value: isinstance(value, Credentials), "Credentials"),
    "resolve": (
        lambda value: isinstance(value, bool) or _is_a("encconf.sources.references", "Resolve")(value),
        "True, False or a Resolve",
    ),
    "env": (lambda value: isinstance(value, str), "a str, the prefix of the variables' names"),
    "environ": (lambda value: hasattr(value, "keys"), "a mapping of names to texts"),
    "format": (lambda value: isinstance(value, str), f"a str: {', '.join(formats.NAMES)}"),
    "interval": (
        lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
        "a number of seconds",
    ),
    "paths": (
        lambda value: hasattr(value, "__iter__") and not isinstance(value, (str, bytes)),
        "a list of files",
    ),
    "rule": (_is_a("encconf.rules.config", "Rule"), "a Rule, which find_rule makes"),
    "mask": (lambda value: isinstance(value, bool), "True or False"),
    "schema": (_is_schema, "a class, not an object of it"),
    "section": (
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, tuple) and all(isinstance(key, str) for key in value))
        ),
        "a str or a tuple of str",
    ),
}
