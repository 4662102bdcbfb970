"""A check's report for people, programs, code scanning and GitHub Actions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from audit.repo import SECRET, Repo, rule, seal

from encconf.audit.check import Report
from encconf.audit.findings import KINDS, Finding
from encconf.cli.commands import check as reports
from encconf.rules.selection import Selection


@pytest.fixture
def mixed(tmp_path: Path) -> Report:
    """An error, a warning and notes."""
    repo = Repo(tmp_path)
    repo.rules("encrypted_regex: ^(password|on)$")
    selection = Selection("encrypted_regex", "^(password|on)$")
    repo.write(
        "a.enc.yaml", seal(f"password: {SECRET}\non: ab\ntoken: {SECRET}\n", rule(selection=selection))
    )
    repo.write("b.enc.yaml", f"password: {SECRET}\n")
    return repo.check()


def test_text(mixed: Report) -> None:
    mixed.show("warning")
    assert reports.text(mixed).splitlines() == [
        "a.enc.yaml:3:8: warning: token is plaintext and has a name like a secret [plain-secret]",
        "    hint: Widen the selection in the creation rule, then run: encconf updatekeys --selection "
        "a.enc.yaml",
        "b.enc.yaml:1:11: error: password is plaintext, but creation_rules[0] of .sops.yaml says to encrypt "
        "it [not-encrypted]",
        "    hint: Encrypt it (encconf encrypt -i b.enc.yaml). If it has been committed or sent, change its "
        "secrets as well.",
    ]
    assert reports.summary(mixed) == (
        "1 error, 1 warning in 3 files, 1 of them encrypted (1 note hidden; --min-severity note shows it)"
    )


def test_strict_says_why_warnings_fail(mixed: Report) -> None:
    why = ": with --strict, warnings count as errors"
    assert not reports.summary(mixed, strict=True).endswith(why)
    mixed.findings = [found for found in mixed.findings if found.severity == "warning"]
    assert reports.summary(mixed, strict=True).endswith(f"1 of them encrypted{why}")
    assert not reports.summary(mixed).endswith(why)


def test_json(mixed: Report) -> None:
    said = reports.to_json(mixed)
    assert said["summary"] == {"error": 1, "warning": 1, "note": 1}
    assert (said["files"], said["encrypted"]) == (3, 1)
    members = {"slug", "severity", "file", "line", "column", "path", "message", "hint"}
    assert all(set(found) == members for found in said["findings"])
    assert SECRET not in json.dumps(said)


# The members that the schema of SARIF 2.1.0 takes here, of those in use; it takes no others.  With a
# bang it demands them; with two, code scanning on GitHub does.
SARIF = {
    "log": "$schema version! runs!",
    "run": "tool! results columnKind originalUriBaseIds invocations",
    "tool": "driver!",
    "toolComponent": "name! version rules",
    "reportingDescriptor": "id! shortDescription!! fullDescription!! help!! defaultConfiguration properties",
    "reportingConfiguration": "level",
    "multiformatMessageString": "text!",
    "invocation": "executionSuccessful!",
    "result": "ruleId!! ruleIndex level message! locations!! partialFingerprints",
    "message": "text!",
    "location": "physicalLocation!! logicalLocations",
    "physicalLocation": "artifactLocation! region!!",
    "artifactLocation": "uri!! uriBaseId",
    "region": "startLine! startColumn",
    "logicalLocation": "fullyQualifiedName kind",
    "propertyBag": "tags",
}


def shaped(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """An object of SARIF, which has the members that it should."""
    words = SARIF[kind].split()
    assert (
        {word.rstrip("!") for word in words if word.endswith("!")}
        <= set(value)
        <= {word.rstrip("!") for word in words}
    )
    return value


def test_sarif(mixed: Report) -> None:
    """The parts of the 2.1.0 schema that are used, as it demands them."""
    said = shaped("log", reports.sarif(mixed, lambda name: f"sub dir/{name}"))
    assert said["version"] == "2.1.0"
    assert said["$schema"].endswith("/sarif-2.1.0.json")
    run = shaped("run", *said["runs"])
    assert run["columnKind"] == "unicodeCodePoints"
    assert shaped("invocation", *run["invocations"])["executionSuccessful"] is True
    driver = shaped("toolComponent", shaped("tool", run["tool"])["driver"])
    rules = [shaped("reportingDescriptor", rule) for rule in driver["rules"]]
    assert [each["id"] for each in rules] == list(KINDS)
    for each in rules:
        level = shaped("reportingConfiguration", each["defaultConfiguration"])["level"]
        assert level in ("none", "note", "warning", "error")
        for member in ("shortDescription", "fullDescription", "help"):
            assert 0 < len(shaped("multiformatMessageString", each[member])["text"]) <= 1024
        assert shaped("propertyBag", each["properties"])["tags"] == ["security"]
    assert len(run["results"]) == 3
    for result in run["results"]:
        shaped("result", result)
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert shaped("message", result["message"])["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        location = shaped("location", *result["locations"])
        for logical in location.get("logicalLocations", ()):
            assert shaped("logicalLocation", logical)["kind"] == "member"
        place = shaped("physicalLocation", location["physicalLocation"])
        artifact = shaped("artifactLocation", place["artifactLocation"])
        assert artifact["uri"].startswith("sub%20dir/")
        assert artifact["uriBaseId"] in run["originalUriBaseIds"]
        region = shaped("region", place["region"])
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
    assert SECRET not in json.dumps(said)


def test_github_annotations_are_escaped() -> None:
    report = Report()
    report.findings = [
        Finding("plain-value", "a,b:c%.yaml", "50% of\nit\x1b", hint="do\r\nthis", place=(3, 7)),
        Finding("short-value", "x.yaml", "note", hint=""),
    ]
    assert reports.github(report, str).splitlines() == [
        "::error file=a%2Cb%3Ac%25.yaml,title=encconf plain-value,line=3,col=7::50%25 of%0Ait?%0Ado?%0Athis",
        "::notice file=x.yaml,title=encconf short-value::note",
    ]


@pytest.mark.parametrize("sep", ["/", "\\"])
def test_one_command_for_files_below_the_current_folder(sep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", sep)
    hint = "run: encconf updatekeys FILE"

    def command(folder: str) -> str:
        report = Report()
        report.findings = [
            Finding("keys-differ", f"{folder}{sep}{name}", "", hint=hint, cause="x") for name in "abcd"
        ]
        return reports.text(report, verbose=False).splitlines()[-1].partition("encconf ")[2]

    assert command("deploy") == command("..deploy") == "updatekeys -r ."
    assert command("..") == "updatekeys FILE"
