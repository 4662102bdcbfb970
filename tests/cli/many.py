"""A folder with many encrypted files."""

from __future__ import annotations

import json
from typing import Any

from oracle import AgeKey
from project import Project

import encconf
from encconf import api
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT


def fill(project: Project, count: int, *keys: AgeKey, folder: str = "") -> list[str]:
    """Encrypted files for the project's key and these; their names in the order of a folder's listing.

    A .sops.yaml names them, if there is none yet.
    """
    if not project.path(".sops.yaml").exists():
        rules(project, project.key, *keys)
    rule = rule_for(project.key, *keys)
    names = sorted(f"{folder}f{number}.yaml" for number in range(count))
    for name in names:
        project.write(name, api.encrypt(plain(name), rule, format="yaml"))
    return names


def plain(name: str) -> str:
    return f"name: {name}\n# secret\npassword: hunter2\n"


def rule_for(*keys: AgeKey) -> Rule:
    return Rule([[master_key("age", key.recipient) for key in keys]], None, DEFAULT, "")


def rules(project: Project, *keys: AgeKey) -> None:
    recipients = ",".join(key.recipient for key in keys)
    project.write(".sops.yaml", f"creation_rules:\n  - age: {recipients}\n")


def opened(project: Project, name: str) -> str:
    return encconf.decrypt(project.read(name), credentials=Credentials(project.key.environ()))


ROW = {
    "file", "status", "data_key", "added", "removed", "removed_before", "threshold", "selection", "strangers",
    "could_read", "error",
}  # fmt: skip

REPORT = {"command", "dry_run", "files", "changed", "unchanged", "failed", "not_reached"}


def report(out: str) -> dict[str, Any]:
    """A report, which has the members that are documented, whatever it is about."""
    found = json.loads(out)
    assert set(found) == REPORT
    for row in found["files"]:
        assert set(row) == ROW
        for key in row["added"] + row["removed"] + row["strangers"]:
            assert set(key) == {"type", "key", "name"}
        assert row["could_read"] is None or set(row["could_read"]) == {"paths", "alone"}
        assert row["error"] is None or set(row["error"]) == {"slug", "message", "hint"}
    return found  # type: ignore[no-any-return]
