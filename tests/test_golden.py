"""Every version of encconf opens the files in fixtures/golden, which earlier versions encrypted.

These files never change.  If encconf writes something new, fixtures/golden.py adds files.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from engine import credentials
from oracle import FIXTURES, AgeKey, Sops

import encconf
from encconf import api, formats
from encconf.errors import MacError

ALICE = AgeKey.load(FIXTURES / "keys" / "alice.txt")
CREDENTIALS = credentials(ALICE)
GOLDEN = sorted((FIXTURES / "golden").glob("*.enc*.*"))
FORMATS = {"yaml": "yaml", "json": "json", "env": "dotenv", "ini": "ini", "toml": "toml", "bin": "binary"}

ONLY_ENCRYPTED = [path for path in GOLDEN if path.name.startswith("only")]
SOPS_HAS = [path for path in GOLDEN if path.suffix != ".toml"]

by_file = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)


def read(path: Path) -> tuple[str, str, str]:
    """Return the encrypted text, the plaintext and the format."""
    plain = path.with_name(re.sub(r"\.enc\d+\.", ".", path.name))
    return path.read_bytes().decode(), plain.read_bytes().decode(), FORMATS[path.suffix[1:]]


def test_there_are_files_of_every_format() -> None:
    assert {(path.name.partition(".")[0], path.suffix) for path in GOLDEN} >= {
        *((name, f".{end}") for name in ("whole", "only", "regex") for end in FORMATS if end != "bin"),
        ("whole", ".bin"),
    }


@by_file
def test_it_opens(path: Path) -> None:
    text, plain, format = read(path)
    assert api.decrypt(text, format=format, credentials=CREDENTIALS) == plain
    if format != "binary":
        loaded = encconf.loads_all(text, format=format, credentials=CREDENTIALS)
        assert repr(loaded) == repr(formats.get(format).load_plain(plain))


@by_file
def test_it_has_the_strict_check(path: Path) -> None:
    """The nonce of its MAC has encconf's mark, and covers what sops's MAC does not cover."""
    text, _, format = read(path)
    (nonce,) = re.findall(r"mac\W+ENC\[AES256_GCM,data:[^,]*,iv:([^,]*),", text)[:1]
    assert base64.b64decode(nonce).startswith(b"ENCCONF")
    if format == "binary" or path.name.startswith("only"):
        return
    renamed = re.sub("(?i)open_unencrypted", "shut_unencrypted", text)
    assert renamed != text
    with pytest.raises(MacError):
        api.decrypt(renamed, format=format, credentials=CREDENTIALS)


@pytest.mark.parametrize("path", ONLY_ENCRYPTED, ids=lambda path: path.name)
def test_only_encrypted_values_count_there(path: Path) -> None:
    """The place of a selected value counts even if the value is empty or null."""
    text, _, format = read(path)
    renamed = re.sub("(?i)open_unencrypted", "shut_unencrypted", text)
    api.decrypt(renamed, format=format, credentials=CREDENTIALS)
    for name in ("nothing", "empty", "EMPTY"):
        changed = re.sub(rf'(?m)^(\s*"?){name}\b', r"\1vacant", text)
        if changed != text:
            with pytest.raises(MacError):
                api.decrypt(changed, format=format, credentials=CREDENTIALS)


@pytest.mark.parametrize("path", SOPS_HAS, ids=lambda path: path.name)
def test_sops_opens_it(path: Path) -> None:
    text, plain, format = read(path)
    by_sops = Sops(ALICE.environ()).decrypt(text, format)
    if format == "binary":
        assert by_sops == plain
    elif format == "json":
        assert json.loads(by_sops) == json.loads(plain)
    else:
        assert "secret" in by_sops
