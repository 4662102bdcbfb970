"""What a user is told to do if none of their keys opens a file: one answer for each situation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from oracle import FIXTURES, AgeKey
from project import Project

from encconf.errors import KeyAccessError
from encconf.identities.credentials import Credentials
from encconf.keys.own import Own

FILE = "secrets.enc.yaml"
CREATE = "create a key with encconf keygen, and send the line that it prints to alice"


@pytest.fixture
def named(sealed: Project) -> Project:
    """A project whose rule names alice."""
    sealed.write(".sops.yaml", f"creation_rules:\n  - age:\n      - {sealed.key.recipient} # alice\n")
    return sealed


def hints(project: Project, environ: dict[str, str], *commands: tuple[str, ...]) -> set[str]:
    """The hints of commands, each of which fails or notes that no key opens the file."""
    found = set()
    for command in commands:
        done = project.popen(*command, environ=environ, stderr=-1, stdout=-1)
        err = done.communicate(timeout=60)[1].decode()
        found |= {line.removeprefix("encconf: hint: ") for line in err.splitlines() if "hint: " in line}
    return found


EVERYWHERE = (
    ("whoami",),
    ("decrypt", FILE),
    ("get", FILE, "db.host"),
    ("set", FILE, "db.host", "x"),
    ("edit", FILE),
    ("diff", FILE, "other.enc.yaml"),
)


def test_without_a_key_every_command_says_to_create_one(named: Project) -> None:
    named.write("other.enc.yaml", named.read(FILE).replace("version: 3", "version: 3"))
    assert hints(named, {"SOPS_AGE_KEY": ""}, *EVERYWHERE[:5]) == {CREATE}


def test_a_key_that_is_no_recipient_is_shown_in_full_with_who_can_add_it(named: Project) -> None:
    bob = AgeKey.generate()
    line = f"send this line to alice: encconf keys add --name YOUR-NAME {bob.recipient}"
    assert hints(named, {"SOPS_AGE_KEY": bob.identity}, *EVERYWHERE[:3]) == {line}


def test_keygen_says_who_can_add_the_new_key(named: Project) -> None:
    done = named.run("keygen", environ={"SOPS_AGE_KEY": ""})
    line = f"send this line to alice: encconf keys add --name YOUR-NAME {done.out.strip()}"
    assert f"hint: {line}" in done.err


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_variable_with_quotes_is_the_problem(named: Project, quote: str) -> None:
    key = f"{quote}{named.key.identity}{quote}"
    done = named.run("decrypt", FILE, environ={"SOPS_AGE_KEY": key}, code=128)
    first = done.err.splitlines()[0]
    assert "SOPS_AGE_KEY (its quotes are part of the value: remove them)" in first
    assert "hint: correct SOPS_AGE_KEY\n" in done.err
    assert "keygen" not in done.err
    assert "its quotes are part of the value" in named.run("whoami", environ={"SOPS_AGE_KEY": key}).err


def test_a_wrong_file_is_the_problem(named: Project) -> None:
    environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_FILE": "nowhere.txt"}
    done = named.run("decrypt", FILE, environ=environ, code=128)
    assert "SOPS_AGE_KEY_FILE (not there)" in done.err.splitlines()[0]
    assert "hint: correct SOPS_AGE_KEY_FILE\n" in done.err


def test_a_library_says_the_same_without_names(sealed: Project) -> None:
    from encconf import decrypt

    with pytest.raises(KeyAccessError) as caught:
        decrypt(sealed.read(FILE), format="yaml", credentials=Credentials({}))
    assert caught.value.hint == CREATE.replace("alice", "somebody who can open the files")


def test_an_ssh_key_is_quoted_as_one_word(tmp_path: Path) -> None:
    own = Own()
    own.places["ssh-ed25519 AAAA"] = "~/.ssh/id_ed25519"
    assert own.advice().endswith("--name YOUR-NAME 'ssh-ed25519 AAAA'")
    own.places["age1x"] = "~/keys.txt"
    assert own.advice().endswith("--name YOUR-NAME age1x")


def test_a_pgp_key_that_is_no_recipient_is_shown_by_its_fingerprint(project: Project, pgp_home: Path) -> None:
    """gpg is asked only where a file is encrypted for PGP keys."""
    environ = {"SOPS_AGE_KEY": "", "GNUPGHOME": str(pgp_home)}
    project.write("s.yaml", "a: 1\n")
    project.run("encrypt", "-i", "--age", project.key.recipient, "s.yaml")
    assert "you have no key on this machine" in project.run("whoami", environ=environ).err
    block = f"    pgp:\n        - fp: {'F' * 40}\n          created_at: '2026-01-01T00:00:00Z'\n"
    block += "          enc: x\n"
    project.write("s.yaml", project.read("s.yaml").replace("sops:\n", f"sops:\n{block}"))
    said = project.run("whoami", environ=environ)
    (fingerprint,) = said.out.splitlines()
    assert len(fingerprint) == 40
    assert said.err.rstrip().endswith(f"encconf keys add --name YOUR-NAME {fingerprint}")


@pytest.mark.parametrize(
    "name",
    [
        "alice: encconf keys add --name x age1abc",
        "age1abc",
        "x " * 30,
        "a; curl x | sh",
        "0123456789ABCDEF0123",
    ],
)
def test_a_name_in_the_rules_cannot_be_a_key_or_a_command(sealed: Project, name: str) -> None:
    """Anyone who can change .sops.yaml writes these names, and a user passes the hint on."""
    sealed.write(".sops.yaml", f"creation_rules:\n  - age:\n      - {sealed.key.recipient} # {name}\n")
    err = sealed.run("whoami", environ={"SOPS_AGE_KEY": ""}).err
    assert "send the line that it prints to somebody who can open the files\n" in err


def test_an_error_asks_no_command_and_no_store_that_the_file_does_not_need(project: Project) -> None:
    shutil.copy(FIXTURES / "sops" / "pgp.enc.yaml", project.folder)
    environ = {
        "SOPS_AGE_KEY": "",
        "GNUPGHOME": str(project.home),
        "ENCCONF_IDENTITY": f"cmd:touch {project.path('ran')}",
    }
    done = project.run("decrypt", "pgp.enc.yaml", environ=environ, code=128)
    assert "hint: run encconf whoami, which prints your recipient" in done.err
    assert not project.path("ran").exists()
