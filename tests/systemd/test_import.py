"""From EnvironmentFile= in plain text to an encrypted file, with the same real systemd before and after."""

from __future__ import annotations

import json
import sys

import pytest
from project import ROOT, Project

from .manager import Manager

pytestmark = pytest.mark.services

OLD = """\
# the database
DB_USER=app
DB_PASSWORD="hunter2 \\"both\\" \\$HOME" 'and more'
;DB_OLD=x
DB_OPTIONS=a \\
  b   # no comment
EMPTY=
DB_URL='postgres://${DB_USER}@db'
"""
NAMES = ["DB_USER", "DB_PASSWORD", "DB_OPTIONS", "EMPTY", "DB_URL"]


def test_a_unit_has_the_same_before_and_after(manager: Manager, project: Project) -> None:
    project.write("app.env", OLD).chmod(0o600)
    script = "".join(f'printf "%s\\0" "${name}";' for name in NAMES)
    path = str(project.path("app.env")).replace("%", "%%")
    before = manager.run(script, f"EnvironmentFile={path}")
    assert before.code == 0
    assert before.out.startswith('app\0hunter2 "both" $HOMEand more\0')

    done = project.run("import", "--dialect", "systemd", "--delete", "app.env")
    assert "wrote app.enc.yaml: 5 values, verified" in done.err
    assert not project.path("app.env").exists()

    # The first way: a file of variables again, now written by encconf.
    project.run("export", "--format", "env-file", "-o", "new.env", "app.enc.yaml")
    path = str(project.path("new.env")).replace("%", "%%")
    assert manager.run(script, f"EnvironmentFile={path}").out == before.out
    project.path("new.env").unlink()

    # The second: nothing on the disk, each value a credential.
    project.write("key.txt", project.key.identity + "\n").chmod(0o600)
    words = ["systemd", "unit", "--user", "-u", "imported", "--identity", "key.txt", "app.enc.yaml"]
    project.run(*words, "-o", str(manager.units))
    manager.systemctl("daemon-reload")
    script = "cd $CREDENTIALS_DIRECTORY;" + "".join(f'printf "%s\\0" "$(cat {name})";' for name in NAMES)
    after = manager.run(script, name="imported.service")
    assert (after.code, after.out) == (0, before.out), manager.log()


def test_doctor_in_a_unit(manager: Manager, project: Project) -> None:
    """What it says where systemd runs, and where it has given a key to a unit."""
    key = project.write("key.txt", project.key.identity + "\n")
    key.chmod(0o600)
    done = manager.run(
        f"cd / && exec {sys.executable} -m encconf doctor --json systemd sops",
        f"LoadCredential=encconf-identity:{str(key).replace('%', '%%')}",
        f"Environment=PYTHONPATH={ROOT}",
    )
    assert done.code == 0, done
    found = {way["name"]: way for way in json.loads(done.out)["ways"]}
    parts = {part["name"]: part for part in [*found["systemd"]["parts"], *found["sops"]["parts"]]}
    assert parts["systemd:"]["note"] == "credentials: encconf-identity"
    assert parts["serve"]["usable"] is True
    assert parts["serve"]["note"].startswith("systemd 2")
    assert parts["systemd-creds"]["usable"] is True
    assert parts["age"]["login"] == project.key.recipient
    assert project.key.identity not in done.out + done.err
