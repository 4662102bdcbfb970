"""Merge several files and the environment into one configuration.

The model is dynaconf: later layers win, and ``APP_DB__PORT`` sets ``db.port``.  Nothing is interpolated, and
the environment is read only if you give a prefix.  A bare path must be an encrypted file, so that a
decrypted copy in production is an error; `plain` marks the files that are meant to be readable.
"""

from __future__ import annotations

import os

from encconf import formats
from encconf.engine import loading
from encconf.engine.loading import check, path_of
from encconf.errors import (
    ConfigTypeError,
    ForeignConfigError,
    MissingFileError,
    NoConfigError,
    NoMatchingRuleError,
    NotEncryptedError,
    PlaintextError,
    UsageError,
    WrongTypeError,
    about,
)
from encconf.record import Record
from encconf.shape.mask import masked
from encconf.text.path import spell
from encconf.text.printable import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias, TypeVar, Unpack, overload

    from encconf.engine.loading import Input, Options, Section
    from encconf.envelope.unwrap import DataKeyCache
    from encconf.identities.credentials import Credentials
    from encconf.sources.references import Resolve
    from encconf.text.document import Document

    T = TypeVar("T")
    Layer: TypeAlias = "Input | Plain | Optional | Mapping[str, Any]"
    Load: TypeAlias = "Callable[[Any], tuple[dict[str, Any], str]]"

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_WANTED = ((bool, "bool"), (int, "int"), (float, "float"), (list, "a JSON list"), (dict, "a JSON object"))


class Plain(Record):
    """A layer that is not encrypted, made by `plain`."""

    path: str
    format: str | None


class Optional(Record):
    """A layer whose file may be missing, made by `optional`."""

    layer: Any


def plain(path: str | os.PathLike[str], *, format: str | None = None) -> Plain:
    """Return a layer for `load_layers` whose file is meant to be readable, for example defaults.

    `load_layers` raises PlaintextError if the file is encrypted after all, or if a rule of its
    ``.sops.yaml`` says to encrypt values in it.  Raises WrongTypeError if ``path`` is not a path.

    >>> base = plain("base.yaml")
    """
    check(format=format)
    return Plain(path_of(path, "plain"), format)


def optional(layer: str | os.PathLike[str] | Plain) -> Optional:
    """Return a layer for `load_layers` that is skipped if its file does not exist.

    Raises WrongTypeError if ``layer`` is neither a path nor a result of `plain`.

    >>> local = optional(plain("local.yaml"))
    """
    return Optional(layer if isinstance(layer, Plain) else path_of(layer, "optional"))


if TYPE_CHECKING:

    @overload
    def load_layers(
        *layers: Layer,
        env: str | None = None,
        environ: Mapping[str, str] | None = None,
        schema: type[T],
        **options: Unpack[Options],
    ) -> T: ...

    @overload
    def load_layers(
        *layers: Layer,
        env: str | None = None,
        environ: Mapping[str, str] | None = None,
        schema: None = None,
        **options: Unpack[Options],
    ) -> dict[str, Any]: ...


def load_layers(
    *layers: Layer,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    section: Section = (),
    schema: type[T] | None = None,
    mask: bool = False,
    credentials: Credentials | None = None,
    cache: DataKeyCache | None = None,
    resolve: bool | Resolve = False,
) -> dict[str, Any] | T:
    """Merge several files, and then variables of the environment, into one dict.

    A layer is the path of an encrypted file, `plain` of a readable one, `optional` of either, or a dict.
    Later layers win: mappings are merged; lists, single values and null replace the earlier value.

    With ``env="APP_"``, the variable ``APP_DB__PORT`` sets ``db.port``.  The name is the prefix and the
    keys, joined by two underscores, in upper or lower case.  The text is converted to the type of the
    existing value: a bool, int or float, or JSON for a list or mapping.  If there is no value yet, it stays
    text, and its keys are in lower case.  ``environ`` is os.environ by default.

    ``section``, ``schema``, ``mask``, ``credentials``, ``cache`` and ``resolve`` are as in `load_config`.
    The section is selected after merging.

    Raises ConfigTypeError for a variable that cannot be converted (``APP_DB__PORT: db.port wants int``; the
    message never contains its value), NotEncryptedError for a bare path that is not encrypted,
    PlaintextError, and what `load_config` raises.

    >>> config = load_layers(plain("base.yaml"), "secrets.enc.yaml", env="APP_")  # doctest: +SKIP
    """
    check(env=env, environ=environ, section=section, schema=schema, mask=mask)
    check(credentials=credentials, cache=cache, resolve=resolve)
    if environ is not None and env is None:
        raise UsageError("environ needs env, the prefix of the variables: env='APP_'")
    masker = loading.masker_for(mask, schema)
    options = {"masker": masker, "credentials": credentials, "cache": cache, "resolve": resolve}
    overrides = env, os.environ if environ is None else environ
    try:
        with about("", frames=False):
            found: dict[str, Any] | T = _layered(layers, overrides, (section, schema), **options)
            return found
    finally:
        del environ, overrides  # error trackers print local variables


def _layered(
    layers: Sequence[Any],
    overrides: tuple[str | None, Mapping[str, str]],
    shape: tuple[Section, type[T] | None],
    **options: Any,
) -> Any:
    """Do the work of `load_layers`."""
    env, environ = overrides
    merged, typed = merged_layers(layers, lambda path: loading.tree_of(path, **options)[1:])
    if env is not None:
        _override(merged, env, environ)
    return loading.shaped(merged, *shape, name="", lax=not typed or env is not None)


def merged_layers(layers: Sequence[Any], load: Load) -> tuple[dict[str, Any], bool]:
    """Merge layers; later ones win.  Also returns whether one of them has types.

    ``load`` returns the values and the format of an encrypted file.
    """
    merged: dict[str, Any] = {}
    texts_only = True
    for layer in layers:
        found = _load(layer, load)
        if found is not None:
            values, typed = found
            texts_only = texts_only and not typed
            merged = _merge(merged, values)
    return merged, not texts_only


def _load(layer: Any, load: Load) -> tuple[Mapping[str, Any], bool] | None:
    """Return the values of a layer and whether its format has types, or None for a missing optional file."""
    if isinstance(layer, Optional):
        try:
            return _load(layer.layer, load)
        except MissingFileError:
            return None
    if isinstance(layer, Plain):
        return _load_plain(layer)
    if hasattr(layer, "keys") and hasattr(layer, "items"):
        return layer, True
    try:
        values, format = load(layer)
    except NotEncryptedError as error:
        error.hint = "if the file is meant to be readable, use plain(path)"
        raise
    return values, not formats.get(format).flat


def _load_plain(layer: Plain) -> tuple[dict[str, Any], bool]:
    name = layer.path
    with about(name):
        format, document, values = loading.read_plain(name, layer.format)
        refuse_plaintext(name, document)
    return values, not formats.get(format).flat


def refuse_plaintext(name: str, document: Document | None) -> None:
    """Raise PlaintextError if a rule of ``.sops.yaml`` says to encrypt values of a plaintext file.

    Without ``document``, the text cannot be read in its format, and any rule counts.
    """
    rule = _rule(name)
    if rule is not None and (
        document is None
        or any(
            chosen and leaf.data
            for leaf, chosen in zip(document.leaves, rule.selection.choose(document).leaves, strict=True)
        )
    ):
        raise PlaintextError(
            "the file is plaintext, but .sops.yaml says that it must be encrypted",
            hint=f"encrypt it: encconf encrypt {quoted(name)}",
        )


def _rule(name: str) -> Any:
    from encconf.rules.config import find_rule

    try:
        return find_rule(name)
    except (NoConfigError, NoMatchingRuleError, ForeignConfigError):
        return None  # another user's file in /tmp, say, must not stop your programs


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a merged mapping.  It is a copy with new mappings at every level, so no layer is changed."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, dict):
            merged[key] = _merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged


# --- the environment -------------------------------------------------------------------------


def _override(tree: dict[str, Any], prefix: str, environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if name.startswith(prefix) and len(name) > len(prefix):
            _set(tree, name, name[len(prefix) :].split("__"), environ[name])


def _set(tree: dict[str, Any], name: str, words: list[str], text: str) -> None:
    if not isinstance(text, str):
        raise WrongTypeError(f"environ: {name} must be a str, not {type(text).__name__}")
    node: Any = tree
    keys: list[str] = []
    for word in words[:-1]:
        key = _key(node, word, name)
        keys.append(key)
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            raise ConfigTypeError(f"{name}: {spell(keys)} is not a mapping")
    key = _key(node, words[-1], name)
    keys.append(key)
    node[key] = _cast(text, node.get(key), f"{name}: {spell(keys)}")


def _key(node: dict[Any, Any], word: str, name: str) -> str:
    """Return the key that a word of a variable's name means: the same word, or else one in another case."""
    if word in node:
        return word
    same = [key for key in node if isinstance(key, str) and key.lower() == word.lower()]
    if len(same) > 1:
        raise ConfigTypeError(f"{name}: it could mean {' or '.join(same)}; write it as one of them")
    return same[0] if same else word.lower()


def _cast(text: str, old: Any, place: str) -> Any:
    """Return a text, converted to the type of the old value."""
    try:
        if isinstance(old, bool):
            return _BOOLEANS[text.strip().lower()]
        if isinstance(old, int):
            return int(text)
        if isinstance(old, float):
            return float(text)
        if isinstance(old, (list, dict)):
            from json import loads

            value = loads(text)
            if not isinstance(value, type(old)):
                raise ValueError
            return value
    except (ValueError, KeyError, RecursionError):
        wanted = next(word for kind, word in _WANTED if isinstance(old, kind))
        raise ConfigTypeError(f"{place} wants {wanted}") from None
    return text if type(old) in (str, bytes, type(None)) else masked(text)
