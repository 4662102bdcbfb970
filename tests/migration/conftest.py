"""A project folder with a rule for every file."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import AgeKey
from project import Project


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, home, AgeKey.generate())
    made.rules()
    return made
