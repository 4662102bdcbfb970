"""Where keys and values are: the walk along a text that was read line by line finds what a parser says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from engine import credentials, rule
from generate import yaml_text
from oracle import FIXTURES, AgeKey

from encconf import api
from encconf.engine import opening, plaintext
from encconf.formats import lines, yaml
from encconf.formats.yaml_places import Node, compose, walk
from encconf.formats.yaml_signs import line_start
from encconf.text.document import Document


def said(node: Node) -> Any:
    """A node and all below it, to compare."""
    below = [(item.key, item.start, item.after, said(item.node)) for item in node.items]
    return node.kind, node.start, node.end, node.value, node.flow, node.style, node.shared, below


def starts_of(document: Document) -> list[int]:
    return [0, *(line_start(document.text, part.start) for part in document.parts[1:])]


def same(document: Document) -> bool:
    """Whether there was something to compare; it must be the same."""
    starts = starts_of(document)
    walked = walk(document, starts)
    if walked is None:
        return False
    ends = [*starts[1:], len(document.text)]
    composed = [compose(document.text[start:end]) for start, end in zip(starts, ends, strict=True)]
    assert [said(node) for node in walked] == [said(node) for node in composed]
    return True


REGULAR = """\
# top
a:
  b: "x: y"   # note

  "n": 5
  'it': 'it''s'
nul:
l:
- 1
-
- - - deep
  - k: v
    m: |
      text

      # no comment

    z: ~
# between
f: [1, "2", a b] # c
e: {}
g: []
folded: >-
  a
  b

last: |+
  x

"""


@pytest.mark.parametrize(
    "text",
    [
        REGULAR,
        REGULAR[: REGULAR.index("folded")].rstrip("\n"),
        f"---\n{REGULAR}---\nb: 1\n---\n# c\n\nc: {{}}\n",
        "# c\n---\na:\n    - b: 1\n      c: 2\n    -   d: 3\n",
    ],
    ids=["regular", "no last line break", "stream", "marker"],
)
def test_both_find_the_same(text: str) -> None:
    assert same(yaml.scan(text))


def test_both_find_the_same_in_the_fixtures_and_in_what_is_made_up() -> None:
    texts = [path.read_text(errors="replace") for path in sorted(FIXTURES.rglob("*.yaml"))]
    documents = [lines.scan(text, True) for text in [*texts, *map(yaml_text, range(600))]]
    assert sum(same(document) for document in documents if document is not None) > 80


def test_both_find_the_same_in_what_is_decrypted(age_key: AgeKey) -> None:
    """Also without the layout record, as after sops has written the file."""
    creds, count = credentials(age_key), 0
    for text in [REGULAR, *map(yaml_text, range(400))]:
        if lines.scan(text, True) is None:
            continue
        enc = api.encrypt(text, rule(age_key), credentials=creds)
        for given in (enc, re.sub(r"\n *encconf_layout: .*", "", enc)):
            moved = plaintext.moved_document(opening.open_text(given, format="yaml", credentials=creds))
            count += moved is not None and same(moved)
    assert count > 60


@pytest.mark.parametrize(
    "text",
    ["a: &x 1\n", "{a: 1}\n", "? a\n: 1\n", "a: !t 1\n", "a:\t1\n", "a: [{b: 1}]\n", "a: 1\r\n", "a: x\n y"],
)
def test_other_texts_need_a_parser(text: str) -> None:
    document = yaml.scan(text)
    assert walk(document, starts_of(document)) is None


def test_a_text_with_its_sops_block_needs_a_parser(age_key: AgeKey) -> None:
    document = yaml.scan(api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key)))
    assert document.regular
    assert walk(document, starts_of(document)) is None


@pytest.mark.parametrize(("before", "after"), [("b: 1", "c: 1"), ("  - 2", "  * 2"), ("a:\n", "a:\nx\n")])
def test_a_key_in_another_place_is_none(before: str, after: str) -> None:
    """A document whose text is not the one that was scanned."""
    document = yaml.scan("a:\n  - 1\n  - 2\nb: 1\n")
    document.text = document.text.replace(before, after)
    assert walk(document, starts_of(document)) is None
