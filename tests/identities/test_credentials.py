from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf.errors import DuplicateKeyTypeError
from encconf.identities.credentials import Credentials
from encconf.identities.places import AgeSource
from encconf.text.printable import printable


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


def test_a_command_gets_the_environment_and_the_recipient_and_no_shell() -> None:
    made = Credentials({"PATH": os.environ["PATH"], "MINE": "m"})
    source = AgeSource(
        "V", "command", """sh -c 'printf "%s %s %s" "$MINE" "$SOPS_AGE_RECIPIENT" "$1"' - '$MINE;*'"""
    )
    assert source.read("age1x", made) == b"m age1x $MINE;*"


def test_a_command_cannot_read_our_input() -> None:
    made = Credentials({"PATH": os.environ["PATH"]})
    assert AgeSource("V", "command", "cat").read("", made) == b""
    assert AgeSource("V", "command", "   ").read("", made) is None


@pytest.mark.parametrize(
    ("setting", "order"),
    [
        (None, ["age", "pgp"]),
        ("", ["age", "pgp"]),
        ("pgp,age", ["pgp", "age"]),
        ("kms, age", ["kms", "age"]),
        ("from_the_future", ["from_the_future"]),
    ],
)
def test_the_order_of_key_types(setting: str | None, order: list[str]) -> None:
    environ = {} if setting is None else {"SOPS_DECRYPTION_ORDER": setting}
    assert Credentials(environ).key_order() == order


@pytest.mark.parametrize("setting", ["age,age", "pgp,age,pgp", "age, age"])
def test_a_type_twice_in_the_order_has_the_exit_code_of_sops(setting: str) -> None:
    with pytest.raises(DuplicateKeyTypeError, match="Duplicate decryption key type: ") as caught:
        Credentials({"SOPS_DECRYPTION_ORDER": setting}).key_order()
    assert caught.value.exit_code == 112


def test_gpg_is_the_one_that_was_chosen() -> None:
    assert Credentials({}).gpg == "gpg"
    assert Credentials({"SOPS_GPG_EXEC": ""}).gpg == "gpg"
    assert Credentials({"SOPS_GPG_EXEC": "/opt/gpg"}).gpg == "/opt/gpg"


def test_nobody_is_asked_when_stdin_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    keep = os.dup(0)
    try:
        os.dup2(read, 0)
        assert Credentials.from_env({}).prompt is None
        os.close(0)
        assert Credentials.from_env({}).prompt is None
    finally:
        os.dup2(keep, 0)
        for descriptor in (read, write, keep):
            os.close(descriptor)


def test_a_terminal_is_asked() -> None:
    ours, theirs = os.openpty()
    keep = os.dup(0)
    try:
        os.dup2(theirs, 0)
        assert Credentials.from_env({}).prompt is not None
    finally:
        os.dup2(keep, 0)
        for descriptor in (ours, theirs, keep):
            os.close(descriptor)


def test_text_from_a_foreign_file_cannot_move_the_cursor() -> None:
    assert printable("plain é") == "plain é"
    assert printable("a\x1b[2J\r\n\u202eb") == "a?[2J???b"


def test_a_client_is_made_once_and_lives_with_the_credentials() -> None:
    made = Credentials({})
    calls: list[int] = []

    def make() -> object:
        calls.append(1)
        return made.client("inner", object)  # one may need another

    first = made.client(("kms", "eu"), make)
    assert made.client(("kms", "eu"), make) is first
    assert len(calls) == 1
    assert made.client(("kms", "us"), object) is not first
    assert Credentials({}).client(("kms", "eu"), object) is not first


def test_what_cannot_be_made_is_tried_again() -> None:
    made = Credentials({})
    with pytest.raises(ZeroDivisionError):
        made.client("x", lambda: 1 / 0)
    assert made.client("x", lambda: 5) == 5


def test_a_notice_is_heard_once() -> None:
    heard: list[str] = []
    made = Credentials.from_env({}, notify=heard.append)
    for text in ("a", "b", "a"):
        made.say(text)
    assert heard == ["a", "b"]
    Credentials({}).say("nobody listens")


@pytest.mark.parametrize(("timeout", "call", "key"), [(300, 20, 75), (30, 20, 30), (0.5, 0.5, 0.5)])
def test_the_limits_of_key_services(timeout: float, call: float, key: float) -> None:
    made = Credentials({}, timeout=timeout)
    assert (made.call_limit, made.key_limit) == (call, key)


@pytest.mark.parametrize("command", ["{folder}", "{folder}/plain.txt", "a\0b", "{folder}/plain.txt/x"])
def test_g_a_command_that_is_no_program(command: str, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("AGE-SECRET-KEY-1\n")
    made = Credentials({"SOPS_AGE_KEY_CMD": command.replace("{folder}", str(tmp_path))})
    (source,) = [each for each in made.age_sources() if each.variable == "SOPS_AGE_KEY_CMD"]
    assert source.read("age1x", made) is None
    assert "cannot be run: " in source.found or "was not found" in source.found
    assert source.broken
