"""Putting a value into a JSON text and taking one out; every other byte stays.

What comes in is laid out as its neighbours are: on lines of its own where they stand so, with
their indentation.
"""

from __future__ import annotations

import re

from encconf.formats import json
from encconf.formats.nodes import Item, Node, add, descend, found, nested, take
from encconf.text.document import splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.formats.nodes import Plain
    from encconf.text.path import Path

_TOKEN = re.compile(json._TOKEN)


def put(text: str, path: Path, value: Plain) -> str:
    """A text with a value at a path: in the place of what is there, or as a new last member.

    Raises PathNotFoundError for a path that cannot be, ParseError.
    """
    root = compose(text)
    chain = descend(root, path)
    at = len(chain) - 1
    node, rest = chain[-1], path[at:]
    if not rest or node.kind == "leaf":
        indent, unit, gap = _layout(text, root, chain[:-1])
        return splice(text, [(node.start, node.end, _lay(nested(rest, value), indent, unit, gap))])
    if not node.items:
        outer, unit, gap = _layout(text, root, chain[:-1])
        inner = nested(rest, value)
        return splice(text, [(node.start, node.end, _lay(inner, outer, unit, gap))])
    indent, unit, gap = _layout(text, root, chain)
    member = _lay(nested(rest[1:], value), indent, unit, gap)
    if isinstance(rest[0], str):
        member = f"{json._quote(rest[0])}:{_colon(text, node)}{member}"
    return splice(text, [add(text, node, member)])


def drop(text: str, path: Path) -> str:
    """A text without the value at a path.  Raises PathNotFoundError, ParseError."""
    chain = found(compose(text), path)
    at = chain[-2].index(path[-1])
    assert at is not None
    return splice(text, [take(text, chain[-2], at)])


def compose(text: str) -> Node:
    """The text's values with their places; raises ParseError."""
    json.scan(text)  # from here on it is JSON
    from json import loads

    stack: list[Node] = []
    key: str | None = None
    start = after = 0
    last = Node("leaf", 0)
    for match in _TOKEN.finditer(text, json._skip(text, 0)):
        token = match[0]
        if token in ("}", "]"):
            last = stack.pop()
            last.end = match.end()
            if not stack:
                break
        elif token == ",":
            continue
        elif token == ":":
            after = match.end()
            continue
        else:
            inside = stack[-1] if stack else None
            if inside is not None and inside.kind == "map" and key is None:
                key, start = loads(token), match.start()
                continue
            kind = {"{": "map", "[": "seq"}.get(token, "leaf")
            node = Node(kind, match.start(), end=match.end(), flow=kind != "leaf")
            if inside is not None:
                if key is not None:
                    inside.items.append(Item(key, start, after, node))
                else:
                    inside.items.append(Item(len(inside.items), node.start, node.start, node))
            key = None
            if kind != "leaf":
                stack.append(node)
            last = node
    return last


def _layout(text: str, root: Node, chain: list[Node]) -> tuple[str, str, str]:
    """How what stands inside the last of these nodes is laid out.

    That is the line break with the indentation of its members, "" for all on one line; one more
    level; and what follows a comma on one line.
    """
    node = chain[-1] if chain else root
    outer = "" if not chain else _lead(text, node)
    unit = "\t"
    for inner in (root, *chain):
        lead = _lead(text, inner)
        if lead:
            unit = lead.lstrip("\r\n") or unit
            break
    if not chain:
        return (_lead(text, root) and "\n") or ("\n" if not root.items else ""), unit, " "
    return outer, unit, "" if '":' in text and '": ' not in text else " "


def _lead(text: str, node: Node) -> str:
    """The line break and indentation before a collection's members, "" if they share its line."""
    if not node.items:
        return ""
    lead = text[node.value + 1 : node.items[0].start]
    return ("\r\n" if "\r\n" in lead else "\n") + lead.rpartition("\n")[2] if "\n" in lead else ""


def _colon(text: str, node: Node) -> str:
    item = node.items[-1]
    return text[item.after : item.node.start] if text[item.after : item.node.start] in ("", " ") else " "


def _lay(value: Plain, newline: str, unit: str, gap: str) -> str:
    compact = _compact(value)
    return json._lay(compact, newline, unit, gap) if newline or gap else compact


def _compact(value: Plain) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json._quote(name)}:{_compact(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, str):
        return json._quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json._digits("int" if isinstance(value, int) else "float", repr(value))
