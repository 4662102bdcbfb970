from __future__ import annotations

from itertools import combinations, product
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pace import at_most

from encconf.text.align import align, in_order

TOKENS = st.lists(st.sampled_from("abcdefgh"), max_size=40)


@given(TOKENS, TOKENS)
def test_equal_tokens_only_and_each_once(old: list[str], new: list[str]) -> None:
    taken = align(old, new)
    used = [index for index in taken if index is not None]
    assert len(used) == len(set(used))
    assert all(old[index] == token for index, token in zip(taken, new, strict=True) if index is not None)


@given(TOKENS, TOKENS)
def test_nothing_reusable_is_left_over(old: list[str], new: list[str]) -> None:
    taken = align(old, new)
    for token in set(old):
        assert sum(1 for index in taken if index is not None and old[index] == token) == min(
            old.count(token), new.count(token)
        )


@given(TOKENS)
def test_the_same_sequence_keeps_its_places(old: list[str]) -> None:
    assert align(old, old) == list(range(len(old)))


def by_definition(old: list[str], new: list[str]) -> list[int | None]:
    """Patience diff as it is explained: slowly, with slices, and without a limit of the work."""
    taken: list[int | None] = [None] * len(new)

    def pair(i: int, i_end: int, j: int, j_end: int) -> None:
        while i < i_end and j < j_end and old[i] == new[j]:
            taken[j] = i
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and old[i_end - 1] == new[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
            taken[j_end] = i_end
        mine, yours = old[i:i_end], new[j:j_end]
        unique = [token for token in yours if mine.count(token) == yours.count(token) == 1]
        for at, until in in_order([(i + mine.index(token), j + yours.index(token)) for token in unique]):
            pair(i, at, j, until)
            taken[until] = at
            i, j = at + 1, until + 1
        if unique:
            pair(i, i_end, j, j_end)

    pair(0, len(old), 0, len(new))
    left = sorted(set(range(len(old))).difference(index for index in taken if index is not None))
    for j, token in enumerate(new):
        if taken[j] is None:
            taken[j] = next((i for i in left if old[i] == token), None)
            left = [i for i in left if i != taken[j]]
    return taken


def test_it_is_a_patience_diff() -> None:
    """Few tokens are there twice, so that there are some to begin with, and gaps between them."""
    source = Random(0)
    for number in range(600):
        letters = "abcdefghijklmnop"[: source.randint(2, 16)]
        old = source.choices(letters, k=source.randint(0, 18))
        new = source.choices(letters, k=source.randint(0, 18))
        if number % 2:  # a list after some edits
            new = list(old)
            for _ in range(source.randint(1, 5)):
                at = source.randint(0, len(new))
                new[at : at + source.randint(0, 2)] = source.choices(letters, k=source.randint(0, 3))
        assert align(old, new) == by_definition(old, new)


def test_every_pair_of_short_texts() -> None:
    texts = ["".join(letters) for size in range(5) for letters in product("abc", repeat=size)]
    for old, new in product(texts, repeat=2):
        assert align(old, new) == by_definition([*old], [*new]), (old, new)


@given(st.lists(st.integers(0, 1 << 30), max_size=9, unique=True))
def test_no_longer_run_is_in_order(firsts: list[int]) -> None:
    pairs = [(first, second) for second, first in enumerate(firsts)]
    found = in_order(pairs)
    assert found == [pair for pair in pairs if pair in found]
    increasing = [
        run
        for size in range(len(firsts) + 1)
        for run in combinations(firsts, size)
        if list(run) == sorted(run)
    ]
    assert len(found) == len(increasing[-1])
    assert tuple(first for first, _ in found) in increasing


def test_an_item_in_front_leaves_the_others_alone() -> None:
    """Three lines more, and none that moves: which of the equal ones are the new ones doesn't matter."""
    found = align("cN1cN2", "cN0cN1cN2")
    kept = [index for index in found if index is not None]
    assert kept == [0, 1, 2, 3, 4, 5]


def test_what_moves_is_found_again() -> None:
    assert align("ab", "ba") == [1, 0]


def test_work_grows_linearly_with_equal_tokens() -> None:
    """A diff that compares every pair would need 10^10 steps here."""
    taken = align(["x"] * 100_000, ["y"] + ["x"] * 100_000 + ["z"])
    assert taken[0] is None
    assert taken[1] == 0
    assert taken[-2] == 99_999


def test_work_is_bounded_when_each_round_finds_one_pair() -> None:
    """`1 2 1 3 2 4 3 …`: only the outermost token is unique, and without it the next one is."""

    def peel(n: int, separator: str) -> list[object]:
        tokens = [1, *(token for i in range(1, n) for token in (i + 1, i))]
        return [part for token in tokens for part in (token, separator)]

    old, new = peel(20_000, "s"), peel(20_000, "u")
    with at_most(20):  # round by round it would take many minutes
        taken = align(old, new)
    assert sum(index is not None for index in taken) == len(new) // 2
