"""What git says of files in the past: changes, renames, and the content of old versions."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from encconf import git
from encconf.git import ask, log


class Repository:
    """A repository with commits of text files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str | None) -> str:
        """Write or remove files, and commit them; returns the commit."""
        for name, text in files.items():
            if text is None:
                (self.folder / name).unlink()
            else:
                (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "x")
        return self.git("rev-parse", "HEAD")

    def blob(self, name: str, revision: str = "HEAD") -> str:
        return self.git("rev-parse", f"{revision}:{name}")

    def partial(self, name: str) -> Path:
        """A clone without the content of what is not checked out."""
        self.git("config", "uploadpack.allowFilter", "true")
        clone = self.folder.parent / name
        self.git("clone", "-q", "--filter=blob:none", f"file://{self.folder}", str(clone))
        return clone


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def changes(repository: Repository, paths: list[str]) -> dict[str, list[log.Entry]]:
    with closing(log.Listing(str(repository.folder), paths)) as listing:
        return listing.changes(paths)


def test_changes_are_followed_over_renames(repository: Repository) -> None:
    """Whether git is asked for a few files, or for all."""
    first = repository.commit(old="1\n", other="x\n")
    repository.git("mv", "old", "new")
    repository.git("commit", "-qm", "x")
    third = repository.commit(new="2\n")
    others = {f"{number}": "x\n" for number in range(20)}
    repository.commit(**others)
    for paths in (["new"], ["new", *others]):
        found = changes(repository, paths)["new"]
        assert [(each.moment.commit, each.path) for each in found] == [(first, "old"), (third, "new")]
        assert [(each.old, each.new) for each in found] == [
            ([], repository.blob("old", first)),
            ([repository.blob("old", first)], repository.blob("new")),
        ]


def test_a_merge_has_a_version_of_each_parent(repository: Repository) -> None:
    repository.commit(a="1\n", b="1\n")
    repository.git("checkout", "-q", "-b", "side")
    theirs = repository.commit(a="2\n")
    repository.git("checkout", "-q", "main")
    ours = repository.commit(a="3\n")
    repository.git("merge", "-q", "-s", "ours", "--no-commit", "side")
    merge = repository.commit(a="4\n")
    last = changes(repository, ["a"])["a"][-1]
    assert last.moment.commit == merge
    assert last.old == [repository.blob("a", ours), repository.blob("a", theirs)]
    assert last.new == repository.blob("a")


def test_entries_between_two_trees(repository: Repository) -> None:
    first = repository.commit(kept="1\n", gone="2\n", moved="a\nb\nc\nd\n")
    (repository.folder / "link").symlink_to("kept")
    repository.git("mv", "moved", "elsewhere")
    repository.commit(kept="3\n", gone=None)
    output = ask(str(repository.folder), "diff-tree", "-r", "--raw", "-z", "-M", "--no-abbrev", first, "HEAD")
    found = {entry.path: entry for entry in log.entries(output or "")}
    assert {name: (entry.status, entry.before, entry.modes) for name, entry in found.items()} == {
        "elsewhere": ("R", "moved", ["100644", "100644"]),
        "gone": ("D", "gone", ["100644", ""]),
        "kept": ("M", "kept", ["100644", "100644"]),
        "link": ("A", "link", ["", "120000"]),
    }
    assert found["kept"].blobs == [repository.blob("kept", first), repository.blob("kept")]
    assert found["gone"].blobs[1] == found["link"].blobs[0] == ""
    assert found["kept"].moment.commit == ""


def test_the_files_of_the_last_commit(repository: Repository) -> None:
    (repository.folder / "link").symlink_to("a")
    repository.commit(**{"a": "1\n", "b c": "2\n"})
    heads = log.heads_of(str(repository.folder), {"a", "b c", "link", "missing"})
    assert heads == {name: repository.blob(name) for name in ("a", "b c")}


def test_a_clone_that_lacks_some_history(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a="1\n")
    repository.commit(a="2\n")
    assert not log.is_shallow(str(repository.folder))
    repository.git("clone", "-q", "--depth=1", f"file://{repository.folder}", str(tmp_path / "cut"))
    assert log.is_shallow(str(tmp_path / "cut"))
    assert log.is_shallow(str(repository.partial("partial")))


def test_a_damaged_object(repository: Repository) -> None:
    """git gives up there; what it does not say is not known, for hundreds of versions."""
    repository.commit(**{f"{number}": f"{number}\n" for number in range(3)})
    ids = [repository.blob(f"{number}") for number in range(3)]
    place = repository.folder / ".git/objects" / ids[1][:2] / ids[1][2:]
    place.chmod(0o644)
    place.write_bytes(b"damaged")
    found = list(log.contents(str(repository.folder), [ids[0], *ids[1:] * 3000, ids[2]]))
    assert found[:2] == [b"0\n", None]
    assert len(found) == 2 * 3000 + 2


def test_a_blob_that_is_too_long(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file that is too long, it is not read; those behind it are."""
    monkeypatch.setattr(log, "LIMIT", 9)
    lengths = [*range(5, 15), 3 << 20, 8]
    repository.commit(**{f"{length}": "x" * length for length in lengths})
    blobs = [repository.blob(f"{length}") for length in lengths]
    wanted = [b"x" * length if length <= 9 else None for length in lengths]
    assert list(log.contents(str(repository.folder), blobs)) == wanted
    for limit in (9, 1 << 16):  # git waits until its output is read, or may have ended already
        monkeypatch.setattr(git, "LIMIT", limit)
        repository.commit(fits="x" * limit, too_long="x" * (limit + 1), far_too_long="x" * 8 * limit)
        assert git.version("HEAD:fits", str(repository.folder)) == "x" * limit
        for name in ("too_long", "far_too_long"):
            assert git.version(f"HEAD:{name}", str(repository.folder)) is None


def test_what_a_partial_clone_has_is_read_behind_what_it_lacks(repository: Repository) -> None:
    """git before 2.45 ends at the first blob that is missing."""
    names = ["0", "1", "2"]
    first = repository.commit(**{name: f"{name}\n" for name in names})
    repository.commit(**{"1": "one\n"})
    clone = repository.partial("clone")
    now, then = ([repository.blob(name, commit) for name in names] for commit in ("HEAD", first))
    asked = [now[0], then[1], now[1], then[1], now[2]]
    assert list(log.contents(str(clone), asked, os.environ)) == [b"0\n", None, b"one\n", None, b"2\n"]
    missing = repository.git("-C", str(clone), "rev-list", "--objects", "--missing=print", "HEAD")
    assert f"?{then[1]}" in missing.split()  # and nothing was fetched
