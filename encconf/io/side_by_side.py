"""Do the same work on many files at the same time: calls to key services overlap, and results are in order.

Every command and function for many files uses this module.  If the credentials of the work have a
`encconf.envelope.cache.DataKeyCache`, each data key is unwrapped once.
"""

from __future__ import annotations

from encconf.errors import EncconfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from queue import SimpleQueue
    from threading import Event
    from typing import Final, TypeVar

    S = TypeVar("S")
    T = TypeVar("T")
    Job = tuple[S, SimpleQueue[T | BaseException]]

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
    threads = [Thread(target=_work, args=(work, ahead, stopped), daemon=True) for _ in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for item, answer in jobs:
            result = answer.get()
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


def _work(work: Callable[[S], T], ahead: SimpleQueue[Job[S, T] | None], stopped: Event) -> None:
    """Do work, in one thread, until none is left or the caller has stopped."""
    while (job := ahead.get()) is not None and not stopped.is_set():
        item, answer = job
        try:
            answer.put(work(item))
        except BaseException as error:  # the caller raises it
            answer.put(error)
