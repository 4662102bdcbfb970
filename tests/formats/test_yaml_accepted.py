"""encconf takes the YAML that sops takes, refuses what sops refuses, and each opens what the other made."""

from __future__ import annotations

import json

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops, SopsError

from encconf import api
from encconf.errors import EncconfError, ParseError

ACCEPTED = [
    "--- !foo\na: b\n",
    "--- &r\na: b\n",
    "--- &r\n? a\n: b\n",
    "--- !!map\na: b\n",
    "--- !!set\nMark:\n",
    "--- !foo\n  a: b\n  c: d\n",
    "--- !foo # c\na: b\n",
    "--- # c\n!foo\na: b\n",
    "--- !foo {a: b}\n",
    "---\n!!map\na: b\n",
    "%TAG !e! tag:x,2000:\n--- !e!foo\na: b\n",
    "a: 1\n--- !foo\nb: c\n--- &x\n  d: e\n",
    "&k foo: bar\nbaz: *k\n",
    "a: {&k b: c, d: *k}\n",
    "? &a k\n: v\nb: *a\n",
    "a: &x b\n*x : c\n",
    "a: &x b\nm:\n  *x : c\n  d: *x\n",
    "a: &x b_unencrypted\n*x : c\n",
    '"a": &x b\n? *x\n: c\n',
    "{a: &x b, *x : c}\n",
    "a: |+\n   ",
    "a: |+\n\n   ",
    "a: |+\n   x\n   ",
    "a: |+\n   x\n     ",
    "a: |\n   x\n   ",
    "a: >+\n\n ",
    "a: |+\n",
    "a: |",
    "b: 1\na: !x |+\n  ",
    "# c\n\ufeffa: b\n",
    "\ufeff# c\n\ufeffa: b\nc: d\n",
    "a: |\n  x\n\ufeffb: c\n",
    '!!binary "YQ==": 1\n',
    "!!str 1: x\n",
    "x: 1\n---\n<<: baz\n",
    "b: &b {c: 1}\n<<: *b\nd: 2\n",
    "b: &b {c: 1}\n<<: [*b, {e: 3}]\nd: 2\n",
    "<<: {x: 1}\n",
    "<<: []\n",
]

REFUSED = [
    "foo: bar\n<<: baz\n",
    "<<: [x: 1, z]\n",
    "<<:\na: b\n",
    "a:\n  - b\n  - <<: [z]\n",
    "x: &x [{b: 1}]\n<<: *x\n",
    "x_unencrypted: &x [{b: 1}]\n<<: *x\n",
    "x: &x y\n<<: *x\n",
    "a: &x [b]\n? *x\n: 1\n",
    "a: &x 1\n*x : c\n",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_valid_yaml_is_taken_as_sops_takes_it(text: str, sops: Sops, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    meant = json.loads(sops.decrypt(theirs, "yaml", "--output-type", "json"))
    ours = api.encrypt(text, rule(age_key), credentials=creds)
    assert json.loads(sops.decrypt(ours, "yaml", "--output-type", "json")) == meant
    assert api.decrypt(ours, credentials=creds) == text
    again = api.encrypt(api.decrypt(theirs, credentials=creds), rule(age_key), credentials=creds)
    assert json.loads(sops.decrypt(again, "yaml", "--output-type", "json")) == meant


@pytest.mark.parametrize("text", REFUSED)
def test_what_sops_could_not_open_is_refused(text: str, sops: Sops, age_key: AgeKey) -> None:
    with pytest.raises(SopsError):
        sops.encrypt(text, "yaml", age=age_key.recipient)
    with pytest.raises(EncconfError):
        api.encrypt(text, rule(age_key), credentials=credentials(age_key))


def test_a_key_that_is_not_text(sops: Sops, age_key: AgeKey) -> None:
    """sops takes it; neither could open what the other made."""
    text = '!!binary "/w==": x\n'
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    with pytest.raises(ParseError, match="line 1, column 10: a key is not UTF-8 text"):
        api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    with pytest.raises(ParseError):
        api.decrypt(theirs, credentials=credentials(age_key))


def test_what_sops_locked_itself_out_of_opens(sops: Sops, age_key: AgeKey) -> None:
    """sops takes the quotes off, and refuses what it wrote."""
    theirs = sops.encrypt('"<<": baz\n', "yaml", age=age_key.recipient)
    with pytest.raises(SopsError):
        sops.decrypt(theirs, "yaml")
    creds = credentials(age_key)
    assert api.loads(theirs, credentials=creds) == {"<<": "baz"}
    ours = api.encrypt('"<<": baz\n', rule(age_key), credentials=creds)
    assert api.decrypt(ours, credentials=creds) == '"<<": baz\n'


def test_the_error_says_where() -> None:
    for text, place in [
        ("foo: bar\n<<: baz\n", (2, 5)),
        ("a: {b: {<<: [x: 1, z]}}\n", (1, 20)),
    ]:
        with pytest.raises(ParseError, match="merge key") as caught:
            api.encrypt(text, rule(AgeKey.generate()))
        assert (caught.value.line, caught.value.column) == place


def test_in_an_encrypted_file(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    sealed = api.encrypt("a: {n}\nb: 1\n", rule(age_key), credentials=creds)
    changed = engine.change(sealed, "yaml", (("b",), 2), credentials=creds)
    assert api.decrypt(changed, credentials=creds) == "a: {n}\nb: 2\n"
