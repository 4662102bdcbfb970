"""A project folder for each test: empty, or with an encrypted file."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import AgeKey
from project import PLAIN, Project


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder, home, AgeKey.generate())


@pytest.fixture
def sealed(project: Project) -> Project:
    """A project with secrets.yaml and its encrypted twin."""
    project.rules()
    project.write("secrets.yaml", PLAIN)
    project.run("encrypt", "secrets.yaml")
    return project
