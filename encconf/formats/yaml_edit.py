"""Putting a value into a YAML text and taking one out; every other byte stays.

The first document of a stream is the one that is changed, as in sops.  What comes in is laid out
as the text around it is: its indentation, its dashes, brackets where it stands in brackets.  A value
that replaces a quoted one stays in quotes.  Behind an alias nothing can be changed.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, EmptyDocumentError
from encconf.formats import yaml, yaml_events, yaml_text
from encconf.formats.nodes import Item, Node, add, descend, found, take
from encconf.formats.yaml_text import ALIAS, DOUBLE, FOLDED, LITERAL, SINGLE
from encconf.text.document import Leaf, Scope, splice
from encconf.text.tree import nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Edit
    from encconf.text.path import Path
    from encconf.text.tree import Plain

_TO_COLON = re.compile(r"[ \t\r\n]*:")
_NOWHERE = Scope(None, None, (), "", {})


def put(text: str, path: Path, value: Plain) -> str:
    """A text with a value at a path: in the place of what is there, or as a new last entry.

    Raises PathNotFoundError for a path that cannot be, EmitError where it leads behind an alias,
    ParseError.
    """
    root = compose(text)
    chain = descend(root, path)
    at = len(chain) - 1
    node, rest = chain[-1], path[at:]
    if node.style == ALIAS and rest:
        raise _shared()
    new = nested(rest, value)
    if node.kind == "leaf" or not rest or not node.items:
        if at == 0:
            return splice(text, [_replace_root(text, node, new)])
        parent = chain[-2]
        index = parent.index(path[at - 1])
        assert index is not None
        return splice(text, [_replace(text, root, chain, parent.items[index], new)])
    inner = nested(rest[1:], value)
    if node.flow:
        member = _flow(inner) if isinstance(rest[0], int) else f"{_key(rest[0], True)}: {_flow(inner)}"
        return splice(text, [add(text, node, member)])
    first = node.items[0]
    column = _column(text, first.start)
    style = _Style(text, root)
    head = "-" if isinstance(rest[0], int) else f"{_key(rest[0], False)}:"
    lines = style.item(head, inner, column)
    return splice(text, [_insert(text, node.end, lines, style.newline)])


def drop(text: str, path: Path) -> str:
    """A text without the value at a path; a comment above it stays.

    Raises PathNotFoundError, EmitError where the path leads behind an alias, ParseError.
    """
    root = compose(text)
    chain = descend(root, path)
    if len(chain) <= len(path) and chain[-1].style == ALIAS:
        raise _shared()
    chain = found(root, path)
    parent = chain[-2]
    at = parent.index(path[-1])
    assert at is not None
    if parent.flow:
        return splice(text, [take(text, parent, at)])
    items = parent.items
    _refuse_odd(items[at])
    if len(items) == 1:
        empty: Plain = {} if parent.kind == "map" else []
        if len(chain) == 2:
            return splice(text, [_replace_root(text, parent, empty)])
        outer = chain[-3]
        index = outer.index(path[-2])
        assert index is not None
        return splice(text, [_replace(text, root, chain[:-1], outer.items[index], empty)])
    item = items[at]
    line = _line_start(text, item.start)
    if text[line : item.start].strip(" \ufeff"):  # the first one, behind a dash
        return splice(text, [(item.start, items[at + 1].start, "")])
    return splice(
        text,
        [(item.start - len(text[line : item.start].lstrip("\ufeff")), _line_end(text, item.node.end), "")],
    )


# --- replacing -------------------------------------------------------------------------------


def _replace(text: str, root: Node, chain: list[Node], item: Item, new: Plain) -> Edit:
    """Put a value in the place of an item's."""
    node, parent = chain[-1], chain[-2]
    _refuse_odd(item)
    style = _Style(text, root)
    if parent.flow:
        word = _flow(new) if _is_full(new) else _word(new, node.style, True)
        is_bare = isinstance(item.key, str) and text[item.after - 1] != ":"  # `{key}`
        return _value_start(node), node.end, f": {word}" if is_bare else word
    column = _column(text, item.start)
    if not _is_full(new) and node.kind == "leaf" and node.end > node.value and not _block(node):
        return _value_start(node), node.end, _word(new, node.style, False)
    head = text[item.start : item.after]
    lines = style.item(head, new, column, kept=node.style)
    laid = style.newline.join(lines)[column:]
    if _block(node) and node.end > item.after and text[node.end - 1] in "\r\n":
        laid += style.newline
    return item.start, max(node.end, item.after), laid


def _replace_root(text: str, node: Node, new: Plain) -> Edit:
    """Put a mapping in the place of the whole document's."""
    if not isinstance(new, dict):
        raise EmitError("the top level must be a mapping", hint="name a key to put the value under")
    style = _Style(text, node)
    alone = not text[_line_start(text, node.start) : node.start].strip("\ufeff")
    if not new or (node.flow and (node.items or not alone)):
        laid = _flow(new)
    else:
        laid = style.newline.join(
            line for key, item in new.items() for line in style.item(f"{_key(key, False)}:", item, 0)
        )
    before = text[: node.start]
    if before and before[-1] not in "\r\n\ufeff \t":
        laid = style.newline + laid
    if (node.kind == "map" and node.end > node.start and text[node.end - 1] in "\r\n") or (
        not text[node.end :].startswith(("\r", "\n")) and not node.flow
    ):
        laid += style.newline
    return node.start, node.end, laid


def _insert(text: str, end: int, lines: list[str], newline: str) -> Edit:
    """New lines below the one on which something ends."""
    at = _line_end(text, end)
    laid = newline.join(lines) + newline
    if at and text[at - 1] not in "\r\n":
        laid = newline + laid[: -len(newline)]
    return at, at, laid


def _value_start(node: Node) -> int:
    """Behind an anchor, in place of a tag: the new value may be of another type."""
    return node.value if node.shared else node.start


_ODD = -1  # where the colon or the dash of an item that cannot be changed is


def _refuse_odd(item: Item) -> None:
    if item.after == _ODD:
        raise EmitError(
            "the place is laid out in a way that cannot be changed here",
            hint="change it with: encconf edit FILE",
        )


def _block(node: Node) -> bool:
    return node.style in (LITERAL, FOLDED) or (node.kind != "leaf" and not node.flow)


def _is_full(value: Plain) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _shared() -> EmitError:
    return EmitError(
        "the path leads behind an alias, to a value that stands elsewhere too",
        hint="change it where its anchor is, or write it out with: encconf edit FILE",
    )


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _column(text: str, offset: int) -> int:
    line = _line_start(text, offset)
    return offset - line - (1 if line == 0 and text[:1] == "\ufeff" else 0)


def _line_end(text: str, offset: int) -> int:
    """Behind the line break of the line on which something ends just before an offset."""
    if offset and text[offset - 1] in "\r\n":
        return offset
    match = yaml_text.NEWLINE.search(text, offset)
    return match.end() if match else len(text)


# --- spelling --------------------------------------------------------------------------------


class _Style:
    """How a text is laid out: its line break, one level of indentation, whether dashes are indented."""

    __slots__ = ("dashes", "newline", "step")

    def __init__(self, text: str, root: Node) -> None:
        self.newline = yaml_text.newline_of(text)
        self.step = yaml_text.step_of(text)
        self.dashes = 0
        for node, column in _blocks(text, root):
            if node.kind == "seq":
                self.dashes = max(_column(text, node.items[0].start) - column, 0)
                break
        else:
            self.dashes = self.step

    def item(self, head: str, value: Plain, column: int, *, kept: str = "") -> list[str]:
        """The lines of ``key:`` or ``-`` with its value, from a column on."""
        pad = " " * column
        if isinstance(value, dict) and value:
            if head == "-":
                lines = self.entries(value, column + 2)
                return [f"{pad}- {lines[0][column + 2 :]}", *lines[1:]]
            return [pad + head, *self.entries(value, column + self.step)]
        if isinstance(value, list) and value:
            if head == "-":
                lines = [line for item in value for line in self.item("-", item, column + 2)]
                return [f"{pad}- {lines[0][column + 2 :]}", *lines[1:]]
            inner = column + self.dashes
            return [pad + head, *(line for item in value for line in self.item("-", item, inner))]
        if (
            isinstance(value, str)
            and "\n" in value
            and kept not in (SINGLE, DOUBLE)
            and yaml_text.fits_block(value)
        ):
            lines = yaml_text.block_lines(value, column + self.step, "\n")[:-1].split("\n")
            return [f"{pad}{head} |{yaml_text.chomping(value)}", *lines]
        return [f"{pad}{head} {_word(value, kept, False)}"]

    def entries(self, value: dict[str, Plain], column: int) -> list[str]:
        """The lines of a mapping's entries."""
        return [
            line for key, item in value.items() for line in self.item(f"{_key(key, False)}:", item, column)
        ]


def _blocks(text: str, root: Node) -> list[tuple[Node, int]]:
    """Every collection in block style below a key, with the key's column, in the text's order."""
    found: list[tuple[Node, int]] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node.kind == "map" and not node.flow:
            for item in node.items:
                if item.node.items and not item.node.flow:
                    found.append((item.node, _column(text, item.start)))
        pending.extend(item.node for item in reversed(node.items) if item.node.items)
    return found


def _word(value: Plain, style: str, flow: bool) -> str:
    """A scalar or an empty collection, in the quotes that were there before."""
    if isinstance(value, str):
        if style == DOUBLE:
            return yaml.double(value)
        if style == SINGLE and value.isprintable():
            return yaml_text.single(value)
        return yaml.plain(value, flow=flow)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):
        from encconf.formats import goyaml

        return yaml.scalar("float", goyaml.format_float(value))
    return str(value)


def _key(key: str, flow: bool) -> str:
    return yaml.plain(key, flow=flow) if key != "<<" else '"<<"'


def _flow(value: Plain) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key, True)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _word(value, "", True)


# --- places ----------------------------------------------------------------------------------


def compose(text: str) -> Node:
    """The first document's values with their places.

    Raises ParseError.
    """
    end = len(text)
    try:
        end = yaml.scan(text).parts[0].end  # from here on it is a text that sops takes
        return _compose(text, pure=False)
    except yaml_events.TooNewError:
        return _compose(text, pure=True)
    except EmptyDocumentError:
        return Node("leaf", end, end=end)


def _compose(text: str, *, pure: bool) -> Node:
    bom = 1 if text[:1] == "\ufeff" else 0
    stack: list[Node] = []
    key: tuple[str, int, int] | None = None
    anchored: dict[str, str] = {}
    for event in yaml_events.parse(text, pure):
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
        if name == "ScalarEvent":
            node = _scalar(text, event, start, end)
        elif name == "AliasEvent":
            node = Node("leaf", start, end=end, style=ALIAS)
        else:
            kind = "map" if name == "MappingStartEvent" else "seq"
            flow = bool(event.flow_style)
            node = Node(kind, start, flow=flow, shared=event.anchor is not None)
            node.value = end - 1 if flow else start
        if inside is not None:
            inside.items.append(_item(text, inside, key, node))
            key = None
        if node.kind != "leaf":
            stack.append(node)
        elif inside is None:
            return node
    raise EmptyDocumentError("there is no document in the text")


def _scalar(text: str, event: object, start: int, end: int) -> Node:
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    style = getattr(event, "style", None) or ""
    value = start
    if anchor is not None or tag is not None:
        value = yaml_events.properties(text, start, end, anchor, tag)[1]
    if style in (LITERAL, FOLDED):
        data = str(getattr(event, "value", "")).encode()
        end = yaml_text.content_end(text, Leaf(_NOWHERE, "", value, end, style, "str", data))
    return Node("leaf", start, end=end, value=value, style=style, shared=anchor is not None)


def _item(text: str, inside: Node, key: tuple[str, int, int] | None, node: Node) -> Item:
    if key is not None:
        name, start, end = key
        colon = _TO_COLON.match(text, end)
        begin = _line_start(text, start)
        before = text[begin:start].strip(" -\ufeff") if not inside.flow else ""
        if before == "?":  # a key of several lines, as sops writes it
            start = text.index("?", begin)
        elif before:
            colon = None
        if colon is None and inside.flow:
            return Item(name, start, end, Node("leaf", end, end=end))
        return Item(name, start, colon.end() if colon else _ODD, node)
    number = len(inside.items)
    if inside.flow:
        return Item(number, node.start, node.start, node)
    at = inside.start if not inside.items else inside.items[-1].node.end
    skipped = yaml_events.SKIP.match(text, at)
    dash = skipped.end() if skipped else at
    return Item(number, dash, dash + 1 if text[dash : dash + 1] == "-" else _ODD, node)
