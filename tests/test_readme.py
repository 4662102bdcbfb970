"""README.md is run: its commands and its Python, from top to bottom, in one empty project.

In a ``console`` block, lines after ``$ `` are commands and the others what they print; a line ``…``
stands for any lines.  ``python`` blocks share one namespace.  The ``yaml`` block is this repository's
``.sops.yaml``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import FIXTURES

from encconf import config

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository with the demo's secrets.yaml, and encconf on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    encconf = programs / "encconf"
    encconf.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
    editor = programs / "editor"  # takes a second, as a person does: the date changes, too
    editor.write_text('#!/bin/sh\nsleep 1.1\nexec sed -i s/pa55-w0rd/n3w-pa55/ "$1"\n')
    for program in (encconf, editor):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PAGER", "cat")
    monkeypatch.setenv("SOPS_EDITOR", "editor")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(FIXTURES / "demo" / "secrets.yaml", folder)
    settings = ("user.name=Reader", "user.email=reader@example.com", "init.defaultBranch=main")
    for name, _, value in (setting.partition("=") for setting in settings):
        subprocess.run(["git", "config", "--global", name, value], check=True)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return folder


def fits(printed: str, expected: str) -> bool:
    """Whether an output is the expected one, where a line ``…`` is any number of lines."""
    lines = expected.splitlines(keepends=True)
    pattern = "".join("(?:.*\n)*" if line == "…\n" else re.escape(line) for line in lines)
    return re.fullmatch(pattern, printed) is not None


def test_what_it_shows_is_so(project: Path) -> None:
    names: dict[str, object] = {}
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "README.md", "exec"), names)
        if language != "console":
            continue
        for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, expected = step.partition("\n")
            shell = ["bash", "-c", f"exec 2>&1; {command}"]
            done = subprocess.run(shell, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
            assert done.returncode == 0, f"{command}\n{done.stdout}"
            assert fits(done.stdout, expected), f"{command}\n{done.stdout}\n--- expected\n{expected}"
    plain = (FIXTURES / "demo" / "secrets.yaml").read_text()
    assert (project / "secrets.yaml").read_text() == plain.replace("pa55-w0rd", "n3w-pa55")


def test_the_example_configuration_is_the_one_in_this_repository() -> None:
    (quoted,) = [block for language, block in BLOCKS if language == "yaml"]
    assert quoted == (ROOT / ".sops.yaml").read_text(encoding="utf-8")
    rules = config.load(str(ROOT / ".sops.yaml"), quoted)
    production = rules.rule_for(str(ROOT / "deploy" / "prod" / "web.yaml"))
    assert [len(group) for group in production.groups] == [2]
    assert [len(group) for group in rules.rule_for(str(ROOT / "web.yaml")).groups] == [1]


def test_its_files_exist() -> None:
    for target in re.findall(r"\]\(([^):]+)\)", README):
        assert (ROOT / target).exists(), target
