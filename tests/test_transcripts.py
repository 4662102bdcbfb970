"""Transcripts of the command line: tests/transcripts/*.txt is what a user types and what is printed.

A line after ``$ `` is a command for bash, the lines below it are its output with its messages, and
``(exit code N)`` follows where that is not 0; ``…`` stands for any text, alone on its line for any lines.
Lines after ``## `` are for the reader.  What is behind ``-- NAME --`` is a file that is there from the
start.  ``$ALICE`` and ``$BOB`` are recipients, whose keys are in key.txt and bob.txt; ``$PWD`` is the
folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pages
import pytest
from oracle import AgeKey, clean_environ

ROOT = Path(__file__).resolve().parent.parent
TRANSCRIPTS = sorted((ROOT / "tests" / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path) -> None:
    script, *files = re.split(r"(?m)^-- (\S+) --\n", path.read_text(encoding="utf-8"))
    folder, environ = desk(tmp_path)
    for name, text in zip(files[::2], files[1::2], strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            text.replace("$ALICE", environ["ALICE"]).replace("$BOB", environ["BOB"]), encoding="utf-8"
        )
    steps = re.split(r"(?m)^\$ ", "\n" + script)[1:]
    assert steps
    for step in steps:
        command, _, expected = step.partition("\n")
        expected = re.sub(r"(?m)^## .*\n?", "", expected).rstrip("\n")
        printed = said(command, folder, environ).rstrip("\n")
        for variable in ("ALICE", "BOB", "PWD"):
            printed = printed.replace(environ[variable], f"${variable}")
        fits = pages.fits(printed + "\n", expected + "\n")
        assert fits, f"$ {command}\n{printed}\n--- expected\n{expected}"


def desk(folder: Path) -> tuple[Path, dict[str, str]]:
    """An empty folder of Alice, and the variables under which she works; encconf is also called sops."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("encconf", "sops"):
        program = programs / name
        code = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom encconf.cli import run\n\nrun()\n"
        program.write_text(f"#!{sys.executable}\n{code}")
        program.chmod(0o755)
    alice, bob = AgeKey.generate(), AgeKey.generate()
    desk = folder / "desk"
    desk.mkdir()
    (desk / "key.txt").write_text(alice.identity)
    (desk / "bob.txt").write_text(bob.identity)
    environ = {
        **clean_environ(),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "SOPS_AGE_KEY_FILE": "key.txt",
        "ALICE": alice.recipient,
        "BOB": bob.recipient,
        "PWD": str(desk),
    }
    return desk, environ


def said(command: str, folder: Path, environ: dict[str, str]) -> str:
    """What a command prints, and how it ends."""
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1; {command}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environ,
        check=False,
        timeout=60,
    )
    printed = done.stdout.decode()
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode  # a signal, as shells say it
    if code:
        printed = f"{printed.rstrip(chr(10))}\n" * bool(printed) + f"(exit code {code})\n"
    return printed
