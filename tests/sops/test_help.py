"""Help and completion of encconf called sops."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .conftest import Box


def test_completion_in_bash(ours: Box) -> None:
    script = ours.run("completion", "bash", code=0).out + (
        f"\nPATH={Path(ours.program).parent}:$PATH\n"
        'COMP_WORDS=(sops dec); COMP_CWORD=1; _sops_complete; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(sops decrypt --ext); COMP_CWORD=2; _sops_complete; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash"],
        input=script,
        text=True,
        check=True,
        capture_output=True,
        env={**ours.environ, "HOME": "/"},
    )
    assert done.stdout == "decrypt\n--extract\n"


def test_completion(ours: Box) -> None:
    words = ours.run("--generate-bash-completion", code=0).out.split()
    assert {"decrypt", "exec-env", "groups"} <= set(words)
    assert ours.run("groups", "--generate-bash-completion", code=0).out.split() == ["add", "delete"]
    assert "--extract" in ours.run("decrypt", "-", "--generate-bash-completion").out.split()
    for shell in ("bash", "zsh", "fish", "powershell"):
        assert "sops" in ours.run("completion", shell, code=0).out
    script = ours.run("completion", "bash", code=0).out
    done = subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["-h"],
        ["help"],
        ["decrypt", "--help"],
        ["help", "set"],
        ["groups"],
        ["groups", "add", "-h"],
    ],
)
def test_help(ours: Box, args: list[str]) -> None:
    done = ours.run(*args, code=0)
    assert "sops" in done.out
    assert done.err == ""
