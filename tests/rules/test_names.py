"""The names of a plaintext file and of its encrypted file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf.errors import InputError, MissingFileError, NotEncryptedError
from encconf.rules.config import Rule, encrypted_name, meant_by, plain_name, proposal_name, proposed_file


@pytest.mark.parametrize(
    ("plain", "encrypted"),
    [
        ("secrets.yaml", "secrets.enc.yaml"),
        ("a/b.c/secrets.yaml", "a/b.c/secrets.enc.yaml"),
        (".env", ".enc.env"),
        ("a/.env", "a/.enc.env"),
        (".env.local", ".env.enc.local"),
        ("x.sops.yaml", "x.sops.enc.yaml"),
    ],
)
def test_one_is_the_opposite_of_the_other(plain: str, encrypted: str) -> None:
    assert encrypted_name(plain).replace(os.sep, "/") == encrypted
    assert encrypted_name(encrypted) == ""
    assert plain_name(plain) == plain
    assert plain_name(encrypted).replace(os.sep, "/") == plain


def test_a_name_without_an_extension() -> None:
    assert encrypted_name("a.b/Makefile") == "a.b/Makefile.enc"


def test_what_is_the_name_of_a_proposal() -> None:
    assert proposed_file(proposal_name("a/b.yaml", "0123abcd")) == "a/b.yaml"
    for id in ("0123abc", "0123abcde", "0123abcg", "0123ABCD", ""):
        assert proposed_file(f"a/b.yaml.proposal-{id}.json") == "", id
    assert proposed_file("a/b.yaml.proposal-0123abcd.yaml") == ""
    assert proposed_file("a/.proposal-0123abcd.json") == ""


def test_a_rule_that_you_make_says_what_to_encrypt() -> None:
    assert Rule([[]]).selects


def test_which_file_is_meant(tmp_path: Path) -> None:
    """A similar name of a file that is missing, and the encrypted file of one that is not encrypted."""
    for name in ("secrets.yaml", "secrets.enc.yaml", "plain.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "folder.enc.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to("nowhere")
    missing, not_encrypted, other = MissingFileError("x"), NotEncryptedError(), InputError("x")
    meant = f"did you mean {tmp_path / 'secrets.enc.yaml'}?"
    for error, name, hint in (
        (missing, "secrets.enc.yml", meant),
        (missing, "secrte.enc.yaml", meant),
        (missing, "nothing-like-it.json", ""),
        (missing, "link.yaml", ""),
        (MissingFileError("x", hint="known"), "secrets.enc.yml", ""),
        (not_encrypted, "secrets.yaml", meant),
        (not_encrypted, "secrets.enc.yaml", ""),
        (not_encrypted, "plain.yaml", ""),
        (not_encrypted, "folder.yaml", ""),
        (other, "secrets.yaml", ""),
        (other, "secrets.enc.yml", ""),
    ):
        assert meant_by(error, str(tmp_path / name)) == hint, (error, name)
    none = tmp_path / "none"
    assert meant_by(missing, str(none / "x.yaml")) == f"the folder {none} does not exist"
