"""How new values are laid out in a YAML text: like the text around them."""

from __future__ import annotations

from encconf.formats import goyaml
from encconf.formats.yaml_text import block_lines, chomping, fits_block
from encconf.formats.yaml_words import DOUBLE, SINGLE, double, newline_of, plain, scalar, single, step_of
from encconf.text.tree import Entry, Single, Tree
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from encconf.text.tree import Plain


class Style:
    """A text's layout: its line break, its indentation, and how far dashes are indented."""

    __slots__ = ("dashes", "newline", "step")

    def __init__(self, document: Entry) -> None:
        text = document.text
        self.newline = newline_of(text)
        self.step = step_of(text)
        dashes = _dashes(document.value)
        self.dashes = dashes if dashes is not None else self.step

    def item(self, head: str, value: Plain, column: int, *, kept: str = "") -> list[str]:
        """The lines of ``key:`` or ``-`` with its value, from a column on."""
        pad = " " * column
        if isinstance(value, dict) and value:
            if head == "-":
                lines = self.entries(value, column + 2)
                return [f"{pad}- {lines[0][column + 2 :]}", *lines[1:]]
            return [pad + head, *self.entries(value, column + self.step)]
        if isinstance(value, list) and value:
            if head == "-":
                lines = [line for item in value for line in self.item("-", item, column + 2)]
                return [f"{pad}- {lines[0][column + 2 :]}", *lines[1:]]
            inner = column + self.dashes
            return [pad + head, *(line for item in value for line in self.item("-", item, inner))]
        if isinstance(value, str) and "\n" in value and kept not in (SINGLE, DOUBLE) and fits_block(value):
            lines = block_lines(value, column + self.step, "\n")[:-1].split("\n")
            return [f"{pad}{head} |{chomping(value)}", *lines]
        return [f"{pad}{head} {word(value, kept, False)}"]

    def entries(self, value: dict[str, Plain], column: int) -> list[str]:
        """The lines of a mapping's entries."""
        heads = ((f"{spell_key(key, False)}:", item) for key, item in value.items())
        return [line for head, item in heads for line in self.item(head, item, column)]


def _dashes(node: Tree | Single | None) -> int | None:
    """How much deeper than its key the first list is indented, None if there is no list."""
    if not isinstance(node, Tree) or node.flow:
        return None
    for entry in node.members if node.kind == "map" else ():
        inner = entry.value
        if isinstance(inner, Tree) and inner.kind == "seq" and not inner.flow:
            return max((inner.column or 0) - (node.column or 0), 0)
    return next((found for entry in node.members if (found := _dashes(entry.value)) is not None), None)


def word(value: Plain, style: str, flow: bool) -> str:
    """A scalar or an empty collection, in the quotes that were there before."""
    if isinstance(value, str):
        if style == DOUBLE:
            return double(value)
        if style == SINGLE and value.isprintable():
            return single(value)
        return plain(value, flow=flow)
    if isinstance(value, bool):
        return bool_word(value)
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):
        return scalar("float", goyaml.format_float(value))
    return str(value)


def spell_key(key: str, flow: bool) -> str:
    """A key as it is written."""
    return plain(key, flow=flow) if key != "<<" else '"<<"'


def _key_in_brackets(key: str) -> str:
    return spell_key(key, True)


def _word_in_brackets(value: Plain) -> str:
    return word(value, "", True)


def in_brackets(
    value: Any, spell: Callable[[Any], str] = _word_in_brackets, key: Callable[[str], str] = _key_in_brackets
) -> str:
    """A value on one line; ``spell`` and ``key`` spell single values and keys."""
    if isinstance(value, dict):
        members = (f"{key(name)}: {in_brackets(item, spell, key)}" for name, item in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_brackets(item, spell, key) for item in value) + "]"
    return spell(value)


def is_full(value: Plain) -> bool:
    """Whether it is a collection with something in it."""
    return isinstance(value, (dict, list)) and bool(value)
