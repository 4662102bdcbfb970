"""Pass on what a program prints, through a filter: what ``encconf exec --redact`` does.

If stdout or stderr is a terminal, the program gets a pseudo-terminal of the same size instead, so that it
prints colours and progress bars as usual.  Its stdin and its controlling terminal stay those of this process,
so Ctrl-C and Ctrl-Z work as usual, too.  Settings that a program makes on its stdout (as full-screen programs
do) have no effect.
"""

from __future__ import annotations

import os
import select
from queue import Empty, Queue
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Filter(Protocol):
        """What changes the bytes of one output.  ``held`` are those that it holds back."""

        held: bytes

        def feed(self, data: bytes) -> bytes:
            """Return what can be printed now."""

        def flush(self) -> bytes:
            """Return what was held back."""


PAUSE = 0.04
"""How many seconds the filter may hold back the last bytes of an output."""

_LEFT = 0.2  # seconds: how long to wait for the output of programs in the background, after the end
_PIECE = 1 << 17


class Relay:
    """The outputs of a program that is about to start: `outputs` are its stdout and stderr."""

    def __init__(self, make: Callable[[], Filter]) -> None:
        self._ways: dict[int, tuple[int, Filter]] = {}  # by the descriptor to read: the one to write
        self._terminals: list[tuple[int, int]] = []  # our terminal, and the program's
        self.outputs = [-1, -1]
        self._read: Queue[tuple[int, bytes]] = Queue(16)  # on Windows
        shared = -1
        for at, ours in enumerate((1, 2)):
            if os.name == "posix" and os.isatty(ours):
                if at and shared >= 0 and os.fstat(1).st_rdev == os.fstat(2).st_rdev:
                    self.outputs[at] = self.outputs[0]  # one terminal: keep the order of what is printed
                    continue
                reader, self.outputs[at] = _terminal()
                self._terminals.append((ours, self.outputs[at]))
                shared = reader
            else:
                reader, self.outputs[at] = os.pipe()
            self._ways[reader] = ours, make()
        self.resize()

    def resize(self) -> None:
        """Give the program's terminals the size of ours."""
        if self._terminals:
            import fcntl
            import termios

            for ours, theirs in self._terminals:
                fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(ours, termios.TIOCGWINSZ, bytes(8)))

    def started(self) -> None:
        """Close what only the program uses now.  Its terminals stay open, to be resized."""
        for output in {*self.outputs} - {theirs for _, theirs in self._terminals}:
            os.close(output)
        if os.name == "nt":
            from threading import Thread

            for reader in self._ways:
                Thread(target=self._read_all, args=(reader,), daemon=True).start()

    def _read_all(self, reader: int) -> None:
        """Read an output to its end, in a thread of its own: Windows cannot wait for several pipes."""
        data = b"."
        while data and reader in self._ways:
            data = _read(reader)
            self._read.put((reader, data))
        os.close(reader)

    def _parts(self, wait: float) -> list[tuple[int, bytes]]:
        """Return what the outputs have after at most ``wait`` seconds: empty bytes at the end of one."""
        if os.name != "nt":
            ready, _, _ = select.select(list(self._ways), [], [], wait)
            return [(reader, _read(reader)) for reader in ready]
        try:
            return [self._read.get(timeout=wait)]
        except Empty:
            return []

    def run(self, code: Callable[[], int | None]) -> int:
        """Pass on outputs until the program has ended, and return its exit code."""
        due: dict[int, float] = {}  # when to print what is held back
        end: float | None = None
        while self._ways:
            ended = code() is not None
            if ended and end is None:
                for _, theirs in self._terminals:
                    os.close(theirs)  # so that reading ends
                self._terminals.clear()
                end = monotonic() + _LEFT
            now = monotonic()
            times = [*due.values(), *([end] if end is not None else [])]
            wait = min([0.25, *(max(time - now, 0) for time in times)])
            parts = self._parts(wait)
            self._pass_on(parts, due)
            now = monotonic()
            if end is not None and now >= end and not parts:
                break
        for reader in list(self._ways):
            self._close(reader)
        while (found := code()) is None:
            sleep(0.01)
        return found

    def _pass_on(self, parts: list[tuple[int, bytes]], due: dict[int, float]) -> None:
        """Write what the outputs have, and what was held back for long enough.

        ``due`` says when to write what is held back of an output.
        """
        for reader, data in parts:
            if reader not in self._ways:
                continue
            due.pop(reader, None)
            if data:
                filter = self._ways[reader][1]
                self._write(reader, filter.feed(data))
                if filter.held:
                    due[reader] = monotonic() + PAUSE
            else:
                self._close(reader)
        now = monotonic()
        for reader in [reader for reader, time in due.items() if time <= now]:
            del due[reader]
            self._write(reader, self._ways[reader][1].flush())

    def _write(self, reader: int, data: bytes) -> None:
        """Write to our output.  If its reader is gone, the program is told so when it writes next."""
        if reader not in self._ways:
            return
        ours = self._ways[reader][0]
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(ours, left) :]
        except OSError:
            self._drop(reader)

    def _drop(self, reader: int) -> None:
        """Read no more of an output.  On Windows, its thread closes it, since closing would wait."""
        del self._ways[reader]
        if os.name != "nt":
            os.close(reader)

    def _close(self, reader: int) -> None:
        if reader in self._ways:
            self._write(reader, self._ways[reader][1].flush())
        if reader in self._ways:
            self._drop(reader)


def _read(reader: int) -> bytes:
    """Return what an output has, or nothing at its end."""
    try:
        return os.read(reader, _PIECE)
    except OSError:  # the end of a pseudo-terminal
        return b""


def _terminal() -> tuple[int, int]:
    """Return both ends of a pseudo-terminal that changes no byte."""
    import pty
    import tty

    reader, theirs = pty.openpty()
    tty.setraw(theirs)
    os.set_inheritable(theirs, False)
    return reader, theirs
