"""JSON texts, by an own tokenizer that keeps spans: one regular expression, one match per value.

JSON is RFC 8259 as Go's encoding/json reads it; what a value is to sops is said by 3.13.3
(stores/json/store.go): an integer that int64 holds is an int, every other number a float.
Refused beyond that: duplicate keys, data after the object, a byte order mark, all of which sops
loses or fails on.  Duplicate keys in an encrypted text, which sops writes, are read; the last one
counts.  Values are never dumped: the text stays as it is but for the spans that `sealed`, `literal`,
`attach` and `detach` replace.

JSON has no styles that could carry a value's spelling (``1.50``, ``\\u00e9``) through encryption:
`literal` writes one canonical spelling.  JSON has no comments either.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, LimitError, ParseError
from encconf.text.document import Document, Leaf, Part, Scope, limit_paths, position
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from encconf.formats import Prepared
    from encconf.text.document import Edit

SEALS_EMPTY = False
LOADS_TEXT = False
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

MAX_DEPTH = 200
"""How deep collections may nest, as in YAML."""
MAX_VALUES = 2_000_000
"""How many values and collections a file may hold."""
MAX_DIGITS = 1_000
"""How many characters a number may have; the longest that sops writes has about 330."""
MAX_PATHS = 1 << 25
"""How many characters the key paths of all collections may have together: each holds its own."""

QUOTED, BARE = '"', ""

_SPACE = " \t\r\n"
_WS = r"[ \t\r\n]*+"
# Possessive, so that a string that does not end is given up at once and not in every other way.
_STRING = r'"[^"\\\x00-\x1f]*+(?>(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*)"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][-+]?[0-9]++)?)"
# A key with its colon if there is one; a value; and what ends it, or closes it if it is empty.
_VALUE = re.compile(
    rf"{_WS}(?>(?:({_STRING}){_WS}:{_WS})?)"
    rf"(?:({_STRING})|({_NUMBER})|(true|false|null)|([{{\[])){_WS}(?>([,}}\]])?)"
)
_END = re.compile(rf"{_WS}([,}}\]])")
_WORDS = {"true": ("bool", b"True"), "false": ("bool", b"False"), "null": ("null", None)}
_COMMENT = ',type:comment]"'


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse a JSON object into leaves with spans; ``comments`` changes nothing.

    Raises ParseError for what is not JSON or what sops would not store faithfully, LimitError for
    what is larger or deeper than any real file.
    """
    document = Document(text, "json")
    at = _open(text)
    part = Part(at - 1)
    part.root = "map"
    document.parts.append(part)
    leaves, shape = document.leaves, document.shape
    shape.append("%")

    members: dict[str, object] = {}
    document.trees.append(members)
    root = scope = Scope(None, None, (), "", members)
    node: Any = members
    in_map = True
    depth = 1
    paths = 0
    twice = -1  # where a key stands a second time
    block: tuple[int, int, int] | None = None  # inside the sops member: its start, leaves and shape before
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
            if in_map:
                scope = Scope(scope, step, (*scope.keys, step), f"{scope.aad}{step}:", inner)
                shape.append(opener + step)
                paths += len(scope.aad)
                if paths > MAX_PATHS:
                    raise LimitError(f"the paths of all objects have more than {MAX_PATHS} characters")
            else:
                scope = Scope(scope, step, scope.keys, scope.aad, inner)
                shape.append(opener)
            node = inner
            in_map = opener == "{"
            if mark is None:
                continue
            if mark == ",":
                raise _fault(text, found.end(5), in_map)
        else:
            note = None
            if string is not None:
                start, end = found.span(2)
                value = string[1:-1]
                if "\\" in value or not value.isascii():
                    value = _string(text, start, string)
                if not in_map and string.endswith(_COMMENT):
                    # See `_without`: whether all items before this one are comments, too.
                    note = step == 0 or (
                        len(leaves) > 0
                        and leaves[-1].scope is scope
                        and leaves[-1].step == step - 1
                        and leaves[-1].note is True
                    )
                leaf = Leaf(scope, step, start, end, QUOTED, "str", value.encode(), note)
            elif number is not None:
                start, end = found.span(3)
                type, data = _number(text, start, number)
                leaf = Leaf(scope, step, start, end, BARE, type, data)
            else:
                start, end = found.span(4)
                type, data = _WORDS[word]
                leaf = Leaf(scope, step, start, end, BARE, type, data)
            leaves.append(leaf)
            shape.append("." + step if in_map else "-")
            if block is not None and scope is root:  # a sops member that is no block
                _take_block(document, end, *block)
                block = None
            if mark is None:
                raise _fault(text, end, in_map, ended=True)
        if len(shape) > MAX_VALUES:
            raise LimitError(f"the document holds more than {MAX_VALUES} values")

        while mark != ",":
            if mark != ("}" if in_map else "]"):
                raise _fault(text, at - 1, in_map, ended=True)
            if scope.parent is None:
                if twice >= 0 and document.block is None:
                    raise _twice(text, twice)
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
    return _error(text, offset, "the object has the same key twice", hint=hint)


def _open(text: str) -> int:
    """The offset behind the top-level object's brace."""
    if text.startswith("\ufeff"):
        raise _error(text, 0, "a byte order mark is not JSON", hint="save the file as UTF-8 without one")
    at = skip_blanks(text, 0)
    if at == len(text):
        raise _error(text, at, "there is no JSON object in the text")
    if text[at] != "{":
        raise _error(text, at, "the top level must be an object", hint='put it under a key: {"data": ...}')
    return at + 1


def _take_block(document: Document, end: int, start: int, leaves: int, shape: int) -> None:
    """Move the ``sops`` member, which ends here, from the leaves and the tree to the block."""
    part = document.parts[0]
    part.block = (start, end)
    document.block_text = document.text[start:end]
    _fill(document.leaves[leaves:])
    block = document.trees[0].pop("sops")
    document.block = block if isinstance(block, dict) else None
    del document.leaves[leaves:], document.shape[shape:]


def _close(document: Document, at: int) -> Document:
    """Note where the top-level object ends: just before an offset."""
    text, part = document.text, document.parts[0]
    part.close = part.end = at - 1
    more = skip_blanks(text, at)
    if more < len(text):
        raise _error(text, more, "there is more after the object")
    limit_paths(document)
    return document


def skip_blanks(text: str, at: int) -> int:
    """Where the blanks at an offset end."""
    space = re.compile(_WS).match(text, at)
    return space.end() if space else at


def _back(text: str, at: int) -> int:
    """The end of the last token before an offset."""
    while at:
        chunk = text[max(0, at - 1000) : at]
        kept = len(chunk.rstrip(_SPACE))
        at -= len(chunk) - kept
        if kept:
            break
    return at


def _string(text: str, offset: int, raw: str) -> str:
    """The value of a string token that has escapes or goes beyond ASCII."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise _error(text, offset, "a string holds a lone surrogate, which is not a character") from None
    if "\\" not in raw:
        return raw[1:-1]
    from json import loads

    value: str = loads(raw)
    # Half of a surrogate pair, written as an escape, is U+FFFD to Go.
    return value if value.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", value)


def _number(text: str, offset: int, raw: str) -> tuple[str, bytes]:
    if len(raw) > MAX_DIGITS:
        line, column = position(text, offset)
        raise LimitError(f"line {line}, column {column}: a number has more than {MAX_DIGITS} characters")
    if len(raw) <= 20 and raw.lstrip("-").isdigit():
        integer = int(raw)
        if -(1 << 63) <= integer < 1 << 63:
            return "int", b"%d" % integer
    from encconf.formats.goyaml import format_float

    number = float(raw)
    if number - number != 0:
        raise _error(text, offset, "a number is too large for a float", hint="put it in quotes")
    return "float", format_float(number)


_READ: dict[str, Callable[[bytes], object]] = {
    "str": bytes.decode, "int": int, "float": float, "bool": b"True".__eq__,
}  # fmt: skip


def _fill(leaves: list[Leaf]) -> None:
    """Put the leaves' values into their tree."""
    for leaf in leaves:
        value = None if leaf.data is None else _READ[leaf.type](leaf.data)
        leaf.scope.node[leaf.step] = value


def _error(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    line, column = position(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


def _fault(text: str, at: int, in_map: bool, *, ended: bool = False) -> ParseError:
    """Say which token is missing or broken at an offset; ``ended`` when a value ends there."""
    at = skip_blanks(text, at)
    wanted = "a value"
    if ended:
        wanted = f"a comma or the closing {'brace' if in_map else 'bracket'}"
    elif in_map:
        wanted = "a key in double quotes"
        key = re.compile(_STRING).match(text, at)
        if key is not None:
            at = skip_blanks(text, key.end())
            wanted = "a colon"
            if text.startswith(":", at):
                at = skip_blanks(text, at + 1)
                wanted = "a value"
    found = text[at : at + 1]
    if not found:
        return _error(text, at, f"the text ends where {wanted} was expected")
    if found == '"' and not ended and wanted != "a colon":
        begun = re.compile(_STRING[:-1]).match(text, at)
        bad = begun.end() if begun else at
        if bad == len(text):
            return _error(text, at, "a string does not end")
        if text[bad] == "\\":
            return _error(text, bad, "JSON has no such escape", hint="write a backslash as \\\\")
        return _error(text, bad, "a string holds a line break or control character",
                      hint="write it as an escape, like \\n; or the closing quote is missing")  # fmt: skip
    hint = None
    if found in "#/":
        hint = "JSON has no comments"
    elif found == "'":
        hint = "JSON uses double quotes only"
    elif found in "}]" and not ended and text[_back(text, at) - 1] == ",":
        hint = "remove the comma before it"
    return _error(text, at, f"expected {wanted}", hint=hint)


def load_plain(text: str) -> list[dict[str, object]]:
    """The values of a plain JSON text, as a list of the one object."""
    document = scan(text)
    _fill(document.leaves)
    if document.block is not None:
        document.trees[0]["sops"] = document.block
    return document.trees


def settle(document: Document) -> None:
    """There is nothing to do: values are what they are."""


def caveat(leaf: Leaf) -> str | None:
    """All readers of JSON agree on its values."""
    return None


def comment_text(plain: str) -> str | None:
    """There are no comments."""
    return None


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Integers as sops before 3.13.2 stores them, as floats: the number is what counts."""
    return "number" if leaf.type in ("int", "float") else leaf.type, leaf.data


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """A value ends where it ends to everybody."""
    return None


def fragile(leaf: Leaf) -> bool:
    """Whether releases of sops read a number differently, so that it fails their MAC unencrypted.

    Before 3.13.3 every JSON number was a float: ``-0`` was ``-0``, now 0, and most integers above
    2^53 lost digits.  It does not matter for a leaf that is encrypted.
    """
    if leaf.type != "int" or leaf.data is None:
        return False
    if leaf.data == b"0":
        return leaf.end - leaf.start == 2
    from encconf.formats.goyaml import format_float

    return format_float(float(leaf.data)) != leaf.data


def tells_integers(document: Document) -> bool:
    """Whether a float of an encrypted text is one: sops before 3.13.2 stores every number as a float."""
    version = (document.block or {}).get("version")
    found = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version) if isinstance(version, str) else None
    return found is None or tuple(int(part or 0) for part in found.groups()) >= (3, 13, 2)


# --- spelling ------------------------------------------------------------------------------


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """There is nothing in JSON that sops could not read back."""
    return None


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """The span of all that spells a leaf."""
    return leaf.start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Put an ``ENC[…]`` text in a leaf's place: always a string, whatever it was."""
    return leaf.start, leaf.end, f'"{enc}"'


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Put a plaintext where an ``ENC[…]`` text stands.

    Numbers are spelled as sops spells them, but a float stays one: ``1.0``.  Strings have as few
    escapes as can be, times are strings.  Raises EmitError for what JSON cannot hold.
    """
    word = _spell(type, data)
    if type == "float" and word.lstrip("-").isdigit() and tells_integers(document):
        word += ".0"
    return leaf.start, leaf.end, word


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Take out a list item by which sops stores a comment, with its comma: JSON has none."""
    return _without(document.text, leaf.start, leaf.end, first=leaf.note is True)


def _spell(type: str, data: bytes) -> str:
    word = data.decode("utf-8", "surrogateescape")
    if not word.isascii():  # sops puts any bytes into a value, and Go prints U+FFFD for each wrong one
        word = re.sub("[\udc80-\udcff]", "\ufffd", word)
    if type == "bool":
        return bool_word(data)
    if type in ("int", "float"):
        return digits(type, word)
    return quote(word)


def digits(type: str, word: str) -> str:
    """A number as JSON spells it; raises EmitError for what is none there."""
    if re.fullmatch(_NUMBER, word) is None:  # sops reads more than it writes (`+5`, `.5`)
        from encconf.formats.goyaml import format_float, parse

        try:
            number = parse(type, word.encode())
            word = format_float(number).decode() if isinstance(number, float) else str(number)
        except ValueError:
            word = ""
        if re.fullmatch(_NUMBER, word) is None:
            raise EmitError("a number is infinite, NaN or malformed: JSON cannot hold it")
    if type != "float":
        return word
    if word == "-0":
        return "-0.0"  # `-0` is an integer
    value = float(word)
    if value - value != 0:
        raise EmitError("a number is too large for JSON")
    if value and not 1e-6 <= abs(value) < 1e21:
        return repr(value).replace("e-0", "e-")  # as Go spells it
    return word


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE = '["\\\\\\x00-\\x1f\u2028\u2029]'


def quote(value: str) -> str:
    """A string token.  U+2028 and U+2029 are escaped, as by Go: some take them for line breaks."""
    escaped = re.sub(_UNSAFE, lambda at: _ESCAPES.get(at[0]) or f"\\u{ord(at[0]):04x}", value)
    return f'"{escaped}"'


# --- the sops block ------------------------------------------------------------------------

# A block's text is its member, `"sops": {…}`, without the commas and blanks around it.

TOKEN = rf'{_STRING}|[{{}}\[\],:]|[^ \t\r\n"{{}}\[\],:]+'


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` member as sops does: indented by tabs, members sorted by name."""
    return laid_out(f'"sops":{_dump(block)}', "\n", "\t", "")


def _dump(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{quote(name)}:{_dump(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_dump, value)) + "]"
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return bool_word(value)
    if isinstance(value, (int, float)) and value - value == 0:
        return repr(value)
    raise EmitError("JSON cannot hold a value of the sops block")


def laid_out(member: str, newline: str, unit: str, gap: str) -> str:
    """Lay a member out anew: one value a line, or all on one line if ``newline`` is empty.

    ``newline`` ends with the member's own indentation, ``unit`` is one more level; ``gap`` follows
    a comma on one line.  A colon is always followed by one blank: other tools look for that.
    """
    out: list[str] = []
    depth = 0
    fresh = False  # directly behind an opening bracket
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


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members of the block that are strings; every other byte stays.

    A new member stands before the first one whose name is greater.
    """
    for name, new in changes.items():
        block_text = _amend(block_text, name, new)
    return block_text


def _amend(block_text: str, name: str, new: str | None) -> str:
    members = _members(block_text)
    for known, start, value, end in members:
        if known == name:
            if new is not None:
                return f"{block_text[:value]}{quote(new)}{block_text[end:]}"
            start, end, _ = _without(block_text, start, end)
            return block_text[:start] + block_text[end:]
    if new is None:
        return block_text
    member = f"{quote(name)}: {quote(new)}"
    if not members:
        at = block_text.index("{") + 1
        return block_text[:at] + member + block_text[at:]
    start = members[min(1, len(members) - 1)][1]
    blank = block_text[_back(block_text, start) : start]
    for known, start, _, _ in members:
        if known > name:
            return f"{block_text[:start]}{member},{blank}{block_text[start:]}"
    end = members[-1][3]
    return f"{block_text[:end]},{blank}{member}{block_text[end:]}"


def _members(block_text: str) -> list[tuple[str, int, int, int]]:
    """Name, start, start of the value, and end, of each member of a block."""
    from json import loads

    members: list[tuple[str, int, int, int]] = []
    depth = 1
    name: str | None = None
    start = value = end = 0
    for found in re.compile(TOKEN).finditer(block_text, block_text.index("{") + 1):
        token = found[0]
        if depth == 1:
            if name is None:
                name, start, value = loads(token) if token != "}" else None, found.start(), 0
            elif token in (",", "}"):
                members.append((name, start, value, end))
                name = None
            elif token != ":" and not value:
                value = found.start()
        depth += (token in ("{", "[")) - (token in ("}", "]"))
        end = found.end()
    return members


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block, laid out like the first member, as the last one.

    A block that is there is replaced.  A document that starts on the line of its brace,
    ``{"a": 1}`` or ``{}``, gets a block on one line.
    """
    text = document.text
    part = document.parts[0]
    assert part.close is not None
    start = part.start + 1
    empty = not document.trees[0] and part.block is None
    end = _back(text, part.close)
    lead = text[start : skip_blanks(text, start)]
    if "\n" in lead:
        tail = text[end : part.close]
        outer = tail.rpartition("\n")[2] if "\n" in tail else ""
        indent = outer + "\t" if empty else lead.rpartition("\n")[2]
        before = ("\r\n" if "\r\n" in lead else "\n") + indent
        member = laid_out(block_text, before, indent.removeprefix(outer), "")
    else:
        colon = re.compile(rf"{_STRING}{_WS}:(.)").match(text, start + len(lead))
        gap = " " if colon is None or colon[1] in _SPACE else ""
        before = "" if empty else gap
        member = laid_out(block_text, "", "", gap)
    if part.block is not None:
        return [(*part.block, member)]
    return [(end, end, before + member if empty else f",{before}{member}")]


def detach(document: Document) -> list[Edit]:
    """The edit that removes the block: what `attach` was given comes back to the byte."""
    block = document.parts[0].block
    return [] if block is None else [_without(document.text, *block)]


def _without(text: str, start: int, end: int, *, first: bool | None = None) -> Edit:
    """Remove a member or list item with one comma: that before it, or that after the first one.

    ``first`` says of an item whether all before it are removed, too.
    """
    before = _back(text, start)
    comma = text[before - 1] == ","
    if comma and not first:
        return _back(text, before - 1), end, ""
    after = skip_blanks(text, end)
    if text[after] == ",":
        return start, skip_blanks(text, after + 1), ""
    return start if comma else before, end, ""
