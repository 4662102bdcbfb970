"""Identities of age: files, passphrases and SSH keys, and what is said of one that cannot be used."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from keys.age_files import DATA_KEY, PASSPHRASE, child, credentials, opens
from keys.passphrase import armored, locked
from keys.terminal import on_terminal
from oracle import AgeKey as Pair
from oracle import Sops, clean_environ

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.keys.age import AgeKey, recipient_in


@pytest.fixture(scope="module")
def locked_file(alice: Pair) -> bytes:
    """Alice's identity file under a passphrase, armored."""
    return armored(locked(f"# alice\n{alice.identity}\n".encode(), PASSPHRASE))


def test_an_unusable_key_in_the_ssh_folder_breaks_nothing(
    ssh: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    shutil.copy(ssh["ecdsa"][0], tmp_path / ".ssh" / "id_rsa")
    path, public = ssh["ed25519"]
    key = AgeKey(public)
    enc = key.wrap(DATA_KEY, credentials())
    with pytest.raises(NotMyKeyError) as caught:
        key.unwrap(enc, credentials(tmp_path))
    assert "~/.ssh/id_ed25519 (an SSH key that age cannot use (ed25519 and RSA only))" in caught.value.message
    (tmp_path / ".ssh" / "id_rsa").write_bytes(path.read_bytes())
    assert key.unwrap(enc, credentials(tmp_path)) == DATA_KEY


@pytest.mark.parametrize(
    "line", ["AGE-SECRET-KEY-PQ-1ABC", "AGE-SECRET-KEY-1DAMAGED", "AGE-PLUGIN-X-1DAMAGED", "hello", "age1abc"]
)
def test_one_unusable_identity_does_not_hide_the_others(
    alice: Pair, bob: Pair, enc: str, line: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys.txt"
    file.write_text(f"{line}\n{alice.identity}\n")
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=str(file)))
    with pytest.raises(MasterKeyError) as caught:
        opens(
            bob, AgeKey(bob.recipient).wrap(DATA_KEY, credentials()), credentials(SOPS_AGE_KEY_FILE=str(file))
        )
    assert "; line 1: " in caught.value.message
    assert "DAMAGED" not in caught.value.message


@pytest.mark.parametrize(
    "variable", ["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"]
)
def test_a_key_in_the_wrong_variable_is_not_shown(
    alice: Pair, bob: Pair, variable: str, ssh: dict[str, tuple[Path, str]]
) -> None:
    key = AgeKey(ssh["ed25519"][1])
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(key.wrap(DATA_KEY, credentials()), credentials(**{variable: bob.identity}))
    assert f"{variable} (contains a private key instead of the name of a " in caught.value.message
    assert bob.identity[20:30] not in caught.value.message


def test_a_whole_key_file_in_the_wrong_variable_is_not_shown(alice: Pair, bob: Pair, enc: str) -> None:
    content = f"# created: today\n# public key: {bob.recipient}\n{bob.identity}\n"
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=content))
    assert bob.identity[20:30] not in caught.value.message


@pytest.mark.parametrize(
    ("place", "binary"),
    [("file", False), ("file", True), ("command", False), ("command", True), ("variable", False)],
)
def test_a_passphrase_opens_an_identity_file(
    alice: Pair, enc: str, locked_file: bytes, place: str, binary: bool, tmp_path: Path
) -> None:
    if binary:
        locked_file = base64.b64decode(b"".join(locked_file.splitlines()[1:-1]))
    file = tmp_path / "keys.age"
    file.write_bytes(locked_file)
    if place == "variable":
        environ = {"SOPS_AGE_KEY": locked_file.decode()}
    else:
        environ = {"SOPS_AGE_KEY_FILE": str(file)} if place == "file" else {"SOPS_AGE_KEY_CMD": f"cat {file}"}
    made = credentials(prompt=[PASSPHRASE], **environ)
    assert opens(alice, enc, made)
    assert opens(alice, enc, made)  # and it was asked for once


def test_a_passphrase_may_be_mistyped_twice(alice: Pair, enc: str, locked_file: bytes) -> None:
    made = credentials(prompt=["wrong", "wrong too", PASSPHRASE], SOPS_AGE_KEY=locked_file.decode())
    assert opens(alice, enc, made)
    assert opens(alice, enc, made)  # and it is not asked for again


def test_a_passphrase_is_asked_for_only_when_nothing_else_opens(
    alice: Pair, enc: str, locked_file: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "keys.age"
    file.write_bytes(locked_file)
    made = credentials(prompt=[], SOPS_AGE_KEY_FILE=str(file), SOPS_AGE_KEY_CMD=f"echo {alice.identity}")
    assert opens(alice, enc, made)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (None, "needs a passphrase, and encconf cannot ask for it without a terminal"),
        ([""], "needs a passphrase, and none was given"),
        (["wrong", ""], "the passphrase does not open SOPS_AGE_KEY"),
        (["wrong", "wrong", "wrong", PASSPHRASE], "the passphrase does not open SOPS_AGE_KEY"),
    ],
)
def test_a_locked_identity_file_says_what_it_lacks(
    alice: Pair, enc: str, locked_file: bytes, answers: list[str] | None, says: str
) -> None:
    made = credentials(prompt=answers, SOPS_AGE_KEY=locked_file.decode())
    for _ in range(2):  # the second time it is not asked again
        with pytest.raises(MasterKeyError) as caught:
            opens(alice, enc, made)
        assert not isinstance(caught.value, NotMyKeyError)
        assert says in caught.value.message
        assert "SOPS_AGE_KEY (protected by a passphrase)" in caught.value.message


def test_an_unlocked_identity_file_without_a_key_is_not_shown_as_locked(bob: Pair) -> None:
    recipient = AgeKey(bob.recipient)
    made = credentials(prompt=[PASSPHRASE], SOPS_AGE_KEY=armored(locked(b"# nothing\n", PASSPHRASE)).decode())
    with pytest.raises(MasterKeyError, match=r"SOPS_AGE_KEY \(no key\)"):
        recipient.unwrap(recipient.wrap(DATA_KEY, made), made)


def test_an_unlocked_identity_file_is_shown_with_its_keys(bob: Pair, alice: Pair, locked_file: bytes) -> None:
    key = AgeKey(bob.recipient)
    made = credentials(prompt=[PASSPHRASE], SOPS_AGE_KEY=locked_file.decode())
    with pytest.raises(NotMyKeyError, match=rf"SOPS_AGE_KEY \(1 key: {alice.recipient[:8]}…"):
        key.unwrap(key.wrap(DATA_KEY, made), made)


def test_an_identity_file_encrypted_for_a_key_is_refused_clearly(alice: Pair, enc: str) -> None:
    with pytest.raises(MasterKeyError, match="SOPS_AGE_KEY is not encrypted with a passphrase"):
        opens(alice, enc, credentials(prompt=["x"], SOPS_AGE_KEY=enc))


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "rsa-pem", "rsa-pkcs8"])
def test_a_passphrase_opens_an_ssh_key(kind: str, ssh: dict[str, tuple[Path, str]]) -> None:
    path, public = ssh[f"locked-{kind}"]
    key = AgeKey(public)
    environ = {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(path)}
    enc = key.wrap(DATA_KEY, credentials())
    made = credentials(prompt=[PASSPHRASE], **environ)
    assert key.unwrap(enc, made) == DATA_KEY
    assert key.unwrap(enc, made) == DATA_KEY
    with pytest.raises(MasterKeyError, match="the passphrase does not open SOPS_AGE_SSH_PRIVATE_KEY_FILE="):
        key.unwrap(enc, credentials(prompt=["wrong", ""], **environ))
    with pytest.raises(MasterKeyError, match="encconf cannot ask for it without a terminal"):
        key.unwrap(enc, credentials(**environ))
    # By a command the public half is not beside it, which only the old formats need.
    assert (
        key.unwrap(enc, credentials(prompt=[PASSPHRASE], SOPS_AGE_SSH_PRIVATE_KEY_CMD=f"cat {path}"))
        == DATA_KEY
    )


@pytest.mark.parametrize("kind", ["ed25519", "rsa-pem"])
def test_a_locked_ssh_key_is_not_asked_about_for_another_file(
    kind: str, ssh: dict[str, tuple[Path, str]]
) -> None:
    key = AgeKey(ssh[kind][1])
    path = ssh[f"locked-{kind}"][0]
    made = credentials(path.parent, prompt=[], SOPS_AGE_SSH_PRIVATE_KEY_FILE=f"~/{path.name}")
    with pytest.raises(NotMyKeyError, match=r"\(protected by a passphrase: ssh-(ed25519|rsa) …"):
        key.unwrap(key.wrap(DATA_KEY, made), made)


def test_without_bcrypt_a_locked_ssh_key_says_so(ssh: dict[str, tuple[Path, str]]) -> None:
    path, public = ssh["locked-ed25519"]
    program = """
        import sys
        sys.modules["bcrypt"] = None
        from encconf.identities.credentials import Credentials
        from encconf.errors import MasterKeyError
        from encconf.keys.age import AgeKey
        key = AgeKey(sys.argv[1])
        credentials = Credentials.from_env()
        credentials.prompt = lambda question: "correct horse"
        try:
            key.unwrap(key.wrap(bytes(32), credentials), credentials)
        except MasterKeyError as error:
            print(error.message.splitlines()[0], "/", error.hint)
    """
    said = child(program, public, SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(path))
    assert said == "a passphrase-protected SSH key needs the package bcrypt / pip install bcrypt\n"


UNWRAP = """
    import sys
    from encconf.identities.credentials import Credentials
    from encconf.keys.age import AgeKey
    print(AgeKey(sys.argv[1]).unwrap(open(sys.argv[2]).read(), Credentials.from_env()).hex())
"""


def test_the_passphrase_is_asked_for_on_a_terminal_and_not_echoed(alice: Pair, tmp_path: Path) -> None:
    """The identity file is made by ``age -p``; sops and encconf both open it."""
    plain, locked, file = tmp_path / "plain", tmp_path / "keys.age", tmp_path / "enc.json"
    plain.write_text(f"{alice.identity}\n")
    environ = clean_environ({"SOPS_AGE_KEY_FILE": str(locked), "PYTHONPATH": os.pathsep.join(sys.path)})
    twice = [("Enter passphrase", PASSPHRASE), ("onfirm passphrase", PASSPHRASE)]
    code, screen = on_terminal(["age", "-p", "-a", "-o", str(locked), str(plain)], twice, environ)
    assert code == 0, screen

    sops = Sops(alice.environ())
    text = sops.encrypt('{"a": "b"}', "json", age=alice.recipient)
    file.write_text(text)
    once = [("Enter passphrase for", PASSPHRASE)]
    code, screen = on_terminal([sops.binary, "decrypt", str(file)], once, environ)
    assert code == 0, screen

    enc = tmp_path / "enc"
    enc.write_text(json.loads(text)["sops"]["age"][0]["enc"])
    program = [sys.executable, "-c", textwrap.dedent(UNWRAP), alice.recipient, str(enc)]
    code, screen = on_terminal(program, once, environ)
    assert code == 0, screen
    assert f"Enter passphrase for SOPS_AGE_KEY_FILE={locked}: " in screen
    assert PASSPHRASE not in screen
    known = AgeKey(alice.recipient).unwrap(enc.read_text(), credentials(SOPS_AGE_KEY=alice.identity))
    assert known.hex() in screen


def test_nothing_is_asked_without_a_terminal(
    alice: Pair, enc: str, locked_file: bytes, tmp_path: Path
) -> None:
    (tmp_path / "enc").write_text(enc)
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(UNWRAP), alice.recipient, str(tmp_path / "enc")],
        env=clean_environ({"PYTHONPATH": os.pathsep.join(sys.path), "SOPS_AGE_KEY": locked_file.decode()}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "needs a passphrase, and encconf cannot ask for it without a terminal" in result.stderr


def test_the_recipient_in_a_key_file() -> None:
    pem = b"-----BEGIN RSA PRIVATE KEY-----\nnot a key\n-----END RSA PRIVATE KEY-----\n"
    assert recipient_in(pem) is None
    assert recipient_in(b"# a comment\n") is None
    pair = Pair.generate()
    assert recipient_in(f"# created\n{pair.identity}\n".encode()) == pair.recipient
