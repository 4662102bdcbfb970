"""What a change of values does, in words that contain no value: ``changed database.port (int → str)``."""

from __future__ import annotations

from encconf.errors import ReplacesError
from encconf.record import Record
from encconf.text.path import END, Path, spell
from encconf.text.printable import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Effect(Record):
    """What one edit of a tree does.

    ``kind`` is ``changed``, ``added`` or ``removed``.  ``old`` and ``new`` say what is at the ``path`` before
    and after: a type of sops, a mapping or a list, or "" for nothing.  ``similar`` is an existing path that
    an added one may be a misspelling of.  ``moved_to_end`` is the length of a list, if the path named an item
    beyond its end, so that the item is appended.
    """

    kind: str
    path: Path
    old: str = ""
    new: str = ""
    similar: Path = ()
    moved_to_end: int | None = None

    def __str__(self) -> str:
        said = f"{self.kind} {spell(self.path)}"
        if self.similar:
            return f"{said} (similar: {spell(self.similar)})"
        if self.moved_to_end is not None:
            return f"{said} (the list had {counted(self.moved_to_end, 'item')})"
        if self.old and self.new and self.old != self.new:
            return f"{said} ({self.old} → {self.new})"
        if self.kind == "removed" and " " in self.old:
            return f"{said} ({self.old})"
        return said

    def refuse_to_replace(self) -> None:
        """Raise ReplacesError if the edit would replace a mapping or list by a value, or a value by one."""
        was, will = (each.partition(" ")[0] for each in (self.old, self.new))
        collections = {"mapping", "list"}
        if not self.path or self.kind != "changed" or was == will or not {was, will} & collections:
            return
        if was == "null" or self.old.endswith(" 0 values"):
            return
        here = spell(self.path)
        hint = "to replace it all the same, use --force"
        if was in collections and will not in collections:
            inside = f"{here}[0]" if was == "list" else f"{here}.KEY"
            hint = f"to set a value in it, name it, such as {inside}; {hint}"
        raise ReplacesError(f"{here} is {_article(self.old)}, and would become {_article(will)}", hint=hint)


def effect_of(tree: Any, path: Path, value: Any, *, removed: bool = False, named: Path = ()) -> Effect:
    """Return what an edit does to a tree, whose values are tuples.  ``named`` is the path as it was given."""
    new = "" if removed else _kind(value)
    node = tree
    for at, step in enumerate(path):
        here = path[: at + 1]
        last = here == path
        if isinstance(node, dict):
            if step not in node:
                return Effect("added", path, new=new if last else "mapping", similar=_similar(node, here))
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int):
            if step >= len(node):
                given = named[at] if at < len(named) else step
                beyond = isinstance(given, int) and step < given < END
                return Effect("added", path, new=new, moved_to_end=len(node) if beyond else None)
            node = node[step]
        else:
            return Effect("changed", path[:at], _kind(node), "list" if isinstance(step, int) else "mapping")
    return Effect("removed" if removed else "changed", path, _kind(node), new)


def _kind(node: Any) -> str:
    """Return what a node is: ``str``, ``mapping with 3 values``."""
    if isinstance(node, tuple):
        return str(node[0])
    if isinstance(node, (dict, list)):
        return f"{'list' if isinstance(node, list) else 'mapping'} with {counted(_size(node), 'value')}"
    from encconf.formats.goyaml import stored

    return stored(node)[0]


def _size(node: Any) -> int:
    if isinstance(node, (dict, list)):
        return sum(map(_size, node.values() if isinstance(node, dict) else node))
    return 1


def _article(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def _similar(node: dict[Any, Any], path: Path) -> Path:
    """Return the path of a key beside a new one that may be meant, or ()."""
    new = path[-1]
    if not isinstance(new, str):
        return ()
    from difflib import get_close_matches

    word = new.rstrip("0123456789")
    others = [key for key in node if isinstance(key, str) and key.rstrip("0123456789") != word]
    close = get_close_matches(new, others, 1, 0.75)
    return (*path[:-1], close[0]) if close else ()


# --- several changes ------------------------------------------------------------------------------

_MOST_NAMED = 10


def report(wrote: str, said: Sequence[object]) -> str:
    """Return a line that says what was done, or several lines for several changes (as text)."""
    if len(said) < 2:
        return f"{wrote}: {said[0]}" if said else wrote
    shown = list(map(str, said[:_MOST_NAMED]))
    if len(said) > len(shown):
        shown.append(f"and {len(said) - len(shown)} more")
    return "\n  ".join([f"{wrote}:", *shown])
