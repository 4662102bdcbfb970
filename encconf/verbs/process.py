"""Wait for a child process without missing a signal.

Python runs signal handlers only between two instructions of the program.  A signal just before a wait, or to
another thread, does not end the wait.  Without a timeout, its handler would run only after the child ends.
"""

from __future__ import annotations

import os

_LIMIT = 0.25  # seconds


def pause(process: int) -> None:
    """Return when a child has ended, or after a quarter of a second.

    The child is not reaped: check whether it has ended, and call this again if not.
    """
    try:
        ending = os.pidfd_open(process)
    except (AttributeError, OSError):  # not Linux, an old Linux, or the child has been reaped
        import time

        time.sleep(0.01)
        return
    try:
        import select

        poll = select.poll()
        poll.register(ending, select.POLLIN)
        poll.poll(_LIMIT * 1000)
    finally:
        os.close(ending)
