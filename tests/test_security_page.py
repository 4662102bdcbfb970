"""docs/security.md: each number on the page is the number in the code, and the sentences it rests on hold.

Most sentences are tested where the code is: the strict check in test_seal, bounds in test_hostile, references
in test_references, merges in merge/test_conflict.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from engine import credentials, opened, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.cipher import aes_gcm, split
from encconf.engine.metadata import LAYOUT_AAD
from encconf.engine.seal import Encryptor
from encconf.errors import EncconfError

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "security.md").read_text(encoding="utf-8")
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}
ROWS = re.findall(r"(?m)^\| (.+) \| ([0-9,]+) ?(KiB|MiB|) \| (`.+`) \|$", PAGE)


def test_the_table_is_read() -> None:
    table = PAGE[PAGE.index("| what | at most | in the code |") :].partition("\n\n")[0]
    assert len(ROWS) == table.count("\n") - 1 >= 20


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_number_is_the_one_in_the_code(row: tuple[str, str, str, str]) -> None:
    _, number, unit, names = row
    for name in names.split(", "):
        module, _, constant = name.strip("`").rpartition(".")
        found = getattr(import_module(f"encconf.{module}"), constant)
        assert found == int(number.replace(",", "")) * UNITS[unit], name


def test_the_links_to_its_sections_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"(?m)^## (.+)$", PAGE)
    }
    root = Path(__file__).resolve().parent.parent
    text = PAGE + (root / "SECURITY.md").read_text(encoding="utf-8").replace("docs/security.md#", "#")
    links = re.findall(r"\]\(#([a-z0-9-]+)\)", text)
    assert len(links) >= 3
    assert {*links} <= anchors


def test_an_older_layout_record_changes_no_value(age_key: AgeKey) -> None:
    """It may spell the same values otherwise, and that is all."""
    creds = credentials(age_key)
    first = api.encrypt("a: 0x10\nb: x\n", rule(age_key), credentials=creds)
    second = api.encrypt("a: 0o20\nb: y\n", twin=first, credentials=creds)
    third = api.encrypt("a: 0b10\nb: &x x\nc: 1_0\n", twin=second, credentials=creds)
    texts = [first, second, third]
    layouts = [re.search(r"encconf_layout: (ENC\[.*\])", text) for text in texts]
    assert sum(layout is not None for layout in layouts) == 3
    for text, own in zip(texts, layouts, strict=True):
        for layout in layouts:
            if own is not None and layout is not None:
                swapped = text.replace(own[1], layout[1])
                plain = api.decrypt(swapped, credentials=creds)
                assert api.loads(swapped, credentials=creds) == api.loads(text, credentials=creds)
                again = api.encrypt(plain, rule(age_key), credentials=creds)
                assert api.loads(again, credentials=creds) == api.loads(text, credentials=creds)


def test_a_record_that_no_holder_wrote_is_not_used(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = api.encrypt("a:   0x10\n", rule(age_key), credentials=creds)
    layout = re.search(r"encconf_layout: (ENC\[.*\])", text)
    assert layout is not None
    parts = split(layout[1].encode())
    assert parts is not None
    _, data_key, _ = opened(text, "yaml", age_key)
    packed = aes_gcm(data_key).decrypt(parts[1], parts[0], LAYOUT_AAD)
    forged = Encryptor(bytes(32))("bytes", packed, LAYOUT_AAD)
    assert api.decrypt(text.replace(layout[1], forged), credentials=creds) == "a:   16\n"


def test_an_older_version_is_not_noticed(age_key: AgeKey) -> None:
    """As the page says: rolling back a whole file is for git's history to show."""
    creds = credentials(age_key)
    first = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    second = api.encrypt("a: 2\n", twin=first, credentials=creds)
    assert api.loads(second, credentials=creds) == {"a": 2}
    assert api.loads(first, credentials=creds) == {"a": 1}
    mac = re.search(r"mac: (ENC\[.*\])", first)
    newer = re.search(r"mac: (ENC\[.*\])", second)
    assert mac is not None
    assert newer is not None
    with pytest.raises(EncconfError):  # but parts of two versions do not fit together
        api.loads(second.replace(newer[1], mac[1]), credentials=creds)
