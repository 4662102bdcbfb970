"""Every value of awkward texts is replaced with a ciphertext, and the ciphertexts with other values.

PyYAML judges: it must read the ciphertexts and the values, each at its place, and nothing else may change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from formats.yaml_texts import TEXTS, Results, shown, trees_of

from encconf import formats
from encconf.formats.goyaml import stored
from encconf.formats.yaml_words import Properties
from encconf.text.document import Document, splice

yaml = formats.get("yaml")

ENC = "ENC[AES256_GCM,data:aB+/,iv:cD==,tag:eF==,type:str]"
BLOCKS = {
    "literals": """\
a: |
  x
b: |+
  x

c: |-
  x

  y
d: |4
      x
e: | # c
  x
f: |2-
   x
  y
g:
- |
  x

- - |+
    x
  - k: |
     x

    l: 1
h: &x |
  x
i: !!str |
  x
""",
    "folded": "a: >\n  x\n  y\n\n  z\nb: >+\n  x\n\n\nc: >2-\n   x\n\n   y\n  z\n"
    "d: >\n  x\n\n\n   y\n   z\n\n  w\n",
    "blank": "a: |+\n\n\nb: |+2\n\n \nc: >+\n\nd: 1\n",
    "blanks below": "a: |\n  x\n   \nb: |-\n  x\n \n\n# c\nc: >\n    x\n  \n  # d\n",
    "crlf": "a: |\r\n  x\r\n  y\r\n\r\nb: >\r\n  x\r\n  y\r\nc: |+\r\n  z\r\n\r\nd: 'x'\r\n",
    "blanks below words": "a: x\n  \nb: y\n      \nc: z\n    # d\ne: w\n  # f\ng: v\n\n\nh: u\n"
    "i:\n  - t\n   \n  - s\n\n    # j\n  - k: r\n\n      # l\n    m: q\n",
    "at the end": "a: 1\nb: |\n  x\n  ",
    "kept at the end": "a: 1\nb: |+\n  x\n\n",
    "tags": "a: !!int 5\nb: !!float &x 1.5 # c\nc: !<tag:yaml.org,2002:bool> true\nd: &y !!int '6'\n"
    "e: [!!int 7]\nf: !!str 8\ng: !!binary aGk=\nh: !!int # c\n  9\ni: !!null\n",
}  # fmt: skip
ALL = {**{name: text for name, text in TEXTS.items() if ":" in text}, **BLOCKS}
VALUES: list[Any] = [
    "w0rd", "two words", "a: b #c", "5", "", " lead", "x\n", "x\ny", "x\n\n", "\n", "\n\nx", "  x\n y\n",
    "x\n\n y\n\nz\n", "\tx\ny\n", "x \n", "it's\n", "caf\u00e9\u2028", "a\r\nb\n", "[x]", "- x", "#",
    "---\nx\n", 5, -2.5, True, 10**6,
]  # fmt: skip


def leaves(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [leaf for item in node.values() for leaf in leaves(item)]
    return [leaf for item in node for leaf in leaves(item)] if isinstance(node, list) else [node]


def outline(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: outline(item) for key, item in node.items()}
    return [outline(item) for item in node] if isinstance(node, list) else None


def sealed(text: str, was_plain: bool = False) -> tuple[Document, Document]:
    """A text that is prepared for sops, and the same text with ciphertexts."""
    document = yaml.scan(text)
    chosen = bytearray(leaf.data not in (None, b"") for leaf in document.leaves)
    prepared = yaml.prepare(document, chosen)
    if prepared is not None:
        assert trees_of(prepared.text) == trees_of(text)
        document = yaml.scan(prepared.text)
    edits = [
        yaml.sealed(document, leaf, ENC, was_plain=was_plain)
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen
    ]
    return document, yaml.scan(splice(document.text, edits))


def opened(document: Document, values: Iterable[Any]) -> str:
    """A text with a value for each ciphertext."""
    edits = []
    for leaf, value in zip(document.leaves, values, strict=True):
        if leaf.data not in (None, b""):
            edits.append(yaml.literal(document, leaf, *stored(value)))
    return splice(document.text, edits)


@pytest.mark.parametrize("was_plain", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_ciphertexts_and_other_values(name: str, was_plain: bool) -> None:
    text = ALL[name]
    plain, document = sealed(text, was_plain)
    trees, values = trees_of(document.text), leaves(trees_of(text))
    assert outline(trees) == outline(trees_of(text))
    assert leaves(trees) == [value if value in (None, "") else ENC for value in values]
    assert document.outline == plain.outline
    strings = [isinstance(leaf.note, Properties) and leaf.note.tag == "!!str" for leaf in document.leaves]
    for shift in range(len(VALUES)):
        turn = itertools.islice(itertools.cycle(VALUES), shift, None)
        wanted = [
            value if value in (None, "") else str(new) if is_string else new
            for value, is_string, new in zip(values, strings, turn, strict=False)
        ]
        after = trees_of(opened(document, wanted))
        assert leaves(after) == wanted, opened(document, wanted)
        assert outline(after) == outline(trees)


@pytest.mark.parametrize("name", ALL)
def test_a_ciphertext_that_was_plain_becomes_plain_again(name: str) -> None:
    """So no other line changes."""
    _, document = sealed(ALL[name])
    plain = [not leaf.style and leaf.note is None and leaf.data == ENC.encode() for leaf in document.leaves]
    for value in VALUES:
        if isinstance(value, str):
            edits = itertools.compress(
                (yaml.literal(document, leaf, *stored(value)) for leaf in document.leaves), plain
            )
            after = yaml.scan(splice(document.text, edits))
            edits = itertools.compress(
                (yaml.sealed(after, leaf, ENC, was_plain=True) for leaf in after.leaves), plain
            )
            assert splice(after.text, edits) == document.text


@pytest.mark.parametrize(
    "header", ["|", "|+", "|-", "|2", "|2+", "|-2", ">", ">+", ">-", ">2", "| # c", "|- # c"]
)
@pytest.mark.parametrize("below", ["", "b: 1\n", "\nb: 1\n", "# c\nb: 1\n", "  # c\n"])
def test_ciphertexts_in_blocks_of_any_header(header: str, below: str) -> None:
    """Also as earlier versions wrote them.  A comment in the header stays."""
    text = f"a: {header}\n  {ENC}\n{below}"
    document = yaml.scan(text)
    for value in VALUES:
        after = splice(text, [yaml.literal(document, document.leaves[0], *stored(value))])
        assert trees_of(after) == [{**trees_of(text)[0], "a": value}], (value, after)
        if isinstance(value, str) and "#" in header and after.startswith("a: |"):
            assert after.partition("\n")[0].endswith(" # c")


def results(text: str) -> Iterator[str]:
    """What changes with the ciphertexts, and what then with the same values and with others."""
    plain, document = sealed(text)
    values = [leaf.data for leaf in plain.leaves]
    yield from shown("prepared", text, plain.text)
    yield from shown("sealed", plain.text, document.text.replace(ENC, "ENC"))
    again = sealed(text, was_plain=True)[1].text.replace(ENC, "ENC")
    yield from shown("sealed, plain before", document.text.replace(ENC, "ENC"), again)
    edits = [
        yaml.literal(document, leaf, old.type, old.data)
        for leaf, old in zip(document.leaves, plain.leaves, strict=True)
        if leaf.data not in (None, b"")
    ]
    yield from shown("the same values", plain.text, splice(document.text, edits))
    strings = itertools.cycle(value for value in VALUES if isinstance(value, str))
    yield from shown("others", plain.text, opened(document, itertools.islice(strings, len(values))))


RESULTS = Results("yaml_sealed.txt", ALL, results)


@pytest.mark.parametrize("name", ALL)
def test_what_changes(name: str) -> None:
    assert RESULTS.now(name) == RESULTS.then(name)


if __name__ == "__main__":
    RESULTS.write()
