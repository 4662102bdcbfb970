"""``encconf check`` over a large repository, beside the ``git grep`` that people use instead.

    .venv/bin/python bench/check.py                        10,000 tracked files, 1000 of them encrypted
    .venv/bin/python bench/check.py --files 1000 --encrypted 50 --rounds 9
    .venv/bin/python bench/check.py --encrypted 20 --against OTHER/bin/encconf      beside another encconf

The repository is made anew: source files, notes, plain configuration, and encrypted files of 20 values,
each with a data key of its own, under four creation rules.  Both programs are timed with their start, in
turn, and the least of each counts.  The target: no more than ``git grep -l 'ENC\\['`` takes, and 2 ms for
each encrypted file.  Every file is sound, so check finds nothing; that is verified.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

PER_FILE = 2.0  # milliseconds
SUFFIXES = ("py", "py", "ts", "go", "md", "txt", "html", "yaml", "json", "css")
RULES = """\
creation_rules:
  - path_regex: ^deploy/prod/.*\\.enc\\.yaml$
    age: {keys}
  - path_regex: ^deploy/(dev|test|stage)/.*\\.enc\\.yaml$
    age: {keys}
  - path_regex: (?i)\\.enc\\.(json|env|ini|toml)$
    age: {keys}
  - path_regex: ^apps/[^/]+/secrets/.*\\.yaml$
    age: {keys}
"""


def repository(folder: Path, files: int, encrypted: int) -> None:
    """Make it, with everything committed."""
    from compare import document
    from oracle import AgeKey

    from encconf import api
    from encconf.keys import master_key
    from encconf.rules.config import Rule

    draw = random.Random(files)
    people = [AgeKey.generate().recipient for _ in range(2)]
    rule = Rule([[master_key("age", recipient) for recipient in people]])
    plain = document(20)
    for number in range(files - encrypted - 1):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        path = folder / "src" / f"pkg{number % 200:03}" / f"mod{number % 7}" / f"file{number:05}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"line {line}: {draw.random()}" for line in range(draw.randint(5, 120))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for number in range(encrypted):
        stage = ("prod", "dev", "test", "stage")[number % 4]
        path = folder / "deploy" / stage / f"service{number:04}.enc.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(api.encrypt(plain, rule, format="yaml"), encoding="utf-8")
    (folder / ".sops.yaml").write_text(RULES.format(keys=",".join(people)), encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        who = ["-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        subprocess.run(["git", *who, *command], cwd=folder, check=True)


def seconds(command: list[str], folder: Path) -> tuple[float, str]:
    """How long a command takes, and what it says."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return taken, done.stderr


def main() -> int:
    """Measure and print; 1 if the target was missed."""
    parser = argparse.ArgumentParser(description="encconf check beside git grep")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--encrypted", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", help="another encconf to time in turn with this one")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="encconf-bench-"))
    try:
        repository(folder, arguments.files, arguments.encrypted)
        encconf = [str(Path(sys.executable).parent / "encconf"), "check", "--strict"]
        grep = ["git", "grep", "-l", r"ENC\["]
        best = {"grep": float("inf"), "check": float("inf")}
        for _ in range(arguments.rounds):
            best["grep"] = min(best["grep"], seconds(grep, folder)[0])
            taken, said = seconds(encconf, folder)
            best["check"] = min(best["check"], taken)
            if arguments.against:
                other = [os.path.abspath(arguments.against), "check", "--strict"]
                best["other"] = min(best.get("other", float("inf")), seconds(other, folder)[0])
    finally:
        shutil.rmtree(folder)
    allowed = best["grep"] + arguments.encrypted * PER_FILE / 1000
    each = (best["check"] - best["grep"]) * 1000 / max(arguments.encrypted, 1)
    print(f"{arguments.files} files, {arguments.encrypted} encrypted; {said.strip()}")
    print(f"git grep -l 'ENC\\['   {best['grep'] * 1000:7.1f} ms")
    times = best["check"] / best["grep"]
    print(f"encconf check         {best['check'] * 1000:7.1f} ms   {times:.2f} times that")
    print(f"above git grep        {each:7.2f} ms for each encrypted file (target: {PER_FILE:g})")
    if arguments.against:
        ratio = best["check"] / best["other"]
        print(f"{arguments.against}  {best['other'] * 1000:7.1f} ms; check here takes {ratio:.2f} times that")
    print(f"of what is allowed    {best['check'] / allowed:7.2f}")
    return int(best["check"] > allowed)


if __name__ == "__main__":
    raise SystemExit(main())
