"""Merge three versions of a sequence, even if both sides changed the order of its items.

Items are compared by tokens.  `weave` merges the order of lines and members, which never conflicts.
`merge_items` merges lists.  Their order is part of their content, so it is a conflict if both sides change
the same place.
"""

from __future__ import annotations

from encconf.text.align import align, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
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
    ours_at, theirs_at = pairs(base, ours), pairs(base, theirs)
    slots: list[Slot] = []
    clash = False
    i = j = k = 0
    stable = [at for at in range(len(base)) if ours_at[at] is not None and theirs_at[at] is not None]
    for end in [*stable, len(base)]:
        at_end = end == len(base)
        j_end, k_end = (len(ours), len(theirs)) if at_end else (ours_at[end], theirs_at[end])
        assert j_end is not None
        assert k_end is not None
        chunk = _Chunk(base, ours, theirs, (i, end), (j, j_end), (k, k_end))
        merged = chunk.merge(ours_at, theirs_at)
        if merged is None:
            clash = True
            merged = chunk.side(prefer)
        slots += merged
        if not at_end:
            slots.append((end, j_end, k_end))
        i, j, k = end + 1, j_end + 1, k_end + 1
    if not clash and _too_often(base, ours, theirs, slots):
        whole = _Chunk(base, ours, theirs, (0, len(base)), (0, len(ours)), (0, len(theirs)))
        return whole.side(prefer), True
    return slots, clash


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


class _Chunk:
    """The items of all versions between two items that neither side changed."""

    __slots__ = ("base", "i", "j", "k", "ours", "theirs")

    def __init__(
        self,
        base: Sequence[Hashable],
        ours: Sequence[Hashable],
        theirs: Sequence[Hashable],
        i: tuple[int, int],
        j: tuple[int, int],
        k: tuple[int, int],
    ) -> None:
        self.base, self.ours, self.theirs = base[slice(*i)], ours[slice(*j)], theirs[slice(*k)]
        self.i, self.j, self.k = range(*i), range(*j), range(*k)

    def side(self, which: Side) -> list[Slot]:
        if which == "ours":
            return [(None, j, None) for j in self.j]
        if which == "theirs":
            return [(None, None, k) for k in self.k]
        return [(i, None, None) for i in self.i]

    def merge(self, ours_at: list[int | None], theirs_at: list[int | None]) -> list[Slot] | None:
        """Return the slots of the chunk's items, or None if the sides conflict."""
        base, ours, theirs = list(self.base), list(self.ours), list(self.theirs)
        if ours == base:
            return self.side("theirs")
        if theirs == base:
            return self.side("ours")
        if ours == theirs:
            return [(None, j, k) for j, k in zip(self.j, self.k, strict=True)]
        if len(base) == len(ours) == len(theirs) and self._in_step(ours_at, theirs_at):
            return list(zip(self.i, self.j, self.k, strict=True))
        return self._apart(ours_at, theirs_at)

    def _in_step(self, ours_at: list[int | None], theirs_at: list[int | None]) -> bool:
        return all(
            ours_at[i] in (None, self.j[at]) and theirs_at[i] in (None, self.k[at])
            for at, i in enumerate(self.i)
        )

    def _apart(self, ours_at: list[int | None], theirs_at: list[int | None]) -> list[Slot] | None:
        """Return the slots with the changes of both sides, or None if two of them touch."""
        here = _within(ours_at, self.i, self.j)
        there = _within(theirs_at, self.i, self.k)
        ours_new = _gaps(len(self.i), len(self.j), here)
        theirs_new = _gaps(len(self.i), len(self.k), there)
        slots: list[Slot] = []
        ours_replaced = theirs_replaced = False  # whether the side replaced the run it removed
        for at in range(len(self.i) + 1):
            if ours_new[at] and theirs_new[at]:
                return None
            slots += [(None, self.j[j], None) for j in ours_new[at]]
            slots += [(None, None, self.k[k]) for k in theirs_new[at]]
            if at == len(self.i):
                break
            if at == 0 or here[at - 1] is not None:
                ours_replaced = bool(ours_new[at])
            if at == 0 or there[at - 1] is not None:
                theirs_replaced = bool(theirs_new[at])
            if here[at] is None and there[at] is None and (ours_replaced or theirs_replaced):
                return None
        return slots


def _within(pair: list[int | None], old: range, new: range) -> list[int | None]:
    """Return a part of a pairing, with indexes relative to the part."""
    found = [pair[i] for i in old]
    return [at - new.start if at is not None else None for at in found]
