"""encconf beside sops, in one run on the same files: time, peak memory, and the targets.

    make bench            the table of docs/benchmark.md
    .venv/bin/python bench/compare.py --leaves 20 500      only these sizes
    .venv/bin/python bench/compare.py --rounds 3           fewer repetitions
    .venv/bin/python bench/compare.py --page               also put the table into docs/benchmark.md

*load* is ``encconf.load_config`` in a warm process against ``sops -d`` as a subprocess and its output
parsed by PyYAML's CSafeLoader.  *decrypt*, *encrypt* and *edit* are the two command lines, interpreter
start included, with the same shell script as editor.  Both programs work on the same file, which sops
made; their runs alternate, and the least of each is taken.  Memory is the highest resident set of the
process and its children (``wait4``).
"""

from __future__ import annotations

import argparse
import json
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

SIZES = (20, 500, 5_000, 50_000)
ROUNDS = {20: 25, 500: 15, 5_000: 7, 50_000: 3}
EDIT_MARK = "to-be-edited"

Measure = tuple[float, int]  # seconds, bytes


# --- the files -------------------------------------------------------------------------------


def document(leaves: int) -> str:
    """A configuration file with this many values: nested maps, lists, comments, quotes, literals.

    About 90 % of the values are strings and 10 % of the lines comments.
    """
    draw = random.Random(leaves)
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]

    def text(count: int = 2) -> str:
        return "-".join(draw.choice(words) for _ in range(count))

    lines = ["# Settings of every service.", "meta:", f"  marker: {EDIT_MARK}"]
    made = 1
    service = 0
    while made < leaves:
        service += 1
        block = [
            f"service_{service:05}:",
            f"  # who owns it: {text()}",
            f"  name: {text()}",
            f'  url: "https://{text()}.example.com:8443/{text()}?v=1"',
            f"  password: '{text(3)}#{draw.randrange(10**6)}'",
            "  database:",
            f"    # {text(4)}",
            f"    host: {text()}.internal",
            f"    port: {draw.randrange(1024, 65536)}",
            f"    user: {text(1)}",
            f"    dsn: postgres://{text(1)}:{text(1)}@{text(1)}/{text(1)}",
            "  replicas:",
            f"    - {text()}.eu.example.com",
            f"    - {text()}.us.example.com  # {text(1)}",
            f'    - "{text()}.ap.example.com"',
            "  owners:",
            f"    - name: {text(1)}",
            f"      mail: {text(1)}@example.com",
            f"  enabled: {draw.choice(['true', 'false'])}",
            f"  token: {draw.randbytes(18).hex()}",
            "  tls:",
            "    key: |\n" + "\n".join(f"      {draw.randbytes(24).hex()}" for _ in range(3)),
            f"    subject: CN={text()}, O={text(1)}",
            f"    issuer: 'CN={text()}'",
            f"  notes: {text(3)} {text(2)}",
            f"  region: {text(1)}",
        ]
        for line in block:
            if made == leaves:
                break
            lines.append(line)
            made += not line.endswith(":") and not line.lstrip().startswith("#")
    return "\n".join(lines) + "\n"


# --- measuring -------------------------------------------------------------------------------


def run(command: list[str], environ: dict[str, str], folder: Path) -> Measure:
    """One run: wall-clock seconds and peak memory of the process and those it waited for."""
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, env=environ, cwd=folder, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command}: {(folder / 'stderr').read_text()}")
    scale = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * scale


def least(runs: list[Measure]) -> Measure:
    return min(seconds for seconds, _ in runs), min(size for _, size in runs)


def load_in_process(path: str, sops: str, rounds: int) -> None:
    """What the child process of `measure_load` does: print the least seconds of both ways as JSON."""
    import yaml

    import encconf

    def with_sops() -> object:
        done = subprocess.run([sops, "-d", path], stdout=subprocess.PIPE, check=True)
        return yaml.load(done.stdout, Loader=yaml.CSafeLoader)

    if encconf.load_config(path) != with_sops():
        raise SystemExit("the two ways to load a file do not agree")
    best = {"encconf": 1e9, "sops": 1e9}
    for _ in range(rounds):
        for name, load in (("encconf", lambda: encconf.load_config(path)), ("sops", with_sops)):
            for _ in range(3):  # the first one finds the caches cold, after the other program's turn
                start = time.perf_counter()
                load()
                best[name] = min(best[name], time.perf_counter() - start)
    print(json.dumps(best))


def measure_load(
    path: Path, sops: str, rounds: int, environ: dict[str, str], folder: Path
) -> dict[str, Measure]:
    """Warm seconds of both ways, and the memory of a process that loads the file once."""
    worker = [sys.executable, __file__, "--worker", str(path), "--sops", sops, "--rounds", str(rounds)]
    run(worker, environ, folder)
    best = json.loads((folder / "stdout").read_text())
    ours = "import encconf, sys; encconf.load_config(sys.argv[1])"
    theirs = (
        "import subprocess, sys, yaml; "
        "yaml.load(subprocess.run([sys.argv[2], '-d', sys.argv[1]], stdout=-1).stdout, yaml.CSafeLoader)"
    )
    return {
        name: (best[name], run([sys.executable, "-c", code, str(path), sops], environ, folder)[1])
        for name, code in (("encconf", ours), ("sops", theirs))
    }


def measure_commands(
    encrypted: Path, plain: Path, programs: dict[str, str], rounds: int, environ: dict[str, str], folder: Path
) -> dict[str, dict[str, Measure]]:
    """``decrypt``, ``encrypt`` and ``edit`` of both programs, in turns."""
    runs: dict[str, dict[str, list[Measure]]] = {
        verb: {name: [] for name in programs} for verb in ("decrypt", "encrypt", "edit")
    }
    target = folder / "out.enc.yaml"
    for _ in range(rounds):
        for name, program in programs.items():
            runs["decrypt"][name].append(run([program, "decrypt", str(encrypted)], environ, folder))
            target.unlink(missing_ok=True)
            command = [program, "encrypt", "--output", str(target), str(plain)]
            runs["encrypt"][name].append(run(command, environ, folder))
            shutil.copy(encrypted, target)
            runs["edit"][name].append(run([program, "edit", str(target)], environ, folder))
            if target.read_bytes() == encrypted.read_bytes():
                raise SystemExit(f"{name} edit changed nothing")
    return {verb: {name: least(found) for name, found in both.items()} for verb, both in runs.items()}


# --- the table -------------------------------------------------------------------------------


def target_of(verb: str, leaves: int) -> tuple[str, float] | None:
    """The target in words, and as the highest allowed share of sops's time."""
    if verb == "load":
        if leaves >= 5_000:
            return "≤ 0.125", 1 / 8
        return ("≤ 0.033", 1 / 30) if leaves == 20 else None
    return {20: ("≤ 2.5", 2.5), 5_000: ("≤ 0.7", 0.7)}.get(leaves)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.2f} ms" if seconds < 0.01 else f"{seconds * 1e3:,.0f} ms"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def row(verb: str, leaves: int, ours: Measure, theirs: Measure) -> str:
    ratio = ours[0] / theirs[0]
    shown = f"{ratio:.3f}" if verb == "load" else f"{ratio:.2f}"
    target = target_of(verb, leaves)
    reached = target is not None and ratio <= target[1]
    verdict = f"{target[0]}: {'reached' if reached else '**not reached**'}" if target else ""
    cells = [
        f"{leaves:,}",
        verb,
        milliseconds(ours[0]),
        milliseconds(theirs[0]),
        shown,
        verdict,
        megabytes(ours[1]),
        megabytes(theirs[1]),
    ]
    return "| " + " | ".join(cells) + " |"


def prepare(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """A home with one age key and a ``.sops.yaml``; returns the environment and both programs."""
    from oracle import AgeKey, clean_environ, sops_binary

    key = AgeKey.generate()
    keys = folder / "keys.txt"
    keys.write_text(key.identity + "\n")
    keys.chmod(0o600)
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - age: {key.recipient}\n")
    editor = folder / "editor.sh"
    editor.write_text(f'#!/bin/sh\nexec sed -i s/{EDIT_MARK}/edited/ "$1"\n')
    editor.chmod(0o700)
    environ = clean_environ({"SOPS_AGE_KEY_FILE": str(keys), "SOPS_EDITOR": str(editor)})
    encconf = Path(sys.executable).parent / "encconf"
    if not encconf.exists():
        raise SystemExit("install encconf first: make bench does")
    return environ, {"encconf": str(encconf), "sops": sops_binary()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--leaves", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--sops", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        load_in_process(options.worker, options.sops, options.rounds)
        return

    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say("| leaves | | encconf | sops | encconf ÷ sops | target | memory | memory of sops |")
    say("|--:|---|--:|--:|--:|---|--:|--:|")
    ours: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory(prefix="ec-") as name:
        folder = Path(name)
        environ, programs = prepare(folder)
        for leaves in options.leaves:
            rounds = options.rounds or ROUNDS.get(leaves, 5)
            plain = folder / f"bench{leaves}.yaml"
            plain.write_text(document(leaves))
            encrypted = folder / f"bench{leaves}.enc.yaml"
            run([programs["sops"], "encrypt", "--output", str(encrypted), str(plain)], environ, folder)
            measured = {"load": measure_load(encrypted, programs["sops"], rounds, environ, folder)}
            measured |= measure_commands(encrypted, plain, programs, rounds, environ, folder)
            for verb, both in measured.items():
                ours[verb, leaves] = both["encconf"][0]
                say(row(verb, leaves, both["encconf"], both["sops"]))
    if {5_000, 50_000} <= set(options.leaves):
        growth = {verb: ours[verb, 50_000] / ours[verb, 5_000] for verb in measured}
        said = ", ".join(f"{verb} {times:.1f} ×" for verb, times in growth.items())
        word = "linear: reached" if max(growth.values()) <= 12 else "linear: **not reached**"
        say(f"\n50,000 leaves take this much more time than 5,000: {said} ({word}).")
    if options.page:
        page = HERE.parent / "docs" / "benchmark.md"
        begin, end = "<!-- benchmark: make bench -->\n", "\n<!-- end of benchmark -->"
        before, _, rest = page.read_text(encoding="utf-8").partition(begin)
        after = rest.partition(end)[2]
        page.write_text(before + begin + "\n".join(lines) + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
