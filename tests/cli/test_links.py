"""Links that a stranger puts into a repository: encconf reads and writes no file that they choose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracle import AgeKey
from project import Project

PWNED = ";touch${IFS}pwned;:.yaml"
FOREIGN = pytest.mark.services  # as root: gives files to another user


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder outside of the repository, with a file of the user."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "profile").write_text("# mine\n")
    return folder


@pytest.fixture
def repository(sealed: Project) -> Project:
    sealed.git("init", "-q")
    return sealed


def untouched(folder: Path) -> bool:
    """Whether the files outside of the repository are as they were."""
    return {each.name: each.read_text() for each in folder.iterdir()} == {"profile": "# mine\n"}


@pytest.mark.parametrize("target", ["profile", "nothing"])
@pytest.mark.parametrize("command", [["init"], ["git", "install"], ["git", "uninstall"]])
def test_gitattributes(repository: Project, outside: Path, command: list[str], target: str) -> None:
    """Its lines contain names of files, which a shell would run."""
    repository.path("secrets.enc.yaml").rename(repository.path(PWNED))
    repository.path(".gitattributes").symlink_to(outside / target)
    config = repository.read(".git/config")
    said = repository.run(*command, code=3).err
    assert ".gitattributes: cannot be used: it is a symbolic link" in said
    assert "rm " in said
    assert untouched(outside)
    assert repository.read(".git/config") == config
    assert repository.path(".gitattributes").is_symlink()


def test_git_uninstall_reads_and_empties_no_file_behind_a_link(repository: Project, outside: Path) -> None:
    (outside / "profile").write_text("*.enc.yaml diff=encconf merge=encconf\n")
    repository.path(".gitattributes").symlink_to(outside / "profile")
    repository.run("git", "uninstall", code=3)
    assert (outside / "profile").read_text() == "*.enc.yaml diff=encconf merge=encconf\n"
    assert repository.path(".gitattributes").is_symlink()


@FOREIGN
def test_gitattributes_of_another_user(repository: Project) -> None:
    path = repository.write(".gitattributes", "# theirs\n")
    os.chown(path, 65534, -1)
    assert "it belongs to another user" in repository.run("git", "install", code=3).err
    assert path.read_text() == "# theirs\n"


def test_your_own_attributes_may_be_a_link(project: Project) -> None:
    """git follows it, and many people keep such files in one repository."""
    real = project.home / "dotfiles"
    real.write_text("")
    (project.home / ".config" / "git").mkdir(parents=True)
    (project.home / ".config" / "git" / "attributes").symlink_to(real)
    project.run("git", "install", "--global")
    assert "diff=encconf" in real.read_text()


@pytest.mark.parametrize("in_git", [True, False])
def test_sops_yaml(project: Project, outside: Path, in_git: bool) -> None:
    if in_git:
        project.git("init", "-q")
    project.path(".sops.yaml").symlink_to(outside / "nothing")
    assert ".sops.yaml: cannot be used: it is a symbolic link" in project.run("init", code=3).err
    assert untouched(outside)


@pytest.mark.parametrize("name", [".sops.recipients", ".sops.yaml"])
def test_the_files_of_keys_add_and_remove(repository: Project, outside: Path, name: str) -> None:
    """They contain names, which a shell would run, and recipients, for which another project encrypts."""
    theirs = AgeKey.generate().recipient
    kept = outside / "profile"
    rule = repository.read(".sops.yaml")
    repository.path(".sops.yaml").write_text(rule.replace("age: ", f"age: {theirs},"))
    if name == ".sops.yaml":
        kept.write_text(repository.read(name))
        repository.path(name).unlink()
    repository.path(name).symlink_to(kept)
    kept.write_text(before := kept.read_text() + f"# bob {theirs}\n")
    for words in (["remove", theirs], ["add", "--name", "bob; touch pwned", AgeKey.generate().recipient]):
        said = repository.run("keys", words[0], "--yes", *words[1:], code=3).err
        assert f"{name}: cannot be used: it is a symbolic link" in said
    assert kept.read_text() == before


class TestNewFiles:
    """Through a link that leads nowhere, a command would create a file wherever its author wants one."""

    @pytest.mark.parametrize(
        "words",
        [
            ["encrypt", "secrets.yaml", "-o", "link"],
            ["encrypt", "secrets.yaml", "--force", "-o", "link"],
            ["decrypt", "secrets.enc.yaml", "-o", "link"],
            ["set", "link", "a", "1"],
            ["set", "--create", "link", "a", "1"],
            ["edit", "link"],
            ["import", ".env", "-o", "link"],
            ["export", "secrets.enc.yaml", "--format", "json", "-o", "link"],
            ["keygen", "-o", "link"],
            ["access", "--html", "link"],
            ["convert", "secrets.enc.yaml", "link"],
        ],
        ids=" ".join,
    )
    def test_a_name_that_you_type(self, repository: Project, outside: Path, words: list[str]) -> None:
        repository.write(".env", "A=1\n")
        repository.git("add", ".")
        for name in ("link.enc.yaml", "link.yaml"):
            repository.path(name).symlink_to(outside / "new.yaml")
        words = [word.replace("link", "link.enc.yaml") for word in words]
        environ = repository.editor('echo "a: 1" > "$1"')
        done = repository.popen(*words, environ=environ, stdout=-1, stderr=-1)
        _, err = done.communicate()
        assert done.returncode != 0, words
        assert b"Traceback" not in err
        assert untouched(outside)

    def test_a_name_that_encconf_makes(self, repository: Project, outside: Path) -> None:
        repository.write("app.yaml", "a: 1\n")
        repository.write(".env", "A=1\n")
        repository.path("new").mkdir()
        repository.write("new/s.yaml", "a: 1\n")
        for target in ("profile", "nothing"):
            for name in ("app.enc.yaml", "secrets.enc.yaml", "new/s.enc.yaml"):
                repository.path(name).unlink(missing_ok=True)
                repository.path(name).symlink_to(outside / target)
            for words in (["encrypt", "app.yaml"], ["import", ".env"], ["import", "--force", ".env"]):
                assert "it is a symbolic link" in repository.run(*words, code=3).err
            repository.run("encrypt", "--force", "app.yaml", code=3)
            repository.run("encrypt", "new/s.yaml", code=3)
            assert untouched(outside)

    @pytest.mark.parametrize("there", [True, False])
    def test_a_tree_that_decrypt_makes(self, repository: Project, outside: Path, there: bool) -> None:
        """Plaintext would get where the link leads."""
        repository.path("a").mkdir()
        repository.path("secrets.enc.yaml").rename(repository.path("a/s.enc.yaml"))
        repository.write("b.enc.yaml", repository.read("a/s.enc.yaml"))
        repository.path("out").mkdir()
        repository.path("out/a").symlink_to(outside if there else outside / "new", target_is_directory=True)
        repository.run("decrypt", "-r", ".", "-o", "out", code=3)
        assert untouched(outside)
        assert "hunter2" in repository.read("out/b.yaml")

    def test_a_folder_that_you_type(self, repository: Project, outside: Path) -> None:
        repository.write("b.enc.yaml", repository.read("secrets.enc.yaml"))
        repository.path("out").symlink_to(outside / "new", target_is_directory=True)
        repository.run("decrypt", "-r", ".", "-o", "out", code=3)
        assert untouched(outside)


def test_shim(project: Project, outside: Path) -> None:
    bin = project.path("bin")
    bin.mkdir()
    (outside / "profile").write_text("# from encconf.cli import run\n")
    (bin / "sops").symlink_to(outside / "profile")
    assert "it is a symbolic link" in project.run("shim", str(bin), code=3).err
    assert (outside / "profile").read_text() == "# from encconf.cli import run\n"
    assert (outside / "profile").stat().st_mode & 0o111 == 0


def test_units(sealed: Project, outside: Path) -> None:
    words = ["systemd", "unit", "secrets.enc.yaml", "--unit", "app.service", "--output", "units"]
    sealed.run(*words)
    made = sorted(
        path.relative_to(sealed.folder) for path in sealed.path("units").rglob("*.*") if path.is_file()
    )
    assert made
    for name in made:
        path = sealed.path(str(name))
        (outside / "profile").write_bytes(path.read_bytes() + b"# mine\n")
        path.unlink()
        path.symlink_to(outside / "profile")
        before = (outside / "profile").read_bytes()
        assert "it is a symbolic link" in sealed.run(*words, code=3).err
        assert (outside / "profile").read_bytes() == before
        path.unlink()
        sealed.run(*words)


def test_a_link_to_a_file_that_exists_is_followed_where_you_type_it(
    repository: Project, outside: Path
) -> None:
    repository.path("secrets.enc.yaml").rename(outside / "shared.enc.yaml")
    repository.path("link.enc.yaml").symlink_to(outside / "shared.enc.yaml")
    repository.run("set", "link.enc.yaml", "db.port", "1")
    assert repository.path("link.enc.yaml").is_symlink()
    assert repository.run("get", "link.enc.yaml", "db.port").out == "1"
