"""Respelling of what sops could not read back, before a YAML text is encrypted: aliases and some comments.

sops expands an alias when it reads a text, and authenticates each copy's ciphertext with the copy's own path.
So an alias that sops could not read back is replaced with its value.

When sops (3.13.3) writes a sequence whose first item is a mapping or a sequence, go-yaml keeps only one of
two comments: the one above the sequence, or the one at the item's first entry.  So in the encrypted text, the
second comment is moved below the first one, above the item, where sops would print it anyway.  The layout
record has its original place.
"""

from __future__ import annotations

import re
from itertools import groupby

from encconf.formats.yaml_events import Unfolded, refuse_slash
from encconf.formats.yaml_words import (
    ALIAS,
    BREAK,
    DOUBLE,
    FLOW_ALIAS,
    FOLDED,
    LITERAL,
    NEWLINE,
    Properties,
    block_header,
    double,
    error_at,
    line_start,
    newline_of,
    scalar,
)
from encconf.text.document import Comment, Document, Edit, Leaf, Prepared, Scope, filled
from encconf.text.words import on_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(document: Document, chosen: bytearray, moved: list[Edit]) -> Prepared | None:
    """Replace the aliases that sops could not read back, and add a missing last line break.

    An alias to a collection with an encrypted value, in the copy or at the anchor, is replaced with the
    collection in flow style.  An alias to an encrypted scalar is replaced if the copy is not encrypted.
    ``moved`` holds the edits that move comments.
    """
    refuse_merges(document)
    text = document.text
    sealed_leaves = {
        id(leaf)
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.type != "null"
    }
    if "\\/" in text:
        for leaf in document.leaves:
            if leaf.style == DOUBLE and id(leaf) not in sealed_leaves:
                refuse_slash(text, leaf.start, leaf.end)
    edits: list[Edit] = []
    nodes: dict[int, Any] = {}  # the spelled values of each collection
    aliases = [leaf for leaf in document.leaves if leaf.style in (ALIAS, FLOW_ALIAS)]
    for start, group in groupby(aliases, lambda leaf: leaf.start):
        copies = list(group)
        first = copies[0]
        original = any(_origin(leaf) in sealed_leaves for leaf in copies)
        copied = any(id(leaf) in sealed_leaves for leaf in copies)
        if not isinstance(first.note, Unfolded):
            if original and not copied:
                edits.append((start, first.end, _word(first)))
        elif original or copied:
            nodes = nodes or filled(document.items, [_word(leaf) for leaf in document.leaves])[1]
            text_of_all = on_one_line(nodes[id(first.note.root)], str, _key)
            edits.append((start, first.end, text_of_all))
    edits += [
        (start, end, double(key))
        for key, start, end, leaf in document.alias_keys
        if id(leaf) in sealed_leaves
    ]
    part = document.parts[-1]
    added = ""
    if part.close is None and part.end == len(text) and text and text[-1] not in BREAK:
        ending, added = _with_break(document)
        edits += ending
    if not edits and not moved and not added:
        return None
    prepared = Prepared.edited(text, edits, moved)
    prepared.text += added
    return prepared


def _with_break(document: Document) -> tuple[list[Edit], str]:
    """Return the edits that are needed before a last line break can be added, and that line break."""
    text = document.text
    added = newline_of(text)
    last = document.leaves[-1] if document.leaves else None
    if last is None or last.style not in (LITERAL, FOLDED) or text[last.end :].strip(" "):
        return [], added
    if last.end < len(text):
        # The text ends with blanks.  With a line break after them, they would become a line of the value.
        return [(last.end, len(text), "")], ""
    # The added break must not become part of the value.
    start = last.note.start if isinstance(last.note, Properties) else last.start
    header = block_header(text, last)[0]
    chomped = header.group(2).strip("+-") + "-"
    respelled = text[start : header.start(2)] + chomped + text[header.end(2) :]
    if not last.data:  # it has no lines
        respelled = text[start : last.start] + _word(last)
    return [(start, len(text), respelled)], added


def _origin(leaf: Leaf) -> int:
    """Return the id of the leaf that an alias, or an alias of an alias, refers to."""
    while True:
        if isinstance(leaf.note, Leaf):
            leaf = leaf.note
        elif isinstance(leaf.note, Unfolded):
            leaf = leaf.note.source
        else:
            return id(leaf)


def _word(leaf: Leaf) -> str:
    if leaf.type == "str":
        assert leaf.data is not None
        return double(leaf.data.decode("utf-8", "replace"))
    return scalar(leaf.type, leaf.data)


def _key(key: str) -> str:
    return key if key == "<<" else double(key)


def refuse_merges(document: Document) -> None:
    """Raise ParseError, as sops does, if a merge key of the first document has an unsuitable value.

    The value must be a mapping or a sequence of mappings, and such a sequence must not be an alias.
    """
    if not document.merges:
        return
    nodes = filled(document.items, document.leaves)[1]
    aliased = {id(nodes[id(leaf.note.root)]) for leaf in document.leaves if isinstance(leaf.note, Unfolded)}
    for scope in document.merges:
        value = nodes[id(scope)]["<<"]
        items = value if isinstance(value, list) else [value]
        fits = all(isinstance(item, dict) for item in items) and id(items) not in aliased
        if scope.root is document.items[0] and not fits:
            path = (*scope.path, "<<")
            inside = [leaf for leaf in document.leaves if leaf.path[: len(path)] == path]
            inside.sort(key=lambda leaf: len(leaf.path))  # a single value does not fit
            raise error_at(
                document.text,
                next((leaf.start for leaf in inside if leaf.scope.root is scope.root), 0),
                "the merge key << takes a mapping or a list of mappings",
                hint="put the key in quotes if it is an ordinary name",
            )


# --- comments ------------------------------------------------------------------------------------


def moves(document: Document) -> list[Edit]:
    """Return the edits that move the comments that go-yaml would lose.  ``document`` has its comments."""
    text = document.text
    heads: dict[int, Comment] = {}
    firsts: dict[int, str | int | None] = {}  # the first key or index of each collection
    for item in reversed(document.items):
        around = item.parent if isinstance(item, Scope) else item.scope
        firsts[id(around)] = item.step
    lost: dict[int, list[Comment]] = {}
    for comment in document.comments:
        start = comment.start - 1
        if comment.before == 0 and not text[line_start(text, start) : start].strip():
            heads[id(comment.scope)] = comment
        head = _head(comment, heads) if comment.before == firsts.get(id(comment.scope)) else None
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
    """Return the comment above the outermost sequence whose first item begins with this comment's entry.

    The comment precedes the first entry of its collection.
    """
    scope: Scope = comment.scope
    found = None
    while scope.parent is not None and scope.parent.listed and scope.step == 0:
        scope = scope.parent
        found = heads.get(id(scope)) or found
    return found


def _removal(text: str, comment: Comment) -> Edit:
    """Return the edit that removes a comment, with its line if nothing else is on it."""
    start = comment.start - 1
    line = line_start(text, start)
    before = text[line:start].rstrip(" \t")
    if before:
        return line + len(before), comment.end, ""
    match = re.compile(NEWLINE).match(text, comment.end)
    assert match is not None  # the entry that it precedes follows
    return line, match.end(), ""
