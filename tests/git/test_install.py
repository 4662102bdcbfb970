"""``encconf git install``: what is written into .gitattributes and git's configuration."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from project import Project

from encconf.git import install


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

    def test_for_all_repositories_where_there_can_be_no_folder(self, project: Project) -> None:
        (project.home / ".config").write_text("a file\n")
        done = project.run("git", "install", "--global", code=3)
        assert f"error[unwritable]: {project.home}/.config: cannot create the folder: file exists" in done.err

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


def test_f10_git_s_own_error_is_shown(project: Project) -> None:
    project.git("init", "-q")
    project.write(".git/config.lock", "")
    done = project.run("git", "install", code=1)
    assert "could not lock config file" in done.err
