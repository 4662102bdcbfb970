"""Align two sequences, as diff aligns lines, to find the old ciphertext that each value may keep.

A token is a value's place, type and bytes.  Under one data key, values with equal tokens
have interchangeable ciphertexts.  Each old ciphertext is used once: using it twice would reveal that
two values are equal.  The alignment is a patience diff: it pairs unique tokens in their longest increasing
order, and extends these pairs in both directions.  So the other items of a list keep their ciphertexts when
you insert one at its start.  The tokens that remain are matched in order.  The time is O(n log n): the
algorithm stops splitting sequences when it has spent that much, even if they were designed to defeat it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[int | None]:
    """Return for each new token the index of the old one whose ciphertext it keeps, or None."""
    taken: list[int | None] = [None] * len(new)
    used = bytearray(len(old))

    size = len(old) + len(new)
    budget = 4 * size * size.bit_length()  # how many tokens the search for anchors may look at
    pending = [(0, len(old), 0, len(new))]
    while pending:
        i, i_end, j, j_end = pending.pop()
        while i < i_end and j < j_end and old[i] == new[j]:
            taken[j] = i
            used[i] = 1
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and old[i_end - 1] == new[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
            taken[j_end] = i_end
            used[i_end] = 1
        budget -= i_end - i + j_end - j
        if i == i_end or j == j_end or budget < 0:
            continue
        anchors = _anchors(old, new, i, i_end, j, j_end)
        if not anchors:
            continue
        # Both ends of each gap between two anchors are tried again.  A gap begins with its anchor.
        starts = [*anchors, (i_end, j_end)]
        pending.append((i, starts[0][0], j, starts[0][1]))
        for (i_from, j_from), (i_to, j_to) in pairwise(starts):
            pending.append((i_from, i_to, j_from, j_to))

    _take_rest(old, new, taken, used)
    return taken


def _take_rest(
    old: Sequence[Hashable], new: Sequence[Hashable], taken: list[int | None], used: bytearray
) -> None:
    """Match the remaining tokens in order."""
    rest: dict[Hashable, list[int]] = {}
    for i in range(len(old) - 1, -1, -1):
        if not used[i]:
            rest.setdefault(old[i], []).append(i)
    for j, token in enumerate(new):
        if taken[j] is None:
            left = rest.get(token)
            if left:
                taken[j] = left.pop()


def _anchors(
    old: Sequence[Hashable], new: Sequence[Hashable], i: int, i_end: int, j: int, j_end: int
) -> list[tuple[int, int]]:
    """Pair the tokens that are unique in both ranges, and return the longest run in the same order."""
    places, others = (_unique(old, i, i_end), _unique(new, j, j_end))
    return in_order([(places[token], at) for token, at in others.items() if token in places])


def _unique(tokens: Sequence[Hashable], start: int, end: int) -> dict[Hashable, int]:
    """Return the place of each token that a range has once, in order."""
    found: dict[Hashable, int] = {}
    again: set[Hashable] = set()
    for at in range(start, end):
        token = tokens[at]
        if token in found:
            again.add(token)
        found[token] = at
    return {token: at for token, at in found.items() if token not in again}


def in_order(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run of pairs whose first numbers increase.  The second numbers do already."""
    from bisect import bisect_left  # few texts need it, and to load it takes 0.2 ms

    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (at, _) in enumerate(pairs):
        slot = bisect_left(tails, at)
        before.append(ends[slot - 1] if slot else -1)
        if slot == len(tails):
            tails.append(at)
            ends.append(index)
        else:
            tails[slot] = at
            ends[slot] = index
    chain: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]
