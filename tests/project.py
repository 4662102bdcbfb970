"""A project folder with a key and a .sops.yaml, and encconf run in it as a program."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forks
from oracle import AgeKey

ROOT = Path(__file__).resolve().parents[1]

OWN_MOUNTS = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
"""A program after these words has mounts of its own, also without root where user namespaces are allowed."""

PLAIN = """\
# the database
db:
    host: localhost
    password: "hunter2"   # not this one
    port: 5432

users: [alice, bob]
note_unencrypted: free to read
"""


def signal_another_thread(process: int, number: signal.Signals) -> None:
    """Send a signal to a thread that is not the main one.  Like a signal that comes just before the main
    thread waits, it ends no system call there."""
    threads = [int(each) for each in os.listdir(f"/proc/{process}/task") if int(each) != process]
    assert ctypes.CDLL(None).tgkill(process, threads[0], number) == 0


def after(commands: str) -> list[str]:
    """Words before a program's own: a shell does these commands, and is then the program.

    What subprocess calls in the child before the program (preexec_fn) is not safe here: gRPC, which
    tests use, ends such a child now and then.
    """
    return ["sh", "-c", f'{commands}; exec "$@"', "sh"]


def small_files(limit: int) -> dict[str, Any]:
    """Options of `Project.popen`: no file can grow beyond a limit in bytes (whole 512), as on a full disk.

    Python does not write its own .pyc files then: it leaves them cut off, and the next one cannot read them.
    """
    return {
        "environ": {"PYTHONDONTWRITEBYTECODE": "1"},
        "before": after(f"ulimit -f {limit // 512}"),
    }


class Result:
    """How a command ended and what it said."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.err = err.decode()

    def __repr__(self) -> str:
        return f"Result({self.code}, {self.out!r}, {self.err!r})"


class Project:
    """A folder to run encconf in; ``environ`` is all of its environment."""

    def __init__(self, folder: Path, home: Path, key: AgeKey) -> None:
        self.folder = folder
        self.home = home
        self.key = key
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "SOPS_AGE_KEY": key.identity,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def read(self, name: str) -> str:
        return self.path(name).read_bytes().decode()

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def rules(self, text: str = "") -> None:
        """Write the .sops.yaml: one rule for the project's key, and these lines added to it."""
        self.write(".sops.yaml", f"creation_rules:\n  - age: {self.key.recipient}\n{text}")

    def popen(self, *args: str, **options: object) -> subprocess.Popen[bytes]:
        """Start encconf; ``before`` are words before its own."""
        environ, before = options.pop("environ", {}), options.pop("before", [])
        assert isinstance(environ, dict)
        assert isinstance(before, list)
        command = [*before, sys.executable, "-m", "encconf", *args]
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command, cwd=self.folder, env={**self.environ, **environ}, **options
        )

    def run(
        self, *args: str, input: str = "", environ: Mapping[str, str] | None = None, code: int = 0
    ) -> Result:
        """Run encconf, which must end with ``code``."""
        environ = {**self.environ, **(environ or {})}
        result = forks.run("encconf", args, cwd=self.folder, environ=environ, input=input.encode())
        done = Result(result.returncode, result.stdout, result.stderr)
        assert done.code == code, done
        assert "Traceback" not in done.err, done
        assert "internal" not in done.err, done
        return done

    def editor(self, script: str) -> dict[str, str]:
        """The variable that makes a shell script the editor; ``$1`` is the file."""
        path = self.home / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"EDITOR": str(path)}

    def git(self, *args: str, code: int = 0) -> str:
        who = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        done = subprocess.run(
            ["git", *args],
            cwd=self.folder,
            env={**self.environ, **dict.fromkeys(who, "x@example.com")},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done
        return done.stdout.decode()
