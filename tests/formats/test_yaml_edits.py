"""Every value of awkward texts is replaced and removed, and new ones are added.

PyYAML says where a value is and what a text means: after a change, the text must mean what the same change of
plain values makes of it, with all else at its place.  The results are in ``yaml_edits.txt``, for what PyYAML
does not judge: comments, quotes and indentation.  After a wanted change, write them again and read the diff:

    PYTHONPATH=tests:. python tests/formats/test_yaml_edits.py
"""

from __future__ import annotations

import copy
import difflib
import itertools
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
import yaml as pyyaml

from encconf.engine import changes
from encconf.errors import EmitError
from encconf.formats.writing import drop_plain, put_plain
from encconf.text.path import Path, spell

RESULTS = File(__file__).with_name("yaml_edits.txt")
TEXTS = {
    "block": """\
# top

a: 1 # one
b:   two words   # two
# above c
c:
  # first of c
  d: 'single'  # d
  # between

  e: "double\\t"
    # deep below e
  # last of c
f:
  g:
    h: x
    # last of g
i: y
# end
""",
    "lists": """\
l:
- a
# above b
- b  # b
-   c
- - d
  - - e
    - f
  # last of the list in the list
- k: v
  m: w # w

  n: x
-   o: p
    q:
    - r
    - s: t
- # beside
  u: v
# between lists
k:
    - x
    -
    - y   # y

    # last of k
z: 1
""",
    "flow": """\
a: [x, 'y', "z"] # c
b: {c: d, 'e' : [f, {g: h}], i: {}, j: []}
k: [
  x,   # of x
  # above y
  y
]
l: {
    m: n, # of m
    o: p
    # after p
  }
q: [ [], {} , r ]
s: {t: , "u":v, w: "x", y: }
z: []
""",
    "one line": "{a: 1, b: [x, y], c: {d: e}}",
    "flow root": """\
# top
{
  "a": "x", # of a
  "b": [1, 2],
  # above c
  "c": {"d": {}}
} # end
# after
""",
    "blocks": """\
a: |
  one
  two

b: >-
  three
  four

  five
# above c
c: |+
  six


d: |2-
   seven
  eight
e: | # of e
    nine
f:
  - |-
    ten
  - >+
    eleven

  - g: |
      twelve
    # last of f[2]
  # last of f
h: |
  thirteen""",
    "several lines": """\
a: one
  two

  three # c
b: "four
  five\\
  six"
c: 'seven

  eight'
d:
  nine
e:
  # above ten
  "ten"
f:
- eleven
  twelve
-
  thirteen
g: [fourteen
  fifteen, sixteen]
""",
    "anchors": """\
a: &x one
b: &y
  c: two
  d: &z [three, {e: four}]
f: !!str 7
g: !!str &v "8"
h: &u
  - nine
i: !!map
  j: ten
k: [&w eleven, !!str &t 12, {l: &s thirteen}]
m: &r {n: &q fourteen}
o:
- &p fifteen
- !!str 'sixteen'
- !!seq
  - seventeen
""",
    "aliases": "a: &x one\nb: &y\n  c: two\nd: *x\ne: [*y, three]\nf:\n- *x\n- four\n",
    "documents": "# c\n---\n# d\na: 1\nb:\n  c: 2\n# e\n---\nd: 3\n...\n---\ne: 4\n",
    "marker": "--- # c\na:\n  - b\n\n...\n# d\n",
    "beside the marker": "%YAML 1.1\n---\na: {b: c}\n...\n",
    "windows": "a: 1 # c\r\n# d\r\nb:\r\n    c: x\r\n    # e\r\n    d:\r\n    - y\r\n    - |\r\n        z\r\n"
    "\r\nf: {g: h}\r\n",
    "mark": "\ufeffa: 1\nb:\n  - x\n",
    "tabs": "a:\tx\t# c\nb:\n  c:\ty\n  d: [\tz\t]\n-e:\tw\n",
    "indented": "  # c\n  a: 1\n  b:\n     c: x\n     d:\n       - y\n  # d\n",
    "empty": "a:\nb: # c\nc:\n  d:\n  e: # f\n  # g\nh:\n-\n- # i\n- j:\n  k:\n",
    "question marks": """\
? a
: b
? c # d
: - e
  - f
? 'two
  lines'
: g
? |
  text
: h: i
j: k
""",
    "keys": """\
"a b": 1
'it''s': x
"say \\"hi\\"": y
a:b: z
-c: w
a key of words: [v]
ключ: значение
"9": u
~e: t
""",
    "other breaks": "a: \"x\u2028y\"\nb: 'z\u2029w'\nc: 1\n",
    "no end": "a: 1\nb:\n  - x # c",
    "blank end": "a: 1\nb:\n  c: x\n\n\n# d\n\n",
}  # fmt: skip
VALUES: list[Any] = [
    "w0rd", "two: words", None, "p\n\nq\n", [], ["v", {"k": [None]}], {"k": {"m": "n"}, "o": ["p", "q"]},
]  # fmt: skip


class Place:
    """Where PyYAML finds a value and its key."""

    def __init__(self, key: Any, value: Any, around: Any) -> None:
        self.start, self.end = value.start_mark.index, value.end_mark.index
        self.key_end = key.end_mark.index if key else self.start
        self.block = not around.flow_style
        self.quotes = getattr(value, "style", None)


def trees_of(text: str) -> list[Any]:
    return list(pyyaml.load_all(text, pyyaml.CSafeLoader))


def places(text: str) -> tuple[dict[Path, Place], dict[Path, Any]]:
    """The values and the collections of the first document by their paths, without what aliases repeat."""
    found: dict[Path, Place] = {}
    collections: dict[Path, Any] = {}
    seen: set[int] = set()

    def look(node: Any, path: Path) -> None:
        if isinstance(node, pyyaml.MappingNode):
            pairs = [(key.value, key, value) for key, value in node.value]
        elif isinstance(node, pyyaml.SequenceNode):
            pairs = [(at, None, value) for at, value in enumerate(node.value)]
        else:
            return
        collections[path] = node
        for step, key, value in pairs:
            if id(value) not in seen:
                found[*path, step] = Place(key, value, node)
                seen.add(id(value))
                look(value, (*path, step))

    look(next(iter(pyyaml.compose_all(text, pyyaml.CSafeLoader))), ())
    return found, collections


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


def shown(what: str, text: str, after: str | None) -> Iterator[str]:
    """A change: the lines of the text that are replaced, and the new lines below them."""
    lines = [each.splitlines(keepends=True) for each in (text, after or "")]
    steps = [
        step for step in difflib.SequenceMatcher(None, *lines, False).get_opcodes() if step[0] != "equal"
    ]
    if after is None or not steps:
        yield f"{what}: {'refused' if after is None else 'nothing'}"
    for _, first, end, begin, stop in steps if after is not None else ():
        where = (
            f"before {first + 1}" if first == end else f"{first + 1}-{end}" if end > first + 1 else str(end)
        )
        yield f"{what}: {where}"
        for line in lines[1][begin:stop]:
            sign = "" if line.endswith("\n") else "\\"
            yield "    " + line.removesuffix("\n").replace("\r", "\\r").replace("\ufeff", "\\ufeff") + sign


def results(text: str) -> Iterator[str]:
    """What each change changes.  The values take turns, since PyYAML judges the others in another test."""
    found, collections = places(text)
    turn = itertools.cycle(VALUES)
    for path in found:
        for value in (next(turn), next(turn)):
            yield from shown(f"{spell(path)} = {value!r}", text, put(text, path, value))
        yield from shown(f"{spell(path)} removed", text, drop(text, path))
    for path, node in collections.items():
        step: Any = "new" if isinstance(node, pyyaml.MappingNode) else len(node.value)
        for value in (next(turn), next(turn)):
            yield from shown(f"{spell((*path, step))} = {value!r}", text, put(text, (*path, step), value))


def expected() -> dict[str, str]:
    parts = RESULTS.read_text(encoding="utf-8").split("=== ")[1:]
    return dict(part.split("\n", 1) for part in parts)


@pytest.mark.parametrize("name", TEXTS)
def test_what_changes(name: str) -> None:
    assert "".join(f"{line}\n" for line in results(TEXTS[name])) == expected()[name]


@pytest.mark.parametrize("name", TEXTS)
def test_all_else_stays(name: str) -> None:
    text = TEXTS[name].removeprefix("\ufeff")
    for path, place in places(text)[0].items():
        for value in VALUES if place.quotes is not None else VALUES[::3]:
            after = put(text, path, value)
            if after is None or place.quotes in ("|", ">") or text.startswith("*", place.end):
                continue
            on_one_line = not isinstance(value, (dict, list)) and "\n" not in str(value)
            if place.quotes is not None or isinstance(path[-1], str):
                assert after.startswith(text[: place.key_end].rstrip(" \n-")), (path, value)
            if place.quotes is not None and (on_one_line or not place.block):
                assert after.endswith(text[place.end :]), (path, value)


if __name__ == "__main__":
    RESULTS.write_text(
        "".join(
            f"=== {name}\n" + "".join(f"{line}\n" for line in results(text)) for name, text in TEXTS.items()
        ),
        encoding="utf-8",
    )
