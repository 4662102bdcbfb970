"""Where a file is published: its destination rule, and its name there."""

from __future__ import annotations

import pytest
from project import Project
from publish.clouds import YAML

from encconf import publish
from encconf.errors import ConfigError
from encconf.identities.credentials import Credentials
from encconf.publish import destinations
from encconf.rules.config import load

pytestmark = pytest.mark.services


def test_no_destination_for_it(project: Project) -> None:
    project.write("x.yaml", YAML)
    project.run("encrypt", "-i", "x.yaml")
    assert "no matching destination found in config" in project.run("publish", "-y", "x.yaml", code=1).err
    project.path(".sops.yaml").unlink()
    done = project.run("publish", "-y", "x.yaml", code=1)
    assert "docs/publish.md" in done.err


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.yaml", "a"),
        ("a.enc.yaml", "a.enc"),
        ("x.y/a", "x.y/a"),
        ("x.y/a.json", "x.y/a"),
        (".env", ""),
        ("plain", "plain"),
    ],
)
def test_names_without_extensions(path: str, name: str) -> None:
    assert publish.name_there(f"folder/{path}", "folder", omit_extensions=True) == name
    assert publish.name_there(f"folder/{path}", "folder", omit_extensions=False) == path
    base = path.rpartition("/")[2]
    assert publish.name_there(f"folder/{path}", omit_extensions=False) == base


@pytest.mark.parametrize(
    ("rule", "environ", "address"),
    [
        ("s3_bucket: b", {}, "s3://b/x.yaml"),
        ("{s3_bucket: b, s3_prefix: p/}", {}, "s3://b/p/x.yaml"),
        ("{gcs_bucket: b, gcs_prefix: p}", {}, "gcs://b/px.yaml"),
        ("vault_path: a/b", {}, "https://127.0.0.1:8200/v1/secret/data/a/b/x.yaml"),
        ("vault_path: a/b", {"VAULT_ADDR": "https://v"}, "https://v/v1/secret/data/a/b/x.yaml"),
        (
            "{vault_path: a/, vault_address: 'https://w', vault_kv_mount_name: m, vault_kv_version: 1}",
            {"VAULT_ADDR": "https://v"},
            "https://w/v1/m/a/x.yaml",
        ),
    ],
)
def test_addresses(rule: str, environ: dict[str, str], address: str) -> None:
    config = load("/x/.sops.yaml", f"destination_rules:\n  - {rule}\n")
    assert publish.address(destinations.find(config, "x.yaml"), "x.yaml", environ) == address


@pytest.mark.parametrize("name", ["../x", "a/../b", "a//b", "a\nb", "."])
def test_names_that_leave_the_place(name: str) -> None:
    config = load("/x/.sops.yaml", "destination_rules:\n  - vault_path: a\n")
    destination = destinations.find(config, "x.yaml")
    environ = {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "t"}
    with pytest.raises(publish.PublishError, match="is not the path of a secret"):
        publish.put(destination, name, {}, Credentials.from_env(environ))


def test_no_rule_no_destination() -> None:
    with pytest.raises(ConfigError, match="no matching destination"):
        destinations.find(load("/x/.sops.yaml", "creation_rules: []\n"), "x.yaml")


@pytest.mark.parametrize("setting", ["s3_bucket: b, s3_prefix: ../p/", "gcs_bucket: b, gcs_prefix: p/../..",
                                     "vault_path: a/../b"])  # fmt: skip
def test_b9_a_prefix_that_leaves_its_place(project: Project, setting: str) -> None:
    project.rules(f"destination_rules:\n  - {{{setting}}}\n")
    project.write("x.yaml", "a: 1\n")
    project.run("encrypt", "-i", "x.yaml")
    done = project.run("publish", "--yes", "x.yaml", code=1)
    assert "which would leave its place" in done.err
    project.rules(f"destination_rules:\n  - {{{setting.replace('../', '..p/').replace('/..', '/p..')}}}\n")
    assert "leave its place" not in project.run("publish", "--dry-run", "--yes", "x.yaml").err
