"""A plain text as a tree of entries, each with all the characters that spell it.

The pieces of a tree, put one after the other, are the text again: comments, blank lines, commas
and indentation are part of them.  Values are known by what they say (type and bytes), so that a
change of spelling can be told from a change of value.

A `Tree` is laid out in lines, an entry on each (block YAML, dotenv, INI, TOML tables), or between
brackets (``flow``).  What cannot be cut into such pieces raises ParseError or EmitError.
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.errors import EmitError, EmptyDocumentError
from encconf.text.document import Document
from encconf.text.document import says as said
from encconf.text.tree import Entry, Single, Tree
from encconf.text.tree import lines as _lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable
    from typing import Any

    from encconf.formats.nodes import Item, Node
    from encconf.text.tree import Data



HEADER = re.compile(r"[|>][-+0-9]*([ \t]*(?:[ \t]#[^\n]*)?)(?=\n)")
"""What a block scalar begins with; the comment in it is no part of the value."""
_COMMENT = re.compile(r"[#;][^\n]*")


def comments(block: Tree) -> Counter[str]:
    """The comments in a tree and how often each is there: what looks like one and is no part of a value."""
    from collections import Counter

    found = Counter(_comments(block.tail))
    for entry in block.entries:
        found.update(_comments(f"{entry.lead}\n{entry.head}\n{entry.post}\n{entry.trail}"))
        if isinstance(entry.value, Tree):
            found.update(comments(entry.value))
        elif entry.value is not None and isinstance(entry.value.data, (dict, list)):
            found.update(_comments(entry.value.text))  # a collection that is not looked into
        elif entry.value is not None and (header := HEADER.match(entry.value.text)):
            found.update(_comments(header[1]))
    return found


def _comments(text: str) -> list[str]:
    return [comment.rstrip() for comment in _COMMENT.findall(text)]


def frozen(data: Data) -> Hashable:
    """The same, hashable."""
    if isinstance(data, dict):
        return frozenset((key, frozen(item)) for key, item in data.items())
    if isinstance(data, list):
        return tuple(map(frozen, data))
    return ("", *data)


def read(text: str, format: str) -> Tree:
    """The tree of a plain text whose line breaks are line feeds."""
    tree = _read(text, format)
    if tree.text != text:
        raise _unclear()
    return tree


def _read(text: str, format: str) -> Tree:
    if format == "yaml":
        return _stream(text)
    document = _scanned(text, format)
    if document is None:
        empty = Tree("stream", [])
        empty.tail = text
        return empty
    return formats.writing(format).tree(document)


def says(text: str, format: str) -> list[Data]:
    """What a plain text says, all documents of it.  Raises ParseError."""
    document = _scanned(text, format)
    if document is None:
        return []
    if format == "yaml" and (document.merges or any("*" in leaf.style for leaf in document.leaves)):
        data: Any = read(text, format).data  # an alias is itself, not what it stands for
        return data  # type: ignore[no-any-return]
    if format == "dotenv":  # a name may stand twice
        tree = formats.writing(format).tree(document)
        return [{f"{entry.key}": entry.data for entry in tree.members}]
    return said(document)


def _scanned(text: str, format: str) -> Document | None:
    if not text.strip() and format in ("yaml", "json"):
        return None
    try:
        return formats.module(format).scan(text)
    except EmptyDocumentError:
        return None


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Behind the line break of the line on which something ends just before an offset."""
    if at and text[at - 1] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


def _only_comments(text: str, start: int, end: int, signs: str = "#") -> bool:
    for found in _LINE.finditer(text, start, end):
        line = found[0].strip()
        if line and line[0] not in signs:
            return False
    return True


def _unclear() -> EmitError:
    return EmitError("the text is laid out in a way that cannot be merged piece by piece")


# --- YAML ----------------------------------------------------------------------------------------

_MARKER = re.compile(r"(?m)^---(?=[ \r\n]|\Z)")
_END = re.compile(r"(?m)^\.\.\.(?=[ \r\n]|\Z)")


def _stream(text: str) -> Tree:
    """All documents: each is an entry with its directives and markers."""
    document = _scanned(text, "yaml")
    stream = Tree("stream", [])
    if document is None:
        if text.strip():
            stream.entries.append(_document(text, None))
        else:
            stream.tail = text
        return stream
    starts = [_line_start(text, part.start) for part in document.parts]
    starts[0] = 0
    datas: list[Data] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        entry = _document(text[start:end], document if len(starts) == 1 else None)
        stream.entries.append(entry)
        datas.append(entry.data)
    stream.data = datas
    return stream


def _document(text: str, document: Document | None) -> Entry:
    from encconf.formats import yaml_edit

    root = yaml_edit.compose(text)
    datas: dict[int, Data] = {}
    document = document or _scanned(text, "yaml")
    for leaf in document.leaves if document is not None else []:
        if "*" not in leaf.style:
            datas[leaf.start] = (leaf.type, leaf.data)
    marker = _MARKER.search(text, 0, max(root.start, 0))
    head_end = marker.end() if marker else 0
    if marker is not None and text[head_end : _line_end(text, head_end)].strip()[:1] not in ("", "#"):
        if root.kind != "map" or not root.flow:
            raise _unclear()
    elif marker is not None:
        head_end = _line_end(text, head_end)
    ending = _END.search(text, root.end)
    stop = ending.start() if ending else len(text)
    if root.kind == "map" and root.flow:
        _settle(root)
        node: Tree | Single = _flow(text, root, datas)
        return Entry((), "", text[: root.value], node, text[root.end :], listed=True)
    if not root.items and _only_comments(text, head_end, stop):
        block = Tree("map", {}, column=0)
        block.bare = True
        block.entries += _lines(text, head_end, stop)
        return Entry((), "", text[:head_end], block, text[stop:], listed=True)
    if root.kind != "map" or not root.items:
        return Entry((), "", "", Single(text, {}), listed=True)
    if not _only_comments(text, head_end, _line_start(text, root.items[0].start)):
        raise _unclear()
    block, end = _yaml_block(text, root, head_end, stop, -1, datas)
    if not _only_comments(text, end, stop):
        raise _unclear()
    block.entries += _lines(text, end, stop)
    return Entry((), "", text[:head_end], block, text[stop:], listed=True)


def _settle(node: Node) -> None:
    """A value that is not there stands behind its colon or dash, wherever the parser saw it."""
    pending = [node]
    while pending:
        outer = pending.pop()
        for item in outer.items:
            inner = item.node
            if inner.kind == "leaf" and inner.start >= inner.end and inner.value >= inner.end:
                inner.start = inner.end = inner.value = item.after
            pending.append(inner)


def _column(text: str, at: int) -> int:
    return at - _line_start(text, at)


def _yaml_block(
    text: str, node: Node, start: int, limit: int, outside: int, datas: dict[int, Data]
) -> tuple[Tree, int]:
    """A block collection from ``start``, and where its lines end, before ``limit``.

    ``outside`` is the column of the collection around it: comments that are indented like this one are
    its own.
    """
    _settle(node)
    items = node.items
    column = _column(text, items[0].start)
    inline = bool(text[_line_start(text, items[0].start) : items[0].start].strip())
    block = Tree(node.kind, {}, column=column)
    block.inline = inline
    at = start
    for number, item in enumerate(items):
        line = item.start if inline and number == 0 else _line_start(text, item.start)
        if line < at or text[line : item.start].strip(" ") or not _only_comments(text, at, line):
            raise _unclear()
        block.entries += _lines(text, at, line)
        following = _line_start(text, items[number + 1].start) if number + 1 < len(items) else limit
        entry, at = _yaml_entry(text, item, line, following, column, datas)
        block.entries.append(entry)
    # Comments that follow, as deep as the items.
    end = at
    for found in _LINE.finditer(text, at, limit):
        line_text = found[0].strip()
        if not line_text:
            continue
        indent = len(found[0]) - len(found[0].lstrip(" "))
        if line_text[0] != "#" or indent < column or indent <= outside:
            break
        end = found.end()
    block.entries += _lines(text, at, end)
    block.data = _data_of(block)
    return block, end


def _data_of(block: Tree) -> Data:
    entries = [entry for entry in block.entries if entry.value is not None]
    if block.kind == "map":
        return {str(entry.key): entry.data for entry in entries}
    return [entry.data for entry in entries]


def _yaml_entry(
    text: str, item: Item, line: int, limit: int, column: int, datas: dict[int, Data]
) -> tuple[Entry, int]:
    node = item.node
    listed = isinstance(item.key, int)
    key = None if listed else item.key
    steps = (item.key,)
    lead = text[line : item.start]
    if node.kind == "leaf" or node.flow or not node.items:
        end = _line_end(text, max(node.end, item.after))
        if node.kind == "leaf":
            data = _leaf_data(text, node, datas)
            value = Single(text[node.start : node.end], data)
            head, post = text[item.start : node.start], text[node.end : end]
            return Entry(steps, lead, head, value, post, key=key, listed=listed), end
        if text[node.value : node.value + 1] not in ("{", "["):
            raise _unclear()
        flow = _flow(text, node, datas)
        head, post = text[item.start : node.value], text[node.end : end]
        return Entry(steps, lead, head, flow, post, key=key, listed=listed), end
    first = node.items[0]
    start = first.start
    if _line_start(text, first.start) > item.start:
        start = _line_end(text, item.after)
        if start > _line_start(text, first.start):
            raise _unclear()
    block, end = _yaml_block(text, node, start, limit, column, datas)
    return Entry(steps, lead, text[item.start : start], block, "", key=key, listed=listed), end


def _leaf_data(text: str, node: Node, datas: dict[int, Data]) -> Data:
    from encconf.formats.yaml_text import ALIAS

    if node.style == ALIAS:
        return ("alias", text[node.start : node.end].encode())
    found = datas.get(node.value)
    if found is not None:
        return found
    if node.value < node.end:
        raise _unclear()
    return ("null", None)


# --- brackets ------------------------------------------------------------------------------------

_GAP = re.compile(r"(?>(?:[ \t\n]++|(?<=[ \t\n])#[^\n]*|\A#[^\n]*)*)")
_REST_OF_LINE = re.compile(r"[ \t]*#[^\n]*")


def _flow(text: str, node: Node, datas: dict[int, Data]) -> Tree:
    """A collection in brackets, from behind the opening one to the closing one."""
    block = Tree(node.kind, {}, brackets="{}" if text[node.value] == "{" else "[]")
    at, close = node.value + 1, node.end - 1
    for number, item in enumerate(node.items):
        entry = _flow_entry(text, item, at, datas)
        end = max(item.node.end, item.after)
        found = _GAP.match(text, end, close)
        after = found.end() if found else end
        if text[after : after + 1] == "," and after < close:
            entry.post += text[end:after]
            at = after + 1
            block.comma = True
        else:
            at = end
            block.comma = False
        rest = _REST_OF_LINE.match(text, at, close)
        if rest is not None:
            entry.trail = rest[0]
            at = rest.end()
        if not block.comma and number + 1 < len(node.items):
            raise _unclear()
        block.entries.append(entry)
    block.tail = text[at:close]
    block.data = _data_of(block)
    return block


def _flow_entry(text: str, item: Item, at: int, datas: dict[int, Data]) -> Entry:
    node = item.node
    listed = isinstance(item.key, int)
    key = None if listed else item.key
    steps = (item.key,)
    lead = text[at : item.start]
    if node.kind == "leaf":
        value = Single(text[node.start : node.end], _leaf_data(text, node, datas))
        return Entry(steps, lead, text[item.start : node.start], value, key=key, listed=listed)
    if node.value < node.start:  # a single pair, `[a: 1]`
        pair = Single(text[item.start : node.end], _data_in(text, node, datas))
        return Entry(steps, lead, "", pair, key=key, listed=listed)
    inner = _flow(text, node, datas)
    return Entry(steps, lead, text[item.start : node.value], inner, key=key, listed=listed)


def _data_in(text: str, node: Node, datas: dict[int, Data]) -> Data:
    if node.kind == "leaf":
        return _leaf_data(text, node, datas)
    if node.kind == "map":
        return {str(item.key): _data_in(text, item.node, datas) for item in node.items}
    return [_data_in(text, item.node, datas) for item in node.items]
