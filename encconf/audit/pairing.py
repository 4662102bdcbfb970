"""Pair the values of two texts, and say how each changed.

If an item is inserted into a list, the items after it do not count as moved.  A `Change` holds a value only
if its side could be opened.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice

from encconf import formats
from encconf.audit.sides import Content, Item
from encconf.text.align import align, in_order
from encconf.text.path import Path

_TYPES = {
    "str": "string", "int": "number", "float": "number", "bool": "boolean", "time": "date", "null": "null",
    "bytes": "bytes", "comment": "comment",
}  # fmt: skip
_WEIGHTY = 6
"""How many bytes a value must have to be recognized at another path.  ``true`` could be any value."""
_MAX_RENAMED = 50
"""How many renamed mappings are considered."""


class Change:
    """How one value changed.

    ``kind`` is ``added``, ``removed``, ``changed``, ``moved``, ``cleared`` (it was encrypted, and is
    plaintext now) or ``sealed`` (the other way round).  ``certain`` is False if only the ciphertext is known
    to differ.  ``old`` and ``new`` are its paths, or None on a side without the value.  ``document`` is the
    number (from 0) of the YAML document.  ``types`` are the types before and after, or "".
    ``same`` says that the value itself is known to be unchanged.  ``lost`` says that a ciphertext was moved
    to a place where it cannot be decrypted.
    """

    __slots__ = (
        "certain", "document", "kind", "lost", "new", "new_value", "old", "old_value", "same", "types",
    )  # fmt: skip

    def __init__(self, kind: str, old: Item | None, new: Item | None, *, same: bool = False) -> None:
        self.kind = kind
        self.same = same
        self.certain = True
        self.lost = False
        if old and new:
            differ = old.type != new.type or old.size != new.size or (old.readable and new.readable)
            self.certain = same or differ
            kept = old.enc is not None and old.enc == new.enc
            self.lost = kind == "moved" and kept and old.aad != new.aad
        self.old = old.path if old else None
        self.new = new.path if new else None
        self.document = (new or old).document  # type: ignore[union-attr]
        self.types = (_type(old), _type(new))
        self.old_value = old.value if old and old.readable else None
        self.new_value = new.value if new and new.readable else None

    @property
    def path(self) -> Path:
        """The path of the value now, or its former path if it was removed."""
        return self.new or self.old or ()

    @property
    def retyped(self) -> bool:
        """Whether the value has another type now."""
        return self.types[0] != self.types[1] and all(self.types)


def _type(item: Item | None) -> str:
    return _TYPES.get(item.type, item.type) if item else ""


class Pairing:
    """Pairs the values of two sides.  Without ``by_value``, it compares ciphertexts instead of values."""

    def __init__(self, before: Content, after: Content, *, by_value: bool) -> None:
        self.old = before.items
        self.new = after.items
        self.by_value = by_value
        self.typed = not any(formats.get(each.side.format).flat for each in (before, after))
        self.both_encrypted = before.metadata is not None and after.metadata is not None
        self.left_old = dict.fromkeys(range(len(self.old)))
        self.left_new = dict.fromkeys(range(len(self.new)))
        self.changes: list[tuple[int, Change]] = []  # with the position in the report

    def run(self) -> list[Change]:
        """Return how each value changed, in the order of the second text."""
        taken = align(
            [(item.document, item.aad, self._value(item)) for item in self.old],
            [(item.document, item.aad, self._value(item)) for item in self.new],
        )
        pairs = [(i, j) for j, i in enumerate(taken) if i is not None]
        steady = set(in_order(pairs))  # the rest has moved
        for i, j in pairs:
            old, new = self.old[i].path, self.new[j].path
            stays = old == new or ((i, j) in steady and _shape(old) == _shape(new))
            self._pair(i, j, same=True, moved=not stays)
        self._change_between(sorted(steady))
        self._change_at({(self.old[i].document, self.old[i].path): i for i in self.left_old})
        self._move()
        if self.left_old:
            last = {(item.document, item.path[:-1]): j for j, item in enumerate(self.new)}
        for i in self.left_old:  # each comes after what is left of its collection
            item = self.old[i]
            place = last.get((item.document, item.path[:-1]), min(i, len(self.new)))
            self.changes.append((2 * place + 2, Change("removed", item, None)))
        for j in self.left_new:
            self.changes.append((2 * j + 1, Change("added", None, self.new[j])))
        return [change for _, change in sorted(self.changes, key=lambda entry: entry[0])]

    def _value(self, item: Item) -> object:
        """Return a key that is the same for equal values."""
        if not self.by_value and item.enc is not None:
            return item.enc
        return (_type(item) if self.typed else "", item.data)

    def _pair(self, i: int, j: int, *, same: bool = False, moved: bool = False) -> None:
        """Note that two values belong together; ``same`` says that they are equal."""
        del self.left_old[i], self.left_new[j]
        old, new = self.old[i], self.new[j]
        kind = "moved" if moved else self._crossed(old, new) or ("" if same else "changed")
        if kind:
            self.changes.append((2 * j + 1, Change(kind, old, new, same=same)))

    def _crossed(self, old: Item, new: Item) -> str:
        """Return ``cleared`` or ``sealed`` if only one of two values is encrypted, or ""."""
        if not self.both_encrypted or not old.data or not new.data or (old.enc is None) == (new.enc is None):
            return ""
        return "cleared" if new.enc is None else "sealed"

    def _change_between(self, steady: list[tuple[int, int]]) -> None:
        """Pair values with the same keys between the same pairs of unchanged values."""
        olds, news = [i for i, _ in steady], [j for _, j in steady]
        gaps: dict[tuple[int, int, bytes], list[int]] = {}
        for i in self.left_old:
            item = self.old[i]
            gaps.setdefault((bisect_left(olds, i), item.document, item.aad), []).append(i)
        for j in list(self.left_new):
            item = self.new[j]
            waiting = gaps.get((bisect_left(news, j), item.document, item.aad))
            if waiting:
                self._pair(waiting.pop(0), j)

    def _change_at(self, places: dict[tuple[int, Path], int]) -> None:
        """Pair values with the same path."""
        for j in list(self.left_new):
            i = places.get((self.new[j].document, self.new[j].path))
            if i is not None:
                self._pair(i, j)

    def _move(self) -> None:
        """Pair values that moved to another path, and the values of mappings that were renamed."""
        places = {(self.new[j].document, self.new[j].path): j for j in self.left_new}
        renamed: dict[tuple[Path, Path], None] = {}
        once_old, once_new = self._once(self.old, self.left_old), self._once(self.new, self.left_new)
        for value, i in once_old.items():
            j = once_new.get(value)
            if j is not None:
                renamed.setdefault(_prefixes(self.old[i].path, self.new[j].path))
                self._pair(i, j, same=True, moved=True)
        for i in list(self.left_old):
            old = self.old[i]
            for before, after in islice(renamed, _MAX_RENAMED):
                if not before or not after or old.path[: len(before)] != before:
                    continue
                j = places.get((old.document, (*after, *old.path[len(before) :])))
                if j in self.left_new and self._value(old) == self._value(self.new[j]):
                    self._pair(i, j, same=True, moved=True)
                    break

    def _once(self, items: Sequence[Item], left: Iterable[int]) -> dict[object, int]:
        """Return the values that can be recognized elsewhere: those that are long enough and occur once."""
        found: dict[object, int] = {}
        for at in left:
            if items[at].size >= _WEIGHTY or (not self.by_value and items[at].enc is not None):
                value = self._value(items[at])
                found[value] = -1 if value in found else at
        return {value: at for value, at in found.items() if at >= 0 and items[at].size}


def _shape(path: Path) -> list[str | None]:
    """Return a path without the numbers of list items, which change if another item is inserted."""
    return [step if isinstance(step, str) else None for step in path]


def _prefixes(old: Path, new: Path) -> tuple[Path, Path]:
    """Return two paths without their common end."""
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    return old[: len(old) - same], new[: len(new) - same]
