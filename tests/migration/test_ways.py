"""`encconf doctor`: which of the seven ways work here, with which login, what is missing, and no secret."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from oracle import AgeKey
from project import Project

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.migration import ways

NAMES = ["environment", "systemd", "keyring", "cyberark", "vault", "cloud", "sops"]
# No metadata server, bus or proxy is asked.
ALONE = {"AWS_EC2_METADATA_DISABLED": "true", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def report(project: Project, *args: str, code: int = 0, **environ: str) -> dict[str, dict[str, object]]:
    done = project.run("doctor", "--json", *args, environ={**ALONE, **environ}, code=code)
    found = json.loads(done.out)
    assert list(found) == ["user", "ways"]
    return {way["name"]: way for way in found["ways"]}


def part(way: dict[str, object], name: str) -> dict[str, object]:
    parts = way["parts"]
    assert isinstance(parts, list)
    (found,) = [each for each in parts if each["name"] == name]
    assert isinstance(found, dict)
    return found


def test_all_ways_and_all_sources() -> None:
    assert [way.name for way in ways.WAYS] == NAMES
    schemes = {scheme for way in ways.WAYS for scheme in way.schemes}
    assert set(sources.TABLE) - schemes == {"file", "cmd"}, "a source that belongs to no way"


def test_a_bare_machine(project: Project) -> None:
    found = report(project, SOPS_AGE_KEY="")
    assert list(found) == NAMES
    assert found["environment"]["usable"] is True
    for name in ("keyring", "cyberark", "vault", "cloud", "sops"):
        assert found[name]["usable"] is False, found[name]
    assert part(found["vault"], "vault:")["missing"] == ["VAULT_ADDR"]
    assert part(found["sops"], "age")["missing"] == ["a key: encconf keygen creates one"]
    assert part(found["systemd"], "systemd:")["usable"] is False


def test_as_text(project: Project) -> None:
    done = project.run("doctor", environ=ALONE)
    project_lines, _, stores = done.out.partition("\n\n")
    assert project_lines.splitlines() == [
        "files: none is encrypted here; you have 1 key on this machine",
        "git: this is not a git repository",
    ]
    assert " of 7 secret stores " in stores.splitlines()[0]
    assert "\nsops: usable (SOPS files in git)\n" in done.out
    assert f"\n  age            yes, as {project.key.recipient}; SOPS_AGE_KEY\n" in done.out
    assert "\n  vault:         no; missing: VAULT_ADDR\n" in done.out
    heads = [line.partition(":")[0] for line in stores.splitlines()[1:] if line and line[0] != " "]
    assert heads == NAMES
    assert done.err == ""


def test_ways_that_are_named(project: Project) -> None:
    assert list(report(project, "sops", "environment")) == ["sops", "environment"]
    done = project.run("doctor", "vault", "sops", environ=ALONE, code=1)
    assert "error[unusable]: not usable here: vault" in done.err
    assert "valt is neither a secret store nor a path" in project.run("doctor", "valt", code=1).err


class TestSops:
    def test_where_keys_are(self, project: Project) -> None:
        other = AgeKey.generate()
        path = project.home / ".config/sops/age/keys.txt"
        path.parent.mkdir(parents=True)
        path.write_text(f"# x\n{other.identity}\n")
        age = part(report(project, "sops")["sops"], "age")
        assert age["login"] == f"{project.key.recipient}, {other.recipient}"
        assert age["note"] == "SOPS_AGE_KEY, ~/.config/sops/age/keys.txt"
        rules = part(report(project, "sops")["sops"], ".sops.yaml")
        assert (rules["usable"], rules["note"]) == (True, ".sops.yaml")

    def test_what_is_wrong(self, project: Project) -> None:
        project.write("empty", "# nothing\n")
        environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_FILE": str(project.path("empty"))}
        age = part(report(project, "sops", code=1, **environ)["sops"], "age")
        assert age["missing"] == [f"SOPS_AGE_KEY_FILE={project.path('empty')} (it contains no key)"]
        environ["SOPS_AGE_KEY_FILE"] = "/nowhere"
        age = part(report(project, "sops", code=1, **environ)["sops"], "age")
        assert age["missing"] == ["SOPS_AGE_KEY_FILE=/nowhere (not there)"]

    def test_a_key_from_a_source(self, project: Project) -> None:
        environ = {"SOPS_AGE_KEY": "", "ENCCONF_IDENTITY": "env:MINE", "MINE": project.key.identity}
        age = part(report(project, "sops", **environ)["sops"], "age")
        assert (age["login"], age["note"]) == (project.key.recipient, "ENCCONF_IDENTITY env:MINE")

    def test_commands_are_not_run(self, project: Project) -> None:
        for environ in (
            {"SOPS_AGE_KEY_CMD": f"touch {project.path('run')}"},
            {"ENCCONF_IDENTITY": f"cmd:touch {project.path('run')}"},
            {"ENCCONF_IDENTITY": f"ref+CMD:touch {project.path('run')}"},
        ):
            found = report(project, "sops", SOPS_AGE_KEY="", **environ)["sops"]
            assert "was not run" in str(part(found, "age")["note"])
            assert not project.path("run").exists()

    def test_no_rules(self, project: Project) -> None:
        project.path(".sops.yaml").unlink()
        found = report(project, "sops")["sops"]
        assert found["usable"] is True
        assert part(found, ".sops.yaml")["missing"] == [".sops.yaml (encconf init creates one)"]


class TestSystemd:
    def test_in_a_unit(self, project: Project) -> None:
        folder = project.path("credentials")
        folder.mkdir()
        (folder / "db_password").write_text("hunter2")
        found = report(project, "systemd", CREDENTIALS_DIRECTORY=str(folder))["systemd"]
        assert part(found, "systemd:")["note"] == "credentials: db_password"

    def test_without_the_programs(self, project: Project) -> None:
        found = report(project, "systemd", code=1, PATH="/nowhere")["systemd"]
        assert part(found, "serve")["missing"] == ["systemd (systemctl not found)"]
        assert part(found, "systemd-creds")["missing"] == ["systemd-creds (systemd 250 or newer)"]

    def test_an_old_one(self, project: Project) -> None:
        project.path("bin").mkdir()
        program = project.write("bin/systemctl", "#!/bin/sh\necho 'systemd 241 (241)'\n")
        program.chmod(0o755)
        found = report(project, "systemd", code=1, PATH=str(project.path("bin")))["systemd"]
        assert part(found, "serve")["missing"] == ["systemd 247 or newer (LoadCredential=)"]

    def test_a_program_that_hangs(self, project: Project) -> None:
        project.path("bin").mkdir()
        for name in ("systemctl", "systemd-creds"):
            project.write(f"bin/{name}", "#!/bin/sh\nexec /bin/sleep 60\n").chmod(0o755)
        started = time.monotonic()
        found = report(project, "systemd", code=1, PATH=str(project.path("bin")))["systemd"]
        assert time.monotonic() - started < 60
        assert part(found, "serve")["missing"] == ["systemd (systemctl --version prints nothing)"]
        assert part(found, "systemd-creds")["usable"] is False

    def test_only_root_encrypts_for_the_machine(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even with the service of systemd 256, which asks polkit, and that asks an administrator."""
        program = project.write("systemd-creds", "#!/bin/sh\necho systemd 257\n")
        program.chmod(0o755)
        environ = {"PATH": str(project.folder), "SYSTEMD_CREDENTIAL_SECRET": "/nowhere"}
        (way,) = (each for each in ways.WAYS if each.name == "systemd")

        def probe(user: int) -> bool:
            monkeypatch.setattr("os.geteuid", lambda: user)
            (found,) = ways.look([way], Credentials.from_env(environ), str(project.folder))
            return found.parts["systemd-creds"].usable

        monkeypatch.setattr("os.path.exists", lambda path: True)
        assert probe(0)
        assert not probe(1000)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(32)
        listener.settimeout(0.1)
        peers: list[socket.socket] = []
        going = True

        def accept() -> None:
            while going:
                try:
                    peers.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        going = False
        thread.join()
        for peer in peers:
            peer.close()


def test_servers_that_say_nothing(project: Project, silent: int) -> None:
    """All at once, each within its time, however many; and what they were asked with is not said."""
    url = f"http://127.0.0.1:{silent}"
    secret = "TOP-SECRET-TOKEN"
    environ = {
        "VAULT_ADDR": url, "VAULT_TOKEN": secret,
        "CYBERARK_CCP_URL": f"https://127.0.0.1:{silent}", "CYBERARK_APP_ID": "app",
        "CONJUR_APPLIANCE_URL": f"https://127.0.0.1:{silent}", "CONJUR_ACCOUNT": "a",
        "CONJUR_AUTHN_LOGIN": "host/a", "CONJUR_AUTHN_API_KEY": secret,
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "GOOGLE_OAUTH_ACCESS_TOKEN": secret,
        "HTTPS_PROXY": url, "HTTP_PROXY": url, "NO_PROXY": "127.0.0.1",
        "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": secret,
        "ENCCONF_IDENTITY": "vault:secret/encconf#identity",
    }  # fmt: skip
    started = time.monotonic()
    done = project.run("doctor", environ={**ALONE, **environ})
    assert time.monotonic() - started < 12, done.out
    assert secret not in done.out + done.err
    assert project.key.identity not in done.out
    for name in ("cyberark", "vault"):
        assert f"\n{name}: not usable" in done.out
