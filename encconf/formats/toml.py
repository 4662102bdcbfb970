"""TOML texts, read by a tokenizer that keeps spans, and checked with the standard library's tomllib.

The version is TOML 1.0.  A plaintext is accepted only if tomllib accepts it and reads the same values.  That
is certain for a text that `Scanner` calls regular, so tomllib reads only the others.  An encrypted text was
checked before it was encrypted, so tomllib reads only its ``sops`` table, and the decrypted text if that is
not regular.  Integers that do not fit int64, floats that overflow, and nesting deeper than rops reads are
refused.

sops does not know TOML, so values are stored as rops stores them (0.1.7; mise reads its files): strings,
int64 integers, floats and booleans as in sops, and dates as strings in toml-rs's spelling.  rops takes the
string ``null`` for a null, which is neither encrypted nor in the MAC.  encconf encrypts it like any string;
where it is plaintext in an encrypted text, it is not in the MAC.  The leaves are in rops's order, which is
that of the tree, not of the text.

Encrypted values keep their quotes.  The layout record says which values were dates, or numbers in
hexadecimal.  When rops rewrites a file, it drops comments and that record, and dates become strings.

The text of a block is its tables, from ``[sops]`` on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite, isinf

from encconf.errors import EmitError, LimitError, ParseError
from encconf.formats import goyaml, has_quoted_mac
from encconf.text.document import (
    LAYOUT,
    Comment,
    Document,
    Edit,
    Format,
    Leaf,
    Prepared,
    Scope,
    Value,
    add_path,
    error_at,
    filled,
    limit_digits,
    limit_lines,
    limit_paths,
    mapped,
    most_items,
    newline_of,
    splice,
    too_many,
    whole_document,
)
from encconf.text.words import bool_word, on_one_line, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Step = str | int
    Place = tuple[Scope, Step]
    Members = dict[Step, Scope | Leaf]


class Toml(Format):
    """See the module's docstring."""

    name = "toml"
    sops = False
    # rops up to 0.1.7 requires a ciphertext for every chosen string, even for an empty one.
    seals_empty = True
    null = b"null"
    example = """\
# This file is encrypted when you leave the editor. Keys stay readable.
debug = false

[database]
host = "db.example.com"
port = 5432
password = "change me"
"""
    entry = rb"""[ \t]*+\[{0,2}+[ \t]*+["']?sops["']?[ \t]*[.\]=]"""
    only_entry = rb"(?m)^\[sops\]"
    foreign = rb"""(?m)^(?![\s#\[\]}"'-]|[\w.-]+[ \t]*[=.]|[\w+/=]+\s*$|\Z)"""

    def has_entry(self, data: bytes) -> bool:
        # The section looks the same in INI, where strings have no quotes.
        return super().has_entry(data) and has_quoted_mac(data)

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse a TOML text into leaves with spans.  With ``comments``, the document has its comments, too.

        Raises ParseError for text that is not TOML or that rops could not store, and LimitError for text that
        is larger or deeper than any real file.
        """
        scanner = Scanner(text, comments)
        scanner.run()
        document, _ = whole_document(text, self)
        document.regular = scanner.regular
        block = scanner.members[scanner.root].pop("sops", None)
        document.items = scanner.items()
        # tomllib read an encrypted text before it was encrypted; `_take_block` lets it read only the block.
        encrypted = isinstance(block, Scope) and not block.listed
        if not encrypted and not scanner.regular:
            values = _load(text)
            values.pop("sops", None)
            found = filled(document.items, map(_value, document.leaves))[0][0]
            if mapped(found, repr) != mapped(values, repr):  # not nan != nan, but 1 != True
                raise ParseError(
                    "encconf and Python's tomllib read the text differently",
                    hint="please report the layout that causes this; nothing was written",
                )
        if scanner.comments is not None:
            document.comments = [comment for comment in scanner.comments if not _in_block(comment)]
        _take_block(document, scanner.block)
        limit_paths(document)
        return document

    def load_plain(self, text: str) -> list[dict[str, object]]:
        """Return the values of a plaintext as tomllib reads them, as a list of the one table."""
        return [_load(text)]

    def shows_types(self, document: Document, values: Sequence[Value]) -> bool:
        """Whether tomllib would read the types of the leaves in the decrypted text.

        It would not if some leaves are dates, and only the layout record says which strings are dates.
        """
        if not document.regular or LAYOUT in (document.block or {}):
            return False
        sealed = [value for value in values if value.sealed is not None]
        try:
            b"\n".join(value.data or b"" for value in sealed).decode()
        except UnicodeDecodeError:
            return False
        return all(value.type not in ("time", "comment") for value in sealed)

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell unencrypted values that toml-rs 0.8 (rops 0.1.7) and 1.1 read differently.

        In a string of several lines, 0.8 reads ``\\r\\n`` as one character, and 1.1 reads two.  If all
        decimals of a time are zeros, 0.8 drops them, and 1.1 keeps ``.0``.
        """
        text = document.text
        edits: list[Edit] = []
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
            if is_chosen or not leaf.data:
                continue
            if len(leaf.style) == 3:
                if "\r\n" in text[leaf.start + 3 + len(str(leaf.note)) : leaf.end]:
                    edits.append((leaf.start, leaf.end, quote(leaf.data.decode())))
            elif leaf.style == BARE and leaf.type == "str" and "." in text[leaf.start : leaf.end]:
                word = leaf.data.decode()
                if "." not in word:
                    edits.append((leaf.start, leaf.end, word))
        return Prepared.edited(text, edits) if edits else None

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment with ``#`` before each further line, or None if TOML does not allow it.

        Only a line feed ends a line: U+0085, U+2028 and U+2029 are ordinary characters.
        """
        if COMMENT.fullmatch("#" + plain.replace("\n", "")) is None:
            return None
        return re.sub(r"\n(?!#)", "\n# ", plain)

    python_value = staticmethod(goyaml.parse)

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text, in a string's quotes or in ``"``."""
        style = leaf.style or BASIC
        return leaf.start, leaf.end, f"{style}{leaf.note or ''}{enc}{style}"

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an ``ENC[…]`` text with its plaintext.

        Strings keep the quotes of the ``ENC[…]`` text if possible, with as few escapes as possible.  Numbers
        have one spelling.  Raises EmitError for values that TOML cannot hold.
        """
        try:
            word = data.decode()
        except UnicodeDecodeError:
            raise EmitError("a value is not UTF-8 text: TOML cannot hold it") from None
        if type == "bool":
            word = bool_word(data)
        elif type in ("int", "float"):
            word = _number(type, word)
        elif type != "time" or not TIME.fullmatch(word):
            if document.habits is None:
                document.habits = (newline_of(document.text), 0)
            word = string(leaf.style, str(leaf.note or ""), document.habits[0], word)
        return leaf.start, leaf.end, word

    def comment(self, document: Document, leaf: Leaf, data: bytes, *, alone: bool) -> Edit:
        """Return the edit that removes an array item that stores a comment, as in sops.  rops stores none."""
        found = re.compile(r"[ \t]*+(?>(?:,[ \t]*+)?)").match(document.text, leaf.end)
        return leaf.start, found.end() if found else leaf.end, ""

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the ``sops`` table as rops writes it, but with members sorted by name, as in sops.

        TOML has no nulls, so they are left out.
        """
        return "\n".join(["[sops]", *lay_out("sops", ordered(block, nulls=False), spell)]) + "\n"

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that replace the old block, or add it as the last tables, after an empty line.

        A text without a line break at its end stays without one.
        """
        text = document.text
        newline = newline_of(text)
        block = block_text.replace("\r\n", "\n").rstrip("\n").replace("\n", newline)
        for start, end in document.parts[0].pieces:
            if text[start:end] == document.block_text:  # it is in one piece, and all its tables have headers
                return [(start, end, block + newline if text[end - 1] == "\n" else block)]
        edits = self.detach(document)
        rest = splice(text, edits)
        if not rest:
            block += newline
        elif rest.endswith("\n"):
            block = f"{newline}{block}{newline}"
        else:
            block = f"{newline}{newline}{block}"
        return [*edits, (len(text), len(text), block)]

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove the block and restore exactly the text that `attach` was given."""
        text = document.text
        edits: list[Edit] = []
        for start, end in document.parts[0].pieces:
            line = _line_before(text, start)
            if line < start and _line_before(text, line) < line:  # an empty line
                start = line
            if end == len(text) and text[-1] != "\n":
                start = _line_before(text, start)
            edits.append((start, end, ""))
        return edits

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        # First what is not a table, then the tables in the order of the tree.
        return "\n".join(lay_out("", trees[0], _word_of_tree)).lstrip("\n") + "\n"

    def render_value(self, node: Any, indent: int | None) -> str:
        return _word_of_tree(node) + "\n"


def _take_block(document: Document, lines: list[Line]) -> None:
    """Store the ``sops`` table in the document, given its statements."""
    if not lines:
        return
    part = document.parts[0]
    after = -1
    for line in lines:
        start = part.pieces.pop()[0] if line.number == after else line.start
        part.pieces.append((start, line.end))
        after = line.number + 1
    part.block = part.pieces[0]
    text = "".join(document.text[start:end] for start, end in part.pieces)
    block = _load(text).get("sops")
    if isinstance(block, dict):
        document.block = mapped(block, _untimed)
        tables = all(line.headed for line in lines)
        document.block_text = text if tables else Toml().render_block(document.block)


def _load(text: str) -> dict[str, object]:
    """Return what tomllib reads.  Raises ParseError with its message, which never quotes a value."""
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
        raise LimitError("the document has too many levels: Python's stack cannot hold them") from None


def _untimed(value: Any) -> object:
    """Return a single value of the block, a date as a string."""
    return value if isinstance(value, (str, int, float)) else value.isoformat()


def _in_block(comment: Comment) -> bool:
    return comment.scope.keys[:1] == ("sops",) or (comment.scope.parent is None and comment.before == "sops")


def _value(leaf: Leaf) -> object:
    """Return what tomllib reads for a leaf of a text without ciphertexts."""
    assert leaf.data is not None
    if leaf.style != BARE or leaf.type != "str":
        return goyaml.parse(leaf.type, leaf.data)
    from datetime import date, datetime, time

    word = leaf.data.decode()
    kind = time if ":" in word[:3] else datetime if "T" in word else date
    return kind.fromisoformat(word)


def _number(type: str, word: str) -> str:
    try:
        return str(int(word)) if type == "int" else repr(float(word))
    except ValueError:
        raise EmitError("a number is malformed: TOML cannot hold it") from None


def string(style: str, lead: str, newline: str, value: str) -> str:
    """Return a string in the given quotes, or in similar ones if those cannot hold it.

    ``lead`` is a line break after the opening quotes, or "".
    """
    if style == LITERAL and re.search(rf"['{CONTROL}]", value):
        style = BASIC
    elif style == LONG_LITERAL and ("'''" in value or re.search(rf"[{LONG_CONTROL}]", value)):
        style = LONG_BASIC
    if style not in (LONG_BASIC, LONG_LITERAL):
        return f"'{value}'" if style == LITERAL else quote(value)
    if style == LONG_BASIC:
        value = _escape(rf'"""|[\\{LONG_CONTROL}]', value)
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


def quote(value: str) -> str:
    """Return a basic string."""
    return '"' + _escape(rf'["\\\t{CONTROL}]', value) + '"'


def spell_key(key: str) -> str:
    """Return a key as it is written, without quotes if possible."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else quote(key)


def spell(value: object, word: Callable[[Any], str] | None = None) -> str:
    """Return a value as it is written after ``=``.  ``word`` spells single values.

    Raises EmitError for null, which TOML does not have.
    """
    return on_one_line(value, word or _word_of, spell_key, " = ")


def _word_of(value: object) -> str:
    if isinstance(value, str):
        return string(LONG_BASIC, "\n", "\n", value) if "\n" in value else quote(value)
    if isinstance(value, bool):
        return bool_word(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    raise EmitError("TOML has no null", hint="remove the value, or choose another, such as an empty string")


def lay_out(path: str, table: Any, word: Callable[[Any], str]) -> Iterator[str]:
    """Yield the lines of a table: its own members, then the tables in it, each with its header."""
    from encconf.formats.emit import items_of, lines_above, text_after

    tables: list[tuple[str, str, Any, list[str]]] = []
    for key, item, comments in items_of(table):
        above = lines_above(comments, key)
        if key is None:
            yield from above
            continue
        name = spell_key(key)
        inner = f"{path}.{name}" if path else name
        if isinstance(item, dict):
            tables.append((f"[{inner}]", inner, item, above))
        elif isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            tables.append((f"[[{inner}]]", inner, item[0], above))
            tables += [(f"[[{inner}]]", inner, each, []) for each in item[1:]]
        else:
            yield from above
            yield f"{name} = {word(item)}{text_after(comments)}"
    for header, inner, members, above in tables:
        yield from ("", *above, header)
        yield from lay_out(inner, members, word)


def _line_before(text: str, at: int) -> int:
    """Return the offset before the line break that ends at an offset, or the offset itself."""
    if text[at - 1 : at] != "\n":
        return at
    return at - 2 if text[at - 2 : at - 1] == "\r" else at - 1


def _word_of_tree(node: Any) -> str:
    """Return a tree of leaves as it is written after ``=``.

    Raises EmitError for null, which TOML does not have.
    """
    from encconf.formats.emit import text as text_of_leaf

    def word(leaf: Value) -> str:
        data = leaf.data
        if data is None:
            return spell(None)  # raises
        if leaf.type in ("int", "time"):
            return data.decode()
        if leaf.type == "bool":
            return bool_word(data)
        return repr(float(data)) if leaf.type == "float" else spell(text_of_leaf(leaf))

    return spell(node, word)


# --- one pass over a text -------------------------------------------------------------------------

MAX_DEPTH = 78
"""How deep tables and arrays may nest: as deep as toml-rs reads in the worst case, which is dotted keys."""

# --- tokens --------------------------------------------------------------------------------------

BASIC, LITERAL, LONG_BASIC, LONG_LITERAL, BARE = '"', "'", '"""', "'''", ""
CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
LONG_CONTROL = r"\x00-\x08\x0b-\x1f\x7f"  # control characters except tabs and line feeds
# Possessive, so that the match of a string without an end fails at once, without backtracking.
BASIC_STRING = rf'"[^"\\{CONTROL}]*+(?>(?:\\[^{CONTROL}][^"\\{CONTROL}]*+)*)"'
LITERAL_STRING = rf"'[^'{CONTROL}]*+'"
_CLOCK = r"([0-9]{2}:[0-9]{2}:[0-9]{2})(?>(?:\.([0-9]++))?)"
_ZONE = "(?>([Zz]|[+-][0-9]{2}:[0-9]{2})?)"
TIME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[Tt ]{_CLOCK}{_ZONE})?|{_CLOCK}")
COMMENT = re.compile(rf"#[^{CONTROL}]*+")


def string_end(text: str, at: int, style: str) -> int:
    """Return where the string at an offset ends, or -1 if it has no end or has a control character."""
    if len(style) == 1:
        found = re.compile(BASIC_STRING if style == BASIC else LITERAL_STRING).match(text, at)
        return found.end() if found else -1
    # A single pattern for the whole string would take memory for each quote in it.
    ends = re.compile(r'"""|\\.' if style == LONG_BASIC else style, re.S).finditer(text, at + 3)
    end = next((found.end() for found in ends if found[0] == style), -1)
    if end < 0 or re.compile(rf"(?!\r\n)[{LONG_CONTROL}]").search(text, at, end):
        return -1
    # Up to two more quotes belong to the string, before the three that end it.
    for _ in range(2):
        end += text.startswith(style[0], end)
    return end


_NAMED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[ \t]*+\n[ \t\n]*+|(.))"


def unescape(text: str, at: int, value: str) -> str:
    """Return the value of a basic string that has escapes.  ``at`` is the place for errors."""

    def character(found: re.Match[str]) -> str:
        code, named = found[1] or found[2], found[3]
        if code:
            number = int(code, 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise error_at(text, at, "a string has an escape that is not a character")
            return chr(number)
        if named is None:
            return ""  # a backslash at the end of a line: the line break is not part of the string
        if named not in _NAMED:
            raise error_at(text, at, "TOML has no such escape", hint="write a backslash as \\\\")
        return _NAMED[named]

    return re.sub(_ESCAPE, character, value)


_WORD = re.compile(r"[A-Za-z0-9_.+-]++")
_DECIMAL = re.compile(r"true|false|[+-]?(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][+-]?[0-9]++)?)")


def bare_value(text: str, at: int) -> tuple[int, str, bytes, bool] | None:
    """Read a value without quotes.

    Returns its end, type and data, and whether it is a decimal number or a boolean; or None if no value
    starts there.  Raises ParseError for a word that is not a TOML value.
    """
    found = TIME.match(text, at)
    if found is not None:
        return found.end(), "str", _time_text(found), False
    found = _WORD.match(text, at)
    if found is None:
        return None
    end, word = found.end(), found[0]
    limit_digits(text, at, end)
    decimal = _DECIMAL.fullmatch(word) is not None
    if word in ("true", "false"):
        return end, "bool", word.capitalize().encode(), decimal
    digits = word.replace("_", "")
    number: int | float
    try:
        if digits[:2] in ("0x", "0o", "0b") or digits.lstrip("+-").isdigit():
            number = int(digits, 0)
        else:
            number = float(digits)
    except ValueError:
        hint = None
        if word.lower() in ("true", "false"):
            hint = "true and false are lower case in TOML"
        elif not re.match("[0-9+-]", word):
            hint = "put a string in quotes"
        raise error_at(text, at, "this is not a TOML value", hint=hint) from None
    if isinstance(number, int):
        if not -(1 << 63) <= number < 1 << 63:
            raise error_at(text, at, "an integer does not fit into 64 bits", hint="put it in quotes")
        return end, "int", b"%d" % number, decimal
    if not isfinite(number) and digits.lstrip("+-")[:1].isdigit():
        raise error_at(text, at, "a number is too large for a float", hint="put it in quotes")
    return end, "float", float_text(number), decimal


def _time_text(found: re.Match[str]) -> bytes:
    """Return a date or time as toml-rs spells it."""
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


def float_text(number: float) -> bytes:
    """Return a float as Rust spells it: like Go, except infinity."""
    if isinf(number):
        return b"inf" if number > 0 else b"-inf"
    return goyaml.format_float(number)


# --- statements ----------------------------------------------------------------------------------

_PART = re.compile(rf"[ \t]*+(?:([A-Za-z0-9_-]++)|({BASIC_STRING})|({LITERAL_STRING}))[ \t]*+([.=\]]?)")
# Most statements: a bare key and a string on one line.  It does not match `"""`, the start of a long string.
_SIMPLE = re.compile(
    rf"""([A-Za-z0-9_-]++)[ \t]*+=[ \t]*+(?:"([^"\\{CONTROL}]*+)"|'([^'{CONTROL}]*+)')[ \t]*+(?:\r?\n|\Z)"""
)

_BLANKS = re.compile(r"[ \t]*+")
_SPACE = re.compile(r"[ \t\r\n]*+")
GAP = re.compile(rf"(?>(?:[ \t\r\n]++|#[^{CONTROL}]*+)*)")
_LINE_END = re.compile(rf"[ \t]*+(#[^{CONTROL}]*+)?(?:\r?\n|\Z)")


class Line:
    """One statement of the ``sops`` block: its lines.

    ``number`` is its index among all statements.  ``headed`` says that it is or follows a header.
    """

    __slots__ = ("end", "headed", "number", "start")

    def __init__(self, number: int, start: int, end: int, headed: bool) -> None:
        self.number = number
        self.start = start
        self.end = end
        self.headed = headed


class Scanner:
    """One pass over a text.  It accepts all TOML, and a few dates and numbers that tomllib refuses.

    A text is ``regular`` if, outside its ``sops`` block, it has only statements that this scanner and tomllib
    read the same way and in the same order.  It then has no dotted keys, inline tables, arrays of tables,
    dates, numbers other than decimal ones, or header of a table after that of a table inside it.

    ``members`` has the items of each collection (in an encrypted text, a null for ``"null"``).
    ``comments`` is None if they were not requested.  ``block`` lists the statements of the ``sops`` block.
    """

    __slots__ = (
        "block", "comments", "count", "depths", "dotted", "headers", "members", "most",
        "nulls", "paths", "pending", "regular", "root", "table", "text",
    )  # fmt: skip

    def __init__(self, text: str, comments: bool) -> None:
        self.text = text
        self.regular = text.count("\r") == text.count("\r\n")
        self.root = self.table = Scope()
        self.members: dict[Scope, Members] = {self.root: {}}
        self.depths: dict[Scope, int] = {self.root: 0}
        self.headers: set[Scope] = set()  # the tables whose header has been read, or that had dotted keys
        self.dotted: list[Scope] = []  # the tables with dotted keys since the last header
        self.count = 0
        limit_lines(text, signs="#")
        self.most = most_items(text)
        self.paths = 0
        self.comments: list[Comment] | None = [] if comments else None
        self.pending: list[Comment] = []  # comments above the next item
        self.block: list[Line] = []
        self.nulls: list[Leaf] = []

    def run(self) -> None:
        """Read the whole text."""
        text = self.text
        if text.startswith("\ufeff"):
            hint = "save the file as UTF-8 without one"
            raise error_at(text, 0, "a byte order mark is not TOML", hint=hint)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise error_at(text, error.start, "a lone surrogate is not a character") from None
        at = self._gap(0)
        number = 0
        headed = False
        while at < len(text):
            start = at
            found = _SIMPLE.match(text, at)
            if found is not None:
                at = self._simple(found, number, headed)
                number += 1
                if text[at : at + 1] in "\r\n\t #":
                    at = self._gap(at)
                continue
            regular = self.regular
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
            if ours:
                self.regular = regular
                self.block.append(Line(number, text.rfind("\n", 0, start) + 1, at, headed))
            number += 1
            at = self._gap(at)
        self._place((self.table, None))
        block = self.members[self.root].get("sops")
        if isinstance(block, Scope) and not block.listed:
            for leaf in self.nulls:
                leaf.type, leaf.data = "null", None

    def items(self) -> list[Scope | Leaf]:
        """Return all items in the order of the tree."""
        found: list[Scope | Leaf] = []
        left: list[Scope | Leaf] = [self.root]  # the next one is last
        while left:
            item = left.pop()
            found.append(item)
            if isinstance(item, Scope):
                left += reversed(self.members[item].values())
        return found

    def _simple(self, found: re.Match[str], number: int, headed: bool) -> int:
        """Add a statement that is a bare key and a short string.  Returns where the next line starts."""
        table = self.table
        step, basic, literal = found.groups()
        if step in self.members[table]:
            raise _twice(self.text, found.start())
        if self.pending:
            self._place((table, step))
        style, value, group = (BASIC, basic, 2) if literal is None else (LITERAL, literal, 3)
        start, end = found.span(group)
        leaf = Leaf(table, step, start - 1, end + 1, style, "str", value.encode())
        self._put(table, step, leaf)
        if value == "null":
            self.nulls.append(leaf)
        if headed or (step == "sops" and table is self.root):
            self.block.append(Line(number, found.start(), found.end(), headed))
        return found.end()

    # A comment on its own line belongs to the next item, one after an item on the same line to that item.

    def _gap(self, at: int, last: Place | None = None) -> int:
        """Skip blanks, line breaks and comments.  ``last`` is the item on whose line this starts."""
        text = self.text
        if self.comments is None:
            return _end(GAP, text, at)
        while True:
            end = _end(_SPACE, text, at)
            if not text.startswith("#", end):
                return end
            if last is not None and text.find("\n", at, end) >= 0:
                last = None
            at = _end(COMMENT, text, end)
            self._comment(end, at, last)
            last = None

    def _comment(self, start: int, end: int, item: Place | None) -> None:
        if self.comments is None:
            return
        comment = Comment(self.root, self.text[start + 1 : end], start + 1, end, None)
        self.comments.append(comment)
        if item is None:
            self.pending.append(comment)
        else:
            comment.scope, comment.before = item

    def _place(self, item: tuple[Scope, Step | None]) -> None:
        """Place the pending comments before an item, or at the end of a scope."""
        for comment in self.pending:
            comment.scope, comment.before = item
        self.pending.clear()

    # Tables.

    def _open(self, parent: Scope, step: Step, listed: bool = False) -> Scope:
        depth = self.depths[parent] + 1
        if depth > MAX_DEPTH:
            raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
        scope = parent.inside(step, listed)
        self._put(parent, step, scope)
        if isinstance(step, str):
            self.paths = add_path(self.paths, scope)
        self.members[scope] = {}
        self.depths[scope] = depth
        return scope

    def _put(self, scope: Scope, step: Step, item: Scope | Leaf) -> None:
        """Add an item.  Raises LimitError."""
        self.count += 1
        if self.count > self.most:
            raise too_many(self.most)
        self.members[scope][step] = item

    def _descend(self, scope: Scope, key: str, at: int) -> Scope:
        """Return the table at a key, the last table of the array at the key, or a new table."""
        found = self.members[scope].get(key)
        if found is None:
            return self._open(scope, key)
        if isinstance(found, Leaf):
            raise _twice(self.text, at)
        self._extend(found, at)
        if found.listed:
            members = self.members[found]
            found = members[len(members) - 1]
            assert isinstance(found, Scope)  # the array is open, so it holds tables
        return found

    def _extend(self, scope: Scope, at: int) -> None:
        """Raise ParseError for an array or inline table that a later statement extends."""
        if scope.start >= 0:
            hint = "write what you add between its brackets"
            raise error_at(self.text, at, "a value in brackets cannot be extended later", hint=hint)

    def _header(self, at: int) -> tuple[Place, int]:
        """Read ``[table]`` or ``[[table]]``.  Returns the item that it defines, and where it ends."""
        array = self.text.startswith("[[", at)
        parts, end, sign = self._key(at + 1 + array)
        if sign != "]" or (array and not self.text.startswith("]", end)):
            raise self._fault(end, "the closing bracket")
        end += array
        if parts[0] == "sops":
            self._place((self.table, None))  # where the comments would be without the block
        self.headers.update(self.dotted)
        self.dotted.clear()
        parent = self.root
        for part in parts[:-1]:
            parent = self._descend(parent, part, at)
        key = parts[-1]
        scope = self.members[parent].get(key)
        if isinstance(scope, Leaf):
            raise _twice(self.text, at)
        if scope is None:
            scope = self._open(parent, key, array)
        else:
            self._extend(scope, at)
            if scope.listed is not array or scope in self.headers:
                raise _twice(self.text, at)
            if not array:
                # Only tables inside it had a header so far.  toml-rs moves the table to this place.
                members = self.members[parent]
                members[key] = members.pop(key)
                self.regular = False
        item: Place = (parent, key)
        if array:
            self.regular = False
            item = (scope, len(self.members[scope]))
            scope = self._open(*item)
        self.headers.add(scope)
        self.table = scope
        scope.head = at
        self._place(item)
        return item, end

    # Keys and values.

    def _key(self, at: int) -> tuple[list[str], int, str]:
        """Return the parts of a dotted key, the offset after the sign that ends it, and that sign."""
        parts: list[str] = []
        while True:
            found = _PART.match(self.text, at)
            if found is None:
                raise self._fault(at, "a key")
            bare, basic, literal, sign = found.groups()
            if basic is not None:
                bare = unescape(self.text, found.start(2), basic[1:-1])
            parts.append(literal[1:-1] if bare is None else bare)
            at = found.end()
            if sign != ".":
                return parts, at, sign

    def _pair(self, table: Scope, at: int) -> tuple[Place, int]:
        """Read a key and its ``=``.  Returns the item that it defines, and where the value starts."""
        parts, end, sign = self._key(at)
        if sign != "=":
            raise self._fault(end - len(sign), "an equals sign")
        if len(parts) > 1:
            self.regular = False
        for part in parts[:-1]:
            table = self._descend(table, part, at)
            if table in self.headers:
                raise _twice(self.text, at)
            self.dotted.append(table)
        if parts[-1] in self.members[table]:
            raise _twice(self.text, at)
        item: Place = (table, parts[-1])
        return item, _end(_BLANKS, self.text, end)

    def _value(self, item: Place, at: int) -> int:
        """Read a value with its contents.  Returns where it ends."""
        text = self.text
        sign = text[at : at + 1]
        if sign not in ("[", "{"):
            return self._leaf(item, at)
        array = sign == "["
        self.regular = self.regular and array
        inner = self._open(*item, array)
        inner.start = at
        close = "]" if array else "}"
        last: Place | None = None
        at = self._gap(at + 1) if array else _end(_BLANKS, text, at + 1)
        while not text.startswith(close, at):
            if array:
                last = (inner, len(self.members[inner]))
                self._place(last)
            else:
                last, at = self._pair(inner, at)
            at = self._value(last, at)
            at = self._gap(at, last) if array else _end(_BLANKS, text, at)
            if text.startswith(",", at):
                at = self._gap(at + 1, last) if array else _end(_BLANKS, text, at + 1)
                if not array and text.startswith(close, at):
                    raise error_at(
                        text, at, "a comma before the closing brace is not TOML 1.0", hint="remove it"
                    )
            elif not text.startswith(close, at):
                raise self._fault(at, f"a comma or the closing {'bracket' if array else 'brace'}")
        self._place((inner, None))
        inner.end = at + 1
        return at + 1

    def _leaf(self, item: Place, at: int) -> int:
        text = self.text
        quote = text[at : at + 1]
        note: str | None = None
        data: bytes | None
        if quote in ('"', "'"):
            style = quote * 3 if text.startswith(quote * 3, at) else quote
            end = string_end(text, at, style)
            if end < 0:
                several = f"write a string of several lines in {quote * 3}"
                hint = f"it ends with {style}" if len(style) == 3 else several
                raise error_at(text, at, "a string does not end, or holds a control character", hint=hint)
            start = at + len(style)
            if len(style) == 3:
                note = next((sign for sign in ("\n", "\r\n") if text.startswith(sign, start)), "")
                start += len(note)
            value = text[start : end - len(style)]
            if len(style) == 3:
                value = value.replace("\r\n", "\n")
            if quote == '"' and "\\" in value:
                value = unescape(text, at, value)
            type, data = "str", value.encode()
        else:
            style = BARE
            bare = bare_value(text, at)
            if bare is None:
                raise self._fault(at, "a value")
            end, type, data, decimal = bare
            self.regular = self.regular and decimal
        leaf = Leaf(*item, at, end, style, type, data, note)
        self._put(*item, leaf)
        if data == b"null":
            self.nulls.append(leaf)
        return end

    # Errors, which never quote the text.

    def _fault(self, at: int, wanted: str) -> ParseError:
        at = _end(_BLANKS, self.text, at)
        found = self.text[at : at + 1]
        if not found:
            return error_at(self.text, at, f"the text ends where {wanted} was expected")
        if self.text.startswith(("\n", "\r\n"), at):
            return error_at(self.text, at, f"the line ends where {wanted} was expected")
        control = _CONTROL.match(self.text, at)
        if control is not None:
            at = control.end() - 1
            return error_at(self.text, at, "TOML allows no control character here", hint="remove it")
        return error_at(self.text, at, f"expected {wanted}")


_CONTROL = re.compile(rf"(?:#[^{LONG_CONTROL}\n]*)?(?!\r)[{LONG_CONTROL}]")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the match of a pattern that always matches ends."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _twice(text: str, offset: int) -> ParseError:
    return error_at(text, offset, "the table has the same key twice", hint="remove or rename one of the two")
