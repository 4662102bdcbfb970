"""A name in someone else's file cannot end the line of a message and write the next one."""

from __future__ import annotations

import json
import re

import forks
import pytest
from project import Project

FORGED = "encconf: ok, decrypted"
KEY = f"k\n{FORGED}\n\x1b[31m"


@pytest.fixture
def forged(project: Project) -> Project:
    """A project with encrypted files whose key has line breaks, all damaged but one."""
    project.rules()
    project.write("p.json", json.dumps({KEY: "x", "n": {KEY: 1}, "s": "y"}))
    project.run("encrypt", "p.json", "-o", "good.json")
    good = project.read("good.json")
    project.write("changed.json", good.replace("AES256_GCM,data:", "AES256_GCM,data:AAAA", 1))
    project.write("plain.json", re.sub(r'"ENC\[[^"]*type:str\]"', '"plain"', good, count=1))
    project.write("type.json", good.replace("type:str]", "type:int]", 1))
    project.write(
        "block.json", json.dumps({"a": "ENC[AES256_GCM,data:", "sops": {KEY: [{"enc": ""}], "age": [1]}})
    )
    project.write(
        "lost.json", json.dumps({key: value for key, value in json.loads(good).items() if key != "sops"})
    )
    project.write("twice.json", good.replace('"s":', json.dumps(KEY) + ":", 1))
    project.write(".env", f"'{KEY}'=1\nB=${{C}}\n")
    return project


COMMANDS = [
    "decrypt",
    "get {} nope",
    "set {} n.a.b.c 1",
    "unset {} nope",
    "check",
    "explain",
    "exec {} -- true",
]
COMMANDS += [
    "access",
    "diff good.json",
    "edit",
    "rotate",
    "updatekeys -y",
    "export --format dotenv",
    "encrypt",
]
COMMANDS += ["export --format json --section nope"]


def _said(project: Project, words: list[str]) -> str:
    environ = {**project.environ, "EDITOR": "true"}
    done = forks.run("encconf", words, cwd=project.folder, environ=environ)
    return (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["good", "changed", "plain", "type", "block", "lost", "twice"])
def test_a_key_stays_on_its_line(forged: Project, command: str, name: str) -> None:
    words = command.format(f"{name}.json").split()
    words += [] if "{}" in command else [f"{name}.json"]
    said = _said(forged, words)
    assert not re.search(f"(?m)^ *{FORGED}", said), said
    assert "\x1b" not in said


def test_names_of_variables(forged: Project) -> None:
    for words in (["import", ".env", "--literal", "*", "-n"], ["import", ".env", "-n"]):
        said = _said(forged, words)
        assert not re.search(f"(?m)^ *{FORGED}", said), said
        assert "\x1b" not in said
