"""Call services at the same time, until one item of each race has succeeded.

The first item of a race is called at once, and the others if it fails or is slow.  A call that takes longer
than the limit has failed.  Its thread runs on in the background, and nothing waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

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
) -> list[list[T | MasterKeyError | None]]:
    """Return an answer for each item of each race, or None for an item that was not needed.

    A call may take ``limit`` seconds, and all calls together ``total`` seconds, if that is given.  At most
    ``width`` calls run at a time.
    """
    runs = _Runs(call, races, limit, width)
    end = time.monotonic() + (float("inf") if total is None else total)
    while runs.going and (now := time.monotonic()) < end:
        runs.give_up(now)
        wake = runs.start(now)
        if runs.going:
            runs.take(max(min(*runs.running.values(), *wake, now + limit, end) - now, 0))
    return runs.answers


class _Runs(Generic[S, T]):
    """Some races and their calls.

    ``running`` has the deadlines of calls, by race and place.  ``going`` are the races without a winner.
    """

    def __init__(
        self, call: Callable[[S], T], races: Sequence[Sequence[S]], limit: float, width: int
    ) -> None:
        self._width = width
        self._call = call
        self._races = races
        self._limit = limit
        self._called = [0] * len(races)  # how many items of each race were called
        self._patience = [0.0] * len(races)  # the time until which the first item of each race runs alone
        self._done: SimpleQueue[tuple[int, int, T | BaseException]] = SimpleQueue()
        self.answers: list[list[T | MasterKeyError | None]] = [[None] * len(race) for race in races]
        self.running: dict[tuple[int, int], float] = {}
        self.going = set(range(len(races)))

    def give_up(self, now: float) -> None:
        """Give up calls that take too long."""
        for race, at in [which for which, until in self.running.items() if until <= now]:
            del self.running[race, at]
            self.answers[race][at] = MasterKeyError(f"no answer within {self._limit:g} s", reason="slow")

    def start(self, now: float) -> list[float]:
        """Start the calls that may start now.  Returns the times when others may start without an answer.

        A race is over if all its items have been called and none is running.
        """
        wake = [self._patience[race] for race in sorted(self.going) if self._start(race, now)]
        running = {race for race, _ in self.running}
        self.going = {
            race for race in self.going if race in running or self._called[race] < len(self._races[race])
        }
        return wake

    def _start(self, race: int, now: float) -> bool:
        """Call items of one race.  Returns whether the others still wait for the first."""
        size = len(self._races[race])
        alone = now < self._patience[race] and all(each is None for each in self.answers[race])
        while self._called[race] < size and not alone and len(self.running) < self._width:
            at = self._called[race]
            self._called[race] += 1
            self.running[race, at] = now + self._limit
            Thread(target=self._run, args=(race, at), daemon=True).start()
            if at == 0 and size > 1:
                alone = True
                self._patience[race] = now + PATIENCE
        return alone and self._called[race] < size

    def _run(self, race: int, at: int) -> None:
        try:
            self._done.put((race, at, self._call(self._races[race][at])))
        except BaseException as error:  # the waiting thread raises it
            self._done.put((race, at, error))

    def take(self, timeout: float) -> None:
        """Wait for an answer.  The first answer that is not an error wins its race."""
        try:
            race, at, answer = self._done.get(timeout=timeout)
        except Empty:
            return
        if self.running.pop((race, at), None) is None:
            return  # too late
        if isinstance(answer, MasterKeyError):
            self.answers[race][at] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            self.answers[race][at] = answer
            self.going.discard(race)
            self.running = {which: until for which, until in self.running.items() if which[0] != race}
