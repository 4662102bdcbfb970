"""Values written out as YAML, as go-yaml 3 spells them for sops."""

from __future__ import annotations

import re

from encconf.formats import goyaml
from encconf.formats.emit_parts import items_of, lines_above, text_after
from encconf.formats.yaml_text import Style, block_lines, chomping
from encconf.formats.yaml_words import binary, double, escaped, means, single
from encconf.text.document import Leaf
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from encconf.formats.emit_parts import Notes


class GoYaml(Style):
    """The layout of go-yaml, with comments.  Each single value is a `Leaf`."""

    def __init__(self, notes: Notes, step: int) -> None:
        self.notes = notes
        self.step = step

    def items(self, node: Any) -> Iterable[tuple[Any, Any, list[str], str]]:
        """Yield the items of a collection with their comments.  The last comments belong to no item."""
        for key, item, comments in items_of(node, self.notes):
            yield key, item, lines_above(comments, key), text_after(comments)

    def key(self, key: str) -> str:
        """Return a key as it is written."""
        return string(key, simple=True)

    def word(self, value: Any, column: int, head: str) -> str:
        """Return a single value or an empty collection as it is written."""
        if not isinstance(value, Leaf):
            return super().word(value, column, head)
        inner = column + 2 if head == "-" else self.deeper(column, value)
        return scalar(value, inner, inner - column)


def document(tree: Any, notes: Notes, step: int) -> str:
    """Return the text of a document, indented by ``step``."""
    if not tree:
        comments = lines_above(notes.get(id(tree), {}).get(None, []), None)
        return "\n".join([*comments, "{}"]) + "\n"
    return "\n".join(GoYaml(notes, step).entries(tree, 0)) + "\n"


def scalar(leaf: Leaf, column: int = 4, deeper: int = 4) -> str:
    """Return a single value as it is written.

    The lines of a block scalar are indented to ``column``, which is ``deeper`` than its collection.
    """
    data = leaf.data
    if data is None:
        return "null"
    if leaf.type == "bool":
        return bool_word(data)
    if leaf.type == "float":
        number = float(data)
        if number - number != 0:
            return ".nan" if number != number else ".inf" if number > 0 else "-.inf"
        return goyaml.short_float(number, "e", plain=True)
    if leaf.type != "str":
        return data.decode()
    try:
        return string(data.decode(), column=column, deeper=deeper)
    except UnicodeDecodeError:
        return binary(data)


_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_OLD_BOOLS = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)
_WORDS = frozenset(["y", "yes", "on", "n", "no", "off", "true", "false", "null"])
# What go-yaml escapes in double quotes.  The patterns with it are compiled when they are first used.
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe-\U0010ffff"


def string(value: str, *, simple: bool = False, column: int = 0, deeper: int = 4) -> str:
    """Return a string as go-yaml writes it.  ``simple`` is for keys, which have one line.

    The lines of a block scalar are indented to ``column``, which is ``deeper`` than its collection.
    """
    if value.isascii() and value.isidentifier() and value.lower() not in _WORDS:
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
