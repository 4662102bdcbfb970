"""encconf keyservice: what it says, and what it asks."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from keys.served import alice as alice
from keys.served import empty_gnupg as empty_gnupg
from keys.served import encconf
from keys.served import holder as holder
from keys.served import others as others
from keys.served import path as path
from keys.terminal import _TAKE_TERMINAL
from oracle import AgeKey

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import service
from encconf.keys.age import AgeKey as AgeRecipient

ROOT = Path(__file__).resolve().parents[2]

DATA_KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--prompt"], "--prompt needs a terminal to ask on"),
        (["--network", "unix"], "no socket was given"),
        (["--network", "udp"], "must be one of: tcp, unix"),
        (["--address", "0.0.0.0:0"], "can be reached from other machines"),
        (["--net", "unix", "--addr", "/nowhere/ks"], "its folder does not exist"),
        (["--address", "192.0.2.1:1", "--insecure-remote"], "cannot assign requested address"),
    ],
)
def test_the_command_says_what_is_wrong(args: list[str], says: str) -> None:
    done = encconf(*args)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(line.startswith("encconf: ") for line in done.stderr.splitlines())


class Terminal:
    """The command on a terminal: what is on the screen, and what is typed."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._ours, theirs = os.openpty()
        self.screen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def await_text(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 20
        while self.screen.count(text) < times:
            assert time.monotonic() < deadline, self.screen
            if select.select([self._ours], [], [], 0.1)[0]:
                self.screen += os.read(self._ours, 4096).decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)
        os.close(self._ours)


@pytest.mark.services
def test_it_asks_on_the_terminal(alice: AgeKey, holder: dict[str, str], path: str, others: Any) -> None:
    command = [
        sys.executable,
        "-m",
        "encconf",
        "keyservice",
        "--prompt",
        "--network",
        "unix",
        "--address",
        path,
    ]
    terminal = Terminal(command, {**holder, "PYTHONPATH": str(ROOT)})
    key = AgeRecipient(alice.recipient)
    enc = key.wrap(DATA_KEY, Credentials({}))
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(service.unwrap(key, enc, others(f"unix://{path}")))
        except MasterKeyError as error:
            outcomes.append(error.message.rpartition(": ")[2])

    question = f"encconf: unix: decrypt a data key with age {alice.recipient}? (y/n)"
    try:
        terminal.await_text("listening on ")
        terminal.type("y\n")  # in advance, to no question: it must not answer the next one
        for times, typed in enumerate([["n\n"], ["y\n"], ["what\n", "\n", "yes\n"]], 1):
            thread = threading.Thread(target=ask)
            thread.start()
            for more, line in enumerate(typed):
                terminal.await_text(question, times + more)
                assert len(outcomes) == times - 1
                terminal.type(line)
            thread.join(20)
        assert outcomes == ["the request was rejected", DATA_KEY, DATA_KEY]
        thread = threading.Thread(target=ask)
        thread.start()
        terminal.await_text(question, 6)
        terminal.process.terminate()  # while it asks
        assert terminal.process.wait(20) == 0
        thread.join(20)
        assert outcomes[3:] != [DATA_KEY]
    finally:
        terminal.close()
