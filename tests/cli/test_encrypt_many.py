"""``encconf encrypt`` for several files, folders and patterns."""

from __future__ import annotations

import signal
import subprocess

import pytest
from project import Project, small_files

from .terminal import Terminal, screen


@pytest.fixture
def deploy(project: Project) -> Project:
    """Plaintext files in a repository with the rule that init writes."""
    rule = f"  - path_regex: \\.enc\\.(yaml|json)$\n    age: {project.key.recipient}\n"
    project.write(".sops.yaml", f"creation_rules:\n{rule}")
    project.write("deploy/a.yaml", "password: a\n")
    project.write("deploy/web/b.json", '{"password": "b"}\n')
    project.write("deploy/README.md", "no rule names this\n")
    return project


def encrypted(project: Project) -> list[str]:
    return sorted(
        str(path.relative_to(project.folder))
        for path in project.folder.rglob("*")
        if path.is_file() and ".git" not in path.parts and "ENC[" in path.read_text()
    )


BOTH = ["deploy/a.enc.yaml", "deploy/web/b.enc.json"]


class TestWhichFiles:
    def test_in_a_folder_only_files_that_rules_name(self, deploy: Project) -> None:
        done = deploy.run("encrypt", "-r", "deploy")
        assert done.err == "encconf: wrote deploy/a.enc.yaml\nencconf: wrote deploy/web/b.enc.json\n"
        assert encrypted(deploy) == BOTH
        again = deploy.run("encrypt", "-r", ".")
        assert again.err == "".join(f"encconf: {name} is up to date\n" for name in BOTH)
        assert encrypted(deploy) == BOTH

    def test_a_rule_for_every_file_names_none(self, deploy: Project) -> None:
        deploy.write(".sops.yaml", f"creation_rules:\n  - age: {deploy.key.recipient}\n")
        done = deploy.run("encrypt", "-r", ".", code=100)
        assert "no file to encrypt in this folder" in done.err
        assert "path_regex" in done.err
        deploy.run("encrypt", "deploy/*")
        assert encrypted(deploy) == ["deploy/README.enc.md", "deploy/a.enc.yaml"]

    def test_plaintext_that_git_tracks_is_left_alone_and_the_hint_says_so(self, deploy: Project) -> None:
        deploy.git("init", "-q")
        deploy.git("add", "deploy")
        done = deploy.run("encrypt", "-r", "deploy", code=100)
        assert (
            "git tracks 2 files there as plaintext, such as deploy/a.yaml; to encrypt them, name" in done.err
        )
        deploy.run("encrypt", "deploy/*.yaml")
        assert encrypted(deploy) == ["deploy/a.enc.yaml"]

    def test_in_place_needs_a_rule_for_the_own_name(self, deploy: Project) -> None:
        deploy.write("deploy/c.enc.yaml", "password: c\n")
        deploy.run("encrypt", "-r", "-i", "deploy")
        assert encrypted(deploy) == ["deploy/c.enc.yaml"]

    def test_files_that_git_ignores_count(self, deploy: Project) -> None:
        deploy.git("init", "-q")
        deploy.write(".gitignore", "/deploy/a.yaml\n/deploy/web/b.json\n")
        deploy.write("deploy/node_modules/x.yaml", "a: b\n")
        done = deploy.run("encrypt", "-r", "deploy")
        assert "warning" not in done.err
        assert encrypted(deploy) == BOTH

    def test_plaintext_that_git_tracks_is_not_encrypted(self, deploy: Project) -> None:
        deploy.git("init", "-q")
        deploy.write("package.json", '{"name": "web"}\n')
        deploy.write("deploy/web/tsconfig.json", "{}\n")
        deploy.git("add", "package.json", "deploy/web/tsconfig.json")
        deploy.run("encrypt", "-r", ".")
        assert encrypted(deploy) == BOTH
        deploy.run("encrypt", "package.json")  # named: it is meant
        assert encrypted(deploy) == [*BOTH, "package.enc.json"]
        deploy.write("package.json", '{"name": "shop"}\n')
        deploy.run("encrypt", "-r", ".")  # and now it has an encrypted file beside it
        assert deploy.run("get", "package.enc.json", "name").out == "shop"

    def test_tracked_plaintext_is_encrypted_if_a_rule_has_its_own_name(self, deploy: Project) -> None:
        rule = f"  - path_regex: ^deploy/a\\.yaml$\n    age: {deploy.key.recipient}\n"
        deploy.write(".sops.yaml", f"creation_rules:\n{rule}")
        deploy.git("init", "-q")
        deploy.git("add", "deploy")
        deploy.run("encrypt", "-r", "-i", ".")
        assert encrypted(deploy) == ["deploy/a.yaml"]

    def test_the_only_file_of_a_folder_may_go_to_stdout(self, deploy: Project) -> None:
        deploy.path("deploy/web/b.json").unlink()
        for words in (["-r", "deploy"], ["deploy/*.yaml"]):
            done = deploy.run("encrypt", *words, "-o", "-")
            assert done.err == ""
            assert deploy.run("decrypt", "--input-type", "yaml", input=done.out).out == "password: a\n"
        assert encrypted(deploy) == []

    def test_a_folder_needs_the_option(self, deploy: Project) -> None:
        assert "use -r to include" in deploy.run("encrypt", "deploy", code=1).err

    def test_a_pattern(self, deploy: Project) -> None:
        deploy.run("encrypt", "deploy/**/*.json")
        assert encrypted(deploy) == BOTH[1:]
        assert "no file to encrypt matches this pattern" in deploy.run("encrypt", "nothing/*", code=100).err

    def test_no_file_at_all(self, deploy: Project) -> None:
        assert "no file was given" in deploy.run("encrypt", "-r", code=100).err


class TestNotTwice:
    def test_files_that_are_encrypted_already_are_skipped(self, deploy: Project) -> None:
        deploy.run("encrypt", "deploy/a.yaml")
        before = deploy.read("deploy/a.enc.yaml")
        done = deploy.run("encrypt", "deploy/a.yaml", "deploy/a.enc.yaml")
        assert "deploy/a.enc.yaml is encrypted already" in done.err
        assert deploy.read("deploy/a.enc.yaml") == before
        deploy.run("encrypt", "-r", "-i", "deploy", code=100)
        assert deploy.read("deploy/a.enc.yaml") == before

    def test_a_file_with_two_names_is_encrypted_once(self, deploy: Project) -> None:
        (deploy.folder / "link.yaml").symlink_to("deploy/a.yaml")
        done = deploy.run("encrypt", "deploy/a.yaml", "link.yaml", "./deploy/a.yaml")
        assert done.err == "encconf: wrote deploy/a.enc.yaml\n"

    def test_plaintext_that_is_called_like_an_encrypted_file(self, deploy: Project) -> None:
        deploy.write("deploy/c.enc.yaml", "password: c\n")
        done = deploy.run("encrypt", "-r", "deploy", code=1)
        assert "deploy/c.enc.yaml: this is already the name of an encrypted file" in done.err
        assert encrypted(deploy) == BOTH


class TestFailures:
    def test_other_files_are_done_if_one_fails(self, deploy: Project) -> None:
        deploy.write("deploy/bad.yaml", "a: [1\n")
        done = deploy.run("encrypt", "-r", "deploy", "nope.yaml", code=1)
        assert "error[parse]: deploy/bad.yaml" in done.err
        assert "error[no-such-file]: nope.yaml" in done.err
        assert "2 of 4 files failed: deploy/bad.yaml, nope.yaml" in done.err
        assert encrypted(deploy) == BOTH

    def test_a_cause_is_printed_once_and_its_exit_code_is_kept(self, deploy: Project) -> None:
        names = [f"deploy/{number}.ini" for number in range(6)]
        for name in names:
            deploy.write(name, "[s]\na = b\n")
        code = deploy.run("encrypt", "nope.yaml", code=100).code
        deploy.run("encrypt", "nope.yaml", "neither.yaml", "deploy/a.yaml", code=code)
        deploy.write(".sops.yaml", "creation_rules: 1\n")
        alike = deploy.run("encrypt", *names, code=1)
        assert alike.err.count("error[config]") == 1
        assert "the same for 5 other files: deploy/1.ini, deploy/2.ini, deploy/3.ini and 2 more" in alike.err

    def test_no_rule_for_many_files_is_one_cause(self, deploy: Project) -> None:
        names = [f"{number}.yaml" for number in range(6)]
        for name in names:
            deploy.write(name, "a: b\n")
        deploy.write(
            ".sops.yaml", f"creation_rules: [{{path_regex: ^deploy/, age: {deploy.key.recipient}}}]\n"
        )
        alike = deploy.run("encrypt", *names, code=1)
        assert alike.err.count("error[no-rule]") == 1
        assert "the same for 5 other files: 1.yaml, 2.yaml, 3.yaml and 2 more" in alike.err

    def test_fail_fast_stops_at_the_first_failure(self, deploy: Project) -> None:
        done = deploy.run("encrypt", "--fail-fast", "nope.yaml", "deploy/a.yaml", code=100)
        assert "stopped: 0 of 2 files are done, 1 failed" in done.err
        assert encrypted(deploy) == []

    def test_a_full_disk_leaves_nothing_half_written(self, deploy: Project) -> None:
        deploy.write("deploy/big.yaml", "a: " + "x" * 30_000 + "\n")
        process = deploy.popen(
            "encrypt", "-r", "deploy", stderr=subprocess.PIPE, stdout=subprocess.PIPE, **small_files(20_000)
        )
        _, err = process.communicate(timeout=60)
        assert process.returncode == 3, err
        assert b"1 of 3 files failed: deploy/big.yaml" in err
        assert encrypted(deploy) == BOTH
        assert "big.enc.yaml" not in [path.name for path in (deploy.folder / "deploy").iterdir()]

    def test_a_file_that_is_not_encrypted_is_kept(self, deploy: Project) -> None:
        deploy.write("deploy/a.enc.yaml", "mine: 1\n")
        done = deploy.run("encrypt", "-r", "deploy", code=1)
        assert "deploy/a.enc.yaml: this file exists and is not encrypted" in done.err
        assert deploy.read("deploy/a.enc.yaml") == "mine: 1\n"
        assert encrypted(deploy) == BOTH[1:]

    @pytest.mark.parametrize("option", [["-o", "x.yaml"], ["--filename-override", "x.yaml"]])
    def test_options_that_need_a_single_file(self, deploy: Project, option: list[str]) -> None:
        deploy.run("encrypt", *option, "deploy/a.yaml", "deploy/web/b.json", code=1)
        assert encrypted(deploy) == []

    def test_stdin_is_not_one_of_several(self, deploy: Project) -> None:
        assert "stdin" in deploy.run("encrypt", "-", "deploy/a.yaml", code=1).err
        assert encrypted(deploy) == []


class TestDryRun:
    def test_nothing_is_written(self, deploy: Project) -> None:
        deploy.run("encrypt", "deploy/a.yaml")
        done = deploy.run("encrypt", "-r", "-n", "deploy", environ={"SOPS_AGE_KEY": ""})
        assert done.out == (
            "deploy/a.yaml -> deploy/a.enc.yaml, which exists and gets these values\n"
            "deploy/web/b.json -> deploy/web/b.enc.json\n"
            f"  creation_rules[0]: {deploy.key.recipient}\n"
        )
        assert encrypted(deploy) == BOTH[:1]

    def test_a_dry_run_of_one_file(self, deploy: Project) -> None:
        assert deploy.run("encrypt", "-n", "-i", "deploy/a.yaml", code=1).out == ""
        assert deploy.run("encrypt", "-n", "deploy/a.yaml").out.startswith(
            "deploy/a.yaml -> deploy/a.enc.yaml\n"
        )
        assert deploy.run("encrypt", "-n", "-o", "-", "deploy/a.yaml").out.startswith(
            "deploy/a.yaml -> stdout\n"
        )
        assert encrypted(deploy) == []

    def test_a_dry_run_fails_where_the_command_would(self, deploy: Project) -> None:
        deploy.write("deploy/a.enc.yaml", "not: encrypted\n")
        for words in ("-n", "--"):
            done = deploy.run("encrypt", words, "deploy/a.yaml", code=3)
            assert (done.out, "exists and is not encrypted" in done.err) == ("", True)
        deploy.run("encrypt", "-f", "deploy/a.yaml")
        for format in ([], ["--input-type", "json"]):
            for words in ("-n", "--"):
                done = deploy.run("encrypt", "-i", *format, words, "deploy/a.enc.yaml", code=203)
                assert (done.out, "already" in done.err) == ("", True)
        deploy.write("deploy/a.yaml", "a: [")
        for words in ("-n", "--"):
            assert deploy.run("encrypt", words, "deploy/a.yaml", code=2).out == ""


def test_a_progress_bar_on_a_terminal(deploy: Project) -> None:
    for number in range(6):
        deploy.write(f"deploy/{number}.yaml", "a: 1\n")
    terminal = Terminal(deploy, "encrypt", "-r", "deploy", environ={"TERM": "xterm"})
    assert terminal.end() == 0
    assert "\rencrypting [" in terminal.seen
    assert "encrypting" not in "".join(screen(terminal.seen))


def test_an_interruption_leaves_each_file_as_it_was_or_done(deploy: Project) -> None:
    for number in range(200):
        deploy.write(f"deploy/{number}.yaml", f"a: {number}\n")
    # The pipe holds about 100 lines: it waits for who reads them.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "pipesize": 4096}
    process = deploy.popen("encrypt", "-r", "deploy", **pipes)
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted: " in err
    assert b"hint: to continue, repeat the command\n" in err
    for name in encrypted(deploy):
        assert deploy.run("decrypt", name).out
        break
    deploy.run("encrypt", "-r", "deploy")
    assert len(encrypted(deploy)) == 202
