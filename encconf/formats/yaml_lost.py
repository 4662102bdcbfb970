"""Comments that sops would lose are moved to where it keeps them.

When sops (3.13.3) writes a list whose first item is a mapping or a list, go-yaml keeps only one of two
comments: the one above the list, or the one at the item's first entry.  So in the encrypted text, the
second comment is below the first one, above the item, where sops would print it anyway.  The layout record
has its original place.
"""

from __future__ import annotations

import re

from encconf.formats.yaml_signs import NEWLINE, line_start, newline_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Comment, Document, Edit, Scope

# A comment line above a dash, and one behind the dash or below a bare one.
_PERHAPS = re.compile(r"^ *#.*\n(?: *\r?\n)*(?: *-)+ *(?:[^\n]*#|\r?\n)", re.M)


def may_lose(text: str) -> bool:
    """Whether a text may have such comments."""
    return "#" in text and _PERHAPS.search(text) is not None


def moves(document: Document) -> list[Edit]:
    """The edits that move such comments; ``document`` has its comments."""
    text = document.text
    heads: dict[int, Comment] = {}
    lost: dict[int, list[Comment]] = {}
    for comment in document.comments:
        start = comment.start - 1
        if comment.before == 0 and not text[line_start(text, start) : start].strip():
            heads[id(comment.scope)] = comment
        head = _head(comment, heads)
        if head is not None:
            lost.setdefault(head.end, []).append(comment)
    edits: list[Edit] = []
    for at, comments in lost.items():
        line = line_start(text, at)
        pad = text[line : text.index("#", line)]
        newline = newline_of(text)
        edits.append((at, at, "".join(f"{newline}{pad}#{comment.text}" for comment in comments)))
        edits += [_removal(text, comment) for comment in comments]
    return edits


def _head(comment: Comment, heads: dict[int, Comment]) -> Comment | None:
    """The comment above the outermost list whose first item begins with this comment's entry."""
    scope: Scope = comment.scope
    found = None
    first = 0 if isinstance(scope.node, list) else next(iter(scope.node), None)
    if comment.before != first:
        return None
    while scope.parent is not None and isinstance(scope.parent.node, list) and scope.step == 0:
        scope = scope.parent
        found = heads.get(id(scope)) or found
    return found


def _removal(text: str, comment: Comment) -> Edit:
    """Remove a comment, with its line if it has its own."""
    start = comment.start - 1
    line = line_start(text, start)
    before = text[line:start].rstrip(" \t")
    if before:
        return line + len(before), comment.end, ""
    match = re.compile(NEWLINE).match(text, comment.end)
    return line, match.end() if match else comment.end, ""
