from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pace import at_most

from encconf.text.align import align

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
