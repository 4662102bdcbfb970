"""Command lines that users name."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from encconf.errors import SourceError
from encconf.identities import command
from encconf.identities.command import output_of

ENVIRON = {"PATH": os.environ["PATH"], "A": "b"}


def failure(line: str, *, limit: float = 20, alone: bool = False) -> SourceError:
    """The error of a command line."""
    with pytest.raises(SourceError) as caught:
        output_of(line, ENVIRON, limit=limit, quiet=True, alone=alone)
    return caught.value


def test_what_it_prints_word_by_word() -> None:
    assert output_of("printf '%s|' 'a b' $A", ENVIRON, limit=20) == b"a b|$A|"
    assert output_of("sh -c 'printf $A; cat'", ENVIRON, limit=20) == b"b"


def test_stderr_is_shown_unless_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    output_of("sh -c 'echo seen >&2'", ENVIRON, limit=20)
    output_of("sh -c 'echo hidden >&2'", ENVIRON, limit=20, quiet=True)
    assert capfd.readouterr().err == "seen\n"


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        ("echo 'x", "wrong", "not a command line: a quote is not closed"),
        ("", "missing", "empty"),
        ("/nowhere/program --token s3cret", "unusable", "program was not found"),
        ("/ --token s3cret", "unusable", " cannot be run: permission denied"),
        ("sh -c 'exit 3' s3cret", "missing", "sh failed with exit code 3"),
    ],
)
def test_why_there_is_nothing(line: str, reason: str, message: str) -> None:
    error = failure(line)
    assert (error.reason, str(error)) == (reason, message)
    assert error.hint
    assert "s3cret" not in f"{error!r} {error.hint}"


def test_how_to_name_a_program_that_is_missing() -> None:
    assert failure("/nowhere/program s3cret").hint == "correct its path"
    error = failure("nowhere-program /x/s3cret")
    assert "nowhere-program" in str(error)
    assert "s3cret" not in f"{error!r} {error.hint}"
    assert error.hint != "correct its path"


def test_it_can_ask_on_the_terminal_unless_it_runs_alone() -> None:
    line = f"{sys.executable} -c 'import os; print(os.getsid(0))'"
    sessions = [int(output_of(line, ENVIRON, limit=20, **how)) for how in ({}, {"alone": True})]
    assert [each == os.getsid(0) for each in sessions] == [True, False]


def test_it_and_its_children_are_killed_when_it_takes_too_long(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    error = failure(f"sh -c '(sleep 2; touch {mark}) & sleep 60'", limit=0.3, alone=True)
    assert (error.reason, str(error)) == ("slow", "sh took longer than 0.3 s")
    time.sleep(2.5)
    assert not mark.exists()


def test_a_part_of_the_output_is_not_the_secret() -> None:
    """The program has ended, but its child may still print."""
    assert failure("sh -c 'sleep 60 & echo half'", limit=0.5, alone=True).reason == "slow"


def test_it_may_go_on_after_its_output() -> None:
    assert output_of("sh -c 'echo x; exec >&-; sleep 0.3'", ENVIRON, limit=20) == b"x\n"


def test_it_prints_more_than_any_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LIMIT", 1000)
    started = time.monotonic()
    error = failure("yes", limit=60)
    assert time.monotonic() - started < 30
    assert (error.reason, str(error)) == ("wrong", "yes printed more than 16 MiB, too much for a secret")
    assert len(output_of("printf %1000d 0", ENVIRON, limit=20)) == 1000
    error = failure("sh -c 'printf %1000d 0; sleep 0.2; echo more'")  # the first part is as long as allowed
    assert str(error) == "sh printed more than 16 MiB, too much for a secret"


def test_the_limit_is_for_the_whole_run() -> None:
    """Also for what it does after its output has ended."""
    for alone in (False, True):
        started = time.monotonic()
        assert failure("sh -c 'exec >&-; sleep 15; exit 3'", limit=0.3, alone=alone).reason == "slow"
        assert time.monotonic() - started < 12  # it is killed


def test_no_thread_keeps_python_from_ending_and_no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its child keeps the pipe open."""
    started: list[subprocess.Popen[bytes]] = []
    real = command.programs.start
    monkeypatch.setattr(
        command.programs, "start", lambda *args, **how: started.append(real(*args, **how)) or started[-1]
    )
    threads = set(threading.enumerate())
    assert failure("sh -c 'sleep 2 & echo half'", limit=0.2).reason == "slow"
    reading = set(threading.enumerate()) - threads
    assert reading
    assert all(thread.daemon for thread in reading)
    assert [process.returncode is not None for process in started] == [True]  # it was waited for
    for thread in reading:
        thread.join(20)
