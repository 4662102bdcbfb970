"""``encconf git …`` with a real git."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from oracle import AgeKey
from project import PLAIN, Project

from encconf.git import attributes, exposure, install


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


class TestInstall:
    def test_it_does_its_work_once(self, repository: Project) -> None:
        attributes = repository.read(".gitattributes")
        endings = ("yaml", "yml", "json", "env", "ini", "toml")
        assert attributes == "".join(f"*.enc.{ending} diff=encconf merge=encconf\n" for ending in endings)
        assert repository.git("config", "--get", "diff.encconf.textconv") == "encconf git textconv\n"
        assert repository.git("config", "--get", "merge.encconf.driver").startswith("encconf git merge ")
        assert "$MERGED" in repository.git("config", "--get", "mergetool.encconf.cmd")
        config = repository.read(".git/config")
        assert repository.run("git", "install").err == "encconf: git is set up already\n"
        assert repository.read(".gitattributes") == attributes
        assert repository.read(".git/config") == config

    def test_attributes_that_are_there_stay(self, repository: Project) -> None:
        repository.write(
            ".gitattributes",
            "*.png binary\n*.enc.yaml text diff=encconf merge=mine\n*.enc.yml diff=encconf\n# no end",
        )
        repository.run("git", "install", "secrets/*.yaml")
        assert repository.read(".gitattributes") == (
            "*.png binary\n*.enc.yaml text diff=encconf merge=mine\n*.enc.yml diff=encconf merge=encconf\n"
            "# no end\n"
            + "".join(f"*.enc.{name} diff=encconf merge=encconf\n" for name in ("json", "env", "ini", "toml"))
            + "secrets/*.yaml diff=encconf merge=encconf\n"
        )
        assert "already" in repository.run("git", "install", "secrets/*.yaml").err

    @pytest.mark.parametrize("pattern", ["", "#x", "a b", '"a"', "!x", "[attr]x"])
    def test_what_is_no_pattern(self, repository: Project, pattern: str) -> None:
        attributes = repository.read(".gitattributes")
        assert "pattern" in repository.run("git", "install", pattern, code=1).err
        assert repository.read(".gitattributes") == attributes

    def test_uninstall(self, repository: Project) -> None:
        config = repository.read(".git/config")
        assert "encconf" in config
        repository.run("git", "uninstall")
        assert "encconf" not in repository.read(".git/config")
        assert not repository.path(".gitattributes").exists()
        assert repository.run("git", "uninstall").err == "encconf: nothing to do\n"
        repository.write(".gitattributes", "# encconf\n*.png binary\n*.enc.yaml text diff=encconf\n")
        repository.run("git", "install")
        assert repository.read(".git/config") == config
        repository.run("git", "uninstall")
        assert repository.read(".gitattributes") == "# encconf\n*.png binary\n*.enc.yaml text\n"

    def test_for_all_repositories(self, project: Project) -> None:
        done = project.run("git", "install", "--global")
        attributes = project.home / ".config" / "git" / "attributes"
        assert "*.enc.yaml diff=encconf" in attributes.read_text()
        assert str(attributes) in done.err
        assert "git textconv" in project.git("config", "--global", "--get", "diff.encconf.textconv")
        project.git("init", "-q")
        assert "encconf" in project.git("check-attr", "diff", "x.enc.yaml")

    def test_for_all_repositories_where_git_is_told_another_file(self, project: Project) -> None:
        project.git("config", "--global", "core.attributesFile", "~/my attributes")
        project.run("git", "install", "--global")
        assert "encconf" in (project.home / "my attributes").read_text()

    def test_outside_a_repository(self, project: Project) -> None:
        assert "--global" in project.run("git", "install", code=1).err

    def test_without_git(self, project: Project) -> None:
        project.git("init", "-q")
        assert "git was not found" in project.run("git", "install", environ={"PATH": "/nowhere"}, code=1).err

    def test_in_a_linked_working_tree(self, repository: Project, tmp_path: Path) -> None:
        repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
        repository.folder = tmp_path / "linked"
        repository.run("git", "install")
        assert (tmp_path / "linked" / ".gitattributes").exists()

    def test_the_command_works_without_the_virtual_environment(self, tmp_path: Path) -> None:
        """By name where encconf is for everybody, else by its path."""
        everybody = tmp_path / "bin"
        everybody.mkdir()
        (everybody / "encconf").write_text("#!/bin/sh\n")
        (everybody / "encconf").chmod(0o755)
        assert install.command({"PATH": str(everybody)}) == "encconf"
        assert Path(shlex.split(install.command({"PATH": str(tmp_path)}))[0]).is_absolute()


class TestExposure:
    def test_of_a_file(self, project: Project) -> None:
        path = str(project.write("a b/[x]*.yaml", "a: 1\n"))
        assert exposure(path) is None
        project.git("init", "-q")
        assert exposure(path) == "untracked"
        project.write(".gitignore", "a b/\n")
        assert exposure(path) is None
        project.git("add", "-f", "a b")
        assert exposure(path) == "tracked"
        project.write("a b/x.yaml", "")
        assert exposure(str(project.path("a b/x.yaml"))) is None


def test_f10_git_s_own_error_is_shown(project: Project) -> None:
    project.git("init", "-q")
    project.write(".git/config.lock", "")
    done = project.run("git", "install", code=1)
    assert "could not lock config file" in done.err


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


class TestFilesOfOtherNames:
    """What is encrypted here gets the drivers, whatever it is called (D2)."""

    def test_d2_what_is_encrypted_and_what_the_rules_will_encrypt(self, repository: Project) -> None:
        text = repository.read("secrets.enc.yaml")
        for name in ("a.sops.yaml", ".env.sops", "deep/odd name", "many/a.yml", "many/b.yml", "many/c.yml"):
            repository.path(name).parent.mkdir(exist_ok=True)
            repository.write(name, text)
        rule = "  - path_regex: ^later/.*\\.(json|ya?ml)$\n    age: x\n"
        repository.write(".sops.yaml", f"{repository.read('.sops.yaml')}{rule}")
        repository.git("add", "-A")
        assert "no-driver" in repository.run("check").out
        assert "line by line" in repository.run("doctor", "sops").err
        done = repository.run("git", "install")
        for pattern in ("*.sops.yaml", "*.env.sops", "/deep/odd?name", "/many/*.yml", "/later/**/*.json"):
            assert pattern in done.err
        names = ["a.sops.yaml", ".env.sops", "deep/odd name", "many/a.yml", "later/x.json", "later/y/z.yml"]
        said = repository.git("check-attr", "merge", "diff", "--", *names)
        assert said.count(": encconf\n") == 2 * len(names), said
        assert "no-driver" not in repository.run("check").out
        assert "line by line" not in repository.run("doctor", "sops").err
        assert repository.run("git", "install").err == "encconf: git is set up already\n"

    def test_d2_another_driver_stays(self, repository: Project) -> None:
        repository.write("a.sops.json", repository.read("secrets.enc.yaml"))
        repository.write(".gitattributes", "*.sops.json diff=mine merge=mine\n")
        repository.git("add", "-A")
        repository.run("git", "install")
        assert "*.sops.json diff=mine merge=mine\n" in repository.read(".gitattributes")
        assert "mine" in repository.git("check-attr", "merge", "--", "a.sops.json")

    @pytest.mark.parametrize(
        ("regex", "patterns"),
        [
            (r"\.enc\.ya?ml$", ["*.enc.yaml", "*.enc.yml"]),
            (r"^secrets/", ["/secrets/**/*"]),
            (r"^\.env$", ["/.env"]),
            (r"hosts/[^/]+/secrets\.yaml$", ["**/*hosts/*/secrets.yaml"]),
            (r".*", []),
            (r".*$", []),
            (r"", []),
            (r"^.*secret.*$", []),
            (r"(?i)\.x$", []),
            (r"(a|b)" * 30 + "$", []),
        ],
    )
    def test_d2_a_regex_that_is_a_plain_path(self, regex: str, patterns: list[str]) -> None:
        assert attributes.globs(regex) == patterns
