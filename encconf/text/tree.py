"""A text as a tree of entries, each with all the characters that spell it, and changes to such a tree.

The pieces of a tree, put one after the other, are the text again: comments, blank lines, commas and
indentation are part of them.  A format makes the tree of a scanned text (`encconf.formats.tree_of`).
`put` and `drop` change a tree in place; a format's `Spelling` says how a key and a value are written
at a place.  Nothing here reads a text: whether the result says what was meant is the caller's to check.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Protocol

    from encconf.text.document import Leaf
    from encconf.text.path import Path

    Data = dict[str, "Data"] | list["Data"] | tuple[str, bytes | None]
    """What a text says: a single value is its type and its bytes."""
    Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
    """A value as Python's json module knows them."""

    class Spelling(Protocol):
        """How a format writes at a place.  ``chain`` are the entries that lead there, the root first."""

        def check(self, path: Path, value: Plain) -> None:
            """Raise EmitError for a value that the format cannot hold at a path."""

        def stored(self, value: Plain) -> tuple[str, bytes | None]:
            """The type and the bytes that sops stores for a single value."""

        def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
            """Put a value, below new collections for a path, in the place of what the last entry holds."""

        def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
            """Put a value at a path from the collection that the last entry holds, which lacks it."""

        def remove(self, chain: list[Entry], path: Path) -> None:
            """Take the last entry out of the collection that the one before it holds.

            Or, with a path from the last entry on, all that several entries there say together.
            """


class Single:
    """A single value, or something that is not looked into.

    ``text[at:]`` is the value without the anchor and the tag before it, ``leaf`` the leaf that was
    scanned there; ``style`` is the format's word for its quotes, and ``shared`` says that it has an anchor.
    """

    __slots__ = ("at", "data", "leaf", "shared", "style", "text")

    def __init__(
        self,
        text: str,
        data: Data,
        leaf: Leaf | None = None,
        *,
        at: int = 0,
        style: str = "",
        shared: bool = False,
    ) -> None:
        self.text = text
        self.data = data
        self.leaf = leaf
        self.at = at
        self.style = style
        self.shared = shared


class Entry:
    """A member or item: ``lead + head + value + post`` and, behind its comma, ``trail``.

    ``steps`` lead to it from the collection that holds it: one key or index, several of a dotted key or
    a table's header.  ``head[:sign]`` is its key with the colon, or its dash; ``sign`` is None where they
    is not known.  ``key`` names it among its siblings; where ``listed``, it is one of several with this
    key, and its place among them counts.  A line between entries, a comment or an empty one, has no
    ``value``: its ``lead`` is all of it.
    """

    __slots__ = ("head", "key", "lead", "listed", "post", "sign", "steps", "trail", "value")

    def __init__(
        self,
        steps: Path,
        lead: str,
        head: str = "",
        value: Tree | Single | None = None,
        post: str = "",
        *,
        key: Hashable = None,
        sign: int | None = 0,
        listed: bool = False,
    ) -> None:
        self.steps = steps
        self.lead = lead
        self.head = head
        self.value = value
        self.post = post
        self.trail = ""
        self.key = key
        self.sign = sign
        self.listed = listed

    @property
    def data(self) -> Data:
        """What it says."""
        assert self.value is not None
        return self.value.data

    @property
    def text(self) -> str:
        """All of it but its comma and what is behind that."""
        return self.lead + self.rest

    @property
    def rest(self) -> str:
        """All of it but what precedes it."""
        return self.head + (self.value.text if self.value is not None else "") + self.post


class Tree:
    """A collection: its entries in the text's order.

    One between brackets has them in ``open`` and ``close``, what precedes the closing one in ``tail``, and
    says in ``comma`` whether the last entry has one.  The others are laid out in lines, an entry on each:
    ``column`` is where they begin, None where every line has its own indentation or none; ``inline`` says
    that the first entry is behind something else on its line.  ``bare`` is a document of comments and
    nothing else; ``unclear`` a text that could not be cut into lines of their own everywhere; ``fuller`` one
    whose ``data`` says more than the scan's trees can, such as which values are aliases.
    """

    __slots__ = (
        "bare", "close", "column", "comma", "data", "entries", "fuller", "inline", "kind", "open", "shared",
        "tail", "unclear",
    )  # fmt: skip

    def __init__(self, kind: str, data: Data, *, column: int | None = None, brackets: str = "") -> None:
        self.kind = kind  # "map", "seq", or "stream" for documents
        self.data = data
        self.column = column
        self.inline = False
        self.open, self.close = brackets[:1], brackets[1:]
        self.entries: list[Entry] = []
        self.tail = ""
        self.comma = False
        self.shared = False
        self.bare = False
        self.unclear = False
        self.fuller = False

    @property
    def flow(self) -> bool:
        """Whether it is between brackets."""
        return self.open != ""

    @property
    def text(self) -> str:
        """The text of a tree."""
        out = [self.open]
        last = len(self.entries) - 1
        for at, entry in enumerate(self.entries):
            out.append(entry.text)
            if self.open:
                out += ["," if at < last or self.comma else "", entry.trail]
        return "".join([*out, self.tail, self.close])

    @property
    def members(self) -> list[Entry]:
        """The entries that are no lines between others."""
        return [entry for entry in self.entries if entry.value is not None]


def lines(text: str, start: int, end: int) -> list[Entry]:
    """The comments and empty lines of a span, an entry each."""
    found: list[Entry] = []
    while start < end:
        stop = text.find("\n", start, end) + 1 or end
        line = text[start:stop]
        found.append(Entry((), line, key=("text", line.strip())))
        start = stop
    return found


def fill(
    tree: Tree,
    text: str,
    at: int,
    end: int,
    members: Sequence[tuple[Entry, int, int]],
    gap: re.Pattern[str],
) -> bool:
    """Put entries, with where they start and end, between brackets whose inside is ``text[at:end]``.

    ``gap`` matches blanks and comments.  False if a comma is missing.
    """
    commas = True
    for entry, start, stop in members:
        commas = commas and (tree.comma or not tree.entries)
        entry.lead = text[at:start]
        found = gap.match(text, stop, end)
        comma = found.end() if found else stop
        tree.comma = comma < end and text[comma] == ","
        entry.post = text[stop:comma] if tree.comma else ""
        at = comma + 1 if tree.comma else stop
        if found := _REST_OF_LINE.match(text, at, end):
            entry.trail = found[0]
            at = found.end()
        tree.entries.append(entry)
    tree.tail = text[at:end]
    return commas


_REST_OF_LINE = re.compile(r"[ \t]*#[^\n]*")


def line_bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines of a span."""
    stop = end if end > start and text[end - 1] == "\n" else text.find("\n", end) + 1 or len(text)
    return text.rfind("\n", 0, start) + 1, stop


def whole(tree: Tree) -> Entry:
    """The entry of the whole text, for formats whose texts are one document."""
    return Entry((), "", value=tree)


def data_of(tree: Tree) -> Data:
    """What a tree says whose entries each say a part of it."""
    if tree.kind != "map":
        return [entry.data for entry in tree.members]
    data: dict[str, Data] = {}
    for entry in tree.members:
        node = data
        for step in entry.steps[:-1]:
            node = node.setdefault(str(step), {})  # type: ignore[assignment]
        node[str(entry.steps[-1])] = entry.data
    return data


# --- changes -------------------------------------------------------------------------------------


def put(root: Entry, path: Path, value: Plain, spelling: Spelling) -> None:
    """Put a value at a path: in the place of what is there, or as a new last entry.

    Raises EmitError for what has no place in the text.
    """
    chain, rest = descend(root, path)
    here = chain[-1].value
    if not rest or isinstance(here, Single):
        spelling.replace(chain, rest, value)
    else:
        spelling.add(chain, rest, value)


def drop(root: Entry, path: Path, spelling: Spelling) -> None:
    """Remove what is at a path, which must exist.  Raises EmitError for what cannot be taken out."""
    spelling.remove(*descend(root, path))


def descend(root: Entry, path: Path) -> tuple[list[Entry], Path]:
    """The entries along a path as far as it exists, and the steps that remain."""
    chain, rest = [root], path
    for entry in root.value.entries if path and isinstance(root.value, Tree) else ():
        size = len(entry.steps)
        if size and entry.value is not None and entry.steps == path[:size]:
            inner, missing = descend(entry, path[size:])
            if len(missing) <= len(rest):
                chain, rest = [root, *inner], missing
            if not missing:
                break
    return chain, rest


def nested(path: Sequence[str | int], value: Plain) -> Plain:
    """The value inside new collections, one for each step."""
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [value]
    return value


def append(tree: Tree, member: str, gap: str = "") -> None:
    """Put a member behind the last one of a collection in brackets, spaced as that is.

    ``gap`` follows the comma where the only one that is there does not show what does.
    """
    new = Entry((), "", value=Single(member, {}))
    if tree.entries:
        last = tree.entries[-1]
        new.lead = last.lead if len(tree.entries) < 2 else tree.entries[-2].trail + last.lead
        if new.lead.strip():
            new.lead = " "  # a comment is there
        elif not new.lead and len(tree.entries) == 1:
            new.lead = gap
        new.post, new.trail, last.post, last.trail = last.post, last.trail, "", ""
    else:
        tree.tail = ""
    tree.entries.append(new)


def take(tree: Tree, entry: Entry) -> None:
    """Take a member out of a collection in brackets, and one comma."""
    entries = tree.entries
    at = entries.index(entry)
    if at:
        entries[at - 1].post, entries[at - 1].trail = entry.post, entry.trail
    elif len(entries) > 1:
        entries[1].lead = entry.lead
    else:
        tree.tail, tree.comma = "", False
    del entries[at]


def line_after(before: str, steps: Path, head: str, value: str, newline: str) -> Entry:
    """An entry that is a line, to be put behind a text that may lack its last line break."""
    lead = newline if before and before[-1] != "\n" else ""
    return Entry(steps, lead, head, Single(value, {}), newline)
