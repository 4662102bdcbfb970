"""How collections and values are laid out in YAML: as sops, as go-yaml, or like the text around them."""

from __future__ import annotations

import re

from encconf.formats import goyaml
from encconf.formats.yaml_words import (
    DOUBLE,
    SINGLE,
    binary,
    block_lines,
    chomping,
    double,
    escaped,
    fits_block,
    means,
    newline_of,
    plain,
    scalar,
    single,
    step_of,
)
from encconf.text.document import Value
from encconf.text.words import bool_word, on_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from encconf.text.document import Plain
    from encconf.text.tree import Entry, Single, Tree


class Style:
    """The layout of new collections in block style.

    As in sops, columns are multiples of ``step``, unless ``dashes`` says how deep dashes are indented.
    ``quotes`` are those of the value that a new one replaces.
    """

    step = 4
    dashes: int | None = None
    quotes = ""

    def items(self, node: Any) -> Iterable[tuple[Any, Any, list[str], str]]:
        """Yield the items of a collection: key or index, item, comment lines above it, comment after it."""
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield key, item, [], ""

    def key(self, key: str) -> str:
        """Return a key as it is written."""
        return plain(key)

    def deeper(self, column: int, item: Any) -> int:
        """Return the column of an item's contents."""
        if self.dashes is None:
            return self.step * ((column + self.step) // self.step)
        return column + (self.dashes if isinstance(item, list) else self.step)

    def word(self, value: Any, column: int, head: str) -> str:
        """Return a single value or an empty collection as it is written.

        The lines of a block scalar below the first one are indented.
        """
        fits = isinstance(value, str) and "\n" in value and self.quotes not in (SINGLE, DOUBLE)
        if fits and fits_block(value):
            body = block_lines(value, self.deeper(column, value), "\n")
            return f"|{chomping(value)}\n{body[:-1]}"
        return word(value, self.quotes, False)

    def entries(self, node: Any, column: int) -> list[str]:
        """Return the lines of a collection that has items, indented to a column."""
        lines: list[str] = []
        for key, item, above, after in self.items(node):
            lines += [" " * column + line for line in above]
            if key is not None:
                head = f"{self.key(key)}:" if isinstance(node, dict) else "-"
                first, *more = self.item(head, item, column)
                lines += [first + after, *more]
        return lines

    def item(self, head: str, item: Any, column: int) -> list[str]:
        """Return the lines of ``key:`` or ``-`` with its value, indented to a column."""
        pad = " " * column
        if not is_full(item):
            # Only the value is split: the head may have several lines, too.
            first, *more = self.word(item, column, head).split("\n")
            return [f"{pad}{head} {first}", *more]
        if head != "-":
            return [pad + head, *self.entries(item, self.deeper(column, item))]
        below = self.entries(item, column + 2)
        at = next(at for at, line in enumerate(below) if not line.lstrip().startswith("#"))
        comments = [line[2:] for line in below[:at]]
        return [*comments, f"{pad}- {below[at][column + 2 :]}", *below[at + 1 :]]


def is_full(value: Any) -> bool:
    """Whether a value is a collection that is not empty."""
    return isinstance(value, (dict, list)) and bool(value)


def word(value: Any, quotes: str, flow: bool) -> str:
    """Return a scalar or an empty collection as it is written, in the given quotes if possible."""
    if isinstance(value, str):
        if quotes == DOUBLE:
            return double(value)
        if quotes == SINGLE and value.isprintable():
            return single(value)
        return plain(value, flow=flow)
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    return scalar(*goyaml.stored(value))


# --- like the text around ------------------------------------------------------------------------


class TextStyle(Style):
    """A text's layout: its line break, its indentation, and the indentation of dashes.

    ``quotes`` are the quotes of the value that is replaced.
    """

    def __init__(self, document: Entry, quotes: str = "") -> None:
        from encconf.text import tree as trees

        tree = document.value
        habits = tree.habits if isinstance(tree, trees.Tree) else None
        if habits is None:
            text = document.text
            step = step_of(text)
            dashes = _dashes(tree)
            habits = newline_of(text), step, dashes if dashes is not None else step
            if isinstance(tree, trees.Tree):
                tree.habits = habits
        self.newline: str = habits[0]
        self.step: int = habits[1]
        self.dashes: int = habits[2]
        self.quotes = quotes


def _dashes(node: Tree | Single | None) -> int | None:
    """Return how much deeper than its key the first sequence is indented, or None without one."""
    from encconf.text import tree as trees

    if not isinstance(node, trees.Tree):
        return None
    for entry in node.members:
        inner = entry.value
        if isinstance(inner, trees.Tree) and inner.kind == "seq" and not inner.flow:
            assert inner.column is not None
            assert node.column is not None
            return inner.column - node.column
    return next((found for entry in node.members if (found := _dashes(entry.value)) is not None), None)


def in_flow(value: Plain, quotes: str = "") -> str:
    """Return a value in flow style on one line, with its texts and keys in the given quotes if possible."""
    return on_one_line(value, lambda single: word(single, quotes, True), lambda key: word(key, quotes, True))


# --- as go-yaml 3 writes it for sops -------------------------------------------------------------


class GoYaml(Style):
    """The layout of go-yaml, with comments.  Each single value is a `Value`."""

    def __init__(self, step: int) -> None:
        self.step = step

    def items(self, node: Any) -> Iterable[tuple[Any, Any, list[str], str]]:
        """Yield the items of a collection with their comments.  The last comments belong to no item."""
        from encconf.formats.emit import items_of, lines_above, text_after

        for key, item, comments in items_of(node):
            yield key, item, lines_above(comments, key), text_after(comments)

    def key(self, key: str) -> str:
        """Return a key as it is written."""
        return go_string(key, simple=True)

    def word(self, value: Any, column: int, head: str) -> str:
        """Return a single value or an empty collection as it is written."""
        if not isinstance(value, Value):
            return "{}" if isinstance(value, dict) else "[]"
        inner = column + 2 if head == "-" else self.deeper(column, value)
        return go_scalar(value, inner, inner - column)


def go_document(tree: Any, step: int) -> str:
    """Return the text of a document, indented by ``step``."""
    lines = GoYaml(step).entries(tree, 0)
    return "\n".join(lines if tree else [*lines, "{}"]) + "\n"


def go_scalar(value: Value, column: int = 4, deeper: int = 4) -> str:
    """Return a single value as it is written.

    The lines of a block scalar are indented to ``column``, which is ``deeper`` than its collection.
    """
    data = value.data
    if data is None:
        return "null"
    if value.type == "bool":
        return bool_word(data)
    if value.type == "float":
        number = float(data)
        special = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(str(number))
        return special or goyaml.short_float(number, "e", plain=True)
    if value.type != "str":
        return data.decode()
    try:
        return go_string(data.decode(), column=column, deeper=deeper)
    except UnicodeDecodeError:
        return binary(data)


_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_OLD_BOOLS = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)
_GO_WORDS = frozenset(["y", "yes", "on", "n", "no", "off", "true", "false", "null"])
# What go-yaml escapes in double quotes.  The patterns with it are compiled when they are first used.
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe-\U0010ffff"


def go_string(value: str, *, simple: bool = False, column: int = 0, deeper: int = 4) -> str:
    """Return a string as go-yaml writes it.  ``simple`` is for keys, which have one line.

    The lines of a block scalar are indented to ``column``, which is ``deeper`` than its collection.
    """
    if value.isascii() and value.isidentifier() and value.lower() not in _GO_WORDS:
        return value  # as most names are; the other checks take ten times as long
    # sops writes other line breaks as they are, but not all readers know them as line breaks.
    visible = value.isascii() and value.isprintable()
    quoted = not visible and re.search(f"[{_HIDDEN}]", value) is not None
    if "\n" in value:
        trailing = value.endswith(" ") or value.lstrip("\n")[:1] == "\t" or deeper > 9
        quoted = quoted or simple or trailing or " \n" in value
        if not quoted:
            hint = str(deeper) if value[0] in " \n" else ""
            body = block_lines(value, column, "\n")
            return f"|{hint}{chomping(value)}\n{body[:-1]}"
    if quoted or "\t" in value or _means_other(value):
        return double(value) if visible else '"' + re.sub(f'["\\\\\n\t{_HIDDEN}]', escaped, value) + '"'
    return value if _plain(value) else single(value)


def _means_other(value: str) -> bool:
    """Whether a plain scalar with this text would be something else than a string, now or in YAML 1.1."""
    special = not value or value in _OLD_BOOLS or value == "<<" or _SIXTY.fullmatch(value) is not None
    return special or not means(value, "str", value.encode())


def _plain(value: str) -> bool:
    """Whether a string of one line can be a plain scalar in block style."""
    if value != value.strip(" ") or value.startswith(("---", "...")):
        return False
    first, second = value[0], value[1:2]
    if first in "#,[]{}&*!|>'\"%@`" or (first in "?:-" and second in ("", " ")):
        return False
    return re.search(r":(?: |\Z)| #", value) is None
