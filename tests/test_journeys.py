"""tests/journeys/ has the first hour of three people, with only commands from the documentation.

The pages are run like those of docs/ (see `pages`).
"""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
from oracle import FIXTURES, sops_binary
from project import ROOT

JOURNEYS = sorted((ROOT / "tests" / "journeys").glob("*.md"))


@pytest.mark.parametrize("page", JOURNEYS, ids=lambda page: page.stem)
def test_a_journey(page: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    for name, value in pages.enter(folder, FIXTURES / "demo" / "secrets.yaml").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "bin" / "sops").symlink_to(sops_binary())
    monkeypatch.chdir(folder)
    pages.run(page, folder)
