"""Real programs that call sops, on a machine where the ``sops`` of PATH is the real one or encconf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from oracle import AgeKey, clean_environ, sops_binary

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """A project folder of somebody whose ``sops`` is ``name``; there is a rule for everything."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.key = AgeKey.generate()
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "sops"
        if name == "sops":
            program.symlink_to(sops_binary())
        else:
            code = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom encconf.cli import run\n\nrun()\n"
            program.write_text(f"#!{sys.executable} -E\n{code}")  # without the clients' PYTHONPATH
            program.chmod(0o755)
        self.environ = {
            **clean_environ(self.key.environ()),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
        }
        self.write(".sops.yaml", f"creation_rules:\n  - age: {self.key.recipient}\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def sops(self, *args: str) -> str:
        return self.run("sops", *args)

    def encrypted(self, name: str, text: str) -> None:
        self.write(name, text)
        self.sops("encrypt", "-i", name)

    def run(
        self, *command: str, environ: Mapping[str, str] | None = None, input: str = "", code: int = 0
    ) -> str:
        """What a program printed, which must end with ``code``; for another than 0 with its stderr."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environ, **(environ or {})},
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr or code, done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def python(self, packages: Path, script: str) -> Any:
        """What a Python script prints, as JSON, with these packages."""
        out = self.run(sys.executable, "-c", script, environ={"PYTHONPATH": str(packages)})
        return json.loads(out)


@pytest.fixture(params=["sops", "encconf"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """The client must not notice which of them it calls."""
    return Desk(tmp_path, request.param)
