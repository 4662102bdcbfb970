"""A KV engine of Vault or OpenBao as a destination."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.script import Answer, Script
from project import Project
from publish.clouds import Cloud, Sides

from encconf.errors import MasterKeyError, PublishError
from encconf.identities.credentials import Credentials
from encconf.publish import put_vault

pytestmark = pytest.mark.services


def test_values_in_vault(tmp_path: Path, cloud: Cloud) -> None:
    sides = Sides(tmp_path, cloud, "kv2.yaml")
    sides.both("publish", "--yes", "kv2.yaml")
    ((_, values),) = cloud.what().values()
    assert values == {
        "a": 1,
        "f": 1.5,
        "t": True,
        "nothing": None,
        "text": "hello",
        "when": "2024-01-02T03:04:05Z",
        "deep": {"list": [1, "two"], "name_unencrypted": "free"},
    }


def test_a_secret_that_is_there_gets_no_new_version(tmp_path: Path, cloud: Cloud) -> None:
    sides = Sides(tmp_path, cloud, "kv2.yaml")
    for _ in range(2):
        done = sides.ours.run("--verbose", "publish", "-y", "kv2.yaml", code=0)
    assert "already up-to-date" in done.err
    read = cloud.bao.root.secrets.kv.v2.read_secret_version(
        path="team/two/kv2.yaml", raise_on_deleted_version=True
    )
    assert read["data"]["metadata"]["version"] == 1
    sides.ours.run("set", "kv2.yaml", '["text"]', '"new"', code=0)
    sides.ours.run("publish", "-y", "kv2.yaml", code=0)
    read = cloud.bao.root.secrets.kv.v2.read_secret_version(
        path="team/two/kv2.yaml", raise_on_deleted_version=True
    )
    assert read["data"]["metadata"]["version"] == 2


def test_lists_of_mappings_in_vault(tmp_path: Path, cloud: Cloud) -> None:
    """The real one writes its own structures there; encconf the values."""
    sides = Sides(tmp_path, cloud)
    for box in (sides.real, sides.ours):
        box.write("kv2.yaml", "l:\n    - a: 1\n    # note\n    - b: 2\n")
        box.run("encrypt", "-i", "kv2.yaml", code=0)
    _, _, theirs, mine = sides.both("publish", "-y", "kv2.yaml")
    assert "Key" in json.dumps(theirs["vault secret/data/team/two/kv2.yaml"][1])
    assert mine["vault secret/data/team/two/kv2.yaml"][1] == {"l": [{"a": 1}, {"b": 2}]}


def test_what_python_takes_for_equal(project: Project, cloud: Cloud) -> None:
    for value, said in (
        ("[1]", "published"), ("[true]", "published"), ("[1.0]", "published"), ("[1]", "is up to date"),
    ):  # fmt: skip
        project.run("set", "--json", "kv2.yaml", "new", value)
        assert said in project.run("publish", "-y", "kv2.yaml").err
    read = cloud.bao.root.secrets.kv.v2.read_secret_version(
        path="team/two/kv2.yaml", raise_on_deleted_version=True
    )
    assert json.dumps(read["data"]["data"]["new"]) == "[1]"


def test_one_login_is_enough_to_write_what_cannot_be_read() -> None:
    """The secret id may be used once."""
    login: Answer = (200, '{"auth": {"client_token": "t", "lease_duration": 100}}')
    no: Answer = (403, '{"errors": ["permission denied"]}')
    written: Answer = (200, "{}")
    said: list[str] = []
    with Script(login, no, written, no, written, (400, ""), reads=True) as server:
        environ = {"VAULT_ADDR": server.address, "VAULT_AUTH_METHOD": "approle"}
        environ |= {"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}
        credentials = Credentials(environ, notify=said.append)
        for name in ("one.yaml", "two.yaml"):
            assert put_vault({"vault_path": "x"}, name, {"a": 1}, credentials)
    assert len(server.seen) == 5
    assert [line.partition(" ")[0] for line in said] == ["secret/data/x/one.yaml", "secret/data/x/two.yaml"]


def test_no_rule_writes_to_what_is_not_a_kv_engine(project: Project) -> None:
    mount = (200, '{"data": {"type": "database", "path": "database/"}}')
    settings = {"vault_path": "config", "vault_kv_mount_name": "database", "vault_kv_version": 1}
    with Script(mount, (200, "{}"), reads=True) as server:
        credentials = Credentials({"VAULT_ADDR": server.address, "VAULT_TOKEN": "t"})
        with pytest.raises(PublishError, match="database is an engine of the type database, not KV"):
            put_vault(settings, "x", {"plugin_name": "x"}, credentials)
        assert len(server.seen) == 1
    project.rules("destination_rules:\n  - {vault_path: acl, vault_kv_mount_name: /sys/policies}\n")
    assert "is not a KV engine" in project.run("publish", "--yes", "kv2.yaml", code=1).err


def test_a_server_that_gets_no_token_is_not_one_that_cannot_be_read() -> None:
    said: list[str] = []
    credentials = Credentials({"VAULT_TOKEN": "t"}, notify=said.append)
    with pytest.raises(MasterKeyError, match="sends a Vault token only to"):
        put_vault(
            {"vault_path": "x", "vault_address": "https://elsewhere.test"}, "a.yaml", {"a": 1}, credentials
        )
    assert said == []
