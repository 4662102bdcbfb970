"""The tree of an INI text, and how values and sections are written into it."""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats import ini, ini_text, writing
from encconf.formats.plain import stored_text, string_of
from encconf.text.document import Document, content_of, newline_of
from encconf.text.tree import Entry, Single, Tree, descend, drop, line_after, lines, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.path import Path
    from encconf.text.tree import Plain


stored = stored_text


def tree(document: Document) -> Tree:
    """Return the tree of a scanned text: sections, and the keys before the first one.

    Several sections may have the same name.
    """
    text = document.text
    data: Any = content_of(document)[0]
    whole = here = Tree("map", data)
    at = 0
    seen: dict[str, int] = {}
    for found in ini.entries_of(document):
        if found.kind == "section":
            whole.entries += lines(text, at, found.line)
            seen[found.name] = seen.get(found.name, 0) + 1
            here = Tree("map", data.get(found.name, {}))
            key = ("section", found.name, seen[found.name])
            whole.entries.append(Entry((found.name,), "", text[found.line : found.stop], here, key=key))
            at = found.stop
        elif found.kind == "key":
            here.entries += lines(text, at, found.line)
            said = found.value.encode("utf-8", "surrogateescape")
            value = Single(text[found.start : found.end], ("str", said), style=found.style)
            steps = (found.name,) if here is not whole else (ini.DEFAULT, found.name)
            head, post = text[found.line : found.start], text[found.end : found.stop]
            here.entries.append(Entry(steps, "", head, value, post, key=found.name))
            at = found.stop
    whole.entries += lines(text, at, len(text))
    return whole


def check(path: Path, value: Plain) -> None:
    """Raise EmitError unless INI can hold the value: a single value in a section, or a section of those."""
    if len(path) == 1 and isinstance(value, dict) and value:
        for name, item in value.items():
            check((*path, name), item)
        return
    if isinstance(value, (dict, list)):
        raise EmitError("INI has single values, not mappings or lists")
    if len(path) != 2 or not all(isinstance(step, str) and step for step in path):
        raise EmitError("a path in an INI file is a section and a key")


def replace(chain: list[Entry], path: Path, value: Plain) -> None:
    """Replace a value, in the same quotes if they can hold the new one, or all keys of a section."""
    if isinstance(value, dict):
        _put_section(chain[0], chain[-1].steps, value)
        return
    old = chain[-1].value
    assert isinstance(old, Single)
    spelled = ini_text.spelled_as(old.style, string_of(value))
    if not old.text and chain[-1].post[:1] not in ("", "\r", "\n"):
        spelled += " "  # a comment follows
    chain[-1].value = Single(spelled, {})


def add(chain: list[Entry], path: Path, value: Plain) -> None:
    """Add a key as the last one of its section, or a section at the end of the text."""
    whole, here = chain[0].tree, chain[-1].tree
    if isinstance(value, dict):
        _put_section(chain[0], path, value)
        return
    text = whole.text
    newline = newline_of(text)
    spelled = ini_text.spelled_as("", string_of(value))
    siblings = [entry for entry in here.members if entry.steps[:-1] == path[:-1]]
    head = f"{path[-1]} = "
    if siblings and (here is not whole or len(path) == len(siblings[-1].steps)):
        sign = re.search(r"[ \t]*[=:][ \t]*", siblings[-1].head)
        head = f"{path[-1]}{sign[0] if sign else ' = '}"
        new = line_after(siblings[-1].text, path, head, spelled, newline)
        here.entries.insert(here.entries.index(siblings[-1]) + 1, new)
    elif here is not whole:
        here.entries.insert(0, line_after(chain[-1].head, path, head, spelled, newline))
    else:
        section = Tree("map", {})
        section.entries.append(line_after("", path[1:], head, spelled, newline))
        before = newline * ((text[-1:] not in ("", "\n")) + bool(text.strip()))
        whole.entries.append(Entry(path[:1], before, f"[{path[0]}]{newline}", section))


def remove(chain: list[Entry], path: Path) -> None:
    """Remove a key with its line, or a section with all its keys.

    If no key is left before the first section, the header of their section shows that it is empty.
    """
    outer = chain[-2 if not path else -1].tree
    entry = chain[-1]
    if isinstance(entry.value, Single):
        at = outer.entries.index(entry)
        del outer.entries[at]
        if len(entry.steps) == 2 and not any(entry.steps[0] in each.steps for each in outer.members):
            line_break = entry.post[len(entry.post.rstrip("\r\n")) :]
            header = Entry(entry.steps[:1], "", f"[{entry.steps[0]}]{line_break}", Tree("map", {}))
            outer.entries.insert(at, header)
        whole = tuple(step for each in chain for step in each.steps)
        chain, rest = descend(chain[0], whole)
        if not rest:  # another section of the same name has the key, too
            remove(chain, rest)
    else:
        outer.entries = _without_section(outer.entries, path or chain[-1].steps)


def _put_section(root: Entry, path: Path, values: dict[str, Plain]) -> None:
    """Give a section exactly these keys.  Keys that it has already keep their place."""
    data: Any = root.data
    for name, value in values.items():
        put(root, (*path, name), value, writing("ini"))
    for name in data.get(path[0], {}):
        if name not in values:
            drop(root, (*path, name), writing("ini"))


def _without_section(entries: list[Entry], path: Path) -> list[Entry]:
    """Return the entries without a section and the comments above its header.

    The comments above the header of the next section stay.
    """
    kept: list[Entry] = []
    comments: list[Entry] = []
    inside = path == (ini.DEFAULT,)  # the keys before the first header belong to DEFAULT
    for entry in entries:
        if entry.value is None and entry.lead.lstrip()[:1] in ("#", ";"):
            comments.append(entry)
            continue
        if len(entry.steps) == 1:
            inside = entry.steps == path
        if not inside:
            kept += [*comments, entry]
        comments = []
    return kept if inside else kept + comments
