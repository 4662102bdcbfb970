"""Limit how long work may take, in CPU seconds of an idle machine, however busy this one is.

A plain limit in seconds fails on a slow or busy machine: other processes on the same core cost CPU time, too.
And the more tests ran before, the longer garbage collection takes.  So `at_most` excludes existing objects
from garbage collection, for good.  If the work exceeds the limit, it compares it with work of a known length.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: The time of `_reference` in seconds, on the idle machine for which the limits are.
_IDLE = 0.100


def _reference() -> float:
    """Do work like that of a scanner (matching, slicing, creating objects), and return its CPU seconds."""
    started = time.process_time()
    words = re.compile(r"[a-z]+|[0-9]+")
    text = "abc 123 de 4 " * 1000
    for _ in range(66):
        found = [(match.group(), match.end()) for match in words.finditer(text)]
        assert dict(found)
    return time.process_time() - started


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Assert that the block takes fewer CPU seconds than this, on an idle machine."""
    gc.collect()
    gc.freeze()
    started = time.process_time()
    yield
    took = time.process_time() - started
    if took >= seconds:
        slower = max(1.0, min(_reference() for _ in range(3)) / _IDLE)
        assert took < seconds * slower, f"{took:.2f} s, where work takes {slower:.2f} of its time"
