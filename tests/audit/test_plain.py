"""Plaintext files that may have been meant to be encrypted."""

from __future__ import annotations

import json

import pytest
from audit.checked import ONLY_PASSWORD, A, sound
from audit.repo import Repo, rule, seal

from encconf.audit.check import ALL, FILES, FOLDERS


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("secrets.yaml", "warning"),
        ("prod-secrets.json", "warning"),
        ("x.enc.yaml", "error"),
        ("x.sops.json", "error"),
        ("external-secret.yaml", None),
        ("values.yaml", None),
        (".env", None),
        ("README.md", None),
        (".sops.yaml", None),
    ],
)
def test_under_a_rule_for_everything_the_name_says_what_is_meant(
    repo: Repo, name: str, severity: str | None
) -> None:
    sound(repo)
    for rules in (f"  - {A}", f"  - path_regex: .*\n    {A}"):
        repo.config(rules)
        if name != ".sops.yaml":
            repo.write(name, '{"password": "correct horse"}\n')
        found = {each.slug: each.severity for each in repo.check().findings if each.slug != "unused-rule"}
        assert found == ({"not-encrypted": severity} if severity else {})


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (".env", "DB_PASSWORD=correct horse\n", "DB_PASSWORD"),
        (".env.local", "DB_PASSWORD=correct horse\n", "DB_PASSWORD"),
        (".env.local.example", "DB_PASSWORD=correct horse\n", None),
        (".envrc", "use flake\n", None),
        ("app/config.yaml", "name: app\ndb:\n  password: hunter2\n", "db.password"),
        (
            "locales/en.json",
            '{"password": "Password", "newToken": "Create a token", "secret": "पासवर्ड"}',
            None,
        ),
        ("api.json", '{"input_token": "NextToken"}', None),
        ("config.toml", 'url = "postgres://app:correct-horse@db.example/app"\n', "url"),
        ("long.json", json.dumps({"a": "x" * 9000, "token": "0123456789"}), "token"),
        ("config.yaml", "name: app\nport: 5432\n", None),
        ("config.yaml", "password: ${PASSWORD}\n", None),
        ("config.yaml", "password_unencrypted: hunter2\n", None),
        ("config.example.yaml", "password: hunter2\n", None),
        ("notes.txt", "password: hunter2\n", None),
        ("config.yaml", "password: [\n", None),
    ],
)
def test_under_a_rule_for_everything_a_secret_counts_while_nothing_is_encrypted(
    repo: Repo, name: str, text: str, found: str | None
) -> None:
    """Nothing says yet which files are meant, and so a first check must not look clean."""
    repo.config(f"  - path_regex: ^prod/\n    {A}  - {A}")
    repo.write(name, text)
    said = {each.file: (each.severity, each.message) for each in repo.only("not-encrypted")}
    place = "is plaintext, but creation_rules[1] of .sops.yaml says to encrypt it"
    assert said == ({name: ("warning", f"{found} {place}")} if found else {})
    sound(repo)
    assert repo.only("not-encrypted") == []


def test_that_nothing_is_encrypted_says_nothing_about_single_files(repo: Repo) -> None:
    repo.config(f"  - {A}")
    repo.write("config.yaml", "password: hunter2\n")
    for scope, found in ((FILES, []), (FOLDERS, ["not-encrypted"]), (ALL, ["not-encrypted"])):
        assert [each.slug for each in repo.check(scope=scope).findings] == found


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


@pytest.mark.parametrize(
    ("value", "found"), [("PLACEHOLDER", False), ("REPLACE_WITH_X", False), ("s3cret", True)]
)
def test_a_neighbour_with_the_name_of_a_secret(repo: Repo, value: str, found: bool) -> None:
    repo.rules("encrypted_regex: ^password$")
    plain = f"password: correct horse\napiKey: {value}\n"
    repo.write("a.enc.yaml", seal(plain, rule(selection=ONLY_PASSWORD)))
    assert [each.slug for each in repo.check().findings] == (["plain-secret"] if found else [])


def test_a_file_in_which_nothing_is_encrypted_has_one_finding(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    repo.write("a.enc.yaml", seal("apiKey: s3cret\n", rule(selection=ONLY_PASSWORD)))
    assert [each.slug for each in repo.check().findings] == ["nothing-encrypted"]
