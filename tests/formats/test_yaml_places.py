"""Where keys and values are: both readers of YAML say the same, and so do the trees that follow from it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml as pyyaml
from engine import credentials, rule
from formats.yaml_texts import TEXTS
from generate import yaml_text
from oracle import FIXTURES, AgeKey

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.errors import EncconfError
from encconf.formats import yaml_events, yaml_fast
from encconf.formats.yaml_events import TooNewError
from encconf.text.document import Document, Leaf
from encconf.text.tree import Single, Tree

yaml = formats.get("yaml")


def pieces(node: Tree | Single | None) -> Any:
    """A tree and all below it, to compare."""
    if node is None:
        return None
    if isinstance(node, Single):
        return node.text, node.data, node.at, node.style
    around = node.kind, node.open, node.close, node.tail, node.data, node.column, node.inline, node.unclear
    return around, [
        (each.steps, each.lead, each.head, pieces(each.value), each.post, each.trail, each.key, each.sign)
        for each in node.entries
    ]


def tree_of(document: Document) -> Any:
    return pieces(formats.writing_of(formats.get("yaml")).tree(document))


def same(text: str) -> bool:
    """Whether there was something to compare; it must be the same."""
    document = yaml_fast.scan(text, False)
    if document is None or "# " in (document.block_text or ""):
        return False
    assert tree_of(document) == tree_of(yaml_events.read(text, False, pure=False))
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
    assert same(text)


def test_both_find_the_same_in_the_fixtures_and_in_what_is_made_up() -> None:
    texts = [path.read_text(errors="replace") for path in sorted(FIXTURES.rglob("*.yaml"))]
    assert sum(map(same, [*texts, *map(yaml_text, range(600))])) > 80


def test_both_find_the_same_in_what_is_decrypted(age_key: AgeKey) -> None:
    """Also without the layout record, as after sops has written the file."""
    creds, count = credentials(age_key), 0
    for text in [REGULAR, *map(yaml_text, range(400))]:
        if yaml_fast.scan(text, True) is None:
            continue
        enc = api.encrypt(text, rule(age_key), credentials=creds)
        for given in (enc, re.sub(r"\n *encconf_layout: .*", "", enc)):
            moved = plaintext.moved_document(opening.open_text(given, format="yaml", credentials=creds))
            if moved is not None:
                assert tree_of(moved) == tree_of(yaml.scan(moved.text))
                count += 1
    assert count > 60


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: 1\n", [(0, 2)]),
        ("x: &x\n  # c\n  'y' : [1, {z}]\n", [(0, 2), (14, 19), (21, 21), (24, 24), (25, 26)]),
        ("? a\n: x\n? b\n", [(0, 5), (8, 11)]),
        ("l:\n- # c\n  x\n-\n  - y\n", [(0, 2), (3, 4), (13, 14), (17, 18)]),
        ("a: &a k\n*a : 2\n", [(0, 2), (8, 12)]),
    ],
)
def test_heads_and_signs(text: str, places: list[tuple[int, int]]) -> None:
    """Where each key or dash begins, and where its colon or dash ends."""
    document = yaml.scan(text)
    assert [(item.head, item.sign) for item in document.items[1:]] == places
    assert formats.writing_of(formats.get("yaml")).tree(document).text == text


HARD = {path.name: path.read_bytes().decode() for path in sorted((FIXTURES / "hard" / "kept").glob("*.yaml"))}
ANCHORED = {
    "lists": "a:\n- &x\n  - b\n- !!seq\n  # c\n  - d\n  -\n    - &y\n\n      - e\n- &z !!map\n  f: g\n- h\n",
    "in anchors": "a: &x\n  - &y\n    b: &z\n    - !!seq\n      - c\n    d: e\n  - f\n",
    "empty": "a:\n-\n-\n  -\n# b\n-\n  - # c\n  -\nd:\n  -\n",
    "blocks": "a:\n- |\n  - b\n\n# c\n- >-\n\n  - d\n- - |+\n    e\n\n  - f\n-\n  |\n  g\n- - 'h\n    - i'\n",
    "colons": 'a : 1\n\'b\':\n  2\n? c\n: 3\n? d\n:\n  - 4\n"g" : [h: 1, "i": 2, j : 3]\n',
}


def test_keys_dashes_and_colons_are_where_pyyaml_finds_them() -> None:
    """A key has a place without a token of its own if it has no colon, and a colon may be unclear."""
    compared = 0
    made = {f"seed {seed}": yaml_text(seed) for seed in range(60)}
    for name, text in {**TEXTS, **HARD, **ANCHORED, **made}.items():
        if "\x85" in text or "!!set" in text or "\ufeff" in text:
            continue
        try:
            tokens = list(pyyaml.scan(text, pyyaml.CSafeLoader))
            documents = [yaml_events.read(text, False, pure=pure) for pure in (False, True)]
        except (EncconfError, TooNewError, pyyaml.YAMLError):
            assert name not in ANCHORED
            continue
        if documents[0].block is not None:
            continue
        compared += 1
        found = {
            kind: {
                (token.start_mark.index, token.end_mark.index) for token in tokens if isinstance(token, kind)
            }
            for kind in (pyyaml.KeyToken, pyyaml.ValueToken, pyyaml.BlockEntryToken)
        }
        for document in documents:
            keys, colons, dashes = set(), set(), set()
            for item in document.items:
                around = item.scope if isinstance(item, Leaf) else item.parent
                if around is None or item.head < 0:
                    continue  # the root, or a copy that an alias makes
                if not around.listed:
                    keys.add(item.head)
                    colons.add(item.sign)
                elif around.start < 0:
                    dashes.add((item.head, item.sign))
            assert dashes == found[pyyaml.BlockEntryToken], name
            begun = {start for start, _ in found[pyyaml.KeyToken]}
            assert begun <= keys, name
            assert all(text[at + 1 :].lstrip()[:1] in ("}", ",") for at in keys - begun), name
            assert -1 in colons or {end for _, end in found[pyyaml.ValueToken]} <= colons, name
    assert compared > 180
