"""How values are written into the tree of a text, and plain values, as Python's json module returns them."""

from __future__ import annotations

from encconf.errors import EmitError, PathBlockedError, PathNotFoundError
from encconf.formats.goyaml import stored
from encconf.text.document import reached
from encconf.text.path import Path, spell
from encconf.text.printable import listed
from encconf.text.tree import Entry, Single, descend, nested
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from encconf.text.document import Document, Plain
    from encconf.text.tree import Tree


class Writing:
    """How a format makes trees of texts, and writes values into them.

    ``chain`` holds the entries that lead to a place, the root first.
    """

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text."""
        raise NotImplementedError

    def root(self, whole: Tree) -> Entry:
        """Return the entry of the first document, which is the one that values are written into."""
        return Entry((), "", value=whole)

    def check(self, path: Path, value: Plain) -> None:
        """Raise EmitError if the format cannot hold a value at a path."""

    def stored(self, value: Plain) -> tuple[str, bytes | None]:
        """Return the type and the bytes that sops stores for a single value."""
        return stored(value)

    def put(self, root: Entry, path: Path, value: Plain) -> None:
        """Put a value at a path: replace the old value, or add a last entry.

        Raises EmitError if the value cannot be written there.
        """
        chain, rest = descend(root, path)
        if not rest or isinstance(chain[-1].value, Single):
            self.replace(chain, rest, value)
        else:
            self.add(chain, rest, value)

    def drop(self, root: Entry, path: Path) -> None:
        """Remove everything at a path, which must exist.  Raises EmitError if it cannot be removed."""
        self.remove(*descend(root, path))

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace the last entry's value by the new one, inside new collections for ``path``."""
        raise NotImplementedError

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value at a path that does not exist yet, below the last entry."""
        raise NotImplementedError

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove the last entry from the collection that the entry before it holds.

        With a path, remove everything at that path below the last entry.  That may be several entries.
        """
        raise NotImplementedError

    def drop_plain(self, tree: Any, path: Path) -> None:
        """Remove the value at a path, which must exist, from plain values."""
        drop_plain(tree, path)


class StringWriting(Writing):
    """How a format that has only strings writes values."""

    def stored(self, value: Plain) -> tuple[str, bytes | None]:
        """Return the text of a single value."""
        return "str", string_of(value).encode()


def text_of(type: str, data: bytes | None) -> str:
    """Return a single value as text, for programs that know no types: ``true``, ``5``, ``1.5``, "" for null.

    Raises EmitError for bytes that are not UTF-8.
    """
    if data is None:
        return ""
    if type == "bool":
        return bool_word(data)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EmitError("a value is not UTF-8 text") from None


def string_of(value: Plain) -> str:
    """Return a single value as text."""
    return text_of(*stored(value))


def value_at(node: Any, path: Path) -> Any:
    """Return what is at a path of dicts and lists.

    Raises PathNotFoundError, whose hint names the existing keys: they are not secret.
    """
    at, there = reached(node, path)
    if at == len(path):
        return there
    here = path[: at + 1]
    if isinstance(there, dict):
        raise _no_key(there, here)
    if isinstance(there, list) and isinstance(path[at], int):
        raise PathNotFoundError(f"no value at {spell(here)}: the list has {len(there)} items")
    what = "a list" if isinstance(there, list) else "a single value"
    raise PathBlockedError(f"no value at {spell(here)}: {spell(path[:at])} is {what}")


def _no_key(node: dict[str, object], path: Path) -> PathNotFoundError:
    """Return the error for a path whose last step is not in its mapping."""
    from difflib import get_close_matches

    step, here = path[-1], spell(path)
    if isinstance(step, int):
        return PathNotFoundError(f"no value at {here}: a mapping has keys, not indexes")
    close = get_close_matches(step, node, 1)
    hint = f"the keys there are: {listed(spell([key]) for key in node)}" if node else None
    if close:
        hint = f"did you mean {spell([*path[:-1], close[0]])}?"
    return PathNotFoundError(f"no value at {here}", hint=hint)


def put_plain(tree: Any, path: Path, value: Plain) -> Any:
    """Put a value at a path, which `settled` returned, as `sops set` does it.

    The tree itself is changed and returned.  If it is a single value, returns the tree that replaces it.
    """
    if not path or not isinstance(tree, (dict, list)):
        return nested(path, value)
    step: Any = path[0]
    rest = path[1:]
    if isinstance(tree, list) and step == len(tree):
        tree.append(nested(rest, value))
    elif isinstance(tree, dict) and step not in tree:
        tree[step] = nested(rest, value)
    else:
        tree[step] = put_plain(tree[step], rest, value)
    return tree


def drop_plain(tree: Any, path: Path) -> None:
    """Remove the value at a path, which must exist, from the tree."""
    del reached(tree, path[:-1])[1][path[-1]]


def missing(path: Sequence[str | int]) -> PathNotFoundError:
    """Return the error for a path that does not exist."""
    return PathNotFoundError(f"no value at {spell(path)}")


def settled(tree: object, path: Path) -> Path:
    """Return a path with indexes that count from the start, as far as the path exists.

    Only dicts and lists in ``tree`` count as collections.  Raises PathNotFoundError for an impossible step.
    """
    steps = list(path)
    for number, step in enumerate(path):
        if not isinstance(tree, (dict, list)):
            break
        if isinstance(tree, dict) is isinstance(step, int):
            has = ("list", "indexes, no keys") if isinstance(tree, list) else ("mapping", "keys, no indexes")
            raise PathNotFoundError(f"{spell([step])} cannot be there: a {has[0]} has {has[1]}")
        if isinstance(tree, list):
            assert isinstance(step, int)
            at = step + len(tree) if step < 0 else step
            if at < 0:
                raise PathNotFoundError(f"the list has only {len(tree)} items")
            steps[number] = at
            if at >= len(tree):
                steps[number] = len(tree)
                break
            tree = tree[at]
        elif step in tree:
            tree = tree[step]
        else:
            break
    return tuple(steps)
