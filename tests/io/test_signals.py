"""A signal in the middle of a write leaves the old file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from project import after

from encconf.io import fileio, signals

from .processes import _SLOW_WRITE

ROOT = Path(__file__).resolve().parents[2]


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
    def test_a_write_that_is_ended(self, tmp_path: Path, number: signal.Signals) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        process = subprocess.Popen(
            [*after("ulimit -c 0"), sys.executable, "-c", _SLOW_WRITE, path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"writing\n"
            process.send_signal(number)
            code = process.wait(10)
        # Python ends itself by SIGINT after a KeyboardInterrupt that nobody catches.
        assert code == (-signal.SIGINT if number == signal.SIGINT else 128 + number)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]

    def test_a_write_that_is_killed_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        command = [sys.executable, "-c", _SLOW_WRITE, path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            process.kill()
            process.wait(10)
        assert path.read_text() == "old"

    def test_handlers_of_a_program_are_left_alone(self, tmp_path: Path) -> None:
        def handler(number: int, frame: object) -> None: ...

        before = signal.signal(signal.SIGTERM, handler)
        try:
            with signals.SignalGuard():
                assert signal.getsignal(signal.SIGTERM) is handler
                assert signal.getsignal(signal.SIGHUP) not in (handler, signal.SIG_DFL)
            assert signal.getsignal(signal.SIGTERM) is handler
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_other_threads_may_write(self, tmp_path: Path) -> None:
        thread = threading.Thread(target=fileio.write_atomic, args=(str(tmp_path / "x"), "a"))
        thread.start()
        thread.join()
        assert (tmp_path / "x").read_text() == "a"
