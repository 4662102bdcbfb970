"""The `[sops]` section of an INI text: where it may be, and its line breaks."""

from __future__ import annotations

import json
import re

import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops

from encconf import api
from encconf.errors import AlreadyEncryptedError, ParseError
from encconf.formats import module

format = module("ini")

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
