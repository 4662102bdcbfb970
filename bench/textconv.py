"""``git log -p`` over many versions of an encrypted file, with encconf's textconv and with ``sops decrypt``.

    .venv/bin/python bench/textconv.py                     60 versions, the least of 5 rounds
    SOPS_ORACLE=/path/to/sops .venv/bin/python bench/textconv.py --versions 600

git starts the program once for each version on each side of each commit.  The target: at most 1.2 times what
sops takes for a version.  encconf's first run leaves a companion behind that answers the others
(`encconf.git.textconv`); without it (ENCCONF_COMPANION=0) a run takes about 1.84 times what sops takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]

TARGET = 1.2
FILE = "secrets.enc.yaml"


def git(folder: Path, *words: str) -> None:
    who = ["-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


def repository(folder: Path, versions: int, recipient: str) -> None:
    """One file, and a commit for each version of it."""
    from compare import document

    from encconf import api
    from encconf.keys import master_key
    from encconf.rules.config import Rule

    git(folder, "init", "-q")
    (folder / ".gitattributes").write_text(f"{FILE} diff=bench\n", encoding="utf-8")
    plain = document(20)
    enc = api.encrypt(plain, Rule([[master_key("age", recipient)]]), format="yaml")
    for number in range(versions):
        enc = api.encrypt(f"{plain}version: {number}\n", format="yaml", twin=enc)
        (folder / FILE).write_text(enc, encoding="utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", str(number))


def seconds(folder: Path, program: str) -> float:
    """How long git takes to show the whole history."""
    command = ["git", "-c", f"diff.bench.textconv={program}", "log", "-p"]
    started = time.perf_counter()
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    taken = time.perf_counter() - started
    assert b"+version: 1\n" in shown
    return taken


def main() -> int:
    """Measure and print; 1 if the target was missed."""
    from oracle import AgeKey, sops_binary

    parser = argparse.ArgumentParser(description="encconf's textconv beside sops")
    parser.add_argument("--versions", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    key = AgeKey.generate()
    os.environ["SOPS_AGE_KEY"] = key.identity
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each run would compile encconf
    programs = {
        "sops": f"{sops_binary()} decrypt",
        "encconf": f"{Path(sys.executable).parent / 'encconf'} git textconv",
    }
    best = dict.fromkeys(programs, float("inf"))
    folder = Path(tempfile.mkdtemp(prefix="encconf-bench-"))
    try:
        repository(folder, arguments.versions, key.recipient)
        for _ in range(arguments.rounds):
            for name, program in programs.items():
                best[name] = min(best[name], seconds(folder, program))
    finally:
        shutil.rmtree(folder)
    times = best["encconf"] / best["sops"]
    runs = 2 * arguments.versions - 1
    for name, taken in best.items():
        print(f"{name:8} {taken / runs * 1000:6.1f} ms for each run of the program")
    print(f"encconf takes {times:.2f} times what sops does (target: {TARGET:g})")
    return int(times > TARGET)


if __name__ == "__main__":
    raise SystemExit(main())
