"""Call services at the same time, until one item of each race has succeeded.

The first item of a race is called at once, and the others if it fails or is slow.  A call that takes longer
than the limit has failed.  Its thread runs on in the background, and nothing waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from encconf.errors import MasterKeyError

S = TypeVar("S")
T = TypeVar("T")

WIDTH = 32
"""How many calls run at a time."""
PATIENCE = 3
"""How many seconds the others of a race wait for a slow service."""


def run(
    call: Callable[[S], T],
    races: Sequence[Sequence[S]],
    limit: float,
    total: float | None = None,
    width: int = WIDTH,
    watch: Callable[[S], Callable[[], None]] | None = None,
) -> list[list[T | MasterKeyError | None]]:
    """Return an answer for each item of each race, or None for an item that was not needed.

    A call may take ``limit`` seconds, and all calls together ``total`` seconds, if that is given.  At most
    ``width`` calls run at a time.  ``watch`` is called in the thread of each call, with its item, and returns
    a function to call after the answer.
    """
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
                    alone[race] = now + PATIENCE
                work = (call, races[race][at], race, at, done, watch)
                Thread(target=_work, args=work, daemon=True).start()
        wake = min([*running.values(), *alone.values(), end])
        with suppress(Empty):
            answered(*done.get(timeout=max(wake - now, 0)))
        now = time.monotonic()
        for late in [which for which, until in running.items() if until <= now]:
            answered(*late, MasterKeyError(f"no answer within {limit:g} s", reason="slow"))
        for race in [race for race, until in alone.items() if until <= now]:
            del alone[race]
    return answers


def _work(
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
