"""What all formats have in common."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.errors import LimitError
from encconf.text import document

LONG = "k" * 100_000
MANY = 2_000
BELOW_ONE_LONG_KEY = {
    "yaml": f"? {LONG}\n:\n" + "".join(f"  k{at}: 'v'\n" for at in range(MANY)),
    "json": f'{{"{LONG}": {{' + ", ".join(f'"k{at}": 1' for at in range(MANY)) + "}}",
    "ini": f"[{LONG}]\n" + "".join(f"k{at} = v\n" for at in range(MANY)),
    "toml": f"[{LONG}]\n" + "".join(f"k{at} = 'v'\n" for at in range(MANY)),
}


@pytest.mark.parametrize("name", BELOW_ONE_LONG_KEY)
def test_many_values_below_one_long_key_are_refused(name: str) -> None:
    """Each value has the whole path: together, they take far more memory than the text."""
    text = BELOW_ONE_LONG_KEY[name]
    with pytest.raises(LimitError, match="the keys on the paths of the document are too long"):
        formats.get(name).scan(text)
    assert formats.get(name).scan(text.replace(LONG, LONG[:1_000])).leaves


MANY_ITEMS = {
    "yaml": "a:\n" + "- 1\n" * 300,
    "json": '{"a": [' + "1, " * 299 + "1]}",
    "ini": "".join(f"k{at} = v\n" for at in range(300)),
    "dotenv": "".join(f"k{at}=v\n" for at in range(300)),
    "toml": "a = [" + "1, " * 300 + "]\n",
}


@pytest.mark.parametrize("name", MANY_ITEMS)
def test_many_values_in_a_small_text_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MANY_ITEMS[name]
    assert len(formats.get(name).scan(text).leaves) == 300
    monkeypatch.setattr(document, "MAX_DENSE", 200 - len(text) // document.DENSITY)
    with pytest.raises(LimitError, match=r"more than 200 (values|lines)"):
        formats.get(name).scan(text)


HEADS = {
    ("toml",): b'a = "ENC[x]"\n[sops]\nmac = "ENC[y]"\n',
    ("ini",): b"[a]\nb = ENC[x]\n[sops]\nmac = ENC[y]\n",
    (): b'a = "ENC[x]"\nmac = "ENC[y]"\n[a.sops]\n[b]\nsops_b = 1\n',
    ("yaml",): b"a: ENC[x]\nsops:\n    mac: ENC[y]\n",
    ("dotenv",): b"a=ENC[x]\nsops_mac=ENC[y]\n",
}


@pytest.mark.parametrize("names", HEADS)
def test_whose_entry_a_text_has(names: tuple[str, ...]) -> None:
    """INI and TOML spell the section alike: the quotes of the MAC decide."""
    every = ("yaml", "ini", "dotenv", "toml")
    assert tuple(name for name in every if formats.get(name).has_entry(HEADS[names])) == names
