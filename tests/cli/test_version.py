"""``encconf version`` and its other spellings."""

from __future__ import annotations

import pytest
from project import Project

from encconf import SOPS_VERSION, __version__

LINE = f"encconf {__version__} (sops {SOPS_VERSION})\n"


@pytest.mark.parametrize(
    "args", [["--version"], ["-v"], ["version"], ["--color", "never", "-v"], ["-v", "unknown"]]
)
def test_the_version(project: Project, args: list[str]) -> None:
    done = project.run(*args)
    assert (done.out, done.err) == (LINE, "")


def test_no_file_and_no_variable_matters(project: Project) -> None:
    """What packages and scripts ask first must work wherever they are."""
    project.write(".sops.yaml", "creation_rules: [\n")
    environ = {"SOPS_AGE_KEY": "nonsense", "SOPS_CONFIG": "nowhere", "ENCCONF_COLOR": "", "HOME": ""}
    assert project.run("version", environ=environ).out == LINE


def test_with_a_flag_of_sops_it_is_a_line_of_sops(project: Project) -> None:
    assert project.run("--version", "--disable-version-check").out == f"sops {SOPS_VERSION}\n"


def test_it_takes_no_words(project: Project) -> None:
    done = project.run("version", "decrypt", code=1)
    assert done.out == ""
    assert "error[usage]" in done.err
