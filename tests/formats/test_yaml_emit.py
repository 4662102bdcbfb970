"""Strings, numbers and comments as go-yaml writes them for sops."""

from __future__ import annotations

import json

import pytest
from oracle import AgeKey, Sops

from encconf import formats
from encconf.formats import emit, goyaml, yaml_layout
from encconf.text.document import Value

STRINGS = [
    ("", '""'),
    ("yes", '"yes"'),
    ("N", '"N"'),
    ("<<", '"<<"'),
    ("1:30", '"1:30"'),
    ("0x1F", '"0x1F"'),
    ("null", '"null"'),
    ("9223372036854775808", '"9223372036854775808"'),
    ("a: b", "'a: b'"),
    ("x:", "'x:'"),
    ("a #b", "'a #b'"),
    (" a", "' a'"),
    ("- x", "'- x'"),
    ("-x", "-x"),
    ("?", "'?'"),
    ("---", "'---'"),
    ("it's", "it's"),
    ("'it's'", "'''it''s'''"),
    ("a\tb", '"a\\tb"'),
    ("\u2028", '"\\L"'),
    ("a\rb", '"a\\rb"'),
    ("a\n", "|\n    a"),
    ("a", "a"),
    ("a\nb", "|-\n    a\n    b"),
    ("a\n\n", "|+\n    a\n"),
    ("\n", "|4+\n"),
    (" a\nb", "|4-\n     a\n    b"),
    ("a\n\nb\n", "|\n    a\n\n    b"),
    ("a \nb", '"a \\nb"'),
    ("a\nb ", '"a\\nb "'),
    ("a\r\nb", '"a\\r\\nb"'),
    ("\ta\nb", '"\\ta\\nb"'),
    ("a\x01\nb", '"a\\x01\\nb"'),
    ("a\ue000\u200b", "a\ue000\u200b"),
    ("\U0001f600\t\u200b", '"\\U0001F600\\t\u200b"'),
    ("a\n\U0010ffff", '"a\\n\\U0010FFFF"'),
]


@pytest.mark.parametrize(("value", "word"), STRINGS)
def test_strings(value: str, word: str) -> None:
    assert yaml_layout.go_string(value, column=4) == word


def test_strings_are_those_of_sops(sops: Sops, age_key: AgeKey) -> None:
    # sops writes `<<` as a merge key, other line breaks as they are, and a tab before a block as null.
    values = {
        f"k{at}": value for at, (value, _) in enumerate(STRINGS) if value not in ("<<", "\u2028", "\ta\nb")
    }
    by_sops = sops.decrypt(
        sops.encrypt(json.dumps(values), "json", age=age_key.recipient), "json", "--output-type", "yaml"
    )
    assert emit.render(emit.trees_of(formats.get("json").scan(json.dumps(values))), "yaml") == by_sops


@pytest.mark.parametrize("value", ["a\nb", "a\n"])
def test_a_key_has_one_line(value: str) -> None:
    assert yaml_layout.go_string(value, simple=True) == json.dumps(value)


def test_a_block_deeper_than_its_header_can_say_is_quoted() -> None:
    assert yaml_layout.go_string(" a\nb", column=12, deeper=12) == '" a\\nb"'


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "-0"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (5.684341886080802e-14, "5.684341886080802e-14"),
        (float("nan"), ".nan"),
        (float("-inf"), "-.inf"),
    ],
)
def test_floats(number: float, word: str) -> None:
    assert yaml_layout.go_scalar(Value("float", goyaml.format_float(number))) == word


def test_other_single_values() -> None:
    values = [
        ("null", None),
        ("bool", b"false"),
        ("int", b"5"),
        ("time", b"2001-01-01T00:00:00Z"),
        ("str", b"\xff"),
    ]
    words = [yaml_layout.go_scalar(Value(type, data)) for type, data in values]
    assert words == ["null", "false", "5", "2001-01-01T00:00:00Z", "!!binary /w=="]


@pytest.mark.parametrize(
    ("text", "step", "expected"),
    [
        (
            "l:\n- # c\n  - a\n  - b: |\n      x\n      y\n- - d\n",
            4,
            "l:\n    # c\n    - - a\n      - b: |\n            x\n            y\n    - - d\n",
        ),
        ("l:\n- # c\n  a: [1]\n- {}\n", 2, "l:\n  # c\n  - a:\n      - 1\n  - {}\n"),
        ("# only a comment\n{}\n", 4, "# only a comment\n{}\n"),
    ],
)
def test_documents(text: str, step: int, expected: str) -> None:
    (tree,) = emit.trees_of(formats.get("yaml").scan(text, comments=True))
    said = yaml_layout.go_document(tree, step)
    assert formats.get("yaml").load_plain(said) == formats.get("yaml").load_plain(text)
    assert said == expected
