"""A real PostgreSQL of this machine, with an empty database, for as long as a ``with`` lasts.

It listens on a Unix socket in a folder of its own.  It does not start: `RuntimeError` with what it said,
so that a test fails and is not skipped.
"""

from __future__ import annotations

import glob
import os
import pwd
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from project import needs

_PATIENCE = 30  # seconds


class Postgres:
    """The server; ``connection_string`` is for whoever may do everything in it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp")
        folder = self._folder.name
        # The server refuses to run as root; it is somebody else then.
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data = os.path.join(folder, "data")
        self.connection_string = f"host={folder} user=owner dbname=postgres"
        self._run(program("initdb"), "-D", data, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8")
        command = [program("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
        self._log = Path(folder, "log").open("w+b")  # noqa: SIM115 - close() closes it
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, cwd=folder, env=_environ(folder), **self._as
        )
        try:
            self.connection = self._ready()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self.close()

    def _run(self, *command: str) -> None:
        folder = self._folder.name
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=_environ(folder), **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")

    def _ready(self) -> psycopg.Connection[Any]:
        end = time.monotonic() + _PATIENCE
        while self._process.poll() is None and time.monotonic() < end:
            try:
                return psycopg.connect(self.connection_string, autocommit=True)
            except psycopg.OperationalError:
                time.sleep(0.05)
        self._log.seek(0)
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read().decode(errors='replace')[-2000:]}")


def program(name: str) -> str:
    """A program of PostgreSQL, which Debian keeps away from PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else needs(name)


def _environ(folder: str) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "LC_ALL": "C.UTF-8"}
