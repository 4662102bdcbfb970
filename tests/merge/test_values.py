"""Three versions of what a text says made one, on values alone."""

from __future__ import annotations

import pytest

from encconf.merge import merge, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.merge.weave import Side
    from encconf.text.tree import Data


def listed(items: str) -> str:
    return "".join(["l:\n", *(f"- {item}\n" for item in items)])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("cd", "c", "z", None),  # one takes out, the other writes all anew
        ("abc", "ac", "azc", None),  # one takes out what the other has made another
        ("abc", "xbc", "aby", "xby"),
        ("abc", "bca", "abz", "bza"),
        ("abcd", "bcd", "abcx", "bcx"),
        ("ab", "b", "az", "z"),
    ],
)
def test_g_lists(base: str, ours: str, theirs: str, merged: str | None) -> None:
    for sides in ((ours, theirs), (theirs, ours)):
        found = merge(listed(base), *map(listed, sides), format="yaml")
        assert found.conflicts == ([] if merged is not None else ["l"])
        assert found.text == listed(merged if merged is not None else sides[0])


def test_g_a_named_item_taken_out_and_changed() -> None:
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


def number(value: int) -> tuple[str, str]:
    """A value as a tree's data has it: its type and its text."""
    return ("int", str(value))


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
    assert values.merge({"a": ("int", "1")}, {"a": ("str", "1")}, {"a": ("int", "1")}, "theirs") == {
        "a": ("str", "1")
    }


@pytest.mark.parametrize("base", [{}, [], ("null", "null"), values.NOTHING])
def test_both_sides_may_fill_what_is_empty(base: Data) -> None:
    assert values.is_empty(base)
    assert values.merge(base, {"a": ONE}, {"b": TWO}, "ours") == {"a": ONE, "b": TWO}
    assert values.merge(base, [ONE], [ONE], "ours") == [ONE]


@pytest.mark.parametrize("base", [ONE, {"a": ONE}, [ONE]])
def test_what_is_not_empty(base: Data) -> None:
    assert not values.is_empty(base)


def test_documents_of_a_stream() -> None:
    assert values.documents([], [{"a": ONE}], [{"b": ONE}], "ours") == [{"a": ONE, "b": ONE}]
    base: list[Data] = [{"a": ONE}, {"b": ONE}]
    assert values.documents(base, [{"a": TWO}, {"b": ONE}], [{"a": ONE}, {"b": THREE}], "base") == [
        {"a": TWO},
        {"b": THREE},
    ]


def test_mappings_with_names_change_and_move_by_themselves() -> None:
    first, second, third = ({"name": ("str", name), "v": ONE} for name in "xyz")
    changed = {**second, "v": TWO}
    found = values.merge([first, second], [second, first], [first, changed, third], "ours")
    assert found == [changed, first, third]
    assert not values.lists([first, second], [second, first], [first, changed, third], "ours").clash
