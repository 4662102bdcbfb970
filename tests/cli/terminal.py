"""encconf run on a terminal of its own."""

from __future__ import annotations

import codecs
import os
import re
import select
import subprocess
import sys
import time

from project import Project

_ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'encconf', *sys.argv[1:]])"
)


class Terminal:
    """encconf with a terminal as its stdin, stdout and stderr, which sends signals for its keys."""

    def __init__(self, project: Project, *args: str, environ: dict[str, str]) -> None:
        import pty

        self.master, slave = pty.openpty()
        self.seen = ""
        self._text = codecs.getincrementaldecoder("utf-8")().decode  # a read may end within a character
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *args],
            cwd=project.folder,
            env={**project.environ, **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 20
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"not seen: {text}; but: {self.seen}"
            self.seen += self._text(os.read(self.master, 4096))
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        end, said = time.monotonic() + 20, b""
        while select.select([self.master], [], [], max(0.0, end - time.monotonic()))[0]:
            try:
                said += os.read(self.master, 4096)
            except OSError:  # its end
                break
        self.seen += self._text(said)
        code = self.process.wait(max(1.0, end - time.monotonic()))
        os.close(self.master)
        return code


def screen(written: str) -> list[str]:
    """The lines that a terminal shows after this was written to it, without colours."""
    lines = []
    for line in re.sub(r"\033\[[0-9;]*m", "", written).replace("\r\n", "\n").split("\n"):
        shown = ""
        for text in line.split("\r"):
            shown = text + shown[len(text) :]
        lines.append(shown.rstrip(" "))
    return lines
