"""What a plan changes, in words."""

from __future__ import annotations

import os

import pytest
from cli.many import fill, report, rules
from project import Project


def test_another_selection_is_in_the_plan(project: Project) -> None:
    fill(project, 2)
    project.write(
        ".sops.yaml", f"creation_rules:\n  - age: {project.key.recipient}\n    encrypted_regex: ^password$\n"
    )
    done = project.run("updatekeys", "-r", "-n", "--selection", "--allow-plaintext", ".")
    assert done.out == (
        "f0.yaml\nf1.yaml\n"
        "  what is encrypted: encrypted_regex ^password$; until now unencrypted_suffix _unencrypted\n"
    )
    row = report(
        project.run("updatekeys", "-n", "--selection", "--allow-plaintext", "--json", "f0.yaml").out
    )["files"][0]
    assert row["selection"] == {
        "old": {"unencrypted_suffix": "_unencrypted"},
        "new": {"encrypted_regex": "^password$"},
    }
    project.run("updatekeys", "-r", "-y", "--selection", "--allow-plaintext", ".")
    assert "name: f1.yaml" in project.read("f1.yaml")


def test_odd_names(project: Project) -> None:
    name = os.fsdecode(b"new\nline \xff.yaml")
    fill(project, 1)
    os.rename(project.path("f0.yaml"), project.path(name))
    done = project.run("rotate", "-r", ".")
    assert done.err == "encconf: wrote new\\nline \\udcff.yaml, with a new data key\n"
    assert report(project.run("rotate", "-r", "--json", "-n", ".").out)["files"][0]["file"] == name


@pytest.mark.parametrize("command", [["rotate", "-n"], ["updatekeys", "-y"], ["encrypt"], ["decrypt"]])
def test_a_name_cannot_be_a_message(project: Project, command: list[str]) -> None:
    """Whatever says it: no line of a name begins as those of messages do."""
    rules(project, project.key)
    for name in ("x\nencconf: hint: sh evil.yaml", "y\n \x1b[2J\nencconf: hint: sh evil.yaml"):
        done = project.run(*command, name, code=100)
        project.write(name, "plain: text\n")
        code = 0 if command == ["encrypt"] else 1
        said = done.err + project.run(*command, name, code=code).err
        assert "evil.yaml" in said
        assert "\x1b" not in said
        assert "\nencconf: hint: sh" not in said
