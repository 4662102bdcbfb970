"""A text as nested values with their places: what is needed to put one in or take one out.

`Node` serves every syntax with nesting; collections in brackets (JSON, YAML's flow style) are
edited here, since they are alike.
"""

from __future__ import annotations

from encconf.errors import EmitError, PathNotFoundError
from encconf.formats import goyaml
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.text.document import Edit
    from encconf.text.path import Path

    Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
    """A value as Python's json module knows them."""


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


def missing(path: Sequence[str | int]) -> PathNotFoundError:
    """The error for a path that ends in the air."""
    return PathNotFoundError(f"there is nothing at {spell(path)}")


def nested(path: Sequence[str | int], value: Plain) -> Plain:
    """The value inside new collections, one for each step."""
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [value]
    return value


def put_plain(tree: Plain, path: Path, value: Plain) -> Plain:
    """What a tree is after a value was put at a path: as `sops set` does, in Python values."""
    if not path:
        return value
    step = path[0]
    if isinstance(tree, dict) and isinstance(step, str):
        old = tree.get(step)
        return {**tree, step: put_plain(old, path[1:], value) if step in tree else nested(path[1:], value)}
    if isinstance(tree, list) and isinstance(step, int):
        at = step + len(tree) if step < 0 else step
        if at >= len(tree):
            return [*tree, nested(path[1:], value)]
        return [*tree[:at], put_plain(tree[at], path[1:], value), *tree[at + 1 :]]
    return nested(path, value)


def drop_plain(tree: Plain, path: Path) -> Plain:
    """What a tree is after the value at a path, which is there, was taken out."""
    step = path[0]
    rest = path[1:]
    if isinstance(tree, dict):
        if rest:
            return {key: drop_plain(item, rest) if key == step else item for key, item in tree.items()}
        return {key: item for key, item in tree.items() if key != step}
    assert isinstance(tree, list)
    assert isinstance(step, int)
    at = step + len(tree) if step < 0 else step
    return [*tree[:at], *([drop_plain(tree[at], rest)] if rest else []), *tree[at + 1 :]]


# --- single values ---------------------------------------------------------------------------


def typed(value: str | int | float | bool | None) -> tuple[str, bytes | None]:
    """What sops stores for a value: its type and its bytes."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "bool", b"True" if value else b"False"
    if isinstance(value, int):
        return "int", b"%d" % value
    if isinstance(value, float):
        return "float", goyaml.format_float(value)
    return "str", value.encode()


def text_of(type: str, data: bytes | None) -> str:
    """A single value as text, for what knows texts only: ``true``, ``5``, ``1.5``, "" for null.

    Raises EmitError for bytes that are no text.
    """
    if data is None:
        return ""
    if type == "bool":
        return "true" if data[:1] in b"Tt1" else "false"
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EmitError("a value is not UTF-8 text") from None


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
