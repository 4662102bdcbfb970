"""Who may join a file: the recipients that our own ``.sops.yaml`` or the command line names.

Nothing authenticates the recipients, key groups and selection that a sops block lists: anyone who can
write to a branch can change them without a key.  So the caller asks here before it wraps a data key for
recipients that only a file or another branch names.  Nothing here reads files; the caller passes the rules.
"""

from __future__ import annotations

from encconf.envelope.groups import are_spoiled, quorum
from encconf.errors import StrangerError
from encconf.rules.config import Rule
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.metadata import Metadata
    from encconf.keys import MasterKey


def rule_of(metadata: Metadata) -> Rule:
    """The rule that a file was encrypted by, according to its own block."""
    groups = [[wrapped.key for wrapped in group] for group in metadata.groups]
    return Rule(groups, metadata.threshold or None, metadata.selection, "the file itself")


def rule_to_wrap(metadata: Metadata, *, new_data_key: bool) -> Rule | None:
    """The rule to encrypt a file's new values by.  The caller has checked who may join.

    None if the data key stays wrapped as it is.
    """
    return rule_of(metadata) if new_data_key or are_spoiled(metadata.groups) else None


class Objections:
    """What a file would allow that no trusted rule allows.

    ``strangers`` are the recipients that no trusted rule names in that key group.  ``others`` are phrases
    about the key groups themselves.
    """

    def __init__(self, wanted: Rule, trusted: Sequence[Rule]) -> None:
        count = len(wanted.groups)
        fitting = [rule for rule in trusted if len(rule.groups) in (1, count)]
        self.strangers: list[MasterKey] = []
        for at, group in enumerate(wanted.groups):
            named = {key for rule in fitting or trusted for key in _named(rule, at, count)}
            self.strangers += [key for key in group if key not in named and key not in self.strangers]
        self.others: list[str] = []
        needed = quorum(wanted.threshold, wanted.groups)
        least = min((quorum(rule.threshold, rule.groups) for rule in fitting), default=0)
        if trusted and not fitting:
            self.others.append(f"{count} key groups instead of {len(trusted[0].groups)}")
        elif needed < least:
            self.others.append(f"{needed} key groups are enough to open it instead of {least}")

    def __bool__(self) -> bool:
        return bool(self.strangers or self.others)

    def __str__(self) -> str:
        return ", ".join([*map(in_full, self.strangers), *self.others])

    def error(self, message: str, hint: str) -> StrangerError:
        """The error to stop with: the message, followed by the list of these objections."""
        return StrangerError(f"{message}: {self}", self.strangers, hint=hint)


def _named(rule: Rule, at: int, count: int) -> Sequence[MasterKey]:
    """The keys that a rule allows in group ``at`` of ``count`` groups."""
    if len(rule.groups) == count:
        return rule.groups[at]
    return [key for group in rule.groups for key in group]


def in_full(key: MasterKey) -> str:
    """The type and full name of a key, so that a person can decide whether to trust it."""
    return f"{key.TYPE} {printable(key.name) or '(no name)'}"
