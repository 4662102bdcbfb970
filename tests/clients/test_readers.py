"""Other programs that read SOPS files give the same values from our files as from sops's.

What differs is in docs/other-readers.md.  The desk's ``sops`` writes the files: the real one, then encconf.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.moto_server import MotoServer
from ruamel.yaml import YAML

from .conftest import ROOT, Desk
from .readers import ROPS, Mise, Reader, Rops, SopsAge, SopsDecoder

pytestmark = pytest.mark.services

ENCCONF = (sys.executable, "-m", "encconf")
ENVIRON = {"PYTHONPATH": str(ROOT)}
PAGE = ROOT / "docs" / "other-readers.md"

WORDS = r"""
22:22 1:30:45 -1:30 190:20:30 1:30.5 0755 0o14 1_000 0X1F 0b1 1e3 1E+3 12e03 .5 5. +1 .inf .NaN ~ null Null
true yes No on OFF y N 2024-01-02 2024-01-02T03:04:05Z = << !x &a *a - ? a: #a %x @x `x {a [a ] , | > ' " \
--- ... ENC[x] a'b"c \n $x café 日本 🔑
"""
STRINGS = [
    *WORDS.split(),
    *("2024-01-02 03:04:05", "- x", "? x", "a: b", ": a", "a #b", " x", "x ", "\tx", "a\tb", "x" * 400),
]
"""Strings that a reader of YAML could take for something else."""

BLOCKS = {
    "literal": (
        "|\n    -----BEGIN KEY-----\n    MIIB\n    -----END KEY-----\n",
        "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
    ),
    "stripped": ("|-\n    one\n    two\n", "one\ntwo"),
    "kept": ("|+\n    one\n    two\n\n", "one\ntwo\n\n"),
    "folded": (">\n    one\n    two\n\n    three\n", "one two\nthree\n"),
    "folded_stripped": (">-\n    one\n    two\n", "one two"),
    "indented": ("|2\n      two more\n    one\n", "    two more\n  one\n"),
}
TREE = {
    "n": 5,
    "negative": -7,
    "f": 1.5,
    "t": True,
    "no": False,
    "l": ["x", 1, {"m": "y"}],
    "d": {"e": {"g": "z"}},
}
OPEN = {"a_unencrypted": "free", "b_unencrypted": {"c": "to read", "n": 3}}


def _text(format: str, *, strings_only: bool = False) -> tuple[str, dict[str, Any]]:
    """A text with everything that a format can say, and its values."""
    strings = {f"s{number}": text for number, text in enumerate(STRINGS)}
    if format == "env":
        values = {f"S{number}": text for number, text in enumerate(STRINGS) if text[0] not in "#'\"\\"}
        return "".join(f"{name}={text}\n" for name, text in values.items()), values
    if format == "json":
        more = {} if strings_only else {**TREE, **OPEN}
        values = {**strings, "lines": "one\ntwo\n", **more}
        return json.dumps(values, indent=2) + "\n", values
    mark = " = " if format == "toml" else ": "
    text = "".join(f"{name}{mark}{json.dumps(text, ensure_ascii=False)}\n" for name, text in strings.items())
    if format == "toml":
        text += 'lines = """\none\ntwo\n"""\n'
        values = {**strings, "lines": "one\ntwo\n"}
        if not strings_only:
            text += 'n = 5\nf = 1.5\nt = true\n\n[d.e]\ng = "z"\n'
            values.update(n=5, f=1.5, t=True, d={"e": {"g": "z"}})  # type: ignore[arg-type]
        return text, values
    text += "".join(f"{name}: {block}" for name, (block, _) in BLOCKS.items())
    values = {**strings, **{name: value for name, (_, value) in BLOCKS.items()}}
    if strings_only:
        return text, values
    return text + yaml.safe_dump({**TREE, **OPEN}), {**values, **TREE, **OPEN}


@pytest.fixture(scope="module")
def aws() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


def _check(desk: Desk, reader: Reader, format: str) -> None:
    text, values = _text(format)
    name = f"e.{format}"
    desk.write(name, text)
    _encrypt(desk, name, *reader.flags)
    found = reader.read(desk, name)
    assert found == (_texts(values) if (reader.name, format) == ("rops", "yaml") else values)


def _texts(value: Any) -> Any:
    """Values as the texts that YAML has for them."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value if isinstance(value, str) else json.dumps(value)


def _encrypt(desk: Desk, name: str, *flags: str) -> None:
    """By the desk's sops; to sops, TOML is only bytes, so that is for encconf's own command."""
    if name.endswith(".toml"):
        desk.run(*ENCCONF, "encrypt", "-i", name, environ=ENVIRON)
    else:
        desk.sops("encrypt", "-i", *flags, name)


@pytest.mark.parametrize("format", SopsAge.formats)
def test_sops_age(desk: Desk, format: str) -> None:
    _check(desk, SopsAge(), format)


@pytest.mark.parametrize("format", Rops.formats if ROPS else ())
def test_rops(desk: Desk, format: str) -> None:
    _check(desk, Rops(), format)


def test_sops_decoder(desk: Desk, aws: MotoServer) -> None:
    reader = SopsDecoder(aws)
    desk.environ.update(aws.environ)
    _check(desk, reader, "json")


@pytest.mark.parametrize("format", Mise.formats)
def test_mise(desk: Desk, format: str) -> None:
    """The rops inside it checks the MAC over all values; it hands over those that can be variables."""
    text, values = _text(format, strings_only=True)
    name = f"e.{format}"
    desk.write(name, text)
    _encrypt(desk, name)
    found = Mise().read(desk, name)
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    "read", [yaml.safe_load, YAML(typ="safe", pure=True).load], ids=["PyYAML", "ruamel.yaml"]
)
def test_strings_stay_strings(desk: Desk, read: Callable[[str], Any]) -> None:
    """What is decrypted is read as YAML 1.1 and as YAML 1.2."""
    text, values = _text("yaml")
    if desk.name == "sops":  # go-yaml writes these two without quotes; see docs/other-readers.md
        values = {name: value for name, value in values.items() if value not in ("=", "<<")}
        text = text.replace(': "="\n', ": left\n").replace(': "<<"\n', ": left\n")
        text = re.sub(r"(?m)^s\d+: left\n", "", text)
    desk.write("e.yaml", text)
    _encrypt(desk, "e.yaml")
    assert read(desk.sops("decrypt", "e.yaml")) == values
    if desk.name == "encconf":
        desk.run(*ENCCONF, "set", "e.yaml", "s0", "12:34:56", environ=ENVIRON)
        assert read(desk.run(*ENCCONF, "decrypt", "e.yaml", environ=ENVIRON)) == {**values, "s0": "12:34:56"}


# --- docs/other-readers.md ------------------------------------------------------------------------

_KEPT = "0755 017 08 1_000 1_0.5 0xFF_FF 0X1F 0B101 0O17 2024-01-02 2024-1-2 2024-01-02T03:04:05.50Z"
SPELLINGS = [
    *_KEPT.split(),
    *("[0755, 0x1F]", "2024-01-02 03:04:05", "!!timestamp 2024-01-02"),
    *("-9223372036854775809", "18446744073709551616"),
    *("!!binary aGVsbG8=", "!custom x", "!!null ''", "!!null"),
]
"""Values in plaintext that sops respells, encconf keeps, and rops refuses as encconf keeps them."""
BOTH = [".inf", "-.INF"]
"""What rops refuses in sops's files, too."""
_READ = "0x1F 0b101 0o17 +5 1e3 1E3 .5 5. 1.50 ~ Null True yes 22:22 -0.0 'x' [] {}"
READ = [
    *_READ.split(),
    *('"\\x41"', "2024-01-02T03:04:05Z", "2024-01-02T03:04:05+01:00", "!!str 5", "!!int '5'"),
]
"""Other spellings that encconf keeps and rops reads."""


def _check_plain_value(desk: Desk, text: str, program: tuple[str, ...], *, opens: bool) -> None:
    """Whether rops opens a file that this program encrypted with a value in plaintext."""
    flags = ("encrypt", "-i", "--encrypted-regex", "^pw$", "p.yaml")
    desk.write("p.yaml", text)
    desk.run(*program, *flags, environ=ENVIRON if program == ENCCONF else {})
    if opens:
        Rops().read(desk, "p.yaml")
        return
    with pytest.raises(AssertionError, match=r"invalid MAC|deserialize error"):
        Rops().read(desk, "p.yaml")


@pytest.fixture
def writer(tmp_path: Path) -> Desk:
    """A desk whose sops is the real one; encconf is run by its own name."""
    return Desk(tmp_path, "sops")


@pytest.mark.parametrize("spelling", [*SPELLINGS, *BOTH, *READ] if ROPS else ())
def test_what_rops_makes_of_plaintext_values(writer: Desk, spelling: str) -> None:
    text = f"pw: a\nd: {spelling}\n"
    _check_plain_value(writer, text, ENCCONF, opens=spelling in READ)
    if spelling != "-0.0":  # sops makes `-0` of it, which rops takes for an integer
        _check_plain_value(writer, text, ("sops",), opens=spelling not in BOTH)


@pytest.mark.parametrize("program", [ENCCONF, ("sops",)] if ROPS else ())
def test_an_empty_string_where_values_are_encrypted(writer: Desk, program: tuple[str, ...]) -> None:
    writer.write("p.yaml", "pw: ''\n")
    flags = ("encrypt", "-i", "p.yaml")
    writer.run(*program, *flags, environ=ENVIRON if program == ENCCONF else {})
    with pytest.raises(AssertionError, match="missing ENC prefix"):
        Rops().read(writer, "p.yaml")


@pytest.mark.parametrize("program", [ENCCONF, ("sops",)] if ROPS else ())
def test_a_byte_order_mark(writer: Desk, program: tuple[str, ...]) -> None:
    """sops drops it."""
    _check_plain_value(writer, "\ufeffpw: a\nd: x\n", program, opens=program != ENCCONF)


def test_the_page_names_every_spelling() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [spelling for spelling in [*SPELLINGS, *BOTH] if f"`{spelling}`" not in page] == []
    for reader in (SopsAge, SopsDecoder, Mise, Rops):
        assert f"| {reader.name} |" in page
