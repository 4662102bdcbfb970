"""``encconf encrypt`` as a program."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from oracle import AgeKey, Sops
from project import PLAIN, Project, small_files


def changed_lines(old: str, new: str) -> list[str]:
    """The keys of the lines that differ between two texts of the same length."""
    pairs = list(zip(old.split("\n"), new.split("\n"), strict=True))
    return [after.split(":")[0].strip() for before, after in pairs if before != after]


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
        assert done.err == "encconf: error[no-such-file]: none.yaml: no such file\n"
        project.run("encrypt", ".", code=1)
        assert "--input-type" in project.run("encrypt", "-", input="a: 1", code=1).err
        project.write("x.yaml", "a: hunter2: b\n")
        assert "hunter2" not in project.run("encrypt", "x.yaml", code=2).err
        project.write("empty.yaml", "")
        project.run("encrypt", "empty.yaml", code=92)


class TestFullDisk:
    @pytest.mark.parametrize("args", [["encrypt", "-i"], ["encrypt"]])
    def test_what_was_there_stays(self, sealed: Project, args: list[str]) -> None:
        sealed.write("secrets.yaml", PLAIN.replace("hunter2", "hunter3"))
        before = {name: sealed.read(name) for name in sealed.names()}
        process = sealed.popen(*args, "secrets.yaml", stderr=subprocess.PIPE, **small_files(1024))
        _, err = process.communicate(timeout=60)
        assert process.returncode == 3
        assert err.startswith(b"encconf: error[unwritable]: ")
        assert {name: sealed.read(name) for name in sealed.names()} == before


class TestTwin:
    def test_only_the_changed_line_differs(self, sealed: Project) -> None:
        old = sealed.read("secrets.enc.yaml")
        sealed.write("secrets.yaml", PLAIN.replace("hunter2", "hunter3"))
        sealed.run("encrypt", "secrets.yaml")
        new = sealed.read("secrets.enc.yaml")
        assert set(changed_lines(old, new)) <= {"password", "mac", "lastmodified"}
        assert "password" in changed_lines(old, new)

    def test_a_twin_that_cannot_be_opened(self, sealed: Project) -> None:
        other = AgeKey.generate()
        old = sealed.read("secrets.enc.yaml")
        done = sealed.run("encrypt", "secrets.yaml", environ=other.environ())
        assert "warning" in done.err
        assert "re-encrypted" in done.err
        new = sealed.read("secrets.enc.yaml")
        assert "password" in changed_lines(old.split("sops:")[0], new.split("sops:")[0])

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
        assert sealed.read("secrets.enc.yaml") == old


class TestKeysAndRules:
    def test_no_configuration(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml", code=1)
        assert "config file not found, or has no creation rules, and no keys provided" in done.err
        assert project.names() == ["secrets.yaml"]

    def test_no_matching_rule(self, project: Project) -> None:
        project.rules("    path_regex: ^prod/\n")
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml", code=1)
        assert "no matching creation rules found" in done.err
        assert ".sops.yaml" in done.err
        assert "^prod/" in done.err

    @pytest.mark.parametrize("regex", [r"secrets\.yaml$", r"\.enc\.yaml$"])
    def test_a_rule_may_match_either_name(self, project: Project, regex: str) -> None:
        project.rules(f"    path_regex: {regex}\n")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        project.run("encrypt", "-o", "-", "secrets.yaml")

    def test_the_rule_is_looked_for_from_the_file_upwards(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^password$\n")
        project.write("deep/er/secrets.yaml", PLAIN)
        project.write("deep/er/x", "")
        os.rename(project.path(".sops.yaml"), project.path("deep/.sops.yaml"))
        project.run("encrypt", "deep/er/secrets.yaml")
        enc = project.read("deep/er/secrets.enc.yaml")
        assert "localhost" in enc
        assert "hunter2" not in enc

    def test_keys_of_the_command_line(self, project: Project) -> None:
        """Unlike in sops, a .sops.yaml that does not match is no obstacle."""
        project.write("secrets.yaml", PLAIN)
        one, two, three = (AgeKey.generate() for _ in range(3))
        recipients = [one.recipient, f"{two.recipient}, {three.recipient}"]
        project.run("encrypt", "--age", recipients[0], "-a", recipients[1], "secrets.yaml")
        for key in (one, two, three):
            assert project.run("decrypt", "secrets.enc.yaml", environ=key.environ()).out == PLAIN
        project.rules("    path_regex: ^prod/\n")
        project.run("encrypt", "--age", one.recipient, "-o", "y.yaml", "secrets.yaml")
        project.run("decrypt", "y.yaml", code=128)

    def test_the_selection_of_a_rule_goes_with_keys_of_the_command_line(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^password$\n    mac_only_encrypted: true\n")
        project.write("secrets.yaml", PLAIN)
        other = AgeKey.generate()
        project.run("encrypt", "--age", other.recipient, "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert "localhost" in enc
        assert "mac_only_encrypted: true" in enc
        assert project.key.recipient not in enc
        project.run("encrypt", "--age", other.recipient, "--encrypted-suffix", "host", "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert "localhost" not in enc
        assert "hunter2" in enc

    def test_keys_of_the_environment(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml", environ={"SOPS_AGE_RECIPIENTS": project.key.recipient})
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_a_bad_key(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--age", "age1nonsense", "secrets.yaml", code=1)
        done = project.run("encrypt", "--age", project.key.identity, "secrets.yaml", code=1)
        assert project.key.identity not in done.err
        assert project.names() == ["secrets.yaml"]

    @pytest.mark.parametrize(
        ("options", "clear"),
        [
            (["--encrypted-regex", "^password$"], "localhost"),
            (["--unencrypted-regex", "^host$"], "localhost"),
            (["--encrypted-suffix", "word"], "localhost"),
            (["--unencrypted-suffix", "ost"], "localhost"),
            (["--encrypted-comment-regex", "not this"], "localhost"),
            (["--unencrypted-comment-regex", "the database"], "hunter2"),
        ],
    )
    def test_the_six_selections(self, project: Project, options: list[str], clear: str) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", *options, "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert clear in enc
        assert f"{options[0][2:].replace('-', '_')}: " in enc
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_another_configuration(self, project: Project) -> None:
        project.rules()
        os.rename(project.path(".sops.yaml"), project.path("rules"))
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--config", "rules", "secrets.yaml")
        project.run("--config", "rules", "encrypt", "secrets.yaml")
        project.run("--config", "none", "encrypt", "--config", "rules", "secrets.yaml")
        project.run("encrypt", "secrets.yaml", environ={"SOPS_CONFIG": "rules"})
        project.run("encrypt", "--config", "none", "secrets.yaml", code=100)
        project.run("encrypt", "--config", "/dev/null", "secrets.yaml", code=1)
        project.run("encrypt", "--config", "/dev/null", "--age", project.key.recipient, "secrets.yaml")

    def test_what_is_odd_in_the_rules_is_said(self, project: Project) -> None:
        project.rules("    encripted_regex: ^a$\n")
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml")
        assert "warning" in done.err
        assert "encrypted_regex" in done.err


class TestGit:
    def test_a_plain_file_that_git_would_take(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("it's/secrets.yaml", PLAIN)
        done = project.run("encrypt", "it's/secrets.yaml")
        assert "git does not ignore it" in done.err
        hint = done.err.partition("hint: ")[2].strip()
        os.system(f"cd {project.folder} && {hint}")
        again = project.run("encrypt", "it's/secrets.yaml")
        assert again.err == "encconf: it's/secrets.enc.yaml is up to date\n"

    def test_a_plain_file_that_git_has(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        project.git("add", "secrets.yaml")
        done = project.run("encrypt", "secrets.yaml")
        assert "git tracks it" in done.err
        hint = done.err.partition("hint: ")[2].partition(";")[0]
        os.system(f"cd {project.folder} && ({hint}) >/dev/null")
        assert "warning" not in project.run("encrypt", "secrets.yaml").err
        assert project.git("ls-files") == ""

    def test_no_warning_without_need(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        assert "warning" not in project.run("encrypt", "-i", "secrets.yaml").err
        plain = project.write("plain.yaml", PLAIN)
        project.write(".gitignore", "plain.yaml\n")
        assert "warning" not in project.run("encrypt", "plain.yaml").err
        assert plain.exists()

    def test_git_is_not_needed(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml", environ={"PATH": "/nowhere"})

    def test_a_repository_does_not_run_a_program(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.git("config", "core.fsmonitor", f"touch {project.path('ran')}; false")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        assert "ran" not in project.names()
