"""How each provider's servers are talked to: as whom, over which connections, and why a call failed.

What the key services and the sources share, one file per provider; nothing here knows what is asked for.
The error is `encconf.errors.MasterKeyError`, whose ``reason`` is one of the words of
`encconf.errors.SourceError`.
"""

from __future__ import annotations

from contextlib import contextmanager

from encconf.errors import MasterKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")


def failed(reason: str, message: str, *, hint: str | None = None) -> MasterKeyError:
    """The error of a call, with the one word that says why."""
    error = MasterKeyError(message, hint=hint)
    error.reason = reason
    return error


class LateError(Exception):
    """There was no answer in time."""


def within(limit: float, call: Callable[[], T]) -> T:
    """What ``call`` gives, or raises; LateError if that takes longer than ``limit`` seconds.

    For SDKs that limit each wait and not the whole: the thread of a call that took too long is left to
    itself, and keeps nobody waiting.
    """
    from threading import Thread

    answers: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # and given on
            failures.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    if failures:
        raise failures[0]
    if not answers:
        raise LateError
    return answers[0]


_unheard: set[int] = set()  # threads


@contextmanager
def unheard(*loggers: str) -> Iterator[None]:
    """Inside it, these loggers say nothing in this thread: SDKs that are debugged log whole answers."""
    import logging
    from threading import get_ident

    thread = get_ident()
    nested = thread in _unheard
    for name in loggers:
        logging.getLogger(name).addFilter(_is_heard)  # added once, however often it is asked for
    _unheard.add(thread)
    try:
        yield
    finally:
        if not nested:
            _unheard.discard(thread)


def _is_heard(record: object) -> bool:
    """A filter; it is asked by the thread that logs."""
    from threading import get_ident

    return get_ident() not in _unheard
