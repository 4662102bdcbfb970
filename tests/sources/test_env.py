"""``env:``: variables of this process."""

from __future__ import annotations

import pytest

from encconf import sources
from encconf.testing.contracts.source import WHOLE, Failing, Place, SourceContract, failure

from .machine import who

VALUE = b"s3cret-of-this-machine"


class TestEnv(SourceContract):
    SCHEME = "env"
    REASONS = frozenset({"missing"})

    @pytest.fixture
    def place(self) -> Place:
        return Place("env:SECRET", VALUE, lambda: who({"SECRET": VALUE.decode(), "TREE": WHOLE}))

    @pytest.fixture
    def structured(self) -> str:
        return "env:TREE"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+envsubst://$SECRET"

    @pytest.fixture
    def failing(self) -> Failing:
        return lambda reason: {"missing": ("env:NOT_SET", who())}[reason]

    def test_spellings(self) -> None:
        credentials = who({"A": "1", "B": "", "C": "\udcff", "a b": "2"})
        for address in ("env:A", "env://A", "env:$A", "env:${A}", "ref+env:A", "ENV:A", " env:A\n"):
            assert sources.fetch(address, credentials) == b"1"
        assert failure("env:B", credentials).message == "the value is empty"
        assert sources.fetch("env:C", credentials) == b"\xff"
        assert sources.fetch("env:a%20b", credentials) == b"2"

    def test_a_misspelled_name_has_a_suggestion(self) -> None:
        credentials = who({"DB_PASSWORD": "x", "OTHER": "y"})
        assert failure("env:DB_PASWORD", credentials).hint == "did you mean DB_PASSWORD?"
        assert failure("env:DB_USER", credentials).hint == "set it where you start this program"

    def test_it_is_these_credentials_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OF_THE_PROCESS", "x")
        assert failure("env:OF_THE_PROCESS", who()).reason == "missing"
