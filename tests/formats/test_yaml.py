"""YAML through events: the same document from both parsers, and spellings that mean what they should."""

from __future__ import annotations

import pytest
from formats.test_lines import facts
from generate import yaml_text
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import FIXTURES

from encconf.errors import EmptyDocumentError, EncconfError, LimitError, ParseError
from encconf.formats import goyaml, yaml
from encconf.formats.yaml_events import TooNewError, read
from encconf.formats.yaml_text import Properties
from encconf.text.document import splice

HARD = sorted((FIXTURES / "hard" / "kept").glob("*.yaml"))


def both(text: str) -> None:
    """The pure parser gives what libyaml gives, wherever both take the text."""
    try:
        fast = read(text, True, pure=False)
        slow = read(text, True, pure=True)
    except (EncconfError, TooNewError):
        return
    for document in (fast, slow):
        for part in document.parts:
            part.start = 0  # before a directive, or after it
        for leaf in document.leaves:
            if leaf.type == "null" and leaf.start == leaf.end:
                leaf.start = leaf.end = 0  # nothing stands there: where, the parsers see differently
            note = leaf.note
            if isinstance(note, Properties):
                leaf.note = (note.start, note.tag, note.tag_start, note.tag_end)
            elif note is not None:
                leaf.note = type(note).__name__
    assert facts(fast) == facts(slow)


@pytest.mark.parametrize("seed", range(120))
def test_without_the_c_parser(seed: int) -> None:
    both(yaml_text(seed))


@pytest.mark.parametrize("path", HARD, ids=lambda path: path.stem)
def test_without_the_c_parser_hard(path: object) -> None:
    assert hasattr(path, "read_bytes")
    both(path.read_bytes().decode())


def test_byte_order_mark() -> None:
    text = "\ufeffa: 1 # c\nb: x\n"
    both(text)
    for pure in (False, True):
        document = read(text, True, pure=pure)
        assert [text[leaf.start : leaf.end] for leaf in document.leaves] == ["1", "x"]
        assert [text[comment.start : comment.end] for comment in document.comments] == [" c"]


def test_a_colon_inside_a_flow_scalar() -> None:
    """libyaml 0.1.7 refuses it, sops takes it."""
    document = yaml.scan("a: [http://host:80/x, b:c]\n")
    assert [leaf.data for leaf in document.leaves] == [b"http://host:80/x", b"b:c"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\na: 2\n", 2, 1),
        ("a: 1\n1: 2\n", 2, 1),
        ("a: 1\nb: [\n", 3, 1),
        ("- a\n", 1, 1),
        ("a: *x\n", 1, 4),
        ("a: 18446744073709551615\n", 1, 4),
        ("a: !!int x\n", 1, 10),
    ],
)
def test_errors_say_where(text: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        yaml.scan(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_errors_do_not_quote_values() -> None:
    for text in (
        "a: 'topsecret\n",
        "a: {topsecret\n",
        "topsecret: !!int topsecret\n",
        "a: @topsecret\n",
        "a: *topsecret\n",
    ):
        with pytest.raises(EncconfError) as caught:
            yaml.scan(text)
        assert "topsecret" not in f"{caught.value} {caught.value.hint}"


def test_no_document() -> None:
    for text in ("", "# c\n", "\n\n"):
        with pytest.raises(EmptyDocumentError):
            yaml.scan(text)


def test_depth_and_aliases_are_limited() -> None:
    with pytest.raises(LimitError):
        yaml.scan("a: " + "[" * 5000)
    with pytest.raises(LimitError):
        yaml.scan("a: &a [" + "x, " * 1000 + "]\nb: [" + "*a, " * 1000 + "]\n")
    with pytest.raises(LimitError):
        yaml.scan("\n".join(f"{'k' * 1000}{n}:\n  - a: {{b: 1}}" for n in range(1)) + "\n" + deep_keys())


def deep_keys() -> str:
    """One path of long keys with many collections at its end: its length counts for each of them."""
    lines = [" " * depth + "k" * 1000 + ":" for depth in range(150)]
    lines += [" " * 150 + f"m{n}: {{}}" for n in range(1000)]
    return "\n".join(lines) + "\n"


@given(st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_spelled_strings_mean_themselves(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    for word in (yaml.plain(value), yaml.plain(value, flow=True), yaml.double(value)):
        in_flow = word if word != yaml.plain(value) or word[:1] in "'\"" else None
        for text in [f"a: {word}\n", *([f"a: [{in_flow}]\n"] if in_flow else [])]:
            leaf = yaml.scan(text).leaves[0]
            assert (leaf.type, leaf.data) == ("str", value.encode())


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans()))
@settings(max_examples=400, deadline=None)
def test_spelled_numbers_keep_their_type(value: float) -> None:
    if isinstance(value, bool):
        type, data = "bool", b"True" if value else b"False"
    elif isinstance(value, int):
        type, data = "int", b"%d" % value
    else:
        type, data = "float", goyaml.format_float(value)
    leaf = yaml.scan(f"a: {yaml.scalar(type, data)}\n").leaves[0]
    assert (leaf.type, leaf.data) == (type, data)


BLOCK = {
    "age": [{"enc": "-----BEGIN AGE-----\nabc\n-----END AGE-----\n", "recipient": "age1x"}],
    "lastmodified": "2026-01-01T00:00:00Z",
    "mac": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
    "shamir_threshold": 2,
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.3",
}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "a: 1\n# c\n",
        "a:\n  b: |\n    x\n\n\n",
        "  a: 1\n  b: 2\n",
        "---\na: 1\n...\n",
        "a: 1\n---\nb: 2\n---\n",
        "{a: 1}\n",
        "{}\n",
        '{"a": [1, 2],}\n',
        "{ }",
        "{a: s3cret,\n# c\n}\n",
        "{a: 1 # c\n}\n",
        "{a: 1, # c\n}\n",
        "{ # c\n}\n",
        "{a: [], # c\n  b: {} # d\n  # e\n}\n",
        "{a: &x {}, b: *x # c\n}\n",
        "{a: 1\n# x\n}\n---\nb: 2\n",
        "a: 1\r\nb: 2\r\n",
        "\ufeffa: 1\n",
        "---\n",
    ],
)
def test_attach_and_detach(text: str) -> None:
    block_text = yaml.render_block(BLOCK)
    attached = splice(text, yaml.attach(yaml.scan(text), block_text))
    document = yaml.scan(attached)
    assert document.block == BLOCK
    assert splice(attached, yaml.detach(document)) == text
    again = splice(attached, yaml.attach(document, block_text))
    assert again == attached


def test_amend_keeps_every_other_byte() -> None:
    for block_text in (yaml.render_block(BLOCK), '"sops": {"age": [], "mac": "x", "version": "3.7.1"}'):
        changed = yaml.amend(block_text, {"mac": "ENC[new]", "encconf_layout": "ENC[l]"})
        assert "ENC[new]" in changed
        assert yaml.amend(changed, {"encconf_layout": None}).count("\n") == block_text.count("\n")
        back = yaml.amend(
            changed, {"mac": str(BLOCK["mac"]) if "\n" in block_text else "x", "encconf_layout": None}
        )
        assert back == block_text


@pytest.mark.parametrize(
    "block",
    [
        "sops:\n    mac: x\n    pgp: []\n",
        "sops:\n    pgp: []\n    mac: x\n    # tail\n",
        "sops:\n    age:\n        - enc: |\n            a\n            b\n    # tail\n    # more\n",
        "sops: {mac: x, pgp: []}\n",
        "sops:\n    mac: [x]\n",
        "sops:\n  version: 3.7.1 # why\n  # tail",
        "sops:\n",
    ],
)
@pytest.mark.parametrize("rest", ["", "# of the file\n", "z: 1\n"])
def test_a_block_goes_whole(block: str, rest: str) -> None:
    if rest and not block.endswith("\n"):
        return
    text = "a: 1\n" + block + rest
    for document in (yaml.scan(text), read(text, False, pure=False), read(text, False, pure=True)):
        assert splice(text, yaml.detach(document)) == "a: 1\n" + rest


@pytest.mark.parametrize(
    ("text", "tag", "word"),
    [
        ("d: !x,y |\n  q\n", "!x,y", "|\n  q\n"),
        ("d: !!s]x q\n", "!!s]x", "q"),
        ("d: &a !x,y 'q'\n", "!x,y", "'q'"),
        ('d: &a !x[ "q"\n', "!x[", '"q"'),
        ("d: !<tag:x,y> q\n", "!<tag:x,y>", "q"),
        ("d: [!x, q]\n", "!x,", "q"),
        ("d: [!x ]\n", "!x", ""),
        ("d: !x # c\n  q\n", "!x", "q"),
    ],
)
def test_a_tag_ends_at_a_blank(text: str, tag: str, word: str) -> None:
    """As in sops, which takes all of these."""
    both(text)
    leaf = read(text, False, pure=False).leaves[0]
    assert isinstance(leaf.note, Properties)
    assert (leaf.note.tag, text[leaf.start : leaf.end]) == (tag, word)


@pytest.mark.parametrize(
    ("text", "tag", "word"),
    [
        ("d: !t &a value\ne: *a\n", "!t", "value"),
        ('d: !t &a "v"\n', "!t", '"v"'),
        ("d: !!str  &a |\n  x\n", "!!str", "|\n  x\n"),
        ("d: [!t &a v]\n", "!t", "v"),
        ("d: ['a!b',!e!t &a v]\n", "!e!t", "v"),
        ("d:\n  - !t &a 'v'\n", "!t", "'v'"),
    ],
)
def test_a_tag_in_front_of_an_anchor(text: str, tag: str, word: str) -> None:
    """The parser in Python starts such a value at the anchor."""
    text = ("%TAG !e! tag:e,2000:\n---\n" if "!e!" in text else "") + text
    both(text)
    leaf = next(leaf for leaf in read(text, False, pure=True).leaves if text[leaf.start : leaf.end] == word)
    assert isinstance(leaf.note, Properties)
    assert (leaf.note.tag, text[leaf.note.start :][: len(tag)]) == (tag, tag)


def test_sealing_behind_an_odd_tag() -> None:
    for text in ("d: !x,y |\n  q\n", "d: !!s]x q\n", "d: [!x, q]\n"):
        document = yaml.scan(text)
        enc = splice(text, [yaml.sealed(document, document.leaves[0], "ENC[x]")])
        sealed = yaml.scan(enc)
        assert sealed.leaves[0].data in (b"ENC[x]", b"ENC[x]\n")
        assert document.leaves[0].data is not None
        back = yaml.literal(sealed, sealed.leaves[0], "str", document.leaves[0].data)
        assert yaml.scan(splice(enc, [back])).leaves[0].data == document.leaves[0].data


def test_an_alias_and_its_anchor_on_both_sides_of_the_block() -> None:
    text = "x: 1\nsops:\n  age: &a [{enc: y}]\n  pgp: *b\nz: *a\n".replace("x: 1", "x: &b [w, v]")
    document = yaml.scan(text)
    assert document.block == {"age": [{"enc": "y"}], "pgp": ["w", "v"]}
    assert [(leaf.path, leaf.data) for leaf in document.leaves] == [
        (("x", 0), b"w"),
        (("x", 1), b"v"),
        (("z", 0, "enc"), b"y"),
    ]


def test_merges_of_aliases_stand_in_order() -> None:
    text = "a: &a {x: 1}\nb: &b\n  <<: *a\n  c: &c {<<: *a, y: 2}\nd: *b\ne: {<<: *c, z: 3}\n"
    tree = yaml.load_plain(text)[0]
    assert tree["d"] == tree["b"] == {"x": 1, "c": {"x": 1, "y": 2}}
    assert tree["e"] == {"x": 1, "y": 2, "z": 3}
    paths = [scope.path for scope in yaml.scan(text).merges]
    assert paths == [("b",), ("b", "c"), ("d",), ("d", "c"), ("e",), ("e", "<<")]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{\n\t"a": 1,\n\t"sops": {"mac": "x"}\n}\n', '{\n\t"a": 1\n}\n'),
        ('{\n\t"sops": {"mac": "x"},\n\t"a": 1\n}\n', '{\n\t"a": 1\n}\n'),
        ('{\n\t"a": {},\n\t"sops": {\n\t\t"mac": "x"\n\t},\n}\n', '{\n\t"a": {},\n}\n'),
        ("{a: 1, sops: {mac: x}, b: 2}\n", "{a: 1, b: 2}\n"),
        ('{"a": "x, #y",\n  "sops": {"mac": "x"}\n}', '{"a": "x, #y"\n}'),
        ("{a: 1, # c,\n  sops: {mac: x}\n}\n", "{a: 1, # c,\n  \n}\n"),
        ('{\n\t"sops": {"mac": "x"}\n}\n', "{\n\t\n}\n"),
    ],
)
def test_a3_a_block_in_braces_goes_with_its_comma_and_line(text: str, left: str) -> None:
    document = yaml.scan(text)
    assert splice(text, yaml.detach(document)) == left
    assert yaml.scan(left).trees == document.trees
