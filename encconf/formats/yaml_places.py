"""The places of keys and values in a YAML document.

`walk` finds the keys between the values of a text that was read line by line.  `compose` gets the places of
keys and values from the events of a parser.
"""

from __future__ import annotations

import re

from encconf.errors import EmptyDocumentError
from encconf.formats.yaml_parser import TooNewError, parse
from encconf.formats.yaml_text import content_end
from encconf.formats.yaml_words import ALIAS, DOUBLE, FOLDED, LITERAL, SINGLE, SKIP, line_start, properties
from encconf.text.document import Leaf, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Document

_TO_COLON = re.compile(r"[ \t\r\n]*:")
_NOWHERE = Scope(None, None, (), "", {})
ODD = -1
"""The place of a colon or dash that was not found.  Such an item cannot be changed."""


class Item:
    """One member of a mapping or item of a sequence.

    ``start`` is where its key or dash begins, or in a flow sequence the item itself.  ``after`` is the end of
    its colon or dash.
    """

    __slots__ = ("after", "key", "node", "start")

    def __init__(self, key: str | int, start: int, after: int, node: Node) -> None:
        self.key = key
        self.start = start
        self.after = after
        self.node = node


class Node:
    """One value, ``text[start:end]``.  ``kind`` is map, seq or leaf.

    ``flow`` says that it is a flow collection.  ``value`` is where the value itself begins, after an anchor
    or tag.  ``style`` is the format's name for a leaf's spelling.  ``shared`` says that it has an anchor.
    """

    __slots__ = ("end", "flow", "items", "kind", "shared", "start", "style", "value")

    def __init__(
        self,
        kind: str,
        start: int,
        *,
        end: int = -1,
        flow: bool = False,
        value: int = -1,
        style: str = "",
        shared: bool = False,
    ) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.flow = flow
        self.value = start if value < 0 else value
        self.style = style
        self.shared = shared
        self.items: list[Item] = []


# --- texts that were read line by line -----------------------------------------------------------

# Comments, empty lines, and the indentation of the line that follows them.
_GAP = re.compile(r"(?>(?:\ *+(?:\#[^\n]*+)?\n)*)\ *+")
_OPEN, _CLOSE = "{[", {"map": "}", "seq": "]"}


def walk(document: Document, starts: list[int]) -> list[Node] | None:
    """Return the root of each document of a stream.  Offsets count from where the document ``starts``.

    Returns None if the text is not `regular` or has a ``sops`` block, or if a key is not where it should be.
    """
    if not document.regular or any(part.block is not None for part in document.parts):
        return None
    text, leaves = document.text, iter(document.leaves)
    roots: list[Node] = []
    stack: list[Node] = []
    at = base = 0
    for token in document.shape:
        if token == "%":
            base, at = starts[len(roots)], document.parts[len(roots)].start
            at += 3 if text.startswith("---", at) else 0
            stack = [Node("map", -1)]
            roots.append(stack[0])
        elif token == "}":
            node = stack.pop()
            if node.flow:
                at = text.find(_CLOSE[node.kind], at) + 1
                node.end = at - base
        else:
            inside, opens = stack[-1], token[0] in _OPEN
            leaf = None if opens else next(leaves)
            if inside.flow:
                assert leaf is not None
                start = after = leaf.start
            else:
                found = _head(text, at, token[1:] if inside.kind == "map" else None)
                if found is None:
                    return None
                start, after = found
            node, at = _single(text, leaf, after, base) if leaf else _collection(text, token, after, base)
            key: str | int = token[1:] if inside.kind == "map" else len(inside.items)
            inside.items.append(Item(key, start - base, after - base, node))
            if opens:
                stack.append(node)
    return roots if all(map(_close, roots)) else None


def _behind_gap(text: str, at: int) -> int:
    """Return where the next key, dash or value is."""
    gap = _GAP.match(text, at)
    assert gap is not None  # the pattern also matches the empty string
    return gap.end()


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


def _collection(text: str, token: str, after: int, base: int) -> tuple[Node, int]:
    """Return the collection after a key or dash, and where its contents begin."""
    kind = "map" if token[0] == "{" else "seq"
    at = _behind_gap(text, after)
    if text[at : at + 1] == token[0]:
        return Node(kind, at - base, flow=True), at + 1
    return Node(kind, -1), after


def _single(text: str, leaf: Leaf, after: int, base: int) -> tuple[Node, int]:
    """Return the single value after a key or dash, and where it ends."""
    start, end = leaf.start, leaf.end
    if start >= end:
        start = end = after
    style = text[start:end][:1]
    if style in (LITERAL, FOLDED):
        end = content_end(text, leaf)
    else:
        style = style if style in (SINGLE, DOUBLE) else ""
        # A value that replaced a block scalar includes the line break, whatever its style; leave that out.
        end -= text.endswith("\n", start, end)
    return Node("leaf", start - base, end=end - base, style=style), end


def _close(node: Node) -> bool:
    """Set where block collections start and end: with their first and last items.

    Returns False if one is empty.
    """
    if node.kind == "leaf" or node.flow:
        return True
    if not node.items or not all(_close(item.node) for item in node.items):
        return False
    node.start = node.value = node.items[0].start
    node.end = node.items[-1].node.end
    return True


# --- the events of a parser ----------------------------------------------------------------------


def compose(text: str) -> Node:
    """Return the root of the first document of a text that has been scanned before."""
    try:
        root = _compose(text, pure=False)
    except TooNewError:
        root = _compose(text, pure=True)
    _settle(root)
    return root


def _settle(node: Node) -> None:
    """Place each empty value after its colon or dash: parsers disagree about its place."""
    pending = [node]
    while pending:
        outer = pending.pop()
        for item in outer.items:
            inner = item.node
            if (
                inner.kind == "leaf"
                and inner.start >= inner.end
                and inner.value >= inner.end
                and item.after >= 0
            ):
                inner.start = inner.end = inner.value = item.after
            pending.append(inner)


def _compose(text: str, *, pure: bool) -> Node:
    bom = 1 if text[:1] == "\ufeff" else 0
    stack: list[Node] = []
    key: tuple[str, int, int] | None = None
    anchored: dict[str, str] = {}
    for event in parse(text, pure):
        name = type(event).__name__
        if name in ("StreamStartEvent", "DocumentStartEvent"):
            continue
        if name in ("MappingEndEvent", "SequenceEndEvent"):
            node = stack.pop()
            node.end = event.end_mark.index + bom if node.flow else node.items[-1].node.end
            if not stack:
                return node
            continue
        if name == "DocumentEndEvent" or name == "StreamEndEvent":
            break
        start, end = event.start_mark.index + bom, event.end_mark.index + bom
        inside = stack[-1] if stack else None
        if name == "ScalarEvent" and event.anchor is not None:
            anchored[event.anchor] = event.value
        if inside is not None and inside.kind == "map" and key is None:
            key = (event.value if name == "ScalarEvent" else anchored[event.anchor], start, end)
            continue
        node = _node(text, event, start, end)
        if inside is not None:
            inside.items.append(_item(text, inside, key, node))
            key = None
        if node.kind != "leaf":
            stack.append(node)
        elif inside is None:
            return node
    raise EmptyDocumentError("there is no document in the text")


def _node(text: str, event: Any, start: int, end: int) -> Node:
    """Return the value that an event is or starts."""
    name = type(event).__name__
    if name == "ScalarEvent":
        return _scalar(text, event, start, end)
    if name == "AliasEvent":
        return Node("leaf", start, end=end, style=ALIAS)
    kind, flow = "map" if name == "MappingStartEvent" else "seq", bool(event.flow_style)
    return Node(kind, start, flow=flow, shared=event.anchor is not None, value=end - 1 if flow else start)


def _scalar(text: str, event: Any, start: int, end: int) -> Node:
    style = event.style or ""
    value = start
    if event.anchor is not None or event.tag is not None:
        value = properties(text, start, end, event.anchor, event.tag)[1]
    if style in (LITERAL, FOLDED):
        end = content_end(text, Leaf(_NOWHERE, "", value, end, style, "str", event.value.encode()))
    return Node("leaf", start, end=end, value=value, style=style, shared=event.anchor is not None)


def _item(text: str, inside: Node, key: tuple[str, int, int] | None, node: Node) -> Item:
    if key is not None:
        name, start, end = key
        colon = _TO_COLON.match(text, end)
        begin = line_start(text, start)
        before = text[begin:start].strip(" -\ufeff") if not inside.flow else ""
        if before == "?":  # a key of several lines, as sops writes it
            start = text.index("?", begin)
        elif before:
            colon = None
        if colon is None and inside.flow:
            return Item(name, start, end, Node("leaf", end, end=end))
        return Item(name, start, colon.end() if colon else ODD, node)
    number = len(inside.items)
    if inside.flow:
        return Item(number, node.start, node.start, node)
    at = inside.start if not inside.items else inside.items[-1].node.end
    skipped = re.compile(SKIP).match(text, at)
    dash = skipped.end() if skipped else at
    return Item(number, dash, dash + 1 if text[dash : dash + 1] == "-" else ODD, node)
