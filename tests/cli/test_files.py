"""What commands do with a file: among them, warn of plaintext that git would take."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest
from project import PLAIN, Project


class TestGit:
    def test_a_plain_file_that_git_would_take(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        for name in ("it's/secrets", "a[1]*\\"):
            project.write(f"{name}.yaml", PLAIN)
            done = project.run("encrypt", f"{name}.yaml")
            assert "plaintext that git does not ignore" in done.err
            hint = done.err.partition("hint: ")[2].strip()
            subprocess.run(["bash", "-c", hint], cwd=project.folder, check=True)
            again = project.run("encrypt", f"{name}.yaml")
            assert again.err == f"encconf: {name}.enc.yaml is up to date\n"

    def test_a_plain_file_that_git_has(self, project: Project) -> None:
        project.rules()
        project.git("init", "-q")
        project.write("secrets.yaml", PLAIN)
        project.git("add", "secrets.yaml")
        done = project.run("encrypt", "secrets.yaml")
        assert "plaintext that git tracks" in done.err
        assert "if it was committed, change the secrets" in done.err
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


@pytest.mark.services  # chown, as root
@pytest.mark.parametrize(
    "command",
    [
        ["set", "all/x.enc.yaml", "name", "y"],
        ["unset", "all/x.enc.yaml", "db"],
        ["update", "all/x.enc.yaml", "--from", "new.yaml"],
        ["edit", "all/x.enc.yaml"],
        ["rotate", "all/x.enc.yaml"],
        ["encrypt", "-f", "-o", "all/x.enc.yaml", "new.yaml"],
        ["decrypt", "-i", "all/x.enc.yaml"],
        ["decrypt", "-o", "all/x.enc.yaml", "all/x.enc.yaml"],
        ["export", "--format", "json", "-o", "all/x.enc.yaml", "own.enc.yaml"],
    ],
    ids=" ".join,
)
def test_an_error_of_writing_names_the_file_as_it_was_typed(project: Project, command: list[str]) -> None:
    """Here, the file is another user's in a folder for everyone, and nothing of it is changed."""
    project.rules()
    project.write("new.yaml", PLAIN)
    project.path("all").mkdir()
    project.run("encrypt", "-o", "all/x.enc.yaml", "new.yaml")
    project.run("encrypt", "-o", "own.enc.yaml", "new.yaml")
    project.write("new.yaml", PLAIN + "more: 1\n")
    path = project.path("all/x.enc.yaml")
    before = path.read_bytes()
    project.path("all").chmod(0o1777)
    path.chmod(0o666)
    os.chown(path, 65534, -1)
    done = project.run(*command, environ=project.editor("echo 'more: 1' >> \"$1\""), code=3)
    said = "encconf: error[unwritable]: all/x.enc.yaml: cannot be written: it is a file that another user has"
    assert done.err.startswith(said)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_name_that_ends_with_a_slash_is_a_folder(project: Project) -> None:
    project.rules()
    plain = project.write("q.yaml", "a: 1\n")
    for name in ("q.yaml/", "q.yaml/."):
        assert "it is not a folder" in project.run("encrypt", "-i", name, code=2).err
    assert plain.read_text() == "a: 1\n"
    project.run("encrypt", "-i", "q.yaml")
    assert "no such folder" in project.run("decrypt", "-o", "plain/", "q.yaml", code=3).err
    assert not project.path("plain").exists()
