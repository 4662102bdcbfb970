"""Where the readers of YAML find keys, dashes, values and comments.  PyYAML's marks say where values are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from formats.test_yaml_sealed import BLOCKS
from formats.yaml_texts import TEXTS, Results, places

from encconf import formats
from encconf.formats import yaml_events, yaml_fast
from encconf.formats.yaml_events import Unfolded
from encconf.formats.yaml_words import Properties
from encconf.text.document import Document, Leaf
from encconf.text.path import spell
from encconf.text.tree import Tree

writing = formats.writing_of(formats.get("yaml"))

MORE = {
    "anchors and tags": """\
&k a: &a !t "x" # c
? &l b
: !t &b
  - c
&m d : !!map # d
  &n e : &e
    f: &f
    g: !u &g h
i: [ &i j, !t &j 'k', l: &o m, ? n : o, *i , {p, "q", r: *j} ]
*j : s
t: !!seq
- &p
  u: v
- !v
  - w
-   &q x
y: !z
""",
    "pairs": "a: [b: c, d: [e]]\ni: [? j, ? k : l, m: , n]\n",
    "merges": "a: &a {b: c}\nd: &d\n  <<: *a\n  e: f\ng:\n  <<: [*a, *d]\n  h: *d\n'<<': i\n",
    "sops block": "a: 1\nsops:\n  mac: x # c\n  list:\n  - y\n  # last\n# d\nb: 2\n",
    "sops block in braces": '{"a": 1,\n "sops": {"mac": ["x"]},\n "b": 2 }\n',
    "stream": "a: 1\nsops:\n  m: 1\n---\nb: 2\nsops:\n  m: 1\n...\n# c\n---\nsops: {}\nc: 3\n",
    "markers": "%TAG !e! tag:x,2000:\n--- # a\na: !e!b c\n... # b\n# c\n---\n---  {b: c} # d\n"
    "---\n# e\n\n# f\nd: e\n# g\n",
    "empty documents": "---\n---\n# c\n---\na: 1\n...\n",
    "dashes": "l:\n-\n-\n  x\n-\n\n-\n  y: 1\nm:\n  -\n  - # c\n    z\n  -\n"
    "n:\n- &a\n-\n- !t\n-   'w'\n-  - v\n",
    "in braces": "{a : 1, 'b': , \"c\":2, ? d : 3, ? e, f : 4, &g h: &i 5, ? &j k : l, m: [n, ], o}\n",
    "odd keys": "? a\n:   b\n? 'c'\n# d\n: e\n?   f # g\n:\n  h\n? i\n?  j\n",
    "sops inside": "sops:\n  m: 1\na:\n  sops: 2\n  b: {sops: 3}\n",
    "an anchored key": "&k key: v\nb: *k\nc: [*k]\nd: {*k : w}\n",
    "an anchored root": "--- !!map &r # c\n  &k a: 1\n  b: 2\n",
    "an anchored root with a tag": "&r\n !t a: 1\n b: &b\n   c: 2\n",
    "a tagged root": "!!map\n  a: 1\n",
    "no breaks": "a:\r  b: 1\r  c:\r  - 2\rd: |\r  x\re: 3",
}  # fmt: skip
READ = {
    name: text
    for name, text in TEXTS.items()
    if name not in ("nothing", "only blanks", "only comments", "only a comment")
}
ALL = {**READ, **{f"{name}, sealed": text for name, text in BLOCKS.items()}, **MORE}


def results(text: str, document: Document | None = None) -> Iterator[str]:
    """Each item: its path, what it is, its key or dash with the sign, and the value."""
    document = document or yaml_events.read(text, True, pure=False)
    for part in document.parts:
        block = f", block {text[slice(*part.block)]!r}" if part.block else ""
        close = f", close {part.close}" if part.close else ""
        yield f"document to {part.end}, column {part.indent}{close}{block}"
    for item in document.items:
        note = item.note
        if isinstance(note, Properties):
            end = item.start if item.start >= 0 else text.index("\n", note.start)
            before = f"{text[note.start : end]!r} tag {note.tag} "
            if note.tag:
                assert text[note.tag_start : note.tag_end] == note.tag
        else:
            before = f"of {spell(note.source.path)} " if isinstance(note, Unfolded) else ""
            if isinstance(note, Leaf):
                before = "copy " if note.style.endswith("*") else f"of {spell(note.path)} "
        head = text[item.head : item.sign] if item.sign >= 0 else item.head
        if isinstance(item, Leaf):
            value = text[item.start : item.end] if item.start < item.end else ""
            what = f"{value!r} {item.style or 'plain'} {item.type} {item.data!r}"
            yield f"{spell(item.path)} = {head!r} {before}{what}"
        else:
            value = f"{text[item.start : item.end]!r} " if item.start >= 0 else ""
            end = "" if item.start >= 0 or item.end < 0 else f" to {item.end}"
            what = "list" if item.listed else "mapping"
            yield f"{spell(item.path) or '.'} {what} {head!r} {before}{value}{end}"
    for scope in document.merges:
        yield f"merge {spell(scope.path) or '.'}"
    for comment in document.comments:
        place = spell(comment.scope.path) or "."
        yield f"comment {text[comment.start - 1 : comment.end]!r} in {place} before {comment.before!r}"
    if document.block is not None:
        yield f"sops {document.block}"


RESULTS = Results("yaml_marks.txt", ALL, results)


def trees(text: str) -> Iterator[str]:
    """The entries of the tree: what is before the key, the key with its colon, the value, the rest."""
    tree = writing.tree(formats.scan_any(text, "yaml"))
    flags = [name for name in ("unclear", "fuller") if getattr(tree, name)]
    assert "unclear" in flags or tree.text == text

    def look(tree: Tree, depth: str) -> Iterator[str]:
        for entry in tree.entries:
            head = entry.head if not entry.sign else f"{entry.head[: entry.sign]}⋅{entry.head[entry.sign :]}"
            around = [repr(piece)[1:-1] for piece in (entry.lead, head)]
            after = [repr(piece)[1:-1] for piece in (entry.post, entry.trail)]
            value = entry.value
            if not isinstance(value, Tree):
                what = "-" if value is None else f"{value.text[: value.at]!r} {value.text[value.at :]!r}"
                what += f" {value.style} {value.data}" if value is not None else ""
                yield depth + "|".join([*around, what, *after])
                continue
            flags = [name for name in ("inline", "bare", "comma") if getattr(value, name)]
            what = (
                f"{value.kind} {value.column} {value.open!r} {value.tail!r} {value.close!r} {' '.join(flags)}"
            )
            yield depth + "|".join([*around, what, *after])
            yield from look(value, depth + "  ")

    yield f"{' '.join(flags)} tail {tree.tail!r} data {tree.data!r}"
    yield from look(tree, "")


TREES = Results("yaml_trees.txt", {**TEXTS, **ALL}, trees)


@pytest.mark.parametrize("name", TREES.texts)
def test_trees(name: str) -> None:
    assert TREES.now(name) == TREES.then(name)


@pytest.mark.parametrize("name", ALL)
def test_places(name: str) -> None:
    """All readers find the same: libyaml, the parser in Python, and the one that reads line by line."""
    text, then = ALL[name], RESULTS.then(name)
    assert RESULTS.now(name) == then
    others = [yaml_fast.scan(text, True)]  # None for what it does not read
    if name != "tabs":  # which the parser in Python refuses
        others.append(yaml_events.read(text, True, pure=True))
    for document in filter(None, others):
        assert "".join(f"{line}\n" for line in results(text, document)) == then


@pytest.mark.parametrize("name", READ)
def test_places_are_those_of_pyyaml(name: str) -> None:
    text = TEXTS[name]
    mark = text.startswith("\ufeff")
    found, _ = places(text)
    document = yaml_events.read(text, False, pure=False)
    for item in document.items:
        place = found.get(item.path)
        if place is None or place.alias or not isinstance(item.note, Properties | None):
            continue
        start, end, key_end = (at + mark for at in (place.start, place.end, place.key_end))
        begin = item.note.start if isinstance(item.note, Properties) else item.start
        if isinstance(item, Leaf) and item.start < item.end:
            assert begin == start
            assert item.end == end or item.style in ("|", ">")
        elif not isinstance(item, Leaf) and item.start >= 0:
            assert (begin, item.end) == (start, end)
        if item.sign < 0:
            assert name == "question marks"  # with a list after the colon
        elif isinstance(item.step, str):
            assert item.head <= key_end <= item.sign
            assert text[key_end : item.sign].strip() in (":", "")
        elif place.block:
            assert text[item.head : item.sign] == "-"
            assert item.sign <= start


if __name__ == "__main__":
    RESULTS.write()
    TREES.write()
