"""A project folder for each test: empty, with an encrypted file, or a repository that has it."""

from __future__ import annotations

import shlex
import stat
import sys
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


@pytest.fixture
def repository(sealed: Project) -> Project:
    """A repository with an encrypted file in it, and the drivers set up."""
    sealed.git("init", "-q", "-b", "main")
    # The package is not installed for this interpreter's git, so PATH gets an encconf.
    program = sealed.home / "bin" / "encconf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m encconf "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    sealed.environ["PATH"] = f"{program.parent}:{sealed.environ['PATH']}"
    sealed.path("secrets.yaml").unlink()
    sealed.git("add", ".")
    sealed.git("commit", "-qm", "one")
    sealed.run("git", "install")
    return sealed
