"""The pieces of an entry in three versions: a key's spelling, the text after a value, lines between entries.

A piece that moves from one version into another gets the indentation of its new place.
"""

from __future__ import annotations

import re

from encconf.text.tree import Entry, Single, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Literal, TypeVar

    from encconf.merge.weave import Slot
    from encconf.text.path import Path

    T = TypeVar("T")
    Triple = tuple[Entry | None, Entry | None, Entry | None]
    Trees = tuple[Tree | None, Tree, Tree]
    Texts = tuple[str | None, str | None, str | None]
    Columns = tuple[int, int, int, int]
    """Where the lines around an entry begin: in base, ours, theirs, and in the result."""


def chosen(line: Texts, columns: Columns) -> tuple[int, str]:
    """Return the number of the version that a line is taken from, and its text there."""
    was, here, there = (
        (_indentation(text) - columns[side], text.lstrip(" ")) if text is not None else None
        for side, text in enumerate(line)
    )
    side = 0 if here is None and there is None else 2 if here == was else 1
    return side, line[side] or ""


def either(was: T, here: T, there: T) -> T:
    """Return the version that differs from the base, or ours if both do."""
    return there if here == was else here


def entries_at(sides: Sequence[list[Entry]], slot: Slot) -> Triple:
    """Return the entries of base, ours and theirs at a slot."""
    was, here, there = (side[at] if at is not None else None for side, at in zip(sides, slot, strict=True))
    return was, here, there


def texts_of(triple: Triple, piece: Literal["lead", "head", "post", "trail"]) -> Texts:
    """Return one piece of an entry for each version, or None if a version does not have the entry."""
    was, here, there = (getattr(entry, piece) if entry is not None else None for entry in triple)
    return was, here, there


def steps_of(entry: Entry, identity: Hashable) -> Path:
    """Return an entry's path from its collection.  The last step of an item is its number in the result."""
    assert isinstance(identity, tuple)
    return (*entry.steps[:-1], identity[2]) if identity[0] == "item" else entry.steps


def shape(entry: Entry) -> tuple[object, ...]:
    """Return what two entries must have in common to be merged piece by piece."""
    node = entry.value
    if isinstance(node, Single):
        return ("leaf", node.text.endswith("\n"))
    assert node is not None
    return (node.kind, node.flow, node.inline, node.column is None)


def laid_out_as(entry: Entry, other: Entry, delta: int) -> Entry:
    """Return an empty collection with the layout of another one of its kind, and anything else unchanged.

    ``delta`` is how many more columns the lines around the entry are indented than those around ``other``.
    """
    node = other.value
    if not isinstance(entry.value, Tree) or not isinstance(node, Tree) or entry.value.kind != node.kind:
        return entry
    if entry.data or shape(entry) == shape(other):
        return entry
    column = node.column + delta if node.column is not None else None
    empty = Tree(node.kind, entry.data, column=column, brackets=node.open + node.close)
    empty.inline, empty.tail, empty.comma = node.inline, node.tail, node.comma
    return Entry((), other.lead, other.head, empty, other.post, key=entry.key, listed=entry.listed)


def taken(entry: Entry, columns: Columns, side: int) -> str:
    """Return an entry as one side has it, with the indentation of its new place."""
    return shifted(entry.rest, columns[3] - columns[side])


_LINE_START = re.compile(r"\n(?=[^\n])")


def shifted(text: str, delta: int, *, first: bool = False) -> str:
    """Indent a text by ``delta`` more columns (fewer if negative), except its first line unless ``first``."""
    if not delta:
        return text
    if first and text.strip():
        text = " " * delta + text if delta > 0 else text[min(-delta, len(text) - len(text.lstrip(" "))) :]
    if delta > 0:
        return _LINE_START.sub("\n" + " " * delta, text)
    return re.sub(rf"\n {{0,{-delta}}}", "\n", text)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def depth(lead: str) -> int:
    """Return the indentation of an entry, which its lead ends with."""
    return len(lead.rpartition("\n")[2]) if "\n" in lead else 0


def is_bare(entry: Entry | None) -> bool:
    """Whether an entry is a document of only comments."""
    return entry is not None and isinstance(entry.value, Tree) and entry.value.bare


def has_entries(value: str) -> bool:
    """Whether a text has lines other than blank ones and comments."""
    return any(line.strip() and line.strip()[0] != "#" for line in value.split("\n"))


_EMPTY_AT = re.compile(r"(.*?)([ \t]*(?:[ \t]#[^\n]*)?\n?)\Z", re.DOTALL)


def with_empty(head: str, kind: str) -> str:
    """Return a key or dash with an empty collection, for one whose last entry was removed."""
    found = _EMPTY_AT.fullmatch(head)
    assert found is not None
    rest = found[2] if found[2].endswith("\n") else found[2].rstrip() + "\n"
    return f"{found[1]} {'{}' if kind == 'map' else '[]'}{rest}".lstrip(" ")
