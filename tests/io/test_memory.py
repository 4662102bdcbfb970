"""What a process with secrets in memory forbids."""

from __future__ import annotations

import subprocess
import sys


def test_no_core_and_no_look_into_it() -> None:
    script = "import ctypes; from encconf.io.process import *; stay_in_memory(); "
    done = subprocess.run(
        [sys.executable, "-c", script + "print(ctypes.CDLL(None).prctl(3))"],  # PR_GET_DUMPABLE
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"0\n"
