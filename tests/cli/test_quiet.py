"""`--quiet`: nothing is said of what was done; results, warnings and errors stay."""

from __future__ import annotations

import pytest
from project import PLAIN, Project

from encconf.cli.table import commands


@pytest.mark.parametrize("before", [True, False])
def test_no_notes(project: Project, before: bool) -> None:
    project.rules()
    project.write("secrets.yaml", PLAIN)
    words = ["--quiet", "encrypt"] if before else ["encrypt", "--quiet"]
    assert project.run(*words, "secrets.yaml").err == ""
    assert project.run("encrypt", "secrets.yaml").err
    assert project.run("decrypt", "--quiet", "secrets.enc.yaml").out == PLAIN
    assert project.run("rotate", "--quiet", "secrets.enc.yaml").err == ""
    assert "is up to date" in project.run("updatekeys", "-y", "secrets.enc.yaml").err
    assert project.run("updatekeys", "--quiet", "-y", "secrets.enc.yaml").err == ""


def test_warnings_and_errors_stay(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.write("other.yaml", PLAIN)
    said = sealed.run("encrypt", "--quiet", "other.yaml").err
    assert said.startswith("encconf: warning: other.yaml: plaintext that git")
    assert "no-such-file" in sealed.run("decrypt", "--quiet", "nothing.yaml", code=100).err


def test_every_command_has_it() -> None:
    for command in commands():
        assert [name for option in command.options for name in option.names].count("--quiet") == 1
