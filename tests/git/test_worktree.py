"""What git lists, in real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from encconf import git
from encconf.git import without_filters

NAMES = ["a b.yaml", "new\nline.yaml", "-dash.yaml", 'q"uo\\te.yaml', "ü.yaml", ":(top)x.yaml", "*.yaml"]
BYTES = os.fsdecode(b"\xff\xfe.yaml")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str, code: int = 0) -> str:
        options = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always"]
        done = subprocess.run(["git", *options, *args], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == code, done
        return done.stdout.decode(errors="surrogateescape")

    def write(self, *names: str, text: str = "x\n") -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "x")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repository")
    monkeypatch.chdir(made.folder)
    return made


def test_any_name(repository: Repository) -> None:
    names = sorted([*NAMES, BYTES, *(f"sub folder/{name}" for name in NAMES)])
    repository.write(*names)
    assert git.tracked(".") == []
    assert git.listed(".") == names
    assert git.changed(".") == names
    repository.git("add", "-A")
    assert git.tracked("") == names
    assert git.changed(".") == names
    repository.commit()
    assert git.tracked(".") == git.listed(".") == names
    assert git.changed(".") == []
    repository.write(*names, text="y\n")
    assert git.changed(".") == names


def test_names_begin_with_the_folder(repository: Repository, tmp_path: Path) -> None:
    repository.write("a/b/c", "a/d", "ab/e", "f")
    absolute = str(repository.folder / "a")
    os.symlink(absolute, tmp_path / "link")
    link = str(tmp_path / "link")
    for look in (git.listed, git.changed):
        assert look("a") == ["a/b/c", "a/d"]
        assert look("./a/") == ["./a/b/c", "./a/d"]
        assert look(absolute) == [f"{absolute}/b/c", f"{absolute}/d"]
        assert look(link) == [f"{link}/b/c", f"{link}/d"]
    os.chdir("a")
    assert git.changed("..") == ["../a/b/c", "../a/d", "../ab/e", "../f"]


def test_ignored_deleted_and_renamed(repository: Repository) -> None:
    repository.write("a", "b", "c", "d", "e")
    repository.write(".gitignore", text="node_modules/\n")
    repository.commit()
    repository.write("node_modules/x", "new/n")
    os.unlink("a")
    repository.git("mv", "b", "moved")
    repository.write("c", text="y\n")
    repository.write("d", text="y\n")
    repository.git("add", "d")
    assert git.tracked(".") == [".gitignore", "a", "c", "d", "e", "moved"]
    assert git.listed(".") == [".gitignore", "a", "c", "d", "e", "moved", "new/n"]
    assert git.changed(".") == ["c", "d", "moved", "new/n"]


def test_a_conflict_is_listed_once(repository: Repository) -> None:
    repository.write("a")
    repository.commit()
    repository.git("checkout", "-q", "-b", "other")
    repository.write("a", text="y\n")
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.write("a", text="z\n")
    repository.commit()
    repository.git("merge", "other", code=1)
    assert git.tracked(".") == git.listed(".") == git.changed(".") == ["a"]


def test_other_repositories_inside(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.write("x")
    other.commit()
    repository.git("submodule", "add", "-q", str(other.folder), "module")
    nested = Repository(repository.folder / "nested")
    nested.write("y")
    repository.write("z")
    assert git.listed(".") == [".gitmodules", "module", "z"], "a module is a name, no files"
    assert git.tracked("module") == ["module/x"]
    assert git.changed("nested") == ["nested/y"]


def test_variables_of_a_hook(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """git sets them for hooks of linked working trees; they would make any folder the top."""
    repository.write("a.yaml", "sub/b.yaml", "sub/c.yaml")
    repository.commit()
    repository.write("sub/c.yaml", text="y\n")
    monkeypatch.setenv("GIT_DIR", str(repository.folder / ".git"))
    monkeypatch.setenv("GIT_NOGLOB_PATHSPECS", "1")
    assert git.tracked("sub") == ["sub/b.yaml", "sub/c.yaml"]
    assert git.changed("sub") == ["sub/c.yaml"]


def test_it_is_unknown(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for look in (git.tracked, git.listed, git.changed):
        assert look(str(tmp_path)) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    for look in (git.tracked, git.listed, git.changed):
        assert look(".") is None
    repository.write("x")
    known = git.Known()
    assert (known.tracked("x"), known.exposed("x")) == (False, True)
    assert known.everything(os.getcwd(), str(repository.folder))() is None
    assert (known.tracked("x"), known.exposed("x")) == (False, True)


def test_the_repository_runs_nothing_and_is_not_written(repository: Repository, tmp_path: Path) -> None:
    repository.write("a")
    repository.commit()
    repository.git("config", "core.fsmonitor", f"touch {tmp_path}/ran; false")
    os.utime("a", (1, 1))
    before = (repository.folder / ".git" / "index").read_bytes()
    assert git.changed(".") == []
    assert git.listed(".") == ["a"]
    assert not (tmp_path / "ran").exists()
    assert (repository.folder / ".git" / "index").read_bytes() == before


def filtered(repository: Repository, program: str) -> None:
    """A file that git can only compare with the index by filters, which are a program."""
    repository.write("a", "b", text="x\n")
    repository.write(".gitattributes", text="a filter=one\nb filter=two=x\n* diff=three\n")
    repository.commit()
    for name in ("filter.one.clean", "filter.two=x.process", "filter.one.smudge", "diff.three.textconv"):
        repository.git("config", name, program)
    repository.git("config", "filter.one.required", "true")
    repository.git("config", "diff.external", program)
    repository.write("a", text="y\n")
    os.utime("b", (1, 1))


def test_git_runs_no_filter(repository: Repository, tmp_path: Path) -> None:
    filtered(repository, f"touch {tmp_path}/ran; cat")
    assert git.changed(".") == ["a"]
    assert not (tmp_path / "ran").exists()


def test_diff_runs_no_filter(repository: Repository, tmp_path: Path) -> None:
    from encconf.audit.revisions import pairs

    filtered(repository, f"touch {tmp_path}/ran; cat")
    repository.write("moved", text="x\n")
    repository.git("add", "--intent-to-add", "moved")
    (tmp_path / "ran").unlink(missing_ok=True)
    assert [pair for pair in pairs([], [], staged=False, format=None) if isinstance(pair, Exception)] == []
    assert list(pairs(["HEAD"], ["a"], staged=False, format=None))
    assert not (tmp_path / "ran").exists()


def test_a_setting_of_the_environment_stays(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.git("config", "filter.one.clean", "cat")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.quotePath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "false")
    environ = without_filters(".")
    assert [environ[f"GIT_CONFIG_KEY_{number}"] for number in range(2)] == [
        "core.quotePath",
        "filter.one.clean",
    ]
    assert (environ["GIT_CONFIG_COUNT"], environ["GIT_CONFIG_VALUE_1"]) == ("2", "")


class TestKnown:
    """What git knows about single files, with one call for each repository."""

    def test_tracked_and_exposed(self, repository: Repository) -> None:
        repository.write("tracked", "new", "ignored", "below/tracked", "gone")
        repository.write(".gitignore", text="ignored\n")
        repository.git("add", ".gitignore", "tracked", "below/tracked", "gone")
        os.unlink("gone")
        known = git.Known()
        names = ["tracked", "new", "ignored", "below/tracked", "gone", "nowhere"]
        assert [name for name in names if known.tracked(name)] == ["tracked", "below/tracked"]
        assert [name for name in names if known.exposed(name)] == ["tracked", "new", "below/tracked", "gone"]
        os.symlink("below", "link")
        assert known.tracked(os.path.abspath("link/tracked")), "the folder's own name counts"

    def test_outside_of_a_repository_all_is_exposed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "x").write_text("")
        known = git.Known()
        assert (known.tracked("x"), known.exposed("x")) == (False, True)
        assert known.everything(str(tmp_path), None)() is None
        assert (known.tracked("x"), known.exposed("x")) == (False, True)

    def test_several_repositories(self, repository: Repository) -> None:
        inner = Repository(repository.folder / "inner")
        repository.write("a")
        inner.write("b", "c")
        repository.git("add", "a")
        inner.git("add", "b")
        known = git.Known()
        assert [name for name in ("a", "inner/b", "inner/c") if known.tracked(name)] == ["a", "inner/b"]

    def test_everything_is_named_from_the_current_folder(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.write("top", "here/a", "here/b", "here/ignored", "beside/c")
        repository.write(".gitignore", text="ignored\n")
        repository.git("add", "top", "here/a", "beside/c")
        monkeypatch.chdir("here")
        known = git.Known()
        names = known.everything(os.getcwd(), str(repository.folder))
        assert names() == ["../beside/c", "a", "../top"]
        monkeypatch.setenv("PATH", "")  # git is not asked again
        assert known.tracked("a")
        assert known.tracked("../top")
        assert not known.tracked("b")
        assert known.exposed("b")
        assert known.exposed("ignored"), "whoever lists everything asks only about tracked files"

    @pytest.mark.parametrize("cwd", [".", "apps", "apps/db", "apps/db/new"])
    def test_everything_is_named_as_relpath_names_it(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, cwd: str
    ) -> None:
        names = ["x", "apps/x", "apps/db/x", "apps/db/new/x", "apps/web/x", "apps-of/x"]
        repository.write(*names)
        repository.git("add", ".")
        monkeypatch.chdir(cwd)
        found = git.Known().everything(os.getcwd(), str(repository.folder))() or []
        assert set(found) == {os.path.relpath(repository.folder / name) for name in names}

    def test_everything_is_listed_once(self, repository: Repository) -> None:
        repository.write("a", "b", "c/d")
        repository.git("add", "a", "c/d")
        known = git.Known()
        names = known.everything(os.getcwd(), os.getcwd())
        assert not known.tracked("a")
        assert names() == ["a", "c/d"]
        repository.git("add", "b")
        assert [name for name in ("a", "b", "c/d") if known.tracked(name)] == ["a", "c/d"]


def test_a_repository_inside_files_that_look_like_one(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``HEAD`` that a branch contains makes no repository, but what is inside may be one."""
    inner = Repository(repository.folder / "fake/inner")
    inner.write("a")
    inner.git("add", "a")
    for folder in ("refs", "objects"):
        repository.write(f"fake/{folder}/x")
    repository.write("fake/HEAD", text="ref: refs/heads/main\n")
    repository.write("fake/b")
    repository.git("add", "fake/HEAD", "fake/b")
    for folder in (repository.folder / "fake", inner.folder):
        monkeypatch.chdir(folder)
        # git alone would take fake for a repository.
        asked = ["git", "--git-dir", "../.git", "--work-tree", "..", "ls-files"]
        words = ["git", "ls-files"] if folder == inner.folder else asked
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert git.tracked(".") == said.splitlines()
    assert git.tracked(".") == ["a"]


def test_what_is_a_bare_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    assert git.is_bare(str(tmp_path / "bare"))
    for missing in ("HEAD", "refs", "objects"):
        folder = tmp_path / missing
        for name in ("refs", "objects"):
            if name != missing:
                (folder / name).mkdir(parents=True)
        if missing != "HEAD":
            (folder / "HEAD").write_text("ref: refs/heads/main\n")
        assert not git.is_bare(str(folder)), missing
