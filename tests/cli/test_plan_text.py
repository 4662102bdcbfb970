"""What a plan changes, in words."""

from __future__ import annotations

import os

import forks
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


def test_a_recipient_cannot_be_a_line_of_the_plan(project: Project) -> None:
    """Anyone can write one into a file, and a user decides by the plan."""
    fill(project, 1)
    text = project.read("f0.yaml")
    fake = r"ABC\n+++ age1friend\e[1A\u202e"
    entry = (
        f'    pgp:\n        - created_at: "2020-01-01T00:00:00Z"\n          enc: x\n          fp: "{fake}"\n'
    )
    project.write("f0.yaml", text.replace("\nsops:\n", f"\nsops:\n{entry}\n"))
    done = project.run("updatekeys", "-n", "f0.yaml")
    ours = forks.run(
        "sops", ["updatekeys", "f0.yaml"], cwd=project.folder, environ=project.environ, input=b"n\n"
    )
    for out in (done.out, ours.stdout.decode()):
        assert "--- ABC\\n+++ age1friend" in out
        assert "\x1b" not in out
        assert "\u202e" not in out
