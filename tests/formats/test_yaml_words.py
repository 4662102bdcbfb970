"""Lines and places of YAML texts, anchors and tags, and words that mean what they should."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import product

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from encconf import formats
from encconf.errors import DecryptError
from encconf.formats import goyaml, yaml_words

scan = formats.get("yaml").scan


def test_lines() -> None:
    assert [yaml_words.line_start("ab\ncd\re", at) for at in range(7)] == [0, 0, 0, 3, 3, 3, 6]
    far = "x\n" + "y" * 3000
    assert yaml_words.line_start(far, 3000) == 2
    assert [yaml_words.line_end("ab\r\ncd", at) for at in (0, 2, 4, 5)] == [4, 4, 4, 6]
    assert yaml_words.line_end("a\u2028b\n", 1) == 2


@pytest.mark.parametrize(
    ("text", "found"), [("a\rb\n", "\r"), ("a\r\nb\n", "\r\n"), ("a\nb\r\n", "\n"), ("a", "\n")]
)
def test_newline_of(text: str, found: str) -> None:
    assert yaml_words.newline_of(text) == found


@pytest.mark.parametrize(
    ("text", "step"),
    [("a: 1", 2), ("a:\n    b: 1\n", 4), ("a:\n     # c\n   b: 1\n", 3), ("a: |\n" + " " * 20 + "x\n", 8)],
)
def test_step_of(text: str, step: int) -> None:
    assert yaml_words.step_of(text) == step


@pytest.mark.parametrize("sign", ["\r\n", "\r", "\n", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_after_its_break(sign: str) -> None:
    line = f"a{sign}"
    assert yaml_words.line_end(f"{line}b", 1) == len(line)
    assert yaml_words.line_end(f"{line}b", len(line)) == len(line)


def test_places_count_all_line_breaks() -> None:
    text = "a\r\nb\x85c\u2029d\re"
    errors = [yaml_words.error_at(text, text.index(sign), "wrong") for sign in "abcde"]
    assert [(error.line, error.column) for error in errors] == [(n, 1) for n in range(1, 6)]
    assert str(yaml_words.error_at(text, 4, "wrong")).startswith("line 2, column 2")


@pytest.mark.parametrize(
    ("text", "word", "anchor", "tag", "found"),
    [
        ("k: &a v", "v", "a", None, (3, None)),
        ("k: !t v", "v", None, "!t", (3, "!t")),
        ("k: &a !t v", "v", "a", "!t", (3, "!t")),
        ("k: !t &a # c\n  v", "v", "a", "!t", (3, "!t")),
    ],
)
def test_properties(
    text: str, word: str, anchor: str | None, tag: str | None, found: tuple[int, str | None]
) -> None:
    at = text.rindex(word)
    properties, start = yaml_words.properties(text, 3, at + len(word), anchor, tag)
    assert start == at
    assert (properties.start, properties.tag) == found
    if tag is not None:
        assert text[properties.tag_start : properties.tag_end] == tag


@given(st.text(max_size=60))
@settings(max_examples=400)
def test_spelled_strings_mean_themselves(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    for word in (yaml_words.plain(value), yaml_words.plain(value, flow=True), yaml_words.double(value)):
        in_flow = word if word != yaml_words.plain(value) or word[:1] in "'\"" else None
        for text in [f"a: {word}\n", *([f"a: [{in_flow}]\n"] if in_flow else [])]:
            leaf = scan(text).leaves[0]
            assert (leaf.type, leaf.data) == ("str", value.encode())


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans()))
@settings(max_examples=400)
def test_spelled_numbers_keep_their_type(value: float) -> None:
    if isinstance(value, bool):
        type, data = "bool", b"True" if value else b"False"
    elif isinstance(value, int):
        type, data = "int", b"%d" % value
    else:
        type, data = "float", goyaml.format_float(value)
    leaf = scan(f"a: {yaml_words.scalar(type, data)}\n").leaves[0]
    assert (leaf.type, leaf.data) == (type, data)


@pytest.mark.parametrize(
    ("value", "word", "in_flow"),
    [
        ("a b", "a b", "a b"),
        ("a, b", "a, b", "'a, b'"),
        ("a:b", "a:b", "'a:b'"),
        ("-a", "-a", "'-a'"),
        ("22:22", '"22:22"', '"22:22"'),
        ("1.2.3", "1.2.3", "1.2.3"),
        (":a", '":a"', '":a"'),
        ("", '""', '""'),
        ("a #b", "'a #b'", "'a #b'"),
        ("a\nb", '"a\\nb"', '"a\\nb"'),
        ("0b12", "0b12", "0b12"),
    ],
)
def test_plain(value: str, word: str, in_flow: str) -> None:
    assert (yaml_words.plain(value), yaml_words.plain(value, flow=True)) == (word, in_flow)


@pytest.mark.parametrize(
    "value",
    [
        "18446744073709551615", "0x1F2B3C", "0o777777", "0x_", "0o_7", "0b_1", "-0b1", "1,000",
        "1_0.5e+3", ".5", ".5e1", ".e+5",
        "2001-12-14", "2001-1-1 1:02:03", "2001-12-14T21:59:43.1-05:00", "22:22.5", "y", "Yes", "oFF", ".NaN",
        "=", "<<", "~", "null", "", "0x1F", "-2E+05", "1e3", "+12", "0.", "190:20:30",
    ],
)  # fmt: skip
def test_words_that_are_no_string_to_some_reader(value: str) -> None:
    assert yaml_words.plain(value) == f'"{value}"'


@pytest.mark.parametrize(
    "value",
    [
        "0x1G", "0b12", "1f3c9", "1.2.3", "10.0.0.1", "1-2", "12-34-56", "a=b", "yes!", "nullx", ".infinite",
        "+-1", "-x", "?x", "x:y", "x#y", "2001-12-14x", "20-1-1", "1:99:5", "v1.0", "falsey", "truth",
        "xxxxxx?", "a\\b", "a - b", "0x1F:", "..", "--", "1e", "e5", "1:2x",
    ],
)  # fmt: skip
def test_words_that_are_strings_to_all_readers(value: str) -> None:
    spelled = f"'{value}'" if value.endswith(":") else value
    assert yaml_words.plain(value) == spelled


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("a", '"a"'),
        ("a\\b", '"a\\\\b"'),
        ('a"b', '"a\\"b"'),
        ("a\nb", '"a\\nb"'),
        ("\x01\x7f\xad", '"\\x01\\x7F\\xAD"'),
        ("\u0100\u200b\ufeff", '"\u0100\\u200B\\uFEFF"'),
        ("\U000e0001", '"\\U000E0001"'),
    ],
)
def test_double(value: str, word: str) -> None:
    assert yaml_words.double(value) == word


@pytest.mark.parametrize(
    ("char", "word"),
    [
        ("\x01", "\\x01"),
        ("\xff", "\\xFF"),
        ("\u0100", "\\u0100"),
        ("\uffff", "\\uFFFF"),
        ("\U00010000", "\\U00010000"),
        ("\U0010ffff", "\\U0010FFFF"),
    ],
)
def test_escaped_characters(char: str, word: str) -> None:
    assert yaml_words.escaped(char) == word


@pytest.mark.parametrize(
    ("type", "data", "word"),
    [
        ("null", None, "null"),
        ("str", b"a, b", "'a, b'"),
        ("str", b"x", "x"),
        ("int", b"-5", "-5"),
        ("bool", b"True", "true"),
        ("float", b"1.5", "1.5"),
        ("float", b"3", "3.0"),
        ("time", b"2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
    ],
)
def test_scalar(type: str, data: bytes | None, word: str) -> None:
    assert yaml_words.scalar(type, data) == word


@pytest.mark.parametrize(
    ("value", "fits", "indicated", "chomping", "lines"),
    [
        ("a", True, True, "-", "  a\n"),
        ("a\nb\n", True, True, "", "  a\n  b\n"),
        ("a\n\n", True, True, "+", "  a\n\n"),
        ("\n\na", True, True, "-", "\n\n  a\n"),
        (" a\n", False, True, "", "   a\n"),
        ("\n\ta\n", False, True, "", "\n  \ta\n"),
        ("a\tb", True, True, "-", "  a\tb\n"),
        ("\n", False, False, "+", "\n"),
        ("", False, False, "-", "\n"),
        ("a\x01", False, False, "-", "  a\x01\n"),
        ("a\r\nb", False, False, "-", "  a\r\n  b\n"),
    ],
)
def test_block_scalars(value: str, fits: bool, indicated: bool, chomping: str, lines: str) -> None:
    assert yaml_words.fits_block(value) is fits
    assert yaml_words.fits_block(value, indicated=True) is indicated
    assert yaml_words.chomping(value) == chomping
    assert yaml_words.block_lines(value, 2, "\n") == lines


def test_a_tag_makes_any_word_a_string() -> None:
    assert yaml_words.plain("5", tagged=True) == "5"


def test_double_escapes_what_does_not_print() -> None:
    value = '\\"\n\t\r\0\x85\xa0\u2028\u2029\b\x1b\a\v\f\x01\u200b\U000e0001é'
    word = yaml_words.double(value)
    assert word.isprintable()
    assert scan(f"a: {word}\n").leaves[0].data == value.encode()


def test_bytes_that_are_no_float() -> None:
    with pytest.raises(DecryptError) as caught:
        yaml_words.scalar("float", b"s3cret")
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "value", ["password", "a:b:c1", "x#y--z", "https://example.com/?a=b", "falsehood", "Zz9'\"]{"]
)
def test_words_are_plain(value: str) -> None:
    assert yaml_words.is_word(value.encode())
    assert yaml_words.plain(value) == value


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("abcfnty019 :#-'\"."), max_size=12))
def test_no_word_needs_quotes(value: str) -> None:
    """`is_word` decides for most values, so it may not say more than `plain` does."""
    if yaml_words.is_word(value.encode()):
        assert yaml_words.plain(value) == value


@pytest.mark.parametrize(
    "value", ["false", "0xabcdef", "secret:", "two words", "secrét", "-secret", "secret\n", ""]
)
def test_no_words(value: str) -> None:
    assert not yaml_words.is_word(value.encode())


RUBY = r":.*|[-+0-9_.,]*,[-+0-9_.,]*"  # symbols, and numbers with commas
CAREFUL = rf"{RUBY}|y|[0-9]:[0-9]|---|\.\.\."  # what only older readers read otherwise, and markers


def test_every_short_word_is_a_string_to_all_readers() -> None:
    """Plain if PyYAML and ruamel read it as a string then, with few exceptions; and else in quotes."""
    ruamel = YAML(typ="safe")
    careful = 0
    for size in (1, 2, 3):
        for word in map("".join, product("ay1-.:#e, ", repeat=size)):
            for flow in (False, True):
                before, after, wanted = ("k: [", "]\n", {"k": [word]}) if flow else ("k: ", "\n", {"k": word})
                spelled = yaml_words.plain(word, flow=flow)
                text = before + spelled + after
                assert pyyaml.load(text, pyyaml.CSafeLoader) == ruamel.load(text) == wanted, word
                if spelled == word or word.strip() != word:
                    continue
                found: list[object] = []
                with suppress(pyyaml.YAMLError, YAMLError, ValueError):
                    text = before + word + after
                    found = [pyyaml.load(text, pyyaml.CSafeLoader), ruamel.load(text)]
                if found == [wanted, wanted]:
                    careful += 1
                    assert re.fullmatch(CAREFUL, word) or (flow and word[0] == "-"), word
    assert careful == 147
