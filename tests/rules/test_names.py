"""The names of a plaintext file and of its encrypted file."""

from __future__ import annotations

import os

import pytest

from encconf.rules.config import Rule, encrypted_name, plain_name, proposal_name, proposed_file


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
