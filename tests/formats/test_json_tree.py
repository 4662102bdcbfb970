"""How a value is written into a JSON text: laid out as its neighbours are."""

from __future__ import annotations

import difflib

import pytest

from encconf.text.path import parse
from encconf.verbs import changes

JSON = '{\n\t"a": {\n\t\t"b": "x"\n\t},\n\t"l": [1, 2],\n\t"e": {}\n}\n'


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, with ``-`` and ``+``."""
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in list(diff)[2:] if not line.startswith("@@")]


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("a.b", "y", ['-\t\t"b": "x"', '+\t\t"b": "y"']),
        ("a.c", {"q": 1}, ['-\t\t"b": "x"', '+\t\t"b": "x",', '+\t\t"c": {', '+\t\t\t"q": 1', "+\t\t}"]),
        ("l[]", "z", ['-\t"l": [1, 2],', '+\t"l": [1, 2, "z"],']),
        ("e.x", 'q": 1', ['-\t"e": {}', '+\t"e": {', '+\t\t"x": "q\\": 1"', "+\t}"]),
        ("new", 1.5, ['-\t"e": {}', '+\t"e": {},', '+\t"new": 1.5']),
    ],
)  # fmt: skip
def test_put(path: str, value: object, lines: list[str]) -> None:
    after = changes.put(JSON, parse(path), value, format="json")  # type: ignore[arg-type]
    assert changed(JSON, after) == lines
