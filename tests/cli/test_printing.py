"""``ENCCONF_PRINT=never``: no command shows plaintext to a person."""

from __future__ import annotations

import json

import pytest
from project import Project

from encconf.cli import table

SECRET = "hunter22-hunter22"
PLAIN = f"# a note\ndb:\n  password: {SECRET}   # rotate me\n  port: 154321\n  host_unencrypted: localhost\n"
NEVER = {"ENCCONF_PRINT": "never"}
FILE = "app.enc.yaml"


@pytest.fixture
def app(project: Project) -> Project:
    project.rules("destination_rules:\n  - vault_path: x\n")
    project.write("app.yaml", PLAIN)
    project.run("encrypt", "app.yaml")
    project.path("app.yaml").unlink()
    project.write("flat.yaml", f"password: {SECRET}\n")
    project.run("encrypt", "-o", "flat.enc.yaml", "flat.yaml")
    project.path("flat.yaml").unlink()
    project.write("cert.enc.txt", "")
    project.write("cert.txt", f"{SECRET}\n")
    project.run("encrypt", "--force", "-o", "cert.enc.txt", "cert.txt")
    project.path("cert.txt").unlink()
    return project


def never(project: Project, *words: str, code: int = 0, input: str = "", program: str = "encconf") -> str:
    """Run a command, and return what it prints, in which there must be no value."""
    import forks

    environ = {**project.environ, **NEVER, "EDITOR": "cat", "PAGER": "cat"}
    before = set(project.names())
    result = forks.run(program, words, cwd=project.folder, environ=environ, input=input.encode())
    said = (result.stdout + result.stderr).decode()
    assert result.returncode == code, said
    for text in [said, *(project.read(name) for name in set(project.names()) - before)]:
        assert SECRET not in text, words
        assert "154321" not in text, words
    return result.stdout.decode()


class TestValuesAreMasked:
    def test_decrypt_and_get_show_names_and_layout(self, app: Project) -> None:
        masked = "db:\n  password: '**********'"
        said = never(app, "decrypt", FILE)
        assert masked in said
        assert "host_unencrypted: localhost" in said
        assert "port: '**********'" in said
        assert never(app, "get", FILE, "db.password") == "**********"
        assert json.loads(never(app, "get", "--json", FILE, "db"))["password"] == "**********"
        assert never(app, "get", FILE).startswith(masked.partition("\n")[0]) or masked in never(
            app, "get", FILE
        )
        assert never(app, "decrypt", "--extract", "db.password", FILE) == "**********"
        assert never(app, "decrypt", "--output-type", "json", FILE)
        assert never(app, "decrypt", "cert.enc.txt") == "**********"

    def test_export_shows_names(self, app: Project) -> None:
        for format in ("dotenv", "shell", "fish", "json"):
            said = never(app, "export", "--format", format, FILE)
            assert "DB_PASSWORD" in said
            assert "localhost" in said

    def test_sops_does_the_same(self, app: Project) -> None:
        assert "**********" in never(app, "decrypt", FILE, program="sops")
        assert "**********" in never(app, "-d", FILE, program="sops")
        assert never(app, "decrypt", "--extract", '["db"]["password"]', FILE, program="sops") == "**********"
        never(app, "decrypt", "-i", FILE, program="sops", code=1)
        never(app, "decrypt", "--output", "x.yaml", FILE, program="sops", code=1)
        never(app, FILE, program="sops", code=1)
        never(app, "exec-file", FILE, "cat {}", program="sops", code=1)

    def test_exec_redacts(self, app: Project) -> None:
        assert "DB_PASSWORD=**********" in never(app, "exec", FILE, "--", "env")
        assert "password=**********" in never(app, "exec-env", "flat.enc.yaml", "env")
        assert "**********" in never(app, "exec-env", "flat.enc.yaml", "echo $password", program="sops")

    def test_git_diff_shows_the_ciphertexts(self, app: Project) -> None:
        assert never(app, "git", "textconv", FILE) == app.read(FILE)
        app.git("init", "-q")
        app.run("git", "install")
        app.git("add", "-A")
        app.git("commit", "-qm", "x")
        app.run("set", FILE, "db.password", "other-other")
        app.run("git", "textconv", FILE)  # a companion has the plaintext now, if there is one
        app.environ["ENCCONF_PRINT"] = "never"
        said = app.git("--no-pager", "diff")
        assert "ENC[" in said
        assert SECRET not in said
        assert "other-other" not in said


class TestPlaintextIsNotWritten:
    def test_it_is_refused(self, app: Project) -> None:
        for words in (
            ["decrypt", "-i", FILE],
            ["decrypt", "-o", "x.yaml", FILE],
            ["decrypt", "-r", "-o", "out", "."],
            ["edit", FILE],
            ["edit", "new.enc.yaml"],
            ["exec-file", FILE, "cat {}"],
            ["export", "--format", "env-file", FILE],
            ["export", "--format", "k8s", FILE],
            ["export", "--format", "k8s", "cert.enc.txt"],
            ["export", "--format", "github", FILE],
            ["export", "--format", "systemd-creds", FILE],
            ["export", "--format", "dotenv", "-o", "x.env", FILE],
            ["keygen", "-o", "-"],
            ["accept", "--show-values", FILE],
        ):
            never(app, *words, code=1)
        never(app, "diff", "--show-values", FILE, "cert.enc.txt", code=2)

    def test_a_word_that_means_nothing_is_an_error(self, app: Project) -> None:
        done = app.run("get", FILE, "db.password", environ={"ENCCONF_PRINT": "nevr"}, code=1)
        assert "ENCCONF_PRINT is neither never nor always" in done.err
        assert app.run("get", FILE, "db.password", environ={"ENCCONF_PRINT": "always"}).out == SECRET


def test_what_changes_a_file_still_works(app: Project) -> None:
    never(app, "set", FILE, "db.password", input="other-other")
    never(app, "propose", FILE, "db.token", input="another-one")
    never(app, "accept", "-y", FILE)
    never(app, "rotate", FILE)
    never(app, "check", "--verify", code=0)
    assert app.run("get", FILE, "db.token").out == "another-one"


SAFE = {
    *("init", "encrypt", "set", "unset", "propose", "update", "rotate", "updatekeys", "check", "explain"),
    *("access", "whoami", "keys add", "keys remove", "keys list", "groups add", "groups delete"),
    *("publish", "filestatus", "completion", "git install", "git uninstall", "git merge", "keyservice"),
    *("import", "doctor", "systemd serve", "systemd unit", "shim", "help", "version"),
}
"""Commands that print no values."""
SHOWN_HERE = {
    *("decrypt", "get", "export", "exec", "exec-env", "exec-file", "edit", "diff", "keygen", "accept"),
    *("git textconv", "git mergetool"),
}


def test_every_command_is_known_to_these_tests() -> None:
    """A new command must be in one of the two sets, and in a test if it prints values."""
    assert set(table.NAMES) == SAFE | SHOWN_HERE
