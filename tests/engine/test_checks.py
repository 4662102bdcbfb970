"""Values that would be saved as plaintext although the rule encrypts them."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.engine import checks
from encconf.rules.selection import Selection
from encconf.text.document import Document


def scan(text: str, format: str = "yaml") -> Document:
    return formats.scan_any(text, format, comments=True)


def test_new_and_changed_values_that_stay_plaintext() -> None:
    file, now = (
        Selection("encrypted_regex", "^password$"),
        Selection("encrypted_regex", "^(password|token)$"),
    )
    before = "password: a\ntoken: old\n"
    for after, paths in (
        ("password: b\ntoken: old\n", []),
        ("password: a\ntoken: new\n", [("token",)]),
        ("password: a\ntoken: old\nx:\n  token: t\n", [("x", "token")]),
        ("password: a\ntoken: ''\n", []),
    ):
        assert checks.left_plaintext(before, scan(after), file=file, rule=now) == paths
    assert checks.left_plaintext(before, scan("token: new\n"), file=now, rule=now) == []


@pytest.mark.parametrize("comments_by", ["rule", "file"])
def test_a_value_left_in_plaintext_under_a_comment_rule_is_refused(comments_by: str) -> None:
    by_comment = Selection("encrypted_comment_regex", "^ encrypt")
    by_key = Selection("encrypted_regex", "^b$" if comments_by == "rule" else "^(a|b)$")
    if comments_by == "rule":
        file, wanted, after, path = by_key, by_comment, "# encrypt\na: new\nb: 1\n", ("a",)
    else:
        file, wanted, after, path = by_comment, by_key, "# encrypt\na: new\nb: 1\n", ("b",)
    found = checks.left_plaintext("c: 1\n", scan(after), file=file, rule=wanted)
    assert found == [path]
    nothing = checks.left_plaintext(after, scan(after), file=file, rule=wanted)
    assert nothing == []


PUBLIC = Selection("unencrypted_comment_regex", "public")


@pytest.mark.parametrize(
    ("format", "before", "after", "paths"),
    [
        ("yaml", "# public\na: x\nb: y\n", "# public\nb: y\n", [("b",)]),
        ("yaml", "# public\na: x\nb: y\n", "b: y\n", []),
        ("yaml", "# public\na: x\nb: y\n", "# public\na: new\nb: y\n", []),
        ("yaml", "l:\n- a\n# public\n- b\n- c\n", "l:\n# public\n- b\n- c\n", []),
        ("yaml", "l:\n- a\n# public\n- b\n- c\n", "l:\n- a\n# public\n- c\n", [("l", 1)]),
        ("yaml", "a:\n  b: x\n  # public\nc: y\n", "a: v\n  # public\nc: y\n", [("c",)]),
        ("yaml", "# public\na: x\n", "", []),
        ("dotenv", "#public\nA=x\nB=y\n", "#public\nB=y\n", [("B",)]),
        ("toml", "# public\na = 1\nb = 2\n", "# public\nb = 2\n", [("b",)]),
    ],
)
def test_values_that_a_comment_comes_to_apply_to(
    format: str, before: str, after: str, paths: list[tuple[str | int, ...]]
) -> None:
    assert checks.revealed(before, scan(after, format), PUBLIC) == paths
    assert checks.revealed(before, scan(after, format), Selection("encrypted_regex", "x")) == []
