"""Three versions of a sequence: everything short is tried, and some is written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import product

import pytest

from encconf.merge.values import BLANK, merge_items, moved, pairs, weave

Tokens = tuple[Hashable, ...]
Slot = tuple[int | None, int | None, int | None]


def short(alphabet: Sequence[Hashable], length: int) -> list[Tokens]:
    return [each for size in range(length + 1) for each in product(alphabet, repeat=size)]


def triples() -> Iterator[tuple[Tokens, Tokens, Tokens]]:
    two = short("abc", 2)
    yield from product(two, repeat=3)
    yield from product(
        [("a", "b", "c"), ("a", "b", "c", "d")], short("abcx", 3), [("b", "c", "a"), ("x", "b")]
    )


def merged(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> str | None:
    """The items as a text, None for a clash.

    An item that each side has in another form is both forms, sorted: they are merged by somebody else.
    """
    slots, clash = merge_items(base, ours, theirs, "ours")
    if clash:
        return None
    text = ""
    for i, j, k in slots:
        if j is None or k is None:
            text += str(ours[j] if j is not None else theirs[k] if k is not None else "")
        elif ours[j] == theirs[k] or (i is not None and theirs[k] == base[i]):
            text += str(ours[j])
        elif i is not None and ours[j] == base[i]:
            text += str(theirs[k])
        else:
            text += f"[{'|'.join(sorted(map(str, (ours[j], theirs[k]))))}]"
    return text


@pytest.mark.parametrize("base", short("abc", 2), ids="".join)
def test_weaving_loses_nothing_and_turns_nothing_round(base: Tokens) -> None:
    for ours, theirs in product([*short("abc", 2), ("a", "b", "c"), ("c", "x", "a")], repeat=2):
        slots = weave(base, ours, theirs)
        for at, tokens in enumerate((base, ours, theirs)):
            assert [slot[at] for slot in slots if slot[at] is not None] == list(range(len(tokens)))
        for i, j, k in slots:
            known = {base[i]} if i is not None else set()
            known |= {ours[j]} if j is not None else set()
            known |= {theirs[k]} if k is not None else set()
            assert len(known) == 1, (ours, theirs, slots)
        if ours == theirs:
            assert all(i is not None or (j is not None and k is not None) for i, j, k in slots)


def test_ours_goes_first() -> None:
    assert weave("a", "xa", "ya") == [(None, 0, None), (None, None, 0), (0, 1, 1)]
    assert weave("a", "ax", "ay") == [(0, 0, 0), (None, 1, None), (None, None, 1)]
    assert weave("", "xsz", "ysw") == [
        (None, 0, None),
        (None, None, 0),
        (None, 1, 1),
        (None, 2, None),
        (None, None, 2),
    ]
    assert weave("ab", "axb", "axb") == [(0, 0, 0), (None, 1, 1), (1, 2, 2)]


def test_an_empty_line_goes_with_what_it_sets_off() -> None:
    assert weave([], [BLANK, "x"], [BLANK, "y"]) == [
        (None, 0, None),
        (None, 1, None),
        (None, None, 0),
        (None, None, 1),
    ]
    # Beside what both have added, it is the same one, before it and behind it.
    assert weave([], [BLANK, "x", "p"], [BLANK, "x", "q"])[:2] == [(None, 0, 0), (None, 1, 1)]
    assert weave([], ["p", "x", BLANK], ["q", "x", BLANK])[-2:] == [(None, 1, 1), (None, 2, 2)]
    assert weave([], ["x", BLANK, "p"], ["x", "q"]) == [
        (None, 0, 0),
        (None, 1, None),
        (None, 2, None),
        (None, None, 1),
    ]
    assert weave([], ["p", BLANK, "x", BLANK], ["x", BLANK]) == [
        (None, 0, None),
        (None, 1, None),
        (None, 2, 0),
        (None, 3, 1),
    ]


def woven(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> str:
    """Two additions to nothing: what is only ours in brackets, and what is only theirs in braces."""
    text = ""
    for _, j, k in weave([], ours, theirs):
        item = ours[j] if j is not None else theirs[k or 0]
        name = "_" if item == BLANK else str(item)
        text += f"{{{name}}}" if j is None else f"[{name}]" if k is None else name
    return text


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        ("_", "_", "_"),
        ("__", "_", "[_][_]{_}"),
        ("xp", "x_", "x[p]{_}"),  # what is no empty line is none of theirs
        ("x_p", "x_q", "x_[p]{q}"),
        ("p_x", "q_x", "[p]{q}_x"),
        ("x__y", "x_y", "x_[_]y"),  # each is the same as one of theirs at most
        ("x_y", "x__y", "x_{_}y"),
        ("x_p", "_xq", "{_}x[_][p]{q}"),
        ("p_x", "qx_", "[p][_]{q}x{_}"),
        ("_x", "x", "[_]x"),
        ("x_", "x", "x[_]"),
    ],
)
def test_empty_lines(ours: str, theirs: str, wanted: str) -> None:
    one, other = ([BLANK if sign == "_" else sign for sign in text] for text in (ours, theirs))
    assert woven(one, other) == wanted


def test_where_an_item_was() -> None:
    assert moved((0, None, 1), True, False)
    assert moved((0, 1, None), False, True)
    assert not moved((0, None, 1), False, True)
    assert not moved((0, 1, None), True, False)
    assert not moved((None, None, 1), True, True)
    assert not moved((0, 1, 1), True, True)


def test_pairs_are_in_order() -> None:
    assert pairs("abc", "abc") == [0, 1, 2]
    assert pairs("abc", "xac") == [1, None, 2]
    assert sorted(pairs("ab", "ba"), key=str) in ([0, None], [1, None])
    assert pairs("", "a") == []


def test_a_merge_of_what_one_side_has_changed() -> None:
    for base, other, _ in triples():
        assert (
            merged(base, base, other)
            == merged(base, other, base)
            == merged(base, other, other)
            == "".join(map(str, other))
        )


def test_a_merge_is_the_same_from_both_sides() -> None:
    for base, ours, theirs in triples():
        assert merged(base, ours, theirs) == merged(base, theirs, ours)


def test_a_merge_has_what_was_added_and_not_what_was_taken_out() -> None:
    for base, ours, theirs in triples():
        text = merged(base, ours, theirs)
        if text is None or "|" in text:
            continue
        was, here, there, now = map(Counter, (base, ours, theirs, text))
        for token in "abcx":
            low, high = sorted((here[token], there[token]))
            if low < was[token] and high <= was[token]:
                assert now[token] <= low, (base, ours, theirs, text)
            assert now[token] <= max(high, here[token] + there[token] - was[token]), (
                base,
                ours,
                theirs,
                text,
            )
            if low >= was[token]:
                assert now[token] >= high or high > was[token] > 0, (base, ours, theirs, text)


def test_each_side_can_be_taken_whole() -> None:
    for base, ours, theirs in triples():
        for side, tokens, at in (("ours", ours, 1), ("theirs", theirs, 2), ("base", base, 0)):
            slots, clash = merge_items(base, ours, theirs, side)  # type: ignore[arg-type]
            assert clash == (merged(base, ours, theirs) is None)
            own = [slot[at] for slot in slots if slot[at] is not None]
            assert own == sorted(set(own))
            if clash and len(base) < 3 and not {*base} & {*ours} & {*theirs}:
                assert slots == [
                    tuple(index if each == at else None for each in range(3)) for index in range(len(tokens))
                ]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "wanted"),
    [
        ("cd", "c", "z", None),
        ("ab", "axb", "ab", "axb"),
        ("ab", "axb", "aby", "axby"),
        ("ab", "axb", "ayb", None),
        ("abc", "xbc", "aby", "xby"),
        ("abc", "ac", "bc", "c"),
        ("abc", "axc", "ac", None),
        ("abc", "axc", "ayc", "a[x|y]c"),
        ("abcd", "axyd", "abcd", "axyd"),
        ("abcd", "abxd", "aycd", "ayxd"),
        ("abcd", "acd", "abd", "ad"),
        ("abcd", "axbcd", "abd", "axbd"),
        ("abcd", "xcd", "abd", "xd"),
        ("abcde", "xbcde", "abcdy", "xbcdy"),
        ("a", "", "x", None),
        ("a", "", "", ""),
        ("", "x", "y", None),
        ("", "x", "x", "x"),
        ("ab", "ba", "ab", "ba"),
        ("abc", "bca", "abc", "bca"),
        ("abc", "bca", "cab", "cba"),
        ("abc", "bca", "bc", None),
    ],
)
def test_by_hand(base: str, ours: str, theirs: str, wanted: str | None) -> None:
    assert merged(base, ours, theirs) == wanted


def test_items_in_step_only_where_all_are_in_their_places() -> None:
    """A list of the same length may be another one: its items have moved by one."""
    slots = merge_items("abc", "bcx", "abz", "ours")[0]
    assert (0, 0, 0) not in slots
    assert merge_items("abc", "axc", "ayc", "ours")[0][1] == (1, 1, 1)
