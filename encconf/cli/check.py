"""``encconf check``."""

from __future__ import annotations

import os

from encconf.cli.table import flag, text, texts
from encconf.errors import ConflictError, EncconfError, MissingFileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.audit.check import Report
    from encconf.cli.console import Console
    from encconf.cli.table import Value


class FoundError(EncconfError):
    """There are findings."""

    slug = "findings"


class UncheckedError(EncconfError):
    """Something could not be checked, and there are no other findings."""

    exit_code = 2
    slug = "unchecked"


def check(console: Console, *, path: list[str], **options: Value) -> None:
    """Check files; raises FoundError or UncheckedError for findings that make the check fail."""
    from encconf.git import is_bare, repository

    if any(map(is_bare, path or ["."])):
        raise UsageError(
            "this is a bare repository, so there are no files to check",
            hint="check a clone, or a work tree of it: git worktree add FOLDER",
        )
    json, format, changed = flag(options, "json"), text(options, "format"), flag(options, "changed")
    if json and format not in (None, "json"):
        raise ConflictError(f"--json and --format {format} exclude each other")
    shape = "json" if json else format or "text"
    cwd = os.getcwd()
    root = repository(cwd)
    whole = not path and not changed
    known = _Known()
    everything = known.everything(console, cwd, root) if whole else None  # git works while Python imports
    from encconf.audit.check import check
    from encconf.cli import check_report as reports
    from encconf.cli import files

    names = everything() if everything is not None else _named(console, path, changed)
    report = check(
        names,
        cwd=cwd,
        config=text(options, "config"),
        whole=whole,
        known=known,
        ignored=texts(options, "ignore"),
        verify=files.credentials(console) if flag(options, "verify") else None,
        progress=console.progress,
    )
    report.show(text(options, "min_severity") or "warning")

    def rename(name: str) -> str:
        return os.path.relpath(os.path.join(cwd, name), root or cwd)

    if shape == "json":
        console.data(reports.json(report))
    elif shape == "sarif":
        console.data(reports.sarif(report, rename))
    elif shape == "github":
        console.data(reports.github(report, rename))
    else:
        console.lines(reports.text(report, verbose=flag(options, "verbose")))
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


def _named(console: Console, paths: list[str], changed: bool) -> list[str]:
    from encconf.cli import targets
    from encconf.cli.files import STDIN
    from encconf.rules.config import NAME

    names = targets.files(console, paths, recursive=True, changed=changed, encrypted=False)
    if changed:  # a rule that changed concerns files that did not change
        for config in [name for name in names if os.path.basename(name) == NAME]:
            names += targets.below(os.path.dirname(config) or ".")
        names = list(dict.fromkeys(names))
    for name in names:
        if name in STDIN:
            raise UsageError("check needs files, not stdin: the file name decides which rule applies")
        if not os.path.lexists(name):
            raise MissingFileError("no such file").about(name)
    return names


class _Known:
    """The files that git tracks or ignores: git is asked once for each repository, and only if needed."""

    def __init__(self) -> None:
        self._all: frozenset[str] | None = None
        self._sets: dict[tuple[str, bool], frozenset[str] | None] = {}

    def everything(self, console: Console, cwd: str, root: str | None) -> Callable[[], list[str]]:
        """A function that lists what git tracks in this repository; all files here if git cannot."""
        from encconf.git import worktree

        self._all = frozenset()
        if root is None:
            return self._below
        above = os.path.relpath(root, cwd)
        answer = worktree.asking_tracked(above)

        def names() -> list[str]:
            found = answer()
            if found is None:
                console.warn(
                    f"git cannot list the files in {root}, so all files in this folder are checked",
                    "git status says why; if another user owns the folder, see git config safe.directory",
                )
                return self._below()
            if above != ".":  # names below the current folder are relative to it
                here = os.path.join(above, os.path.relpath(cwd, root), "")
                found = [name.removeprefix(here) for name in found]
            self._all = frozenset(found)
            return found

        return names

    @staticmethod
    def _below() -> list[str]:
        from encconf.cli import targets

        return targets.below(".")

    def tracked(self, name: str) -> bool:
        """Whether a file is in git's index."""
        if self._all is not None:
            return name in self._all
        return os.path.lexists(name) and self._has(name, new=False, unknown=False)

    def exposed(self, name: str) -> bool:
        """Whether a plaintext file could be committed: not if git ignores it."""
        return self._all is not None or self._has(name, new=True, unknown=True)

    def _has(self, name: str, *, new: bool, unknown: bool) -> bool:
        from encconf.git import repository, worktree

        folder, base = os.path.split(os.path.abspath(name))
        folder = os.path.realpath(folder)
        root = repository(folder)
        if root is None:
            return unknown
        key = root, new
        if key not in self._sets:
            names = (worktree.listed if new else worktree.tracked)(root)
            self._sets[key] = frozenset(names) if names is not None else None
        known = self._sets[key]
        return unknown if known is None else os.path.join(folder, base) in known
