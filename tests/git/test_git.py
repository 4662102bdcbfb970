"""``encconf git …`` with a real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from project import Project

from encconf.git import before, by_repository, exposures, tracked


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
