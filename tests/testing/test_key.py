"""An age key for tests, and files that it opens."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest

from encconf import api
from encconf.errors import EmitError, KeyAccessError, LimitError, ParseError, WrongTypeError
from encconf.rules.selection import Selection
from encconf.testing import TestKey

DATA = {"db": {"password": "x", "port": 5}, "on": True}


@pytest.mark.parametrize("name", ["s.enc.yaml", "s.enc.json", "s.enc.toml"])
def test_a_file_of_some_values(tmp_path: Path, name: str) -> None:
    key = TestKey.generate()
    path = key.write(tmp_path / "new" / "folder" / name, DATA)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert api.load_config(path, credentials=key.credentials()) == DATA
    assert key.recipient in path.read_text()
    with pytest.raises(KeyAccessError):
        api.load_config(path, credentials=TestKey.generate().credentials())


def test_a_text_of_your_own() -> None:
    key = TestKey.generate()
    text = key.encrypt("A=1 # c\n", format="dotenv", selection=Selection("encrypted_regex", "^B$"))
    assert text.startswith("A=1 # c\n")
    with pytest.raises(ParseError):
        key.encrypt("{", format="json")
    with pytest.raises(WrongTypeError, match="not list"):
        key.encrypt(["A=1"])  # type: ignore[arg-type]


def test_its_credentials_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.real")
    key = TestKey.generate()
    assert key.credentials().environ == {"SOPS_AGE_KEY": key.identity}


def test_what_is_shown_of_it_is_public() -> None:
    key = TestKey.generate()
    assert repr(key) == f"TestKey({key.recipient!r})"
    assert TestKey.generate().identity != key.identity


@pytest.mark.parametrize(
    "value", [datetime.date(2000, 1, 2), b"hunter2", object(), {1: "hunter2"}, {"a": [{1, 2}]}]
)
@pytest.mark.parametrize("format", ["yaml", "json", "toml"])
def test_a_value_of_another_type(value: object, format: str) -> None:
    with pytest.raises(WrongTypeError, match=r"^a"):
        TestKey.generate().encrypt({"a": value}, format=format)
    with pytest.raises(WrongTypeError, match="a key is a str"):
        TestKey.generate().encrypt({1: "x"}, format=format)  # type: ignore[dict-item]


def test_values_that_no_file_can_hold() -> None:
    key = TestKey.generate()
    with pytest.raises(EmitError, match=r"^a: "):
        key.encrypt({"a": "hunter2\ud800"})
    deep: list[object] = []
    deep.append(deep)
    with pytest.raises(LimitError, match=r"^a: "):
        key.encrypt({"a": deep})


def test_a_tuple_is_a_list() -> None:
    key = TestKey.generate()
    text = key.encrypt({"a": (1, "x")})
    assert api.loads(text, format="yaml", credentials=key.credentials()) == {"a": [1, "x"]}
