"""Comment lines cut into pieces as go-yaml's scanner does: head, line or foot of a token."""

from __future__ import annotations

import pytest

from encconf.formats.yaml_comments import FOOT, HEAD, LINE, MARK, NODE, TEXT, Scanner, count_breaks

NAMES = {HEAD: "head", LINE: "line", FOOT: "foot"}


Pieces = list[tuple[str, list[str], str]]


def pieces(text: str, kind: str, at: int = 0, *, indent: int = 0, flow: bool = False) -> Pieces:
    """The pieces behind a token that ends at an offset: what they are, their lines, and the token's sign."""
    scanner = Scanner(text, 0)
    scanner.indent, scanner.in_flow = indent, flow
    line = text.count("\n", 0, at)
    scanner.resume(kind, at, line, at - text.rfind("\n", 0, at) - 1)
    scanner.run(len(text) - 1)
    return [
        (
            NAMES[piece.role],
            [text[each.start : each.end] for each in piece.comments],
            text[piece.mark],
        )
        for piece in scanner.pieces
    ]


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("a: 1 # x\nb", 4, [("line", [" x"], "1")]),
        ("a: 1\n# x\n\nb", 4, [("foot", [" x"], "1")]),
        ("a: 1\n# x\nb", 4, [("head", [" x"], "#")]),
        ("a: 1\n\n# x\n# y\nb", 4, [("head", [" x", " y"], "#")]),
        ("a: 1 # l\n# f\n\n# h\nb", 4, [("line", [" l"], "1"), ("head", [" f", " h"], "#")]),
        ("a: 1\n\n# x\n\n# y\nb", 4, [("head", [" x", " y"], "#")]),
    ],
)
def test_behind_a_value(text: str, at: int, expected: Pieces) -> None:
    assert pieces(text, TEXT, at) == expected


def test_behind_a_colon_the_comment_is_the_keys() -> None:
    text = "a: # x\n  b"
    scanner = Scanner(text, 0)
    scanner.resume(TEXT, 1, 0, 1)
    scanner.run(len(text) - 1)
    assert [(piece.role, text[piece.mark]) for piece in scanner.pieces] == [(LINE, "a")]
    assert (scanner.kind, scanner.token) == (":", 1)


def test_a_dedent_ends_the_block_before_its_comments() -> None:
    text = "  b: 1\n  # in\n# out\nc"
    assert pieces(text, TEXT, 6, indent=2) == [("foot", [" in"], "1"), ("head", [" out"], "#")]


def test_a_document_marker_has_no_line_comment() -> None:
    assert pieces("--- # x\na", MARK, 3) == [("head", [" x"], "#")]


def test_before_a_closing_bracket() -> None:
    assert pieces("[a\n# x\n]", NODE, 2, indent=-1, flow=True) == [("foot", [" x"], "a")]
    assert pieces("[a,\n# x\n]", ",", 3, indent=-1, flow=True) == [("foot", [" x"], "[")]


def test_directives_and_properties() -> None:
    text = "%YAML 1.1 # lost\n---\n&a # x\n!t b"
    scanner = Scanner(text, 0)
    scanner.run(text.index("---"))
    assert [text[each.start : each.end] for each in scanner.placed] == [" lost"]
    assert scanner.pieces == []
    at = text.index("&a")
    scanner.resume(MARK, at, 2, 0)
    scanner.run_properties(text.index("b"))
    assert [(piece.role, text[piece.mark]) for piece in scanner.pieces] == [(LINE, "&")]


@pytest.mark.parametrize(
    ("space", "count"), [("", 0), (" \n\r\n\r", 3), ("\x85\u2028\u2029", 3), ("\n\r", 2)]
)
def test_count_breaks(space: str, count: int) -> None:
    assert count_breaks(space) == count
