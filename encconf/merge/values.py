"""Merge three versions of a text's content: the values without their spelling, and the order of sequences.

Every merged text is compared with the result of `merge` before it is used.

Both sides may change the order of a sequence.  Its items are compared by tokens.  `weave` merges the order
of lines and members, which never conflicts.  `merge_items` merges lists: their order is part of their
content, so it is a conflict if both sides change the same place.
"""

from __future__ import annotations

from itertools import groupby

from encconf.text.align import align, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from typing import Literal

    from encconf.text.tree import Data

    Side = Literal["ours", "base", "theirs"]
    Slot = tuple[int | None, int | None, int | None]
    """Where an item is in base, ours and theirs."""

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


# --- the order of a sequence -----------------------------------------------------------------------

BLANK = ("text", "")
"""The token of an empty line."""


def pairs(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[int | None]:
    """Return the index of the same new token for each old token, or None.  The indexes increase."""
    found = [(i, j) for j, i in enumerate(align(old, new)) if i is not None]
    # `align` also pairs tokens that have moved; only the longest run of pairs in order is used.
    result: list[int | None] = [None] * len(old)
    for i, j in in_order(found):
        result[i] = j
    return result


def _gaps(count: int, new: int, pair: list[int | None]) -> list[list[int]]:
    """Return the items that a side added before each of the old items, and after the last one."""
    gaps: list[list[int]] = [[] for _ in range(count + 1)]
    place = {j: i for i, j in enumerate(pair) if j is not None}
    gap = 0
    for j in range(new):
        if j in place:
            gap = place[j] + 1
        else:
            gaps[gap].append(j)
    return gaps


def weave(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[Slot]:
    """Merge three sequences into one order.  At the same place, our additions precede theirs.

    A slot with an item of the base that not both sides have is an item that was removed or moved.  A moved
    item has another slot at its new place.
    """
    ours_at, theirs_at = pairs(base, ours), pairs(base, theirs)
    ours_new = _gaps(len(base), len(ours), ours_at)
    theirs_new = _gaps(len(base), len(theirs), theirs_at)
    slots: list[Slot] = []
    for at in range(len(base) + 1):
        here, there = ours_new[at], theirs_new[at]
        if here or there:
            slots += _both([ours[j] for j in here], [theirs[k] for k in there], here, there)
        if at < len(base):
            slots.append((at, ours_at[at], theirs_at[at]))
    return slots


def moved(slot: Slot, in_ours: bool, in_theirs: bool) -> bool:
    """Whether a slot of `weave` is the place that a side moved an item away from."""
    i, j, k = slot
    return i is not None and ((j is None and in_ours) or (k is None and in_theirs))


def _both(
    ours: Sequence[Hashable], theirs: Sequence[Hashable], here: Sequence[int], there: Sequence[int]
) -> list[Slot]:
    """Merge what both sides added at one place.  An item that both added appears once."""
    slots: list[Slot] = []
    if list(ours) == list(theirs):
        return [(None, j, k) for j, k in zip(here, there, strict=True)]
    # Empty lines all look the same: pair those beside paired lines.
    found = pairs([object() if token == BLANK else token for token in ours], theirs)
    taken = set(found)
    for j, token in enumerate(ours):
        if token != BLANK:
            continue
        for beside, step in ((j - 1, 1), (j + 1, -1)):
            place = found[beside] if 0 <= beside < len(found) else None
            if found[j] is not None or place is None or not 0 <= place + step < len(theirs):
                continue
            if theirs[place + step] == BLANK and place + step not in taken:
                found[j] = place + step
                taken.add(place + step)
    k = 0
    for j, place in enumerate(found):
        if place is None:
            slots.append((None, here[j], None))
            continue
        slots += [(None, None, there[at]) for at in range(k, place)]
        slots.append((None, here[j], there[place]))
        k = place + 1
    return slots + [(None, None, there[at]) for at in range(k, len(there))]


def merge_items(
    base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable], prefer: Side
) -> tuple[list[Slot], bool]:
    """Merge lists whose order matters.  Where the sides conflict, the items of ``prefer`` are used.

    If a slot holds different items of both sides, the caller merges them.  Returns the slots of the items,
    and whether there was any conflict.
    """
    woven = weave(base, ours, theirs)
    slots: list[Slot] = []
    clash = False
    for stable, run in runs(woven):
        merged = run if stable else _changed(run, base, ours, theirs)
        if merged is None:
            clash = True
            merged = _only(prefer, run)
        slots += merged
    if not clash and _too_often(base, ours, theirs, slots):
        return _only(prefer, woven), True
    return slots, clash


def runs(slots: list[Slot]) -> Iterator[tuple[bool, list[Slot]]]:
    """Yield the runs of items that all versions have at the same place, and the runs between them."""
    for stable, run in groupby(slots, lambda slot: None not in slot):
        yield stable, list(run)


def _only(side: Side, slots: list[Slot]) -> list[Slot]:
    """Return the items of one side."""
    if side == "base":
        return [(i, None, None) for i, _, _ in slots if i is not None]
    if side == "ours":
        return [(None, j, None) for _, j, _ in slots if j is not None]
    return [(None, None, k) for _, _, k in slots if k is not None]


def _changed(
    run: list[Slot], base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]
) -> list[Slot] | None:
    """Return the slots of a run that at least one side changed, or None if the sides conflict."""
    was, here, there = ([at for at in each if at is not None] for each in zip(*run, strict=True))
    before, mine, others = [base[i] for i in was], [ours[j] for j in here], [theirs[k] for k in there]
    if before in (mine, others):
        return _only("theirs" if mine == before else "ours", run)
    if mine == others:
        return [(None, j, k) for j, k in zip(here, there, strict=True)]
    if len(was) == len(here) == len(there):
        in_step = {i: (j, k) for i, j, k in zip(was, here, there, strict=True)}
        if all(i is None or (j in (None, in_step[i][0]) and k in (None, in_step[i][1])) for i, j, k in run):
            return list(zip(was, here, there, strict=True))
    return _apart(run)


def _apart(run: list[Slot]) -> list[Slot] | None:
    """Return the slots with the changes of both sides, or None if two of them touch."""
    slots: list[Slot] = []
    kept = [True, True]  # for each side: whether it has the last item of the base, ...
    added = [False, False]  # ... whether it added items since then, and ...
    replaced = [False, False]  # ... whether it replaced the items that it removed last
    for slot in run:
        if slot[0] is None:
            added = [added[side] or slot[side + 1] is not None for side in (0, 1)]
            if all(added):
                return None
            slots.append(slot)
            continue
        for side in (0, 1):
            replaced[side] = added[side] if kept[side] else replaced[side]
            kept[side] = slot[side + 1] is not None
        added = [False, False]
        if not any(kept) and any(replaced):
            return None
    return slots


def _too_often(
    base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable], slots: list[Slot]
) -> bool:
    """Whether the result still has an item that a side removed, or twice an item that both sides moved."""
    from collections import Counter

    before, here, there = Counter(base), Counter(ours), Counter(theirs)
    after: Counter[Hashable] = Counter()
    for _, j, k in slots:
        if j is None or k is None or ours[j] == theirs[k]:
            after.update([ours[j]] if j is not None else [theirs[k]] if k is not None else [])
    for token, count in after.items():
        least, most = sorted((here[token], there[token]))
        if count > (least if least < before[token] else most):
            return True
    return False
