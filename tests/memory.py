"""Limit how much memory work may take, however much the test process has taken before."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""

PEAK_OF = [sys.executable, "-c", _MEASURED]
"""The words before a command that print the peak of its memory, in KiB, instead of what it prints.

Linux counts the memory of the process that starts a command as the command's own, so a small one starts it.
"""


def _peak() -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextmanager
def grows_at_most(size: int) -> Iterator[None]:
    """Assert that the block needs at most ``size`` KiB more memory than the process has now."""
    with suppress(OSError):  # where this is not allowed, growth below the last peak is not noticed
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now what the process has
    before = _peak()
    yield
    grown = _peak() - before
    assert grown < size, f"{grown} KiB"
