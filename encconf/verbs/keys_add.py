"""Add master keys to the first key group of files."""

from __future__ import annotations

from collections.abc import Sequence

from encconf.engine.plan import Plan
from encconf.errors import UsageError
from encconf.verbs import rekey, targets
from encconf.verbs.rekeying import Change, Changing, Rekeying
from encconf.verbs.rule import NO_KEYS, Keys, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Changing):
    """The files, and the master keys to add."""

    file: Sequence[str] = ()
    recursive: bool = False
    changed: bool = False
    keys: Keys = NO_KEYS


def run(options: Options, front: Front) -> None:
    """Add master keys to the first group of files.  The ciphertexts stay the same."""
    add = named_keys(options.keys)
    if not add:
        raise UsageError("no key was given", hint="name one: --age age1…")
    paths = targets.files(front, options.file, recursive=options.recursive, changed=options.changed)

    def plan(change: Change) -> Plan:
        return change.planned(lambda rule: rekey.with_keys(rule, add), named=add)

    Rekeying(front, "keys add", options, plan).run(paths)
