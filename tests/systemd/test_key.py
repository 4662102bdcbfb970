"""A unit that is given the key opens files with no setting at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyrage
import pytest
from keys.passphrase import locked
from project import PLAIN, ROOT, Project

from encconf.keys import agepq

from .manager import Manager

pytestmark = pytest.mark.services

LOAD = "import encconf, json, sys; print(json.dumps(encconf.load_config(sys.argv[1])))"


class Unit:
    """Runs a program's call of `load_config` in a unit that has nothing but its credentials."""

    def __init__(self, manager: Manager, project: Project) -> None:
        self.manager = manager
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        self.file = project.path("secrets.enc.yaml")
        self.recipient = project.key.recipient
        # Python, and where encconf is; neither is a setting of encconf's.
        self.start = f"env -i PATH=$PATH PYTHONPATH={ROOT} CREDENTIALS_DIRECTORY=$CREDENTIALS_DIRECTORY"

    def load(self, *lines: str) -> object:
        done = self.manager.run(f"exec {self.start} {sys.executable} -c '{LOAD}' {self.file}", *lines)
        assert (done.code, done.result, done.err) == (0, "success", ""), (done, self.manager.log())
        return json.loads(done.out)

    def fails(self, *lines: str, start: str = "") -> str:
        command = f"{sys.executable} -m encconf get {self.file} db.password"
        done = self.manager.run(f"exec {self.start} {start} {command}", *lines)
        assert done.code == 128, (done, self.manager.log())
        assert done.out == ""
        assert "AGE-SECRET-KEY" not in done.err
        return done.err


@pytest.fixture
def unit(manager: Manager, project: Project) -> Unit:
    return Unit(manager, project)


def test_load_credential(unit: Unit, manager: Manager, project: Project) -> None:
    key = manager.write("key.txt", f"# mine\n{project.key.identity}\n")
    loaded = unit.load(f"LoadCredential=encconf-identity:{key}")
    assert loaded["db"] == {"host": "localhost", "password": "hunter2", "port": 5432}  # type: ignore[index]


def test_load_credential_encrypted(unit: Unit, manager: Manager, project: Project) -> None:
    sealed = manager.credential("encconf-identity", project.key.identity.encode())
    assert project.key.identity.encode() not in sealed.read_bytes()
    loaded = unit.load(f"LoadCredentialEncrypted=encconf-identity:{sealed}")
    assert loaded["users"] == ["alice", "bob"]  # type: ignore[index]


def test_the_command_line_too(unit: Unit, manager: Manager, project: Project) -> None:
    key = manager.write("key.txt", project.key.identity)
    show = f"{sys.executable} -m encconf exec {unit.file} -- sh -c 'printf %s $DB_PASSWORD'"
    done = manager.run(f"exec {unit.start} {show}", f"LoadCredential=encconf-identity:{key}")
    assert (done.code, done.out, done.err) == (0, "hunter2", ""), (done, manager.log())


def test_a_key_and_its_passphrase(unit: Unit, manager: Manager, project: Project) -> None:
    """Each of them a credential; only the passphrase has to be named."""
    path = manager.write("locked", locked(project.key.identity.encode(), "correct horse"))
    lines = (
        f"LoadCredential=encconf-identity:{path}",
        f"LoadCredentialEncrypted=pass:{manager.credential('pass', b'correct horse')}",
    )
    unit.start += " ENCCONF_AGE_PASSPHRASE=systemd:pass"
    assert unit.load(*lines)["users"] == ["alice", "bob"]  # type: ignore[index]


def test_a_post_quantum_key(manager: Manager, project: Project) -> None:
    key = agepq.Identity.generate()
    project.write(".sops.yaml", f"creation_rules:\n  - age: {key.to_public()}\n")
    unit = Unit(manager, project)
    path = manager.write("pq.txt", key.secret())
    assert unit.load(f"LoadCredential=encconf-identity:{path}")["users"] == ["alice", "bob"]  # type: ignore[index]


def test_without_it_and_with_another(unit: Unit, manager: Manager, tmp_path: Path) -> None:
    said = unit.fails("SetCredential=other:x")
    assert "systemd:encconf-identity (the unit has no credential of this name)" in said
    other = str(pyrage.x25519.Identity.generate())
    said = unit.fails(f"LoadCredential=encconf-identity:{manager.write('other.txt', other)}")
    assert "systemd:encconf-identity (1 key: age1" in said
    said = unit.fails("SetCredential=encconf-identity:hunter2")
    assert "systemd:encconf-identity (" in said
    assert "hunter2" not in said


def test_values_by_reference(manager: Manager, project: Project) -> None:
    """The unit's other credentials are values that a file can point to, and the key is none."""
    project.write("refs.yaml", "a: ref+systemd:token\n")
    project.run("encrypt", "-i", "refs.yaml")
    project.write("bad.yaml", "a: ref+systemd:encconf-identity\n")
    project.run("encrypt", "-i", "bad.yaml")
    key = manager.write("key.txt", project.key.identity)
    lines = (f"LoadCredential=encconf-identity:{key}", "SetCredential=token:t0ken")
    start = f"exec env -i PATH=$PATH PYTHONPATH={ROOT} CREDENTIALS_DIRECTORY=$CREDENTIALS_DIRECTORY"
    get = f"{start} {sys.executable} -m encconf get --resolve"
    done = manager.run(f"{get} {project.path('refs.yaml')} a", *lines)
    assert (done.code, done.out, done.err) == (0, "t0ken", "")
    done = manager.run(f"{get} {project.path('bad.yaml')} a", *lines)
    assert done.code == 1
    assert "it is a key that opens files, not a value" in done.err
    assert project.key.identity not in done.err + done.out
