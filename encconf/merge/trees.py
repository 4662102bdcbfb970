"""Merge three trees of a text into one text, piece by piece.

Every entry is merged separately: its value, its key's spelling, the comment after it.  Entries that one
side added, removed or moved are added, removed or moved in the result.  If both sides changed the same
piece, ``prefer`` selects the side, and the path is added to ``conflicts``.  Values are never merged line by
line.  A piece that moves from one version into another gets the indentation of its new place.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from encconf import formats
from encconf.errors import EmitError
from encconf.merge import values
from encconf.merge.values import frozen, moved, pairs, weave
from encconf.record import Record
from encconf.text.document import Document, content_of, has_crlf
from encconf.text.tree import Entry, Single, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Any, Literal, TypeVar

    from encconf.merge.values import Side, Slot
    from encconf.text.path import Path
    from encconf.text.tree import Data

    T = TypeVar("T")
    Sides = tuple[list[Entry], list[Entry], list[Entry]]
    """The entries with one key in base, ours and theirs."""
    Triple = tuple[Entry | None, Entry | None, Entry | None]
    Trees = tuple[Tree | None, Tree, Tree]
    Texts = tuple[str | None, str | None, str | None]
    Columns = tuple[int, int, int, int]
    """Where the lines around an entry begin: in base, ours, theirs, and in the result."""


class Reading(Record):
    """A plaintext: its ``tree``, and the ``data`` of its documents.

    ``document`` is the scanned document.  It is None for a text without a document, and for a text whose
    tree is without its byte order mark or carriage returns.
    """

    tree: Tree
    data: list[Data]
    document: Document | None


def read(text: str, format: str, *, comments: bool = False) -> Reading:
    """Read a plaintext.  With ``comments``, its document has the comments, too.

    The tree is without the byte order mark and has plain line feeds, since these are settings of the whole
    file.  Raises ParseError, and EmitError for a text that cannot be divided into entries.
    """
    bare = text.removeprefix("\ufeff")
    if has_crlf(text):
        bare = bare.replace("\r\n", "\n")
    found = _read(bare, format, comments)
    if found.tree.unclear or found.tree.text != bare:
        raise EmitError("the layout of the text cannot be merged entry by entry")
    return found if bare == text else Reading(found.tree, _read(text, format).data, None)


def _read(text: str, format: str, comments: bool = False) -> Reading:
    document = formats.scan_any(text, format, comments=comments)
    scanned = document if document.items else None
    tree = formats.writing_of(document.format).tree(document)
    if tree.fuller:
        return Reading(tree, tree.data if isinstance(tree.data, list) else [tree.data], scanned)
    return Reading(tree, content_of(document), scanned)


HEADER = re.compile(r"[|>][-+0-9]*([ \t]*(?:[ \t]#[^\n]*)?)(?=\n)")
"""The header of a block scalar.  A comment in it is not part of the value."""
_COMMENT = re.compile(r"[#;][^\n]*")


def comments(block: Tree) -> Counter[str]:
    """Count each comment in a tree.  Everything outside of values that looks like a comment counts."""
    found = Counter(_comments(block.tail))
    for entry in block.entries:
        found.update(_comments(f"{entry.lead}\n{entry.head}\n{entry.post}\n{entry.trail}"))
        if isinstance(entry.value, Tree):
            found.update(comments(entry.value))
        elif entry.value is not None and isinstance(entry.value.data, (dict, list)):
            found.update(_comments(entry.value.text))  # a collection treated as one value
        elif entry.value is not None and (header := HEADER.match(entry.value.text)):
            found.update(_comments(header[1]))
    return found


def _comments(text: str) -> list[str]:
    return [comment.rstrip() for comment in _COMMENT.findall(text)]


# --- the merge -------------------------------------------------------------------------------------

_SIDES = ("base", "ours", "theirs")
_DOCUMENT = re.compile(r"(?m)^---(?=[ \r\n]|\Z)")


class Merge:
    """One merge.  Where both sides changed the same piece, it uses that of the side ``prefer``."""

    def __init__(self, prefer: Side) -> None:
        self.prefer = prefer
        self.conflicts: list[Path] = []
        self.ids: dict[Entry, Hashable] = {}  # the same for all versions of an entry

    def run(self, base: Tree, ours: Tree, theirs: Tree) -> str:
        """Return the merged text.  Raises EmitError if the trees cannot be merged."""
        return self._block((base, ours, theirs), (0, 0, 0, 0), ())

    # Collections.

    def _block(self, trees: Trees, columns: Columns, path: Path) -> str:
        """Merge a collection that has the same shape in all versions that have it."""
        base, ours, theirs = trees
        members = self._members(trees, path)
        plan = self._plan(trees, members, path)
        if ours.flow:
            return self._flow(trees, plan, members, columns, path)
        column = None
        if ours.column is not None:
            assert theirs.column is not None
            was = base.column if base is not None and base.column is not None else theirs.column
            relative = either(was - columns[0], ours.column - columns[1], theirs.column - columns[2])
            column = columns[3] + relative
            columns = (was, ours.column, theirs.column, column)
        out: list[str] = []
        for step in plan:
            if out and not out[-1].endswith("\n"):
                out.append("\n")
            if isinstance(step, tuple):
                side, text = chosen(step, columns)
                line = shifted(text, columns[3] - columns[side], first=True)
                out.append("\n" + line if not out and ours.inline else line)
                continue
            body = self._entry(members[self.ids[step]], columns, (*path, *steps_of(step, self.ids[step])))
            if body is None:
                continue
            if ours.kind == "stream" and out and not _DOCUMENT.search(body):
                body = "---\n" + body
            out.append(body if column is None or (not out and ours.inline) else " " * column + body)
        if ours.kind == "stream" and not out:
            return either(base.tail if base else "", ours.tail, theirs.tail)
        return "".join(out)

    def _members(self, trees: Trees, path: Path) -> dict[Hashable, Triple]:
        """Return each version of the result's entries, by their ids.  Also sets ``ids``."""
        members: dict[Hashable, Triple] = {}
        found: dict[Hashable, Sides] = {}
        for number, tree in enumerate(trees):
            for entry in tree.members if tree is not None else ():
                found.setdefault(entry.key, ([], [], []))[number].append(entry)
        for key, sides in found.items():
            one = next(entry for side in sides for entry in side)
            if one.listed:
                members |= self._items(key, sides, path, stream=trees[1].kind == "stream")
                continue
            identity = ("key", key)
            self.ids |= dict.fromkeys((entry for side in sides for entry in side), identity)
            was, here, there = (side[0] if side else None for side in sides)
            kept = self._kept((was, here, there), path)
            if kept is not None:
                members[identity] = kept
        return members

    def _items(self, key: Hashable, sides: Sides, path: Path, *, stream: bool) -> dict[Hashable, Triple]:
        """As `_members`, for the items of a list."""
        was, here, there = sides
        before, mine, others = ([entry.data for entry in side] for side in sides)
        if stream and values.are_paired(before, mine, others):
            slots: list[Slot] = [(at if at < len(was) else None, at, at) for at in range(len(here))]
        else:
            slots, clash = values.lists(before, mine, others, self.prefer)
            if clash:
                self.conflicts.append((*path, *(*here, *there)[0].steps[:-1]))
        members: dict[Hashable, Triple] = {
            ("item", key, number): entries_at(sides, slot) for number, slot in enumerate(slots)
        }
        ids = {each: identity for identity, triple in members.items() for each in triple if each is not None}
        # An item gets the id of the same item in the base, even if it is removed: ids tell where it was.
        tokens = [frozen(entry.data) for entry in was]
        for side in (here, there):
            found_at = pairs(tokens, [frozen(entry.data) for entry in side])
            for entry, at in zip(was, found_at, strict=True):
                if at is None:
                    continue
                other = side[at]
                known = ids.get(entry, ids.get(other, ("removed", id(entry))))
                ids.setdefault(entry, known)
                ids.setdefault(other, known)
        for entry in (*was, *here, *there):
            ids.setdefault(entry, ("removed", id(entry)))
        self.ids |= ids
        return members

    def _kept(self, triple: Triple, path: Path) -> Triple | None:
        """Return the versions of a mapping's entry to merge, or None if it is removed."""
        was, here, there = triple
        if was is None or (here is not None and there is not None):
            return was, here, there
        left = here or there
        if left is None or left.data == was.data:
            return None
        self.conflicts.append((*path, *was.steps))
        if self.prefer == "base":
            return was, None, None
        keeps: Side = "ours" if here is not None else "theirs"
        return (None, here, there) if self.prefer == keeps else None

    def _plan(self, trees: Trees, members: dict[Hashable, Triple], path: Path) -> list[Entry | Texts]:
        """Return the entries and lines of the result, in order."""
        sides = [tree.entries if tree is not None else [] for tree in trees]
        names = [[self.ids.get(entry, entry.key) for entry in side] for side in sides]
        slots = weave(*names)
        dropped = self._comments(slots, sides, path)
        present = [set(side) for side in names]
        plan: list[Entry | Texts] = []
        seen: set[Hashable] = set()
        for number, slot in enumerate(slots):
            side, index = next((side, at) for side in (1, 2, 0) if (at := slot[side]) is not None)
            entry = sides[side][index]
            if entry.value is None:
                if number not in dropped:
                    plan.append(texts_of(entries_at(sides, slot), "lead"))
                continue
            id = self.ids[entry]
            if id not in members or id in seen or moved(slot, id in present[1], id in present[2]):
                continue
            seen.add(id)
            plan.append(entry)
        order: dict[Hashable, list[int]] = {}
        for step in plan:
            name = self.ids[step] if isinstance(step, Entry) else None
            if isinstance(name, tuple) and name[0] == "item":
                order.setdefault(name[1], []).append(name[2])
        if len(seen) != len(members) or any(numbers != sorted(numbers) for numbers in order.values()):
            raise EmitError("the entries cannot be put in order")
        return plan

    def _comments(self, slots: list[Slot], sides: list[list[Entry]], path: Path) -> set[int]:
        """Return the numbers of the slots whose lines are removed.  Both sides may change one comment."""
        dropped: set[int] = set()
        alone: tuple[list[int], ...] = ([], [], [])  # since the last slot that stays: comments of one side

        def finish() -> None:
            gone = [0]
            if all(alone):
                self.conflicts.append(path)
                gone = [side for side in range(3) if _SIDES[side] != self.prefer]
            dropped.update(number for side in gone for number in alone[side])
            for numbers in alone:
                numbers.clear()

        for number, slot in enumerate(slots):
            there = [side for side in range(3) if slot[side] is not None]
            entry = entries_at(sides, slot)[there[0]]
            if entry is None or entry.value is not None or len(there) == 3:
                finish()
            elif len(there) == 1 and entry.lead.strip():
                alone[there[0]].append(number)
            elif there[0] == 0:
                dropped.add(number)
        finish()
        return dropped

    # Brackets.

    def _flow(
        self,
        trees: Trees,
        plan: list[Entry | Texts],
        members: dict[Hashable, Triple],
        columns: Columns,
        path: Path,
    ) -> str:
        base, ours, theirs = trees
        firsts = {id(tree.entries[0]) for tree in trees if tree and tree.entries}
        bodies: list[tuple[Triple, str]] = []
        for step in plan:
            assert isinstance(step, Entry)
            body = self._entry(members[self.ids[step]], columns, (*path, *steps_of(step, self.ids[step])))
            if body is not None:
                bodies.append((members[self.ids[step]], body))

        def fits(entry: Entry | None, first: bool) -> bool:
            """Whether an entry's lead can be used before the first entry, or before a later one."""
            return entry is None or (id(entry) in firsts) == first or "\n" in entry.lead

        @cache
        def usual(first: bool) -> str | None:
            """Return the lead of another entry that fits, preferably of one that both sides have, or None."""
            common = {id(entry): each for each, _ in bodies if each[1] and each[2] for entry in each[1:]}
            entries = sorted([*ours.entries, *theirs.entries], key=lambda each: (id(each) in firsts) != first)
            fitting = [each for each in entries if fits(each, first) and not each.lead.strip()]
            best = next((each for each in fitting if id(each) in common), fitting[0] if fitting else None)
            if best is None:
                return None
            triple = common.get(id(best))
            if triple is not None and all(fits(each, first) for each in triple):
                return self._piece(texts_of(triple, "lead"), columns, path)
            return best.lead

        comma = either(base.comma if base is not None else ours.comma, ours.comma, theirs.comma)
        out: list[str] = []
        for number, (triple, body) in enumerate(bodies):
            first, last = number == 0, number == len(bodies) - 1
            there = [entry for entry in triple if entry is not None]
            own = there[0].lead
            fitting = all(fits(entry, first) for entry in there)
            if fitting and len(there) > 1:
                lead = self._piece(texts_of(triple, "lead"), columns, path)
            elif own.strip():
                lead = own
            else:
                known = usual(first)
                lead = known if known is not None else own if fitting else "" if first else " "
            if len(there) == 1:  # a new entry gets the indentation of its neighbours
                body = shifted(body, depth(lead) - depth(own))
            trail = self._piece(texts_of(triple, "trail"), columns, path)
            out += [lead, body, "" if last and not comma else ",", trail]
        tail = self._piece((base.tail if base is not None else None, ours.tail, theirs.tail), columns, path)
        return f"{ours.open}{''.join(out)}{tail}{ours.close}"

    # Entries.

    def _entry(self, triple: Triple, columns: Columns, path: Path) -> str | None:
        """Merge an entry.  Returns its text without the lead, or None if it is removed."""
        was, here, there = triple
        if here is None or there is None:
            side, entry = next(
                (number, entry) for number, entry in ((1, here), (2, there), (0, was)) if entry is not None
            )
            return taken(entry, columns, side)
        # An empty collection gets the layout of the entry that it is merged with.
        if not there.data:
            there = laid_out_as(there, here, columns[2] - columns[1])
            was = laid_out_as(was, here, columns[0] - columns[1]) if was is not None else None
        elif not here.data:
            here = laid_out_as(here, there, columns[1] - columns[2])
            was = laid_out_as(was, there, columns[0] - columns[2]) if was is not None else None
        same = shape(here) == shape(there)
        if same and (was is None or shape(was) == shape(here)):
            return self._pieces(was, here, there, columns, path)
        if same and (was is None or was.data not in (here.data, there.data)):
            fresh = isinstance(here.value, Tree) and (was is None or values.is_empty(was.data))
            if fresh or here.data == there.data:
                return self._pieces(None, here, there, columns, path)
        if was is not None and was.data == here.data == there.data and was.rest.split() != there.rest.split():
            return taken(there, columns, 2)  # it may have a comment that ours lacks
        found = self._chosen((was, here, there), path)
        return taken(found[1], columns, found[0]) if found is not None else None

    def _pieces(
        self, was: Entry | None, here: Entry, there: Entry, columns: Columns, path: Path
    ) -> str | None:
        """Merge an entry that has the same shape in all versions.  Returns None if it is removed."""
        triple = (was, here, there)
        value: str
        nodes: list[Any] = [entry.value if entry is not None else None for entry in triple]
        if isinstance(here.value, Single):
            found = self._chosen(nodes, path)
            if found is None:
                return None
            side, leaf = found
            value = shifted(leaf.text, columns[3] - columns[side])
            value = self._with_header(value, nodes, columns, path)
        else:
            value = self._block(tuple(nodes), columns, path)
        head = self._piece(texts_of(triple, "head"), columns, path)
        if isinstance(here.value, Tree) and not here.value.flow:
            if here.value.inline and value.startswith("\n"):
                head = head.rstrip(" ")
            if here.value.column is not None and not any(map(is_bare, triple)) and not has_entries(value):
                head = with_empty(head, here.value.kind)
        post = self._piece(texts_of(triple, "post"), columns, path)
        return head + value + post

    def _with_header(self, value: str, leaves: list[Single | None], columns: Columns, path: Path) -> str:
        """Put the merged comment into the header of a block scalar.  Other values are returned unchanged."""
        headers = [HEADER.match(leaf.text) if leaf is not None else None for leaf in leaves]
        header = HEADER.match(value)
        if header is None:
            return value
        was, here, there = (found[1] if found is not None else None for found in headers)
        comment = self._piece((was, here, there), columns, path)
        return value[: header.start(1)] + comment + value[header.end(1) :]

    def _chosen(self, versions: Sequence[Any], path: Path) -> tuple[int, Any] | None:
        """Return the number of the version that is chosen, and the version, or None if it is removed."""
        was, here, there = versions
        if here.data == there.data:
            return (2, there) if was is not None and here.text == was.text else (1, here)
        if was is not None and here.data == was.data:
            return 2, there
        if was is not None and there.data == was.data:
            return 1, here
        self.conflicts.append(path)
        side = _SIDES.index(self.prefer)
        return (side, versions[side]) if versions[side] is not None else None

    def _piece(self, texts: Texts, columns: Columns, path: Path) -> str:
        """Merge a piece that is not a value: blanks, comments, the spelling of a key."""
        was, here, there = (
            shifted(text, columns[3] - columns[side]) if text is not None else None
            for side, text in enumerate(texts)
        )
        if here is None or there is None:
            return here if here is not None else there if there is not None else was or ""
        if here == was:
            return there
        if here.split() == there.split() or there.split() == (was or "").split():
            return here
        if here.split() == (was or "").split():
            return there
        self.conflicts.append(path)
        piece = {"base": was, "ours": here, "theirs": there}[self.prefer]
        return piece if piece is not None else here


# --- the pieces of an entry in three versions ------------------------------------------------------


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


_COMMENT_AT = re.compile(r"[ \t]#[^\n]*\n?\Z")


def with_empty(head: str, kind: str) -> str:
    """Return a key or dash with an empty collection, for one whose last entry was removed."""
    line = head.rfind("\n", 0, -1) + 1
    comment = _COMMENT_AT.search(head, line)
    end = comment.start() if comment is not None else len(head) - head.endswith("\n")
    before = head[:end].rstrip(" \t")
    rest = head[len(before) :]
    rest = rest if rest.endswith("\n") else rest.rstrip() + "\n"
    return f"{before} {'{}' if kind == 'map' else '[]'}{rest}".lstrip(" ")
