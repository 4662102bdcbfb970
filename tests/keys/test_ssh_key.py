"""SSH private keys as age takes them, whatever they are kept in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from encconf.keys import ssh

PASSPHRASE = b"correct horse"


def made(kind: str, *, passphrase: bytes | None = None) -> tuple[bytes, str]:
    """A new private key in OpenSSH's format, and its public line without a comment."""
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, lock)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private, public.decode()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_the_public_key_is_read_without_opening_the_private_one(kind: str) -> None:
    private, public = made(kind)
    assert ssh.openssh(private) == (public, False)
    private, public = made(kind, passphrase=PASSPHRASE)
    assert ssh.openssh(private) == (public, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nA\n-----END",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nYWJj\n-----END",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END",  # its magic and nothing more
        b"-----BEGIN RSA PRIVATE KEY-----\nYWJj\n-----END RSA PRIVATE KEY-----\n",
    ],
)
def test_what_is_no_key(data: bytes) -> None:
    assert ssh.openssh(data) == ("", False)


def test_a_key_that_was_cut_off_raises_nothing() -> None:
    private, public = made("ed25519")
    lines = private.splitlines(keepends=True)
    for end in range(len(lines)):
        found, _ = ssh.openssh(b"".join(lines[:end]))
        assert len(found) < len(public) or found == public


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_locked_key_is_written_without_its_passphrase(kind: str) -> None:
    private, public = made(kind, passphrase=PASSPHRASE)
    plain = ssh.reserialised(private, PASSPHRASE)
    assert ssh.openssh(plain) == (public, False)


def test_a_key_of_openssl_too() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(PASSPHRASE),
    )
    plain = ssh.reserialised(pem, PASSPHRASE)
    assert ssh.private_key(plain, None).private_numbers() == key.private_numbers()


@pytest.mark.parametrize("passphrase", [b"wrong", None])
def test_a_wrong_passphrase(passphrase: bytes | None) -> None:
    private, _ = made("ed25519", passphrase=PASSPHRASE)
    with pytest.raises((ValueError, TypeError)):
        ssh.reserialised(private, passphrase)


def test_the_public_key_beside_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "id"
    _, public = made("ed25519")
    assert ssh.public_beside(str(path)) == ""
    Path(f"{path}.pub").write_text(f"{public} me@example.test\n")
    assert ssh.public_beside(str(path)) == public
    for other in (b"\xff\xfe", b"x" * (1 << 17), b"ssh-ed25519", b"ssh-ed25519 AAA", b""):
        Path(f"{path}.pub").write_bytes(other)
        assert ssh.public_beside(str(path)) == ""


def test_as_ssh_keygen_writes_it(tmp_path: Path) -> None:
    for options, locked in ((["-N", ""], False), (["-N", "correct horse"], True)):
        path = tmp_path / f"key-{locked}"
        command = ["ssh-keygen", "-q", "-t", "ed25519", *options, "-f", str(path)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        assert ssh.openssh(path.read_bytes()) == (ssh.public_beside(str(path)), locked)
