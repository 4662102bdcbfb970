"""How JSON spells: numbers and strings, a plaintext in its place, and a list item taken out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from formats.json_texts import detach, documents
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey, Sops

from encconf import formats
from encconf.errors import EmitError, ParseError
from encconf.text.document import OMITTED, Leaf, Value, splice

format = formats.get("json")

ENC = "ENC[AES256_GCM,data:{},iv:aXY=,tag:dGFn,type:{}]"


def one(value: str) -> Leaf:
    """The leaf that a value's text makes."""
    (leaf,) = format.scan('{"k": ' + value + "}").leaves
    return leaf


@pytest.mark.parametrize(
    ("type", "data", "expected"),
    [
        ("str", b"", '""'),
        ("str", b"plain <&> 'x' / \x7f", "\"plain <&> 'x' / \x7f\""),
        ("str", 'é😀"\\'.encode(), '"é😀\\"\\\\"'),
        ("str", b"\b\f\n\r\t\x00\x1f", '"\\b\\f\\n\\r\\t\\u0000\\u001f"'),
        ("str", "\u2028\u2029".encode(), '"\\u2028\\u2029"'),
        ("str", b"1", '"1"'),
        ("time", b"2001-12-14T00:00:00Z", '"2001-12-14T00:00:00Z"'),
        ("int", b"-5", "-5"),
        ("int", b"+5", "5"),
        ("int", b"007", "7"),
        ("float", b"1", "1.0"),
        ("float", b"1.5", "1.5"),
        ("float", b"1000000000000000000000", "1e+21"),
        ("float", b"-12500000000000000000000000", "-1.25e+25"),
        ("float", b"100000000000000000000", "100000000000000000000.0"),
        ("float", b"0.000001", "0.000001"),
        ("float", b"0.00000012", "1.2e-7"),
        ("float", b"0", "0.0"),
        ("float", b"-0", "-0.0"),
        ("float", b".5", "0.5"),
        ("bool", b"True", "true"),
        ("bool", b"False", "false"),
        ("bool", b"true", "true"),
    ],
)
def test_literals(type: str, data: bytes, expected: str) -> None:
    document = format.scan('{"k": "ENC"}')
    assert format.literal(document, document.leaves[0], type, data) == (6, 11, expected)
    found = one(expected)
    if type != "time":
        assert found.data == (data if data not in (b"+5", b"007", b".5", b"true") else found.data)


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("float", b"+Inf"), ("float", b"-Inf"), ("float", b"NaN"), ("float", b"1e400"), ("float", b"1" * 400),
        ("float", b"secret"), ("int", b"1.5x"),
    ],
)  # fmt: skip
def test_what_json_cannot_hold(type: str, data: bytes) -> None:
    document = format.scan('{"k": "ENC"}')
    with pytest.raises(EmitError) as caught:
        format.literal(document, document.leaves[0], type, data)
    assert "Inf" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("C", "[]"), (" C ", "[]"), ("C,C", "[]"), ("C, C, C", "[]"), ("1,C", "[1]"), ("1, C ,C", "[1]"),
        ("C, 1", "[1]"),
        ("C,C,1", "[1]"), ("C, 1, C", "[1]"), ("1, C, 2", "[1, 2]"), ("C,1,C,C,2,C", "[1,2]"), ("[], C",
        "[[]]"),
        ("[C], C, [1, C]", "[[], [1]]"), ("{},C,C", "[{}]"), ('["x"],C', '[["x"]]'),
    ],
)  # fmt: skip
def test_comment_items_of_lists_go(items: str, expected: str) -> None:
    text = '{"k": [' + items.replace("C", f'"{ENC.format("YQ==", "comment")}"') + "]}"
    document = format.scan(text)
    comments = [leaf for leaf in document.leaves if leaf.data and b"type:comment" in leaf.data]
    assert len(comments) == items.count("C")
    plain = splice(text, [format.comment(document, leaf, leaf.data or b"", alone=False) for leaf in comments])
    assert json.loads(plain) == {"k": json.loads(expected)}
    assert plain.replace("[ ", "[").replace(" ]", "]") == f'{{"k": {expected}}}'


@settings(max_examples=40)
@given(
    number=st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda number: number or str(number) == "0.0"
    )
)
def test_spells_numbers_as_sops(number: float, sops: Sops, age_key: AgeKey) -> None:
    encrypted = sops.encrypt(f'{{"k": {number!r}}}', "json", age=age_key.recipient)
    document = format.scan(encrypted)
    (leaf,) = document.leaves
    assert leaf.data is not None
    data = one(repr(number)).data
    assert data is not None
    plain = splice(encrypted, [format.literal(document, leaf, "float", data), *format.detach(document)])
    # Releases that store integers as such print a float without a fraction as one; ours stays a float.
    assert plain.replace(".0\n", "\n") == sops.decrypt(encrypted, "json")


# --- the sops block ------------------------------------------------------------------------------

BLOCK: dict[str, object] = {
    "mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",
    "lastmodified": "2026-01-02T03:04:05Z",
    "age": [{"recipient": "age1x", "enc": "-----BEGIN-----\nYQ==\n"}],
    "version": "3.13.3",
    "shamir_threshold": 2,
    "kms": [],
}


def attach(text: str, block_text: str) -> str:
    return splice(text, format.attach(format.scan(text), block_text))


def test_render_as_sops_does() -> None:
    assert format.render_block(BLOCK) == (
        '"sops": {\n'
        '\t"age": [\n'
        "\t\t{\n"
        '\t\t\t"enc": "-----BEGIN-----\\nYQ==\\n",\n'
        '\t\t\t"recipient": "age1x"\n'
        "\t\t}\n"
        "\t],\n"
        '\t"kms": [],\n'
        '\t"lastmodified": "2026-01-02T03:04:05Z",\n'
        '\t"mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",\n'
        '\t"shamir_threshold": 2,\n'
        '\t"version": "3.13.3"\n'
        "}"
    )


_BLOCKS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False,
    allow_infinity=False),
              st.text(st.characters(codec="utf-8"))),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
    st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), _BLOCKS, max_size=5), documents())
def test_blocks_come_back(block: dict[str, object], text: str) -> None:
    assert format.scan(attach(text, format.render_block(block))).block == block


@given(documents())
def test_attach_and_detach(text: str) -> None:
    whole = attach(text, format.render_block(BLOCK))
    assert json.loads(whole) == {**json.loads(text), "sops": BLOCK}
    assert list(json.loads(whole)) == [*json.loads(text), "sops"]
    assert '"mac": "ENC[' in whole
    assert detach(whole) == text
    document = format.scan(whole)
    assert document.block_text is not None
    assert attach(text, document.block_text) == whole  # a block keeps its layout where it was
    assert attach(whole, document.block_text) == whole
    changed = attach(whole, format.render_block({**BLOCK, "mac": "other"}))
    assert format.scan(changed).block == {**BLOCK, "mac": "other"}
    assert detach(changed) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"sops": {"mac": "ENC[", "version": "3"}}'),
        ("{ }\n", '{"sops": {"mac": "ENC[", "version": "3"} }\n'),
        ('{"a": 1}\n', '{"a": 1, "sops": {"mac": "ENC[", "version": "3"}}\n'),
        ('{"a":1}', '{"a":1,"sops": {"mac": "ENC[","version": "3"}}'),
        ('{\n  "a": 1\n}', '{\n  "a": 1,\n  "sops": {\n    "mac": "ENC[",\n    "version": "3"\n  }\n}'),
        ('{\n\t"a": {}\n}\n', '{\n\t"a": {},\n\t"sops": {\n\t\t"mac": "ENC[",\n\t\t"version": "3"\n\t}\n}\n'),
        (
            '{\r\n "a": [\r\n ]\r\n}',
            '{\r\n "a": [\r\n ],\r\n "sops": {\r\n  "mac": "ENC[",\r\n  "version": "3"\r\n }\r\n}',
        ),
        (
            '  {\n    "a": 1\n  }',
            '  {\n    "a": 1,\n    "sops": {\n      "mac": "ENC[",\n      "version": "3"\n    }\n  }',
        ),
        ("{\n}", '{\n\t"sops": {\n\t\t"mac": "ENC[",\n\t\t"version": "3"\n\t}\n}'),
        ('{\n"a": 1\n}', '{\n"a": 1,\n"sops": {\n"mac": "ENC[",\n"version": "3"\n}\n}'),
        ('{"a": 1,\n "b": 2\n}', '{"a": 1,\n "b": 2, "sops": {"mac": "ENC[", "version": "3"}\n}'),
    ],
)
def test_the_block_looks_like_its_document(text: str, expected: str) -> None:
    whole = attach(text, format.render_block({"version": "3", "mac": "ENC["}))
    assert whole == expected
    assert detach(whole) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"sops": {"a": 1}, "b": 2}', '{"b": 2}'),
        ('{\n  "sops": {},\n  "b": 2\n}\n', '{\n  "b": 2\n}\n'),
        ('{"a": 1, "sops": {}, "b": 2}', '{"a": 1, "b": 2}'),
        ('{\n\t"a": [],\n\t"sops": {},\n\t"b": 2\n}', '{\n\t"a": [],\n\t"b": 2\n}'),
        ('{"a":1 , "sops":{} , "b":2}', '{"a":1 , "b":2}'),
        ('{"sops":{}}', "{}"),
        ('{\n\t"sops": {\n\t}\n}\n', "{\n}\n"),
        ('{ "sops":{} , "b":2 }', '{ "b":2 }'),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_a_block_anywhere_goes(text: str, expected: str) -> None:
    assert detach(text) == expected


@pytest.mark.parametrize(
    ("version", "tells"),
    [
        ("3.13.2", True), ("3.13.1", False), ("3.13.10", True), ("3.13", False), ("3.14", True),
        ("3.14.0", True), ("3.12.9", False), ("4.0.0", True), ("2.99.99", False), ("3.13.2-rc1", True),
        ("none", True), ("", True), (3, True), (None, True),
    ],
)  # fmt: skip
def test_versions_that_store_integers_as_they_are(version: object, tells: bool) -> None:
    document = format.scan(json.dumps({"a": 1, "sops": {"version": version}}))
    assert format.tells_integers(document) is tells
    assert format.tells_integers(format.scan("{}")) is True
    word = {True: "1.0", False: "1"}[tells]
    assert format.literal(document, document.leaves[0], "float", b"1") == (6, 7, word)
    assert format.literal(document, document.leaves[0], "float", b"-1") == (6, 7, f"-{word}")
    assert format.literal(document, document.leaves[0], "float", b"1.5") == (6, 7, "1.5")


def test_what_a_format_of_its_own_distinguishes() -> None:
    types = {"int": "number", "float": "number", "str": "str", "bool": "bool", "null": "null", "time": "time"}
    for type, kind in types.items():
        assert format.token(Value(type, b"1")) == (kind, b"1")


def test_the_text_from_the_block_on() -> None:
    for text, found in (
        (b'{"a": 1, "sops": {"b": 2}}', b'{"sops": {"b": 2}}'),
        (b'{"sops" :1}', b'{"sops" :1}'),
        (b'{"sops": 1, "x": {"sops": 2}}', None),
        (b"{}", None),
    ):
        assert format.from_entry(text) == found


LAYOUTS: list[dict[str, Any]] = [{"indent": 2}, {"indent": "\t"}, {}, {"separators": (",", ":")}]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "value", [{"a": 1, "b": [1, {"c": {}}]}, {"a": {"b": ["x"]}}, {"a": "sops"}], ids=str
)
def test_a_block_is_as_if_json_dumps_had_written_it(value: Any, newline: str, layout: dict[str, Any]) -> None:
    def dumps(tree: object) -> str:
        text = json.dumps(tree, **layout).replace("\n", newline)
        return text if "indent" in layout else text.replace('":', '": ').replace('":  ', '": ')

    block = {"age": [{"enc": "a\nb", "recipient": "r"}, {"enc": "{}"}], "mac": "m", "n": [1, [], {}]}
    text = f"{newline}{dumps(value)}{newline}"
    spelled = format.render_block(block)
    document = format.scan(text)
    after = splice(text, format.attach(document, spelled))
    if "indent" in layout:
        assert after == f"{newline}{dumps({**value, 'sops': block})}{newline}"
    assert json.loads(after) == {**value, "sops": block}
    found = format.scan(after)
    assert found.block == block
    assert (found.not_block is OMITTED, splice(after, format.detach(found))) == (True, text)
    # A block that replaces one is where that was, wherever it was.
    for members in ({"sops": {"x": 1}, **value}, {**value, "sops": {"x": [1, {"y": 2}]}, "z": None}):
        old = dumps(members)
        new = splice(old, format.attach(format.scan(old), spelled))
        wanted = {name: block if name == "sops" else each for name, each in members.items()}
        assert list(json.loads(new).items()) == list(wanted.items())
        if "indent" in layout:
            assert new == dumps(wanted)
        rest = {name: each for name, each in members.items() if name != "sops"}
        assert splice(old, format.detach(format.scan(old))) == dumps(rest)


def test_what_is_wrong_with_a_text() -> None:
    """Each line is one error: where it is, and what was expected."""
    for text, said in (
        ("", "1:1 there is no JSON object in the text"),
        ("[1]", "1:1 the top level must be an object"),
        ("{", "1:2 the text ends where a key in double quotes was expected"),
        ('{"a"', "1:5 the text ends where a colon was expected"),
        ('{"a":', "1:6 the text ends where a value was expected"),
        ('{"a": 1', "1:8 the text ends where a comma or the closing brace was expected"),
        ('{"a": [', "1:8 the text ends where a value was expected"),
        ('{"a": [1', "1:9 the text ends where a comma or the closing bracket was expected"),
        ('{"a": [1,]}', "1:10 expected a value (remove the comma before it)"),
        ('{"a": 1,}', "1:9 expected a key in double quotes (remove the comma before it)"),
        ("{a: 1}", "1:2 expected a key in double quotes"),
        ("{'a': 1}", "1:2 expected a key in double quotes (JSON uses double quotes only)"),
        ('{"a" 1}', "1:6 expected a colon"),
        ('{"a" "b"}', "1:6 expected a colon"),
        ('{"a": b}', "1:7 expected a value"),
        ('{"a": 1 // c\n}', "1:9 expected a comma or the closing brace (JSON has no comments)"),
        ('{"a": 1 2}', "1:9 expected a comma or the closing brace"),
        ('{"a": [1 2]}', "1:10 expected a comma or the closing bracket"),
        ('{"a": [1}', "1:9 expected a comma or the closing bracket"),
        ('{"a": {"b": 1]}', "1:14 expected a comma or the closing brace"),
        ('{"a": ["b": 1]}', "1:11 expected a comma or the closing bracket"),
        ('{"a": {"b": 1} "c"}', "1:16 expected a comma or the closing brace"),
        ('{"a": [,]}', "1:8 expected a value"),
        ('{"a": "b}', "1:7 a string does not end (add the closing quote)"),
        ('{"a": "\\x"}', "1:8 JSON has no such escape (write a backslash as \\\\)"),
        ('{"a": "x\n"}', "1:9 a string holds a line break or control character"),
        ('{"a\n": 1}', "1:4 a string holds a line break or control character"),
        ('{"a": 1}}', "1:9 there is more after the object"),
        ('{"a": 1,\n "a": 2}', "2:2 the object has the same key twice (remove or rename one of the two)"),
        ('{"sops": 1, "sops": 2}', "1:13 the object has the same key twice"),
        ('{"sops": {"a": 1, "a": 2}}', "1:19 the object has the same key twice"),
        ('\ufeff{"a": 1}', "1:1 a byte order mark is not JSON (save the file as UTF-8 without one)"),
        ('{"a": 1e999}', "1:7 a number is too large for a float (put it in quotes)"),
    ):
        with pytest.raises(ParseError) as caught:
            format.scan(text)
        error = caught.value
        found = re.sub(r"\Aline (\d+), column (\d+):", r"\1:\2", error.message)
        hint = f" ({error.hint})" if error.hint else ""
        assert found + (hint if said.endswith(")") else "") == said, text


def test_which_strings_are_comments_that_sops_stored_as_items() -> None:
    """True: all items before it are comments, too."""
    comment, other = ENC.format("eA==", "comment"), ENC.format("eA==", "str")
    text = json.dumps(
        {"a": comment, "l": [comment, comment, [comment], comment, other, comment], "m": [other, 1]}
    )
    notes = [leaf.note for leaf in format.scan(text).leaves]
    assert notes == [None, True, True, True, False, None, False, None, None]
