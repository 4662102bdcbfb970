"""Programs on a real (pseudo) terminal, which they may ask for passphrases on."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

# The child's standard streams are the terminal; this makes it the controlling one too, so that
# /dev/tty works.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def on_terminal(
    command: Sequence[str],
    answers: Sequence[tuple[str, str]],
    environ: Mapping[str, str],
    *,
    timeout: float = 60,
) -> tuple[int, str]:
    """Run a command on a terminal; after each expected text its answer is typed.

    Returns the exit code and everything that was on the screen.
    """
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(environ),
        start_new_session=True,
    )
    os.close(theirs)
    screen, seen, left = "", 0, list(answers)
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    screen += os.read(ours, 4096).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
            elif process.poll() is not None:
                break
            if left and left[0][0] in screen[seen:]:
                seen = len(screen)
                os.write(ours, left.pop(0)[1].encode() + b"\n")
        else:
            process.kill()
        return process.wait(10), screen
    finally:
        os.close(ours)
