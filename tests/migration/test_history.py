"""What git has of a file: in commits, stashes and reflogs, under its name in any folder; and what it says."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from project import Project, needs

from encconf.migration import history


@pytest.fixture
def repository(project: Project) -> Project:
    project.git("init", "-q", "-b", "main")
    project.write(".env", "A=first-value-1\nB=b\n").chmod(0o600)
    return project


def commit(project: Project, text: str | None = None, name: str = ".env") -> str:
    if text is not None:
        project.write(name, text)
    project.git("add", "-f", "-A", name)
    project.git("commit", "-q", "--allow-empty", "-m", "x")
    return project.git("rev-parse", "HEAD").strip()


def report(project: Project, name: str = ".env") -> dict[str, object]:
    found = json.loads(project.run("import", "-n", "--json", name).out)["git"]
    assert isinstance(found, dict)
    return found


def test_never(repository: Project) -> None:
    empty = {"commits": [], "rotate": [], "earlier": [], "pushed": False, "complete": True}
    assert report(repository) == {"tracked": False, "ignored": False, **empty}
    commit(repository, "x\n", "README")
    repository.write(".gitignore", ".env\n")
    assert report(repository) == {"tracked": False, "ignored": True, **empty}
    err = repository.run("import", "-n", ".env").err
    assert ".env was never committed\n" in err
    assert "git does not ignore" not in err


def test_what_is_wrong_with_the_old_file_is_one_line(repository: Project) -> None:
    repository.path(".env").chmod(0o644)
    err = repository.run("import", ".env").err
    assert err.splitlines()[-2:] == [
        "encconf: warning: .env: others on this machine can read it, and git does not ignore it; "
        "it was never committed",
        "encconf: hint: chmod 600 .env && echo /.env >> .gitignore",
    ]


def test_only_staged(repository: Project) -> None:
    repository.git("add", "-f", ".env")
    assert report(repository)["tracked"] is True
    assert report(repository)["commits"] == []


def test_committed_and_removed(repository: Project) -> None:
    first = commit(repository)
    second = commit(repository, "A=second-value-2\nB=b\nC=old\n")
    repository.git("rm", "-q", "--cached", ".env")
    repository.git("commit", "-q", "-m", "x")
    repository.write(".env", "A=first-value-1\nB=b\nC=new\nD=never-seen-1\n")
    found = report(repository)
    assert found["commits"] == [second, first]
    assert (found["rotate"], found["earlier"]) == (["A", "B"], ["C"])
    err = repository.run("import", "-n", ".env").err
    assert f".env is in 2 commits (to {second[:12]}): anyone" in err
    assert "hint: change at the source, because the current value was committed: A, B\n" in err
    assert "hint: earlier values were committed; make sure that they no longer work: C\n" in err
    assert "first-value" not in err


def test_under_another_name_of_the_variable(repository: Project) -> None:
    commit(repository, "OLD=first-value-1\nSHORT=true\n")
    repository.write(".env", "NEW=first-value-1\nOTHER=true\n")
    assert report(repository)["rotate"] == ["NEW"]


def test_in_other_folders(repository: Project) -> None:
    commit(repository, "A=first-value-1\n", "deploy/old/.env")
    commit(repository, "A=first-value-1\n", "deploy/.env.example")
    repository.git("rm", "-qr", "--cached", "deploy")
    repository.git("commit", "-q", "-m", "x")
    assert len(report(repository)["commits"]) == 1  # type: ignore[arg-type]
    assert report(repository)["rotate"] == ["A"]


@pytest.mark.parametrize("name", ["a*[b]?.env", "sp ace.env", "ünï.env", ":top.env"])
def test_odd_names(repository: Project, name: str) -> None:
    commit(repository, "A=first-value-1\n", "abc.env")
    repository.write(name, "A=first-value-1\n")
    assert report(repository, f"./{name}")["rotate"] == []
    commit(repository, None, f"./{name}")
    assert report(repository, f"./{name}")["rotate"] == ["A"]


def test_branches_merges_stashes_and_reflogs(repository: Project) -> None:
    commit(repository, "x\n", "README")
    # A branch that had it and gave it up before it was merged.
    repository.git("switch", "-qc", "side")
    commit(repository)
    repository.git("rm", "-q", "--cached", ".env")
    repository.git("commit", "-q", "-m", "x")
    repository.path(".env").rename(repository.path("kept"))
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "-m", "x", "side")
    repository.git("branch", "-qD", "side")
    repository.git("reflog", "expire", "--expire=now", "--all")  # as in any clone
    repository.write(".env", "A=first-value-1\nB=in-a-stash-1\n")
    assert report(repository)["rotate"] == ["A"]
    repository.git("add", "-f", ".env")
    repository.git("stash", "-q")
    repository.write(".env", "A=first-value-1\nB=in-a-stash-1\nC=in-a-reflog\n")
    assert report(repository)["rotate"] == ["A", "B"]
    commit(repository)
    repository.git("reset", "-q", "--soft", "HEAD~")
    repository.git("rm", "-q", "--cached", ".env")
    assert report(repository)["rotate"] == ["A", "B", "C"]


def test_what_only_a_merge_brought(repository: Project) -> None:
    commit(repository, "x\n", "README")
    repository.git("switch", "-qc", "side")
    commit(repository, "y\n", "OTHER")
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "--no-commit", "side")
    merge = commit(repository)
    assert report(repository)["commits"] == [merge]


def test_pushed(repository: Project) -> None:
    commit(repository)
    assert report(repository)["pushed"] is False
    repository.git("init", "-q", "--bare", "remote.git")
    repository.git("push", "-q", "./remote.git", "main")
    repository.git("remote", "add", "origin", "./remote.git")
    repository.git("fetch", "-q", "origin")
    assert report(repository)["pushed"] is True
    assert "and on a remote" in repository.run("import", "-n", ".env").err


def test_encrypted_and_empty_versions_tell_nothing(repository: Project) -> None:
    commit(repository, "A=\nB=\n")
    repository.write("plain.env", "A=first-value-1\n")
    repository.run("encrypt", "-o", ".env", "--force", "plain.env")
    commit(repository)
    repository.write(".env", "A=first-value-1\n")
    assert report(repository)["commits"] == []


def test_a_shallow_clone(repository: Project) -> None:
    commit(repository)
    commit(repository, "A=second-value-2\n")
    source = f"file://{repository.folder}"
    repository.git("clone", "-q", "--depth", "1", source, "shallow")
    clone = Project(repository.path("shallow"), repository.home, repository.key)
    clone.rules()
    clone.write(".env", "A=first-value-1\n")
    found = report(clone)
    assert (found["complete"], found["rotate"], found["earlier"]) == (False, [], ["A"])
    assert "in the part of the history that is here" in clone.run("import", "-n", ".env").err


def test_a_partial_clone_fetches_nothing(repository: Project) -> None:
    commit(repository)
    commit(repository, "A=second-value-2\n")
    repository.git("config", "uploadpack.allowFilter", "true")
    source = f"file://{repository.folder}"
    repository.git("clone", "-q", "--filter=blob:none", source, "partial")
    clone = Project(repository.path("partial"), repository.home, repository.key)
    clone.rules()
    shutil.move(repository.path(".git"), repository.path("away"))  # git could not be asked
    clone.write(".env", "A=first-value-1\n")
    found = report(clone)
    assert (found["complete"], found["rotate"], found["earlier"]) == (False, [], ["A"])


def test_more_versions_than_are_read(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        commit(repository, f"A=value-number-{number}\n")
    monkeypatch.setattr(history, "LIMIT", 2)
    found = history.past(str(repository.path(".env")), {"A": "value-number-0"}, "dotenv", repository.environ)
    assert found is not None
    assert (found.complete, found.rotate, len(found.commits)) == (False, [], 2)


def test_many_large_versions_end_the_search(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch can have thousands of them in a few kilobytes."""
    for number in range(3):
        commit(repository, f"A=value-number-{number}\n")
    commit(repository, "A=large\n" + "#" * 200)
    monkeypatch.setattr(history, "LARGEST", 100)
    values = {"A": "value-number-0"}
    found = history.past(str(repository.path(".env")), values, "dotenv", repository.environ)
    assert found is not None
    assert (found.complete, found.rotate, len(found.commits)) == (False, ["A"], 3)
    monkeypatch.setattr(history, "PATIENCE", -1)
    found = history.past(str(repository.path(".env")), values, "dotenv", repository.environ)
    assert found is not None
    assert (found.complete, found.rotate, found.commits) == (False, [], [])


def test_settings_run_no_program(repository: Project) -> None:
    """Neither those of the repository, nor the reader's own, nor variables that change how paths are read."""
    commit(repository)
    trap = repository.write("trap", "#!/bin/sh\ntouch sprung\nexit 1\n")
    trap.chmod(0o755)
    for name in (
        "core.fsmonitor",
        "diff.external",
        "diff.env.textconv",
        "gpg.program",
        "core.pager",
        "core.sshCommand",
    ):
        repository.git("config", name, str(trap))
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "log.follow", "true")
    repository.git("config", "log.showRoot", "false")  # would leave the first commit out
    repository.git("config", "diff.renames", "copies")
    repository.write(".gitattributes", "*.env diff=env\n")
    repository.environ |= {
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_EXTERNAL_DIFF": str(trap),
        "GIT_PAGER": str(trap),
    }
    assert report(repository)["rotate"] == ["A", "B"]
    assert not repository.path("sprung").exists()


def test_no_git(repository: Project) -> None:
    """Without the program nothing is claimed."""
    err = repository.run("import", "-n", ".env", environ={"PATH": "/nowhere"}).err
    assert "git could not tell whether .env was ever committed" in err
    outside = Project(repository.folder.parent, repository.home, repository.key)
    outside.rules()
    outside.write(".env", "A=b\n")
    done = outside.run("import", "-n", "--json", ".env")
    assert json.loads(done.out)["git"] is None


def test_values_are_no_arguments(repository: Project) -> None:
    """Nothing that git is called with holds a value."""
    commit(repository)
    folder = repository.home / "bin"  # in the work tree, it would not run
    folder.mkdir()
    real = needs("git")
    spy = folder / "git"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{repository.path("calls")}"\nexec {real} "$@"\n')
    spy.chmod(0o755)
    path = f"{folder}:{repository.environ['PATH']}"
    repository.run("import", "-n", ".env", environ={"PATH": path})
    calls = repository.read("calls")
    assert "cat-file" in calls
    assert "first-value" not in calls


def test_many_commits_are_quick(repository: Project) -> None:
    """A long history of other files costs little; the stream is git fast-import's."""
    lines = []
    for number in range(3000):
        lines.append(
            f"commit refs/heads/main\ncommitter x <x@example.com> {number} +0000\ndata 1\nx\n"
            f"M 100644 inline f{number % 50}\ndata {len(str(number))}\n{number}\n"
        )
    command = ["git", "fast-import", "--quiet"]
    text = "".join(lines).encode()
    subprocess.run(command, cwd=repository.folder, input=text, check=True, env=repository.environ, timeout=60)
    assert report(repository)["commits"] == []


def test_a_version_whose_variables_explode_is_left_out(repository: Project) -> None:
    first = commit(repository)
    commit(
        repository, "A=" + "x" * 64 + "\n" + "".join(f"K{n}=${{A}}${{A}}\nA=${{K{n}}}\n" for n in range(40))
    )
    repository.write(".env", "A=first-value-1\nB=b\n")
    found = report(repository)
    assert found["commits"] == [first]
    assert found["complete"] is False
