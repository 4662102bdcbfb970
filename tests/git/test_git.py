"""``encconf git …`` with a real git."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

from encconf import git
from encconf.errors import UsageError
from encconf.git import before, by_repository, exposures, start, tracked


def exposure(path: str) -> str | None:
    return exposures([path])[path]


class TestExposure:
    def test_of_a_file(self, project: Project) -> None:
        path = str(project.write("a b/[x]*.yaml", "a: 1\n"))
        assert exposure(path) is None
        project.git("init", "-q")
        assert exposure(path) == "untracked"
        project.write(".gitignore", "a b/\n")
        assert exposure(path) is None
        project.git("add", "-f", "a b")
        assert exposure(path) == "tracked"
        project.write("a b/x.yaml", "")
        assert exposure(str(project.path("a b/x.yaml"))) is None

    def test_of_many_files_of_several_repositories(self, project: Project, tmp_path: Path) -> None:
        inner = project.folder / "inner"
        inner.mkdir()
        for folder in (project.folder, inner):
            subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        kinds = {"tracked": "t", "untracked": "u", None: "i"}
        project.write(".gitignore", "i*\n")
        project.write("inner/.gitignore", "i*\n")
        wanted: dict[str, str | None] = {str(tmp_path / "nowhere.yaml"): None}
        for folder in (project.folder, inner):
            for state, letter in kinds.items():
                for number in range(600 if folder == inner else 2):
                    (folder / f"{letter}{number}.yaml").write_text("a: 1\n")
                    wanted[str(folder / f"{letter}{number}.yaml")] = state
            subprocess.run("git add t*", shell=True, cwd=folder, check=True)
        assert exposures(list(wanted)) == wanted


def test_links_are_followed_to_what_git_knows(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    project.git("init", "-q")
    project.write("v2/a.yaml", "a: 1\n")
    project.path("current").symlink_to("v2")
    outside = tmp_path / "link"
    outside.symlink_to(project.path("v2/a.yaml"))
    names = ["current/a.yaml", str(outside)]
    assert exposures(names) == dict.fromkeys(names, "untracked")
    project.git("add", "-A")
    assert exposures(names) == dict.fromkeys(names, "tracked")


def test_a_version_before_in_a_folder_inside_a_hook(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, git's variables name the repository, relative to its top."""
    project.git("init", "-q")
    for text in ("a: 1\n", "a: 2\n"):
        project.write("deep/a.yaml", text)
        project.git("add", "-A")
        project.git("commit", "-qm", "x")
    wanted = project.git("rev-parse", "HEAD^:deep/a.yaml").strip()
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("GIT_DIR", ".git")
    assert before("deep/a.yaml", "a: 2\n") == wanted


def test_files_by_repository_under_the_names_that_git_has(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / "inside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "two" / "inside" / "b")
    paths = [str(tmp_path / name) for name in ("one/a", "one/inside/b", "link", "outside")]
    assert by_repository(paths) == {
        str(tmp_path / "one"): {"a": paths[0], "inside/b": paths[1]},
        str(tmp_path / "two"): {"inside/b": paths[2]},
    }


def test_the_index_of_a_commit_is_used_only_in_its_repository(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a hook of the repository around a submodule, or beside a work tree, looks into it."""
    monkeypatch.chdir(project.folder)
    project.git("init", "-q")
    project.write("a.yaml", "a: 1\n")
    project.git("add", ".")
    project.git("commit", "-qm", "one")
    project.git("worktree", "add", "-q", "linked")
    project.write("linked/b.yaml", "b: 1\n")
    project.git("-C", "linked", "add", ".")
    subprocess.run(["git", "init", "-q", "inner"], check=True)
    project.write("inner/c.yaml", "c: 1\n")
    project.git("-C", "inner", "add", ".")
    own = project.path(".git/index").read_bytes()
    for index in (".git/next-index-1.lock", str(project.path(".git/next-index-1.lock"))):
        project.path(".git/next-index-1.lock").write_bytes(own)
        monkeypatch.setenv("GIT_INDEX_FILE", index)
        project.write("later.yaml", "a: 1\n")
        subprocess.run(["git", "add", "later.yaml"], check=True)
        assert tracked(".") == ["a.yaml", "later.yaml"], "what is about to be committed"
        assert tracked("linked") == ["linked/a.yaml", "linked/b.yaml"]
        assert tracked("inner") == ["inner/c.yaml"]
        monkeypatch.delenv("GIT_INDEX_FILE")
        assert tracked(".") == ["a.yaml"]
    (tmp_path / "index").write_bytes(own)
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert tracked("inner") == ["inner/a.yaml"], "one that a script made is not a hook's"


@pytest.fixture
def as_git(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Put a shell script in the place of git, and return an environment that finds it."""

    def put(script: str) -> dict[str, str]:
        path = tmp_path / "bin" / "git"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        return {"PATH": str(path.parent), "SOPS_AGE_KEY": "secret", "OTHER": "x"}

    return put


class TestStart:
    def test_what_git_prints(self, as_git: Callable[[str], dict[str, str]]) -> None:
        environ = as_git(
            'echo "$#" "$1" "$SOPS_AGE_KEY" "$OTHER"; printf "\\377"; read x; echo no >&2; exit 3'
        )
        for seconds in (None, 20.0):
            assert start(["a b"], environ, seconds=seconds)() == (3, "1 a b  x\n\udcff")
        assert git.run(["a b"], environ) == (3, "1 a b  x\n\udcff")

    def test_no_more_than_the_limit(self, as_git: Callable[[str], dict[str, str]]) -> None:
        environ = as_git("printf 12345")
        for seconds in (None, 20.0):
            for limit, code in ((6, 0), (5, 0), (4, 1), (1, 1), (None, 0)):
                found, output = start([], environ, limit=limit, seconds=seconds)()
                assert (found != 0, output[: limit or 9]) == (code != 0, "12345"[: limit or 9])

    def test_no_longer_than_it_may_take(self, as_git: Callable[[str], dict[str, str]]) -> None:
        environ = as_git("printf 12; /bin/sleep 0.3; printf 34; exec /bin/sleep 20")
        begin = time.monotonic()
        assert start([], environ, seconds=0)()[0] == -9
        code, output = start([], environ, seconds=2)()
        assert (code, output) == (-9, "1234")
        assert time.monotonic() - begin < 15

    def test_where_git_cannot_run(self, tmp_path: Path, as_git: Callable[[str], dict[str, str]]) -> None:
        environ = as_git("")
        opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        (tmp_path / "bin/git").write_bytes(b"\0no program")
        assert git.run(["--version"], environ) == (127, "")
        (tmp_path / "bin/git").unlink()
        assert git.run(["--version"], environ) == (127, "")
        assert not opened or len(os.listdir("/proc/self/fd")) == opened

    def test_on_a_system_without_posix_spawn(
        self, monkeypatch: pytest.MonkeyPatch, as_git: Callable[[str], dict[str, str]]
    ) -> None:
        monkeypatch.delattr(os, "posix_spawn")
        environ = as_git('echo "$1" "$SOPS_AGE_KEY" "$OTHER"; printf "\\377"; exit 3')
        assert git.run(["a b"], environ) == (3, "a b  x\n\udcff")
        assert git.run(["a b"], {"PATH": "/nowhere"}) == (127, "")


def test_what_git_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"GIT_DIR": "a", "GIT_WORK_TREE": "b", "GIT_COMMON_DIR": "c", "SOPS_AGE_KEY": "d", "HOME": "e",
               "GIT_LITERAL_PATHSPECS": "f", "GIT_SSH": "g"}  # fmt: skip
    words, found = git.question("x", "log", "-1", environ=environ)
    assert words[-4:] == ["-C", "x", "log", "-1"]
    kept = {"HOME": "e", "GIT_SSH": "g", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    assert found == kept


def test_old_versions_of_a_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.git("init", "-q")
    monkeypatch.chdir(project.folder)
    assert before("a.yaml", "x") is None
    for text in ("a: 1\n", "a: 2\n"):
        project.write("a.yaml", text)
        project.git("add", "-A")
        project.git("commit", "-qm", "x")
    first, last = (project.git("rev-parse", f"{commit}:a.yaml").strip() for commit in ("HEAD^", "HEAD"))
    assert before("a.yaml", "a: 3\n") == last
    assert before("a.yaml", "a: 2\r\n") == first
    assert before("b.yaml", "a: 2\n") is None
    folder = str(project.folder)
    assert (git.version(first, folder), git.version("HEAD:a.yaml", folder)) == ("a: 1\n", "a: 2\n")
    assert git.version("HEAD:none", folder) is None
    monkeypatch.setattr(git, "LIMIT", 3)
    assert git.version(first, folder) is None
    monkeypatch.setattr(git, "LIMIT", 100)
    monkeypatch.setenv("GIT_DIR", str(project.folder / ".git"))
    monkeypatch.chdir("/")
    assert git.version(first) == "a: 1\n"


def test_a_repository_without_a_work_tree_has_no_files(project: Project) -> None:
    project.git("init", "-q")
    git.need_files([str(project.folder), "none"])
    with pytest.raises(UsageError, match="a bare repository has no files"):
        git.need_files([str(project.folder), str(project.folder / ".git")])


def test_an_index_that_a_commit_names(project: Project, tmp_path: Path) -> None:
    """Git's question keeps it where it belongs to the repository, or to none that is known."""
    project.git("init", "-q")
    (tmp_path / "outside").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "real/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "sub/.git").write_text("gitdir: ../real\n")
    own = project.path(".git")
    for folder, index, kept in (
        (tmp_path / "outside", "index", True),
        (project.folder, ".git/index.lock", False),  # a relative one that is not there is another's
        (project.folder, str(own / "index.lock"), True),
        (project.folder, str(tmp_path / "real/index"), False),
        (project.folder, str(tmp_path / "outside/index"), True),
        (project.folder, "other/index", False),
        (tmp_path / "sub", str(tmp_path / "real/index"), True),
        (tmp_path / "sub", str(own / "index"), False),
    ):
        _, environ = git.question(str(folder), "status", environ={"GIT_INDEX_FILE": index})
        assert ("GIT_INDEX_FILE" in environ) is kept, (folder, index)
