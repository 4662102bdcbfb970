"""What our side of a merge says of a file: the rules of our last commit, and which version came before."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from git.sides import AB, ALICE, BOB, A

from encconf.git import need_files, tracked
from encconf.git.merge import follows, of_merge, our_rule

FILE = "secrets.enc.yaml"


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def named(*keys: str) -> str:
    return f"creation_rules:\n  - path_regex: enc\n    age: {','.join(keys)}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in a folder that has a configuration, too; the current folder."""
    inside = tmp_path / "repository"
    inside.mkdir()
    git(inside, "init", "-q", "-b", "main")
    (inside / FILE).write_text("a: 1\n")
    git(inside, "add", ".")
    git(inside, "commit", "-qm", "one")
    monkeypatch.chdir(inside)
    return inside


def commit(folder: Path, text: str, name: str = ".sops.yaml") -> None:
    folder.joinpath(name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "change")


def test_the_rule_of_the_last_commit_counts_and_not_that_of_the_work_tree(folder: Path) -> None:
    """While git merges, the work tree may have their configuration already."""
    commit(folder, named(ALICE.recipient))
    folder.joinpath(".sops.yaml").write_text(named(ALICE.recipient, BOB.recipient))
    git(folder, "add", ".")
    rule = our_rule(FILE)
    assert rule is not None
    assert rule.groups == A.groups


def test_nor_does_it_count_where_a_variable_names_the_repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for dotfiles: git --git-dir=… --work-tree=…; git sets the variables for the driver."""
    commit(folder, named(ALICE.recipient))
    folder.joinpath(".git").rename(folder.parent / "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(folder.parent / "elsewhere"))
    folder.joinpath(".sops.yaml").write_text(named(ALICE.recipient, BOB.recipient))
    for tree in (None, "."):
        if tree is not None:
            monkeypatch.setenv("GIT_WORK_TREE", tree)
        rule = our_rule(FILE)
        assert rule is not None
        assert rule.groups == A.groups


def test_a_repository_among_the_files_of_a_branch_is_not_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git itself takes any folder with HEAD, objects and refs for a repository, with settings and commits."""
    commit(folder, named(ALICE.recipient))
    theirs = folder.parent / "theirs"
    theirs.mkdir()
    git(theirs, "init", "-q", "-b", "main")
    commit(theirs, named(BOB.recipient))
    git(theirs, "config", "core.worktree", "/")
    shutil.copytree(theirs / ".git", folder / "dev")
    (folder / "dev" / "refs" / "tags" / "kept").touch()
    (folder / "dev" / FILE).write_text("a: 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a branch")
    monkeypatch.chdir(folder / "dev")
    assert git(Path(), "show", "HEAD:.sops.yaml") == named(BOB.recipient).strip()
    rule = our_rule(FILE)
    assert rule is not None
    assert rule.groups == A.groups
    assert FILE in (tracked(".") or ())
    need_files(["."])


def test_the_repository_of_another_user_does_not_say_whose_a_bare_one_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --git-dir, git does not look who owns a repository."""
    from encconf.git import is_bare

    commit(folder, named(ALICE.recipient))
    git(folder, "init", "-q", "--bare", "mine")
    git(folder, "add", "-f", "mine/HEAD")
    inside = str(folder / "mine")
    assert not is_bare(inside)
    monkeypatch.setattr("encconf.io.trust.is_foreign", lambda path: path == str(folder / ".git"))
    assert is_bare(inside)


def test_what_was_not_committed_is_not_ours(folder: Path) -> None:
    folder.joinpath(".sops.yaml").write_text(named(BOB.recipient))
    assert our_rule(FILE) is None


def test_a_configuration_outside_of_the_repository_is_read_from_the_disk(folder: Path) -> None:
    folder.parent.joinpath(".sops.yaml").write_text(named(ALICE.recipient, BOB.recipient))
    rule = our_rule(FILE)
    assert rule is not None
    assert rule.groups == AB.groups


@pytest.mark.parametrize(
    "text", ["creation_rules: [", "creation_rules:\n  - path_regex: other\n    age: x\n"]
)
def test_one_that_cannot_be_used_names_no_key(folder: Path, text: str) -> None:
    """And the configuration above it is not asked instead."""
    folder.parent.joinpath(".sops.yaml").write_text(named(ALICE.recipient))
    commit(folder, text)
    assert our_rule(FILE) is None


def test_our_text_follows_the_version_before_it(folder: Path) -> None:
    first = git(folder, "rev-parse", f"HEAD:{FILE}")
    commit(folder, "a: 2\n", FILE)
    assert follows(FILE, first, "a: 2\n", ours=True)
    second = git(folder, "rev-parse", f"HEAD:{FILE}")
    commit(folder, "a: 3\n", FILE)
    assert follows(FILE, second, "a: 3\n", ours=True)
    assert not follows(FILE, first, "a: 3\n", ours=True)
    third = git(folder, "rev-parse", f"HEAD:{FILE}")
    commit(folder, "a: 2\n", FILE)  # again: what came before it the first time does not count
    assert follows(FILE, third, "a: 2\n", ours=True)
    assert not follows(FILE, first, "a: 2\n", ours=True)


def test_their_text_follows_on_whatever_branch_it_came(folder: Path) -> None:
    first = git(folder, "rev-parse", f"HEAD:{FILE}")
    git(folder, "checkout", "-q", "-b", "other")
    commit(folder, "a: 2\n", FILE)
    git(folder, "checkout", "-q", "main")
    assert follows(FILE, first, "a: 2\n", ours=False)
    assert not follows(FILE, "0" * 40, "a: 2\n", ours=False)
    assert not follows(FILE, first, "a: 9\n", ours=False)  # no branch has it
    git(folder, "checkout", "-q", "other")
    commit(folder, "a: 3\n", FILE)  # what came later does not count
    assert follows(FILE, first, "a: 2\n", ours=False)


def test_their_text_may_be_on_no_branch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git names the commit that is merged in a variable."""
    first = git(folder, "rev-parse", f"HEAD:{FILE}")
    git(folder, "checkout", "-q", "--detach")
    commit(folder, "a: 2\n", FILE)
    theirs = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "main")
    assert not follows(FILE, first, "a: 2\n", ours=False)
    monkeypatch.setenv(f"GITHEAD_{theirs}", "theirs")
    assert follows(FILE, first, "a: 2\n", ours=False)


def test_a_repository_with_longer_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256")
    monkeypatch.chdir(tmp_path)
    commit(tmp_path, "a: 1\n", FILE)
    first = git(tmp_path, "rev-parse", f"HEAD:{FILE}")
    commit(tmp_path, "a: 2\n", FILE)
    assert follows(FILE, first, "a: 2\n", ours=False)


def test_what_a_merge_asks(folder: Path) -> None:
    commit(folder, named(ALICE.recipient))
    first = git(folder, "rev-parse", f"HEAD:{FILE}")
    commit(folder, "a: 2\n", FILE)
    folder.joinpath("theirs").write_text("a: 1\n")
    ours = of_merge(FILE, [FILE, "theirs"])
    rule = ours.rule()
    assert rule is not None
    assert rule.groups == A.groups
    assert ours.version(first) == "a: 1\n"
    assert ours.version("0" * 40) is None
    assert ours.parents() == f"{git(folder, 'rev-parse', f'HEAD:{FILE}')} {first}"
    assert ours.follows(first, "a: 2\n", True)
    assert not ours.follows(first, "a: 1\n", True)


def test_their_text_that_came_twice_must_have_come_after_it_each_time(folder: Path) -> None:
    first = git(folder, "rev-parse", f"HEAD:{FILE}")
    git(folder, "checkout", "-q", "-b", "other")
    for text in ("a: 2\n", "a: 3\n", "a: 2\n"):
        commit(folder, text, FILE)
    git(folder, "checkout", "-q", "main")
    assert not follows(FILE, first, "a: 2\n", ours=False)


def test_a_folder_whose_name_begins_with_dots_is_inside(folder: Path) -> None:
    """Its configuration in the work tree may be theirs, too."""
    folder.joinpath("..x").mkdir()
    commit(folder, named(ALICE.recipient), "..x/.sops.yaml")
    folder.joinpath("..x", ".sops.yaml").write_text(named(BOB.recipient))
    rule = our_rule(f"..x/{FILE}")
    assert rule is not None
    assert rule.groups == A.groups


def test_a_configuration_above_a_folder_without_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath(".sops.yaml").write_text(named(ALICE.recipient))
    tmp_path.joinpath("deeper").mkdir()
    for place in (tmp_path, tmp_path / "deeper"):
        monkeypatch.chdir(place)
        rule = our_rule(FILE)
        assert rule is not None
        assert rule.groups == A.groups


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert our_rule(os.fspath(tmp_path / FILE)) is None
    assert not follows(FILE, "0" * 40, "a: 1\n", ours=False)
