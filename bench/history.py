"""``encconf access FILE`` in a repository with a long history, and ``encconf check`` in one with many files.

    .venv/bin/python bench/history.py                   13,000 commits, and 2,000 files
    .venv/bin/python bench/history.py --commits 2000 --rounds 9

The repositories are made for this.  In the first, one encrypted file is changed in 40 of the commits, and
1,000 other files in all others; in the second, one file of ten is encrypted.  The targets are wall times, of
the best of some rounds: half a second for access, one second for check.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

ACCESS, CHECK = 0.5, 1.0
"""The targets, in seconds."""
CHANGES = 40
"""How often the encrypted file is changed."""
FILE = "deploy/secrets.enc.yaml"


def history(folder: Path, commits: int) -> None:
    """Make the repository with so many commits."""
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    stream = b"".join(_commits(commits))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream, check=True)
    subprocess.run(["git", "reset", "-q", "--hard", "work"], cwd=folder, check=True)
    subprocess.run(["git", "checkout", "-q", "-B", "main", "work"], cwd=folder, check=True)
    subprocess.run(["git", "gc", "-q"], cwd=folder, check=True)


def _commits(commits: int) -> Iterator[bytes]:
    """What git fast-import reads."""
    from compare import document
    from oracle import AgeKey

    from encconf import api
    from encconf.keys import master_key
    from encconf.rules.config import Rule

    draw = random.Random(commits)
    people = [master_key("age", AgeKey.generate().recipient) for _ in range(3)]
    every = max(commits // CHANGES, 1)
    for number in range(commits):
        yield b"commit refs/heads/work\n"
        yield f"committer bench <bench@example.com> {1_700_000_000 + 600 * number} +0000\n".encode()
        yield b"data 1\nx\n"
        if number % every == 0:
            group = people[: 1 + number // every % len(people)]
            yield _file(FILE, api.encrypt(document(20), Rule([group]), format="yaml"))
        else:
            path = f"src/pkg{draw.randrange(50):02}/mod{draw.randrange(20):02}.py"
            yield _file(path, f"value = {draw.random()}\n" * 20)


def _file(path: str, text: str) -> bytes:
    data = text.encode()
    return f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def measured(command: list[str], folder: Path, rounds: int) -> tuple[float, float]:
    """The least wall time and processor time of a command, git's included, in seconds."""
    wall, processor = [], []
    for _ in range(rounds):
        before, started = getrusage(RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wall.append(time.perf_counter() - started)
        after = getrusage(RUSAGE_CHILDREN)
        processor.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return min(wall), min(processor)


def main() -> int:
    """Measure and print; 1 if a target was missed."""
    from check import repository

    parser = argparse.ArgumentParser(description="encconf access in a long history, and check of many files")
    parser.add_argument("--commits", type=int, default=13_000)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    encconf = str(Path(sys.executable).parent / "encconf")
    folder = Path(tempfile.mkdtemp(prefix="encconf-bench-"))
    missed = False
    try:
        for name in ("history", "files"):
            (folder / name).mkdir()
        history(folder / "history", arguments.commits)
        repository(folder / "files", arguments.files, arguments.files // 10)
        for words, where, target, what in (
            (["access", FILE], "history", ACCESS, f"{arguments.commits} commits"),
            (["check"], "files", CHECK, f"{arguments.files} files, one of ten encrypted"),
        ):
            wall, processor = measured([encconf, *words], folder / where, arguments.rounds)
            missed |= wall > target
            said = f"{wall * 1000:7.1f} ms   {processor * 1000:7.1f} ms of processor time"
            print(f"encconf {' '.join(words):31} {said}   (target: {target * 1000:.0f} ms; {what})")
    finally:
        shutil.rmtree(folder)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
