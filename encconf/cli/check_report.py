"""The report of a check as text, JSON, SARIF 2.1.0 (for code scanning) and commands of GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from encconf import __version__
from encconf.audit.check import Report
from encconf.audit.findings import KINDS, SEVERITIES, Finding, leading, printable, quoted
from encconf.text.printable import counted, listed
from encconf.text.printable import printable as printable_line

Rename = Callable[[str], str]  # turns the file name of a finding into the name in the report
_TOP = "%SRCROOT%"  # the name that code scanning uses for the folder that file names are relative to


LINES = 19
"""The most lines of `text` without ``verbose``.  The summary adds one line."""
_NAMES = 3  # the most files that a line names


def text(report: Report, *, verbose: bool = True) -> str:
    """Return a line for each finding, which editors and CI logs can parse, and a hint below it.

    A line has the form ``FILE:LINE:COLUMN: SEVERITY: MESSAGE [SLUG]``.  Without ``verbose``, findings with
    the same cause share a line, the most serious ones are first, and the text has at most `LINES` lines.
    """
    groups = [[found] for found in report.findings] if verbose else _by_cause(report.findings)
    lines: list[str] = []
    hints: set[str] = set()
    for number, alike in enumerate(groups, 1):
        block = [line for line in _block(alike) if line not in hints]
        hints.update(line for line in block if line.startswith("    hint: "))
        if not verbose and len(lines) + len(block) + (number < len(groups)) > LINES:
            count = counted(sum(map(len, groups[number - 1 :])), "more finding")
            lines.append(f"and {count} of other causes (--verbose lists all)")
            break
        lines += block
    return "".join(f"{line}\n" for line in lines)


def _by_cause(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Group the findings by their cause, the most serious first."""
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        found.setdefault((each.slug, each.severity, each.cause), []).append(each)
    return sorted(found.values(), key=lambda alike: -alike[0].rank)


def _block(alike: Sequence[Finding]) -> list[str]:
    """Return the lines about findings with the same cause: the cause, any places, and one hint."""
    first = alike[0]
    files = list(dict.fromkeys(found.file for found in alike))
    said = first.hint
    if len(files) > 1:  # make the hint one command for all of them
        if len(files) <= _NAMES:
            named = " ".join(map(quoted, files))
        else:
            below = not any(file.partition(os.sep)[0] == os.pardir for file in files)
            named = "-r ." if below and "encconf updatekeys " in said else "FILE"
        said = said.replace(f" {quoted(first.file)}", f" {named}")
    hint = [f"    hint: {_one_line(said)}"] if said else []
    if len(alike) == 1:
        return [_line(first), *hint]
    if len(files) == 1:
        count = f"{leading(first.file)}: {first.severity}: {len(alike)} times"
        places = [f"line {found.line}" for found in alike if found.line]
    else:
        count, places = f"{first.severity}: {len(files)} files", [leading(file) for file in files]
    lines = [f"{count}: {_one_line(first.cause)} [{first.slug}]"]
    if places:
        lines.append(f"    {listed(places, _NAMES)}")
    return [*lines, *hint]


def _line(found: Finding) -> str:
    place = f":{found.line}:{found.column}" if found.line else ""
    return f"{leading(found.file)}{place}: {found.severity}: {_one_line(found.message)} [{found.slug}]"


_NOTHING = {"note": "nothing found", "warning": "no errors or warnings", "error": "no errors"}


def summary(report: Report, *, strict: bool = False) -> str:
    """Return one sentence that counts the findings and says what was checked.

    With ``strict``, it also says if only warnings make the command fail.
    """
    counts = [(report.count(severity), severity) for severity in reversed(SEVERITIES)]
    parts = [counted(count, severity) for count, severity in counts if count]
    said = f"{', '.join(parts) or _NOTHING[report.shown]} in {counted(report.files, 'file')}"
    said += f", {report.encrypted or 'none'} of them encrypted"
    if report.verified:
        said += f" and {report.verified} opened"
    if report.hidden:
        milder = counted(report.hidden, "note" if report.shown == "warning" else "less severe finding")
        said += f" ({milder} hidden; --min-severity note shows {'them' if report.hidden > 1 else 'it'})"
    if strict and not report.count("error") and report.count("warning"):
        said += ": with --strict, warnings count as errors"
    return said


def to_json(report: Report) -> dict[str, object]:
    """Return the report as plain data.  docs/reference/schemas/check.json describes its members."""
    return {
        "files": report.files,
        "encrypted": report.encrypted,
        "verified": report.verified,
        "summary": {severity: report.count(severity) for severity in reversed(SEVERITIES)},
        "hidden": report.hidden,
        "shallow": report.shallow,
        "findings": [
            {
                "slug": found.slug,
                "severity": found.severity,
                "file": found.file,
                "line": found.line or None,
                "column": found.column or None,
                "path": found.path or None,
                "message": found.message,
                "hint": found.hint or None,
            }
            for found in report.findings
        ],
    }


def github(report: Report, rename: Rename) -> str:
    """Return workflow commands, which GitHub shows at the lines of a pull request."""
    lines: list[str] = []
    for found in report.findings:
        level = "notice" if found.severity == "note" else found.severity
        members = {"file": rename(found.file), "title": f"encconf {found.slug}"}
        if found.line:
            members.update(line=str(found.line), col=str(found.column))
        said = ",".join(f"{name}={_property(value)}" for name, value in members.items())
        message = f"{found.message}\n{found.hint}" if found.hint else found.message
        lines.append(f"::{level} {said}::{_command(message)}\n")
    return "".join(lines)


def sarif(report: Report, rename: Rename) -> dict[str, object]:
    """Return SARIF 2.1.0 as plain data, for code scanning.  Columns count characters."""
    names = list(KINDS)
    run = {
        "tool": {
            "driver": {
                "name": "encconf",
                "version": __version__,
                "rules": [
                    {
                        "id": slug,
                        "shortDescription": {"text": kind.title},
                        "fullDescription": {"text": f"{kind.title}. {kind.help}"},
                        "help": {"text": kind.help},
                        "defaultConfiguration": {"level": kind.severity},
                        "properties": {"tags": ["security"]},
                    }
                    for slug, kind in KINDS.items()
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_TOP: {"description": {"text": "The top of the repository"}}},
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(found, names.index(found.slug), rename) for found in report.findings],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _result(found: Finding, index: int, rename: Rename) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(rename(found.file)), "uriBaseId": _TOP}}
    # Code scanning on GitHub needs a line, even for a finding about a whole file.
    place["region"] = {"startLine": found.line or 1, "startColumn": found.column or 1}
    location: dict[str, object] = {"physicalLocation": place}
    if found.path:
        location["logicalLocations"] = [{"fullyQualifiedName": found.path, "kind": "member"}]
    return {
        "ruleId": found.slug,
        "ruleIndex": index,
        "level": found.severity,
        "message": {"text": f"{found.message}. {found.hint}" if found.hint else found.message},
        "locations": [location],
        "partialFingerprints": {"encconf/v1": _fingerprint(found, rename)},
    }


def _fingerprint(found: Finding, rename: Rename) -> str:
    """Return a fingerprint that stays the same when the lines of the file move."""
    import hashlib

    words = "\0".join((found.slug, rename(found.file), found.path or found.message))
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _uri(name: str) -> str:
    from urllib.parse import quote

    return quote(os.fsencode(name.replace(os.sep, "/")))


def _one_line(message: str) -> str:
    return printable(" ".join(message.split("\n")), 2000)


def _command(message: str) -> str:
    """Escape a message for a workflow command as actions/toolkit does.  Control characters become ``?``."""
    shown = "\n".join(map(printable_line, message.split("\n")))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _command(value).replace(":", "%3A").replace(",", "%2C")
