"""TOML texts, by an own tokenizer that keeps spans; the standard library's tomllib has the last word.

TOML is 1.0: a plain text is taken only if tomllib takes it and finds the values that stand here; of
an encrypted one, which was such a text, tomllib reads the ``sops`` table alone.  sops
knows no TOML; what is stored is what rops stores (0.1.7, by which mise reads such files): strings,
int64 integers, floats and booleans as sops stores them, dates as strings in toml-rs's spelling,
and a string that says ``null`` as no value at all, which is neither encrypted nor in the MAC.  The
leaves stand in rops's order, the order of the tree and not that of the text.  Refused beyond what
tomllib refuses: integers that int64 does not hold, floats that overflow, nesting deeper than rops
reads.

Quotes travel through encryption; what a string cannot carry, that a value was a date or a number
in hexadecimal, stands in the layout record.  rops drops comments and that record when it rewrites
a file; a date is a string then.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, LimitError, ParseError
from encconf.text.document import Comment, Document, Leaf, Part, Scope, limit_paths, position, splice
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from encconf.formats import Prepared
    from encconf.text.document import Edit

    Step = str | int
    Item = tuple[Scope, Step]

# No release of rops could read an empty string; which strings are dates stands in the layout record.
SEALS_EMPTY = True
LOADS_TEXT = True
EMPTY = ""
EXAMPLE = """\
# This file is encrypted when you leave the editor. Keys stay readable.
debug = false

[database]
host = "db.example.com"
port = 5432
password = "change me"
"""

MAX_DEPTH = 78
"""How deep tables and arrays may nest: as deep as toml-rs reads the worst case, dotted keys."""
MAX_VALUES = 2_000_000
"""How many values, tables and arrays a file may hold."""
MAX_DIGITS = 1_000
"""How many characters a number may have."""
MAX_PATHS = 1 << 25
"""How many characters the key paths of all tables may have together: each holds its own."""

BASIC, LITERAL, LONG_BASIC, LONG_LITERAL, BARE = '"', "'", '"""', "'''", ""

_CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
_LONG_CONTROL = r"\x00-\x08\x0b-\x1f\x7f"  # all but tabs and line feeds

# Possessive, so that a string that does not end is given up at once and not in every other way.
_BASIC = rf'"[^"\\{_CONTROL}]*+(?>(?:\\[^{_CONTROL}][^"\\{_CONTROL}]*+)*)"'
_LITERAL = rf"'[^'{_CONTROL}]*+'"
# Up to two quotes may stand before the three that end a string of many lines.
_LONG_BASIC = (
    rf'"""(?>(\r?\n)?)(?>(?:[^"\\{_LONG_CONTROL}]++|\r\n|\\(?:[^{_CONTROL}]|\r?\n)|"{{1,2}}(?!"))*)"{{3,5}}+'
)
_LONG_LITERAL = rf"'''(?>(\r?\n)?)(?>(?:[^'{_LONG_CONTROL}]++|\r\n|'{{1,2}}(?!'))*)'{{3,5}}+"
_STRINGS = {
    BASIC: rf"(){_BASIC}",
    LITERAL: rf"(){_LITERAL}",
    LONG_BASIC: _LONG_BASIC,
    LONG_LITERAL: _LONG_LITERAL,
}

_PART = re.compile(rf"[ \t]*+(?:([A-Za-z0-9_-]++)|({_BASIC})|({_LITERAL}))[ \t]*+([.=\]]?)")
# The statement that most lines are; a string of many lines begins with an empty one.
_SIMPLE = re.compile(
    rf"""([A-Za-z0-9_-]++)[ \t]*+=[ \t]*+(?:"([^"\\{_CONTROL}]*+)"|'([^'{_CONTROL}]*+)')[ \t]*+(?:\r?\n|\Z)"""
)
_WORD = re.compile(r"[A-Za-z0-9_.+-]++")
_CLOCK = r"([0-9]{2}:[0-9]{2}:[0-9]{2})(?>(?:\.([0-9]++))?)"
_ZONE = "(?>([Zz]|[+-][0-9]{2}:[0-9]{2})?)"
_TIME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[Tt ]{_CLOCK}{_ZONE})?|{_CLOCK}")

_BLANKS = re.compile(r"[ \t]*+")
_SPACE = re.compile(r"[ \t\r\n]*+")
_COMMENT = re.compile(rf"#[^{_CONTROL}]*+")
GAP = re.compile(rf"(?>(?:[ \t\r\n]++|#[^{_CONTROL}]*+)*)")
_LINE_END = re.compile(rf"[ \t]*+(#[^{_CONTROL}]*+)?(?:\r?\n|\Z)")


class _Root(Part):
    """The text as a whole; ``spans`` are the lines of the ``sops`` block, all its pieces.

    ``tables`` says that the block consists of tables with headers, and of nothing else.
    """

    __slots__ = ("spans", "tables")

    def __init__(self, spans: list[tuple[int, int]], tables: bool) -> None:
        super().__init__(0)
        self.root = "map"
        self.spans = spans
        self.tables = tables
        self.block = spans[0] if spans else None


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse a TOML text into leaves with spans; with ``comments``, place the comments too.

    Raises ParseError for what is not TOML or what rops could not store, LimitError for what is
    larger or deeper than any real file.
    """
    scanner = Scanner(text, comments)
    scanner.run()
    document = Document(text, "toml")
    tree = scanner.root.node
    document.trees.append(tree)
    document.shape.append("%")
    if "sops" in tree:
        # What is encrypted has been read as plain text before: only the block's own text is read twice.
        del tree["sops"]
        _settle(document, tree, None)
    else:
        _settle(document, tree, _load(text))
    if scanner.comments is not None:
        document.comments = [comment for comment in scanner.comments if not _in_block(comment)]
    _take_block(document, scanner.block)
    limit_paths(document)
    return document


def load_plain(text: str) -> list[dict[str, object]]:
    """The values of a plain TOML text as tomllib gives them, as a list of the one table."""
    return [_load(text)]


def settle(document: Document) -> None:
    """A string that says ``null`` is that string, whatever it is to rops.

    Dates stay strings: which they are stands in the layout record alone, so that it takes the plain
    text to tell (see `encconf.api.loads_all`).
    """
    for leaf in document.leaves:
        if leaf.data is None:
            leaf.scope.node[leaf.step] = "null"


def _take_block(document: Document, lines: list[_Line]) -> None:
    """Find the ``sops`` table among the statements that make it."""
    text = document.text
    spans: list[tuple[int, int]] = []
    after = -1
    for line in lines:
        if line.number == after:
            spans[-1] = (spans[-1][0], line.end)
        else:
            spans.append((line.start, line.end))
        after = line.number + 1
    tables = all(line.headed for line in lines)
    part = _Root(spans, tables)
    part.end = len(text)
    document.parts.append(part)
    if not spans:
        return
    pieces = "".join(text[start:end] for start, end in spans)
    block = _load(pieces).get("sops")
    if isinstance(block, dict):
        members = {name: _untimed(value) for name, value in block.items()}
        document.block_text = pieces if tables else render_block(members)
        document.block = members


def _load(text: str) -> dict[str, object]:
    """What tomllib makes of a text; ParseError says what it says, which never quotes a value."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.S)
        if found is None:
            raise ParseError("the text is not TOML") from None
        message, line, column = found.groups()
        message = message[:1].lower() + message[1:]
        if line is None:
            raise ParseError(f"{message}, at the end of the text") from None
        raise ParseError(message, line=int(line), column=int(column)) from None
    except RecursionError:
        raise LimitError("the document nests too deep for the stack that is left") from None


def _untimed(value: object) -> object:
    """A value of the block with dates as strings."""
    if isinstance(value, dict):
        return {name: _untimed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_untimed(item) for item in value]
    return value if isinstance(value, (str, int, float)) else _iso(value)


def _in_block(comment: Comment) -> bool:
    return comment.scope.keys[:1] == ("sops",) or (comment.scope.parent is None and comment.before == "sops")


# --- the tokenizer -------------------------------------------------------------------------------


class _Line:
    """One statement: its lines, and the item it makes.

    ``number`` counts all statements of the text; ``header`` says that it is a table's header,
    ``headed`` that it is or follows such a header of the ``sops`` block.
    """

    __slots__ = ("end", "headed", "header", "number", "scope", "start", "step")

    def __init__(
        self, number: int, start: int, end: int, scope: Scope, step: Step, header: bool, headed: bool
    ) -> None:
        self.number = number
        self.start = start
        self.end = end
        self.scope = scope
        self.step = step
        self.header = header
        self.headed = headed


class Scanner:
    """One pass over a text.  It takes all that is TOML, and a little more that tomllib refuses.

    The tree below ``root`` holds a Leaf for each value.  ``comments`` is None if nobody asked for
    them; ``block`` are the statements that make the ``sops`` block.  With ``places``, it is all
    statements; then ``places`` says of each item where its key starts and where its value does,
    and ``ends`` where arrays and inline tables end.
    """

    __slots__ = (
        "block", "comments", "count", "depths", "ends", "headers", "inner", "paths", "pending", "places",
        "root", "table", "text",
    )  # fmt: skip

    def __init__(self, text: str, comments: bool = False, *, places: bool = False) -> None:
        self.text = text
        self.root = self.table = Scope(None, None, (), "", {})
        self.inner: dict[Item, Scope] = {}
        self.depths: dict[Scope, int] = {self.root: 0}
        self.headers: set[Scope] = set()  # the tables that have had theirs
        self.count = 0
        self.paths = 0
        self.comments: list[Comment] | None = [] if comments else None
        self.pending: list[Comment] = []  # those whose item is still to come
        self.block: list[_Line] = []
        self.places: dict[Item, tuple[int, int]] | None = {} if places else None
        self.ends: dict[Scope, int] = {}

    def run(self) -> None:
        """Read the whole text."""
        text = self.text
        if text.startswith("\ufeff"):
            raise _error(text, 0, "a byte order mark is not TOML", hint="save the file as UTF-8 without one")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise _error(text, error.start, "a lone surrogate is not a character") from None
        at = self._gap(0)
        number = 0
        headed = False
        while at < len(text):
            start = at
            found = _SIMPLE.match(text, at) if self.places is None else None
            if found is not None:
                at = self._simple(found, number, headed)
                number += 1
                if text[at : at + 1] in "\r\n\t #":
                    at = self._gap(at)
                continue
            header = text[at] == "["
            if header:
                item, at = self._header(at)
                headed = ours = self.table.keys[:1] == ("sops",)
            else:
                item, at = self._pair(self.table, at)
                self._place(item)
                at = self._value(item, at)
                ours = headed or item[0].keys[:1] == ("sops",) or item == (self.root, "sops")
            found = _LINE_END.match(text, at)
            if found is None:
                raise self._fault(at, "the end of the line")
            if found[1]:
                self._comment(found.start(1), found.end(1), item)
            at = found.end()
            if ours or self.places is not None:
                start = text.rfind("\n", 0, start) + 1
                self.block.append(_Line(number, start, at, *item, header, headed))
            number += 1
            at = self._gap(at)
        self._place((self.table, None))

    def _simple(self, found: re.Match[str], number: int, headed: bool) -> int:
        """Take a statement that is a bare key and a short string; returns where the next line starts."""
        table = self.table
        step, basic, literal = found.groups()
        if step in table.node:
            raise _twice(self.text, found.start())
        if self.pending:
            self._place((table, step))
        style, value, group = (BASIC, basic, 2) if literal is None else (LITERAL, literal, 3)
        type, data = ("null", None) if value == "null" else ("str", value.encode())
        start, end = found.span(group)
        self._put(table, step, Leaf(table, step, start - 1, end + 1, style, type, data))
        if headed or table.keys[:1] == ("sops",) or (step == "sops" and table is self.root):
            line = self.text.rfind("\n", 0, found.start()) + 1
            self.block.append(_Line(number, line, found.end(), table, step, False, headed))
        return found.end()

    # Comments: one on a line of its own belongs to the next item, one behind an item to that.

    def _gap(self, at: int, last: Item | None = None) -> int:
        """Skip blanks, line breaks and comments; ``last`` is the item on whose line this starts."""
        text = self.text
        if self.comments is None:
            return _end(GAP, text, at)
        while True:
            end = _end(_SPACE, text, at)
            if not text.startswith("#", end):
                return end
            if last is not None and text.find("\n", at, end) >= 0:
                last = None
            at = _end(_COMMENT, text, end)
            self._comment(end, at, last)
            last = None

    def _comment(self, start: int, end: int, item: Item | None) -> None:
        if self.comments is None:
            return
        comment = Comment(self.root, self.text[start + 1 : end], start + 1, end, None)
        self.comments.append(comment)
        if item is None:
            self.pending.append(comment)
        else:
            comment.scope, comment.before = item

    def _place(self, item: tuple[Scope, Step | None]) -> None:
        """The item that the pending comments precede, or the scope in which they trail."""
        for comment in self.pending:
            comment.scope, comment.before = item
        self.pending.clear()

    # Tables.

    def _open(self, parent: Scope, step: Step, node: dict[str, object] | list[object]) -> Scope:
        depth = self.depths[parent] + 1
        if depth > MAX_DEPTH:
            raise LimitError(f"the document nests deeper than {MAX_DEPTH} levels")
        keys, aad = parent.keys, parent.aad
        if isinstance(step, str):
            keys, aad = (*keys, step), f"{aad}{step}:"
            self.paths += len(aad)
            if self.paths > MAX_PATHS:
                raise LimitError(f"the paths of all tables have more than {MAX_PATHS} characters")
        self._put(parent, step, node)
        scope = Scope(parent, step, keys, aad, node)
        self.inner[parent, step] = scope
        self.depths[scope] = depth
        return scope

    def _put(self, scope: Scope, step: Step, item: object) -> None:
        """Put an item where none is yet."""
        self.count += 1
        if self.count > MAX_VALUES:
            raise LimitError(f"the document holds more than {MAX_VALUES} values")
        if isinstance(step, int):
            scope.node.append(item)
        else:
            scope.node[step] = item

    def _descend(self, scope: Scope, key: str, at: int) -> Scope:
        """The table with a key, in an array of tables the last one; a new one if there is none."""
        found = self.inner.get((scope, key))
        if found is None:
            if key in scope.node:
                raise _twice(self.text, at)
            return self._open(scope, key, {})
        if isinstance(found.node, list):
            found = self.inner.get((found, len(found.node) - 1))
            if found is None or isinstance(found.node, list):
                raise _twice(self.text, at)
        return found

    def _header(self, at: int) -> tuple[Item, int]:
        """Read ``[table]`` or ``[[table]]``; returns the item it stands for, and where it ends."""
        array = self.text.startswith("[[", at)
        parts, end, sign = self._key(at + 1 + array)
        if sign != "]" or (array and not self.text.startswith("]", end)):
            raise self._fault(end, "the closing bracket")
        end += array
        if parts[0] == "sops":
            self._place((self.table, None))  # as without the block
        parent = self.root
        for part in parts[:-1]:
            parent = self._descend(parent, part, at)
        key = parts[-1]
        scope = self.inner.get((parent, key))
        if scope is None:
            if key in parent.node:
                raise _twice(self.text, at)
            scope = self._open(parent, key, [] if array else {})
        elif isinstance(scope.node, list) is not array:
            raise _twice(self.text, at)
        elif not array:
            # Only its inner tables have had a header yet; toml-rs moves it behind what came between.
            if scope in self.headers:
                raise _twice(self.text, at)
            parent.node[key] = parent.node.pop(key)
        if not array:
            self.headers.add(scope)
        item: Item = (parent, key)
        if array:
            item = (scope, len(scope.node))
            scope = self._open(*item, {})
        self.table = scope
        self._place(item)
        return item, end

    # Keys and values.

    def _key(self, at: int) -> tuple[list[str], int, str]:
        """The parts of a dotted key, the offset behind the sign that ends it, and that sign."""
        parts: list[str] = []
        while True:
            found = _PART.match(self.text, at)
            if found is None:
                raise self._fault(at, "a key")
            bare, basic, literal, sign = found.groups()
            if basic is not None:
                bare = _unescape(self.text, found.start(2) + 1, basic[1:-1])
            parts.append(literal[1:-1] if bare is None else bare)
            at = found.end()
            if sign != ".":
                return parts, at, sign

    def _pair(self, table: Scope, at: int) -> tuple[Item, int]:
        """Read a key with its sign; returns the item it stands for, and where its value starts."""
        parts, end, sign = self._key(at)
        if sign != "=":
            raise self._fault(end - len(sign), "an equals sign")
        for part in parts[:-1]:
            table = self._descend(table, part, at)
        if isinstance(table.node, list) or parts[-1] in table.node:
            raise _twice(self.text, at)
        item: Item = (table, parts[-1])
        end = _end(_BLANKS, self.text, end)
        if self.places is not None:
            self.places[item] = (at, end)
        return item, end

    def _value(self, item: Item, at: int) -> int:
        """Read a value and all that is in it; returns where it ends."""
        text = self.text
        stack: list[Scope] = []
        while True:
            sign = text[at : at + 1]
            fresh = sign in ("[", "{")
            if fresh:
                stack.append(self._open(*item, [] if sign == "[" else {}))
                at += 1
            else:
                at = self._leaf(item, at)
            while stack:
                inner = stack[-1]
                array = isinstance(inner.node, list)
                close = "]" if array else "}"
                last = None if fresh else item
                at = self._gap(at, last) if array else _end(_BLANKS, text, at)
                sign = text[at : at + 1]
                if sign == "," and not fresh:
                    at = self._gap(at + 1, last) if array else _end(_BLANKS, text, at + 1)
                    if not text.startswith(close, at):
                        break
                elif sign != close:
                    if fresh:
                        break
                    raise self._fault(at, f"a comma or the closing {'bracket' if array else 'brace'}")
                at += 1
                self._place((inner, None))
                self.ends[stack.pop()] = at
                assert inner.parent is not None
                assert inner.step is not None
                item = (inner.parent, inner.step)
                fresh = False
            else:
                return at
            if array:
                item = (inner, len(inner.node))
                self._place(item)
                if self.places is not None:
                    self.places[item] = (at, at)
            else:
                item, at = self._pair(inner, at)

    def _leaf(self, item: Item, at: int) -> int:
        text = self.text
        quote = text[at : at + 1]
        note: str | None = None
        data: bytes | None
        if quote in ('"', "'"):
            style = quote * 3 if text.startswith(quote * 3, at) else quote
            found = _string_pattern(style).match(text, at)
            if found is None:
                raise self._unended(at, style)
            end = found.end()
            start = at + len(style)
            if len(style) == 3:
                note = found[1] or ""
                start += len(note)
            value = text[start : end - len(style)]
            if len(style) == 3:
                value = value.replace("\r\n", "\n")
            if quote == '"' and "\\" in value:
                value = _unescape(text, at, value)
            type, data = ("null", None) if value == "null" else ("str", value.encode())
        else:
            style = BARE
            end, type, data = self._bare(at)
        self._put(*item, Leaf(*item, at, end, style, type, data, note))
        return end

    def _bare(self, at: int) -> tuple[int, str, bytes]:
        """Where a value without quotes ends, its type and its data."""
        text = self.text
        found = _TIME.match(text, at)
        if found is not None:
            return found.end(), "str", _time(found)
        found = _WORD.match(text, at)
        if found is None:
            raise self._fault(at, "a value")
        end = found.end()
        if end - at > MAX_DIGITS:
            line, column = position(text, at)
            raise LimitError(f"line {line}, column {column}: a number has more than {MAX_DIGITS} characters")
        word = found[0]
        if word in ("true", "false"):
            return end, "bool", word.capitalize().encode()
        digits = word.replace("_", "")
        integer: int | None = None
        number = 0.0
        try:
            if digits[:2] in ("0x", "0o", "0b") or digits.lstrip("+-").isdigit():
                integer = int(digits, 0)
            else:
                number = float(digits)
        except ValueError:
            hint = None
            if word.lower() in ("true", "false"):
                hint = "true and false are written small"
            elif not re.match("[0-9+-]", word):
                hint = "a string stands in quotes"
            raise _error(text, at, "this is no value of TOML", hint=hint) from None
        if integer is not None:
            if not -(1 << 63) <= integer < 1 << 63:
                raise _error(text, at, "an integer does not fit into 64 bits", hint="put it in quotes")
            return end, "int", b"%d" % integer
        if number - number != 0 and digits.lstrip("+-")[:1].isdigit():
            raise _error(text, at, "a number is too large for a float", hint="put it in quotes")
        return end, "float", _float(number)

    # Errors; none says what the text says.

    def _fault(self, at: int, wanted: str) -> ParseError:
        at = _end(_BLANKS, self.text, at)
        found = self.text[at : at + 1]
        if not found:
            return _error(self.text, at, f"the text ends where {wanted} should stand")
        if self.text.startswith(("\n", "\r\n"), at):
            return _error(self.text, at, f"the line ends where {wanted} should stand")
        return _error(self.text, at, f"expected {wanted}")

    def _unended(self, at: int, style: str) -> ParseError:
        what = "a string does not end, or holds a control character"
        hint = f"it ends with {style}"
        if len(style) == 1:
            hint = f"a string of several lines stands in {style * 3}"
        return _error(self.text, at, what, hint=hint)


_patterns: dict[str, re.Pattern[str]] = {}


def _string_pattern(style: str) -> re.Pattern[str]:
    """The pattern of a string, compiled when the first one is read."""
    pattern = _patterns.get(style)
    if pattern is None:
        pattern = _patterns[style] = re.compile(_STRINGS[style])
    return pattern


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that always matches ends."""
    found = pattern.match(text, at)
    return found.end() if found else at


_NAMED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[ \t]*+\n[ \t\n]*+|(.))"


def _unescape(text: str, at: int, value: str) -> str:
    def character(found: re.Match[str]) -> str:
        code, named = found[1] or found[2], found[3]
        if code:
            number = int(code, 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise _error(text, at, "a string has an escape that is no character")
            return chr(number)
        if named is None:
            return ""  # a line break that the text has and the string has not
        if named not in _NAMED:
            raise _error(text, at, "TOML has no such escape", hint="a backslash is written twice")
        return _NAMED[named]

    return re.sub(_ESCAPE, character, value)


def _time(found: re.Match[str]) -> bytes:
    """A date or time as toml-rs spells it."""
    date, clock, fraction, zone, alone, its_fraction = found.groups()
    clock = clock or alone
    decimals = (fraction or its_fraction or "")[:9].rstrip("0")
    if decimals:
        clock += "." + decimals
    if zone is not None:
        zone = "+00:00" if zone == "-00:00" else zone.upper()
    if date is not None:
        clock = f"{date}T{clock}{zone or ''}" if clock else date
    return str(clock).encode()


def _float(number: float) -> bytes:
    """A float as Rust spells it: like Go, but for infinity."""
    if number != number:
        return b"NaN"
    if number - number != 0:
        return b"inf" if number > 0 else b"-inf"
    from encconf.formats.goyaml import format_float

    return format_float(number)


def _iso(value: object) -> str:
    """A date or time of tomllib's, as Python spells it."""
    return str(value.isoformat())  # type: ignore[attr-defined]


def _settle(document: Document, tree: Any, values: Any) -> None:
    """List the leaves and the shape of a tree in its order; its leaves give way to placeholders.

    Raises ParseError if the leaves are not the values that tomllib found, unless those are None.
    """
    leaves, shape = document.leaves, document.shape
    stack: list[tuple[Iterator[tuple[Step, Any]], Any, Any]] = []
    compared = values is not None

    def enter(node: Any, found: Any) -> None:
        if compared and (type(node) is not type(found) or len(node) != len(found)):
            raise _unlike()
        stack.append((iter(node.items() if isinstance(node, dict) else enumerate(node)), node, found))

    enter(tree, values)
    while stack:
        items, node, found = stack[-1]
        in_map = isinstance(node, dict)
        for step, item in items:
            if compared and in_map and step not in found:
                raise _unlike()
            if isinstance(item, Leaf):
                if compared and not _is(item, found[step]):
                    raise _unlike()
                node[step] = None
                leaves.append(item)
                shape.append(f".{step}" if in_map else "-")
                continue
            sign = "{" if isinstance(item, dict) else "["
            shape.append(f"{sign}{step}" if in_map else sign)
            enter(item, found[step] if compared else None)
            break
        else:
            stack.pop()
            if stack:
                shape.append("}")


def _is(leaf: Leaf, value: object) -> bool:
    """Whether a leaf is what tomllib found in its place."""
    data = leaf.data
    if isinstance(value, str):
        return leaf.style != BARE and (value == "null" if data is None else data == value.encode())
    if data is None:
        return False
    if isinstance(value, bool):
        return leaf.type == "bool" and data == (b"True" if value else b"False")
    if isinstance(value, int):
        return leaf.type == "int" and data == b"%d" % value
    if isinstance(value, float):
        return leaf.type == "float" and data == _float(value)
    if leaf.style != BARE or leaf.type != "str":
        return False
    found = _TIME.fullmatch(data.decode())
    if found is None:
        return False
    date, clock, fraction, zone, alone, its_fraction = found.groups()
    decimals = (fraction or its_fraction or "")[:6].rstrip("0")  # Python holds no more of them
    clock = clock or alone
    if decimals:
        clock += "." + decimals.ljust(6, "0")
    if date is not None:
        clock = f"{date}T{clock}{(zone or '').replace('Z', '+00:00')}" if clock else date
    return clock == _iso(value)


def _unlike() -> ParseError:
    return ParseError(
        "the text says one thing to encconf and another to Python's tomllib",
        hint="please report the layout that causes this; nothing was written",
    )


def _error(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    line, column = position(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


def _twice(text: str, offset: int) -> ParseError:
    return _error(text, offset, "the same key stands twice", hint="remove or rename one of the two")


# --- spelling ------------------------------------------------------------------------------------


def caveat(leaf: Leaf) -> str | None:
    """Readers of TOML agree on its values; see `prepare`."""
    return None


def comment_text(plain: str) -> str | None:
    """Every line of it becomes a comment; None if it holds what TOML allows in no comment.

    A line ends with a line feed only: U+0085, U+2028 and U+2029 are characters like any.
    """
    if _COMMENT.fullmatch("#" + plain.replace("\n", "")) is None:
        return None
    return re.sub(r"\n(?!#)", "\n# ", plain)


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Type and bytes, all told apart."""
    return leaf.type, leaf.data


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """A value ends where it ends to everybody."""
    return None


def tells_integers(document: Document) -> bool:
    """A value has its type in the ciphertext, whoever wrote it."""
    return True


def fragile(leaf: Leaf) -> bool:
    """Nothing: what releases of rops read differently is respelled (see `prepare`)."""
    return False


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Respell unencrypted values that toml-rs 0.8 (rops 0.1.7) and 1.1 read differently.

    A line break of two characters in a string is one character to the older and two to the newer;
    a fraction of zeros is none to the older and ``.0`` to the newer.
    """
    text = document.text
    edits: list[Edit] = []
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        if is_chosen or not leaf.data:
            continue
        if len(leaf.style) == 3:
            if "\r\n" in text[leaf.start + 3 + len(str(leaf.note)) : leaf.end]:
                edits.append((leaf.start, leaf.end, _quote(leaf.data.decode())))
        elif leaf.style == BARE and leaf.type == "str" and "." in text[leaf.start : leaf.end]:
            word = leaf.data.decode()
            if "." not in word:
                edits.append((leaf.start, leaf.end, word))
    if not edits:
        return None
    from encconf.formats import Prepared

    originals: dict[int, str] = {}
    shift = 0
    for start, end, new in sorted(edits):
        originals[start + shift] = text[start:end]
        shift += len(new) - (end - start)
    return Prepared(splice(text, edits), originals)


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """The span of all that spells a leaf."""
    return leaf.start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Put an ``ENC[…]`` text in a leaf's place: in the quotes of a string, in ``"`` otherwise."""
    style = leaf.style or BASIC
    return leaf.start, leaf.end, f"{style}{leaf.note or ''}{enc}{style}"


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Put a plaintext where an ``ENC[…]`` text stands.

    Strings keep the quotes that the ``ENC[…]`` text has if they can, and have as few escapes as can
    be; numbers have one spelling.  Raises EmitError for what TOML cannot hold.
    """
    try:
        word = data.decode()
    except UnicodeDecodeError:
        raise EmitError("a value is not UTF-8 text: TOML cannot hold it") from None
    if type == "bool":
        word = bool_word(data)
    elif type in ("int", "float"):
        word = _number(type, word)
    elif type != "time" or not _TIME.fullmatch(word):
        if document.habits is None:
            document.habits = (newline_of(document.text), 0)
        word = string(leaf.style, str(leaf.note or ""), document.habits[0], word)
    return leaf.start, leaf.end, word


def _number(type: str, word: str) -> str:
    try:
        return str(int(word)) if type == "int" else repr(float(word))
    except ValueError:
        raise EmitError("a number is none at all: TOML cannot hold it") from None


def string(style: str, lead: str, newline: str, value: str) -> str:
    """A string in the wanted quotes or in those nearest to them; ``lead`` is a line break behind them."""
    if style == LITERAL and re.search(rf"['{_CONTROL}]", value):
        style = BASIC
    elif style == LONG_LITERAL and ("'''" in value or re.search(rf"[{_LONG_CONTROL}]", value)):
        style = LONG_BASIC
    if len(style) < 3:
        return f"'{value}'" if style == LITERAL else _quote(value)
    if style == LONG_BASIC:
        value = _escape(rf'"""|[\\{_LONG_CONTROL}]', value)
    if value.startswith("\n"):
        lead = lead or newline
    value = value.replace("\n", newline)
    return f"{style}{lead}{value}{style}"


_ESCAPES = {
    '"': '\\"', '"""': '""\\"', "\\": "\\\\",
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r",
}  # fmt: skip


def _escape(pattern: str, value: str) -> str:
    return re.sub(pattern, lambda at: _ESCAPES.get(at[0]) or f"\\u{ord(at[0]):04X}", value)


def _quote(value: str) -> str:
    """A basic string."""
    return '"' + _escape(rf'["\\\t{_CONTROL}]', value) + '"'


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Take out an array's item by which sops would store a comment; rops stores none."""
    found = re.compile(r"[ \t]*+(?>(?:,[ \t]*+)?)").match(document.text, leaf.end)
    return leaf.start, found.end() if found else leaf.end, ""


def newline_of(text: str) -> str:
    """The first line break of a text."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


# --- the sops block ------------------------------------------------------------------------------

# A block's text are its tables, from `[sops]` on.


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` table as rops does, and members sorted by name, as sops does."""
    out: list[str] = []
    _render("sops", "[sops]", block, out)
    return "\n".join(out) + "\n"


def _render(path: str, header: str, members: Mapping[str, object], out: list[str]) -> None:
    out.append(header)
    tables: list[tuple[str, str, Mapping[str, object]]] = []
    for name, value in sorted(members.items()):
        key = spell_key(name)
        inner = f"{path}.{key}"
        if isinstance(value, dict):
            tables.append((inner, f"[{inner}]", value))
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, dict) for item in value):
            tables.extend((inner, f"[[{inner}]]", item) for item in value)
        elif value is not None:  # TOML has no null: the member is left out
            out.append(f"{key} = {spell(value)}")
    for inner, head, table in tables:
        out.append("")
        _render(inner, head, table, out)


def spell_key(key: str) -> str:
    """A key as it is written: bare where it can be."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _quote(key)


def spell(value: object) -> str:
    """A value as it is written behind ``=``.  Raises EmitError for what TOML has not."""
    if isinstance(value, str):
        return string(LONG_BASIC, "\n", "\n", value) if "\n" in value else _quote(value)
    if isinstance(value, bool):
        return bool_word(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(spell, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell_key(name)} = {spell(item)}" for name, item in value.items()) + "}"
    raise EmitError("TOML cannot hold a null")


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members of the block that are strings; every other byte stays.

    A new member stands before the first one whose name is greater.
    """
    for name, new in changes.items():
        block_text = _amend(block_text, name, new)
    return block_text


def _amend(block_text: str, name: str, new: str | None) -> str:
    scanner = Scanner(block_text)
    scanner.run()
    newline = newline_of(block_text)
    block = scanner.inner.get((scanner.root, "sops"))
    for line in scanner.block:
        if line.scope is block and line.step == name and not line.header:
            leaf = line.scope.node[name]
            if new is None or not isinstance(leaf, Leaf):
                block_text = block_text[: line.start] + block_text[line.end :]
                return block_text if new is None else _amend(block_text, name, new)
            return f"{block_text[: leaf.start]}{_quote(new)}{block_text[leaf.end :]}"
    if new is None:
        return block_text
    member = f"{spell_key(name)} = {_quote(new)}{newline}"
    at = None
    for line in scanner.block:
        if line.header and line.scope is scanner.root:
            at = line.end
        elif line.scope is block and not line.header:
            if str(line.step) > name:
                at = line.start
                break
            at = line.end
    if at is None:  # inner tables only
        at = 0
        member = f"[sops]{newline}{member}{newline}"
    if at and block_text[at - 1] != "\n":
        member = newline + member.removesuffix(newline)
    return block_text[:at] + member + block_text[at:]


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block as the last tables, behind an empty line, or replace it.

    A text that ends without a line break keeps doing so.
    """
    text = document.text
    part = document.parts[0]
    assert isinstance(part, _Root)
    newline = newline_of(text)
    block = block_text.replace("\r\n", "\n").rstrip("\n").replace("\n", newline)
    if len(part.spans) == 1 and part.tables:
        start, end = part.spans[0]
        return [(start, end, block + newline if text[end - 1] == "\n" else block)]
    edits = detach(document)
    rest = splice(text, edits)
    if not rest:
        block += newline
    elif rest.endswith("\n"):
        block = f"{newline}{block}{newline}"
    else:
        block = f"{newline}{newline}{block}"
    return [*edits, (len(text), len(text), block)]


def detach(document: Document) -> list[Edit]:
    """The edits that remove the block: what `attach` was given comes back to the byte."""
    text = document.text
    part = document.parts[0]
    assert isinstance(part, _Root)
    edits: list[Edit] = []
    for start, end in part.spans:
        line = _line_before(text, start)
        if line < start and _line_before(text, line) < line:  # an empty line
            start = line
        if end == len(text) and text[-1] != "\n":
            start = _line_before(text, start)
        edits.append((start, end, ""))
    return edits


def _line_before(text: str, at: int) -> int:
    """An offset without the line break that ends there, if one does."""
    if text[at - 1 : at] != "\n":
        return at
    return at - 2 if text[at - 2 : at - 1] == "\r" else at - 1
