"""A repository that has an encrypted file."""

from __future__ import annotations

import shlex
import stat
import sys

import pytest
from git.team import TEXT, commit
from project import Project


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


@pytest.fixture
def team(repository: Project) -> Project:
    """A repository with `TEXT`, for the project's key."""
    commit(repository, TEXT)
    return repository
