"""What `encconf export` writes, read back by the programs that it is for.

bash, dash, node, GitHub and Kubernetes are in test_exec.py, systemd in tests/systemd/test_envfile.py.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values
from project import Project

from encconf import export

# Values that are hard to spell: everything that some shell or parser takes for a sign of its own.
AWKWARD = [
    'plain', 'two words', 'a#b', 'a #b', '"quoted"', "'quoted'", "it's", 'it\'s "both"', "it's $HOME",
    "it's \\", '$HOME ${HOME} $(id)', 'back\\slash', 'C:\\new\\table', '\\', 'C:\\', '`id`',
    'one\ntwo\n', '\n', 'a\rb', 'ünï☃', '😀', 'a;b&c|d', ' spaces ', 'tab\there', '!bang', '', '=', '-n',
    '%41', '~', '*', '{a,b}', '[x]', '\x1b[0m',
]  # fmt: skip
NAMES = [f"V{number:02}" for number in range(len(AWKWARD))]


@pytest.fixture
def awkward(project: Project) -> Project:
    project.rules()
    project.write("v.json", json.dumps(dict(zip(NAMES, AWKWARD, strict=True))))
    project.run("encrypt", "-i", "v.json")
    return project


def printed(project: Project, dialect: str, *args: str) -> str:
    return project.run("export", "--format", dialect, *args, "v.json").out


def said_by(shell: list[str], folder: Path) -> list[str]:
    """The values of the variables, as a program reads them that a shell has started."""
    done = subprocess.run(
        shell,
        cwd=folder,
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    pairs = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    return [pairs.get(name, "") for name in NAMES]


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing (see .ci/run)"
    return found


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("dialect", ["shell", "dotenv", "env-file"])
def test_shells(awkward: Project, shell: str, dialect: str) -> None:
    awkward.write("out", printed(awkward, dialect))
    assert said_by([program(shell), "-c", "set -a; . ./out; exec env -0"], awkward.folder) == AWKWARD


def test_eval(awkward: Project) -> None:
    awkward.write("out", printed(awkward, "shell"))
    assert said_by([program("bash"), "-c", 'eval "$(cat out)"; exec env -0'], awkward.folder) == AWKWARD


def test_fish(awkward: Project) -> None:
    awkward.write("out", printed(awkward, "fish"))
    assert said_by([program("fish"), "-c", "source out; exec env -0"], awkward.folder) == AWKWARD


def test_python_dotenv(awkward: Project) -> None:
    """All but one: it has no escape for a $, in whatever quotes."""
    text = printed(awkward, "dotenv")
    given = dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
    wrong = [value for name, value in zip(NAMES, AWKWARD, strict=True) if given.get(name) != value]
    assert wrong == ["it's $HOME"]


def test_node(awkward: Project) -> None:
    """It has no escapes in double quotes but for line breaks, and takes a \\r for a line break."""
    awkward.write("out.env", printed(awkward, "dotenv"))
    script = "console.log(JSON.stringify(process.env))"
    done = subprocess.run(
        [program("node"), f"--env-file={awkward.path('out.env')}", "-e", script],
        capture_output=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    given = json.loads(done.stdout)
    wrong = [value for name, value in zip(NAMES, AWKWARD, strict=True) if given.get(name, "") != value]
    assert wrong == ['it\'s "both"', "it's $HOME", "it's \\", "\\", "C:\\", "a\rb"]


def test_json(awkward: Project) -> None:
    assert list(json.loads(printed(awkward, "json")).values()) == AWKWARD


@pytest.mark.parametrize("dialect", ["dotenv", "shell", "fish", "json", "env-file", "k8s"])
def test_into_a_file(awkward: Project, dialect: str) -> None:
    done = awkward.run("export", "--format", dialect, "-o", "out", "v.json")
    assert done.out == ""
    assert "wrote out, in plain text" in done.err
    assert awkward.read("out") == printed(awkward, dialect)
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o600


def test_into_a_file_that_others_could_read(awkward: Project) -> None:
    awkward.write("out", "old").chmod(0o644)
    assert "its mode is 0600 now" in awkward.run("export", "--format", "json", "-o", "out", "v.json").err
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o600


def test_a_folder_is_no_file(awkward: Project) -> None:
    awkward.path("out").mkdir(mode=0o755)
    assert "it is a folder" in awkward.run("export", "--format", "json", "-o", "out", "v.json", code=3).err
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o755


def test_a_file_in_a_repository(awkward: Project) -> None:
    """Plain text that git would take is warned about."""
    awkward.git("init", "-q")
    assert "git does not ignore it" in awkward.run("export", "--format", "dotenv", "-o", "out", "v.json").err


def test_mistakes(awkward: Project) -> None:
    for words in (["json", "--with-key", "host"], ["github", "-o", "x"]):
        awkward.run("export", "--format", *words, "v.json", code=8)
    assert awkward.names() == [".sops.yaml", "v.json"]


def test_the_formats_are_those_of_the_table() -> None:
    from encconf.cli.table import COMMANDS

    command = next(command for command in COMMANDS if command.name == "export")
    option = next(option for option in command.options if "--format" in option.names)
    assert option.choices == export.FORMATS
