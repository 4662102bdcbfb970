"""Threads: locks and values that survive a fork, races of calls to services, and many files at once."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

from encconf.errors import EncconfError, MasterKeyError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    S = TypeVar("S")
    T = TypeVar("T")
    from collections.abc import Generator, Sequence
    from queue import SimpleQueue
    from threading import Event
    from typing import Final

    Job = tuple[S, SimpleQueue[T | BaseException]]


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

    def release(self, *_: object) -> None:
        """Release the lock, unless it was taken before a fork and this is the child."""
        if (lock := self._of.get(os.getpid())) is not None:
            lock.release()

    __enter__, __exit__ = acquire, release


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
        self._maker: tuple[int, int] | None = None  # the process and the thread that makes it now

    def get(self, make: Callable[[], T]) -> T:
        """Return what ``make`` returned, or raise the EncconfError that it raised.

        Raises UsageError if ``make`` itself needs the value, which would wait forever.
        """
        this = os.getpid(), get_ident()
        waited = not self._lock.acquire(blocking=False)
        if waited:
            if self._maker == this:
                raise UsageError("a secret is needed to get the same secret", hint="keep it in another place")
            self._lock.acquire()
        self._maker = this
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
            self._maker = None
            self._lock.release()

    def found(self) -> Any:
        """Return the value if it was made, or None."""
        return self._made[0] if self._made else None

    def forget(self) -> None:
        """Forget the value, so that it is made again the next time."""
        self._made = ()


# A signal just before a wait, or to another thread, does not end the wait, and on Windows none does.  Its
# handler runs after the wait, so no wait is longer than this.
_LIMIT = 0.25  # seconds


# --- calls to services at the same time, until one item of each race has succeeded ----------------
# The first item of a race is called at once, and the others if it fails or is slow.  A call that takes
# longer than the limit has failed.  Its thread runs on in the background, and nothing waits for it.

RACE_WIDTH = 32
"""How many calls run at a time."""
RACE_PATIENCE = 3
"""How many seconds the others of a race wait for a slow service."""


def race(
    call: Callable[[S], T],
    races: Sequence[Sequence[S]],
    limit: float,
    total: float | None = None,
    width: int = RACE_WIDTH,
    watch: Callable[[S], Callable[[], None]] | None = None,
) -> list[list[T | MasterKeyError | None]]:
    """Return an answer for each item of each race, or None for an item that was not needed.

    A call may take ``limit`` seconds, and all calls together ``total`` seconds, if that is given.  At most
    ``width`` calls run at a time.  ``watch`` is called in the thread of each call, with its item, and returns
    a function to call after the answer.
    """
    import time
    from contextlib import suppress
    from queue import Empty, SimpleQueue
    from threading import Thread

    answers: list[list[T | MasterKeyError | None]] = [[None] * len(race) for race in races]
    rest = [(race, at) for race, items in enumerate(races) for at in range(len(items))]
    running: dict[tuple[int, int], float] = {}  # the deadlines of calls
    alone: dict[int, float] = {}  # the times until which the first item of a race runs alone
    done: SimpleQueue[tuple[int, int, T | BaseException]] = SimpleQueue()

    def answered(race: int, at: int, answer: T | BaseException) -> None:
        """Store the answer of a call.  The first answer that is not an error wins its race."""
        if running.pop((race, at), None) is None:
            return  # too late
        alone.pop(race, None)
        if isinstance(answer, BaseException) and not isinstance(answer, MasterKeyError):
            raise answer
        answers[race][at] = answer
        if not isinstance(answer, MasterKeyError):
            for lost in [each for each in running if each[0] == race]:
                del running[lost]
            rest[:] = [each for each in rest if each[0] != race]

    now = time.monotonic()
    end = now + (float("inf") if total is None else total)
    while (rest or running) and now < end:
        for race, at in rest.copy():
            if race not in alone and len(running) < width:
                rest.remove((race, at))
                running[race, at] = now + limit
                if at == 0:
                    alone[race] = now + RACE_PATIENCE
                work = (call, races[race][at], race, at, done, watch)
                Thread(target=_call, args=work, daemon=True).start()
        wake = min([*running.values(), *alone.values(), end])
        with suppress(Empty):
            answered(*done.get(timeout=min(max(wake - now, 0), _LIMIT)))
        now = time.monotonic()
        for late in [which for which, until in running.items() if until <= now]:
            answered(*late, MasterKeyError(f"no answer within {limit:g} s", reason="slow"))
        for race in [race for race, until in alone.items() if until <= now]:
            del alone[race]
    return answers


def _call(
    call: Callable[[S], T],
    item: S,
    race: int,
    at: int,
    done: SimpleQueue[tuple[int, int, T | BaseException]],
    watch: Callable[[S], Callable[[], None]] | None,
) -> None:
    try:
        ended = watch(item) if watch is not None else None
        try:
            answer = call(item)
        finally:
            if ended is not None:
                ended()
        done.put((race, at, answer))
    except BaseException as error:  # the waiting thread raises it
        done.put((race, at, error))


# --- the same work on many files at the same time, with results in order --------------------------
# Every command and function for many files uses this module.  If the credentials of the work have a
# `encconf.envelope.unwrap.DataKeyCache`, each data key is unwrapped once.

AT_ONCE: Final = 32
"""How many items are worked on at a time."""


def side_by_side(
    work: Callable[[S], T], items: Sequence[S]
) -> Generator[tuple[S, T | EncconfError], None, None]:
    """Yield each item with what ``work`` returns for it, or with the EncconfError that it raises, in order.

    Other threads work ahead, but not far beyond the results that the caller has taken.  When the caller
    takes no more results, no more work starts, and nothing waits for running work.  The work on a single item
    is done in the caller's thread.
    """
    if len(items) < 2:
        for item in items:
            try:
                yield item, work(item)
            except EncconfError as error:
                yield item, error
        return
    # Import typing now: dataclasses takes it from sys.modules, where it may be half imported by a thread.
    import typing  # noqa: F401
    from itertools import islice
    from queue import SimpleQueue
    from threading import Event, Thread

    stopped = Event()
    workers = min(len(items), AT_ONCE)
    jobs: list[Job[S, T]] = [(item, SimpleQueue()) for item in items]
    later = iter(jobs)
    ahead: SimpleQueue[Job[S, T] | None] = SimpleQueue()  # the work that may start
    for job in islice(later, 2 * workers):
        ahead.put(job)
    threads = [Thread(target=_do_jobs, args=(work, ahead, stopped), daemon=True) for _ in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for item, answer in jobs:
            result = _taken(answer)
            if isinstance(result, BaseException) and not isinstance(result, EncconfError):
                raise result
            ahead.put(next(later, None))
            yield item, result
    finally:
        stopped.set()
        for _ in threads:
            ahead.put(None)
    for thread in threads:  # all work is done, and no thread may be left for a later fork
        thread.join()


def _taken(answer: SimpleQueue[T]) -> T:
    """Return what another thread answers, and run the handler of a signal that comes meanwhile soon."""
    from queue import Empty

    while True:
        try:
            return answer.get(timeout=_LIMIT)
        except Empty:
            pass


def _do_jobs(work: Callable[[S], T], ahead: SimpleQueue[Job[S, T] | None], stopped: Event) -> None:
    """Do work, in one thread, until none is left or the caller has stopped."""
    while (job := ahead.get()) is not None and not stopped.is_set():
        item, answer = job
        try:
            answer.put(work(item))
        except BaseException as error:  # the caller raises it
            answer.put(error)
