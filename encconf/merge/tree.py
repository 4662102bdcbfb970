"""A plain text as a tree of entries, each with all the characters that spell it.

The pieces of a tree, put one after the other, are the text again: comments, blank lines, commas
and indentation are part of them.  Values are known by what they say (type and bytes), so that a
change of spelling can be told from a change of value.

A `Block` is laid out in lines, an entry on each (block YAML, dotenv, INI, TOML tables), or between
brackets (``flow``).  What cannot be cut into such pieces raises ParseError or EmitError.
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.errors import EmitError, EmptyDocumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable
    from typing import Any

    from encconf.formats.nodes import Item, Node
    from encconf.text.document import Document

    Data = dict[str, "Data"] | list["Data"] | tuple[str, bytes | None]
    """What a text says: a single value is its type and its bytes."""


class Leaf:
    """A single value, or something that is not looked into."""

    __slots__ = ("data", "text")

    def __init__(self, text: str, data: Data) -> None:
        self.text = text
        self.data = data


class Entry:
    """A member or item: ``lead + head + value + post`` and, behind its comma, ``trail``.

    ``key`` names it among its siblings; where ``listed``, it is one of several with this key, and its
    place among them counts.  A line between entries, a comment or an empty one, has no ``node``: its
    ``lead`` is all of it.
    """

    __slots__ = ("data", "head", "id", "key", "lead", "listed", "node", "post", "trail")

    def __init__(
        self,
        key: Hashable,
        lead: str,
        head: str = "",
        node: Block | Leaf | None = None,
        post: str = "",
        *,
        data: Data | None = None,
        trail: str = "",
        listed: bool = False,
    ) -> None:
        self.key = key
        self.lead = lead
        self.head = head
        self.node = node
        self.post = post
        self.trail = trail
        self.listed = listed
        self.data: Any = data if data is not None or node is None else node.data
        self.id: Hashable = key


class Block:
    """A collection: its entries in the text's order.

    ``column`` is where its lines begin, None where every line has its own indentation or none;
    ``inline`` says that the first entry stands behind something else on its line.  Of one between
    brackets, ``tail`` is what precedes the closing one, and ``comma`` says whether the last entry has one.
    """

    __slots__ = ("bare", "column", "comma", "data", "entries", "flow", "inline", "kind", "tail")

    def __init__(
        self, kind: str, data: Data, *, column: int | None = None, inline: bool = False, flow: bool = False
    ) -> None:
        self.kind = kind  # "map", "seq", or "stream" for YAML documents
        self.data = data
        self.column = column
        self.inline = inline
        self.flow = flow
        self.entries: list[Entry] = []
        self.tail = ""
        self.comma = False
        self.bare = False  # a document of comments and nothing else, which is spelled without brackets


def raw(node: Block | Leaf) -> str:
    """The text of a tree."""
    if isinstance(node, Leaf):
        return node.text
    out: list[str] = []
    last = len(node.entries) - 1
    for at, entry in enumerate(node.entries):
        out.append(whole(entry))
        if node.flow:
            out.append("," if at < last or node.comma else "")
            out.append(entry.trail)
    return "".join(out) + node.tail


def whole(entry: Entry) -> str:
    """The text of an entry, without its comma."""
    return entry.lead + entry.head + (raw(entry.node) if entry.node is not None else "") + entry.post


HEADER = re.compile(r"[|>][-+0-9]*([ \t]*(?:[ \t]#[^\n]*)?)(?=\n)")
"""What a block scalar begins with; the comment in it is no part of the value."""
_COMMENT = re.compile(r"[#;][^\n]*")


def comments(block: Block) -> Counter[str]:
    """The comments in a tree and how often each is there: what looks like one and is no part of a value."""
    from collections import Counter

    found = Counter(_comments(block.tail))
    for entry in block.entries:
        found.update(_comments(f"{entry.lead}\n{entry.head}\n{entry.post}\n{entry.trail}"))
        if isinstance(entry.node, Block):
            found.update(comments(entry.node))
        elif entry.node is not None and isinstance(entry.node.data, (dict, list)):
            found.update(_comments(entry.node.text))  # a collection that is not looked into
        elif entry.node is not None and (header := HEADER.match(entry.node.text)):
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


def read(text: str, format: str) -> Block:
    """The tree of a plain text whose line breaks are line feeds."""
    tree = _read(text, format)
    if raw(tree) != text:
        raise _unclear()
    return tree


def _read(text: str, format: str) -> Block:
    if format == "yaml":
        return _stream(text)
    if format == "json":
        return _json(text)
    if format == "toml":
        return _Toml(text).block
    if format == "ini":
        return _ini(text)
    if format == "dotenv":
        return _dotenv(text)
    raise EmitError(f"{format} is one value")


def says(text: str, format: str) -> list[Data]:
    """What a plain text says, all documents of it.  Raises ParseError."""
    document = _scanned(text, format)
    if document is None:
        return []
    if format == "yaml" and (document.merges or any("*" in leaf.style for leaf in document.leaves)):
        data: Any = read(text, format).data  # an alias is itself, not what it stands for
        return data  # type: ignore[no-any-return]
    for leaf in document.leaves:
        leaf.scope.node[leaf.step] = (leaf.type, leaf.data)
    if format == "dotenv":  # a name may stand twice
        return [{f"{entry.key}": entry.data for entry in _dotenv(text).entries if entry.node is not None}]
    trees: Any = document.trees
    return trees  # type: ignore[no-any-return]


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


def _lines(text: str, start: int, end: int) -> list[Entry]:
    """The comments and empty lines of a span."""
    return [
        Entry(("text", found[0].strip()), found[0]) for found in _LINE.finditer(text, start, end) if found[0]
    ]


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


def _stream(text: str) -> Block:
    """All documents: each is an entry with its directives and markers."""
    document = _scanned(text, "yaml")
    stream = Block("stream", [])
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
        node: Block | Leaf = _flow(text, root, datas)
        head = text[: root.value + 1]
        return Entry(None, "", head, node, text[root.end - 1 :], listed=True)
    if not root.items and _only_comments(text, head_end, stop):
        block = Block("map", {}, column=0)
        block.bare = True
        block.entries += _lines(text, head_end, stop)
        return Entry(None, "", text[:head_end], block, text[stop:], listed=True)
    if root.kind != "map" or not root.items:
        return Entry(None, "", "", Leaf(text, {}), listed=True)
    if not _only_comments(text, head_end, _line_start(text, root.items[0].start)):
        raise _unclear()
    block, end = _yaml_block(text, root, head_end, stop, -1, datas)
    if not _only_comments(text, end, stop):
        raise _unclear()
    block.entries += _lines(text, end, stop)
    return Entry(None, "", text[:head_end], block, text[stop:], listed=True)


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
) -> tuple[Block, int]:
    """A block collection from ``start``, and where its lines end, before ``limit``.

    ``outside`` is the column of the collection around it: comments that are indented like this one are
    its own.
    """
    _settle(node)
    items = node.items
    column = _column(text, items[0].start)
    inline = bool(text[_line_start(text, items[0].start) : items[0].start].strip())
    block = Block(node.kind, {}, column=column, inline=inline)
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


def _data_of(block: Block) -> Data:
    entries = [entry for entry in block.entries if entry.node is not None]
    if block.kind == "map":
        return {str(entry.key): entry.data for entry in entries}
    return [entry.data for entry in entries]


def _yaml_entry(
    text: str, item: Item, line: int, limit: int, column: int, datas: dict[int, Data]
) -> tuple[Entry, int]:
    node = item.node
    listed = isinstance(item.key, int)
    key = None if listed else item.key
    lead = text[line : item.start]
    if node.kind == "leaf" or node.flow or not node.items:
        end = _line_end(text, max(node.end, item.after))
        if node.kind == "leaf":
            data = _leaf_data(text, node, datas)
            value = Leaf(text[node.start : node.end], data)
            return Entry(
                key, lead, text[item.start : node.start], value, text[node.end : end], listed=listed
            ), end
        if text[node.value : node.value + 1] not in ("{", "["):
            raise _unclear()
        flow = _flow(text, node, datas)
        head, post = text[item.start : node.value + 1], text[node.end - 1 : end]
        return Entry(key, lead, head, flow, post, listed=listed), end
    first = node.items[0]
    start = first.start
    if _line_start(text, first.start) > item.start:
        start = _line_end(text, item.after)
        if start > _line_start(text, first.start):
            raise _unclear()
    block, end = _yaml_block(text, node, start, limit, column, datas)
    return Entry(key, lead, text[item.start : start], block, "", listed=listed), end


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


def _flow(text: str, node: Node, datas: dict[int, Data]) -> Block:
    """A collection in brackets, from behind the opening one to the closing one."""
    block = Block(node.kind, {}, flow=True)
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
    lead = text[at : item.start]
    if node.kind == "leaf":
        value = Leaf(text[node.start : node.end], _leaf_data(text, node, datas))
        return Entry(key, lead, text[item.start : node.start], value, listed=listed)
    if text[node.value : node.value + 1] not in ("{", "["):  # a single pair, `[a: 1]`
        pair = Leaf(text[item.start : node.end], _data_in(text, node, datas))
        return Entry(key, lead, "", pair, listed=listed)
    inner = _flow(text, node, datas)
    return Entry(key, lead, text[item.start : node.value + 1], inner, text[node.end - 1 : node.end],
                 listed=listed)  # fmt: skip


def _data_in(text: str, node: Node, datas: dict[int, Data]) -> Data:
    if node.kind == "leaf":
        return _leaf_data(text, node, datas)
    if node.kind == "map":
        return {str(item.key): _data_in(text, item.node, datas) for item in node.items}
    return [_data_in(text, item.node, datas) for item in node.items]


def _json(text: str) -> Block:
    root = Block("stream", [])
    document = _scanned(text, "json")
    if document is None:
        root.tail = text
        return root
    from encconf.formats import json_edit

    datas: dict[int, Data] = {leaf.start: (leaf.type, leaf.data) for leaf in document.leaves}
    node = json_edit.compose(text)
    block = _flow(text, node, datas)
    entry = Entry(None, "", text[: node.value + 1], block, text[node.end - 1 :], listed=True)
    root.entries.append(entry)
    root.data = [block.data]
    return root


# --- lines ---------------------------------------------------------------------------------------


def _dotenv(text: str) -> Block:
    document = formats.module("dotenv").scan(text)
    block = Block("map", {})
    at = 0
    seen: dict[str, int] = {}
    for leaf in document.leaves:
        line, end = _line_start(text, leaf.start), _line_end(text, leaf.end)
        block.entries += _lines(text, at, line)
        name = str(leaf.step)
        seen[name] = seen.get(name, 0) + 1
        value = Leaf(text[leaf.start : leaf.end], (leaf.type, leaf.data))
        key = (name, seen[name])
        block.entries.append(Entry(key, "", text[line : leaf.start], value, text[leaf.end : end]))
        at = end
    block.entries += _lines(text, at, len(text))
    return block


def _ini(text: str) -> Block:
    from encconf.formats import ini

    document = ini.scan(text)
    for leaf in document.leaves:
        leaf.scope.node[leaf.step] = (leaf.type, leaf.data)
    tree: Any = document.trees[0]
    entries = ini._indented(text) if document.parts[0].indent else ini._entries(text, exact=False)
    root = Block("map", tree)
    block: Block | None = None
    at = 0
    seen: dict[str, int] = {}
    for found in entries:
        if found.kind == "section":
            root.entries += _lines(text, at, found.line)
            seen[found.name] = seen.get(found.name, 0) + 1
            block = Block("map", tree.get(found.name, {}))
            head = text[found.line : found.stop]
            root.entries.append(Entry(("section", found.name, seen[found.name]), "", head, block))
            at = found.stop
        elif found.kind == "key":
            here = block if block is not None else root
            here.entries += _lines(text, at, found.line)
            value = Leaf(text[found.start : found.end], ("str", found.value.encode()))
            head, post = text[found.line : found.start], text[found.end : found.stop]
            here.entries.append(Entry(found.name, "", head, value, post))
            at = found.stop
    root.entries += _lines(text, at, len(text))
    return root


class _Toml:
    """A TOML text: statements, tables, and the elements of arrays of tables with all that is in them."""

    __slots__ = ("block", "datas", "scanner", "text")

    def __init__(self, text: str) -> None:
        from encconf.formats import toml

        document = toml.scan(text)
        self.datas: dict[int, Data] = {leaf.start: (leaf.type, leaf.data) for leaf in document.leaves}
        self.text = text
        self.scanner = scanner = toml._Scanner(text, places=True)
        scanner.run()
        self.block = Block("map", self._data(scanner.root.node))
        # Around a statement: the elements of arrays of tables, each with its path, and its table.
        inside: list[tuple[tuple[str | int, ...], Block]] = [((), self.block)]
        table = scanner.root
        here = self.block
        at = 0
        for line in scanner.block:
            head = text[line.start : line.end]
            path = (*line.scope.path, line.step)
            if line.header:
                while inside[-1][0] != path[: len(inside[-1][0])]:
                    inside.pop()
                above, outer = inside[-1]
                outer.entries += _lines(text, at, line.start)
                table = scanner.inner[line.scope, line.step]
                here = Block("map", self._data(table.node))
                name = path[len(above) :]
                listed = isinstance(line.step, int)
                key = ("array", *name[:-1]) if listed else ("table", *name)
                outer.entries.append(Entry(key, "", head, here, listed=listed))
                if listed:
                    inside.append((path, here))
            else:
                here.entries += _lines(text, at, line.start)
                here.entries.append(self._statement(line, path[len(table.path) :]))
            at = line.end
        self.block.entries += _lines(text, at, len(text))

    def _data(self, node: Any) -> Data:
        if isinstance(node, dict):
            return {key: self._data(item) for key, item in node.items()}
        if isinstance(node, list):
            return [self._data(item) for item in node]
        return self.datas.get(node.start, (node.type, node.data))

    def _statement(self, line: Any, key: tuple[str | int, ...]) -> Entry:
        text = self.text
        node = self._node((line.scope, line.step))
        if node.kind == "leaf" or node.shared:
            value: Leaf | Block = Leaf(text[node.start : node.end], self._data(line.scope.node[line.step]))
            head, post = text[line.start : node.start], text[node.end : line.end]
        else:
            value = _flow(text, node, self.datas)
            head, post = text[line.start : node.value + 1], text[node.end - 1 : line.end]
        return Entry(key, "", head, value, post)

    def _node(self, item: Any) -> Node:
        """A value with its places; ``shared`` for one that is not looked into."""
        from encconf.formats.nodes import Item, Node

        places = self.scanner.places or {}
        start = places[item][1]
        scope = self.scanner.inner.get(item)
        if scope is None:
            return Node("leaf", start, end=item[0].node[item[1]].end)
        end = self.scanner.ends[scope]
        node = Node("map" if isinstance(scope.node, dict) else "seq", start, end=end, flow=True)
        steps = scope.node if isinstance(scope.node, dict) else range(len(scope.node))
        for step in steps:
            inner = self.scanner.inner.get((scope, step))
            if (scope, step) not in places or (inner is not None and inner not in self.scanner.ends):
                node.shared = True  # a dotted key in it
                return node
            at, value = places[scope, step]
            node.items.append(Item(step, at, value, self._node((scope, step))))
            node.shared = node.shared or node.items[-1].node.shared
        return node
