"""What a user is told to do if none of their keys opens a file: one answer for each situation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from doubles.script import Script
from keys.passphrase import armored, locked
from oracle import FIXTURES, AgeKey, gpg_home
from project import Project

from encconf import api
from encconf.errors import KeyAccessError
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.keys.own import Own
from encconf.rules.config import Rule

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
        lines = [line.removeprefix("encconf: hint: ") for line in err.splitlines() if "hint: " in line]
        found |= set(lines)
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
    empty = f"SOPS_AGE_KEY is empty: set it to your key; if you have none, {CREATE}"
    assert hints(named, {"SOPS_AGE_KEY": ""}, *EVERYWHERE[:5]) == {empty}
    del named.environ["SOPS_AGE_KEY"]
    assert hints(named, {}, *EVERYWHERE[:1]) == {CREATE}


def test_a_key_that_is_no_recipient_is_shown_in_full_with_who_can_add_it(named: Project) -> None:
    bob = AgeKey.generate()
    line = f"send this line to alice: encconf keys add --name YOUR-NAME {bob.recipient}"
    assert hints(named, {"SOPS_AGE_KEY": bob.identity}, *EVERYWHERE[:3]) == {line}


def test_the_line_to_send_has_the_name_that_git_knows(named: Project) -> None:
    bob = AgeKey.generate()
    environ = {"SOPS_AGE_KEY": bob.identity, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name"}
    for name, word in (("Bob Miller", "'Bob Miller'"), ("b; curl x | sh", "YOUR-NAME")):
        environ["GIT_CONFIG_VALUE_0"] = name
        line = f"send this line to alice: encconf keys add --name {word} {bob.recipient}"
        assert hints(named, environ, ("decrypt", FILE), ("whoami",)) == {line}


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


def test_a_store_that_cannot_be_read_is_described_on_one_line(named: Project) -> None:
    with Script((403, '{"errors": ["permission denied"]}'), reads=True) as server:
        environ = {"ENCCONF_IDENTITY": "vault:secret/a#key", "VAULT_ADDR": server.address, "SOPS_AGE_KEY": ""}
        err = named.run("decrypt", FILE, environ=environ, code=128).err
    first, row, looked, *_ = err.splitlines()
    assert first.endswith(" requires; looked in: VAULT_TOKEN (unset), ~/.vault-token (not there))")
    assert row.endswith("  failed")
    assert looked.startswith("       looked in: ENCCONF_IDENTITY vault:secret/a#key (no Vault token")


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


# --- which keys are found, and where ------------------------------------------------------------


def holding(home: Path, **environ: str) -> Credentials:
    return Credentials.from_env({"HOME": str(home), "PATH": "/usr/bin:/bin", **environ}, platform="linux")


def test_a_command_is_asked_only_if_it_may_be_and_its_first_answer_is_used_again(home: Path) -> None:
    key = AgeKey.generate()
    for name, before in (("SOPS_AGE_KEY_CMD", ""), ("ENCCONF_IDENTITY", "cmd:")):
        credentials = holding(home, **{name: f"{before}echo {key.identity}"})
        unasked = Own.of(credentials, commands=False)
        assert (unasked.places, unasked.unread) == ({}, True)
        assert unasked.advice().startswith("run encconf whoami")
        asked = Own.of(credentials, stores=name == "ENCCONF_IDENTITY")
        assert ([*asked.places], asked.unread) == ([key.recipient], False)
        again = Own.of(credentials, commands=False)
        assert ([*again.places], again.unread) == ([key.recipient], False)


def test_a_store_is_asked_only_if_it_may_be(home: Path) -> None:
    key = AgeKey.generate()
    (home / "mine.txt").write_text(key.identity)
    store = {"ENCCONF_IDENTITY": "file:~/mine.txt"}
    unasked = Own.of(holding(home, **store), stores=False)
    assert (unasked.places, unasked.unread) == ({}, True)
    asked = Own.of(holding(home, **store), commands=False)  # no program runs for a file
    assert ([*asked.places], asked.unread) == ([key.recipient], False)
    with_variable = Own.of(holding(home, SOPS_AGE_KEY=key.identity), commands=False, stores=False)
    assert ([*with_variable.places], with_variable.unread) == ([key.recipient], False)
    assert not Own.of(holding(home), commands=False, stores=False).unread


def test_a_file_with_a_passphrase_is_locked_until_it_was_opened(home: Path) -> None:
    key = AgeKey.generate()
    (home / "mine.txt").write_bytes(armored(locked(key.identity.encode(), "swordfish")))
    credentials = holding(
        home, SOPS_AGE_KEY_FILE=str(home / "mine.txt"), ENCCONF_AGE_PASSPHRASE="env:WORD", WORD="swordfish"
    )
    own = Own.of(credentials)
    assert (own.places, own.locked) == ({}, ["SOPS_AGE_KEY_FILE=~/mine.txt"])
    assert own.state == "none of your keys opens this file"
    assert own.advice().startswith("unlock your key (SOPS_AGE_KEY_FILE=~/mine.txt): ")
    sealed = api.encrypt("a: 1\n", Rule([[master_key("age", key.recipient)]]), credentials=credentials)
    assert api.loads(sealed, credentials=credentials) == {"a": 1}
    own = Own.of(credentials)
    assert (own.places, own.locked) == ({key.recipient: "SOPS_AGE_KEY_FILE=~/mine.txt"}, [])


def test_an_ssh_key_with_a_passphrase_has_a_known_recipient(home: Path) -> None:
    path = home / "id"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "swordfish", "-C", "", "-f", path], check=True)
    own = Own.of(holding(home, SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(path)))
    assert ([*own.places], own.locked) == ([path.with_suffix(".pub").read_text().strip()], [])


def test_gpg_is_asked_only_for_pgp_keys(home: Path) -> None:
    credentials = holding(home, GNUPGHOME=str(gpg_home()))
    assert Own.of(credentials).places == {}
    (found,) = Own.of(credentials, pgp=True).places.items()
    assert len(found[0]) == 40
    assert found[1] == "gpg"


def test_the_recipient_to_send_is_the_first_that_somebody_can_add() -> None:
    own = Own()
    own.places = {"": "a plugin", "age-plugin-x-1abc": "a plugin"}
    assert own.recipient is None
    assert own.advice().endswith("--name YOUR-NAME RECIPIENT-OF-YOUR-PLUGIN")
    assert own.state == "none of your keys opens this file"
    own.places |= {"ssh-rsa AAAA": "~/.ssh/id_rsa", "age1b": "b", "age1a": "a"}
    assert own.recipient == "age1b"


def test_what_is_broken_is_named_with_its_place_and_hint(home: Path) -> None:
    (home / ".config" / "encconf").mkdir(parents=True)
    (home / ".config" / "encconf" / "config.toml").write_text("identity = 3\n")
    own = Own.of(holding(home))
    assert (own.places, own.state) == ({}, "none of your keys opens this file")
    assert own.advice().startswith("~/.config/encconf/config.toml: identity is not the address of a source; ")
    own.broken = [("SOPS_AGE_KEY", "is no key", "write one")]
    own.places["age1a"] = "a"
    assert own.advice() == "SOPS_AGE_KEY: is no key; write one"
    own.broken = [("", "the file is no TOML", None)]
    assert own.advice() == "correct the file is no TOML"
