"""The layout of new values in a YAML text, which is that of the text around them."""

from __future__ import annotations

from encconf.formats import yaml_text
from encconf.formats.yaml_text import word
from encconf.formats.yaml_words import newline_of, plain, step_of
from encconf.text.tree import Entry, Single, Tree
from encconf.text.words import in_brackets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.tree import Plain


class Style(yaml_text.Style):
    """A text's layout: its line break, its indentation, and the indentation of dashes.

    ``quotes`` are the quotes of the value that is replaced.
    """

    def __init__(self, document: Entry, quotes: str = "") -> None:
        text = document.text
        self.newline = newline_of(text)
        self.step = step_of(text)
        dashes = _dashes(document.value)
        self.dashes = dashes if dashes is not None else self.step
        self.quotes = quotes


def _dashes(node: Tree | Single | None) -> int | None:
    """Return how much deeper than its key the first sequence is indented, or None without one."""
    if not isinstance(node, Tree) or node.flow:
        return None
    for entry in node.members if node.kind == "map" else ():
        inner = entry.value
        if isinstance(inner, Tree) and inner.kind == "seq" and not inner.flow:
            return max((inner.column or 0) - (node.column or 0), 0)
    return next((found for entry in node.members if (found := _dashes(entry.value)) is not None), None)


def in_flow(value: Plain) -> str:
    """Return a value in flow style on one line."""
    return in_brackets(value, lambda single: word(single, "", True), lambda key: plain(key, flow=True))
