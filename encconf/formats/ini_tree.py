"""The tree of an INI text, and how values and sections are written into it."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import count

from encconf.errors import EmitError
from encconf.formats import ini
from encconf.formats.ini import INDENTED, SOPS
from encconf.formats.writing import StringWriting, string_of
from encconf.text.document import Document, Leaf, Scope, content_of, newline_of
from encconf.text.tree import (
    Entry,
    Single,
    Tree,
    descend,
    gap_before,
    line_after,
    line_bounds,
    lines,
    path_of,
    single,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Plain
    from encconf.text.path import Path


class IniWriting(StringWriting):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text: sections, and the keys before the first one.

        Several sections may have the same name.  In a text with the rules of configparser, every value has
        the style of an indented one, so that new values are spelled by these rules.
        """
        part = document.parts[0]
        style = INDENTED if part.indent else None
        text = document.text
        content: Any = content_of(document)[0]
        whole = here = Tree("map", content)
        whole.habits = newline_of(text), style == INDENTED
        at = 0
        numbers: dict[str, count[int]] = defaultdict(count)
        places: list[tuple[int, int, Scope | Leaf | None]] = []
        if part.block is not None:
            places.append((*part.block, None))
        for item in document.items:
            if isinstance(item, Leaf):
                places.append((*line_bounds(text, item.start, item.end), item))
            elif item.head >= 0:
                places.append((item.head, line_bounds(text, item.head, item.head)[1], item))
        for start, stop, found in sorted(places, key=lambda each: each[0]):
            (here if isinstance(found, Leaf) else whole).entries += lines(text, at, start)
            at = stop
            if isinstance(found, Leaf):
                name, value = str(found.step), single(text, found, style or found.style)
                steps = (name,) if here is not whole else (ini.DEFAULT, name)
                head, post = text[start : found.start], text[found.end : stop]
                here.entries.append(Entry(steps, "", head, value, post, key=name))
                continue
            name = str(found.step) if found is not None else SOPS
            here = Tree("map", content.get(name, {}))
            key = ("section", name, next(numbers[name]))
            whole.entries.append(Entry((name,), "", text[start:stop], here, key=key))
        whole.entries += lines(text, at, len(text))
        return whole

    def check(self, path: Path, value: Plain) -> None:
        """Raise EmitError unless INI can hold it: a single value in a section, or a section of those."""
        if len(path) == 1 and isinstance(value, dict) and value:
            for name, item in value.items():
                self.check((*path, name), item)
            return
        if isinstance(value, (dict, list)):
            raise EmitError("INI has single values, not mappings or lists")
        if len(path) != 2 or not all(isinstance(step, str) and step for step in path):
            raise EmitError("a path in an INI file is a section and a key")

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a value, in the same quotes if they can hold the new one, or all keys of a section."""
        if isinstance(value, dict):
            self._put_section(chain[0], chain[-1].steps, value)
            return
        old = chain[-1].value
        assert isinstance(old, Single)
        text, rest = string_of(value), chain[-1].post.partition("\n")[0]
        if old.style == INDENTED:
            newline, _ = chain[0].tree.habits
            spelled = _indented(text, newline)
        else:
            spelled = ini.spelled_as(old.style, text, rest, after_blank=bool(old.text))
        chain[-1].value = Single(spelled, {})

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a key as the last one of its section, or a section at the end of the text."""
        whole, here = chain[0].tree, chain[-1].tree
        if isinstance(value, dict):
            self._put_section(chain[0], path, value)
            return
        newline, indented = whole.habits
        spelled = _indented(string_of(value), newline) if indented else ini.spell(string_of(value))
        siblings = [entry for entry in here.members if entry.steps[:-1] == path[:-1]]
        head = f"{path[-1]} = "
        if siblings:
            sign = re.search(r"[ \t]*[=:][ \t]*", siblings[-1].head)
            head = f"{path[-1]}{sign[0] if sign else ' = '}"
            new = line_after(siblings[-1].text, path, head, spelled, newline)
            here.entries.insert(here.entries.index(siblings[-1]) + 1, new)
        elif here is not whole:
            here.entries.append(line_after(chain[-1].head, path, head, spelled, newline))
        else:
            section = Tree("map", {})
            section.entries.append(line_after("", path[1:], head, spelled, newline))
            before = gap_before(whole.ending(), newline)
            whole.entries.append(Entry(path[:1], before, f"[{path[0]}]{newline}", section))

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove a key with its line, or a section with all its keys."""
        entry = chain[-1]
        if isinstance(entry.value, Single):
            chain[-2].tree.entries.remove(entry)
            if chain[1].steps[0] == ini.DEFAULT:
                _drop_default(chain[0].tree)
            chain, rest = descend(chain[0], path_of(chain))
            if not rest:  # another section of the same name has the key, too
                self.remove(chain, rest)
        else:
            whole = chain[0].tree
            whole.entries = _without_section(whole.entries, path or entry.steps)

    def drop_plain(self, tree: Any, path: Path) -> None:
        """Remove a value.  Every INI text has a section DEFAULT for sops, so it is nothing without keys."""
        super().drop_plain(tree, path)
        if path[0] == ini.DEFAULT and not tree.get(ini.DEFAULT, True):
            del tree[ini.DEFAULT]

    def _put_section(self, root: Entry, path: Path, values: dict[str, Plain]) -> None:
        """Give a section exactly these keys.  Keys that it has already keep their place."""
        data: Any = root.data
        (section,) = path
        for name, value in values.items():
            self.put(root, (*path, name), value)
        for name in data.get(section, {}):
            if name not in values:
                self.drop(root, (*path, name))


def _indented(value: str, newline: str) -> str:
    """Return a value as it is written for configparser: without quotes, continued in indented lines."""
    return value.replace("\n", f"{newline}    ")


def _drop_default(whole: Tree) -> None:
    """Remove the headers of ``DEFAULT`` if it has no keys: sops would have the section twice."""
    default = [entry for entry in whole.members if entry.steps[0] == ini.DEFAULT]
    if any(isinstance(entry.value, Single) or entry.tree.members for entry in default):
        return
    entries: list[Entry] = []
    for entry in whole.entries:
        entries += entry.tree.entries if entry in default else [entry]
    whole.entries = entries


def _without_section(entries: list[Entry], path: Path) -> list[Entry]:
    """Return the entries without a section and the comments above its header.

    The comments above the header of the next section stay.
    """
    kept: list[Entry] = []
    comments: list[Entry] = []
    inside = path == (ini.DEFAULT,)  # the keys before the first header belong to DEFAULT
    for entry in entries:
        if entry.lead.lstrip()[:1] in ("#", ";"):
            comments.append(entry)
            continue
        if len(entry.steps) == 1:
            inside = entry.steps == path
        if not inside:
            kept += [*comments, entry]
        comments = []
    return kept if inside else kept + comments
