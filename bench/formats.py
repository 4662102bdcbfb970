"""INI, dotenv, TOML, JSON and YAML with many documents beside sops, in one run on the same files.

    make bench                                             after the table of docs/benchmark.md
    .venv/bin/python bench/formats.py --leaves 500 5000    only these sizes
    .venv/bin/python bench/formats.py --formats ini toml   only these formats

*load* is ``encconf.loads_all`` in a warm process against ``sops -d`` as a subprocess; *decrypt* and
*encrypt* are the two command lines, interpreter start included (see compare.py).  sops does not know
TOML: its rows are compared with YAML of the same values.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import Measure, least, milliseconds, prepare, run

SIZES = (500, 5_000, 50_000)
ROUNDS = {500: 9, 5_000: 5, 50_000: 3}
SUFFIXES = {
    "ini": "ini",
    "dotenv": "env",
    "toml": "toml",
    "json": "json",
    "documents": "yaml",
    "yaml": "yaml",
}
TARGET = 1.0
TOML_TARGET = 2.0
STARTED = 50_000
"""From this many leaves on, a command has a target, too: the start of the interpreter counts little there."""

_STARTS = {
    "ini": "[s{0}]\n; section {0}",
    "dotenv": "# section {0}",
    "toml": "[s{0}]\n# section {0}",
    "documents": "---\n# section {0}",
    "yaml": "# section {0}\ns{0}:",
}
_LINES = {
    "ini": "{} = {}",
    "dotenv": "{}={}",
    "toml": '{} = "{}"',
    "documents": '{}: "{}"',
    "yaml": '  {}: "{}"',
}


def pairs(leaves: int) -> list[tuple[str, str]]:
    """Names and values as services have them."""
    draw = random.Random(leaves)
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
    kinds = [
        lambda: "-".join(draw.choices(words, k=3)),
        lambda: draw.randbytes(18).hex(),
        lambda: f"https://{draw.choice(words)}.example.com/{draw.choice(words)}?v=1",
        lambda: str(draw.randrange(65536)),
    ]
    return [(f"KEY_{number:05}", draw.choice(kinds)()) for number in range(leaves)]


def document(format: str, leaves: int) -> str:
    """A file with this many values, ten to a section or document, each with a comment (but in JSON)."""
    made = pairs(leaves)
    if format == "json":
        sections = {f"s{at}": dict(made[at : at + 10]) for at in range(0, leaves, 10)}
        return json.dumps(sections, indent=2) + "\n"
    lines: list[str] = []
    for at, (name, value) in enumerate(made):
        if at % 10 == 0:
            lines.append(_STARTS[format].format(at))
        lines.append(_LINES[format].format(name, value))
    return "\n".join(lines) + "\n"


def load_in_process(path: str, sops: str, format: str, rounds: int) -> None:
    """What the child process does: print the least seconds of both ways as JSON."""
    import encconf

    text = Path(path).read_text()
    best = {"encconf": 1e9, "sops": 1e9}
    for _ in range(rounds):
        start = time.perf_counter()
        encconf.loads_all(text, format=format)
        best["encconf"] = min(best["encconf"], time.perf_counter() - start)
        if format != "toml":
            start = time.perf_counter()
            subprocess.run([sops, "-d", path], stdout=subprocess.PIPE, check=True)
            best["sops"] = min(best["sops"], time.perf_counter() - start)
    print(json.dumps(best))


def measure(
    format: str, leaves: int, folder: Path, environ: dict[str, str], programs: dict[str, str]
) -> dict[str, dict[str, float]]:
    """Least seconds of each verb and program."""
    rounds = ROUNDS.get(leaves, 3)
    suffix = SUFFIXES[format]
    plain, encrypted, target = (folder / f"{name}.{suffix}" for name in ("plain", "sealed", "out"))
    plain.write_text(document(format, leaves))
    encrypted.unlink(missing_ok=True)
    run([programs["encconf"], "encrypt", "--output", str(encrypted), str(plain)], environ, folder)
    known = {name: program for name, program in programs.items() if name == "encconf" or format != "toml"}
    runs: dict[str, dict[str, list[Measure]]] = {
        verb: {name: [] for name in known} for verb in ("decrypt", "encrypt")
    }
    for _ in range(rounds):
        for name, program in known.items():
            runs["decrypt"][name].append(run([program, "decrypt", str(encrypted)], environ, folder))
            target.unlink(missing_ok=True)
            command = [program, "encrypt", "--output", str(target), str(plain)]
            runs["encrypt"][name].append(run(command, environ, folder))
    module = "yaml" if suffix == "yaml" else format
    worker = [sys.executable, __file__, "--worker", str(encrypted), "--sops", programs["sops"]]
    run([*worker, "--formats", module, "--rounds", str(rounds)], environ, folder)
    loads: dict[str, float] = json.loads((folder / "stdout").read_text())
    found = {verb: {name: least(times)[0] for name, times in both.items()} for verb, both in runs.items()}
    return {"load": loads, **found}


def row(format: str, leaves: int, verb: str, ours: float, other: float) -> str:
    """One line of the table; the other is sops, for TOML our own YAML."""
    toml = format == "toml"
    target = TOML_TARGET if toml else TARGET
    share = ours / other
    verdict = ""
    if toml or verb == "load" or leaves >= STARTED:
        verdict = f"≤ {target:g}: {'reached' if share <= target else '**not reached**'}"
    than = f"{milliseconds(other)} ({'YAML' if toml else 'sops'})"
    return f"| {leaves:,} | {format} | {verb} | {milliseconds(ours)} | {than} | {share:.2f} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--leaves", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--formats", nargs="+", default=[name for name in SUFFIXES if name != "yaml"])
    parser.add_argument("--rounds", type=int, default=3, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--sops", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        load_in_process(options.worker, options.sops, options.formats[0], options.rounds)
        return
    print("| leaves | format | | encconf | beside | share | target |")
    print("|--:|---|---|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="ec-") as name:
        folder = Path(name)
        environ, programs = prepare(folder)
        for leaves in options.leaves:
            for format in options.formats:
                found = measure(format, leaves, folder, environ, programs)
                others = measure("yaml", leaves, folder, environ, programs) if format == "toml" else found
                than = "encconf" if format == "toml" else "sops"
                for verb in ("load", "decrypt", "encrypt"):
                    print(row(format, leaves, verb, found[verb]["encconf"], others[verb][than]), flush=True)


if __name__ == "__main__":
    main()
