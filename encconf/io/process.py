"""This process, its children and others: signals as exceptions, waiting, protected memory, and parents."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
else:
    import _signal as signal  # without the enumerations of `signal`, which take 0.5 ms to make


class SignalGuard:
    """Inside it, signals that would end the process at once raise an exception, so that cleanups run.

    SIGINT raises KeyboardInterrupt.  SIGTERM, SIGHUP, SIGQUIT and Windows's SIGBREAK (Ctrl-Break, a closed
    window, the end of the session) raise SystemExit(128 + number).  After the
    first signal, others are ignored until the guard ends.  A program's own handlers are kept.  Outside the
    main thread, the guard has no effect.
    """

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        self._held: dict[int, object] = {}
        self._waiting: list[int] = []

    def __enter__(self) -> SignalGuard:
        try:
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"):
                number = getattr(signal, name, None)
                if number is None:
                    continue
                handler = signal.getsignal(number)
                if handler in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = handler
                    try:
                        signal.signal(number, self._leave)
                    except ValueError:
                        del self._before[number]  # not the main thread
                        break
        except BaseException:  # a signal
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for handlers in (self._held, self._before):
                while handlers:
                    number = next(reversed(handlers))
                    signal.signal(number, handlers[number])  # type: ignore[arg-type]
                    del handlers[number]
            while self._waiting:
                number = self._waiting.pop(0)
                handler = signal.getsignal(number)
                if callable(handler):
                    handler(number, None)  # to raise the signal again would also wake an event loop again
                else:
                    signal.raise_signal(number)
        except BaseException:  # a signal, before all have their handlers again
            self.__exit__()
            raise

    def hold(self) -> None:
        """Keep signals until the guard ends, for a cleanup that nothing may stop.

        These are all signals with a handler in Python: an outer guard and the program have their own, and
        any handler may raise an exception.  To block signals would not help if there are other threads.
        """
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler) and number not in self._held:
                try:
                    signal.signal(number, self._wait)
                except ValueError:
                    break  # not the main thread, which runs all handlers
                self._held[number] = handler

    def _wait(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)

    def _leave(self, number: int, _: FrameType | None) -> None:
        for each in self._before:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


# --- waiting for a child process without missing a signal -----------------------------------------
# Python runs signal handlers only between two instructions of the program.  A signal just before a wait, or
# to another thread, does not end the wait.  Without a timeout, its handler would run only after the child
# ends.

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


class Together:
    """Inside it, on Windows, a kill of this process also kills the programs that it starts, and theirs.

    So the programs hold no values any longer than their user wants.  On POSIX, a program can replace this
    process instead, and for others, see `dies_with_us`.  What a program has left running in the background
    goes on when this ends.
    """

    def __init__(self) -> None:
        self._job: int | None = None

    def __enter__(self) -> None:
        if sys.platform == "win32":
            from encconf.io import windows

            self._job = windows.join_job()

    def __exit__(self, *_: object) -> None:
        if sys.platform == "win32" and self._job is not None:
            from encconf.io import windows

            windows.free_job(self._job)


def dies_with_us() -> Callable[[], None] | None:
    """Return what a child calls before it becomes a program, so that a kill of this process kills that, too.

    Only Linux has this (PR_SET_PDEATHSIG).  The call takes no lock and imports nothing, so that another
    thread of this process cannot make it wait.  What counts is the end of the thread that starts the child.
    """
    system = sys.platform  # a variable, so that mypy checks the rest on other systems, too
    if not system.startswith("linux"):
        return None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # a Python without libffi, or another C library
        return None
    parent, kill = os.getpid(), signal.SIGKILL

    def call() -> None:
        prctl(1, int(kill), 0, 0, 0)
        if os.getppid() != parent:  # it was killed before the call
            os.kill(os.getpid(), kill)

    return call


# --- memory ---------------------------------------------------------------------------------------


def stay_in_memory() -> None:
    """Protect memory from core dumps, swapping and the user's other processes, as far as possible."""
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        # If locked memory is limited, later allocations would fail.
        libc.mlockall(1 | 2 | 4)  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT


# --- other processes ------------------------------------------------------------------------------


def process_of(pid: int) -> tuple[bytes, int, int]:
    """Return the name of a process, its parent's number, and its start time, or (b"", 0, 0) if unknown.

    They are known only on Linux.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            names, _, rest = file.read().rpartition(b") ")
    except OSError:
        return b"", 0, 0
    fields = rest.split()
    return names.partition(b" (")[2], int(fields[1]), int(fields[19])
