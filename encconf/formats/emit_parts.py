"""What the functions that write values in a format share: a collection's items with their comments."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Notes = dict[int, dict[str | int | None, list[tuple[str, bool]]]]
    """For the id of a dict or list and each of its items, the comments: their text, and whether inline."""


def items_of(node: Any, notes: Notes) -> list[tuple[Any, Any, list[tuple[str, bool]]]]:
    """Return key or index, item, and its comments.  Comments at the end come last, with None for the item."""
    about = notes.get(id(node), {})
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    items = [(key, item, about.get(key, [])) for key, item in pairs]
    return [*items, (None, None, about[None])] if None in about else items


def lines_above(comments: list[tuple[str, bool]], key: Any) -> list[str]:
    """Return the lines of the comments above an item.  At the end of a collection, those are all comments."""
    return [line for text, inline in comments if not inline or key is None for line in comment_lines(text)]


def text_after(comments: list[tuple[str, bool]]) -> str:
    """Return the comments after an item, on its line."""
    return "".join(f" {line}" for text, inline in comments if inline for line in comment_lines(text))


def comment_lines(comment: str) -> list[str]:
    """Return a comment as go-yaml writes it, with a sign before each line: comments of INI have several."""
    first, *others = re.split("\r\n|[\n\r\x85\u2028\u2029]", comment)
    return [f"#{first}", *(line if line[0] == "#" else f"# {line}" for line in others if line)]
