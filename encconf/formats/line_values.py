"""Values of plain block YAML, for `encconf.formats.lines`: quoted scalars, block scalars, flow sequences."""

from __future__ import annotations

import re

from encconf.errors import ParseError
from encconf.formats import goyaml
from encconf.text.document import Leaf, Scope

# Values on one line.  `_REST` is what may follow: blanks and a comment.  All are compiled when first needed.
_REST = r"(?=\ *+(?:(?<=\ )\#.*+)?\Z)"
PLAIN_SCALAR = r"((?>(?:[^\ :]++|:(?!\ |\Z)|\ ++(?![\ #]|\Z))+))" + _REST
_SINGLE_SCALAR = r"'((?>(?:[^']|'')*))'" + _REST
_DOUBLE_SCALAR = r'"((?>(?:[^"\\]|\\["\\nrt])*))"' + _REST
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_WORD = r"-?[A-Za-z0-9_./][A-Za-z0-9_./+=@$*-]*+(?>(?:\ [A-Za-z0-9_./+=@$*-]++)*)"
_ITEM = rf""""[^"\\]*+"|'[^']*+'|{_WORD}"""
FLOW = rf"(?:\{{\}}|\[\]|\[\ *+(?:{_ITEM})\ *+(?>(?:,\ *+(?:{_ITEM})\ *+)*)\])" + _REST

_LONGEST = 100_000  # characters: a pattern's repetitions take up to 16 MB of memory for that many


def matched(pattern: str, rest: str) -> re.Match[str] | None:
    """Match a pattern at the start of a value.  Returns None if the value is too long: libyaml reads it."""
    return re.match(pattern, rest) if len(rest) <= _LONGEST else None


def quoted(rest: str) -> tuple[int, bytes] | None:
    """Return length and data of a quoted scalar, or None if it needs libyaml."""
    quote = rest[0]
    if quote not in "\"'":
        return None
    if rest.find(quote, 1) == len(rest) - 1 and "\\" not in rest:
        return len(rest), rest[1:-1].encode()
    found = matched(_SINGLE_SCALAR if quote == "'" else _DOUBLE_SCALAR, rest)
    if found is None:
        return None
    value = found.group(1)
    if quote == "'":
        value = value.replace("''", "'")
    elif "\\" in value:
        value = re.sub(r"\\(.)", lambda escape: _ESCAPED[escape.group(1)], value)
    return found.end(), value.encode()


def block_scalar(rest: str, indent: int) -> tuple[int, bytes] | None:
    """Return length and data of a block scalar whose lines are indented by ``indent``.

    Returns None if it needs libyaml.
    """
    header, _, body = rest.partition("\n")
    lines = [line[indent:] for line in body.split("\n")]
    value = "\n".join(lines)
    content = value.rstrip("\n")
    breaks = value[len(content) :] + "\n"
    if header[0] == ">":
        if any(line[:1] == " " for line in lines):
            return None
        content = re.sub(r"\n+", lambda found: found.group()[1:] or " ", content)
    chomping = header[1:2]
    value = content if chomping == "-" else content + (breaks if chomping == "+" else "\n")
    return len(rest) + 1, value.encode()


def add_words(scope: Scope, start: int, flow: str, leaves: list[Leaf], shape: list[str]) -> bool:
    """Add the items of a flow sequence as leaves.  Returns False if sops refuses one of them."""
    node = scope.node
    assert isinstance(node, list)
    for found in re.finditer(_ITEM, flow):
        word = found.group()
        style, type = word[0], "str"
        data: bytes | None
        if style in "\"'":
            data = word[1:-1].encode()
        else:
            style = ","
            try:
                type, data = goyaml.resolve(word, None, True)
            except ParseError:
                return False
        at = start + found.start()
        leaves.append(Leaf(scope, len(node), at, at + len(word), style, type, data))
        node.append(None)
        shape.append("-")
    return True
