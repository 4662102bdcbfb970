"""How long work may take: in CPU seconds of an idle machine, whatever else runs on this one.

A limit in seconds fails on a machine that is slower or busy: other processes on the same core cost CPU time,
too, and collecting garbage costs the more the more tests ran before.  So `at_most` leaves what is there
already to nobody's collection, and weighs what is over the limit against work of a known length.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: What `_reference` takes on the idle machine in whose seconds the limits are, in seconds.
_IDLE = 0.100


def _reference() -> float:
    """The CPU seconds of work like a scanner's: matching, slicing, objects of its own."""
    started = time.process_time()
    words = re.compile(r"[a-z]+|[0-9]+")
    text = "abc 123 de 4 " * 1000
    for _ in range(66):
        found = [(match.group(), match.end()) for match in words.finditer(text)]
        assert dict(found)
    return time.process_time() - started


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What runs in the block takes at most so many CPU seconds of an idle machine."""
    gc.collect()
    gc.freeze()
    try:
        started = time.process_time()
        yield
        took = time.process_time() - started
    finally:
        gc.unfreeze()
    if took >= seconds:
        slower = max(1.0, min(_reference() for _ in range(3)) / _IDLE)
        assert took < seconds * slower, f"{took:.2f} s, where work takes {slower:.2f} of its time"
