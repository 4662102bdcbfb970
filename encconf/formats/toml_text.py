"""The tokens of TOML: patterns of strings and dates, what rops stores for them, and how they are spelled."""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats import goyaml
from encconf.text.document import Document, Edit, Leaf, error_at, limit_digits, newline_of
from encconf.text.words import bool_word, in_brackets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from encconf.formats.emit_parts import Notes

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
    if number - number != 0 and digits.lstrip("+-")[:1].isdigit():
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
    if number != number:
        return b"NaN"
    if number - number != 0:
        return b"inf" if number > 0 else b"-inf"
    return goyaml.format_float(number)


# --- writing -------------------------------------------------------------------------------------


def comment_text(plain: str) -> str | None:
    """Return a decrypted comment with ``#`` before each further line, or None if TOML does not allow it.

    Only a line feed ends a line: U+0085, U+2028 and U+2029 are ordinary characters.
    """
    if COMMENT.fullmatch("#" + plain.replace("\n", "")) is None:
        return None
    return re.sub(r"\n(?!#)", "\n# ", plain)


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Return the edit that replaces a leaf with an ``ENC[…]`` text, in the quotes of a string or in ``"``."""
    style = leaf.style or BASIC
    return leaf.start, leaf.end, f"{style}{leaf.note or ''}{enc}{style}"


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
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


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Return the edit that removes an array item that stores a comment, as in sops.  rops stores none."""
    found = re.compile(r"[ \t]*+(?>(?:,[ \t]*+)?)").match(document.text, leaf.end)
    return leaf.start, found.end() if found else leaf.end, ""


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
    from encconf.formats.emit_parts import items_of, lines_above, text_after

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
