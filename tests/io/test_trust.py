"""Files that a stranger may have put there: links at fixed names, and files of other users."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from encconf.errors import OutputError
from encconf.io import trust

pytestmark = pytest.mark.posix

OTHER, ME = 4242, 1000

Owners = Callable[[dict[Path, int]], None]


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> Owners:
    """A function that sets the owners of paths.  You are ``ME``, and own all others."""
    known: dict[str, int] = {}

    def patch(name: str) -> None:
        plain = getattr(os, name)

        def look(path: str, *args: object, **options: object) -> os.stat_result:
            found = list(plain(path, *args, **options))
            shown = os.fspath(path) if not isinstance(path, int) else ""
            found[4] = known.get(shown if name == "lstat" else os.path.realpath(shown), ME)
            return os.stat_result(found)

        monkeypatch.setattr(os, name, look)

    monkeypatch.setattr(os, "geteuid", lambda: ME)
    monkeypatch.delenv("SUDO_UID", raising=False)
    patch("lstat")
    patch("stat")
    return lambda given: known.update({str(path): owner for path, owner in given.items()})


# --- fixed names ---------------------------------------------------------------------------------


def test_a_file_and_one_that_does_not_exist_yet(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "folder").mkdir()
    os.symlink("folder", tmp_path / "link")
    assert trust.fixed(str(tmp_path), "a") == str(tmp_path / "a")
    assert trust.fixed(str(tmp_path), "new/b") == str(tmp_path / "new" / "b")
    assert trust.fixed(str(tmp_path / "link"), "c") == str(tmp_path / "folder" / "c"), "you named this link"


def test_no_link_is_followed_after_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("")
    os.symlink("folder", tmp_path / "link")
    os.symlink("nowhere", tmp_path / "broken")
    os.symlink("folder/x", tmp_path / "file")
    for name in ("file", "broken", "link/x", "link/new"):
        with pytest.raises(OutputError) as caught:
            trust.fixed(str(tmp_path), name)
        shown = str(tmp_path / name.partition("/")[0])
        assert str(caught.value) == f"{shown}: cannot be used: it is a symbolic link"
        assert str(caught.value.hint).endswith(f"remove it: rm {shown}")


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("folder", "a folder"), ("pipe", "not a regular file")):
        with pytest.raises(OutputError, match=f"cannot be written: it is {what}$"):
            trust.fixed(str(tmp_path), name)


def test_a_file_of_another_user_is_not_used(tmp_path: Path, owners: Owners) -> None:
    path = tmp_path / "a"
    path.write_text("")
    assert trust.fixed(str(tmp_path), "a") == str(path)
    owners({path: OTHER})
    with pytest.raises(OutputError, match="cannot be used: it belongs to another user"):
        trust.fixed(str(tmp_path), "a")


# --- whose a file is -----------------------------------------------------------------------------


def test_yours_are_your_own_files_and_those_of_root(tmp_path: Path, owners: Owners) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_text("")
    os.symlink("a", link)
    assert not trust.is_foreign(str(tmp_path / "missing"))
    for owner, foreign in ((ME, False), (0, False), (OTHER, True)):
        owners({path: owner})
        assert trust.is_foreign(str(path)) is foreign
        assert trust.is_foreign(str(link)) is foreign, "what a link leads to counts"
    owners({path: ME, link: OTHER})
    assert trust.is_foreign(str(link)), "and so does the link"
    assert not trust.is_foreign(str(path))


def test_a_system_without_owners_has_no_files_of_others(
    tmp_path: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("")
    owners({path: OTHER})
    assert trust.is_foreign(str(path))
    monkeypatch.delattr(os, "geteuid")
    assert not trust.is_foreign(str(path))


def test_for_root_those_of_the_user_who_called_sudo_are_yours(
    tmp_path: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("")
    owners({path: OTHER})
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    assert trust.is_foreign(str(path)), "only root has been given this variable by sudo"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not trust.is_foreign(str(path))
    for value in ("", "x", str(OTHER + 1)):
        monkeypatch.setenv("SUDO_UID", value)
        assert trust.is_foreign(str(path))


def test_in_the_repository_of_another_user_git_decides(
    tmp_path: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", root], check=True)
    path = root / "deep" / "a"
    path.parent.mkdir()
    path.write_text("")
    owners({path: OTHER, root: OTHER})
    assert not trust.is_foreign(str(path)), "git accepts it"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as in a hook of another repository
    assert not trust.is_foreign(str(path))
    os.symlink(tmp_path / "theirs", root / "link")
    (tmp_path / "theirs").write_text("")
    owners({tmp_path / "theirs": OTHER + 1, root / "link": OTHER})
    assert trust.is_foreign(str(root / "link")), "a link of that user to a file of a third one"
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert trust.is_foreign(str(path)), "without git, nothing is accepted"
    owners({path: OTHER + 1})
    assert trust.is_foreign(str(path)), "a third user's file in it"
    owners({path: OTHER, root: ME})
    assert trust.is_foreign(str(path)), "another user's file in your repository"
    owners({root: OTHER})
    (root / ".git" / "HEAD").unlink()
    assert trust.is_foreign(str(path)), "git does not accept it"
    monkeypatch.delenv("GIT_DIR")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert trust.is_foreign(str(path)), "git does not accept it, but the repository around it"
    (tmp_path / ".git").rename(tmp_path / "gone")
    (outside := tmp_path / "b").write_text("")
    owners({outside: OTHER, tmp_path: OTHER})
    assert trust.is_foreign(str(outside)), "no repository"
