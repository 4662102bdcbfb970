"""Run tests/transcripts/*.txt, which show what a user types and what the command line prints.

- A line that begins with ``$ `` is a command for bash.  The lines below it are its output and messages, and
  ``(exit code N)`` if it fails.  ``…`` stands for any text, and alone on its line for any lines.
- A line that begins with ``## `` is a comment.
- ``-- NAME --`` begins a file, which exists from the start.
- ``$ALICE`` and ``$BOB`` are recipients, whose keys are in key.txt and bob.txt.  ``$PWD`` is the folder.
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
    """Return an empty folder of Alice, and her variables.  PATH has encconf, also under the name sops."""
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
    """Run a command, and return its output, with its exit code if it fails."""
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
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode  # a signal, as in shells
    if code:
        printed = f"{printed.rstrip(chr(10))}\n" * bool(printed) + f"(exit code {code})\n"
    return printed
