from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf.errors import DuplicateKeyTypeError, MasterKeyError, UsageError
from encconf.identities import credentials
from encconf.identities.credentials import AgeSource, Credentials


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


@pytest.mark.parametrize(
    ("values", "wanted"),
    [  # as Go's strconv.ParseBool
        (["1", "t", "T", "TRUE", "true", "True"], True),
        (["0", "f", "F", "FALSE", "false", "False"], False),
    ],
)
def test_a_variable_that_is_true_or_false(values: list[str], wanted: bool) -> None:
    for value in values:
        made = Credentials.from_env({"SOPS_ENABLE_LOCAL_KEYSERVICE": value, "ENCCONF_INSECURE_REMOTE": value})
        assert (made.local_key_service, made.insecure_remote) == (wanted, wanted)
    for environ in ({}, {"SOPS_ENABLE_LOCAL_KEYSERVICE": "", "ENCCONF_INSECURE_REMOTE": ""}):
        made = Credentials.from_env(environ)
        assert (made.local_key_service, made.insecure_remote) == (True, False)
    for name in ("SOPS_ENABLE_LOCAL_KEYSERVICE", "ENCCONF_INSECURE_REMOTE"):
        for value in ("yes", "tRUE", "2", " "):
            with pytest.raises(UsageError, match=f"{name} must be true or false"):
                Credentials.from_env({name: value})


def test_an_answer_that_nobody_gives() -> None:
    def ended(question: str) -> str:
        raise EOFError

    for prompt, why in (
        (None, "encconf cannot ask for it without a terminal"),
        (ended, "none was given"),
        (lambda question: "", "none was given"),
    ):
        made = Credentials({}, prompt=prompt)
        assert made.typed("PIN") == ""
        with pytest.raises(MasterKeyError) as caught:
            made.ask("PIN", "the key needs a PIN", "try again")
        assert (caught.value.message, caught.value.hint) == (f"the key needs a PIN, and {why}", "try again")
    assert Credentials({}, prompt=lambda question: f"{question}!").ask("PIN", "") == "PIN!"


def test_nothing_is_asked_when_stdin_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
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
    Credentials({}).say("no listener")


@pytest.mark.parametrize(("timeout", "call", "key"), [(300, 20, 75), (30, 20, 30), (0.5, 0.5, 0.5)])
def test_the_limits_of_key_services(timeout: float, call: float, key: float) -> None:
    made = Credentials({}, timeout=timeout)
    assert (made.call_limit, made.key_limit) == (call, key)


@pytest.mark.parametrize("command", ["{folder}", "{folder}/plain.txt", "a\0b", "{folder}/plain.txt/x"])
def test_a_command_that_is_no_program(command: str, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("AGE-SECRET-KEY-1\n")
    made = Credentials({"SOPS_AGE_KEY_CMD": command.replace("{folder}", str(tmp_path))})
    (source,) = [each for each in made.age_sources() if each.variable == "SOPS_AGE_KEY_CMD"]
    assert source.read("age1x", made) is None
    assert "cannot be run: " in source.found or "was not found" in source.found
    assert source.broken


def test_what_moves_to_another_environment() -> None:
    made = Credentials(
        {"A": "1"}, home="/h", config_home="/c", platform="linux", key_services=["x"], timeout=5
    )
    moved = made.moved({"A": "2"})
    assert (moved.environ, moved.home, moved.config_home, moved.platform) == ({"A": "2"}, "/h", "/c", "linux")
    assert (moved.key_services, moved.timeout, moved.prompt, moved.notify) == ([], 300, None, None)


def test_each_action_is_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    Credentials({}).audit("decrypt", "text")
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(credentials, "auditing", lambda action, text: seen.append((action, text)))
    Credentials({}).audit("decrypt", "text")
    assert seen == [("decrypt", "text")]
