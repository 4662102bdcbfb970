"""``git diff`` and ``encconf diff`` show plain text, in bare repositories, too."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from oracle import AgeKey
from project import PLAIN, Project, after

from encconf.git import textconv


class TestTextconv:
    def test_plain(self, sealed: Project) -> None:
        done = sealed.run("git", "textconv", "secrets.enc.yaml")
        assert done.out == PLAIN
        assert done.err == ""

    def test_without_a_key(self, sealed: Project) -> None:
        done = sealed.run("git", "textconv", "secrets.enc.yaml", environ=AgeKey.generate().environ())
        assert done.out == sealed.read("secrets.enc.yaml")
        assert done.err.count("\n") == 1
        assert "shown encrypted" in done.err

    @pytest.mark.parametrize(
        "content",
        [b"a: 1\n", b"", b"\xff\xfe", b"sops: 1\n", b"sops: [\n", b"<<<<<<<\nsops:\n", b"sops:\n mac: x\n"],
    )
    @pytest.mark.parametrize("name", ["x.yaml", "x.json", "x"])
    def test_whatever_it_is_it_is_shown(self, project: Project, content: bytes, name: str) -> None:
        project.path(name).write_bytes(content)
        process = project.popen("git", "textconv", name, stdout=-1, stderr=-1)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert out == content
        assert err.count(b"\n") <= 1

    @pytest.mark.posix
    def test_a_file_of_any_size_is_shown_with_little_memory(self, project: Project) -> None:
        with project.path("big.yaml").open("wb") as big:
            big.truncate(400 << 20)
        process = project.popen(
            "git", "textconv", "big.yaml", stdout=subprocess.DEVNULL, before=after("ulimit -v 350000")
        )
        assert process.wait(60) == 0

    def test_a_changed_file_is_shown_encrypted(self, sealed: Project) -> None:
        enc = sealed.read("secrets.enc.yaml").replace("free to read", "changed")
        sealed.write("x.yaml", enc)
        done = sealed.run("git", "textconv", "x.yaml")
        assert done.out == enc
        assert done.err.count("\n") == 1

    def test_a_missing_file(self, project: Project) -> None:
        project.run("git", "textconv", "none.yaml", code=100)


class TestDiff:
    def test_git_diff_is_plain(self, repository: Project) -> None:
        editor = repository.editor('sed -i s/hunter2/hunter3/ "$1"')
        repository.run("edit", "secrets.enc.yaml", environ=editor)
        lines = repository.git("diff", "secrets.enc.yaml").splitlines()
        changes = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        assert changes == [
            '-    password: "hunter2"   # not this one',
            '+    password: "hunter3"   # not this one',
        ]
        repository.git("add", ".")
        repository.git("commit", "-qm", "two")
        assert '+    password: "hunter3"' in repository.git("log", "-p", "-1", "--format=")
        assert "ENC[" in repository.git("diff", "--no-textconv", "HEAD~1")

    def test_without_a_key_git_diff_shows_the_encrypted_text(self, repository: Project) -> None:
        editor = repository.editor('sed -i s/hunter2/hunter3/ "$1"')
        repository.run("edit", "secrets.enc.yaml", environ=editor)
        repository.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
        assert '+    password: "ENC[' in repository.git("diff", "secrets.enc.yaml")

    def test_a_conflict_is_plain(self, repository: Project) -> None:
        repository.git("switch", "-qc", "other")
        repository.run("set", "secrets.enc.yaml", "db.port", "1")
        repository.git("commit", "-qam", "theirs")
        repository.git("switch", "-q", "main")
        repository.run("set", "secrets.enc.yaml", "db.port", "2")
        repository.git("commit", "-qam", "ours")
        repository.git("merge", "other", code=1)
        lines = repository.git("diff").splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("++<"))
        base = lines[start + 2]
        assert re.fullmatch(r"\+\+\|{7} (base|[0-9a-f]{7,40})", base), "git says which commit from 2.44 on"
        assert lines[start : start + 7] == [
            "++<<<<<<< HEAD",
            " +    port: 2",
            base,
            "++    port: 5432",
            "++=======",
            "+     port: 1",
            "++>>>>>>> other",
        ]
        assert "ENC[" not in "".join(lines)

    def test_a_changed_conflict_is_shown_encrypted(self, repository: Project) -> None:
        """Anyone could have changed it, and its MAC would not say so otherwise."""
        self.test_a_conflict_is_plain(repository)
        repository.write("secrets.enc.yaml", repository.read("secrets.enc.yaml").replace("free", "FREE"))
        assert '++    password: "ENC[' in repository.git("diff")

    def test_a_file_that_was_plain_before(self, repository: Project) -> None:
        repository.write("x.enc.yaml", PLAIN)
        repository.git("add", ".")
        repository.git("commit", "-qm", "a slip")
        repository.run("encrypt", "-i", "x.enc.yaml")
        assert repository.git("diff", "x.enc.yaml") == ""

    def test_nothing_is_cached_in_the_repository(self, repository: Project) -> None:
        repository.git("log", "-p")
        assert repository.git("config", "--get", "diff.encconf.cachetextconv", code=1) == ""
        assert "notes" not in repository.git("for-each-ref")

    def test_from_another_folder_of_the_repository(self, repository: Project) -> None:
        repository.path("deep").mkdir()
        editor = repository.editor('sed -i s/hunter2/hunter3/ "$1"')
        repository.run("edit", "secrets.enc.yaml", environ=editor)
        repository.folder = repository.path("deep")
        assert "hunter3" in repository.git("diff")


class TestWithoutAKey:
    """git starts the driver for each version; once no key opens one, its shell answers without Python."""

    @pytest.fixture
    def counted(self, repository: Project) -> Project:
        """Five versions of a YAML and a JSON file, one of them without a last line feed.

        Each start of Python adds a line to ``starts``.
        """
        program = repository.home / "bin" / "encconf"
        program.write_text(program.read_text().replace("exec", f"echo >> {repository.home}/starts\nexec"))
        plain = '{"a": "1", "b_unencrypted": "free to read"}\n'
        other = ("--age", AgeKey.generate().recipient)
        repository.run("encrypt", *other, "--input-type", "json", "-o", "x=1.enc.json", "-", input=plain)
        repository.path("x=1.enc.json").rename(repository.path("-x=1.enc.json"))
        for number in range(5):
            for name in ("secrets.enc.yaml", "-x=1.enc.json"):
                text = repository.read(name).replace("free to", f"{number} free to").rstrip("\n")
                repository.write(name, text + "\n" * (number != 3))
            repository.git("add", ".")
            repository.git("commit", "-qm", str(number))
        return repository

    def log(self, project: Project, *words: str) -> tuple[str, str, int]:
        """Return what ``git log -p`` prints, its errors, and how often Python started."""
        done = subprocess.run(
            ["git", "log", "-p", *words],
            cwd=project.folder,
            env=project.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        starts = project.home / "starts"
        count = starts.read_text().count("\n") if starts.exists() else 0
        starts.unlink(missing_ok=True)
        return done.stdout, done.stderr, count

    def test_python_starts_once_for_all_versions_with_the_same_recipients(
        self, counted: Project, tmp_path: Path
    ) -> None:
        counted.git("worktree", "add", "-qb", "linked", str(tmp_path / "linked tree"))
        counted.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
        for folder in (counted.folder, tmp_path / "linked tree"):
            counted.folder = folder
            shown, errors, starts = self.log(counted)
            assert starts == 2
            assert shown == self.log(counted, "--no-textconv")[0]
            assert "+++ b/-x=1.enc.json" in shown
            assert "\\ No newline at end of file" in shown
            assert "and all other versions that no key of yours opens: shown encrypted: " in errors
            assert errors.count("\n") == 1

    def test_programs_in_the_work_tree_do_not_run(self, counted: Project, tmp_path: Path) -> None:
        for name in ("awk", "cat"):
            counted.write(name, f'#!/bin/sh\ntouch {tmp_path}/ran\nexec /usr/bin/{name} "$@"\n')
            counted.path(name).chmod(0o755)
        counted.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
        counted.environ["PATH"] = f".{os.pathsep}{counted.environ['PATH']}"
        assert self.log(counted, "--", "*.enc.*")[2] == 2
        assert not (tmp_path / "ran").exists()

    def test_a_key_counts_for_the_next_git(self, counted: Project) -> None:
        key = counted.environ.pop("SOPS_AGE_KEY")
        assert self.log(counted, "-1", "--", "*.yaml")[2] == 1
        file = counted.home / ".config/sops/age/keys.txt"
        file.parent.mkdir(parents=True)
        file.write_text(key)
        assert "hunter2" in self.log(counted, "--diff-filter=A")[0]

    def test_a_version_for_other_recipients_is_tried(self, repository: Project) -> None:
        """Even if it has the same data key, wrapped for the same recipients and another one."""
        mine = AgeKey.generate()
        both = f"{repository.key.recipient},{mine.recipient}"
        repository.write(".sops.yaml", f"creation_rules:\n  - age: {both}\n")
        repository.run("updatekeys", "-y", "secrets.enc.yaml")
        repository.git("commit", "-qam", "two")
        repository.environ["SOPS_AGE_KEY"] = mine.identity
        shown, errors, _ = self.log(repository, "--reverse", "--", "secrets.enc.yaml")
        assert shown.count('+    password: "ENC[') == 1
        assert '+    password: "hunter2"   # not this one' in shown
        assert errors.count("\n") == 1

    @pytest.mark.parametrize("recipient", ["", "x", "|-\n            two\n            lines"])
    def test_a_strange_recipient_stops_no_diff(self, repository: Project, recipient: str) -> None:
        text = repository.read("secrets.enc.yaml").replace(repository.key.recipient, recipient)
        repository.write("secrets.enc.yaml", text)
        repository.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
        assert "-          recipient: age1" in repository.git("diff")

    def test_only_a_missing_key_is_noted(self, counted: Project) -> None:
        """A file with a wrong MAC does not say that others cannot be opened."""
        assert self.log(counted, "-1", "--", "*.yaml")[2] == 2
        assert notes(counted) == []

    def test_a_note_is_private_and_the_next_one_replaces_it(self, counted: Project) -> None:
        counted.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
        self.log(counted, "-1", "--", "*.yaml")
        (old,) = notes(counted)
        assert stat.S_IMODE(old.stat().st_mode) == 0o600
        assert old.read_text().splitlines()[1:] == [counted.key.recipient]
        self.log(counted, "-1")
        (new,) = notes(counted)
        assert new != old

    @pytest.mark.parametrize(
        ("write", "is_believed"),
        [
            ('printf "%s" "$text" > "$note"', True),
            ('printf "1%s" "$text" > "$note"', False),  # a process that started at another time
            ('printf "%s" "$text" > "$note"; chown 12345 "$note"', False),
        ],
    )
    def test_a_note_of_another_process_or_user_does_not_count(
        self, repository: Project, write: str, is_believed: bool
    ) -> None:
        """A shell writes the note, and then becomes git, which keeps its process number."""
        assert os.geteuid() == 0, "this test needs root"
        script = (
            'note=.git/encconf-no-key-$$; text=$(cut -d " " -f 22 /proc/$$/stat; echo "$0"); '
            f"{write}; exec git show HEAD"
        )
        done = subprocess.run(
            ["sh", "-c", script, repository.key.recipient],
            cwd=repository.folder,
            env=repository.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("hunter2" not in done.stdout) == is_believed


def notes(project: Project) -> list[Path]:
    return list(project.path(".git").glob("encconf-*"))


class TestBare:
    """Where there is no work tree."""

    @pytest.fixture
    def bare(self, repository: Project) -> Project:
        repository.run("set", "secrets.enc.yaml", "db.port", "5433")
        repository.git("commit", "-qam", "two")
        repository.git("clone", "-q", "--bare", ".", str(repository.home / "bare.git"))
        repository.folder = repository.home / "bare.git"
        return repository

    @pytest.mark.parametrize("path", [[], ["."]])
    def test_check_says_that_there_is_nothing_to_check(self, bare: Project, path: list[str]) -> None:
        done = bare.run("check", *path, code=1)
        assert "a bare repository" in done.err
        assert "nothing found" not in done.err

    @pytest.mark.parametrize(
        "words",
        [
            ["access"],
            ["access", "."],
            ["rotate", "--changed"],
            ["updatekeys", "--changed"],
            ["rotate", "-r", "."],
            ["decrypt", "-i", "-r", "."],
        ],
    )
    def test_no_verb_says_that_no_file_is_encrypted(self, bare: Project, words: list[str]) -> None:
        assert "a bare repository has no files" in bare.run(*words, code=1).err

    @pytest.mark.parametrize(
        "words",
        [
            ["HEAD~1..HEAD"],
            ["main~1..main"],
            ["HEAD~1", "HEAD"],
            ["HEAD~1:secrets.enc.yaml", "main:secrets.enc.yaml"],
        ],
    )
    def test_diff_compares_revisions(self, bare: Project, words: list[str]) -> None:
        done = bare.run("diff", *words, code=1)
        assert "  ~ db.port: changed\n" in done.out

    @pytest.mark.parametrize("words", [[], ["HEAD"], ["HEAD~1"], ["--staged"]])
    def test_diff_has_no_work_tree(self, bare: Project, words: list[str]) -> None:
        assert "a bare repository has no work tree" in bare.run("diff", *words, code=2).err


def test_the_reason_of_a_bug_shows_no_value() -> None:
    assert textconv.reason_of(ValueError("hunter2")) == "unexpected ValueError"
