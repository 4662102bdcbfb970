"""What tests of files share: pieces of code in other processes, and what they leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import project
from project import OWN_MOUNTS


def environ() -> dict[str, str]:
    """The environment in which Python finds encconf: this one, or the one that tests/mutants.py changes."""
    return {**os.environ, "PYTHONPATH": str(project.ROOT), "PYTHONSAFEPATH": "1"}


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".encconf-")]


@contextmanager
def another_user() -> Iterator[Path]:
    """Be a user with no rights in this block.  Yields a folder of this user, which is removed afterwards.

    It is not in pytest's folder, which only root may enter.  What the block needs is loaded before.
    """
    folder = Path(tempfile.mkdtemp(prefix="encconf-test-", dir="/tmp"))
    groups = os.getgroups()
    os.chown(folder, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield folder
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
        shutil.rmtree(folder)


def python(
    code: str, *args: object, before: Sequence[str] = (), **options: object
) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in another process; ``before`` are words before Python's own."""
    return subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, args)],
        env=environ(),
        timeout=60,
        check=False,
        **{"capture_output": True, **options},  # type: ignore[call-overload]
    )


def mounted(mounts: str, code: str, *args: object) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in a process that has mounts of its own: no root is needed for that."""
    script = f'set -e; {mounts}; exec "$@"'
    return subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script, "sh", sys.executable, "-c", code, *map(str, args)],
        env=environ(),
        capture_output=True,
        check=False,
        timeout=60,
    )


# In steps: a signal just before a sleep does not end that sleep.
WAIT = "for _ in range(600): time.sleep(0.05)"
_SLOW_WRITE = f"""
import os, sys, time
from encconf.io import fileio
real = os.fsync
def slow(descriptor):
    print("writing", flush=True)
    {WAIT}
    real(descriptor)
os.fsync = slow
fileio.write_atomic(sys.argv[1], "new")
"""
