"""Merge two versions of an encrypted file, as git's merge driver or in your editor."""

from __future__ import annotations

import os

from encconf.errors import (
    EncconfError,
    MissingFileError,
    OutputError,
    StrangerError,
    UndecidedError,
    UsageError,
)
from encconf.io import fileio
from encconf.record import VerbOptions
from encconf.text.printable import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.git.conflict import Labels
    from encconf.git.merge import Outcome
    from encconf.verbs.front import Front


_CONFLICT = 1  # git treats this exit code as a conflict; a code above 128 aborts the whole merge


class Options(VerbOptions):
    """The files of the versions, and the ``path`` of the file in the repository."""

    base: str
    ours: str
    theirs: str
    path: str
    marker_size: str | None = None
    base_label: str | None = None
    ours_label: str | None = None
    theirs_label: str | None = None


def run(options: Options, front: Front) -> None:
    """Merge two versions into the file ``ours``.  If that fails, write both into it, between markers.

    Raises SystemExit(1) for a conflict, and an error if git must abort the merge.
    """
    file, ours, theirs = os.path.normpath(options.path), options.ours, options.theirs
    labels = _labels(options, front.environ)
    merged, marker_size = False, _marker_size(options.marker_size)
    try:
        names = options.base, ours, theirs
        _, outcome = merged_by_value(front, file, names, labels)
        if outcome is None:
            clean = _merge_plain(names, labels, marker_size)
            merged = True
            if not clean:
                raise UndecidedError("both sides changed the same lines; the file is not encrypted")
        else:
            fileio.write_atomic(ours, outcome.text)
            merged = True
            # git runs this at the top of the work tree.  GIT_PREFIX is the folder where the user called git.
            report(front, os.path.relpath(file, front.environ.get("GIT_PREFIX") or "."), outcome)
    except Exception as error:
        both = merged or _leave_both(ours, theirs, labels, marker_size)
        if not isinstance(error, EncconfError):
            raise
        if not both or isinstance(error, (MissingFileError, OutputError, StrangerError)):
            raise error.about(file) from None  # the exit code makes git abort the merge
        front.error(error.about(file))
        raise SystemExit(_CONFLICT) from None


def _marker_size(given: str | None) -> int:
    """Return the length of conflict markers.  One that git's attributes set to a huge number is not used."""
    from encconf.merge import MARKER_SIZE

    usable = given is not None and given.isdecimal() and len(given) < 4
    return (int(given or "") if usable else 0) or MARKER_SIZE


def _leave_both(ours: str, theirs: str, labels: Labels, size: int) -> bool:
    """Write both versions into our file, between markers, as git does without a driver.

    Otherwise ``git add`` would add our version, and theirs would be lost.  git before 2.42 treats every
    failure as a conflict.  Since 2.42, it aborts the merge after exit code 129 and does not use this file.
    Returns False if the file cannot be written.
    """
    try:
        sides = []
        for name in (ours, theirs):
            with open(name, "rb") as file:
                sides.append(file.read())
        first, second = (side if side.endswith(b"\n") or not side else side + b"\n" for side in sides)
        lines = (f"{sign * size} {label}\n" for sign, label in (("<", labels[0]), (">", labels[2])))
        start, end = map(os.fsencode, lines)  # the name of a branch may be any bytes, not only UTF-8
        fileio.write_atomic(ours, start + first + b"=" * size + b"\n" + second + end)
    except (OSError, EncconfError, MemoryError):
        return False  # the caller reports the error of the merge, which is the cause
    return True


def _labels(options: Options, environ: Mapping[str, str]) -> Labels:
    """Return the labels of ours, base and theirs, each on one line.

    git before 2.44 does not replace the placeholders ``%S``, ``%X`` and ``%Y``.  `git merge` also sets
    variables ``GITHEAD_…``, which have the names of what it merges.
    """
    from encconf.merge import LABELS

    merged = [label for name, label in environ.items() if name.startswith("GITHEAD_")]
    defaults = ("HEAD", "base", merged[0]) if len(merged) == 1 else LABELS
    given = (options.ours_label, options.base_label, options.theirs_label)
    labels = (" ".join((label or "").split()) for label in given)
    first, second, third = (
        default if not label or label in ("%S", "%X", "%Y") else label[:80]
        for label, default in zip(labels, defaults, strict=True)
    )
    return first, second, third


def merged_by_value(
    front: Front, file: str, names: tuple[str, str, str], labels: Labels
) -> tuple[str, Outcome | None]:
    """Merge files.  Returns their format, and the outcome, which is None if neither side is encrypted.

    An encrypted text decides the format: ours, theirs or base.
    """
    from encconf import formats
    from encconf.git.merge import merge, of_merge

    base, ours, theirs = contents = [fileio.read_bytes(name) for name in names]
    found = (formats.find(data, file) for data in (ours, theirs, base))
    format = next(filter(None, found), None) or formats.of_path(file)
    binary = formats.get(format).single_value
    texts = [fileio.text_of(name, data, binary=binary) for name, data in zip(names, contents, strict=True)]
    return format, merge(
        *texts,
        format=format,
        credentials=front.credentials(),
        labels=labels,
        repository=of_merge(file, names),
        notify=lambda notice: front.warn(f"{file}: {notice}"),
    )


def report(front: Front, file: str, outcome: Outcome) -> None:
    """Print what the user still has to do.  Raises UndecidedError for a conflict."""
    if outcome.conflicts:
        paths = ", ".join(outcome.conflicts[:5]) + (", …" if len(outcome.conflicts) > 5 else "")
        what = "it" if paths == "." else paths
        name = quoted(file)
        reason = outcome.reason or f"both sides changed {what}"
        raise UndecidedError(reason, hint=f"encconf edit {name} && git add {name}")
    if not outcome.sealed:
        front.warn(
            f"{file} was merged without a key: it has no MAC yet, so it cannot be opened",
            hint=f"anyone with a key can finish the merge: encconf edit {quoted(file)}",
        )


def _merge_plain(names: tuple[str, str, str], labels: Labels, marker_size: int) -> bool:
    """Merge two plaintexts as git does.  Returns whether the merge has no conflict."""
    from encconf.git import run

    options = [word for label in labels for word in ("-L", label)]
    base, ours, theirs = names
    code, _ = run(
        ["merge-file", "--quiet", f"--marker-size={marker_size}", *options, "--", ours, base, theirs]
    )
    if code > 126:
        raise OutputError(f"git merge-file failed with exit code {code}")
    return code == 0


# --- in the editor --------------------------------------------------------------------------------


class ToolOptions(VerbOptions):
    """The files of the versions, and of the result."""

    base: str
    ours: str
    theirs: str
    merged: str


def run_tool(options: ToolOptions, front: Front) -> None:
    """Merge two versions into a file, and open an editor for the conflicts."""
    from encconf.io import trust

    base, merged = options.base, options.merged
    path = trust.fixed(os.path.dirname(merged), os.path.basename(merged))
    now = fileio.read_text(path, binary=True)
    names = base if os.path.lexists(base) else os.devnull, options.ours, options.theirs
    labels = "LOCAL", "BASE", "REMOTE"
    try:
        format, outcome = merged_by_value(front, merged, names, labels)
    except EncconfError as error:
        raise error.about(merged) from error.__cause__
    if outcome is None:
        raise UsageError("neither side is encrypted", hint="use any other merge tool").about(merged)
    if not outcome.conflicts:
        fileio.write_atomic(path, outcome.text, replacing=now)
        report(front, merged, outcome)
        return
    from encconf.engine.admission import Admission
    from encconf.git.conflict import open_conflict
    from encconf.git.merge import our_rule
    from encconf.verbs.edit import Resolution, Session

    conflict = open_conflict(outcome.text, format=format, credentials=front.credentials())
    draft = Resolution(conflict)
    draft.admission = Admission(lambda: our_rule(merged), file=merged)
    Session(front, merged, path, draft, now, unfinished=True).run()
    front.note(f"wrote {merged}")
