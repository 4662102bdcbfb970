"""``cmd:``: what a program prints."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from oracle import clean_environ

from encconf import sources
from encconf.errors import SourceError
from encconf.testing.contracts.source import PATIENCE, WHOLE, Failing, Place, SourceContract, failure

from .machine import who

VALUE = b"s3cret-of-this-machine"


class TestCmd(SourceContract):
    SCHEME = "cmd"
    REASONS = frozenset({"missing", "slow", "unusable", "wrong"})

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "secret").write_bytes(VALUE + b"\n")
        (tmp_path / "tree.json").write_text(WHOLE)
        return Place(f"cmd:cat {tmp_path}/secret", VALUE, who, ["an-argument"])

    @pytest.fixture
    def structured(self, tmp_path: Path) -> str:
        return f"cmd:cat {tmp_path}/tree.json"

    @pytest.fixture
    def vals(self, place: Place) -> str:
        return place.address  # vals runs no programs

    @pytest.fixture
    def failing(self) -> Failing:
        return lambda reason: {
            "missing": (f"cmd:sh -c 'echo {VALUE.decode()}; echo {VALUE.decode()} >&2; exit 3'", who()),
            "slow": ("cmd:sh -c 'sleep 60' an-argument", who(timeout=PATIENCE)),
            "unusable": ("cmd:no-such-program an-argument", who()),
            "wrong": ("cmd:cat 'an-argument", who()),
        }[reason]

    def test_the_line_break_at_the_end_goes(self) -> None:
        for script, value in {"a\\n": b"a", "a\\r\\n": b"a", "a\\n\\n": b"a\n", "a": b"a"}.items():
            assert sources.fetch(f"cmd:printf '{script}'", who()) == value

    def test_no_shell_and_no_percent_signs(self, tmp_path: Path) -> None:
        address = f"cmd:printf '%s|' $HOME ';' touch {tmp_path}/x '>' \"a b\" %41 '#' ?x=1 '#b'"
        line = b"$HOME|;|touch|%b/x|>|a b|%%41|#|?x=1|#b|" % os.fsencode(tmp_path)
        assert sources.fetch(address, who()) == line
        assert list(tmp_path.iterdir()) == []

    def test_what_the_program_gets(self) -> None:
        hidden = {
            "SOPS_AGE_KEY": "AGE-SECRET-KEY-1X",
            "SOPS_AGE_KEY_CMD": "cat x",
            "VAULT_TOKEN": "hvs.x",
            "ENCCONF_IDENTITY": "file:/x",
        }
        assert sources.fetch("cmd:env", who({"A": "1", **hidden})).splitlines() == [
            f"PATH={os.environ['PATH']}".encode(),
            b"A=1",
        ]
        assert failure("cmd:cat", who()).message == "the value is empty"  # as its input is

    def test_it_and_its_children_end(self, tmp_path: Path) -> None:
        mark = f"60.{os.getpid()}"
        begun = time.monotonic()
        error = failure(f"cmd:sh -c 'sleep {mark} & sleep {mark}; true'", who(timeout=0.3))
        assert error.message == "sh took longer than 0.3 s"
        assert time.monotonic() - begun < 10
        assert self._left(mark) == []

    @staticmethod
    def _left(mark: str) -> list[str]:
        """The processes that still sleep for so long."""
        line = f"sleep\0{mark}\0".encode()
        for _ in range(100):
            left = []
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    if (process / "cmdline").read_bytes() == line:
                        left.append(process.name)
            if not left:
                break
            time.sleep(0.05)
        return left

    def test_a_child_that_keeps_the_pipe_open_is_waited_for_as_long_as_the_program(self) -> None:
        mark = f"61.{os.getpid()}"
        begun = time.monotonic()
        error = failure(f"cmd:sh -c 'sleep {mark} & exit 0'", who(timeout=0.5))
        assert error.reason == "slow"
        assert time.monotonic() - begun < 10
        assert self._left(mark) == []

    def test_too_much_is_cut_short(self) -> None:
        assert failure("cmd:yes", who(timeout=60)).message.startswith("yes printed more than 16 MiB")

    def test_what_cannot_be_run(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("x")
        for command in (f"{tmp_path}/text", str(tmp_path), f"{tmp_path}/text/x"):
            error = failure(f"cmd:{command}", who())
            assert error.reason == "unusable"
            assert str(tmp_path) not in error.message
        with pytest.raises(SourceError, match="the name after cmd: is missing"):
            sources.parse("cmd: ")

    def test_where_somebody_can_type_there_is_more_time(self) -> None:
        credentials = who(timeout=60, prompt=lambda question: "")
        assert sources.fetch("cmd:sh -c 'sleep 0.1; echo x'", credentials) == b"x"


def test_an_interrupt_reaches_a_program_that_somebody_types_to(tmp_path: Path) -> None:
    """With a terminal the program shares the session, so that Ctrl-C ends both."""
    code = (
        "from encconf import sources; import os, sys\n"
        "from encconf.identities.credentials import Credentials\n"
        "who = Credentials(dict(os.environ), prompt=lambda question: '')\n"
        "sources.fetch(f'cmd:sh -c \"echo $$ > {sys.argv[1]}; exec sleep 60\"', who)\n"
    )
    pid_file = tmp_path / "pid"
    environ = clean_environ({"PYTHONPATH": str(Path(__file__).resolve().parents[2])})
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(pid_file)],
        env=environ,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    timer = threading.Timer(30, process.kill)
    timer.start()
    try:
        while process.poll() is None and not (pid_file.exists() and pid_file.read_text().strip()):
            time.sleep(0.02)
        child = int(pid_file.read_text())
        assert os.getpgid(child) == os.getpgid(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        for _ in range(200):
            if not Path(f"/proc/{child}").exists():
                break
            time.sleep(0.02)
        assert not Path(f"/proc/{child}").exists()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
