"""The ``sops`` entry of a YAML document: how a reader takes it out of the tree when it ends."""

from __future__ import annotations

import re

from encconf.formats import goyaml
from encconf.formats.yaml_text import content_end
from encconf.formats.yaml_words import BREAK, FOLDED, LITERAL, NEWLINE, line_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Document, Leaf, Part


def close_block(
    document: Document, part: Part, leaves: list[Leaf], root: Any, *, flow_end: int = 0, in_flow: bool = False
) -> None:
    """Move the ``sops`` entry, which has ended, from the tree ``root`` to the document's block.

    Sets the block's span.  Only the block of the first document is stored.  ``flow_end`` is where the last
    flow collection in the entry ends.  ``in_flow`` says that the entry's value is a flow mapping.
    """
    text = document.text
    assert part.block is not None
    start = part.block[0]
    tree = root.pop("sops", None)
    end = max(start + len("sops:"), flow_end)
    if leaves and not in_flow:
        end = max(end, _value_end(text, leaves[-1], start))
    pad = start - line_start(text, start)
    if start < 8 and text[:1] == "\ufeff":
        pad = max(pad - 1, 0)
    if not in_flow:
        end = _comments_end(text, end, pad)
    part.block = (start, end)
    if part is not document.parts[0]:
        return
    for leaf in leaves:
        leaf.scope.node[leaf.step] = _member(text, leaf)
    document.block = tree if isinstance(tree, dict) else None
    # An entry that begins with `? sops` or an anchor has no block text, so it is written again as a whole.
    if text.startswith("sops:", start) or re.compile(r"""["']?sops["']?[ \t]*:""").match(text, start):
        document.block_text = _block_text(text[start:end], pad, in_flow)


def _value_end(text: str, leaf: Leaf, start: int) -> int:
    """Return where the last value of a block that starts at ``start`` ends."""
    if leaf.style in (LITERAL, FOLDED):
        return content_end(text, leaf)
    if leaf.start == leaf.end:  # parsers disagree about the place of an empty value; use the end of its key
        return text.rfind(":", start, leaf.end) + 1
    return leaf.end


def _comments_end(text: str, end: int, pad: int) -> int:
    """Return where the block ends, including the comments below it that are indented deeper than its key."""
    tail = end - 1 if text[end - 1] in BREAK else end
    if _ends_here(text, tail):
        return end
    comment = rf"(?: {{{pad + 1},}}#[^{BREAK}]*(?:\r\n|[{BREAK}]|\Z))"
    comments = re.compile(rf"[^{BREAK}]*(?:\r\n|[{BREAK}]){comment}+").match(text, tail)
    return comments.end() if comments else end


def _ends_here(text: str, at: int) -> bool:
    """Whether the next line certainly begins without a blank.  False if that is not clear.

    Compiling the pattern that is always clear would take 0.4 ms of every start.
    """
    line_end = text.find("\n", at)
    line = text[at:line_end] if line_end >= 0 else text[at:]
    return line.isprintable() and (line_end < 0 or text[line_end + 1 : line_end + 2] != " ")


def _member(text: str, leaf: Leaf) -> object:
    """Return the plain value of a leaf in the block.  Dates and floats stay text."""
    if leaf.type in ("int", "bool", "null"):
        return goyaml.parse(leaf.type, leaf.data)
    if leaf.type in ("time", "float"):
        return text[leaf.start : leaf.end]
    assert leaf.data is not None
    return leaf.data.decode("utf-8", "replace")


def _block_text(text: str, pad: int, in_flow: bool) -> str:
    """Return the block's text without its indentation, and with ``\\n`` as its line break."""
    if "\n" in text or "\r" in text:
        if pad or not text.replace("\n", "").isprintable():
            rows = re.compile(NEWLINE).split(text)
            blank = " " * pad
            text = "\n".join(row[pad:] if row.startswith(blank) else row for row in rows)
        if not in_flow and not text.endswith("\n"):
            text += "\n"
    return text
