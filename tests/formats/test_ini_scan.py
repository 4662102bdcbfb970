"""The lines of an INI text as entries: as go-ini reads them, and as configparser does."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops
from pace import at_most

from encconf import api, formats
from encconf.errors import ParseError
from encconf.rules.selection import Selection

format = formats.get("ini")

KEY = AgeKey.generate()

CREDENTIALS = credentials(KEY)

NONE = Selection("encrypted_suffix", "___")


def told_by_sops(text: str, sops: Sops) -> dict[str, Any]:
    """What go-ini reads, sections of one name put together."""

    def merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in pairs:
            out[key] = {**out.get(key, {}), **value} if isinstance(value, dict) else value
        return out

    args = ["--encrypted-suffix", "___", "--output-type", "json"]
    tree = json.loads(sops.encrypt(text, "ini", *args, age=KEY.recipient), object_pairs_hook=merged)
    return {name: section for name, section in tree.items() if section and name != "sops"}


def loaded(text: str) -> dict[str, Any]:
    return {name: section for name, section in format.load_plain(text)[0].items() if section}


# What go-ini reads, and so do we.
AGREED = {
    "a = x": "x", "a=x": "x", "a : x": "x", "a\t=\tx\t": "x", "  a = x": "x", "a = ": "", "a =": "",
    "a = x y": "x y", "a = b = c": "b = c", "a: b = c": "b = c", "a = b: c": "b: c", 'a = "x"': "x",
    "a = 'x'": "x", "a = `x`": "x", 'a = """x"""': "x", 'a = " x "': " x ", 'a = ""': "", "a = ''": "",
    'a = "it\'s"': "it's", "a = 'say \"x\"'": 'say "x"', 'a = "a"b"': '"a"b"', "a = it's": "it's",
    'a = "x': '"x', "a = x ; c": "x", "a = x # c": "x", "a = # c": "", "a = 'x' ; c": "x",
    'a = "x"# c': "x", "a = `x` ; c": "x", "a = `x`y`": "x`y", "a = `a;b`": "a;b",
    'a = """a"b#c"""': 'a"b#c', 'a = """"': None, "a = `x\ny`": "x\ny",
    'a = """x\n\n [y]\nb = c"""': "x\n\n [y]\nb = c", "a = `x\r\ny`": "x\r\ny", "a = `\n`": "\n",
    "a = x \\\n  y": "x y", "a = x\\\n  y\\\n  z": "xyz", "a = x\\\n  y # z": "xy # z", "a = \\\n  x": "x",
    "a = x\\\n y\\z": "xy\\z", "a = x\\\n y\\ \n z": "xyz",
    "a = \\y\\\n z": "\\yz",
    "a = C:\\new": "C:\\new", "a = \\n": "\\n", "a = %(b)s": "%(b)s", "a = $x ${y}": "$x ${y}",
    "a = é日😀": "é日😀", "a = \u00a0x\u3000": "x", "a = \x1fx": "\x1fx", "a = `": None,
    "a = `x\n": None, '"a" = x': "x", "`a` = x": "x", '"""a""" = x': "x", "a = [x]": "[x]", "a = {": "{",
}  # fmt: skip

# What go-ini cuts, or takes from the next line.
MEANT = {
    "a = b#c": "b#c", "a = b;c": "b;c", "a = #fff": "#fff", "a = ;x": ";x", "a = b#c # d": "b#c",
    "a = a;b ;c": "a;b", 'a = "b;c"': "b;c", "a = 'b # c' # d": "b # c",
    "a = C:\\dir\\\nb = 1": "C:\\dir\\", "a = C:\\dir\\": "C:\\dir\\",
    "a = x\\\n\n": "x\\", "a = x\\\n \\": "x\\", "a = x\\\n y\\\n\n": "xy\\",
    "a = C:\\dir\\\n\nb = 1": "C:\\dir\\", "a = x\\\n[b]": "x\\", "a = x\\\n; b": "x\\",
}  # fmt: skip


@pytest.mark.parametrize("text", AGREED)
def test_read_as_go_ini_does(text: str, sops: Sops) -> None:
    value = AGREED[text]
    text = f"[s]\n{text}"
    if value is None:
        with pytest.raises(ParseError):
            format.scan(text)
        with pytest.raises(Exception, match="quote"):
            told_by_sops(text, sops)
        return
    assert loaded(text) == {"s": {"a": value}} == told_by_sops(text, sops)
    _both_ways(text, sops)


@pytest.mark.parametrize("text", MEANT)
def test_not_cut(text: str, sops: Sops) -> None:
    value = MEANT[text]
    text = f"[s]\n{text}"
    assert loaded(text)["s"]["a"] == value
    assert told_by_sops(text, sops)["s"]["a"] != value
    _both_ways(text, sops)


def _both_ways(text: str, sops: Sops) -> None:
    mine = sops.with_environ(KEY.environ())
    for selection in (None, NONE):
        ours = api.encrypt(text, rule(KEY, selection=selection), format="ini", credentials=CREDENTIALS)
        assert api.decrypt(ours, format="ini", credentials=CREDENTIALS) == text
        assert api.loads_all(ours, format="ini", credentials=CREDENTIALS) == format.load_plain(text)
        as_json = json.loads(mine.decrypt(ours, "ini", "--output-type", "json"))
        assert {name: section for name, section in as_json.items() if section} == loaded(text)


SECTIONS = {
    "": {}, "[a]": {}, "x=1": {"DEFAULT": {"x": "1"}}, "[DEFAULT]\nx=1": {"DEFAULT": {"x": "1"}},
    "x=1\n[DEFAULT]\ny=2\n[a]\nz=3": {"DEFAULT": {"x": "1", "y": "2"}, "a": {"z": "3"}},
    "[a]\nx=1\n[b]\n[a]\ny=2\nx=3": {"a": {"x": "3", "y": "2"}}, "[a.b]\nx=1": {"a.b": {"x": "1"}},
    "[ a b ]\nx=1": {" a b ": {"x": "1"}}, "[[a]]\nx=1": {"[a]": {"x": "1"}},
    "[a] x\ny=1": {"a": {"y": "1"}}, "[a]b]\nx=1": {"a]b": {"x": "1"}},
    "[A]\nX=1\nx=2": {"A": {"X": "1", "x": "2"}}, '["a"]\nx=1': {'"a"': {"x": "1"}},
    "[a] ; c\nx=1": {"a": {"x": "1"}}, "  [a]\n  x=1": {"a": {"x": "1"}},
    "\ufeff[a]\nx=1": {"a": {"x": "1"}}, "[default]\nx=1": {"default": {"x": "1"}},
    "[é:=]\nx=1": {"é:=": {"x": "1"}},
}  # fmt: skip


@pytest.mark.parametrize("text", SECTIONS)
def test_sections(text: str, sops: Sops) -> None:
    assert loaded(text) == SECTIONS[text] == told_by_sops(text, sops)


INDENTED = [
    "[s]\nhosts =\n    a\n    b\n    c\nk = v\n",
    "[s]\nk = one\n  two\n\n  three\n\nl = 1\n",
    "[s]\nk = one\n  two # no comment\n  # comment\n  ; comment\n  three\n# after\nl = 1\n",
    "[pytest]\naddopts =\n  --cov=x\n  --verbose\n  -k 'a b'\nxfail_strict = true\n",
    '[s]\nk =\n  """\n  text\n  """\n',
    "[s]\n  k = one\n    two\n  l = 'quoted' ; no comment\n[t] ; c\nm : a#b\n",
]


@pytest.mark.parametrize("text", INDENTED)
def test_read_as_configparser_does(text: str, sops: Sops) -> None:
    with pytest.raises(Exception, match="delimiter"):
        told_by_sops(text, sops)
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    sections = {name: dict(parser.items(name)) for name in parser.sections()}
    mine = loaded(text)
    defaults = mine.pop("DEFAULT", {})
    assert {name: {**defaults, **section} for name, section in mine.items()} == sections
    _both_ways(text, sops)


PLAIN = [
    "[s]\na = x\nB : y z\nempty =\n# c\n\n[t.u]\nu = %(a)s\n; d\nlong = a b c\n",
    "[DEFAULT]\nhost = h\n[a]\nport = 1\n[b]\nhost = i\n",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_parser_reads_what_was_loaded(text: str) -> None:
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    one, other, third = (configparser.ConfigParser(interpolation=None) for _ in range(3))
    one.read_string(text)
    other.read_dict(api.loads(ours, format="ini", credentials=CREDENTIALS))  # type: ignore[arg-type]
    third.read_string(api.decrypt(ours, format="ini", credentials=CREDENTIALS))
    assert one == other == third


@pytest.mark.parametrize(
    "text",
    [
        "[a]\n" * 10_000,
        "; x\n" * 20_000,
        ";\n" * 20_000,
        "a=x\\\n" + "y\\\n" * 20_000,
        "".join(f"k{number}=\\\n" for number in range(15_000)),
        "".join(f"k{number}=\\\n  x\\\n" for number in range(12_000)),
        "".join(f"k{number}=x\n" for number in range(12_000)) + "l=\n" + "  x\n" * 10_000,
        "k=" + " " * 250_000 + "x",
        "k=`" + "`" * 250_000,
        "k = a ;" * 25_000,
        "k" * 250_000 + "=1",
    ],
    ids=lambda text: repr(text[:6]),
)
def test_work_grows_with_the_text(text: str) -> None:
    with at_most(5):  # not a benchmark: squared, it would take many minutes
        document = format.scan(text, comments=True)
        format.prepare(document, bytearray(len(document.leaves)))
