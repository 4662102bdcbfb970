"""Plain values, as Python's json module knows them."""

from __future__ import annotations

import copy

import pytest

from encconf.errors import EmitError, PathNotFoundError
from encconf.formats import writing

TREE = {"a": {"b": 1}, "l": [1, {"x": 2}, 3]}


@pytest.mark.parametrize(
    ("value", "stored", "text"),
    [
        (None, ("null", None), ""),
        (True, ("bool", b"True"), "true"),
        (False, ("bool", b"False"), "false"),
        (-7, ("int", b"-7"), "-7"),
        (1.5, ("float", b"1.5"), "1.5"),
        (1e21, ("float", b"1000000000000000000000"), "1" + "0" * 21),
        ("täxt", ("str", "täxt".encode()), "täxt"),
    ],
)
def test_what_sops_stores(value: bool | float | str | None, stored: tuple[str, bytes], text: str) -> None:
    assert writing.stored(value) == stored
    assert writing.string_of(value) == text


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(EmitError, match="not UTF-8"):
        writing.text_of("str", b"\xff")


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (("a", "b"), {**TREE, "a": {"b": "new"}}),
        (("a", "c", "d"), {**TREE, "a": {"b": 1, "c": {"d": "new"}}}),
        (("n", 0, "k"), {**TREE, "n": [{"k": "new"}]}),
        (("l", 0), {**TREE, "l": ["new", {"x": 2}, 3]}),
        (("l", 2), {**TREE, "l": [1, {"x": 2}, "new"]}),
        (("l", 1, "x"), {**TREE, "l": [1, {"x": "new"}, 3]}),
        (("l", 3), {**TREE, "l": [1, {"x": 2}, 3, "new"]}),
        (("l", 3, "x"), {**TREE, "l": [1, {"x": 2}, 3, {"x": "new"}]}),
        (("l", 2, "x"), {**TREE, "l": [1, {"x": 2}, {"x": "new"}]}),
        ((), "new"),
    ],
)
def test_a_value_is_put(path: tuple[str | int, ...], after: object) -> None:
    assert writing.put_plain(copy.deepcopy(TREE), path, "new") == after


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (("a",), {"l": TREE["l"]}),
        (("a", "b"), {**TREE, "a": {}}),
        (("l", 0), {**TREE, "l": [{"x": 2}, 3]}),
        (("l", -1), {**TREE, "l": [1, {"x": 2}]}),
        (("l", 1, "x"), {**TREE, "l": [1, {}, 3]}),
    ],
)
def test_a_value_is_removed(path: tuple[str | int, ...], after: object) -> None:
    tree = copy.deepcopy(TREE)
    writing.drop_plain(tree, path)
    assert tree == after


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("l", -1), ("l", 2)),
        (("l", -2, "x"), ("l", 1, "x")),
        (("l", 7, "x"), ("l", 3, "x")),  # one beyond the end is where an item is added
        (("a", "none", -1), ("a", "none", -1)),  # as far as it exists
        (("a", "b", "c"), ("a", "b", "c")),
    ],
)
def test_indexes_are_counted_from_the_start(path: tuple[str | int, ...], found: object) -> None:
    assert writing.settled(TREE, path) == found


def test_each_index_is_that_of_python() -> None:
    """One beyond the end is where an item is added, whatever comes after it."""
    for index in range(-3, 6):
        at = range(3)[index] if index < 3 else 3
        assert writing.settled(["x", "y", "z"], (index,)) == (at,)
        assert writing.settled([["x"], ["y"], ["z"]], (index, -1)) == (at, 0 if index < 3 else -1)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("a", 0), "mapping has keys, no indexes"),
        (("l", "x"), "list has indexes, no keys"),
        (("l", -4), "only 3 items"),
    ],
)
def test_steps_that_cannot_be(path: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(PathNotFoundError, match=said):
        writing.settled(TREE, path)


def test_what_is_missing_is_named() -> None:
    assert str(writing.missing(("a", "x", 0)).message) == "no value at a.x[0]"


FOUND = {"a": {"b": ["x", {"c": "y"}]}, "n": "z", **{f"k{number}": "" for number in range(6)}}


class TestValueAt:
    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ((), FOUND),
            (("a", "b", 0), "x"),
            (("a", "b", 1, "c"), "y"),
            (("a", "b", -1, "c"), "y"),
            (("a", "b", -2), "x"),
        ],
    )
    def test_what_is_there(self, path: tuple[str | int, ...], found: object) -> None:
        assert writing.value_at(FOUND, path) == found

    @pytest.mark.parametrize(
        ("path", "said", "hint"),
        [
            (("a", "b", 2), "no value at a.b[2]: the list has 2 items", None),
            (("a", "b", -3), "no value at a.b[-3]: the list has 2 items", None),
            (("a", "b", "c", "d"), "no value at a.b.c: a.b is a list", None),
            (("n", "x", "y"), "no value at n.x: n is a single value", None),
            (("n", 0), "no value at n[0]: n is a single value", None),
            (("a", 0), "no value at a[0]: a mapping has keys, not indexes", None),
            (("a", "bb"), "no value at a.bb", "did you mean a.b?"),
            (("zzz",), "no value at zzz", "the keys there are: a, n, k0, k1, k2, k3, k4, k5"),
        ],
    )
    def test_what_is_not(self, path: tuple[str | int, ...], said: str, hint: str | None) -> None:
        with pytest.raises(PathNotFoundError) as caught:
            writing.value_at(FOUND, path)
        assert str(caught.value) == said
        if hint is not None:
            assert caught.value.hint == hint

    @pytest.mark.parametrize(("size", "more"), [(0, None), (1, ""), (8, ""), (9, " and 1 more")])
    def test_some_of_the_keys_are_named(self, size: int, more: str | None) -> None:
        with pytest.raises(PathNotFoundError) as caught:
            writing.value_at({f"k{number}": 1 for number in range(size)}, ("zzz",))
        named = ", ".join(f"k{number}" for number in range(min(size, 8)))
        assert caught.value.hint == (f"the keys there are: {named}{more}" if more is not None else None)
