"""Where keys and values are: the walk along a text that was read line by line finds what a parser says.

The trees that are made of the two are the same, too.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from engine import credentials, rule
from generate import yaml_text
from oracle import FIXTURES, AgeKey

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.formats import yaml_lines
from encconf.formats.yaml_places import ODD, Node, compose, walk
from encconf.formats.yaml_words import line_start
from encconf.text.document import Document
from encconf.text.tree import Single, Tree
from encconf.verbs import changes

yaml = formats.get("yaml")


def said(node: Node) -> Any:
    """A node and all below it, to compare."""
    below = [(item.key, item.begin, item.after, said(item)) for item in node.items]
    return node.kind, node.start, node.end, node.value, node.flow, node.style, node.shared, below


def pieces(node: Tree | Single | None) -> Any:
    """A tree and all below it, to compare."""
    if node is None:
        return None
    if isinstance(node, Single):
        return node.text, node.data, node.at, node.style, node.shared
    around = node.kind, node.open, node.close, node.tail, node.data, node.column, node.inline, node.unclear
    return around, [
        (each.steps, each.lead, each.head, pieces(each.value), each.post, each.trail, each.key, each.sign)
        for each in node.entries
    ]


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
    by_lines = pieces(formats.writing_of("yaml").tree(document))
    document.regular = False
    assert by_lines == pieces(formats.writing_of("yaml").tree(document))
    document.regular = True
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
    documents = [yaml_lines.scan(text, True) for text in [*texts, *map(yaml_text, range(600))]]
    assert sum(same(document) for document in documents if document is not None) > 80


def test_both_find_the_same_in_what_is_decrypted(age_key: AgeKey) -> None:
    """Also without the layout record, as after sops has written the file."""
    creds, count = credentials(age_key), 0
    for text in [REGULAR, *map(yaml_text, range(400))]:
        if yaml_lines.scan(text, True) is None:
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


@pytest.mark.parametrize(("value", "word"), [("5", "5"), ("'  x'", '"  x"'), ("true", "true")])
def test_a_value_that_fits_no_block_scalar(value: str, word: str, age_key: AgeKey) -> None:
    """Its ciphertext may be in one; the line break at the end of that is not part of the value."""
    creds = credentials(age_key)
    text = f"a: {value}\n\nb: z\n"
    sealed = api.encrypt(text, rule(age_key), credentials=creds)
    sealed = re.sub(
        r"^a: ['\"]?(ENC.*\])['\"]?$",
        r"a: |-\n  \1",
        re.sub(r"\n +encconf_layout: .*", "", sealed),
        flags=re.M,
    )
    opened = opening.open_text(sealed, format="yaml", credentials=creds)
    moved = plaintext.moved_document(opened)
    assert moved is not None
    assert moved.text == f"a: {word}\n\nb: z\n"
    assert same(moved)
    done = changes.change(sealed, "yaml", (("a",), "new"), credentials=creds)
    assert api.decrypt(done, credentials=creds).split("\n") == [
        "a: " + ("new" if word[0] != '"' else '"new"'),
        "",
        "b: z",
        "",
    ]


# --- the events of a parser ----------------------------------------------------------------------


def shown(text: str, node: Node | None = None) -> object:
    """The text of each value; of a collection, the text up to the colon or dash, too."""
    node = node or compose(text)
    if node.kind == "leaf":
        return text[node.start : node.end]
    return {(item.key, text[item.begin : item.after]): shown(text, item) for item in node.items}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb : 'x'\n", {("a", "a:"): "1", ("b", "b :"): "'x'"}),
        ("a:\n- b\n-  - c\n", {("a", "a:"): {(0, "-"): "b", (1, "-"): {(0, "-"): "c"}}}),
        ("a: [b, {c: d}]\n", {("a", "a:"): {(0, ""): "b", (1, ""): {("c", "c:"): "d"}}}),
        ("a: &x 1\nb: !t y\nc: *x\n", {("a", "a:"): "&x 1", ("b", "b:"): "!t y", ("c", "c:"): "*x"}),
        ("a: |\n  x\n\nb: >-\n  y\n\n", {("a", "a:"): "|\n  x\n", ("b", "b:"): ">-\n  y\n"}),
        ("a:\nb: # c\n", {("a", "a:"): "", ("b", "b:"): ""}),
        ("- # c\n  a: 1\n-\n", {(0, "-"): {("a", "a:"): "1"}, (1, "-"): ""}),
        ("{a: 1, 'b': [2]}\n", {("a", "a:"): "1", ("b", "'b':"): {(0, ""): "2"}}),
        ("{? a # c\n : b, d}\n", {("a", "a"): "b", ("d", "d"): ""}),
        ("? a\n: b\n", {("a", "? a\n:"): "b"}),
        ("\ufeffa: 1\n", {("a", "a:"): "1"}),
        ("x: &k a\n*k : 2\n", {("x", "x:"): "&k a", ("a", "*k :"): "2"}),
    ],
)
def test_places(text: str, expected: object) -> None:
    assert shown(text) == expected


def test_values_behind_anchors_and_tags() -> None:
    text = "a: &x !t 'v'\nb: &y [1]\n"
    first, second = compose(text).items
    assert (text[first.value : first.end], first.style, first.shared) == ("'v'", "'", True)
    assert (text[second.value : second.end], second.flow, second.shared) == ("[1]", True, True)


def test_a_key_that_cannot_be_changed() -> None:
    assert compose("? a # c\n: 1\n").items[0].after == ODD


def test_a_flow_of_a_newer_yaml() -> None:
    assert shown("a: [http://h]\n") == {("a", "a:"): {(0, ""): "http://h"}}
    # Only the parser in C does not count a byte order mark.
    assert shown("\ufeffa: [http://h]\nb: |\n  x\n") == {
        ("a", "a:"): {(0, ""): "http://h"},
        ("b", "b:"): "|\n  x\n",
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_an_empty_document(text: str) -> None:
    node = compose(text + "---\n")
    assert (node.kind, node.items) == ("leaf", [])
