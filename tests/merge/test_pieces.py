"""The pieces of an entry in three versions: which is taken, and how far it is indented in its new place."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.merge import trees
from encconf.text.tree import Entry


def entries(text: str, format: str = "yaml") -> list[Entry]:
    """The entries of a text's first document."""
    block = formats.writing_of(formats.get(format)).tree(formats.get(format).scan(text, comments=True))
    while (
        len(block.entries) == 1
        and block.entries[0].key is None
        and hasattr(block.entries[0].value, "entries")
    ):
        block = block.entries[0].value
    return [entry for entry in block.entries if entry.value is not None]


@pytest.mark.parametrize(
    ("was", "here", "there", "chosen"), [(1, 1, 2, 2), (1, 2, 1, 2), (1, 2, 3, 2), (1, 1, 1, 1)]
)
def test_the_side_that_differs_is_heard_and_ours_if_both_do(
    was: int, here: int, there: int, chosen: int
) -> None:
    assert trees.either(was, here, there) == chosen


@pytest.mark.parametrize(
    ("text", "delta", "shifted"),
    [
        ("a:\n  b: 1\n", 0, "a:\n  b: 1\n"),
        ("a:\n  b: 1\n", 2, "a:\n    b: 1\n"),
        ("a:\n    b: 1\n", -2, "a:\n  b: 1\n"),
        ("a:\n  b: 1\n", -4, "a:\nb: 1\n"),  # no further than the margin
        ("a: |\n  x\n\n  y\n", 2, "a: |\n    x\n\n    y\n"),  # empty lines stay empty
        ("a:\n b: 1\n", 1, "a:\n  b: 1\n"),
        ("a: 1", 2, "a: 1"),  # the first line is where its place is
    ],
)
def test_all_lines_but_the_first_are_indented(text: str, delta: int, shifted: str) -> None:
    assert trees.shifted(text, delta) == shifted


@pytest.mark.parametrize(
    ("text", "delta", "shifted"),
    [
        ("# x\n", 2, "  # x\n"),
        ("# x\n", 1, " # x\n"),
        ("\n", 2, "\n"),
        ("    # x\n", -2, "  # x\n"),
        (" # x\n", -4, "# x\n"),
    ],
)
def test_the_first_line_too_where_it_is_asked_for(text: str, delta: int, shifted: str) -> None:
    assert trees.shifted(text, delta, first=True) == shifted


@pytest.mark.parametrize(
    ("head", "kind", "wanted"),
    [
        ("a:\n", "map", "a: {}\n"),
        ("a:\n", "list", "a: []\n"),
        ("a: # why\n", "map", "a: {} # why\n"),
        ("a: # why  \n", "map", "a: {} # why  \n"),
        ("", "map", "{}\n"),
        ("-", "map", "- {}\n"),
    ],
)
def test_a_collection_whose_last_entry_is_gone_is_empty_and_not_null(
    head: str, kind: str, wanted: str
) -> None:
    assert trees.with_empty(head, kind) == wanted


@pytest.mark.parametrize(
    ("text", "found"), [("\n  # x\n\n", False), ("", False), ("# x\na: 1\n", True), ("  - # x\n", True)]
)
def test_lines_that_are_more_than_comments(text: str, found: bool) -> None:
    assert trees.has_entries(text) is found


@pytest.mark.parametrize(("lead", "deep"), [("\n    ", 4), ("# x\n  ", 2), ("\n", 0), ("    ", 0), ("", 0)])
def test_how_far_a_line_is_indented(lead: str, deep: int) -> None:
    assert trees.depth(lead) == deep


def test_shapes_that_can_be_merged_piece_by_piece() -> None:
    leaf, other, block, flow, items = entries("a: 1\nb: x\nc:\n  d: 1\ne: {d: 1}\nf:\n  - 1\n")
    assert trees.shape(leaf) == trees.shape(other)
    shapes = [trees.shape(entry) for entry in (leaf, block, flow, items)]
    (lines,) = entries("a: |\n  x\n")  # a line break is part of it
    shapes.append(trees.shape(lines))
    assert all(one != two for at, one in enumerate(shapes) for two in shapes[:at])


def test_an_empty_collection_is_laid_out_as_the_other_side_has_it() -> None:
    (empty,), (full,) = entries("c: {}\n"), entries("c:\n  d: 1\n")
    found = trees.laid_out_as(empty, full, 0)
    assert trees.shape(found) == trees.shape(full)
    assert found.data == {}
    assert trees.laid_out_as(full, empty, 0) is full  # only what is empty
    (items,) = entries("c: []\n")
    assert trees.laid_out_as(items, full, 0) is items  # only of the same kind


def test_a_piece_in_each_version_that_has_it() -> None:
    (one,), (two,) = entries("c: 1\n"), entries("c:  2\n")
    assert trees.texts_of((one, None, two), "head") == ("c: ", None, "c:  ")
