"""Merge three versions of a text's content: the values alone, without their spelling.

Every merged text is compared with this result before it is used.
"""

from __future__ import annotations

from encconf.merge.weave import merge_items, moved, weave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from encconf.merge.weave import Side, Slot
    from encconf.text.tree import Data

NAMES = ("name", "id", "key")
"""Mappings in a list are matched by the first of these members that has a unique value in each of them."""


def frozen(data: Data) -> Hashable:
    """Return the data in a hashable form."""
    if isinstance(data, dict):
        return frozenset((key, frozen(item)) for key, item in data.items())
    if isinstance(data, list):
        return tuple(map(frozen, data))
    return ("", *data)


def merge(base: Data | None, ours: Data | None, theirs: Data | None, prefer: Side) -> Data | None:
    """Return the merged content.  Where both sides changed a value, it has that of the side ``prefer``.

    None is the absence of a value.
    """
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        before = base if isinstance(base, dict) else {} if is_empty(base) else None
        if before is not None:
            merged: dict[str, Data] = {}
            for key in {**ours, **theirs, **before}:
                item = merge(before.get(key), ours.get(key), theirs.get(key), prefer)
                if item is not None:
                    merged[key] = item
            return merged
    if isinstance(ours, list) and isinstance(theirs, list):
        was = base if isinstance(base, list) else [] if is_empty(base) else None
        if was is not None:
            items: list[Data] = []
            for i, j, k in lists(was, ours, theirs, prefer)[0]:
                if j is None and k is None:
                    item = at(was, i)  # both sides removed it, and the base is preferred
                else:
                    item = merge(at(was, i), at(ours, j), at(theirs, k), prefer)
                if item is not None:
                    items.append(item)
            return items
    return {"ours": ours, "base": base, "theirs": theirs}[prefer]


def documents(base: list[Data], ours: list[Data], theirs: list[Data], prefer: Side) -> list[Data]:
    """Return the merged content of a stream of documents."""
    if are_paired(base, ours, theirs):
        was = [*base, *[None] * (len(ours) - len(base))]
        found = [merge(*each, prefer) for each in zip(was, ours, theirs, strict=True)]
        return [each for each in found if each is not None]
    merged = merge(base, ours, theirs, prefer)
    assert isinstance(merged, list)
    return merged


def are_paired(base: Sequence[Data], ours: Sequence[Data], theirs: Sequence[Data]) -> bool:
    """Whether the documents of three streams belong together by their numbers.

    They do if there is only one, or if no two sides changed the same document or added different ones.
    """
    if len(ours) != len(theirs) or len(base) > len(ours):
        return False
    changed = [
        here != there and was not in (here, there)
        for was, here, there in zip(base, ours, theirs, strict=False)
    ]
    return len(ours) == 1 or (not any(changed) and ours[len(base) :] == theirs[len(base) :])


def at(items: Sequence[Data], index: int | None) -> Data | None:
    """Return the item at an index, or None if the index is None."""
    return items[index] if index is not None else None


def is_empty(data: Data | None) -> bool:
    """Whether a value is absent, null or an empty collection, so that both sides may add to it."""
    return not data or (isinstance(data, tuple) and data[0] == "null")


def lists(
    base: Sequence[Data], ours: Sequence[Data], theirs: Sequence[Data], prefer: Side
) -> tuple[list[Slot], bool]:
    """Merge three lists.  Returns the slots of the items, and whether the sides conflict anywhere."""
    named = _by_name(base, ours, theirs, prefer)
    if named is not None:
        return named
    return merge_items(list(map(frozen, base)), list(map(frozen, ours)), list(map(frozen, theirs)), prefer)


def _by_name(
    base: Sequence[Data], ours: Sequence[Data], theirs: Sequence[Data], prefer: Side
) -> tuple[list[Slot], bool] | None:
    """Merge three lists of mappings by their names.  Returns None if they have no unique names.

    Each mapping may change and move on its own.
    """
    for name in NAMES:
        sides = [_names(items, name) for items in (base, ours, theirs)]
        was, here, there = sides
        if was is None or not (here and there):
            continue
        clash = False
        slots: list[Slot] = []
        seen: set[Hashable] = set()
        names = [list(each) for each in (was, here, there)]
        for slot in weave(*names):
            key = next(side[at] for side, at in zip(names, slot, strict=True) if at is not None)
            i, j, k = was.get(key), here.get(key), there.get(key)
            if key in seen or moved(slot, j is not None, k is not None) or (j is None and k is None):
                continue
            seen.add(key)
            if i is not None and (j is None or k is None):  # one side removed it
                if base[i] in (at(ours, j), at(theirs, k)):
                    continue
                clash = True
                if prefer == "base":
                    j = k = None
                elif (j if prefer == "ours" else k) is None:
                    continue
            slots.append((i, j, k))
        return slots, clash
    return None


def _names(items: Sequence[Data], name: str) -> dict[Hashable, int] | None:
    """Return the index of each name, or None if a name is missing or appears twice."""
    found: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        value = item.get(name) if isinstance(item, dict) else None
        if not isinstance(value, tuple) or value[0] == "null" or value in found:
            return None
        found[value] = index
    return found
