"""One systemd user manager for all the tests of this folder, and projects to serve from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import AgeKey
from project import Project
from systemd.awkward import AWKWARD
from systemd.services import NAME
from systemd.services import PLAIN as UNIT_TEXT
from systemd.serving import BIG, PLAIN

from .manager import Manager


@pytest.fixture(scope="session")
def manager() -> Iterator[Manager]:
    with Manager() as running:
        yield running


@pytest.fixture
def project(manager: Manager, home: Path) -> Project:
    """A project that units can see; its name has a sign that systemd expands."""
    folder = manager.folder / f"p%{len(list(manager.folder.glob('p%*')))}"
    folder.mkdir(mode=0o700)
    made = Project(folder, home, AgeKey.generate())
    made.rules()
    return made


@pytest.fixture
def values(project: Project) -> Project:
    project.write("s.yaml", PLAIN.replace("BIG", BIG))
    project.run("encrypt", "s.yaml")
    return project


@pytest.fixture
def described(project: Project) -> Project:
    project.write("s.yaml", UNIT_TEXT)
    project.run("encrypt", "-o", NAME, "s.yaml")
    project.write("key.txt", project.key.identity + "\n").chmod(0o600)
    return project


@pytest.fixture
def awkward(project: Project) -> Project:
    project.write("v.json", json.dumps({f"v{number:02}": value for number, value in enumerate(AWKWARD)}))
    project.run("encrypt", "-i", "v.json")
    return project
