"""The stranger game (`game`): a few games on every run, and what its referee sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gate
import pytest
from witness import Text, combined

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the game forks, and starts programs that Linux has"
)


def _game(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "game.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


def test_a_stranger_gets_nothing_in_a_few_games() -> None:
    done = _game("--games", "40", "--seed", "1", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("found: nothing") == 2, done.stdout


@pytest.mark.parametrize("name", ["strangers", "author"])
def test_the_game_notices_if_a_check_is_removed(name: str) -> None:
    """`make fuzz` removes each of them."""
    done = _game("--without", name, "--seed", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not noticed: none" in done.stdout


@pytest.mark.parametrize("name", gate.CHECKS)
def test_a_check_to_remove_is_in_the_source(name: str) -> None:
    for text in gate.CHECKS[name].changes:
        assert len(gate.places(ROOT, text)) == 1, f"tests/gate.py has to follow: {text!r}"


def test_one_seed_is_one_game() -> None:
    first, second = (_game("--games", "1", "--seed", "3", "--show") for _ in range(2))
    scripts = [[line.split("age1")[0] for line in done.stdout.splitlines()[:-1]] for done in (first, second)]
    assert scripts[0] == scripts[1]
    assert len(scripts[0]) > 3


@pytest.mark.parametrize("format", ["yaml", "json", "dotenv", "ini", "toml"])
def test_the_stranger_reads_and_writes_a_block_without_encconf(format: str) -> None:
    head = {"json": {"a": "b"}}.get(format, "a: b\n" if format == "yaml" else "")
    groups = [{"age": [{"recipient": "age1x", "enc": "-----\nline\n-----\n"}]}] * 2
    text = Text(format, head, {"key_groups": groups, "version": "3.9.0"}).text()
    again = Text.read(format, text)
    assert again is not None
    assert again.block["key_groups"] == groups
    assert [entry["recipient"] for entry in again.entries()] == ["age1x", "age1x"]


def test_the_referee_combines_shares_as_vault_does() -> None:
    from encconf.envelope import shamir

    key = bytes(range(32))
    shares = shamir.split(key, 4, 2)
    assert combined([shares[0], shares[3]]) == combined(shares) == key
