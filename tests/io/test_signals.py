"""A signal in the middle of a write leaves the old file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from project import after

from encconf.io import fileio, process

from .processes import _SLOW_WRITE, environ


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
    def test_a_write_that_is_ended(self, tmp_path: Path, number: signal.Signals) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        process = subprocess.Popen(
            [*after("ulimit -c 0"), sys.executable, "-c", _SLOW_WRITE, path],
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"writing\n"
            process.send_signal(number)
            code = process.wait(10)
        # Python ends itself by SIGINT after a KeyboardInterrupt that is not caught.
        assert code == (-signal.SIGINT if number == signal.SIGINT else 128 + number)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]

    def test_a_write_that_is_killed_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        command = [sys.executable, "-c", _SLOW_WRITE, path]
        process = subprocess.Popen(command, env=environ(), stdout=subprocess.PIPE)
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
            with process.SignalGuard():
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

    @pytest.mark.parametrize("handler", [signal.SIG_DFL, "_leave"])
    def test_a_signal_while_the_handlers_change(
        self, monkeypatch: pytest.MonkeyPatch, handler: object
    ) -> None:
        """It ends what the guard is for, and every handler is as it was."""
        import _signal

        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
        before = [_signal.getsignal(number) for number in numbers]
        real, sent = _signal.signal, list[int]()

        def change(number: int, new: Any) -> Any:
            found = real(number, new)
            if number == signal.SIGTERM and handler in (new, getattr(new, "__name__", "")) and not sent:
                sent.append(number)
                signal.raise_signal(signal.SIGINT)
            return found

        monkeypatch.setattr(_signal, "signal", change)
        with pytest.raises(KeyboardInterrupt), process.SignalGuard():
            pass
        monkeypatch.undo()
        after_it = [_signal.getsignal(number) for number in numbers]
        for number, each in zip(numbers, before, strict=True):
            signal.signal(number, each)
        assert sent
        assert after_it == before

    def test_an_event_loop_gets_a_held_signal_once(self) -> None:
        calls: list[int] = []

        async def run() -> None:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
            with process.SignalGuard() as guard:
                guard.hold()
                signal.raise_signal(signal.SIGUSR1)
            for _ in range(10):
                await asyncio.sleep(0.01)

        asyncio.run(run())
        assert calls == [1]
