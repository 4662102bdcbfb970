"""The tree of a TOML text, and how values are written into it.

The entries of a text are statements, tables, and the elements of arrays of tables with their contents.  A
new key follows the last key of its table, and a new table is added at the end of the text.  If a value
replaces several entries, such as a table with a header, they are removed first.
"""

from __future__ import annotations

from itertools import pairwise

from encconf.errors import EmitError, EncconfError
from encconf.formats import toml
from encconf.formats.toml import BARE, GAP
from encconf.formats.writing import Writing, drop_plain
from encconf.text.document import Document, Leaf, Scope, content_of, newline_of, reached
from encconf.text.tree import (
    Entry,
    Single,
    Tree,
    append,
    by_collection,
    data_of,
    gap_before,
    in_brackets,
    line_bounds,
    lines,
    nested,
    path_of,
    single,
    take,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Plain
    from encconf.text.path import Path


class TomlWriting(Writing):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text."""
        text, items = document.text, by_collection(document)
        data: Any = content_of(document)[0]
        whole = Tree("map", data)
        # The paths and trees around a statement: the whole text, and elements of arrays of tables.
        inside: list[tuple[Path, Tree]] = [((), whole)]
        table: Path = ()
        here, at = whole, 0
        for place, item in _statements(document):
            if item.start >= 0:
                start, end = line_bounds(text, place, item.end)
                here.entries += lines(text, at, start)
                steps = item.path[len(table) :]
                value = single(text, item) if isinstance(item, Leaf) else in_brackets(text, item, items, GAP)
                head, post = text[start : item.start], text[item.end : end]
                here.entries.append(Entry(steps, "", head, value, post, key=steps))
            else:
                start, end = line_bounds(text, place, place)
                path = table = item.path
                while inside[-1][0] != path[: len(inside[-1][0])]:
                    inside.pop()
                above, outer = inside[-1]
                outer.entries += lines(text, at, start)
                here = Tree("map", reached(data, path)[1])
                steps = path[len(above) :]
                listed = isinstance(item.step, int)
                key = ("array", *steps[:-1]) if listed else ("table", *steps)
                outer.entries.append(Entry(steps, "", text[start:end], here, key=key, listed=listed))
                if listed:
                    inside.append((path, here))
            at = end
        whole.entries += lines(text, at, len(text))
        return whole

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a value.  Strings keep their quotes, and dates stay dates."""
        old = chain[-1].value
        if isinstance(old, Tree) and not old.flow:
            self._replace_table(chain, (), value)
            return
        value = nested(path, value)
        newline = _newline(chain)
        spelled = None
        leaf = old.leaf if isinstance(old, Single) else None
        if isinstance(value, str) and leaf is not None:
            if leaf.style != BARE:
                spelled = toml.string(leaf.style, str(leaf.note or ""), newline, value)
            elif leaf.type == "str" and _is_time(value):
                spelled = value
        chain[-1].value = Single(_spell(value, newline) if spelled is None else spelled, {})

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value, with the part of its path that the table or array does not have yet."""
        here = chain[-1].tree
        newline = _newline(chain)
        there, outer = reached(here.data, path)
        if there == len(path):
            self._replace_table(chain, path, value)
            return
        if here.flow:
            key = _dotted(path[: there + 1]) if here.kind == "map" else ""
            member = _spell(nested(path[there + 1 :], value), newline)
            _append(here, f"{key} = {member}" if key else member)
            return
        names = [step for step in path_of(chain) + path[:there] if isinstance(step, str)]
        if isinstance(outer, list):
            _add_table(chain, names, nested(path[there + 1 :], value), array=True)
            return
        new = next((at for at in range(there, len(path)) if isinstance(path[at], int)), len(path))
        value = nested(path[new:], value)
        steps = path[:new]
        if len(chain) == 1 and not there and (len(steps) > 1 or (isinstance(value, dict) and value)):
            if isinstance(value, dict):
                _add_table(chain, list(map(str, steps)), value)
            else:
                _add_table(chain, list(map(str, steps[:-1])), {str(steps[-1]): value})
            return
        known = [
            entry for entry in here.members if entry.steps[:there] == path[:there] and not _is_table(entry)
        ]
        if known or not there:
            last = known[-1] if known else None
            before = last.text if last is not None else chain[-1].head
            broken = not before or before.endswith("\n")
            new_entry = Entry(
                steps, "" if broken else newline, f"{_dotted(steps)} = ", Single(_spell(value, newline), {}),
                newline if broken else "",
            )  # fmt: skip
            here.entries.insert(here.entries.index(last) + 1 if last is not None else 0, new_entry)
        else:  # only tables inside this one have a header
            _add_table(chain, names, nested(path[there:new], value))

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove a value with its line, an item with its comma, or a table with its contents."""
        outer = chain[-2 if not path else -1].tree
        whole = (*path_of(chain), *path)
        parent = whole[:-1]
        data = reached(chain[0].data, parent)[1]
        steps = path or chain[-1].steps
        if outer.flow:
            for entry in [each for each in outer.members if each.steps[: len(steps)] == steps]:
                take(outer, entry)
            outer.data = data_of(outer)
        else:
            outer.entries = _without(outer.entries, steps)
            root = chain[0].tree
            root.entries = _without(root.entries, whole)  # tables inside that have headers of their own
        del data[whole[-1]]
        if not _has_entry(chain[0].value, parent):
            empty: Plain = [] if isinstance(data, list) else {}
            drop_plain(chain[0].data, parent)
            self.put(chain[0], parent, empty)

    def _replace_table(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a table that has a header, or that is written in several places."""
        whole = (*path_of(chain), *path)
        here = chain[-1].value
        if whole and not isinstance(whole[-1], int):
            self.remove(chain, path)
            self.put(chain[0], whole, value)
        elif not path and isinstance(here, Tree) and isinstance(value, dict):  # the header stays
            newline = _newline(chain)
            before = "" if len(chain) == 1 or chain[-1].head.endswith("\n") else newline
            members = before + "".join(f"{line}{newline}" for line in _members_of(value, newline))
            here.entries = [Entry((), members), *_without(here.entries, ())]
            if whole:  # tables inside may come after another table
                root = chain[0].tree
                at = root.entries.index(chain[1])
                root.entries[at + 1 :] = _without(root.entries[at + 1 :], whole)
        elif not whole:
            raise EmitError("the top level must be a table", hint="name a key to put the value under")
        else:
            raise EmitError("a table of an array cannot be replaced", hint=_HINT)


_HINT = "change it with: encconf edit FILE"


def _statements(document: Document) -> list[tuple[int, Scope | Leaf]]:
    """Return the headers of tables, and the values outside of brackets, with their places, in text order."""
    found: list[tuple[int, Scope | Leaf]] = []
    enclosed: set[int] = set()  # the collections in brackets, and those inside
    for item in document.items:
        around = item.scope if isinstance(item, Leaf) else item.parent
        outside = id(around) not in enclosed
        if isinstance(item, Scope):
            if item.start >= 0 or not outside:
                enclosed.add(id(item))
            if item.head >= 0:
                found.append((item.head, item))
        if item.start >= 0 and outside:
            found.append((item.start, item))
    return sorted(found, key=lambda each: each[0])


def _append(here: Tree, member: str) -> None:
    """Add a last member or item to an array or inline table."""
    if not here.entries and here.tail.strip():  # it has only a comment
        gap = "" if here.tail[0].isspace() else " "
        here.entries.append(Entry((), "", value=Single(member + gap, {})))
    else:
        append(here, member, " ")


def _add_table(chain: list[Entry], names: list[str], members: Plain, *, array: bool = False) -> None:
    """Add a table at the end of the text, or of the element of an array of tables that it belongs to."""
    if not isinstance(members, dict):
        raise EmitError("an array of tables cannot hold other values", hint="use a mapping")
    whole = chain[0].tree
    newline = _newline(chain)
    name = _dotted(names)
    laid = newline.join([f"[[{name}]]" if array else f"[{name}]", *_members_of(members, newline)])
    for outer, entry in reversed([*pairwise(chain)]):
        siblings = outer.tree.entries
        later = [each for each in siblings[siblings.index(entry) :] if entry.listed and each.key == entry.key]
        if later[1:]:  # at the end of the text, the table would belong to the last element of the array
            at = siblings.index(later[1])
            before = newline if siblings[at - 1].text.strip() else ""
            siblings.insert(at, Entry((), before + laid + newline * 2))
            return
    text = whole.ending()
    before = gap_before(text, newline)
    after = newline if not text or text.endswith("\n") else ""
    whole.entries.append(Entry((), before + laid + after))


def _members_of(table: dict[str, Plain], newline: str) -> list[str]:
    """Return a line for each member of a table."""
    return [f"{toml.spell_key(key)} = {_spell(item, newline)}" for key, item in table.items()]


def _without(entries: list[Entry], steps: Path) -> list[Entry]:
    """Return the entries without those at a path, and without the empty line before a removed header.

    Comments stay.
    """
    kept: list[Entry] = []
    for before, entry in zip([None, *entries], entries, strict=False):
        if entry.value is None or entry.steps[: len(steps)] != steps:
            kept.append(entry)
        elif _is_table(entry):
            if kept and kept[-1] is before and not before.text.strip("\r\n"):
                kept.pop()
            kept += _without(entry.tree.entries, ())
    return kept


def _is_table(entry: Entry) -> bool:
    return isinstance(entry.value, Tree) and not entry.value.flow


def _has_entry(node: Tree | Single | None, path: Path) -> bool:
    """Whether a tree has an entry at a path or below it."""
    if not path or not isinstance(node, Tree):
        return not path
    return any(
        entry.steps[: len(path)] == path
        or (entry.steps == path[: len(entry.steps)] and _has_entry(entry.value, path[len(entry.steps) :]))
        for entry in node.members
    )


def _newline(chain: list[Entry]) -> str:
    tree = chain[0].tree
    if tree.habits is None:
        tree.habits = newline_of(tree.text)
    return str(tree.habits)


def _dotted(names: list[str] | Path) -> str:
    return ".".join(toml.spell_key(str(name)) for name in names)


def _spell(value: Plain, newline: str) -> str:
    return toml.spell(value).replace("\n", newline)


def _is_time(value: str) -> bool:
    try:
        (leaf,) = toml.Toml().scan(f"k = {value}").leaves
    except (EncconfError, ValueError):
        return False
    return leaf.style == BARE and leaf.type == "str" and leaf.data == value.encode()
