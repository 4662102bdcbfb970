"""A setting that the version of sops in the repository does not know yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit.repo import DATABASE, Repo, rule, seal

from encconf.audit.check import named
from encconf.rules.selection import Selection

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".tool-versions", "sops 3.7.3\n", (3, 7, 3)),
        (".mise.toml", '[tools]\nsops = "3.8.1"\n', (3, 8, 1)),
        ("mise.toml", '[tools]\n"aqua:getsops/sops" = "3.9.4"\n', (3, 9, 4)),
        ("Dockerfile", "ARG SOPS_VERSION=v3.8.1\n", (3, 8, 1)),
        ("Dockerfile", "COPY --from=ghcr.io/getsops/sops:v3.10.2 /usr/local/bin/sops /sops\n", (3, 10, 2)),
        ("Makefile", "SOPS_VERSION ?= 3.7.1\n", (3, 7, 1)),
        (
            ".github/workflows/ci.yaml",
            "- run: curl -L https://github.com/getsops/sops/releases/download/v3.9.0/sops-v3.9.0.linux.amd64\n",
            (3, 9, 0),
        ),
        (".github/workflows/ci.yml", "env:\n  SOPS_VERSION: '3.8.0'\n", (3, 8, 0)),
        (
            ".github/workflows/ci.yml",
            "- uses: mdgreenwald/mozilla-sops-action@v1.4\n  with:\n    version: v3.7.2\n",
            (3, 7, 2),
        ),
        (".github/workflows/ci.yml", "- uses: some/sops-action@v1\n- uses: a/b@v1\n  with: {}\n", None),
        (".tool-versions", "sops latest\n", None),
        (".mise.toml", '#sops = "3.8.1"\nsopsdiff = "3.1.0"\n', None),
        ("Dockerfile", "# ARG SOPS_VERSION=v3.8.1\n", None),
        ("Dockerfile", "ARG SOPS_VERSION=v3.8.1-rc.1\n", None),
        ("Dockerfile", "ARG AGE_VERSION=v1.1.1\n", None),
    ],
)
def test_where_a_version_is_named(repo: Repo, file: str, text: str, version: tuple[int, ...] | None) -> None:
    path = repo.folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert named(str(repo.folder)) == (None if version is None else (version, file))


def test_the_lowest_version_counts(repo: Repo) -> None:
    repo.write(".tool-versions", "sops 3.10.0\n")
    repo.write("Dockerfile", "ENV SOPS_VERSION=3.9.0\n")
    assert named(str(repo.folder)) == ((3, 9, 0), "Dockerfile")


@pytest.mark.parametrize(
    ("config", "version", "said"),
    [
        (f"creation_rules:\n  - age: {AGE}\n", "3.6.1", "age needs sops 3.7.0"),
        (f"creation_rules:\n  - age: {AGE}\n", "3.7.0", None),
        (f"creation_rules:\n  - age: [{AGE}]\n", "3.10.2", "a list of keys (age) needs sops 3.11.0"),
        (f"creation_rules:\n  - key_groups:\n      - age: [{AGE}]\n", "3.7.3", None),
        (
            f"creation_rules:\n  - key_groups:\n      - merge: [{{age: [{AGE}]}}]\n",
            "3.8.1",
            "merge needs sops 3.9.0",
        ),
        (f"creation_rules:\n  - age: {AGE}\n    unencrypted_regex: ^a\n", "3.9.0", None),
        (
            f"creation_rules:\n  - age: {AGE}\n    encrypted_comment_regex: sops:enc\n",
            "3.8.1",
            "encrypted_comment_regex needs sops 3.9.0",
        ),
        (
            f"stores:\n  yaml:\n    indent: 2\ncreation_rules:\n  - age: {AGE}\n",
            "3.8.1",
            "stores needs sops 3.9.0",
        ),
        (
            f"creation_rules:\n  - age: {SSH}\n",
            "3.9.4",
            "an SSH key as an age recipient needs sops 3.10.0",
        ),
    ],
)
def test_what_needs_which_version(repo: Repo, config: str, version: str, said: str | None) -> None:
    repo.write(".sops.yaml", config)
    repo.write(".mise.toml", f'sops = "{version}"\n')
    found = [each.message for each in repo.check().findings if each.slug == "sops-too-old"]
    assert found == ([f"{said}, and .mise.toml names {version}"] if said else [])


def test_a_file_that_says_what_its_mac_covers(repo: Repo) -> None:
    repo.write(".tool-versions", "sops 3.8.1\n")
    repo.write("a.enc.yaml", seal(DATABASE, rule(selection=Selection("encrypted_regex", "^password$", True))))
    found = [each for each in repo.check().findings if each.slug == "sops-too-old"]
    assert [each.file for each in found] == ["a.enc.yaml"]
