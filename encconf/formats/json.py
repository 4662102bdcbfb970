"""JSON texts, read by a tokenizer that keeps spans: one regular expression, one match per value.

JSON is RFC 8259 as Go's encoding/json reads it.  The types are those of sops 3.13.3
(stores/json/store.go): an integer that fits int64 is an int, and every other number is a float.  Duplicate
keys, data after the object and a byte order mark are refused, because sops loses them or fails.  In an
encrypted text, where sops may have written duplicate keys, they are read, and the last one counts.  Values
are never dumped: only the spans that `sealed`, `literal`, `attach` and `detach` replace change.

An ``ENC[…]`` text cannot keep the spelling of a JSON value (``1.50``, ``\\u00e9``), so `literal` writes one
canonical spelling.  JSON has no comments.
"""

from __future__ import annotations

import re

from encconf.errors import LimitError, ParseError
from encconf.formats import goyaml
from encconf.formats.json_text import NUMBER, STRING, WS, back, skip_blanks
from encconf.text.document import (
    MAX_DEPTH,
    Document,
    Leaf,
    add_path,
    detach_lost,
    error_at,
    limit_digits,
    limit_paths,
    too_many,
    whole_document,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EMPTY = "{}\n"
EXAMPLE = """\
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

QUOTED, BARE = '"', ""

# A key with its colon if there is one; a value or opening bracket; and the comma or closing bracket after it.
_VALUE = re.compile(
    rf"{WS}(?>(?:({STRING}){WS}:{WS})?)"
    rf"(?:({STRING})|({NUMBER})|(true|false|null)|([{{\[])){WS}(?>([,}}\]])?)"
)
_END = re.compile(rf"{WS}([,}}\]])")
_WORDS = {"true": ("bool", b"True"), "false": ("bool", b"False"), "null": ("null", None)}
_COMMENT = ',type:comment]"'


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse a JSON object into leaves with spans.  ``comments`` changes nothing.

    Raises ParseError for text that is not JSON or that sops would not store faithfully, and LimitError
    for text that is larger or deeper than any real file.
    """
    at = _open(text)
    document, root = whole_document(text, "json", at - 1)
    part, leaves, shape, most = document.parts[0], document.leaves, document.shape, document.most
    scope, node = root, root.node
    in_map = True
    depth = 1
    paths = 0
    twice = -1  # where a key first appears a second time
    # Inside the sops member: where it starts, and how many leaves and tokens of the shape are before it.
    block: tuple[int, int, int] | None = None
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
            if step in node or (step == "sops" and scope is root and part.block is not None):
                if block is not None or (step == "sops" and scope is root):
                    raise _twice(text, found.start(1))
                if twice < 0:
                    twice = found.start(1)
            node[step] = None
            if step == "sops" and scope is root:
                block = (found.start(1), len(leaves), len(shape))
        else:
            if key is not None:
                raise _fault(text, found.end(1), in_map, ended=True)
            step = len(node)
            node.append(None)
        at = found.end()

        if opener is not None:
            if depth >= MAX_DEPTH:
                raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels")
            depth += 1
            inner: Any = {} if opener == "{" else []
            node[step] = inner
            scope = scope.inside(step, inner)
            shape.append(opener + step if in_map else opener)
            if in_map:
                paths = add_path(paths, scope)
            node = inner
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
                    # Whether all items before this one are comments, too; see `json_text.without`.
                    note = step == 0 or (
                        len(leaves) > 0
                        and leaves[-1].scope is scope
                        and leaves[-1].step == step - 1
                        and leaves[-1].note is True
                    )
                type, data = "str", value.encode()
            elif number is not None:
                start, end = found.span(3)
                type, data = _number(text, start, number)
            else:
                start, end = found.span(4)
                type, data = _WORDS[word]
            leaves.append(Leaf(scope, step, start, end, style, type, data, note))
            shape.append("." + step if in_map else "-")
            if block is not None and scope is root:  # a sops member that is not a block
                _take_block(document, end, *block)
                block = None
            if mark is None:
                raise _fault(text, end, in_map, ended=True)
        if len(shape) > most:
            raise too_many(most)

        while mark != ",":
            if mark != ("}" if in_map else "]"):
                raise _fault(text, at - 1, in_map, ended=True)
            if scope.parent is None:
                if twice >= 0 and document.block is None:
                    raise _twice(text, twice)
                if twice >= 0:
                    detach_lost(document)
                return _close(document, at)
            shape.append("}")
            scope = scope.parent
            depth -= 1
            node = scope.node
            in_map = isinstance(node, dict)
            if block is not None and scope is root:
                _take_block(document, at, *block)
                block = None
            closed = _END.match(text, at)
            if closed is None:
                raise _fault(text, at, in_map, ended=True)
            mark = closed[1]
            at = closed.end()


def _twice(text: str, offset: int) -> ParseError:
    hint = "remove or rename one of the two"
    return error_at(text, offset, "the object has the same key twice", hint=hint)


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


def _take_block(document: Document, end: int, start: int, leaves: int, shape: int) -> None:
    """Move the ``sops`` member, which ends at ``end``, from the leaves and the tree to the block."""
    part = document.parts[0]
    part.block = (start, end)
    document.block_text = document.text[start:end]
    goyaml.fill(document.leaves[leaves:])
    block = document.trees[0].pop("sops")
    document.block = block if isinstance(block, dict) else None
    del document.leaves[leaves:], document.shape[shape:]


def _close(document: Document, at: int) -> Document:
    """Record that the top-level object ends just before ``at``.  Raises ParseError if more text follows."""
    text, part = document.text, document.parts[0]
    part.close = part.end = at - 1
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
    if number - number != 0:
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


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Return type and bytes.  Integers and floats are one type: sops before 3.13.2 stores both as floats."""
    return "number" if leaf.type in ("int", "float") else leaf.type, leaf.data


def fragile(leaf: Leaf) -> bool:
    """Whether releases of sops read an unencrypted number differently, so that the MAC fails in some.

    Before 3.13.3, every JSON number was a float: ``-0`` stayed ``-0`` (it is 0 now), and most integers above
    2^53 lost digits.  Encrypted leaves are not affected.
    """
    if leaf.type != "int" or leaf.data is None:
        return False
    if leaf.data == b"0":
        return leaf.end - leaf.start == 2
    return goyaml.format_float(float(leaf.data)) != leaf.data
