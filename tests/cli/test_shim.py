"""``encconf shim``: a launcher called sops."""

from __future__ import annotations

import site
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, Project

from encconf.cli.commands import shim
from encconf.cli.console import Console

FILE = "app.enc.yaml"


class TestShim:
    def test_a_program_called_sops(self, app: Project, tmp_path: Path) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        app.run("shim", str(folder))
        app.run("shim", str(folder))
        environ = {**app.environ, "PATH": f"{folder}:{app.environ['PATH']}"}
        done = subprocess.run(
            ["sops", "-d", FILE], cwd=app.folder, env=environ, capture_output=True, check=True
        )
        assert b"host: db.example.com" in done.stdout
        for other in (b"#!/bin/sh\n", b"\x7fELF\xff"):
            (folder / "sops").write_bytes(other)
            assert "was not written by encconf" in app.run("shim", str(folder), code=3).err
            assert (folder / "sops").read_bytes() == other
        app.run("shim", str(folder / "none"), code=3)

    def test_a_folder_in_its_place(self, app: Project, tmp_path: Path) -> None:
        (tmp_path / "sops").mkdir()
        assert "cannot be written: it is a folder" in app.run("shim", str(tmp_path), code=3).err

    def test_it_is_isolated_and_its_children_are_not(self, app: Project, tmp_path: Path) -> None:
        folder, evil = tmp_path / "bin", tmp_path / "evil"
        for name in ("encconf", "cryptography"):
            (evil / name).mkdir(parents=True)
            (evil / name / "__init__.py").write_text("raise SystemExit(9)\n")
        folder.mkdir()
        app.run("shim", str(folder))
        app.write("flat.yaml", "A: b\n")
        app.run("encrypt", "-i", "flat.yaml")
        environ = {**app.environ, "PYTHONPATH": str(evil), "PYTHONHOME": str(evil)}
        done = subprocess.run(
            [folder / "sops", "exec-env", "flat.yaml", "echo $A $PYTHONPATH $PYTHONHOME"],
            cwd=app.folder, env=environ, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout.decode()) == (0, f"b {evil} {evil}\n"), done.stderr

    @pytest.mark.parametrize("name", ["with space", "l" * 150, "/".join(["l" * 200] * 6)])
    def test_an_interpreter_that_no_first_line_can_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        for _ in range(2):
            shim.shim(shim.Options(folder=str(tmp_path)), Console(environ={}))
        done = subprocess.run([tmp_path / "sops", "--version"], capture_output=True, check=True)
        assert done.stdout.startswith(b"sops ")

    def test_packages_of_the_user_are_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
        monkeypatch.setattr(site, "getusersitepackages", lambda: str(ROOT))
        shim.shim(shim.Options(folder=str(tmp_path)), Console(environ={}))
        assert (tmp_path / "sops").read_text().split("\n")[0].endswith(" -EP")
