"""Since when: readers in the history of real git repositories, found without a key."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from audit.committed import FILE, NOW, history_of, report, states, times
from project import ROOT

from encconf import git
from encconf.audit import access, history
from encconf.audit.names import Names, identity

from .team import PLAIN, Team


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
        found = access.report([str(tmp_path / "clone" / FILE)], Names(), now=NOW)
        assert found.shallow

    def test_programs_in_git_settings_are_not_run(self, team: Team, tmp_path: Path) -> None:
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
    def test_commits_of_any_date(self, team: Team, date: str, day: str) -> None:
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


class TestVersions:
    def test_a_time_as_plaintext(self, team: Team) -> None:
        team.write(FILE, PLAIN)
        first = team.commit()
        team.seal(FILE, ["alice"])
        second = team.commit()
        (span,) = history_of(team).plain
        assert span.end is not None
        assert (span.start.commit, span.end.commit) == (first, second)

    def test_an_empty_version_is_not_plaintext(self, team: Team) -> None:
        team.write(FILE, "\n")
        team.commit()
        team.seal(FILE, ["alice"])
        team.commit()
        assert history_of(team).plain == []

    def test_the_history_follows_a_rename(self, team: Team) -> None:
        team.seal("old.yaml", ["alice"])
        first = team.commit()
        team.git("mv", "old.yaml", FILE)
        team.commit()
        team.share(FILE, ["alice", "bob"], rotate=False)
        third = team.commit()
        assert times(team, "alice") == [(first, None, None, False)]
        assert times(team, "bob") == [(third, None, None, False)]

    def test_a_file_that_was_deleted_for_some_time(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        first = team.commit()
        (team.folder / FILE).unlink()
        second = team.commit()
        team.seal(FILE, ["alice"])
        third = team.commit()
        # How the old one was encrypted no longer matters: nothing of it is in the file.
        assert [span[:2] for span in times(team, "alice")] == [(first, second), (third, None)]

    def test_a_committed_conflict_removes_no_reader(self, team: Team) -> None:
        sealed = team.seal(FILE, ["alice", "bob"]).read_text()
        first = team.commit()
        team.write(FILE, f"<<<<<<< ours\n{sealed}=======\n{sealed}>>>>>>> theirs\n")
        team.commit()
        team.write(FILE, sealed)
        team.commit()
        assert times(team, "bob") == [(first, None, None, False)]
        assert history_of(team).plain == []

    def test_a_merge_of_two_sides(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        team.seal("other.enc.yaml", ["alice"])
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.share(FILE, ["alice", "bob"], rotate=False)
        side = team.commit()
        team.git("checkout", "-q", "main")
        team.share("other.enc.yaml", ["alice", "carol"], rotate=False)
        team.commit()
        team.git("merge", "-q", "--no-edit", "side")
        assert times(team, "bob") == [(side, None, None, False)]
        assert times(team, "bob", "other.enc.yaml") == []

    def test_a_merge_that_takes_one_side(self, team: Team) -> None:
        team.config("alice", "bob", "carol")
        team.seal(FILE, ["alice"])
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.share(FILE, ["alice", "bob"], rotate=False)
        team.commit()
        team.git("checkout", "-q", "main")
        team.share(FILE, ["alice", "carol"], rotate=False)
        team.commit()
        team.git("merge", "-q", "--no-edit", "-X", "ours", "-s", "ours", "side")
        assert states(team) == {"alice": "reads", "carol": "reads", "bob": "exposed"}

    @pytest.mark.parametrize(
        "name", ['a b/ü\n\t"x".yaml', "-n.yaml", ":(top)x.yaml", "x\u202e.json", "*.env"]
    )
    def test_files_with_any_name(self, name: str, team: Team) -> None:
        plain = {"json": '{"a": "value"}\n', "env": "A=value\n"}.get(name.rpartition(".")[2], PLAIN)
        team.seal(name, ["alice", "bob"], plain=plain)
        first = team.commit()
        team.share(name, ["alice"], rotate=True)
        second = team.commit()
        assert times(team, "bob", name) == [(first, second, second, True)]

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("s.yaml", PLAIN),
            ("s.json", '{"a": "value", "b": [1, 2]}\n'),
            ("s.env", "A=value\nB=other\n"),
            ("s.ini", "[a]\nb = value\n"),
            ("s.toml", 'a = "value"\n'),
            ("s.bin", "any bytes\n"),
        ],
        ids=["yaml", "json", "dotenv", "ini", "toml", "binary"],
    )
    def test_files_of_any_format(self, name: str, plain: str, team: Team) -> None:
        team.seal(name, ["alice", "bob"], plain=plain)
        first = team.commit()
        team.share(name, ["alice"], rotate=False)
        second = team.commit()
        team.rotate(name)
        third = team.commit()
        assert times(team, "bob", name) == [(first, second, third, True)]


def test_two_calls_of_git_for_all_files(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files and versions there are."""
    contents: dict[str, bytes] = {}
    for number in range(12):
        contents[f"{number}.yaml"] = team.seal(f"{number}.yaml", ["alice"]).read_bytes()
    team.commit()
    calls: list[list[str]] = []
    start, popen = git.start, subprocess.Popen

    def counted(arguments: list[str], environ: dict[str, str]) -> Callable[[], tuple[int, str]]:
        calls.append(arguments)
        return start(arguments, environ)

    def opened(arguments: list[str], **options: object) -> subprocess.Popen[bytes]:
        calls.append(arguments)
        return popen(arguments, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(git, "start", counted)
    monkeypatch.setattr(subprocess, "Popen", opened)
    found = dict(history.histories(str(team.folder), contents, contents.__getitem__))
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
        found = dict(history.histories(str(team.folder), contents, contents.__getitem__))
        assert all(len(each.spans) == 2 for each in found.values())
        return time.process_time() - start

    small = measure(grow(30, 20, 0)) + 0.01  # 60 versions
    large = measure(grow(300, 200, 1000))  # 6,000
    assert large < 40 * small + 3
    assert large < 20


def test_no_version_stays_in_memory(team: Team) -> None:
    """Each has the tags of all its values, and a folder may have thousands of files."""

    def count() -> int:
        gc.collect()
        return sum(isinstance(each, history.Version) for each in gc.get_objects())

    team.seal(FILE, ["alice"])
    team.commit()
    team.rotate(FILE)
    team.commit()
    before = count()
    found = history_of(team)
    assert len(found.spans) == 1
    assert count() == before


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
