"""The ``sops`` entry of a YAML document, removed from the tree when a reader reaches its end."""

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
    """Remove the ``sops`` entry, which has ended, from the tree; set its span; read it if it is the first.

    ``flow_end`` is where the last flow collection in it ends, ``in_flow`` whether it is one itself.
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
    # Otherwise it is `? sops`, or follows an anchor: then it is spelled again when it is written.
    if text.startswith("sops:", start) or re.compile(r"""["']?sops["']?[ \t]*:""").match(text, start):
        document.block_text = _block_text(text[start:end], pad, in_flow)


def _value_end(text: str, leaf: Leaf, start: int) -> int:
    """Where the last value of a block that starts at ``start`` ends."""
    if leaf.style in (LITERAL, FOLDED):
        return content_end(text, leaf)
    if leaf.start == leaf.end:  # parsers disagree about where an empty value is: it is behind its key
        return text.rfind(":", start, leaf.end) + 1
    return leaf.end


def _comments_end(text: str, end: int, pad: int) -> int:
    """Where the block ends with the comments that follow, if they are indented like its members."""
    tail = end - 1 if text[end - 1] in BREAK else end
    if _ends_here(text, tail):
        return end
    comment = rf"(?: {{{pad + 1},}}#[^{BREAK}]*(?:\r\n|[{BREAK}]|\Z))"
    comments = re.compile(rf"[^{BREAK}]*(?:\r\n|[{BREAK}]){comment}+").match(text, tail)
    return comments.end() if comments else end


def _ends_here(text: str, at: int) -> bool:
    """Whether the line below does not begin with a blank; False where that takes a closer look."""
    line_end = text.find("\n", at)
    line = text[at:line_end] if line_end >= 0 else text[at:]
    return line.isprintable() and (line_end < 0 or text[line_end + 1 : line_end + 2] != " ")


def _member(text: str, leaf: Leaf) -> object:
    """The plain value of a leaf in the block; dates and floats stay text."""
    if leaf.type in ("int", "bool", "null"):
        return goyaml.parse(leaf.type, leaf.data)
    if leaf.type in ("time", "float"):
        return text[leaf.start : leaf.end]
    assert leaf.data is not None
    return leaf.data.decode("utf-8", "replace")


def _block_text(text: str, pad: int, in_flow: bool) -> str:
    """The block's text without its indentation, and with ``\\n`` as its line break."""
    if "\n" in text or "\r" in text:
        if pad or not text.replace("\n", "").isprintable():
            rows = re.compile(NEWLINE).split(text)
            blank = " " * pad
            text = "\n".join(row[pad:] if row.startswith(blank) else row for row in rows)
        if not in_flow and not text.endswith("\n"):
            text += "\n"
    return text
