"""Files of sops before 3.3.0 with an AWS encryption context of several values.

That sops wrapped under a context in which every name had the last value, and wrote down the one that
was meant (getsops/sops pull request 435).  Here such a file is made of one that has that context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.moto_server import MotoServer
from oracle import AgeKey

from .conftest import Box, boxes

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def aws() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def old(tmp_path: Path, aws: MotoServer) -> tuple[Box, Box]:
    """The real one and ours, each with old.yaml, and with new.yaml that claims to be of 3.3.0."""
    real, ours = boxes(tmp_path, AgeKey.generate(), {"plain.yaml": "a: secret\n"})
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    for box in (real, ours):
        box.environ.update(aws.environ)
    context = "one:last,two:last,three:last"
    made = real.run("encrypt", "--kms", arn, "--encryption-context", context, "plain.yaml", code=0).out
    bent = made.replace("one: last", "one: x").replace("three: last", "three: y")
    assert bent != made
    for box in (real, ours):
        box.write("old.yaml", made_by("3.2.0", bent))
        box.write("new.yaml", made_by("3.3.0", bent))
    # Ours wraps only for recipients that a rule names.
    key = f"{{arn: '{arn}', context: {{one: x, two: last, three: y}}}}"
    ours.write(".sops.yaml", f"creation_rules: [{{key_groups: [{{kms: [{key}]}}]}}]\n")
    return real, ours


def made_by(version: str, text: str) -> str:
    """The same file with the version of another sops."""
    return re.sub("(?m)^    version: .*$", f"    version: {version}", text)


def test_it_is_opened(old: tuple[Box, Box], aws: MotoServer) -> None:
    real, ours = old
    theirs = real.run("decrypt", "old.yaml", code=0)
    assert theirs.out.startswith("Up until version 3.3.0 of sops there was a bug")
    assert theirs.out.endswith("a: secret\n")
    mine = ours.run("decrypt", "old.yaml", code=0)
    assert mine.out == "a: secret\n"
    assert "before 3.3.0" in mine.err
    aws.calls.clear()
    assert ours.run("decrypt", "new.yaml").code == 128
    assert aws.calls == ["Decrypt"]
    assert real.run("decrypt", "new.yaml").code == 128


@pytest.mark.parametrize(
    "args",
    [
        ["rotate", "-i", "old.yaml"],
        ["groups", "add", "-i", "-f", "old.yaml", "--age", "{R}"],
    ],
    ids=lambda args: args[0],
)
def test_it_is_made_right(old: tuple[Box, Box], args: list[str]) -> None:
    """Whatever changes the keys wraps for the context that it names, which the real one can open."""
    real, ours = old
    ours.run(*args, code=0)
    text = ours.read("old.yaml")
    assert "one: x" in text
    real.write("mine.yaml", made_by("3.13.0", text))
    assert real.run("decrypt", "mine.yaml", code=0).out == "a: secret\n"
    assert "before 3.3.0" not in ours.run("decrypt", "old.yaml", code=0).err


def test_a_change_of_values_wraps_nothing(old: tuple[Box, Box]) -> None:
    """Anyone can write an entry that claims to be old.  The version stays, so both still open the file."""
    real, ours = old
    ours.run("set", "old.yaml", '["a"]', '"new"', code=0)
    real.write("mine.yaml", ours.read("old.yaml"))
    assert real.run("decrypt", "mine.yaml", code=0).out.endswith("\na: new\n")
    assert ours.run("decrypt", "old.yaml", code=0).out == "a: new\n"


def test_another_fault_stays_one(old: tuple[Box, Box]) -> None:
    real, ours = old
    for box in (real, ours):
        box.write("old.yaml", box.read("old.yaml").replace("two: last", "two: wrong"))
    assert ours.run("decrypt", "old.yaml", code=128).out == ""
    assert real.run("decrypt", "old.yaml").code != 0
