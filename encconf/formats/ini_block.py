"""The ``[sops]`` section of an INI text: spelled, changed, added and removed.

A block's text is its section: the header and one line for each member.
"""

from __future__ import annotations

from encconf.errors import EmitError
from encconf.formats import flat
from encconf.formats.ini_scan import EMPTY_LINE, SOPS, read_entries
from encconf.formats.ini_text import spell, spell_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.text.document import Document, Edit


def render_block(block: Mapping[str, object]) -> str:
    """Spell the block as a section ``[sops]``; line breaks in values are ``\\n``.  Raises EmitError."""
    members = flat.flatten(block)
    text = f"[{SOPS}]\n" + "".join(_line(name, value) for name, value in members)
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


def _line(name: str, value: str) -> str:
    spelled = spell(value.replace("\n", "\\n"), exact_only=True)
    return f"{spell_key(name)} = {spelled}\n"


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members that are strings; every other byte stays.

    A new member is placed before the first one whose name is greater.
    """
    for name, new in changes.items():
        keys = [entry for entry in read_entries(block_text, exact=True) if entry.kind == "key"]
        entry = next((entry for entry in keys if entry.name == name), None)
        if entry is not None and new is not None:
            spelled = spell(new.replace("\n", "\\n"), exact_only=True)
            block_text = block_text[: entry.start] + spelled + block_text[entry.end :]
        elif entry is not None:
            block_text = block_text[: entry.line] + block_text[entry.stop :]
        elif new is not None:
            at = next((entry.line for entry in keys if entry.name > name), len(block_text))
            block_text = block_text[:at] + _line(name, new) + block_text[at:]
    return block_text


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block as the last section, after an empty line, or replace the existing one."""
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


def newline_of(text: str) -> str:
    """The line break that a text uses first."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def detach(document: Document) -> list[Edit]:
    """The edit that removes the block, and the empty line before it."""
    block = document.parts[0].block
    if block is None:
        return []
    start, end = block
    blank = EMPTY_LINE.search(document.text, max(0, start - 3), start)
    return [(blank.start() if blank else start, end, "")]
