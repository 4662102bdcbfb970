"""``systemd:``: the credentials of a unit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracle import clean_environ
from project import needs

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import WHOLE, Failing, Place, SourceContract, failure

from .machine import who

VALUE = b"s3cret-of-this-machine"


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Path]:
    """A folder as systemd makes it for a unit: it and its files can only be read, by their owner."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "db").write_bytes(VALUE)
    (folder / "dir_sub_x").write_bytes(b"\xff\n")
    (folder / "tree").write_text(WHOLE)
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


class TestSystemd(SourceContract):
    SCHEME = "systemd"
    REASONS = frozenset({"missing", "denied", "wrong", "unusable"})

    @pytest.fixture
    def place(self, unit: Path) -> Place:
        return Place("systemd:db", VALUE, lambda: who({"CREDENTIALS_DIRECTORY": str(unit)}))

    @pytest.fixture
    def structured(self) -> str:
        return "systemd:tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+systemd://db"

    @pytest.fixture
    def failing(self, unit: Path, closed: Callable[[], Path]) -> Failing:
        def of(folder: Path) -> Credentials:
            return who({"CREDENTIALS_DIRECTORY": str(folder)})

        return lambda reason: {
            "missing": lambda: ("systemd:nothing", of(unit)),
            "denied": lambda: ("systemd:db", of(closed())),
            "wrong": lambda: ("systemd:../credentials/db", of(unit)),
            "unusable": lambda: ("systemd:db", who()),
        }[reason]()

    def test_names(self, unit: Path) -> None:
        credentials = who({"CREDENTIALS_DIRECTORY": str(unit)})
        assert sources.fetch("systemd:dir_sub_x", credentials) == b"\xff\n"
        for name in ("..", ".", "a/b", "/etc/passwd", "%2e%2e%2fx", "a%0Ab", "x" * 256, "ä" * 200):
            error = failure(f"systemd:{name}", credentials)
            assert (error.reason, error.message) == ("wrong", "this is not the name of a credential")

    def test_the_hint_is_the_line_for_the_unit(self, unit: Path) -> None:
        line = "add to the unit's [Service]: LoadCredential=pw:/path/to/the/secret"
        assert failure("systemd:pw", who({"CREDENTIALS_DIRECTORY": str(unit)})).hint == line
        assert failure("systemd:pw", who()).hint == line

    def test_a_misspelled_name_has_a_suggestion(self, unit: Path) -> None:
        credentials = who({"CREDENTIALS_DIRECTORY": str(unit)})
        assert failure("systemd:dir_sub_y", credentials).hint == "did you mean dir_sub_x?"

    def test_a_probe_tells_the_names(self, unit: Path, patient: None) -> None:
        found = sources.probe("systemd", who({"CREDENTIALS_DIRECTORY": str(unit)}))
        assert (found.usable, found.note) == (True, "credentials: db, dir_sub_x, tree")
        found = sources.probe("systemd", who({"CREDENTIALS_DIRECTORY": "/nonexistent"}))
        assert (found.usable, found.missing) == (
            False,
            ["CREDENTIALS_DIRECTORY=/nonexistent (no such file or directory)"],
        )


def test_by_systemd_s_own_word(unit: Path) -> None:
    """The program that comes with systemd gives the same bytes."""
    program = needs("systemd-creds")
    environ = clean_environ({"CREDENTIALS_DIRECTORY": str(unit)})
    for name in ("db", "dir_sub_x", "tree"):
        command = [program, "cat", "--newline=no", name]
        theirs = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
        assert sources.fetch(f"systemd:{name}", who(environ)) == theirs
