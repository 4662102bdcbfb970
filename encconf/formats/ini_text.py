"""How INI is written: values, ``ENC[…]`` texts, and the section ``[sops]``.

The text of a block is that section: its header and one line for each member.
"""

from __future__ import annotations

from collections.abc import Mapping

from encconf.errors import EmitError, ParseError
from encconf.formats import flat
from encconf.formats.ini_scan import (
    DELIMITER,
    EMPTY_LINE,
    QUOTES,
    SIMPLE_VALUE,
    SOPS,
    SPACE,
    line_end,
    read_entries,
    value_at,
)
from encconf.text.document import Document, Edit, Leaf, newline_of


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Return the edit that replaces a leaf with an ``ENC[…]`` text in the same quotes; sops uses none."""
    quote = leaf.style if leaf.style in QUOTES and not was_plain else ""
    if quote in ("`", '"""') and quote in rest_of_line(document.text, leaf):
        quote = ""  # the library would end the value at the last quotes in the line
    return leaf.start, leaf.end, f"{quote}{enc}{quote}"


def rest_of_line(text: str, leaf: Leaf) -> str:
    """Return the text after a value, in its last line."""
    return text[leaf.end : line_end(text, leaf.end)[0]]


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Return the edit that replaces an ``ENC[…]`` text with its plaintext.

    The plaintext has the same quotes if they can hold it.  Raises EmitError if no quotes can hold it.
    """
    value = data.decode("utf-8", "surrogateescape") if type == "str" else flat.word(type, data)
    spelled = value if not leaf.style and SIMPLE_VALUE.fullmatch(value) else spelled_as(leaf.style, value)
    if leaf.start == leaf.end and document.text[leaf.end : leaf.end + 1] not in ("", "\r", "\n"):
        spelled += " "  # a comment follows
    return leaf.start, leaf.end, spelled


def spelled_as(quote: str, value: str) -> str:
    """Return a value in the given quotes if they can hold it, else as `spell` does.  Raises EmitError."""
    spelled = f"{quote}{value}{quote}"
    fits = quote in QUOTES and read_back(spelled, exact=True) == value == read_back(spelled, exact=False)
    return spelled if fits else spell(value)


def spell(value: str, rest: str = "", *, exact_only: bool = False) -> str:
    """Return a value without quotes, or in the first quotes with which it is read back unchanged.

    ``rest`` is the text after it in its line.  Raises EmitError if INI cannot hold the value.
    """
    if not rest and SIMPLE_VALUE.fullmatch(value):
        return value
    for quote in ("", '"', "`", '"""', "'"):
        spelled = f"{quote}{value}{quote}"
        if read_back(spelled, rest, exact=True) == value and (
            exact_only or read_back(spelled, rest, exact=False) == value
        ):
            return spelled
    raise EmitError(
        "a value has line breaks, blanks or comment signs, and quotes of every kind, which INI cannot hold",
        hint="a YAML or JSON file can hold it",
    )


def read_back(spelled: str, rest: str = "", *, exact: bool) -> str | None:
    """Return what a spelled value is read as before the rest of a line, or None if it ends elsewhere."""
    if not spelled:
        return ""
    text = f"{spelled}{rest}\n"
    try:
        found, _ = value_at(text, 0, text.index("\n"), exact)
    except ParseError:
        return None
    return found.value if found.end == len(spelled) else None


def spell_key(name: str) -> str:
    """Return a key as it is written, in quotes if it needs them."""
    if DELIMITER.search(name) or '"' in name:
        return f"`{name}`"
    return f'"""{name}"""' if "`" in name else name


def as_sops(value: str) -> str:
    """Return a value as sops (the library's File.writeToBuffer) spells it."""
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value.strip(SPACE) != value else value


# --- the sops block ------------------------------------------------------------------------------


def render_block(block: Mapping[str, object]) -> str:
    """Return the block as a section ``[sops]``, with ``\\n`` for line breaks in values.  Raises EmitError."""
    members = flat.flatten(block)
    lines = [(name, value.replace("\n", "\\n")) for name, value in members]
    text = f"[{SOPS}]\n" + "".join(
        f"{spell_key(name)} = {spell(value, exact_only=True)}\n" for name, value in lines
    )
    found = [
        (entry.name, entry.value.replace("\\n", "\n"))
        for entry in read_entries(text, exact=True)
        if entry.kind == "key"
    ]
    if found != members:
        raise EmitError(
            "the sops block has a name or value that INI cannot hold", hint="a YAML or JSON file can hold it"
        )
    return text


def attach(document: Document, block_text: str) -> list[Edit]:
    """Return the edits that replace the old block, or add it as the last section after an empty line."""
    text = document.text
    newline = newline_of(text)
    block = block_text.replace("\n", newline)
    part = document.parts[0]
    if part.block is not None:
        return [(*part.block, block)]
    if text:
        block = newline + block
        if not text.endswith("\n"):
            block = newline + block
    return [(len(text), len(text), block)]


def detach(document: Document) -> list[Edit]:
    """Return the edit that removes the block and the empty line before it."""
    block = document.parts[0].block
    if block is None:
        return []
    start, end = block
    blank = EMPTY_LINE.search(document.text, max(0, start - 3), start)
    return [(blank.start() if blank else start, end, "")]
