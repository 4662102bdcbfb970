"""The key's home: identities and passphrases from the sources that a setting names."""

from __future__ import annotations

import ast
import re
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest
from doubles.azure import Azure
from doubles.connect_proxy import ConnectProxy
from doubles.gcp_secrets import SecretStore, serve
from doubles.moto_server import MotoServer
from doubles.openbao import OpenBao
from doubles.testca import session_ca
from engine import rule
from identities.owner import PASSPHRASE, TEXT, Owner, write
from keys.passphrase import armored, locked
from oracle import AgeKey, clean_environ, gpg, scratch
from project import PLAIN, Project, Result

import encconf
from encconf import api
from encconf.cli.commands import help as about
from encconf.errors import KeyAccessError, MasterKeyError
from encconf.identities.credentials import SETTINGS, UNIT_IDENTITY, AgeSource, Credentials
from encconf.keys import agepq, master_key
from encconf.keys.pgp import PgpKey
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT

PACKAGE = Path(encconf.__file__).parent


class TestSources:
    def test_a_variable(self, me: Owner) -> None:
        me.opens(ENCCONF_IDENTITY="env:MY_KEY", MY_KEY=me.key.identity)

    def test_a_file(self, me: Owner) -> None:
        me.opens(ENCCONF_IDENTITY=f"file:{me.keys}")
        me.opens(ENCCONF_IDENTITY="file:~/mine.txt")

    def test_a_command(self, me: Owner) -> None:
        me.opens(ENCCONF_IDENTITY=f"cmd:sed -n '2p' {me.keys}")

    def test_a_credential_of_the_unit(self, me: Owner) -> None:
        write(me.home / "credentials" / "other", me.key.identity)
        me.opens(ENCCONF_IDENTITY="systemd:other", CREDENTIALS_DIRECTORY=str(me.home / "credentials"))

    def test_a_field(self, me: Owner) -> None:
        write(me.home / "keys.json", f'{{"age": {{"key": "{me.key.identity}"}}}}')
        me.opens(ENCCONF_IDENTITY="file:~/keys.json#age/key")

    @pytest.mark.parametrize("between", [" ", "\n", "\t\n "])
    def test_several(self, me: Owner, between: str) -> None:
        other = write(me.home / "other.txt", AgeKey.generate().identity)
        addresses = [f"file:{other}", f"cmd:cat {other}", "env:UNSET", f"file:{me.keys}"]
        made = me.credentials(ENCCONF_IDENTITY=between.join(addresses).replace("cmd:", "\ncmd:"))
        named = [source.where for source in made.age_sources() if source.how == "source"]
        if between == " ":  # a command takes the rest of its line
            addresses[1:] = [" ".join(addresses[1:])]
        assert named == addresses

    def test_a_post_quantum_key(self, me: Owner) -> None:
        key = agepq.Identity.generate()
        for_it = Rule([[master_key("age", key.to_public())]], None, DEFAULT)
        sealed = api.encrypt(TEXT, for_it, credentials=me.credentials())
        me.opens(sealed, ENCCONF_IDENTITY="env:PQ", PQ=key.secret())

    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
    def test_an_ssh_key(self, me: Owner, passphrase: str) -> None:
        path = me.home / "ssh"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
        subprocess.run(command, check=True, timeout=60)
        public = (me.home / "ssh.pub").read_text().strip()
        sealed = api.encrypt(
            TEXT, Rule([[master_key("age", public)]], None, DEFAULT), credentials=me.credentials()
        )
        me.opens(sealed, ENCCONF_IDENTITY=f"file:{path}", ENCCONF_AGE_PASSPHRASE="env:PASS", PASS=PASSPHRASE)

    @pytest.mark.parametrize("spell", [bytes, armored])
    def test_an_identity_file_under_a_passphrase(self, me: Owner, spell: Callable[[bytes], bytes]) -> None:
        path = write(me.home / "locked", spell(locked(me.key.identity.encode(), PASSPHRASE)))
        named = {"ENCCONF_IDENTITY": f"file:{path}"}
        me.opens(**named, ENCCONF_AGE_PASSPHRASE="env:PASS", PASS=PASSPHRASE + "\n", **me.probe())
        assert not me.marker.exists()
        report = me.fails(**named)
        assert "encconf cannot ask for it without a terminal" in report
        assert "ENCCONF_AGE_PASSPHRASE" in report
        report = me.fails(**named, ENCCONF_AGE_PASSPHRASE="env:PASS", PASS="wrong")
        assert (
            f"the passphrase does not open ENCCONF_IDENTITY file:{path} (by ENCCONF_AGE_PASSPHRASE)" in report
        )
        report = me.fails(**named, ENCCONF_AGE_PASSPHRASE="env:NOWHERE")
        assert "ENCCONF_AGE_PASSPHRASE env:NOWHERE: this variable is not set" in report

    def test_a_person_is_asked_when_the_named_passphrase_is_of_no_use(self, me: Owner) -> None:
        path = write(me.home / "locked", locked(me.key.identity.encode(), PASSPHRASE))
        made = me.credentials(
            SOPS_AGE_KEY_FILE=str(path), ENCCONF_AGE_PASSPHRASE="env:PASS", PASS="that of another file"
        )
        questions: list[str] = []

        def ask(question: str) -> str:
            questions.append(question)
            return PASSPHRASE

        made.prompt = ask
        assert api.loads(me.sealed, credentials=made) == {"password": "hunter2"}
        assert questions == ["Enter passphrase for SOPS_AGE_KEY_FILE=~/locked: "]

    def test_each_is_asked_once_for_many_files(self, me: Owner) -> None:
        script = write(me.home / "key", f"#!/bin/sh\necho x >> {me.home}/asked\ncat {me.keys}\n", 0o700)
        paths = []
        for number in range(12):
            sealed = api.encrypt(f"n: {number}\n", rule(me.key), credentials=me.credentials())
            paths.append(write(me.home / f"f{number}.yaml", sealed))
        made = me.credentials(ENCCONF_IDENTITY=f"cmd:{script}")
        assert encconf.load_configs(paths, credentials=made) == [{"n": n} for n in range(12)]
        assert (me.home / "asked").read_text() == "x\n"


class TestOrder:
    def test_what_is_named_is_asked_before_anything_else(self, me: Owner) -> None:
        me.opens(ENCCONF_IDENTITY=f"file:{me.keys}", CREDENTIALS_DIRECTORY="/nonexistent", **me.probe())
        assert not me.marker.exists()

    def test_no_file_of_another_place_is_opened_and_no_program_run(self, me: Owner) -> None:
        """As Python's own audit events tell."""
        path = write(me.home / "x.yaml", me.sealed)
        for place in (".ssh/id_ed25519", ".ssh/id_rsa", ".config/sops/age/keys.txt"):
            write(me.home / place, "not a key")
        script = (
            "import sys, encconf\n"
            "def hook(event, args):\n"
            "    if event in ('open', 'subprocess.Popen', 'os.system', 'socket.connect'):\n"
            "        print(event, args[0], file=sys.stderr)\n"
            "sys.addaudithook(hook)\n"
            "encconf.load_config(sys.argv[1])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env={**me.environ, "ENCCONF_IDENTITY": f"file:{me.keys}", "PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True, check=True, timeout=60, text=True,
        )  # fmt: skip
        events = [line for line in done.stderr.splitlines() if str(me.home) in line or "open" not in line]
        assert events == [f"open {path}", f"open {me.keys}"]

    def test_then_the_unit_s_credential_then_the_places_of_sops(self, me: Owner) -> None:
        write(me.home / "credentials" / "encconf-identity", me.key.identity)
        folder = {"CREDENTIALS_DIRECTORY": str(me.home / "credentials")}
        other = AgeKey.generate().identity
        me.opens(ENCCONF_IDENTITY="env:OTHER", OTHER=other, **folder, **me.probe())
        assert not me.marker.exists()
        sources = me.credentials(ENCCONF_IDENTITY="env:A env:B", **folder).age_sources()
        assert [source.place(str(me.home)) for source in sources] == [
            *("ENCCONF_IDENTITY env:A", "ENCCONF_IDENTITY env:B", "systemd:encconf-identity"),
            *("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"),
            *("~/.ssh/id_ed25519", "~/.ssh/id_rsa"),
            *("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "~/.config/sops/age/keys.txt"),
        ]
        me.opens(SOPS_AGE_KEY=me.key.identity, ENCCONF_IDENTITY="env:OTHER", OTHER=other)
        assert me.notices == []

    def test_nothing_has_to_be_set_in_a_unit(self, me: Owner) -> None:
        write(me.home / "credentials" / "encconf-identity", me.key.identity)
        me.opens(CREDENTIALS_DIRECTORY=str(me.home / "credentials"))
        named = me.credentials(CREDENTIALS_DIRECTORY="/x", ENCCONF_IDENTITY=UNIT_IDENTITY)
        assert sum(source.how == "source" for source in named.age_sources()) == 1

    def test_a_unit_without_one(self, me: Owner) -> None:
        (me.home / "credentials").mkdir()
        report = me.fails(CREDENTIALS_DIRECTORY=str(me.home / "credentials"))
        assert "systemd:encconf-identity (the unit has no credential of this name)" in report
        assert "not in order" not in report

    def test_a_named_source_that_failed_is_reported(self, me: Owner) -> None:
        me.opens(SOPS_AGE_KEY=me.key.identity, ENCCONF_IDENTITY="env:NOWHERE")
        (notice,) = me.notices
        assert notice == "ENCCONF_IDENTITY env:NOWHERE: this variable is not set; another key opened the file"

    def test_the_report(self, me: Owner) -> None:
        other = AgeKey.generate()
        report = me.fails(
            ENCCONF_IDENTITY="env:OTHER file:/nowhere/at/all?trim_nl=true cmd:false --token s3cret",
            OTHER=other.identity,
        )
        assert re.search(r"ENCCONF_IDENTITY env:OTHER \(1 key: age1\w+…\w+\), ", report)
        assert "ENCCONF_IDENTITY file:/nowhere/at/all (no such file), " in report
        assert "ENCCONF_IDENTITY cmd:false (false failed with exit code 1), " in report
        assert "s3cret" not in report
        assert "not usable: ENCCONF_IDENTITY file:/nowhere/at/all (no such file), ENCCONF_ID" in report
        assert "the folder /nowhere/at does not exist" in report

    @pytest.mark.parametrize("prefix", ["", "# created: today\n# public key: age1x\n", "  "])
    def test_a_key_where_its_address_belongs_is_never_shown(self, me: Owner, prefix: str) -> None:
        report = me.fails(ENCCONF_IDENTITY=prefix + me.key.identity)
        assert "ENCCONF_IDENTITY (contains a private key instead of the address of one)" in report
        key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
        report = me.fails(ENCCONF_IDENTITY=prefix + key)
        assert "b3BlbnNz" not in report
        report = me.fails(ENCCONF_IDENTITY="hunter2")
        assert "hunter2" not in report
        assert "ENCCONF_IDENTITY (this is not the address of a secret)" in report

    def test_places_show_no_secret(self) -> None:
        secret = "AGE-SECRET-KEY-1XYZ"
        for where in (secret, f"env:{secret}", f"cmd:echo {secret}", f"file:/k?fallback={secret}"):
            assert secret not in AgeSource("V", "source", where).place()
            assert secret not in repr(AgeSource("V", "source", where))


# --- PGP -------------------------------------------------------------------------------------


def end_agent(home: Path) -> None:
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True, timeout=60)


# (ä: the passphrase reaches gpg as UTF-8, as it does from a terminal)
PGP_PASSPHRASE = "pässphrase €"


@pytest.fixture(scope="module")
def locked_pgp() -> Iterator[tuple[Path, str]]:
    home = scratch() / "identity-pgp"
    home.mkdir(mode=0o700)
    made = gpg(
        home,
        *("--pinentry-mode", "loopback", "--passphrase-fd", "0", "--status-fd", "1"),
        *("--quick-generate-key", "me@example.test", "rsa2048", "encr", "never"),
        input=PGP_PASSPHRASE.encode() + b"\n",
    )
    fingerprint = next(
        line.split()[-1] for line in made.stdout.decode().splitlines() if "KEY_CREATED" in line
    )
    yield home, fingerprint
    end_agent(home)


class TestPgp:
    def opened(self, home: Path, fingerprint: str, **environ: str) -> bytes:
        end_agent(home)  # which would remember the passphrase
        key = PgpKey(fingerprint)
        made = Credentials.from_env(clean_environ({"GNUPGHOME": str(home), **environ}))
        return key.unwrap(key.wrap(bytes(32), made), made)

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_a_named_passphrase(self, locked_pgp: tuple[Path, str], tmp_path: Path, end: str) -> None:
        path = write(tmp_path / "pass", PGP_PASSPHRASE + end)
        assert self.opened(*locked_pgp, ENCCONF_PGP_PASSPHRASE=f"file:{path}") == bytes(32)

    def test_it_is_in_no_argument_and_no_environment(
        self, locked_pgp: tuple[Path, str], tmp_path: Path
    ) -> None:
        path = write(tmp_path / "pass", PGP_PASSPHRASE)
        spy = write(
            tmp_path / "spy",
            f'#!/bin/sh\n{{ env; echo "$0" "$@"; }} >> {tmp_path}/seen\nexec gpg "$@"\n',
            0o700,
        )
        named = {"ENCCONF_PGP_PASSPHRASE": f"file:{path}", "SOPS_GPG_EXEC": str(spy)}
        assert self.opened(*locked_pgp, **named) == bytes(32)
        seen = (tmp_path / "seen").read_text()
        assert "--pinentry-mode loopback" in seen
        assert "passphrase-fd 0" in seen
        assert PGP_PASSPHRASE not in seen

    def test_it_is_asked_for_only_when_it_is_needed(
        self, locked_pgp: tuple[Path, str], tmp_path: Path
    ) -> None:
        home, fingerprint = locked_pgp
        path = write(tmp_path / "pass", PGP_PASSPHRASE)
        self.opened(home, fingerprint, ENCCONF_PGP_PASSPHRASE=f"file:{path}")
        key = PgpKey(fingerprint)
        made = Credentials.from_env(
            clean_environ({"GNUPGHOME": str(home), "ENCCONF_PGP_PASSPHRASE": "env:NO"})
        )
        assert key.unwrap(key.wrap(bytes(32), made), made) == bytes(32)  # the agent knows it
        empty = scratch() / "identity-empty"
        empty.mkdir(mode=0o700, exist_ok=True)
        enc = key.wrap(bytes(32), made)
        made = Credentials.from_env(
            clean_environ({"GNUPGHOME": str(empty), "ENCCONF_PGP_PASSPHRASE": "env:NO"})
        )
        with pytest.raises(MasterKeyError, match="no secret key for it"):
            key.unwrap(enc, made)

    @pytest.mark.parametrize(
        ("address", "given", "said"),
        [
            ("env:P", "wrong", "the passphrase from ENCCONF_PGP_PASSPHRASE does not open the key"),
            ("env:NO", "", "ENCCONF_PGP_PASSPHRASE env:NO: this variable is not set"),
            ("env:P", "", "ENCCONF_PGP_PASSPHRASE env:P: the value is empty"),
            ("env:P", "\n", "it is empty, so it cannot be a passphrase"),
            ("env:P", "two\nlines", "it is more than one line, so it cannot be a passphrase"),
            (
                "env:P env:P",
                "x",
                "ENCCONF_PGP_PASSPHRASE names 2 sources, but a passphrase needs exactly one",
            ),
            ("hunter2", "x", "ENCCONF_PGP_PASSPHRASE: this is not the address of a secret"),
        ],
    )
    def test_passphrases_that_cannot_be(
        self, locked_pgp: tuple[Path, str], address: str, given: str, said: str
    ) -> None:
        with pytest.raises(MasterKeyError) as caught:
            self.opened(*locked_pgp, ENCCONF_PGP_PASSPHRASE=address, P=given)
        assert said in caught.value.message
        assert "hunter2" not in caught.value.message

    def test_the_configuration_file_names_it(
        self, locked_pgp: tuple[Path, str], home: Path, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "pass", PGP_PASSPHRASE)
        write(home / ".config" / "encconf" / "config.toml", f'pgp_passphrase = "file:{path}"\n')
        assert self.opened(*locked_pgp, XDG_CONFIG_HOME=str(home / ".config")) == bytes(32)


# --- new keys --------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, home: Path) -> Project:
    """A project of somebody who has no key yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, home, AgeKey.generate())
    del made.environ["SOPS_AGE_KEY"]
    (tmp_path / "tmp").mkdir()
    made.environ["TMPDIR"] = str(tmp_path / "tmp")
    return made


def config_of(project: Project) -> Path:
    return project.home / ".config" / "encconf" / "config.toml"


def secrets_on_disk(project: Project) -> list[str]:
    """The files of a project, its home and its folder for temporary files that hold an age identity."""
    found = [path for folder in (project.folder.parent, project.home) for path in folder.rglob("*")]
    return [str(path) for path in found if path.is_file() and b"AGE-SECRET-KEY-" in path.read_bytes().upper()]


def recipient_of(secret: str) -> str:
    if secret.startswith("AGE-SECRET-KEY-PQ-"):
        return agepq.Identity(secret).to_public()
    return str(pyrage.x25519.Identity.from_str(secret).to_public())


class TestKeygen:
    def generated(self, project: Project, to: str, *options: str) -> str:
        """The recipient of a new key, which is shown nowhere."""
        done = project.run("keygen", "--to", to, *options)
        assert "secret-key" not in (done.out + done.err).lower()
        assert re.fullmatch(r"age1\w+\n", done.out)
        return done.out.strip()

    def opens(self, project: Project, recipient: str, **environ: str) -> None:
        project.write(".sops.yaml", f"creation_rules:\n  - age: {recipient}\n")
        project.write("x.enc.yaml", PLAIN)
        project.run("encrypt", "-i", "x.enc.yaml")
        assert project.run("decrypt", "x.enc.yaml", environ=environ).out == PLAIN

    @pytest.mark.parametrize("option", [(), ("--pq",)], ids=["x25519", "post_quantum"])
    def test_into_a_file(self, fresh: Project, option: tuple[str, ...]) -> None:
        to = f"file:{fresh.path('key')}"
        recipient = self.generated(fresh, to, *option)
        assert recipient.startswith("age1pq1") == bool(option)
        assert stat.S_IMODE(fresh.path("key").stat().st_mode) == 0o600
        assert recipient_of(fresh.read("key")) == recipient
        assert secrets_on_disk(fresh) == [str(fresh.path("key"))]
        self.opens(fresh, recipient, ENCCONF_IDENTITY=to)

    def test_nothing_is_overwritten(self, fresh: Project) -> None:
        for option in (f"--to=file:{fresh.path('key')}", f"-o{fresh.path('other')}"):
            path = fresh.path(option.rpartition("/")[2])
            path.write_text("what was there\n")
            done = fresh.run("keygen", option, code=1 if option.startswith("--to") else 3)
            assert done.out == ""
            assert path.read_text() == "what was there\n"
        assert secrets_on_disk(fresh) == []

    def test_it_can_be_used_from_now_on(self, fresh: Project) -> None:
        config = config_of(fresh)
        to = f"file:{fresh.path('k e%22y')}"
        done = fresh.run("keygen", "--to", to, "--use")
        assert f"added its address to {config}" in done.err
        assert config.read_text() == f'identity = "{to}"\n'
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
        self.opens(fresh, done.out.strip())
        before = config.read_text()
        done = fresh.run("keygen", "--to", f"file:{fresh.path('second')}", "--use")
        assert "names another identity and was not changed" in done.err
        assert config.read_text() == before
        config.write_text(done.err.partition("to use both, write there: ")[2].splitlines()[0])
        assert done.out in fresh.run("whoami").out

    def test_the_hint_is_for_a_shell(self, fresh: Project) -> None:
        done = fresh.run("keygen", "--to", f"file:{fresh.path('k e')}%27y")
        [named] = re.findall("to open files with it, set (.*)", done.err)
        name, _, address = shlex.split(named)[0].partition("=")
        self.opens(fresh, done.out.strip(), **{name: address})

    def test_what_reads_back_otherwise_is_no_key(self, fresh: Project) -> None:
        done = fresh.run("keygen", "--to", f"file:{fresh.path('key')}?encode=base64", code=1)
        assert "reads back differently: do not use it" in done.err
        assert done.out == ""

    def test_a_relative_path_is_made_whole(self, fresh: Project) -> None:
        folder = fresh.path("a #b%20")
        folder.mkdir()
        fresh.folder = folder
        recipient = self.generated(fresh, "file:c%23d", "--use")
        assert recipient_of((folder / "c#d").read_text()) == recipient
        fresh.folder = fresh.home
        self.opens(fresh, recipient)

    def test_other_settings_stay(self, fresh: Project) -> None:
        old = '# mine\npgp_passphrase = "env:X"\n'
        write(config_of(fresh), old)
        fresh.run("keygen", "--to", f"file:{fresh.path('key')}", "--use")
        assert config_of(fresh).read_text() == f'identity = "file:{fresh.path("key")}"\n{old}'
        config_of(fresh).chmod(0o666)
        done = fresh.run("keygen", "--to", f"file:{fresh.path('key2')}", "--use", code=128)
        assert "others can write to it" in done.err
        assert not fresh.path("key2").exists()  # a key whose recipient was never printed

    def test_a_home_that_is_no_whole_path(self, fresh: Project) -> None:
        fresh.run("keygen", "--to", f"file:{fresh.path('key')}", "--use", environ={"HOME": "rel"})
        assert fresh.path("rel/.config/encconf/config.toml").exists()

    def test_a_variable_that_beats_it(self, fresh: Project) -> None:
        to = f"file:{fresh.path('key')}"
        done = fresh.run("keygen", "--to", to, "--use", environ={"ENCCONF_IDENTITY": "env:OTHER"})
        assert "ENCCONF_IDENTITY is set and takes precedence" in done.err
        assert f"add {to}" in done.err

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (["--to", "env:X"], 1, "env: can only be read"),
            (["--to", "cmd:cat"], 1, "cmd: can only be read"),
            (["--to", "systemd:x"], 1, "systemd: can only be read"),
            (["--to", "hunter2"], 1, "this is not the address of a secret"),
            (["--to", "file:/nonexistent/x"], 1, "check that the folder exists"),
            (["--to", "vault:secret/x#y"], 1, "VAULT_ADDR is unset"),
            (["--to", "file:x", "-o", "y"], 8, "--to and --output exclude each other"),
            (["--use"], 8, "--use needs --to"),
        ],
    )
    def test_mistakes(self, fresh: Project, options: list[str], code: int, said: str) -> None:
        done = fresh.run("keygen", *options, code=code)
        assert said in done.err
        assert done.out == ""
        assert "hunter2" not in done.err
        assert secrets_on_disk(fresh) == []

    @pytest.mark.services
    def test_into_a_vault(self, fresh: Project) -> None:
        with OpenBao() as bao:
            kv = bao.root.secrets.kv.v2
            kv.create_or_update_secret("ci/encconf", {"other": "kept"})
            path = "secret/data/ci/*"
            able = [(path, able) for able in ("read", "create", "update")]
            policy = f'path "{path}" {{ capabilities = ["{able[0][1]}", "create", "update"] }}'
            bao.root.sys.create_or_update_policy("ci", policy)
            token = bao.root.auth.token.create(policies=["ci"])["auth"]["client_token"]
            environ = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token}
            fresh.environ.update(environ)
            to = "vault:secret/ci/encconf#identity"
            recipient = self.generated(fresh, to)
            stored = kv.read_secret_version("ci/encconf", raise_on_deleted_version=True)["data"]["data"]
            assert stored["other"] == "kept"
            assert recipient_of(stored["identity"]) == recipient
            assert secrets_on_disk(fresh) == []
            self.opens(fresh, recipient, ENCCONF_IDENTITY=to)
            self.opens(fresh, recipient, ENCCONF_IDENTITY="ref+vault://secret/data/ci/encconf#/identity")
            done = fresh.run("keygen", "--to", to, code=1)
            assert "has a field identity already, and it was not changed" in done.err
            done = fresh.run("keygen", "--to", "vault:secret/data/theirs#identity", code=1)
            assert "on secret/data/theirs" in done.err
            again = kv.read_secret_version("ci/encconf", raise_on_deleted_version=True)["data"]["data"]
            assert again == stored
            # What is named there makes the rest.
            done = fresh.run("init", environ={"ENCCONF_IDENTITY": to})
            assert f"your age key: {recipient} (ENCCONF_IDENTITY {to})" in done.err
            fresh.path(".sops.yaml").unlink()
            missing = "vault:secret/ci/none#identity"
            done = fresh.run("init", environ={"ENCCONF_IDENTITY": missing}, code=1)
            assert "Vault has no such secret" in done.err
            assert not fresh.path(".sops.yaml").exists()
            assert secrets_on_disk(fresh) == []

    @pytest.mark.services
    def test_into_aws(self, fresh: Project) -> None:
        with MotoServer() as aws:
            fresh.environ.update(aws.environ, AWS_REGION="eu-central-1")
            for to in ("awssm:ci/encconf", "awsssm:/ci/encconf", "awssm:ci/more#identity"):
                recipient = self.generated(fresh, to)
                self.opens(fresh, recipient, ENCCONF_IDENTITY=to)
                assert fresh.run("keygen", "--to", to, code=1).out == ""
                self.opens(fresh, recipient, ENCCONF_IDENTITY=to)
            client = aws.client("secretsmanager", "eu-central-1")
            stored = client.get_secret_value(SecretId="ci/encconf")["SecretString"]
            assert stored.startswith("AGE-SECRET-KEY-1")
            client = aws.client("ssm", "eu-central-1")
            assert client.get_parameter(Name="/ci/encconf")["Parameter"]["Type"] == "SecureString"
            assert secrets_on_disk(fresh) == []

    def kept_once(self, project: Project, to: str, *options: str) -> str:
        """The recipient of a new key that opens files from there, and that a second one does not replace."""
        recipient = self.generated(project, to, *options)
        done = project.run("keygen", "--to", to, code=1)
        assert "a secret of this name exists and was not changed" in done.err
        self.opens(project, recipient, ENCCONF_IDENTITY=to)
        assert secrets_on_disk(project) == []
        return recipient

    @pytest.mark.services
    @pytest.mark.parametrize("option", [(), ("--pq",)], ids=["x25519", "post_quantum"])
    def test_into_google(self, fresh: Project, option: tuple[str, ...]) -> None:
        ca, store = session_ca(), SecretStore()
        with serve(store, ca) as port, ConnectProxy({"secretmanager.googleapis.com": port}) as proxy:
            fresh.environ |= {**proxy.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(ca.bundle)}
            fresh.environ |= {"GOOGLE_OAUTH_ACCESS_TOKEN": store.token, "NO_GCE_CHECK": "true"}
            recipient = self.kept_once(fresh, "gcpsm:team/encconf", *option)
            [stored] = store.secrets["projects/team/secrets/encconf"]
            assert recipient_of(stored.data.decode()) == recipient
            store.denied.add("projects/team/secrets/other")
            done = fresh.run("keygen", "--to", "gcpsm:team/other", code=1)
            assert (done.out, "Secret Manager Admin" in done.err) == ("", True)

    @pytest.mark.services
    @pytest.mark.parametrize("option", [(), ("--pq",)], ids=["x25519", "post_quantum"])
    def test_into_azure(self, fresh: Project, option: tuple[str, ...]) -> None:
        ca = session_ca()
        with Azure(ca.context()) as azure, ConnectProxy(azure.routes) as proxy:
            fresh.environ |= {**azure.environ, **proxy.environ, "SSL_CERT_FILE": str(ca.bundle)}
            recipient = self.kept_once(fresh, "azkv:team/encconf", *option)
            [stored] = azure.secrets["encconf"].values()
            assert recipient_of(stored) == recipient
            azure.denied.add("setSecret")
            done = fresh.run("keygen", "--to", "azkv:team/other", code=1)
            assert (done.out, "secrets/set" in done.err) == ("", True)


@pytest.mark.services
def test_keys_and_passphrases_from_a_vault(me: Owner, locked_pgp: tuple[Path, str]) -> None:
    with OpenBao() as bao:
        kv = bao.root.secrets.kv.v2
        identity = armored(locked(me.key.identity.encode(), PASSPHRASE)).decode()
        kv.create_or_update_secret("me", {"key": identity, "age": PASSPHRASE, "pgp": PGP_PASSPHRASE})
        token = bao.token(("secret/data/me", "read"))
        named = {
            "ENCCONF_IDENTITY": "vault:secret/me#key",
            "ENCCONF_AGE_PASSPHRASE": "vault:secret/me#age",
            "ENCCONF_PGP_PASSPHRASE": "vault:secret/me#pgp",
            "VAULT_ADDR": bao.address,
        }
        me.opens(**named, VAULT_TOKEN=token, **me.probe())
        assert not me.marker.exists()
        report = me.fails(**named, VAULT_TOKEN="s.nothing")
        assert "not usable: ENCCONF_IDENTITY vault:secret/me#key" in report
        home, fingerprint = locked_pgp
        end_agent(home)
        key = PgpKey(fingerprint)
        environ = {**named, "VAULT_TOKEN": token, "GNUPGHOME": str(home)}
        made = Credentials.from_env(clean_environ(environ))
        assert key.unwrap(key.wrap(bytes(32), made), made) == bytes(32)


def test_a_key_on_a_server_that_is_away_may_work_later(sealed: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        environ = {"VAULT_ADDR": address, "VAULT_TOKEN": "t", "SOPS_AGE_KEY": ""}
        environ["ENCCONF_IDENTITY"] = "vault:secret/me#key"
        done = sealed.run("get", "secrets.enc.yaml", "db.port", environ=environ, code=75)
        assert "cannot be reached" in done.err.splitlines()[0]
        environ["ENCCONF_IDENTITY"] += " file:/nowhere/at/all"
        sealed.run("get", "secrets.enc.yaml", "db.port", environ=environ, code=128)


def test_a_program_that_gets_values_does_not_get_the_keys(fresh: Project) -> None:
    named = {
        "ENCCONF_IDENTITY": "env:MINE vault:secret/me?token_env=TOKEN#key",
        "ENCCONF_AGE_PASSPHRASE": "ENV:ODD",
        "MINE": fresh.key.identity,
        "ENCCONF_PGP_PASSPHRASE": "ref+envsubst://${PASS}",
        "PASS": PASSPHRASE,
        "ODD": PASSPHRASE,
        "TOKEN": "t",
        "BAO_TOKEN": "t",
        "OTHER": "stays",
    }
    fresh.rules()
    fresh.write("x.enc.yaml", TEXT)
    fresh.run("encrypt", "-i", "x.enc.yaml")
    show = (sys.executable, "-c", "import os; print(*sorted(os.environ))")
    names = fresh.run("exec", "x.enc.yaml", "--", *show, environ=named).out.split()
    assert {"PASSWORD", "OTHER"} <= set(names)
    assert not {"MINE", "PASS", "ODD", "TOKEN", "BAO_TOKEN"} & set(names)
    names = fresh.run("exec", "--keep-keys", "x.enc.yaml", "--", *show, environ=named).out.split()
    assert {"MINE", "PASS"} <= set(names)


class Desktop:
    """Sessions with a real GNOME keyring, which stays from one to the next."""

    def __init__(self, project: Project) -> None:
        self.project = project
        folders = {"XDG_DATA_HOME": project.home / "data", "XDG_RUNTIME_DIR": project.home / "run"}
        for name, folder in folders.items():
            folder.mkdir(mode=0o700)
            project.environ[name] = str(folder)

    def run(self, *commands: str, password: str | None = "desktop", code: int = 0) -> Result:
        """Run commands of a shell; without a password the keyring stays locked."""
        daemon = "gnome-keyring-daemon --components=secrets --daemonize"
        unlock = f"printf %s {password} | {daemon} --unlock" if password else f"{daemon} --start"
        script = "\n".join([f"{unlock} >/dev/null 2>&1", "set -e", *commands])
        done = subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", script],
            cwd=self.project.folder,
            env=self.project.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        said = [line for line in done.stderr.splitlines(True) if not line.startswith(b"dbus-daemon[")]
        result = Result(done.returncode, done.stdout, b"".join(said))
        assert result.code == code, result
        assert "Traceback" not in result.err
        return result


@pytest.mark.services
class TestKeyring:
    ENCCONF = f"{shlex.quote(sys.executable)} -m encconf"

    @pytest.fixture
    def desktop(self, fresh: Project) -> Desktop:
        return Desktop(fresh)

    def test_from_nothing_to_an_encrypted_file(self, fresh: Project, desktop: Desktop) -> None:
        fresh.write("secrets.yaml", PLAIN)
        done = desktop.run(f"{self.ENCCONF} init --keyring", f"{self.ENCCONF} encrypt secrets.yaml")
        assert done.out == ""
        assert "secret-key" not in done.err.lower()
        assert "stored a new age key in keyring:encconf/identity only" in done.err
        assert secrets_on_disk(fresh) == []
        assert config_of(fresh).read_text() == 'identity = "keyring:encconf/identity"\n'
        assert not (fresh.home / ".config" / "sops").exists()
        code = "import encconf; print(encconf.load_config('secrets.enc.yaml')['db']['password'])"
        done = desktop.run(f'{shlex.quote(sys.executable)} -c "{code}"')
        assert (done.out, done.err) == ("hunter2\n", "")
        # As the library itself has it.
        code = "import keyring; print(keyring.get_password('encconf', 'identity'))"
        done = desktop.run(f'{shlex.quote(sys.executable)} -c "{code}"')
        assert f"      - {recipient_of(done.out.strip())}" in fresh.read(".sops.yaml")

    def test_a_second_time_changes_nothing(self, fresh: Project, desktop: Desktop) -> None:
        desktop.run(f"{self.ENCCONF} init --keyring")
        before = fresh.read(".sops.yaml"), config_of(fresh).read_text()
        done = desktop.run(f"{self.ENCCONF} init --keyring")
        recipient = before[0].rpartition("- ")[2].split()[0]
        assert f"your age key: {recipient} (keyring:encconf/identity)" in done.err
        assert "already names your key" in done.err
        assert "added its address" not in done.err
        assert before == (fresh.read(".sops.yaml"), config_of(fresh).read_text())
        done = desktop.run(f"{self.ENCCONF} keygen --to keyring:encconf/identity", code=1)
        assert "exists and was not changed" in done.err
        done = desktop.run(f"{self.ENCCONF} keygen --to keyring:encconf/second")
        assert done.out.strip() != recipient

    def test_a_locked_one(self, fresh: Project, desktop: Desktop) -> None:
        fresh.write("secrets.yaml", PLAIN)
        desktop.run(f"{self.ENCCONF} init --keyring", f"{self.ENCCONF} encrypt secrets.yaml")
        done = desktop.run(f"{self.ENCCONF} decrypt secrets.enc.yaml", password="wrong", code=128)
        assert done.out == ""
        assert "not usable: ~/.config/encconf/config.toml keyring:encconf/identity" in done.err
        assert "the keyring is locked" in done.err

    def test_no_desktop_at_all(self, fresh: Project) -> None:
        done = fresh.run("init", "--keyring", code=1)
        assert "without --keyring, encconf init keeps the key in a file" in done.err
        assert fresh.names() == []
        assert secrets_on_disk(fresh) == []
        assert not config_of(fresh).exists()


# --- the package -----------------------------------------------------------------------------


def names(pattern: str) -> set[str]:
    """Every word of this pattern in the texts of the package's code, docstrings aside."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
                found.update(re.findall(rf"(?<![A-Z_]){pattern}", node.value))
    return found


def test_the_help_lists_every_variable() -> None:
    listed = set(re.findall(r"[A-Z][A-Z0-9_]+", about.topic("environment")))
    used = names("(?:ENCCONF|SOPS)_[A-Z0-9_]+")
    assert set(SETTINGS.values()) <= used
    assert used - listed == {"SOPS_VERSION"}  # what Dockerfiles call the version that they install


def test_an_unset_home_is_in_the_report() -> None:
    key, mine = AgeKey.generate(), AgeKey.generate()
    sealed = api.encrypt(TEXT, Rule([[master_key("age", key.recipient)]], None, DEFAULT))
    environ = {"SOPS_AGE_KEY": mine.identity}
    for home, said in (({}, True), ({"HOME": "/nonexistent"}, False)):
        with pytest.raises(KeyAccessError) as caught:
            api.decrypt(sealed, format="yaml", credentials=Credentials.from_env({**environ, **home}))
        assert ("HOME (unset" in str(caught.value)) is said
