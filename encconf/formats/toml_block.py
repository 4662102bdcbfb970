"""The ``sops`` table of a TOML text: how it is written, changed, added and removed.

The text of a block is its tables, from ``[sops]`` on.
"""

from __future__ import annotations

from collections.abc import Mapping

from encconf.formats.toml_text import lay_out, spell
from encconf.text.document import Document, Edit, newline_of, splice
from encconf.text.words import ordered


def render_block(block: Mapping[str, object]) -> str:
    """Return the ``sops`` table as rops writes it, but with members sorted by name, as in sops.

    TOML has no nulls, so they are left out.
    """
    return "\n".join(["[sops]", *lay_out("sops", ordered(block, nulls=False), spell)]) + "\n"


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
