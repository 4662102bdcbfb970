"""The pieces of a tree are the text, whatever the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import generate
import pytest

from encconf import formats
from encconf.engine import changes
from encconf.errors import EncconfError
from encconf.text import tree as trees

FIXTURES = sorted((Path(__file__).resolve().parents[2] / "fixtures").rglob("*.*"))
FORMATS = {
    "dotenv": generate.dotenv_text,
    "ini": generate.ini_text,
    "json": generate.json_text,
    "toml": generate.toml_text,
    "yaml": generate.yaml_text,
}


def check(text: str, format: str) -> bool:
    try:
        document = formats.get(format).scan(text)
    except EncconfError:
        return False
    assert formats.writing_of(formats.get(format)).tree(document).text == document.text
    return True


@pytest.mark.parametrize("format", FORMATS)
def test_fixtures(format: str) -> None:
    paths = [path for path in FIXTURES if path.is_file() and formats.of_path(path.name) == format]
    assert sum(check(path.read_bytes().decode("utf-8", "replace"), format) for path in paths) > 5


@pytest.mark.parametrize("format", FORMATS)
def test_generated(format: str) -> None:
    done = 0
    for seed in range(300):
        text = FORMATS[format](seed)
        for variant in (text, text.replace("\n", "\r\n"), text.rstrip("\n"), "\ufeff" + text):
            done += check(variant, format)
    assert done > 500


LIST = "l = [\n  # a\n  1,  # one\n  # b\n  2, # two\n  # c\n  3 # three\n  # d\n]\n"
SHORT = "l = [1, # one\n  2, 3]\n"
ENDS = "l = [1, # one\n  2]\n"
ALONE = "l = [\n  # a\n  1, # one\n  # b\n]\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "at", "gone", "new"),
    [
        (LIST, 0, "  1,  # one\n", ""),
        (LIST, 1, "  2, # two\n", ""),
        (LIST, 2, "  2, # two\n  # c\n  3 # three\n", "  2 # two\n  # c\n"),
        (LIST.replace("3 #", "3, #"), 2, "  3, # three\n", ""),
        (SHORT, 0, "1, # one\n  ", ""),
        (SHORT, 1, "2, ", ""),
        (SHORT, 2, ", 3", ""),
        (ENDS, 1, "1, # one\n  2]", "1 # one\n  ]"),
        (ALONE, 0, "  1, # one\n", ""),
        ("l = [1] # one\n", 0, "1", ""),
        ("l = [ 1 , 2 ]\n", 1, " , 2", ""),
        ("l = [\n  1,\n  # b\n  2,\n]\n", 0, "  1,\n", ""),
    ],
)
def test_taking_an_item_takes_its_comment_only(text: str, at: int, gone: str, new: str, newline: str) -> None:
    after = changes.drop(text.replace("\n", newline), ("l", at), format="toml")
    assert after == text.replace(gone, new, 1).replace("\n", newline)
    flow = text.replace(" =", ":").replace("\n]", "\n  ]")
    after = changes.drop(flow.replace("\n", newline), ("l", at), format="yaml")
    assert after == flow.replace(gone, new, 1).replace("\n", newline)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (LIST, "  3 # three\n", "  3, # three\n  9\n"),
        (LIST.replace("3 #", "3, #"), "  3, # three\n", "  3, # three\n  9,\n"),
        (SHORT, "3]", "3, 9]"),
        (ENDS, "2]", "2,\n  9]"),
        (ALONE, "# one\n", "# one\n  9,\n"),
        ("l = [1, # one\n]\n", "1, #", "1, 9, #"),
    ],
)
def test_an_appended_item_leaves_comments_where_they_are(text: str, old: str, new: str) -> None:
    for newline in ("\n", "\r\n"):
        after = changes.put(text.replace("\n", newline), ("l", 9), 9, format="toml")
        assert after == text.replace(old, new, 1).replace("\n", newline)


def test_an_appended_item_below_a_comment_with_another_line_break() -> None:
    """YAML also ends lines with only a carriage return, and with U+0085."""
    text = "l: [\r  1,\r  # b\r  2 # c\r  ]\r"
    assert changes.put(text, ("l", 9), 9, format="yaml") == text.replace("2 # c", "2, # c\r  9")
    text = "l: [\n  1,\n  # b\x85  2\n  ]\n"
    assert changes.put(text, ("l", 9), 9, format="yaml") == text.replace("2", "2, 9")


def pieces(tree: trees.Tree) -> list[tuple[Any, ...]]:
    """The steps and the pieces of each entry."""
    return [
        (
            entry.steps,
            entry.lead,
            entry.head,
            entry.value.text if entry.value else None,
            entry.post,
            entry.trail,
        )
        for entry in tree.entries
    ]


def test_the_pieces_of_members_and_of_the_block() -> None:
    text = ' { "a" : 1 ,"sops" :\t{"x": [1, 2]}, "c": [3 , 4 ]\n}\n'
    whole = formats.writing_of(formats.get("json")).tree(formats.get("json").scan(text))
    (document,) = whole.entries
    assert (document.lead, document.post, whole.data) == (" ", "\n", [{"a": ("int", b"1"), "sops": {}, "c": [
        ("int", b"3"), ("int", b"4")]}])  # fmt: skip
    assert pieces(document.tree) == [
        (("a",), " ", '"a" : ', "1", " ", ""),
        (("sops",), "", '"sops" :\t', '{"x": [1, 2]}', "", ""),
        (("c",), " ", '"c": ', "[3 , 4 ]", "", ""),
    ]
    assert (document.tree.tail, document.tree.comma) == ("\n", False)
    assert [entry.sign for entry in document.tree.entries] == [5, 8, 4]
    inner = document.tree.entries[2].tree
    assert (inner.kind, inner.flow, inner.tail) == ("seq", True, " ")
    assert pieces(inner) == [((0,), "", "", "3", " ", ""), ((1,), " ", "", "4", "", "")]
    assert [entry.listed for entry in (*inner.entries, document)] == [True, True, True]
    assert [(entry.key, entry.listed) for entry in document.tree.entries] == [
        ("a", False), ("sops", False), ("c", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        (("x", "a", "b"), 9, "x = {a.b = 9, c = 2, a.d.e = 3}\n"),
        (("x", "a", "d", "e"), 9, "x = {a.b = 1, c = 2, a.d.e = 9}\n"),
        (("x", "a", "b"), None, "x = {c = 2, a.d.e = 3}\n"),
        (("x", "c"), None, "x = {a.b = 1, a.d.e = 3}\n"),
        (("x", "f"), 9, "x = {a.b = 1, c = 2, a.d.e = 3, f = 9}\n"),
    ],
)
def test_dotted_keys_in_brackets(path: tuple[str, ...], value: int | None, after: str) -> None:
    text = "x = {a.b = 1, c = 2, a.d.e = 3}\n"
    if value is None:
        assert changes.drop(text, path, format="toml") == after
    else:
        assert changes.put(text, path, value, format="toml") == after


def entry(
    *steps: str | int, lead: str = "", text: str | None = "v", tree: trees.Tree | None = None
) -> trees.Entry:
    value = tree if tree is not None else None if text is None else trees.Single(text, ("str", text.encode()))
    return trees.Entry(steps, lead, "", value, "\n")


def test_members_on_a_path() -> None:
    tree = trees.Tree("map", {})
    members = [entry("a"), entry("a", "b"), entry(text=None), entry("c"), entry("a", "b", "c"), entry()]
    tree.entries += members
    assert tree.on(("a", "b", "c", "d")) == [members[0], members[1], members[4]]
    assert tree.on(("a",)) == [members[0]]
    assert (tree.on(("c", "a")), tree.on(("b",)), tree.on(())) == ([members[3]], [], [])
    tree.entries.append(twin := entry("a", "b"))
    assert tree.on(("a", "b")) == [members[0], members[1], twin]
    del tree.entries[0]
    assert tree.on(("a", "b")) == [members[1], twin]
    tree.entries[:2] = tree.entries[1::-1]  # as many as before
    assert tree.on(("a", "b")) == [members[1], twin]
    tree.entries.remove(twin)
    assert tree.on(("a", "b", "c")) == [members[1], members[4]]
    tree.entries.insert(0, tree.entries.pop())
    assert tree.on(("c",)) == [members[3]]


def test_what_is_along_a_path() -> None:
    inner, outer, root = trees.Tree("map", {}), trees.Tree("map", {}), trees.Tree("map", {})
    inner.entries.append(leaf := entry("c"))
    first, last = entry("a", tree=trees.Tree("map", {})), entry("a", tree=outer)
    deep = entry("b", tree=inner)
    outer.entries += [deep]
    root.entries += [first, last, entry("x")]
    whole = trees.Entry((), "", value=root)
    assert trees.descend(whole, ("a", "b", "c")) == ([whole, last, deep, leaf], ())
    assert trees.descend(whole, ("a", "b", "d", "e")) == ([whole, last, deep], ("d", "e"))
    assert trees.descend(whole, ("a", "z")) == ([whole, last], ("z",))
    assert trees.descend(whole, ("x", "z")) == ([whole, root.entries[2]], ("z",))
    assert trees.descend(whole, ("y",)) == ([whole], ("y",))
    assert trees.descend(whole, ()) == ([whole], ())
    assert trees.path_of([whole, last, deep, leaf]) == ("a", "b", "c")
    outer.entries.clear()
    first.tree.entries.append(deep)
    assert trees.descend(whole, ("a", "b", "c")) == ([whole, first, deep, leaf], ())


def test_the_end_of_a_text() -> None:
    tree = trees.Tree("map", {})
    assert (tree.ending(), tree.last, tree.members, tree.text) == ("", None, [], "")
    tree.entries += [entry("a"), entry("b", text="w"), entry(lead="  ", text=None), entry(lead="", text=None)]
    assert (tree.ending(), tree.last, tree.members) == ("w\n  \n\n", tree.entries[1], tree.entries[:2])
    assert trees.data_of(tree) == {"a": ("str", b"v"), "b": ("str", b"w")}
    tree.kind = "seq"
    assert trees.data_of(tree) == [("str", b"v"), ("str", b"w")]
    tree.kind, tree.entries = "map", [entry("a", "b"), entry("a", "c", "d"), entry("e")]
    assert trees.data_of(tree) == {"a": {"b": ("str", b"v"), "c": {"d": ("str", b"v")}}, "e": ("str", b"v")}


def test_small_parts() -> None:
    assert trees.nested(("a", 0, "b"), 1) == {"a": [{"b": 1}]}
    assert trees.nested((), [1]) == [1]
    text = "ab\ncd\n\nef"
    for start, end, bounds in (
        (0, 2, (0, 3)), (1, 1, (0, 3)), (3, 5, (3, 6)), (3, 6, (3, 6)), (1, 4, (0, 6)), (6, 6, (6, 7)),
        (8, 9, (7, 9)), (7, 9, (7, 9)), (2, 2, (0, 3)), (2, 3, (0, 3)),
    ):  # fmt: skip
        assert trees.line_bounds(text, start, end) == bounds, (start, end)
    assert [(each.lead, each.key) for each in trees.lines(text, 1, 8)] == [
        ("b\n", ("text", "b")), ("cd\n", ("text", "cd")), ("\n", ("text", "")), ("e", ("text", "e")),
    ]  # fmt: skip
    assert trees.lines(text, 3, 3) == []
    for before, lead in (("", ""), ("a", "\r\n"), ("a\n", "")):
        new = trees.line_after(before, ("k",), "k=", "v", "\r\n")
        assert (new.steps, new.text) == (("k",), f"{lead}k=v\r\n")
    for end, gap in (("", ""), ("a", "\n\n"), ("a\n", "\n"), (" ", "\n"), (" \n", ""), ("\n", "")):
        assert trees.gap_before(end, "\n") == gap, end
