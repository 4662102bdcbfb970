"""How INI spells a plaintext in the place of a ciphertext."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encconf.errors import EmitError
from encconf.formats import module
from encconf.formats.ini_text import spell
from encconf.text.document import splice

format = module("ini")


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("[a]\nx = 1\n", "a#b", "[a]\nx = `a#b`\n"),
        ("[a]\nx = 1 ; c\n", " y ", '[a]\nx = " y " ; c\n'),
        ("[a]\nx = '1'\n", "it's", "[a]\nx = it's\n"),
        ("[a]\nx = '1'\n", "z", "[a]\nx = 'z'\n"),
        ("[a]\nx = `1`\n", "a`b\nc", '[a]\nx = """a`b\nc"""\n'),
        ("[a]\nx = 1\n", "C:\\", '[a]\nx = "C:\\"\n'),
        ("[a]\nx = 1\n", '"q"', '[a]\nx = `"q"`\n'),
        ("[a]\nx = ; c\n", "v", "[a]\nx = v ; c\n"),
        ("[a]\nx =\n", "v", "[a]\nx =v\n"),
        ("[a]\nx = 1 \\\n  2\n", "v", "[a]\nx = v\n"),
        ("[a]\nx = 1\n", "", "[a]\nx = \n"),
    ],
)
def test_literals(text: str, value: str, wanted: str) -> None:
    document = format.scan(text)
    (leaf,) = document.leaves
    new = splice(text, [format.literal(document, leaf, "str", value.encode())])
    assert new == wanted
    assert format.load_plain(new) == [{"a": {"x": value}}]


def test_what_no_quotes_can_hold() -> None:
    document = format.scan("[a]\nx = 1\n")
    with pytest.raises(EmitError):
        format.literal(document, document.leaves[0], "str", b'`"""`\n')


@given(st.text(st.sampled_from("ab \t\n\"'`#;\\=:[]é\r"), max_size=12))
def test_any_value(value: str) -> None:
    try:
        spelled = spell(value)
    except EmitError:
        assert '"' in value
        assert "`" in value
        return
    assert format.load_plain(f"[a]\nx = {spelled}\ny = 1\n") == [{"a": {"x": value, "y": "1"}}]
