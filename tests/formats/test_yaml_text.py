"""How YAML spells ciphertexts behind odd tags."""

from __future__ import annotations

import json

import pytest
import yaml as pyyaml
from engine import credentials
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.formats import yaml_layout
from encconf.text.document import splice

yaml = formats.get("yaml")


def test_sealing_behind_an_odd_tag() -> None:
    for text in ("d: !x,y |\n  q\n", "d: !!s]x q\n", "d: [!x, q]\n"):
        document = yaml.scan(text)
        enc = splice(text, [yaml.sealed(document, document.leaves[0], "ENC[x]")])
        sealed = yaml.scan(enc)
        assert sealed.leaves[0].data in (b"ENC[x]", b"ENC[x]\n")
        assert document.leaves[0].data is not None
        back = yaml.literal(sealed, sealed.leaves[0], "str", document.leaves[0].data)
        assert yaml.scan(splice(enc, [back])).leaves[0].data == document.leaves[0].data


@pytest.mark.parametrize(
    ("value", "quotes", "word"),
    [
        ("a", "", "a"),
        ("a", '"', '"a"'),
        ("a", "'", "'a'"),
        ("a\x01", "'", '"a\\x01"'),
        ("5", "", '"5"'),
        (5, "", "5"),
        (True, "", "true"),
        (None, "'", "null"),
        (1.0, "", "1.0"),
        (1e30, "", "1" + "0" * 30 + ".0"),
        ({}, "", "{}"),
        ([], "", "[]"),
    ],
)
def test_word(value: object, quotes: str, word: str) -> None:
    assert yaml_layout.word(value, quotes, False) == word


def test_is_full() -> None:
    assert [yaml_layout.is_full(value) for value in ([], {}, "", None, [0], {"a": 0})] == [
        *[False] * 4,
        True,
        True,
    ]


def test_lines_below_a_key_of_several_lines(sops: Sops, age_key: AgeKey) -> None:
    """sops writes `:   h: ENC[…]` there: the mapping or sequence begins after the colon."""
    tree = {"x\ny": {"h": "p\nq\n"}, "z": 1, "v\nw": ["p\nq"], "t\nu": "r\ns\n"}
    theirs = sops.encrypt(json.dumps(tree), "yaml", age=age_key.recipient)
    plain = api.decrypt(theirs, credentials=credentials(age_key))
    assert pyyaml.safe_load(plain) == tree
    assert ":   h: |\n        p\n" in plain
