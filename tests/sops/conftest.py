"""Two programs called sops, the real one and encconf, each with the same files in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import forks
import pytest
from oracle import AgeKey, clean_environ, sops_binary
from sops.files import FILES

ROOT = Path(__file__).resolve().parents[2]


class Ended:
    """How a program ended and what it said."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.err = err.decode()

    def __repr__(self) -> str:
        return f"Ended({self.code}, {self.out!r}, {self.err!r})"


class Box:
    """A folder with files, and a program called sops that is run in it."""

    def __init__(self, folder: Path, program: str, key: AgeKey, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.program = program
        self.key = key
        self.environ = {**clean_environ(key.environ()), **environ}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())

    def read(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()

    def run(
        self, *args: str, input: str = "", environ: Mapping[str, str] | None = None, code: int | None = None
    ) -> Ended:
        words = [arg.replace("{R}", self.key.recipient) for arg in args]
        given = {name: value for name, value in (environ or {}).items() if value != "-"}
        gone = {name for name, value in (environ or {}).items() if value == "-"}
        variables = {name: value for name, value in {**self.environ, **given}.items() if name not in gone}
        if self.program == sops_binary():
            done = subprocess.run(
                [self.program, *words],
                cwd=self.folder,
                env=variables,
                input=input.encode(),
                capture_output=True,
                timeout=60,
                check=False,
            )
        else:
            done = forks.run(self.program, words, cwd=self.folder, environ=variables, input=input.encode())
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert code is None or ended.code == code, ended
        assert "internal" not in ended.err, ended
        return ended

    def editor(self, script: str) -> dict[str, str]:
        """The variable that makes a shell script the editor; ``$1`` is the file."""
        path = self.folder.parent / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"SOPS_EDITOR": str(path)}


def drop_in(folder: Path) -> str:
    """A program called ``sops`` that is encconf."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sops"
    path.write_text(f"#!{sys.executable}\nfrom encconf.cli import run\n\nrun()\n")
    path.chmod(0o755)
    return str(path)


def boxes(folder: Path, key: AgeKey, files: Mapping[str, str]) -> tuple[Box, Box]:
    """The real sops and the drop-in, with the same files; names that end with ``!`` are encrypted first."""
    real = Box(folder / "real" / "box", sops_binary(), key, {})
    ours = Box(folder / "ours" / "box", drop_in(folder / "bin"), key, {"PYTHONPATH": str(ROOT)})
    for name, text in files.items():
        real.write(name.rstrip("!"), text)
        if name.endswith("!"):
            real.run("encrypt", "-i", "--age", "{R}", name.rstrip("!"), code=0)
        ours.write(name.rstrip("!"), real.read(name.rstrip("!")))
    return real, ours


@pytest.fixture
def ours(tmp_path: Path) -> Box:
    """The drop-in in an empty folder."""
    return Box(tmp_path / "box", drop_in(tmp_path / "bin"), AgeKey.generate(), {"PYTHONPATH": str(ROOT)})


def lines(text: str) -> Sequence[str]:
    return text.splitlines()


__all__ = ["Box", "Ended", "boxes", "drop_in", "os"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Box, Box]:
    return boxes(tmp_path_factory.mktemp("same"), AgeKey.generate(), FILES)
