from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from keys.interop import said_without
from keys.terminal import on_terminal
from oracle import PGP_FINGERPRINT, Sops, clean_environ, gpg, scratch

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.pgp import PgpKey
from encconf.testing.contracts.master_key import MasterKeyContract

DATA_KEY = bytes(range(32))
PASSPHRASE = "correct horse"


def credentials(home: Path, **environ: str) -> Credentials:
    return Credentials.from_env(clean_environ({"GNUPGHOME": str(home), **environ}))


def new_home(name: str) -> Path:
    home = scratch() / name
    home.mkdir(mode=0o700)
    return home


def end_agent(home: Path) -> None:
    subprocess.run(
        ["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=True, timeout=60
    )


def generate(home: Path, user: str, *options: str) -> str:
    """A new key that can only encrypt; returns its fingerprint."""
    made = gpg(home, *options, "--status-fd", "1", "--quick-generate-key", user, "rsa2048", "encr", "never")
    return next(line.split()[-1] for line in made.stdout.decode().splitlines() if "KEY_CREATED" in line)


def subkeys(home: Path, user: str) -> list[str]:
    """The fingerprints of a key's parts, the primary one first."""
    listing = gpg(home, "--with-colons", "--with-subkey-fingerprint", "--list-keys", user).stdout.decode()
    return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]


@pytest.fixture(scope="module")
def locked_home() -> Iterator[tuple[Path, str]]:
    """A home whose only key has a passphrase; agents without a pinentry never get it."""
    home = new_home("locked")
    fingerprint = generate(
        home, "locked@example.test", "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE
    )
    end_agent(home)
    yield home, fingerprint
    end_agent(home)


@pytest.fixture(scope="module")
def empty_home() -> Iterator[Path]:
    home = new_home("empty")
    yield home
    end_agent(home)


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{textwrap.dedent(text)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class TestPgp(MasterKeyContract):
    @pytest.fixture
    def key(self) -> PgpKey:
        return PgpKey(PGP_FINGERPRINT)

    @pytest.fixture
    def other(self) -> PgpKey:
        return PgpKey("0" * 40)

    @pytest.fixture
    def credentials(self, pgp_home: Path) -> Credentials:
        return credentials(pgp_home)

    @pytest.fixture
    def stranger(self, empty_home: Path) -> Credentials:
        return credentials(empty_home)


def test_sops_reads_and_writes_the_same(pgp_home: Path) -> None:
    sops = Sops({"GNUPGHOME": str(pgp_home)})
    document = json.loads(sops.encrypt('{"a": "b"}', "json", pgp=PGP_FINGERPRINT))
    (entry,) = document["sops"]["pgp"]
    key, opens = keys.from_entry("pgp", entry), credentials(pgp_home)
    assert key == PgpKey(PGP_FINGERPRINT)
    data_key = key.unwrap(entry["enc"], opens)
    assert len(data_key) == 32
    ours = key.wrap(data_key, opens)
    for enc in (ours, entry["enc"]):
        assert enc.startswith("-----BEGIN PGP MESSAGE-----\n\n")
        assert enc.endswith("\n-----END PGP MESSAGE-----")
    entry["enc"] = ours
    assert json.loads(sops.decrypt(json.dumps(document), "json")) == {"a": "b"}


def test_subkeys_and_long_ids_work(pgp_home: Path) -> None:
    opens = credentials(pgp_home)
    primary, subkey = subkeys(pgp_home, PGP_FINGERPRINT)
    for name in (subkey, f"{subkey}!", subkey[-16:], primary[-16:], f"0x{primary}", primary.lower()):
        key = PgpKey.from_config(name)
        assert key.name == name
        assert key.unwrap(key.wrap(DATA_KEY, opens), opens) == DATA_KEY


def test_spaces_in_a_fingerprint_are_dropped() -> None:
    spaced = " ".join(PGP_FINGERPRINT[at : at + 4] for at in range(0, 40, 4))
    assert PgpKey.from_config(spaced) == PgpKey(PGP_FINGERPRINT)


@pytest.mark.parametrize("name", ["me@example.test", "ABCD", "--output", "A" * 39, "G" * 40, f"{'A' * 40}!!"])
def test_what_is_no_fingerprint_never_reaches_gpg(name: str, pgp_home: Path, tmp_path: Path) -> None:
    program = script(tmp_path / "gpg", f"touch {tmp_path}/ran")
    with pytest.raises(BadKeyError, match="is not a PGP fingerprint"):
        PgpKey(name).wrap(DATA_KEY, credentials(pgp_home, SOPS_GPG_EXEC=str(program)))
    assert not (tmp_path / "ran").exists()


def test_gpg_gets_the_arguments_of_sops_and_no_secret(pgp_home: Path, tmp_path: Path) -> None:
    program = script(
        tmp_path / "gpg",
        f"""
        printf '%s\\n' "$@" -- >> {tmp_path}/arguments
        exec gpg "$@"
        """,
    )
    opens = credentials(pgp_home, SOPS_GPG_EXEC=str(program))
    data_key = b"0123456789abcdef0123456789abcdef"
    key = PgpKey(PGP_FINGERPRINT)
    assert key.unwrap(key.wrap(data_key, opens), opens) == data_key
    arguments = (tmp_path / "arguments").read_text()
    assert data_key.decode() not in arguments
    assert data_key.hex() not in arguments
    calls = [call.splitlines() for call in arguments.split("--\n") if call]
    (encrypt,) = [call for call in calls if "--encrypt" in call]
    for expected in (
        ["--recipient", PGP_FINGERPRINT],
        ["--trusted-key", PGP_FINGERPRINT[-16:]],
        ["--no-default-recipient"],
        ["--no-encrypt-to"],
        ["--yes"],
        ["--armor"],
    ):
        at = encrypt.index(expected[0])
        assert encrypt[at : at + len(expected)] == expected
    assert any("--decrypt" in call for call in calls)


def test_an_unsigned_key_of_somebody_else_is_trusted_as_by_sops(pgp_home: Path, empty_home: Path) -> None:
    exported = gpg(pgp_home, "--export", "--armor", PGP_FINGERPRINT).stdout
    home = new_home("other")
    gpg(home, "--import", input=exported)
    key = PgpKey(PGP_FINGERPRINT)
    enc = key.wrap(DATA_KEY, credentials(home))
    assert key.unwrap(enc, credentials(pgp_home)) == DATA_KEY
    with pytest.raises(NotMyKeyError, match=f"no secret key for it in {home}"):
        key.unwrap(enc, credentials(home))
    end_agent(home)


# --- what a failure says -------------------------------------------------------------------


@pytest.fixture
def enc(pgp_home: Path) -> str:
    return PgpKey(PGP_FINGERPRINT).wrap(DATA_KEY, credentials(pgp_home))


def test_no_public_key(empty_home: Path) -> None:
    with pytest.raises(MasterKeyError) as caught:
        PgpKey(PGP_FINGERPRINT).wrap(DATA_KEY, credentials(empty_home))
    assert caught.value.message == f"its public key is not in {empty_home}"
    assert caught.value.hint == "import it: gpg --import FILE"


def test_a_key_that_cannot_encrypt(pgp_home: Path) -> None:
    with pytest.raises(MasterKeyError, match="Unusable public key") as caught:
        PgpKey(f"{PGP_FINGERPRINT}!").wrap(DATA_KEY, credentials(pgp_home))
    assert f"gpg --list-keys {PGP_FINGERPRINT} shows whether" in (caught.value.hint or "")


def test_a_revoked_key() -> None:
    home = new_home("revoked")
    fingerprint = generate(home, "gone@example.test", "--passphrase", "")
    revocation = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----", "-----")
    gpg(home, "--import", input=revocation.encode())
    with pytest.raises(MasterKeyError, match=r"revoked|Unusable public key"):
        PgpKey(fingerprint).wrap(DATA_KEY, credentials(home))
    end_agent(home)


def test_no_gpg(pgp_home: Path, enc: str, tmp_path: Path) -> None:
    nowhere = credentials(pgp_home, PATH=str(tmp_path))
    with pytest.raises(NotMyKeyError, match="gpg was not found"):
        PgpKey(PGP_FINGERPRINT).unwrap(enc, nowhere)
    with pytest.raises(MasterKeyError, match="gpg was not found") as caught:
        PgpKey(PGP_FINGERPRINT).wrap(DATA_KEY, nowhere)
    assert "SOPS_GPG_EXEC" in str(caught.value.hint)


def test_a_wrong_program_in_the_setting_is_reported(pgp_home: Path, enc: str) -> None:
    with pytest.raises(MasterKeyError, match="SOPS_GPG_EXEC=/nowhere/gpg cannot be run") as caught:
        PgpKey(PGP_FINGERPRINT).unwrap(enc, credentials(pgp_home, SOPS_GPG_EXEC="/nowhere/gpg"))
    assert not isinstance(caught.value, NotMyKeyError)
    with pytest.raises(MasterKeyError, match="gpg: exit code 1"):
        PgpKey(PGP_FINGERPRINT).unwrap(enc, credentials(pgp_home, SOPS_GPG_EXEC="/bin/false"))


@pytest.mark.parametrize("prints", ["", "echo hello", r"printf '\377'"])
def test_what_is_not_a_message_is_no_wrapped_data_key(pgp_home: Path, tmp_path: Path, prints: str) -> None:
    """If it were stored, no key could open the file again."""
    program = script(tmp_path / "gpg", prints)
    with pytest.raises(MasterKeyError, match="gpg returned something that is not a PGP message"):
        PgpKey(PGP_FINGERPRINT).wrap(DATA_KEY, credentials(pgp_home, SOPS_GPG_EXEC=str(program)))


def test_gpg_has_a_time_limit(pgp_home: Path, enc: str, tmp_path: Path) -> None:
    program = script(tmp_path / "gpg", "exec sleep 30")
    opens = credentials(pgp_home, SOPS_GPG_EXEC=str(program))
    opens.timeout = 0.3
    with pytest.raises(MasterKeyError, match=r"gpg took longer than 0\.3 s"):
        PgpKey(PGP_FINGERPRINT).unwrap(enc, opens)


def test_a_gpg_whose_children_keep_its_output_open_is_not_waited_for(
    pgp_home: Path, enc: str, tmp_path: Path
) -> None:
    program = script(tmp_path / "gpg", "sleep 5 &\nexec sleep 5")
    opens = credentials(pgp_home, SOPS_GPG_EXEC=str(program))
    opens.timeout = 0.3
    begun = time.monotonic()
    with pytest.raises(MasterKeyError, match="gpg took longer than"):
        PgpKey(PGP_FINGERPRINT).unwrap(enc, opens)
    assert time.monotonic() - begun < 4


def test_gpg_is_asked_for_its_version_once(pgp_home: Path, enc: str, tmp_path: Path) -> None:
    program = script(tmp_path / "gpg", f'echo "$@" >> {tmp_path}/calls\nexec gpg "$@"')
    for _ in range(3):  # each has its own credentials, as each load_config has
        opens = credentials(pgp_home, SOPS_GPG_EXEC=str(program))
        assert PgpKey(PGP_FINGERPRINT).unwrap(enc, opens) == DATA_KEY
    calls = (tmp_path / "calls").read_text()
    assert (calls.count("--list-config"), calls.count("--decrypt")) == (1, 3)


def test_nothing_that_gpg_says_is_logged(
    pgp_home: Path, enc: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gnupg

    monkeypatch.setattr(gnupg, "log_everything", True)
    caplog.set_level(1, "gnupg")
    caplog.set_level(1)
    assert PgpKey(PGP_FINGERPRINT).unwrap(enc, credentials(pgp_home)) == DATA_KEY
    assert [record for record in caplog.records if record.name == "gnupg"] == []


def test_the_traffic_with_the_agent_is_never_shown(
    pgp_home: Path, enc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-gnupg lets gpg print it if the environment has this variable."""
    monkeypatch.setenv("DEBUG_IPC", "1")
    program = script(tmp_path / "gpg", f'echo "$@" >> {tmp_path}/calls\nexec gpg "$@"')
    opens = credentials(pgp_home, SOPS_GPG_EXEC=str(program))
    assert PgpKey(PGP_FINGERPRINT).unwrap(enc, opens) == DATA_KEY
    assert "ipc" not in (tmp_path / "calls").read_text()


def test_without_python_gnupg(pgp_home: Path) -> None:
    said = said_without("gnupg", PgpKey(PGP_FINGERPRINT), credentials(pgp_home).environ)
    assert said == ["PGP keys need the package python-gnupg", "pip install python-gnupg"] * 2


def test_a_message_with_more_than_a_data_key_is_refused(pgp_home: Path) -> None:
    message = gpg(pgp_home, "-a", "-r", PGP_FINGERPRINT, "--encrypt", input=bytes(5_000_000)).stdout.decode()
    with pytest.raises(MasterKeyError, match="something larger than a data key"):
        PgpKey(PGP_FINGERPRINT).unwrap(message, credentials(pgp_home))


def test_a_passphrase_without_a_terminal(locked_home: tuple[Path, str]) -> None:
    home, fingerprint = locked_home
    key = PgpKey(fingerprint)
    program = """
        import os, sys
        from encconf.identities.credentials import Credentials
        from encconf.errors import MasterKeyError
        from encconf.keys.pgp import PgpKey
        key, credentials = PgpKey(sys.argv[1]), Credentials.from_env()
        try:
            key.unwrap(key.wrap(bytes(32), credentials), credentials)
        except MasterKeyError as error:
            print(type(error).__name__, error.message, error.hint, sep="\\n")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), key.name],
        env=clean_environ({"GNUPGHOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    kind, message, hint = result.stdout.splitlines()
    assert kind == "MasterKeyError"
    assert message == "gpg could not ask for the passphrase without a terminal"
    assert "GPG_TTY" in hint


# A pinentry that types the passphrase and notes which terminal it was given.
PINENTRY = """
    echo OK ready
    while read -r line; do
        case "$line" in
            OPTION*ttyname*) echo "$line" >> {note}; echo OK ;;
            GETPIN*) echo "D {answer}"; echo OK ;;
            BYE*) echo OK; exit 0 ;;
            *) echo OK ;;
        esac
    done
"""


def use_pinentry(home: Path, folder: Path, answer: str) -> Path:
    """Configure a pinentry; returns the file in which it notes the terminal."""
    note = folder / "ttyname"
    program = script(folder / "pinentry", textwrap.dedent(PINENTRY).format(note=note, answer=answer))
    (home / "gpg-agent.conf").write_text(f"pinentry-program {program}\n")
    end_agent(home)
    return note


def test_the_agent_asks_for_a_passphrase_on_our_terminal(
    locked_home: tuple[Path, str], tmp_path: Path
) -> None:
    home, fingerprint = locked_home
    note = use_pinentry(home, tmp_path, PASSPHRASE)
    program = """
        import os, sys
        from encconf.identities.credentials import Credentials
        from encconf.keys.pgp import PgpKey
        key, credentials = PgpKey(sys.argv[1]), Credentials.from_env()
        assert key.unwrap(key.wrap(bytes(32), credentials), credentials) == bytes(32)
        print("terminal", os.ttyname(0))
    """
    environ = clean_environ({"GNUPGHOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)})
    code, screen = on_terminal([sys.executable, "-c", textwrap.dedent(program), fingerprint], [], environ)
    assert code == 0, screen
    terminal = screen.partition("terminal ")[2].split()[0]
    assert f"ttyname={terminal}" in note.read_text()


@pytest.mark.parametrize("inside", [False, True])
def test_nobody_is_asked_for_the_passphrase_of_a_stranger(
    locked_home: tuple[Path, str], tmp_path: Path, inside: bool
) -> None:
    """A message can be encrypted with a passphrase: by itself, or inside one for our key."""
    home, fingerprint = locked_home
    use_pinentry(home, tmp_path, PASSPHRASE)
    said, pinentry = tmp_path / "said", tmp_path / "pinentry"
    pinentry.write_text(pinentry.read_text().replace(" *) echo OK", f' *) echo "$line" >> {said}; echo OK'))
    key, opens = PgpKey(fingerprint), credentials(home)
    assert key.unwrap(key.wrap(DATA_KEY, opens), opens) == DATA_KEY
    assert "to unlock the OpenPGP secret key" in said.read_text()
    locked = ["--pinentry-mode", "loopback", "--passphrase", "stranger", "--no-symkey-cache", "-c"]
    message = gpg(home, *locked, *(() if inside else ("-a",)), input=DATA_KEY).stdout
    if inside:
        trusted = ["--trust-model", "always", "-r", fingerprint]
        message = gpg(home, *trusted, "--no-literal", "-a", "-e", input=message).stdout
    with pytest.raises(MasterKeyError, match="encrypted with a passphrase"):
        key.unwrap(message.decode(), opens)
    assert "for decryption" not in said.read_text()


def test_a_wrong_passphrase(locked_home: tuple[Path, str], tmp_path: Path) -> None:
    home, fingerprint = locked_home
    use_pinentry(home, tmp_path, "wrong")
    key, opens = PgpKey(fingerprint), credentials(home)
    with pytest.raises(MasterKeyError, match="the passphrase was wrong"):
        key.unwrap(key.wrap(DATA_KEY, opens), opens)


def test_a_cancelled_passphrase(locked_home: tuple[Path, str], tmp_path: Path) -> None:
    home, fingerprint = locked_home
    use_pinentry(home, tmp_path, "")
    pinentry = tmp_path / "pinentry"
    pinentry.write_text(pinentry.read_text().replace('echo "D "; echo OK', 'echo "ERR 83886179 cancelled"'))
    key, opens = PgpKey(fingerprint), credentials(home)
    with pytest.raises(MasterKeyError, match="the passphrase prompt was cancelled"):
        key.unwrap(key.wrap(DATA_KEY, opens), opens)


def test_no_agent(locked_home: tuple[Path, str]) -> None:
    home, fingerprint = locked_home
    end_agent(home)
    (home / "gpg.conf").write_text("no-autostart\n")
    try:
        key, opens = PgpKey(fingerprint), credentials(home)
        with pytest.raises(MasterKeyError) as caught:
            key.unwrap(key.wrap(DATA_KEY, opens), opens)
        assert "agent" in caught.value.message
    finally:
        (home / "gpg.conf").unlink()
