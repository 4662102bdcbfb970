"""The help and the completion, by click."""

from __future__ import annotations

import os

import pytest
from project import Project

from encconf.cli import usage
from encconf.cli.table import commands


def test_no_line_of_the_help_ends_within_a_word() -> None:
    for entry in commands():
        said = {word for line in usage.text_of(entry).split("\n") for word in line.split()}
        words = {
            word
            for text in [entry.summary, *(option.help for option in entry.options)]
            for word in text.split()
        }
        assert words <= said, entry.name


def test_completion_comes_before_any_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.cli import main

    monkeypatch.setitem(os.environ, "_ENCCONF_COMPLETE", "bash_source")
    with pytest.raises(SystemExit) as caught:
        main(["decrypt", "f"])
    assert caught.value.code == 0


def test_an_empty_variable_of_completion_changes_nothing(project: Project) -> None:
    assert project.run("--version", environ={"_ENCCONF_COMPLETE": ""}).out.startswith("encconf ")


def test_a_shell_that_is_not_known(project: Project) -> None:
    done = project.run("completion", "tcsh", code=1)
    assert done.out == ""
    assert "completion for tcsh is not supported" in done.err
    assert "supported: bash, zsh, fish" in done.err


def test_a_shell_that_an_old_click_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from click import shell_completion

    from encconf.cli import main

    monkeypatch.setattr(shell_completion, "get_completion_class", lambda shell: None)
    assert main(["completion", "powershell"]) == 1
    assert "hint: update click to 8.5" in capsys.readouterr().err
