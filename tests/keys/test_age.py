from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from keys import plugin
from keys.passphrase import armored, locked
from keys.terminal import on_terminal
from oracle import AgeKey as Pair
from oracle import Sops, clean_environ

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey
from encconf.keys.age_identity import recipient_in
from encconf.testing.contracts.master_key import MasterKeyContract

DATA_KEY = bytes(range(32))
PASSPHRASE = "correct horse"


def credentials(home: Path | None = None, prompt: list[str] | None = None, **environ: str) -> Credentials:
    """Credentials with these variables; ``prompt`` are the answers, which are used up."""
    made = Credentials.from_env({"PATH": os.environ["PATH"], **environ}, platform="linux")
    made.home = str(home) if home else None
    made.config_home = str(home / ".config") if home else None
    answers = prompt or []
    made.prompt = (lambda question: answers.pop(0)) if prompt is not None else None
    return made


def ssh_key(folder: Path, *options: str, name: str = "key") -> tuple[Path, str]:
    """A new SSH key by ssh-keygen: the private file, the public line."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-C", "me@example.test", "-f", str(path), *options]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path, Path(f"{path}.pub").read_text().strip()


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """One SSH key of each kind, unlocked and (``locked-…``) with a passphrase."""
    folder = tmp_path_factory.mktemp("ssh")
    kinds = {
        "ed25519": ["-t", "ed25519"],
        "rsa": ["-t", "rsa", "-b", "2048"],
        "rsa-pem": ["-t", "rsa", "-b", "2048", "-m", "PEM"],
        "rsa-pkcs8": ["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        "ecdsa": ["-t", "ecdsa"],
    }
    made = {kind: ssh_key(folder, *options, "-N", "", name=kind) for kind, options in kinds.items()}
    for kind, options in kinds.items():
        name = f"locked-{kind}"
        made[name] = ssh_key(folder, *options, "-N", PASSPHRASE, name=name)
    return made


@pytest.fixture(scope="module")
def alice() -> Pair:
    return Pair.generate()


@pytest.fixture(scope="module")
def bob() -> Pair:
    return Pair.generate()


@pytest.fixture(scope="module")
def locked_file(alice: Pair) -> bytes:
    """Alice's identity file under a passphrase, armored."""
    return armored(locked(f"# alice\n{alice.identity}\n".encode(), PASSPHRASE))


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


@pytest.fixture
def enc(alice: Pair) -> str:
    return AgeKey(alice.recipient).wrap(DATA_KEY, credentials())


def opens(pair: Pair, enc: str, made: Credentials) -> bool:
    return AgeKey(pair.recipient).unwrap(enc, made) == DATA_KEY


def test_every_place_works(alice: Pair, enc: str, tmp_path: Path) -> None:
    file = tmp_path / "keys with spaces.txt"
    file.write_text(f"# created: today\n# public key: {alice.recipient}\n\n{alice.identity}\r\n")
    assert opens(alice, enc, credentials(SOPS_AGE_KEY=alice.identity))
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=str(file)))
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_CMD=f"cat '{file}'"))
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_bytes(file.read_bytes())
    assert opens(alice, enc, credentials(tmp_path))


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


def test_the_command_is_told_the_recipient(alice: Pair, enc: str, tmp_path: Path) -> None:
    (tmp_path / alice.recipient).write_text(alice.identity)
    command = f"""sh -c 'cat "{tmp_path}/$SOPS_AGE_RECIPIENT"'"""
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
        made = credentials(**{variable: f"cat {path}" if variable.endswith("CMD") else str(path)})
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


def test_an_unusable_key_in_the_ssh_folder_breaks_nothing(
    ssh: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    shutil.copy(ssh["ecdsa"][0], tmp_path / ".ssh" / "id_rsa")
    path, public = ssh["ed25519"]
    key = AgeKey(public)
    enc = key.wrap(DATA_KEY, credentials())
    with pytest.raises(NotMyKeyError) as caught:
        key.unwrap(enc, credentials(tmp_path))
    assert "~/.ssh/id_ed25519 (an SSH key that age cannot use (ed25519 and RSA only))" in caught.value.message
    (tmp_path / ".ssh" / "id_rsa").write_bytes(path.read_bytes())
    assert key.unwrap(enc, credentials(tmp_path)) == DATA_KEY


@pytest.mark.parametrize(
    "line", ["AGE-SECRET-KEY-PQ-1ABC", "AGE-SECRET-KEY-1DAMAGED", "AGE-PLUGIN-X-1DAMAGED", "hello", "age1abc"]
)
def test_one_unusable_identity_does_not_hide_the_others(
    alice: Pair, bob: Pair, enc: str, line: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys.txt"
    file.write_text(f"{line}\n{alice.identity}\n")
    assert opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=str(file)))
    with pytest.raises(MasterKeyError) as caught:
        opens(
            bob, AgeKey(bob.recipient).wrap(DATA_KEY, credentials()), credentials(SOPS_AGE_KEY_FILE=str(file))
        )
    assert "; line 1: " in caught.value.message
    assert "DAMAGED" not in caught.value.message


# --- what a failure says -------------------------------------------------------------------


def test_the_report_lists_every_place(alice: Pair, bob: Pair, enc: str, tmp_path: Path) -> None:
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_text(f"{bob.identity}\n")
    with pytest.raises(NotMyKeyError) as caught:
        opens(alice, enc, credentials(tmp_path, SOPS_AGE_KEY=""))
    short = f"{bob.recipient[:8]}…{bob.recipient[-4:]}"
    assert caught.value.message == (
        "no matching identity\nlooked in: SOPS_AGE_KEY (empty), SOPS_AGE_KEY_FILE (unset), "
        f"SOPS_AGE_KEY_CMD (unset), ~/.config/sops/age/keys.txt (1 key: {short})"
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
        "~/.ssh/id_ed25519 (not there), ~/.ssh/id_rsa (not there), SOPS_AGE_KEY (unset)"
        in caught.value.message
    )


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SOPS_AGE_KEY_FILE", "/nowhere/keys.txt", "SOPS_AGE_KEY_FILE=/nowhere/keys.txt (not there)"),
        ("SOPS_AGE_KEY_FILE", "/", "SOPS_AGE_KEY_FILE=/ (cannot be read: it is a folder)"),
        ("SOPS_AGE_KEY_FILE", "/dev/zero", "(cannot be read: it is neither a regular file nor a pipe)"),
        ("SOPS_AGE_KEY", "/home/me/keys.txt", "perhaps a path: use SOPS_AGE_KEY_FILE for those"),
        (
            "SOPS_AGE_KEY",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
            "use SOPS_AGE_SSH_PRIVATE_KEY_FILE for those",
        ),
        ("SOPS_AGE_KEY", "age1abc", "a recipient, not an identity"),
        ("SOPS_AGE_KEY_CMD", "false", "SOPS_AGE_KEY_CMD (false failed with exit code 1)"),
        ("SOPS_AGE_KEY_CMD", "/nowhere/pass show x", "SOPS_AGE_KEY_CMD (pass was not found)"),
        ("SOPS_AGE_KEY_CMD", "echo 'x", "(not a command line: a quote is not closed)"),
        ("SOPS_AGE_KEY_CMD", "printf '\\377'", "SOPS_AGE_KEY_CMD (not a text)"),
        ("SOPS_AGE_KEY_CMD", "sleep 30", "SOPS_AGE_KEY_CMD (sleep took longer than 0.2 s)"),
    ],
)
def test_a_setting_that_is_not_in_order_is_reported(
    alice: Pair, bob: Pair, enc: str, variable: str, value: str, says: str, tmp_path: Path
) -> None:
    made = credentials(tmp_path, **{variable: value})
    made.timeout = 0.2
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, made)
    assert not isinstance(caught.value, NotMyKeyError)
    assert caught.value.message.startswith(f"no matching identity; not usable: {variable}\n")
    assert says in caught.value.message
    # and yet it hides nothing that works
    standard = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    standard.parent.mkdir(parents=True)
    standard.write_text(alice.identity)
    made = credentials(tmp_path, **{variable: value})
    made.timeout = 0.2
    assert opens(alice, enc, made)


@pytest.mark.parametrize(
    "variable", ["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"]
)
def test_a_key_in_the_wrong_variable_is_not_shown(
    alice: Pair, bob: Pair, variable: str, ssh: dict[str, tuple[Path, str]]
) -> None:
    key = AgeKey(ssh["ed25519"][1])
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(key.wrap(DATA_KEY, credentials()), credentials(**{variable: bob.identity}))
    assert f"{variable} (contains a private key instead of the name of a " in caught.value.message
    assert bob.identity[20:30] not in caught.value.message


def test_a_whole_key_file_in_the_wrong_variable_is_not_shown(alice: Pair, bob: Pair, enc: str) -> None:
    content = f"# created: today\n# public key: {bob.recipient}\n{bob.identity}\n"
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, credentials(SOPS_AGE_KEY_FILE=content))
    assert bob.identity[20:30] not in caught.value.message


def test_the_arguments_of_a_command_are_not_shown(alice: Pair, enc: str) -> None:
    with pytest.raises(MasterKeyError) as caught:
        opens(alice, enc, credentials(SOPS_AGE_KEY_CMD="sh -c 'exit 3' --token=hunter2"))
    assert "(sh failed with exit code 3)" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_entry_that_does_not_fit_its_recipient_is_told_from_a_foreign_one(alice: Pair, bob: Pair) -> None:
    enc = AgeKey(bob.recipient).wrap(DATA_KEY, credentials())
    with pytest.raises(MasterKeyError, match="the entry was changed"):
        AgeKey(alice.recipient).unwrap(enc, credentials(SOPS_AGE_KEY=alice.identity))


# --- passphrases ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "binary"),
    [("file", False), ("file", True), ("command", False), ("command", True), ("variable", False)],
)
def test_a_passphrase_opens_an_identity_file(
    alice: Pair, enc: str, locked_file: bytes, place: str, binary: bool, tmp_path: Path
) -> None:
    if binary:
        locked_file = base64.b64decode(b"".join(locked_file.splitlines()[1:-1]))
    file = tmp_path / "keys.age"
    file.write_bytes(locked_file)
    if place == "variable":
        environ = {"SOPS_AGE_KEY": locked_file.decode()}
    else:
        environ = {"SOPS_AGE_KEY_FILE": str(file)} if place == "file" else {"SOPS_AGE_KEY_CMD": f"cat {file}"}
    made = credentials(prompt=[PASSPHRASE], **environ)
    assert opens(alice, enc, made)
    assert opens(alice, enc, made)  # and it was asked for once


def test_a_passphrase_is_asked_for_only_when_nothing_else_opens(
    alice: Pair, enc: str, locked_file: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "keys.age"
    file.write_bytes(locked_file)
    made = credentials(prompt=[], SOPS_AGE_KEY_FILE=str(file), SOPS_AGE_KEY_CMD=f"echo {alice.identity}")
    assert opens(alice, enc, made)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (None, "needs a passphrase, and there is no terminal to prompt on"),
        ([""], "needs a passphrase, and none was given"),
        (["wrong"], "the passphrase does not open SOPS_AGE_KEY"),
    ],
)
def test_a_locked_identity_file_says_what_it_lacks(
    alice: Pair, enc: str, locked_file: bytes, answers: list[str] | None, says: str
) -> None:
    made = credentials(prompt=answers, SOPS_AGE_KEY=locked_file.decode())
    for _ in range(2):  # the second time it is not asked again
        with pytest.raises(MasterKeyError) as caught:
            opens(alice, enc, made)
        assert not isinstance(caught.value, NotMyKeyError)
        assert says in caught.value.message
        assert "SOPS_AGE_KEY (protected by a passphrase)" in caught.value.message


def test_an_unlocked_identity_file_is_shown_with_its_keys(bob: Pair, alice: Pair, locked_file: bytes) -> None:
    key = AgeKey(bob.recipient)
    made = credentials(prompt=[PASSPHRASE], SOPS_AGE_KEY=locked_file.decode())
    with pytest.raises(NotMyKeyError, match=rf"SOPS_AGE_KEY \(1 key: {alice.recipient[:8]}…"):
        key.unwrap(key.wrap(DATA_KEY, made), made)


def test_an_identity_file_encrypted_for_a_key_is_refused_clearly(alice: Pair, enc: str) -> None:
    with pytest.raises(MasterKeyError, match="SOPS_AGE_KEY is not encrypted with a passphrase"):
        opens(alice, enc, credentials(prompt=["x"], SOPS_AGE_KEY=enc))


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "rsa-pem", "rsa-pkcs8"])
def test_a_passphrase_opens_an_ssh_key(kind: str, ssh: dict[str, tuple[Path, str]]) -> None:
    path, public = ssh[f"locked-{kind}"]
    key = AgeKey(public)
    environ = {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(path)}
    enc = key.wrap(DATA_KEY, credentials())
    made = credentials(prompt=[PASSPHRASE], **environ)
    assert key.unwrap(enc, made) == DATA_KEY
    assert key.unwrap(enc, made) == DATA_KEY
    with pytest.raises(MasterKeyError, match="the passphrase does not open SOPS_AGE_SSH_PRIVATE_KEY_FILE="):
        key.unwrap(enc, credentials(prompt=["wrong"], **environ))
    with pytest.raises(MasterKeyError, match="there is no terminal to prompt on"):
        key.unwrap(enc, credentials(**environ))
    # By a command the public half is not beside it, which only the old formats need.
    assert (
        key.unwrap(enc, credentials(prompt=[PASSPHRASE], SOPS_AGE_SSH_PRIVATE_KEY_CMD=f"cat {path}"))
        == DATA_KEY
    )


def test_a_locked_ssh_key_is_not_asked_about_for_another_file(ssh: dict[str, tuple[Path, str]]) -> None:
    key = AgeKey(ssh["ed25519"][1])
    made = credentials(prompt=[], SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(ssh["locked-ed25519"][0]))
    with pytest.raises(NotMyKeyError, match=r"\(protected by a passphrase: ssh-ed25519 …"):
        key.unwrap(key.wrap(DATA_KEY, made), made)


def test_without_bcrypt_a_locked_ssh_key_says_so(ssh: dict[str, tuple[Path, str]]) -> None:
    path, public = ssh["locked-ed25519"]
    program = """
        import sys
        sys.modules["bcrypt"] = None
        from encconf.identities.credentials import Credentials
        from encconf.errors import MasterKeyError
        from encconf.keys.age import AgeKey
        key = AgeKey(sys.argv[1])
        credentials = Credentials.from_env()
        credentials.prompt = lambda question: "correct horse"
        try:
            key.unwrap(key.wrap(bytes(32), credentials), credentials)
        except MasterKeyError as error:
            print(error.message.splitlines()[0], "/", error.hint)
    """
    said = child(program, public, SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(path))
    assert said == "a passphrase-protected SSH key needs the package bcrypt / pip install bcrypt\n"


def child(program: str, *args: str, **environ: str) -> str:
    """What a Python program prints that is run in a clean environment."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *args],
        env=clean_environ({"PYTHONPATH": os.pathsep.join(sys.path), **environ}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


UNWRAP = """
    import sys
    from encconf.identities.credentials import Credentials
    from encconf.keys.age import AgeKey
    print(AgeKey(sys.argv[1]).unwrap(open(sys.argv[2]).read(), Credentials.from_env()).hex())
"""


def test_the_passphrase_is_asked_for_on_a_terminal_and_not_echoed(alice: Pair, tmp_path: Path) -> None:
    """The identity file is made by ``age -p``; sops and encconf both open it."""
    plain, locked, file = tmp_path / "plain", tmp_path / "keys.age", tmp_path / "enc.json"
    plain.write_text(f"{alice.identity}\n")
    environ = clean_environ({"SOPS_AGE_KEY_FILE": str(locked), "PYTHONPATH": os.pathsep.join(sys.path)})
    twice = [("Enter passphrase", PASSPHRASE), ("onfirm passphrase", PASSPHRASE)]
    code, screen = on_terminal(["age", "-p", "-a", "-o", str(locked), str(plain)], twice, environ)
    assert code == 0, screen

    sops = Sops(alice.environ())
    text = sops.encrypt('{"a": "b"}', "json", age=alice.recipient)
    file.write_text(text)
    once = [("Enter passphrase for", PASSPHRASE)]
    code, screen = on_terminal([sops.binary, "decrypt", str(file)], once, environ)
    assert code == 0, screen

    enc = tmp_path / "enc"
    enc.write_text(json.loads(text)["sops"]["age"][0]["enc"])
    program = [sys.executable, "-c", textwrap.dedent(UNWRAP), alice.recipient, str(enc)]
    code, screen = on_terminal(program, once, environ)
    assert code == 0, screen
    assert f"Enter passphrase for SOPS_AGE_KEY_FILE={locked}: " in screen
    assert PASSPHRASE not in screen
    known = AgeKey(alice.recipient).unwrap(enc.read_text(), credentials(SOPS_AGE_KEY=alice.identity))
    assert known.hex() in screen


def test_nobody_is_asked_without_a_terminal(
    alice: Pair, enc: str, locked_file: bytes, tmp_path: Path
) -> None:
    (tmp_path / "enc").write_text(enc)
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(UNWRAP), alice.recipient, str(tmp_path / "enc")],
        env=clean_environ({"PYTHONPATH": os.pathsep.join(sys.path), "SOPS_AGE_KEY": locked_file.decode()}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "needs a passphrase, and there is no terminal to prompt on" in result.stderr


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


def test_the_fast_path_needs_pyrage_and_nothing_else(alice: Pair, tmp_path: Path) -> None:
    key, file = AgeKey(alice.recipient), tmp_path / "enc"
    file.write_text(key.wrap(DATA_KEY, credentials()))
    (tmp_path / "keys.txt").write_text(alice.identity)
    program = """
        import sys
        before = set(sys.modules)
        from encconf.identities.credentials import Credentials
        from encconf.envelope.open import open_data_key
        from encconf.envelope.wrapped import WrappedKey
        key = WrappedKey.from_entry("age", {"recipient": sys.argv[1], "enc": open(sys.argv[2]).read()})
        print(open_data_key([[key]], 0, Credentials.from_env()).hex())
        print(*sorted(name for name in set(sys.modules) - before))
    """
    said = child(program, alice.recipient, str(file), SOPS_AGE_KEY_FILE=str(tmp_path / "keys.txt"))
    data_key, modules = said.splitlines()
    assert bytes.fromhex(data_key) == DATA_KEY
    foreign = [name for name in modules.split() if name.partition(".")[0] not in OURS]
    assert foreign == []


def test_g_the_recipient_in_a_key_file() -> None:
    pem = b"-----BEGIN RSA PRIVATE KEY-----\nnot a key\n-----END RSA PRIVATE KEY-----\n"
    assert recipient_in(pem) is None
    assert recipient_in(b"# a comment\n") is None
    pair = Pair.generate()
    assert recipient_in(f"# created\n{pair.identity}\n".encode()) == pair.recipient
