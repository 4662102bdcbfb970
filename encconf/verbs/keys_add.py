"""Add a person to the rules of a project (`encconf.verbs.people`), or master keys to single files."""

from __future__ import annotations

from collections.abc import Sequence

from encconf.engine.recipients import Plan
from encconf.errors import UsageError
from encconf.verbs import people, rekey, targets
from encconf.verbs.recipients import Change, Changing, Rekeying
from encconf.verbs.rule import NO_KEYS, Keys, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Changing):
    """The files, and the master keys to add.

    With a ``name``, ``file`` are a person's keys, for the rules of ``for_files`` or for all rules.
    """

    file: Sequence[str] = ()
    name: str | None = None
    for_files: Sequence[str] = ()
    group: str | None = None
    yes: bool = False
    recursive: bool = False
    changed: bool = False
    keys: Keys = NO_KEYS


def run(options: Options, front: Front) -> None:
    """Add master keys to the first group of files.  The ciphertexts stay the same."""
    add = named_keys(options.keys)
    if options.name is not None:
        people.add(
            people.Adding(
                name=options.name,
                keys=[*options.file, *(key.name for key in add)],
                for_files=options.for_files,
                group=options.group,
                yes=options.yes,
                dry_run=options.dry_run,
                fail_fast=options.fail_fast,
                json=options.json,
                config=options.config,
            ),
            front,
        )
        return
    if options.for_files or options.group is not None:
        raise UsageError("--for and --group need --name", hint="encconf keys add --name bob age1…")
    if not add:
        raise UsageError(
            "no key was given",
            hint="encconf keys add --name bob age1…; or for a single file: --age age1… FILE",
        )
    paths = targets.files(front, options.file, recursive=options.recursive, changed=options.changed)

    def plan(change: Change) -> Plan:
        return change.planned(lambda rule: rekey.with_keys(rule, add), named=add)

    Rekeying(front, "keys add", options, plan).run(paths)
