"""How TOML is written: keys, values, ``ENC[…]`` texts and plaintexts."""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats.toml_words import (
    BASIC,
    COMMENT,
    CONTROL,
    LITERAL,
    LONG_BASIC,
    LONG_CONTROL,
    LONG_LITERAL,
    TIME,
)
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from encconf.text.document import Document, Edit, Leaf


def comment_text(plain: str) -> str | None:
    """Every line becomes a comment; None if TOML does not allow one of the characters in comments.

    A line ends with a line feed only: U+0085, U+2028 and U+2029 are characters like any.
    """
    if COMMENT.fullmatch("#" + plain.replace("\n", "")) is None:
        return None
    return re.sub(r"\n(?!#)", "\n# ", plain)


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Replace a leaf with an ``ENC[…]`` text: in the quotes of a string, in ``"`` otherwise."""
    style = leaf.style or BASIC
    return leaf.start, leaf.end, f"{style}{leaf.note or ''}{enc}{style}"


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Replace an ``ENC[…]`` text with its plaintext.

    Strings keep the quotes of the ``ENC[…]`` text if possible, with as few escapes as possible; numbers
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
    """A string in the given quotes, or in similar ones; ``lead`` is a line break after them."""
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
    """A basic string."""
    return '"' + _escape(rf'["\\\t{CONTROL}]', value) + '"'


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Remove an array's item that stores a comment, as sops has them; rops stores none."""
    found = re.compile(r"[ \t]*+(?>(?:,[ \t]*+)?)").match(document.text, leaf.end)
    return leaf.start, found.end() if found else leaf.end, ""


def newline_of(text: str) -> str:
    """The first line break of a text."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def spell_key(key: str) -> str:
    """A key as it is written: bare where it can be."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else quote(key)


def spell(value: object, word: Callable[[Any], str] | None = None) -> str:
    """A value as it is written behind ``=``; ``word`` spells single values.

    Raises EmitError for null, which TOML does not have.
    """
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(spell(item, word) for item in value) + "]"
    if isinstance(value, dict):
        members = (f"{spell_key(name)} = {spell(item, word)}" for name, item in value.items())
        return "{" + ", ".join(members) + "}"
    if word is not None:
        return word(value)
    if isinstance(value, str):
        return string(LONG_BASIC, "\n", "\n", value) if "\n" in value else quote(value)
    if isinstance(value, bool):
        return bool_word(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    raise EmitError("TOML cannot hold a null")
