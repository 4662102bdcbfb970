"""The tree of a dotenv text, and how values are written into it."""

from __future__ import annotations

from collections import defaultdict
from itertools import count

from encconf.errors import EmitError
from encconf.formats.writing import StringWriting, string_of
from encconf.text.document import Document, has_crlf
from encconf.text.tree import Entry, Single, Tree, line_after, line_bounds, lines, single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Plain
    from encconf.text.path import Path


class DotenvWriting(StringWriting):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text: other lines, and values by name.  A name may appear twice."""
        text = document.text
        tree = Tree("map", {})
        at = 0
        numbers: dict[str, count[int]] = defaultdict(count)
        for leaf in document.leaves:
            start, end = line_bounds(text, leaf.start, leaf.end)
            tree.entries += lines(text, at, start)
            name = str(leaf.step)
            head, post = text[start : leaf.start], text[leaf.end : end]
            key, value = (name, next(numbers[name])), single(text, leaf)
            tree.entries.append(Entry((name,), "", head, value, post, key=key, sign=len(head)))
            at = end
        tree.entries += lines(text, at, len(text))
        tree.data = {f"{entry.key}": entry.data for entry in tree.members}
        tree.fuller = True
        return tree

    def check(self, path: Path, value: Plain) -> None:
        """Raise EmitError unless dotenv can hold the value: a single value, at a path of one key."""
        if isinstance(value, (dict, list)):
            raise EmitError("dotenv has single values, not mappings or lists")
        if len(path) != 1 or not isinstance(path[0], str) or not path[0]:
            raise EmitError("a path in a dotenv file is one key")
        if "\\n" in string_of(value):
            raise EmitError(
                "a dotenv file cannot hold a backslash followed by an n: sops reads a line break there",
                hint="write / for \\ in a path, or keep the value in a YAML, JSON or TOML file",
            )

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a value.  The new value is on one line and without quotes, as in sops."""
        chain[-1].value = Single(_spelled(value), {})

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value in a new last line."""
        tree = chain[-1].tree
        if tree.habits is None:
            # If only some lines end with `\r\n`, `\r` would be part of the value.
            tree.habits = "\r\n" if has_crlf(tree.text) else "\n"
        newline = str(tree.habits)
        tree.entries.append(line_after(tree.ending(), path, f"{path[0]}=", _spelled(value), newline))

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove a value with its line."""
        chain[-2].tree.entries.remove(chain[-1])


def _spelled(value: Plain) -> str:
    return string_of(value).replace("\n", "\\n")
