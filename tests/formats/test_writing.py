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
