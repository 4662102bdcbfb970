"""``encconf check``."""

from __future__ import annotations

import os

from encconf.errors import ConflictError, EncconfError, MissingFileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.audit.check import Report
    from encconf.cli.console import Console


class FoundError(EncconfError):
    """There are findings."""

    slug = "findings"


class UncheckedError(EncconfError):
    """Something could not be checked, and nothing else is wrong."""

    exit_code = 2
    slug = "unchecked"


def check(
    console: Console,
    *,
    path: list[str],
    recursive: bool,
    changed: bool,
    verify: bool,
    strict: bool,
    verbose: bool,
    min_severity: str | None,
    ignore: list[str],
    format: str | None,
    json: bool,
    config: str | None,
) -> None:
    """Check files; raises FoundError or UncheckedError when there is reason to."""
    from encconf.git import is_bare, repository

    if any(map(is_bare, path or ["."])):
        raise UsageError(
            "this is a bare repository, so there are no files to check",
            hint="check a clone, or a work tree of it: git worktree add FOLDER",
        )
    if json and format not in (None, "json"):
        raise ConflictError(f"--json and --format {format} exclude each other")
    shape = "json" if json else format or "text"
    cwd = os.getcwd()
    root = repository(cwd)
    whole = not path and not changed
    known = _Known()
    everything = known.everything(console, cwd, root) if whole else None  # git works while we load
    from encconf.audit.check import check
    from encconf.cli import check_report as reports
    from encconf.cli import files

    names = everything() if everything is not None else _named(console, path, changed)
    report = check(
        names,
        cwd=cwd,
        config=config,
        whole=whole,
        known=known,
        ignored=ignore,
        verify=files.credentials(console) if verify else None,
        progress=console.progress,
    )
    report.show(min_severity or "warning")

    def rename(name: str) -> str:
        return os.path.relpath(os.path.join(cwd, name), root or cwd)

    if shape == "json":
        console.data(reports.json(report))
    elif shape == "sarif":
        console.data(reports.sarif(report, rename))
    elif shape == "github":
        console.data(reports.github(report, rename))
    else:
        console.lines(reports.text(report, verbose=verbose))
    _end(console, report, strict)
    if whole and not report.files and root is not None:
        console.hint("git tracks no files here; to check new files as well: encconf check .")


def _end(console: Console, report: Report, strict: bool) -> None:
    """Say what came of it; raises where that is bad."""
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
    if changed:  # a rule that has changed is about files that have not
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
    """What git says of files, asked once for each repository, and only when something hangs on it."""

    def __init__(self) -> None:
        self._all: frozenset[str] | None = None
        self._sets: dict[tuple[str, bool], frozenset[str] | None] = {}

    def everything(self, console: Console, cwd: str, root: str | None) -> Callable[[], list[str]]:
        """What git tracks in the repository that we are in; where it cannot be asked, all files here."""
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
            if above != ".":  # call the files here as they are called here
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
        """Whether a plain file may get into a commit: not where git ignores it."""
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
