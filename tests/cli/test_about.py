"""``encconf help``, of commands and of topics, and encconf without a command."""

from __future__ import annotations

import pytest
from audit.repo import ALICE, BOB, DATABASE, Repo, rule, seal
from project import Project

from encconf.cli.table import commands
from encconf.errors import EncconfError
from encconf.keys import TABLE


class TestHelp:
    @pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
    def test_every_command_explains_itself(self, project: Project, command: object) -> None:
        name = command.name.split()  # type: ignore[attr-defined]
        done = project.run(*name, "--help")
        assert done.err == ""
        assert done.out.startswith(f"Usage: encconf {' '.join(name)}")
        assert project.run("help", *name).out == done.out
        for example in command.examples:  # type: ignore[attr-defined]
            assert example in done.out
        for option in command.options:  # type: ignore[attr-defined]
            assert option.names[0] in done.out

    def test_the_commands_are_listed(self, project: Project) -> None:
        done = project.run("--help")
        for command in commands():
            assert command.name.split()[0] in done.out
        assert project.run("help").out == done.out
        assert project.run("-h").out == done.out

    def test_topics(self, project: Project) -> None:
        variables = project.run("help", "environment").out
        for command in commands():
            for option in command.options:
                assert (option.env or "") in variables
        for row in TABLE.values():
            for name in row.secrets:
                assert f"{name.partition('_')[0]}_…" in variables
        codes = project.run("help", "exit-codes").out
        kinds: list[type[EncconfError]] = [EncconfError]
        for kind in kinds:
            kinds += kind.__subclasses__()
            assert f"{kind.exit_code:5}  " in codes, kind

    def test_no_command(self, project: Project) -> None:
        done = project.run(code=1)
        assert done.out == ""
        assert "Every day:" in done.err

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (["decrpyt", "x"], "did you mean decrypt?"),
            (["decrypt", "--outptu", "x", "y"], "--output"),
            (["decrypt", "--color", "sometimes", "x"], "always"),
            (["decrypt", "--output-type", "json", "a", "b"], "several files are printed as a YAML stream"),
            (["git", "nothing"], "encconf git --help"),
            (["help", "nothing"], "unknown command"),
            (["sops", "-d", "x"], "encconf shim DIR installs encconf under this name"),
        ],
    )
    def test_mistakes(self, project: Project, args: list[str], said: str) -> None:
        done = project.run(*args, code=1)
        assert done.out == ""
        assert done.err.startswith("encconf: error[usage]: ")
        assert said in done.err

    def test_completion(self, project: Project) -> None:
        environ = {"_ENCCONF_COMPLETE": "bash_complete", "COMP_WORDS": "encconf dec", "COMP_CWORD": "1"}
        assert project.run(environ=environ).out == "plain,decrypt\n"


# --- encconf without a command --------------------------------------------------------------------


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
    assert lines[4].startswith("next: encconf whoami (none of your keys opens these files), encconf check")
    keyless = project.run(environ={"SOPS_AGE_KEY": ""}).out
    assert keyless.splitlines()[4].startswith("next: encconf keygen (you have no key), encconf check")


def test_only_what_is_not_done_is_suggested(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.git("add", "-A")
    assert (
        sealed.run()
        .out.splitlines()[-1]
        .startswith("next: encconf check, encconf access, encconf git install ")
    )
    sealed.run("git", "install")
    assert sealed.run().out.splitlines()[-1].startswith("next: encconf check, encconf access (help")
    sealed.git("config", "--unset", "diff.encconf.textconv")  # as in a clone
    assert "encconf git install" in sealed.run().out.splitlines()[-1]


def test_a_configuration_in_the_folder_of_the_files_counts(repo: Repo, project: Project) -> None:
    for folder in ("apps/web", "apps/db"):
        repo.write(f"{folder}/a.yaml", seal(DATABASE, rule(ALICE)))
        repo.write(f"{folder}/.sops.yaml", f"creation_rules:\n  - age: {ALICE.recipient} # alice\n")
    lines = project.run().out.splitlines()
    assert lines[1] == "encrypted for 1 key: alice"
    assert lines[2].startswith("next: encconf whoami")
    repo.write("other/a.yaml", seal(DATABASE, rule(BOB)))
    lines = project.run().out.splitlines()
    said = "1 of these files have no .sops.yaml: encconf init writes one, with the keys that you confirm"
    assert lines[2] == said


def test_encconf_alone_in_a_repository_without_files_says_how_to_start(repo: Repo, project: Project) -> None:
    project.write(".env", "A=1\n")
    end = "next: encconf init, then encconf import .env (help: encconf --help)"
    assert project.run().out.splitlines() == ["this repository has no SOPS files yet", end]


@pytest.mark.posix
def test_without_git_nothing_is_said_about_the_files(sealed: Project) -> None:
    sealed.git("init", "-q")
    environ = {"PATH": str(sealed.path("nothing"))}
    for words in ((), ("diff",)):
        done = sealed.run(*words, environ=environ, code=2)
        assert "git cannot" in done.err
        assert "hint: git status says why" in done.err
