"""Two writers of one file take turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encconf.io import locks

ROOT = Path(__file__).resolve().parents[2]


class TestTurns:
    def test_f4_one_after_the_other(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys, time; from encconf.io import fileio, locks\n"
            "for _ in range(10):\n"
            "    with locks.Turn(sys.argv[1]):\n"
            "        old = fileio.read_text(sys.argv[1]); time.sleep(0.005)\n"
            "        fileio.write_atomic(sys.argv[1], str(int(old) + 1), replacing=old)\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) for _ in range(4)]
        assert [writer.wait(60) for writer in writers] == [0] * 4
        assert path.read_text() == "40"

    def test_f4_not_for_ever_and_not_for_what_is_not_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        with locks.Turn(str(path)):
            path.write_text("")
        monkeypatch.setattr(locks, "TURN_PATIENCE", 0.2)
        with locks.Turn(str(path)):
            started = time.monotonic()
            with locks.Turn(str(path)):
                assert time.monotonic() - started >= 0.2


def test_an_interrupted_turn_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()

    def interrupted(descriptor: int, patience: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(locks, "lock", interrupted)
    turn = locks.Turn(str(path))
    before = os.listdir("/dev/fd")
    with pytest.raises(KeyboardInterrupt):
        turn.__enter__()
    assert os.listdir("/dev/fd") == before
