"""Plaintext files that may have been meant to be encrypted."""

from __future__ import annotations

import json

import pytest
from audit.checked import ONLY_PASSWORD, A
from audit.repo import Repo, rule, seal


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("secrets.yaml", "warning"),
        ("prod-secrets.json", "warning"),
        ("x.enc.yaml", "error"),
        ("x.sops.json", "error"),
        ("external-secret.yaml", None),
        ("values.yaml", None),
        ("README.md", None),
        (".sops.yaml", None),
    ],
)
def test_under_a_rule_for_everything_the_name_says_what_is_meant(
    repo: Repo, name: str, severity: str | None
) -> None:
    for rules in (f"  - {A}", f"  - path_regex: .*\n    {A}"):
        repo.config(rules)
        if name != ".sops.yaml":
            repo.write(name, '{"password": "correct horse"}\n')
        found = {each.slug: each.severity for each in repo.check().findings if each.slug != "unused-rule"}
        assert found == ({"not-encrypted": severity} if severity else {})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("postgres://app:correct-horse@db.example/app", True),
        ("postgres://app:${PASSWORD}@db.example/app", False),
        ("https://db.example:5432/a@b", False),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", True),
        ("-----BEGIN PUBLIC KEY-----", False),
        ("AGE-SECRET-" + "KEY-1QQQQ", True),
        ("ghp" + "_0123456789abcdefghij", True),
        ("eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0.c2lnbmF0dXJl", True),
        ("the ghp_ of a token", False),
        ("us-east-1", False),
    ],
)
def test_a_neighbour_that_looks_like_a_secret(repo: Repo, value: str, found: bool) -> None:
    repo.rules("encrypted_regex: ^password$")
    plain = f"password: correct horse\nplace: {json.dumps(value)}\n"
    repo.write("a.enc.yaml", seal(plain, rule(selection=ONLY_PASSWORD)))
    said = [(each.slug, each.path) for each in repo.check().findings]
    assert said == ([("plain-secret", "place")] if found else [])
