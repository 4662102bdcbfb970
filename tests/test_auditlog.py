"""The audit log in PostgreSQL: what is logged, and that no file is opened if logging fails."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.postgres import Postgres
from oracle import AgeKey
from project import PLAIN, Project, Result

pytestmark = pytest.mark.services

# The schema of sops's audit/schema.sql, without its index.
_SCHEMA = """
CREATE TABLE audit_event (
    id SERIAL PRIMARY KEY,
    timestamp TIMESTAMP DEFAULT now(),
    action TEXT NOT NULL,
    username TEXT NOT NULL,
    file TEXT NOT NULL
)
"""
_RUN = "import encconf.cli as cli, sys; cli.AUDIT = sys.argv.pop(1); sys.argv[0] = {!r}; cli.run()"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as server:
        server.connection.execute(_SCHEMA)
        yield server


class Audited(Project):
    """A project on a machine with an audit log."""

    config: str
    server: Postgres
    program = "encconf"

    def run(self, *args: str, input: str = "", environ: object = None, code: int = 0) -> Result:
        done = subprocess.run(
            [sys.executable, "-c", _RUN.format(self.program), self.config, *args],
            cwd=self.folder,
            env={**self.environ, **(environ if isinstance(environ, dict) else {})},
            input=input.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        assert result.code == code, result
        assert "internal" not in result.err
        return result

    def events(self) -> list[tuple[str, str]]:
        """Return the action and file of each event since the last call.  Asserts that this user did it."""
        rows = self.server.connection.execute(
            "WITH gone AS (DELETE FROM audit_event RETURNING *)"
            " SELECT action, username, file FROM gone ORDER BY id"
        ).fetchall()
        assert {user for _, user, _ in rows} <= {pwd.getpwuid(os.getuid()).pw_name}
        return [(action, os.path.relpath(file, self.folder) if file else "") for action, _, file in rows]


@pytest.fixture(params=["encconf", "sops"])
def project(request: pytest.FixtureRequest, tmp_path: Path, home: Path, server: Postgres) -> Audited:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Audited(folder, home, AgeKey.generate())
    made.program = request.param
    made.server = server
    made.config = str(tmp_path / "audit.yaml")
    entry = {"connection_string": server.connection_string}
    Path(made.config).write_text(json.dumps({"backends": {"postgres": [entry]}}))
    made.rules()
    made.write("e.yaml", PLAIN)
    made.run("encrypt", "-i", "e.yaml")
    assert made.events() == [("encrypt", "e.yaml")]
    return made


def test_what_is_written_down(project: Audited) -> None:
    project.run("decrypt", "e.yaml")
    assert project.events() == [("decrypt", "e.yaml")]
    value = '"new"' if project.program == "sops" else "new"
    project.run("set", "e.yaml", '["db"]["host"]', value)
    assert project.events() == [("decrypt", "e.yaml"), ("encrypt", "e.yaml")]
    project.run("edit", "e.yaml", environ=project.editor('sed -i s/new/newer/ "$1"'))
    assert project.events() == [("decrypt", "e.yaml"), ("encrypt", "e.yaml")]
    project.run("rotate", *(["-i"] if project.program == "sops" else []), "e.yaml")
    assert project.events() == [("rotate", "e.yaml"), ("decrypt", "e.yaml"), ("encrypt", "e.yaml")]
    project.run("exec-file", "e.yaml", "true")
    assert project.events() == [("decrypt", "e.yaml")]
    project.run("decrypt", "--input-type", "yaml", "--output-type", "yaml", input=project.read("e.yaml"))
    assert project.events() == [("decrypt", "")]


def test_what_is_not(project: Audited) -> None:
    """A command that opens no values logs nothing, and does not connect to the database."""
    Path(project.config).write_text("backends: {postgres: [{connection_string: host=/nowhere}]}")
    for args in (["filestatus", "e.yaml"], ["updatekeys", "-y", "e.yaml"], ["--version"], ["--help"]):
        project.run(*args)
    assert project.run("decrypt", "e.yaml", environ={"SOPS_AGE_KEY": "x"}, code=128).out == ""
    assert project.events() == []


def test_an_unknown_owner(project: Audited) -> None:
    before = project.read("e.yaml")
    for config, code in (
        ("backends: {postgres: [{connection_string: host=/nowhere}]}", 1),
        ("backends: {postgres: [{connection_string: 'nonsense'}]}", 1),
        ("backends: {postgres: nonsense}", 2),
        ("backends: [", 2),
        ("\0", 2),
    ):
        Path(project.config).write_text(config)
        done = project.run("decrypt", "e.yaml", code=code)
        assert done.out == ""
        assert "audit" in done.err
        project.run("rotate", *(["-i"] if project.program == "sops" else []), "e.yaml", code=code)
        assert project.read("e.yaml") == before


def test_a_table_that_is_not_there(project: Audited) -> None:
    project.server.connection.execute("ALTER TABLE audit_event RENAME TO other")
    try:
        done = project.run("decrypt", "e.yaml", code=1)
        assert done.out == ""
        assert 'relation "audit_event" does not exist' in done.err
    finally:
        project.server.connection.execute("ALTER TABLE other RENAME TO audit_event")


@pytest.mark.parametrize(
    "config", ["", "{}", "# none\n", "---\n", "backends:\n", "backends: {postgres: }", "other: 1"]
)
def test_without_a_listener(project: Audited, config: str) -> None:
    Path(project.config).write_text(config)
    project.run("decrypt", "e.yaml")
    assert project.events() == []


def test_a_password_is_never_shown(project: Audited) -> None:
    text = "postgres://me:s3cret@127.0.0.1:9/x"
    Path(project.config).write_text(f"backends: {{postgres: [{{connection_string: '{text}'}}]}}")
    done = project.run("decrypt", "e.yaml", code=1)
    assert "s3cret" not in done.err
    assert "127.0.0.1" in done.err


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:s3cret@[::1/x",
        "postgres://me:s3cret%zz@127.0.0.1/x",
        "host=127.0.0.1 password=my s3cret",
        "host=127.0.0.1 password='s3cret",
        "postgres://me@127.0.0.1/x?s3cret=1",
    ],
)
def test_a_string_that_cannot_be_read_is_not_shown(project: Audited, text: str) -> None:
    Path(project.config).write_text(json.dumps({"backends": {"postgres": [{"connection_string": text}]}}))
    done = project.run("decrypt", "e.yaml", code=1)
    assert "connection string that libpq cannot read" in done.err
    assert "s3cret" not in done.err


def test_a_file_that_cannot_be_looked_at(project: Audited) -> None:
    path = Path(project.config)
    path.unlink()
    project.run("decrypt", "e.yaml")
    path.symlink_to(path)
    assert project.run("decrypt", "e.yaml", code=2).out == ""
    path.unlink()
    path.symlink_to(path.parent / "nowhere")
    project.run("decrypt", "e.yaml")


def test_a_text_that_cannot_be_encrypted(project: Audited) -> None:
    """The error comes before anything is logged, and before a key service is called."""
    for text in ("a: [", project.read("e.yaml")):
        project.write("p.yaml", text)
        assert project.run("encrypt", "-i", "p.yaml", code=2 if text == "a: [" else 203).out == ""
    assert project.events() == []


def test_without_the_package(project: Audited) -> None:
    code = "import sys; sys.modules['psycopg'] = None; " + _RUN.format(project.program)
    done = subprocess.run(
        [sys.executable, "-c", code, project.config, "decrypt", "e.yaml"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "encconf[audit]" in done.stderr
