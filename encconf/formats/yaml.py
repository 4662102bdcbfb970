"""YAML texts, through the event stream of ruamel.yaml: libyaml's speed with ``ruamel.yaml.clib``.

sops reads YAML with go-yaml v3, a port of libyaml, so libyaml accepts and rejects nearly what
sops does; what sops (3.13.2, stores/yaml/store.go) cannot store is refused here.  Values are
never dumped: the text stays as it is but for the spans that `sealed`, `literal`, `attach` and
`detach` replace.

What a scalar means is said in `goyaml`, where comments belong in `comments`.
"""

from __future__ import annotations

import re

from encconf.document import Comment, Document, Flow, Leaf, Part, Scope, splice
from encconf.errors import EmptyDocumentError, LimitError, ParseError
from encconf.formats import Prepared, goyaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from encconf.document import Edit

MAX_DEPTH = 200
"""How deep collections may nest; far more than any configuration does."""
MAX_ALIASED = 100_000
"""How many leaves and collections aliases may add: the bound on "billion laughs"."""
MAX_PATHS = 1 << 25
"""How many characters the paths of all collections may have; one long key has many below it."""

_BREAK = "\r\n\x85\u2028\u2029"
_NEWLINE = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_SKIP = re.compile(rf"(?:[ \t]*(?:#[^{_BREAK}]*)?(?:\r\n|[{_BREAK}]))*[ \t]*")
_TAG = re.compile(r"!(?:<[^>]*>|[^\s,\[\]{}]*)")
_BLOCK_HEADER = re.compile(rf"([|>])([-+0-9]*)[ \t]*(#[^{_BREAK}]*)?")
_BLANK_REST = re.compile(rf"[ \t]*(?:[{_BREAK}]|\Z)")
# Tags that say a scalar's type.  On an `ENC[…]` text go-yaml would fail to apply them and hand sops
# a null, so they leave the text and come back with the layout record.
_TYPE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "timestamp", "binary")
)

PLAIN, FLOW_PLAIN, SINGLE, DOUBLE, LITERAL, FOLDED, ALIAS, FLOW_ALIAS = "", ",", "'", '"', "|", ">", "*", ",*"


class _Properties:
    """The anchor and tag in front of a scalar: where they start, and the tag's span."""

    __slots__ = ("start", "tag", "tag_end", "tag_start")

    def __init__(self, start: int, tag: str | None, tag_start: int, tag_end: int) -> None:
        self.start = start
        self.tag = tag
        self.tag_start = tag_start
        self.tag_end = tag_end


class _TooNewError(Exception):
    """The C parser is older than the syntax that the text uses."""


def _events(text: str, pure: bool) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=pure).parse(text)
    except MarkedYAMLError as error:
        if not pure and error.problem == "found unexpected ':'":
            # ruamel.yaml.clib has libyaml 0.1.7, which refuses `[http://host]`; the others take it.
            raise _TooNewError from None
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
    for match in _NEWLINE.finditer(text, 0, offset):
        line += 1
        start = match.end()
    return line, offset - start + 1


def _error(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    line, column = place_of(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


class _Unfolded:
    """Where a leaf that an alias to a collection stands for comes from, and the alias's own copy."""

    __slots__ = ("root", "source")

    def __init__(self, source: Leaf, root: Scope) -> None:
        self.source = source
        self.root = root


class _Anchor:
    """What an alias can stand for: one leaf, or a collection with all that is in it."""

    __slots__ = ("leaf", "leaves", "open", "scope", "scopes", "shape")

    def __init__(self, leaf: Leaf | None, scope: Scope | None) -> None:
        self.leaf = leaf
        self.scope = scope
        self.open = scope is not None
        self.leaves = (0, 0)
        self.scopes = (0, 0)
        self.shape = (0, 0)


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse a YAML stream into leaves with spans.

    Raises ParseError for what is not YAML or what sops cannot store, LimitError for what is
    deeper or more repetitive than any real file, EmptyDocumentError when there is no document.
    """
    try:
        return _scan(text, comments, pure=False)
    except _TooNewError:
        return _scan(text, comments, pure=True)


def _scan(text: str, comments: bool, pure: bool) -> Document:
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
    aliased = 0
    path_size = 0

    part = Part(0)
    stack: list[
        tuple[Scope | None, bool, int]
    ] = []  # the enclosing scope, whether it is a mapping, flow depth
    flow_stack: list[Flow | None] = []
    scope: Scope | None = None
    node: Any = None
    in_map = False
    flow = 0
    key: str | None = None
    block_start = -1  # offset of the `sops` key while inside the block

    for event in _events(text, pure):
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
                note, start = _properties(text, start, end, event.anchor, tag)
            if in_map and key is None:
                if style == PLAIN or tag is not None:
                    found = _resolve(text, start, value, tag, style == PLAIN)[0]
                    if found != "str":
                        raise _error(
                            text,
                            start,
                            f"a key is {_article(found)}, not a string",
                            hint="put the key in quotes: sops stores string keys only",
                        )
                if style == DOUBLE and "\\/" in text[start:end]:
                    _refuse_slash(text, start, end)
                if value in node:
                    raise _error(text, start, "the same key stands twice in one mapping")
                key = value
                if place_comments:
                    step_at[len(events) - 1] = key
                if key == "<<" and style == PLAIN:
                    document.merges.append(scope)  # type: ignore[arg-type]
                if key == "sops" and len(stack) == 1:
                    if part.block:
                        raise _error(text, start, "there are two sops blocks in one document")
                    block_start = note.start if note else start
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
                raise LimitError(f"the document nests deeper than {MAX_DEPTH} levels")
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
                part.indent = start - max(_line_start(text, start), bom if start < 2 else 0)
                document.trees.append(new)  # type: ignore[arg-type]
            elif in_map:
                assert key is not None
                node[key] = new
                path_size += len(scope.aad) + len(key)
                if path_size > MAX_PATHS:
                    raise LimitError("the keys on the paths of the document are too long altogether")
                inner = Scope(scope, key, (*scope.keys, key), f"{scope.aad}{key}:", new)
                shape.append(("{" if mapping else "[") + key)
            else:
                if place_comments:
                    step_at[len(events) - 1] = len(node)
                inner = Scope(scope, len(node), scope.keys, scope.aad, new)
                node.append(new)
                shape.append("{" if mapping else "[")
            if place_comments:
                scope_at[len(events) - 1] = inner
            scopes.append(inner)
            stack.append((scope, in_map, flow))
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
            if event.anchor is not None:
                anchor = _Anchor(None, inner)
                anchor.leaves = (len(leaves), 0)
                anchor.scopes = (len(scopes), 0)
                anchor.shape = (len(shape), 0)
                anchors[event.anchor] = anchor
                open_anchors.append((event.anchor, anchor))
            else:
                open_anchors.append(None)
            scope, node, in_map, key = inner, new, mapping, None
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            start = event.start_mark.index + bom
            end = event.end_mark.index + bom
            opened_flow = flow_stack.pop()
            if opened_flow is not None:
                opened_flow.end = end
                opened_flow.last = len(leaves)
            closing = open_anchors.pop()
            if closing is not None:
                anchor = closing[1]
                anchor.open = False
                anchor.leaves = (anchor.leaves[0], len(leaves))
                anchor.scopes = (anchor.scopes[0], len(scopes))
                anchor.shape = (anchor.shape[0], len(shape))
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
            if in_map and key is None:
                raise _error(text, start, "a key is an alias, not a string")
            target = anchors.get(event.anchor)
            if target is None or scope is None:
                raise _error(text, start, "an alias has no anchor before it")
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
                if target.open:
                    raise _error(text, start, "an alias stands inside what it is an alias for")
                aliased += target.leaves[1] - target.leaves[0] + target.scopes[1] - target.scopes[0] + 1
                if aliased > MAX_ALIASED:
                    raise LimitError(f"aliases stand for more than {MAX_ALIASED} values")
                _unfold(document, target, scope, step, leaves, shape, scopes, start, end, style)
            key = None
        elif kind is DocumentStartEvent:
            if event.version is not None and tuple(event.version) != (1, 1):
                raise _error(
                    text,
                    event.start_mark.index + bom,
                    "the directive is not %YAML 1.1",
                    hint="remove the %YAML line: sops takes version 1.1 only",
                )
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
            # Only a flow collection says itself where it ends.
            flow_end = end if text[end - 1 : end] in ("}", "]") and kind is not ScalarEvent else None
            _close_block(document, part, leaves, node, flow_end)
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
    if text.find("\ufeff", 1) >= 0 and re.search(r"(?m)^\ufeff", text[1:]):
        raise ParseError("a byte order mark stands inside the stream: sops cannot read it")
    if place_comments:
        _place_comments(document, events, scope_at, step_at)
    return document


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _refuse_slash(text: str, start: int, end: int) -> None:
    """Refuse an escape that libyaml takes and go-yaml does not: JSON's slash in double quotes."""
    if "/" in _ESCAPE.findall(text, start, end):
        hint = "write a plain slash: it needs no escape"
        raise _error(text, start, 'sops cannot read the escape "\\/" in YAML', hint=hint)


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _article(type: str) -> str:
    names = {"int": "an integer", "float": "a number", "bool": "a boolean", "time": "a date", "null": "null"}
    return names.get(type, type)


def _resolve(text: str, offset: int, value: str, tag: str | None, plain: bool) -> tuple[str, bytes | None]:
    try:
        return goyaml.resolve(value, tag, plain)
    except ParseError as error:
        raise _error(text, offset, error.message, hint=error.hint) from None


def _properties(
    text: str, start: int, end: int, anchor: str | None, tag: str | None
) -> tuple[_Properties, int]:
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
        after = _SKIP.match(text, at)
        assert after is not None
        if after.end() > limit:
            break
        at = after.end()
    tag_text = None if tag_start == tag_end else text[tag_start:tag_end]
    return _Properties(start, tag_text, tag_start, tag_end), min(at, limit)


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
) -> None:
    """Add what an alias to a collection stands for, under the alias's own path."""
    assert target.scope is not None
    source = target.scope

    def copy_of(old: Scope, parent: Scope, at: str | int) -> Scope:
        new: dict[str, object] | list[object]
        new = dict.fromkeys(old.node) if isinstance(old.node, dict) else [None] * len(old.node)
        if isinstance(parent.node, dict):
            assert isinstance(at, str)
            parent.node[at] = new
        elif isinstance(at, int) and at < len(parent.node):
            parent.node[at] = new
        else:
            parent.node.append(new)
        keys = (*parent.keys, at) if isinstance(at, str) else parent.keys
        aad = f"{parent.aad}{at}:" if isinstance(at, str) else parent.aad
        made = Scope(parent, at, keys, aad, new)
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
    for old_leaf in leaves[target.leaves[0] : target.leaves[1]]:
        made = copies[id(old_leaf.scope)]
        note = _Unfolded(old_leaf, root)
        leaves.append(Leaf(made, old_leaf.step, start, end, style, old_leaf.type, old_leaf.data, note))
    shape.extend(shape[target.shape[0] : target.shape[1]])
    shape.append("}")
    merging = {id(merged) for merged in document.merges}
    document.merges.extend(copies[key] for key in merging & copies.keys())


def _close_block(document: Document, part: Part, leaves: list[Leaf], root: Any, flow_end: int | None) -> None:
    """Take the ``sops`` entry out of the tree, note its span, and read it if it is the first."""
    text = document.text
    assert part.block is not None
    start = part.block[0]
    tree = root.pop("sops", None)
    end = start + len("sops:")
    if flow_end is not None:
        end = flow_end
    elif leaves:
        last = leaves[-1]
        end = content_end(text, last) if last.style in (LITERAL, FOLDED) else last.end
    part.block = (start, end)
    if part is not document.parts[0]:
        return
    for leaf in leaves:
        if leaf.type in ("int", "bool", "null"):
            value = goyaml.parse(leaf.type, leaf.data)
        elif leaf.type in ("time", "float"):
            value = text[leaf.start : leaf.end]
        else:
            assert leaf.data is not None
            value = leaf.data.decode("utf-8", "replace")
        leaf.scope.node[leaf.step] = value
    document.block = tree if isinstance(tree, dict) else None
    if not re.compile(r"""["']?sops["']?[ \t]*:""").match(text, start):
        return  # `? sops`, or behind an anchor: spelled anew when it is written
    document.block_text = text[start:end]
    if "\n" in document.block_text or "\r" in document.block_text:
        pad = start - _line_start(text, start)
        if start < 8 and text[:1] == "\ufeff":
            pad = max(pad - 1, 0)
        lines = _NEWLINE.split(document.block_text)
        blank = " " * pad
        document.block_text = "\n".join(line[pad:] if line.startswith(blank) else line for line in lines)
        if flow_end is None and not document.block_text.endswith("\n"):
            document.block_text += "\n"


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


def load_plain(text: str) -> list[dict[str, object]]:
    """The values of a plain YAML text, one dict per document, merge keys applied."""
    document = scan(text)
    if document.block is not None:
        document.trees[0]["sops"] = document.block
    for leaf in document.leaves:
        leaf.scope.node[leaf.step] = goyaml.parse(leaf.type, leaf.data)
    merge(document)
    return document.trees


def merge(document: Document) -> None:
    """Apply YAML merge keys (``<<``) to the filled trees; keys that are there already win."""
    for scope in reversed(document.merges):
        node = scope.node
        assert isinstance(node, dict)
        if "<<" not in node:
            continue
        value = node["<<"]
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            continue  # an ordinary key that happens to be called so
        merged = {}
        for source in reversed(sources):
            merged.update(source)
        at_merge = {key: item for key, item in merged.items() if key not in node}
        # The merged keys stand where `<<` stood.
        entries = list(node.items())
        node.clear()
        for key, item in entries:
            if key == "<<":
                node.update(at_merge)
            else:
                node[key] = item


# --- spelling ------------------------------------------------------------------------------


def _header(text: str, leaf: Leaf) -> tuple[re.Match[str], int, str]:
    """A block scalar's header, the offset of its first content line, and its line break."""
    header = _BLOCK_HEADER.match(text, leaf.start)
    assert header is not None
    line_end = _NEWLINE.search(text, header.end())
    if line_end is None or line_end.start() > leaf.end:
        return header, leaf.end, "\n"
    return header, line_end.end(), line_end.group()


def _content_indent(text: str, leaf: Leaf, content: int) -> int | None:
    """The indentation of a block scalar's content, None when it has no line with text."""
    header = _BLOCK_HEADER.match(text, leaf.start)
    assert header is not None
    for line in _NEWLINE.split(text[content : leaf.end]):
        stripped = line.lstrip(" ")
        if stripped.strip(" \t"):
            indent = len(line) - len(stripped)
            if any(char.isdigit() for char in header.group(2)):
                # An indentation indicator: the first value line keeps its own leading blanks.
                if leaf.sealed is not None or leaf.data is None:
                    return indent  # the line is an `ENC[…]` text, which has none
                for value_line in leaf.data.decode("utf-8", "replace").split("\n"):
                    if value_line.strip(" \t"):
                        return indent - (len(value_line) - len(value_line.lstrip(" ")))
            return indent
    return None


def content_end(text: str, leaf: Leaf) -> int:
    """Where a block scalar's own lines end; blank lines that chomping drops are not its own."""
    header, content, _ = _header(text, leaf)
    end = leaf.end
    if "+" in header.group(2):
        return end
    indent = _content_indent(text, leaf, content)
    if indent is None:
        return content if not (leaf.data or b"").strip(b"\n") else end
    body = text[content:end]
    line_ends = [match.end() for match in _NEWLINE.finditer(body)]
    starts = [0, *line_ends]
    if starts[-1] == len(body):
        starts.pop()
    while starts:
        line = body[starts[-1] : len(body)].rstrip(_BREAK)
        if line.strip(" ") or len(line) > indent:
            break
        body = body[: starts.pop()]
    return content + len(body)


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """The span of all that spells a leaf, from its anchor or tag to its end."""
    start = leaf.note.start if isinstance(leaf.note, _Properties) else leaf.start
    if leaf.style in (LITERAL, FOLDED):
        return start, content_end(document.text, leaf)
    return start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Put an ``ENC[…]`` text in a leaf's place: quotes stay quotes, block headers stay.

    ``was_plain`` says that this value's ciphertext was a plain scalar before: it stays one if
    decrypting a plain one gives the same text, so that only changed values change their lines.
    """
    text = document.text
    start, end, style = leaf.start, leaf.end, leaf.style
    if was_plain and style in (SINGLE, DOUBLE, LITERAL) and leaf.type == "str" and leaf.note is None:
        assert leaf.data is not None
        value = leaf.data.decode()
        if style == LITERAL and _fits_block(value):
            end = content_end(text, leaf)
            newline = newline_of(text)
            if text[start:end] == _as_block(document, leaf, value) + newline:
                return start, end - len(newline), enc
            end = leaf.end
        elif style != LITERAL and text[start:end] == plain(value):
            return start, end, enc
    kept = ""
    note = leaf.note
    if isinstance(note, _Properties) and note.tag is not None and _is_type_tag(note.tag):
        before, after = text[note.start : note.tag_start], text[note.tag_end : leaf.start]
        kept = before + after.lstrip(" \t") if before.strip() else after.lstrip(" \t")
        start = note.start
    if style in (PLAIN, ALIAS):
        return start, end, kept + enc
    if style in (FLOW_PLAIN, DOUBLE, FLOW_ALIAS):
        return start, end, f'{kept}"{enc}"'
    if style == SINGLE:
        return start, end, f"{kept}'{enc}'"
    _, content, newline = _header(text, leaf)
    end = content_end(text, leaf)
    indent = _content_indent(text, leaf, content)
    if indent is None:  # only blank lines: nothing shows how far they are indented
        return start, end, f'{kept}"{enc}"{newline}'
    head = text[leaf.start : content]
    if not head.endswith(tuple(_BREAK)):
        head += newline
    tail = newline if text[end - 1 : end] in _BREAK else ""
    return start, end, f"{kept}{head}{' ' * indent}{enc}{tail}"


def _is_type_tag(tag: str) -> bool:
    if tag.startswith("!<"):
        return tag[2:-1] in _TYPE_TAGS
    return tag.startswith("!!") and f"tag:yaml.org,2002:{tag[2:]}" in _TYPE_TAGS


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Put a plaintext where an ``ENC[…]`` text stands, in the style that it left behind."""
    text = document.text
    start, end, style = leaf.start, leaf.end, leaf.style
    tagged = isinstance(leaf.note, _Properties) and leaf.note.tag not in (None, "!")
    if type != "str" or style in (ALIAS, FLOW_ALIAS):
        word = scalar(type, data)
        if style in (LITERAL, FOLDED):
            return start, content_end(text, leaf), word + _header(text, leaf)[2]
        return start, end, word
    try:
        value = data.decode()
    except UnicodeDecodeError:
        import base64

        word = "!!binary " + base64.b64encode(data).decode()
        if style in (LITERAL, FOLDED):
            return start, content_end(text, leaf), word + _header(text, leaf)[2]
        return start, end, word
    if style in (LITERAL, FOLDED):
        return _block_literal(document, leaf, value)
    if style == SINGLE:
        return start, end, _single(value) if value.isprintable() else double(value)
    if style == DOUBLE:
        return start, end, double(value)
    if "\n" in value and style == PLAIN and _BLANK_REST.match(text, end) and _fits_block(value):
        return start, end, _as_block(document, leaf, value)
    return start, end, plain(value, flow=style != PLAIN, tagged=tagged)


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Put a comment where sops stored it as an item of a list, ``- ENC[…]``."""
    assert leaf.data is not None
    dash = document.text.rfind("-", 0, leaf.start)
    sign = "[] #" if alone and leaf.step == 0 else "#"  # a list that holds nothing else must stay one
    text = leaf.data.decode("utf-8", "replace")
    return dash, leaf.end, sign + (text if text.strip(" ") else text[1:])


def fragile(leaf: Leaf) -> bool:
    """Releases of sops agree on what YAML says."""
    return False


def scalar(type: str, data: bytes | None) -> str:
    """A plain scalar that resolves to exactly this type and these bytes (strings: see `plain`)."""
    if data is None:
        return "null"
    word = data.decode()
    if type == "bool":
        return "true" if word[:1] in ("T", "t", "1") else "false"
    if type == "float":
        special = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(word)
        if special is not None:
            return special
        # `3` would come back as an integer (sops writes it so and loses the type).
        return word if _means(word, "float", data) else word + ".0"
    if type == "str":
        return plain(word, flow=True)
    return word


def _means(word: str, type: str, data: bytes) -> bool:
    """Whether a plain scalar resolves to this type and these bytes."""
    try:
        return goyaml.resolve(word, None, True) == (type, data)
    except ParseError:
        return False


_YAML_1_1 = frozenset(
    ["=", "<<"]
    + [
        spelled
        for word in ("yes", "no", "on", "off", "y", "n")
        for spelled in (word, word.title(), word.upper())
    ]
)
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")


def _plain_fits(value: str, flow: bool, tagged: bool) -> bool:
    if not value or value != value.strip() or not value.isprintable():
        return False
    first = value[0]
    if first in _INDICATORS and (first not in "-?:" or flow or len(value) == 1 or value[1] in " \t"):
        return False
    if ": " in value or " #" in value or value[-1] == ":" or value.startswith(("---", "...")):
        return False
    if flow and any(char in value for char in ",[]{}?"):
        return False
    if tagged:
        return True
    return value not in _YAML_1_1 and _means(value, "str", value.encode())


def plain(value: str, *, flow: bool = False, tagged: bool = False) -> str:
    """A string as a plain scalar where that means the same, else in quotes."""
    if _plain_fits(value, flow, tagged):
        return value
    return _single(value) if value and value.isprintable() else double(value)


def _single(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0",
    "\x85": "\\N", "\xa0": "\\_",
    "\u2028": "\\L", "\u2029": "\\P", "\b": "\\b", "\x1b": "\\e", "\a": "\\a", "\v": "\\v", "\f": "\\f",
}  # fmt: skip


def double(value: str) -> str:
    """A string in double quotes, on one line."""
    if value.isprintable() and "\\" not in value and '"' not in value:
        return f'"{value}"'
    out = []
    for char in value:
        escape = _ESCAPES.get(char)
        if escape is not None:
            out.append(escape)
        elif char.isprintable():
            out.append(char)
        else:
            code = ord(char)
            width, sign = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
            out.append(f"\\{sign}{code:0{width}X}")
    return '"' + "".join(out) + '"'


def _fits_block(value: str) -> bool:
    """Whether a block scalar can hold the string as it is."""
    if not value.strip("\n") or "\r" in value:
        return False
    if not all(char in "\n\t" or char.isprintable() for char in value):
        return False
    first = value.lstrip("\n")[:1]
    return first not in (" ", "\t")


def _chomping(value: str) -> str:
    if not value.endswith("\n"):
        return "-"
    return "+" if value.endswith("\n\n") or value == "\n" else ""


def _block_lines(value: str, indent: int, newline: str) -> str:
    body = value[:-1] if value.endswith("\n") else value
    pad = " " * indent
    return newline.join(pad + line if line else "" for line in body.split("\n")) + newline


def _block_literal(document: Document, leaf: Leaf, value: str) -> Edit:
    """Fill a block scalar whose one content line was an ``ENC[…]`` text."""
    text = document.text
    header, content, newline = _header(text, leaf)
    end = content_end(text, leaf)
    indent = _content_indent(text, leaf, content)
    indicator = header.group(2)
    first = value.lstrip("\n")[:1]
    digit = any(char.isdigit() for char in indicator)
    fits = (
        indent is not None
        and bool(value.strip("\n"))
        and "\r" not in value
        and all(char in "\n\t" or char.isprintable() for char in value)
        and (digit or first not in (" ", "\t"))
    )
    if not fits:
        return leaf.start, end, double(value) + newline
    assert indent is not None
    chomping = _chomping(value)
    kept = "-" if "-" in indicator else "+" if "+" in indicator else ""
    start = content
    head = ""
    # `+` keeps whatever blank lines follow, none included.
    if kept != chomping and not (kept == "+" and value.endswith("\n")):
        at = leaf.start + 1
        head = text[leaf.start : at] + indicator.strip("-+") + chomping + text[at + len(indicator) : content]
        start = leaf.start
    if header.group(1) == FOLDED:
        lines = _folded_lines(value, indent, newline)
    else:
        lines = _block_lines(value, indent, newline)
    return start, end, head + lines


def _folded_lines(value: str, indent: int, newline: str) -> str:
    """One paragraph per line: a break between two text lines needs an empty line after it."""
    lines = value.removesuffix("\n").split("\n")
    pad = " " * indent
    out = []
    for index, line in enumerate(lines):
        out.append(pad + line if line else "")
        if line and line[0] not in " \t" and index + 1 < len(lines):
            following = next((later for later in lines[index + 1 :] if later), "")
            if following and following[0] not in " \t":
                out.append("")
    return newline.join(out) + newline


def _as_block(document: Document, leaf: Leaf, value: str) -> str:
    """A multi-line string, sealed as a plain scalar by sops, as the block scalar it was."""
    text = document.text
    line = max(text.rfind("\n", 0, leaf.start), text.rfind("\r", 0, leaf.start)) + 1
    before = text[line : leaf.start]
    indent = len(before) - len(before.lstrip(" "))
    # `- - key: ENC[…]`: the mapping or sequence that holds the leaf starts after the dashes.
    rest = before[indent:]
    while rest.startswith("- ") and rest[2:].strip():
        inner = rest[2:]
        skipped = 2 + len(inner) - len(inner.lstrip(" "))
        indent += skipped
        rest = rest[skipped:]
    newline = newline_of(text)
    body = _block_lines(value, indent + _step_of(text), newline)
    return f"|{_chomping(value)}{newline}{body[: -len(newline)]}"


def newline_of(text: str) -> str:
    """The line break that a text uses first."""
    match = re.search("\r\n|\n|\r", text)
    return match.group() if match else "\n"


def _step_of(text: str) -> int:
    match = re.search(r"(?m)^( +)[^\s#]", text)
    return min(len(match.group(1)), 8) if match else 2


# --- aliases of collections ------------------------------------------------------------------


def prepare(document: Document, chosen: bytearray) -> Prepared | None:
    """Write out the aliases that sops could not read back, and add a missing last line break.

    sops expands an alias when it reads, and would look for each copy's ciphertext under the copy's
    own path.  So an alias to a collection that holds an encrypted value, here or at its anchor,
    becomes a collection of its own, in flow style; so does one to an encrypted scalar whose copy
    is not encrypted.
    """
    text = document.text
    sealed_leaves = {
        id(leaf)
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.type != "null"
    }
    unfolded: dict[int, list[Leaf]] = {}
    touched: set[int] = set()
    edits: list[Edit] = []
    slashes = "\\/" in text
    for leaf in document.leaves:
        if leaf.style not in (ALIAS, FLOW_ALIAS):
            if slashes and leaf.style == DOUBLE and id(leaf) not in sealed_leaves:
                _refuse_slash(text, leaf.start, leaf.end)
            continue
        if isinstance(leaf.note, _Unfolded):
            unfolded.setdefault(leaf.start, []).append(leaf)
            if id(leaf) in sealed_leaves or _origin(leaf) in sealed_leaves:
                touched.add(leaf.start)
        elif id(leaf) not in sealed_leaves and _origin(leaf) in sealed_leaves:
            edits.append((leaf.start, leaf.end, _word(leaf)))
    for start in touched:
        copies = unfolded[start]
        edits.append((start, copies[0].end, _flow_text(copies)))
    part = document.parts[-1]
    added = ""
    if part.close is None and part.end == len(text) and text and text[-1] not in _BREAK:
        added = newline_of(text)
        last = document.leaves[-1] if document.leaves else None
        if last is not None and last.style in (LITERAL, FOLDED) and last.end == len(text) and last.data:
            # The added break must not become part of the value.
            start = region(document, last)[0]
            header = _header(text, last)[0]
            at = header.start(2)
            chomped = header.group(2).strip("+-") + "-"
            edits.append((start, len(text), text[start:at] + chomped + text[header.end(2) :]))
    if not edits and not added:
        return None
    originals: dict[int, str] = {}
    shift = 0
    for start, end, new in sorted(edits):
        originals[start + shift] = text[start:end]
        shift += len(new) - (end - start)
    return Prepared(splice(text, edits) + added, originals)


def _origin(leaf: Leaf) -> int:
    """The identity of the leaf that an alias, or an alias of an alias, stands for."""
    while True:
        if isinstance(leaf.note, Leaf):
            leaf = leaf.note
        elif isinstance(leaf.note, _Unfolded):
            leaf = leaf.note.source
        else:
            return id(leaf)


def _word(leaf: Leaf) -> str:
    if leaf.type == "str" and leaf.data is not None:
        return double(leaf.data.decode("utf-8", "replace"))
    return scalar(leaf.type, leaf.data)


def _flow_text(copies: list[Leaf]) -> str:
    """A collection in flow style on one line, in JSON's spelling where that says the same."""
    assert isinstance(copies[0].note, _Unfolded)
    for leaf in copies:
        leaf.scope.node[leaf.step] = _Word(_word(leaf))

    def spell(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{_key(key)}: {spell(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(spell(item) for item in value) + "]"
        assert isinstance(value, _Word)
        return value

    return spell(copies[0].note.root.node)


def _key(key: str) -> str:
    return key if key == "<<" else double(key)


class _Word(str):
    """A scalar that is spelled already."""

    __slots__ = ()


# --- the sops block ----------------------------------------------------------------------------


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` mapping in block style, indented by four as sops does."""
    lines = ["sops:"]
    _render(block, 4, lines)
    return "\n".join(lines) + "\n"


def _render(value: object, indent: int, lines: list[str]) -> None:
    pad = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            _render_item(f"{pad}{plain(key)}:", item, indent, lines)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and item:
                at = len(lines)
                _render(item, indent + 2, lines)
                lines[at] = f"{pad}- {lines[at][indent + 2 :]}"
            else:
                _render_item(f"{pad}-", item, indent, lines)


def _render_item(head: str, item: object, indent: int, lines: list[str]) -> None:
    if isinstance(item, (dict, list)):
        if not item:
            lines.append(f"{head} {'{}' if isinstance(item, dict) else '[]'}")
            return
        lines.append(head)
        _render(item, indent + 4, lines)
    elif isinstance(item, bool):
        lines.append(f"{head} {'true' if item else 'false'}")
    elif item is None:
        lines.append(f"{head} null")
    elif isinstance(item, (int, float)):
        lines.append(f"{head} {item}")
    else:
        value = str(item)
        if "\n" in value and _fits_block(value):
            lines.append(f"{head} |{_chomping(value)}")
            lines.extend(_block_lines(value, indent + 4, "\n")[:-1].split("\n"))
        else:
            lines.append(f"{head} {_quoted(value)}")


def _quoted(value: str) -> str:
    word = plain(value)
    return double(value) if word[0] == "'" and "'" not in value else word


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members of the block that are strings; every other byte stays."""
    wrapped, offset = block_text, 0
    flow = not re.match(r"""["']?sops["']?[ \t]*:[ \t]*[\r\n]""", block_text)
    if flow:
        wrapped, offset = "{" + block_text + "}", 1
    # Under another name the block is ordinary values, with spans.
    renamed = wrapped.replace("sops", "spos", 1)
    document = scan(renamed)
    edits: list[Edit] = []
    missing = dict(changes)
    members = [leaf for leaf in document.leaves if len(leaf.path) == 2]
    for leaf in members:
        name = str(leaf.step)
        if name not in missing:
            continue
        new = missing.pop(name)
        start, end = region(document, leaf)
        if new is None:
            edits.append(_removal(wrapped, name, start, end, flow))
        else:
            word = double(new) if flow or leaf.style == DOUBLE else plain(new)
            edits.append((start, end, word))
    added = {name: new for name, new in missing.items() if new is not None}
    out = splice(wrapped, edits)
    if added:
        out = _add_members(out, added, flow)
    return out[offset : len(out) - offset]


def _removal(text: str, name: str, start: int, end: int, flow: bool) -> Edit:
    if flow:
        key = max(text.rfind(f'"{name}"', 0, start), text.rfind(f"{name}:", 0, start))
        before = text.rfind(",", 0, key)
        if text[before + 1 : key].strip() == "":
            return before, end, ""
        after = re.compile(r"\s*,\s*").match(text, end)
        return key, after.end() if after else end, ""
    line = text.rfind("\n", 0, start) + 1
    following = text.find("\n", end)
    return line, len(text) if following < 0 else following + 1, ""


def _add_members(text: str, added: Mapping[str, str], flow: bool) -> str:
    if flow:
        close = text.rstrip()[:-1].rstrip()  # without the wrapping brace
        assert close.endswith("}")
        at = len(close) - 1
        body = text[:at].rstrip()
        comma = "" if body.endswith(("{", ",")) else ", "
        members = ", ".join(f"{double(name)}: {double(new)}" for name, new in added.items())
        return body + comma + members + text[len(body) :]
    indent = re.search(r"\n( +)\S", text)
    pad = indent.group(1) if indent else "    "
    newline = newline_of(text)
    for name, new in added.items():
        line = f"{pad}{name}: {plain(new)}{newline}"
        # Members are sorted by name, as sops sorts them.
        at = len(text)
        for match in re.finditer(rf"(?m)^{pad}([A-Za-z_][\w-]*):", text):
            if match.group(1) > name:
                at = match.start()
                break
        if at == len(text) and not text.endswith(("\n", "\r")):
            text += newline
            at = len(text)
        text = text[:at] + line + text[at:]
    return text


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block to every document, as its last entry; one that is there is replaced."""
    text = document.text
    newline = newline_of(text)
    edits: list[Edit] = []
    for part in document.parts:
        if part.close is not None:
            if part.block is not None:
                edits.append((*part.block, _flow_block(block_text)))
                continue
            body = text[part.start : part.close].rstrip()
            at = part.start + len(body)
            comma = "" if body.endswith(("{", ",")) else ", "
            edits.append((at, at, comma + _flow_block(block_text)))
            continue
        if not re.match(r"sops:[ \t]*\r?\n", block_text):
            block_text = render_block(_block_tree(block_text))
        pad = " " * part.indent
        block = newline.join(pad + line if line else "" for line in block_text.split("\n"))
        if part.block is not None:
            edits.append((*_block_lines_of(text, *part.block), block))
            continue
        before = text[part.end - 1 : part.end] if part.end > part.start else text[:0]
        broken = not before or before in _BREAK or before == "\ufeff"
        edits.append((part.end, part.end, ("" if broken else newline) + block))
    return edits


def _block_lines_of(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines of a block in block style."""
    line = _line_start(text, start)
    if line == 0 and text[:1] == "\ufeff":
        line = 1
    if text[line:start].strip() in ("", "?"):
        start = line
    if text[end - 1 : end] not in _BREAK:
        match = _NEWLINE.search(text, end)
        end = match.end() if match else len(text)
    return start, end


def _block_tree(block_text: str) -> dict[str, object]:
    flow = not block_text.startswith("sops:\n")
    block = scan("{" + block_text + "}" if flow else block_text).block
    assert block is not None
    return block


def _flow_block(block_text: str) -> str:
    """The block as a member of a flow mapping."""
    if not block_text.startswith("sops:\n"):
        return block_text
    import json

    return '"sops": ' + json.dumps(_block_tree(block_text), ensure_ascii=False)


def detach(document: Document) -> list[Edit]:
    """The edits that remove the block from every document."""
    edits: list[Edit] = []
    for part in document.parts:
        if part.block is None:
            continue
        if part.close is not None:
            edits.append(_detach_flow(document.text, part, *part.block))
        else:
            edits.append((*_block_lines_of(document.text, *part.block), ""))
    return edits


def _detach_flow(text: str, part: Part, start: int, end: int) -> Edit:
    before = re.search(r",[ \t]*\Z", text[part.start : start])
    if before is not None:
        return part.start + before.start(), end, ""
    after = re.compile(r"\s*,\s*").match(text, end)
    return start, after.end() if after else end, ""
