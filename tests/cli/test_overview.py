"""encconf without a command."""

from __future__ import annotations

import pytest
from audit.repo import ALICE, BOB, DATABASE, Repo, rule, seal
from project import Project


@pytest.fixture
def repo(project: Project) -> Repo:
    return Repo.without_rules(project)


def test_encconf_alone(repo: Repo, project: Project) -> None:
    repo.write("secrets/a.yaml", seal(DATABASE, rule(ALICE, BOB)))
    repo.write(".envrc", "eval $(sops -d secrets/a.yaml)\n")
    lines = project.run().out.splitlines()
    assert len(lines) == 5
    assert lines[0] == "1 SOPS file (yaml 1) in secrets/"
    assert lines[1].startswith("encrypted for 2 keys: age1")
    assert lines[2].startswith("no .sops.yaml: ")
    assert lines[3].startswith("sops is called in: .envrc")
    assert lines[4].startswith("next: encconf check")


def test_a_configuration_in_the_folder_of_the_files_counts(repo: Repo, project: Project) -> None:
    for folder in ("apps/web", "apps/db"):
        repo.write(f"{folder}/a.yaml", seal(DATABASE, rule(ALICE)))
        repo.write(f"{folder}/.sops.yaml", f"creation_rules:\n  - age: {ALICE.recipient} # alice\n")
    lines = project.run().out.splitlines()
    assert lines[1] == "encrypted for 1 key: alice"
    assert lines[2].startswith("next: encconf check")
    repo.write("other/a.yaml", seal(DATABASE, rule(BOB)))
    lines = project.run().out.splitlines()
    assert lines[2] == ("1 of these files have no .sops.yaml: encconf init writes one that matches the files")


def test_encconf_alone_elsewhere_is_the_help(repo: Repo, project: Project) -> None:
    assert "Usage" in project.run(code=1).err
