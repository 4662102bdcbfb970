"""JSON: what is taken and refused, spans, the block, and whether the real sops agrees."""

from __future__ import annotations

import hashlib
import json
import os
import re
from base64 import b64decode, b64encode
from typing import Any

import engine
import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from engine import credentials, rule, values
from formats.json_texts import detach, documents
from formats.of_sops import SopsFormatContract
from hypothesis import given, settings
from oracle import AgeKey, Sops
from pace import at_most

from encconf import api, formats
from encconf.engine import cipher, opening, plaintext, sealing
from encconf.engine.mac import digest
from encconf.engine.metadata import Metadata
from encconf.envelope.unwrap import open_data_key
from encconf.errors import EncconfError, LimitError, ParseError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.format import SECRET
from encconf.text.document import MAX_DEPTH, Document, Leaf, filled, splice

format = formats.get("json")

LONE = "[\ud800-\udfff]"
ENC = "ENC[AES256_GCM,data:{},iv:aXY=,tag:dGFn,type:{}]"


def one(value: str) -> Leaf:
    """The leaf that a value's text makes."""
    (leaf,) = format.scan('{"k": ' + value + "}").leaves
    return leaf


# --- what is JSON --------------------------------------------------------------------------------

TAKEN = [
    "[]", "[ ]", "[[]]", "{}", "{ }", '""', "[null, 1, \"1\", {}]", "[1\n]", " [1]", "[2] ",
    "[1,null,null,null,2]", "0", "-0", "0e1", "0e+1", "0E0", "1", "-1", "-123", "20e1", "123e65",
    "123.456e78", "1E22", "1E-2", "1E+2",
    "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001", "1e-400",
    "123.456789", "true", "false", "null", "[true]", "\t[\n\r1]\r\n", r'"\u0060\u012a\u12AB"',
    r'"\uD801\udc37"', r'"\ud83d\ude39\ud83d\udc8d"', r'"\"\\\/\b\f\n\r\t"', r'"\\u0000"', r'"\""',
    '"a/*b*/c/*d//e"', r'"\\a"', r'"\\n"', r'"\u0012"', r'"\uFFFF"', '"asd"', '"\U0010ffff"', '"￿"',
    r'"\u0000"', r'"\u002c"', '"π"', '"\U0001bfff"', '"\u2028"', '"\u2029"', r'"\u0061\u30af\u30EA\u30b9"',
    '"new\u00a0line"', r'"\uDBFF\uDFFE"', r'"\u200B"', r'"\u2064"', r'"\uFDD0"', r'"\u0022"', '"\x7f"',
    '"€\U0001d11e"', r'"aa"', '{"":0}', '{"a":[]}', r'{"foo\u0000bar": 42}',
    '{"min": -1.0e+28, "max": 1.0e+28}', '{"a":"b",\n"b":[{}]}', r'{"title":"\u041f\u043e\u043b"}',
]  # fmt: skip

# One step from JSON, by what is wrong with each: none may pass, none may be quoted in the message.
REFUSED = [
    # numbers
    "-01", "01", "012", "-", "+1", "++1", "--2", "-2.", ".5", "-.5", "2.", "2.e3", "2.e+3", "1e", "1e+", "1E",
    "0e", "0e+", "0.e1", "1.0e", "1.0e-", "1eE2", "1 000.0", "0.1.2", "0.3e", "9.e+", "0x1", "0x42", "Inf",
    "Infinity", "-Infinity", "NaN", "-NaN", "1+2", "1ea", "-foo", "- 1", "-1x", "1a", "1.2a-3",
    "1.8011670033376514H-308", "１", "1_000", "0b1",
    # words
    "tru", "truth", "fals", "nul", "nulll", "True", "FALSE", "None", "undefined", "yes", "a", "*", "<.>", "é",
    "&",
    # strings
    "'single'", '"', '"a', '"\\', r'"\"', r'"\x00"', r'"\a"', r'"\u00A"', r'"\u"', r'"\uD834\uDd"',
    r'"\uD800\u1"', r'"\ud800\u1x"', r'"\U0061"', '"\t"', '"a\nb"', '"a\x00b"', '"a\x1fb"', r'"\😀"', r'"\ "',
    "\\n", r'\u0020"asd"', '"a"b', '"\ud800"', "“a”",
    # lists
    "[", "]", "[1", "[1,", "[,", "[,]", "[,1]", "[1,]", "[1,,]", "[1,,2]", '["x",,]', "[1:2]", '["",]',
    "[1 true]", '["a" "b"]', "[3[4]]", "[1}", "[}", "[a]", "[*]", "[-]", '["a",\n4\n,1,', "[\v1]", "[\f]",
    "[\u00a01]", "[\u20601]", "[1]]", "[1],[2]", "[ , 1]", '["k": 1]',
    # objects
    "{", "}", "{1:1}", "{a: 1}", "{'a': 1}", '{"a"}', '{"a":', '{"a" 1}', '{"a", 1}', '{"a"::1}', '{:1}',
    '{"a":1,}', '{"a":1,,"b":2}', '{,"a":1}', '{"a":1 "b":2}', '{"a":1]', "{]", '{"a": true} "x"', '{null:1}',
    '{"x", null}', "{[: 1}", '{"a":"b"}/**/', '{"a":/*c*/1}', '{"a":1 // c\n}', '{"a":1} # c', '{"a\nb":1}',
    r'{"\x":1}', "{}}",
    # beyond the value
    "1 2", "1,", ",1", "", "1\x00", "1\ufeff", "1;",
]  # fmt: skip


@pytest.mark.parametrize("value", TAKEN)
def test_takes_what_python_takes(value: str) -> None:
    text = '{"k":' + value + "}"
    assert format.load_plain(text) == [json.loads(text)]


@pytest.mark.parametrize("value", REFUSED)
def test_refuses_what_is_not_json(value: str) -> None:
    with pytest.raises(ParseError) as caught:
        format.scan('{"k":' + value + "}")
    assert caught.value.line
    assert caught.value.column


@pytest.mark.parametrize(
    "text",
    ["", " \n", "1", '"x"', "null", "[]", "[{}]", "x", "{", "}", "{}{}", "{} x", "{}\x00", "\ufeff{}",
    "{}\ufeff", '{"a":1'],
)  # fmt: skip
def test_only_one_object_is_a_document(text: str) -> None:
    with pytest.raises(ParseError):
        format.scan(text)


@pytest.mark.parametrize("text", ["{}", " { } ", "\n{\n}\n", '\t{"a":1}\r\n'])
def test_space_around_the_object_is_nothing(text: str) -> None:
    assert format.load_plain(text) == [json.loads(text)]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{\n  "a": 1,\n  "b": tru\n}', 3, 8),
        ('{\r\n  "a": 1\r\n  "b": 2\r\n}', 3, 3),
        ('{"é😀": "x",\n "é": [1,\n  ]}', 3, 3),
        ('{"a": "x\n"}', 1, 9),
        ('{"a": "\\x"}', 1, 8),
        ('{"a": "x, "b": 1}', 1, 12),
        ('{\n  "a": 1,\n  "b": "x}', 3, 8),
        ('{"a": 1,\n "b": {"a": 2,\n "\\u0061": 3}}', 3, 2),
        ('{"a": 1e400}', 1, 7),
        ("[]", 1, 1),
        ("", 1, 1),
        ("{}\n\n x", 3, 2),
    ],
)
def test_says_where(text: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        format.scan(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize(
    "value", ["hunter2", "'hunter2'", '"hunter2', '"hunter2\n"', '"hunter2\\q"', "7hunter2",
    '"hunter2" "hunter2"', "{hunter2: 1}"]
)  # fmt: skip
def test_never_says_the_value(value: str) -> None:
    with pytest.raises(ParseError) as caught:
        format.scan('{"k":' + value + "}")
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":1,}', "comma"),
        ('{"a":[1,]}', "comma"),
        ("{'a':1}", "double quotes"),
        ('{"a":1 # x\n}', "comments"),
        ('{// x\n"a":1}', "comments"),
        ("[]", '{"data"'),
        ('{"a":"b\nc"}', "closing quote is missing"),
        ('{"a":"C:\\dir"}', "backslash"),
        ('{"a":"b', "closing quote"),
    ],
)
def test_hints(text: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        format.scan(text)
    assert words in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{"x":{"a":1,"b":{},"a":[]}}',
        '{"x":[{"a":1,"a":2}]}',
        '{"\\ud800":1,"\\udfff":2}',  # both are U+FFFD to Go
        '{"sops":{},"sops":{}}',
        '{"sops":{},"a":1,"s\\u006fps":1}',
        '{"sops":{"mac":"","mac":""}}',
    ],
)
def test_refuses_duplicate_keys(text: str) -> None:
    with pytest.raises(ParseError, match="twice"):
        format.scan(text)


def test_same_key_in_other_objects_is_fine() -> None:
    text = '{"a":{"a":[{"a":1},{"a":2}]},"b":{"sops":{"sops":1}}}'
    assert format.load_plain(text) == [json.loads(text)]


# --- limits --------------------------------------------------------------------------------------


def nested(depth: int, opener: str = "[") -> str:
    opening, closing = ("[", "]") if opener == "[" else ('{"a":', "}")
    return '{"k":' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}"


@pytest.mark.parametrize("opener", ["[", "{"])
def test_depth(opener: str) -> None:
    assert len(format.scan(nested(MAX_DEPTH, opener)).leaves) == 1
    with pytest.raises(LimitError):
        format.scan(nested(MAX_DEPTH + 1, opener))
    with pytest.raises(LimitError):
        format.scan('{"k":' + "[" * 1_000_000)


@pytest.mark.parametrize(
    "number", ["1" * 5000, "-" + "9" * 5000, "0." + "1" * 5000, "1e" + "0" * 5000, "1" * 1_000_000]
)
def test_long_numbers(number: str) -> None:
    with pytest.raises(LimitError, match="line 1, column 7"):
        one(number)


def test_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encconf.text.document.MAX_ITEMS", 1000)
    format.scan('{"a":[' + ",".join("1" * 900) + "]}")
    for item in ("1", "{}", "[]"):
        with pytest.raises(LimitError):
            format.scan('{"a":[' + ",".join([item] * 1001) + "]}")


def test_long_paths_cannot_fill_the_memory() -> None:
    inner = ",".join(f'"{number}":{{}}' for number in range(1000))
    with pytest.raises(LimitError):
        format.scan('{"' + "a" * 100_000 + '":{' + inner + "}}")


@pytest.mark.parametrize(
    "text",
    [
        '{"a":"' + "x" * 3_000_000,
        '{"a":"' + "\\n" * 1_500_000,
        '{"a":"' + "x" * 3_000_000 + "\n",
        '{"a":"' + "x\\\\" * 1_000_000 + "\\",
        "{" + " " * 3_000_000,
        '{"a":1' + " " * 3_000_000 + "x",
        '{"a":' + "[1]," * 800_000,
        '{"a":[' + '"k":' * 800_000,
    ],
)
def test_broken_texts_are_refused_quickly(text: str) -> None:
    with at_most(5), pytest.raises(ParseError):  # squared, it would be hours
        format.scan(text)


# --- what sops stores ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "type", "data"),
    [
        ("0", "int", b"0"),
        ("-0", "int", b"0"),
        ("-7", "int", b"-7"),
        ("9007199254740993", "int", b"9007199254740993"),
        ("9223372036854775807", "int", b"9223372036854775807"),
        ("-9223372036854775808", "int", b"-9223372036854775808"),
        ("9223372036854775808", "float", b"9223372036854776000"),
        ("-9223372036854775809", "float", b"-9223372036854776000"),
        ("18446744073709551616", "float", b"18446744073709552000"),
        ("1.0", "float", b"1"),
        ("-0.0", "float", b"-0"),
        ("1.50", "float", b"1.5"),
        ("1e3", "float", b"1000"),
        ("1E+2", "float", b"100"),
        ("1e21", "float", b"1000000000000000000000"),
        ("1e-7", "float", b"0.0000001"),
        ("0.1", "float", b"0.1"),
        ("1e-400", "float", b"0"),
        ("true", "bool", b"True"),
        ("false", "bool", b"False"),
        ("null", "null", None),
        ('""', "str", b""),
        ('"true"', "str", b"true"),
        ('"é\\u00e9"', "str", "éé".encode()),
        ('"a\\"\\\\\\/\\b\\f\\n\\r\\t"', "str", b'a"\\/\b\f\n\r\t'),
        ('"\\ud83d\\ude00"', "str", "😀".encode()),
        ('"\\ud800"', "str", "\ufffd".encode()),
        ('"\\ude00\\ud83d"', "str", "\ufffd\ufffd".encode()),
        ('"\\ud83d\\ud83d\\ude00x"', "str", "\ufffd😀x".encode()),
    ],
)
def test_types(value: str, type: str, data: bytes | None) -> None:
    leaf = one(value)
    assert (leaf.type, leaf.data) == (type, data)
    assert (leaf.start, leaf.end) == (6, 6 + len(value))


@pytest.mark.parametrize("value", ["1e400", "-1e400", "1" + "0" * 400])
def test_refuses_numbers_beyond_floats(value: str) -> None:
    with pytest.raises(ParseError, match="too large"):
        one(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", False), ("-0", True), ("-0.0", False), ("9007199254740992", False), ("9007199254740993", True),
        ("9007199254740994", False), ("1152921504606846976", True), ("-9007199254740993", True), ("1e30",
        False),
        ("18446744073709551615", False), ("1.0", False), ('"9007199254740993"', False), ("true", False),
        ("null", False),
    ],
)  # fmt: skip
def test_fragile_numbers(value: str, expected: bool) -> None:
    assert format.fragile(one(value)) is expected


def test_paths_and_shape() -> None:
    text = '{"a": {"b": [1, {"c": null}, ["x", []], {}], "é:": ""}, "d": 2}'
    document = format.scan(text, comments=True)
    assert [(leaf.path, leaf.aad.decode(), text[leaf.start : leaf.end]) for leaf in document.leaves] == [
        (("a", "b", 0), "a:b:", "1"),
        (("a", "b", 1, "c"), "a:b:c:", "null"),
        (("a", "b", 2, 0), "a:b:", '"x"'),
        (("a", "é:"), "a:é::", '""'),
        (("d",), "d:", "2"),
    ]
    assert document.outline == [
        "%", "{a", "[b", "-", "{", ".c", "}", "[", "-", "[", "}", "}", "{", "}", "}", ".é:", "}", ".d",
    ]  # fmt: skip
    values = ["x", None, "y", "", 2]
    (tree,), _ = filled(document.items, values)
    assert tree == {"a": {"b": ["x", {"c": None}, ["y", []], {}], "é:": ""}, "d": 2}
    assert document.leaves[1].scope.keys == ("a", "b")
    assert document.comments == []


@pytest.mark.parametrize("place", range(4))
def test_the_block_is_no_value(place: int) -> None:
    members = ['"a":{"sops":1}', '"b":[{}]', '"c":null']
    without = format.scan("{" + ",".join(members) + "}")
    block = {"mac": "x", "n": 2, "f": 1.5, "t": True, "z": None, "age": [{"enc": "a\nb"}], "e": {}}
    members.insert(place, '"sops" : ' + json.dumps(block))
    text = "{" + ",".join(members) + "}"
    document = format.scan(text)
    assert document.block == block
    assert document.block_text == members[place]
    assert document.outline == without.outline
    assert [leaf.path for leaf in document.leaves] == [leaf.path for leaf in without.leaves]
    assert format.load_plain(text) == [json.loads(text)]


@pytest.mark.parametrize("value", ["1", '"x"', "null", "[]", "[1]", "[[{}]]"])
@pytest.mark.parametrize("after", ["", ', "a": 1'])
def test_a_sops_member_that_is_no_block(value: str, after: str) -> None:
    document = format.scan(f'{{"sops": {value}{after}}}')
    assert document.block is None
    assert document.block_text == f'"sops": {value}'
    assert document.parts[0].block == (1, 9 + len(value))
    assert [leaf.path for leaf in document.leaves] == ([("a",)] if after else [])


# --- spelling ------------------------------------------------------------------------------------


# --- generated documents -------------------------------------------------------------------------


def fill(document: Document) -> dict[str, object]:
    """The plain tree of a document, by the standard library's reading of each span."""
    values = [json.loads(document.text[leaf.start : leaf.end]) for leaf in document.leaves]
    tree: dict[str, object] = filled(document.items, values)[0][0]
    return tree


def stored(number: int) -> int | float:
    """An integer as sops stores it."""
    return number if -(1 << 63) <= number < 1 << 63 else float(number)


@given(documents())
def test_spans_and_values(text: str) -> None:
    assert fill(format.scan(text)) == json.loads(text)
    wanted = json.loads(text, parse_int=lambda digits: stored(int(digits)))
    assert format.load_plain(text) == [wanted]
    assert list(format.load_plain(text)[0]) == list(json.loads(text))


@given(documents())
def test_splicing_what_is_there_changes_nothing(text: str) -> None:
    document = format.scan(text)
    assert (
        splice(
            text, [(*format.region(document, leaf), text[leaf.start : leaf.end]) for leaf in document.leaves]
        )
        == text
    )


@given(documents())
def test_sealing_and_back(text: str) -> None:
    plain = format.scan(text)
    assert format.prepare(plain, bytearray(len(plain.leaves))) is None
    edits = [
        format.sealed(plain, leaf, ENC.format(i, leaf.type))
        for i, leaf in enumerate(plain.leaves)
        if leaf.data
    ]
    encrypted = format.scan(splice(text, edits))
    assert encrypted.outline == plain.outline
    assert [leaf.aad for leaf in encrypted.leaves] == [leaf.aad for leaf in plain.leaves]
    for index, (leaf, found) in enumerate(zip(plain.leaves, encrypted.leaves, strict=True)):
        assert found.data == (ENC.format(index, leaf.type).encode() if leaf.data else leaf.data)
    back = splice(
        encrypted.text,
        [
            format.literal(encrypted, found, leaf.type, leaf.data)
            for leaf, found in zip(plain.leaves, encrypted.leaves, strict=True)
            if leaf.data
        ],
    )
    again = format.scan(back)
    assert again.outline == plain.outline
    assert [leaf.data for leaf in again.leaves] == [leaf.data for leaf in plain.leaves]
    originals = [(*format.region(again, leaf), text[old.start : old.end]) for leaf, old in zip(again.leaves,
    plain.leaves, strict=True)]  # fmt: skip
    assert splice(back, originals) == text


# --- the block -----------------------------------------------------------------------------------


# --- the real sops -------------------------------------------------------------------------------


def encrypt(text: str, key: AgeKey) -> str:
    """What the specification says about an encrypted file, by nothing but the format module."""
    document = format.scan(text)
    data_key = os.urandom(32)
    gcm = AESGCM(data_key)
    digest = hashlib.sha512()

    def enc(type: str, data: bytes, aad: bytes) -> str:
        nonce = os.urandom(32)
        sealed = gcm.encrypt(nonce, data, aad)
        parts = [b64encode(part).decode() for part in (sealed[:-16], nonce, sealed[-16:])]
        return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]".format(*parts, type)

    edits = []
    for leaf in document.leaves:
        if leaf.data is None:
            continue
        digest.update(leaf.data)
        plain = any(isinstance(step, str) and step.endswith("_unencrypted") for step in leaf.path)
        if leaf.data and not plain:
            edits.append(format.sealed(document, leaf, enc(leaf.type, leaf.data, leaf.aad)))
    modified = "2026-01-02T03:04:05Z"
    wrapped = pyrage.encrypt(data_key, [pyrage.x25519.Recipient.from_str(key.recipient)], armored=True)
    block = {
        "age": [{"recipient": key.recipient, "enc": wrapped.decode()}],
        "lastmodified": modified,
        "mac": enc("str", digest.hexdigest().upper().encode(), modified.encode()),
        "unencrypted_suffix": "_unencrypted",
        "version": "3.13.3",
        "encconf_layout": "ignored by sops",
    }
    return splice(text, edits + format.attach(document, format.render_block(block)))


def same(found: object, wanted: object) -> bool:
    """Whether sops gives back a value: exactly, but for what its types cannot say."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and list(found) == [re.sub(LONE, "\ufffd", key) for key in wanted]
            and all(map(same, found.values(), wanted.values()))
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, str):
        return found == re.sub(LONE, "\ufffd", wanted)
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        if isinstance(wanted, int):
            wanted = stored(wanted)
        return isinstance(found, (int, float)) and type(wanted)(found) == wanted
    return found is wanted


HARD = [
    "{}",
    "{ }\n",
    '{"a":"secret"}',
    '{\r\n  "a": "x",\r\n  "b": {\r\n   "c_unencrypted": [1, true, "<&>\\u2028", 1.50, 1e3, null]\r\n }}\r\n',
    '{\n\t"n": [0, -7, 9007199254740993, 9223372036854775807, 18446744073709551616],\n'
    '\t"f": [1.0, 1e21, 1e-7, 0.1, 1E+2, -0.0]\n}\n',
    '{"s":["","\\ud800x","\\ud83d\\ude00","a\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000","é","\x7f"]}',
    '{"t":[true,false,null],"e":[{},[]],"l":[[[]],[{}],""]}',
    '{"a:b":{"c":1},"a":{"b:c":2},"":{"":3},"é😀":"k","sop":{"sops":{"x":"y"}}}',
    '{"k_unencrypted":{"a":"\\u00e9<","b":[1000,2.5,-3]},"<&>":"<&>"}',
    '[{"x":1}]'.join(['{"l":[1,', ',"a",["b","b"],{"l":"b"}]}']),
]


@pytest.mark.parametrize("text", HARD)
def test_sops_reads_it(text: str, sops: Sops, age_key: AgeKey) -> None:
    encrypted = encrypt(text, age_key)
    assert same(json.loads(sops.decrypt(encrypted, "json")), json.loads(text))


@settings(max_examples=60)
@given(text=documents())
def test_sops_reads_any(text: str, sops: Sops, age_key: AgeKey) -> None:
    for leaf in format.scan(text).leaves:
        # One of Go's two readings of `-0`; unencrypted it would be a matter of the release.
        if format.fragile(leaf) and any(str(step).endswith("_unencrypted") for step in leaf.path):
            return
    encrypted = encrypt(text, age_key)
    assert same(json.loads(sops.decrypt(encrypted, "json")), json.loads(text))
    assert detach(encrypted).count("\n") == text.count("\n")


@settings(max_examples=30)
@given(text=documents())
def test_reads_what_sops_writes(text: str, sops: Sops, age_key: AgeKey) -> None:
    document = format.scan(text)
    encrypted = format.scan(sops.encrypt(text, "json", age=age_key.recipient))
    assert encrypted.outline == document.outline
    assert [leaf.path for leaf in encrypted.leaves] == [leaf.path for leaf in document.leaves]
    block = encrypted.block
    assert block is not None
    (entry,) = block["age"]  # type: ignore[misc, attr-defined]
    data_key = pyrage.decrypt(entry["enc"].encode(), [pyrage.x25519.Identity.from_str(age_key.identity)])
    for old, leaf in zip(document.leaves, encrypted.leaves, strict=True):
        if not old.data:
            assert leaf.data == old.data
            continue
        assert leaf.data is not None
        match = re.fullmatch(rb"ENC\[AES256_GCM,data:(.*),iv:(.*),tag:(.*),type:(.*)\]", leaf.data)
        if match is None:  # it was kept plain
            assert any(str(step).endswith("_unencrypted") for step in leaf.path)
            continue
        data, nonce, tag = (b64decode(match[number]) for number in (1, 2, 3))
        found = AESGCM(data_key).decrypt(nonce, data + tag, leaf.aad)
        # sops before 3.13.2 stores every number as a float.
        before = old.type == "int" and match[4] == b"float"
        assert found == old.data or (before and format.fragile(old))
        assert before or match[4].decode() == old.type


@pytest.mark.parametrize(("data", "value"), [("-5", -5), ("5", 5), ("0", 0), ("-5.5", -5.5), ("1e20", 1e20)])
def test_whole_numbers_that_an_old_sops_stored_as_floats(
    data: str, value: object, sops: Sops, age_key: AgeKey
) -> None:
    """sops before 3.13.2 stored every number of JSON as a float, spelled as strconv does."""
    theirs = sops.encrypt(json.dumps({"a": data}), "json", age=age_key.recipient)
    old = theirs.replace("type:str", "type:float", 1)
    old = re.sub(r'"version": *"[^"]+"', '"version": "3.11.0"', old)
    (loaded,) = api.loads_all(old, format="json", credentials=credentials(age_key))
    assert repr(loaded) == repr({"a": value})


def test_comments_that_sops_made_list_items(sops: Sops, age_key: AgeKey) -> None:
    source = "a:\n  # c1\n  - x\n  # c2\n  - y\n  # c3\nb: 1\n"
    encrypted = sops.encrypt(source, "yaml", "--output-type", "json", age=age_key.recipient)
    document = format.scan(encrypted)
    comments = [leaf for leaf in document.leaves if leaf.data and leaf.data.endswith(b",type:comment]")]
    assert comments
    plain = splice(encrypted, [format.comment(document, leaf, b"", alone=False) for leaf in comments])
    assert len(json.loads(plain)["a"]) == 2


NUMBERS = '{"a": 1.0, "b": -0.0, "c": 1e3, "d": 3, "e": 1.50, "l": [2.0, 2]}'


def sealed(text: str, age_key: AgeKey) -> str:
    return api.encrypt(text, rule(age_key), format="json", credentials=credentials(age_key))


def test_numbers_keep_spelling_and_type(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    ours = sealed(NUMBERS, age_key)
    assert api.decrypt(ours, format="json", credentials=creds) == NUMBERS
    assert repr(api.loads(ours, format="json", credentials=creds)) == repr(json.loads(NUMBERS))
    canonical = plaintext.plain_text(opening.open_text(ours, format="json", credentials=creds), layout=False)
    assert repr(json.loads(canonical)) == repr(json.loads(NUMBERS))


def test_no_version_means_that_types_count(age_key: AgeKey) -> None:
    """A file of rops has no version."""
    ours = sealed(NUMBERS, age_key)
    rops = re.sub(r',\s*"version": "[^"]*"|"version": "[^"]*",\s*', "", ours)
    assert "version" not in rops
    assert repr(api.loads(rops, format="json", credentials=credentials(age_key))) == repr(json.loads(NUMBERS))


def test_integers_that_older_sops_stored_as_floats(age_key: AgeKey, sops: Sops) -> None:
    """They stay integers, and become int when the file gets this version's block."""
    creds = credentials(age_key)
    data = '{"p": 8080, "l": [7, 1.5]}'
    old = _as_stored_before(data, age_key, creds)
    assert "type:int" not in old
    assert json.loads(api.decrypt(old, format="json", credentials=creds)) == json.loads(data)
    assert repr(api.loads(old, format="json", credentials=creds)) == repr(json.loads(data))
    set_ = engine.change(old, "json", (("l", 1), 2.5), credentials=creds)
    assert repr(api.loads(set_, format="json", credentials=creds)) == repr({"p": 8080, "l": [7, 2.5]})
    other = AgeKey.generate()
    more = sealing.encrypt(
        data, rule(age_key, other), format="json", twin=old, edits_twin=True, credentials=creds
    )
    assert repr(api.loads(more, format="json", credentials=creds)) == repr(json.loads(data))
    assert more.count("type:int]") == 2
    sops.decrypt(more, "json")


def _as_stored_before(data: str, age_key: AgeKey, creds: Credentials) -> str:
    """A file as sops before 3.13.2 writes it: every number a float."""
    document = format.scan(data)
    for leaf in document.leaves:
        leaf.type = "float"
    metadata = Metadata.of(format.scan(sealed(data, age_key)))
    data_key = open_data_key(metadata.groups, metadata.threshold, creds)
    encryptor = cipher.Encryptor(data_key)
    mac = encryptor(
        "str", digest(document.leaves, bytearray(), False).encode(), metadata.lastmodified.encode()
    )
    block = {**metadata.to_block(), "mac": mac, "version": "3.11.0"}
    edits = [
        format.sealed(document, leaf, encryptor("float", leaf.data or b"", leaf.aad))
        for leaf in document.leaves
    ]
    return splice(data, edits + format.attach(document, format.render_block(block)))


def test_duplicate_keys_in_a_file_of_sops(age_key: AgeKey, sops: Sops) -> None:
    """It is decrypted as sops does; the last value counts; nothing is written over it."""
    creds = credentials(age_key)
    theirs = sops.encrypt('{"a": "1", "b": {"x": 1}, "a": "2", "b": "3"}', "json", age=age_key.recipient)
    assert api.decrypt(theirs, format="json", credentials=creds) == sops.decrypt(theirs, "json")
    assert api.loads(theirs, format="json", credentials=creds) == {"a": "2", "b": "3"}
    with pytest.raises(ParseError, match="same key twice"):
        engine.change(theirs, "json", (("a",), "3"), credentials=creds)
    with pytest.raises(EncconfError):
        api.inspect(theirs.replace('"sops"', '"sops": {}, "sops"'), format="json")


def test_bytes_that_are_not_utf_8_come_out_as_from_sops(age_key: AgeKey, sops: Sops) -> None:
    text = b"A=caf\xe9\nB=\xe2\x80x\n"
    theirs = sops.encrypt(text, "dotenv", "--output-type", "json", age=age_key.recipient)
    ours = api.decrypt(theirs, format="json", credentials=credentials(age_key))
    assert json.loads(ours) == json.loads(sops.decrypt(theirs, "json"))
    assert json.loads(ours) == {"A": "caf\ufffd", "B": "\ufffd\ufffdx"}


class TestJson(SopsFormatContract):
    name = "json"
    suffixes = (".json",)
    path = ("db", "password")
    texts = (
        f'{{\n  "db": {{\n    "host": "h",\n    "password": "{SECRET}"\n  }},\n  "l": [1, null, ""]\n}}\n',
        f'{{"db":{{"password":"{SECRET}"}}}}\n',
        f'{{"n": 1.0, "u": "\\u00e9\\/", "db": {{"password": "{SECRET}"}}, "e": {{}}}}\n',
    )
    broken = (
        f'{{"a": "{SECRET}"',
        f'["{SECRET}"]',
        f'{{"a": "{SECRET}" "b"}}',
        f'{{"{SECRET}": 1,}}',
    )

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        return values(trees)
