"""Real reports of --json follow the schemas in docs/reference/schemas/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from oracle import AgeKey
from project import ROOT, Project

SCHEMAS = ROOT / "docs" / "reference" / "schemas"
PAGE = ROOT / "docs" / "reference" / "json.md"


def check(name: str, report: str) -> Any:
    """Check a report against its schema, and return it."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    data = json.loads(report)
    jsonschema.Draft202012Validator(schema).validate(data)
    return data


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_they_are_schemas_and_have_a_line_in_the_page(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    (example,) = schema["examples"]
    jsonschema.Draft202012Validator(schema).validate(example)
    assert f"(schemas/{path.name})" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_report_uses_the_same_names(path: Path) -> None:
    """A key has a type and perhaps a name.  An error has a slug, a message and a hint."""
    for name, schema in members(json.loads(path.read_text(encoding="utf-8"))):
        assert schema.get("description"), name
        shape = set(schema.get("anyOf", [schema])[0].get("properties", ()))
        assert name not in ("error", "problem") or shape in ({"slug", "message", "hint"}, set())
        assert "key" not in shape or "type" in shape
        assert not shape & {"who", "quorum", "version"}


def members(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the schema of every member that a schema describes."""
    for name, about in schema.get("properties", {}).items():
        yield name, about
        yield from members(about)
    for inner in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from members(inner)


def test_reports_without_a_key(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.git("add", ".")
    sealed.git("commit", "-qm", "x")
    assert check("check", sealed.run("check", "--json", code=1).out)["findings"]
    assert check("explain", sealed.run("explain", "--json", "secrets.enc.yaml").out)["state"] == "encrypted"
    assert check("explain", sealed.run("explain", "--json", "new.yaml").out)["state"] == "missing"
    assert check("access", sealed.run("access", "--json").out)["files"]
    key = sealed.key.recipient
    assert check("access", sealed.run("access", "--json", "--people", key).out)["together"]
    assert check("filestatus", sealed.run("filestatus", "secrets.enc.yaml").out)["encrypted"] is True


def test_reports_of_changes(sealed: Project) -> None:
    sealed.git("init", "-q")
    sealed.git("add", ".")
    sealed.git("commit", "-qm", "x")
    sealed.run("set", "secrets.enc.yaml", "db.host", "elsewhere")
    assert check("diff", sealed.run("diff", "--json", "secrets.enc.yaml", code=1).out)["differs"] is True
    bob = AgeKey.generate().recipient
    added = sealed.run("keys", "add", "--json", "--age", bob, "secrets.enc.yaml").out
    assert check("batch", added)["changed"] == 1
    refused = check("batch", sealed.run("rotate", "--json", "secrets.enc.yaml", code=1).out)
    assert refused["files"][0]["error"]["slug"] == "stranger"
    planned = sealed.run("updatekeys", "--json", "-n", "-r", ".").out
    assert check("batch", planned)["files"][0]["removed"]
    assert check("batch", sealed.run("updatekeys", "--json", "-y", "secrets.enc.yaml").out)["changed"] == 1
    assert check("batch", sealed.run("rotate", "--json", "secrets.enc.yaml").out)["changed"] == 1


def test_a_report_of_publishing(sealed: Project) -> None:
    sealed.rules("destination_rules:\n  - s3_bucket: shop\n")
    done = sealed.run("publish", "--json", "--dry-run", "secrets.enc.yaml")
    assert check("publish", done.out)["files"][0]["to"] == "s3://shop/secrets.enc.yaml"


def test_a_report_of_proposals(sealed: Project) -> None:
    sealed.run("propose", "secrets.enc.yaml", "db.password", input="other")
    sealed.run("propose", "secrets.enc.yaml", "db.password", input="another")
    done = check("accept", sealed.run("accept", "-n", "--json", "secrets.enc.yaml").out)
    assert [each["error"]["slug"] for each in done["proposals"]] == ["proposal", "proposal"]


def test_reports_of_moving(project: Project) -> None:
    project.rules()
    project.write(".env", "PASSWORD=pa55-w0rd\nDEBUG=1\n")
    assert check("import", project.run("import", "--json", ".env").out)["git"] is None
    project.git("init", "-q")
    project.git("add", ".env")
    project.git("commit", "-qm", "x")
    assert len(check("import", project.run("import", "--json", ".env").out)["git"]["commits"]) == 1
    check("doctor", project.run("doctor", "--json", "environment").out)
    project.write("app.py", 'import subprocess\nsubprocess.run(["sops", "-d", "x.yaml"])\n')
    assert check("callers", project.run("doctor", "--json", "app.py").out)["callers"]
