"""How a value is written into a JSON text: laid out as its neighbours are."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import engine
import pytest
from engine import credentials, rule
from formats.edited import changed
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes
from encconf.text.document import reached
from encconf.text.path import Path, parse

KEY = AgeKey.generate()

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


DUMPED = {
    "a": {"b": 1, "c": [1, 2.5, {"d": "x"}], 'q"': "s"},
    "e": [],
    "f": {},
    "n": None,
    "l": ["{", [True]],
    "long": "a: b, c",
}


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every place of a value, and places for new ones."""
    if path:
        yield path
    if isinstance(node, (dict, list)):
        for step, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(item, (*path, step))
        yield from [(*path, "new"), (*path, "new", "é")] if isinstance(node, dict) else [(*path, len(node))]


@pytest.mark.parametrize(
    "layout", [{"indent": 2}, {"indent": 4}, {"indent": "\t"}, {}, {"separators": (",", ":")}], ids=str
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_after_an_edit_the_text_is_as_if_json_dumps_had_written_it(
    layout: dict[str, Any], newline: str
) -> None:
    def dumps(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, **layout).replace("\n", newline) + newline

    text = dumps(DUMPED)
    for path in places(DUMPED):
        found, above = reached(DUMPED, path)
        if found == len(path):
            left = copy.deepcopy(DUMPED)
            del reached(left, path[:-1])[1][path[-1]]
            assert changes.drop(text, path, format="json") == dumps(left)
        for new in (7, "x", [], {"n": [True, {"m": "é\n"}, {}]}):
            wanted = copy.deepcopy(DUMPED)
            above = reached(wanted, path[:-1])[1]
            if isinstance(above, list):
                above[path[-1] :] = [new, *above[path[-1] + 1 :]]  # type: ignore[operator]
            elif path[-2:-1] == ("new",):
                above["new"] = {path[-1]: new}
            else:
                above[path[-1]] = new
            assert changes.put(text, path, new, format="json") == dumps(wanted)


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ('{"l": [1]}', ("l", 1), '{"l": [1, 7]}'),
        ('{"l":[1]}', ("l", 1), '{"l":[1,7]}'),
        ('{\n "l": [1]\n}', ("l", 1), '{\n "l": [1, 7]\n}'),
        ('{"l":[1],"a":\t1}', ("b",), '{"l":[1],"a":\t1,"b": 7}'),
        ('{"a":\t1}', ("b",), '{"a":\t1, "b": 7}'),
        ('{"a" :1}', ("b",), '{"a" :1,"b":7}'),
        (' {"a": {} } ', ("a", "b"), ' {"a": {"b": 7} } '),
        ('{ "a": 1 }', ("b",), '{ "a": 1, "b": 7 }'),
        ('{"a": 1,\n "b": 2}', ("c",), '{"a": 1,\n "b": 2,\n "c": 7}'),
        ('{"l": [1]}', ("l", 1, "k"), '{"l": [1, {"k": 7}]}'),
        ('{"a": 1}', ("b", 0), '{"a": 1, "b": [7]}'),
        ('{"a" : {"l" : [1]}}', ("a", "l", 1, "k"), '{"a" : {"l" : [1, {"k": 7}]}}'),
        (
            '{"a": {\n  "x": 1\n}}',
            ("a", "y", "z"),
            '{"a": {\n  "x": 1,\n  "y": {\n    "z": 7\n  }\n}}',
        ),
        ('{\n\n  "a": 1\n\n}', ("c",), '{\n\n  "a": 1,\n\n  "c": 7\n\n}'),
    ],
)
def test_a_new_value_in_an_odd_layout(text: str, path: Path, after: str) -> None:
    assert changes.put(text, path, 7, format="json") == after


@pytest.mark.parametrize(
    ("text", "edits", "after"),
    [
        ('{"a": 1}', [(("b",), 2), (("c",), 3)], '{"a": 1, "b": 2, "c": 3}'),
        ('{"a":1}', [(("b",), 2), (("c",), 3)], '{"a":1,"b":2,"c":3}'),
        ('{"a": 1}', [(("b",), 2), (("a",), changes.REMOVED), (("c",), 3)], '{"b": 2, "c": 3}'),
        ("{}", [(("a",), 1), (("b",), 2)], '{\n\t"a": 1,\n\t"b": 2\n}'),
        ('{"a": {}, "b": 1}', [(("a", "x"), 1), (("a", "y"), 2)], '{"a": {"x": 1, "y": 2}, "b": 1}'),
        ('{"l": [1, 2, 3]}', [(("l", 0), 9), (("l", 2), 8), (("l", 3), 7)], '{"l": [9, 2, 8, 7]}'),
    ],
)
def test_several_edits_at_once(text: str, edits: list[tuple[Path, Any]], after: str) -> None:
    sealed = api.encrypt(text, rule(KEY), format="json", credentials=credentials(KEY))
    sealed = engine.change(sealed, "json", *edits, credentials=credentials(KEY))
    assert api.decrypt(sealed, format="json", credentials=credentials(KEY)) == after


def test_the_whole_object_is_replaced() -> None:
    for text, after in (
        ('{"a": 1}', '{"x": [1]}'),
        (' {"a":1}\n', ' {"x": [1]}\n'),
        ('{\n  "a": 1\n}', '{\n  "x": [\n    1\n  ]\n}'),
        ("{}", '{\n\t"x": [\n\t\t1\n\t]\n}'),
    ):
        assert changes.put(text, (), {"x": [1]}, format="json") == after


def test_the_document_is_an_item_of_a_stream() -> None:
    json = formats.get("json")
    (document,) = formats.writing_of(json).tree(json.scan('{"a": 1}')).entries
    assert (document.listed, document.steps, document.tree.entries[0].listed) == (True, (), False)
