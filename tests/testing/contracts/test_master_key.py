"""The contract of key types notices what is wrong with a type; what passes it is in tests/plugins."""

from __future__ import annotations

import logging
import sys
from binascii import a2b_base64
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from plugins.toy_key import ROW, ToyKey

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.master_key import MasterKeyContract

from .flawed import holds, names_in


class SameEachTime(ToyKey):
    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        return data_key.hex()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        return bytes.fromhex(enc)


class OfAnotherKind(ToyKey):
    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        self._cipher(credentials)
        try:
            return super().unwrap(enc, credentials)
        except MasterKeyError:
            raise ValueError("damaged") from None


class Talkative(ToyKey):
    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        data_key = super().unwrap(enc, credentials)
        logging.getLogger("toy").debug("opened", extra={"answer": data_key.hex()})
        return data_key


class QuotesTheCiphertext(ToyKey):
    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        try:
            return super().unwrap(enc, credentials)
        except MasterKeyError as error:
            raise type(error)(f"{error.message}: {enc}") from None


class NobodyIsAStranger(ToyKey):
    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        try:
            return super().unwrap(enc, credentials)
        except MasterKeyError as error:
            raise MasterKeyError(error.message) from None


class ShownAsItIs(ToyKey):
    @property
    def label(self) -> str:
        return self.name


class WithItsCiphertext(ToyKey):
    def to_entry(self) -> dict[str, object]:
        return {**super().to_entry(), "enc": ""}


class OfAnyName(ToyKey):
    @classmethod
    def from_config(cls, value: object) -> ToyKey:
        return cls(str(value))


class QuotesTheConfiguration(ToyKey):
    @classmethod
    def from_config(cls, value: object) -> ToyKey:
        try:
            return super().from_config(value)
        except BadKeyError:
            raise BadKeyError(f"{value} is not a toy key") from None


class EqualToAll(ToyKey):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class Strict(ToyKey):
    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> ToyKey:
        return cls(str(entry["toy_name"]))


class UsedWithoutAName(ToyKey):
    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        return super().wrap(data_key, credentials) if self.name else a2b_base64("").decode()


FLAWS: dict[type[ToyKey], set[str]] = {
    SameEachTime: {"test_wrapping_is_not_deterministic", "test_a_stranger_cannot_unwrap"},
    OfAnotherKind: {
        "test_a_damaged_ciphertext_is_an_error_of_ours",
        "test_no_ciphertext_at_all_is_an_error_of_ours",
    },
    Talkative: {"test_the_data_key_is_not_logged"},
    QuotesTheCiphertext: {"test_nothing_secret_is_shown"},
    NobodyIsAStranger: {"test_a_stranger_cannot_unwrap"},
    ShownAsItIs: {"test_a_label_is_one_printable_line"},
    WithItsCiphertext: {"test_its_entry_gives_it_back"},
    OfAnyName: {"test_nonsense_in_the_configuration_is_refused"},
    QuotesTheConfiguration: {"test_nonsense_in_the_configuration_is_refused"},
    EqualToAll: {"test_equality_goes_by_type_and_name"},
    Strict: {
        "test_its_entry_is_read_as_leniently_as_by_sops",
        "test_an_empty_entry_is_found_out_when_it_is_used",
    },
    UsedWithoutAName: {"test_an_empty_entry_is_found_out_when_it_is_used"},
}


def given_for(kind: type[ToyKey], monkeypatch: pytest.MonkeyPatch, caplog: Any) -> dict[str, Any]:
    """The fixtures and parameters of the contract for a type, which the table has from now on."""
    module = ModuleType("flawed_key")
    module.Kind = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flawed_key", module)
    row = keys.KeyType(**{**vars(ROW), "target": "flawed_key:Kind"})
    monkeypatch.setitem(keys.TABLE, "toy", row)
    return {
        "key": kind("toy-bear"),
        "other": kind("toy-train"),
        "credentials": Credentials({"TOY_SECRETS": "toy-bear=s3cret toy-train=x"}),
        "stranger": Credentials({}),
        "secrets": ["s3cret"],
        "caplog": caplog,
        **{"size": 32, "where": 0.5, "enc": "x", "value": "\x1b[2J" + "a" * 5000},
    }


def test_a_type_without_a_flaw(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    given = given_for(ToyKey, monkeypatch, caplog)
    assert [name for name in names_in(MasterKeyContract) if not holds(MasterKeyContract, name, given)] == []


@pytest.mark.parametrize("kind", FLAWS)
def test_each_flaw_is_noticed(
    kind: type[ToyKey], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = given_for(kind, monkeypatch, caplog)
    failed = {name for name in names_in(MasterKeyContract) if not holds(MasterKeyContract, name, given)}
    assert failed >= FLAWS[kind]


def test_a_type_without_its_row(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    given = given_for(ToyKey, monkeypatch, caplog)
    monkeypatch.delitem(keys.TABLE, "toy")
    assert not holds(MasterKeyContract, "test_the_table_knows_it", given)
