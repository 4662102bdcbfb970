"""Calls to services side by side, until one item of each race has succeeded.

Of a race the first item is called at once, the others when it failed or was slow.  A call that takes longer
than the limit has failed: its thread is left to itself, and nothing waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from encconf.errors import BadKeyError, MasterKeyError

Refusal = BadKeyError | MasterKeyError

S = TypeVar("S")
T = TypeVar("T")

WIDTH = 32
"""Calls at a time."""
PATIENCE = 3
"""Seconds after which a slow service no longer holds up the others of its race."""


def run(
    call: Callable[[S], T],
    races: Sequence[Sequence[S]],
    limit: float,
    total: float | None = None,
    width: int = WIDTH,
) -> list[list[T | Refusal | None]]:
    """The answers for each item of each race; None for those that were not waited for.

    A call may take ``limit`` seconds, and all together ``total``, if that is given; at most ``width`` run at
    a time.
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
    """``running`` are calls, by race and place, and until when; ``going`` the races without a winner."""

    __slots__ = (
        *("_call", "_called", "_done", "_limit", "_patience", "_races", "_width"),
        *("answers", "going", "running"),
    )

    def __init__(
        self, call: Callable[[S], T], races: Sequence[Sequence[S]], limit: float, width: int
    ) -> None:
        self._width = width
        self._call = call
        self._races = races
        self._limit = limit
        self._called = [0] * len(races)  # how many of each race
        self._patience = [0.0] * len(races)  # until when the first of a race runs alone
        self._done: SimpleQueue[tuple[int, int, T | BaseException]] = SimpleQueue()
        self.answers: list[list[T | Refusal | None]] = [[None] * len(race) for race in races]
        self.running: dict[tuple[int, int], float] = {}
        self.going = set(range(len(races)))

    def give_up(self, now: float) -> None:
        """End what takes too long."""
        for race, at in [which for which, until in self.running.items() if until <= now]:
            del self.running[race, at]
            late = self.answers[race][at] = MasterKeyError(f"no answer within {self._limit:g} s")
            late.reason = "slow"

    def start(self, now: float) -> list[float]:
        """Call what may be called now; when more may be, without any other answer.

        Races of which all has been called and nothing runs are over.
        """
        wake = [self._patience[race] for race in sorted(self.going) if self._start(race, now)]
        running = {race for race, _ in self.running}
        self.going = {
            race for race in self.going if race in running or self._called[race] < len(self._races[race])
        }
        return wake

    def _start(self, race: int, now: float) -> bool:
        """Call items of one race; whether its first is to run alone a while."""
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
        except BaseException as error:  # the thread that waits has to know
            self._done.put((race, at, error))

    def take(self, timeout: float) -> None:
        """Wait for an answer; the first that is not an error wins its race."""
        try:
            race, at, answer = self._done.get(timeout=timeout)
        except Empty:
            return
        if self.running.pop((race, at), None) is None:
            return  # given up, or beaten
        if isinstance(answer, (BadKeyError, MasterKeyError)):
            self.answers[race][at] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            self.answers[race][at] = answer
            self.going.discard(race)
            self.running = {which: until for which, until in self.running.items() if which[0] != race}
