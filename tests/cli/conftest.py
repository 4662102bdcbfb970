"""A project with the values of an application."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.many import fill, rule_for, rules
from oracle import AgeKey
from project import Project

from encconf import api

from .application import TREE


@pytest.fixture
def app(project: Project) -> Project:
    project.rules()
    project.write("app.yaml", TREE)
    project.run("encrypt", "app.yaml")
    return project


@pytest.fixture
def team(project: Project) -> tuple[Project, AgeKey]:
    bob = AgeKey.generate()
    fill(project, 2, bob)
    project.write("other.enc.env", api.encrypt("A=1\n", rule_for(project.key), format="dotenv"))
    rules(project, project.key)
    project.write(".sops.recipients", f"bob {bob.recipient}\n")
    return project, bob


@pytest.fixture
def runtime(project: Project) -> Iterator[Path]:
    """A place in memory for this test's private folders alone; empty again afterwards."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.path.ismount(shared) else None) as name:
        project.environ["XDG_RUNTIME_DIR"] = project.environ["TMPDIR"] = name
        yield Path(name)
        assert os.listdir(name) == []
