"""The ``sops`` member of a JSON text: spelled, changed, added and removed.

A block's text is its member, ``"sops": {…}``, without the commas and blanks around it.
"""

from __future__ import annotations

import re

from encconf.formats.json_text import (
    SPACE,
    STRING,
    TOKEN,
    WS,
    back,
    compact,
    laid_out,
    quote,
    skip_blanks,
    without,
)
from encconf.text.document import splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.text.document import Document, Edit


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` member as sops does: indented by tabs, members sorted by name."""
    return laid_out(f'"sops":{compact(block, ordered=True)}', "\n", "\t", "")


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members of the block that are strings, and change nothing else.

    A new member is placed before the first one whose name is greater.
    """
    for name, new in changes.items():
        members = _members(block_text)
        known = next((member for member in members if member[0] == name), None)
        if known is not None:
            _, start, value, end = known
            edit = (value, end, quote(new)) if new is not None else without(block_text, start, end)
        elif new is not None:
            edit = _addition(block_text, members, name, f"{quote(name)}: {quote(new)}")
        else:
            continue
        block_text = splice(block_text, [edit])
    return block_text


def _addition(block_text: str, members: list[tuple[str, int, int, int]], name: str, member: str) -> Edit:
    """The edit that adds a member."""
    if not members:
        at = block_text.index("{") + 1
        return at, at, member
    start = members[min(1, len(members) - 1)][1]
    blank = block_text[back(block_text, start) : start]
    for known, start, _, _ in members:
        if known > name:
            return start, start, f"{member},{blank}"
    end = members[-1][3]
    return end, end, f",{blank}{member}"


def _members(block_text: str) -> list[tuple[str, int, int, int]]:
    """Name, start, start of the value, and end, of each member of a block."""
    from json import loads

    members: list[tuple[str, int, int, int]] = []
    depth = 1
    name: str | None = None
    start = value = end = 0
    for found in re.compile(TOKEN).finditer(block_text, block_text.index("{") + 1):
        token = found[0]
        if depth == 1:
            if name is None:
                name, start, value = loads(token) if token != "}" else None, found.start(), 0
            elif token in (",", "}"):
                members.append((name, start, value, end))
                name = None
            elif token != ":" and not value:
                value = found.start()
        depth += (token in ("{", "[")) - (token in ("}", "]"))
        end = found.end()
    return members


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block, laid out like the first member, as the last one.

    A block that is there is replaced.  A document that starts on the line of its brace,
    ``{"a": 1}`` or ``{}``, gets a block on one line.
    """
    text = document.text
    part = document.parts[0]
    assert part.close is not None
    start = part.start + 1
    empty = not document.trees[0] and part.block is None
    end = back(text, part.close)
    lead = text[start : skip_blanks(text, start)]
    if "\n" in lead:
        tail = text[end : part.close]
        outer = tail.rpartition("\n")[2] if "\n" in tail else ""
        indent = outer + "\t" if empty else lead.rpartition("\n")[2]
        before = ("\r\n" if "\r\n" in lead else "\n") + indent
        member = laid_out(block_text, before, indent.removeprefix(outer), "")
    else:
        colon = re.compile(rf"{STRING}{WS}:(.)").match(text, start + len(lead))
        gap = " " if colon is None or colon[1] in SPACE else ""
        before = "" if empty else gap
        member = laid_out(block_text, "", "", gap)
    if part.block is not None:
        return [(*part.block, member)]
    return [(end, end, before + member if empty else f",{before}{member}")]


def detach(document: Document) -> list[Edit]:
    """The edit that removes the block and restores exactly the text that `attach` was given."""
    block = document.parts[0].block
    return [] if block is None else [without(document.text, *block)]
