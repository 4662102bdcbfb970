"""What is read from identities of age in every form, without opening a file with them."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest
from keys.age_files import PASSPHRASE, credentials
from keys.passphrase import armored, locked
from keys.plugin import generate
from oracle import AgeKey as Pair

from encconf.errors import MasterKeyError, MissingExtraError
from encconf.identities.credentials import Credentials
from encconf.keys import ssh as ssh_keys
from encconf.keys.age import (
    Conversation,
    Locked,
    identities_in,
    identity_of,
    is_locked,
    is_own,
    label_of,
    parse,
    rage,
    recipient_in,
    said,
)

ONE, TWO = Pair.generate(), Pair.generate()
PLUGIN, PLUGIN_IDENTITY = generate()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"# created\n# public key: {ONE.recipient}\n{ONE.identity}\n", ONE.recipient),
        (f"{ONE.identity}\n{TWO.identity}\n", ONE.recipient),
        # What a comment says of an ordinary key does not count, but it is all that is known of a plugin's.
        (f"# public key: {TWO.recipient}\n{ONE.identity}\n", ONE.recipient),
        (f"# recipient: {PLUGIN}\n{PLUGIN_IDENTITY}\n", PLUGIN),
        (f"# {PLUGIN}\n# {TWO.recipient}\n{PLUGIN_IDENTITY}\n", PLUGIN),
        (f"{PLUGIN_IDENTITY}\n{ONE.identity}\n", ONE.recipient),
        (f"AGE-SECRET-KEY-1DAMAGED\n{ONE.identity}\n", ONE.recipient),
        ("AGE-SECRET-KEY-1DAMAGED\n", None),
        (f"{ONE.recipient}\n", None),
        (f"{PLUGIN_IDENTITY}\n", None),
        ("", None),
        ("\xff\n", None),
    ],
    ids=count(),  # the keys differ in every run
)
def test_the_recipient_in_a_file(text: str, wanted: str | None) -> None:
    assert recipient_in(text.encode("latin-1")) == wanted


def test_the_recipient_of_an_ssh_key(ssh: dict[str, tuple[Path, str]]) -> None:
    for kind in ("ed25519", "rsa", "locked-ed25519", "locked-rsa"):
        path, public = ssh[kind]
        assert recipient_in(path.read_bytes()) == " ".join(public.split()[:2])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"'{ONE.identity}'", "its quotes are part of the value: remove them"),
        (f'"{ONE.identity}', "its quotes are part of the value: remove them"),
        (ONE.recipient, "a recipient, not an identity"),
        ("~/keys.txt", "perhaps a path: use SOPS_AGE_KEY_FILE for those"),
        ("C:\\keys.txt", "perhaps a path: use SOPS_AGE_KEY_FILE for those"),
        ("hello", "not an age identity"),
        (ONE.identity.lower(), "not an age identity"),
        ("AGE-SECRET-KEY-1DAMAGED", "a damaged age identity"),
        ("AGE-PLUGIN-X-1DAMAGED", "a damaged age identity"),
        ("AGE-SECRET-KEY-PQ-1DAMAGED", "a damaged age identity"),
    ],
    ids=count(),
)
def test_what_is_no_identity(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$") as caught:
        identity_of(text)
    assert text not in str(caught.value)
    # In a variable, each word is one; in a file, each line.
    assert parse(text.encode(), several=True) == ([], [says])
    found, problems = parse(f"# x\n\n  {text}\n{ONE.identity}\n".encode(), several=False)
    assert problems == [f"line 3: {says}"]
    assert [each.public() for each in found] == [ONE.recipient]


def test_identities_in_words_and_lines() -> None:
    text = f"\n  {ONE.identity}\t{TWO.identity} # no comment\n# {ONE.identity}\n".encode()
    both = [ONE.recipient, TWO.recipient]
    found, problems = parse(b"\xef\xbb\xbf" + text, several=True)
    assert [each.public() for each in found] == both
    assert problems == ["not an age identity"] * 3
    found, problems = parse(f"{ONE.identity}\n{TWO.identity}\n".encode(), several=False)
    assert ([each.public() for each in found], problems) == (both, [])
    assert parse(b"\xff", several=True) == ([], ["not a text"])
    found, problems = parse(
        f"{ONE.identity}\n-----BEGIN OPENSSH PRIVATE KEY-----\nx\n".encode(), several=True
    )
    assert [each.public() for each in found] == both[:1]
    assert problems == ["an SSH private key: use SOPS_AGE_SSH_PRIVATE_KEY_FILE for those"]
    assert parse(b"# nothing\n\n", several=True) == ([], [])


def test_without_pyrage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(MissingExtraError, match="age keys need the package pyrage"):
        rage()
    found, problems = parse(f"{ONE.identity}\n{TWO.identity}\nx\n".encode(), several=False)
    assert (found, problems) == ([], ["age keys need the package pyrage", "line 3: not an age identity"])
    assert recipient_in(ONE.identity.encode()) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("x", "not an age identity"),
        ("x y", "not an age identity; not an age identity"),
        ("w x y z", "not an age identity; not an age identity; not an age identity"),
        (f"# created {ONE.identity}", "all of it is a comment: its line breaks were lost"),
        (f"# created {ONE.identity.lower()}", "all of it is a comment: its line breaks were lost"),
        ("# nothing", ""),
    ],
    ids=count(),
)
def test_what_is_said_of_a_variable(value: str, says: str) -> None:
    made = Credentials({"SOPS_AGE_KEY": value}, home="/nonexistent")
    (source,) = [each for each in made.age_sources() if each.how == "text"]
    assert identities_in(source, ONE.recipient, made) == []
    assert (source.found, source.broken) == (says, bool(says))


@pytest.mark.parametrize("once", [True, False])
def test_how_often_a_command_runs(tmp_path: Path, once: bool) -> None:
    """For each recipient, or once for all if it has printed an identity."""
    log, key = tmp_path / "log", tmp_path / "key"
    script = tmp_path / "keys"
    script.write_text(f"#!/bin/sh\necho run >> {log}\ncat {key}\n")
    script.chmod(0o700)
    made = Credentials({"SOPS_AGE_KEY_CMD": str(script), "PATH": "/usr/bin:/bin"}, home="/nonexistent")
    made.commands_once = once
    (source,) = [each for each in made.age_sources() if each.how == "command" and not each.ssh]
    key.write_text("# none yet\n")
    assert identities_in(source, "age1x", made) == []
    key.write_text(f"{ONE.identity}\n")
    for recipient in ("age1y", "age1z", "age1y"):
        assert [each.public() for each in identities_in(source, recipient, made)] == [ONE.recipient]  # type: ignore[union-attr, operator]
    assert log.read_text().count("run") == (2 if once else 3)
    assert source.reused == once


def test_what_is_under_a_passphrase() -> None:
    file = locked(f"{ONE.identity}\n".encode(), PASSPHRASE)
    for data in (file, armored(file), b"\n\n" + armored(file)):
        assert is_locked(data)
    for text in (ONE.identity, "", "-----BEGIN OPENSSH PRIVATE KEY-----", "x age-encryption.org"):
        assert not is_locked(text.encode())


def test_a_passphrase_that_a_source_has(tmp_path: Path) -> None:
    """A wrong one is asked for again, if a person is there."""
    file = armored(locked(f"{ONE.identity}\n".encode(), PASSPHRASE)).decode()
    for given, prompt, opens in (
        (PASSPHRASE, None, True),
        (PASSPHRASE, [], True),
        ("wrong", None, False),
        ("wrong", [PASSPHRASE], True),
    ):
        made = credentials(prompt=prompt, SOPS_AGE_KEY=file, ENCCONF_AGE_PASSPHRASE="env:GIVEN", GIVEN=given)
        made.home = "/nonexistent"
        (source,) = [each for each in made.age_sources() if each.how == "text"]
        (lock,) = identities_in(source, ONE.recipient, made)
        assert isinstance(lock, Locked)
        assert not is_own(ONE.recipient, made)  # nobody is asked for that
        if opens:
            assert [each.public() for each in lock.unlock([], made)] == [ONE.recipient]
            assert is_own(ONE.recipient, made)
            assert not is_own(TWO.recipient, made)
        else:
            with pytest.raises(
                MasterKeyError, match=r"does not open SOPS_AGE_KEY \(by ENCCONF_AGE_PASSPHRASE"
            ):
                lock.unlock([], made)


def test_which_recipients_are_yours(ssh: dict[str, tuple[Path, str]], tmp_path: Path) -> None:
    path, public = ssh["ed25519"]
    derived = ssh_keys.recipient(public)
    other = ssh["rsa"]
    for name, (file, line) in (("plain", (path, public)), ("locked", ssh["locked-ed25519"]), ("rsa", other)):
        made = Credentials({"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(file)}, home="/nonexistent")
        short = " ".join(line.split()[:2])
        assert is_own(short, made), name
        assert is_own(f"{short} alice@laptop", made), name
        assert not is_own(ONE.recipient, made), name
        assert not is_own(PLUGIN, made), name
        assert is_own(derived, made) == (line == public or ssh_keys_recipient(line) == derived), name
    made = Credentials({"SOPS_AGE_KEY": f"{ONE.identity} {PLUGIN_IDENTITY}"}, home="/nonexistent")
    assert [is_own(each, made) for each in (ONE.recipient, TWO.recipient, derived)] == [True, False, False]


def ssh_keys_recipient(line: str) -> str:
    return ssh_keys.recipient(line) if line.startswith("ssh-ed25519 ") else ""


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("y", True),
        (" YES ", True),
        ("sure", True),
        ("Sure", True),
        ("n", False),
        ("", False),
        ("nope", False),
    ],
)
def test_the_questions_of_a_plugin(answer: str, wanted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        return answer

    with Conversation(Credentials({}, prompt=prompt)) as person:
        assert person.confirm("Touch\x1b it?", "Sure", "no\x1bpe") is wanted
        assert person.confirm("Touch it?", "Sure", None) is wanted
        assert person.request_public_string("Name") == answer
        assert person.request_passphrase("PIN") == answer
        person.display_message("hel\x1blo")
    assert asked == ["Touch? it? (Sure/no?pe) ", "Touch it? (Sure/no) ", "Name: ", "PIN: "]
    assert capsys.readouterr() == ("", "hel?lo\n")


def test_a_plugin_where_nobody_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with Conversation(Credentials({})) as person:
        assert person.confirm("Touch it?", "yes", "no") is None
        assert person.request_public_string("Name") is None
        assert person.request_passphrase("PIN") is None
        person.display_message("hello")
    assert capsys.readouterr() == ("", "")


def test_an_answer_that_is_interrupted_is_not_asked_for_again() -> None:
    """The error comes where the plugin has ended."""
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        raise KeyboardInterrupt

    person = Conversation(Credentials({}, prompt=prompt)).__enter__()
    assert person.request_passphrase("PIN") is None
    assert person.confirm("Touch it?", "yes", "no") is None
    with pytest.raises(KeyboardInterrupt):
        person.__exit__()
    assert asked == ["PIN: "]


def test_how_things_are_shown(ssh: dict[str, tuple[Path, str]]) -> None:
    assert label_of(ONE.recipient) == f"{ONE.recipient[:8]}…{ONE.recipient[-4:]}"
    assert label_of("age-plugin-yubikey") == "age-plugin-yubikey"
    kind, body, *_ = ssh["ed25519"][1].split()
    assert label_of(f"{kind} {body}") == label_of(f"{kind} {body} alice@laptop") == f"{kind} …{body[-8:]}"
    for text, wanted in (
        ("a\u2068b\u2069", "ab"),
        ("a\n  b\tc ", "a b c"),
        ("a b", "a b"),
        ("\x1b[2J", "[2J"),
    ):
        assert said(ValueError(text)) == wanted
