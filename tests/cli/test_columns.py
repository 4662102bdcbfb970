"""Rows of a name and a text, for the width of a terminal."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("width", [40, 57, 80])
def test_e7_long_lines_are_wrapped_between_words(width: int) -> None:
    from encconf.cli.console import wrapped

    line = "encconf: hint: " + "some words and then " * 9 + "/a/path/" + "x" * 90 + " and more words after it"
    lines = wrapped(line, width)
    assert " ".join(part.strip() for part in lines).split() == line.split()
    assert all(len(part) <= width or " " not in part.strip() for part in lines)
    assert all(part.startswith("  ") for part in lines[1:])
    assert wrapped(line, 0) == [line]
    deep = " " * width + line
    assert wrapped(deep, width) == [deep]
    assert wrapped("  indented " + "word " * 20, width)[1].startswith("    word")
