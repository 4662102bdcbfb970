"""Write variables as plaintext in one of encconf's formats, with their comments and in their order.

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
from encconf.text import document

Value = str | bool | int

FORMATS = ("yaml", "json", "toml", "dotenv")
"""The formats in which variables can be written.  JSON loses the comments."""


SPELLED: Final = re.compile(r"(?i:true|false)|-?(?:0|[1-9][0-9]{0,17})")
"""Texts that `cast` turns into a boolean or a whole number."""


def misread(values: Mapping[str, str]) -> list[str]:
    """Return notes about values that a Python program may misread, other than the words true and false.

    In Python, every text is true, except the empty one.  A default does not replace an empty text.
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
    """Return the values.  Texts that spell a boolean or a whole number are converted."""
    return {name: _cast(text) if SPELLED.fullmatch(text) else text for name, text in values.items()}


def _cast(text: str) -> bool | int:
    word = text.lower()
    return word == "true" if word in ("true", "false") else int(text)


def render(reading: Reading, values: Mapping[str, Value], format: str) -> str:
    """Return a text that loads as ``values`` in a format, with the comments of ``reading``.

    Raises UsageError for a format that is not in `FORMATS`, EmitError for a value that it cannot store.
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
            name: document.Value(type(value).__name__, str(value).encode()) for name, value in values.items()
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
    """Return a value without quotes if sops reads it back as it is, or else in double quotes."""
    line = value.replace("\n", "\\n")
    if "\\n" not in value and formats.get("dotenv").load_plain(f"A={line}\n")[0].get("A") == value:
        return line
    signs = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
    return f'"{"".join(signs.get(sign, sign) for sign in value)}"'


def _check(text: str, values: Mapping[str, Value], format: str) -> None:
    read = formats.get(format).load_plain(text)[0] if values else {}
    wrong = [name for name in {**values, **read} if read.get(name) != values.get(name)]
    if wrong:
        raise EmitError(
            f"{', '.join(wrong[:5])} cannot be stored exactly in {format}", hint="use -o NAME.enc.yaml"
        )
