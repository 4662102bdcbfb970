"""Values that one thread makes while others wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from encconf.errors import EncconfError, UsageError
from encconf.io.threads import Lock, Once


class Maker:
    """Makes 1, 2 …, or raises the errors that it has first; counts its calls and takes its time."""

    def __init__(self, *errors: Exception, wait: float = 0) -> None:
        self.errors = list(errors)
        self.wait = wait
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        time.sleep(self.wait)
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def at_once(get: Callable[[], int], threads: int = 8) -> list[int | Exception]:
    """What as many threads get that begin at the same time."""
    barrier = threading.Barrier(threads, timeout=30)
    found: list[int | Exception] = []

    def run() -> None:
        barrier.wait()
        try:
            found.append(get())
        except EncconfError as error:
            found.append(error)

    all_of_them = [threading.Thread(target=run) for _ in range(threads)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    return found


def test_all_get_one_value() -> None:
    once, make = Once(), Maker(wait=0.3)
    assert once.found() is None
    assert at_once(lambda: once.get(make)) == [1] * 8
    assert once.get(make) == once.found() == 1
    assert make.calls == 1


def test_who_waited_gets_the_same_error_and_who_comes_later_tries_again() -> None:
    error = EncconfError("no")
    once, make = Once(), Maker(error, wait=0.3)
    assert at_once(lambda: once.get(make)) == [error] * 8
    assert make.calls == 1
    assert once.found() is None
    assert once.get(make) == 2


def test_an_error_may_be_final() -> None:
    error = EncconfError("no")
    once, make = Once(final=True), Maker(error)
    for _ in range(3):
        with pytest.raises(EncconfError) as caught:
            once.get(make)
        assert caught.value is error
        assert len(caught.traceback) <= 3  # it does not grow, and keeps no files and passphrases in memory
    assert make.calls == 1


def test_a_fault_of_the_program_leaves_nothing_behind() -> None:
    once, make = Once(final=True), Maker(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        once.get(make)
    assert once.get(make) == 2


def test_a_value_may_be_forgotten_and_may_be_nothing() -> None:
    once, make = Once(), Maker()
    assert once.get(make) == 1
    once.forget()
    assert once.get(make) == 2
    nothing = Once()
    assert nothing.get(list) == []
    assert nothing.get(lambda: [1]) == []


_FORK = """
import os, sys, threading
from _thread import RLock
from encconf.io.threads import Lock, Once

inside, end = threading.Event(), threading.Event()
once, locks = Once(), [Lock(), Lock(RLock)]

def slow():
    inside.set()
    end.wait()
    return 1

def work():
    with locks[0], locks[1]:
        once.get(slow)

thread = threading.Thread(target=work)
thread.start()
inside.wait()
child = os.fork()
if not child:
    for lock in locks:
        assert lock.acquire(False)
        lock.release()
    os._exit(once.get(lambda: 7))
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert not locks[0].acquire(False)
end.set()
thread.join()
assert once.get(lambda: 3) == 1
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORK]
    assert subprocess.run(command, timeout=60, check=False).returncode == 7


def test_a_lock_taken_before_a_fork_is_not_the_child_s(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock()
    with lock:
        monkeypatch.setattr(os, "getpid", lambda: 1)
    assert lock.acquire(False)


def test_a_value_that_needs_itself_is_an_error() -> None:
    once = Once()

    def needs_itself() -> int:
        return once.get(lambda: 1)

    with pytest.raises(UsageError, match="to get the same secret"):
        once.get(needs_itself)
    assert once.get(lambda: 2) == 2
