"""`encconf systemd unit`: what it writes works in a real systemd, as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project
from systemd.services import NAME

from encconf.errors import EncconfError
from encconf.systemd import units

from .manager import Manager

pytestmark = pytest.mark.services


def key(manager: Manager, project: Project, name: str) -> Path:
    """Tell the service by a drop-in where the key is, and where its log shall be."""
    path = str(project.path("key.txt")).replace("%", "%%")
    service = name if "-credentials" in name else f"{name}-credentials"
    log = manager.folder / f"{name}.log"
    lines = f"Environment=SOPS_AGE_KEY_FILE={path}\nStandardError=append:{log}\n"
    manager.unit(f"{service}.service.d/key.conf", f"[Service]\n{lines}")
    return log


def test_a_unit_gets_its_values(manager: Manager, described: Project) -> None:
    done = described.run("systemd", "unit", "--user", "-u", "one", "--env", "-o", str(manager.units), NAME)
    assert "systemctl --user daemon-reload" in done.err
    log = key(manager, described, "one")
    manager.systemctl("daemon-reload")
    script = 'cd "$CREDENTIALS_DIRECTORY"; head -n 99 *; cat "$DB_PASSWORD_FILE"'
    done2 = manager.run(script, name="one.service")
    assert (done2.code, done2.result) == (0, "success"), (done2, manager.log())
    assert done2.out.split("==> ")[1:-1] == [
        "DB_PASSWORD <==\nhunter2 $HOME %h \\\n",
        "DB_PORT <==\n5432\n",
        "OD_D_IT_S <==\nquoted\n",
        "OD_D_K_0_ <==\nodd\n",
        "TENANTS_A_TOKEN <==\nfor a\n",
    ]
    assert done2.out.endswith("<==\nfor bhunter2 $HOME %h \\")
    # systemd started the service, which is ready and reloads; its words have names and no values.
    service = "one-credentials.service"
    assert manager.show(service, "ActiveState") == "active"
    described.run("set", NAME, "db.port", "6543")
    manager.systemctl("reload", service)
    assert "6543" in manager.run(script, name="one.service").out
    assert "one.service: DB_PORT: given" in log.read_text()
    assert "hunter2" not in log.read_text()
    assert manager.show(service, "MemorySwapMax") == "0"
    # Another unit with the same lines gets nothing.
    stolen = f"LoadCredential=DB_PASSWORD:{manager.runtime}/one-credentials/credentials.sock"
    other = manager.run("cat $CREDENTIALS_DIRECTORY/*", stolen, name="other.service")
    assert (other.code, other.out) == (243, "")


def _wait_for(text: str, log: Path) -> None:
    end = time.monotonic() + 30
    while not log.exists() or log.read_text() != text:
        assert time.monotonic() < end, log.read_text() if log.exists() else "nothing"
        time.sleep(0.1)


def test_a_unit_is_restarted_when_the_file_changes(manager: Manager, described: Project) -> None:
    words = ["-u", "follows", "--restart", "-a", "port=db.port", "-o", str(manager.units)]
    done = described.run("systemd", "unit", "--user", *words, NAME)
    assert "enable --now follows-credentials.socket follows-restart.path" in done.err
    key(manager, described, "follows")
    log = manager.folder / "follows.out"
    script = f'cat "$CREDENTIALS_DIRECTORY/port" >> {log}; echo >> {log}; exec sleep 1000'
    manager.unit("follows.service", f"[Service]\nExecStart=/bin/sh -c '{script}'\n")
    manager.systemctl("daemon-reload")
    manager.systemctl("start", "follows.service", "follows-restart.path")
    _wait_for("5432\n", log)
    described.run("set", NAME, "db.port", "6543")
    _wait_for("5432\n6543\n", log)
    manager.systemctl("stop", "follows.service", "follows-restart.path")


def test_instances_and_names(manager: Manager, described: Project) -> None:
    rules = ["-a", "token=tenants.%i.token", "-a", 'odd=["od d"]["k[0]"]', "-a", 'quoted=["od d"][\'it"s\']']
    described.run("systemd", "unit", "--user", "-u", "two@.service", *rules, "-o", str(manager.units), NAME)
    key(manager, described, "two-credentials@.all")
    described.run("systemd", "unit", "--user", "-u", "own@a.service", "-o", str(manager.units), NAME)
    key(manager, described, "own-credentials@a")
    manager.systemctl("daemon-reload")
    done = manager.run("cat $CREDENTIALS_DIRECTORY/DB_PORT", name="own@a.service")
    assert (done.code, done.out) == (0, "5432"), manager.log()
    manager.systemctl("enable", "own-credentials@a.socket", "two-credentials@.all.socket")
    for instance, token in (("a", "for a"), ("b", "for b")):
        done = manager.run("cat $CREDENTIALS_DIRECTORY/*", name=f"two@{instance}.service")
        assert (done.code, done.out) == (0, f"oddquoted{token}"), manager.log()
    assert manager.run("true", name="two@c.service").code == 243


def test_odd_names_of_credentials(manager: Manager, described: Project) -> None:
    """And a file whose name is no UTF-8; the variables have names that variables can have."""
    odd = os.fsdecode(b"s\xff.enc.yaml")
    os.rename(described.path(NAME), described.path(odd))
    rules = ["-a", "db.port%n=db.port", "-a", "5\"'$xy=db.password"]
    described.run("systemd", "unit", "--user", "-u", "odd", "--env", *rules, "-o", str(manager.units), odd)
    key(manager, described, "odd")
    manager.systemctl("daemon-reload")
    done = manager.run(
        'cat "$DB_PORT_N_FILE" "$_5___XY_FILE"; ls "$CREDENTIALS_DIRECTORY"', name="odd.service"
    )
    assert (done.code, done.out) == (0, "5432hunter2 $HOME %h \\5\"'$xy\ndb.port%n\n"), manager.log()


def test_the_service_s_own_key_is_a_credential(manager: Manager, described: Project) -> None:
    sealed = manager.credential("encconf-identity", described.key.identity.encode())
    words = ["systemd", "unit", "--user", "-u", "three", "--identity", str(sealed), NAME]
    described.run(*words, "-o", str(manager.units), environ={"XDG_CONFIG_HOME": "/nowhere"})
    manager.systemctl("daemon-reload")
    done = manager.run("cat $CREDENTIALS_DIRECTORY/DB_PORT", name="three.service")
    assert (done.code, done.out) == (0, "5432"), manager.log()


def test_a_service_without_its_key(manager: Manager, described: Project) -> None:
    """It cannot open the file, and so the unit does not start, with an empty value say."""
    described.run("systemd", "unit", "--user", "-u", "keyless", "-o", str(manager.units), NAME)
    manager.systemctl("daemon-reload")
    done = manager.run("true", name="keyless.service")
    assert (done.code, done.result) == (243, "exit-code"), manager.log()
    assert manager.show("keyless-credentials.service", "Result") in ("exit-code", "start-limit-hit")


def test_systemd_finds_no_fault(manager: Manager, described: Project) -> None:
    """Also with the hardening that is for the system's own manager."""
    folder = described.path("units")
    described.run("systemd", "unit", "-u", "app.service", "--restart", "-o", str(folder), NAME)
    (folder / "app.service").write_text("[Service]\nExecStart=/bin/true\n")
    names = ["app.service", "app-credentials.socket", "app-credentials.service"]
    names += ["app-restart.path", "app-restart.service"]
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", "--man=no", *(str(folder / name) for name in names)],
        env=manager.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if str(folder) in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def test_the_hardened_service(manager: Manager, described: Project) -> None:
    """The system's variant runs and answers, with all of its protection but one: the tests are in /tmp."""
    described.run("systemd", "unit", "-u", "four", "-o", str(manager.units), NAME)
    key(manager, described, "four")
    manager.unit("four-credentials.service.d/tmp.conf", "[Service]\nPrivateTmp=no\n")
    done = manager.run("cat $CREDENTIALS_DIRECTORY/DB_PORT", name="four.service")
    assert (done.code, done.out) == (0, "5432"), manager.systemctl("status", "four-credentials", check=False)
    status = manager.command("cat", f"/proc/{manager.show('four-credentials.service', 'MainPID')}/status")
    said = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert "CapEff:\t0000000000000000\n" in said
    assert "NoNewPrivs:\t1\n" in said
    assert "Seccomp:\t2\n" in said


AWKWARD = [
    "", "plain", "two words", "%h", "$HOME", "${HOME}", 'a"b', "it's", "back\\slash", "semi;colon", "#",
    "ünï☃", "tab\t", "line\nbreak", "\x01", "-x", "~", "*", "a=b", "\\n", "trailing ",
]  # fmt: skip


def test_words_reach_a_program_as_they_are(manager: Manager) -> None:
    out = manager.folder / "words"
    script = "import sys; open(sys.argv[1], 'wb').write('\\0'.join(sys.argv[2:]).encode())"
    words = " ".join(map(units.word, ["-c", script, str(out), *AWKWARD]))
    manager.unit("words.service", f"[Service]\nType=oneshot\nExecStart={sys.executable} {words}\n")
    manager.systemctl("start", "words.service")
    assert Path(out).read_bytes().decode().split("\0") == AWKWARD


def test_a_program_in_an_odd_folder(manager: Manager) -> None:
    program = manager.folder / "$HOME a%nb" / "encconf"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {manager.folder}/started\n")
    program.chmod(0o755)
    unit = units.service_unit("moved.service", [str(program)], ["/x"], [], user=True)
    manager.unit("moved.service", unit.text.replace("Requires=", "# "))
    manager.systemctl("start", "moved.service", check=False)
    assert (manager.folder / "started").exists(), manager.log()


def test_what_no_unit_file_can_hold() -> None:
    for text in ("a\nb", " a", "a\\"):
        with pytest.raises(EncconfError, match="is not allowed in a unit file"):
            units.plain(text)
    with pytest.raises(EncconfError, match="NUL"):
        units.word("a\0")
