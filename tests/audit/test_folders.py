"""The files of a check, by folder, with the rule of each."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from audit.checked import sound
from audit.repo import BOB, DATABASE, Repo, rule, seal

from encconf.audit.check import check


def test_each_folder_has_its_own_configuration(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.write("team/.sops.yaml", f"creation_rules:\n  - age: {BOB.recipient}\n")
    repo.write("team/b.enc.yaml", seal(DATABASE, rule(BOB)))
    repo.write("team/deep/er/c.enc.yaml", seal(DATABASE))
    assert [(found.slug, found.file) for found in repo.check().findings] == [
        ("keys-differ", "team/deep/er/c.enc.yaml")
    ]


def test_a_link_is_not_another_file(repo: Repo) -> None:
    """In a whole repository, where the file itself is looked at; one that is named is meant."""
    sound(repo)
    (repo.folder / "b.enc.yaml").symlink_to("a.enc.yaml")
    assert (repo.check().files, repo.check().encrypted) == (3, 1)
    assert check(["b.enc.yaml"], cwd=str(repo.folder)).encrypted == 1


def test_links_are_not_followed_out(repo: Repo) -> None:
    sound(repo)
    (repo.folder / "zero.enc.yaml").symlink_to("/dev/zero")
    (repo.folder / "gone.enc.yaml").symlink_to("nowhere")
    (repo.folder / "loop.enc.yaml").symlink_to("loop.enc.yaml")
    (repo.folder / "again.enc.yaml").symlink_to("a.enc.yaml")
    found = {each.file: each.slug for each in repo.check().findings}
    assert found == {"zero.enc.yaml": "unreadable", "loop.enc.yaml": "unreadable"}


def test_what_you_may_not_read_was_not_checked(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its name: it may be encrypted, or hold a secret."""
    sound(repo)
    for name in ("notes.txt", "plain.yaml", "closed/c.enc.yaml"):
        repo.write(name, "x: 1\n")
    at = os.open

    def refused(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(("notes.txt", "plain.yaml", "c.enc.yaml")):
            raise PermissionError(errno.EACCES, "Permission denied")
        return at(path, *args, **options)

    monkeypatch.setattr(os, "open", refused)
    assert sorted((each.slug, each.file) for each in repo.check().findings) == [
        ("unreadable", name) for name in ("closed/c.enc.yaml", "notes.txt", "plain.yaml")
    ]


def test_a_broken_configuration(repo: Repo) -> None:
    sound(repo)
    for config in (
        "creation_rules: [",
        "creation_rules: 5\n",
        "- 1\n",
        "\x00",
        "creation_rules:\n  - age: age1nope\n",
    ):
        repo.write(".sops.yaml", config)
        found = {each.slug for each in repo.check().findings}
        assert found == {"bad-config"}, config


def test_deep_folders(repo: Repo) -> None:
    from encconf.audit.rulebook import Rulebook

    deep = str(repo.folder) + "/a" * 1500
    rules = Rulebook(None, str(repo.folder)).of(deep)
    assert rules is not None
    assert rules.path == str(repo.folder / ".sops.yaml")
