"""encconf's commands over many files beside loops of sops over the same files.

    .venv/bin/python bench/many.py               300 files of 20 values, one age recipient
    .venv/bin/python bench/many.py --kms 0.05    a local KMS instead, 50 ms added to each call
    .venv/bin/python bench/many.py --memory      5,000 files, and how much memory encconf takes for them

``rotate -r`` gives every file a new data key, ``updatekeys -r -y`` one more recipient; the loop is the one
that people write: ``find … | while read -r f; do sops … "$f"; done``.  Both programs get the same files,
made by sops, anew for each round; the least of the rounds is taken, and the ratio printed.
The KMS is moto (tests/doubles/moto_server.py) in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from memory import PEAK_OF  # noqa: E402
from oracle import AgeKey, sops_binary  # noqa: E402

GOALS = {"rotate": (0.5, 0.1), "updatekeys": (0.5, 0.1)}
"""Half the time of the loop at most; with a KMS, a tenth."""

COMMANDS = {
    "rotate": (["rotate", "-r", "."], "rotate -i"),
    "updatekeys": (["updatekeys", "-r", "-y", "."], "updatekeys -y"),
}


def document(number: int, values: int) -> str:
    lines = [f"# service {number}"]
    for index in range(values // 2):
        lines += [f"part_{index}:", f"  password: {os.urandom(12).hex()}", f"  port: {5000 + index}"]
    return "\n".join(lines) + "\n"


def fill(folder: Path, environ: dict[str, str], files: int, values: int, key: tuple[str, str]) -> None:
    """Files in ten folders, encrypted by sops, and a .sops.yaml that names one recipient more."""
    for number in range(files):
        path = folder / f"team{number % 10}" / f"service{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(number, values))
    paths = sorted(map(str, folder.rglob("*.yaml")))
    work = f'for f; do "{sops_binary()}" encrypt -i --{key[0]} {key[1]} "$f" || exit 1; done'
    subprocess.run(["sh", "-c", work, "sh", *paths], env=environ, check=True)
    keys = {"age": AgeKey.generate().recipient}
    keys[key[0]] = ",".join(filter(None, [key[1], keys.get(key[0])]))
    rules = "".join(f"    {kind}: {names}\n" for kind, names in keys.items())
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - path_regex: ''\n{rules}")


def timed(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


@contextmanager
def kms(delay: float, environ: dict[str, str]) -> Iterator[str]:
    """The name of a key in a slow KMS, for which ``environ`` gets the variables."""
    server = subprocess.Popen(
        [sys.executable, "-m", "doubles.moto_server", "--delay", str(delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent / "tests",
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        environ.update(
            AWS_ENDPOINT_URL=server.stdout.readline().strip(),
            AWS_EC2_METADATA_DISABLED="true",
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing-secret-of-nobody",
            AWS_REGION="eu-central-1",
        )
        import boto3

        client = boto3.client(
            "kms",
            region_name="eu-central-1",
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing-secret-of-nobody",
        )
        yield client.create_key()["KeyMetadata"]["Arn"]
    finally:
        server.stdin.close()
        server.wait()


def compare(made: Path, scratch: Path, environ: dict[str, str], name: str, rounds: int) -> dict[str, float]:
    """The least time that each program takes for one command over copies of the files."""
    ours, theirs = COMMANDS[name]
    sops = f"{sops_binary()} {theirs}"
    loop = f'find . -name "service*" | while read -r f; do {sops} "$f"; done'
    commands = {"encconf": [sys.executable, "-m", "encconf", *ours], "sops": ["sh", "-c", loop]}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for program, command in commands.items():
            folder = scratch / "files"
            shutil.copytree(made, folder)
            best[program] = min(best[program], timed(command, folder, environ))
            before = {path.name: path.read_bytes() for path in made.rglob("service*")}
            assert all(path.read_bytes() != before[path.name] for path in folder.rglob("service*")), program
            shutil.rmtree(folder)
    return best


MEMORY = 80
"""How many MB removing a recipient from 5,000 files may take."""


def memory(scratch: Path, environ: dict[str, str], files: int, values: int) -> None:
    """Say how much memory it takes to check many files and to remove a recipient; libyaml reads them."""
    from encconf import Rule, encrypt
    from encconf.keys import master_key

    stays, goes = AgeKey.generate(), AgeKey.generate()
    rule = Rule([[master_key("age", key.recipient) for key in (stays, goes)]])
    for number in range(files):
        path = scratch / f"team{number % 10}" / f"service{number}.enc.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(encrypt(document(number, values) + "flow: {a: [x, y]}\n", rule))
    (scratch / ".sops.yaml").write_text(f"creation_rules:\n  - age: {stays.recipient}\n")
    environ.update(stays.environ())
    for words in (
        ["check"],
        ["access", "--no-history", "--html", "access.html"],
        ["updatekeys", "-r", "-y", "."],
    ):
        command = [*PEAK_OF, sys.executable, "-m", "encconf", *words]
        done = subprocess.run(command, cwd=scratch, env=environ, stdout=subprocess.PIPE, check=False)
        took = int(done.stdout) / 1024
        goal = f", goal {MEMORY}: {'reached' if took <= MEMORY else 'not reached'}" if "-r" in words else ""
        print(f"  {words[0]}: {took:.0f} MB for {files} files{goal}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--files", type=int, default=300)
    options.add_argument("--values", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--kms", type=float, metavar="SECONDS", help="a KMS, slower by this much")
    options.add_argument("--memory", action="store_true", help="measure memory instead of time")
    given = options.parse_args()

    def run(key: tuple[str, str]) -> None:
        made = Path(scratch) / "made"
        fill(made, environ, given.files, given.values, key)
        print(f"{given.files} files of {given.values} values, {key[0]}:")
        for name in COMMANDS:
            took = compare(made, Path(scratch), environ, name, given.rounds)
            ratio = took["encconf"] / took["sops"]
            goal = GOALS[name][given.kms is not None]
            said = f"encconf {took['encconf']:.2f} s, a loop of sops {took['sops']:.2f} s"
            reached = "reached" if ratio <= goal else "not reached"
            print(f"  {name}: {said}; ratio {ratio:.2f}, goal {goal:g}: {reached}")

    with tempfile.TemporaryDirectory() as scratch:
        environ = {"PATH": os.environ["PATH"], "HOME": scratch, "SOPS_DISABLE_VERSION_CHECK": "true"}
        environ["PYTHONPATH"] = str(HERE.parent)
        if given.memory:
            memory(Path(scratch), environ, given.files if given.files != 300 else 5000, given.values)
        elif given.kms is None:
            age = AgeKey.generate()
            environ.update(age.environ())
            run(("age", age.recipient))
        else:
            with kms(given.kms, environ) as arn:
                run(("kms", arn))


if __name__ == "__main__":
    main()
