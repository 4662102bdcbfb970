"""How a value is written into a JSON text: laid out as its neighbours are."""

from __future__ import annotations

from typing import Any

import pytest
from formats.edited import changed

from encconf.engine import changes
from encconf.text.path import Path, parse

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


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ('{"a":1}', ("b",), {"c": [1, 2.5]}, '{"a":1,"b":{"c":[1,2.5]}}'),
        ('{"a": 1}', ("b",), {"c": [1, 2.5]}, '{"a": 1, "b": {"c": [1, 2.5]}}'),
        (
            '{\n    "a": 1\n}\n',
            ("b",),
            {"c": [1.5]},
            '{\n    "a": 1,\n    "b": {\n        "c": [\n            1.5\n        ]\n    }\n}\n',
        ),
        ('{\n"a": 1\n}', ("b",), {"c": 1}, '{\n"a": 1,\n"b": {\n\t"c": 1\n}\n}'),
        ('{"a": {"x":1},\n "b": [1]}', ("a", "y"), {"c": 1}, '{"a": {"x":1,"y":{"c": 1}},\n "b": [1]}'),
        ('{\r\n  "a": []\r\n}', ("a", 0), {}, '{\r\n  "a": [\r\n    {}\r\n  ]\r\n}'),
        ("{}", ("a",), {"c": [1]}, '{\n\t"a": {\n\t\t"c": [\n\t\t\t1\n\t\t]\n\t}\n}'),
        ('{"a": 1, "b": [{"c": 1}]}', ("b", 0, "d"), [1], '{"a": 1, "b": [{"c": 1, "d": [1]}]}'),
    ],
)
def test_new_values_have_the_layout_of_the_text(text: str, path: Path, value: Any, after: str) -> None:
    assert changes.put(text, path, value, format="json") == after
