"""Programs that encconf runs for itself: none of the current folder, and none gets a master key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from project import Project

from encconf.io import programs

PGP = "0123456789ABCDEF0123456789ABCDEF01234567"


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_program_that_has_ended() -> None:
    environ = {"PATH": f".:{os.environ['PATH']}", "A": "b", "SECRET": "k"}
    script = ["sh", "-c", "cat; echo $A$SECRET; echo $PATH >&2; exit 3"]
    done = programs.run(script, environ, without=["SECRET"], data=b"x")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (3, b"xb\n", f"{os.environ['PATH']}\n")
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(["sleep", "20"], environ, timeout=0.1)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin"),
        (".:/bin::bin:/usr/bin", "/bin:/usr/bin"),
        ("", "/nonexistent"),
        (".", "/nonexistent"),
    ],
)
def test_no_relative_folder_in_path(given: str, path: str) -> None:
    assert programs.environment({"PATH": given, "A": "1", "B": "2"}, without=["B"]) == {
        "PATH": path,
        "A": "1",
    }


def test_no_path_stays_none() -> None:
    assert programs.environment({"A": "1"}) == {"A": "1"}


def test_where_a_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "bin" / "p", tmp_path / "p"
    program(there, "")
    program(here, "")
    (tmp_path / "bin" / "folder").mkdir()
    (tmp_path / "bin" / "text").write_text("no program")
    monkeypatch.chdir(tmp_path)
    environ = {"PATH": f":.:{tmp_path / 'empty'}:{there.parent}"}
    assert programs.which("p", environ) == str(there)
    assert programs.which("./p", environ) == "./p"
    assert [programs.which(name, environ) for name in ("folder", "text", "bin/folder", "q")] == [None] * 4
    assert programs.which("p", {"PATH": "."}) is None


@pytest.mark.parametrize("path", ["{}", ".:{}", ":{}"])
def test_b12_no_git_of_the_current_folder(sealed: Project, path: str) -> None:
    sealed.git("init", "-q")
    program(sealed.path("git"), 'touch "$0.ran"')
    done = sealed.run("encrypt", "secrets.yaml", environ={"PATH": path.format(sealed.environ["PATH"])})
    assert "git.ran" not in sealed.names()
    assert "git" in done.err  # which knows that secrets.yaml would be committed


@pytest.mark.parametrize("path", ["", ".", ":"])
def test_b12_no_gpg_and_no_key_command_of_the_current_folder(sealed: Project, path: str) -> None:
    for name in ("gpg", "keys"):
        program(sealed.path(name), 'touch "$0.ran"')
    environ = {"PATH": path}
    sealed.run("encrypt", "--pgp", PGP, "-o", "out.yaml", "secrets.yaml", environ=environ, code=1)
    # sops says: exec: "keys": cannot run executable found relative to current directory
    key = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "keys"}
    said = sealed.run("decrypt", "secrets.enc.yaml", environ={**environ, **key}, code=128)
    assert "keys was not found" in said.err
    assert not [name for name in sealed.names() if name.endswith(".ran")]


def test_b12_git_and_gpg_get_no_master_key(sealed: Project) -> None:
    """gpg leaves an agent behind, which would keep the key in its environment."""
    sealed.git("init", "-q")
    folder = sealed.home / "bin"
    for name in ("git", "gpg"):
        program(folder / name, f'env > "{sealed.home}/$(basename "$0").env"; exit 1')
    environ = {
        "PATH": f"{folder}:{sealed.environ['PATH']}",
        "VAULT_TOKEN": "t0ken-of-vault",
        "OTHER": "stays",
    }
    sealed.run("encrypt", "secrets.yaml", environ=environ)
    sealed.run("encrypt", "--pgp", PGP, "-o", "out.yaml", "secrets.yaml", environ=environ, code=1)
    for name in ("git", "gpg"):
        got = (sealed.home / f"{name}.env").read_text()
        assert "OTHER=stays" in got
        assert sealed.key.identity not in got
        assert "t0ken-of-vault" not in got
