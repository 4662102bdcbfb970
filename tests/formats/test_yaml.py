"""YAML through events: the same document from both parsers, and spellings that mean what they should."""

from __future__ import annotations

from typing import Any

import pytest
import yaml as pyyaml
from engine import values
from formats.of_sops import SopsFormatContract

from encconf import formats
from encconf.errors import DecryptError, EmitError, EmptyDocumentError, LimitError
from encconf.testing.contracts.format import SECRET
from encconf.text.document import Value, splice

yaml = formats.get("yaml")


def test_no_document() -> None:
    for text in ("", "# c\n", "\n\n"):
        with pytest.raises(EmptyDocumentError):
            yaml.scan(text)


def test_merges_of_aliases_stand_in_order() -> None:
    text = "a: &a {x: 1}\nb: &b\n  <<: *a\n  c: &c {<<: *a, y: 2}\nd: *b\ne: {<<: *c, z: 3}\n"
    tree = formats.get("yaml").load_plain(text)[0]
    assert tree["d"] == tree["b"] == {"x": 1, "c": {"x": 1, "y": 2}}
    assert tree["e"] == {"x": 1, "y": 2, "z": 3}
    paths = [scope.path for scope in yaml.scan(text).merges]
    assert paths == [("b",), ("b", "c"), ("d",), ("d", "c"), ("e",), ("e", "<<")]


class TestYaml(SopsFormatContract):
    name = "yaml"
    suffixes = (
        ".yaml",
        ".yml",
    )
    path = ("db", "password")
    texts = (
        f"# top\ndb:\n  host: h # inline\n  password: {SECRET}\nlist: [1, 'x', {{a: ~}}]\n\nempty: ''\n",
        f"---\ndb: {{host: h, password: '{SECRET}'}}\n...\n",
        f"db:\n    password: {SECRET}\nother:\n- &x 0x1F\n- |\n  a\n   b\nagain: *x\n",
    )
    broken = (
        f"a: {SECRET}\n b: [\n",
        f"- {SECRET}\n",
        f"a: {SECRET}\na: 1\n",
        f"'{SECRET}: 1\n",
    )

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        return values(trees)


def test_a_plaintext_may_have_a_sops_entry_in_any_document() -> None:
    text = "a: 1\n---\nb: 2\nsops: {x: [y]}\n"
    assert formats.get("yaml").load_plain(text) == [{"a": 1}, {"b": 2, "sops": {"x": ["y"]}}]


MERGES = [
    "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3, z: 4}\n",
    "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc:\n  y: 5\n  <<: [*a, *b]\n  z: 4\n",
    "a: &a {x: 1}\nb: &b\n  <<: *a\n  y: 2\nc:\n  <<: *b\n",
    "a: {b: &b {x: {y: 1}}}\nc:\n- <<: *b\n- <<: {z: 1}\n",
    "a: 1\n---\nb: &b {x: 1}\nc: {<<: *b}\n",
]


@pytest.mark.parametrize("text", MERGES)
def test_merge_keys_are_applied_as_in_pyyaml(text: str) -> None:
    assert yaml.load_plain(text) == list(pyyaml.safe_load_all(text))


def test_merged_keys_take_the_place_of_the_merge_key() -> None:
    text = "a: &a {x: 1, y: 2, z: 3}\nb: {o: 1, <<: *a, y: 3, p: 4}\nc: {<<: x}\nd: {<<: [1]}\n"
    text += "e: {'<<': *a}\nf: {<<: [*a, 2]}\n"
    tree = yaml.load_plain(text)[0]
    assert list(tree["b"].items()) == [("o", 1), ("x", 1), ("z", 3), ("y", 3), ("p", 4)]
    assert tree["c"] == {"<<": "x"}, "an ordinary key"
    assert tree["d"] == {"<<": [1]}
    assert tree["f"] == {"<<": [tree["a"], 2]}
    assert tree["e"] == {"<<": {"x": 1, "y": 2, "z": 3}}


def test_a_merge_key_that_is_there_twice() -> None:
    """sops accepts a key that is in a later document twice, and takes its last value."""
    text = "a: 1\nsops: {mac: x}\n---\nb: {<<: {x: 1}, <<: {y: 2}, z: 3}\n"
    assert yaml.load_plain(text)[1] == {"b": {"y": 2, "z": 3}}


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("a: x # c\nb: 'y'\n", ["x", "'y'"]),
        ("a: &x !t y\nb: !t\n", ["&x !t y", "!t"]),
        ("a: |\n  x\n\n\nb: |+\n  y\n\nc: >- # c\n  z\n", ["|\n  x\n", "|+\n  y\n\n", ">- # c\n  z\n"]),
        ("a: &x |\n  x\n\n", ["&x |\n  x\n"]),
        ("a: !!null |\n\n\nb: 1\n", ["!!null |\n", "1"]),
        ("a: !!null |2-\n  ~\n\n", ["!!null |2-\n  ~\n"]),
        ("a: !!null >-\n  ~\n\n", ["!!null >-\n  ~\n"]),
        (
            "a: |2\n   x\n  \n    \nb: |3-\n    \n    x\n     \n   \n",
            ["|2\n   x\n  \n    \n", "|3-\n    \n    x\n     \n"],
        ),
        ("a: >\n  x\n   \n  \n", [">\n  x\n   \n"]),
        ("a: |2\n    \nb: 1\n", ["|2\n    \n", "1"]),
        ("a: |\n  x\n\n\n", ["|\n  x\n"]),
        ("a: |\n  x", ["|\n  x"]),
        ("a: &x [y]\nb: *x\nc: &z w\nd: *z\n", ["y", "*x", "&z w", "*z"]),
    ],
)
def test_regions(text: str, regions: list[str]) -> None:
    document = yaml.scan(text)
    assert [text[slice(*yaml.region(document, leaf))] for leaf in document.leaves] == regions


def test_which_keys_are_merged() -> None:
    text = "".join(MERGES[2]) + "d: {<<: [*a, {q: 1}]}\ne: {f: 1}\n---\n" + MERGES[0]
    assert yaml.inherited(yaml.scan(text)) == {
        ("b",): {"x"}, ("c",): {"x", "y", "<<"}, ("c", "<<"): {"x"}, ("d",): {"x", "q"},
    }  # fmt: skip
    assert yaml.inherited(yaml.scan("a: 1\n")) == {}


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        (" a", " a"),
        (" a\n b", " a\n#  b"),
        (" a\n#b\n", " a\n#b\n# "),
        (" a\tb\u00e9\u200b", " a\tb\u00e9\u200b"),
        *((f" a{sign}b: 1", None) for sign in "\r\x85\u2028\u2029\x00\x08\x0b\x0c\x0e\x1f\x7f"),
    ],
)
def test_the_text_of_a_comment(plain: str, text: str | None) -> None:
    assert yaml.comment_text(plain) == text


@pytest.mark.parametrize(
    ("text", "at", "alone", "data", "after"),
    [
        ("l:\n- ENC[x]\n- a\n", 0, False, b" c", "l:\n# c\n- a\n"),
        ("l:\n    - ENC[x]\n    - a\n", 0, False, b" - c", "l:\n    # - c\n    - a\n"),
        ("l:\n- ENC[x]\n", 0, True, b" c", "l:\n[] # c\n"),
        ("l:\n- ENC[x]\n- ENC[y]\n", 1, True, b" d", "l:\n- ENC[x]\n# d\n"),
        ("l:\n-   'ENC[x]'\n- a\n", 0, False, b" ", "l:\n#\n- a\n"),
        ("l:\n- - ENC[x]\n  - a\n", 0, False, b"\xff", "l:\n- #\ufffd\n  - a\n"),
    ],
)
def test_a_comment_that_sops_stored_as_an_item(
    text: str, at: int, alone: bool, data: bytes, after: str
) -> None:
    document = yaml.scan(text)
    assert splice(text, [yaml.comment(document, document.leaves[at], data, alone=alone)]) == after


@pytest.mark.parametrize("text", ["a-b: x\n", "l: [a-b, x]\n", "a: '-'\nb: x\n"])
def test_a_comment_that_is_no_item(text: str) -> None:
    document = yaml.scan(text)
    with pytest.raises(DecryptError, match="only a value can be"):
        yaml.comment(document, document.leaves[-1], b" c", alone=False)


def test_what_is_movable() -> None:
    movable = ["a: 1\n", "a: {b: 1}\n", "a: |\n  x\n"]
    not_movable = ["a: &x 1\n", "a: !t 1\n", "a: &x 1\nb: *x\n", "a: &x\n  b: 1\n"]
    assert [yaml.movable(yaml.scan(text)) for text in movable] == [True] * 3
    assert [yaml.movable(yaml.scan(text)) for text in not_movable] == [False] * 4


def leaf(value: str) -> Value:
    return Value("str", value.encode())


def test_values_with_lines_as_sops_writes_them() -> None:
    """The first line of a value that begins with a blank or a line break needs an indentation indicator."""
    tree = {
        "a": leaf("x\ny"),
        "l": [leaf("x\n"), {"k": leaf("\nx\n\n"), "m": [leaf(" x\ny")]}],
        "e": leaf("x \ny"),
    }
    text = yaml.render([tree, {}], 2)
    assert text == (
        "a: |-\n  x\n  y\nl:\n  - |\n    x\n  - k: |2+\n\n      x\n\n    m:\n      - |2-\n         x\n"
        '        y\ne: "x \\ny"\n---\n{}\n'
    )
    plain = {"a": "x\ny", "l": ["x\n", {"k": "\nx\n\n", "m": [" x\ny"]}], "e": "x \ny"}
    assert list(pyyaml.safe_load_all(text)) == [plain, {}]
    for indent in (None, 3, 4, 9, 10):
        assert list(pyyaml.safe_load_all(yaml.render([tree], indent))) == [plain]
    assert yaml.render([{"a": leaf("\nx")}], 9) == f"a: |9-\n\n{9 * ' '}x\n"
    assert yaml.render([{"a": leaf("x\ny")}], 10) == 'a: "x\\ny"\n'
    assert yaml.render([{"a": {"b": leaf("c")}}], None) == "a:\n    b: c\n"
    assert yaml.render_value([leaf("a"), [leaf("b\nc")]], None) == "- a\n- - |-\n    b\n    c\n"
    assert yaml.render_value([{"k": {"l": leaf("a")}}], 2) == "- k:\n    l: a\n"
    assert yaml.render([{"a": {}, "b": [], "l": [leaf("x\ny")]}], None) == (
        "a: {}\nb: []\nl:\n    - |-\n      x\n      y\n"
    )
    assert yaml.render_value([], None) == "[]\n"
    assert yaml.render_value(leaf("a: b"), None) == "'a: b'\n"
    assert yaml.render_value(leaf("a\nb"), None) == "|-\n    a\n    b\n"
    assert yaml.render_value(leaf("\na"), None) == "|4-\n\n    a\n"
    yaml.check_indent(0)
    with pytest.raises(EmitError):
        yaml.check_indent(-1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value("null", None), "null"),
        (Value("bool", b"True"), "true"),
        (Value("int", b"-5"), "-5"),
        (Value("float", b"1.5"), "1.5"),
        (Value("float", b"+Inf"), ".inf"),
        (Value("float", b"-Inf"), "-.inf"),
        (Value("float", b"NaN"), ".nan"),
        (Value("float", b"1000000000000000000000"), "1e+21"),
        (Value("str", b"\xff\xfe"), "!!binary //4="),
        (leaf("y"), '"y"'),
        (leaf("Off"), '"Off"'),
        (leaf("<<"), '"<<"'),
        (leaf(""), '""'),
        (leaf("1:30"), '"1:30"'),
        (leaf("1:60:30"), "1:60:30"),
        (leaf("5"), '"5"'),
        (leaf("\u043a\u043b"), "\u043a\u043b"),
        (leaf("\U00020000"), '"\\U00020000"'),
        (leaf("x \U0001f600"), '"x \\U0001F600"'),
        (leaf("a\tb"), '"a\\tb"'),
        (leaf('a\x7f"\\'), '"a\\x7F\\"\\\\"'),
        (leaf("\u00e9\u2028"), '"\u00e9\\L"'),
        (leaf("\xa0\t"), '"\xa0\\t"'),
        (leaf("\n\tx\n"), '"\\n\\tx\\n"'),
        (leaf("a\x07\nb"), '"a\\a\\nb"'),
        (leaf("\u00e9"), "\u00e9"),
        (leaf("\u00e9 b"), "\u00e9 b"),
        (leaf("a: b"), "'a: b'"),
        (leaf("a:"), "'a:'"),
        (leaf("a #b"), "'a #b'"),
        (leaf("a#b:c"), "a#b:c"),
        (leaf(" a"), "' a'"),
        (leaf("---a"), "'---a'"),
        (leaf("-"), "'-'"),
        (leaf("- a"), "'- a'"),
        (leaf("-a"), "-a"),
        (leaf("?a"), "?a"),
        (leaf(":a"), ":a"),
        (leaf("? a"), "'? a'"),
        (leaf("it's, [x]"), "it's, [x]"),
        (leaf("'x"), "'''x'"),
        (leaf("%x"), "'%x'"),
    ],
)
def test_single_values_as_sops_writes_them(value: Value, text: str) -> None:
    assert yaml.render_value(value, None) == f"{text}\n"
    if value.type == "str" and "!!" not in text:
        assert pyyaml.safe_load(text) == (value.data or b"").decode()


def test_too_many_values_and_lines() -> None:
    with pytest.raises(LimitError, match="values and collections"):
        yaml.scan("a:\n" + "- x\n" * 107_000)
    with pytest.raises(LimitError, match="lines"):
        yaml.scan("a: 1\n" + "#\n" * 200_000)
    with pytest.raises(LimitError):
        yaml.scan("a: &a [" + "x," * 30_000 + "]\nb: [*a, *a]\n")
