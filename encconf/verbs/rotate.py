"""Give files new data keys, and add or remove master keys."""

from __future__ import annotations

import os
from collections.abc import Sequence

from encconf.engine.recipients import Plan
from encconf.errors import UsageError
from encconf.verbs import batch, rekey
from encconf.verbs.recipients import Change, Changing, Rekeying
from encconf.verbs.rule import NO_KEYS, Keys, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Changing):
    """The files, and the master keys to add and to remove."""

    file: Sequence[str] = ()
    recursive: bool = False
    changed: bool = False
    add: Keys = NO_KEYS
    remove: Keys = NO_KEYS
    resume_at: str | None = None
    checklist: str | None = None
    output: str | None = None
    ignore_mac: bool = False


def run(options: Options, front: Front) -> None:
    """Give files new data keys, and add or remove master keys if any are named."""
    add, remove = named_keys(options.add), named_keys(options.remove)
    paths = batch.files(front, options.file, recursive=options.recursive, changed=options.changed)
    if options.output is not None and len(paths) > 1:
        raise UsageError("--output takes the result of one file")

    def plan(change: Change) -> Plan:
        def warn(notice: str) -> None:
            change.warn(f"{change.file}: {notice}")

        return change.planned(
            lambda rule: rekey.with_keys(rule, add, remove, notify=warn), named=add, new_data_key=True
        )

    work = Rekeying(
        front,
        "rotate",
        options,
        plan,
        output=options.output,
        checklist=options.checklist,
        ignore_mac=options.ignore_mac,
    )
    work.run(paths if options.resume_at is None else _from(paths, options.resume_at))


def _from(paths: list[str], first: str) -> list[str]:
    """Return the paths from ``first`` on.  Raises UsageError if it is not one of them."""
    real = os.path.realpath(first)
    for at, path in enumerate(paths):
        if os.path.realpath(path) == real:
            return paths[at:]
    raise UsageError(
        f"{first} is not one of the files that you gave",
        hint="give the same files as before, and --resume-at",
    )
