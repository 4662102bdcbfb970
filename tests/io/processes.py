"""What tests of files share: pieces of code in other processes, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from project import OWN_MOUNTS

ROOT = Path(__file__).resolve().parents[2]


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".encconf-")]


def python(
    code: str, *args: object, before: Sequence[str] = (), **options: object
) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in another process; ``before`` are words before Python's own."""
    return subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        timeout=60,
        check=False,
        **{"capture_output": True, **options},  # type: ignore[call-overload]
    )


def mounted(mounts: str, code: str, *args: object) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of code in a process that has mounts of its own: no root is needed for that."""
    script = f'set -e; {mounts}; exec "$@"'
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script, "sh", sys.executable, "-c", code, *map(str, args)],
        env=environ,
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
