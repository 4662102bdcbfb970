"""What written-out formats share: a collection's items with their comments."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Notes = dict[int, dict[str | int | None, list[tuple[str, bool]]]]
    """By the id of a dict or list, the comments before each of its items: text, whether inline."""


def items_of(node: Any, notes: Notes) -> list[tuple[Any, Any, list[tuple[str, bool]]]]:
    """Key or index, item and the comments before it; last, with None, the comments at the end."""
    about = notes.get(id(node), {})
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    items = [(key, item, about.get(key, [])) for key, item in pairs]
    return [*items, (None, None, about[None])] if None in about else items


def lines_above(comments: list[tuple[str, bool]], key: Any) -> list[str]:
    """The lines of the comments before an item; behind the last item all stand alone."""
    return [line for text, inline in comments if not inline or key is None for line in comment_lines(text)]


def text_behind(comments: list[tuple[str, bool]]) -> str:
    """The comments behind an item, on its line."""
    return "".join(f" {line}" for text, inline in comments if inline for line in comment_lines(text))


def comment_lines(comment: str) -> list[str]:
    """A comment as go-yaml writes it: INI has some of several lines, each behind its own mark."""
    first, *others = re.split("\r\n|[\n\r\x85\u2028\u2029]", comment)
    return [f"#{first}", *(line if line[0] == "#" else f"# {line}" for line in others if line)]
