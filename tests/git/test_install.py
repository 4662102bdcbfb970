"""``encconf git install``: what is written into .gitattributes and git's configuration."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from pathlib import Path

import pytest
from project import Project

from encconf.git import install


class TestInstall:
    def test_it_does_its_work_once(self, repository: Project) -> None:
        attributes = repository.read(".gitattributes")
        endings = ("yaml", "yml", "json", "env", "ini", "toml")
        ends = {"env": " eol=lf"}
        lines = [f"*.enc.{each} diff=encconf merge=encconf{ends.get(each, '')}\n" for each in endings]
        assert attributes == "".join(lines)
        driver = repository.git("config", "--get", "diff.encconf.textconv")
        assert driver.endswith('exec encconf git textconv -- "$1" "$n"; }; f\n')
        assert repository.git("config", "--get", "merge.encconf.driver").startswith("encconf git merge ")
        # with its folder, no name of a file is an option: git names them from the top of the work tree
        assert '"./$MERGED"' in repository.git("config", "--get", "mergetool.encconf.cmd")
        config = repository.read(".git/config")
        assert repository.run("git", "install").err == "encconf: git is set up already\n"
        assert repository.read(".gitattributes") == attributes
        assert repository.read(".git/config") == config

    def test_another_diff_attribute_stays_and_is_named(self, repository: Project) -> None:
        repository.write(".gitattributes", "*.enc.yaml diff=sopsdiffer\n")
        done = repository.run("git", "install")
        assert "git diff does not decrypt secrets.enc.yaml, since another diff attribute stays" in done.err

    def test_attributes_that_are_there_stay(self, repository: Project) -> None:
        repository.write(
            ".gitattributes",
            "*.png binary\n*.enc.yaml text diff=encconf merge=mine\n*.enc.yml diff=encconf\n# no end",
        )
        repository.run("git", "install", "secrets/*.yaml")
        assert repository.read(".gitattributes") == (
            "*.png binary\n*.enc.yaml text diff=encconf merge=mine\n*.enc.yml diff=encconf merge=encconf\n"
            "# no end\n"
            + "*.enc.json diff=encconf merge=encconf\n"
            + "*.enc.env diff=encconf merge=encconf eol=lf\n"
            + "".join(f"*.enc.{name} diff=encconf merge=encconf\n" for name in ("ini", "toml"))
            + "secrets/*.yaml diff=encconf merge=encconf\n"
        )
        assert "already" in repository.run("git", "install", "secrets/*.yaml").err

    def test_git_leaves_the_line_breaks_of_dotenv_files_alone(self, repository: Project) -> None:
        """sops cannot open an encrypted dotenv file that git for Windows has checked out as text."""
        repository.write(".gitattributes", "other/*.env -text\n")
        repository.run("git", "install", ".env.*", "deploy/app.env", "other/*.env", "secrets/*.yaml")
        lines = repository.read(".gitattributes").splitlines()
        assert lines[0] == "other/*.env -text diff=encconf merge=encconf"
        assert ".env.* diff=encconf merge=encconf eol=lf" in lines
        assert "secrets/*.yaml diff=encconf merge=encconf" in lines
        assert "deploy/app.env diff=encconf merge=encconf eol=lf" in lines
        repository.write(".env.enc", "A=1\nB=2\n")
        repository.git("add", ".")
        repository.path(".env.enc").unlink()
        repository.git("-c", "core.autocrlf=true", "checkout", ".env.enc")
        assert repository.read(".env.enc") == "A=1\nB=2\n"
        repository.run("git", "uninstall")
        assert repository.read(".gitattributes") == "other/*.env -text\n"

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

    def test_for_all_repositories_where_there_can_be_no_folder(self, project: Project) -> None:
        (project.home / ".config").write_text("a file\n")
        done = project.run("git", "install", "--global", code=3)
        assert f"error[unwritable]: {project.home}/.config: cannot create the folder: file exists" in done.err

    def test_for_all_repositories_where_git_has_another_file(self, project: Project) -> None:
        project.git("config", "--global", "core.attributesFile", "~/my attributes")
        project.run("git", "install", "--global")
        assert "encconf" in (project.home / "my attributes").read_text()

    @pytest.mark.posix
    @pytest.mark.parametrize("command", ["install", "uninstall"])
    def test_for_all_repositories_where_git_would_replace_what_is_no_file(
        self, project: Project, command: str, tmp_path: Path
    ) -> None:
        """As root, git replaces even /dev/null, which many people name to have no configuration."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        (tmp_path / "link").symlink_to(pipe)
        for name in ("pipe", "link"):
            environ = {"GIT_CONFIG_GLOBAL": str(tmp_path / name)}
            done = project.run("git", command, "--global", environ=environ, code=3)
            assert "not a regular file" in done.err
            assert "GIT_CONFIG_GLOBAL" in done.err
        assert pipe.is_fifo()
        project.git("config", "--global", "core.attributesFile", str(pipe))
        assert "not a regular file" in project.run("git", command, "--global", code=3).err

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


def test_git_s_own_error_is_shown(project: Project) -> None:
    project.git("init", "-q")
    project.write(".git/config.lock", "")
    done = project.run("git", "install", code=1)
    assert "could not lock config file" in done.err


@pytest.mark.parametrize("name", ["encconf/__main__.py", "encconf/__init__.py", "pyrage.py", "json.py"])
def test_the_drivers_import_nothing_from_the_work_tree(
    sealed: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a script, Python runs encconf; it would look for modules in the current folder first."""
    alone = sealed.home / "alone"
    alone.mkdir()
    (alone / "python").symlink_to(sys.executable)
    monkeypatch.setattr("sys.executable", str(alone / "python"))
    command = install.command({"PATH": "/nowhere"})
    assert command == f"{alone}/python -P -m encconf"
    sealed.write(name, f"open({str(sealed.home / 'ran')!r}, 'w')\n")
    sealed.write("encconf/__init__.py", sealed.read(name) if name.endswith("__init__.py") else "")
    sealed.git("init", "-q")
    sealed.git("config", "diff.encconf.textconv", f"{command} git textconv")
    sealed.write(".gitattributes", "*.enc.yaml diff=encconf\n")
    sealed.git("add", ".")
    sealed.git("commit", "-qm", "x")
    packages = sysconfig.get_paths()["purelib"]
    sealed.environ["PYTHONPATH"] += f"{os.pathsep}{packages}"
    assert "hunter2" in sealed.git("show", "HEAD", "--", "secrets.enc.yaml")
    assert not (sealed.home / "ran").exists()


def test_a_path_with_folders_of_the_work_tree_makes_the_drivers_name_the_whole_path(
    repository: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git looks for the driver in all folders of PATH."""
    everybody = tmp_path / "bin"
    for folder in (everybody, repository.path("bin")):
        folder.mkdir()
        (folder / "encconf").write_text("#!/bin/sh\n")
        (folder / "encconf").chmod(0o755)
    monkeypatch.chdir(repository.folder)
    assert install.command({"PATH": f"{repository.path('bin')}:{everybody}"}) == f"{everybody}/encconf"
    assert install.command({"PATH": f".:{everybody}"}) == f"{everybody}/encconf"
    assert install.command({"PATH": f"{everybody}"}) == "encconf"
