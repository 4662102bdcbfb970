"""``encconf encrypt`` as a program."""

from __future__ import annotations

import subprocess

import pytest
from oracle import AgeKey
from project import PLAIN, Project, small_files


def changed_lines(old: str, new: str) -> list[str]:
    """The keys of the lines that differ between two texts of the same length."""
    pairs = list(zip(old.split("\n"), new.split("\n"), strict=True))
    return [after.split(":")[0].strip() for before, after in pairs if before != after]


class TestFullDisk:
    @pytest.mark.parametrize("args", [["encrypt", "-i"], ["encrypt"]])
    @pytest.mark.posix
    def test_the_existing_file_stays(self, sealed: Project, args: list[str]) -> None:
        sealed.write("secrets.yaml", PLAIN.replace("5432", "5433"))
        before = {name: sealed.read(name) for name in sealed.names()}
        process = sealed.popen(*args, "secrets.yaml", stderr=subprocess.PIPE, **small_files(1024))
        _, err = process.communicate(timeout=60)
        assert process.returncode == 3
        assert err.startswith(b"encconf: error[unwritable]: ")
        assert {name: sealed.read(name) for name in sealed.names()} == before


class TestTwin:
    def test_only_the_changed_line_differs(self, sealed: Project) -> None:
        old = sealed.read("secrets.enc.yaml")
        sealed.write("secrets.yaml", PLAIN.replace("5432", "5433"))
        sealed.run("encrypt", "secrets.yaml")
        new = sealed.read("secrets.enc.yaml")
        assert set(changed_lines(old, new)) <= {"port", "mac", "lastmodified"}
        assert "port" in changed_lines(old, new)

    def test_an_existing_output_that_cannot_be_opened(self, sealed: Project) -> None:
        other = AgeKey.generate()
        old = sealed.read("secrets.enc.yaml")
        done = sealed.run("encrypt", "secrets.yaml", environ=other.environ(), code=3)
        assert "older than secrets.enc.yaml, which cannot be opened" in done.err
        assert sealed.read("secrets.enc.yaml") == old
        sealed.write("secrets.yaml", PLAIN)  # whoever has no key can encrypt what they have just written
        done = sealed.run("encrypt", "secrets.yaml", environ=other.environ())
        assert "warning: the existing encrypted file cannot be opened" in done.err
        new = sealed.read("secrets.enc.yaml")
        sealed.run("encrypt", "--force", "secrets.yaml", environ=other.environ())
        assert "password" in changed_lines(old.split("sops:")[0], new.split("sops:")[0])

    def test_a_plaintext_that_is_older_takes_nothing_back(self, sealed: Project) -> None:
        sealed.run("set", "secrets.enc.yaml", "db.password", "newer")
        sealed.run("set", "secrets.enc.yaml", "token", "new")
        newer = sealed.read("secrets.enc.yaml")
        done = sealed.run("encrypt", "secrets.yaml", code=3)
        assert "older than secrets.enc.yaml" in done.err
        assert "removed token" in done.err
        assert sealed.read("secrets.enc.yaml") == newer
        done = sealed.run("encrypt", "--force", "secrets.yaml")
        assert "wrote secrets.enc.yaml:\n  changed db.password\n  removed token" in done.err
        assert sealed.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_an_older_plaintext_may_add_values(self, sealed: Project) -> None:
        sealed.run("unset", "secrets.enc.yaml", "db.password")
        assert "added db.password" in sealed.run("encrypt", "secrets.yaml").err

    def test_a_plain_file_is_not_overwritten(self, project: Project) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        for text in ("mine: 1\n", "not: [yaml\n", "\x00"):
            project.write("secrets.enc.yaml", text)
            done = project.run("encrypt", "secrets.yaml", code=3)
            assert "exists and is not encrypted" in done.err
            assert "--force" in done.err
            assert project.read("secrets.enc.yaml") == text
        project.path("secrets.enc.yaml").write_bytes(b"\xff\xfe")
        project.run("encrypt", "secrets.yaml", code=3)
        project.run("encrypt", "--force", "secrets.yaml")
        project.write("secrets.enc.yaml", "mine: 1\n")
        project.run("encrypt", "-f", "secrets.yaml")
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_an_encrypted_file_of_another_format_stays(self, sealed: Project) -> None:
        enc = sealed.read("secrets.enc.yaml")
        sealed.write("x.txt", "a text\n")
        done = sealed.run("encrypt", "-o", "secrets.enc.yaml", "x.txt", code=3)
        assert "this file is encrypted yaml, and it would be replaced by encrypted binary" in done.err
        assert sealed.read("secrets.enc.yaml") == enc
        sealed.run("encrypt", "--force", "-o", "secrets.enc.yaml", "x.txt")
        shown = sealed.run("decrypt", "--input-type", "binary", "secrets.enc.yaml")
        assert shown.out == "a text\n"

    def test_an_encrypted_file_is_not_encrypted_again(self, sealed: Project) -> None:
        old = sealed.read("secrets.enc.yaml")
        sealed.run("encrypt", "-i", "secrets.enc.yaml", code=203)
        done = sealed.run("encrypt", "secrets.enc.yaml", code=203)
        assert "hint: to change it: encconf edit secrets.enc.yaml\n" in done.err
        assert sealed.read("secrets.enc.yaml") == old

    @pytest.mark.posix  # git
    def test_a_warning_about_plaintext_that_was_committed(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        for name in ("a.enc.yaml", "b.enc.yaml"):
            project.write(name, PLAIN)
        project.git("add", ".")
        project.git("commit", "-qm", "x")
        said = "git has plaintext of it\nencconf: hint: change the secrets"
        assert said in project.run("encrypt", "-i", "a.enc.yaml").err
        assert said not in project.run("encrypt", "-i", "a.enc.yaml", code=203).err
        project.write("c.enc.yaml", PLAIN)
        done = project.run("encrypt", "-i", "b.enc.yaml", "c.enc.yaml")
        assert f"b.enc.yaml: {said}" in done.err
        project.git("commit", "-qam", "y")
        done = project.run("decrypt", "-i", "a.enc.yaml", "b.enc.yaml")
        assert "a.enc.yaml, b.enc.yaml are plaintext now" in done.err
        assert "before you commit: encconf encrypt -i a.enc.yaml b.enc.yaml" in done.err
        assert ".gitignore" not in done.err
        assert "plaintext of" not in project.run("encrypt", "-i", "a.enc.yaml").err


def test_in_place_without_a_rule_names_the_file_that_has_one(project: Project) -> None:
    rules = f"creation_rules:\n  - path_regex: enc.yaml$\n    age: {project.key.recipient}\n"
    project.write(".sops.yaml", rules)
    project.write("a b.yaml", "a: 1\n")
    done = project.run("encrypt", "-i", "a b.yaml", code=1)
    assert "hint: a rule matches a b.enc.yaml; this writes it: encconf encrypt 'a b.yaml'" in done.err
    project.run("encrypt", "a b.yaml")
    project.write("a.txt", "x")
    assert "add a rule" in project.run("encrypt", "-i", "a.txt", code=1).err
