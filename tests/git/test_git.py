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
                for number in range(2):
                    (folder / f"{letter}{number}.yaml").write_text("a: 1\n")
                    wanted[str(folder / f"{letter}{number}.yaml")] = state
            subprocess.run("git add t*", shell=True, cwd=folder, check=True)
        assert exposures(list(wanted)) == wanted


def test_git_is_asked_about_few_files_at_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command line has a limit."""
    project.git("init", "-q")
    names = [f"{number}.yaml" for number in range(5)]
    for name in names:
        project.write(name, "a: 1\n")
    project.git("add", *names[:3])
    asked: list[int] = []

    def said(root: str, *words: str, ask: Callable[..., str] = git.said) -> str:
        asked.append(len(words) - words.index("--") - 1)
        return ask(root, *words)

    monkeypatch.setattr(git, "AT_ONCE", 2)
    monkeypatch.setattr(git, "said", said)
    found = git.exposures([str(project.path(name)) for name in names])
    assert list(found.values()) == ["tracked"] * 3 + ["untracked"] * 2
    assert asked == [2, 2, 1]


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


# --- a repository with files in every state, as git itself describes them ---------------------------

STATES = ("clean", "edited", "staged", "new", "gone", "deleted", "renamed", "untracked", "ignored", "linked")
FOLDERS = ("", "sub/", "sub/deep er/")
ODD = ("-x", "b c", "*", "\u00e9", "new\nline", 'q"q', "#")


@pytest.fixture
def states(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a file in each state in each folder, and other repositories in it."""
    root = project.folder
    monkeypatch.setattr(os, "environ", {**os.environ, **project.environ})
    project.git("init", "-q", "-b", "main")
    project.write(".gitignore", "ignored*\n")
    for folder in FOLDERS:
        (root / folder).mkdir(exist_ok=True)
        for state in STATES:
            if state not in ("new", "untracked", "ignored", "linked"):
                (root / folder / state).write_text(f"{folder}{state}\n")
    (root / "linked").symlink_to("nowhere")
    for name in ODD:
        (root / "sub" / name).write_text(name)
    (root / "onlyignored").mkdir()
    project.git("add", "-A")
    project.git("commit", "-qm", "one")
    for folder in FOLDERS:
        for state in ("edited", "staged", "new"):
            (root / folder / state).write_text("other\n")
        project.git("add", "--", f"{folder}staged", f"{folder}new")
        (root / folder / "edited").write_text("again\n")
        (root / folder / "gone").unlink()
        project.git("rm", "-q", "--", f"{folder}deleted")
        project.git("mv", "--", f"{folder}renamed", f"{folder}moved")
        (root / folder / "untracked").write_text("x\n")
        (root / folder / "ignored").write_text("x\n")
    for inner in ("inner", "sub/inner"):
        (root / inner).mkdir()
        subprocess.run(["git", "init", "-q"], cwd=root / inner, check=True)
        (root / inner / "untracked").write_text("x\n")
    return root


def said_by_git(folder: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


@pytest.mark.parametrize("cwd", ["", "sub", "sub/deep er"])
def test_the_files_that_git_lists(states: Path, cwd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = states / cwd
    monkeypatch.chdir(here)
    for folder in ("", ".", "..", "./sub", str(states), f"{states}/sub/", os.path.relpath(states), "deep er"):
        if not os.path.isdir(folder or ".") or not (here / folder).resolve().is_relative_to(states):
            continue
        inside = here / folder

        def below(names: list[str], folder: str = folder) -> list[str]:
            return [os.path.join(folder if folder != "." else "", name) for name in sorted({*names})]

        index = said_by_git(inside, "ls-files", "-z")
        assert git.tracked(folder) == below(index)
        new = said_by_git(inside, "ls-files", "-z", "--others", "--exclude-standard")
        assert git.listed(folder) == below([*index, *(name for name in new if not name.endswith("/"))])
        entries = said_by_git(inside, "status", "--porcelain", "-z", "--no-renames", "-uall", "--", ".")
        top = os.path.relpath(inside, states).removeprefix(".")
        changed = [os.path.relpath(entry[3:], top or ".") for entry in entries if not entry.endswith("/")]
        assert git.changed(folder) == below([name for name in changed if os.path.lexists(inside / name)])


def test_what_git_knows_of_each_file(states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states / "sub")
    index = {states / name for name in said_by_git(states, "ls-files", "-z")}
    new = {states / name for name in said_by_git(states, "ls-files", "-z", "--others", "--exclude-standard")}
    paths = [
        states / folder / name
        for folder in (*FOLDERS, "none/")
        for name in (*STATES, "moved", "missing", *ODD)
    ]
    wanted = {path: "tracked" if path in index else "untracked" if path in new else None for path in paths}
    linked = states / "linked"
    del wanted[linked]  # git knows its content under another name
    assert git.exposures([*map(str, wanted)]) == {str(path): state for path, state in wanted.items()}
    for cwd in ("", "sub"):
        monkeypatch.chdir(states / cwd)
        names = {os.path.relpath(path): path for path in wanted}
        known, every = git.Known(), git.Known()
        found = every.everything(os.curdir, str(states))()
        assert found is not None
        assert {os.path.abspath(name) for name in found} == {str(path) for path in index}
        for name, path in names.items():
            assert known.tracked(name) is (path in index and os.path.lexists(path)), name
            assert known.tracked(str(path)) is (path in index and os.path.lexists(path)), name
            assert known.exposed(name) is (path in index | new), name
            assert every.tracked(name) is (path in index), name
            assert every.exposed(name)
    assert git.Known("/").tracked("none") is False
    assert git.Known("/").exposed("none") is True
    assert git.Known().everything("/", None)() is None


def test_where_a_path_is(states: Path, tmp_path: Path) -> None:
    tops = {"": states, "sub/": states, "inner/": states / "inner", "sub/inner/": states / "sub" / "inner"}
    for folder, top in tops.items():
        path = str(states / folder / "x")
        assert git.place(path) == (str(top), os.path.relpath(path, top))
        assert git.repository(os.path.dirname(path)) == str(top)
        (found,) = git.by_repository([path, "/nowhere/x"]).items()
        assert found == (str(top), {os.path.relpath(path, top): path})
    assert git.place("/nowhere/x") is None
    assert git.repository("/") is None
    for folder in ("", ".git", "sub", "inner/.git"):
        assert git.is_bare(str(states / folder)) is folder.endswith(".git"), folder
    bare = tmp_path / "bare"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    assert git.is_bare(str(bare))
    with pytest.raises(UsageError, match="a bare repository has no files"):
        git.need_files([str(states), str(bare)])
    git.need_files([str(states)])
    (bare / "refs").rename(bare / "none")
    assert not git.is_bare(str(bare))


def test_the_versions_of_a_file(states: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states / "sub")
    texts = ["1\n", "2\r\n", "2\n\n", "1\n"]
    ids = []
    for text in texts:
        Path("file").write_bytes(text.encode())
        project.git("add", "--", "sub/file")
        project.git("commit", "-qm", "more", "--", "sub/file")
        ids.append(project.git("rev-parse", "HEAD:sub/file").strip())
    project.git("commit", "-qm", "another", "--allow-empty")
    for id, text in zip(ids, texts, strict=True):
        assert git.version(id) == git.version(id, str(states)) == text
    assert git.version("HEAD:sub/file") == "1\n"
    assert git.version("HEAD:sub/none") is git.version("0" * 40) is None
    assert git.version("HEAD:sub/file", "/") is None
    assert before("file", "changed\n") == ids[3]
    assert before("file", "1\n") == before(str(states / "sub" / "file"), "1\r\n") == ids[2]
    project.git("reset", "-q", "--hard", "HEAD~2")
    assert before("file", "2\n\n") == ids[1]
    project.git("reset", "-q", "--hard", "HEAD~2")
    assert before("file", "1\n") is None
    assert before("none", "1\n") is None
