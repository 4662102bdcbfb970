"""Run a page of the documentation: its commands and its Python code, from top to bottom, in one project.

- In a ``console`` block, a line that begins with ``$ `` is a command.  The lines below it are its output.  A
  line ``…`` stands for any lines, and ``…`` within a line for any text.  A line of a command that ends in a
  backslash is continued.  If the command fails, ``(exit code N)`` follows the output.
- ``python`` blocks share one namespace.
- A block of another language, such as ``text`` or ``yaml``, is not run.  If its first line is ``# FILE``, the
  block is written to that file when it is reached.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from project import ROOT

_BLOCK = re.compile(r"^```([\w.-]+)\n(.*?)^```$", flags=re.M | re.S)
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each block of a page."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def enter(folder: Path, demo: Path) -> dict[str, str]:
    """Make ``folder`` an empty git repository with the file ``demo`` in it.

    Returns the variables that put encconf and an editor on PATH.  The editor replaces pa55-w0rd.
    """
    programs = folder.parent / "bin"
    programs.mkdir()
    encconf = programs / "encconf"
    encconf.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
    editor = programs / "editor"  # it takes a second, so that the date in the file changes
    editor.write_text('#!/bin/sh\nsleep 1.1\nexec sed -i s/pa55-w0rd/n3w-pa55/ "$1"\n')
    for program in (encconf, editor):
        program.chmod(0o755)
    folder.mkdir(exist_ok=True)
    shutil.copy(demo, folder)
    settings = ("user.name=Reader", "user.email=reader@example.com", "init.defaultBranch=main")
    for name, _, value in (setting.partition("=") for setting in settings):
        subprocess.run(["git", "config", "--global", name, value], check=True)
    subprocess.run(["git", "init", "--quiet"], check=True, cwd=folder)
    return {
        "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PAGER": "cat",
        "SOPS_EDITOR": "editor",
    }


def fits(printed: str, expected: str) -> bool:
    """Whether an output is the expected one, in which ``…`` stands for anything."""
    lines = expected.splitlines(keepends=True)
    pattern = "".join("(?:.*\n)*" if line == "…\n" else re.escape(line).replace("…", ".*") for line in lines)
    return re.fullmatch(pattern, printed) is not None


def run(page: Path, folder: Path) -> None:
    """Run a page in ``folder``.  Raises AssertionError if an output differs from the page."""
    names: dict[str, object] = {}
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, str(page), "exec"), names)
        elif language == "console":
            for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
                _step(page, step, folder)
        elif file := _FILE.match(block):
            path = folder / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block[file.end() :], encoding="utf-8")


def _step(page: Path, step: str, folder: Path) -> None:
    whole = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", step)
    assert whole, step
    command, expected = whole[0], step[whole.end() :]
    shell = ["bash", "-c", f"exec 2>&1; {command}"]
    done = subprocess.run(
        shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=120, cwd=folder
    )
    printed = done.stdout.decode()
    if done.returncode:
        printed += f"(exit code {done.returncode})\n"
    expected = re.sub(r"\n+\Z", "\n", expected)  # ignore blank lines before the next command
    assert fits(printed, expected), f"{page.name}: {command}\n{printed}\n--- expected\n{expected}"
