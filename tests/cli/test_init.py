"""``encconf init`` and ``encconf keygen`` as programs."""

from __future__ import annotations

import re
import stat
import subprocess

import pyrage
import pytest
from oracle import AgeKey
from project import PLAIN, Project


@pytest.fixture
def fresh(project: Project) -> Project:
    """A project of somebody who has no key yet."""
    del project.environ["SOPS_AGE_KEY"]
    return project


def keys_file(project: Project) -> str:
    return str(project.home / ".config" / "sops" / "age" / "keys.txt")


class TestInit:
    def test_from_nothing_to_an_encrypted_file(self, fresh: Project) -> None:
        fresh.git("init", "-q")
        done = fresh.run("init")
        assert done.out == ""
        keys = fresh.home / ".config" / "sops" / "age" / "keys.txt"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert stat.S_IMODE(keys.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(keys.parent.parent.stat().st_mode) == 0o700
        identity = keys.read_text().splitlines()[-1]
        recipient = str(pyrage.x25519.Identity.from_str(identity).to_public())
        assert f"    age:\n      - {recipient}\n" in fresh.read(".sops.yaml")
        assert identity not in done.err
        assert recipient in done.err
        assert fresh.names() == [".git", ".gitattributes", ".sops.yaml"]
        fresh.write("secrets.yaml", PLAIN)
        fresh.run("encrypt", "secrets.yaml")
        assert fresh.run("decrypt", "secrets.enc.yaml").out == PLAIN

    @pytest.mark.parametrize(
        ("name", "comment"),
        [("Ana  López", "  # Ana López"), ("a: b # c", ""), ("x\x1b[2J", "  # x?[2J"), ("", "")],
    )
    def test_the_rule_has_the_name_that_git_knows(self, fresh: Project, name: str, comment: str) -> None:
        fresh.git("init", "-q")
        fresh.git("config", "user.name", name)
        fresh.run("init")
        lines = fresh.read(".sops.yaml").splitlines()
        assert lines[-1].endswith(f"{lines[-1].split()[1]}{comment}")
        assert (" #" in lines[-1]) == bool(comment)
        if comment:
            assert comment[4:] in fresh.run("keys", "list").out

    def test_without_a_key_the_last_line_says_how_to_get_one(self, fresh: Project) -> None:
        fresh.write("a.enc.yaml", "password: x\n")
        fresh.run("encrypt", "-i", "a.enc.yaml", "--age", fresh.key.recipient)
        fresh.git("init", "-q")
        done = fresh.run("init")
        assert "next:" not in done.err
        assert "encconf keygen" in done.err.splitlines()[-1]

    def test_what_the_attributes_cover_the_rule_does(self, fresh: Project) -> None:
        fresh.git("init", "-q")
        fresh.write(".env", "A=1\n")
        assert "next: encconf import .env" in fresh.run("init").err
        fresh.path(".env").unlink()
        assert "next: encconf edit secrets.enc.yaml, or" in fresh.run("init").err
        fresh.write("secrets.yaml", "a: 1\n")
        assert "next: encconf encrypt secrets.yaml, then" in fresh.run("init").err
        fresh.write(".env", "A=1\n")
        fresh.run("encrypt", ".env")
        assert fresh.run("decrypt", ".enc.env").out == "A=1\n"
        fresh.run("import", ".env")
        assert "A: " in fresh.run("decrypt", "secrets.enc.yaml").out
        assert fresh.run("check", "--strict").err.count("no errors or warnings") == 1

    def test_age_reads_the_key(self, fresh: Project) -> None:
        fresh.run("init")
        done = subprocess.run(["age-keygen", "-y", keys_file(fresh)], capture_output=True, check=True)
        assert done.stdout.decode().strip() in fresh.read(".sops.yaml")

    def test_a_second_time_changes_nothing(self, fresh: Project) -> None:
        fresh.git("init", "-q")
        fresh.run("init")
        files = (".sops.yaml", ".gitattributes", ".git/config", keys_file(fresh))
        before = {name: fresh.read(name) for name in files}
        done = fresh.run("init")
        assert "already names your key" in done.err
        assert "git is set up already" in done.err
        assert before == {name: fresh.read(name) for name in files}

    def test_the_config_is_in_the_root_of_the_repository(self, fresh: Project) -> None:
        fresh.git("init", "-q")
        deep = fresh.path("deep/er")
        deep.mkdir(parents=True)
        root, fresh.folder = fresh.folder, deep
        fresh.run("init")
        assert (root / ".sops.yaml").exists()
        assert not (deep / ".sops.yaml").exists()

    def test_an_existing_config_is_not_changed(self, fresh: Project) -> None:
        other = AgeKey.generate()
        text = f"creation_rules:\n  - age: {other.recipient}\n"
        fresh.write(".sops.yaml", text)
        done = fresh.run("init")
        assert fresh.read(".sops.yaml") == text
        assert re.search(r"hint: send this line to .*: encconf keys add --name YOUR-NAME age1\w+", done.err)

    def test_an_existing_key_is_used(self, project: Project) -> None:
        done = project.run("init")
        assert f"{project.key.recipient} (SOPS_AGE_KEY)" in done.err
        assert project.key.recipient in project.read(".sops.yaml")
        assert not (project.home / ".config").exists()

    def test_a_key_file_that_others_can_read(self, fresh: Project) -> None:
        path = fresh.home / "keys"
        path.write_text(f"# mine\n{fresh.key.identity}\n")
        path.chmod(0o644)
        done = fresh.run("init", environ={"SOPS_AGE_KEY_FILE": str(path)})
        assert f"chmod 600 {path}" in done.err
        assert fresh.key.recipient in fresh.read(".sops.yaml")

    def test_a_key_file_without_a_key_is_added_to(self, fresh: Project) -> None:
        path = fresh.home / "keys"
        path.write_text("# nothing here yet")
        fresh.run("init", environ={"SOPS_AGE_KEY_FILE": str(path)})
        assert path.read_text().startswith("# nothing here yet\n# created: ")

    def test_a_key_of_a_plugin(self, fresh: Project) -> None:
        path = fresh.home / "keys"
        path.write_text("#       Serial: 1\n#    Recipient: age1yubikey1qabc\nAGE-PLUGIN-YUBIKEY-1QQQ\n")
        fresh.run("init", environ={"SOPS_AGE_KEY_FILE": str(path)})
        assert "age1yubikey1qabc" in fresh.read(".sops.yaml")

    def test_a_locked_key_file(self, fresh: Project) -> None:
        path = fresh.home / "keys"
        path.write_bytes(pyrage.passphrase.encrypt(fresh.key.identity.encode(), "x"))
        old = path.read_bytes()
        fresh.run("init", environ={"SOPS_AGE_KEY_FILE": str(path)}, code=1)
        fresh.run("keygen", environ={"SOPS_AGE_KEY_FILE": str(path)}, code=2)
        assert path.read_bytes() == old

    def test_no_home(self, fresh: Project) -> None:
        del fresh.environ["HOME"]
        assert "SOPS_AGE_KEY_FILE" in fresh.run("init", code=3).err


class TestKeygen:
    def test_without_pyrage_it_names_the_key_that_works(self, fresh: Project) -> None:
        fresh.write("without/pyrage.py", 'raise ImportError("", name="pyrage")\n')
        environ = {"PYTHONPATH": str(fresh.path("without")), "SOPS_AGE_KEY": ""}
        for args, code in ((["keygen"], 128), (["init", "--yes"], 128), (["keygen", "--pq"], 0)):
            done = fresh.popen(*args, environ=environ, stderr=subprocess.PIPE)
            _, said = done.communicate()
            assert done.returncode == code, said
            assert code == 0 or b"encconf keygen --pq" in said

    def test_into_the_own_key_file(self, fresh: Project) -> None:
        first = fresh.run("keygen")
        second = fresh.run("keygen")
        text = fresh.read(keys_file(fresh))
        assert first.out.strip() != second.out.strip()
        assert text.count("AGE-SECRET-KEY-1") == 2
        assert [("has others already" in done.err) for done in (first, second)] == [False, True]
        for done in (first, second):
            assert done.out.startswith("age1")
            assert f"# public key: {done.out}" in text
            assert "AGE-SECRET-KEY" not in done.err + done.out

    def test_a_key_file_in_a_repository(self, fresh: Project) -> None:
        """git should ignore it.  If you can add the key, the hint says how."""
        fresh.git("init", "-q")
        fresh.run("init")
        done = fresh.run("keygen", "-o", "ci.txt")
        assert "warning: ci.txt: a private key that git does not ignore" in done.err
        assert "hint: echo /ci.txt >> .gitignore" in done.err
        assert f"hint: to add it: encconf keys add --name NAME {done.out}" in done.err
        fresh.write(".gitignore", "/*.txt\n")
        assert "git does not ignore" not in fresh.run("keygen", "-o", "other.txt").err

    def test_a_home_in_its_name(self, fresh: Project) -> None:
        """Where it is read, too; what was there keeps its mode, and a message says so."""
        path = fresh.home / "keys"
        path.write_text("")
        path.chmod(0o640)
        done = fresh.run("keygen", environ={"SOPS_AGE_KEY_FILE": "~/keys"})
        assert done.out.strip() in path.read_text()
        assert f"others on this machine can read {path}" in done.err
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert "~" not in fresh.names()

    def test_into_a_new_file(self, fresh: Project) -> None:
        done = fresh.run("keygen", "-o", "ci.txt")
        assert stat.S_IMODE(fresh.path("ci.txt").stat().st_mode) == 0o600
        assert done.out.strip() in fresh.read("ci.txt")
        before = fresh.read("ci.txt")
        fresh.run("keygen", "-o", "ci.txt", code=3)
        assert "]: none/ci.txt: " in fresh.run("keygen", "-o", "none/ci.txt", code=3).err
        assert fresh.read("ci.txt") == before

    def test_to_stdout(self, fresh: Project) -> None:
        lines = fresh.run("keygen", "-o", "-").out.splitlines()
        recipient = pyrage.x25519.Identity.from_str(lines[-1]).to_public()
        assert lines[-2] == f"# public key: {recipient}"
