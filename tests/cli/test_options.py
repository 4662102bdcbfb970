"""Rows of options."""

from __future__ import annotations

import pytest

from encconf.cli.options import Option, exclude, flag, text, texts
from encconf.errors import ConflictError


def test_the_marks_of_a_row() -> None:
    force, output, rules, indent, local = map(
        Option, ["force,f?", "output,o=FILE", "allow*RULE", "indent#", "enable-local!"]
    )
    assert (force.names, force.words, force.dest) == (("--force", "-f"), ("force", "f"), "force")
    assert (output.names, output.metavar, output.choices, output.env) == (("--output", "-o"), "FILE", (), "")
    assert local.dest == "enable_local"
    options = (force, output, rules, indent, local)
    assert [option.is_switch for option in options] == [True, False, False, False, True]
    assert [option.default() for option in options] == [False, None, [], None, True]


@pytest.mark.parametrize("row", ["x$X_ENV", "x=$X_ENV", "x=WORD$X_ENV", "x=WORD:a|b$X_ENV"])
def test_a_text_and_its_variable(row: str) -> None:
    option = Option(row)
    assert (option.words, option.kind, option.env) == (("x",), "=", "X_ENV")
    assert option.metavar == ("WORD" if "WORD" in row else "")
    assert option.choices == (("a", "b") if ":" in row else ())


def test_the_values_of_a_line() -> None:
    values = {"force": True, "output": "x", "allow": ["a", "b"], "none": None}
    assert [flag(values, name) for name in ("force", "output", "none", "other")] == [
        True,
        False,
        False,
        False,
    ]
    assert [text(values, name) for name in ("force", "output", "none", "other")] == [None, "x", None, None]
    assert [texts(values, name) for name in ("allow", "output", "other")] == [["a", "b"], [], []]


def test_options_that_exclude_each_other() -> None:
    values = {"in_place": True, "output": "x", "json": False, "people": [], "html": None}
    exclude(values, "in_place", "json", "people", "html")
    with pytest.raises(ConflictError, match=r"^--in-place and --output exclude each other\b") as caught:
        exclude(values, "json", "in_place", "output", hint="choose one")
    assert caught.value.hint == "choose one"
