"""Variables as plaintext in one of encconf's formats: names, values and comments, in order.

The text is read again, so that a value that the format cannot store is found before anything is saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from encconf import formats
from encconf.errors import EmitError, UsageError
from encconf.formats import emit
from encconf.migration.dialects import Reading

Value = str | bool | int

FORMATS = ("yaml", "json", "toml", "dotenv")
"""The formats for names and values; JSON loses the comments."""


SPELLED: Final = re.compile(r"(?i:true|false)|-?(?:0|[1-9][0-9]{0,17})")
"""Texts that `cast` turns into a boolean or a whole number."""


def misread(values: Mapping[str, str]) -> list[str]:
    """Notes about values that may surprise in Python, besides the words true and false.

    Every text except the empty one is true; an empty text exists, so no default replaces it.
    """
    said = []
    for words, what in (
        (("0", "no", "off"), "kept as text, which is true in Python"),
        (("",), "an empty string, not None: a default in your code does not replace it"),
    ):
        names = [name for name, text in values.items() if text.lower() in words]
        if names:
            said.append(f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}: {what}")
    return said


def cast(values: Mapping[str, str]) -> dict[str, Value]:
    """The values, with booleans and whole numbers in place of texts that spell them."""
    return {name: _cast(text) if SPELLED.fullmatch(text) else text for name, text in values.items()}


def _cast(text: str) -> bool | int:
    word = text.lower()
    return word == "true" if word in ("true", "false") else int(text)


def render(reading: Reading, values: Mapping[str, Value], format: str) -> str:
    """A text in a format that loads as ``values``, with the comments of ``reading``.

    Raises UsageError for another format, EmitError for a value that the format cannot store.
    """
    if format not in FORMATS:
        raise UsageError(
            f"variables cannot be stored as {format}", hint="use -o NAME.enc.yaml, .json, .toml or .env"
        )
    before = {name: reading.variables[name].comments for name in values}
    if format == "dotenv":
        lines = []
        for name, value in values.items():
            lines += [f"#{comment}" for comment in before[name]]
            lines.append(f"{name}={_word(str(value))}")
        text = "".join(f"{line}\n" for line in [*lines, *(f"#{comment}" for comment in reading.trailing)])
    else:
        tree = {
            name: emit.leaf_of(type(value).__name__, str(value).encode()) for name, value in values.items()
        }
        notes: dict[str | int | None, list[tuple[str, bool]]] = {
            name: [(comment, False) for comment in comments] for name, comments in before.items() if comments
        }
        if reading.trailing:
            notes[None] = [(comment, False) for comment in reading.trailing]
        text = emit.render([tree], format, {id(tree): notes})
    _check(text, values, format)
    return text


def _word(value: str) -> str:
    """A value without quotes if sops reads it back, else in double quotes."""
    line = value.replace("\n", "\\n")
    if "\\n" not in value and formats.module("dotenv").load_plain(f"A={line}\n")[0].get("A") == value:
        return line
    signs = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
    return f'"{"".join(signs.get(sign, sign) for sign in value)}"'


def _check(text: str, values: Mapping[str, Value], format: str) -> None:
    read = formats.module(format).load_plain(text)[0] if values else {}
    wrong = [name for name in {**values, **read} if read.get(name) != values.get(name)]
    if wrong:
        raise EmitError(
            f"{', '.join(wrong[:5])} cannot be stored exactly in {format}", hint="use -o NAME.enc.yaml"
        )
