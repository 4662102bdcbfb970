"""encconf git: the merge tool."""

from __future__ import annotations

import os
import subprocess

import pytest
from git.team import (
    _WORDS,
    FILE,
    MERGED,
    RESOLVE,
    TEXT,
    branches,
    commit,
    conflict,
    leaks,
    plain,
    sops_says,
    without_key,
)
from project import Project

TOOL = ["mergetool", "--no-prompt", "--tool=encconf"]


@pytest.mark.parametrize("driver", [True, False], ids=["with the driver", "without"])
def test_the_merge_tool(team: Project, driver: bool) -> None:
    """It starts from the three versions, whatever is in the file: lines of ciphertext, for one."""
    if not driver:
        team.git("config", "--remove-section", "merge.encconf")
    conflict(team, "merge")
    assert ("<<<<<<<" in team.read(FILE)) is not driver
    team.environ.update(team.editor("exit 3"))
    team.git(*TOOL, code=1)
    team.environ.update(team.editor('cat "$1" > "$HOME/seen"; ' + RESOLVE))
    team.git(*TOOL)
    assert "0urs-pa55" in (team.home / "seen").read_text()
    assert plain(team) == TEXT.replace("pa55-w0rd", "the1rs-pa55").replace("t0ken", "t1ken")
    sops_says(team)
    assert "UU" not in team.git("status", "--short")
    assert leaks(team, *_WORDS) == []


def test_the_merge_tool_where_nothing_is_at_odds(team: Project) -> None:
    team.git("config", "--remove-section", "merge.encconf")
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    team.git("merge", "other", code=1)  # the lines of the MAC
    team.environ.update(team.editor("exit 1"))
    team.git(*TOOL)
    assert plain(team) == MERGED


def test_the_merge_tool_where_both_sides_made_the_file(team: Project) -> None:
    team.git("checkout", "-qb", "other")
    commit(team, "a: 1\nb: 2\n", "new.enc.yaml")
    team.git("checkout", "-q", "main")
    commit(team, "a: 2\nc: 3\n", "new.enc.yaml")
    team.git("merge", "other", code=1)
    team.environ.update(team.editor(RESOLVE))
    team.git(*TOOL)
    assert plain(team, "new.enc.yaml") == "a: 1\nc: 3\nb: 2\n"


def test_the_merge_tool_without_a_key(team: Project) -> None:
    conflict(team, "merge")
    before = team.read(FILE)
    without_key(team)
    team.git(*TOOL, code=1)
    assert team.read(FILE) == before


def test_the_merge_tool_is_for_encrypted_files(project: Project) -> None:
    for name in "abcd":
        project.write(f"{name}.yaml", f"{name}: 1\n")
    done = project.run("git", "mergetool", "a.yaml", "b.yaml", "c.yaml", "d.yaml", code=1)
    assert "neither side is encrypted" in done.err


def test_a_merge_that_fails_leaves_both_sides_under_any_label(sealed: Project) -> None:
    """git before 2.42 takes the file then."""
    text = sealed.read("secrets.enc.yaml")
    for name, side in (("base", text), ("ours", text), ("theirs", text.replace("sops:", "sops: ["))):
        sealed.write(name, side)
    label = b"br\xe4nch"
    words = ["--ours-label", label, "base", "ours", "theirs", "./secrets.enc.yaml"]
    sealed.popen("git", "merge", *map(os.fsdecode, words), stderr=subprocess.DEVNULL).wait()
    assert sealed.path("ours").read_bytes().startswith(b"<<<<<<< " + label + b"\n")
