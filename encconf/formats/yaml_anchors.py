"""Anchors of a YAML text, and the leaves and collections that their aliases add."""

from __future__ import annotations

from itertools import accumulate

from encconf.errors import LimitError
from encconf.text.document import MAX_DENSE, MAX_DEPTH, Document, Leaf, Scope, add_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MAX_ALIASED_SIZE = 16 << 20
"""How many bytes of values and keys all aliases may add (16 MiB): a long value can have many aliases."""


class Unfolded:
    """The note of a leaf that an alias to a collection adds.

    ``source`` is the leaf that it copies, and ``root`` the copy of the whole collection.
    """

    __slots__ = ("root", "source")

    def __init__(self, source: Leaf, root: Scope) -> None:
        self.source = source
        self.root = root


class Anchor:
    """What an anchor names: one leaf, or a collection with everything inside it.

    ``lists`` are the leaves, shape, scopes and merge keys that the reader collects.  Those of the collection
    are ``list[start:end]`` of each.  A collection is ``open`` until its end has been read.
    """

    __slots__ = ("_size", "ends", "leaf", "lists", "open", "scope", "starts")

    def __init__(self, leaf: Leaf | None, scope: Scope | None = None, *lists: list[Any]) -> None:
        self.leaf = leaf
        self.scope = scope
        self.open = scope is not None
        self.lists = lists
        self.starts = self.ends = [len(each) for each in lists]
        self._size = -1

    def close(self) -> None:
        """Record that the collection ends here."""
        self.open = False
        self.ends = [len(each) for each in self.lists]

    @property
    def inside(self) -> list[list[Any]]:
        """Return the leaves, shape, scopes and merge keys inside the collection."""
        return [each[at:end] for each, at, end in zip(self.lists, self.starts, self.ends, strict=True)]

    @property
    def height(self) -> int:
        """Return how many levels the collection has."""
        signs = [token[0] for token in self.inside[1] if token[0] in "{[}"]
        return 1 + max(accumulate(-1 if sign == "}" else 1 for sign in signs), default=0)

    @property
    def size(self) -> int:
        """Return how many bytes of values and characters of keys an alias adds."""
        if self._size < 0:
            leaves, shape = self.inside[:2] if self.leaf is None else ([self.leaf], [])
            self._size = sum(len(leaf.data) for leaf in leaves if leaf.data) + sum(map(len, shape))
        return self._size


class Aliases:
    """Totals of what all aliases of a text have added so far, to be compared with the limits."""

    __slots__ = ("count", "paths", "size")

    def __init__(self) -> None:
        self.count = self.size = 0
        self.paths = 0  # characters of the paths of all collections

    def add(self, target: Anchor) -> None:
        """Count an alias.  Raises LimitError."""
        self.size += target.size
        if self.size > MAX_ALIASED_SIZE:
            raise LimitError(f"aliases expand to more than {MAX_ALIASED_SIZE >> 20} MiB of values")

    def unfold(
        self, document: Document, target: Anchor, alias: Leaf, lists: tuple[list[Any], ...], depth: int
    ) -> None:
        """Add a copy of an aliased collection, under the alias's own path.

        ``lists`` are those that the leaf ``alias`` belongs to.  They may differ from the anchor's lists: one
        of the two may be in the sops block.  Raises LimitError.
        """
        assert target.scope is not None
        old_leaves, old_shape, old_scopes, old_merges = target.inside
        self.count += len(old_leaves) + len(old_scopes) + 1
        if self.count > MAX_DENSE:  # checked before anything is added: the limit for "billion laughs"
            raise LimitError(f"aliases expand to more than {MAX_DENSE} values")
        if depth + target.height > MAX_DEPTH:
            raise LimitError(f"the document is nested deeper than {MAX_DEPTH} levels through its aliases")
        leaves, shape, scopes, _ = lists
        sign = "{" if isinstance(target.scope.node, dict) else "["
        shape.append(sign + alias.step if isinstance(alias.step, str) else sign)
        root = self._copy(target.scope, alias.scope, alias.step)
        copies = {id(target.scope): root}
        for old in old_scopes:
            copies[id(old)] = self._copy(old, copies[id(old.parent)], old.step)
        scopes.extend(copies.values())
        for old in old_leaves:
            scope = copies[id(old.scope)]
            leaf = Leaf(scope, old.step, alias.start, alias.end, alias.style, old.type, old.data)
            leaf.note = Unfolded(old, root)
            leaves.append(leaf)
        shape.extend(old_shape)
        shape.append("}")
        document.merges.extend(copies[id(old)] for old in old_merges)

    def _copy(self, old: Scope, parent: Scope, step: str | int) -> Scope:
        """Return the scope of an empty copy of a collection, inside another one."""
        new: dict[str, object] | list[object]
        new = dict.fromkeys(old.node) if isinstance(old.node, dict) else [None] * len(old.node)
        if isinstance(step, str) or step < len(parent.node):
            parent.node[step] = new
        else:
            parent.node.append(new)
        scope = parent.inside(step, new)
        if isinstance(step, str):
            self.paths = add_path(self.paths, scope)
        return scope
