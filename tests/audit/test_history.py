"""Since when: readers in the history of real git repositories, told without a key."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from audit.committed import FILE, NOW, report, times
from project import ROOT

from encconf import git
from encconf.audit import access, history, log
from encconf.audit.names import Names, identity

from .team import Team


class TestRepositories:
    def test_without_a_commit(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        assert times(team, "alice") == [(None, None, None, False)]

    def test_without_git(self, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
        team.seal(FILE, ["alice"])
        team.commit()
        monkeypatch.setenv("PATH", "/nonexistent")
        assert times(team, "alice") == [(None, None, None, False)]

    def test_outside_of_a_repository(self, tmp_path: Path, home: Path) -> None:
        team = Team(tmp_path / "inside", home)
        sealed = team.seal(FILE, ["alice"]).rename(tmp_path / FILE)
        (file,) = access.report([str(sealed)], Names(), now=NOW).files
        assert file.history is None
        assert [reader.state for reader in file.readers] == ["reads"]

    def test_a_clone_that_was_cut_off(self, team: Team, tmp_path: Path) -> None:
        team.seal(FILE, ["alice"])
        team.commit()
        team.edit(FILE, "hunter2", "hunter3")
        team.commit()
        team.git("clone", "-q", "--depth=1", f"file://{team.folder}", str(tmp_path / "clone"))
        assert log.is_shallow(str(tmp_path / "clone"))
        assert not log.is_shallow(str(team.folder))
        found = access.report([str(tmp_path / "clone" / FILE)], Names(), now=NOW)
        assert found.shallow

    def test_its_settings_run_nothing(self, team: Team, tmp_path: Path) -> None:
        team.seal(FILE, ["alice"])
        team.commit()
        ran = tmp_path / "ran"
        for setting in (
            "core.fsmonitor",
            "diff.external",
            "core.pager",
            "gpg.program",
            "core.alternateRefsCommand",
        ):
            team.git("config", setting, f"touch {ran}")
        team.git("config", "log.showSignature", "true")
        team.git("config", "diff.x.textconv", f"touch {ran};")
        team.write(".git/info/attributes", "* diff=x\n")
        ran.unlink(missing_ok=True)
        report(team)
        assert not ran.exists()

    @pytest.mark.parametrize(
        ("date", "day"), [("9223372036854775807 +0000", "9999-12-31"), ("no date at all", "1970-01-01")]
    )
    def test_any_date(self, team: Team, date: str, day: str) -> None:
        """Whoever commits can write what he likes."""
        team.seal(FILE, ["alice"])
        team.git("add", "-A")
        text = (
            f"tree {team.git('write-tree').strip()}\nauthor a <a@b> {date}\ncommitter a <a@b> {date}\n\nm\n"
        )
        path = str(team.write(".git/odd", text))
        commit = team.git("hash-object", "-t", "commit", "-w", "--literally", path).strip()
        team.git("reset", "-q", "--soft", commit)
        (file,) = report(team).files
        assert access.day(file.readers[0].since) == day
        assert access.to_json(report(team))

    def test_a_damaged_object(self, team: Team) -> None:
        """git gives up there; what it does not say is not known, for hundreds of versions."""
        ids = [team.git("hash-object", "-w", str(team.write("x", f"{n}\n"))).strip() for n in range(3)]
        place = team.folder / ".git/objects" / ids[1][:2] / ids[1][2:]
        place.chmod(0o644)
        place.write_bytes(b"damaged")
        found = list(log.contents(str(team.folder), [ids[0], *ids[1:] * log.CHUNK, ids[2]]))
        assert found[:2] == [b"0\n", None]
        assert len(found) == 2 * log.CHUNK + 2

    def test_a_partial_clone_fetches_nothing(self, team: Team, tmp_path: Path) -> None:
        """Where objects are missing, the repository's settings would run a program, too."""
        team.seal(FILE, ["alice"])
        team.commit()
        team.edit(FILE, "hunter2", "hunter3")
        team.commit()
        team.git("config", "uploadpack.allowFilter", "true")
        clone = tmp_path / "clone"
        team.git("clone", "-q", "--filter=blob:none", f"file://{team.folder}", str(clone))
        ran = tmp_path / "ran"
        team.git("-C", str(clone), "config", "core.sshCommand", f"touch {ran};")
        team.git("-C", str(clone), "config", "remote.origin.url", "ssh://nowhere/x")
        (file,) = access.report([str(clone / FILE)], Names(), now=NOW).files
        assert [reader.state for reader in file.readers] == ["reads"]
        assert not ran.exists()

    def test_what_a_partial_clone_has_is_read_behind_what_it_lacks(self, team: Team, tmp_path: Path) -> None:
        """git before 2.45 ends at the first blob that is missing."""
        blobs = [team.write(f"{number}.txt", f"{number}\n") and str(number) for number in range(3)]
        first = team.commit()
        team.write("1.txt", "one\n")
        team.commit()
        team.git("config", "uploadpack.allowFilter", "true")
        clone = tmp_path / "clone"
        team.git("clone", "-q", "--filter=blob:none", f"file://{team.folder}", str(clone))
        now, then = (
            [team.git("rev-parse", f"{commit}:{name}.txt").strip() for name in blobs]
            for commit in ("HEAD", first)
        )
        asked = [now[0], then[1], now[1], then[1], now[2]]
        assert list(log.contents(str(clone), asked)) == [b"0\n", None, b"one\n", None, b"2\n"]
        missing = team.git("-C", str(clone), "rev-list", "--objects", "--missing=print", "HEAD")
        assert f"?{then[1]}" in missing.split()  # and nothing was fetched


def test_two_calls_of_git_for_all_files(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files and versions there are."""
    contents: dict[str, bytes] = {}
    for number in range(12):
        contents[f"{number}.yaml"] = team.seal(f"{number}.yaml", ["alice"]).read_bytes()
    team.commit()
    calls: list[list[str]] = []
    run, popen = git.run, subprocess.Popen

    def counted(arguments: list[str], environ: dict[str, str]) -> tuple[int, str]:
        calls.append(arguments)
        return run(arguments, environ)

    def opened(arguments: list[str], **options: object) -> subprocess.Popen[bytes]:
        calls.append(arguments)
        return popen(arguments, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(git, "run", counted)
    monkeypatch.setattr(subprocess, "Popen", opened)
    found = history.histories(str(team.folder), contents)
    assert len(found) == 12
    verbs = [
        next(word for word in call if word in ("log", "cat-file", "ls-tree", "rev-parse")) for call in calls
    ]
    assert sorted(verbs) == ["cat-file", "log", "ls-tree", "rev-parse"]


def test_time_grows_with_the_number_of_versions_alone(team: Team) -> None:
    """300 files with 6,000 versions, made by git fast-import: seconds, and no more than in proportion."""
    sealed = team.seal(FILE, ["alice", "bob"]).read_bytes()
    (team.folder / FILE).unlink()

    def grow(files: int, commits: int, start: int) -> Mapping[str, bytes]:
        lines: list[bytes] = []
        contents: dict[str, bytes] = {}
        for commit in range(commits):
            lines.append(
                b"commit refs/heads/main\ncommitter x <x> %d +0000\ndata 1\nx\n" % (NOW + start + commit)
            )
            if commit == 0 and start:
                lines.append(b"from refs/heads/main^0\n")
            for number in range(files // 10):
                path = f"{start}/{(commit * 31 + number) % files}.yaml"
                contents[path] = sealed.replace(b"lastmodified", b"# %d\n    lastmodified" % commit)
                lines.append(b"M 644 inline %s\ndata %d\n" % (path.encode(), len(contents[path])))
                lines.append(contents[path] + b"\n")
        subprocess.run(
            ["git", "fast-import", "--quiet", "--force"], cwd=team.folder, input=b"".join(lines), check=True
        )
        return contents

    def measure(contents: Mapping[str, bytes]) -> float:
        start = time.process_time()
        found = history.histories(str(team.folder), contents)
        assert all(len(each.spans) == 2 for each in found.values())
        return time.process_time() - start

    small = measure(grow(30, 20, 0)) + 0.01  # 60 versions
    large = measure(grow(300, 200, 1000))  # 6,000
    assert large < 40 * small + 3
    assert large < 20


def test_what_identifies_a_key(team: Team) -> None:
    from encconf.keys import master_key

    one = master_key("kms", "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555")
    other = master_key("kms", f"{one.name}+arn:aws:iam::111122223333:role/ops")
    assert identity(one) == identity(other)


def test_the_benchmark_of_long_histories_runs() -> None:
    command = [sys.executable, str(ROOT / "bench" / "history.py")]
    done = subprocess.run(
        [*command, "--commits", "90", "--files", "30", "--rounds", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["encconf", "access"],
        ["encconf", "check"],
    ]
