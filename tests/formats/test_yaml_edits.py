"""Every value of awkward texts is replaced and removed, and new ones are added.

After a change, a text must mean what the same change of plain values makes of it, with all else at its place.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml as pyyaml
from formats.yaml_texts import TEXTS, Results, places, shown, trees_of

from encconf.engine import changes
from encconf.errors import EmitError
from encconf.formats.writing import drop_plain, put_plain
from encconf.text.path import Path, spell

VALUES: list[Any] = [
    "w0rd", "two, words", None, "p\n\nq\n", [], ["v", {"k": [None]}], {"k": {"m": "n"}, "o": ["p", "q"]},
]  # fmt: skip


def put(text: str, path: Path, value: Any) -> str | None:
    """The text with a value, or None if encconf refuses.  PyYAML has read it."""
    try:
        after = changes.put(text, path, value, format="yaml")
    except EmitError:
        return None
    trees = trees_of(text)
    trees[0] = put_plain(copy.deepcopy(trees[0]), path, value)
    assert trees_of(after) == trees, (path, value, after)
    return after


def drop(text: str, path: Path) -> str | None:
    try:
        after = changes.drop(text, path, format="yaml")
    except EmitError:
        return None
    trees = trees_of(text)
    trees[0] = copy.deepcopy(trees[0])
    drop_plain(trees[0], path)
    assert trees_of(after) == trees, (path, after)
    return after


def results(text: str) -> Iterator[str]:
    """What each change changes.  The values take turns, since PyYAML judges the others in another test."""
    found, collections = places(text)
    turn = itertools.cycle(VALUES)
    for path in found:
        for value in (next(turn), next(turn)):
            yield from shown(f"{spell(path)} = {value!r}", text, put(text, path, value))
        yield from shown(f"{spell(path)} removed", text, drop(text, path))
    for path, node in collections.items():
        step: Any = len(node.value) if isinstance(node, pyyaml.SequenceNode) else "new"
        for inner in ((), (0, "in")):
            value, new = next(turn), (*path, step, *inner)
            yield from shown(f"{spell(new)} = {value!r}", text, put(text, new, value))
    for value in ({}, {"k": {"l": ["m"]}, "n": "o\np\n"}):
        yield from shown(f"all = {value!r}", text, put(text, (), value))


RESULTS = Results("yaml_edits.txt", TEXTS, results)


@pytest.mark.parametrize("name", TEXTS)
def test_what_changes(name: str) -> None:
    assert RESULTS.now(name) == RESULTS.then(name)


@pytest.mark.parametrize("name", TEXTS)
def test_all_else_stays(name: str) -> None:
    text = TEXTS[name].removeprefix("\ufeff")
    for path, place in places(text)[0].items():
        for value in ("w0rd", "p\n\nq\n", [], {"k": ["v"]}):
            after = put(text, path, value)
            if after is None or place.quotes in ("|", ">") or place.alias:
                continue
            on_one_line = not isinstance(value, (dict, list)) and "\n" not in str(value)
            if place.quotes is not None or isinstance(path[-1], str):
                assert after.startswith(text[: place.key_end].rstrip(" \n-")), (path, value)
            if place.quotes is not None and (on_one_line or not place.block):
                assert after.endswith(text[place.end :]), (path, value)


@pytest.mark.parametrize("comma", [",", ", "])
def test_json_with_the_name_of_a_yaml_file_stays_json(comma: str) -> None:
    text = '{"a": ["b"], "c": {"d": "e"}}\n'.replace(", ", comma).replace(": ", comma.replace(",", ":"))
    values: list[tuple[Path, Any]] = [(("a", 1), "x"), (("c", "f"), ["x"]), (("g",), {"h": "x", "i": None})]
    for path, value in values:
        after = put(text, path, value)
        assert after is not None
        assert json.loads(after) == pyyaml.safe_load(after)
    assert put(text, ("a", 1), "x") == text.replace("]", f'{comma}"x"]')


if __name__ == "__main__":
    RESULTS.write()
