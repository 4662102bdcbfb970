"""YAML through the event stream of ruamel.yaml: libyaml's speed with ``ruamel.yaml.clib``.

sops reads YAML with go-yaml v3, a port of libyaml, so libyaml accepts and rejects nearly what
sops does; what sops (3.13.3, stores/yaml/store.go) cannot store is refused here.  What a scalar
means is said in `goyaml`, where comments belong in `comments`.
"""

from __future__ import annotations

import re

from encconf.errors import EmptyDocumentError, LimitError, ParseError
from encconf.formats import goyaml, lines
from encconf.formats.yaml_block import close_block
from encconf.formats.yaml_text import (
    ALIAS,
    BREAK,
    DOUBLE,
    FLOW_ALIAS,
    FLOW_PLAIN,
    NEWLINE,
    PLAIN,
    Properties,
    line_start,
)
from encconf.text.document import MAX_DEPTH, Comment, Document, Flow, Leaf, Part, Scope, add_path, most_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


MAX_ALIASED = 100_000
"""How many leaves and collections aliases may add: the bound on "billion laughs"."""
MAX_ALIASED_SIZE = 16 << 20
"""How many bytes of values and keys aliases may add (16 MiB): a long value can have many aliases."""
SKIP = re.compile(rf"(?:[ \t]*(?:#[^{BREAK}]*)?(?:\r\n|[{BREAK}]))*[ \t]*")
_TAG = re.compile(r"!\S*")  # libyaml and go-yaml end it at a blank only, in flow style too
_TAG_BEFORE = re.compile(r"(?<=[\s\[{,:])!\S*(?=[ \t]+\Z)")


class TooNewError(Exception):
    """The C parser is older than the syntax that the text uses."""


def parse(text: str, pure: bool) -> Iterator[Any]:
    """The events of a stream, from libyaml or from the parser in Python.

    Raises ParseError, or TooNewError where the other parser may know better.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    class Parser(YAML):
        def official_plug_ins(self) -> list[str]:
            return []  # it would search its own folder for some, each time

    try:
        yield from Parser(typ="safe", pure=pure).parse(text)
    except MarkedYAMLError as error:
        if not pure and error.problem == "found unexpected ':'":
            # ruamel.yaml.clib has libyaml 0.1.7, which refuses `[http://host]`; the others take it.
            raise TooNewError from None
        mark = error.problem_mark or error.context_mark
        # The parser's words name tokens and characters, never the value they stand in.
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise ParseError(
            f"not valid YAML: {words}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except YAMLError as error:
        raise ParseError(f"not valid YAML: {_reader_problem(error)}") from None
    except UnicodeEncodeError:
        raise ParseError("not valid YAML: it holds a lone surrogate") from None


def _reader_problem(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    position = getattr(error, "position", None)
    if isinstance(reason, str):
        return f"{reason} at position {position}" if position is not None else reason
    return "it cannot be read"


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    line = 1
    start = 0
    for match in re.compile(NEWLINE).finditer(text, 0, offset):
        line += 1
        start = match.end()
    return line, offset - start + 1


def _error(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    line, column = place_of(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


class Unfolded:
    """Where a leaf that an alias to a collection stands for comes from, and the alias's own copy."""

    __slots__ = ("root", "source")

    def __init__(self, source: Leaf, root: Scope) -> None:
        self.source = source
        self.root = root


class _Anchor:
    """What an alias can stand for: one leaf, or a collection with all that is in it."""

    __slots__ = ("_size", "height", "leaf", "leaves", "lists", "merges", "open", "scope", "scopes", "shape")

    def __init__(self, leaf: Leaf | None, scope: Scope | None) -> None:
        self.leaf = leaf
        self.scope = scope
        self.open = scope is not None
        self.height = 0  # how many levels the collection has, its own included
        self.lists: tuple[list[Leaf], list[str]] = ([], [])  # where its leaves and shape are
        self.leaves = (0, 0)
        self.scopes = (0, 0)
        self.shape = (0, 0)
        self.merges = (0, 0)
        self._size = -1

    @property
    def size(self) -> int:
        """How many bytes of values, and characters of keys, an alias stands for."""
        if self._size < 0:
            leaves, shape = self.lists
            inside = leaves[self.leaves[0] : self.leaves[1]] if self.leaf is None else [self.leaf]
            self._size = sum(len(leaf.data) for leaf in inside if leaf.data)
            self._size += sum(map(len, shape[self.shape[0] : self.shape[1]]))
        return self._size


def read(text: str, comments: bool, pure: bool, *, any_keys: bool = False) -> Document:
    """Parse a stream into leaves with spans; see `yaml.scan`."""
    from ruamel.yaml.events import (
        AliasEvent,
        DocumentEndEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
    )

    document = Document(text, "yaml")
    bom = 1 if text[:1] == "\ufeff" else 0
    place_comments = comments and "#" in text
    most = most_items(text)
    if place_comments and text.count("\n#") + text.count(" #") + text.count("\t#") > most:
        raise LimitError(f"the document has more than {most} comments")
    events: list[Any] = []
    scope_at: dict[int, Scope] = {}
    step_at: dict[int, str | int] = {}

    resolve = goyaml.resolve
    leaves = document.leaves
    shape = document.shape
    main = (leaves, shape)
    scopes: list[Scope] = []
    anchors: dict[str, _Anchor] = {}
    open_anchors: list[tuple[str, _Anchor] | None] = []
    aliased = aliased_size = 0
    path_size = 0
    inside_brackets = 0

    part = Part(0)
    stack: list[
        tuple[Scope | None, bool, int]
    ] = []  # the enclosing scope, whether it is a mapping, flow depth
    flow_stack: list[Flow | None] = []
    heights = [0]  # of what each enclosing collection holds so far; the first is a whole document's
    scope: Scope | None = None
    node: Any = None
    in_map = False
    flow = 0
    key: str | None = None
    flow_end = 0  # where the last flow collection ended
    flow_stacked: Flow | None = None
    block_start = -1  # offset of the `sops` key while inside the block

    # Without its mark: one parser counts it as a character, the other doesn't.
    for event in _with_marks(text[bom:], pure):
        kind = event.__class__
        if place_comments:
            events.append(event)
        if kind is ScalarEvent:
            start = event.start_mark.index + bom
            end = event.end_mark.index + bom
            value = event.value
            style = event.style or PLAIN
            tag = event.tag
            note = None
            if tag is not None or event.anchor is not None:
                note, start = properties(text, start, end, event.anchor, tag)
                reached = text.startswith(style or value[0], start) if style or value else start == end
                if not reached:
                    raise _error(text, start, "the text in front of the value cannot be separated from it")
            if in_map and key is None:
                if style == PLAIN or tag is not None:
                    value = _key(text, start, value, tag, style == PLAIN, any_keys)
                if style == DOUBLE and "\\/" in text[start:end]:
                    refuse_slash(text, start, end)
                if value in node:
                    raise _error(text, start, "the mapping has the same key twice")
                key = value
                if event.anchor is not None:
                    named = Leaf(scope, key, start, end, style, "str", key.encode(), note)  # type: ignore[arg-type]
                    anchors[event.anchor] = _Anchor(named, None)
                if part.indent < 0:
                    part.indent = _key_column(text, note.start if note else start)
                if place_comments:
                    step_at[len(events) - 1] = key
                if key == "<<" and style == PLAIN:
                    document.merges.append(scope)  # type: ignore[arg-type]
                if key == "sops" and len(stack) == 1:
                    if part.block:
                        raise _error(text, start, "there are two sops blocks in one document")
                    block_start = note.start if note else start
                    flow_end = 0
                    part.block = (block_start, block_start)
                    leaves, shape = [], []
                continue
            if tag is None:
                if style == PLAIN:
                    try:
                        type, data = resolve(value, None, True)
                    except ParseError:
                        type, data = _resolve(text, start, value, tag, True)
                else:
                    type = "str"
                    try:
                        data = value.encode()
                    except UnicodeEncodeError:
                        raise _error(text, start, "a lone surrogate is not a character") from None
            else:
                type, data = _resolve(text, start, value, tag, style == PLAIN)
            if flow and style == PLAIN:
                style = FLOW_PLAIN
            if scope is None:
                if type != "null" or end > start:
                    raise _error(
                        text,
                        start,
                        "the top level must be a mapping, not a single value",
                        hint="put it under a key, for example: data: VALUE",
                    )
                continue
            if in_map:
                assert key is not None
                node[key] = None
                shape.append("." + key)
                leaf = Leaf(scope, key, start, end, style, type, data, note)
                key = None
            else:
                if place_comments:
                    step_at[len(events) - 1] = len(node)
                leaf = Leaf(scope, len(node), start, end, style, type, data, note)
                node.append(None)
                shape.append("-")
            leaves.append(leaf)
            if event.anchor is not None:
                anchors[event.anchor] = _Anchor(leaf, None)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            start = event.start_mark.index + bom
            mapping = kind is MappingStartEvent
            if in_map and key is None:
                raise _error(text, start, "a key is a collection, not a string")
            if len(stack) >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            new: dict[str, object] | list[object] = {} if mapping else []
            if scope is None:
                if not mapping:
                    raise _error(
                        text,
                        start,
                        "the top level must be a mapping, not a sequence",
                        hint="put the sequence under a key, for example: data: [...]",
                    )
                inner = Scope(None, None, (), "", new)
                part.root = "map"
                if event.anchor is None and event.tag is None:
                    part.indent = _key_column(text, start)
                else:
                    part.indent = -1  # known when its first key comes
                document.trees.append(new)  # type: ignore[arg-type]
            elif in_map:
                assert key is not None
                node[key] = new
                inner = scope.inside(key, new)
                path_size = add_path(path_size, inner)
                shape.append(("{" if mapping else "[") + key)
            else:
                if place_comments:
                    step_at[len(events) - 1] = len(node)
                inner = scope.inside(len(node), new)
                node.append(new)
                shape.append("{" if mapping else "[")
            if place_comments:
                scope_at[len(events) - 1] = inner
            scopes.append(inner)
            stack.append((scope, in_map, flow))
            heights.append(0)
            if event.flow_style:
                flow += 1
                inside_brackets += flow > 1
                if inside_brackets > most:
                    raise LimitError(f"more than {most} collections are inside brackets")
                opened = Flow(event.end_mark.index + bom - 1, len(leaves))
                if text[opened.start : opened.start + 1] not in ("{", "["):
                    # A single pair in a flow sequence, `[a: 1]`, opens without a bracket.
                    flow_stack.append(None)
                else:
                    flow_stack.append(opened)
                    if leaves is main[0]:
                        document.flows.append(opened)
            else:
                flow_stack.append(None)
            if event.anchor is not None:
                anchor = _Anchor(None, inner)
                anchor.lists = (leaves, shape)
                anchor.leaves = (len(leaves), 0)
                anchor.scopes = (len(scopes), 0)
                anchor.shape = (len(shape), 0)
                anchor.merges = (len(document.merges), 0)
                anchors[event.anchor] = anchor
                open_anchors.append((event.anchor, anchor))
            else:
                open_anchors.append(None)
            scope, node, in_map, key = inner, new, mapping, None
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            start = event.start_mark.index + bom
            end = event.end_mark.index + bom
            opened_flow = flow_stacked = flow_stack.pop()
            if opened_flow is not None:
                flow_end = opened_flow.end = end
                opened_flow.last = len(leaves)
            height = heights.pop() + 1
            if height > heights[-1]:
                heights[-1] = height
            closing = open_anchors.pop()
            if closing is not None:
                anchor = closing[1]
                anchor.open = False
                anchor.height = height
                anchor.leaves = (anchor.leaves[0], len(leaves))
                anchor.scopes = (anchor.scopes[0], len(scopes))
                anchor.shape = (anchor.shape[0], len(shape))
                anchor.merges = (anchor.merges[0], len(document.merges))
            outer, in_map, flow = stack.pop()
            if outer is None:
                if opened_flow is not None:
                    part.close = end - 1
                scope, node, in_map = None, None, False
            else:
                shape.append("}")
                scope, node = outer, outer.node
            key = None
        elif kind is AliasEvent:
            start = event.start_mark.index + bom
            end = event.end_mark.index + bom
            target = anchors.get(event.anchor)
            if target is None or scope is None:
                raise _error(text, start, "an alias has no anchor before it")
            if target.open:
                raise _error(text, start, "an alias is inside its own anchor")
            aliased_size += target.size
            if aliased_size > MAX_ALIASED_SIZE:
                raise LimitError(f"aliases expand to more than {MAX_ALIASED_SIZE >> 20} MiB of values")
            if in_map and key is None:
                key = _alias_key(document, target, start, end)
                if key in node:
                    raise _error(text, start, "the mapping has the same key twice")
                if place_comments:
                    step_at[len(events) - 1] = key
                continue
            style = FLOW_ALIAS if flow else ALIAS
            step: str | int = key if in_map and key is not None else len(node)
            if place_comments and not in_map:
                step_at[len(events) - 1] = step
            if target.leaf is not None:
                source = target.leaf
                leaves.append(Leaf(scope, step, start, end, style, source.type, source.data, source))
                shape.append("." + key if in_map and key is not None else "-")
                if in_map:
                    node[step] = None
                else:
                    node.append(None)
            else:
                aliased += target.leaves[1] - target.leaves[0] + target.scopes[1] - target.scopes[0] + 1
                if aliased > MAX_ALIASED:
                    raise LimitError(f"aliases expand to more than {MAX_ALIASED} values")
                if len(stack) + target.height > MAX_DEPTH:
                    raise LimitError(
                        f"the document is nested deeper than {MAX_DEPTH} levels through its aliases"
                    )
                heights[-1] = max(heights[-1], target.height)
                path_size = _unfold(
                    document, target, scope, step, leaves, shape, scopes, start, end, style, path_size
                )
            key = None
        elif kind is DocumentStartEvent:
            if event.version is not None and tuple(event.version) != (1, 1):
                raise _error(
                    text,
                    event.start_mark.index + bom,
                    "the directive is not %YAML 1.1",
                    hint="remove the %YAML line: sops accepts only version 1.1",
                )
            if len(document.parts) >= lines.MAX_DOCUMENTS:
                raise LimitError(f"the stream has more than {lines.MAX_DOCUMENTS} documents")
            part = Part(event.start_mark.index + bom)
            document.parts.append(part)
            anchors = {}
            scope, node, in_map, key, flow = None, None, False, None, 0
            shape.append("%")
        elif kind is DocumentEndEvent:
            part.end = event.start_mark.index + bom
            if event.explicit:
                part.end = text.rfind("...", 0, event.end_mark.index + bom)
            else:
                part.end = -1  # known when the next one starts
            if part.root == "null":
                document.trees.append({})
        if block_start >= 0 and len(stack) <= 1 and key is None:
            in_flow = kind is MappingEndEvent and flow_stacked is not None
            close_block(document, part, leaves, node, flow_end=flow_end, in_flow=in_flow)
            leaves, shape = main
            block_start = -1

    if not document.parts:
        raise EmptyDocumentError(
            "there is no document in the file", hint="a file needs at least one mapping to encrypt"
        )
    following = len(text)
    for part in reversed(document.parts):
        if part.end < 0:
            part.end = following
        following = part.start
    if place_comments:
        _place_comments(document, events, scope_at, step_at)
    return document


def _with_marks(text: str, pure: bool) -> Iterator[Any]:
    """The events of a stream in which a byte order mark is a character like any, as to go-yaml.

    The parsers leave out one that begins a line.
    """
    if "\n\ufeff" not in text and "\r\ufeff" not in text:
        yield from parse(text, pure)
        return
    other = next(sign for sign in map(chr, range(0xE000, 0xF8FF)) if sign not in text)
    for event in parse(text.replace("\ufeff", other), pure):
        value = getattr(event, "value", None)
        if value is not None and other in value:
            event.value = value.replace(other, "\ufeff")
        yield event


def _key(text: str, start: int, value: str, tag: str | None, plain: bool, any_keys: bool) -> str:
    """A key as sops has it: a string, whatever its tag; with ``any_keys``, others by their spelling."""
    found, data = _resolve(text, start, value, tag, plain)
    if any_keys and found != "str":
        return value
    if found != "str" or data is None:
        raise _error(
            text,
            start,
            f"a key is {_article(found)}, not a string",
            hint="put the key in quotes: sops stores string keys only",
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _error(text, start, "a key is not UTF-8 text", hint="give it another name") from None


def _key_column(text: str, start: int) -> int:
    """The column of a block mapping, by where its first key begins."""
    line = line_start(text, start)
    if line == 0 and text[:1] == "\ufeff" and start > 0:
        line = 1
    before = text[line:start]
    return before.index("?") if before.strip() == "?" else len(before)


def _alias_key(document: Document, target: _Anchor, start: int, end: int) -> str:
    """The key that an alias stands for."""
    leaf = target.leaf
    if leaf is None or leaf.type != "str" or leaf.data is None:
        raise _error(document.text, start, "a key is an alias of something that is not a string")
    key = leaf.data.decode("utf-8", "replace")
    document.alias_keys.append((key, start, end, leaf))
    return key


def refuse_merges(document: Document) -> None:
    """Refuse merge keys that sops refuses: of the first document, where the value is not of mappings."""
    if not document.merges:
        return
    aliased = {id(leaf.note.root.node) for leaf in document.leaves if isinstance(leaf.note, Unfolded)}
    for scope in document.merges:
        root = scope
        while root.parent is not None:
            root = root.parent
        value = scope.node["<<"]
        items = value if isinstance(value, list) else [value]
        fits = all(isinstance(item, dict) for item in items) and id(items) not in aliased
        if root.node is document.trees[0] and not fits:
            inside = [leaf for leaf in document.leaves if leaf.scope.node is value]
            own = [leaf for leaf in document.leaves if leaf.scope is scope and leaf.step == "<<"]
            raise _error(
                document.text,
                next((leaf.start for leaf in [*inside, *own]), 0),
                "the merge key << takes a mapping or a list of mappings",
                hint="put the key in quotes if it is an ordinary name",
            )


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def refuse_slash(text: str, start: int, end: int) -> None:
    """Refuse an escape that libyaml takes and go-yaml does not: JSON's slash in double quotes."""
    if "/" in _ESCAPE.findall(text, start, end):
        hint = "write a plain slash: it needs no escape"
        raise _error(text, start, 'sops cannot read the escape "\\/" in YAML', hint=hint)


def _article(type: str) -> str:
    names = {"int": "an integer", "float": "a number", "bool": "a boolean", "time": "a date", "null": "null"}
    return names.get(type, type)


def _resolve(text: str, offset: int, value: str, tag: str | None, plain: bool) -> tuple[str, bytes | None]:
    try:
        return goyaml.resolve(value, tag, plain)
    except ParseError as error:
        raise _error(text, offset, error.message, hint=error.hint) from None


def properties(
    text: str, start: int, end: int, anchor: str | None, tag: str | None
) -> tuple[Properties, int]:
    """The properties in front of a scalar, and the offset where the scalar itself starts."""
    at = start
    tag_start = tag_end = start
    limit = max(end, start)
    for _ in range(2):
        if anchor is not None and text.startswith("&" + anchor, at):
            at += len(anchor) + 1
            anchor = None
        elif tag is not None and text.startswith("!", at):
            match = _TAG.match(text, at)
            assert match is not None
            tag_start, at = at, match.end()
            tag_end = at
            tag = None
        else:
            break
        after = SKIP.match(text, at)
        assert after is not None
        if after.end() > limit:
            break
        at = after.end()
    if tag is not None and at > start:  # the parser in Python puts the start of `!tag &a value` at the `&`
        before = _TAG_BEFORE.search(text, line_start(text, start), start)
        if before is not None:
            start = tag_start = before.start()
            tag_end = before.end()
    tag_text = None if tag_start == tag_end else text[tag_start:tag_end]
    return Properties(start, tag_text, tag_start, tag_end), min(at, limit)


def _unfold(
    document: Document,
    target: _Anchor,
    scope: Scope,
    step: str | int,
    leaves: list[Leaf],
    shape: list[str],
    scopes: list[Scope],
    start: int,
    end: int,
    style: str,
    path_size: int,
) -> int:
    """Add what an alias to a collection stands for, under the alias's own path.

    Returns ``path_size`` with the lengths of the new paths added.
    """
    assert target.scope is not None
    source = target.scope

    def copy_of(old: Scope, parent: Scope, at: str | int) -> Scope:
        nonlocal path_size
        new: dict[str, object] | list[object]
        new = dict.fromkeys(old.node) if isinstance(old.node, dict) else [None] * len(old.node)
        if isinstance(parent.node, dict):
            assert isinstance(at, str)
            parent.node[at] = new
        elif isinstance(at, int) and at < len(parent.node):
            parent.node[at] = new
        else:
            parent.node.append(new)
        made = parent.inside(at, new)
        if isinstance(at, str):
            path_size = add_path(path_size, made)
        scopes.append(made)
        return made

    sign = "{" if isinstance(source.node, dict) else "["
    shape.append(sign + step if isinstance(step, str) else sign)
    root = copy_of(source, scope, step)
    copies = {id(source): root}
    for old in scopes[target.scopes[0] : target.scopes[1]]:
        assert old.parent is not None
        assert old.step is not None
        copies[id(old)] = copy_of(old, copies[id(old.parent)], old.step)
    old_leaves, old_shape = target.lists  # not `leaves`, if the anchor is in the sops block
    for old_leaf in old_leaves[target.leaves[0] : target.leaves[1]]:
        made = copies[id(old_leaf.scope)]
        note = Unfolded(old_leaf, root)
        leaves.append(Leaf(made, old_leaf.step, start, end, style, old_leaf.type, old_leaf.data, note))
    shape.extend(old_shape[target.shape[0] : target.shape[1]])
    shape.append("}")
    merged = document.merges[target.merges[0] : target.merges[1]]
    document.merges.extend(copies[id(old)] for old in merged)
    return path_size


def _place_comments(
    document: Document, events: list[Any], scope_at: Mapping[int, Scope], step_at: Mapping[int, str | int]
) -> None:
    from encconf.formats.comments import place

    text = document.text
    roots: dict[int, Scope] = {}
    for placed in place(text, events):
        part = document.parts[min(placed.document, len(document.parts) - 1)]
        if part.block is not None and part.block[0] <= placed.start < part.block[1]:
            continue
        scope = scope_at.get(placed.container)
        if scope is None or scope.keys[:1] == ("sops",):
            # go-yaml drops this comment; it is kept here, as one of the whole document.
            scope = roots.setdefault(placed.document, Scope(None, None, (), "", {}))
        start, end = placed.start, placed.end
        document.comments.append(Comment(scope, text[start:end], start, end, step_at.get(placed.before)))
