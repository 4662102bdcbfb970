"""The words of TOML: the patterns of strings and dates, and the values that rops stores."""

from __future__ import annotations

import re

from encconf.text.document import error_at

BASIC, LITERAL, LONG_BASIC, LONG_LITERAL, BARE = '"', "'", '"""', "'''", ""
CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
LONG_CONTROL = r"\x00-\x08\x0b-\x1f\x7f"  # all but tabs and line feeds
# Possessive, so that a string that does not end is given up at once and not in every other way.
BASIC_STRING = rf'"[^"\\{CONTROL}]*+(?>(?:\\[^{CONTROL}][^"\\{CONTROL}]*+)*)"'
LITERAL_STRING = rf"'[^'{CONTROL}]*+'"
# Up to two quotes may stand before the three that end a string of many lines.
_LONG_BASIC = (
    rf'"""(?>(\r?\n)?)(?>(?:[^"\\{LONG_CONTROL}]++|\r\n|\\(?:[^{CONTROL}]|\r?\n)|"{{1,2}}(?!"))*)"{{3,5}}+'
)
_LONG_LITERAL = rf"'''(?>(\r?\n)?)(?>(?:[^'{LONG_CONTROL}]++|\r\n|'{{1,2}}(?!'))*)'{{3,5}}+"
_STRINGS = {
    BASIC: rf"(){BASIC_STRING}",
    LITERAL: rf"(){LITERAL_STRING}",
    LONG_BASIC: _LONG_BASIC,
    LONG_LITERAL: _LONG_LITERAL,
}
_CLOCK = r"([0-9]{2}:[0-9]{2}:[0-9]{2})(?>(?:\.([0-9]++))?)"
_ZONE = "(?>([Zz]|[+-][0-9]{2}:[0-9]{2})?)"
TIME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[Tt ]{_CLOCK}{_ZONE})?|{_CLOCK}")
COMMENT = re.compile(rf"#[^{CONTROL}]*+")
_patterns: dict[str, re.Pattern[str]] = {}


def string_pattern(style: str) -> re.Pattern[str]:
    """The pattern of a string, compiled when the first one is read."""
    pattern = _patterns.get(style)
    if pattern is None:
        pattern = _patterns[style] = re.compile(_STRINGS[style])
    return pattern


_NAMED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[ \t]*+\n[ \t\n]*+|(.))"


def unescape(text: str, at: int, value: str) -> str:
    """The value of a basic string that has escapes; ``at`` is where errors are reported."""

    def character(found: re.Match[str]) -> str:
        code, named = found[1] or found[2], found[3]
        if code:
            number = int(code, 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise error_at(text, at, "a string has an escape that is not a character")
            return chr(number)
        if named is None:
            return ""  # a line break that the text has and the string has not
        if named not in _NAMED:
            raise error_at(text, at, "TOML has no such escape", hint="write a backslash as \\\\")
        return _NAMED[named]

    return re.sub(_ESCAPE, character, value)


def time_text(found: re.Match[str]) -> bytes:
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


def float_text(number: float) -> bytes:
    """A float as Rust spells it: like Go, but for infinity."""
    if number != number:
        return b"NaN"
    if number - number != 0:
        return b"inf" if number > 0 else b"-inf"
    from encconf.formats.goyaml import format_float

    return format_float(number)
