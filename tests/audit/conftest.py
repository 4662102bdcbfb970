"""A repository, and one with a team."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit.repo import Repo

from .team import Team


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


@pytest.fixture
def team(tmp_path: Path, home: Path) -> Team:
    return Team(tmp_path / "team", home)
