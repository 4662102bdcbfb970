"""``encconf check``: choose the files, run the check of `encconf.audit.check`, and print its report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Literal

from encconf import __version__
from encconf.audit import check as checking
from encconf.audit.check import ALL, FILES, FOLDERS, Report
from encconf.audit.findings import KINDS, SEVERITIES, Finding, leading, printable, quoted
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import JSON
from encconf.errors import ConflictError, EncconfError, MissingFileError
from encconf.record import VerbOptions
from encconf.text.printable import counted, listed
from encconf.text.printable import printable as printable_line


class FoundError(EncconfError):
    """The check has findings that make it fail."""

    slug = "findings"


class UncheckedError(EncconfError):
    """Something could not be checked, and no other finding makes the check fail."""

    exit_code = 2
    slug = "unchecked"


class Options(VerbOptions):
    path: Sequence[str] = ()
    verify: bool = False
    changed: bool = False
    recursive: bool = False
    strict: bool = False
    verbose: bool = False
    min_severity: Literal["note", "warning", "error"] | None = None
    ignore: Sequence[str] = ()
    format: Literal["text", "json", "sarif", "github"] | None = None
    json: bool = False
    config: str | None = None


def check(options: Options, console: Console) -> None:
    """Check files.  Raises FoundError or UncheckedError for findings that make the check fail."""
    from encconf.git import Known, need_files, repository

    path, json, format, changed = options.path, options.json, options.format, options.changed
    need_files(path or ["."])
    if json and format not in (None, "json"):
        raise ConflictError(f"--json and --format {format} exclude each other")
    cwd = os.getcwd()
    root = repository(cwd)
    whole = not path and not changed
    known = Known()
    everything = known.everything(cwd, root) if whole else None  # git runs during the imports
    if everything is None:
        names = _named(console, path, changed=changed)
    elif (tracked := everything()) is not None:
        names = tracked
    else:
        names = _below(console, root)
    report = checking.check(
        names,
        cwd=cwd,
        config=options.config,
        scope=ALL if whole else FOLDERS if not changed and any(map(os.path.isdir, path)) else FILES,
        known=known,
        ignored=options.ignore,
        verify=console.credentials() if options.verify else None,
        progress=console.progress,
    )
    report.show(options.min_severity or "warning")
    _print(options, console, report, lambda name: os.path.relpath(os.path.join(cwd, name), root or cwd))
    if report.shallow:
        console.note(
            "only a part of the history was read, so check may not know every removed recipient "
            "(in a shallow clone, git fetch --unshallow gets the rest)"
        )
    _end(console, report, options.strict)
    if whole and not report.files and root is not None:
        console.hint("git tracks no files here; to check new files as well: encconf check .")
    elif report.unruled:
        console.hint(
            "no rule of .sops.yaml matches a file here; encconf explain FILE says why, and "
            "encconf encrypt NAME.yaml writes NAME.enc.yaml"
        )


def _print(options: Options, console: Console, report: Report, rename: Callable[[str], str]) -> None:
    """Print the report in the format that the user wants.  ``rename`` returns a name in the repository."""
    shape = "json" if options.json else options.format
    if shape == "json":
        console.json(to_json(report))
    elif shape == "sarif":
        console.json(sarif(report, rename))
    elif shape == "github":
        console.data(github(report, rename))
    else:
        console.lines(text(report, verbose=options.verbose))


CHECK = Command(
    "check",
    """Check that files are encrypted as .sops.yaml says; needs no key.

    Without PATH, checks every file that git tracks. PATH may be a file, a folder or a pattern.

    The questions are:

    - values: are they encrypted, and with the selection of the rule?
    - recipients: is the file encrypted for those of its rule?
    - copies: does git track a plaintext copy?
    - leaks: does anything in a file reveal its values?

    To accept a kind of finding permanently, write # encconf: ignore SLUG=GLOB in .sops.yaml.

    Exit codes:

    - 0: no errors
    - 1: errors; with --strict, also warnings
    - 2: something could not be checked, and nothing else is wrong
    """,
    Options,
    check,
    arguments=[Argument("path", named=True)],
    options=[
        Option("--verify", help="Also decrypt the files you have keys for, and check their MAC."),
        Option(
            "--changed",
            help=(
                "Only files that are new, changed since the last commit, or below a .sops.yaml that changed."
            ),
        ),
        Option(
            "--recursive",
            "-r",
            help="Accepted for consistency: check always includes the files in folders.",
        ),
        Option("--strict", help="Fail on warnings as well."),
        Option("--verbose", help="List every finding, including those with the same cause."),
        Option(
            "--min-severity",
            metavar="SEVERITY",
            help="Hide findings below this severity (by default, notes are hidden).",
        ),
        Option(
            "--ignore",
            metavar="SLUG",
            help="Ignore findings of this kind (SLUG=GLOB: only in files that match).",
        ),
        Option(
            "--format",
            metavar="FORMAT",
            help="Output format (by default, text). github prints annotations; sarif is for code scanning.",
        ),
        JSON,
        CONFIG,
    ],
    examples=[
        "encconf check",
        "encconf check --strict --min-severity note deploy/",
        "encconf check --verify --changed",
        "encconf check --format github --ignore plain-twin='examples/*'",
    ],
)


def _end(console: Console, report: Report, strict: bool) -> None:
    """Print the summary, or raise it as an error if the check fails."""
    failing = [
        found for found in report.findings if found.severity == "error" or (strict and found.rank == 1)
    ]
    said = summary(report, strict=strict)
    if not failing:
        console.note(said)
    elif all(KINDS[found.slug].unchecked for found in failing):
        raise UncheckedError(said)
    else:
        raise FoundError(said)


def _below(console: Console, root: str | None) -> list[str]:
    """Return all files in this folder, because git cannot list those of the repository."""
    from encconf.git import GIT_SAYS_WHY
    from encconf.verbs import batch

    if root is not None:
        console.warn(
            f"git cannot list the files in {root}, so all files in this folder are checked",
            GIT_SAYS_WHY,
        )
    return batch.below(".")


def _named(console: Console, paths: Sequence[str], *, changed: bool) -> list[str]:
    from encconf.rules.config import NAME
    from encconf.verbs import batch

    names = batch.files(console, paths, recursive=True, changed=changed, encrypted=False)
    if changed:  # a changed rule also affects files that did not change
        for config in [name for name in names if os.path.basename(name) == NAME]:
            names += batch.below(os.path.dirname(config) or ".")
        names = list(dict.fromkeys(names))
    for name in names:
        try:
            os.lstat(name)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError("no such file").about(name) from None
        except (OSError, ValueError):
            continue  # it is reported as unreadable
    return names


# --- the report: as text, JSON, SARIF 2.1.0 (for code scanning) and commands of GitHub Actions ----

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
        if "encconf import " in said:
            named = "FILE"  # it takes one
        elif len(files) <= _NAMES:
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
