"""The places where age identities may be, in the order of asking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf.identities import credentials
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


@pytest.mark.posix
def test_what_each_kind_of_place_holds_or_why_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a place that the user names, for a default one, and for one of an SSH key."""
    monkeypatch.setattr(credentials, "IDENTITY_LIMIT", 100)
    secret = "AGE-SECRET-KEY-1XYZ"
    files = {"ok": b"x\n", "wide": "é\n".encode("utf-16"), "large": b"x" * 101, "most": b"x" * 100}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    here = {"PATH": os.environ["PATH"], "X": "a secret", "SOPS_AGE_RECIPIENT": "old"}
    for how, where, data, found in (
        ("text", "x\udcff", b"x\xff", ""),
        ("text", "", None, "empty"),
        ("text", None, None, "unset"),
        ("file", str(tmp_path / "ok"), b"x\n", ""),
        ("file", "~/wide", "é\n".encode(), ""),
        ("file", "~/most", b"x" * 100, ""),
        ("file", "~/large", None, "too large for an identity file"),
        ("file", "~/none", None, "not there"),
        ("file", f"# mine\n{secret}", None, "contains a private key instead of the name of a file"),
        ("file", "a b", None, "not there"),
        ("command", "printenv SOPS_AGE_RECIPIENT", b"age1me\n", ""),
        ("command", f"echo {secret}", secret.encode() + b"\n", ""),
        ("command", secret.lower(), None, "contains a private key instead of the name of a command"),
        ("command", "false", None, "false failed with exit code 1"),
        ("source", "env:X", b"a secret", ""),
        ("source", "env:NOWHERE", None, "this variable is not set"),
        ("source", secret, None, "contains a private key instead of the address of one"),
        ("source", "-----BEGIN X", None, "contains a private key instead of the address of one"),
    ):
        for variable, ssh in (("V", False), (None, False), ("V", True), (None, True)):
            source = AgeSource(variable, how, where, ssh=ssh)
            for _ in range(2):  # the same once more
                assert source.read("age1me", Credentials(here, home=str(tmp_path))) == data, (how, where)
                assert source.found == found, (how, where)
                broken = variable is not None or not ssh
                if found == "not there" or "not set" in found:
                    broken = variable is not None
                broken = broken and found not in ("", "empty", "unset")
                assert source.broken is broken, (how, where, variable, ssh)
                assert bool(source.hint) is (where == "env:NOWHERE"), (how, where)
            assert secret not in f"{source.place()}{source.found}{source.hint}"


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("", []),
        (" env:A  file:~/x\n vault:a#b ", ["env:A", "file:~/x", "vault:a#b"]),
        ("env:A cmd:pass show x y", ["env:A", "cmd:pass show x y"]),
        ("CMD:pass 'a b'\nenv:B", ["CMD:pass 'a b'", "env:B"]),
        ("  ref+cmd:a b \nsecretref+cmd:c d", ["ref+cmd:a b", "secretref+cmd:c d"]),
        ("cmd: cmd:x", ["cmd: cmd:x"]),
        ("env:A age-secret-key-1x env:B", ["age-secret-key-1x"]),
        ("env:A\nAGE-PLUGIN-X", ["AGE-PLUGIN-X"]),
        ("cmd:echo AGE-SECRET-KEY-1", ["cmd:echo AGE-SECRET-KEY-1"]),
        ("nothing", ["nothing"]),
    ],
)
def test_the_addresses_in_a_variable(value: str, addresses: list[str]) -> None:
    assert credentials.addresses_in(value) == addresses


def test_the_scheme_and_the_label_of_an_address() -> None:
    for address, scheme, label in (
        ("env:A", "env", "env:A"), ("ENV:A", "env", "env:A"), ("ref+env:A", "env", "env:A"),
        ("secretref+cmd:x", "cmd", "cmd:x"), ("odd:x", "odd", ""), ("nothing", "", ""), ("", "", ""),
    ):  # fmt: skip
        assert credentials.scheme_of(address) == scheme, address
        assert credentials.runs_program(address) is (scheme == "cmd"), address
        shown = credentials.label_of(address)
        assert shown.startswith(scheme) if label else not shown, (address, shown)
