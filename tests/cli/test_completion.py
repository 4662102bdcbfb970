"""The completion of bash, zsh and fish, each driven on a terminal: keys are pressed, and the line runs."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from oracle import AgeKey
from project import Project, needs

from encconf.text.path import spell

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
        needs(shell)
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
    """Commands, flags, files, people, and the paths in a file, for which no key is needed."""
    keys_of = {"alice": AgeKey.generate(), "bob": sealed.key}
    people = "".join(f"      - {key.recipient} # {name}\n" for name, key in keys_of.items())
    sealed.write(".sops.yaml", f"creation_rules:\n  - age:\n{people}")
    driven = Shell(shell, "encconf", sealed, bin)
    try:
        for keys, printed in (
            ("encconf vers\t\n", "(sops 3.13.3)"),
            ("encconf get secrets.enc.yaml db.pass\t\n", "hunter2"),
            ("encconf get secrets.enc.yaml note\t\n", "free to read"),
            ("encconf keys remove -n al\t\n", ".sops.yaml changes"),
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


def test_fish_shows_whole_descriptions(project: Project, tmp_path: Path) -> None:
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "encconf").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
    (bin / "encconf").chmod(0o755)
    script = 'encconf completion fish | source; complete -C "encconf decrypt --keys"'
    done = subprocess.run(
        [needs("fish"), "--no-config", "-c", script],
        env={**project.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"},
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--keyservice\tAlso use this key service: unix:///PATH or tcp://HOST:PORT." in done.stdout


HOSTILE = {
    "a$(touch X)": "1a",
    "b`touch X`": "2b",
    "c'$(touch X)'": "3c",
    'd"$(touch X)"': "4d",
    "e;touch X;": "5e",
    "f&touch X&": "6f",
    "g|touch X": "7g",
    "h>X": "8h",
    "i two words": "9i",
    "j\\$(touch X)": "10j",
    "k$HOME": "11k",
    "l*": "12l",
    "m{1,2}": "13m",
    "n!!": "14n",
    "o~#%": "15o",
    "p<(touch X)": "16p",
    "q$((X=1))": "17q",
    "r\n$(touch X)\n": "18r",
    "s\rplain,$(touch X)": "19s",
    "t\tz$(touch X)": "20t",
    "u\x1b]0;X\x07": "21u",
    "v’;touch X;’": "22v",
}
"""Keys that run a program, or break the line, if a shell inserts them as they are."""
UNSEEN = "rstu"


@pytest.fixture
def hostile(sealed: Project) -> Project:
    """A file with such keys, and files with names that its answers would match."""
    content = {key[0]: {key: value} for key, value in HOSTILE.items()}
    sealed.write("h.json", json.dumps({**content, "list": ["zero", "one"]}))
    sealed.run("encrypt", "-o", "h.enc.json", "h.json")
    for name in ("plain,a$(touch X)", "plain,l$(touch X)", "list0", "l$(touch X)"):
        sealed.write(name, "")
    return sealed


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("quote", ["", '"', "'"], ids=["bare", "double", "single"])
def test_no_key_of_a_file_runs_a_program(hostile: Project, bin: Path, shell: str, quote: str) -> None:
    """Tab completes the word, and Enter runs the line, which prints the value."""
    driven = Shell(shell, "encconf", hostile, bin)
    try:
        for key, value in list(HOSTILE.items())[: 5 if quote else None]:
            sign = spell(("a", key))[1]  # a bracket or a dot
            typed = f"{key[0]}{sign}" if quote or sign == "." else f"{key[0]}\\{sign}"
            driven.type(f"encconf get h.enc.json {quote}{typed}\t")
            if quote or key[0] in UNSEEN:
                time.sleep(0.6)  # perhaps the word stays as it is
                driven.type("\n")
                time.sleep(0.2)
                driven.type("\x03")  # the quote may still be open, or a list of words be shown
                time.sleep(0.2)
                driven.type("\x15")
            else:
                driven.type("\n")
                driven.wait_for(value)
            driven.type("echo en''d\n")
            driven.wait_for("end\n")
    finally:
        driven.ends()
    assert "X" not in hostile.names()


@pytest.mark.parametrize("shell", SHELLS)
def test_words_that_a_shell_expands_are_completed(hostile: Project, bin: Path, shell: str) -> None:
    driven = Shell(shell, "encconf", hostile, bin)
    try:
        for keys, printed in (
            ("encconf get h.enc.json 'list[1\t\n", "one"),
            ("encconf get h.enc.json k.\t\n", "11k"),
            ("encconf get h.enc.json list\\[0\t\n", "zero"),
        ):
            if keys.startswith("encconf get h.enc.json '") and shell == "bash":
                continue  # after an open quote, bash is offered no word that it would change
            driven.type(keys)
            driven.wait_for(printed)
    finally:
        driven.ends()
    assert "X" not in hostile.names()


def test_powershell_gets_words_in_quotes_or_not_at_all(hostile: Project) -> None:
    """PowerShell is not installed here: these are the lines that its script reads."""
    environ = {
        "_ENCCONF_COMPLETE": "powershell_complete",
        "COMP_WORDS": "encconf get h.enc.json",
        "COMP_CWORD": "3",
    }
    if get_completion_class("powershell") is None:
        return  # click before 8.5
    lines = hostile.run(environ=environ).out.splitlines()
    assert len(lines) % 3 == 0
    offered = {value for kind, value in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"}
    assert {"'m.m{1,2}'", "'n.n!!'", "'list[0]'"} <= offered
    assert "list" in offered
    for value in offered:
        assert re.fullmatch(r"[\w./:@%+,=^-]*|'[^'‘’‚‛]*'", value), value
