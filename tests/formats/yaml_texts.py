"""Awkward YAML texts, what PyYAML says of them, and files with what changes of them must change.

PyYAML judges what a text means.  The files are for what it does not judge: comments, quotes, indentation and
line breaks.  After a wanted change, write a file again and read the diff:

    PYTHONPATH=tests:. python tests/formats/test_yaml_edits.py
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path as File
from typing import Any

import yaml as pyyaml

from encconf.text.path import Path

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
A: {"b":c}
B: [d]
C: {e}
D: {f: }
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
-   &n eighteen
-
  &l nineteen
-   !!str twenty
p: {q: &k [r], s: !!seq &j [t], u: !!str &i}
v: &h
""",
    "aliases": "a: &x one\nb: &y\n  c: two\nd: *x\ne: [*y, three]\nf:\n- *x\n- four\n",
    "documents": "# c\n---\n# d\na: 1\nb:\n  c: 2\n# e\n---\nd: 3\n...\n---\ne: 4\n",
    "marker": "--- # c\na:\n  - b\n\n...\n# d\n",
    "beside the marker": "%YAML 1.1\n---\na: {b: c}\n...\n",
    "windows": "a: 1 # c\r\n# d\r\nb:\r\n    c: x\r\n    # e\r\n    d:\r\n    - y\r\n    - |\r\n        z\r\n"
    "\r\nf: {g: h}\r\n",
    "mark": "\ufeffa: 1\nb:\n  - x\n",
    "nothing": "",
    "only blanks": "\ufeff\n \n",
    "only comments": "# c\n\n  # d\n",
    "only a comment": "# c",
    "only a marker": "# b\n---\n# c\n\n# d\n...\n# e\n",
    "only a marked comment": "--- # c\n",
    "only braces": "# c\n{} # d\n# e\n",
    "only marked braces": "--- {} # c\n",
    "a block at the end": "a:\n  b: |\n    x\n\n# c\n",
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


class Place:
    """Where PyYAML finds a value and its key."""

    def __init__(self, key: Any, value: Any, around: Any, *, alias: bool) -> None:
        self.start, self.end = value.start_mark.index, value.end_mark.index
        self.key_end = key.end_mark.index if key else self.start
        self.alias = alias
        self.block = not around.flow_style
        self.quotes = getattr(value, "style", None)


def trees_of(text: str) -> list[Any]:
    return [{} if tree is None else tree for tree in pyyaml.load_all(text, pyyaml.CSafeLoader)] or [{}]


def places(text: str) -> tuple[dict[Path, Place], dict[Path, Any]]:
    """The values and the collections of the first document by their paths.  No alias has any inside."""
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
            found[*path, step] = Place(key, value, node, alias=id(value) in seen)
            if id(value) not in seen:
                seen.add(id(value))
                look(value, (*path, step))

    look(next(iter(pyyaml.compose_all(text, pyyaml.CSafeLoader)), None), ())
    return found, collections or {(): None}


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


class Results:
    """A file with the results for each text."""

    def __init__(self, name: str, texts: dict[str, str], found: Callable[[str], Iterator[str]]) -> None:
        self.path = File(__file__).with_name(name)
        self.texts = texts
        self.found = found

    def now(self, name: str) -> str:
        return "".join(f"{line}\n" for line in self.found(self.texts[name]))

    def then(self, name: str) -> str:
        parts = self.path.read_text(encoding="utf-8").split("=== ")[1:]
        return dict(part.split("\n", 1) for part in parts)[name]

    def write(self) -> None:
        whole = "".join(f"=== {name}\n{self.now(name)}" for name in self.texts)
        self.path.write_text(whole, encoding="utf-8")
