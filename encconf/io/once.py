"""Locks of threads, and values that one thread makes while others wait for it.  They survive a fork."""

from __future__ import annotations

import os
from _thread import allocate_lock

from encconf.errors import EncconfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


class Lock:
    """A lock that is free in a forked child: there, the thread that held it does not exist.

    ``make`` returns the lock of one process, which is an RLock or, by default, a simple one.
    """

    def __init__(self, make: Callable[[], Any] = allocate_lock) -> None:
        self._make = make
        self._of: dict[int, Any] = {}  # by process

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock.  Returns False if ``blocking`` is False and another thread has it."""
        process = os.getpid()
        # Two threads that make a lock get the same one: setdefault is atomic.
        lock = self._of.get(process) or self._of.setdefault(process, self._make())
        taken: bool = lock.acquire(blocking)
        return taken

    def release(self) -> None:
        """Release the lock, unless it was taken before a fork and this is the child."""
        if (lock := self._of.get(os.getpid())) is not None:
            lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Once:
    """A value that is made once, by the first thread that asks for it.

    If it cannot be made, the threads that waited get the same error.  Later threads try again, unless the
    error is ``final``: then they get the same error, too.
    """

    def __init__(self, *, final: bool = False) -> None:
        self._final = final
        self._lock = Lock()
        self._made: tuple[Any, ...] = ()
        self._error: EncconfError | None = None

    def get(self, make: Callable[[], T]) -> T:
        """Return what ``make`` returned, or raise the EncconfError that it raised."""
        waited = not self._lock.acquire(blocking=False)
        if waited:
            self._lock.acquire()
        try:
            if not self._made and (self._error is None or not (waited or self._final)):
                self._error = None
                try:
                    self._made = (make(),)
                except EncconfError as error:
                    self._error = error
            if self._error is not None:
                # Otherwise the traceback grows each time, and keeps what frames hold, such as passphrases.
                raise self._error.with_traceback(None)
            value: T = self._made[0]
            return value
        finally:
            self._lock.release()

    def found(self) -> Any:
        """Return the value if it was made, or None."""
        return self._made[0] if self._made else None

    def forget(self) -> None:
        """Forget the value, so that it is made again the next time."""
        self._made = ()
