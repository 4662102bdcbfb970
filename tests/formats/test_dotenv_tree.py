"""How a value is written into a dotenv text."""

from __future__ import annotations

from typing import Any

import pytest
from generate import dotenv_text

from encconf import formats
from encconf.engine import changes
from encconf.errors import EmitError, EncconfError
from encconf.text.path import Path


def test_put() -> None:
    assert changes.put("A=1\n# c\n", ("B",), "x y", format="dotenv") == "A=1\n# c\nB=x y\n"
    assert changes.put("A=1\nB=2", ("A",), 5, format="dotenv") == "A=5\nB=2"
    assert changes.drop("A=1\n# c\nB=2\n", ("A",), format="dotenv") == "# c\nB=2\n"


def test_a_new_line_break() -> None:
    assert changes.put("A=1\r\nB=2\r\n", ("C",), 3, format="dotenv") == "A=1\r\nB=2\r\nC=3\r\n"
    # If not all lines end with a carriage return, it is part of the value.
    assert changes.put("A=1\nB=2\r\n", ("C",), 3, format="dotenv") == "A=1\nB=2\r\nC=3\n"
    assert changes.put("A=1\r\nB=2\nC=3", ("D",), 4, format="dotenv") == "A=1\r\nB=2\nC=3\nD=4\n"


@pytest.mark.parametrize("path", [(), ("",), (0,), (1,), ("A", "B"), ("A", 0)])
def test_what_is_no_name(path: Path) -> None:
    with pytest.raises(EmitError, match="a path in a dotenv file is one key"):
        changes.put("A=1\n", path, "x", format="dotenv")


@pytest.mark.parametrize("value", [{}, [], {"a": "b"}, ["x"]])
def test_what_is_no_single_value(value: Any) -> None:
    with pytest.raises(EmitError, match="dotenv has single values"):
        changes.put("A=1\n", ("A",), value, format="dotenv")


@pytest.mark.parametrize(
    ("value", "spelled"),
    [(None, ""), (True, "true"), (1.5, "1.5"), ("a\nb", "a\\nb"), ("\n", "\\n"), ("é", "é")],
)
def test_what_is_written(value: Any, spelled: str) -> None:
    for text in ("A=1", "A=1\n", "A='1\n2' # c\n", 'export A="1" # c\n', "A=\n"):
        before, _, after = text.partition("A=")
        wanted = f"{before}A={spelled}" + ("\n" if after.endswith("\n") else "")
        name = before + "A"
        assert changes.put(text, (name,), value, format="dotenv") == wanted


def test_an_edit_changes_its_line_only() -> None:
    for text in map(dotenv_text, range(80)):
        try:
            document = formats.get("dotenv").scan(text)
        except EncconfError:
            continue
        newline = "\r\n" if text.count("\r\n") == text.count("\n") > 0 else "\n"
        added = ("" if text == "" or text.endswith("\n") else newline) + f"NEW ONE=x # y{newline}"
        assert changes.put(text, ("NEW ONE",), "x # y", format="dotenv") == text + added
        for leaf in {leaf.step: leaf for leaf in document.leaves}.values():
            path, head, tail = leaf.path, text[: leaf.start], text[leaf.end :]
            assert changes.put(text, path, "1", format="dotenv") == f"{head}1{tail}"
            if sum(each.step == leaf.step for each in document.leaves) > 1:
                with pytest.raises(EmitError, match="without changing something else"):
                    changes.drop(text, path, format="dotenv")
            else:
                left = head[: head.rfind("\n") + 1] + tail.partition("\n")[2]
                assert changes.drop(text, path, format="dotenv") == left
