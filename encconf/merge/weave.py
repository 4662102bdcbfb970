"""Merge three versions of a sequence, even if both sides changed the order of its items.

Items are compared by tokens.  `weave` merges the order of lines and members, which never conflicts.
`merge_items` merges lists.  Their order is part of their content, so it is a conflict if both sides change
the same place.
"""

from __future__ import annotations

from itertools import groupby

from encconf.text.align import align, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from typing import Literal

    Side = Literal["ours", "base", "theirs"]
    Slot = tuple[int | None, int | None, int | None]
    """Where an item is in base, ours and theirs."""


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
