"""The tokens of YAML texts: line breaks, styles, anchors and tags, scalars on one line, and block scalars.

A scalar is written plain if every reader then reads the same value, else in quotes.
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from encconf.errors import DecryptError, ParseError
from encconf.formats import goyaml
from encconf.text.words import bool_word, is_usual_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Leaf

BREAK = "\r\n\x85\u2028\u2029"
# Compiled when first used: git starts encconf for each version of a file, so start-up time counts.
NEWLINE = "\r\n|[\r\n\x85\u2028\u2029]"
PLAIN, FLOW_PLAIN, SINGLE, DOUBLE, LITERAL, FOLDED, ALIAS, FLOW_ALIAS = "", ",", "'", '"', "|", ">", "*", ",*"


def line_start(text: str, offset: int) -> int:
    """Return where the line of an offset starts."""
    size = 256
    while True:  # in steps: a search for the line break that the text does not use would go back to its start
        low = max(offset - size, 0)
        line = max(text.rfind("\n", low, offset), text.rfind("\r", low, offset)) + 1
        if line or not low:
            return line
        size *= 4


def newline_of(text: str) -> str:
    """Return the first line break of a text, or ``\\n``."""
    match = re.search("\r\n|\n|\r", text)
    return match.group() if match else "\n"


def step_of(text: str) -> int:
    """Return by how many blanks a text indents: those of its first indented line."""
    match = re.search(r"(?m)^( +)[^\s#]", text)
    return min(len(match.group(1)), 8) if match else 2


def line_end(text: str, offset: int) -> int:
    """Return where the next line starts, for something that ends at an offset, with or without a break."""
    if offset and text[offset - 1] in BREAK:
        return offset
    match = re.compile(NEWLINE).search(text, offset)
    return match.end() if match else len(text)


def error_at(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    """Return an error about the text at an offset.  Line and column count from 1."""
    lines = re.split(NEWLINE, text[:offset])
    return ParseError(message, line=len(lines), column=len(lines[-1]) + 1, hint=hint)


# --- anchors and tags ----------------------------------------------------------------------------


class Properties:
    """The anchor and tag before a value: where they start, and the tag's span."""

    __slots__ = ("start", "tag", "tag_end", "tag_start")

    def __init__(self, start: int, tag: str | None, tag_start: int, tag_end: int) -> None:
        self.start = start
        self.tag = tag
        self.tag_start = tag_start
        self.tag_end = tag_end


SKIP = rf"(?>(?:[ \t]*+(?:#[^{BREAK}]*+)?(?:\r\n|[{BREAK}]))*)[ \t]*+"
_TAG = r"!\S*"  # in libyaml and go-yaml, only a blank ends a tag, even in flow style
_TAG_BEFORE = r"(?<=[\s\[{,:])!\S*(?=[ \t]+\Z)"


def properties(
    text: str, start: int, end: int, anchor: str | None, tag: str | None
) -> tuple[Properties, int]:
    """Return the anchor and tag before a value, and the offset where the value itself starts."""
    at = start
    tag_start = tag_end = start
    limit = max(end, start)
    for _ in range(2):
        if anchor is not None and text.startswith("&" + anchor, at):
            at += len(anchor) + 1
            anchor = None
        elif tag is not None and text.startswith("!", at):
            match = re.compile(_TAG).match(text, at)
            assert match is not None
            tag_start, at = at, match.end()
            tag_end = at
            tag = None
        else:
            break
        after = re.compile(SKIP).match(text, at)
        assert after is not None
        if after.end() > limit:
            break
        at = after.end()
    if tag is not None:  # in the Python parser's events, `!tag &a value` starts at the `&`
        before = re.compile(_TAG_BEFORE).search(text, line_start(text, start), start)
        if before is not None:
            start = tag_start = before.start()
            tag_end = before.end()
    tag_text = None if tag_start == tag_end else text[tag_start:tag_end]
    return Properties(start, tag_text, tag_start, tag_end), min(at, limit)


# --- scalars -------------------------------------------------------------------------------------


def binary(data: bytes) -> str:
    """Return a ``!!binary`` scalar for bytes that are not UTF-8."""
    return "!!binary " + b2a_base64(data, newline=False).decode()


def scalar(type: str, data: bytes | None) -> str:
    """Return a plain scalar that resolves to exactly this type and these bytes (strings: see `plain`)."""
    if data is None:
        return "null"
    word = data.decode()
    if type == "bool":
        return bool_word(data)
    if type == "float":
        return word if "." in word and means(word, "float", data) else _float(data)
    if type == "str":
        return plain(word, flow=True)
    return word


def _float(data: bytes) -> str:
    """Return the spelling of a float whose bytes YAML does not read as that float.  Raises DecryptError."""
    try:
        number = goyaml.parse("float", data)
    except ValueError:
        raise DecryptError("a value does not have the type it is marked with (float)") from None
    assert isinstance(number, float)
    word = goyaml.format_float(number).decode()
    special = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(word)
    # `3` would be read as an integer (sops writes it like that and loses the type).  So would more digits
    # than sops's integers have, by readers whose integers have no limit.
    return special or (word if "." in word else word + ".0")


def means(word: str, type: str, data: bytes) -> bool:
    """Whether a plain scalar resolves to this type and these bytes."""
    try:
        return goyaml.resolve(word, None, True) == (type, data)
    except ParseError:
        return False


# Plain scalars that go-yaml reads as strings, and another reader does not: PyYAML and other users of libyaml
# (YAML 1.1), ruamel.yaml (1.2) or Ruby.  The pattern is compiled when first used.
_WORDS = frozenset(
    ["=", "<<", "y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", "-.inf", ".nan"]
)
_FIRST = frozenset("+-.0123456789")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_OF_DECIMALS = "0123456789+-.:,_ eETtZ"
_NUMBER_OR_DATE = r"""(?x)
    [-+]?(?: 0b[01_,]+ | 0o[0-7_]+ | 0x[0-9a-fA-F_,]+ | [0-9_,]+
           | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
           | [0-9][0-9_,]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?
           | \.[0-9_]+(?:[eE][-+]?[0-9]+)? | \.[eE][-+][0-9]+ )
  | -?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}
    (?:(?:[Tt]|\ +)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:\ *(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"""


def _is_ambiguous(value: str) -> bool:
    """Whether a plain scalar is a string to some readers and something else to others."""
    if len(value) < 6 and value.lower() in _WORDS:
        return True
    if value[0] not in _FIRST:
        return value[0] == ":"  # Ruby reads a symbol
    # Most values are clear without the pattern.  Compiling it would take 0.4 ms of every start.
    if is_usual_date(value):
        return True  # the date in a sops block
    if value.count(".") > 1:
        return False  # most of these are addresses or versions
    if "0b" not in value and "0o" not in value and "0x" not in value and value.strip(_OF_DECIMALS):
        return False  # most of these are hashes
    return re.fullmatch(_NUMBER_OR_DATE, value) is not None


def _is_string(value: str) -> bool:
    """Whether a plain scalar is a string to every reader."""
    if len(value) > 5 and value[0] in _LETTERS:
        return True  # no longer word than `false` has a meaning, and no number or date begins with a letter
    return not _is_ambiguous(value) and means(value, "str", value.encode())


_VISIBLE = bytes(range(33, 127))


def is_word(data: bytes) -> bool:
    """Whether a plain scalar outside brackets is this string to every reader.  Most values are such words."""
    # No indicator or number begins with a letter, and no word of so many letters has a meaning.
    long = len(data) > 5
    return long and data[:1].isalpha() and data[-1:] != b":" and not data.translate(None, _VISIBLE)


_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")


def _plain_fits(value: str, flow: bool, tagged: bool) -> bool:
    if not value or value != value.strip() or not value.isprintable():
        return False
    first = value[0]
    if first in _INDICATORS and (first not in "-?:" or flow or len(value) == 1 or value[1] in " \t"):
        return False
    if ": " in value or " #" in value or value[-1] == ":" or value.startswith(("---", "...")):
        return False
    if flow and any(char in value for char in ",[]{}?:"):
        return False
    return tagged or _is_string(value)


def plain(value: str, *, flow: bool = False, tagged: bool = False) -> str:
    """Return a string as a plain scalar if all readers then read that string, else in quotes."""
    if _plain_fits(value, flow, tagged):
        return value
    # Like go-yaml, use double quotes if the plain scalar would have another type, and single quotes for
    # special characters.
    if not value or not value.isprintable() or not _is_string(value):
        return double(value)
    return single(value)


def single(value: str) -> str:
    """Return a printable string in single quotes."""
    return "'" + value.replace("'", "''") + "'"


_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0",
    "\x85": "\\N", "\xa0": "\\_",
    "\u2028": "\\L", "\u2029": "\\P", "\b": "\\b", "\x1b": "\\e", "\a": "\\a", "\v": "\\v", "\f": "\\f",
}  # fmt: skip


def double(value: str) -> str:
    """Return a string in double quotes, on one line."""
    if value.isprintable() and "\\" not in value and '"' not in value:
        return f'"{value}"'
    return '"' + "".join(c if c not in '"\\' and c.isprintable() else escaped(c) for c in value) + '"'


def escaped(found: str | re.Match[str]) -> str:
    """Return a character, or the one that a pattern has found, as it is written in double quotes."""
    char = found[0]
    code = ord(char)
    width, sign = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
    return _ESCAPES.get(char) or f"\\{sign}{code:0{width}X}"


# --- block scalars -------------------------------------------------------------------------------

_BLOCK_HEADER = rf"([|>])([-+0-9]*)[ \t]*(#[^{BREAK}]*)?"


def block_header(text: str, leaf: Leaf) -> tuple[re.Match[str], int, str]:
    """Return a block scalar's header, the offset of its first content line, and its line break."""
    header = re.compile(_BLOCK_HEADER).match(text, leaf.start)
    assert header is not None
    newline = re.compile(NEWLINE).search(text, header.end())
    if newline is None or newline.start() > leaf.end:
        return header, leaf.end, "\n"
    return header, newline.end(), newline.group()


def content_indent(text: str, leaf: Leaf, header: re.Match[str], content: int) -> int | None:
    """Return the indentation of a block scalar's content, or None if all its lines are blank."""
    for line in re.compile(NEWLINE).split(text[content : leaf.end]):
        stripped = line.lstrip(" ")
        if stripped.strip(" \t"):
            indent = len(line) - len(stripped)
            if any(char.isdigit() for char in header.group(2)):
                # With an indentation indicator, the value's first line may begin with blanks.
                for value_line in (leaf.data or b"").decode("utf-8", "replace").split("\n"):
                    if value_line.strip(" \t"):
                        return indent - (len(value_line) - len(value_line.lstrip(" ")))
            return indent
    return None


def content_end(text: str, leaf: Leaf) -> int:
    """Return where a block scalar's lines end, without the blank lines that chomping drops."""
    header, content, _ = block_header(text, leaf)
    end = leaf.end
    if "+" in header.group(2):
        return end
    indent = content_indent(text, leaf, header, content)
    if indent is None:
        return content if not (leaf.data or b"").strip(b"\n") else end
    tail = content + len(text[content:end].rstrip(BREAK + " "))
    # The starts of the blank lines.
    starts = [match.end() for match in re.compile(NEWLINE).finditer(text, tail, end)]
    while starts:
        if len(text[starts[-1] : end].rstrip(BREAK)) > indent:
            break
        end = starts.pop()
    return end


def fits_block(value: str, *, indicated: bool = False) -> bool:
    """Whether a block scalar can hold the string as it is.  ``indicated``: its header has the indentation."""
    lines = value.strip("\n")
    is_text = lines.replace("\n", "").replace("\t", "").isprintable()
    return lines != "" and is_text and (indicated or lines[0] not in " \t")


def chomping(value: str) -> str:
    """Return the chomping indicator of a block scalar that holds the string."""
    if not value.endswith("\n"):
        return "-"
    return "+" if value.endswith("\n\n") or value == "\n" else ""


def block_lines(value: str, indent: int, newline: str) -> str:
    """Return the lines of a literal block scalar."""
    body = value[:-1] if value.endswith("\n") else value
    pad = " " * indent
    return newline.join(pad + line if line else "" for line in body.split("\n")) + newline
