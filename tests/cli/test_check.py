"""``encconf check`` as a program: which files, how it ends, and as a hook of pre-commit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from audit.repo import BOB, DATABASE, SECRET, Repo, seal
from audit.repo import project as project
from oracle import AgeKey
from project import PLAIN, ROOT, Project, Result, needs


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


def sound(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))


def slugs(done: Result) -> set[str]:
    return {found["slug"] for found in json.loads(done.out)["findings"]}


def test_a_sound_repository(project: Project) -> None:
    done = project.run("check")
    assert done.out == ""
    assert done.err == (
        "encconf: no errors or warnings in 3 files, 1 of them encrypted "
        "(1 note hidden; --min-severity note shows it)\n"
    )
    project.git("commit", "-q", "-m", "x")
    assert project.run("check", "--verify").err.startswith(
        "encconf: no errors or warnings in 3 files, 1 of them encrypted and 1 opened"
    )


def test_exit_codes(project: Project) -> None:
    project.run("check", "--strict", "--min-severity", "note")
    project.write("new.enc.yaml", "password: correct horse\n")
    project.run("check")  # git does not have it yet
    project.git("add", "-A")
    done = project.run("check", code=1)
    assert "error[findings]: 1 error in 4 files, 1 of them encrypted" in done.err
    project.run("check", "--ignore", "not-encrypted=new.*")
    project.write("new.enc.yaml", "password: [\n")
    assert "error[unchecked]" in project.run("check", code=2).err
    project.write("new.enc.yaml", "password: correct horse\n")
    project.write("other.enc.yaml", "{")
    project.git("add", "-A")
    project.run("check", code=1)
    project.run("check", "nowhere.yaml", code=100)
    project.run("check", "-", code=1)
    project.run("check", "--ignore", "nonsense", code=1)
    project.run("check", "--json", "--format", "sarif", code=8)


def test_strict_makes_warnings_count(project: Project) -> None:
    project.write(".sops.yaml", project.read(".sops.yaml") + "    encrypted_regexp: x\n")
    done = project.run("check")
    assert "[config-notice]" in done.out
    project.run("check", "--strict", code=1)
    assert project.run("check", "--min-severity", "error").out == ""


def test_without_a_key_verify_says_what_was_not_verified(project: Project) -> None:
    other = {"SOPS_AGE_KEY": AgeKey.generate().identity}
    done = project.run("check", "--verify", environ=other)
    assert "secrets.enc.yaml" in done.out
    assert "[not-verified]" in done.out
    project.run("check", "--verify", "--strict", environ=other, code=2)


def test_a_changed_value_is_found_with_a_key(project: Project) -> None:
    project.write("secrets.enc.yaml", project.read("secrets.enc.yaml").replace("free to read", "forged"))
    project.run("check")
    assert "[mac-mismatch]" in project.run("check", "--verify", code=1).out


def test_git_is_called_once(project: Project, tmp_path: Path) -> None:
    real = needs("git")
    log = tmp_path / "calls"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)

    def calls(*arguments: str, code: int = 0) -> int:
        log.write_text("")
        environ = {"PATH": f"{programs}:{project.environ['PATH']}"}
        project.run("check", *arguments, environ=environ, code=code)
        return len(log.read_text().splitlines())

    # What there is; then the history of the encrypted file: whether the clone is whole, and its commits.  git
    # fails in a repository without a commit, so encconf asks whether there is one.
    assert calls() == 5
    for number in range(9):
        project.write(f"plain/{number}.enc.yaml", "password: correct horse\n")
    project.git("add", "-A")
    assert calls(code=1) == 5
    assert calls("plain", code=1) == 2  # what is there, and what git would take
    # Which filters there are, what has changed, what the new .sops.yaml is about, the same two; the history.
    assert calls("--changed", code=1) == 9
    named = [f"plain/{number}.enc.yaml" for number in range(9)]
    assert calls(*named, code=1) == 1
    project.git("commit", "-qm", "x")
    # Also the changes, whether the file was renamed in its first commit, its blob in the last commit, and the
    # versions.
    assert calls(code=1) == 8


def test_from_a_folder_of_the_repository(project: Project) -> None:
    project.write("sub/new.enc.yaml", "password: correct horse\n")
    project.git("add", "-A")
    folder, project.folder = project.folder, project.path("sub")
    done = project.run("check", "--json", code=1)
    (found,) = json.loads(done.out)["findings"]
    assert (found["file"], found["slug"]) == ("new.enc.yaml", "not-encrypted")
    done = project.run("check", "--format", "github", code=1)
    assert done.out.startswith("::error file=sub/new.enc.yaml,")
    project.folder = folder
    (found,) = json.loads(project.run("check", "--json", "sub", code=1).out)["findings"]
    assert found["file"] == "sub/new.enc.yaml"


def test_named_files(project: Project) -> None:
    project.write("a.enc.yaml", "password: correct horse\n")
    project.write("b.enc.yaml", "password: correct horse\n")
    found = json.loads(project.run("check", "--json", "a.enc.yaml", "secrets.enc.yaml", code=1).out)[
        "findings"
    ]
    assert [each["file"] for each in found] == ["a.enc.yaml"]
    found = json.loads(project.run("check", "--json", "*.enc.yaml", code=1).out)["findings"]
    assert [each["file"] for each in found] == ["a.enc.yaml", "b.enc.yaml"]
    project.write(".gitignore", "/secrets.yaml\n/a.enc.yaml\n")  # somebody's own plain copy
    project.run("check", "a.enc.yaml", "secrets.enc.yaml")


def test_only_changed_files_are_checked(project: Project) -> None:
    project.write("old.enc.yaml", "password: correct horse\n")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "x")
    project.run("check", code=1)
    project.run("check", "--changed")
    project.write("new.enc.yaml", "password: correct horse\n")
    found = json.loads(project.run("check", "--changed", "--json", code=1).out)["findings"]
    assert [each["file"] for each in found] == ["new.enc.yaml"]


def test_files_below_a_changed_configuration_are_checked_too(project: Project) -> None:
    project.write("sub/other.enc.yaml", "password: correct horse\n")
    project.run("encrypt", "-i", "sub/other.enc.yaml")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "x")
    rules = project.read(".sops.yaml")
    project.write(".sops.yaml", rules.replace(project.key.recipient, BOB.recipient))
    found = json.loads(project.run("check", "--changed", "--json", code=1).out)["findings"]
    assert [each["file"] for each in found] == ["secrets.enc.yaml", "sub/other.enc.yaml"]
    project.git("checkout", "-q", ".sops.yaml")
    project.write("sub/.sops.yaml", rules.replace(project.key.recipient, BOB.recipient))
    found = json.loads(project.run("check", "--changed", "--json", code=1).out)["findings"]
    assert [each["file"] for each in found] == ["sub/other.enc.yaml"]
    project.folder = project.path("sub")
    found = json.loads(project.run("check", "--changed", "--json", code=1).out)["findings"]
    assert [each["file"] for each in found] == ["other.enc.yaml"]


def test_folders_and_patterns(project: Project) -> None:
    for name in ("a/b/x.enc.yaml", "a/y.enc.json", "c/z.enc.yaml"):
        project.write(name, '{"password": "correct horse"}\n')

    def files(*arguments: str) -> list[str]:
        said = json.loads(project.run("check", "--json", *arguments, code=1).out)["findings"]
        return [each["file"] for each in said]

    assert files("a") == files("-r", "a") == ["a/b/x.enc.yaml", "a/y.enc.json"]
    assert files("**/*.enc.yaml") == ["a/b/x.enc.yaml", "c/z.enc.yaml"]
    assert files("a", "c/*.yaml", "a/y.enc.json") == ["a/b/x.enc.yaml", "a/y.enc.json", "c/z.enc.yaml"]
    assert files("--changed", "c") == ["c/z.enc.yaml"]
    project.run("check", "nowhere/*.yaml", code=100)


def test_a_repository_that_git_cannot_read_is_checked_by_folder(project: Project) -> None:
    """A repository of another user, for example: a message says so, and all files are looked at."""
    project.write("new.enc.yaml", "password: correct horse\n")
    project.path(".git/config").write_text("[core]\nrepositoryformatversion = 99\n")
    done = project.run("check", code=1)
    assert "warning: git cannot list the files in " in done.err
    assert "new.enc.yaml" in done.out
    assert "plain-twin" not in done.out  # git tracks none, as far as anyone can say


def test_a_sparse_checkout_hides_no_encrypted_file(project: Project) -> None:
    """Without them, nearly no file of the rule is encrypted, and plaintext would be only a note."""
    project.write(".sops.yaml", f"creation_rules:\n  - path_regex: ^app/\n    age: {project.key.recipient}\n")
    for name in ("a", "b", "c"):
        project.write(f"app/sealed/{name}.yaml", PLAIN)
        project.run("encrypt", "-i", f"app/sealed/{name}.yaml")
    project.write("app/plain/d.yaml", PLAIN)
    project.write("app/sealed/gone.yaml", PLAIN)
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "all")
    os.unlink(project.path("app/sealed/gone.yaml"))
    whole = project.run("check", code=1)
    assert "app/plain/d.yaml" in whole.out
    assert "gone" not in whole.out
    project.git("checkout", "-q", "app/sealed/gone.yaml")
    project.git("rm", "-q", "--cached", "app/sealed/gone.yaml")
    os.unlink(project.path("app/sealed/gone.yaml"))
    project.git("sparse-checkout", "set", "app/plain")
    assert not project.path("app/sealed").exists()
    sparse = project.run("check", code=1)
    assert sparse.out == whole.out
    assert "4 of them encrypted" in sparse.err  # with that of the fixture


def test_a_tracked_plaintext_copy_of_a_named_file_is_found(project: Project) -> None:
    project.run("check", "secrets.enc.yaml")
    project.git("add", "-f", "secrets.yaml")
    for arguments in ([], ["secrets.enc.yaml"], ["."]):
        assert slugs(project.run("check", "--json", *arguments, code=1)) == {"plain-twin"}


def test_without_git(tmp_path: Path, home: Path) -> None:
    project = Project(tmp_path, home, AgeKey.generate())
    project.rules()
    project.write("secrets.yaml", PLAIN)
    project.run("encrypt", "secrets.yaml")
    project.run("check", "secrets.enc.yaml")
    assert "secrets.yaml" in project.run("check", "--strict", code=1).out  # a rule for everything covers it
    project.path("secrets.yaml").unlink()
    project.run("check", "--strict")


def test_no_value_is_printed(project: Project) -> None:
    text = project.read("secrets.enc.yaml")
    text = re.sub(r"(password: ).*", rf"\1{SECRET}", text)
    project.write("secrets.enc.yaml", text)
    project.write("plain.enc.yaml", f"a: {SECRET}\nb: [{SECRET}]\n")
    project.write("broken.enc.yaml", f"a: {SECRET}\n b: [{SECRET}\n")
    project.git("add", "-A")
    for arguments in (["--json"], ["--format", "sarif"], ["--format", "github"], ["--verify"]):
        done = project.run("check", "--min-severity", "note", *arguments, code=1)
        assert "plain.enc.yaml" in done.out
        assert SECRET not in done.out + done.err


def test_the_help_names_the_exit_codes(project: Project) -> None:
    said = " ".join(project.run("check", "--help").out.split())
    assert "1 errors; with --strict, also warnings" in said
    assert "2 something could not be checked" in said


# --- pre-commit ----------------------------------------------------------------------------------


def test_check_runs_as_a_hook_of_pre_commit(project: Project) -> None:
    """As pre-commit does it for anybody: it clones encconf, and installs it for these hooks alone."""
    origin = project.folder.parent / "encconf"
    shutil.copytree(ROOT / "encconf", origin / "encconf", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, origin)
    environ = {
        **os.environ,  # where packages come from
        **project.environ,
        "PRE_COMMIT_HOME": str(project.folder.parent / "cache"),
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",  # by programs that go on after this test
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "x"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "x@example.com"),
    }
    del environ["PYTHONPATH"]  # not the encconf that runs this test

    def run(*command: str, folder: Path = project.folder, code: int = 0) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def pre_commit(*words: str) -> str:
        return run(sys.executable, "-m", "pre_commit", *words)

    run("git", "init", "-q", folder=origin)
    run("git", "add", "-A", folder=origin)
    run("git", "commit", "-q", "-m", "hooks", folder=origin)
    revision = run("git", "rev-parse", "HEAD", folder=origin).strip()
    project.write(
        ".pre-commit-config.yaml",
        f"repos:\n  - repo: {origin}\n    rev: {revision}\n    hooks:\n"
        "      - id: encconf-check\n      - id: encconf-verify\n",
    )
    run("git", "add", "-A")
    pre_commit("install")
    run("git", "commit", "-q", "-m", "sound")
    # What is staged counts, not what has been put right since.
    project.write("new.enc.yaml", "password: correct horse\n")
    run("git", "add", "-A")
    project.write("new.enc.yaml", project.read("secrets.enc.yaml"))
    said = run("git", "commit", "-q", "-m", "plain", code=1)
    assert "new.enc.yaml:1:11: error: password is plaintext" in said
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "encrypted")
    said = pre_commit("run", "encconf-verify", "--hook-stage", "manual", "--verbose")
    assert "in 5 files, 2 of them encrypted and 2 opened" in said


def test_the_benchmark_runs() -> None:
    """Not whether its target is reached, which is for a machine with nothing else to do."""
    script = [sys.executable, str(ROOT / "bench" / "check.py")]
    done = subprocess.run(
        [*script, "--files", "60", "--encrypted", "5", "--rounds", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        timeout=60,
    )
    assert done.returncode in (0, 1), done
    assert "60 files, 5 encrypted; encconf: no errors or warnings in 60 files, 5 of them" in done.stdout
    assert re.search(r"^of what is allowed +\d+\.\d\d$", done.stdout, flags=re.M)


def test_a_hint_if_nothing_is_tracked_yet(project: Project) -> None:
    """Without a path, only what git tracks is checked: a new repository gets a hint."""
    assert "encconf check .\n" not in project.run("check").err
    project.git("rm", "-rq", "--cached", ".")
    assert "encconf check .\n" in project.run("check").err


def test_files_that_no_rule_matches(project: Project) -> None:
    """As after ``init``, whose rule is for ``*.enc.*``, in a project whose files are ``app.yaml``."""
    rule = f"  - path_regex: \\.enc\\.\n    age: {project.key.recipient}\n"
    project.write("new/.sops.yaml", f"creation_rules:\n{rule}")
    project.write("new/app.yaml", "password: correct horse battery\n")
    assert "encconf encrypt NAME.yaml writes NAME.enc.yaml" in project.run("check", "new").err
    project.run("encrypt", "new/app.yaml")
    assert "NAME.enc.yaml" not in project.run("check", "new").err


def test_in_a_folder_the_names_of_files_beside_it_are_short(project: Project) -> None:
    for name in ("apps/web/x.enc.yaml", "apps/db/deep/y.enc.yaml", "z.enc.yaml"):
        project.write(name, "password: n0t-encrypted\n")
    project.git("add", "-A")
    below = Project(project.path("apps/db"), project.home, project.key)
    found = json.loads(below.run("check", "--json", code=1).out)["findings"]
    names = {each["file"] for each in found if each["slug"] == "not-encrypted"}
    assert names == {"../web/x.enc.yaml", "deep/y.enc.yaml", "../../z.enc.yaml"}
