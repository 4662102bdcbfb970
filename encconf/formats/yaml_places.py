"""The places of keys and values in a YAML document.

`walk` finds the keys between the values of a text that was read line by line.  `compose` gets the places of
keys and values from the events of a parser.  Both fill one `_Nodes`.
"""

from __future__ import annotations

import re

from encconf.errors import EmptyDocumentError
from encconf.formats.yaml_events import TooNewError, events_of
from encconf.formats.yaml_words import (
    ALIAS,
    DOUBLE,
    FOLDED,
    LITERAL,
    SINGLE,
    SKIP,
    content_end,
    line_start,
    properties,
)
from encconf.text.document import Document, Leaf, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_SKIP = re.compile(SKIP)
_TO_COLON = re.compile(r"[ \t\r\n]*:")
_NOWHERE = Scope()
ODD = -1
"""The place of a colon or dash that was not found.  Such an item cannot be changed."""


class Node:
    """One value, ``text[start:end]``, and its key or dash.  ``kind`` is map, seq or leaf.

    ``begin`` is where its key or dash begins, or in a flow sequence the value itself.  ``after`` is the end
    of its colon or dash.  ``flow`` says that it is a flow collection.  ``value`` is where the value itself
    begins, after an anchor or tag.  ``style`` is the format's name for a leaf's spelling.  ``shared`` says
    that it has an anchor.
    """

    __slots__ = (
        "after", "begin", "end", "flow", "items", "key", "kind", "shared", "start", "style", "value",
    )  # fmt: skip

    def __init__(
        self, kind: str, start: int, value: int, end: int = -1, style: str = "", *,
        flow: bool = False, shared: bool = False,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.start = start
        self.value = value
        self.end = end
        self.style = style
        self.flow = flow
        self.shared = shared
        self.items: list[Node] = []
        self.key: str | int = ""
        self.begin = self.after = ODD

    def add(self, item: Node, key: str | None, begin: int, after: int) -> None:
        """Add an item to a collection: its key (an item of a sequence has none), `begin` and `after`."""
        if item.end <= item.start and item.end <= item.value and after >= 0 and item.kind == "leaf":
            # Parsers disagree about the place of an empty value; use the end of its colon or dash.
            item.start = item.value = item.end = after
        item.key = len(self.items) if key is None else key
        item.begin = begin
        item.after = after
        self.items.append(item)

    def close(self, end: int) -> None:
        """End a collection: a flow collection at ``end``, any other with its last item."""
        if self.flow:
            self.end = end
        elif self.items:
            self.start = self.value = self.items[0].begin
            self.end = self.items[-1].end


def _after_gap(text: str, at: int) -> int:
    """Return where the next key, dash or value is, after comments and empty lines."""
    gap = _SKIP.match(text, at)
    assert gap is not None  # the pattern also matches the empty string
    return gap.end()


# --- texts that were read line by line -----------------------------------------------------------

_CLOSE = {"map": "}", "seq": "]"}


def walk(document: Document, starts: list[int]) -> list[Node] | None:
    """Return the root of each document of a stream.  Offsets count from where the document ``starts``.

    Returns None if the text is not `regular` or has a ``sops`` block, or if a key is not where it should be.
    """
    if not document.regular or any(part.block is not None for part in document.parts):
        return None
    walked = _Walk(document)
    roots = [Node("map", -1, -1) for _ in starts]
    for root, base, part in zip(roots, starts, document.parts, strict=True):
        walked.base, walked.at = base, part.start
        if document.text.startswith("---", part.start):
            walked.at += 3
        if not walked.fill(root):
            return None
    return roots


class _Walk:
    """One walk along a text.  ``at`` is where the next key, dash or value may begin."""

    __slots__ = ("at", "base", "leaves", "text", "tokens")

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.tokens = iter([*document.outline[1:], "%"])  # without the start of the first document
        self.leaves = iter(document.leaves)
        self.base = self.at = 0

    def fill(self, node: Node) -> bool:
        """Add its items to a collection.  Returns False if one is not where it should be."""
        text, base = self.text, self.base
        for token in self.tokens:
            sign = token[0]
            if sign in "}%":
                break
            leaf = None if sign in "{[" else next(self.leaves)
            key = token[1:] if node.kind == "map" else None
            if leaf is not None and node.flow:
                start = after = leaf.start
            elif (found := self.head(key)) is not None:
                start, after = found
            else:
                return False
            item = self.single(leaf, after) if leaf is not None else self.collection(sign, after)
            if leaf is None and not self.fill(item):
                return False
            node.add(item, key, start - base, after - base)
        if node.flow:
            self.at = text.find(_CLOSE[node.kind], self.at) + 1
        node.close(self.at - base)
        return node.flow or bool(node.items)

    def head(self, key: str | None) -> tuple[int, int] | None:
        """Return start and end of the next key with its colon, or for ``key`` None, of the next dash.

        Returns None if the text has something else there.
        """
        text, start = self.text, _after_gap(self.text, self.at)
        head = "-"
        if key is not None:
            quote = text[start : start + 1] if not text.startswith(f"{key}:", start) else ""
            head = f"{quote}{key}{quote}:"
        return (start, start + len(head)) if text.startswith(head, start) else None

    def collection(self, sign: str, after: int) -> Node:
        """Return the collection after a key or dash, still without items."""
        kind = "map" if sign == "{" else "seq"
        self.at = after
        at = _after_gap(self.text, after)
        if not self.text.startswith(sign, at):
            return Node(kind, -1, -1)
        self.at = at + 1
        return Node(kind, at - self.base, at - self.base, flow=True)

    def single(self, leaf: Leaf, after: int) -> Node:
        """Return the single value after a key or dash."""
        start, end = leaf.start, leaf.end
        style = self.text[start] if start < end else ""
        if style in (LITERAL, FOLDED):
            end = content_end(self.text, leaf)
        else:
            style = style if style in (SINGLE, DOUBLE) else ""
            # A value that replaced a block scalar includes the line break; leave that out.
            end -= self.text.endswith("\n", start, end)
        self.at = end if start < end else after
        return Node("leaf", start - self.base, start - self.base, end - self.base, style)


# --- the events of a parser ----------------------------------------------------------------------


def compose(text: str) -> Node:
    """Return the root of the first document of a text that has been scanned before."""
    try:
        return _compose(text, pure=False)
    except TooNewError:
        return _compose(text, pure=True)


def _compose(text: str, *, pure: bool) -> Node:
    composer = _Composer(text, pure)
    for event in composer.events:
        if type(event).__name__ not in ("StreamStartEvent", "DocumentStartEvent", "StreamEndEvent"):
            return composer.value(event)
    raise EmptyDocumentError("a line break that only YAML knows is before the document")


class _Composer:
    """Makes nodes of the events of a text."""

    def __init__(self, text: str, pure: bool) -> None:
        self.text = text
        self.bom = 1 if text[:1] == "\ufeff" else 0
        # Without the byte order mark: one parser counts it as a character, the other does not.
        self.events = events_of(text[self.bom :], pure)
        self.anchored: dict[str, str] = {}

    def value(self, event: Any) -> Node:
        """Return the value that an event is or starts, with all below it."""
        text, bom, events = self.text, self.bom, self.events
        node = _node(text, event, event.start_mark.index + bom, event.end_mark.index + bom)
        if node.kind == "leaf":
            if node.shared:
                self.anchored[event.anchor] = event.value
            return node
        for event in events:
            if type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
                break
            if node.kind == "seq":
                item = self.value(event)
                node.add(item, None, *_dash(text, node, item))
                continue
            key = self.value(event)
            item = self.value(next(events))
            name = self.anchored[event.anchor] if key.style == ALIAS else event.value
            node.add(item, name, *_colon(text, node, item, key))
        node.close(event.end_mark.index + bom)
        return node


def _node(text: str, event: Any, start: int, end: int) -> Node:
    """Return the value that an event is or starts."""
    name = type(event).__name__
    if name == "AliasEvent":
        return Node("leaf", start, start, end, ALIAS)
    shared = event.anchor is not None
    value = start
    if shared or event.tag is not None:
        value = properties(text, start, end, event.anchor, event.tag)[1]
    if name != "ScalarEvent":
        kind, flow = "map" if name == "MappingStartEvent" else "seq", bool(event.flow_style)
        return Node(kind, start, end - 1 if flow else value, flow=flow, shared=shared)
    style = event.style or ""
    if style in (LITERAL, FOLDED):
        end = content_end(text, Leaf(_NOWHERE, "", value, end, style, "str", event.value.encode()))
    return Node("leaf", start, value, end, style, shared=shared)


def _dash(text: str, inside: Node, node: Node) -> tuple[int, int]:
    """Return start and end of the dash before an item.  In a flow sequence, both are the item's start."""
    if inside.flow:
        return node.start, node.start
    dash = _after_gap(text, inside.items[-1].end if inside.items else inside.value)
    return dash, dash + 1 if text.startswith("-", dash) else ODD


def _colon(text: str, inside: Node, node: Node, key: Node) -> tuple[int, int]:
    """Return where the key before a value starts, and where its colon ends."""
    start, end = key.start, key.end
    colon = _TO_COLON.match(text, end)
    if inside.flow:
        return start, colon.end() if colon else end
    begin = line_start(text, start)
    before = text[begin:start].strip(" -\ufeff")
    if before == "?":  # a key of several lines, as sops writes it
        start = text.index("?", begin)
        if _after_gap(text, end) >= node.start:  # it has no colon and no value
            return start, end
    elif before:
        colon = None
    return start, colon.end() if colon else ODD
