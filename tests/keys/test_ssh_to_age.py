"""The age keys of SSH keys: as ssh-to-age makes them, and files that they open."""

from __future__ import annotations

import subprocess
from binascii import a2b_base64, b2a_base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oracle import FIXTURES, Sops

from encconf import decrypt
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import ssh
from encconf.keys.age import AgeKey

DATA_KEY = bytes(range(32))
ANSWERS = [line.split(" ", 3) for line in (FIXTURES / "ssh-to-age" / "answers.txt").read_text().splitlines()]


def private(seed: str, passphrase: bytes = b"", format: str = "OpenSSH") -> bytes:
    protection = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, format), protection
    )


def credentials(home: Path, prompt: list[str] | None = None, **environ: str) -> Credentials:
    answers = iter(prompt or [])
    return Credentials(
        environ, home=str(home), prompt=(lambda _: next(answers)) if prompt is not None else None
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.mark.parametrize(("seed", "recipient", "identity", "public"), ANSWERS)
def test_the_answers_are_those_of_the_real_tool(
    seed: str, recipient: str, identity: str, public: str
) -> None:
    assert ssh.recipient(public) == recipient
    assert ssh.identity(private(seed)) == identity
    assert ssh.identity(private(seed, format="PKCS8")) == identity


@pytest.mark.parametrize(
    "public",
    [
        *("", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 A", "ssh-ed25519 AAAA"),
        f"ssh-ed25519 {ANSWERS[0][3].split()[1][:-8]}",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  # y = 1
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP///////////////////////////////////////38=",  # y > p
    ],
)
def test_other_keys_are_refused(public: str) -> None:
    with pytest.raises(BadKeyError):
        ssh.recipient(public)


@pytest.mark.parametrize("format", ["OpenSSH", "PKCS8"])
@pytest.mark.parametrize("place", ["home", "variable", "source"])
def test_an_ssh_key_opens_a_file_for_its_age_recipient(home: Path, place: str, format: str) -> None:
    seed, recipient, _, _ = ANSWERS[0]
    environ = {}
    path = home / ".ssh" / "id_ed25519"
    if place != "home":
        path = home / "host_key"
        variable, value = {
            "variable": ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", str(path)),
            "source": ("ENCCONF_IDENTITY", f"file:{path}"),
        }[place]
        environ[variable] = value
    path.write_bytes(private(seed, format=format))
    path.chmod(0o600)
    made = credentials(home, **environ)
    enc = AgeKey(recipient).wrap(DATA_KEY, made)
    assert AgeKey(recipient).unwrap(enc, made) == DATA_KEY


def test_the_passphrase_is_asked_for_only_for_the_key_s_own_recipient(home: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_bytes(private(ANSWERS[0][0], b"hunter2"))
    own, other = AgeKey(ANSWERS[0][1]), AgeKey(ANSWERS[1][1])
    enc = own.wrap(DATA_KEY, credentials(home))
    assert own.unwrap(enc, credentials(home, ["hunter2"])) == DATA_KEY
    with pytest.raises(MasterKeyError, match=r"the passphrase does not open ~/\.ssh/id_ed25519"):
        own.unwrap(enc, credentials(home, ["wrong", ""]))
    with pytest.raises(NotMyKeyError) as caught:
        other.unwrap(other.wrap(DATA_KEY, credentials(home)), credentials(home, []))
    assert ".ssh" not in caught.value.message


def test_locked_keys_of_one_recipient_are_asked_for_in_the_order_of_their_places(home: Path) -> None:
    own = AgeKey(ANSWERS[0][1])
    for name in ("first", ".ssh/id_ed25519"):
        (home / name).write_bytes(private(ANSWERS[0][0], b"hunter2"))
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question.removeprefix("Enter passphrase for "))
        return "hunter2" if "id_ed25519" in question else "wrong" if len(asked) == 1 else ""

    environ = {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(home / "first")}
    made = Credentials(environ, home=str(home), prompt=prompt)
    assert own.unwrap(own.wrap(DATA_KEY, made), made) == DATA_KEY
    assert asked == [
        "SOPS_AGE_SSH_PRIVATE_KEY_FILE=~/first: ",
        "Wrong passphrase, try again for SOPS_AGE_SSH_PRIVATE_KEY_FILE=~/first: ",
        "~/.ssh/id_ed25519: ",
    ]


def test_a_damaged_key_is_named_and_hides_no_other(home: Path) -> None:
    seed, recipient, identity, _ = ANSWERS[0]
    lines = private(seed).split(b"\n")
    body = bytearray(a2b_base64(b"".join(lines[1:-2])))
    public = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key().public_bytes_raw()
    body[body.index(public) + 31] ^= 0x80  # the sign of the point, which the recipient does not depend on
    (home / ".ssh" / "id_ed25519").write_bytes(
        b"\n".join([lines[0], b2a_base64(body, newline=False), *lines[-2:]])
    )
    key = AgeKey(recipient)
    enc = key.wrap(DATA_KEY, credentials(home))
    with pytest.raises(MasterKeyError, match=r"~/\.ssh/id_ed25519 is a damaged SSH private key"):
        key.unwrap(enc, credentials(home))
    assert key.unwrap(enc, credentials(home, SOPS_AGE_KEY=identity)) == DATA_KEY


def test_several_keys(home: Path) -> None:
    """The place that a variable names has a stranger's key; the one in the home folder is the right one."""
    stranger = home / "stranger"
    stranger.write_bytes(private(ANSWERS[1][0]))
    (home / ".ssh" / "id_ed25519").write_bytes(private(ANSWERS[2][0]))
    made = credentials(home, SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(stranger))
    key = AgeKey(ANSWERS[2][1])
    assert key.unwrap(key.wrap(DATA_KEY, made), made) == DATA_KEY


def test_a_file_of_the_real_sops(sops: Sops, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_bytes(private(ANSWERS[0][0]))
    text = sops.encrypt("a: 1\n", "yaml", age=ANSWERS[0][1])
    monkeypatch.setenv("HOME", str(home))
    assert decrypt(text) == "a: 1\n"
    assert sops.with_environ({"SOPS_AGE_KEY": ANSWERS[0][2]}).decrypt(text, "yaml") == "a: 1\n"


def test_a_key_that_ssh_keygen_made(home: Path) -> None:
    path = home / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    key = AgeKey(ssh.recipient(path.with_suffix(".pub").read_text()))
    made = credentials(home)
    assert key.unwrap(key.wrap(DATA_KEY, made), made) == DATA_KEY
