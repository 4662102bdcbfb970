"""Find one section of a loaded dict."""

from __future__ import annotations

from encconf.errors import PathNotFoundError
from encconf.shape.arguments import check
from encconf.text.path import spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Section = str | tuple[str, ...]


def at(tree: Any, section: Section) -> tuple[Any, tuple[str, ...]]:
    """Return the value at a section, and the keys that lead to it.

    A tuple is an exact path.  In a str, dots separate keys, but the longest key that the file has is tried
    first: ``"app.db"`` is the key ``app.db`` if it exists, or else ``db`` inside ``app``.  Raises
    PathNotFoundError or WrongTypeError.
    """
    check(section=section)
    keys = _exact(tree, section) if isinstance(section, tuple) else _longest(tree, section.split("."))
    if keys is None:
        name = spell(section) if isinstance(section, tuple) else section
        raise PathNotFoundError(f"the file has no section {name}", hint=_hint(tree))
    for key in keys:
        tree = tree[key]
    return tree, keys


def _exact(tree: Any, section: tuple[str, ...]) -> tuple[str, ...] | None:
    for key in section:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return section


def _longest(tree: Any, parts: list[str]) -> tuple[str, ...] | None:
    if not parts:
        return ()
    if not isinstance(tree, dict):
        return None
    for size in range(len(parts), 0, -1):
        key = ".".join(parts[:size])
        if key in tree:
            rest = _longest(tree[key], parts[size:])
            if rest is not None:
                return (key, *rest)
    return None


def _hint(tree: Any) -> str | None:
    names = [str(key) for key, value in tree.items() if isinstance(value, dict)]
    return f"the file has these sections: {listed(names)}" if names else None
