"""Values written in another format than their own, or a part of a document in its own format.

This is what ``--output-type`` and ``--extract`` print.  The spelling is that of sops 3.13.3
(stores/*/store.go: EmitPlainFile, EmitValue), which uses go-yaml 3, encoding/json and go-ini.  A whole
document in its own format is rewritten only if sops rewrites it: `encconf.api.decrypt` returns its own text.

Values are those of `trees_of`: dicts and lists, which have the comments in them, and a `Value` for each
single value.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from math import isfinite

from encconf import formats
from encconf.errors import EmitError
from encconf.formats import goyaml
from encconf.formats.writing import text_of, value_at
from encconf.record import VerbOptions
from encconf.text.document import OMITTED, Comment, Document, Value, filled, mapped
from encconf.text.path import Path, parse, spell
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from encconf.text.document import Format, Scope

    Comments = dict[str | int | None, list[tuple[str, bool]]]
    """The comments of each item, and under None those at the end: their text, and whether beside the item."""


class CommentedDict(dict[str, "Any"]):
    """A mapping and the comments in it."""

    __slots__ = ("comments",)

    def __init__(self, members: Mapping[str, Any] | None = None, comments: Comments | None = None) -> None:
        super().__init__(members or {})
        self.comments: Comments = comments or {}


class CommentedList(list["Any"]):
    """A sequence and the comments in it."""

    __slots__ = ("comments",)

    def __init__(self) -> None:
        super().__init__()
        self.comments: Comments = {}


def render(trees: Sequence[Any], format: str, *, indent: int | None = None) -> str:
    """Return documents as a text of a format.  Formats other than YAML and INI write only the first one.

    ``indent`` is in characters, or None for sops's default (YAML 4, JSON a tab).  Raises EmitError for what
    the format cannot hold.
    """
    return _checked(format, indent).render(trees, indent)


def refuse_several(trees: Sequence[Any], format: str) -> None:
    """Raise EmitError if `render` would leave out documents with values: this format has only one."""
    if any(trees[1:]) and not formats.get(format).holds_documents:
        raise EmitError(
            f"{format} holds one document, but this file has {len(trees)}",
            hint="yaml can hold several documents",
        )


MAX_INDENT = 100
"""How many characters a text may be indented by: the .sops.yaml of a branch may request any number."""


def _checked(name: str, indent: int | None) -> Format:
    """Return a format.  Raises EmitError if it does not accept the indentation."""
    if name not in formats.ROWS:
        raise EmitError(
            f"values cannot be written as {name}", hint=f"possible formats: {', '.join(formats.NAMES)}"
        )
    format = formats.get(name)
    if indent is not None and indent > MAX_INDENT:
        raise EmitError(f"an indentation of more than {MAX_INDENT} characters")
    if indent is not None:
        format.check_indent(indent)
    return format


def value(node: Any, format: str, *, indent: int | None = None) -> str:
    """Return what ``--extract`` prints: strings as they are, mappings as documents, others in the format."""
    if isinstance(node, dict):
        return render([node], format, indent=indent)
    if isinstance(node, Value) and node.type == "str":
        return text(node)
    return _checked(format, indent).render_value(node, indent)


def trees_of(
    document: Document,
    values: Sequence[Value] | None = None,
    comments: Sequence[Comment] | None = None,
) -> list[Any]:
    """Return a document's trees, with a `Value` for each single value, and with their comments.

    ``values`` and ``comments`` are those of an opened document.  Comments that sops stores as items of a
    sequence are comments here, not items.
    """
    items: list[object] = list(document.leaves if values is None else values)
    starts = {id(item): leaf.start for leaf, item in zip(document.leaves, items, strict=True)}
    said: list[tuple[Scope, int, str]] = []  # the comments that are items
    hidden: dict[int, list[int]] = {}  # their numbers, by the id of the sequence's scope
    for at, leaf in enumerate(document.leaves):
        item = items[at]
        assert isinstance(item, Value)
        if item.type == "comment" and isinstance(leaf.step, int):
            said.append((leaf.scope, leaf.step, (item.data or b"").decode("utf-8", "replace")))
            hidden.setdefault(id(leaf.scope), []).append(leaf.step)
            items[at] = OMITTED
    trees, nodes = filled(document.items, items, CommentedDict, CommentedList)

    def shown(scope: Scope, step: int) -> int:
        """Return the number of an item among those items of its sequence that are not comments."""
        return step - bisect_left(hidden.get(id(scope), ()), step)

    for scope, step, comment_text in said:
        node, number = nodes[id(scope)], shown(scope, step)
        node.comments.setdefault(number if number < len(node) else None, []).append((comment_text, False))
    for comment in comments if comments is not None else document.comments:
        if id(comment.scope) not in nodes:
            continue  # it is in the sops block
        node, before = nodes[id(comment.scope)], comment.before
        if isinstance(before, int):
            before = shown(comment.scope, before)
        try:
            following = node[before] if before is not None else None
        except (KeyError, IndexError):
            following = before = None  # the item is the sops block
        beside = isinstance(following, Value) and comment.start > starts[id(following)]
        node.comments.setdefault(before, []).append((comment.text, beside))
    return trees or [CommentedDict()]


def text(value: Value) -> str:
    """Return a single value as text, as sops writes it into dotenv and INI files and environments.

    Raises EmitError for bytes that are not UTF-8.
    """
    data = value.data
    if data is None:
        return "<nil>"
    if value.type == "float":
        return goyaml.short_float(float(data), "E")
    if value.type == "time":
        data = re.sub(rb"\.[0-9]+", b"", data)
    return text_of(value.type, data)


# --- for the formats: items with their comments --------------------------------------------------


def items_of(node: Any) -> list[tuple[Any, Any, list[tuple[str, bool]]]]:
    """Return key or index, item, and its comments.  Comments at the end come last, with None for the item."""
    about = node.comments if isinstance(node, (CommentedDict, CommentedList)) else {}
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    items = [(key, item, about.get(key, [])) for key, item in pairs]
    return [*items, (None, None, about[None])] if None in about else items


def lines_above(comments: list[tuple[str, bool]], key: Any) -> list[str]:
    """Return the lines of the comments above an item.  At the end of a collection, those are all comments."""
    return [line for text, inline in comments if not inline or key is None for line in comment_lines(text)]


def text_after(comments: list[tuple[str, bool]]) -> str:
    """Return the comments after an item, on its line."""
    return "".join(f" {line}" for text, inline in comments if inline for line in comment_lines(text))


def comment_lines(comment: str) -> list[str]:
    """Return a comment as go-yaml writes it, with a sign before each line: comments of INI have several."""
    first, *others = re.split("\r\n|[\n\r\x85\u2028\u2029]", comment)
    return [f"#{first}", *(line if line[0] == "#" else f"# {line}" for line in others if line)]


# --- for programs --------------------------------------------------------------------------------


def plain_of(node: Any) -> Any:
    """Return the values with the `plain_value` of each `Value`."""
    return mapped(node, plain_value)


def plain_value(value: Value) -> object:
    """Return the Python value for JSON: a date is text.  Raises EmitError for what JSON cannot hold."""
    data = value.data
    if data is None:
        return None
    if value.type == "bool":
        return bool_word(data) == "true"
    if value.type == "int":
        return int(data)
    if value.type == "float":
        number = float(data)
        if not isfinite(number):
            raise EmitError("a number is infinite or NaN: JSON cannot hold it")
        return number
    return text_of(value.type, data)


def flat(node: Any, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Yield every single value with its path."""
    if isinstance(node, Value):
        yield path, node
        return
    for step, item in node.items() if isinstance(node, dict) else enumerate(node):
        yield from flat(item, (*path, step))


def only_tree(trees: Sequence[Any]) -> Any:
    """Return the tree of a file with one document.  Raises EmitError if other documents have values, too.

    Anybody can split a document of sops in two, so the first one may lack what the file had.
    """
    if any(trees[1:]):
        raise EmitError(
            f"the file has {len(trees)} documents, not one",
            hint="write the values into one document, or each document into its own file",
        )
    return trees[0]


_ODD = re.compile(r"[^A-Za-z0-9_]")


class Naming(VerbOptions):
    """The options that say how values are named as variables, and which are used: ``DB_PASSWORD``."""

    prefix: str | None = None
    nested_separator: str | None = None
    section: str | None = None
    keep_case: bool = False

    @property
    def path(self) -> Path:
        """The path of the section.  Raises PathSyntaxError."""
        return parse(self.section or "")

    def values(self, trees: Sequence[Any]) -> dict[str, tuple[Path, Value]]:
        """Return the paths and values of the section of a file's trees by name, without null values.

        Raises PathNotFoundError or EmitError if the section is not a mapping, and EmitError if two values get
        the same name, or if there are several documents.
        """
        section = self.path
        tree = value_at(only_tree(trees), section)
        if not isinstance(tree, dict):
            raise EmitError(f"{spell(section)} is not a mapping", hint="choose one with --section PATH")
        found: dict[str, tuple[Path, Value]] = {}
        for below, value in flat(tree):
            if value.data is None:
                continue
            name, path = self._name(below), (*section, *below)
            if not name:
                raise EmitError(
                    f"{spell(path)} has an empty key, which cannot be the name of a variable",
                    hint="add a prefix: --prefix PREFIX",
                )
            if name in found:
                raise EmitError(
                    f"{spell(found[name][0])} and {spell(path)} would both be named {name}",
                    hint="use another separator: --nested-separator __",
                )
            found[name] = path, value
        return found

    def _name(self, path: Path) -> str:
        name = (self.prefix or "") + (self.nested_separator or "_").join(map(str, path))
        name = _ODD.sub("_", name if self.keep_case else name.upper())
        return f"_{name}" if name[:1].isdigit() else name
