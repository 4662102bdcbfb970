"""JSON texts, read by a tokenizer that keeps spans: one regular expression, one match per value.

JSON is RFC 8259 as Go's encoding/json reads it.  The types are those of sops 3.13.3
(stores/json/store.go): an integer that fits int64 is an int, and every other number is a float.  Duplicate
keys, data after the object and a byte order mark are refused, because sops loses them or fails.  In an
encrypted text, where sops may have written duplicate keys, they are read, and the last one counts.  Values
are never dumped: only the spans that `sealed`, `literal`, `attach` and `detach` replace change.

An ``ENC[…]`` text cannot keep the spelling of a JSON value (``1.50``, ``\\u00e9``), so `literal` writes one
canonical spelling.  JSON has no comments.

The text of a block is its member, ``"sops": {…}``, without the commas and blanks around it.
"""

from __future__ import annotations

import re
from math import isfinite

from encconf.errors import EmitError, LimitError, ParseError
from encconf.formats import goyaml
from encconf.text.document import (
    MAX_DEPTH,
    Document,
    Edit,
    Format,
    Leaf,
    Value,
    add_path,
    error_at,
    filled,
    limit_digits,
    limit_paths,
    newline_of,
    too_many,
    whole_document,
)
from encconf.text.words import bool_word, on_one_line, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


QUOTED, BARE = '"', ""

SPACE = " \t\r\n"
WS = r"[ \t\r\n]*+"
# Possessive, so that the match of a string without an end fails at once, without backtracking.
STRING = r'"[^"\\\x00-\x1f]*+(?>(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*)"'
NUMBER = r"-?(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][-+]?[0-9]++)?)"

# A key with its colon if there is one; a value or opening bracket; and the comma or closing bracket after it.
_VALUE = re.compile(
    rf"{WS}(?>(?:({STRING}){WS}:{WS})?)"
    rf"(?:({STRING})|({NUMBER})|(true|false|null)|([{{\[])){WS}(?>([,}}\]])?)"
)
_END = re.compile(rf"{WS}([,}}\]])")
_WORDS = {"true": ("bool", b"True"), "false": ("bool", b"False"), "null": ("null", None)}
_COMMENT = ',type:comment]"'


class Json(Format):
    """See the module's docstring."""

    name = "json"
    repeats = True
    holds_json = True
    indent = -1
    empty = "{}\n"
    example = """\
{
\t"database": {
\t\t"host": "db.example.com",
\t\t"port": 5432,
\t\t"password": "change me"
\t},
\t"features": ["one", "two"],
\t"debug": false
}
"""
    only_entry = rb'"sops"[ \t]*:'

    def from_entry(self, data: bytes) -> bytes | None:
        block = super().from_entry(data)
        return b"{" + block if block is not None else None

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse a JSON object into leaves with spans.  ``comments`` changes nothing.

        Raises ParseError for text that is not JSON or that sops would not store faithfully, and LimitError
        for text that is larger or deeper than any real file.
        """
        return read(text, self)

    def tells_integers(self, document: Document) -> bool:
        """Whether floats of an encrypted text are floats: sops before 3.13.2 stores each number as one."""
        version = (document.block or {}).get("version")
        found = (
            re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version) if isinstance(version, str) else None
        )
        return found is None or tuple(int(part or 0) for part in found.groups()) >= (3, 13, 2)

    def token(self, value: Value) -> tuple[str, bytes | None]:
        """Return type and bytes.

        Integers and floats are one type: sops before 3.13.2 stores both as floats.
        """
        return "number" if value.type in ("int", "float") else value.type, value.data

    def fragile(self, leaf: Leaf) -> bool:
        """Whether releases of sops read an unencrypted number differently, so that the MAC fails in some.

        Before 3.13.3, every JSON number was a float: ``-0`` stayed ``-0`` (it is 0 now), and most integers
        above 2^53 lost digits.  Encrypted leaves are not affected.
        """
        if leaf.type != "int" or leaf.data is None:
            return False
        if leaf.data == b"0":
            return leaf.end - leaf.start == 2
        return goyaml.format_float(float(leaf.data)) != leaf.data

    python_value = staticmethod(goyaml.parse)

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text, which is always a string."""
        return leaf.start, leaf.end, f'"{enc}"'

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an ``ENC[…]`` text with its plaintext.

        Numbers are spelled as in sops, except that a float stays a float: ``1.0``.  Strings have as few
        escapes as possible, and times are strings.  Raises EmitError for values that JSON cannot hold.
        """
        word = _spell(type, data)
        if type == "float" and word.lstrip("-").isdigit() and self.tells_integers(document):
            word += ".0"
        return leaf.start, leaf.end, word

    def comment(self, document: Document, leaf: Leaf, data: bytes, *, alone: bool) -> Edit:
        """Return the edit that removes an array item that sops stored for a comment: JSON has no comments."""
        return without(document.text, leaf.start, leaf.end, first=leaf.note is True)

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the ``sops`` member as sops writes it: indented by tabs, with members sorted by name."""
        return laid_out(f'"sops":{compact(ordered(block))}', "\n", "\t", "")

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that replace the old block, or add it as the last member.

        The block is laid out like the first member.  If that is on the line of the opening brace (``{"a":
        1}``), or if the document is ``{}``, the block is on one line.
        """
        text = document.text
        part = document.parts[0]
        assert part.close is not None
        start = part.start + 1
        empty = len(document.items) == 1 and part.block is None
        end = back(text, part.close)
        lead = text[start : skip_blanks(text, start)]
        if "\n" in lead:
            tail = text[end : part.close]
            outer = tail.rpartition("\n")[2] if "\n" in tail else ""
            indent = outer + "\t" if empty else lead.rpartition("\n")[2]
            before = newline_of(lead) + indent
            member = laid_out(block_text, before, indent.removeprefix(outer), "")
        else:
            colon = re.compile(rf"{STRING}{WS}:(.)").match(text, start + len(lead))
            gap = " " if colon is None or colon[1] in SPACE else ""
            before = "" if empty else gap
            member = laid_out(block_text, "", "", gap)
        if part.block is not None:
            return [(*part.block, member)]
        return [(end, end, before + member if empty else f",{before}{member}")]

    def detach(self, document: Document) -> list[Edit]:
        """Return the edit that removes the block and restores exactly the text that `attach` was given."""
        block = document.parts[0].block
        return [] if block is None else [without(document.text, *block)]

    def check_indent(self, indent: int) -> None:
        if indent < -1:
            raise EmitError(
                "Error marshaling to json: JSON Indentation parameter smaller than -1 is not accepted"
            )

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        return as_go(trees[0], indent) + "\n"

    def render_value(self, node: Any, indent: int | None) -> str:
        return as_go(node, indent)


def _twice(text: str, offset: int) -> ParseError:
    hint = "remove or rename one of the two"
    return error_at(text, offset, "the object has the same key twice", hint=hint)


def read(text: str, format: Format) -> Document:
    """Parse a JSON object into a document of a format.  Raises what `Json.scan` raises."""
    at = _open(text)
    document, root = whole_document(text, format, at - 1)
    root.start = at - 1
    items, most = document.items, document.most
    scope = root
    in_map = True
    seen: set[str | int] = set()  # the keys of the innermost collection, or the numbers of its items
    around: list[set[str | int]] = []  # those of the collections around it
    paths = 0
    twice = -1  # where a key first appears a second time
    block: tuple[int, int] | None = None  # inside the sops member: where it starts, and its first item
    match = _VALUE.match
    step: Any  # the key, or the number of the item
    data: bytes | None

    closed = _END.match(text, at)
    if closed is not None and closed[1] == "}":
        return _close(document, closed.end())
    while True:
        found = match(text, at)
        if found is None:
            raise _fault(text, at, in_map)
        key, string, number, word, opener, mark = found.groups()
        if in_map:
            if key is None:
                raise _fault(text, at, in_map)
            step = key[1:-1]
            if "\\" in step or not step.isascii():
                step = _string(text, found.start(1), key)
            if step in seen:
                if block is not None or (step == "sops" and scope is root):
                    raise _twice(text, found.start(1))
                if twice < 0:
                    twice = found.start(1)
            if step == "sops" and scope is root:
                block = (found.start(1), len(items))
        else:
            if key is not None:
                raise _fault(text, found.end(1), in_map, ended=True)
            step = len(seen)
        seen.add(step)
        at = found.end()

        if opener is not None:
            around.append(seen)
            if len(around) >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            scope = scope.inside(step, opener == "[")
            scope.start = found.start(5)
            items.append(scope)
            if in_map:
                paths = add_path(paths, scope)
            seen = set()
            in_map = opener == "{"
            if mark is None:
                continue
            if mark == ",":
                raise _fault(text, found.end(5), in_map)
        else:
            note, style = None, BARE
            if string is not None:
                start, end = found.span(2)
                style = QUOTED
                value = string[1:-1]
                if "\\" in value or not value.isascii():
                    value = _string(text, start, string)
                if not in_map and string.endswith(_COMMENT):
                    # Whether all items before this one are comments, too; see `without`.
                    last = items[-1]
                    note = step == 0 or (
                        isinstance(last, Leaf)
                        and last.scope is scope
                        and last.step == step - 1
                        and last.note is True
                    )
                type, data = "str", value.encode()
            elif number is not None:
                start, end = found.span(3)
                type, data = _number(text, start, number)
            else:
                start, end = found.span(4)
                type, data = _WORDS[word]
            items.append(Leaf(scope, step, start, end, style, type, data, note))
            if block is not None and scope is root:  # a sops member that is not a block
                _take_block(document, end, *block)
                block = None
            if mark is None:
                raise _fault(text, end, in_map, ended=True)
        if len(items) > most:
            raise too_many(most)

        while mark != ",":
            if mark != ("}" if in_map else "]"):
                raise _fault(text, at - 1, in_map, ended=True)
            if scope.parent is None:
                if twice >= 0 and document.block is None:
                    raise _twice(text, twice)
                return _close(document, at)
            scope.end = at
            scope = scope.parent
            seen = around.pop()
            in_map = not scope.listed
            if block is not None and scope is root:
                _take_block(document, at, *block)
                block = None
            closed = _END.match(text, at)
            if closed is None:
                raise _fault(text, at, in_map, ended=True)
            mark = closed[1]
            at = closed.end()


def _open(text: str) -> int:
    """Return the offset after the opening brace of the top-level object.  Raises ParseError."""
    if text.startswith("\ufeff"):
        raise error_at(text, 0, "a byte order mark is not JSON", hint="save the file as UTF-8 without one")
    at = skip_blanks(text, 0)
    if at == len(text):
        raise error_at(text, at, "there is no JSON object in the text")
    if text[at] != "{":
        raise error_at(text, at, "the top level must be an object", hint='put it under a key: {"data": ...}')
    return at + 1


def _take_block(document: Document, end: int, start: int, first: int) -> None:
    """Move the ``sops`` member, which ends at ``end``, from the items to the block."""
    part = document.parts[0]
    part.block = (start, end)
    document.block_text = document.text[start:end]
    items = [document.items[0], *document.items[first:]]
    del document.items[first:]
    values = [goyaml.parse(item.type, item.data) for item in items if isinstance(item, Leaf)]
    block = filled(items, values)[0][0]["sops"]
    if isinstance(block, dict):
        document.block = block
    else:
        document.not_block = block


def _close(document: Document, at: int) -> Document:
    """Record that the top-level object ends just before ``at``.  Raises ParseError if more text follows."""
    text, part = document.text, document.parts[0]
    part.close = part.end = at - 1
    document.items[0].end = at
    more = skip_blanks(text, at)
    if more < len(text):
        raise error_at(text, more, "there is more after the object")
    limit_paths(document)
    return document


def _string(text: str, offset: int, raw: str) -> str:
    """Return the value of a string token that has escapes or characters beyond ASCII."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise error_at(text, offset, "a string holds a lone surrogate, which is not a character") from None
    if "\\" not in raw:
        return raw[1:-1]
    from json import loads

    value: str = loads(raw)
    # Go reads an escape of half a surrogate pair as U+FFFD.
    return value if value.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", value)


def _number(text: str, offset: int, raw: str) -> tuple[str, bytes]:
    limit_digits(text, offset, offset + len(raw))
    if len(raw) <= 20 and raw.lstrip("-").isdigit():
        integer = int(raw)
        if -(1 << 63) <= integer < 1 << 63:
            return "int", b"%d" % integer
    number = float(raw)
    if not isfinite(number):
        raise error_at(text, offset, "a number is too large for a float", hint="put it in quotes")
    return "float", goyaml.format_float(number)


_MEMBER = rf"{WS}(?:{STRING}{WS}()(?::{WS}())?)?"
_WANTED = ("a key in double quotes", "a colon", "a value")  # by the groups of `_MEMBER` that matched
_HINTS = {**dict.fromkeys("#/", "JSON has no comments"), "'": "JSON uses double quotes only"}


def _fault(text: str, at: int, in_map: bool, *, ended: bool = False) -> ParseError:
    """Return the error for a missing or broken token at an offset.  ``ended``: a value ends there."""
    member = in_map and not ended
    found = re.compile(_MEMBER if member else WS).match(text, at)
    assert found is not None  # every text matches
    at = found.end()
    wanted = _WANTED[found.lastindex or 0] if member else "a value"
    if ended:
        wanted = f"a comma or the closing {'brace' if in_map else 'bracket'}"
    sign = text[at : at + 1]
    if not sign:
        return error_at(text, at, f"the text ends where {wanted} was expected")
    if sign == '"' and not ended and wanted != "a colon":
        begun = re.compile(STRING[:-1]).match(text, at)
        bad = begun.end() if begun else at
        if bad == len(text):
            return error_at(text, at, "a string does not end", hint="add the closing quote")
        if text[bad] == "\\":
            return error_at(text, bad, "JSON has no such escape", hint="write a backslash as \\\\")
        return error_at(text, bad, "a string holds a line break or control character",
                      hint="write it as an escape, like \\n; or the closing quote is missing")  # fmt: skip
    hint = _HINTS.get(sign)
    if sign in "}]" and not ended and text[back(text, at) - 1] == ",":
        hint = "remove the comma before it"
    return error_at(text, at, f"expected {wanted}", hint=hint)


def skip_blanks(text: str, at: int) -> int:
    """Return where the blanks at an offset end."""
    space = re.compile(WS).match(text, at)
    return space.end() if space else at


def back(text: str, at: int) -> int:
    """Return the end of the last token before an offset."""
    while at and text[at - 1] in SPACE:
        at -= 1
    return at


def _spell(type: str, data: bytes) -> str:
    word = data.decode("utf-8", "surrogateescape")
    if type == "bool":
        return bool_word(data)
    if type in ("int", "float"):
        return digits(type, word)
    return quote(word)


def digits(type: str, word: str) -> str:
    """Return a number as JSON spells it.  Raises EmitError for a number that JSON cannot hold."""
    if re.fullmatch(NUMBER, word) is None:  # sops also reads spellings that it does not write (`+5`, `.5`)
        try:
            number = goyaml.parse(type, word.encode())
            word = goyaml.format_float(number).decode() if isinstance(number, float) else str(number)
        except ValueError:
            word = ""
        if re.fullmatch(NUMBER, word) is None:
            raise EmitError("a number is infinite, NaN or malformed: JSON cannot hold it")
    if type != "float":
        return word
    if word == "-0":
        return "-0.0"  # `-0` would be an integer
    value = float(word)
    if not isfinite(value):
        raise EmitError("a number is too large for JSON")
    if value and not 1e-6 <= abs(value) < 1e21:
        return repr(value).replace("e-0", "e-")  # as Go spells it
    return word


_ESCAPES = {
    **{'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"},
    **dict.fromkeys(map(chr, range(0xDC80, 0xDD00)), "\\ufffd"),
}
_UNSAFE = '["\\\\\\x00-\\x1f\u2028\u2029\udc80-\udcff]'


def quote(value: str) -> str:
    """Return a string token.  It escapes U+2028 and U+2029, as Go does: some programs break lines there.

    A lone surrogate stands for a byte that is not UTF-8.  Go writes U+FFFD for each of those.
    """
    escaped = re.sub(_UNSAFE, lambda at: _ESCAPES.get(at[0]) or f"\\u{ord(at[0]):04x}", value)
    return f'"{escaped}"'


def compact(value: object, word: Callable[[Any], str] | None = None) -> str:
    """Return a value in JSON without blanks.  ``word`` spells keys and single values."""
    return on_one_line(value, word or word_of, word or word_of, ":", ",")


def word_of(value: object) -> str:
    """Return a key or single value in JSON.  Raises EmitError for a number that JSON cannot hold."""
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return bool_word(value)
    return digits("int" if isinstance(value, int) else "float", repr(value))


TOKEN = rf'{STRING}|[{{}}\[\],:]|[^ \t\r\n"{{}}\[\],:]+'


def laid_out(member: str, newline: str, unit: str, gap: str) -> str:
    """Lay out a member again: one value per line, or all on one line if ``newline`` is empty.

    ``newline`` ends with the member's own indentation, and ``unit`` is one more level.  On one line, ``gap``
    follows each comma.  One blank always follows a colon, because other tools search for that.
    """
    out: list[str] = []
    depth = 0
    fresh = False  # whether the last token is an opening bracket
    for token in re.findall(TOKEN, member):
        closing = token in ("}", "]")
        depth -= closing
        if newline and fresh != closing:
            out.append(newline + unit * depth)
        fresh = token in ("{", "[")
        depth += fresh
        out.append(token)
        if token == ":":
            out.append(" ")
        elif token == ",":
            out.append(newline + unit * depth if newline else gap)
    return "".join(out)


def without(text: str, start: int, end: int, *, first: bool | None = None) -> Edit:
    """Return the edit that removes a member or item with one comma.

    That is the comma before it, or the one after it if it is the first.  ``first`` says whether all items
    before it are removed as well.
    """
    before = back(text, start)
    comma = text[before - 1] == ","
    if comma and not first:
        return back(text, before - 1), end, ""
    after = skip_blanks(text, end)
    if text[after] == ",":
        return start, skip_blanks(text, after + 1), ""
    return start if comma else before, end, ""


# --- as Go writes it -----------------------------------------------------------------------------


def as_go(node: Any, indent: int | None) -> str:
    """Return a tree of leaves in JSON as Go's encoding/json writes it, with an indentation in characters."""

    def word(item: Any) -> str:
        return _go_string(item) if isinstance(item, str) else word_of_leaf(item)

    unit = "\t" if indent is None or indent < 0 else " " * indent
    return laid_out(compact(node, word), "\n", unit, "")


def word_of_leaf(leaf: Value) -> str:
    """Return a single value as Go writes it.  Raises EmitError for NaN and infinity."""
    data = leaf.data
    if data is None:
        return "null"
    if leaf.type == "bool":
        return bool_word(data)
    if leaf.type == "int":
        return data.decode()
    if leaf.type == "float":
        number = float(data)
        if not isfinite(number):
            raise EmitError("a number is infinite or NaN: JSON cannot hold it")
        if number and not 1e-6 <= abs(number) < 1e21:
            return goyaml.exponent_form(number, "e").replace("e-0", "e-")
        return goyaml.format_float(number).decode()
    return _go_string(data.decode("utf-8", "surrogateescape"))


def _go_string(value: str) -> str:
    """Return a string as Go writes it: Go also escapes ``<``, ``>`` and ``&``, for HTML."""
    return re.sub("[<>&]", lambda at: f"\\u{ord(at[0]):04x}", quote(value))
