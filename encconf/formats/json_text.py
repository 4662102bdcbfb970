"""How JSON is written: tokens, ``ENC[…]`` texts, plaintexts, layout, and the ``sops`` member.

The text of a block is its member, ``"sops": {…}``, without the commas and blanks around it.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats import goyaml
from encconf.text.document import Document, Edit, Leaf, newline_of
from encconf.text.words import bool_word, in_brackets, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


SPACE = " \t\r\n"
WS = r"[ \t\r\n]*+"
# Possessive, so that the match of a string without an end fails at once, without backtracking.
STRING = r'"[^"\\\x00-\x1f]*+(?>(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*)"'
NUMBER = r"-?(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][-+]?[0-9]++)?)"


def skip_blanks(text: str, at: int) -> int:
    """Return where the blanks at an offset end."""
    space = re.compile(WS).match(text, at)
    return space.end() if space else at


def back(text: str, at: int) -> int:
    """Return the end of the last token before an offset."""
    while at and text[at - 1] in SPACE:
        at -= 1
    return at


def tells_integers(document: Document) -> bool:
    """Whether floats of an encrypted text are floats: sops before 3.13.2 stores every number as a float."""
    version = (document.block or {}).get("version")
    found = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version) if isinstance(version, str) else None
    return found is None or tuple(int(part or 0) for part in found.groups()) >= (3, 13, 2)


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Return the edit that replaces a leaf with an ``ENC[…]`` text, which is always a string."""
    return leaf.start, leaf.end, f'"{enc}"'


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Return the edit that replaces an ``ENC[…]`` text with its plaintext.

    Numbers are spelled as in sops, except that a float stays a float: ``1.0``.  Strings have as few escapes
    as possible, and times are strings.  Raises EmitError for values that JSON cannot hold.
    """
    word = _spell(type, data)
    if type == "float" and word.lstrip("-").isdigit() and tells_integers(document):
        word += ".0"
    return leaf.start, leaf.end, word


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Return the edit that removes an array item that sops stored for a comment: JSON has no comments."""
    return without(document.text, leaf.start, leaf.end, first=leaf.note is True)


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
    if value - value != 0:
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
    return in_brackets(value, word or word_of, word or word_of, ":", ",")


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


# --- the sops block ------------------------------------------------------------------------------


def render_block(block: Mapping[str, object]) -> str:
    """Return the ``sops`` member as sops writes it: indented by tabs, with members sorted by name."""
    return laid_out(f'"sops":{compact(ordered(block))}', "\n", "\t", "")


def attach(document: Document, block_text: str) -> list[Edit]:
    """Return the edits that replace the old block, or add it as the last member.

    The block is laid out like the first member.  If that is on the line of the opening brace (``{"a": 1}``),
    or if the document is ``{}``, the block is on one line.
    """
    text = document.text
    part = document.parts[0]
    assert part.close is not None
    start = part.start + 1
    empty = not document.trees[0] and part.block is None
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


def detach(document: Document) -> list[Edit]:
    """Return the edit that removes the block and restores exactly the text that `attach` was given."""
    block = document.parts[0].block
    return [] if block is None else [without(document.text, *block)]
