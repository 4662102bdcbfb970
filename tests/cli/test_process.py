"""Waiting for a child process, so that no signal is missed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from project import Project, signal_another_thread

FILE = "app.enc.yaml"


@pytest.mark.parametrize("kind", [[], ["--no-fifo"]])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_stays_after_a_signal(app: Project, kind: list[str], number: signal.Signals) -> None:
    script = f"trap 'exit 5' {number.value}; echo {{}}; while :; do sleep 0.05; done"
    process = app.popen("exec-file", *kind, FILE, script, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    path = Path(process.stdout.readline().decode().strip())
    assert path.exists()
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 5
    assert not path.parent.exists()


def test_a_signal_is_never_missed(app: Project) -> None:
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    process = app.popen("exec-file", FILE, script, stdout=subprocess.PIPE)  # a thread waits for a reader
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    signal_another_thread(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 5
