"""Read and write ``EnvironmentFile=`` as systemd does (src/basic/env-file.c, version 257).

A value consists of quoted parts, and then at most one part without quotes, up to the end of the line.  Blanks
between the parts are dropped.  In single quotes, everything is literal.  In double quotes, a backslash
escapes ``"``, ``\\``, ````` and ``$``, and joins lines.  Without quotes, it escapes every character.
``#`` and ``;`` begin a comment only where a name could begin.  Nothing is expanded.

Before systemd 254, a backslash at the end of a comment joined the next line to it.  Here, it never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from encconf.errors import EmitError

LIMIT = 1 << 17
"""The longest variable that Linux passes to a program, with its name, ``=`` and a NUL: 128 KiB."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# systemd rejects a file with one of these: surrogates, and code points that are not characters.
_PLANES = "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
_NO_CHARACTER = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{_PLANES}]")
_SPECIAL = re.compile(r'["\\$`]')

_KEY = re.compile(r"[ \t\n\r]*(?:[#;][^\n\r]*|([^ \t\n\r][^=\n\r]*))")
_PART = re.compile(r"""[ \t]*(?:'([^']*)(?:'|\Z)|"((?:[^"\\]|\\.)*)(?:"|\\?\Z))""", re.DOTALL)
_TOKEN = re.compile(r"\\.|[ \t]+|[^\\ \t]+", re.DOTALL)
_REST = re.compile(r"[ \t]*((?:[^\\\n\r]|\\.)*)\\?", re.DOTALL)


def write(texts: Mapping[str, str]) -> str:
    """Return lines that systemd reads as these values.

    Raises EmitError for a name or value that systemd would refuse or cannot pass to a program.
    """
    lines = []
    for name, text in texts.items():
        check(name, text)
        lines.append(f"{name}={word(text)}\n")
    return "".join(lines)


def check(name: str, text: str) -> None:
    """Raise EmitError, which names the variable, if systemd cannot pass it to a program."""
    if not _NAME.fullmatch(name):
        raise EmitError(f"{name!r} is not the name of a variable")
    if "\0" in text:
        raise EmitError(f"{name} contains a NUL character, which an environment cannot hold")
    if _NO_CHARACTER.search(text):
        raise EmitError(f"{name} is not Unicode text: systemd would refuse the whole file")
    if len(name) + len(text.encode()) + 2 > LIMIT:
        raise EmitError(f"{name} is longer than 128 KiB, and no program can be started with it")


def word(text: str) -> str:
    """Return a value in quotes for systemd, shells and dotenv readers: in single quotes if possible."""
    return in_double_quotes(text) if "'" in text else f"'{text}'"


def in_double_quotes(text: str) -> str:
    """Return a value in double quotes, with backslashes before special characters."""
    return '"' + _SPECIAL.sub(lambda sign: "\\" + sign[0], text) + '"'


def scan(text: str) -> list[tuple[int, str, str | None]]:
    """Return each variable and comment with its offset: a comment has no name, an ignored line no value.

    systemd ignores lines without ``=``, and names that no variable can have (``export A``).
    """
    text = text.partition("\0")[0]
    found: list[tuple[int, str, str | None]] = []
    at = 0
    while key := _KEY.match(text, at):
        at = key.end()
        start = key.end(1) - len(key[1]) if key[1] is not None else key.end() - len(key[0].lstrip(" \t\n\r"))
        if key[1] is None:
            found.append((start, "", text[start:at]))
            continue
        name = key[1].rstrip(" \t")
        value = None
        if text[at : at + 1] == "=":
            value, at = _value(text, at + 1)
        found.append((start, name, value if _NAME.fullmatch(name) else None))
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    parts = []
    while part := _PART.match(text, at):
        if part[1] is not None:
            parts.append(part[1])
        else:
            parts.append(re.sub(r'\\(?:(["\\$`])|\n)', lambda sign: sign[1] or "", part[2]))
        at = part.end()
    rest = _REST.match(text, at)
    assert rest is not None
    tokens = _TOKEN.findall(rest[1])
    unfinished = rest.end() > rest.end(1)
    # Blanks at the end are dropped.  An escaped blank is part of another token; and if a lone backslash ends
    # the text, systemd keeps all blanks.
    if tokens and tokens[-1][0] in " \t" and not unfinished:
        tokens.pop()
    for token in tokens:
        parts.append(token if token[0] != "\\" else "" if token[1] in "\n\r" else token[1])
    return "".join(parts), rest.end()
