"""The ``sops`` table of a TOML text: spelled, changed, added and removed.

A block's text is its tables, from ``[sops]`` on.
"""

from __future__ import annotations

from encconf.formats.toml_scan import Scanner
from encconf.formats.toml_text import lay_out, quote, spell, spell_key
from encconf.text.document import Leaf, Part, newline_of, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from encconf.text.document import Document, Edit


class Root(Part):
    """The text as a whole; ``spans`` are the lines of the ``sops`` block, all its pieces.

    ``tables`` says that the block consists of tables with headers, and of nothing else.
    """

    __slots__ = ("spans", "tables")

    def __init__(self, spans: list[tuple[int, int]], tables: bool) -> None:
        super().__init__(0)
        self.root = "map"
        self.spans = spans
        self.tables = tables
        self.block = spans[0] if spans else None


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` table as rops does, and members sorted by name, as sops does."""
    return "\n".join(["[sops]", *lay_out("sops", _ordered(block), spell)]) + "\n"


def _ordered(value: Any) -> Any:
    """A value with the members of mappings sorted by name, and without null, which TOML does not have."""
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in sorted(value.items()) if item is not None}
    return [_ordered(item) for item in value] if isinstance(value, (list, tuple)) else value


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members of the block that are strings, and change nothing else.

    A new member is placed before the first one whose name is greater.
    """
    for name, new in changes.items():
        block_text = _amend(block_text, name, new)
    return block_text


def _amend(block_text: str, name: str, new: str | None) -> str:
    scanner = Scanner(block_text)
    scanner.run()
    newline = newline_of(block_text)
    block = scanner.inner.get((scanner.root, "sops"))
    for line in scanner.block:
        if line.scope is block and line.step == name and not line.header:
            leaf = line.scope.node[name]
            if new is None or not isinstance(leaf, Leaf):
                block_text = block_text[: line.start] + block_text[line.end :]
                return block_text if new is None else _amend(block_text, name, new)
            return f"{block_text[: leaf.start]}{quote(new)}{block_text[leaf.end :]}"
    if new is None:
        return block_text
    member = f"{spell_key(name)} = {quote(new)}{newline}"
    at = None
    for line in scanner.block:
        if line.header and line.scope is scanner.root:
            at = line.end
        elif line.scope is block and not line.header:
            if str(line.step) > name:
                at = line.start
                break
            at = line.end
    if at is None:  # inner tables only
        at = 0
        member = f"[sops]{newline}{member}{newline}"
    if at and block_text[at - 1] != "\n":
        member = newline + member.removesuffix(newline)
    return block_text[:at] + member + block_text[at:]


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block as the last tables, after an empty line, or replace it.

    A text without a line break at its end stays without one.
    """
    text = document.text
    part = document.parts[0]
    assert isinstance(part, Root)
    newline = newline_of(text)
    block = block_text.replace("\r\n", "\n").rstrip("\n").replace("\n", newline)
    if len(part.spans) == 1 and part.tables:
        start, end = part.spans[0]
        return [(start, end, block + newline if text[end - 1] == "\n" else block)]
    edits = detach(document)
    rest = splice(text, edits)
    if not rest:
        block += newline
    elif rest.endswith("\n"):
        block = f"{newline}{block}{newline}"
    else:
        block = f"{newline}{newline}{block}"
    return [*edits, (len(text), len(text), block)]


def detach(document: Document) -> list[Edit]:
    """The edits that remove the block and restore exactly the text that `attach` was given."""
    text = document.text
    part = document.parts[0]
    assert isinstance(part, Root)
    edits: list[Edit] = []
    for start, end in part.spans:
        line = _line_before(text, start)
        if line < start and _line_before(text, line) < line:  # an empty line
            start = line
        if end == len(text) and text[-1] != "\n":
            start = _line_before(text, start)
        edits.append((start, end, ""))
    return edits


def _line_before(text: str, at: int) -> int:
    """An offset without the line break that ends there, if one does."""
    if text[at - 1 : at] != "\n":
        return at
    return at - 2 if text[at - 2 : at - 1] == "\r" else at - 1
