"""Add a key group to a file, or remove one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from encconf.engine.recipients import Plan
from encconf.errors import ConflictError, MissingFileError, UsageError
from encconf.io import fileio
from encconf.keys import MasterKey
from encconf.rules.config import Rule
from encconf.verbs import rekey
from encconf.verbs.recipients import Change, Changing, Rekeying
from encconf.verbs.rule import NO_KEYS, Keys, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Changing):
    """The file, and how many of its groups are needed after the change."""

    file: str | None = None
    threshold: str | None = None
    in_place: bool = False


class Adding(Options):
    """The keys of the new group."""

    keys: Keys = NO_KEYS


class Deleting(Options):
    """The number of the group to remove, from 0."""

    index: str


def add(options: Adding, front: Front) -> None:
    """Add a key group to a file."""
    needed = _threshold(options)
    group = named_keys(options.keys)
    _regroup(
        options, front, "groups add", lambda rule: rekey.with_group(rule, group, needed), needed, named=group
    )


def delete(options: Deleting, front: Front) -> None:
    """Remove a key group from a file, which gives the file a new data key."""
    needed = _threshold(options)
    which = _number(options.index, "INDEX must be a number: 0 is the first group")
    _regroup(options, front, "groups delete", lambda rule: rekey.without_group(rule, which, needed), needed)


def _regroup(
    options: Options,
    front: Front,
    command: str,
    regroup: Callable[[Rule], Rule],
    needed: int | None,
    *,
    named: Sequence[MasterKey] = (),
) -> None:
    """Change the key groups of a file.  ``named`` are the keys that the user named."""

    def regrouped(rule: Rule) -> Rule:
        changed = regroup(rule)
        count = len(changed.groups)
        if needed and count > 1 and not 2 <= needed <= count:
            raise UsageError(
                f"--threshold {needed} does not fit {count} key groups",
                hint="it is how many of them are needed to open the file: from 2 to all of them",
            )
        return changed

    def plan(change: Change) -> Plan:
        return change.planned(regrouped, named=named, regroups=True)

    file = options.file
    if file is None:
        raise MissingFileError("no file was given", hint="name one: --file FILE")
    if options.in_place and file in fileio.STDIN:
        raise ConflictError("--in-place needs a file, not stdin").about(file)
    output = None if options.in_place else "-"
    Rekeying(front, command, options, plan, output=output).run([file])


def _threshold(options: Options) -> int | None:
    if options.threshold is None:
        return None
    return _number(options.threshold, "--threshold must be a number of key groups")


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 3:
        raise UsageError(what)
    return int(text)
