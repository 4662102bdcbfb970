"""How INI spells a plaintext in the place of a ciphertext."""

from __future__ import annotations

import json
import re

import pytest
from engine import credentials, rule
from hypothesis import given
from hypothesis import strategies as st
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.errors import AlreadyEncryptedError, EmitError, ParseError
from encconf.formats.ini import spell
from encconf.rules.selection import Selection
from encconf.text.document import splice

format = formats.get("ini")


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


@pytest.mark.parametrize(
    ("type", "data", "text"),
    [
        ("int", b"5", "5"), ("bool", b"True", "true"), ("bool", b"0", "false"), ("float", b"1.50", "1.5"),
        ("time", b"2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"), ("bytes", b"a;b", "`a;b`"),
    ],
)  # fmt: skip
def test_what_other_formats_store_is_a_word(type: str, data: bytes, text: str) -> None:
    document = format.scan("[a]\nx = ENC[x]\n[sops]\ny = 1\n")
    assert format.literal(document, document.leaves[0], type, data)[2] == text


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


# --- the sops block ------------------------------------------------------------------------------

KEY = AgeKey.generate()

CREDENTIALS = credentials(KEY)


def test_the_section_is_taken() -> None:
    for text in ("[sops]\nx=1\n", "[a]\nb=1\n  [sops]\n"):
        with pytest.raises(AlreadyEncryptedError):
            api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    assert format.scan("[SOPS]\nx=1\n[a]\nsops=1\nb=[sops]\n").block is None
    with pytest.raises(ParseError, match="two sections"):
        format.scan("[sops]\nx=1\n[sops]\ny=1\n")


def test_a_block_in_between(sops: Sops) -> None:
    text = "[a]\nx = 1\n\n; c\n[b]\ny = 2\n"
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    at, block = ours.index("\n; "), ours[ours.index("\n[sops]") :]
    moved = ours[:at] + block + ours[at : -len(block)]
    assert format.scan(moved).block == format.scan(ours).block
    assert api.decrypt(moved, format="ini", credentials=CREDENTIALS) == text
    mine = sops.with_environ(KEY.environ())
    assert json.loads(mine.decrypt(moved, "ini", "--output-type", "json"))["b"] == {"y": "2"}
    new = api.encrypt(text.replace("2", "3"), twin=moved, format="ini", credentials=CREDENTIALS)
    assert api.decrypt(new, format="ini", credentials=CREDENTIALS) == text.replace("2", "3")


def test_line_breaks_in_the_block_are_escaped_or_not() -> None:
    """sops 3.13.0 and 3.13.1 wrote them as they are, in three quotes."""
    ours = api.encrypt("[a]\nx = 1\n", rule(KEY), format="ini", credentials=CREDENTIALS)
    found = re.search(r"(?m)^(age__list_0__map_enc = )(.*)$", ours)
    assert found is not None
    raw = found[2].replace("\\n", "\n")
    newer = ours.replace(found[0], f'{found[1]}"""{raw}"""')
    assert api.loads(newer, format="ini", credentials=CREDENTIALS) == {"a": {"x": "1"}}
    again = api.encrypt("[a]\nx = 2\n", twin=newer, format="ini", credentials=CREDENTIALS)
    assert raw in again
    assert api.decrypt(again, format="ini", credentials=CREDENTIALS) == "[a]\nx = 2\n"


@pytest.mark.parametrize("written", ["a\\", "a#b", '"a;b"', "'a'", '"a\\"', ";a"])
def test_a_plaintext_keeps_what_sops_reads(written: str, sops: Sops) -> None:
    """A value that was not encrypted by encconf, and that a text without a block would hold differently."""
    mine = sops.with_environ(KEY.environ())
    to = rule(KEY, selection=Selection("unencrypted_suffix", "_plain", mac_only_encrypted=True))
    sealed = api.encrypt("[a]\nx_plain = 1\ny_plain = 2\nz = 3\n", to, format="ini")
    sealed = sealed.replace("= 1", f"= {written}")
    read = json.loads(mine.decrypt(sealed, "ini", "--output-type", "json"))
    plain = api.decrypt(sealed, format="ini", credentials=CREDENTIALS)
    assert format.load_plain(plain) == [{"a": read["a"]}]
    rotated = api.encrypt(plain, to, format="ini")
    assert json.loads(mine.decrypt(rotated, "ini", "--output-type", "json")) == read
