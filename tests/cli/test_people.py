"""People join and leave: `keys add --name`, `keys remove`, `keys list` and `whoami`."""

from __future__ import annotations

import json
import re

import pytest
from cli.terminal import Terminal
from oracle import AgeKey
from project import Project

FILES = ("a.enc.yaml", "deep/b.enc.yaml")


@pytest.fixture
def team(project: Project) -> Project:
    """Two files under one rule with a list, and one file under another rule."""
    project.write(
        ".sops.yaml",
        "creation_rules:\n"
        f"  - path_regex: ^prod/\n    age: {project.key.recipient}\n"
        f"  - age:\n      - {project.key.recipient} # alice\n",
    )
    for name in (*FILES, "prod/c.enc.yaml"):
        project.write(name, f"password: of-{name}\n")
        project.run("encrypt", "-i", name)
    project.git("init", "-q")
    project.git("add", ".")
    project.git("commit", "-qm", "x")
    return project


@pytest.fixture
def bob() -> AgeKey:
    return AgeKey.generate()


def may_open(project: Project, key: AgeKey, *names: str) -> None:
    """Check that a key opens these files of the team, and no other."""
    for name in (*FILES, "prod/c.enc.yaml"):
        code = 0 if name in names else 128
        project.run("decrypt", name, environ={"SOPS_AGE_KEY": key.identity}, code=code)


def test_somebody_joins_and_leaves(team: Project, bob: AgeKey) -> None:
    before = team.read(".sops.yaml")
    done = team.run("keys", "add", "--name", "bob", "-y", "--for", "deep", bob.recipient)
    assert f"      - {bob.recipient} # bob\n" in team.read(".sops.yaml")
    assert "+bob" in done.err
    may_open(team, bob, *FILES)
    assert team.run("check", "--strict").code == 0
    done = team.run("keys", "remove", "-y", "bob")  # .sops.yaml with bob's name was never committed
    assert "(-bob (former, age1" in done.err
    assert re.match(r"bob \(former, age1\S+\) could read these values", done.out)
    assert "password" in done.out
    assert team.read(".sops.yaml") == before
    may_open(team, bob)
    assert team.run("check", "--strict").code == 0


def test_a_leaver_is_removed_from_the_projects_in_several_folders(team: Project, bob: AgeKey) -> None:
    """Also where the key has no name; a name of two people is not removed without a look."""
    one, two, three = (team.path(f"clones/{name}") for name in ("one", "two", "three"))
    for folder, name in ((one, " # bob"), (two, ""), (three, None)):
        keys = f"      - {team.key.recipient} # alice\n"
        if name is not None:
            keys += f"      - {bob.recipient}{name}\n"
        team.write(f"clones/{folder.name}/.sops.yaml", f"creation_rules:\n  - age:\n{keys}")
        team.write(f"clones/{folder.name}/s.enc.yaml", "password: old\n")
        team.run("encrypt", "-i", f"clones/{folder.name}/s.enc.yaml")
    folders = ["clones/one", "clones/two", "clones/three"]
    before = [team.read(f"{folder}/s.enc.yaml") for folder in folders]
    done = team.run("keys", "remove", "-n", "bob", *folders)
    assert done.out.count("could read these values") == 2
    assert [team.read(f"{folder}/s.enc.yaml") for folder in folders] == before
    done = team.run("keys", "remove", "-y", "bob", *folders)
    assert "no rule has these keys in 1 of 3 projects" in done.err
    assert bob.recipient not in "".join(
        team.read(f"{folder}/{name}") for folder in folders for name in (".sops.yaml", "s.enc.yaml")
    )
    assert team.read("clones/three/s.enc.yaml") == before[2]
    done = team.run("keys", "remove", "bob", *folders, code=1)
    assert "no key in the rules of these 3 projects" in done.err
    for folder in folders[:2]:
        rule = team.read(f"{folder}/.sops.yaml") + f"      - {AgeKey.generate().recipient} # bob\n"
        team.write(f"{folder}/.sops.yaml", rule)
    assert "bob is the name of 2 keys" in team.run("keys", "remove", "-y", "bob", *folders, code=1).err


def test_a_plan_changes_nothing(team: Project, bob: AgeKey) -> None:
    before = {name: team.read(name) for name in (".sops.yaml", *FILES)}
    done = team.run("keys", "add", "--name", "bob", "-n", bob.recipient)
    assert bob.recipient in done.out + done.err
    assert ".sops.yaml changes" in done.err
    done = team.run("keys", "add", "--name", "bob", bob.recipient, code=1)
    assert "cannot ask for confirmation" in done.err
    assert {name: team.read(name) for name in before} == before


def test_it_asks_on_a_terminal(team: Project, bob: AgeKey) -> None:
    terminal = Terminal(team, "keys", "add", "--name", "bob", bob.recipient, environ={})
    terminal.wait_for("change .sops.yaml and 3 files?")
    terminal.type("n\n")
    assert terminal.end() == 0
    assert "nothing was changed" in terminal.seen
    assert bob.recipient not in team.read(".sops.yaml")


def test_somebody_without_a_key_changes_nothing(team: Project, bob: AgeKey) -> None:
    before = team.read(".sops.yaml")
    adds, as_bob = ("keys", "add", "--name", "bob", bob.recipient), {"SOPS_AGE_KEY": bob.identity}
    done = team.run(*adds, "-y", environ=as_bob, code=128)
    assert "none of your keys opens the 3 encrypted files, so nothing was changed" in done.err
    assert f"send this line to alice: encconf keys add --name YOUR-NAME {bob.recipient}" in done.err
    assert team.read(".sops.yaml") == before
    team.run(*adds, "-n", environ=as_bob)


def test_the_plan_of_a_file_is_shown_once(project: Project, bob: AgeKey) -> None:
    project.write(".sops.yaml", f"creation_rules:\n  - age:\n      - {project.key.recipient}\n")
    project.write("a.enc.yaml", "password: a\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    terminal = Terminal(project, "keys", "add", "--name", "bob", bob.recipient, environ={})
    terminal.wait_for("change .sops.yaml and 1 file?")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "Group 1" not in terminal.seen  # it was shown before the question
    assert "wrote a.enc.yaml (+bob)" in terminal.seen


def test_a_name_without_a_place_goes_into_the_recipients_file(team: Project, bob: AgeKey) -> None:
    team.run("keys", "add", "--name", "bob", "-y", bob.recipient)
    assert f"age: {team.key.recipient},{bob.recipient}\n" in team.read(".sops.yaml")
    listed = team.run("keys", "list").out
    assert "alice" in listed
    assert "bob" in listed
    assert "all rules" in listed
    data = json.loads(team.run("keys", "list", "--json").out)
    assert {each["name"]: each["rules"] for each in data["keys"]} == {"alice": [0, 1], "bob": [0, 1]}


def test_who_is_not_there(team: Project) -> None:
    done = team.run("keys", "remove", "-y", "carol", code=1)
    assert "no key in the rules has the name carol" in done.err
    assert "the names are: alice\n" in done.err
    dave = AgeKey.generate().recipient
    text = team.read(".sops.yaml")
    team.write(".sops.yaml", f"{text}  - age: {dave}\n")
    done = team.run("keys", "remove", "-y", "carol", code=1)
    assert "the names are: alice; a key without a name is named by its recipient" in done.err
    team.write(".sops.yaml", text)
    done = team.run("keys", "remove", "-y", "alice", code=1)
    assert "would have no recipient" in done.err
    done = team.run("keys", "add", "--name", "dave", "-y", "dave", code=1)
    assert "dave is not a key of a known form" in done.err


def test_one_of_two_keys_with_the_same_name_is_removed_by_itself(team: Project, bob: AgeKey) -> None:
    team.run("keys", "add", "--name", "alice", "-y", bob.recipient)
    done = team.run("keys", "remove", "-y", "alice", code=1)
    named = f"encconf keys remove {team.key.recipient} or {bob.recipient}"
    assert f"hint: to remove one of these 2 keys, name it: {named}" in done.err
    team.run("keys", "remove", "-y", bob.recipient)
    may_open(team, bob)


def test_an_ssh_key_needs_no_quotes(team: Project, bob: AgeKey) -> None:
    kind, blob = "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIJt76aeIPGIf5lYxptFTdezh6ET9bxiFd0OHCEr634i4"
    team.run("keys", "add", "--name", "carol", "-y", kind, blob, "carol@laptop", bob.recipient)
    assert f"      - {kind} {blob} carol@laptop # carol\n" in team.read(".sops.yaml")
    assert f"      - {bob.recipient} # carol\n" in team.read(".sops.yaml")
    done = team.run("keys", "add", "--name", "dan", "-y", kind, code=1)
    assert "it is not a whole SSH public key" in done.err


def test_whoami(team: Project, bob: AgeKey) -> None:
    done = team.run("whoami")
    assert done.out == f"{team.key.recipient}\n"
    assert "opens 3 of 3 encrypted files here" in done.err
    data = json.loads(team.run("whoami", "--json").out)
    assert [(each["recipient"], len(each["files"])) for each in data["keys"]] == [(team.key.recipient, 3)]
    team.run("propose", "a.enc.yaml", "new", input="x")
    assert "opens 3 of 3 encrypted files here" in team.run("whoami").err
    done = team.run("whoami", environ={"SOPS_AGE_KEY": "nonsense"})
    assert done.err.count("SOPS_AGE_KEY") == 1
    done = team.run("whoami", environ={"SOPS_AGE_KEY": bob.identity})
    assert done.out == f"{bob.recipient}\n"
    assert f"send this line to alice: encconf keys add --name YOUR-NAME {bob.recipient}" in done.err
    done = team.run("whoami", environ={"SOPS_AGE_KEY": ""})
    assert done.out == ""
    assert "you have no key on this machine" in done.err
    assert "encconf keygen" in done.err


def test_many_files_that_change_alike_take_one_line(team: Project, bob: AgeKey) -> None:
    for number in range(12):
        team.write(f"many/{number}.enc.yaml", "a: secret\n")
        team.run("encrypt", "-i", f"many/{number}.enc.yaml")
    plan = team.run("keys", "add", "--name", "bob", "-n", bob.recipient).out
    assert "many/11.enc.yaml" in plan, "a pipe gets all names"
    done = team.run("keys", "add", "--name", "bob", "-y", bob.recipient)
    assert [line for line in done.err.splitlines() if "enc.yaml" in line or "files" in line] == [
        "encconf: wrote 15 files (+bob)",
        "encconf: hint: commit .sops.yaml and the files together, and let a colleague review the change",
    ]
    terminal = Terminal(team, "keys", "remove", "-n", "bob", environ={})
    assert terminal.end() == 0
    assert "many/11.enc.yaml" not in terminal.seen
    assert "and 12 more files" in terminal.seen
    done = team.run("keys", "remove", "-y", "--verbose", "bob")
    assert done.err.count("encconf: wrote many/") == 12


def test_a_long_line_of_keys_shows_only_what_changes(project: Project, bob: AgeKey) -> None:
    project.write(".sops.yaml", f"creation_rules:\n  - age: {project.key.recipient}\n")
    project.git("init", "-q")
    done = project.run("keys", "add", "-y", "--name", "bob", bob.recipient)
    assert f"encconf: .sops.yaml changes:\n  +  - age: …, {bob.recipient}\n" in done.err
    assert "no encrypted file" not in done.err
    done = project.run("keys", "list")
    assert done.out.splitlines()[0].split()[0] == "(you)"
    assert done.err.endswith(f"to give a key a name: encconf keys add --name NAME {project.key.recipient}\n")
    done = project.run("keys", "remove", "-y", "bob")
    assert f"  -  - age: …, {bob.recipient}\n" in done.err
