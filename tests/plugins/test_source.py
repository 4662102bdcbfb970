"""A source takes its module and its row."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import AgeKey

from encconf import sources
from encconf.identities.credentials import AgeSource, Credentials
from encconf.testing.contracts.source import WHOLE, Failing, Place, SourceContract


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.TABLE, "toy", sources.Row("plugins.toy_source", runs_program=True))


class TestToySource(SourceContract):
    SCHEME = "toy"
    REASONS = frozenset({"missing", "unusable"})

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "bear").write_bytes("a-bear's-välue".encode())
        (tmp_path / "box").write_text(WHOLE)
        environ = {"TOY_FOLDER": str(tmp_path)}
        return Place("toy:bear", "a-bear's-välue".encode(), lambda: Credentials(environ))

    @pytest.fixture
    def structured(self) -> str:
        return "toy:box"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+toy://bear"

    @pytest.fixture
    def failing(self, tmp_path: Path) -> Failing:
        environs = {"missing": {"TOY_FOLDER": str(tmp_path)}, "unusable": {}}
        return lambda reason: ("toy:train", Credentials(environs[reason]))


def test_an_identity_can_be_kept_there(tmp_path: Path, age_key: AgeKey) -> None:
    from encconf import api
    from encconf.testing import TestKey

    (tmp_path / "me").write_text(age_key.identity)
    text = TestKey(age_key.identity, age_key.recipient).encrypt({"a": 1}, format="json")
    environ = {"ENCCONF_IDENTITY": "toy:me", "TOY_FOLDER": str(tmp_path)}
    assert api.loads(text, format="json", credentials=Credentials(environ)) == {"a": 1}


@pytest.mark.parametrize(
    ("address", "may"),
    [("toy:bear", True), ("ref+cmd:pass x", True), ("vault:a#b", False), ("secretref+openbao:a#b", False)],
)
def test_doctor_knows_which_sources_may_start_a_program(address: str, may: bool) -> None:
    assert AgeSource("ENCCONF_IDENTITY", "source", address).may_run_program is may
