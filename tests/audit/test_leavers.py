"""People who removed their own entry from a file, and so keep its data key."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from subprocess import Popen
from typing import Any

import pytest
from audit.committed import FILE, report

from encconf.audit.check import ALL, check
from encconf.audit.history import Leavers
from encconf.git.log import Listing
from encconf.io import programs

from .team import Team


@pytest.fixture
def left(team: Team) -> Team:
    """Bob removes his own entry, which needs no key; then alice removes him from .sops.yaml."""
    team.config("alice", "bob")
    team.seal(FILE, ["alice", "bob"])
    team.commit()
    removes_himself(team)
    team.commit()
    team.config("alice")
    team.commit()
    return team


def removes_himself(team: Team, path: str = FILE) -> None:
    entries = re.split(r"(?m)^(?=        - |    [a-z])", team.read(path))
    kept = [entry for entry in entries if team.key("bob").recipient not in entry]
    assert len(kept) == len(entries) - 1
    team.write(path, "".join(kept))


def leavers(team: Team, *paths: str) -> dict[str, list[str]]:
    """The names of the leavers of each file."""
    names = {key.recipient: name for name, key in team.keys.items()}
    found = Leavers(str(team.folder / path) for path in paths or (FILE,))
    return {Path(path).name: [names[key.name] for key in keys] for path, keys in found.of.items()}


class TestFound:
    def test_somebody_who_removed_himself(self, left: Team) -> None:
        assert leavers(left) == {FILE: ["bob"]}

    def test_before_it_is_committed(self, team: Team) -> None:
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        removes_himself(team)
        assert leavers(team) == {FILE: ["bob"]}

    def test_every_value_has_changed_since(self, team: Team) -> None:
        """No ciphertext is the same, but the wrapped data key is."""
        team.seal(FILE, ["alice", "bob"], plain="a: first\n")
        team.commit()
        removes_himself(team)
        for value in ("second", "third"):
            team.project("alice").run("set", FILE, "a", value)
            team.commit()
        assert leavers(team) == {FILE: ["bob"]}

    def test_every_data_key_was_wrapped_again(self, team: Team) -> None:
        """No wrapped data key is the same, but the ciphertexts are."""
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.share(FILE, ["bob", "carol"], rotate=False)
        team.commit()
        team.share(FILE, ["carol"], rotate=False)
        team.commit()
        assert leavers(team) == {FILE: ["alice", "bob"]}

    def test_under_an_earlier_name(self, team: Team) -> None:
        team.seal("old.enc.yaml", ["alice", "bob"])
        team.commit()
        removes_himself(team, "old.enc.yaml")
        team.commit()
        team.git("mv", "old.enc.yaml", FILE)
        team.commit()
        assert leavers(team) == {FILE: ["bob"]}

    def test_on_a_branch_that_was_merged(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        team.write("other", "1\n")
        team.commit()
        team.git("checkout", "-qb", "side")
        team.share(FILE, ["alice", "bob"], rotate=False)
        team.commit()
        removes_himself(team)
        team.commit()
        team.git("checkout", "-q", "main")
        team.write("other", "2\n")
        team.commit()
        team.git("merge", "-q", "side")
        assert leavers(team) == {FILE: ["bob"]}

    def test_from_a_key_group(self, team: Team) -> None:
        team.seal(FILE, ["alice", "bob"], ["carol"], threshold=2)
        team.commit()
        removes_himself_from_a_group(team)
        team.commit()
        assert leavers(team) == {FILE: ["bob"]}

    def test_many_files_at_once(self, team: Team) -> None:
        names = [f"{number}.enc.yaml" for number in range(12)]
        for name in names:
            team.seal(name, ["alice", "bob"])
        team.commit()
        for name in names[:6]:
            removes_himself(team, name)
        team.commit()
        assert leavers(team, *names) == {name: ["bob"] for name in names[:6]}


def removes_himself_from_a_group(team: Team) -> None:
    text = team.read(FILE)
    end = text.index("\n", text.index(team.key("bob").recipient)) + 1
    start = text.rindex("\n", 0, text.rindex("- ", 0, text.rindex("-----BEGIN", 0, end))) + 1
    team.write(FILE, text[:start] + text[end:])


class TestNotFound:
    def test_with_a_new_data_key(self, left: Team) -> None:
        left.rotate(FILE)
        assert leavers(left) == {}
        left.commit()
        left.edit(FILE, "hunter2", "hunter3")
        left.commit()
        assert leavers(left) == {}

    def test_somebody_who_came_back(self, left: Team) -> None:
        left.share(FILE, ["alice", "bob"], rotate=False)
        left.commit()
        assert leavers(left) == {}

    def test_a_file_that_cannot_be_read(self, left: Team) -> None:
        left.write(FILE, left.read(FILE).replace("lastmodified", "<<<<<<< ours\n    lastmodified"))
        assert leavers(left) == {}
        (left.folder / FILE).unlink()
        assert leavers(left) == {}

    def test_without_a_repository(self, tmp_path: Path, home: Path) -> None:
        team = Team(tmp_path / "elsewhere", home)
        team.seal(FILE, ["alice"])
        assert leavers(team) == {}


class TestSubkeys:
    """A file names a PGP key by its fingerprint, or by that of the subkey that the message is for."""

    PRIMARY = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"
    SUBKEY, OTHER = "2EADAD900956A2CB", "19FE2D1A2C3B4D5E"

    def seal(self, team: Team, fingerprint: str, id: str) -> None:
        text = team.read(FILE) if (team.folder / FILE).exists() else team.seal(FILE, ["alice"]).read_text()
        text = re.sub(r"(?m)^    pgp:\n(?:     .*\n|\n)*", "", text)
        packet = b"\x85\x01\x0c\x03" + bytes.fromhex(id) + b"\x01" * 40
        body = base64.b64encode(packet).decode()
        entry = (
            f"    pgp:\n        - created_at: '2025-01-01T00:00:00Z'\n          fp: {fingerprint}\n"
            f"          enc: |-\n            -----BEGIN PGP MESSAGE-----\n\n            {body}\n"
            "            -----END PGP MESSAGE-----\n"
        )
        team.write(FILE, text.replace("    lastmodified", f"{entry}    lastmodified"))
        team.commit()

    @pytest.mark.parametrize("names", [(SUBKEY, PRIMARY), (PRIMARY, SUBKEY)])
    def test_both_names_are_one_key(self, team: Team, names: tuple[str, str]) -> None:
        for name in names:
            self.seal(team, name, self.SUBKEY)
        assert leavers(team) == {}
        assert [reader.state for reader in report(team).files[0].readers] == ["reads", "reads"]

    def test_another_key_is_another_person(self, team: Team) -> None:
        self.seal(team, self.SUBKEY, self.SUBKEY)
        self.seal(team, self.PRIMARY, self.OTHER)
        found = Leavers([str(team.folder / FILE)])
        assert [key.name for keys in found.of.values() for key in keys] == [self.SUBKEY]


class TestCheck:
    def test_the_key_and_what_to_do(self, left: Team) -> None:
        bob = left.key("bob").recipient
        done = left.project().run("check")
        assert done.out == (
            f"{FILE}:6:1: warning: bob (former, {bob[:8]}…{bob[-4:]}) was removed, but still knows the "
            "data key [former-recipient]\n"
            f"    hint: The removed key still opens the file. encconf updatekeys {FILE} gives it a new "
            "data key; then change its secrets as well.\n"
        )
        assert left.project().run("check", "--strict", code=1).out == done.out

    def test_a_file_that_no_rule_covers(self, left: Team) -> None:
        left.write(".sops.yaml", left.read(".sops.yaml").replace("- age:", "- path_regex: other\n    age:"))
        out = left.project().run("check").out
        assert "[former-recipient]\n    hint: The removed key still opens the file. Run encconf rotate" in out

    def test_somebody_that_the_rule_names_is_no_leaver(self, left: Team) -> None:
        left.config("alice", "bob")
        out = left.project().run("check", code=1).out
        assert "not encrypted for age bob" in out
        assert "former-recipient" not in out

    def test_files_with_the_same_cause_share_a_line(self, team: Team) -> None:
        team.config("alice", "bob")
        for name in "abcde":
            team.seal(f"{name}.enc.yaml", ["alice", "bob"])
        team.commit()
        for name in "abcde":
            removes_himself(team, f"{name}.enc.yaml")
        team.config("alice")
        team.commit()
        out = team.project().run("check").out
        assert out.count("\n") == 3
        assert "warning: 5 files: bob (former, " in out
        assert "encconf updatekeys -r . gives it a new data key" in out

    def test_a_clone_without_the_old_commits(self, left: Team, tmp_path: Path) -> None:
        clone = tmp_path / "clone"
        left.git("clone", "-q", "--depth=1", f"file://{left.folder}", str(clone))
        left.folder = clone
        done = left.project().run("check", "--json")
        data = json.loads(done.out)
        assert (data["shallow"], data["findings"]) == (True, [])
        assert "only a part of the history was read" in done.err


class TestUpdatekeys:
    def test_a_new_data_key(self, left: Team) -> None:
        project = left.project("alice")
        bob = left.key("bob").recipient
        planned = project.run("updatekeys", "-n", FILE).out
        assert f"because bob (former, {bob}) knows the old one and was removed before\n" in planned
        assert f"bob (former, {bob[:8]}…{bob[-4:]}) could read these values." in planned
        before = left.read(FILE)
        done = project.run("updatekeys", "-y", FILE)
        assert f"wrote {FILE}, with a new data key\n" in done.err
        assert "BEGIN AGE" in before
        assert not set(re.findall("tag:([^,]+)", before)) & set(re.findall("tag:([^,]+)", left.read(FILE)))
        assert project.run("updatekeys", "-y", FILE).err == f"encconf: {FILE} is up to date\n"
        assert project.run("check").out == ""

    def test_json_and_the_checklist(self, left: Team) -> None:
        bob = {"type": "age", "key": left.key("bob").recipient, "name": "bob"}
        done = left.project("alice").run("updatekeys", "-y", "--json", "--checklist", "list.md", FILE)
        (row,) = json.loads(done.out)["files"]
        assert (row["data_key"], row["removed"], row["removed_before"]) == ("new", [], [bob])
        assert row["could_read"] == {"paths": ["db.host", "db.password", "token"], "alone": True}
        assert "db.password" in left.read("list.md")

    def test_the_data_key_may_be_kept(self, left: Team) -> None:
        done = left.project("alice").run("updatekeys", "-y", "--keep-data-key", FILE)
        assert f"{FILE}: the data key is kept, although removed recipients know it" in done.err
        assert f"{FILE} is up to date" in done.err

    def test_somebody_else_is_removed_at_the_same_time(self, team: Team) -> None:
        team.config("alice", "bob", "carol")
        team.seal(FILE, ["alice", "bob", "carol"])
        team.commit()
        removes_himself(team)
        team.config("alice")
        team.commit()
        project = team.project("alice")
        project.run("updatekeys", "-y", FILE)
        assert leavers(team) == {}


def test_a_history_that_takes_git_too_long_is_cut_off(
    left: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository may have a million commits, and a check has to end."""
    assert not Leavers([str(left.folder / FILE)], seconds=60).shallow
    slow = tmp_path / "slow" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *" log "*) exec sleep 600;; esac\nexec {which("git")} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    assert Leavers([str(left.folder / FILE)], seconds=0.1).shallow


def test_versions_that_are_too_large_in_all_are_not_read(left: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack of a megabyte may have a terabyte of versions, and a check has to end."""
    monkeypatch.setattr(Leavers, "limit", 10)
    path = str(left.folder / FILE)
    found = Leavers([path], seconds=60)
    assert (found.shallow, found.of) == (True, {})
    found = Leavers([path])  # for updatekeys, which must know
    assert (found.shallow, len(found.of[path])) == (False, 1)


def test_a_check_of_many_files_starts_git_s_list_once_and_ends_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git lists the changes while the files are read, and does not outlive the check."""
    names = [f"{number}.enc.yaml" for number in range(12)]
    for name in names:
        team.seal(name, ["alice", "bob"])
    team.commit()
    removes_himself(team, names[11])
    team.commit()
    lists: list[Popen[bytes]] = []
    start = programs.start

    def started(words: Sequence[str], *rest: Any, **options: Any) -> Popen[bytes]:
        process = start(words, *rest, **options)
        lists.extend([process] if "log" in words else [])
        return process

    monkeypatch.setattr(programs, "start", started)
    found = check(names, cwd=str(team.folder), scope=ALL).findings
    assert [each.file for each in found if each.slug == "former-recipient"] == [names[11]]
    assert len(lists) == 1

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Listing, "changes", stopped)
    with pytest.raises(KeyboardInterrupt):
        check(names, cwd=str(team.folder), scope=ALL)
    assert [process.returncode is None for process in lists] == [False, False]
