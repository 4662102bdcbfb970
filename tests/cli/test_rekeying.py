"""Changing who can open files: plan, show, carry out, report."""

from __future__ import annotations

import os

import pytest
from cli.many import fill, opened, plain, report, rules
from oracle import AgeKey
from project import Project


class TestSomebodyLeaves:
    def test_the_plan(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        before = project.read("f0.yaml")
        done = project.run("updatekeys", "-r", "-n", ".")
        assert done.out == (
            "f0.yaml\n"
            "f1.yaml\n"
            "  Group 1\n"
            f"      {project.key.recipient}\n"
            f"  --- {bob.recipient} (bob)\n"
            "  every value is re-encrypted with a new data key, because a removed recipient knows the old "
            "one\n"
            "\n"
            f"bob ({bob.recipient[:8]}…{bob.recipient[-4:]}) could read these values. Change them at "
            "their source:\n"
            "f0.yaml\nf1.yaml\n  name\n  password\n"
        )
        assert done.err == "encconf: other.enc.env is up to date\n"
        assert project.read("f0.yaml") == before

    def test_removing_your_own_key_gives_a_warning(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        rules(project, bob)
        said = "your own key is removed, and you cannot open the file any more"
        assert f"  {said}\n" in project.run("updatekeys", "-n", "f0.yaml").out
        assert f"warning: f0.yaml: {said}" in project.run("updatekeys", "-y", "f0.yaml").err
        project.run("decrypt", "f0.yaml", code=128)
        rules(project, project.key)
        assert said not in project.run("updatekeys", "-n", "f1.yaml").out

    def test_the_report(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        done = project.run("updatekeys", "-r", "-y", ".")
        assert done.out == (
            f"bob ({bob.recipient[:8]}…{bob.recipient[-4:]}) could read these values. Change them at "
            "their source:\n"
            "f0.yaml\nf1.yaml\n  name\n  password\n"
        )
        assert "wrote f0.yaml, with a new data key (-bob)" in done.err
        assert "change the secrets at their source" in done.err
        assert "hunter2" not in done.out + done.err
        assert opened(project, "f0.yaml") == plain("f0.yaml")

    def test_as_json(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        for flag, status in (("-n", "would-change"), ("-y", "changed"), ("-y", "unchanged")):
            done = project.run("updatekeys", "-r", "--json", flag, ".")
            found = report(done.out)
            assert found["command"] == "updatekeys"
            assert found["dry_run"] == (flag == "-n")
            assert (found["changed"], found["unchanged"]) == ((0, 3) if status == "unchanged" else (2, 1))
            row = found["files"][0]
            assert row["file"] == "f0.yaml"
            assert row["status"] == status
            assert found["files"][2]["status"] == "unchanged"
            if status != "unchanged":
                assert row["data_key"] == "new"
                assert row["removed"] == [{"type": "age", "key": bob.recipient, "name": "bob"}]
                assert row["could_read"] == {"paths": ["name", "password"], "alone": True}

    def test_an_error_names_the_configuration(self, team: tuple[Project, AgeKey]) -> None:
        project, _ = team
        project.write(".sops.yaml", "creation_rules: {")
        found = report(project.run("updatekeys", "-y", "--json", "f0.yaml", code=1).out)
        assert "/.sops.yaml: line 2, column 1: " in found["files"][0]["error"]["message"]

    def test_the_data_key_may_stay(self, team: tuple[Project, AgeKey]) -> None:
        project, _ = team
        done = project.run("updatekeys", "-r", "-n", "--keep-data-key", ".")
        assert "the data key is kept, although a removed recipient knows it" in done.out
        assert (
            report(project.run("updatekeys", "-n", "--keep-data-key", "--json", "f0.yaml").out)["files"][0][
                "data_key"
            ]
            == "kept"
        )

    def test_by_rotate(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        found = report(project.run("rotate", "-r", "--json", "-n", "--rm-age", bob.recipient, ".").out)
        assert [bool(row["could_read"]) for row in found["files"]] == [True, True, False]
        done = project.run("rotate", "-r", "--rm-age", bob.recipient, ".")
        assert "f1.yaml\n  name\n  password\n" in done.out
        assert "other.enc.env: the file has no" not in done.out
        assert "which .sops.yaml does not name" not in done.err
        assert "still names" not in done.err

    def test_rotate_says_that_the_rules_still_name_a_removed_key(self, team: tuple[Project, AgeKey]) -> None:
        """Otherwise the next updatekeys would add it again."""
        project, bob = team
        rules(project, project.key, bob)
        done = project.run("rotate", "-r", "--rm-age", bob.recipient, ".")
        command = done.err.partition("still names ")[2].partition("remove it there, too: ")[2].split("\n")[0]
        project.run(*command.split()[1:], "-y")
        assert bob.recipient not in project.read(".sops.yaml")
        assert "up to date" in project.run("updatekeys", "-r", "-y", ".").err

    @pytest.mark.parametrize("committed", [False, True])
    def test_names_of_removed_keys_come_from_the_history(
        self, team: tuple[Project, AgeKey], committed: bool
    ) -> None:
        project, bob = team
        os.unlink(project.path(".sops.recipients"))
        project.write(
            ".sops.yaml",
            f"creation_rules:\n  - age:\n      - {project.key.recipient}\n      - {bob.recipient} # bob\n",
        )
        project.git("init", "-q")
        project.git("add", "-A")
        project.git("commit", "-qm", "x")
        rules(project, project.key)
        if committed:
            project.git("commit", "-qam", "y")
        done = project.run("rotate", "f1.yaml", code=1)
        assert f"would get the data key: age bob (former, {bob.recipient})\n" in done.err
        done = project.run("updatekeys", "-r", "-y", "--json", ".")
        short = f"{bob.recipient[:8]}…{bob.recipient[-4:]}"
        assert f"wrote f0.yaml, with a new data key (-bob (former, {short}))" in done.err
        removed = [key for row in report(done.out)["files"] for key in row["removed"]]
        assert removed == [{"type": "age", "key": bob.recipient, "name": "bob"}] * 2

    def test_each_configuration_has_its_names(self, project: Project) -> None:
        """They are read while others are still being found, by other threads."""
        names = [fill(project, 1, folder=f"d{number:02}/")[0] for number in range(40)]
        keys = [AgeKey.generate() for _ in names]
        for number, key in enumerate(keys):
            both = f"      - {project.key.recipient}\n      - {key.recipient} # person{number}\n"
            project.write(f"d{number:02}/.sops.yaml", f"creation_rules:\n  - age:\n{both}")
        done = project.run("updatekeys", "-r", "-y", ".")
        reported = [f"encconf: wrote {name} (+person{number})" for number, name in enumerate(names)]
        assert done.err.splitlines() == reported

    def test_names_that_cannot_be_read(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        project.write(".sops.recipients", "bob is away\n")
        done = project.run("updatekeys", "-r", "-y", ".")
        assert done.err.count("keys are shown without names") == 1
        assert f"(-{bob.recipient[:8]}…{bob.recipient[-4:]})" in done.err
        assert opened(project, "f1.yaml") == plain("f1.yaml")

    def test_a_missing_key_is_reported_once_for_all_files(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        names = fill(project, 9, bob)
        other = {"SOPS_AGE_KEY": AgeKey.generate().identity}
        done = project.run("updatekeys", "-r", "-y", "--checklist", "list.md", ".", environ=other, code=128)
        assert done.err.count("error[no-key]") == 1
        assert f"the same for {len(names) - 1} other files: f1.yaml, f2.yaml, f3.yaml and 5 more" in done.err
        assert not project.path("list.md").exists()
        assert done.out == ""

    def test_a_stranger_in_the_report(self, team: tuple[Project, AgeKey]) -> None:
        project, bob = team
        done = project.run("rotate", "--json", "f0.yaml", code=1)
        assert report(done.out)["files"][0]["strangers"] == [
            {"type": "age", "key": bob.recipient, "name": "bob"}
        ]
        assert f"age bob ({bob.recipient})\n" in done.err
        done = project.run("rotate", "f0.yaml", "--resume-at", "f9.yaml", code=1)
        assert "f9.yaml is not one of the files that you gave" in done.err


class TestGroups:
    def test_as_json(self, project: Project) -> None:
        fill(project, 1)
        rules(project, project.key)
        other = AgeKey.generate()
        add = ["groups", "add", "-f", "f0.yaml", "--age", other.recipient]
        before = project.read("f0.yaml")
        plan = report(project.run(*add, "--json", "-n").out)
        assert plan["command"] == "groups add"
        assert plan["files"][0]["threshold"] == {"old": 1, "new": 2}
        assert "+++ shamir_threshold: 2" in project.run(*add, "-n").out
        project.run(*add, "--json", code=8)
        assert project.read("f0.yaml") == before
        assert report(project.run(*add, "--json", "-i").out)["files"][0]["status"] == "changed"
        both = {"SOPS_AGE_KEY": f"{project.key.identity}\n{other.identity}"}
        delete = ["groups", "delete", "-f", "f0.yaml", "--threshold", "1", "1"]
        row = report(project.run(*delete, "--json", "-i", environ=both).out)["files"][0]
        assert row["removed"][0]["key"] == other.recipient
        assert row["threshold"] == {"old": 2, "new": 1}
        assert row["could_read"] == {"paths": ["name", "password"], "alone": False}

    def test_the_report_does_not_mix_with_the_file(self, project: Project) -> None:
        fill(project, 1)
        other = AgeKey.generate()
        project.run("groups", "add", "-i", "-f", "f0.yaml", "--age", other.recipient)
        both = {"SOPS_AGE_KEY": f"{project.key.identity}\n{other.identity}"}
        done = project.run("groups", "delete", "-f", "f0.yaml", "--threshold", "1", "1", environ=both)
        assert "could read" not in done.out
        assert ", together with keys of other groups, could read these values" in done.err


def test_a_checklist_and_a_report_do_not_share_stdout(sealed: Project) -> None:
    for words in (["updatekeys", "-y"], ["rotate"]):
        done = sealed.run(*words, "--json", "--checklist", "-", "secrets.enc.yaml", code=8)
        assert (done.out, "both be written to stdout" in done.err) == ("", True)
