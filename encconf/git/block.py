"""Merge three versions of a ``sops`` block: who can open the file, and what is encrypted.

A recipient or a selection that only their side names is refused, unless our ``.sops.yaml`` names it, too.
Who gets the data key if the merge wraps it, `encconf.engine.admission` decides.
"""

from __future__ import annotations

from encconf.engine.admission import Objections, rule_of
from encconf.engine.metadata import CONFLICT, PARENTS, Metadata
from encconf.errors import StrangerError, UndecidedError
from encconf.git.outcome import ADMIT, TAKE_ONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from encconf.engine.admission import Admission
    from encconf.envelope import WrappedKey
    from encconf.keys import MasterKey
    from encconf.rules.config import Rule

    T = TypeVar("T")


def refusal(rule: Rule | None) -> tuple[str, str]:
    """Return the messages about strangers in a merge."""
    where = "our .sops.yaml does not name" if rule is not None else "no .sops.yaml of ours names"
    return f"the merged file would have recipients that {where}", ADMIT


def admit(block: Metadata, admission: Admission, ours: Metadata | None, *, trusts_ours: bool = True) -> None:
    """Raise StrangerError unless our rule or our version of the file allows everything that a block allows.

    This decides what the merged file may list and encrypt.  Who gets the data key from us, if it is wrapped,
    only the ``admission`` decides: an entry of our version admits no one.
    """
    wanted = rule_of(block)
    own = [rule_of(ours)] if ours is not None and trusts_ours else []
    reselects = ours is not None and wanted.selection != ours.selection
    if own and not reselects and not Objections(wanted, own):
        return  # no recipient is added, and every value stays encrypted: no rule is needed
    named = admission.rule
    found = Objections(wanted, [*own, named] if named is not None else own)
    if found:
        raise found.error(*refusal(named))
    if reselects and (named is None or wanted.selection != named.selection):
        raise StrangerError(
            "their side changes which values are encrypted, but our .sops.yaml does not", hint=ADMIT
        )


def merged_block(base: Metadata | None, ours: Metadata | None, theirs: Metadata | None) -> Metadata:
    """Merge all but the MAC: keys, selection and unknown members.  A plaintext side (None) does not count."""
    here, there = ours or theirs, theirs or ours
    assert here is not None
    assert there is not None
    was = base or (here if ours is None or theirs is None else None)
    selection = _merged_value(
        was.selection if was else None, here.selection, there.selection, "which values are encrypted"
    )
    threshold = _merged_value(
        was.threshold if was else None, here.threshold, there.threshold, "how many key groups are needed"
    )
    groups = _merged_groups(was.groups if was else None, here.groups, there.groups)
    unknown: dict[str, object] = {}
    for name in {**here.unknown, **there.unknown}:
        old, mine, yours = (each.unknown.get(name) if each else None for each in (was, here, there))
        value = yours if mine == old else mine
        if value is not None and name not in (CONFLICT, PARENTS):
            unknown[name] = value
    return here.renewed(groups=groups, threshold=threshold, selection=selection, unknown=unknown)


def _merged_value(was: T | None, here: T, there: T, what: str) -> T:
    if here == there or there == was:
        return here
    if here == was:
        return there
    raise UndecidedError(f"both sides changed {what}", hint=TAKE_ONE)


def _merged_groups(
    base: list[list[WrappedKey]] | None, ours: list[list[WrappedKey]], theirs: list[list[WrappedKey]]
) -> list[list[WrappedKey]]:
    """Merge who can open the file: return the recipients of both sides, and those that either side added."""
    if len(ours) != len(theirs) or (base is not None and len(base) != len(ours)):
        mine, yours = holders(ours), holders(theirs)
        chosen = _merged_value(holders(base) if base is not None else None, mine, yours, "the key groups")
        return ours if chosen == mine else theirs
    groups: list[list[WrappedKey]] = []
    for at, (here, there) in enumerate(zip(ours, theirs, strict=True)):
        was = {wrapped.key for wrapped in base[at]} if base is not None else set()
        ours_has, theirs_has = ({wrapped.key for wrapped in side} for side in (here, there))
        group = [wrapped for wrapped in here if wrapped.key in theirs_has or wrapped.key not in was]
        group += [wrapped for wrapped in there if wrapped.key not in ours_has and wrapped.key not in was]
        if not group:
            raise UndecidedError(
                "each side removed the recipients of the other: nobody could open the file",
                hint="take one side with git checkout --ours or --theirs, then run: encconf updatekeys FILE",
            )
        groups.append(group)
    return groups


def holders(groups: list[list[WrappedKey]]) -> list[set[MasterKey]]:
    """Return the master keys of each group."""
    return [{wrapped.key for wrapped in group} for group in groups]


def same_holders(one: Metadata, other: Metadata) -> bool:
    """Whether two blocks have the same master keys in the same groups."""
    return holders(one.groups) == holders(other.groups)
