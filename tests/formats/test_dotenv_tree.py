"""How a value is written into a dotenv text."""

from __future__ import annotations

from encconf.engine import changes


def test_put() -> None:
    assert changes.put("A=1\n# c\n", ("B",), "x y", format="dotenv") == "A=1\n# c\nB=x y\n"
    assert changes.put("A=1\nB=2", ("A",), 5, format="dotenv") == "A=5\nB=2"
    assert changes.drop("A=1\n# c\nB=2\n", ("A",), format="dotenv") == "# c\nB=2\n"


def test_a_new_line_break() -> None:
    assert changes.put("A=1\r\nB=2\r\n", ("C",), 3, format="dotenv") == "A=1\r\nB=2\r\nC=3\r\n"
    # If not all lines end with a carriage return, it is part of the value.
    assert changes.put("A=1\nB=2\r\n", ("C",), 3, format="dotenv") == "A=1\nB=2\r\nC=3\n"
    assert changes.put("A=1\r\nB=2\nC=3", ("D",), 4, format="dotenv") == "A=1\r\nB=2\nC=3\nD=4\n"
