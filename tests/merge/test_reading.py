"""A plain text read for a merge: its tree is the text, and its comments are found."""

from __future__ import annotations

import pytest

from encconf.errors import EmitError, ParseError
from encconf.merge.trees import comments, read


@pytest.mark.parametrize(
    "text",
    [
        "--- # x\n# a\n...\n",
        "%YAML 1.1\n---\n# a\n",
        "--- {a: 1} # x\n...\n# y\n",
        "# only\n",
        "\n",
        "--- # x\na: 1\n... # y\n",
        "a: 1\n---\n# b\n---\nc: 1\n",
    ],
)
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert read(text, "yaml").tree.text == text


@pytest.mark.parametrize("text", ["\ufeffa: 1\n", "a: 1\r\nb: 2\r\n"])
def test_settings_of_the_whole_file_are_not_in_the_tree(text: str) -> None:
    found = read(text, "yaml")
    assert found.tree.text == text.removeprefix("\ufeff").replace("\r\n", "\n")
    assert found.data == read(found.tree.text, "yaml").data
    assert found.document is None  # what was scanned is not this text


@pytest.mark.parametrize(("format", "text"), [("json", "{"), ("yaml", "a: [\n"), ("toml", "a\n")])
def test_what_cannot_be_parsed(format: str, text: str) -> None:
    with pytest.raises(ParseError):
        read(text, format)


def test_no_text_at_all_is_an_empty_tree() -> None:
    assert read("", "json").data in ([], [{}])


def test_comments_are_what_is_not_in_a_value() -> None:
    text = "# one\na: '# two' # three\nb: | # four\n  # five\nc: {d: 1} # one\n# one\n"
    found = comments(read(text, "yaml").tree)
    assert found == {"# one": 3, "# three": 1, "# four": 1}


@pytest.mark.parametrize("text", ["a: 1\rb: 2\n", "!!map\na: 1\n", "--- !!map\na: 1\n"])
def test_what_cannot_be_cut_into_entries_is_refused(text: str) -> None:
    """A line break inside a line, or a tag that the entries would lose."""
    with pytest.raises(EmitError, match="cannot be merged entry by entry"):
        read(text, "yaml")


def test_the_very_text_that_was_scanned() -> None:
    text = "# c\na: 1\n"
    document = read(text, "yaml").document
    assert document is not None
    assert (document.text, document.comments) == (text, [])
    document = read(text, "yaml", comments=True).document
    assert document is not None
    assert len(document.comments) == 1


def test_an_alias_is_not_what_it_stands_for() -> None:
    """A merge must not put a value in its place, nor take one for it."""
    assert read("a: &x 1\nb: *x\n", "yaml").data == [{"a": ("int", b"1"), "b": ("alias", b"*x")}]


def test_each_line_of_a_name_that_is_there_twice() -> None:
    (data,) = read("a=1\na=2\n", "dotenv").data
    assert isinstance(data, dict)
    assert list(data.values()) == [("str", b"1"), ("str", b"2")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# a\nb: 1 # c\n# d\n# d\n", {"# a": 1, "# c": 1, "# d": 2}),
        ("a: | # b\n  # not one\n", {"# b": 1}),
        ("a: '# not one'\nb: # c\n  d: 1 # e\n", {"# c": 1, "# e": 1}),
        ("a: {b: 1 # c\n}\n", {"# c": 1}),
        ("l: [ [a: 1 # c\n] ]\n", {"# c": 1}),
        ("? a # b\n: c # d\n", {"# b": 1, "# d": 1}),
    ],
)
def test_the_comments_of_a_text(text: str, found: dict[str, int]) -> None:
    assert comments(read(text, "yaml").tree) == found
