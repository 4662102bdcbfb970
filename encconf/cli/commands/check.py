"""``encconf check``: choose the files, run the check of `encconf.audit.check`, and print its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import JSON
from encconf.errors import ConflictError, EncconfError, MissingFileError
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.check import Report


class FoundError(EncconfError):
    """The check has findings that make it fail."""

    slug = "findings"


class UncheckedError(EncconfError):
    """Something could not be checked, and no other finding makes the check fail."""

    exit_code = 2
    slug = "unchecked"


class Options(Base):
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
    from encconf.git import need_files, repository
    from encconf.git.worktree import Known

    path, json, format, changed = options.path, options.json, options.format, options.changed
    need_files(path or ["."])
    if json and format not in (None, "json"):
        raise ConflictError(f"--json and --format {format} exclude each other")
    shape = "json" if json else format or "text"
    cwd = os.getcwd()
    root = repository(cwd)
    whole = not path and not changed
    known = Known()
    everything = known.everything(cwd, root) if whole else None  # git runs during the imports
    from encconf.audit.check import ALL, FILES, FOLDERS, check
    from encconf.cli import check_report as reports

    if everything is None:
        names = _named(console, path, changed=changed)
    elif (tracked := everything()) is not None:
        names = tracked
    else:
        names = _below(console, root)
    report = check(
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

    def rename(name: str) -> str:
        return os.path.relpath(os.path.join(cwd, name), root or cwd)

    if shape == "json":
        console.json(reports.to_json(report))
    elif shape == "sarif":
        console.json(reports.sarif(report, rename))
    elif shape == "github":
        console.data(reports.github(report, rename))
    else:
        console.lines(reports.text(report, verbose=options.verbose))
    if report.shallow:
        console.note(
            "only a part of the history was read, so check may not know every removed recipient "
            "(in a shallow clone, git fetch --unshallow gets the rest)"
        )
    _end(console, report, options.strict)
    if whole and not report.files and root is not None:
        console.hint("git tracks no files here; to check new files as well: encconf check .")


COMMAND = Command(
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
    from encconf.audit.findings import KINDS
    from encconf.cli.check_report import summary

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
    from encconf.verbs import targets

    if root is not None:
        console.warn(
            f"git cannot list the files in {root}, so all files in this folder are checked",
            "git status says why; if another user owns the folder, see git config safe.directory",
        )
    return targets.below(".")


def _named(console: Console, paths: Sequence[str], *, changed: bool) -> list[str]:
    from encconf.rules.config import NAME
    from encconf.verbs import targets

    names = targets.files(console, paths, recursive=True, changed=changed, encrypted=False)
    if changed:  # a changed rule also affects files that did not change
        for config in [name for name in names if os.path.basename(name) == NAME]:
            names += targets.below(os.path.dirname(config) or ".")
        names = list(dict.fromkeys(names))
    for name in names:
        if not os.path.lexists(name):
            raise MissingFileError("no such file").about(name)
    return names
