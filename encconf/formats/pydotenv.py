"""Read ``NAME=value`` lines exactly as python-dotenv 1.2 does (parser.py, variables.py).

It knows ``export`` and names in single quotes.  Values are in single quotes (a backslash escapes ``'`` and
itself), in double quotes (with ``\\n`` and similar escapes) or without quotes, up to a ``#`` after a blank.
Quoted values may have several lines.  ``${NAME}`` and ``${NAME:-DEFAULT}`` are expanded in all values.
This is not the dotenv format of sops, in which `encconf.formats.dotenv` reads encrypted files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from encconf.record import Record

# One line.  It has no ``end`` if it is malformed.
_LINE = re.compile(
    r"""
    (?:export[^\S\r\n]+)?
    (?:
        (?:'(?P<quoted>[^']+)' | (?P<name>[^=\#'\s][^=\#\s]*)) [^\S\r\n]*
        (?:= (?: [^\S\r\n]* (?:'(?P<single>(?:\\.|[^'\\])*)' | "(?P<double>(?:\\.|[^"\\])*)")
            | (?P<plain>[^\S\r\n]*+(?!['"])[^\r\n]*)
            | ) )?
    )?
    (?P<end>[^\S\r\n]* (?:\#(?P<comment>[^\r\n]*))? (?:\r\n|\n|\r|\Z))?
    """,
    re.VERBOSE | re.DOTALL,
)
_REST_OF_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_SPACE = re.compile(r"\s*")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Binding(Record):
    """One line: its ``name`` and ``value``, or only a ``comment``.

    ``value`` is None for a name without one.  All three are None for a line that cannot be read.
    """

    start: int
    name: str | None
    value: str | None
    comment: str | None


def bindings(text: str) -> Iterator[Binding]:
    """Yield the lines of a text, whose line breaks are line feeds, without blank ones."""
    at = 0
    while (start := _end_of(_SPACE, text, at)) < len(text):
        found = _LINE.match(text, start)
        assert found is not None  # every part may be missing
        at = found.end()
        if found["end"] is None:
            at = _end_of(_REST_OF_LINE, text, at)
            yield Binding(start, None, None, None)
            continue
        name = found["quoted"] or found["name"]
        yield Binding(start, name, _value(found), found["comment"] if name is None else None)


def _value(found: re.Match[str]) -> str | None:
    single, double, plain = found.group("single", "double", "plain")
    if single is not None:
        return re.sub(r"\\([\\'])", r"\1", single)
    if double is not None:
        return re.sub(r"\\([\\'\"abfnrtv])", lambda sign: _ESCAPED.get(sign[1], sign[1]), double)
    return re.sub(r"\s+#.*", "", plain).strip() if plain is not None else None


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found is not None else at


def text_of(data: str) -> str:
    """Return a text as Python's text files have it: without a byte order mark, its line breaks line feeds."""
    return data.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
