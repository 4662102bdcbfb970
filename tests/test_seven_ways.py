"""The table in docs/choosing.md of how encconf uses each way is complete, and its tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from encconf.migration import ways

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "choosing.md"
SECTION = re.compile(r"^## How encconf uses each way\n(.*?)^##", re.M | re.S)


def rows() -> list[list[str]]:
    """Return the cells of each row below the head of the table."""
    section = SECTION.search(PAGE.read_text(encoding="utf-8"))
    assert section is not None
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(path: Path) -> set[str]:
    """Return the names of the tests in a file: ``test_x``, ``TestX``, ``TestX::test_y``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return {name for name in found if re.match(r"(?:Test\w*(?:::test_)?|test_)", name)}


def test_all_seven_in_order() -> None:
    assert [re.findall(r"`(\w+)`", row[0]) for row in rows()] == [[way.name] for way in ways.WAYS]
    assert {len(row) for row in rows()} == {3}


@pytest.mark.parametrize("number", range(7), ids=[way.name for way in ways.WAYS])
def test_the_tests_of_a_way_exist(number: int) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", rows()[number][2])
    assert named
    assert len(named) == rows()[number][2].count("`") // 2
    for file, name in named:
        assert name in names(ROOT / file), f"{file}::{name}"


def test_every_way_is_on_the_page_that_compares_them() -> None:
    assert re.findall(r"(?m)^## (\d) ", PAGE.read_text(encoding="utf-8")) == list("1234567")
