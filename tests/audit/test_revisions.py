"""What the words of a diff mean: files, folders, revisions of git, the index."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit.sealed_texts import ALICE, committed, lines, seal, update
from project import Project


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    return committed(tmp_path / "p", home)


def test_outside_of_a_repository(tmp_path: Path, home: Path) -> None:
    alone = Project(tmp_path / "alone", home, ALICE)
    alone.folder.mkdir()
    alone.write("a.yaml", seal("a: value\n"))
    alone.write("b.yaml", seal("a: other\n"))
    assert lines(alone.run("diff", "a.yaml", "b.yaml", code=1)) == ["a.yaml → b.yaml", "  ~ a: changed"]
    assert "this is not a git repository" in alone.run("diff", code=2).err
    assert "give two files" in alone.run("diff", "a.yaml", code=2).err


def test_a_rename_a_new_file_and_one_that_is_gone(project: Project) -> None:
    project.write("gone.yaml", "a: value\n")
    project.run("encrypt", "-i", "gone.yaml")
    project.git("add", "-A")
    project.git("commit", "-qm", "two")
    project.git("mv", "s.yaml", "t.yaml")
    project.git("rm", "-q", "gone.yaml")
    project.write("new.yaml", "a: value\n")
    project.run("encrypt", "-i", "new.yaml")
    project.git("add", "-A")
    done = project.run("diff", code=1)
    assert lines(done)[lines(done).index("HEAD:s.yaml → t.yaml") + 1] == "  > the file: renamed"
    assert "  + the file: new, encrypted" in lines(done)
    assert "  - the file: gone, encrypted" in lines(done)
    assert sum(line.startswith("  + recipient: alice (age1") for line in lines(done)) == 1


def test_a_file_that_was_renamed_and_then_changed(project: Project) -> None:
    """git knows the new content by a hash only."""
    project.git("mv", "s.yaml", "t.yaml")
    text = project.read("t.yaml")
    project.write("s.yaml", text)
    update(project, "hunter2", "hunter3")
    project.path("s.yaml").replace(project.path("t.yaml"))
    done = project.run("diff", code=1)
    assert lines(done) == ["HEAD:s.yaml → t.yaml", "  > the file: renamed", "  ~ db.password: changed"]


def test_in_a_folder_of_the_repository(project: Project) -> None:
    update(project, "hunter2", "hunter3")
    inner = project.path("inner")
    inner.mkdir()
    below = Project(inner, project.home, ALICE)
    for words in (["HEAD", "../s.yaml"], ["HEAD:s.yaml"], ["HEAD:../s.yaml"], ["../s.yaml"]):
        done = below.run("diff", *words, code=1)
        assert lines(done)[1:] == ["  ~ db.password: changed"], words
        assert lines(done)[0].endswith(" → ../s.yaml"), words


def test_what_is_staged(project: Project) -> None:
    update(project, "hunter2", "hunter3")
    assert project.run("diff", "--staged").out == ""
    project.git("add", "s.yaml")
    update(project, "t0ken", "t1ken")
    for words in (["--staged"], ["--cached", "s.yaml"]):
        assert lines(project.run("diff", *words, code=1))[1:] == ["  ~ db.password: changed"]
    assert lines(project.run("diff", ":s.yaml", code=1))[1:] == ["  ~ token: changed"]


def test_since_a_branch_was_left(project: Project) -> None:
    project.git("checkout", "-q", "-b", "side")
    update(project, "hunter2", "hunter3")
    project.git("commit", "-qam", "side")
    project.git("checkout", "-q", "main")
    update(project, "t0ken", "t1ken")
    project.git("commit", "-qam", "main")
    project.git("checkout", "-q", "side")
    assert lines(project.run("diff", "main...", code=1))[1:] == ["  ~ db.password: changed"]
    both = ["  ~ db.password: changed", "  ~ token: changed"]
    assert lines(project.run("diff", "main..", code=1))[1:] == both


def test_revisions(project: Project) -> None:
    update(project, "hunter2", "hunter3")
    project.git("commit", "-qam", "two")
    update(project, "token:", "secret:")
    project.git("commit", "-qam", "three")
    for words in (["HEAD~2", "HEAD~1"], ["HEAD~2..HEAD~1"], ["HEAD~2:s.yaml", "HEAD~1:s.yaml"]):
        done = project.run("diff", *words, code=1)
        assert lines(done) == ["HEAD~2:s.yaml → HEAD~1:s.yaml", "  ~ db.password: changed"]
    assert lines(project.run("diff", "HEAD~1..", code=1))[1:] == ["  > token: moved to secret"]
    assert lines(project.run("diff", "HEAD~1", "s.yaml", code=1))[1:] == ["  > token: moved to secret"]
    assert lines(project.run("diff", "s.yaml", "HEAD~1", code=1))[1:] == ["  > secret: moved to token"]


def test_what_is_no_file_says_what_to_do(project: Project) -> None:
    inner = project.path("inner")
    inner.mkdir()
    project.write("inner/a.yaml", project.read("s.yaml"))
    project.git("add", "-A")
    project.git("commit", "-qm", "two")
    project.path("s.yaml").unlink()
    below = Project(inner, project.home, ALICE)
    done = below.run("diff", "../s.yaml", code=2)
    assert "'../s.yaml' is neither a file nor a revision of git" in done.err
    assert "a deleted file: encconf diff -- FILE" in done.err
    assert "  - the file: gone, encrypted" in lines(below.run("diff", "--", "../s.yaml", code=1))
    done = project.run("diff", "HEAD:inner", code=2)
    assert "error[usage]: HEAD:inner is not a file" in done.err


def test_a_revision_that_does_not_exist(project: Project) -> None:
    """It is not taken for one that has no commit in common with the other."""
    for words in ("HEAD~20...HEAD", "HEAD...missing"):
        err = project.run("diff", words, code=2).err
        assert "is not a revision of git" in err
        assert "in common" not in err


def test_a_missing_object_and_a_missing_commit(project: Project, tmp_path: Path, home: Path) -> None:
    tree = project.git("rev-parse", "HEAD^{tree}").strip()
    object = project.path(f".git/objects/{tree[:2]}/{tree[2:]}")
    object.chmod(0o644)
    object.unlink()
    assert "git fsck finds it" in project.run("diff", code=2).err
    fresh = Project(tmp_path / "fresh", home, ALICE)
    fresh.folder.mkdir()
    fresh.git("init", "-q")
    assert "there is no commit yet" in fresh.run("diff", code=2).err
