"""The parser with click: it explains each mistake."""

from __future__ import annotations

import os

import pytest
from cli.argv import ARGV
from hypothesis import example, given, settings
from project import Project

from encconf.cli import full
from encconf.cli.table import COMMANDS
from encconf.errors import EncconfError


@settings(max_examples=300)
@given(ARGV)
@example(["git", "merge", "--nope"])
@example(["git merge"])
def test_a_mistake_is_an_error_of_ours(argv: list[str]) -> None:
    failed: EncconfError | None = None
    try:
        full.parse(list(argv))
    except EncconfError as error:
        failed = error
    except SystemExit as error:
        code = error.code
        assert code == 1, "no command: the help, on stderr"
    if failed is not None:
        named = [row for row in COMMANDS if f" {row.name} " in f" {' '.join(argv)} "]
        assert failed.exit_code in {row.failure for row in named} | {1, 2, 100}
        assert failed.hint


def test_the_quick_parser_is_not_used_for_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.cli import main

    monkeypatch.setitem(os.environ, "_ENCCONF_COMPLETE", "bash_source")
    with pytest.raises(SystemExit) as caught:
        main(["decrypt", "f"])
    assert caught.value.code == 0


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
