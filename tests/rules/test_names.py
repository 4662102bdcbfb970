"""The names of a plaintext file and of its encrypted file."""

from __future__ import annotations

import os

import pytest

from encconf.rules.config import encrypted_name, plain_name


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
