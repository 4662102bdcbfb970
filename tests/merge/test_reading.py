"""A plain text read for a merge: its tree is the text, and its comments are found."""

from __future__ import annotations

import pytest

from encconf.errors import ParseError
from encconf.merge.reading import comments, has_crlf, read


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
def test_g_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert read(text, "yaml").tree.text == text


@pytest.mark.parametrize(
    ("text", "crlf"), [("a: 1\r\nb: 2\r\n", True), ("a: 1\r\nb: 2\n", False), ("a: 1", False), ("", False)]
)
def test_line_breaks_of_the_whole_file(text: str, crlf: bool) -> None:
    assert has_crlf(text) is crlf


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
