"""Calls to services side by side, until one item of each race has succeeded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from encconf.errors import BadKeyError, MasterKeyError
from encconf.io import threads

Call = Callable[[str], str]


def calls(**made: float | Exception) -> tuple[Call, list[str]]:
    """A call that takes so many seconds, or raises; and what was called."""
    called: list[str] = []

    def call(item: str) -> str:
        called.append(item)
        what = made.get(item, 0.0)
        if isinstance(what, Exception):
            raise what
        time.sleep(what)
        return f"<{item}>"

    return call, called


def test_the_first_of_a_race_is_called_alone_and_wins() -> None:
    call, called = calls()
    assert threads.race(call, [["a", "b"], ["c"]], 5) == [["<a>", None], ["<c>"]]
    assert sorted(called) == ["a", "c"]


def test_the_others_are_called_when_the_first_fails() -> None:
    error = MasterKeyError("no")
    call, _ = calls(a=error)
    ((first, second),) = threads.race(call, [["a", "b"]], 5)
    assert (first, second) == (error, "<b>")


@pytest.mark.parametrize("error", [MasterKeyError("no"), BadKeyError("no")])
def test_a_race_without_a_winner(error: MasterKeyError | BadKeyError) -> None:
    call, called = calls(a=error, b=error)
    assert threads.race(call, [["a", "b"]], 5) == [[error, error]]
    assert called == ["a", "b"]


def test_a_slow_first_one_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "RACE_PATIENCE", 0.05)
    call, _ = calls(a=20.0)
    started = time.monotonic()
    ((first, second),) = threads.race(call, [["a", "b"]], 5)
    assert (first, second) == (None, "<b>")
    assert time.monotonic() - started < 20


def test_what_takes_too_long_has_failed() -> None:
    call, _ = calls(a=3.0)
    ((found,),) = threads.race(call, [["a"]], 0.1)
    assert isinstance(found, MasterKeyError)
    assert (str(found.message), found.reason) == ("no answer within 0.1 s", "slow")


def test_all_together_may_take_so_long() -> None:
    call, _ = calls(a=20.0, b=20.0)
    started = time.monotonic()
    assert threads.race(call, [["a"], ["b"]], 60, 0.1) == [[None], [None]]
    assert time.monotonic() - started < 20


def test_no_more_at_a_time_than_the_width() -> None:
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def call(item: int) -> int:
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.remove(item)
        return item

    assert threads.race(call, [[number] for number in range(9)], 5, width=3) == [
        [number] for number in range(9)
    ]
    assert max(most) == 3


def test_any_other_error_ends_it_at_once() -> None:
    call, _ = calls(a=ZeroDivisionError("a bug"), b=3.0)
    with pytest.raises(ZeroDivisionError):
        threads.race(call, [["a"], ["b"]], 5)


def test_no_races_and_empty_races() -> None:
    call, called = calls()
    assert threads.race(call, [], 5) == []
    assert threads.race(call, [[]], 5) == [[]]
    assert called == []
