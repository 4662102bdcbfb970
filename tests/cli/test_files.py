"""What commands do with a file: among them, warn of plaintext that git would take."""

from __future__ import annotations

import os

from project import PLAIN, Project


class TestGit:
    def test_a_plain_file_that_git_would_take(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("it's/secrets.yaml", PLAIN)
        done = project.run("encrypt", "it's/secrets.yaml")
        assert "git does not ignore it" in done.err
        hint = done.err.partition("hint: ")[2].strip()
        os.system(f"cd {project.folder} && {hint}")
        again = project.run("encrypt", "it's/secrets.yaml")
        assert again.err == "encconf: it's/secrets.enc.yaml is up to date\n"

    def test_a_plain_file_that_git_has(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        project.git("add", "secrets.yaml")
        done = project.run("encrypt", "secrets.yaml")
        assert "git tracks it" in done.err
        hint = done.err.partition("hint: ")[2].partition(";")[0]
        os.system(f"cd {project.folder} && ({hint}) >/dev/null")
        assert "warning" not in project.run("encrypt", "secrets.yaml").err
        assert project.git("ls-files") == ""

    def test_no_warning_without_need(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        assert "warning" not in project.run("encrypt", "-i", "secrets.yaml").err
        plain = project.write("plain.yaml", PLAIN)
        project.write(".gitignore", "plain.yaml\n")
        assert "warning" not in project.run("encrypt", "plain.yaml").err
        assert plain.exists()

    def test_git_is_not_needed(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml", environ={"PATH": "/nowhere"})

    def test_a_repository_does_not_run_a_program(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.git("config", "core.fsmonitor", f"touch {project.path('ran')}; false")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        assert "ran" not in project.names()
