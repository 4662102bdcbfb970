"""What YAML texts consist of: line breaks, the styles of scalars, and places for errors."""

from __future__ import annotations

import re

from encconf.errors import ParseError

BREAK = "\r\n\x85\u2028\u2029"
# Compiled when first used: git starts a program for each version of a file.
NEWLINE = "\r\n|[\r\n\x85\u2028\u2029]"
PLAIN, FLOW_PLAIN, SINGLE, DOUBLE, LITERAL, FOLDED, ALIAS, FLOW_ALIAS = "", ",", "'", '"', "|", ">", "*", ",*"


def line_start(text: str, offset: int) -> int:
    """Where the line of an offset starts."""
    size = 256
    while True:  # step by step: a search for the break that a text never uses would go to its start
        low = max(offset - size, 0)
        line = max(text.rfind("\n", low, offset), text.rfind("\r", low, offset)) + 1
        if line or not low:
            return line
        size *= 4


def newline_of(text: str) -> str:
    """The line break that a text uses first."""
    match = re.search("\r\n|\n|\r", text)
    return match.group() if match else "\n"


def step_of(text: str) -> int:
    """How many blanks a text indents by: as its first indented line."""
    match = re.search(r"(?m)^( +)[^\s#]", text)
    return min(len(match.group(1)), 8) if match else 2


def line_end(text: str, offset: int) -> int:
    """Where the next line starts, after something that ends at an offset."""
    if offset and text[offset - 1] in "\r\n":
        return offset
    match = re.compile(NEWLINE).search(text, offset)
    return match.end() if match else len(text)


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    line = 1
    start = 0
    for match in re.compile(NEWLINE).finditer(text, 0, offset):
        line += 1
        start = match.end()
    return line, offset - start + 1


def error_at(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    """An error about the text at an offset."""
    line, column = place_of(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)
