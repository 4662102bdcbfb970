"""``git diff`` and ``encconf diff`` show plain text, in bare repositories, too."""

from __future__ import annotations

import pytest
from oracle import AgeKey
from project import PLAIN, Project


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
    def test_d3_check_says_that_there_is_nothing_to_check(self, bare: Project, path: list[str]) -> None:
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
    def test_d3_no_verb_says_that_no_file_is_encrypted(self, bare: Project, words: list[str]) -> None:
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
    def test_d3_diff_compares_revisions(self, bare: Project, words: list[str]) -> None:
        done = bare.run("diff", *words, code=1)
        assert "  ~ db.port: changed\n" in done.out

    @pytest.mark.parametrize("words", [[], ["HEAD"], ["HEAD~1"], ["--staged"]])
    def test_d3_diff_has_no_work_tree(self, bare: Project, words: list[str]) -> None:
        assert "a bare repository has no work tree" in bare.run("diff", *words, code=2).err
