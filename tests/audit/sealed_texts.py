"""Texts and keys of tests that compare encrypted files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import engine
from oracle import FIXTURES, AgeKey
from project import Project, Result

from encconf import api
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

ALICE, BOB, CAROL = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt") for name in ("alice", "bob", "carol"))
EVERYBODY = Credentials(
    {"SOPS_AGE_KEY": " ".join(key.identity for key in (ALICE, BOB, CAROL))}, home="/nonexistent"
)

PLAIN = """\
# the database
db:
    host: db.internal.example
    password: hunter2-canary
    port: 15432
    tls: true
users:
    - name: alice-canary
      pin: 7391
    - name: bob-canary
      pin: 7391
token: t0ken-canary
"""
NOW = "changed-canary"


def rule(*groups: Sequence[AgeKey], selection: Selection | None = None, threshold: int | None = None) -> Rule:
    keys = [[master_key("age", key.recipient) for key in group] for group in groups or [[ALICE]]]
    return Rule(keys, threshold, selection or Selection("unencrypted_suffix", "_unencrypted"))


def seal(plain: str = PLAIN, by: Rule | None = None, format: str = "yaml") -> str:
    return api.encrypt(plain, by or rule(), format=format)


def again(sealed: str, plain: str, format: str = "yaml") -> str:
    """The same file with another plain text."""
    return engine.update(sealed, format, plain, credentials=EVERYBODY)


CASES = [
    ("hunter2", "hunter3", ["changed db.password"]),
    ("port: 15432", "port: 15433", ["changed db.port"]),
    ("port: 15432", 'port: "15432"', ["changed db.port"]),
    ("token: t0ken-canary\n", "", ["removed token"]),
    ("token:", "secret:", ["moved token > secret"]),
    (
        "db:\n",
        "database:\n",
        [f"moved db.{key} > database.{key}" for key in ("host", "password", "port", "tls")],
    ),
    ("token:", f"new: {NOW}\ntoken:", ["added new"]),
    ("users:\n", f"users:\n    - name: {NOW}\n", ["added users[0].name"]),
    ("    - name: bob-canary\n      pin: 7391\n", "", ["removed users[1].name", "removed users[1].pin"]),
    ("    - name: alice-canary\n      pin: 7391\n", "", ["removed users[0].name", "removed users[0].pin"]),
]


def lines(done: Result) -> list[str]:
    return done.out.splitlines()


def committed(folder: Path, home: Path) -> Project:
    """A repository with s.yaml for Alice and Bob, committed."""
    project = Project(folder, home, ALICE)
    project.folder.mkdir()
    people = f"      - {ALICE.recipient} # alice\n      - {BOB.recipient} # bob\n"
    project.write(".sops.yaml", f"creation_rules:\n  - age:\n{people}")
    project.write("s.yaml", PLAIN)
    project.run("encrypt", "-i", "s.yaml")
    project.git("init", "-q", "-b", "main")
    project.git("add", "-A")
    project.git("commit", "-qm", "one")
    return project


def update(project: Project, old: str, new: str, name: str = "s.yaml") -> None:
    """Replace words of an encrypted file's plaintext."""
    plain = project.run("decrypt", name).out
    assert old in plain
    project.run("update", name, input=plain.replace(old, new))
