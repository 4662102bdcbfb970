"""The same work on many items, side by side."""

from __future__ import annotations

import threading
import time

import pytest

from encconf.errors import InputError
from encconf.io.threads import AT_ONCE, side_by_side


def test_in_order_whatever_is_ready_first() -> None:
    def work(number: int) -> int:
        time.sleep((number % 7) / 500)
        return number * number

    assert list(side_by_side(work, range(200))) == [(number, number * number) for number in range(200)]
    assert list(side_by_side(work, [])) == []


def test_an_error_of_ours_stands_in_its_place() -> None:
    def work(number: int) -> int:
        if number % 3 == 1:
            raise InputError(f"no {number}")
        return number

    for count in (2, 9):
        found = [str(result) for _, result in side_by_side(work, range(count))]
        assert found == [f"no {number}" if number % 3 == 1 else str(number) for number in range(count)]
    ((item, error),) = side_by_side(work, [4])
    assert item == 4
    assert isinstance(error, InputError)


@pytest.mark.parametrize("items", [[1], [0, 1, 2, 3]])
def test_other_errors_end_it(items: list[int]) -> None:
    def work(number: int) -> float:
        return 1 / (number - 1)

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(work, items))


def test_so_many_at_a_time_and_one_in_the_own_thread() -> None:
    together = threading.Barrier(AT_ONCE, timeout=20)
    assert len(list(side_by_side(lambda _: together.wait(), range(AT_ONCE)))) == AT_ONCE
    ((_, thread),) = side_by_side(lambda _: threading.current_thread(), [0])
    assert thread is threading.current_thread()


def test_not_far_ahead_of_who_takes() -> None:
    begun: list[int] = []
    results = side_by_side(begun.append, range(1000))
    for _ in range(10):
        next(results)
    time.sleep(0.2)
    assert len(begun) <= 10 + 2 * AT_ONCE
    results.close()


def test_whoever_stops_taking_stops_it_all() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number:
            go_on.wait(60)

    results = side_by_side(work, range(100))
    assert next(results) == (0, None)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 60, "nothing waits for what runs"
    go_on.set()
    time.sleep(0.3)
    assert len(begun) <= 1 + AT_ONCE + 1
    assert set(begun) < set(range(100))
