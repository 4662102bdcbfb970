"""How TOML spells a plaintext in the place of a ciphertext."""

from __future__ import annotations

import json
import re
import tomllib
import tracemalloc

import pytest
from formats.toml_files import ENC, encrypt, round_trip
from hypothesis import given, settings
from hypothesis import strategies as st

from encconf import formats
from encconf.errors import EmitError
from encconf.formats import toml
from encconf.text.document import splice

format = formats.get("toml")

LONG = 100_000


def test_an_encrypted_string_keeps_its_quotes() -> None:
    text = "a = 'x'\nb = \"x\"\nc = '''\nx'''\nd = \"\"\"x\"\"\"\ne = 1\nf = 1979-05-27\n"
    lines = re.sub(r"ENC\[.*?\]", "E", encrypt(text)).split("\n")
    assert lines[:7] == ["a = 'E'", 'b = "E"', "c = '''", "E'''", 'd = """E"""', 'e = "E"', 'f = "E"']


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        "a'''b",
        "a\nb",
        "''",
        "tab\t",
        "\r",
        "\x00\x7f",
        'q"""q""""',
        '"',
        "\\",
        "\n\nx",
        "é\u2028",
        "",
    ],
)
@pytest.mark.parametrize("quotes", ['"{}"', "'{}'", '"""{}"""', '"""\n{}"""', "'''{}'''", "'''\n{}'''"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_any_string_can_take_the_place_of_any_other(value: str, quotes: str, newline: str) -> None:
    text = f"k = {quotes.format(ENC)}\n".replace("\n", newline)
    document = format.scan(text)
    edit = format.literal(document, document.leaves[0], "str", value.encode())
    assert tomllib.loads(splice(text, [edit])) == {"k": value}


@pytest.mark.parametrize(
    ("type", "data", "text"),
    [
        ("int", b"+5", "5"),
        ("float", b"3", "3.0"),
        ("float", b"1" + b"0" * 22, "1e+22"),
        ("float", b"-0", "-0.0"),
        ("float", b"NaN", "nan"),
        ("float", b"+Inf", "inf"),
        ("bool", b"True", "true"),
        ("bool", b"0", "false"),
        ("time", b"2001-12-14T21:59:43.1Z", "2001-12-14T21:59:43.1Z"),
        ("time", b"soon", '"soon"'),
    ],
)
def test_a_value_has_one_spelling(type: str, data: bytes, text: str) -> None:
    document = format.scan(f'k = "{ENC}"')
    assert format.literal(document, document.leaves[0], type, data)[2] == text
    tomllib.loads(f"k = {text}")


@pytest.mark.parametrize(("type", "data"), [("int", b"x"), ("float", b"1.2.3"), ("str", b"\xff")])
def test_what_toml_cannot_hold(type: str, data: bytes) -> None:
    document = format.scan(f'k = "{ENC}"')
    with pytest.raises(EmitError, match="TOML cannot hold it"):
        format.literal(document, document.leaves[0], type, data)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4))
@settings(max_examples=200)
def test_any_strings(values: dict[str, str]) -> None:
    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items() if key != "sops"]
    text = "\n".join(lines).replace("\x7f", "\\u007f")
    if re.search(r"\\ud[89a-f]", text) is None:
        round_trip(text)


@pytest.mark.parametrize(
    "text", ["'''" + "'x" * LONG + "'''", '"""' + '"x' * LONG + '"""', '"""' + '\\"' * LONG + '"""']
)
def test_a_long_string_takes_no_memory(text: str) -> None:
    """A pattern for all of it took 160 bytes for each quote in it."""
    tracemalloc.start()
    try:
        assert toml.string_end(text, 0, text[:3]) == len(text)
        assert toml.string_end(text[:-3], 0, text[:3]) == -1
        assert tracemalloc.get_traced_memory()[1] < 4 * LONG
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("'''a''''' x", 9), ("'''a''''''", 9), ("''''''", 6), ("'''\r\n\t'''", 9), ("'''\r'''", -1),
        ("'''\x7f'''", -1),
        ('"""\\""""', 8), ('"""\\\\"""', 8), ('"""\\\n"""', 8), ('"""\\\x01"""', -1), ('"""a', -1),
        ('"""a"""\x01', 7),
        ("'a'", 3), ("'a\n'", -1), ('"\\""', 4), ('"\n"', -1),
    ],
)  # fmt: skip
def test_where_a_string_ends(text: str, end: int) -> None:
    style = text[:3] if text[:3] in ("'''", '"""') else text[0]
    assert toml.string_end(text, 0, style) == end
