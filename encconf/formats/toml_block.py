"""The ``sops`` table of a TOML text: how it is written, changed, added and removed.

The text of a block is its tables, from ``[sops]`` on.
"""

from __future__ import annotations

from encconf.formats.toml_scan import Scanner
from encconf.formats.toml_text import lay_out, quote, spell, spell_key
from encconf.text.document import newline_of, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from encconf.formats.toml_scan import Line
    from encconf.text.document import Document, Edit


def render_block(block: Mapping[str, object]) -> str:
    """Return the ``sops`` table as rops writes it, but with members sorted by name, as in sops."""
    return "\n".join(["[sops]", *lay_out("sops", _ordered(block), spell)]) + "\n"


def _ordered(value: Any) -> Any:
    """Return a value with the members of mappings sorted by name, and without nulls: TOML has none."""
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in sorted(value.items()) if item is not None}
    return [_ordered(item) for item in value] if isinstance(value, (list, tuple)) else value


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove string members of the block, without any other change.

    A new member is placed before the first one whose name is greater.
    """
    for name, new in changes.items():
        scanner = Scanner(block_text)
        scanner.run()
        block = scanner.inner.get((scanner.root, "sops"))
        members = [line for line in scanner.block if line.scope is block and not line.header]
        known = next((line for line in members if line.step == name), None)
        if known is not None:
            leaf = known.scope.node[name]
            edit = (known.start, known.end, "") if new is None else (leaf.start, leaf.end, quote(new))
        elif new is not None:
            edit = _addition(block_text, scanner, members, name, new)
        else:
            continue
        block_text = splice(block_text, [edit])
    return block_text


def _addition(block_text: str, scanner: Scanner, members: list[Line], name: str, new: str) -> Edit:
    """Return the edit that adds a member."""
    newline = newline_of(block_text)
    member = f"{spell_key(name)} = {quote(new)}{newline}"
    own = [line for line in scanner.block if line.header and line.scope is scanner.root] + members
    if not own:  # the block has only inner tables
        return 0, 0, f"[sops]{newline}{member}{newline}"
    at = next((line.start for line in members if str(line.step) > name), own[-1].end)
    if block_text[at - 1] != "\n":
        member = newline + member.removesuffix(newline)
    return at, at, member


def attach(document: Document, block_text: str) -> list[Edit]:
    """Return the edits that replace the old block, or add it as the last tables, after an empty line.

    A text without a line break at its end stays without one.
    """
    text = document.text
    newline = newline_of(text)
    block = block_text.replace("\r\n", "\n").rstrip("\n").replace("\n", newline)
    for start, end in document.parts[0].pieces:
        if text[start:end] == document.block_text:  # it is in one piece, and all its tables have headers
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
    """Return the edits that remove the block and restore exactly the text that `attach` was given."""
    text = document.text
    edits: list[Edit] = []
    for start, end in document.parts[0].pieces:
        line = _line_before(text, start)
        if line < start and _line_before(text, line) < line:  # an empty line
            start = line
        if end == len(text) and text[-1] != "\n":
            start = _line_before(text, start)
        edits.append((start, end, ""))
    return edits


def _line_before(text: str, at: int) -> int:
    """Return the offset before the line break that ends at an offset, or the offset itself."""
    if text[at - 1 : at] != "\n":
        return at
    return at - 2 if text[at - 2 : at - 1] == "\r" else at - 1
