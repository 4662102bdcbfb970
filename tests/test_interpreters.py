"""The formats give the same result with the machine's own Python as with the one that runs these tests.

Python 3.11.0 to 3.11.4 match possessive groups wrongly and without an error (CPython gh-106052).  Debian 12
has such a version.  tests/test_architecture.py forbids these groups.  Here, the formats run with each
installed interpreter, and use only the standard library, because another interpreter has no packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import FIXTURES

from encconf import formats

ROOT = Path(__file__).resolve().parent.parent

SCRIPT = """\
import json, sys
from encconf import formats

def facts(format, text):
    document = formats.get(format).scan(text)
    return [[leaf.start, leaf.end, leaf.type, str(leaf.data)] for leaf in document.leaves]

def result(format, text):
    try:
        return facts(format, text)
    except Exception as error:
        return type(error).__name__

print(json.dumps([result(format, text) for format, text in json.load(sys.stdin)]))
"""

# Texts that 3.11.2 read wrongly because of possessive groups, and the right results.
SAID = [
    ("yaml", "password: secret  \nport: 5432 \n", [[10, 16, "str", "b'secret'"], [25, 29, "int", "b'5432'"]]),
    ("json", '{"users": ["a"]}', [[11, 14, "str", "b'a'"]]),
    ("json", '{"n": 2.}', "ParseError"),
    ("json", '{"n": 1e}', "ParseError"),
    ("json", '{"n": 1e3}', [[6, 9, "float", "b'1000'"]]),
]


def interpreters() -> list[str]:
    """Return this interpreter, and the machine's own if it is new enough."""
    found = [sys.executable]
    own = "/usr/bin/python3"
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    if os.access(own, os.X_OK) and subprocess.run([own, "-c", check], check=False).returncode == 0:
        found.append(own)
    return found


def scanned(interpreter: str, texts: list[tuple[str, str]]) -> list[object]:
    done = subprocess.run(
        [interpreter, "-S", "-c", SCRIPT],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_findings() -> None:
    for interpreter in interpreters():
        found = scanned(interpreter, [(format, text) for format, text, _ in SAID])
        assert found == [expected for _, _, expected in SAID], interpreter


def test_the_fixtures() -> None:
    """All interpreters read the same leaves in each text."""
    texts = []
    endings = {".yaml": "yaml", ".json": "json", ".env": "dotenv", ".ini": "ini", ".toml": "toml"}
    for path in sorted(FIXTURES.rglob("*.*")):
        try:
            texts.append((endings[path.suffix], path.read_bytes().decode()))
        except (KeyError, UnicodeDecodeError):
            continue
    assert {format for format, _ in texts} == set(endings.values())
    first, *others = [scanned(interpreter, texts) for interpreter in interpreters()]
    read = [found for found in first if isinstance(found, list)]
    assert len(read) > 150
    for other in others:
        assert other == first


@pytest.mark.parametrize(("format", "text"), [(format, text) for format, text, _ in SAID if format == "yaml"])
def test_this_interpreter_reads_the_same(format: str, text: str) -> None:
    assert [leaf.data for leaf in formats.get(format).scan(text).leaves] == [b"secret", b"5432"]
