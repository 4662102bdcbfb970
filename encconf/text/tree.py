"""A text as a tree of entries, each with all the characters that spell it, and changes to trees.

The concatenated pieces of a tree are the text, with its comments, blank lines, commas and indentation.
A format makes the tree of a scan, and changes it in place (`encconf.formats.writing`).  Nothing here reads
a text: the caller checks that the result has the intended content.
"""

from __future__ import annotations

import re
from collections import defaultdict

from encconf.text.document import Leaf, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Any

    from encconf.text.document import Document, Plain
    from encconf.text.path import Path

    Data = dict[str, "Data"] | list["Data"] | tuple[str, bytes | None]
    """The content of a text.  A single value is a tuple of its type and its bytes."""


class Single:
    """A single value, or a collection that is treated as one.

    ``text[at:]`` is the value without its anchor and tag, and ``leaf`` the leaf that was scanned there.
    ``style`` is the format's name for its quotes.
    """

    __slots__ = ("at", "data", "leaf", "style", "text")

    def __init__(
        self,
        text: str,
        data: Data,
        leaf: Leaf | None = None,
        *,
        at: int = 0,
        style: str = "",
    ) -> None:
        self.text = text
        self.data = data
        self.leaf = leaf
        self.at = at
        self.style = style


class Entry:
    """A member or item: ``lead + head + value + post`` and, after its comma, ``trail``.

    ``steps`` is its path from the collection that holds it: one key or index, or several for a dotted key
    or the header of a table.  ``head[:sign]`` is its key with the colon, or its dash; ``sign`` is None if
    that is unknown.  ``key`` identifies it among its siblings.  If it is ``listed``, several siblings have
    this key, and their order matters.  A comment or an empty line between entries has no ``value``: its
    text is the ``lead``.
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
        """The entry's content."""
        assert self.value is not None
        return self.value.data

    @property
    def tree(self) -> Tree:
        """The collection that is the entry's value."""
        assert isinstance(self.value, Tree)
        return self.value

    @property
    def text(self) -> str:
        """The entry's text, without its comma and the trail."""
        return self.lead + self.rest

    @property
    def rest(self) -> str:
        """The entry's text without the lead."""
        return self.head + (self.value.text if self.value is not None else "") + self.post


class Tree:
    """A collection: its entries in the text's order.

    For a collection in brackets, ``open`` and ``close`` are the brackets, ``tail`` is the text before the
    closing one, and ``comma`` says whether the last entry has a comma.  In other collections, each entry
    has its own lines.  ``column`` is where they begin, or None if each line has its own indentation or none.
    ``inline`` says that the first entry follows something else on its line.  ``bare`` marks a document of
    only comments, and ``unclear`` a text that cannot be divided into separate lines everywhere.
    ``fuller`` marks a tree whose ``data`` has more than the scanned trees, such as which values are aliases.
    ``habits`` caches what a format looked up in the whole text to spell new values: reading it again for each
    of many changes would take quadratic time.
    """

    __slots__ = (
        "_counted", "_places", "bare", "close", "column", "comma", "data", "entries", "fuller", "habits",
        "inline", "kind", "open", "tail", "unclear",
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
        self.bare = False
        self.unclear = False
        self.fuller = False
        self.habits: Any = None
        self._places: dict[Path, int] = {}
        self._counted = 0  # how many entries `_places` knows

    @property
    def flow(self) -> bool:
        """Whether it is between brackets."""
        return self.open != ""

    @property
    def text(self) -> str:
        """The text of the tree."""
        out = [self.open]
        last = len(self.entries) - 1
        for at, entry in enumerate(self.entries):
            out.append(entry.text)
            if self.open:
                out += ["," if at < last or self.comma else "", entry.trail]
        return "".join([*out, self.tail, self.close])

    @property
    def members(self) -> list[Entry]:
        """The entries that have values, without comments and empty lines."""
        return [entry for entry in self.entries if entry.value is not None]

    @property
    def last(self) -> Entry | None:
        """The last of the `members`."""
        return next((entry for entry in reversed(self.entries) if entry.value is not None), None)

    def ending(self) -> str:
        """Return the end of the text: the texts of the last entries, back to one that is not blank."""
        end = ""
        for entry in reversed(self.entries):
            end = entry.text + end
            if end.strip():
                break
        return end

    def on(self, path: Path) -> list[Entry]:
        """Return the members on a path, in order: those whose steps are the path's first ones."""
        entries = self.entries
        if self._counted != len(entries):  # an entry was added or removed
            self._counted = len(entries)
            self._places = {}
            for number, entry in enumerate(entries):
                if entry.value is not None and entry.steps:
                    self._places[entry.steps] = -1 if entry.steps in self._places else number
        found = [self._places.get(path[:size]) for size in range(1, len(path) + 1)]
        numbers = sorted(number for number in found if number is not None)
        if all(
            number >= 0 and entries[number].steps == path[: len(entries[number].steps)] for number in numbers
        ):
            return [entries[number] for number in numbers]
        # Several members have the same steps, or changes have moved some.
        return [
            entry
            for entry in entries
            if entry.value is not None and entry.steps and entry.steps == path[: len(entry.steps)]
        ]


def lines(text: str, start: int, end: int) -> list[Entry]:
    """Return the comments and empty lines of a span as one entry for each line."""
    return [Entry((), line, key=("text", line.strip())) for line in LINE.findall(text, start, end)]


def by_collection(document: Document) -> dict[int, list[Scope | Leaf]]:
    """Return the items of each collection, by the id of its scope."""
    found: dict[int, list[Scope | Leaf]] = defaultdict(list)
    for item in document.items:
        around = item.scope if isinstance(item, Leaf) else item.parent
        if around is not None:
            found[id(around)].append(item)
    return found


def in_brackets(
    text: str,
    scope: Scope,
    items: Mapping[int, list[Scope | Leaf]],
    gap: re.Pattern[str],
    block: tuple[int, int] | None = None,
) -> Tree:
    """Return the collection in brackets that a scan found.  ``gap`` matches blanks and comments.

    ``block`` is the span of the ``sops`` block in it, which is no item.
    """
    tree = Tree("seq" if scope.listed else "map", {}, brackets="[]" if scope.listed else "{}")
    members: list[tuple[Entry, int, int]] = []
    for steps, item in members_of(scope, items):
        value = single(text, item) if isinstance(item, Leaf) else in_brackets(text, item, items, gap)
        key = None if scope.listed else steps[0] if len(steps) == 1 else steps
        members.append((Entry(steps, "", "", value, key=key, listed=scope.listed), item.start, item.end))
    if block is not None:
        found = gap.match(text, text.index(":", block[0]) + 1)
        assert found is not None  # it matches every text
        start, end = found.end(), block[1]
        members.append((Entry(("sops",), "", value=Single(text[start:end], {}), key="sops"), start, end))
        members.sort(key=lambda member: member[1])
    fill(tree, text, scope.start + 1, scope.end - 1, members, gap)
    for entry in tree.entries:
        entry.sign = len(entry.head.rstrip(" \t\r\n"))
    tree.data = data_of(tree)
    return tree


def members_of(scope: Scope, items: Mapping[int, list[Scope | Leaf]]) -> list[tuple[Path, Scope | Leaf]]:
    """Return the members of a collection in brackets, in the text's order.  A dotted key is one member."""
    found: list[tuple[Path, Scope | Leaf]] = []
    for item in items.get(id(scope), ()):
        assert item.step is not None
        if item.start >= 0:
            found.append(((item.step,), item))
        elif isinstance(item, Scope):
            found += [((item.step, *steps), inner) for steps, inner in members_of(item, items)]
    return sorted(found, key=lambda member: member[1].start)


def single(text: str, leaf: Leaf, style: str = "") -> Single:
    """Return a single value that a scan found."""
    return Single(text[leaf.start : leaf.end], (leaf.type, leaf.data), leaf, style=style)


def fill(
    tree: Tree, text: str, at: int, end: int, members: Sequence[tuple[Entry, int, int]], gap: re.Pattern[str]
) -> bool:
    """Add members to a collection with ``text[at:end]`` in its brackets.

    They are given with the starts and ends of their values.  ``gap`` matches blanks and comments.  Returns
    False if a comma is missing.
    """
    commas = True
    for entry, start, stop in members:
        commas = commas and (tree.comma or not tree.entries)
        found = gap.match(text, at, start)
        head = found.end() if found else at
        entry.lead, entry.head = text[at:head], text[head:start]
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


LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
"""A line of a text or of a span, with its line break."""
_REST_OF_LINE = re.compile(r"[ \t]*#[^\r\n]*")
_INDENT = re.compile(r"(?:\r\n?|\n)[ \t]*\Z")


def line_bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the start and end of the lines that a span is in."""
    stop = end if end > start and text[end - 1] == "\n" else text.find("\n", end) + 1 or len(text)
    return text.rfind("\n", 0, start) + 1, stop


def data_of(tree: Tree) -> Data:
    """Compute the content of a tree from the content of its entries."""
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


def descend(root: Entry, path: Path) -> tuple[list[Entry], Path]:
    """Return the entries along a path, as far as it exists, and the steps that remain.

    Of several entries with the same path, it is the last one, which counts for readers.
    """
    chain, rest = [root], path
    for entry in reversed(root.value.on(path)) if path and isinstance(root.value, Tree) else ():
        inner, missing = descend(entry, path[len(entry.steps) :])
        if len(missing) < len(rest):
            chain, rest = [root, *inner], missing
        if not missing:
            break
    return chain, rest


def path_of(chain: Sequence[Entry]) -> Path:
    """Return the path of the last entry of a chain, from the first one."""
    return tuple(step for entry in chain for step in entry.steps)


def nested(path: Sequence[str | int], value: Plain) -> Plain:
    """Return the value inside new collections, one for each step."""
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [value]
    return value


def append(tree: Tree, member: str, gap: str = "") -> None:
    """Add a last member to a collection in brackets, with the same spacing as the member before it.

    A single member shows no spacing; then ``gap`` follows its comma.
    """
    new = Entry((), "", value=Single(member, {}))
    if tree.entries:
        last = tree.entries[-1]
        indent = _INDENT.search(last.lead)
        new.lead = last.lead
        if "#" in new.lead:  # do not repeat a comment
            new.lead = indent[0] if indent else " "
        elif not new.lead and len(tree.entries) == 1:
            new.lead = gap
        new.post, last.post = last.post, ""
        if indent is None:  # the comment after the last member ends the line
            new.trail, last.trail = last.trail, ""
    else:
        tree.tail = ""
    tree.entries.append(new)


def take(tree: Tree, entry: Entry) -> None:
    """Remove a member of a collection in brackets, one comma, and the comment after it on its line.

    Other comments stay.
    """
    entries = tree.entries
    at = entries.index(entry)
    lead = entry.lead
    del entries[at]
    if at < len(entries):
        following = entries[at]
        if ("\n" in lead and "\n" not in following.lead) or (at == 0 and "#" not in following.lead):
            following.lead = lead
        elif "#" in lead:
            following.lead = _joined(lead, following.lead)
        return
    if entries:
        entries[-1].post = entry.post
    else:
        tree.comma = False
        if "#" not in lead + tree.tail:
            tree.tail = ""
    if "#" in lead or ("\n" in lead and "\n" not in tree.tail and entries and entries[-1].trail):
        tree.tail = _joined(lead, tree.tail)


def _joined(first: str, second: str) -> str:
    """Return the comments of two places, the second of which begins on the line of the first one's end."""
    return _INDENT.sub("", first) + second if "\n" in second else first + second.strip(" \t")


def line_after(before: str, steps: Path, head: str, value: str, newline: str) -> Entry:
    """Return an entry that is one line, for the end of a text that may lack its last line break."""
    lead = newline if before and before[-1] != "\n" else ""
    return Entry(steps, lead, head, Single(value, {}), newline)


def gap_before(end: str, newline: str) -> str:
    """Return the line breaks between the ``end`` of a text and a new section: they leave an empty line."""
    broken = newline if end and not end.endswith("\n") else ""
    return broken + newline if end.strip() else broken
