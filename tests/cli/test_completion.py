"""The completion of bash, zsh and fish, each driven on a terminal: keys are pressed, and the line runs."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project

_ON_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}
FIRST = {"bash": "bind 'set bell-style none'", "zsh": "autoload -Uz compinit; compinit -u -D", "fish": ""}


class Shell:
    """A shell with the completion of a program, on a terminal of its own."""

    def __init__(self, shell: str, program: str, project: Project, bin: Path) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self._text = codecs.getincrementaldecoder("utf-8")().decode  # a read may end within a character
        environ = {
            **project.environ,
            "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
            "TERM": "dumb" if shell != "fish" else "xterm",
            "PS1": "> ",
            "HISTFILE": "/dev/null",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *SHELLS[shell]],
            cwd=project.folder,
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        if shell == "fish":  # it throws away what is typed before it asks
            self.wait_for("project")  # its prompt says where it is
        source = f"{program} completion {shell} > {project.home}/script; source {project.home}/script"
        self.type(f"{FIRST[shell]}; {source}; echo rea''dy\n".removeprefix("; "))
        self.wait_for("ready\n")

    def wait_for(self, text: str) -> str:
        """What was printed before ``text``."""
        end = time.monotonic() + 40
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"not seen: {text!r}; but: {self.seen!r}"
            data = os.read(self.master, 4096)
            if b"\x1b[c" in data:  # fish asks what terminal this is
                os.write(self.master, b"\x1b[?62;22c")
            self.seen += re.sub(
                r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()=>].?)", "", self._text(data)
            ).replace("\r", "")
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ends(self) -> None:
        self.type("\x15exit\n")
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("encconf", "sops"):
        (folder / name).write_text(f"#!{sys.executable}\nfrom encconf.cli import run\n\nrun()\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(sealed: Project, bin: Path, shell: str) -> None:
    """Commands, flags, files, and the paths in a file, for which no key is needed."""
    driven = Shell(shell, "encconf", sealed, bin)
    try:
        for keys, printed in (
            ("encconf vers\t\n", "(sops 3.13.3)"),
            ("encconf get secrets.enc.yaml db.pass\t\n", "hunter2"),
            ("encconf get secrets.enc.yaml note\t\n", "free to read"),
            ("encconf get secr\tenc.yaml db.po\t\n", "5432"),
            ("encconf decrypt --extr\t db.host secrets.enc.yaml\n", "localhost"),
        ):
            if keys.startswith("encconf get secr\t") and shell != "bash":
                continue  # zsh and fish go on to the end of a name of two, where bash stops
            driven.type(keys)
            driven.wait_for(printed)
    finally:
        driven.ends()


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_as_sops(sealed: Project, bin: Path, shell: str) -> None:
    driven = Shell(shell, "sops", sealed, bin)
    try:
        for keys, printed in (
            ("sops filest\t secrets.enc.yaml\n", '{"encrypted":true}'),
            ('sops decrypt --ext\t \'["db"]["host"]\' secrets.enc.yaml\n', "localhost"),
        ):
            driven.type(keys)
            driven.wait_for(printed)
    finally:
        driven.ends()


def test_e7_fish_shows_whole_descriptions(project: Project, tmp_path: Path) -> None:
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "encconf").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
    (bin / "encconf").chmod(0o755)
    script = 'encconf completion fish | source; complete -C "encconf decrypt --keys"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env={**project.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"},
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--keyservice\tAlso use this key service: unix:///PATH or tcp://HOST:PORT." in done.stdout
