"""The values that rules speak of, as the bytes that a unit gets."""

from __future__ import annotations

import json

import pytest
from project import Project
from systemd.serving import BIG, REFUSED, allow, serving

from .manager import Manager

pytestmark = pytest.mark.services


def test_values(manager: Manager, values: Project) -> None:
    names = ["db.password", "db.port", "db.debug", "db.ratio", "empty", "multi", "users", "db", "big"]
    rules = allow(*(f"app.service:{name}={name}" for name in names), "app:all=.")
    with serving(values, *rules) as server:
        lines = [f"LoadCredential={name}:{server.path}".replace("%", "%%") for name in [*names, "all"]]
        out = values.path("out")
        # Together they are more than systemd lets a unit have.
        done = manager.run(f"cd $CREDENTIALS_DIRECTORY; cp * '{out}'", *lines, name="app.service")
        assert (done.code, done.result) == (REFUSED, "exit-code"), (done, server.log(), manager.log())
        out.mkdir()
        done = manager.run(f"cd $CREDENTIALS_DIRECTORY; cp * '{out}'", *lines[:-1], name="app.service")
        assert (done.code, done.result) == (0, "success"), (done, server.log(), manager.log())
        done = manager.run(f"cd $CREDENTIALS_DIRECTORY; cp * '{out}'", lines[-1], name="app.service")
        assert (done.code, done.result) == (0, "success"), (done, server.log())
        server.stop()
        log = server.log()
    got = {path.name: path.read_bytes() for path in out.iterdir()}
    assert got.pop("all").decode() == values.read("s.yaml")
    assert json.loads(got.pop("users")) == ["alice", {"name": "bob"}]
    assert json.loads(got.pop("db")) == {
        "password": "hunter2 ☃", "port": 5432, "debug": True, "ratio": 1.5,
    }  # fmt: skip
    assert got == {
        "db.password": "hunter2 ☃".encode(),
        "db.port": b"5432",
        "db.debug": b"true",
        "db.ratio": b"1.5",
        "empty": b"",
        "multi": b"one\ntwo\n",
        "big": BIG.encode(),
    }
    assert "app.service: db.password: given" in log
    assert "hunter2" not in log
    assert "for a" not in log
    assert not server.path.exists()
