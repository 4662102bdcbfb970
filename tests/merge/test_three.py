"""Three trees made one, piece by piece: entries, documents and comments, one small case each."""

from __future__ import annotations

import re

import pytest

from encconf.merge import merge


def test_an_entry_taken_out_and_changed() -> None:
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
        ("ini", "[s]\na = 1\n", "s.a"),
        ("dotenv", "a=1\n", "a"),
        ("toml", "[t]\na.b = 1\n", "t.a.b"),
        ("toml", "[[t]]\na = 1\n", "t[0].a"),
    ],
)
def test_the_path_of_a_conflict(format: str, base: str, path: str) -> None:
    found = merge(base, base.replace("1", "8"), base.replace("1", "9"), format=format)
    assert (found.conflicts, found.whole) == ([path], False)


def test_a_document_keeps_its_markers() -> None:
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
def test_blanks_behind_a_comment(format: str, base: str) -> None:
    """One side takes them out, the other changes a value somewhere: git has no conflict there."""
    trimmed, changed = base.replace("# x \n", "# x\n"), re.sub(r"(a ?[:=] ?)1", r"\g<1>5", base)
    wanted = changed.replace("# x \n", "# x\n")
    for ours, theirs in ((trimmed, changed), (changed, trimmed)):
        found = merge(base, ours, theirs, format=format)
        assert (found.text, found.conflicts) == (wanted, [])
        # Whoever adds blanks is heard, too.
        assert merge(wanted, changed, changed, format=format).text == changed


def test_both_sides_change_the_blanks() -> None:
    found = merge("a: 1\n# x \nb: 2\n", "a: 1\n# x  \nb: 2\n", "a: 1\n# x\nb: 3\n", format="yaml")
    assert (found.text, found.conflicts) == ("a: 1\n# x  \nb: 3\n", [])


@pytest.mark.parametrize("start", ["---\n", ""])
def test_a_comment_in_a_document_without_values(start: str) -> None:
    base, filled, more = f"{start}# a\n", f"{start}# a\nk: v\n", f"{start}# a\n# b\n"
    for ours, theirs in ((filled, more), (more, filled)):
        found = merge(base, ours, theirs, format="yaml")
        assert found.conflicts == []
        assert sorted(found.text.splitlines()) == sorted([*filled.splitlines(), "# b"])
    emptied = merge(filled, base, f"{start}# a\nk: v\n# b\n", format="yaml")
    assert (emptied.text, emptied.conflicts) == (more, [])


def test_a_comment_behind_the_sign_of_a_block_scalar() -> None:
    """One side explains a value, the other changes it."""
    base = "a: |-\n  one\n  two\nb: 1\n"
    commented, changed = base.replace("|-", "|- # why"), base.replace("two", "three")
    for ours, theirs in ((commented, changed), (changed, commented)):
        found = merge(base, ours, theirs, format="yaml")
        assert (found.text, found.conflicts) == (changed.replace("|-", "|- # why"), [])
        for other in ("a: x\nb: 1\n", "b: 2\n"):
            assert merge(base, commented, other, format="yaml").conflicts


def test_a_comment_that_no_side_takes_out_stays() -> None:
    """Where the pieces cannot be put together with it, the file is at odds."""
    found = merge("---\n# a\nk: v\n", "---\n# a\n{}\n", "---\n# a\nk: v\n# b\n", format="yaml")
    assert found.conflicts
    found = merge(
        "l: [ [a: 1 # c\n] ]\n", "l: [ [a: 1 # c\n] ]\nb: 1\n", "l: [ [a: 1 # d\n] ]\n", format="yaml"
    )
    assert "# d" in found.text


@pytest.mark.parametrize(
    ("format", "base", "ours", "theirs", "merged"),
    [
        (
            "yaml",
            "m:\n  a: 1\n  b: 2\n",
            "m:\n    a: 1\n    b: 2\n",
            "m:\n  a: 1\n  b: 2\n  c: 3\n",
            "m:\n    a: 1\n    b: 2\n    c: 3\n",
        ),
        (
            "yaml",
            "m:\n  n:\n    a: 1\n",
            "m:\n    n:\n        a: 1\n",
            "m:\n  n:\n    a: 1\n    # new\n    b: |\n      x\n      y\n",
            "m:\n    n:\n        a: 1\n        # new\n        b: |\n          x\n          y\n",
        ),
        (
            "yaml",
            "m:\n    n:\n        a: 1\n        k: |\n            x\n            y\n",
            "m:\n  n:\n    a: 1\n    k: |\n      x\n      y\n",
            "m:\n    n:\n        a: 1\n        k: |\n            x\n            z\n",
            "m:\n  n:\n    a: 1\n    k: |\n        x\n        z\n",
        ),
        (
            "yaml",
            "l:\n- a: 1\n  b: 2\n",
            "l:\n  - a: 1\n    b: 2\n",
            "l:\n- a: 1\n  # c\n  b: 3\n- z\n",
            "l:\n  - a: 1\n    # c\n    b: 3\n  - z\n",
        ),
        ("yaml", "x: 1\nm: a\n", "x: 1\nm: 'a'\n", "x: 1\nm: b\n", "x: 1\nm: b\n"),
        ("yaml", "x: 1\nm: a\n", "x: 1\nm: 'a'\n", "x: 2\nm: a\n", "x: 2\nm: 'a'\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: {a: 1}\nz: 1\n", "m:\n  a: 1\nz: 2\n", "m: {a: 1}\nz: 2\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: {a: 1}\nz: 1\n", "m:\n  a: 2\nz: 1\n", "m:\n  a: 2\nz: 1\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: {a: 1}\nz: 1\n", "m: {a: 1}\nz: 2\n", "m: {a: 1}\nz: 2\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: 5\nz: 1\n", "m:\n  a: 1\nz: 2\n", "m: 5\nz: 2\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: {}\nz: 1\n", "m:\n  a: 1\nz: 2\n", "m: {}\nz: 2\n"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m:\n  a: 1\n  b: 2\nz: 1\n", "m: {}\nz: 1\n", "m:\n  b: 2\nz: 1\n"),
        ("yaml", "m:\n  a: 1\n  b: 2\nz: 1\n", "m:\n  a: 1\nz: 1\n", "m:\n  b: 2\nz: 1\n", "m: {}\nz: 1\n"),
        (
            "yaml",
            "m: # why\n  a: 1\n  b: 2\nz: 1\n",
            "m: # why\n  a: 1\nz: 1\n",
            "m: # why\n  b: 2\nz: 1\n",
            "m: {} # why\nz: 1\n",
        ),
        ("yaml", "m:\n- 1\n- 2\nz: 1\n", "m:\n- 1\nz: 1\n", "m:\n- 2\nz: 1\n", "m: []\nz: 1\n"),
        (
            "yaml",
            "m:\n  # c\n  a: 1\n  b: 2\nz: 1\n",
            "m:\n  # c\n  a: 1\nz: 1\n",
            "m:\n  # c\n  b: 2\nz: 1\n",
            "m: {}\n  # c\nz: 1\n",
        ),
        (
            "yaml",
            "l:\n- - 1\n  - 2\n- - 3\n",
            "l:\n- - 1\n- - 3\n",
            "l:\n- - 1\n  - 2\n- - 3\n  - 4\n",
            "l:\n- - 1\n- - 3\n  - 4\n",
        ),
        ("yaml", "a: 1\n", "a: 1\n---\nb: 1\n", "a: 2\n", "a: 2\n---\nb: 1\n"),
        ("yaml", "a: 1\n---\nb: 1\n", "b: 1\n", "a: 1\n---\nb: 1\n---\nc: 1\n", "b: 1\n---\nc: 1\n"),
        (
            "yaml",
            "a: 1\n---\nb: 1\n---\nc: 1\n",
            "a: 1\n---\nc: 1\n",
            "a: 1\n---\nb: 1\n---\nc: 2\n",
            "a: 1\n---\nc: 2\n",
        ),
        ("yaml", "a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n", "a: 1\n---\nb: 2\n", "a: 2\n---\nb: 2\n"),
        ("yaml", "---\na: 1\n---\nb: 1\n", "---\nb: 1\n", "---\na: 1\n---\nb: 2\n", "---\nb: 2\n"),
        ("yaml", "a: 1\nb: 2\n", "a: 1\n", "b: 2\n", "{}\n"),
        ("yaml", "# x\n\n# y\n", "# y\n", "# x\n\n# y\n# z\n", "# y\n# z\n"),
        ("yaml", "l: [1, 2]\n", "l: [1, 2, 3]\n", "l: [0, 1, 2]\n", "l: [0, 1, 2, 3]\n"),
        ("yaml", "l: [1, 2]\n", "l: [2]\n", "l: [1, 2, 3]\n", "l: [2, 3]\n"),
        ("yaml", "l: [1, 2]\n", "l: [ 1, 2 ]\n", "l: [1, 2, 3]\n", "l: [ 1, 2, 3 ]\n"),
        ("yaml", "l: [1, 2,]\n", "l: [1, 2]\n", "l: [0, 1, 2,]\n", "l: [0, 1, 2]\n"),
        ("yaml", "l: [1, 2]\n", "l: [1, 2,]\n", "l: [0, 1, 2]\n", "l: [0, 1, 2,]\n"),
        (
            "yaml",
            "m: {\n  a: 1, # one\n  b: 2\n}\n",
            "m: {\n  a: 1, # one\n  b: 3\n}\n",
            "m: {\n  a: 1, # uno\n  b: 2,\n  c: 3 # three\n}\n",
            "m: {\n  a: 1, # uno\n  b: 3,\n  c: 3 # three\n}\n",
        ),
        ("yaml", "m: {a: 1, b: 2}\n", "m: {b: 2}\n", "m: {c: 3, a: 1, b: 2}\n", "m: {c: 3, b: 2}\n"),
        (
            "yaml",
            "m: {a: 1, b: 2}\n",
            "m: {b: 2, a: 1}\n",
            "m: {a: 1, b: 2, c: 3}\n",
            "m: {b: 2, a: 1, c: 3}\n",
        ),
        (
            "yaml",
            "m: {\n  # c\n  a: 1,\n  b: 2\n}\n",
            "m: {\n  b: 2\n}\n",
            "m: {\n  # c\n  a: 1,\n  b: 2,\n  # d\n  e: 1\n}\n",
            "m: {\n  b: 2,\n  # d\n  e: 1\n}\n",
        ),
        (
            "json",
            '{\n  "a": 1,\n  "b": 2\n}\n',
            '{\n  "b": 2\n}\n',
            '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n',
            '{\n  "b": 2,\n  "c": 3\n}\n',
        ),
        ("json", '{"a":1}\n', '{"a":1,"b":2}\n', '{"c":3,"a":1}\n', '{"c":3,"a":1,"b":2}\n'),
        ("json", '{"a": [1, 2]}\n', '{"a": [2]}\n', '{"a": [1]}\n', '{"a": []}\n'),
        ("json", '{"a": {"x": 1}}\n', '{"a": {}}\n', '{"a": {"x": 1}, "b": 1}\n', '{"a": {}, "b": 1}\n'),
        ("json", '{"a": 1}\n', "{}\n", '{"a": 1, "b": 1}\n', '{"b": 1}\n'),
        ("yaml", "a: |\n  x\nb: 1\n", "a: |\n  x\nb: 2\n", "a: |-\n  x\nb: 1\n", "a: |-\n  x\nb: 2\n"),
        (
            "yaml",
            "m:\n  a: |\n    x\n",
            "m:\n  a: |\n    y\n",
            "m:\n  a: | # c\n    x\n",
            "m:\n  a: | # c\n    y\n",
        ),
        (
            "yaml",
            "a: | # c\n  x\nb: 1\n",
            "a: | # d\n  x\nb: 1\n",
            "a: | # c\n  y\nb: 1\n",
            "a: | # d\n  y\nb: 1\n",
        ),
        ("yaml", "a: | # c\n  x\nb: 1\n", "a: |\n  x\nb: 1\n", "a: | # c\n  y\nb: 1\n", "a: |\n  y\nb: 1\n"),
        ("yaml", "a: x\nb: 1\n", "a: | # c\n  x\nb: 1\n", "a: x\nb: 2\n", "a: | # c\n  x\nb: 2\n"),
        ("yaml", "b: 1\n", "a: | # c\n  x\nb: 1\n", "a: |\n  x\nb: 2\n", "a: | # c\n  x\nb: 2\n"),
        ("yaml", "a: 1\nb: 2\n", "a: 1 # one\nb: 2\n", "a: 3\nb: 2\n", "a: 3 # one\nb: 2\n"),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1\nb: 2\n", "a: 3 # one\nb: 2\n", "a: 3\nb: 2\n"),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1 # uno\nb: 2\n", "a: 3 # one\nb: 2\n", "a: 3 # uno\nb: 2\n"),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1   # one\nb: 2\n", "a: 1 # uno\nb: 2\n", "a: 1 # uno\nb: 2\n"),
        ("yaml", "a:  1\nb: 2\n", "'a': 1\nb: 2\n", "a: 1\nb: 2\n", "'a': 1\nb: 2\n"),
        ("yaml", "# x\na: 1\n", "# y\na: 1\n", "# x\na: 2\n", "# y\na: 2\n"),
        ("yaml", "# x\na: 1\n", "a: 1\n", "# x\na: 2\n", "a: 2\n"),
        ("yaml", "# x\n# y\na: 1\n", "# y\na: 1\n", "# x\na: 1\n", "a: 1\n"),
        ("yaml", "a: 1\n\nb: 2\n", "a: 1\nb: 2\n", "a: 1\n\nb: 3\n", "a: 1\nb: 3\n"),
        ("yaml", "a: 1\n\n\nb: 2\n", "a: 1\nb: 2\n", "a: 1\n\nb: 3\n", "a: 1\nb: 3\n"),
        ("yaml", "a: 1\nb: 2\nc: 3\n", "b: 2\na: 1\nc: 3\n", "a: 1\nb: 2\nc: 4\n", "b: 2\na: 1\nc: 4\n"),
        (
            "yaml",
            "a: 1\nb: 2\nc: 3\n",
            "c: 3\na: 1\nb: 2\n",
            "a: 9\nb: 2\nc: 3\nd: 4\n",
            "c: 3\na: 9\nb: 2\nd: 4\n",
        ),
        ("yaml", "l:\n- a\n- b\n", "l:\n- b\n- a\n", "l:\n- a\n- b\n- c\n", "l:\n- b\n- a\n- c\n"),
        ("yaml", "a: 1", "a: 1\nb: 2", "a: 3", "a: 3\nb: 2"),
        ("yaml", "a: 1\nb: 2", "a: 1\nb: 2\nc: 3\n", "a: 1\nb: 3", "a: 1\nb: 3\nc: 3\n"),
        ("yaml", "m:\n  a: 1\n  b: 2\nz: 1\n", "z: 2\n", "m:\n  b: 2\n  a: 1\nz: 1\n", "z: 2\n"),
        ("yaml", "a: &x 1\nb: *x\n", "a: &x 2\nb: *x\n", "a: &x 1\nb: *x\nc: 3\n", "a: &x 2\nb: *x\nc: 3\n"),
        ("yaml", "a: &x 1\nb: *x\n", "a: &x 1\nb: *x\nc: *x\n", "a: &x 1\nb: 1\n", "a: &x 1\nb: 1\nc: *x\n"),
        (
            "yaml",
            "a: &x {y: 1}\nb:\n  <<: *x\n  z: 1\n",
            "a: &x {y: 2}\nb:\n  <<: *x\n  z: 1\n",
            "a: &x {y: 1}\nb:\n  <<: *x\n  z: 2\n",
            "a: &x {y: 2}\nb:\n  <<: *x\n  z: 2\n",
        ),
        (
            "toml",
            "[a]\nx = 1\n\n[b]\ny = 1\n",
            "[a]\nx = 2\n\n[b]\ny = 1\n",
            "[a]\nx = 1\n\n[b]\ny = 1\nz = 3\n",
            "[a]\nx = 2\n\n[b]\ny = 1\nz = 3\n",
        ),
        (
            "toml",
            "[[a]]\nx = 1\n\n[[a]]\nx = 2\n",
            "[[a]]\nx = 1\n\n[[a]]\nx = 3\n",
            "[[a]]\nx = 1\n\n[[a]]\nx = 2\n\n[[a]]\nx = 4\n",
            "[[a]]\nx = 1\n\n[[a]]\nx = 3\n\n[[a]]\nx = 4\n",
        ),
        ("toml", "a.b = 1\n", "a.b = 1\na.c = 2\n", "a.b = 3\n", "a.b = 3\na.c = 2\n"),
        (
            "ini",
            "[s]\na = 1\n\n[t]\nb = 1\n",
            "[s]\na = 2\n\n[t]\nb = 1\n",
            "[t]\nb = 1\n\n[s]\na = 1\n",
            "[t]\nb = 1\n\n[s]\na = 2\n",
        ),
        (
            "ini",
            "[s]\na = 1\n\n[t]\nb = 1\n",
            "[s]\na = 1\n",
            "[s]\na = 1\n; c\nd = 1\n\n[t]\nb = 1\n",
            "[s]\na = 1\n; c\nd = 1\n",
        ),
        ("dotenv", "a=1\nb=2\n", "b=2\n", "a=1\nb=2\n# c\nd=1\n", "b=2\n# c\nd=1\n"),
        ("dotenv", "a=1\nb=2\n", "b=2\na=1\n", "a=1\nb=3\n", "b=3\na=1\n"),
        (
            "yaml",
            "m:\n  # x \n  a: 1\n",
            "m:\n    # x \n    a: 1\n",
            "m:\n  # x\n  a: 1\n",
            "m:\n    # x\n    a: 1\n",
        ),
        (
            "yaml",
            "a: 1\n# x\n# y\nb: 1\n# z\nc: 1\n",
            "a: 1\nb: 1\n# z\nc: 1\n",
            "a: 1\n# x\n# y\nb: 1\n# zz\nc: 1\n",
            "a: 1\nb: 1\n# zz\nc: 1\n",
        ),
        (
            "yaml",
            "a: 1\n# x\nb: 1\n# z\n",
            "a: 1\n# y\nb: 1\n# z\n",
            "a: 1\n# x\nb: 2\n# zz\n",
            "a: 1\n# y\nb: 2\n# zz\n",
        ),
        ("yaml", "a: {x: 1}\nb: 1\n", "b: 1\n", "a: {x: 1}\nb: 2\n", "b: 2\n"),
        (
            "yaml",
            "m: # c\n  a: 1\nz: 1\n",
            "m: # c\n  a: 1\n  b: 1\nz: 1\n",
            "m: # d\n  a: 2\nz: 1\n",
            "m: # d\n  a: 2\n  b: 1\nz: 1\n",
        ),
        (
            "yaml",
            "l: [\n  1, # one\n  2\n]\n",
            "l: [\n  2\n]\n",
            "l: [\n  1, # one\n  2, # two\n  3\n]\n",
            "l: [\n  2, # two\n  3\n]\n",
        ),
        ("yaml", "l: [1, 2]\n", "l: [ # c\n  1, 2]\n", "l: [1, 2, 3]\n", "l: [ # c\n  1, 2, 3]\n"),
        (
            "yaml",
            "a: 1\n\n\n\nb: 1\n",
            "a: 1\nb: 1\nc: 1\n",
            "a: 1\n\n# x\n\nb: 1\n",
            "a: 1\n# x\nb: 1\nc: 1\n",
        ),
        (
            "yaml",
            "m:\n  n:\n    a: 1\n",
            "m:\n    n:\n      a: 1\n",
            "m:\n  n:\n      a: 1\n",
            "m:\n    n:\n        a: 1\n",
        ),
        ("yaml", "a: 1\n---\nb: 1\n", "a: 1\n", "b: 1\n", ""),
        ("yaml", "a: 1\n", "", "a: 1\n---\nb: 1\n", "---\nb: 1\n"),
        ("yaml", "\n", "\n\n", "# x\n", "# x\n"),
        (
            "yaml",
            "m: {\n  # c\n  a: 1\n}\n",
            "m: {\n  # c\n  a: 2\n}\n",
            "m: {\n  # c\n  a: 1,\n  b: 1\n}\n",
            "m: {\n  # c\n  a: 2,\n  b: 1\n}\n",
        ),
        (
            "yaml",
            "m:\n  a: 1\n",
            "m:\n    a: 1\n    b:\n        c: 1\n",
            "m:\n  a: 2\n",
            "m:\n    a: 2\n    b:\n        c: 1\n",
        ),
        ("yaml", "x: 1\n", "x: 1\nm: {}\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm:\n  a: 1\n"),
        (
            "yaml",
            "m:\n  n: {a: 1}\n",
            "m:\n    n: {a: 1}\n",
            "m:\n  n:\n    b: 2\n",
            "m:\n    n:\n      b: 2\n",
        ),
        (
            "yaml",
            "m:\n  n: {a: 1}\n  z: 1\n",
            "m:\n    n:\n        b: 2\n    z: 1\n",
            "m:\n  n: {a: 1}\n  z: 2\n",
            "m:\n    n:\n        b: 2\n    z: 2\n",
        ),
        ("yaml", "m:\n  a: 1\n", "m: {a: 2}\n", "m: {a: 2} # why\n", "m: {a: 2} # why\n"),
        (
            "yaml",
            'm:\n  a: "x y"\n',
            'm:\n    a: "x y"\n',
            'm:\n  a: "x\n    y"\n',
            'm:\n    a: "x\n      y"\n',
        ),
        (
            "yaml",
            "m:\n  a: |\n    x\n  b: 1\n",
            "m:\n    a: |\n        y\n    b: 1\n",
            "m:\n  a: |\n    x\n  b: 2\n",
            "m:\n    a: |\n        y\n    b: 2\n",
        ),
        ("yaml", "x: 1\n", "x: 1\na: 1 # c\n", "x: 1\na: 1\n", "x: 1\na: 1 # c\n"),
        (
            "yaml",
            "l:\n- name: a\n  v: 1\n- name: b\n  v: 1\n",
            "l:\n- name: b\n  v: 1\n- name: a\n  v: 1\n",
            "l:\n- name: a\n  v: 1\n- name: b\n  v: 2\n- name: c\n  v: 1\n",
            "l:\n- name: b\n  v: 2\n- name: a\n  v: 1\n- name: c\n  v: 1\n",
        ),
        (
            "yaml",
            "l:\n- name: a\n  v: 1\n- name: b\n  v: 1\n",
            "l:\n- name: a\n  v: 1\n",
            "l:\n- name: b\n  v: 1\n",
            "l: []\n",
        ),
        ("yaml", "l:\n- a\n- b\n- c\n", "l:\n- a\n- c\n", "l:\n- a\n- b\n- x\n- c\n", "l:\n- a\n- x\n- c\n"),
        (
            "yaml",
            "l:\n# one\n- a\n# two\n- b\n# three\n- c\n",
            "l:\n# one\n- a\n# three\n- c\n",
            "l:\n# one\n- a\n# two\n- b\n# drei\n- c\n",
            "l:\n# one\n- a\n# drei\n- c\n",
        ),
        ("yaml", "a: 1\nb: 2\nc: 3\n", "b: 2\nc: 4\n", "b: 3\nc: 3\n", "b: 3\nc: 4\n"),
        ("yaml", "a: 1\nb: 2\nc: 3\n", "b: 2\nc: 3\na: 1\n", "a: 1\nb: 2\nc: 4\n", "b: 2\nc: 4\na: 1\n"),
    ],
)
def test_what_each_side_changed_is_in_the_result(
    format: str, base: str, ours: str, theirs: str, merged: str
) -> None:
    """Whichever side is ours; nothing is at odds, and all else keeps its spelling."""
    for sides in ((ours, theirs), (theirs, ours)):
        found = merge(base, *sides, format=format)
        assert (found.text, found.conflicts) == (merged, [])


@pytest.mark.parametrize(
    ("base", "filled", "indented", "merged"),
    [
        (
            "a:\n  b: 1\n  c: {}\nd: 1\n",
            "a:\n  b: 1\n  c:\n    x: 1\n    y:\n      z: 2\nd: 1\n",
            "a:\n    b: 1\n    c: {}\nd: 1\n",
            "a:\n    b: 1\n    c:\n      x: 1\n      y:\n        z: 2\nd: 1\n",
        ),
        (
            "a:\n    b: 1\n    c: []\n",
            "a:\n    b: 1\n    c:\n        - x: 1\n          y: 2\n        - 3\n",
            "a:\n  b: 1\n  c: []\n",
            "a:\n  b: 1\n  c:\n      - x: 1\n        y: 2\n      - 3\n",
        ),
        (
            "a:\n  b: 1\n  c: {}\n",
            "a:\n  b: 1\n  c:\n    x: 1\n",
            "a:\n    b: 1\n    c:\n        y: 1\n",
            "a:\n    b: 1\n    c:\n      x: 1\n      y: 1\n",
        ),
    ],
)
def test_an_empty_collection_is_filled_where_the_other_side_indents_it(
    base: str, filled: str, indented: str, merged: str
) -> None:
    """The new entries are as deep below their key as the side that adds them has them."""
    found = merge(base, filled, indented, format="yaml")
    assert (found.text, found.conflicts) == (merged, [])
    found = merge(base, indented, filled, format="yaml")
    swapped = merged.replace("      x: 1\n      y: 1\n", "        y: 1\n        x: 1\n")
    assert (found.text, found.conflicts) == (swapped, [])


@pytest.mark.parametrize(
    ("format", "base", "ours", "theirs", "merged"),
    [
        ("yaml", "x: 1\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm:\n    b: 2\n", "x: 1\nm:\n  a: 1\n  b: 2\n"),
        ("yaml", "x: 1\n", "x: 1\nm:\n    b: 2\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm:\n    b: 2\n    a: 1\n"),
        ("yaml", "x: 1\nm:\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm:\n    b: 2\n", "x: 1\nm:\n  a: 1\n  b: 2\n"),
        (
            "yaml",
            "x: 1\nm:\n",
            "x: 1\nm:\n    b: 2\n",
            "x: 1\nm:\n  a: 1\n",
            "x: 1\nm:\n    b: 2\n    a: 1\n",
        ),
        ("yaml", "x: 1\nm: {}\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm:\n    b: 2\n", "x: 1\nm:\n  a: 1\n  b: 2\n"),
        (
            "yaml",
            "x: 1\nm: {}\n",
            "x: 1\nm:\n    b: 2\n",
            "x: 1\nm:\n  a: 1\n",
            "x: 1\nm:\n    b: 2\n    a: 1\n",
        ),
        ("yaml", "x: 1\nm: {}\n", "x: 1\nm: {a: 1}\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: {a: 1, b: 2}\n"),
        ("yaml", "x: 1\nm: {}\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: {a: 1}\n", "x: 1\nm: {b: 2, a: 1}\n"),
        ("yaml", "x: 1\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm: {a: 1}\n", "x: 1\nm:\n  a: 1\n"),
        ("yaml", "x: 1\n", "x: 1\nm: {a: 1}\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm: {a: 1}\n"),
        ("yaml", "x: 1\n", "x: 1\nm: 'a'\n", "x: 1\nm: a\n", "x: 1\nm: 'a'\n"),
        ("yaml", "x: 1\n", "x: 1\nm: a\n", "x: 1\nm: 'a'\n", "x: 1\nm: a\n"),
        ("yaml", "x: 1\nm: a\n", "x: 1\nm: 'a'\n", 'x: 1\nm: "a"\n', "x: 1\nm: 'a'\n"),
        ("yaml", "x: 1\nm: a\n", 'x: 1\nm: "a"\n', "x: 1\nm: 'a'\n", 'x: 1\nm: "a"\n'),
        ("yaml", "", "a: 1\n", "b: 1\n", "a: 1\nb: 1\n"),
        ("yaml", "", "b: 1\n", "a: 1\n", "b: 1\na: 1\n"),
        ("yaml", "# x\n", "# x\n# y\n", "# x\n# z\n", "# x\n# y\n# z\n"),
        ("yaml", "# x\n", "# x\n# z\n", "# x\n# y\n", "# x\n# z\n# y\n"),
        (
            "json",
            '{\n  "a": 1\n}\n',
            '{\n  "a": 1,\n  "b": 2\n}\n',
            '{\n  "a": 1,\n  "c": {\n    "d": 1\n  }\n}\n',
            '{\n  "a": 1,\n  "b": 2,\n  "c": {\n    "d": 1\n  }\n}\n',
        ),
        (
            "json",
            '{\n  "a": 1\n}\n',
            '{\n  "a": 1,\n  "c": {\n    "d": 1\n  }\n}\n',
            '{\n  "a": 1,\n  "b": 2\n}\n',
            '{\n  "a": 1,\n  "c": {\n    "d": 1\n  },\n  "b": 2\n}\n',
        ),
        ("json", "{}\n", '{"a": 1}\n', '{"b": 1}\n', '{"a": 1, "b": 1}\n'),
        ("json", "{}\n", '{"b": 1}\n', '{"a": 1}\n', '{"b": 1, "a": 1}\n'),
        ("json", "{}\n", '{\n  "a": 1\n}\n', '{\n  "b": 1\n}\n', '{\n  "a": 1,\n  "b": 1\n}\n'),
        ("json", "{}\n", '{\n  "b": 1\n}\n', '{\n  "a": 1\n}\n', '{\n  "b": 1,\n  "a": 1\n}\n'),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1   # one\nb: 2\n", "a: 1  # one\nb: 3\n", "a: 1   # one\nb: 3\n"),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1  # one\nb: 3\n", "a: 1   # one\nb: 2\n", "a: 1  # one\nb: 3\n"),
        ("yaml", "a: 1\n", "# x\na: 1\n", "# y\na: 1\n", "# x\n# y\na: 1\n"),
        ("yaml", "a: 1\n", "# y\na: 1\n", "# x\na: 1\n", "# y\n# x\na: 1\n"),
        ("yaml", "a: 1\nb: 2\nc: 3\n", "c: 3\na: 1\nb: 2\n", "b: 2\na: 1\nc: 3\n", "c: 3\nb: 2\na: 1\n"),
        ("yaml", "a: 1\nb: 2\nc: 3\n", "b: 2\na: 1\nc: 3\n", "c: 3\na: 1\nb: 2\n", "b: 2\nc: 3\na: 1\n"),
        (
            "yaml",
            "a: 1\nb: 2\nc: 3",
            "a: 1\nb: 2\nc: 3\nd: 4",
            "a: 1\nb: 2\nc: 3\n# z\n",
            "a: 1\nb: 2\nc: 3\nd: 4\n# z\n",
        ),
        (
            "yaml",
            "a: 1\nb: 2\nc: 3",
            "a: 1\nb: 2\nc: 3\n# z\n",
            "a: 1\nb: 2\nc: 3\nd: 4",
            "a: 1\nb: 2\nc: 3\n# z\nd: 4",
        ),
        ("yaml", "a: 1", "a: 1\nb: 1", "a: 1\n\n# x", "a: 1\nb: 1\n\n# x"),
        ("yaml", "a: 1", "a: 1\n\n# x", "a: 1\nb: 1", "a: 1\n\n# x\nb: 1"),
        (
            "json",
            '{"a": 1,\n "b": 2}\n',
            '{"a": 1,\n "b": 2, "c": 3}\n',
            '{"z": 0, "a": 1,\n "b": 2}\n',
            '{"z": 0,\n "a": 1,\n "b": 2,\n "c": 3}\n',
        ),
        (
            "json",
            '{"a": 1,\n "b": 2}\n',
            '{"z": 0, "a": 1,\n "b": 2}\n',
            '{"a": 1,\n "b": 2, "c": 3}\n',
            '{"z": 0, "a": 1,\n "b": 2, "c": 3}\n',
        ),
        ("yaml", "x: 1\n", "x: 1\nm: {a: 1}\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: {a: 1, b: 2}\n"),
        ("yaml", "x: 1\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: {a: 1}\n", "x: 1\nm: {b: 2, a: 1}\n"),
        ("yaml", "x: 1\n", "x: 1\nm: { a: 1, }\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: { a: 1, b: 2 }\n"),
        ("yaml", "x: 1\n", "x: 1\nm: {b: 2}\n", "x: 1\nm: { a: 1, }\n", "x: 1\nm: {b: 2, a: 1,}\n"),
        (
            "yaml",
            "m: {\n  a: 1,\n  b: 2\n}\n",
            "m: {\n    a: 1,\n    b: 2\n}\n",
            "m: {\n  a: 1,\n  b: 2,\n  c: {\n    d: 1\n  }\n}\n",
            "m: {\n    a: 1,\n    b: 2,\n    c: {\n      d: 1\n    }\n}\n",
        ),
        (
            "json",
            '{\n  "a": 1\n}\n',
            '{\n    "a": 1\n}\n',
            '{\n  "a": 1,\n  "c": {\n    "d": 1\n  }\n}\n',
            '{\n    "a": 1,\n    "c": {\n      "d": 1\n    }\n}\n',
        ),
        (
            "yaml",
            "n:\n  m: {\n    a: 1\n  }\n",
            "n:\n    m: {\n      a: 1\n    }\n",
            "n:\n  m: {\n    a: 1,\n    b: 2\n  }\n",
            "n:\n    m: {\n      a: 1,\n      b: 2\n    }\n",
        ),
        ("yaml", "\n", "\n\n", "\n\n\n", "\n\n"),
    ],
)
def test_ours_goes_first_and_has_the_spelling(
    format: str, base: str, ours: str, theirs: str, merged: str
) -> None:
    found = merge(base, ours, theirs, format=format)
    assert (found.text, found.conflicts) == (merged, [])


@pytest.mark.parametrize(
    ("format", "base", "ours", "theirs", "path"),
    [
        ("yaml", "x: 1\nm: []\n", "x: 1\nm:\n- a\n", "x: 1\nm:\n- b\n", "m"),
        ("yaml", "m:\n  a: 1\nz: 1\n", "m: {a: 3}\nz: 1\n", "m:\n  a: 2\nz: 1\n", "m"),
        ("yaml", "", "a: 1\n---\nc: 1\n", "a: 1\n---\nd: 1\n", "."),
        ("yaml", "a: x\nb: 1\n", "a: |\n  y\nb: 1\n", "a: |-\n  y\nb: 1\n", "a"),
        ("yaml", "a: 1 # one\nb: 2\n", "a: 1 # uno\nb: 2\n", "a: 1 # eins\nb: 2\n", "a"),
        ("yaml", "a: 1\nb: 2\n", "a: 1 # uno\nb: 2\n", "a: 1 # eins\nb: 2\n", "a"),
        ("yaml", "# x\na: 1\n", "# y\na: 1\n", "# z\na: 1\n", "."),
        ("yaml", "m:\n  # x\n  a: 1\n", "m:\n  # y\n  a: 1\n", "m:\n  # z\n  a: 1\n", "m"),
        ("yaml", "m:\n  a: 1\n  b: 2\nz: 1\n", "z: 1\n", "m:\n  a: 1\n  b: 3\nz: 1\n", "m"),
        ("toml", "a.b = 1\n", "a.b = 2\n", "a.b = 3\n", "a.b"),
        ("toml", "[a.b]\nx = 1\n", "[a.b]\nx = 2\n", "[a.b]\nx = 3\n", "a.b.x"),
        ("toml", "[[a]]\nx = 1\n", "[[a]]\nx = 2\n", "[[a]]\nx = 3\n", "a[0].x"),
        ("yaml", "m: 1\n", "m: {a: 1}\n", "m: {}\n", "m"),
        ("yaml", "m: {a: 1}\n", "m: 5\n", "m: {}\n", "m"),
        ("yaml", "m: 1\n", "m: {a: 1}\n", "m: {b: 1}\n", "m"),
        ("yaml", "l:\n- a\n- b\n# end\n", "l:\n- a\n- b\n- c\n# end\n", "l:\n- a\n- b\n- d\n# end\n", "l"),
        ("yaml", "a: b\n", "'a': b\n", "a : b\n", "a"),
        ("yaml", "x: 1\nb: 1\n", "x: 1\na: 1\nb: 1\n", "x: 1\na: 2\nb: 1\n", "a"),
        ("toml", "[[a]]\nx = 1\n", "", "[[a]]\nx = 2\n", "a"),
        ("yaml", "x: 1\nm: {}\n", "x: 1\nm: 1\n", "x: 1\nm: 2\n", "m"),
        ("yaml", "x: 1\n", "x: 1\nm: 1\n", "x: 1\nm: {a: 1}\n", "m"),
        ("yaml", "a: x", "a: |-\n  y", "a: |-\n  z", "a"),
    ],
)
def test_what_is_at_odds(format: str, base: str, ours: str, theirs: str, path: str) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format=format)
        assert (found.conflicts, found.whole) == ([path], False)
        assert (found.text, found.base, found.theirs) == (one, base, other)


@pytest.mark.parametrize(
    ("format", "base", "ours", "theirs"),
    [
        ("yaml", "x: 1\nm: {}\n", "x: 1\nm:\n  a: 1\n", "x: 1\nm: {b: 2}\n"),
        ("yaml", "", "- 1\n", "- 1\n- 2\n"),
        ("yaml", "a: 1\n", "# x\n", "a: 1\nb: 2\n"),
        ("yaml", "m:\n  a: 1\n  b: 2\nz: 1\n", "z: 1\n", "m:\n  a: 1\n  b: 2\n  # c\nz: 1\n"),
        (
            "yaml",
            "l:\n- name: a\n  v: 1\n- name: c\n  v: 0\n- name: b\n  v: 1\n",
            "l:\n- name: a\n  v: 1\n- name: c\n  v: 1\n- name: b\n  v: 0\n- name: x\n  v: 0\n",
            "l:\n- name: a\n  v: 1\n- name: c\n  v: 0\n",
        ),
    ],
)
def test_what_cannot_be_put_together_is_at_odds_as_a_whole(
    format: str, base: str, ours: str, theirs: str
) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format=format)
        assert (found.text, found.base, found.theirs, found.whole) == (one, base, other, True)


def test_an_entry_that_both_sides_moved_is_in_the_result_once() -> None:
    base = "a: 1\nb: 1\nc: 1\n"
    ours, theirs = "a: 2\nc: 1\nb: 1\n", "c: 1\na: 1\nb: 1\n"
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format="yaml")
        assert (found.text, found.conflicts) == ("c: 1\na: 2\nb: 1\n", [])


def test_the_base_of_a_list_at_odds_is_spelled_as_it_was() -> None:
    found = merge("a: [p,  q]\n", "a: [x]\n", "a: [y]\n", format="yaml")
    assert (found.text, found.base, found.theirs) == ("a: [x]\n", "a: [p,  q]\n", "a: [y]\n")


@pytest.mark.parametrize(
    ("format", "base"), [("yaml", "a: [\n  x\n]\n"), ("json", '{\n  "x": 1\n}\n'), ("yaml", "{\n  x: 1\n}\n")]
)
def test_what_one_side_adds_is_as_deep_as_the_other(format: str, base: str) -> None:
    """The only entry is the first one; it is on its own line, so it shows the indentation."""
    end = base.rindex("\n", 0, -1)
    deeper = base.replace("  ", "      ")
    more = base[:end] + ",\n  " + base[:end].partition("\n")[2].strip().replace("x", "y") + base[end:]
    for ours, theirs in ((deeper, more), (more, deeper)):
        found = merge(base, ours, theirs, format=format)
        assert (found.text, found.conflicts) == (more.replace("  ", "      "), [])


def test_what_one_side_adds_is_as_deep_as_what_both_have() -> None:
    """Not as another entry that one side has alone, nor as one whose comment the text before it holds."""
    base = "{\n  # c\n  a: {\n    k: 1\n  },\n  b: 1\n}\n"
    ours = base.replace("  b: 1", "  b: 1,\n  n: {\n    k: 2\n  },\n  o: 3")
    theirs = base.replace("\n  ", "\n      ").replace("b: 1", "b: 1,\n      p: 4")
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format="yaml")
        assert found.conflicts == []
        lines = {line.strip(): len(line) - len(line.lstrip()) for line in found.text.splitlines()}
        assert [lines[name] for name in ("# c", "b: 1,", "n: {")] == [6, 6, 6], found.text
        assert {depth for line, depth in lines.items() if line[0] in "op"} == {6}, found.text
