"""``encconf check``: choose the files, run the check of `encconf.audit.check`, and print its report."""

from __future__ import annotations

import os
from collections.abc import Mapping

from encconf.cli.console import Console
from encconf.cli.options import Value, flag, text, texts
from encconf.errors import ConflictError, EncconfError, MissingFileError

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


def check(console: Console, *, path: list[str], **options: Value) -> None:
    """Check files.  Raises FoundError or UncheckedError for findings that make the check fail."""
    from encconf.git import need_files, repository
    from encconf.git.worktree import Known

    need_files(path or ["."])
    json, format, changed = flag(options, "json"), text(options, "format"), flag(options, "changed")
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
    from encconf.cli import files

    if everything is None:
        names = _named(console, path, options)
    elif (tracked := everything()) is not None:
        names = tracked
    else:
        names = _below(console, root)
    report = check(
        names,
        cwd=cwd,
        config=text(options, "config"),
        scope=ALL if whole else FOLDERS if not changed and any(map(os.path.isdir, path)) else FILES,
        known=known,
        ignored=texts(options, "ignore"),
        verify=files.credentials(console) if flag(options, "verify") else None,
        progress=console.progress,
    )
    report.show(text(options, "min_severity") or "warning")

    def rename(name: str) -> str:
        return os.path.relpath(os.path.join(cwd, name), root or cwd)

    if shape == "json":
        console.json(reports.to_json(report))
    elif shape == "sarif":
        console.json(reports.sarif(report, rename))
    elif shape == "github":
        console.data(reports.github(report, rename))
    else:
        console.lines(reports.text(report, verbose=flag(options, "verbose")))
    if report.shallow:
        console.note(
            "this clone has only part of the history, so check may not know every removed recipient "
            "(git fetch --unshallow gets the rest)"
        )
    _end(console, report, flag(options, "strict"))
    if whole and not report.files and root is not None:
        console.hint("git tracks no files here; to check new files as well: encconf check .")


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
    from encconf.cli import targets

    if root is not None:
        console.warn(
            f"git cannot list the files in {root}, so all files in this folder are checked",
            "git status says why; if another user owns the folder, see git config safe.directory",
        )
    return targets.below(".")


def _named(console: Console, paths: list[str], options: Mapping[str, Value]) -> list[str]:
    from encconf.cli import targets
    from encconf.rules.config import NAME

    names = targets.files(console, paths, {**options, "recursive": True}, encrypted=False)
    if flag(options, "changed"):  # a changed rule also affects files that did not change
        for config in [name for name in names if os.path.basename(name) == NAME]:
            names += targets.below(os.path.dirname(config) or ".")
        names = list(dict.fromkeys(names))
    for name in names:
        if not os.path.lexists(name):
            raise MissingFileError("no such file").about(name)
    return names
