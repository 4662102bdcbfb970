"""One file to encrypt: what it is read from, and where the result goes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from oracle import Sops
from project import PLAIN, Project


class TestWhereItGoes:
    def test_beside_the_plain_file(self, project: Project) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml")
        assert done.out == ""
        assert done.err == "encconf: wrote secrets.enc.yaml\n"
        assert project.read("secrets.yaml") == PLAIN
        enc = project.read("secrets.enc.yaml")
        assert "hunter2" not in enc
        assert "free to read" in enc
        assert Sops(project.key.environ()).decrypt(enc, "yaml")
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_in_place_with_the_mode_kept(self, project: Project) -> None:
        project.rules()
        path = project.write("secrets.yaml", PLAIN)
        path.chmod(0o640)
        project.run("encrypt", "-i", "secrets.yaml")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert "ENC[" in path.read_text()
        assert project.names() == [".sops.yaml", "secrets.yaml"]

    def test_to_another_file(self, project: Project) -> None:
        project.rules()
        project.write("secrets.json", '{"a": "hunter2"}\n')
        project.run("encrypt", "secrets.json", "--output", "out/of.here", code=3)
        project.path("out").mkdir()
        done = project.run("encrypt", "secrets.json", "--output", "out/of.here")
        assert done.err == "encconf: wrote out/of.here\n"
        assert project.run("decrypt", "--input-type", "json", "out/of.here").out == '{"a": "hunter2"}\n'

    def test_to_stdout(self, project: Project) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        for stdout in ("-", "/dev/stdout"):
            done = project.run("encrypt", "-o", stdout, "secrets.yaml")
            assert done.err == ""
            assert done.out.startswith("#ENC[")
        assert project.names() == [".sops.yaml", "secrets.yaml"]

    def test_a_rule_does_not_expose_what_the_file_encrypts(self, project: Project) -> None:
        """As `updatekeys --selection` refuses it: the rule may have changed since the file was encrypted."""
        plain = "root: hunter2\nempty: ''\ndata: {a: b}\n"
        project.write(".sops.yaml", f"creation_rules:\n  - age: {project.key.recipient}\n")
        project.write("s.yaml", plain)
        project.run("encrypt", "s.yaml")
        before = project.read("s.enc.yaml")
        rule = f"creation_rules:\n  - age: {project.key.recipient}\n    encrypted_regex: ^data$\n"
        project.write(".sops.yaml", rule)
        done = project.run("encrypt", "s.yaml", code=1)
        assert "error[plaintext]: s.yaml: " in done.err
        assert "values in plaintext that are encrypted now: root\n" in done.err
        assert "hint: to keep them encrypted, add the file's own selection to the rule: unenc" in done.err
        assert project.read("s.enc.yaml") == before
        project.write("s.yaml", plain + "new: free\n")  # what the file did not have is the rule's matter
        for environ in ({}, {"SOPS_AGE_KEY": ""}):  # it needs no key
            assert "now: root\n" in project.run("encrypt", "s.yaml", environ=environ, code=1).err
        project.run("encrypt", "--force", "s.yaml")
        assert "hunter2" in project.read("s.enc.yaml")
        project.write(".sops.yaml", rule.replace("^data$", "^(data|root)$"))
        project.run("encrypt", "s.yaml")
        assert "hunter2" not in project.read("s.enc.yaml")

    def test_nothing_does_not_replace_a_file(self, project: Project) -> None:
        project.rules()
        words = ["encrypt", "--filename-override", "x.env", "-o", "x.enc.env", "-"]
        project.run(*words, input="A=b\n")
        before = project.read("x.enc.env")
        project.write("x.env", "\n")
        for command in (words, ["encrypt", "x.env"], ["encrypt", "-n", "x.env"]):
            done = project.run(*command, input="", code=92)
            assert "the plaintext is empty, and would replace x.enc.env" in done.err
        assert project.read("x.enc.env") == before
        project.run(*words, "--force", input="")
        assert project.run("decrypt", "x.enc.env").out == ""

    def test_the_error_of_an_empty_text_that_no_option_accepts(self, project: Project) -> None:
        project.rules()
        words = ["encrypt", "--filename-override", "x.yaml", "-o", "x.enc.yaml", "-"]
        project.run(*words, input=PLAIN)
        for option in ([], ["--force"]):
            done = project.run(*words, *option, input="", code=92)
            assert "it needs at least one entry" in done.err

    @pytest.mark.parametrize("file", [[], ["-"], ["/dev/stdin"]])
    def test_from_stdin_to_stdout(self, project: Project, file: list[str]) -> None:
        project.rules()
        done = project.run("encrypt", *file, "--filename-override", "x.yaml", input=PLAIN)
        assert project.run("decrypt", "--input-type", "yaml", input=done.out).out == PLAIN
        assert project.names() == [".sops.yaml"]

    def test_a_name_of_an_encrypted_file(self, project: Project) -> None:
        project.rules()
        project.write("x.enc.yaml", PLAIN)
        assert "encconf encrypt -i x.enc.yaml" in project.run("encrypt", "x.enc.yaml", code=1).err
        project.run("encrypt", "-i", "x.enc.yaml")

    def test_an_odd_name(self, project: Project) -> None:
        project.rules()
        project.write("-ä 'x'.yaml", PLAIN)
        project.run("encrypt", "--", "-ä 'x'.yaml")
        assert "-ä 'x'.enc.yaml" in project.names()

    def test_a_link_is_followed_once(self, project: Project, tmp_path: Path) -> None:
        project.rules()
        real = tmp_path / "real.yaml"
        real.write_text(PLAIN)
        project.path("link.yaml").symlink_to(real)
        project.run("encrypt", "-i", "link.yaml")
        assert project.path("link.yaml").is_symlink()
        assert "ENC[" in real.read_text()

    @pytest.mark.parametrize(
        "args",
        [
            ["-i", "-o", "x", "secrets.yaml"],
            ["-i", "-"],
            ["-i"],
            ["--encrypted-regex", "a", "--unencrypted-suffix", "b", "secrets.yaml"],
        ],
    )
    def test_options_that_exclude_each_other(self, project: Project, args: list[str]) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", *args, code=8)

    def test_what_cannot_be_read(self, project: Project) -> None:
        project.rules()
        done = project.run("encrypt", "none.yaml", code=100)
        assert done.err.startswith("encconf: error[no-such-file]: none.yaml: no such file\n")
        project.run("encrypt", ".", code=1)
        assert "--input-type" in project.run("encrypt", "-", input="a: 1", code=1).err
        project.write("x.yaml", "a: hunter2: b\n")
        assert "hunter2" not in project.run("encrypt", "x.yaml", code=2).err
        project.write("empty.yaml", "")
        project.run("encrypt", "empty.yaml", code=92)
