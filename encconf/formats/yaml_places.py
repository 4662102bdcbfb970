"""The places of keys and values in a YAML document.

`walk` finds the keys between the values of a text that was read line by line.  `compose` gets the places of
keys and values from the events of a parser.  Both fill one `_Nodes`.
"""

from __future__ import annotations

import re

from encconf.errors import EmptyDocumentError
from encconf.formats.yaml_parser import TooNewError, events_of
from encconf.formats.yaml_text import content_end
from encconf.formats.yaml_words import ALIAS, DOUBLE, FOLDED, LITERAL, SINGLE, SKIP, line_start, properties
from encconf.text.document import Leaf, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Document

_SKIP = re.compile(SKIP)
_TO_COLON = re.compile(r"[ \t\r\n]*:")
_NOWHERE = Scope(None, None, (), "", {})
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


class _Nodes:
    """The nodes of one document, as far as it has been read.

    A reader passes the values and the ends of its collections in their order.  ``inside`` is the innermost
    open collection, or None.
    """

    __slots__ = ("inside", "open", "root")

    def __init__(self) -> None:
        self.root: Node | None = None
        self.inside: Node | None = None
        self.open: list[Node | None] = []

    def add(self, node: Node, key: str | None, begin: int, after: int) -> None:
        """Add a value: the root, or the next item of the innermost collection, which begins at ``begin``."""
        inside = self.inside
        if inside is None:
            self.root = node
        else:
            if node.end <= node.start and node.end <= node.value and after >= 0 and node.kind == "leaf":
                # Parsers disagree about the place of an empty value; use the end of its colon or dash.
                node.start = node.value = node.end = after
            node.key = len(inside.items) if key is None else key
            node.begin = begin
            node.after = after
            inside.items.append(node)
        if node.kind != "leaf":
            self.open.append(inside)
            self.inside = node

    def close(self, end: int) -> bool:
        """End the innermost collection: a flow collection at ``end``, any other with its last item.

        Returns False for a block collection without items, which no text has.
        """
        node = self.inside
        assert node is not None
        self.inside = self.open.pop()
        if node.flow:
            node.end = end
        elif node.items:
            node.start = node.value = node.items[0].begin
            node.end = node.items[-1].end
        else:
            return False
        return True


def _behind_gap(text: str, at: int) -> int:
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
    text, leaves = document.text, iter(document.leaves)
    roots: list[Node] = []
    nodes = _Nodes()
    at = base = 0
    for token in [*document.shape, "%"]:
        sign = token[0]
        inside = nodes.inside
        if sign == "%":
            if inside is not None and not nodes.close(-1):
                return None
            if len(roots) < len(starts):
                base, at = starts[len(roots)], document.parts[len(roots)].start
                at += 3 if text.startswith("---", at) else 0
                roots.append(Node("map", -1, -1))
                nodes.add(roots[-1], None, ODD, ODD)
            continue
        assert inside is not None
        if sign == "}":
            if inside.flow:
                at = text.find(_CLOSE[inside.kind], at) + 1
            if not nodes.close(at - base):
                return None
            continue
        leaf = None if sign in "{[" else next(leaves)
        key = token[1:] if inside.kind == "map" else None
        if inside.flow:
            assert leaf is not None
            start = after = leaf.start
        else:
            found = _head(text, at, key)
            if found is None:
                return None
            start, after = found
        node, at = _single(text, leaf, after, base) if leaf else _collection(text, sign, after, base)
        nodes.add(node, key, start - base, after - base)
    return roots


def _head(text: str, at: int, key: str | None) -> tuple[int, int] | None:
    """Return start and end of the next key with its colon, or for ``key`` None, of the next dash.

    Returns None if the text has something else there.
    """
    start = _behind_gap(text, at)
    if key is None:
        return (start, start + 1) if text.startswith("-", start) else None
    quote = text[start : start + 1] if not text.startswith(f"{key}:", start) else ""
    head = f"{quote}{key}{quote}:"
    return (start, start + len(head)) if text.startswith(head, start) else None


def _collection(text: str, sign: str, after: int, base: int) -> tuple[Node, int]:
    """Return the collection after a key or dash, and where its contents begin."""
    kind = "map" if sign == "{" else "seq"
    at = _behind_gap(text, after)
    if text.startswith(sign, at):
        return Node(kind, at - base, at - base, flow=True), at + 1
    return Node(kind, -1, -1), after


def _single(text: str, leaf: Leaf, after: int, base: int) -> tuple[Node, int]:
    """Return the single value after a key or dash, and where it ends."""
    start, end = leaf.start, leaf.end
    style = text[start] if start < end else ""
    if style in (LITERAL, FOLDED):
        end = content_end(text, leaf)
    else:
        style = style if style in (SINGLE, DOUBLE) else ""
        # A value that replaced a block scalar includes the line break, whatever its style; leave that out.
        end -= text.endswith("\n", start, end)
    return Node("leaf", start - base, start - base, end - base, style), end if start < end else after


# --- the events of a parser ----------------------------------------------------------------------


def compose(text: str) -> Node:
    """Return the root of the first document of a text that has been scanned before."""
    try:
        return _compose(text, pure=False)
    except TooNewError:
        return _compose(text, pure=True)


def _compose(text: str, *, pure: bool) -> Node:
    bom = 1 if text[:1] == "\ufeff" else 0
    nodes = _Nodes()
    key: tuple[str, int, int] | None = None
    anchored: dict[str, str] = {}
    # Without the byte order mark: one parser counts it as a character, the other does not.
    for event in events_of(text[bom:], pure):
        name = type(event).__name__
        if name in ("StreamStartEvent", "DocumentStartEvent"):
            continue
        if name == "StreamEndEvent":
            break
        start, end = event.start_mark.index + bom, event.end_mark.index + bom
        inside = nodes.inside
        if name == "ScalarEvent" and event.anchor is not None:
            anchored[event.anchor] = event.value
        if name in ("MappingEndEvent", "SequenceEndEvent"):
            nodes.close(end)
        elif inside is not None and inside.kind == "map" and key is None:
            key = (event.value if name == "ScalarEvent" else anchored[event.anchor], start, end)
        else:
            node = _node(text, event, start, end)
            begin, after = _place(text, inside, node, key) if inside is not None else (start, start)
            nodes.add(node, key[0] if key is not None else None, begin, after)
            key = None
        if nodes.root is not None and nodes.inside is None:
            return nodes.root
    raise EmptyDocumentError("a line break that only YAML knows is before the document")


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


def _place(text: str, inside: Node, node: Node, key: tuple[str, int, int] | None) -> tuple[int, int]:
    """Return start and end of the key with its colon, or of the dash, before a value."""
    if key is None:
        if inside.flow:
            return node.start, node.start
        dash = _behind_gap(text, inside.items[-1].end if inside.items else inside.value)
        return dash, dash + 1 if text.startswith("-", dash) else ODD
    _, start, end = key
    colon = _TO_COLON.match(text, end)
    if inside.flow:
        return start, colon.end() if colon else end
    begin = line_start(text, start)
    before = text[begin:start].strip(" -\ufeff")
    if before == "?":  # a key of several lines, as sops writes it
        start = text.index("?", begin)
        if _behind_gap(text, end) >= node.start:  # it has no colon and no value
            return start, end
    elif before:
        colon = None
    return start, colon.end() if colon else ODD
