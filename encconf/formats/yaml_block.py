"""The ``sops`` entry of a YAML document: how it is written, changed, added and removed."""

from __future__ import annotations

import re

from encconf.formats.yaml import scan
from encconf.formats.yaml_text import Style
from encconf.formats.yaml_words import BREAK, line_end, line_start, newline_of
from encconf.text.document import LAYOUT, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.text.document import Edit, Flow, Leaf, Part


def render_block(block: Mapping[str, object]) -> str:
    """Return the ``sops`` entry in block style as sops writes it: indented to the next multiple of four."""
    return "\n".join(["sops:", *Style().entries(block, 4)]) + "\n"


_HEAD_LINE = (
    r"""["']?sops["']?[ \t]*:(?:[ \t]+[&!]\S*)*(?:[ \t]+\#[^\r\n]*)?[ \t]*[\r\n](?!(?>(?:\s|\#.*)*)\{)"""
)


def _has_lines(block_text: str) -> bool:
    """Whether the members of a block are on lines of their own, not in braces."""
    return re.match(_HEAD_LINE, block_text) is not None


def attach(document: Document, block_text: str) -> list[Edit]:
    """Return the edits that replace the block of every document, or add it as the last entry."""
    text = document.text
    newline = newline_of(text)
    edits: list[Edit] = []
    for part in document.parts:
        if part is not document.parts[0] and LAYOUT in block_text:
            # Only the first document needs the layout record.
            tree = _block_tree(block_text)
            block_text = render_block({name: value for name, value in tree.items() if name != LAYOUT})
        if part.close is not None:
            member = _flow_block(block_text)
            edits.append((*part.block, member) if part.block else _flow_member(document, part, member))
            continue
        if not _has_lines(block_text):
            block_text = render_block(_block_tree(block_text))
        pad = " " * part.indent
        block = newline.join(pad + line if line else "" for line in block_text.split("\n"))
        if part.block is not None:
            edits.append((*_block_lines_of(text, *part.block), block))
            continue
        before = text[part.end - 1 : part.end] if part.end > part.start else text[:0]
        broken = not before or before in BREAK or before == "\ufeff"
        edits.append((part.end, part.end, ("" if broken else newline) + block))
    return edits


_COMMENT = r"(?:^|(?<=\s))#[^\r\n]*"


def _flow_member(document: Document, part: Part, block: str) -> Edit:
    """Return the edit that adds the block as the last member of a flow mapping, never inside a comment."""
    text = document.text
    assert part.close is not None
    tail = text[_last_end(document, part, part.close) : part.close]
    before = re.sub(_COMMENT, "", tail).rstrip()
    # Comments end with their line, so the closing brace is on a line of its own.
    at = part.close if "#" in tail else part.start + len(text[part.start : part.close].rstrip())
    if before.endswith(","):
        return at, at, f" {block},"  # like the other members, with a comma after it
    return at, at, block if before.endswith("{") else f", {block}"


def _block_lines_of(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of the whole lines of a block in block style."""
    line = line_start(text, start)
    if line == 0 and text[:1] == "\ufeff":
        line = 1
    if text[line:start].strip() in ("", "?"):
        start = line
    return start, line_end(text, end)


def _block_tree(block_text: str) -> dict[str, object]:
    block = scan(block_text if _has_lines(block_text) else "{" + block_text + "}").block
    assert block is not None
    return block


def _flow_block(block_text: str) -> str:
    """Return the block as a member of a flow mapping."""
    return _in_json(block_text) if _has_lines(block_text) else block_text


def _in_json(block_text: str) -> str:
    import json

    return '"sops": ' + json.dumps(_block_tree(block_text), ensure_ascii=False)


_BLANK_LINE = rf"[ \t]*(?:\r\n|[{BREAK}])"
_MARKER = r"(?m)^---(?=\s|\Z)"


def detach(document: Document) -> list[Edit]:
    """Return the edits that remove the block from every document.

    A document that had only the block becomes ``{}``, as in sops, unless it is the first one and begins with
    ``---``.
    """
    edits: list[Edit] = []
    for part, tree in zip(document.parts, document.trees, strict=True):
        if part.block is None:
            continue
        if part.close is not None:
            edits.append(_detach_flow(document, part, *part.block))
        else:
            start, end = _block_lines_of(document.text, *part.block)
            first = part is document.parts[0]
            gone = not tree and not (first and re.compile(_MARKER).search(document.text, 0, start))
            edits.append((start, end, "{}" + newline_of(document.text) if gone else ""))
    return edits


def _detach_flow(document: Document, part: Part, start: int, end: int) -> Edit:
    """Return the edit that removes the block from a flow mapping, with one comma.

    If the block is alone on its line, the line is removed.
    """
    text = document.text
    assert part.close is not None
    comma = re.compile(r"\s*,").match(text, end)
    if comma is None or comma.end() > part.close:
        last = _last_end(document, part, start)
        found = re.search(r",\s*\Z", text[last:start])
        at = last + found.start() if found else start
        after_comment = re.compile(_COMMENT).search(text, max(last, line_start(text, at)), at)
        return start if after_comment else at, end, ""
    after_comma = comma.end()
    line = line_start(text, start)
    below = re.compile(_BLANK_LINE).match(text, after_comma)
    if below and not text[line:start].strip():
        return line, below.end(), ""
    if text[after_comma : part.close].strip():
        after = re.compile(r"\s*").match(text, after_comma)
        return start, after.end() if after else after_comma, ""
    # A last member with a comma was added with a blank before it.
    return start - (text[start - 1] == " "), after_comma, ""


def _last_end(document: Document, part: Part, before: int) -> int:
    """Return where the last value before an offset ends, in a document that is a flow mapping."""

    from bisect import bisect_left

    def inside(places: list[Leaf] | list[Flow]) -> slice:
        at, end = (bisect_left(places, place, key=lambda each: each.start) for place in (part.start, before))
        return slice(at, end)

    ends = [leaf.end for leaf in document.leaves[inside(document.leaves)]]
    ends += [flow.end for flow in document.flows[inside(document.flows)] if flow.end <= before]
    return max(ends, default=part.start)
