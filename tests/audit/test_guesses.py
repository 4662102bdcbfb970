"""Was a plaintext file meant to be encrypted, and does it hold anything to hide?"""

from __future__ import annotations

import subprocess

import pytest
from audit.repo import BOB, DATABASE, Repo, rule, seal

from encconf.audit import guesses
from encconf.keys import agepq


def test_folders_of_tests_and_what_was_left_behind(repo: Repo) -> None:
    other = seal(DATABASE, rule(BOB))
    for folder in ("testdata", "_archive", "live"):
        repo.write(f"{folder}/a.enc.yaml", other)
    assert repo.said() == {
        "testdata/a.enc.yaml": ("keys-differ", "warning"),
        "_archive/a.enc.yaml": ("keys-differ", "warning"),
        "live/a.enc.yaml": ("keys-differ", "error"),
    }


@pytest.mark.parametrize(
    ("name", "says", "read"),
    [
        ("secrets.yaml", True, False),
        ("web/secrets/db.yaml", True, False),
        ("a.enc.yaml", True, False),
        ("values.yaml", False, False),
        ("secretary/notes.yaml", False, False),
        ("secrets.example.yaml", True, True),
        ("secret.yaml.j2", True, True),
        ("secrets/id.pub", True, True),
        (".env.sample", False, True),
    ],
)
def test_what_names_say(name: str, says: bool, read: bool) -> None:
    assert (guesses.says_secret(name), guesses.is_public(name)) == (says, read)


def test_an_ssh_key_and_its_passphrase(repo: Repo) -> None:
    for name, words, cipher in (
        ("open", "", "aes256-ctr"),
        ("locked", "correct horse", "aes256-ctr"),
        ("locked too", "correct horse", "chacha20-poly1305@openssh.com"),
    ):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", words, "-Z", cipher]
        subprocess.run([*command, "-f", str(repo.folder / name)], check=True)
    assert repo.said() == {"open": ("private-key", "error")}


def test_a_post_quantum_identity(repo: Repo) -> None:
    repo.write("keys.txt", f"# mine\n{agepq.Identity.generate().secret()}\n")
    assert repo.said() == {"keys.txt": ("private-key", "error")}


def test_comments_for_programs(repo: Repo) -> None:
    repo.write(
        "a.enc.yaml", "# yaml-language-server: $schema=x\n# vim: ft=yaml\n" + seal("a: correct horse\n")
    )
    assert repo.only("plain-comment") == []


def test_objects_are_distinguished_without_parsing() -> None:
    one = b"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"
    assert guesses.only_other_objects(one)
    assert guesses.only_other_objects(b"---\n" + one + b"---\n" + one)
    assert not guesses.only_other_objects(one + b"---\n" + one.replace(b"ConfigMap", b"Secret"))
    assert not guesses.only_other_objects(one + b"---\npassword: x\n")
    assert not guesses.only_other_objects(b"password: x\n")
