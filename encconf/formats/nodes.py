"""A text as nested values with their places: what is needed to put one in or take one out.

`Node` serves every syntax with nesting; collections in brackets (JSON, YAML's flow style) are
edited here, since they are alike.
"""

from __future__ import annotations

from encconf.errors import PathNotFoundError
from encconf.formats.plain import missing
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Edit
    from encconf.text.path import Path



class Item:
    """One member of a mapping or item of a sequence.

    ``start`` is where its key begins (of an item: its dash, or itself in brackets), ``after`` the
    place behind its colon or dash.
    """

    __slots__ = ("after", "key", "node", "start")

    def __init__(self, key: str | int, start: int, after: int, node: Node) -> None:
        self.key = key
        self.start = start
        self.after = after
        self.node = node


class Node:
    """One value: ``kind`` is map, seq or leaf, ``text[start:end]`` all of it.

    ``flow`` says that a collection stands in brackets; ``value`` is where the value itself begins,
    behind an anchor or tag; ``style`` is the format's word for a leaf's spelling; ``shared`` says that
    it has an anchor.
    """

    __slots__ = ("end", "flow", "items", "kind", "shared", "start", "style", "value")

    def __init__(
        self,
        kind: str,
        start: int,
        *,
        end: int = -1,
        flow: bool = False,
        value: int = -1,
        style: str = "",
        shared: bool = False,
    ) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.flow = flow
        self.value = start if value < 0 else value
        self.style = style
        self.shared = shared
        self.items: list[Item] = []

    def index(self, step: str | int) -> int | None:
        """The number of the item that a step of a path names, None if it is missing.

        Raises PathNotFoundError where there cannot be such an item.
        """
        if self.kind == "map" and isinstance(step, str):
            return next((at for at, item in enumerate(self.items) if item.key == step), None)
        if self.kind == "seq" and isinstance(step, int):
            at = step + len(self.items) if step < 0 else step
            if at < 0:
                raise PathNotFoundError(f"the list has only {len(self.items)} items")
            return at if at < len(self.items) else None
        if self.kind == "leaf":
            return None
        kind = "a mapping has keys, no indexes" if self.kind == "map" else "a list has indexes, no keys"
        raise PathNotFoundError(f"{spell([step])} cannot be there: {kind}")


def descend(root: Node, path: Path) -> list[Node]:
    """The nodes along a path as far as it exists, the root first.  Raises PathNotFoundError."""
    chain = [root]
    for step in path:
        at = chain[-1].index(step)
        if at is None:
            break
        chain.append(chain[-1].items[at].node)
    return chain


def found(root: Node, path: Path) -> list[Node]:
    """The nodes along a path that exists.  Raises PathNotFoundError."""
    chain = descend(root, path)
    if len(chain) <= len(path):
        raise missing(path[: len(chain)])
    return chain


# --- collections in brackets -----------------------------------------------------------------


def add(text: str, node: Node, member: str) -> Edit:
    """Put a member behind the last one of a collection in brackets, spaced as that is."""
    if not node.items:
        return node.value + 1, node.end - 1, member
    last = node.items[-1]
    before = text.rfind(",", node.value, last.start) if len(node.items) > 1 else node.value
    blank = text[before + 1 : last.start]
    if blank.strip():
        blank = " "  # a comment stands there
    if len(node.items) == 1 and not blank and text[last.after : last.after + 1] == " ":
        blank = " "
    return last.node.end, last.node.end, f",{blank}{member}"


def take(text: str, node: Node, at: int) -> Edit:
    """Take the member with a number out of a collection in brackets, and one comma."""
    items = node.items
    if len(items) == 1:
        return node.value + 1, node.end - 1, ""
    if at:
        return items[at - 1].node.end, items[at].node.end, ""
    return items[0].start, items[1].start, ""
