"""The diagram and the table of rooms in docs/architecture.md agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

from docs.make import diagram
from encconf import formats

ROOT = Path(__file__).resolve().parent.parent


def text() -> str:
    return (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_diagram_is_made_from_the_imports() -> None:
    """make reference"""
    assert diagram.BLOCK.findall(text()) == [diagram.diagram()]


def test_each_room_has_one_row() -> None:
    table = text()[text().index("| room | what it does |") :].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.M)
    assert sorted(rows) == sorted(diagram.rooms())


def test_the_files_that_it_names_exist() -> None:
    for name in re.findall(r"`((?:encconf|tests|docs|bench)/[\w/]+\.(?:py|md|txt))`", text()):
        assert (ROOT / name).exists() or "NAME" in name, name


def test_the_formats_that_it_names_are_all() -> None:
    assert f"{', '.join(formats.NAMES[:-1])} and {formats.NAMES[-1]}" in text()
