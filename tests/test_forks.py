"""A command in a fork of tests/forks.py behaves as in a process that Python starts."""

from __future__ import annotations

import subprocess
import sys

import forks
import pytest
from project import Project

LINES = [
    ["--version"],
    ["decrypt", "secrets.enc.yaml"],
    ["get", "secrets.enc.yaml", "there.is.none"],
    ["encrypt", "--input-type", "yaml", "--output", "-", "--age", "none", "-"],
    ["exec", "secrets.enc.yaml", "--", "sh", "-c", "pwd; umask; env; wc -c; echo said >&2; exit 7"],
    ["exec", "secrets.enc.yaml", "--", "sh", "-c", "kill -9 $$"],
]


@pytest.mark.parametrize("variables", [{}, {"LANG": "C.UTF-8", "TZ": "Asia/Tokyo"}])
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_the_same_as_python(sealed: Project, line: list[str], variables: dict[str, str]) -> None:
    sealed.environ |= variables
    data = b"x: y\n" * 100_000
    where = {"cwd": sealed.folder, "env": sealed.environ, "input": data}
    real = subprocess.run([sys.executable, "-m", "encconf", *line], capture_output=True, **where)
    fork = forks.run("encconf", line, cwd=sealed.folder, environ=sealed.environ, input=data)
    assert (fork.returncode, fork.stdout, fork.stderr) == (real.returncode, real.stdout, real.stderr)


def test_what_does_not_end_is_ended(sealed: Project) -> None:
    line = ["exec", "secrets.enc.yaml", "--", "sleep", "30"]
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run("encconf", line, cwd=sealed.folder, environ=sealed.environ, timeout=0.5)
