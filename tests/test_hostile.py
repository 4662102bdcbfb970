"""Files made to hurt: each ends with its own error, quickly, and without a traceback or a value."""

from __future__ import annotations

import time

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api
from encconf.errors import EncconfError, LimitError, MetadataError, NotEncryptedError, ParseError
from encconf.formats import yaml
from encconf.formats.yaml_text import content_end, line_start

_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "format", "error"),
    [
        (_LAUGHS, "yaml", LimitError),
        ("a: " + "[" * 100_000, "yaml", LimitError),
        ("\n".join(" " * n + "a:" for n in range(1000)), "yaml", LimitError),
        ('{"a":' * 100_000, "json", LimitError),
        ('{"a": ' + "9" * 1_000_000 + "}", "json", EncconfError),
        ("a: &a [*a]\n", "yaml", ParseError),
        ("? [a]\n: b\n", "yaml", ParseError),
        ("a: 1\na: 2\n", "yaml", ParseError),
        ('{"a": 1, "a": 2}', "json", ParseError),
        ("- a\n", "yaml", ParseError),
        ("[1]", "json", ParseError),
        ("", "yaml", EncconfError),
        ("", "json", ParseError),
        ("a: \x00", "yaml", ParseError),
        ("%YAML 9.9\n---\na: 1\n", "yaml", ParseError),
    ],
)
def test_plain(text: str, format: str, error: type[Exception], age_key: AgeKey) -> None:
    started = time.monotonic()
    with pytest.raises(error):
        api.encrypt(text, rule(age_key), format=format, credentials=credentials(age_key))
    assert time.monotonic() - started < 20  # not a benchmark: a bomb would take hours


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (None, NotEncryptedError),
        ("sops: 1\n", MetadataError),
        ("sops: []\n", MetadataError),
        ("sops: {}\n", EncconfError),
        ("sops:\n  age: 1\n", MetadataError),
        ("sops:\n  age: [1]\n", MetadataError),
        ("sops:\n  age: [{recipient: [1], enc: 2}]\n", EncconfError),
        ("sops:\n  age: [{recipient: age1x, enc: garbage}]\n", EncconfError),
        ("sops:\n  key_groups: 7\n", MetadataError),
        ("sops:\n  key_groups: [[]]\n", MetadataError),
        ("sops:\n  shamir_threshold: -1\n", EncconfError),
        ("sops:\n  shamir_threshold: " + "9" * 400 + "\n", EncconfError),
        ("sops:\n  unencrypted_suffix: a\n  encrypted_suffix: b\n", EncconfError),
        ("sops:\n  encrypted_regex: '('\n  age: []\n", EncconfError),
        ("sops:\n  pgp: [{fp: '--help', enc: x}]\n", EncconfError),
        ("sops:\n  nonsense: [{enc: x}]\n", EncconfError),
    ],
)
def test_blocks(block: str | None, error: type[Exception], age_key: AgeKey) -> None:
    text = "a: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\n" + (block or "")
    with pytest.raises(error) as caught:
        api.loads(text, credentials=credentials(age_key))
    assert isinstance(caught.value, EncconfError)
    with pytest.raises(EncconfError):
        api.decrypt(text, credentials=credentials(age_key))


def test_work_grows_linearly_with_aliases(age_key: AgeKey) -> None:
    text = "a: &a {x: 1}\nl:\n" + "- *a\n" * 20_000
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    assert api.decrypt(out, credentials=credentials(age_key)) == text


def test_the_wrong_key(age_key: AgeKey) -> None:
    out = api.encrypt("a: topsecret\n", rule(age_key), credentials=credentials(age_key))
    other = AgeKey.generate()
    with pytest.raises(EncconfError) as caught:
        api.loads(out, credentials=credentials(other))
    assert caught.value.exit_code == 128
    assert "data key" in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert other.identity not in str(caught.value)


def test_work_grows_linearly_with_merged_aliases() -> None:
    text = "a: &a {x: 1}\n" + "".join(f"k{n}:\n  <<: *a\n" for n in range(20_000))
    started = time.monotonic()
    assert yaml.load_plain(text)[0]["k19999"] == {"x": 1}
    assert time.monotonic() - started < 20


def test_work_grows_linearly_with_multi_line_values() -> None:
    """Where nothing is indented and one line is long, how a text indents is far to seek."""
    text = "# " + "c" * 1_000_000 + "\n" + "".join(f"k{n}: ENC[x]\n" for n in range(3000))
    document = yaml.scan(text)
    started = time.monotonic()
    edits = [yaml.literal(document, leaf, "str", b"x\ny") for leaf in document.leaves]
    assert time.monotonic() - started < 2
    assert edits[0][2] == "|-\n  x\n  y"


@pytest.mark.parametrize("newline", ["\n", "\r"])
def test_line_start_looks_no_further_than_the_line(newline: str) -> None:
    text = f"kk: 1{newline}" * 400_000
    started = time.monotonic()
    assert all(line_start(text, at + 4) == at for at in range(1_800_000, 1_860_000, 6))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("blank", ["\n", " \n"])
def test_work_grows_linearly_with_blank_lines(blank: str) -> None:
    text = "a: |\n  x\n" + blank * 400_000 + "b: 1\n"
    document = yaml.scan(text)
    started = time.monotonic()
    assert content_end(text, document.leaves[0]) == text.index("x\n") + 2
    assert time.monotonic() - started < 5


def test_long_paths_of_aliases_are_limited() -> None:
    path = "\n".join(" " * depth + "k" * 900 + ":" for depth in range(100))
    with pytest.raises(LimitError):
        yaml.scan(f"a: &a {{b: {{c: 1}}}}\n{path}\n{' ' * 100}[{', '.join(['*a'] * 1000)}]\n")


def nested_aliases(depth: int) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, depth))


def test_depth_through_aliases_is_limited(age_key: AgeKey) -> None:
    for depth in (200, 430):
        with pytest.raises(LimitError):
            api.encrypt(nested_aliases(depth), rule(age_key), credentials=credentials(age_key))
    with pytest.raises(LimitError):
        yaml.scan(nested_aliases(150) + "b: " + "[" * 60 + "*a149" + "]" * 60 + "\n")
    text = nested_aliases(199)  # with the mapping around them, 200 levels
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    assert api.decrypt(out, credentials=credentials(age_key)) == text
