"""The places where age identities may be, in the order of asking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf.identities.credentials import AgeSource, Credentials


def places(environ: dict[str, str], platform: str = "linux") -> list[str]:
    made = Credentials.from_env(environ, platform=platform)
    return [source.place() for source in made.age_sources()]


VARIABLES = ["SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"]

SSH_VARIABLES = ["SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"]


@pytest.mark.parametrize(
    ("platform", "environ", "home", "keys"),
    [
        ("linux", {"HOME": "/h"}, "/h", "/h/.config/sops/age/keys.txt"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/h", "/x/sops/age/keys.txt"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": ""}, "/h", "/h/.config/sops/age/keys.txt"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "x"}, "/h", None),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, None, "/x/sops/age/keys.txt"),
        ("linux", {"HOME": ""}, None, None),
        ("darwin", {"HOME": "/h"}, "/h", "/h/Library/Application Support/sops/age/keys.txt"),
        ("darwin", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/h", "/x/sops/age/keys.txt"),
        ("win32", {"USERPROFILE": "/u", "APPDATA": "/a", "HOME": "/h"}, "/u", "/a/sops/age/keys.txt"),
        ("win32", {"USERPROFILE": "/u"}, "/u", None),
    ],
)
def test_the_places_are_those_of_sops_in_its_order(
    platform: str, environ: dict[str, str], home: str | None, keys: str | None
) -> None:
    ssh = [f"{home}/.ssh/id_ed25519", f"{home}/.ssh/id_rsa"] if home else []
    expected = [*SSH_VARIABLES, *ssh, *VARIABLES, *([keys] if keys else [])]
    assert [place.replace(os.sep, "/") for place in places(environ, platform)] == expected


def test_the_sources_are_the_same_objects_at_every_call() -> None:
    made = Credentials({"SOPS_AGE_KEY": "x"})
    assert made.age_sources() is made.age_sources()


def test_which_places_may_start_a_program() -> None:
    for how, where, may in (
        ("command", "prog", True),
        ("text", "prog", False),
        ("file", "/prog", False),
        ("source", None, False),
        ("source", "env:X", False),
        ("source", "cmd:prog", True),
    ):
        assert AgeSource("X", how, where).may_run_program is may, (how, where)


def test_a_place_is_named_for_people_and_never_shows_a_secret() -> None:
    secret = "AGE-SECRET-KEY-1XYZ"
    assert AgeSource("SOPS_AGE_KEY", "text", secret).place() == "SOPS_AGE_KEY"
    assert AgeSource("SOPS_AGE_KEY_CMD", "command", f"echo {secret}").place() == "SOPS_AGE_KEY_CMD"
    assert AgeSource("SOPS_AGE_KEY_FILE", "file", secret.lower()).place() == "SOPS_AGE_KEY_FILE"
    assert AgeSource("SOPS_AGE_KEY_FILE", "file", f"# mine\n{secret}\n").place() == "SOPS_AGE_KEY_FILE"
    assert AgeSource("SOPS_AGE_KEY_FILE", "file", None).place() == "SOPS_AGE_KEY_FILE"
    assert AgeSource("SOPS_AGE_KEY_FILE", "file", "/h/k\x1b.txt").place("/h/") == "SOPS_AGE_KEY_FILE=~/k?.txt"
    assert AgeSource(None, "file", "/home/k").place("/h") == "/home/k"
    assert secret not in repr(AgeSource("SOPS_AGE_KEY", "text", secret))


def test_reading_a_file(tmp_path: Path) -> None:
    made = Credentials({}, home=str(tmp_path))
    (tmp_path / "k").write_bytes(b"\x00\xff")
    assert AgeSource(None, "file", str(tmp_path / "k")).read("", made) == b"\x00\xff"
    assert AgeSource("SOPS_AGE_KEY_FILE", "file", "~/k").read("", made) == b"\x00\xff"


@pytest.mark.parametrize(
    ("variable", "where", "found", "broken"),
    [
        ("V", None, "unset", False),
        ("V", "", "empty", False),
        ("V", "/nowhere", "not there", True),
        (None, "/nowhere", "not there", False),
        ("V", "/dev/null/x", "not there", True),
        ("V", "/", "cannot be read: it is a folder", True),
        (None, "/", "cannot be read: it is a folder", True),
        ("V", "a\0b", "cannot be read: not a path", True),
    ],
)
def test_a_file_that_cannot_be_read(
    variable: str | None, where: str | None, found: str, broken: bool
) -> None:
    source = AgeSource(variable, "file", where)
    assert source.read("", Credentials({})) is None
    assert (source.found, source.broken) == (found, broken)


def test_an_ssh_key_that_sops_finds_by_itself_is_never_broken() -> None:
    source = AgeSource(None, "file", "/", ssh=True)
    assert source.read("", Credentials({})) is None
    assert (source.found, source.broken) == ("cannot be read: it is a folder", False)
