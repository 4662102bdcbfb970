"""What a change of a file did, in words.  tests/transcripts/values.txt shows the commands."""

from __future__ import annotations

import pytest

from encconf.audit.diff import between
from encconf.engine.effects import effect_of, report
from encconf.errors import ReplacesError
from encconf.text.path import END, Path

STR, INT, NULL = ("str", b"x"), ("int", b"1"), ("null", None)


@pytest.mark.parametrize(
    ("before", "after", "format", "said"),
    [
        ("a: 1\nb: x\n", "b: x\n", "yaml", ["removed a"]),
        ("a: 1\n", "a: x\n", "yaml", ["changed a (int → str)"]),
        ("a: 1\n", "a: 1.5\n", "yaml", ["changed a (int → float)"]),
        ("l: [one, two, three]\n", "l: [zero, one, two, three]\n", "yaml", ["added l[0]"]),
        ("a: a-long-value\n", "b: a-long-value\n", "yaml", ["moved a to b"]),
        ("a: 1\n", "# why\na: 1\n", "yaml", ["added 1 comment"]),
        ("a: 1\n", "a:   1\n", "yaml", ["changed the layout only"]),
        ("A=1\n", "A=x\nB=2\n", "dotenv", ["changed A", "added B"]),
        ("A=1\nB=2\nA=3\n", "A=1\nB=4\nA=5\n", "dotenv", ["changed B", "changed A"]),
        ("A=1\nB=2\nA=3\n", "A=1\nB=4\nA=3\nC=5\n", "dotenv", ["changed B", "added C"]),
        ("one", "two", "binary", ["changed data"]),
        ("a: 1\nb: 2\n", "a: 3\nb:   2\n", "yaml", ["changed a"]),  # the layout goes without saying
    ],
)
def test_two_texts(before: str, after: str, format: str, said: list[str]) -> None:
    assert list(map(str, between("f", before, after, format))) == said


@pytest.mark.parametrize("count", [0, 1, 2, 10, 11, 30])
def test_changes_are_named_or_counted(count: int) -> None:
    lines = [f"added k{number}" for number in range(count)]
    more = [f"and {count - 10} more"] if count > 10 else []
    whole = "\n  ".join(["wrote f:", *lines[:10], *more])
    assert report("wrote f", lines) == (["wrote f", "wrote f: added k0"][count] if count < 2 else whole)


def test_keys_that_differ_in_their_number_are_not_similar() -> None:
    assert str(effect_of({"KEY_1": STR}, ("KEY_2",), "x")) == "added KEY_2"
    assert str(effect_of({"DB_HOST": STR}, ("DB_PORT",), "x")) == "added DB_PORT"
    assert str(effect_of({"DB_PORT": STR}, ("DB_PROT",), "x")) == "added DB_PROT (similar: DB_PORT)"


@pytest.mark.parametrize(
    ("tree", "path", "value"),
    [
        ({"a": {"b": STR}}, ("a",), "x"),
        ({"a": [STR]}, ("a",), {"b": 1}),
        ({"a": STR}, ("a",), {"b": 1}),
        ({"a": STR}, ("a", "b"), "x"),
        ({"a": INT}, ("a", 0), "x"),
    ],
)
def test_nothing_is_replaced_by_something_of_another_kind(
    tree: object, path: tuple[str, ...], value: object
) -> None:
    with pytest.raises(ReplacesError):
        effect_of(tree, path, value).refuse_to_replace()


@pytest.mark.parametrize(("old", "new"), [([STR], {"b": 1}), ({"b": STR}, [1]), (STR, {"b": 1}), (STR, [1])])
def test_a_collection_has_no_place_to_name_in_another_one(old: object, new: object) -> None:
    with pytest.raises(ReplacesError) as caught:
        effect_of({"a": old}, ("a",), new).refuse_to_replace()
    assert caught.value.hint == "to replace it all the same, use --force"


@pytest.mark.parametrize("old", [NULL, {}, []])
def test_what_is_empty_can_be_replaced(old: object) -> None:
    for path, value in ((("a", "b"), "x"), (("a",), "x"), (("a",), {"b": 1})):
        if old == NULL or len(path) == 1:
            effect_of({"a": old}, path, value).refuse_to_replace()


@pytest.mark.parametrize(
    ("path", "value", "named", "said"),
    [
        (("l", 0), "y", (), "changed l[0]"),
        (("l", 1), 5, (), "changed l[1] (str → int)"),
        (("l", 2), "y", (), "added l[2]"),
        (("l", 2), "y", ("l", 2), "added l[2]"),
        (("l", 2), "y", ("l", END), "added l[2]"),  # as the end of the list was named
        (("l", 2), "y", ("l", 9), "added l[2] (the list had 2 items)"),
        (("m", "DB_PROT"), "y", (), "added m.DB_PROT (similar: m.DB_PORT)"),
        (("m", "x", "DB_PORT"), "y", (), "added m.x.DB_PORT"),
    ],
)
def test_one_edit(path: Path, value: object, named: Path, said: str) -> None:
    tree = {"l": [STR, STR], "m": {"DB_PORT": STR, "n": INT}}
    assert str(effect_of(tree, path, value, named=named)) == said


def test_what_is_removed() -> None:
    tree = {"l": [STR, STR], "m": {"a": STR, "n": [INT, INT]}}
    said = {
        path: str(effect_of(tree, path, None, removed=True))
        for path in (("l",), ("l", 1), ("m",), ("m", "a"))
    }
    assert said == {
        ("l",): "removed l (list with 2 values)",
        ("l", 1): "removed l[1]",
        ("m",): "removed m (mapping with 3 values)",
        ("m", "a"): "removed m.a",
    }


@pytest.mark.parametrize(
    ("tree", "path", "message", "hint"),
    [
        ({"a": INT}, ("a", "b"), "a is an int, and would become a mapping", "to replace it"),
        ({"a": STR}, ("a", 0), "a is a str, and would become a list", "to replace it"),
        ({"a": [STR]}, ("a",), "a is a list with 1 value, and would become a str", "such as a[0]; to"),
        (
            {"a": {"b": STR}},
            ("a",),
            "a is a mapping with 1 value, and would become a str",
            "such as a.KEY; to",
        ),
    ],
)
def test_what_is_said_of_a_replacement(tree: object, path: Path, message: str, hint: str) -> None:
    with pytest.raises(ReplacesError) as caught:
        effect_of(tree, path, "x").refuse_to_replace()
    assert caught.value.message == message
    assert hint in str(caught.value.hint)
    assert ("such as" in str(caught.value.hint)) is ("such as" in hint)
