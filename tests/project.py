"""A project folder with a key and a .sops.yaml, in which to run encconf as a program."""

from __future__ import annotations

import ctypes
import locale
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forks
from oracle import AgeKey

ROOT = Path(__file__).resolve().parents[1]


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


OWN_MOUNTS = ["unshare", "--mount", *([] if is_root() else ["--map-root-user"])]
"""Put these words before a command to give it mounts of its own.  Needs root or user namespaces."""

PLAIN = """\
# the database
db:
    host: localhost
    password: "hunter2"   # not this one
    port: 5432

users: [alice, bob]
note_unencrypted: free to read
"""


def needs(program: str) -> str:
    """Return the path of a program that a test runs.  If it is not installed, the test fails and says so."""
    found = shutil.which(program)
    assert found is not None, f"this test needs {program}, which is not installed: .ci/install installs it"
    return found


def signal_another_thread(process: int, number: signal.Signals) -> None:
    """Send a signal to a thread other than the main one.

    It does not interrupt a system call of the main thread.  This has the same effect as a signal that arrives
    just before the main thread waits.
    """
    threads = [int(each) for each in os.listdir(f"/proc/{process}/task") if int(each) != process]
    assert ctypes.CDLL(None).tgkill(process, threads[0], number) == 0


def after(commands: str) -> list[str]:
    """Return words to put before a command.  A shell runs ``commands``, and then becomes the program.

    subprocess's own ``preexec_fn`` is not safe here: gRPC, which tests use, sometimes kills such a child.
    """
    return ["sh", "-c", f'{commands}; exec "$@"', "sh"]


def small_files(limit: int) -> dict[str, Any]:
    """Return options of `Project.popen` that limit the size of files in bytes (in steps of 512).

    A write beyond the limit fails as on a full disk.  Python must not write .pyc files then: it would leave
    incomplete ones, which the next Python could not read.
    """
    return {
        "environ": {"PYTHONDONTWRITEBYTECODE": "1"},
        "before": after(f"ulimit -f {limit // 512}"),
    }


def _decoded(text: bytes) -> str:
    """Decode messages: UTF-8, or on Windows, where stderr is not a console, its code page and line ends."""
    return text.decode(locale.getencoding()).replace("\r\n", "\n") if os.name == "nt" else text.decode()


class Result:
    """The exit code and the output of a command."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.err = _decoded(err)

    def __repr__(self) -> str:
        return f"Result({self.code}, {self.out!r}, {self.err!r})"


class Project:
    """A folder to run encconf in.  ``environ`` is its complete environment."""

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
        if os.name == "nt":  # without these, many programs do not start, or do not know where your files are
            kept = ("SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "WINEPREFIX")
            self.environ.update({name: os.environ[name] for name in kept if name in os.environ})
            self.environ["USERPROFILE"] = str(home)

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
        """Write a .sops.yaml with one rule for the project's key.  ``text`` is added at its end."""
        self.write(".sops.yaml", f"creation_rules:\n  - age: {self.key.recipient}\n{text}")

    def popen(self, *args: str, **options: object) -> subprocess.Popen[bytes]:
        """Start encconf in a new Python.  ``before`` has words to put before the command."""
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
        """Run encconf, and assert that its exit code is ``code``."""
        environ = {**self.environ, **(environ or {})}
        result = forks.run("encconf", args, cwd=self.folder, environ=environ, input=input.encode())
        done = Result(result.returncode, result.stdout, result.stderr)
        assert done.code == code, done
        assert "Traceback" not in done.err, done
        assert "internal" not in done.err, done
        return done

    def editor(self, script: str) -> dict[str, str]:
        """Return the variable that makes a shell script the editor.  ``$1`` is the file."""
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
