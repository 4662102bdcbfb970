"""The test kit of the SOPS format: encconf passes it, its script makes it, its runner notices failures."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import forks
import pytest
import testkit
import testkit_mutants
from oracle import sops_binary
from testkit import runner

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "fixtures" / "testkit"
INDEX = json.loads((KIT / "vectors.json").read_text())


class Forked(runner.Desk):
    """Runs encconf as a fork, which takes less time than a program."""

    def start(
        self, argv: list[str], folder: Path, environ: dict[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        if argv[0] != "sops":
            return super().start(argv, folder, environ)
        # Under the name sops, TOML is binary, as to sops.
        program = "encconf" if any(word.endswith(".toml") for word in argv) else "sops"
        return forks.run(program, argv[1:], cwd=folder, environ=environ)


def _report(*arguments: str, desk: Any = Forked) -> dict[str, Any]:
    options = runner.parser().parse_args(arguments)
    return runner.run(INDEX, options, desk)


def _failed(report: dict[str, Any]) -> list[str]:
    return [
        f"{row['number']} {row['purpose']}: {row['why']}"
        for row in report["results"]
        if row["result"] == "fail"
    ]


def _passed(report: dict[str, Any]) -> int:
    return sum(row["result"] == "pass" for row in report["results"])


def test_the_script_makes_the_kit_byte_for_byte() -> None:
    done = subprocess.run(
        [sys.executable, KIT / "make.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(INDEX["vectors"]) >= 200


def test_encconf_reads_every_vector() -> None:
    report = _report(
        *("--command", "sops decrypt --output-type json {file}"),
        *("--plain", "sops decrypt --input-type {format} --output-type {format} {file}"),
    )
    assert _failed(report) == []
    assert _passed(report) == len(INDEX["vectors"])


def test_what_encconf_writes_is_read_by_another_reader() -> None:
    report = _report("--writer", "sops encrypt {file}")
    assert _failed(report) == []
    assert _passed(report) == len(INDEX["writers"])


def test_the_small_reader_reads_what_it_knows() -> None:
    """It checks what writers write, and shows that the page is enough to write a reader."""
    report = _report(
        *("--command", shlex.join([sys.executable, str(KIT / "reader.py"), "{file}"]), "--keys", "age"),
        *("--formats", "yaml,json,dotenv,ini,binary", "--without", "yaml-tags,yaml-anchors,strict"),
        *("--only", "types,selection,key groups,dotenv"),
    )
    assert _failed(report) == []
    assert _passed(report) > 100


def test_sops_gives_the_results_of_the_index() -> None:
    """Where it does not, the index says so."""
    report = _report(
        *("--command", f"{sops_binary()} decrypt --output-type json {{file}}"),
        *("--formats", "yaml,json,dotenv,ini,binary", "--without", "strict", "--codes", "sops"),
    )
    known = {
        vector["number"] for vector in INDEX["vectors"] if vector["level"] == "should" or "sops" in vector
    }
    found = [row for row in report["results"] if row["result"] == "fail" and row["number"] not in known]
    assert _failed({"results": found}) == []
    assert _passed(report) > 400


@pytest.mark.parametrize("command", ["false", "echo {}", "cat {file}", "sh -c 'kill $$'"])
def test_a_program_that_reads_nothing_passes_nothing(command: str) -> None:
    report = _report("--command", command, "--only", "values,MAC,damaged,not encrypted")
    passed = [row["number"] for row in report["results"] if row["result"] == "pass"]
    assert passed == []


def test_a_program_that_ignores_the_mac_is_noticed() -> None:
    """Every vector with a wrong MAC, so each has nothing else that is wrong."""
    wanted = [vector["number"] for vector in INDEX["vectors"] if vector["expect"] == "mac"]
    report = _report(
        *("--command", "sops decrypt --ignore-mac --output-type json {file}"),
        *("--only", ",".join(map(str, wanted))),
    )
    wrong = [row["number"] for row in report["results"] if row["result"] == "fail"]
    assert wrong == wanted
    assert len(wrong) > 15


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat {file}", "not-encrypted"),
        ("sops encrypt {file} | sed 's/type:str/type:int/'", "damaged"),
        ("sops encrypt {file} | sed 's/^    mac: .*//'", "mac"),
    ],
)
def test_a_writer_that_writes_nonsense_is_noticed(script: str, said: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path[0:0] = [{str(ROOT)!r}]; sys.argv[0] = 'sops'"
    code += "; from encconf.cli import run; run()"
    script = script.replace("sops", shlex.join([sys.executable, "-c", code]))
    report = _report("--writer", shlex.join(["sh", "-c", script]), "--only", "2001")
    (failure,) = _failed(report)
    assert said in failure


def test_the_command_line_prints_a_table(tmp_path: Path) -> None:
    command = [sys.executable, str(KIT / "run.py"), "--command", "false", "--only", "not encrypted"]
    done = subprocess.run([*command, "--json", "-"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert {row["result"] for row in json.loads(done.stdout)["results"]} == {"fail"}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "not encrypted" in done.stdout


# --- the page -------------------------------------------------------------------------------------

WRITERS = 2000
"""The numbers of writers begin here."""
UNTESTABLE = {"8.9": "what an error shows", "16.9": "it needs AWS KMS: tests/sops/test_differences.py"}


def test_every_statement_of_the_page_has_a_vector() -> None:
    page = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    statements = set(re.findall(r"\*\*((?:[0-9]+|A)\.[0-9]+)\*\*", page))
    tested = {statement for vector in INDEX["vectors"] for statement in vector["statements"]}
    assert tested <= statements
    assert statements - tested == UNTESTABLE.keys()


def test_the_table_is_of_this_kit() -> None:
    results = json.loads((ROOT / "docs" / "make" / "testkit.json").read_text())
    assert {result["kit"] for result in results.values()} == {INDEX["version"]}
    everything = [vector["number"] for vector in INDEX["vectors"]]
    for name in ("encconf", "sops"):
        rows = results[name]["results"]
        assert [row["number"] for row in rows if row["number"] < WRITERS] == everything
    assert [row for row in results["encconf"]["results"] if row["result"] != "pass"] == []
    assert (ROOT / "docs" / "testkit.md").read_text() == testkit.page(results)


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", testkit_mutants.FAULTS, ids=lambda fault: fault.what)
def test_the_kit_detects_a_fault(fault: testkit_mutants.Fault, tmp_path: Path) -> None:
    assert testkit_mutants.detected(fault, tmp_path) != ""


def test_without_a_fault_nothing_is_detected(tmp_path: Path) -> None:
    assert testkit_mutants.detected(None, tmp_path) == ""
