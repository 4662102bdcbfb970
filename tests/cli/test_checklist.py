"""A list of values that somebody could read, to tick off."""

from __future__ import annotations

import os
import re

import pytest
from cli.many import fill, rule_for, rules
from oracle import AgeKey
from project import Project

from encconf import api


def test_a_checklist_and_failures(team: tuple[Project, AgeKey]) -> None:
    project, _ = team
    project.write("f0.yaml", project.read("f0.yaml").replace("sops:", "sops: ["))
    done = project.run("updatekeys", "-r", "-y", "--checklist", "list.md", "--fail-fast", ".", code=2)
    assert "stopped: 0 of 3 files are done, 1 failed" in done.err
    assert not project.path("list.md").exists()
    done = project.run("updatekeys", "-r", "-y", "--checklist", "list.md", ".", code=2)
    assert "1 of 3 files failed: f0.yaml" in done.err
    assert project.read("list.md").count("f1.yaml") == 2
    done = project.run("rotate", "--checklist", "x.md", "-", input=project.read("f1.yaml"), code=1)
    assert "--checklist is for files, not for stdin" in done.err


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("f1.yaml", 2, "unreadable]: f1.yaml: this file is not a checklist"),
        (
            "nowhere/list.md",
            3,
            "unwritable]: nowhere/list.md: cannot be written: its folder does not exist",
        ),
        (".", 2, "unreadable]: .: cannot be read: it is a folder"),
    ],
)
def test_nothing_is_changed_if_the_checklist_cannot_be_written(
    team: tuple[Project, AgeKey], name: str, code: int, why: str
) -> None:
    project, _ = team
    before = [project.read(f"f{number}.yaml") for number in range(2)]
    done = project.run("updatekeys", "-r", "-y", "--checklist", name, ".", code=code)
    assert f"error[{why}\n" in done.err
    assert [project.read(f"f{number}.yaml") for number in range(2)] == before


@pytest.mark.parametrize("name", [os.devnull, "/dev/stderr", "-", "pipe"])
def test_a_checklist_for_a_device_or_a_pipe(team: tuple[Project, AgeKey], name: str) -> None:
    project, bob = team
    os.mkfifo(project.path("pipe"))
    reader = os.open(project.path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = project.run("rotate", "--rm-age", bob.recipient, "--checklist", name, "f0.yaml")
        assert f"wrote {name}: 2 values to change\n" in done.err
        found = {"pipe": os.read(reader, 4096).decode(), os.devnull: "", "-": done.out}.get(name, done.err)
    finally:
        os.close(reader)
    assert found.count("- [ ] `password` in `f0.yaml`: ") == (name != os.devnull)
    assert "-" not in project.names()


def test_a_checklist_of_any_names(team: tuple[Project, AgeKey]) -> None:
    project, _ = team
    os.rename(project.path("f1.yaml"), project.path("a`b``c\n# x.yaml"))
    project.run("updatekeys", "-r", "-y", "--checklist", "list.md", ".")
    items = [line for line in project.read("list.md").splitlines() if "a`b" in line]
    assert items
    assert all("in ``` a`b``c\\n# x.yaml ```: bob" in item for item in items)


def test_secrets_come_first_in_a_checklist(team: tuple[Project, AgeKey]) -> None:
    project, bob = team
    text = "replicas: 3\nregion: eu\ndb: {host: db, apiKey: x}\ntokens: [y]\nurl: z\n"
    project.write("a.yaml", api.encrypt(text, rule_for(project.key, bob)))
    project.run("updatekeys", "-r", "-y", "--checklist", "list.md", ".")
    items = re.findall(r"`([^`]*)` in", project.read("list.md"))
    secrets = ["db.apiKey", "tokens[0]", "password", "password"]
    assert items == [*secrets, "region", "db.host", "url", "name", "name", "replicas"]


def test_a_checklist_is_continued(team: tuple[Project, AgeKey]) -> None:
    project, bob = team
    command = ["rotate", "--rm-age", bob.recipient, "--checklist", "list.md"]
    project.run(*command, "f0.yaml")
    ticked = project.read("list.md").replace("- [ ]", "- [x]", 1) + "Ask Carol"
    project.write("list.md", ticked)
    fill(project, 2, bob)
    done = project.run(*command, "f0.yaml", "f1.yaml")
    assert "wrote list.md: 4 values to change, 2 of them known\n" in done.err
    assert project.read("list.md").startswith(ticked + "\n- [ ] `password` in `f1.yaml`: ")
    assert project.read("list.md").count("f0.yaml") == 2
    fill(project, 1, bob)
    rules(project, project.key, bob)
    done = project.run("rotate", "--checklist", "list.md", "f0.yaml")
    assert "no recipient is removed, so the checklist has no items" in done.err


def test_a_checklist(team: tuple[Project, AgeKey]) -> None:
    project, bob = team
    who = f"bob ({bob.recipient[:8]}…{bob.recipient[-4:]}) could read it"
    command = ["updatekeys", "-r", "--checklist", "list.md"]
    project.run(*command, "-n", ".")
    assert not project.path("list.md").exists()
    done = project.run(*command, "-y", ".")
    assert "wrote list.md: 4 values to change\n" in done.err
    assert done.err.index("wrote list.md") < done.err.index("wrote f0.yaml")
    text = project.read("list.md")
    assert text == (
        "# Values to change at their source\n\n"
        f"- [ ] `password` in `f0.yaml`: {who}\n- [ ] `password` in `f1.yaml`: {who}\n"
        f"- [ ] `name` in `f0.yaml`: {who}\n- [ ] `name` in `f1.yaml`: {who}\n"
    )
    assert "nobody" not in done.err
    done = project.run(*command, "-y", ".")
    assert "list.md" not in done.err
    assert project.read("list.md") == text
