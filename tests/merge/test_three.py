"""Three trees made one, piece by piece: entries, documents and comments, one small case each."""

from __future__ import annotations

import re

import pytest

from encconf.merge import merge


def test_g_an_entry_taken_out_and_changed() -> None:
    base, gone, changed = "x: 1\ny: 2\n", "y: 2\n", "x: 3\ny: 2\n"
    for ours, theirs in ((gone, changed), (changed, gone)):
        found = merge(base, ours, theirs, format="yaml")
        assert (found.text, found.base, found.theirs, found.conflicts) == (ours, base, theirs, ["x"])


@pytest.mark.parametrize(
    ("format", "base", "path"),
    [
        ("yaml", "a: 1\n", "a"),
        ("yaml", "b: 2\n---\na: 1\n", "[1].a"),
        ("json", '{"a": 1}\n', "a"),
        ("ini", "[s]\na = 1\n", '["section.s"].a'),
        ("dotenv", "a=1\n", "a"),
    ],
)
def test_g_the_path_of_a_conflict(format: str, base: str, path: str) -> None:
    found = merge(base, base.replace("1", "8"), base.replace("1", "9"), format=format)
    assert (found.conflicts, found.whole) == ([path], False)


def test_g_a_document_keeps_its_markers() -> None:
    found = merge(
        "--- # x\n# a\n...\n", "--- # x\n# a\nk: 1\n...\n", "--- # x\n# a\n# b\n...\n", format="yaml"
    )
    assert (found.text, found.conflicts) == ("--- # x\n# a\nk: 1\n# b\n...\n", [])
    empty = "a: 1\n# x\nb: 2\n---\n"
    found = merge(empty, empty.replace("1", "3"), empty.replace("2", "4"), format="yaml")
    assert (found.text, found.conflicts) == ("a: 3\n# x\nb: 4\n---\n", [])
    found = merge("--- {a: 1}\n...\n", "--- {a: 1, b: 2}\n...\n", "--- {a: 3}\n... # x\n", format="yaml")
    assert (found.text, found.conflicts) == ("--- {a: 3, b: 2}\n... # x\n", [])


@pytest.mark.parametrize(
    ("format", "base"),
    [
        ("yaml", "a: 1\nk: 1\n# x \nb: 2\n"),
        ("yaml", "m:\n  a: 1\n  k: 1\n  # x \n  b: 2\n"),
        ("dotenv", "a=1\nk=1\n# x \nb=2\n"),
        ("ini", "[s]\na = 1\nk = 1\n# x \nb = 2\n"),
        ("toml", "a = 1\nk = 1\n# x \nb = 2\n"),
    ],
)
def test_d4_blanks_behind_a_comment(format: str, base: str) -> None:
    """One side takes them out, the other changes a value somewhere: git has no conflict there."""
    trimmed, changed = base.replace("# x \n", "# x\n"), re.sub(r"(a ?[:=] ?)1", r"\g<1>5", base)
    wanted = changed.replace("# x \n", "# x\n")
    for ours, theirs in ((trimmed, changed), (changed, trimmed)):
        found = merge(base, ours, theirs, format=format)
        assert (found.text, found.conflicts) == (wanted, [])
        # Whoever adds blanks is heard, too.
        assert merge(wanted, changed, changed, format=format).text == changed


def test_d4_both_sides_change_the_blanks() -> None:
    found = merge("a: 1\n# x \nb: 2\n", "a: 1\n# x  \nb: 2\n", "a: 1\n# x\nb: 3\n", format="yaml")
    assert (found.text, found.conflicts) == ("a: 1\n# x  \nb: 3\n", [])


@pytest.mark.parametrize("start", ["---\n", ""])
def test_d5_a_comment_in_a_document_without_values(start: str) -> None:
    base, filled, more = f"{start}# a\n", f"{start}# a\nk: v\n", f"{start}# a\n# b\n"
    for ours, theirs in ((filled, more), (more, filled)):
        found = merge(base, ours, theirs, format="yaml")
        assert found.conflicts == []
        assert sorted(found.text.splitlines()) == sorted([*filled.splitlines(), "# b"])
    emptied = merge(filled, base, f"{start}# a\nk: v\n# b\n", format="yaml")
    assert (emptied.text, emptied.conflicts) == (more, [])


def test_d5_a_comment_behind_the_sign_of_a_block_scalar() -> None:
    """One side explains a value, the other changes it."""
    base = "a: |-\n  one\n  two\nb: 1\n"
    told, changed = base.replace("|-", "|- # why"), base.replace("two", "three")
    for ours, theirs in ((told, changed), (changed, told)):
        found = merge(base, ours, theirs, format="yaml")
        assert (found.text, found.conflicts) == (changed.replace("|-", "|- # why"), [])
        for other in ("a: x\nb: 1\n", "b: 2\n"):
            assert merge(base, told, other, format="yaml").conflicts


def test_d5_a_comment_that_no_side_takes_out_stays() -> None:
    """Where the pieces cannot be put together with it, the file is at odds."""
    found = merge("---\n# a\nk: v\n", "---\n# a\n{}\n", "---\n# a\nk: v\n# b\n", format="yaml")
    assert found.conflicts
    found = merge(
        "l: [ [a: 1 # c\n] ]\n", "l: [ [a: 1 # c\n] ]\nb: 1\n", "l: [ [a: 1 # d\n] ]\n", format="yaml"
    )
    assert "# d" in found.text
