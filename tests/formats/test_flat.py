"""The sops block as flat names: what is written, what is read, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encconf import formats
from encconf.errors import EmitError, EncconfError, MetadataError, ParseError
from encconf.formats import flat
from encconf.text.document import Leaf, Scope, Value

dotenv, ini = formats.get("dotenv"), formats.get("ini")

BLOCK: dict[str, object] = {
    "mac": "m",
    "age": [{"recipient": "r1", "enc": "a\nb\n"}, {"recipient": "r2", "enc": ""}],
    "kms": [{"context": {"b": "2", "a": "1"}, "arn": "arn:aws:kms:x:1:key/2"}],
    "key_groups": [{"age": [{"enc": "x"}]}, {"pgp": [{"fp": "y"}, {"fp": "z"}]}],
    "shamir_threshold": 2,
    "mac_only_encrypted": True,
    "pgp": [],
    "nothing": None,
}
FLAT = [
    ("age__list_0__map_enc", "a\nb\n"),
    ("age__list_0__map_recipient", "r1"),
    ("age__list_1__map_enc", ""),
    ("age__list_1__map_recipient", "r2"),
    ("key_groups__list_0__map_age__list_0__map_enc", "x"),
    ("key_groups__list_1__map_pgp__list_0__map_fp", "y"),
    ("key_groups__list_1__map_pgp__list_1__map_fp", "z"),
    ("kms__list_0__map_arn", "arn:aws:kms:x:1:key/2"),
    ("kms__list_0__map_context__map_a", "1"),
    ("kms__list_0__map_context__map_b", "2"),
    ("mac", "m"),
    ("mac_only_encrypted", "true"),
    ("shamir_threshold", "2"),
]


def test_flatten() -> None:
    assert flat.flatten(BLOCK) == FLAT


def test_unflatten() -> None:
    block = flat.unflatten(reversed(FLAT))
    assert block["age"] == [{"recipient": "r1", "enc": "a\nb\n"}, {"recipient": "r2", "enc": ""}]
    assert block["key_groups"] == BLOCK["key_groups"]
    assert block["kms"] == BLOCK["kms"]
    assert block["shamir_threshold"] == "2"
    assert "pgp" not in block


def test_many_items_stay_in_order() -> None:
    items = [{"enc": str(number)} for number in range(25)]
    assert flat.unflatten(flat.flatten({"age": items})) == {"age": items}


@pytest.mark.parametrize("old", ["2.000000", "2.0", "2."])
def test_a_threshold_of_older_sops(old: str) -> None:
    assert flat.unflatten([("shamir_threshold", old)]) == {"shamir_threshold": "2"}


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["a", "a__map_b"],
        ["a__map_b", "a"],
        ["a__list_0", "a__map_b"],
        ["a__list_1"],
        ["a__list_0", "a__list_2"],
        ["a__list_x"],
        ["a__list_-1"],
        ["a__list_"],
        ["a__list_" + "9" * 10_000],
        ["a__list_²"],
        ["a" + "__map_a" * 100_000],
    ],
)
def test_names_at_odds(names: list[str]) -> None:
    with pytest.raises(MetadataError) as caught:
        flat.unflatten((name, "") for name in names)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "block",
    [
        {"kms": [{"context": {"a__map_b": "x"}}]},
        {"kms": [{"context": {"a__list_0": "x"}}]},
        {"encrypted_regex": "a\\nb"},
        {"kms": [{"arn": "C:\\new"}]},
        {"a\nb": "x"},
        {"x": [None, "y"]},
    ],
)
def test_what_would_come_back_as_something_else(block: dict[str, object]) -> None:
    for format in (dotenv, ini):
        with pytest.raises(EmitError):
            format.render_block(block)


def test_names_that_only_ini_can_hold() -> None:
    block: dict[str, object] = {"kms": [{"context": {"a=b": "x", 'q"': "y", "t`": "z", "k:v": "w"}}]}
    with pytest.raises(EmitError):
        dotenv.render_block(block)
    assert ini.scan(ini.render_block(block)).block == block


TEXTS = st.text(st.sampled_from("a \t\n\"'`#;\\=:[]é\r\x00\u2028"), max_size=12)


@given(st.dictionaries(st.sampled_from(["a", "b_c", "x"]), TEXTS), st.lists(TEXTS, max_size=3))
def test_any_strings(values: dict[str, str], items: list[str]) -> None:
    block: dict[str, object] = {**values, "mac": "m"}
    if items:
        block["list"] = items
    for format in (dotenv, ini):
        try:
            text = format.render_block(block)
        except EncconfError:
            continue
        assert format.scan(text).block == block
        assert format.scan("\n" + text).leaves == []


@pytest.mark.parametrize(
    ("type", "data", "text"),
    [
        ("str", "é".encode(), "é"),
        ("bool", b"True", "true"),
        ("bool", b"False", "false"),
        ("int", b"-7", "-7"),
        ("float", b"3", "3.0"),
        ("float", b"0.1", "0.1"),
        ("float", b"1000000", "1E+06"),
        ("float", b"123456", "123456.0"),
        ("float", b"1234567.5", "1.2345675E+06"),
        ("float", b"0.00001", "1E-05"),
        ("float", b"0.0001", "0.0001"),
        ("float", b"-0", "-0.0"),
        ("float", b"+Inf", "+Inf"),
        ("float", b"NaN", "NaN"),
        ("time", b"2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"),
    ],
)
def test_words(type: str, data: bytes, text: str) -> None:
    assert flat.word(type, data) == text


def test_bytes_that_are_no_text() -> None:
    leaf = Leaf(Scope(), "a", 0, 0, "", "str", b"\xff")
    assert flat.word("str", b"\xff") == "\udcff"
    assert flat.spelled(leaf, b"\\n") == b"\xff"


def test_the_numbers_of_items() -> None:
    assert flat.unflatten([("a__list_0001", "y"), ("a__list_0000", "x")]) == {"a": ["x", "y"]}
    for number in ("00000", "\u0660", "+0", " 0", "0x0", ""):
        with pytest.raises(MetadataError, match="has no number for a list item"):
            flat.unflatten([(f"a__list_{number}", "x")])


def test_the_deepest_block() -> None:
    deep = flat.unflatten([("a" + "__map_a" * 11, "x")])
    for _ in range(12):
        (deep,) = deep.values()  # type: ignore[assignment]
    assert deep == "x"  # type: ignore[comparison-overlap]
    with pytest.raises(MetadataError, match="has too many levels"):
        flat.unflatten([("a" + "__map_a" * 12, "x")])


def test_a_name_in_an_error_is_short() -> None:
    for name, shown in (("n" * 40, "n" * 40), ("n" * 41, "n" * 39 + "…")):
        with pytest.raises(MetadataError) as caught:
            flat.unflatten([(name, "x"), (name, "y")])
        assert str(caught.value).startswith(f"{shown} occurs twice in the sops block")


def test_the_line_of_a_text_that_is_no_text() -> None:
    flat.check("a\né\n")
    for text, line in (("\udcff", 1), ("a\nb\nc\udcff\n", 3)):
        with pytest.raises(ParseError, match="the text is not UTF-8") as caught:
            flat.check(text)
        assert caught.value.line == line


@pytest.mark.parametrize(
    ("type", "data", "value", "spelled"),
    [
        ("str", b"a\nb", "a\nb", b"a\\nb"),
        ("str", b"\xff\n", b"\xff\n", b"\xff\\n"),
        ("bool", b"True", "true", b"true"),
        ("int", b"007", "007", b"007"),
        ("float", b"1", "1.0", b"1.0"),
        ("null", None, None, None),
        ("comment", b"a\nb", "a\nb", b"a\nb"),
    ],
)
def test_values_of_all_types(type: str, data: bytes | None, value: object, spelled: bytes | None) -> None:
    assert flat.text_value(type, data) == value
    assert flat.spelled(Value(type, data), b"\\n") == spelled


def test_what_an_empty_block_has() -> None:
    for empty in ({}, {"a": None}, {"a": []}, {"a": {"b": {}}}):
        assert flat.flatten(empty) == []
    assert flat.flatten({"a": [[], "x"][1:], "b": {"c": None, "d": False}}) == [
        ("a__list_0", "x"),
        ("b__map_d", "false"),
    ]
