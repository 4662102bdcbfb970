"""How a value is written into a JSON text: laid out as its neighbours are."""

from __future__ import annotations

import pytest
from formats.edited import changed

from encconf.engine import changes
from encconf.text.path import parse

JSON = '{\n\t"a": {\n\t\t"b": "x"\n\t},\n\t"l": [1, 2],\n\t"e": {}\n}\n'


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
