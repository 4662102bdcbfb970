"""YAML through the event stream of ruamel.yaml: libyaml's speed with ``ruamel.yaml.clib``.

sops reads YAML with go-yaml v3, a port of libyaml, so libyaml accepts and rejects nearly what
sops does; what sops (3.13.3, stores/yaml/store.go) cannot store is refused here.  `goyaml` resolves
scalars, and `comments` places comments.
"""

from __future__ import annotations

import re

from encconf.errors import EmptyDocumentError, LimitError, ParseError
from encconf.formats import goyaml, lines
from encconf.formats.yaml_anchors import Aliases, Anchor
from encconf.formats.yaml_entry import close_block
from encconf.formats.yaml_parser import events_of
from encconf.formats.yaml_words import (
    ALIAS,
    DOUBLE,
    FLOW_ALIAS,
    FLOW_PLAIN,
    PLAIN,
    error_at,
    line_start,
    properties,
)
from encconf.text.document import (
    MAX_DEPTH,
    Comment,
    Document,
    Flow,
    Leaf,
    Part,
    Scope,
    add_path,
    too_many,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


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
    most = document.most
    events: list[Any] = []
    scope_at: dict[int, Scope] = {}
    step_at: dict[int, str | int] = {}

    resolve = goyaml.resolve
    leaves = document.leaves
    shape = document.shape
    main = (leaves, shape)
    scopes: list[Scope] = []
    anchors: dict[str, Anchor] = {}
    open_anchors: list[Anchor | None] = []
    aliases = Aliases()

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
    for event in events_of(text[bom:], pure):
        kind = event.__class__
        if place_comments:
            events.append(event)
        if len(shape) > most:
            raise too_many(most)
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
                    raise error_at(text, start, "the text in front of the value cannot be separated from it")
            if in_map and key is None:
                if style == PLAIN or tag is not None:
                    value = _key(text, start, value, tag, style == PLAIN, any_keys)
                if style == DOUBLE and "\\/" in text[start:end]:
                    refuse_slash(text, start, end)
                if value in node:
                    raise error_at(text, start, "the mapping has the same key twice")
                key = value
                if event.anchor is not None:
                    named = Leaf(scope, key, start, end, style, "str", key.encode(), note)  # type: ignore[arg-type]
                    anchors[event.anchor] = Anchor(named)
                if part.indent < 0:
                    part.indent = _key_column(text, note.start if note else start)
                if place_comments:
                    step_at[len(events) - 1] = key
                if key == "<<" and style == PLAIN:
                    document.merges.append(scope)  # type: ignore[arg-type]
                if key == "sops" and len(stack) == 1:
                    if part.block:
                        raise error_at(text, start, "there are two sops blocks in one document")
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
                        raise error_at(text, start, "a lone surrogate is not a character") from None
            else:
                type, data = _resolve(text, start, value, tag, style == PLAIN)
            if flow and style == PLAIN:
                style = FLOW_PLAIN
            if scope is None:
                if type != "null" or end > start:
                    raise error_at(
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
                anchors[event.anchor] = Anchor(leaf)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            start = event.start_mark.index + bom
            mapping = kind is MappingStartEvent
            if in_map and key is None:
                raise error_at(text, start, "a key is a collection, not a string")
            if len(stack) >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            new: dict[str, object] | list[object] = {} if mapping else []
            if scope is None:
                if not mapping:
                    raise error_at(
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
                aliases.paths = add_path(aliases.paths, inner)
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
            anchor = None
            if event.anchor is not None:
                anchor = anchors[event.anchor] = Anchor(None, inner, leaves, shape, scopes, document.merges)
            open_anchors.append(anchor)
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
            anchor = open_anchors.pop()
            if anchor is not None:
                anchor.close(height)
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
                raise error_at(text, start, "an alias has no anchor before it")
            if target.open:
                raise error_at(text, start, "an alias is inside its own anchor")
            aliases.add(target)
            if in_map and key is None:
                key = _alias_key(document, target, start, end)
                if key in node:
                    raise error_at(text, start, "the mapping has the same key twice")
                if place_comments:
                    step_at[len(events) - 1] = key
                continue
            step: str | int = key if in_map and key is not None else len(node)
            if place_comments and not in_map:
                step_at[len(events) - 1] = step
            alias = Leaf(scope, step, start, end, FLOW_ALIAS if flow else ALIAS, "", None)
            if target.leaf is not None:
                alias.type, alias.data, alias.note = target.leaf.type, target.leaf.data, target.leaf
                leaves.append(alias)
                shape.append("." + key if in_map and key is not None else "-")
                if in_map:
                    node[step] = None
                else:
                    node.append(None)
            else:
                lists = (leaves, shape, scopes, document.merges)
                aliases.unfold(document, target, alias, lists, len(stack))
                heights[-1] = max(heights[-1], target.height)
            key = None
        elif kind is DocumentStartEvent:
            if event.version is not None and tuple(event.version) != (1, 1):
                raise error_at(
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


def _key(text: str, start: int, value: str, tag: str | None, plain: bool, any_keys: bool) -> str:
    """A key as sops stores it, which must be a string; with ``any_keys``, others keep their spelling."""
    found, data = _resolve(text, start, value, tag, plain)
    if any_keys and found != "str":
        return value
    if found != "str" or data is None:
        raise error_at(
            text,
            start,
            f"a key is {_article(found)}, not a string",
            hint="put the key in quotes: sops stores string keys only",
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise error_at(text, start, "a key is not UTF-8 text", hint="give it another name") from None


def _key_column(text: str, start: int) -> int:
    """The column of a block mapping, by where its first key begins."""
    line = line_start(text, start)
    if line == 0 and text[:1] == "\ufeff" and start > 0:
        line = 1
    before = text[line:start]
    return before.index("?") if before.strip() == "?" else len(before)


def _alias_key(document: Document, target: Anchor, start: int, end: int) -> str:
    """The key that an alias stands for."""
    leaf = target.leaf
    if leaf is None or leaf.type != "str" or leaf.data is None:
        raise error_at(document.text, start, "a key is an alias of something that is not a string")
    key = leaf.data.decode("utf-8", "replace")
    document.alias_keys.append((key, start, end, leaf))
    return key


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def refuse_slash(text: str, start: int, end: int) -> None:
    """Refuse an escape that libyaml accepts and go-yaml does not: JSON's slash in double quotes."""
    if "/" in _ESCAPE.findall(text, start, end):
        hint = "write a plain slash: it needs no escape"
        raise error_at(text, start, 'sops cannot read the escape "\\/" in YAML', hint=hint)


def _article(type: str) -> str:
    names = {"int": "an integer", "float": "a number", "bool": "a boolean", "time": "a date", "null": "null"}
    return names.get(type, type)


def _resolve(text: str, offset: int, value: str, tag: str | None, plain: bool) -> tuple[str, bytes | None]:
    try:
        return goyaml.resolve(value, tag, plain)
    except ParseError as error:
        raise error_at(text, offset, error.message, hint=error.hint) from None


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
