"""The items of a collection with the comments before and behind them."""

from __future__ import annotations

from encconf.formats import emit


def test_items_of() -> None:
    node = {"a": 1, "b": 2}
    assert emit.items_of(node) == [("a", 1, []), ("b", 2, [])]
    before, end = [(" x", False)], [(" y", True)]
    commented = emit.CommentedDict(node, {"b": before, None: end})
    assert emit.items_of(commented) == [("a", 1, []), ("b", 2, before), (None, None, end)]
    assert emit.items_of([7]) == [(0, 7, [])]
    assert emit.items_of({}) == []


def test_comments_above_and_after() -> None:
    comments = [(" a", False), (" b", True)]
    assert emit.lines_above(comments, "key") == ["# a"]
    assert emit.lines_above(comments, None) == ["# a", "# b"]
    assert emit.text_after(comments) == " # b"


def test_every_line_of_a_comment_is_one() -> None:
    assert emit.comment_lines("") == ["#"]
    assert emit.comment_lines("a\nb\n#c\r\n\n\u2028d\x85") == ["#a", "# b", "#c", "# d"]
