"""YAML texts read from the events of ruamel.yaml, which uses libyaml if ``ruamel.yaml.clib`` is installed.

sops reads YAML with go-yaml v3, a port of libyaml, so libyaml accepts and rejects nearly the same texts.
What sops (3.13.3, stores/yaml/store.go) cannot store is refused here.  `goyaml` resolves scalars, and
`yaml_comments` places comments.
"""

from __future__ import annotations

import re
from contextlib import suppress

from encconf import formats
from encconf.errors import EmptyDocumentError, LimitError, ParseError
from encconf.formats import goyaml
from encconf.formats.yaml_fast import MAX_DOCUMENTS, close_block, open_scope
from encconf.formats.yaml_words import (
    ALIAS,
    DOUBLE,
    FLOW_ALIAS,
    FLOW_PLAIN,
    FOLDED,
    LITERAL,
    PLAIN,
    SKIP,
    content_end,
    error_at,
    line_start,
    properties,
)
from encconf.text.document import (
    MAX_DENSE,
    MAX_DEPTH,
    Comment,
    Document,
    Leaf,
    Part,
    Scope,
    add_path,
    too_many,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


MAX_TAG_DIRECTIVES = 1_000
"""How many ``%TAG`` directives a stream may have: the parsers compare each with all others."""


class TooNewError(Exception):
    """The text uses syntax that the parser in C is too old for."""


def parse(text: str, pure: bool) -> Iterator[Any]:
    """Yield the events of a stream, from libyaml or, if ``pure``, from the parser in Python.

    Raises ParseError, or TooNewError if the parser in Python may be able to read the text.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from _parsed(text, pure)
    except MarkedYAMLError as error:
        if not pure and error.problem == "found unexpected ':'":
            # ruamel.yaml.clib has libyaml 0.1.7, which refuses `[http://host]`; other parsers accept it.
            raise TooNewError from None
        mark = error.problem_mark
        # The parser's messages name tokens and characters.  They quote only the handle of a tag, which may be
        # the beginning of a password without quotes: `!word!word`.
        words = ", ".join(part for part in (error.context, error.problem) if part)
        head, handle, _ = words.partition("tag handle")
        words, hint = head + handle, None
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        if "cannot start any token" in words and line and line[0].lstrip(" ")[:1] == "\t":
            words, hint = "a tab at the start of a line", "indent with spaces"
        raise ParseError(
            f"not valid YAML: {words}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
            hint=hint,
        ) from None
    except YAMLError as error:
        reason = getattr(error, "reason", "it cannot be read")
        place = f" at position {error.position}" if hasattr(error, "position") else ""
        raise ParseError(f"not valid YAML: {reason}{place}") from None
    except UnicodeEncodeError:
        raise ParseError("not valid YAML: it holds a lone surrogate") from None


def _parsed(text: str, pure: bool) -> Iterator[Any]:
    cyaml: Any = None
    if not pure:
        with suppress(ImportError):  # ruamel.yaml.clib is not installed
            from ruamel.yaml import cyaml
    if cyaml is not None:
        # Not YAML(), whose loader refers to itself: 150 kB of garbage for each text.
        parser = cyaml.CParser(text)
        while parser.check_event():
            yield parser.get_event()
        return
    from ruamel.yaml import YAML

    class Parser(YAML):
        def official_plug_ins(self) -> list[str]:
            return []  # it would search its own folder for plug-ins each time

    yield from Parser(typ="safe", pure=True).parse(text)


def events_of(text: str, pure: bool) -> Iterator[Any]:
    """Return the events of a stream in which a byte order mark is an ordinary character, as in go-yaml.

    The parsers themselves drop a byte order mark at the start of a line.  ``text`` is without the one that
    may begin a file.  To go-yaml, a second one indents the first key.
    """
    if text.count("%TAG") > MAX_TAG_DIRECTIVES < len(re.findall(r"(?m)(?:^|[\r\x85\u2028\u2029])%TAG", text)):
        raise LimitError(f"the stream has more than {MAX_TAG_DIRECTIVES:,} %TAG directives")
    if text.startswith("\ufeff"):
        raise ParseError(
            "the file begins with two byte order marks", line=1, hint="remove at least one of them"
        )
    if "\n\ufeff" not in text and "\r\ufeff" not in text:
        return parse(text, pure)
    other = next(sign for sign in map(chr, range(0xE000, 0xF8FF)) if sign not in text)

    def restored(event: Any) -> Any:
        value = getattr(event, "value", None)
        if value is not None and other in value:
            event.value = value.replace(other, "\ufeff")
        return event

    return map(restored, parse(text.replace("\ufeff", other), pure))


MAX_ALIASED_SIZE = 16 << 20
"""How many bytes of values and keys all aliases may add (16 MiB): a long value can have many aliases."""


class Unfolded:
    """The note of a leaf that an alias to a collection adds.

    ``source`` is the leaf that it copies, and ``root`` the copy of the whole collection.
    """

    __slots__ = ("root", "source")

    def __init__(self, source: Leaf, root: Scope) -> None:
        self.source = source
        self.root = root


class Anchor:
    """What an anchor names: one leaf, or a collection with everything inside it.

    ``lists`` are the items and merge keys that the reader collects.  Those of the collection are
    ``list[start:end]`` of each.  A collection is ``open`` until its end has been read.
    """

    __slots__ = ("_size", "ends", "leaf", "lists", "open", "scope", "starts")

    def __init__(self, leaf: Leaf | None, scope: Scope | None = None, *lists: list[Any]) -> None:
        self.leaf = leaf
        self.scope = scope
        self.open = scope is not None
        self.lists = lists
        self.starts = self.ends = [len(each) for each in lists]
        self._size = -1

    def close(self) -> None:
        """Record that the collection ends here."""
        self.open = False
        self.ends = [len(each) for each in self.lists]

    @property
    def inside(self) -> list[list[Any]]:
        """Return the items and merge keys inside the collection."""
        return [each[at:end] for each, at, end in zip(self.lists, self.starts, self.ends, strict=True)]

    @property
    def height(self) -> int:
        """Return how many levels the collection has."""
        heights = {id(self.scope): 1}
        for item in self.inside[0]:
            if isinstance(item, Scope):
                heights[id(item)] = heights[id(item.parent)] + 1
        return max(heights.values())

    @property
    def size(self) -> int:
        """Return how many bytes of values and characters of keys an alias adds."""
        if self._size < 0:
            items = self.inside[0] if self.leaf is None else [self.leaf]
            self._size = sum(len(item.data) for item in items if isinstance(item, Leaf) and item.data)
            if self.leaf is None:
                self._size += sum(1 + len(item.step) if isinstance(item.step, str) else 1 for item in items)
        return self._size


class Aliases:
    """Totals of what all aliases of a text have added so far, to be compared with the limits."""

    __slots__ = ("count", "paths", "size")

    def __init__(self) -> None:
        self.count = self.size = 0
        self.paths = 0  # characters of the paths of all collections

    def add(self, target: Anchor) -> None:
        """Count an alias.  Raises LimitError."""
        self.size += target.size
        if self.size > MAX_ALIASED_SIZE:
            raise LimitError(f"aliases expand to more than {MAX_ALIASED_SIZE >> 20} MiB of values")

    def unfold(
        self, document: Document, target: Anchor, alias: Leaf, items: list[Scope | Leaf], depth: int
    ) -> None:
        """Add a copy of an aliased collection, under the alias's own path.

        ``items`` is the list that the leaf ``alias`` belongs to.  It may differ from the anchor's list: one
        of the two may be in the sops block.  Raises LimitError.
        """
        assert target.scope is not None
        old_items, old_merges = target.inside
        self.count += len(old_items) + 1
        if self.count > MAX_DENSE:  # checked before anything is added: the limit for "billion laughs"
            raise LimitError(f"aliases expand to more than {MAX_DENSE} values")
        if depth + target.height > MAX_DEPTH:
            raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels through its aliases")
        root = self._copy(target.scope, alias.scope, alias.step)
        root.head, root.sign, root.note = alias.head, alias.sign, alias
        items.append(root)
        copies = {id(target.scope): root}
        for old in old_items:
            if isinstance(old, Scope):
                assert old.step is not None
                copies[id(old)] = copy = self._copy(old, copies[id(old.parent)], old.step)
                items.append(copy)
                continue
            scope = copies[id(old.scope)]
            leaf = Leaf(scope, old.step, alias.start, alias.end, alias.style, old.type, old.data)
            leaf.note = Unfolded(old, root)
            items.append(leaf)
        document.merges.extend(copies[id(old)] for old in old_merges)

    def _copy(self, old: Scope, parent: Scope, step: str | int) -> Scope:
        """Return a copy of a collection, inside another one."""
        scope = parent.inside(step, old.listed)
        if isinstance(step, str):
            self.paths = add_path(self.paths, scope)
        return scope


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

    document = Document(text, formats.get("yaml"))
    bom = 1 if text[:1] == "\ufeff" else 0
    place_comments = comments and "#" in text
    most = document.most
    events: list[Any] = []
    scope_at: dict[int, Scope] = {}
    step_at: dict[int, str | int] = {}  # for each event, its key or index; those of an end mean nothing

    resolve = goyaml.resolve
    items = document.items
    anchors: dict[str, Anchor] = {}
    aliases = Aliases()

    part = Part(0)
    begun = 0  # how many items are before the document
    key_at = key_end = 0  # where the last key begins, with its anchor and tag, and where it ends
    # Where the next dash may be: after this value, or from this offset on.
    reached: Leaf | int = 0
    # For each open collection: the scope around it, its keys or numbers so far, whether it is a mapping, the
    # number of flow collections around it, and the collection's own Anchor, if it has one.
    stack: list[tuple[Scope | None, set[str | int], bool, int, Anchor | None]] = []
    scope: Scope | None = None
    seen: set[str | int] = set()
    in_map = False
    flow = 0
    key: str | None = None
    step: Any  # the key or index of the event's value
    closed = False  # whether a collection in brackets ends here
    block_start = -1  # offset of the `sops` key while inside the block

    # Without the byte order mark: one parser counts it as a character, the other does not.
    for event in events_of(text[bom:], pure):
        kind = event.__class__
        step = len(seen) if key is None else key
        if place_comments:
            step_at[len(events)] = step
            events.append(event)
        if len(items) > most:
            raise too_many(most)
        start = event.start_mark.index + bom
        end = event.end_mark.index + bom
        if kind is ScalarEvent:
            value = event.value
            style = event.style or PLAIN
            tag = event.tag
            note = None
            begin = start
            if tag is not None or event.anchor is not None:
                note, start = properties(text, start, end, event.anchor, tag)
                begin = note.start  # the parser in Python starts at the anchor, even after a tag
                apart = text.startswith(style or value[0], start) if style or value else start == end
                if not apart:
                    raise error_at(text, start, "the text in front of the value cannot be separated from it")
            if in_map and key is None:
                if style == PLAIN or tag is not None:
                    value = _key(text, start, value, tag, style == PLAIN, any_keys)
                if style == DOUBLE and "\\/" in text[start:end]:
                    refuse_slash(text, start, end)
                if value == "sops" and len(stack) == 1 and part.block:
                    raise error_at(text, start, "there are two sops blocks in one document")
                if value in seen and not is_of_sops(document):
                    raise error_at(text, start, "the mapping has the same key twice")
                key = value
                key_at, key_end = begin, end
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
                    block_start = note.start if note else start
                    flow_end = 0  # where the last flow collection in the block ends
                    part.block = (block_start, block_start)
                    items = []
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
            head, sign = _head(text, in_map, flow > 0, key_at, key_end, begin, reached)
            leaf = Leaf(scope, step, start, end, style, type, data, note, head, sign)
            items.append(leaf)
            reached = leaf if begin < end else max(sign, head)
            seen.add(step)
            key = None
            if event.anchor is not None:
                anchors[event.anchor] = Anchor(leaf)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            mapping = kind is MappingStartEvent
            if in_map and key is None:
                raise error_at(text, start, "a key is a collection, not a string")
            if len(stack) >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            note, inside = None, start
            if event.anchor is not None or event.tag is not None:
                note, inside = properties(text, start, end, event.anchor, event.tag)
            if scope is not None:
                begin = note.start if note is not None else start
                head, sign = _head(text, in_map, flow > 0, key_at, key_end, begin, reached)
                inner = open_scope(scope, step, mapping, items, head, sign)
                reached = inside if note is not None else max(sign, head)
                seen.add(step)
                if in_map:
                    aliases.paths = add_path(aliases.paths, inner)
            elif mapping:
                inner = Scope()
                # After an anchor or tag, only the first key shows the column.
                bare = event.anchor is None and event.tag is None
                part.indent = _key_column(text, start) if bare else -1
                items.append(inner)
            else:
                raise error_at(
                    text,
                    start,
                    "the top level must be a mapping, not a sequence",
                    hint="put the sequence under a key, for example: data: [...]",
                )
            inner.note = note
            if place_comments:
                scope_at[len(events) - 1] = inner
            # A single pair in a flow sequence, `[a: 1]`, opens without a bracket.
            if event.flow_style and text.startswith(("{", "["), end - 1):
                inner.start = end - 1
            anchor = None
            if event.anchor is not None:
                anchor = anchors[event.anchor] = Anchor(None, inner, items, document.merges)
            stack.append((scope, seen, in_map, flow, anchor))
            flow += bool(event.flow_style)
            scope, seen, in_map, key = inner, set(), mapping, None
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            assert scope is not None
            closed = scope.start >= 0
            if closed:
                flow_end = end
            if flow:
                reached = scope.end = end
            scope, seen, in_map, flow, anchor = stack.pop()
            if anchor is not None:
                anchor.close()
            if scope is None and closed:
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
                key_at, key_end = start, end
                if key in seen and not is_of_sops(document):
                    raise error_at(text, start, "the mapping has the same key twice")
                if place_comments:
                    step_at[len(events) - 1] = key
                continue
            head, sign = _head(text, in_map, flow > 0, key_at, key_end, start, reached)
            reached = end
            style = FLOW_ALIAS if flow else ALIAS
            alias = Leaf(scope, step, start, end, style, "", None, None, head, sign)
            if target.leaf is not None:
                alias.type, alias.data, alias.note = target.leaf.type, target.leaf.data, target.leaf
                items.append(alias)
            else:
                aliases.unfold(document, target, alias, items, len(stack))
            seen.add(step)
            key = None
        elif kind is DocumentStartEvent:
            if event.version is not None and tuple(event.version) != (1, 1):
                raise error_at(
                    text,
                    start,
                    "the directive is not %YAML 1.1",
                    hint="remove the %YAML line: sops accepts only version 1.1",
                )
            if len(document.parts) >= MAX_DOCUMENTS:
                raise LimitError(f"the stream has more than {MAX_DOCUMENTS} documents")
            part = Part(start)
            document.parts.append(part)
            anchors = {}
            begun = len(items)
        elif kind is DocumentEndEvent:
            # Without a "...", the end is set below: it is where the next document starts.
            part.end = text.rfind("...", part.start, end) if event.explicit else -1
            if len(items) == begun:  # the document is empty
                items.append(Scope())
        if block_start >= 0 and len(stack) <= 1:
            in_flow = kind is MappingEndEvent and closed
            assert scope is not None
            close_block(document, part, items, scope, flow_end=flow_end, in_flow=in_flow)
            items = document.items
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
    return document


_SKIP = re.compile(SKIP)
_TO_COLON = re.compile(r"[ \t\r\n]*:")


def _after_gap(text: str, at: int) -> int:
    """Return where the next key, dash or value is, after comments and empty lines."""
    gap = _SKIP.match(text, at)
    assert gap is not None  # the pattern also matches the empty string
    return gap.end()


def _head(
    text: str, in_map: bool, in_flow: bool, key: int, key_end: int, begin: int, reached: Leaf | int
) -> tuple[int, int]:
    """Return where the key or dash of a value begins, and where its colon or dash ends, or -1 if it has none.

    The value begins at ``begin``, with its anchor and tag.  An item of a flow sequence begins there, too.
    """
    if not in_map and in_flow:
        return begin, begin
    if not in_map and text.startswith("- ", begin - 2):
        return begin - 2, begin - 1
    if not in_map:
        if isinstance(reached, Leaf):
            block = reached.style in (LITERAL, FOLDED)
            reached = content_end(text, reached) if block else reached.end
        dash = _after_gap(text, reached)
        return dash, dash + 1 if text.startswith("-", dash) else -1
    at_once = text.startswith(":", key_end)
    if at_once and (in_flow or not text[text.rfind("\n", 0, key) + 1 : key].strip(" -")):
        return key, key_end + 1
    colon = _TO_COLON.match(text, key_end)
    if in_flow:
        return key, colon.end() if colon else key_end
    line = line_start(text, key)
    before = text[line:key].strip(" -\ufeff")
    if before == "?":  # a key of several lines, as sops writes it
        key = text.index("?", line)
        if _after_gap(text, key_end) >= begin:  # it has no colon and no value
            return key, key_end
    elif before:
        colon = None
    return key, colon.end() if colon else -1


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
    if leaf is None or leaf.type != "str":
        raise error_at(document.text, start, "a key is an alias of something that is not a string")
    assert leaf.data is not None
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
    from encconf.formats.yaml_comments import place

    text = document.text
    roots: dict[int, Scope] = {}
    for placed in place(text, events):
        part = document.parts[min(placed.document, len(document.parts) - 1)]
        if part.block is not None and part.block[0] <= placed.start < part.block[1]:
            continue
        scope = scope_at.get(placed.container)
        if scope is None or scope.keys[:1] == ("sops",):
            # go-yaml drops this comment.  Here, it becomes a comment of the whole document.
            scope = roots.setdefault(placed.document, Scope())
        start, end = placed.start, placed.end
        document.comments.append(Comment(scope, text[start:end], start, end, step_at.get(placed.before)))
