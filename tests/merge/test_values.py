"""Three versions of what a text says made one, on values alone."""

from __future__ import annotations

import pytest

from encconf.merge import merge, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.merge.values import Side
    from encconf.text.tree import Data


def listed(items: str) -> str:
    return "".join(["l:\n", *(f"- {item}\n" for item in items)])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("cd", "c", "z", None),  # one removes something, the other replaces everything
        ("abc", "ac", "azc", None),  # one takes out what the other has made another
        ("abc", "xbc", "aby", "xby"),
        ("abc", "bca", "abz", "bza"),
        ("abcd", "bcd", "abcx", "bcx"),
        ("ab", "b", "az", "z"),
    ],
)
def test_lists(base: str, ours: str, theirs: str, merged: str | None) -> None:
    for sides in ((ours, theirs), (theirs, ours)):
        found = merge(listed(base), *map(listed, sides), format="yaml")
        assert found.conflicts == ([] if merged is not None else ["l"])
        assert found.text == listed(merged if merged is not None else sides[0])


def test_a_named_item_taken_out_and_changed() -> None:
    """The rest of the list is merged in all three texts."""

    def items(**values: int) -> str:
        return "l:\n" + "".join(f"- name: {name}\n  v: {value}\n" for name, value in values.items())

    gone, changed = items(b=1, c=1), items(a=2, b=2)
    for ours, theirs in ((gone, changed), (changed, gone)):
        found = merge(items(a=1, b=1), ours, theirs, format="yaml")
        assert found.conflicts == ["l"]
        assert found.base == items(a=1, b=2, c=1)
        wanted = {gone: items(b=2, c=1), changed: items(a=2, b=2, c=1)}
        assert (found.text, found.theirs) == (wanted[ours], wanted[theirs])


def number(value: int) -> tuple[str, bytes]:
    """A value as a tree's data has it: its type and its text."""
    return ("int", str(value).encode())


ONE, TWO, THREE = number(1), number(2), number(3)


@pytest.mark.parametrize("prefer", ["ours", "base", "theirs"])
def test_one_side_alone_is_heard(prefer: Side) -> None:
    base = {"a": ONE, "b": ONE, "c": ONE}
    ours, theirs = {"a": TWO, "b": ONE, "d": TWO}, {"a": ONE, "b": THREE, "c": ONE, "e": THREE}
    assert values.merge(base, ours, theirs, prefer) == {"a": TWO, "b": THREE, "d": TWO, "e": THREE}


def test_where_both_sides_changed_a_value_one_is_preferred() -> None:
    sides = ({"a": ONE, "b": ONE}, {"a": TWO, "b": ONE}, {"a": THREE, "b": TWO})
    found = [values.merge(*sides, prefer) for prefer in ("ours", "base", "theirs")]
    assert found == [{"a": TWO, "b": TWO}, {"a": ONE, "b": TWO}, {"a": THREE, "b": TWO}]


def test_removed_and_changed() -> None:
    sides = ({"a": ONE, "b": ONE}, {"b": ONE}, {"a": TWO, "b": ONE})
    assert values.merge(*sides, "ours") == {"b": ONE}
    assert values.merge(*sides, "theirs") == {"a": TWO, "b": ONE}


def test_types_of_the_same_text_differ() -> None:
    assert values.merge({"a": ("int", b"1")}, {"a": ("str", b"1")}, {"a": ("int", b"1")}, "theirs") == {
        "a": ("str", b"1")
    }


@pytest.mark.parametrize("base", [{}, [], ("null", None), None])
def test_both_sides_may_fill_what_is_empty(base: Data) -> None:
    assert values.is_empty(base)
    assert values.merge(base, {"a": ONE}, {"b": TWO}, "ours") == {"a": ONE, "b": TWO}
    assert values.merge(base, [ONE], [ONE], "ours") == [ONE]
    assert values.merge(base, [ONE], [ONE, TWO], "ours") == [ONE]
    assert values.merge(base, [ONE], [ONE, TWO], "theirs") == [ONE, TWO]


@pytest.mark.parametrize("base", [ONE, {"a": ONE}, [ONE], ("str", b"null")])
def test_what_is_not_empty(base: Data) -> None:
    """Two collections in its place are at odds as a whole."""
    assert not values.is_empty(base)
    sides: list[tuple[Data, Data]] = [({"a": TWO}, {"b": TWO}), ([TWO], [TWO, THREE])]
    for ours, theirs in sides:
        if type(base) is not type(ours):
            found = [values.merge(base, ours, theirs, prefer) for prefer in ("ours", "base", "theirs")]
            assert found == [ours, base, theirs]


def test_documents_of_a_stream() -> None:
    assert values.documents([], [{"a": ONE}], [{"b": ONE}], "ours") == [{"a": ONE, "b": ONE}]
    base: list[Data] = [{"a": ONE}, {"b": ONE}]
    assert values.documents(base, [{"a": TWO}, {"b": ONE}], [{"a": ONE}, {"b": THREE}], "base") == [
        {"a": TWO},
        {"b": THREE},
    ]


def test_mappings_with_names_change_and_move_by_themselves() -> None:
    first, second, third = ({"name": ("str", name.encode()), "v": ONE} for name in "xyz")
    changed = {**second, "v": TWO}
    found = values.merge([first, second], [second, first], [first, changed, third], "ours")
    assert found == [changed, first, third]
    assert not values.lists([first, second], [second, first], [first, changed, third], "ours")[1]


SIDES: tuple[Side, ...] = ("ours", "base", "theirs")


def merges(base: Data, ours: Data, theirs: Data) -> list[Data | values.Nothing]:
    """The merge in favour of each side."""
    return [values.merge(base, ours, theirs, prefer) for prefer in SIDES]


def named(name: str | None, v: int = 1, member: str = "name", **more: Data) -> dict[str, Data]:
    """A mapping in a list, with its name."""
    return {member: ("null", None) if name is None else ("str", name.encode()), "v": number(v), **more}


def test_the_same_change_on_both_sides() -> None:
    assert merges(ONE, TWO, TWO) == [TWO, TWO, TWO]
    assert merges([ONE], [TWO], [TWO]) == [[TWO], [TWO], [TWO]]


@pytest.mark.parametrize("other", [TWO, [TWO]])
def test_a_mapping_and_something_else_are_at_odds(other: Data) -> None:
    full: Data = {"a": ONE}
    for base in (ONE, {}, {"b": ONE}):
        assert merges(base, full, other) == [full, base, other]
        assert merges(base, other, full) == [other, base, full]
    assert merges([], [ONE], {"a": ONE}) == [[ONE], [], {"a": ONE}]
    assert merges([], [ONE], TWO) == [[ONE], [], TWO]
    assert merges([], TWO, [ONE]) == [TWO, [], [ONE]]


def test_a_list_that_is_at_odds_is_that_of_one_side() -> None:
    assert merges([ONE, TWO], [ONE, THREE], [THREE]) == [[ONE, THREE], [ONE, TWO], [THREE]]
    assert merges([ONE, TWO], [THREE], [ONE, THREE]) == [[THREE], [ONE, TWO], [ONE, THREE]]


def test_an_item_that_is_a_collection_is_an_item() -> None:
    one: Data = {"a": [ONE, {"b": TWO}]}
    assert merges([one, ONE], [one, TWO], [THREE, one, ONE]) == [[THREE, one, TWO]] * 3
    assert merges([[ONE], [TWO]], [[TWO]], [[ONE, THREE], [TWO]]) == [
        [[TWO]],
        [[ONE], [TWO]],
        [[ONE, THREE], [TWO]],
    ]
    other: Data = {"a": [ONE, {"b": THREE}]}
    assert merges([one, other], [other], [one, other, ONE]) == [[other, ONE]] * 3


def test_documents_that_come_and_go() -> None:
    one, two = {"a": ONE}, {"b": ONE}
    for prefer in SIDES:
        assert values.documents([one, two], [one], [two], prefer) == []
        assert values.documents([one], [one, two], [{"a": TWO}], prefer) == [{"a": TWO}, two]
    assert values.documents([], [ONE], [TWO], "base") == []


@pytest.mark.parametrize("member", values.NAMES)
def test_items_know_each_other_by_a_name(member: str) -> None:
    def items(*names: tuple[str, int]) -> Data:
        return [named(name, v, member) for name, v in names]

    base = items(("x", 1), ("y", 1), ("z", 1))
    moved = items(("z", 1), ("x", 1), ("y", 1))
    changed = items(("x", 1), ("y", 2), ("z", 1), ("new", 1))
    assert merges(base, moved, changed) == [items(("z", 1), ("x", 1), ("y", 2), ("new", 1))] * 3
    assert (
        merges(base, items(("x", 2), ("z", 1)), items(("x", 1), ("z", 2))) == [items(("x", 2), ("z", 2))] * 3
    )
    assert (
        merges(base, items(("x", 1), ("z", 1)), changed[:1] + base[1:] + changed[3:])
        == [items(("x", 1), ("z", 1), ("new", 1))] * 3
    )
    last = items(("y", 1), ("z", 1), ("x", 1))
    assert merges(base, last, changed) == [items(("y", 2), ("z", 1), ("x", 1), ("new", 1))] * 3
    assert merges(None, base, last[:1]) == [base] * 3  # both sides have made the list
    middle = items(("x", 1), ("z", 1), ("y", 1))
    for found in merges(base, moved, middle):
        assert isinstance(found, list)
        assert len(found) == 3  # moved to two places, it is there once


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_named_item_removed_and_changed(mirrored: bool) -> None:
    base = [named("x"), named("y")]
    gone, changed = [named("x", 3)], [named("x"), named("y", 2)]
    wanted: list[Data] = [[named("x", 3)], [named("x", 3), named("y")], [named("x", 3), named("y", 2)]]
    if mirrored:
        assert merges(base, changed, gone) == wanted[::-1]
    else:
        assert merges(base, gone, changed) == wanted
    for prefer in SIDES:
        assert values.lists(base, gone, changed, prefer)[1]


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_emptied_list_and_a_changed_one(mirrored: bool) -> None:
    base, changed = [named("x"), named("y")], [named("x", 2), named("y")]
    found = merges(base, changed, []) if mirrored else merges(base, [], changed)
    assert found == ([changed, base, []] if mirrored else [[], base, changed])


@pytest.mark.parametrize("at", range(3))
def test_names_count_only_where_every_item_of_every_version_has_one(at: int) -> None:
    """Of its own: a name that is there twice, or null, is none."""
    for other in (ONE, named(None), named("x", 9)):
        sides: list[list[Data]] = [[named("x")], [named("x", 2)], [named("x")]]
        sides[at] = [*sides[at], other]
        assert values.merge(*sides, "ours") == [named("x", 2), *([other] if at else [])]
    base, ours = [named(None, id=ONE)], [named("x", id=ONE)]
    assert merges(base, ours, [named(None, 2, id=ONE)]) == [[named("x", 2, id=ONE)]] * 3


def test_a_name_that_is_spelled_null() -> None:
    base, swapped = [named("null"), named("y")], [named("y"), named("null")]
    assert merges(base, swapped, [named("null", 2), named("y")]) == [[named("y"), named("null", 2)]] * 3
