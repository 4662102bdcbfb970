"""``encconf decrypt`` for several files, folders and patterns."""

from __future__ import annotations

import os
import stat

import pytest
from project import Project

from encconf.verbs.decrypt import joined

from .terminal import Terminal, screen

FILES = {"deploy/a.enc.yaml": "password: a\n", "deploy/web/b.json": '{"password": "b"}\n'}
THERE = {"deploy/a.yaml": "password: a\n", "deploy/web/b.json": '{"password": "b"}\n'}


@pytest.fixture
def deploy(project: Project) -> Project:
    """Encrypted files, one of them with a name that does not say so, and a plaintext file."""
    project.rules()
    for name, text in FILES.items():
        project.write(name, text)
        project.run("encrypt", "-i", name)
    project.write("deploy/plain.yaml", "a: 1\n")
    return project


def below(project: Project, folder: str) -> dict[str, str]:
    top = project.path(folder)
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


class TestToAFolder:
    def test_files_are_private_and_their_names_have_no_enc(self, deploy: Project) -> None:
        done = deploy.run("decrypt", "-r", "-o", "out/x", "deploy")
        assert done.out == ""
        assert done.err == "encconf: wrote out/x/deploy/a.yaml\nencconf: wrote out/x/deploy/web/b.json\n"
        assert below(deploy, "out/x") == THERE
        assert stat.S_IMODE(deploy.path("out/x/deploy/a.yaml").stat().st_mode) == 0o600
        assert stat.S_IMODE(deploy.path("out/x/deploy").stat().st_mode) == 0o700

    def test_another_file_is_overwritten_only_with_force(self, deploy: Project) -> None:
        deploy.run("decrypt", "-r", "-o", "out", "deploy")
        deploy.write("out/deploy/a.yaml", "mine\n")
        done = deploy.run("decrypt", "-r", "-o", "out", "deploy", code=3)
        assert "out/deploy/a.yaml: this file already exists" in done.err
        assert "1 of 2 files failed: deploy/a.enc.yaml" in done.err
        assert deploy.read("out/deploy/a.yaml") == "mine\n"
        deploy.run("decrypt", "-r", "-f", "-o", "out", "deploy")
        assert below(deploy, "out") == THERE

    def test_two_files_with_the_same_target_are_refused(self, deploy: Project) -> None:
        deploy.write("deploy/a.yaml", deploy.read("deploy/a.enc.yaml"))
        done = deploy.run("decrypt", "-r", "-o", "out", "deploy", code=1)
        assert "deploy/a.enc.yaml and deploy/a.yaml would both be written to out/deploy/a.yaml" in done.err
        assert not deploy.path("out").exists()

    def test_a_file_outside_the_current_folder_is_refused(self, deploy: Project) -> None:
        deploy.path("deploy/a.enc.yaml").rename(deploy.home / "a.yaml")
        done = deploy.run("decrypt", "-o", "out", str(deploy.home / "a.yaml"), "deploy/web/b.json", code=1)
        assert "it is not below the current folder" in done.err
        assert not deploy.path("out").exists()

    def test_a_folder_that_cannot_be_created(self, deploy: Project) -> None:
        deploy.write("out", "a file\n")
        done = deploy.run("decrypt", "-r", "-o", "out", "deploy", code=3)
        assert "2 of 2 files failed" in done.err
        assert deploy.read("out") == "a file\n"


def test_in_place_until_nothing_is_encrypted(deploy: Project) -> None:
    deploy.run("decrypt", "-r", "-i", "deploy")
    assert {name: deploy.read(name) for name in FILES} == FILES
    assert "no encrypted file in this folder" in deploy.run("decrypt", "-r", "-i", "deploy", code=100).err


def test_warnings_about_all_files_that_git_does_not_ignore(deploy: Project) -> None:
    deploy.git("init", "-q")
    done = deploy.run("decrypt", "-r", "-o", "out", "deploy")
    assert "out/deploy/a.yaml, out/deploy/web/b.json: plaintext that git does not ignore" in done.err
    deploy.write(".gitignore", "/out\n")
    assert "warning" not in deploy.run("decrypt", "-r", "-o", "out", "deploy").err


class TestFailures:
    def test_an_error_names_the_output_as_it_was_typed(self, deploy: Project) -> None:
        deploy.path("out/deploy/a.yaml").mkdir(parents=True)
        assert (
            "]: out/deploy/a.yaml: " in deploy.run("decrypt", "-r", "-f", "-o", "out", "deploy", code=3).err
        )

    def test_other_files_are_done_if_one_fails(self, deploy: Project) -> None:
        done = deploy.run(
            "decrypt", "-o", "out", "deploy/plain.yaml", "none.yaml", *FILES, "deploy/a.enc.yaml", code=1
        )
        assert "deploy/plain.yaml" in done.err
        assert "2 of 4 files failed: deploy/plain.yaml, none.yaml" in done.err
        assert below(deploy, "out") == THERE

    def test_a_missing_key_is_reported_once(self, deploy: Project) -> None:
        names = [f"deploy/{number}.yaml" for number in range(6)]
        for name in names:
            deploy.write(name, deploy.read("deploy/a.enc.yaml"))
        done = deploy.run("decrypt", "-o", "out", *names, code=128, environ={"SOPS_AGE_KEY": ""})
        assert done.err.count("error[no-key]") == 1
        assert "the same for 5 other files" in done.err
        assert not deploy.path("out").exists()

    def test_fail_fast_stops_at_the_first_failure(self, deploy: Project) -> None:
        done = deploy.run("decrypt", "--fail-fast", "-o", "out", "none.yaml", *FILES, code=100)
        assert "stopped: 0 of 3 files are done, 1 failed" in done.err
        assert not deploy.path("out").exists()

    def test_several_files_go_to_stdout_without_another_place(self, deploy: Project) -> None:
        for output in ([], ["-o", "-"], ["-o", "/dev/stdout"]):
            done = deploy.run("decrypt", *FILES, *output)
            assert done.out == "password: a\n---\npassword: b\n"
        assert deploy.names() == [".sops.yaml", "deploy"]

    def test_in_place_or_to_a_folder(self, deploy: Project) -> None:
        err = deploy.run("decrypt", "-r", "-i", "-o", "out", "deploy", code=8).err
        assert err == "encconf: error[conflicting-options]: --in-place and --output exclude each other\n"

    @pytest.mark.parametrize("option", ["--extract=password", "--output-type=json", "--filename-override=x"])
    def test_options_that_need_a_single_file(self, deploy: Project, option: str) -> None:
        deploy.run("decrypt", "-o", "out", option, *FILES, code=1)
        assert not deploy.path("out").exists()


class TestDryRun:
    def test_nothing_is_written_and_no_key_is_needed(self, deploy: Project) -> None:
        done = deploy.run("decrypt", "-r", "-n", "-o", "out", "deploy", environ={"SOPS_AGE_KEY": ""})
        assert done.out == (
            "deploy/a.enc.yaml -> out/deploy/a.yaml\ndeploy/web/b.json -> out/deploy/web/b.json\n"
        )
        assert not deploy.path("out").exists()

    def test_a_dry_run_of_one_file(self, deploy: Project) -> None:
        file = "deploy/a.enc.yaml"
        assert deploy.run("decrypt", "-n", file).out == f"{file} -> stdout\n"
        assert deploy.run("decrypt", "-n", "-o", "-", file).out == f"{file} -> stdout\n"
        assert deploy.run("decrypt", "-n", "-o", "x.yaml", file).out == f"{file} -> x.yaml\n"
        deploy.write("x.yaml", "old")
        assert deploy.run("decrypt", "-n", "-o", "x.yaml", file).out == f"{file} -> x.yaml, which exists\n"
        assert deploy.run("decrypt", "-n", "-i", file).out == f"{file}\n"
        deploy.run("decrypt", "-n", "deploy/plain.yaml", code=1)
        assert "ENC[" in deploy.read(file)


def test_a_progress_bar_on_a_terminal(deploy: Project) -> None:
    for number in range(6):
        deploy.write(f"deploy/{number}.yaml", deploy.read("deploy/a.enc.yaml"))
    terminal = Terminal(deploy, "decrypt", "-r", "-o", "out", "deploy", environ={"TERM": "xterm"})
    assert terminal.end() == 0
    assert "\rdecrypting [" in terminal.seen
    assert "decrypting" not in "".join(screen(terminal.seen))


class TestToStdout:
    def test_several_files_are_a_yaml_stream(self, deploy: Project) -> None:
        import yaml

        deploy.write("deploy/two.enc.yaml", "a: 1\n---\nb: |\n  x\n  ---x\n  # y")
        deploy.run("encrypt", "-i", "deploy/two.enc.yaml")
        done = deploy.run("decrypt", "deploy/a.enc.yaml", "deploy/web/b.json", "deploy/two.enc.yaml")
        assert done.err == ""
        assert done.out.startswith("password: a\n---\n")
        assert list(yaml.safe_load_all(done.out)) == [
            {"password": "a"}, {"password": "b"}, {"a": 1}, {"b": "x\n---x\n# y"},
        ]  # fmt: skip
        assert deploy.run("decrypt", "-r", "deploy").out.count("password") == 2
        assert deploy.run("decrypt", "-o", "-", "deploy/*.yaml").out.count("---\n") == 2
        assert "deploy/a.enc.yaml -> stdout" in deploy.run("decrypt", "-n", "-r", "deploy").out

    def test_documents_keep_their_starts(self) -> None:
        texts = ["a: 1", "--- # x\nb: 2\n", "%YAML 1.2\n---\nc: 3\n", "\ufeffd: 4\n", "---5\n"]
        said = "a: 1\n--- # x\nb: 2\n...\n%YAML 1.2\n---\nc: 3\n---\nd: 4\n---\n---5\n"
        assert joined(texts) == said

    def test_nothing_is_printed_if_one_fails(self, deploy: Project) -> None:
        deploy.write("deploy/c.env", "A=1\n")
        deploy.run("encrypt", "-i", "deploy/c.env")
        done = deploy.run("decrypt", "deploy/a.enc.yaml", "deploy/c.env", code=1)
        assert done.out == ""
        assert "it is dotenv, and several files are printed as a YAML stream" in done.err
        said = deploy.run("decrypt", "--output-type", "yaml", "deploy/a.enc.yaml", "deploy/c.env").out
        assert said == 'password: a\n---\nA: "1"\n'
        done = deploy.run("decrypt", "deploy/a.enc.yaml", "deploy/plain.yaml", code=1)
        assert done.out == ""

    def test_a_proposal_is_no_part_of_it(self, deploy: Project) -> None:
        deploy.run("propose", "deploy/a.enc.yaml", "token", input="proposed")
        assert "proposed" not in deploy.run("decrypt", "-r", "deploy").out
        name = next(name for name in os.listdir(deploy.path("deploy")) if "proposal" in name)
        done = deploy.run("decrypt", "deploy/a.enc.yaml", f"deploy/{name}", code=2)
        assert "is a proposal" in done.err
        assert done.out == ""
        assert "proposed" not in deploy.run("export", "--format", "json", "deploy/a.enc.yaml").out

    def test_values_are_masked_if_nothing_is_to_be_printed(self, deploy: Project) -> None:
        done = deploy.run("decrypt", "-r", "deploy", environ={"ENCCONF_PRINT": "never"})
        assert "password: a" not in done.out
        assert done.out.count("**********") == 2
