from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from keys import plugin
from keys.age_files import DATA_KEY, child, credentials
from keys.interop import said_without
from oracle import AgeKey as Pair
from oracle import Sops

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import bech32
from encconf.keys.age import AgeKey
from encconf.testing.contracts.master_key import MasterKeyContract


class TestX25519(MasterKeyContract):
    @pytest.fixture
    def key(self, alice: Pair) -> AgeKey:
        return AgeKey(alice.recipient)

    @pytest.fixture
    def other(self, bob: Pair) -> AgeKey:
        return AgeKey(bob.recipient)

    @pytest.fixture
    def credentials(self, alice: Pair) -> Credentials:
        return credentials(SOPS_AGE_KEY=alice.identity)

    @pytest.fixture
    def stranger(self, bob: Pair) -> Credentials:
        return credentials(SOPS_AGE_KEY=bob.identity)

    @pytest.fixture
    def secrets(self, alice: Pair, bob: Pair) -> list[str]:
        return [alice.identity, bob.identity]


class TestSshEd25519(MasterKeyContract):
    KIND = "ed25519"

    @pytest.fixture
    def key(self, ssh: dict[str, tuple[Path, str]]) -> AgeKey:
        return AgeKey(ssh[self.KIND][1])

    @pytest.fixture
    def other(self, ssh: dict[str, tuple[Path, str]]) -> AgeKey:
        return AgeKey(ssh[f"locked-{self.KIND}"][1])

    @pytest.fixture
    def credentials(self, ssh: dict[str, tuple[Path, str]]) -> Credentials:
        return credentials(SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(ssh[self.KIND][0]))

    @pytest.fixture
    def stranger(self, ssh: dict[str, tuple[Path, str]]) -> Credentials:
        return credentials(SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(ssh["rsa-pem"][0]))

    @pytest.fixture
    def secrets(self, ssh: dict[str, tuple[Path, str]]) -> list[str]:
        private, public = ssh[self.KIND]
        return [line for line in private.read_text().splitlines()[1:-1] if line not in public]


class TestSshRsa(TestSshEd25519):
    KIND = "rsa"


class TestPlugin(MasterKeyContract):
    @pytest.fixture(autouse=True)
    def _program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plugin.install(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    @pytest.fixture
    def pair(self) -> tuple[str, str]:
        return plugin.generate()

    @pytest.fixture
    def key(self, pair: tuple[str, str]) -> AgeKey:
        return AgeKey(pair[0])

    @pytest.fixture
    def other(self) -> AgeKey:
        return AgeKey(plugin.generate()[0])

    @pytest.fixture
    def credentials(self, pair: tuple[str, str]) -> Credentials:
        return credentials(SOPS_AGE_KEY=pair[1])

    @pytest.fixture
    def stranger(self) -> Credentials:
        return credentials(SOPS_AGE_KEY=plugin.generate()[1])

    @pytest.fixture
    def secrets(self, pair: tuple[str, str]) -> list[str]:
        return [pair[1]]

    def test_sops_reads_and_writes_the_same(self, pair: tuple[str, str], tmp_path: Path) -> None:
        environ = {"SOPS_AGE_KEY": pair[1], "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        both_ways(Sops(environ), AgeKey(pair[0]), credentials(SOPS_AGE_KEY=pair[1]))

    def test_it_may_ask_a_person_who_may_go_away(self, pair: tuple[str, str], tmp_path: Path) -> None:
        plugin.install(tmp_path, asks=True)
        key, made = AgeKey(pair[0]), credentials(prompt=["1234"], SOPS_AGE_KEY=pair[1])
        enc = key.wrap(DATA_KEY, made)
        assert key.unwrap(enc, made) == DATA_KEY
        for answer in (EOFError, KeyboardInterrupt, SystemExit, OSError):
            made.prompt = Mock(side_effect=answer)
            with pytest.raises(MasterKeyError if answer is EOFError else answer):
                key.unwrap(enc, made)
            made.prompt.assert_called_once_with("PIN: ")
        plugin.install(tmp_path, asks_to_wrap=True)
        made.prompt = Mock(side_effect=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            key.wrap(DATA_KEY, made)

    @pytest.mark.posix
    def test_one_of_the_work_tree_or_the_current_folder_does_not_run(
        self, pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        enc = AgeKey(pair[0]).wrap(DATA_KEY, credentials())
        (tmp_path / "tree" / ".git").mkdir(parents=True)
        (tmp_path / "tree" / "bin").mkdir()
        ran = tmp_path / "ran"
        for folder in (tmp_path / "tree", tmp_path / "tree" / "bin"):
            (folder / "age-plugin-double").write_text(f"#!/bin/sh\ntouch {ran}\n")
            (folder / "age-plugin-double").chmod(0o755)
        monkeypatch.chdir(tmp_path / "tree")
        usual = os.environ["PATH"]
        for first in (".", "", str(tmp_path / "tree" / "bin")):
            monkeypatch.setenv("PATH", f"{first}{os.pathsep}{usual}")
            assert AgeKey(pair[0]).unwrap(enc, credentials(SOPS_AGE_KEY=pair[1])) == DATA_KEY
            AgeKey(pair[0]).wrap(DATA_KEY, credentials())
            monkeypatch.setenv("PATH", first)
            with pytest.raises(MasterKeyError, match="age-plugin-double was not found, except in"):
                AgeKey(pair[0]).wrap(DATA_KEY, credentials())
            with pytest.raises(MasterKeyError, match="age-plugin-double was not found, except in"):
                AgeKey(pair[0]).unwrap(enc, credentials(SOPS_AGE_KEY=pair[1]))
        assert not ran.exists()

    @pytest.mark.parametrize("name", ["x/evil", "/evil", "x\\evil"])
    def test_its_name_is_no_path(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A recipient is text of a file, and could name a program of the work tree."""
        monkeypatch.setattr(plugin, "NAME", name)
        recipient, identity = plugin.generate()
        (tmp_path / "age-plugin-x").mkdir()
        program = tmp_path / "age-plugin-x" / "evil"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        program.chmod(0o755)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(MasterKeyError):
            AgeKey(recipient).wrap(DATA_KEY, credentials())
        with pytest.raises(MasterKeyError):
            AgeKey(recipient).unwrap(
                AgeKey(Pair.generate().recipient).wrap(DATA_KEY, credentials()),
                credentials(SOPS_AGE_KEY=identity),
            )
        assert not (tmp_path / "ran").exists()

    @pytest.mark.posix
    def test_it_gets_no_key_in_its_environment(
        self, pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "age-plugin-double"
        (tmp_path / "real").write_text(program.read_text())
        (tmp_path / "real").chmod(0o755)
        program.write_text(f'#!/bin/sh\nenv >> {tmp_path}/seen\nexec {tmp_path}/real "$@"\n')
        given = {"SOPS_AGE_KEY": pair[1], "VAULT_TOKEN": "t0ken-of-vault", "OTHER": "stays"}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        made = credentials(**given)
        assert AgeKey(pair[0]).unwrap(AgeKey(pair[0]).wrap(DATA_KEY, made), made) == DATA_KEY
        seen = (tmp_path / "seen").read_text()
        assert seen.count("OTHER=stays") == 2
        assert pair[1] not in seen
        assert "t0ken-of-vault" not in seen
        again = ["sh", "-c", "echo $VAULT_TOKEN"]
        assert subprocess.run(again, capture_output=True, check=True).stdout == b"t0ken-of-vault\n"

    def test_a_missing_program_is_named_and_hides_no_other_identity(
        self, pair: tuple[str, str], alice: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(MasterKeyError, match="age-plugin-double"):
            AgeKey(pair[0]).wrap(DATA_KEY, credentials())
        enc = AgeKey(alice.recipient).wrap(DATA_KEY, credentials())
        both = f"{pair[1]} {alice.identity}"
        assert AgeKey(alice.recipient).unwrap(enc, credentials(SOPS_AGE_KEY=both)) == DATA_KEY
        with pytest.raises(
            MasterKeyError, match=r"age-plugin-double.*\nlooked in: .*\(1 key: age-plugin-double\)"
        ):
            AgeKey(alice.recipient).unwrap(enc, credentials(SOPS_AGE_KEY=pair[1]))


def both_ways(sops: Sops, key: AgeKey, opens: Credentials) -> None:
    """What sops wrapped we open; in its place, what we wrapped sops opens."""
    document = json.loads(sops.encrypt('{"a": "b"}', "json", age=key.recipient))
    (entry,) = document["sops"]["age"]
    assert AgeKey.from_entry(entry) == key
    data_key = key.unwrap(entry["enc"], opens)
    assert len(data_key) == 32
    ours = key.wrap(data_key, opens)
    assert ours.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert ours.endswith("\n-----END AGE ENCRYPTED FILE-----\n")
    assert entry["enc"].endswith("\n-----END AGE ENCRYPTED FILE-----\n")
    entry["enc"] = ours
    assert json.loads(sops.decrypt(json.dumps(document), "json")) == {"a": "b"}


def test_sops_reads_and_writes_the_same_for_x25519(alice: Pair) -> None:
    both_ways(Sops(alice.environ()), AgeKey(alice.recipient), credentials(SOPS_AGE_KEY=alice.identity))


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "rsa-pem", "rsa-pkcs8"])
def test_sops_reads_and_writes_the_same_for_ssh(kind: str, ssh: dict[str, tuple[Path, str]]) -> None:
    path, public = ssh[kind]
    environ = {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(path)}
    both_ways(Sops(environ), AgeKey(public), credentials(**environ))


@pytest.mark.posix  # no package index has age for Windows
@pytest.mark.parametrize("kind", ["x25519", "ed25519", "rsa"])
def test_the_age_command_reads_and_writes_the_same(
    kind: str, alice: Pair, ssh: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    if kind == "x25519":
        identity, recipient = tmp_path / "key.txt", alice.recipient
        identity.write_text(f"{alice.identity}\n")
        opens = credentials(SOPS_AGE_KEY_FILE=str(identity))
    else:
        identity, recipient = ssh[kind]
        opens = credentials(SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(identity))

    def age(*args: str, input: bytes) -> bytes:
        return subprocess.run(["age", *args], input=input, capture_output=True, check=True, timeout=60).stdout

    key = AgeKey(recipient)
    assert key.unwrap(age("-a", "-r", recipient, input=DATA_KEY).decode(), opens) == DATA_KEY
    assert age("-d", "-i", str(identity), input=key.wrap(DATA_KEY, opens).encode()) == DATA_KEY


# --- where identities are ------------------------------------------------------------------


# --- what a failure says -------------------------------------------------------------------


def test_an_entry_that_does_not_fit_its_recipient_differs_from_a_foreign_one(alice: Pair, bob: Pair) -> None:
    enc = AgeKey(bob.recipient).wrap(DATA_KEY, credentials())
    with pytest.raises(MasterKeyError, match="the entry was changed"):
        AgeKey(alice.recipient).unwrap(enc, credentials(SOPS_AGE_KEY=alice.identity))


# --- passphrases ---------------------------------------------------------------------------


# --- recipients ----------------------------------------------------------------------------


def test_a_recipient_is_trimmed_and_keeps_its_comment(ssh: dict[str, tuple[Path, str]]) -> None:
    public = ssh["ed25519"][1]
    assert public.endswith(" me@example.test")
    assert AgeKey.from_config(f"\t{public}\n").to_entry() == {"recipient": public}


@pytest.mark.parametrize(
    "value",
    ["age1abc", "AGE1ABC", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 AAAA", "age1double1qqqq", "me@x.test"],
)
def test_a_malformed_recipient_is_named(value: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        keys.master_key("age", value)
    assert "is not an age recipient" in caught.value.message
    assert value[:4] in caught.value.message


@pytest.mark.parametrize(
    "point",
    [
        *(number.to_bytes(32, "little").hex() for number in (0, 1, 2**255 - 20, 2**255 - 19, 2**255 + 1)),
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ],
)
def test_a_recipient_of_low_order_is_refused(point: str) -> None:
    with pytest.raises(ValueError, match="shared key"):
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(point)))
    recipient = bech32.encode(bytes.fromhex(point), "age1")
    with pytest.raises(BadKeyError, match="low order"):
        AgeKey.from_config(recipient)
    with pytest.raises(BadKeyError, match="low order"):  # from the block of a file
        AgeKey(recipient).wrap(DATA_KEY, credentials())


def test_a_private_key_given_as_a_recipient_is_not_repeated(
    alice: Pair, ssh: dict[str, tuple[Path, str]]
) -> None:
    for secret in (
        alice.identity,
        alice.identity.lower(),
        plugin.generate()[1],
        ssh["ed25519"][0].read_text(),
    ):
        with pytest.raises(BadKeyError) as caught:
            keys.master_key("age", secret)
        assert caught.value.message == "this is a private key, not an age recipient"


OURS = ("__future__", "binascii", "encconf", "errno", "pyrage")
CONSOLE = ("_ctypes", "_struct", "ctypes", "msvcrt", "struct", "types") if os.name == "nt" else ()
"""What Windows needs to tell a console from NUL."""


def test_the_fast_path_needs_pyrage_and_nothing_else(alice: Pair, tmp_path: Path) -> None:
    key, file = AgeKey(alice.recipient), tmp_path / "enc"
    file.write_text(key.wrap(DATA_KEY, credentials()))
    (tmp_path / "keys.txt").write_text(alice.identity)
    program = """
        import collections.abc, sys  # the formats load collections in any case, with re
        before = set(sys.modules)
        from encconf.identities.credentials import Credentials
        from encconf.envelope.unwrap import open_data_key
        from encconf.envelope import WrappedKey
        key = WrappedKey.from_entry("age", {"recipient": sys.argv[1], "enc": open(sys.argv[2]).read()})
        print(open_data_key([[key]], 0, Credentials.from_env()).hex())
        print(*sorted(name for name in set(sys.modules) - before))
    """
    said = child(program, alice.recipient, str(file), SOPS_AGE_KEY_FILE=str(tmp_path / "keys.txt"))
    data_key, modules = said.splitlines()
    assert bytes.fromhex(data_key) == DATA_KEY
    foreign = [name for name in modules.split() if name.partition(".")[0] not in OURS + CONSOLE]
    assert foreign == []


POST_QUANTUM_RECIPIENT = bech32.encode(bytes(1216), "age1pq1")
POST_QUANTUM_IDENTITY = bech32.encode(bytes(32), "AGE-SECRET-KEY-PQ-1")


class TestMissingPackages:
    """Each is named by an error, and the keys that do not need it work."""

    def test_without_pyrage(self) -> None:
        key = Pair.generate()
        said = said_without("pyrage", AgeKey(key.recipient), key.environ())
        assert said == ["age keys need the package pyrage", "pip install pyrage"] * 2

    @pytest.mark.parametrize("without", ["hpke", "asymmetric.mlkem"])
    def test_an_old_cryptography(self, without: str) -> None:
        """Versions before 48 lack ML-KEM or HPKE, and are named by the error.  Other keys need neither."""
        program = """
            import sys

            sys.modules[f"cryptography.hazmat.primitives.{sys.argv[1]}"] = None
            from encconf.errors import MissingExtraError
            from encconf.identities.credentials import Credentials
            from encconf.keys import age, agepq

            for use in (
                lambda: age.AgeKey(sys.argv[2]).wrap(bytes(32), Credentials.from_env()),
                lambda: agepq.Identity(sys.argv[3]).to_public(),
            ):
                try:
                    use()
                except MissingExtraError as error:
                    print(error.message, error.hint, sep="\\n")
        """
        said = child(program, without, POST_QUANTUM_RECIPIENT, POST_QUANTUM_IDENTITY).splitlines()
        assert (
            said[:2]
            == said[2:]
            == [
                "post-quantum keys (age1pq1…) need the package cryptography 48 or newer, with ML-KEM;"
                f" this is {version('cryptography')}",
                "pip install 'cryptography>=48' (one that you build yourself needs OpenSSL 3.5)",
            ]
        )
