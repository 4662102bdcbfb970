"""New values look like the text around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from encconf import formats
from encconf.formats import yaml_layout

yaml = formats.get("yaml")

if TYPE_CHECKING:
    from encconf.text.document import Plain


def style(text: str, quotes: str = "") -> yaml_layout.TextStyle:
    writer = formats.writing_of(formats.get("yaml"))
    return yaml_layout.TextStyle(writer.root(writer.tree(yaml.scan(text))), quotes)


@pytest.mark.parametrize(
    ("text", "newline", "step", "dashes"),
    [
        ("a: 1\n", "\n", 2, 2),
        ("a:\r\n    b: 1\r\n", "\r\n", 4, 4),
        ("a:\n- b\n", "\n", 2, 0),
        ("a:\n   b:\n   - c\n", "\n", 3, 0),
        ("a:\n    b:\n      - c\n", "\n", 4, 2),
        ("a: [b]\nc:\n   - d\n", "\n", 3, 3),
    ],
)
def test_style(text: str, newline: str, step: int, dashes: int) -> None:
    found = style(text)
    assert (found.newline, found.step, found.dashes) == (newline, step, dashes)


@pytest.mark.parametrize(
    ("value", "kept", "lines"),
    [
        (
            {"k": 1, "m": {"o": [True]}},
            "",
            ["  a:", "     k: 1", "     m:", "        o:", "          - true"],
        ),
        (
            [{"k": 1, "l": 2}, [3, 4], []],
            "",
            ["  a:", "    - k: 1", "      l: 2", "    - - 3", "      - 4", "    - []"],
        ),
        ("x\ny\n", "", ["  a: |", "     x", "     y"]),
        ("x\ny\n", '"', ['  a: "x\\ny\\n"']),
        (" x\ny", "", ['  a: " x\\ny"']),
        ("x", "'", ["  a: 'x'"]),
    ],
)
def test_item(value: Plain, kept: str, lines: list[str]) -> None:
    assert style("r:\n   s:\n     - t\n", kept).item("a:", value, 2) == lines


def test_in_flow() -> None:
    value: Plain = {"a": [1, "b, c", {"<<": None}], "d:": {}, "e": "f", "g, h": 1}
    said = yaml_layout.in_flow(value)
    assert said == "{a: [1, 'b, c', {\"<<\": null}], 'd:': {}, e: f, 'g, h': 1}"
    assert formats.get("yaml").load_plain(f"x: {said}\n") == [{"x": value}]
