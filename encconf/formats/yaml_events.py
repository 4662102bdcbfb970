"""YAML texts read from the events of ruamel.yaml, which uses libyaml if ``ruamel.yaml.clib`` is installed.

sops reads YAML with go-yaml v3, a port of libyaml, so libyaml accepts and rejects nearly the same texts.
What sops (3.13.3, stores/yaml/store.go) cannot store is refused here.  `goyaml` resolves scalars, and
`comments` places comments.
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
    detach_lost,
    too_many,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def is_of_sops(document: Document) -> bool:
    """Whether the document being read follows an encrypted one: sops allows a key twice in it."""
    return len(document.parts) > 1 and document.parts[0].block is not None


def read(text: str, comments: bool, pure: bool, *, any_keys: bool = False) -> Document:
    """Parse a stream into leaves with spans (see `yaml.scan`).  ``pure`` selects the parser in Python."""
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
    step_at: dict[int, str | int] = {}  # for each event, its key or index; those of an end mean nothing

    resolve = goyaml.resolve
    leaves = document.leaves
    shape = document.shape
    main = (leaves, shape)
    scopes: list[Scope] = []
    anchors: dict[str, Anchor] = {}
    aliases = Aliases()

    part = Part(0)
    # For each open collection: the scope around it, whether that is a mapping, the number of flow collections
    # around it, and the collection's own Flow and Anchor, if it has them.
    stack: list[tuple[Scope | None, bool, int, Flow | None, Anchor | None]] = []
    scope: Scope | None = None
    node: Any = None
    in_map = False
    flow = 0
    key: str | None = None
    step: Any  # the key or index of the event's value
    closed: Flow | None = None
    flow_end = 0  # where the last flow collection ended
    block_start = -1  # offset of the `sops` key while inside the block

    # Without the byte order mark: one parser counts it as a character, the other does not.
    for event in events_of(text[bom:], pure):
        kind = event.__class__
        step = len(node) if key is None and node is not None else key
        if place_comments:
            step_at[len(events)] = step
            events.append(event)
        if len(shape) > most:
            raise too_many(most)
        start = event.start_mark.index + bom
        end = event.end_mark.index + bom
        if kind is ScalarEvent:
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
                if value in node and not is_of_sops(document):
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
            try:
                type, data = resolve(value, tag, style == PLAIN)
            except ParseError as error:
                raise error_at(text, start, error.message, hint=error.hint) from None
            if scope is None:
                if type != "null" or end > start:
                    raise error_at(
                        text,
                        start,
                        "the top level must be a mapping, not a single value",
                        hint="put it under a key, for example: data: VALUE",
                    )
                continue
            if flow and style == PLAIN:
                style = FLOW_PLAIN
            leaf = Leaf(scope, step, start, end, style, type, data, note)
            lines.add_leaf(leaf, leaves, shape)
            key = None
            if event.anchor is not None:
                anchors[event.anchor] = Anchor(leaf)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            mapping = kind is MappingStartEvent
            if in_map and key is None:
                raise error_at(text, start, "a key is a collection, not a string")
            if len(stack) >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            if scope is not None:
                inner = lines.open_scope(scope, step, mapping, shape)
                if in_map:
                    aliases.paths = add_path(aliases.paths, inner)
            elif mapping:
                inner = Scope(None, None, (), "", {})
                # After an anchor or tag, only the first key shows the column.
                bare = event.anchor is None and event.tag is None
                part.indent = _key_column(text, start) if bare else -1
                document.trees.append(inner.node)
            else:
                raise error_at(
                    text,
                    start,
                    "the top level must be a mapping, not a sequence",
                    hint="put the sequence under a key, for example: data: [...]",
                )
            if place_comments:
                scope_at[len(events) - 1] = inner
            scopes.append(inner)
            opened = None
            # A single pair in a flow sequence, `[a: 1]`, opens without a bracket.
            if event.flow_style and text.startswith(("{", "["), end - 1):
                opened = Flow(end - 1, len(leaves))
                if leaves is main[0]:
                    document.flows.append(opened)
            anchor = None
            if event.anchor is not None:
                anchor = anchors[event.anchor] = Anchor(None, inner, leaves, shape, scopes, document.merges)
            stack.append((scope, in_map, flow, opened, anchor))
            flow += bool(event.flow_style)
            scope, node, in_map, key = inner, inner.node, mapping, None
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            scope, in_map, flow, closed, anchor = stack.pop()
            if closed is not None:
                flow_end = closed.end = end
                closed.last = len(leaves)
            if anchor is not None:
                anchor.close()
            if scope is not None:
                shape.append("}")
                node = scope.node
            elif closed is not None:
                part.close = end - 1
            key = None
        elif kind is AliasEvent:
            target = anchors.get(event.anchor)
            if target is None or scope is None:
                raise error_at(text, start, "an alias has no anchor before it")
            if target.open:
                raise error_at(text, start, "an alias is inside its own anchor")
            aliases.add(target)
            if in_map and key is None:
                key = _alias_key(document, target, start, end)
                if key in node and not is_of_sops(document):
                    raise error_at(text, start, "the mapping has the same key twice")
                if place_comments:
                    step_at[len(events) - 1] = key
                continue
            alias = Leaf(scope, step, start, end, FLOW_ALIAS if flow else ALIAS, "", None)
            if target.leaf is not None:
                alias.type, alias.data, alias.note = target.leaf.type, target.leaf.data, target.leaf
                lines.add_leaf(alias, leaves, shape)
            else:
                aliases.unfold(document, target, alias, (leaves, shape, scopes, document.merges), len(stack))
            key = None
        elif kind is DocumentStartEvent:
            if event.version is not None and tuple(event.version) != (1, 1):
                raise error_at(
                    text,
                    start,
                    "the directive is not %YAML 1.1",
                    hint="remove the %YAML line: sops accepts only version 1.1",
                )
            if len(document.parts) >= lines.MAX_DOCUMENTS:
                raise LimitError(f"the stream has more than {lines.MAX_DOCUMENTS} documents")
            part = Part(start)
            document.parts.append(part)
            anchors = {}
            shape.append("%")
        elif kind is DocumentEndEvent:
            # Without a "...", the end is set below: it is where the next document starts.
            part.end = text.rfind("...", 0, end) if event.explicit else -1
            if len(document.trees) < len(document.parts):  # the document is empty
                document.trees.append({})
        if block_start >= 0 and len(stack) <= 1 and key is None:
            in_flow = kind is MappingEndEvent and closed is not None
            close_block(document, part, leaves, node, flow_end=flow_end, in_flow=in_flow)
            leaves, shape = main
            block_start = -1

    if not document.parts:
        raise EmptyDocumentError(
            "the file has no values", hint="it needs at least one entry, such as name: value"
        )
    following = len(text)
    for part in reversed(document.parts):
        if part.end < 0:
            part.end = following
        following = part.start
    if place_comments:
        _place_comments(document, events, scope_at, step_at)
    if is_of_sops(document):
        detach_lost(document)
    return document


def _key(text: str, start: int, value: str, tag: str | None, plain: bool, any_keys: bool) -> str:
    """Return a key as sops stores it.

    Raises ParseError for a key that is not a string.  With ``any_keys``, such a key keeps its spelling.
    """
    try:
        found, data = goyaml.resolve(value, tag, plain)
    except ParseError as error:
        raise error_at(text, start, error.message, hint=error.hint) from None
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
    """Return the column of a block mapping whose first key begins at ``start``."""
    line = line_start(text, start)
    if line == 0 and text[:1] == "\ufeff" and start > 0:
        line = 1
    before = text[line:start]
    return before.index("?") if before.strip() == "?" else len(before)


def _alias_key(document: Document, target: Anchor, start: int, end: int) -> str:
    """Return the key that an alias refers to.  Raises ParseError if that is not a string."""
    leaf = target.leaf
    if leaf is None or leaf.type != "str" or leaf.data is None:
        raise error_at(document.text, start, "a key is an alias of something that is not a string")
    key = leaf.data.decode("utf-8", "replace")
    document.alias_keys.append((key, start, end, leaf))
    return key


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def refuse_slash(text: str, start: int, end: int) -> None:
    """Raise ParseError if a double-quoted scalar has the escape ``\\/``, which go-yaml does not accept."""
    if "/" in _ESCAPE.findall(text, start, end):
        hint = "write a plain slash: it needs no escape"
        raise error_at(text, start, 'sops cannot read the escape "\\/" in YAML', hint=hint)


def _article(type: str) -> str:
    names = {"int": "an integer", "float": "a number", "bool": "a boolean", "time": "a date", "null": "null"}
    return names.get(type, type)


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
            # go-yaml drops this comment.  Here, it becomes a comment of the whole document.
            scope = roots.setdefault(placed.document, Scope(None, None, (), "", {}))
        start, end = placed.start, placed.end
        document.comments.append(Comment(scope, text[start:end], start, end, step_at.get(placed.before)))
