"""The search for an identity that opens an age file: in which places, in which order."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from keys.age_files import DATA_KEY, credentials, opens
from oracle import AgeKey as Pair

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.keys.age import AgeKey

PYTHON = os.path.basename(sys.executable)


def python(code: str) -> str:
    """Return a command that runs a piece of code, on any system."""
    return f"'{sys.executable}' -c '{code}'"


def cat(path: Path) -> str:
    return f"{python('import sys; sys.stdout.write(open(sys.argv[1]).read())')} '{path}'"


def test_every_place_works(alice: Pair, enc: str, tmp_path: Path) -> None:
    file = tmp_path / "keys with spaces.txt"
    file.write_text(f"# created: today\n# public key: {alice.recipient}\n\n{alice.identity}\r\n")
    assert opens(alice, enc, credentials(SOPS_AGE_KEY=alice.identity))
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=str(file)))
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_CMD=cat(file)))
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_bytes(file.read_bytes())
    assert opens(alice, enc, credentials(tmp_path))


@pytest.mark.posix
def test_a_pipe_is_read_once_for_all_keys_of_a_file(alice: Pair, bob: Pair, enc: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, f"{alice.identity}\n".encode())
    os.close(write)
    made = credentials(SOPS_AGE_KEY_FILE=f"/dev/fd/{read}")
    try:
        with pytest.raises(NotMyKeyError):
            AgeKey(bob.recipient).unwrap(AgeKey(bob.recipient).wrap(DATA_KEY, made), made)
        assert opens(alice, enc, made)
    finally:
        os.close(read)


@pytest.mark.parametrize("between", [" ", "\n", "\r\n", "\n# a comment\n  "])
def test_the_variable_holds_several_identities(alice: Pair, bob: Pair, enc: str, between: str) -> None:
    assert opens(alice, enc, credentials(SOPS_AGE_KEY=f"{bob.identity}{between}{alice.identity}"))


def test_the_command_gets_the_recipient(alice: Pair, enc: str, tmp_path: Path) -> None:
    (tmp_path / alice.recipient).write_text(alice.identity)
    code = "import os, sys; print(open(sys.argv[1] + os.environ[sys.argv[2]]).read())"
    command = f"{python(code)} '{tmp_path}{os.sep}' SOPS_AGE_RECIPIENT"
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_CMD=command))


@pytest.mark.parametrize("variable", ["SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD", None])
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_every_place_for_ssh_keys_works(
    variable: str | None, kind: str, ssh: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    path, public = ssh[kind]
    if variable is None:
        (tmp_path / ".ssh").mkdir()
        shutil.copy(path, tmp_path / ".ssh" / f"id_{kind}")
        made = credentials(tmp_path)
    else:
        made = credentials(**{variable: cat(path) if variable.endswith("CMD") else str(path)})
    assert AgeKey(public).unwrap(AgeKey(public).wrap(DATA_KEY, made), made) == DATA_KEY


def test_nothing_is_read_after_the_place_that_opened(alice: Pair, enc: str, tmp_path: Path) -> None:
    made = credentials(tmp_path, SOPS_AGE_KEY=alice.identity, SOPS_AGE_KEY_CMD=f"touch {tmp_path}/ran")
    assert opens(alice, enc, made)
    assert not (tmp_path / "ran").exists()


def test_ssh_keys_are_left_alone_where_they_cannot_help(
    alice: Pair, bob: Pair, enc: str, tmp_path: Path
) -> None:
    made = credentials(
        tmp_path, SOPS_AGE_KEY=bob.identity, SOPS_AGE_SSH_PRIVATE_KEY_CMD=f"touch {tmp_path}/ran"
    )
    with pytest.raises(NotMyKeyError) as caught:
        opens(alice, enc, made)
    assert not (tmp_path / "ran").exists()
    assert ".ssh" not in caught.value.message
    assert "SOPS_AGE_SSH_PRIVATE_KEY_CMD (not read: no SSH key can open it)" in caught.value.message


def test_the_report_lists_every_place(alice: Pair, bob: Pair, enc: str, tmp_path: Path) -> None:
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_text(f"{bob.identity}\n")
    with pytest.raises(NotMyKeyError) as caught:
        opens(alice, enc, credentials(tmp_path, SOPS_AGE_KEY=""))
    short = f"{bob.recipient[:8]}…{bob.recipient[-4:]}"
    place = os.path.join("~", ".config", "sops", "age", "keys.txt")
    assert caught.value.message == (
        "no matching identity\nlooked in: SOPS_AGE_KEY (empty), SOPS_AGE_KEY_FILE (unset), "
        f"SOPS_AGE_KEY_CMD (unset), {place} (1 key: {short})"
    )


def test_the_report_for_an_ssh_recipient_lists_ssh_places_too(
    ssh: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    key = AgeKey(ssh["ed25519"][1])
    with pytest.raises(NotMyKeyError) as caught:
        key.unwrap(
            key.wrap(DATA_KEY, credentials()),
            credentials(tmp_path, SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(ssh["rsa"][0])),
        )
    public = ssh["rsa"][1].split()[1]
    assert (
        f"ssh_file (1 key: ssh-rsa …{public[-8:]})".replace("ssh_file", str(ssh["rsa"][0]))
        in caught.value.message
    )
    assert (
        "~/.ssh/id_ed25519 (not there), ~/.ssh/id_rsa (not there), SOPS_AGE_KEY (unset)".replace("/", os.sep)
        in caught.value.message
    )


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SOPS_AGE_KEY_FILE", "/nowhere/keys.txt", "SOPS_AGE_KEY_FILE=/nowhere/keys.txt (not there)"),
        ("SOPS_AGE_KEY_FILE", "/", "SOPS_AGE_KEY_FILE=/ (cannot be read: it is a folder)"),
        pytest.param(
            *("SOPS_AGE_KEY_FILE", "/dev/zero", "(cannot be read: it is neither a regular file nor a pipe)"),
            marks=pytest.mark.posix,
        ),
        ("SOPS_AGE_KEY", "/home/me/keys.txt", "perhaps a path: use SOPS_AGE_KEY_FILE for those"),
        (
            "SOPS_AGE_KEY",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
            "use SOPS_AGE_SSH_PRIVATE_KEY_FILE for those",
        ),
        (
            *("SOPS_AGE_KEY", "# created: 2026\\n# public key: age1x\\nAGE-SECRET-KEY-1QQ"),
            "all of it is a comment: its line breaks were lost",
        ),
        ("SOPS_AGE_KEY", "age1abc", "a recipient, not an identity"),
        ("SOPS_AGE_KEY_CMD", python("exit(1)"), f"SOPS_AGE_KEY_CMD ({PYTHON} failed with exit code 1)"),
        ("SOPS_AGE_KEY_CMD", "/nowhere/pass show x", "SOPS_AGE_KEY_CMD (pass was not found)"),
        ("SOPS_AGE_KEY_CMD", "echo 'x", "(not a command line: a quote is not closed)"),
        ("SOPS_AGE_KEY_CMD", python("import os; os.write(1, bytes([255]))"), "SOPS_AGE_KEY_CMD (not a text)"),
        (
            *("SOPS_AGE_KEY_CMD", python("import time; time.sleep(30)")),
            f"SOPS_AGE_KEY_CMD ({PYTHON} took longer than 0.2 s)",
        ),
    ],
)
def test_a_setting_that_is_not_in_order_is_reported(
    alice: Pair, bob: Pair, enc: str, variable: str, value: str, says: str, tmp_path: Path
) -> None:
    made = credentials(tmp_path, **{variable: value})
    made.timeout = 0.2 if "sleep" in value else 60
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, made)
    assert not isinstance(caught.value, NotMyKeyError)
    assert caught.value.message.startswith(f"no matching identity; not usable: {variable} (")
    assert says in caught.value.message
    # and yet it hides nothing that works
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_text(alice.identity)
    made = credentials(tmp_path, **{variable: value})
    made.timeout = 0.2 if "sleep" in value else 60
    assert opens(alice, enc, made)


def test_the_arguments_of_a_command_are_not_shown(alice: Pair, enc: str) -> None:
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, credentials(SOPS_AGE_KEY_CMD=f"{python('exit(3)')} --token=hunter2"))
    assert f"({PYTHON} failed with exit code 3)" in caught.value.message
    assert "hunter2" not in caught.value.message
