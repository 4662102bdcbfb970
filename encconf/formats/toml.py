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

from encconf.errors import EmitError, LimitError, ParseError
from encconf.formats import Format, Prepared, goyaml, has_quoted_mac
from encconf.formats.toml_scan import (
    BARE,
    BASIC,
    COMMENT,
    CONTROL,
    LITERAL,
    LONG_BASIC,
    LONG_CONTROL,
    LONG_LITERAL,
    TIME,
    Line,
    Scanner,
    float_text,
)
from encconf.text.document import (
    LAYOUT,
    Comment,
    Document,
    Edit,
    Leaf,
    Scope,
    Value,
    filled,
    limit_paths,
    mapped,
    newline_of,
    splice,
    whole_document,
)
from encconf.text.words import bool_word, in_brackets, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from encconf.formats.emit import Notes


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
        document, _ = whole_document(text, "toml")
        document.regular = scanner.regular
        block = scanner.members[scanner.root].pop("sops", None)
        document.items = scanner.items()
        # tomllib read an encrypted text before it was encrypted; `_take_block` lets it read only the block.
        encrypted = isinstance(block, Scope) and not block.listed
        if not encrypted and not scanner.regular:
            values = _load(text)
            values.pop("sops", None)
            if not _same(filled(document, document.leaves)[0][0], values):
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

    def render(self, trees: Sequence[Any], notes: Notes, indent: int | None) -> str:
        # First what is not a table, then the tables in the order of the tree.
        return "\n".join(lay_out("", trees[0], _word_of_tree, notes)).lstrip("\n") + "\n"

    def render_value(self, node: Any, notes: Notes, indent: int | None) -> str:
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


def _same(item: Any, value: Any) -> bool:
    """Whether a leaf, or the leaves of a tree, are the values that tomllib read."""
    if isinstance(item, list):
        return isinstance(value, list) and len(item) == len(value) and all(map(_same, item, value))
    if isinstance(item, dict):
        if not isinstance(value, dict) or item.keys() != value.keys():
            return False
        return all(map(_same, item.values(), map(value.get, item)))
    data = item.data
    if isinstance(value, str):
        return item.style != BARE and (data == value.encode() or (data is None and value == "null"))
    if isinstance(value, float):
        return item.type == "float" and bool(data == float_text(value))
    if isinstance(value, int):
        return goyaml.stored(value) == (item.type, data)
    if item.style != BARE or item.type != "str":
        return False
    return bool(value == type(value).fromisoformat(data.decode()))


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
    if len(style) < 3:
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
    return in_brackets(value, word or _word_of, spell_key, " = ")


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


def lay_out(path: str, table: Any, word: Callable[[Any], str], notes: Notes | None = None) -> Iterator[str]:
    """Yield the lines of a table: its own members, then the tables in it, each with its header."""
    from encconf.formats.emit import items_of, lines_above, text_after

    tables: list[tuple[str, str, Any, list[str]]] = []
    for key, item, comments in items_of(table, notes or {}):
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
        yield from lay_out(inner, members, word, notes)


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
