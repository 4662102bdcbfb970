"""A plan to change the master keys of a file, and what the plan changes.  Nothing here needs a key.

`encconf.verbs.rekey` makes plans and carries them out.  `encconf check` reports what a plan would change.
"""

from __future__ import annotations

from collections import Counter

from encconf.engine.cipher import split
from encconf.envelope import only_in, quorum, removes_access
from encconf.record import Record
from encconf.text.document import ENC_PREFIX
from encconf.text.path import called_a_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.admission import Admission
    from encconf.engine.metadata import Metadata
    from encconf.engine.opening import Opened
    from encconf.keys import MasterKey
    from encconf.rules.config import Rule
    from encconf.rules.selection import Chosen, Selection
    from encconf.text.document import Document, Leaf
    from encconf.text.path import Path


class Plan(Record):
    """The master keys of a file, and those that ``rule`` gives it.  See `encconf.verbs.rekey.plan`.

    The file also gets the selection of ``rule``.  With ``new_data_key`` it gets a new data key even if no
    recipient is removed.  ``leavers`` are keys that were removed before, and still know the data key.  If a
    data key is wrapped, the ``admission`` decides who gets it; by default the rule's recipients.  With
    ``allow_plaintext``, encrypted values may become plaintext.
    """

    document: Document
    metadata: Metadata
    rule: Rule
    new_data_key: bool = False
    leavers: tuple[MasterKey, ...] = ()
    locks_out: bool = False
    admission: Admission | None = None
    allow_plaintext: bool = False

    @property
    def old(self) -> list[list[MasterKey]]:
        """The key groups that the file has now."""
        return self.metadata.keys

    @property
    def new(self) -> list[list[MasterKey]]:
        """The key groups that the plan gives it."""
        return self.rule.groups

    @property
    def thresholds(self) -> tuple[int, int]:
        """How many groups are needed now, and how many will be.  0 if there is only one group."""
        held = self.metadata.threshold if len(self.metadata.groups) > 1 else 0  # one group needs none
        return held, quorum(self.rule.threshold, self.new) if len(self.new) > 1 else 0

    @property
    def removes(self) -> bool:
        """Whether the plan removes a recipient, moves one to another group, or needs more groups."""
        metadata, rule = self.metadata, self.rule
        return removes_access(metadata.groups, metadata.threshold, rule.groups, rule.threshold)

    @property
    def removed(self) -> list[MasterKey]:
        """The recipients that the plan removes."""
        return only_in(self.old, self.new)

    @property
    def gone(self) -> list[MasterKey]:
        """The recipients that the plan removes, and those that were removed before."""
        return [*self.removed, *self.leavers]

    @property
    def added(self) -> list[MasterKey]:
        """The recipients that the plan adds."""
        return only_in(self.new, self.old)

    @property
    def regroups(self) -> bool:
        """Whether groups are added or removed, or hold other keys.  The order of keys does not count."""
        return [set(group) for group in self.old] != [set(group) for group in self.new]

    @property
    def changes(self) -> bool:
        """Whether the plan changes anything."""
        before, after = self.thresholds
        return self.new_data_key or bool(self.leavers) or self.regroups or before != after or self.reselects

    @property
    def reselects(self) -> bool:
        """Whether the selection changes.  A binary file is one value, which is always encrypted."""
        one = self.document.format.single_value
        return not one and self.metadata.selection != self.rule.selection

    @property
    def reselection(self) -> Reselection:
        """What the new selection changes.  Raises PatternError."""
        return Reselection(self.document, self.metadata.selection, self.rule.selection)

    def renews(self, *, rotate: bool = True) -> bool:
        """Whether the file gets a new data key.  ``rotate`` is as for `encconf.verbs.rekey.carry_out`."""
        return self.new_data_key or (rotate and (self.removes or bool(self.leavers)))

    def seen(self) -> Seen | None:
        """What recipients could read who are or were removed.  None if there are none."""
        removed = {*self.gone}
        if not removed:
            return None
        theirs = sum(not removed.isdisjoint(group) for group in self.old)
        if self.leavers and len(self.old) == 1:
            theirs = 1
        return Seen(encrypted_values(self.document), theirs >= quorum(self.metadata.threshold, self.old))


def encrypted_values(document: Document) -> dict[Path, str]:
    """Return the paths of a document's encrypted values, with their types."""
    sealed = [(leaf.path, split(leaf.data)) for leaf in document.leaves if leaf.data]
    return {path: parts[2] for path, parts in sealed if parts is not None and parts[2] != "comment"}


class Reselection:
    """What a new selection changes in an encrypted document.

    ``sealed`` are the plaintext values that it encrypts, and ``exposed`` the encrypted values that it turns
    into plaintext.  ``comments`` counts the encrypted comments that it exposes.  ``stronger`` says that the
    MAC did not cover plaintext values before and will now.  An encrypted comment matches no pattern here: see
    `exposed_by`.
    """

    def __init__(self, document: Document, old: Selection, new: Selection) -> None:
        before, after = _chosen(document, old), _chosen(document, new)
        self.sealed: list[Leaf] = []
        self.exposed: list[Leaf] = []
        for leaf, was, will in zip(document.leaves, before.leaves, after.leaves, strict=True):
            if not leaf.data or was == will:
                continue
            is_sealed = split(leaf.data) is not None
            if was and is_sealed:
                self.exposed.append(leaf)
            elif will and not is_sealed:
                self.sealed.append(leaf)
        pairs = zip(document.comments, before.comments, after.comments, strict=False)
        self.comments = sum(
            was and not will and comment.text.startswith(ENC_PREFIX) for comment, was, will in pairs
        )
        self.stronger = old.mac_only_encrypted and not new.mac_only_encrypted


def exposed_by(selection: Selection, opened: Opened, plain: Document) -> tuple[list[Leaf], int]:
    """Return the encrypted values that a selection turns into plaintext, and how many encrypted comments.

    ``plain`` is the plaintext of the opened file, whose comments decide if the selection is by comments.
    """
    chosen = selection.choose(plain)
    hidden: Counter[str] = Counter()
    held: list[Leaf] = []
    for leaf, value in zip(opened.document.leaves, opened.values, strict=True):
        if value.type == "comment":  # in a list of sops
            hidden[(value.data or b"").decode()] += 1
        else:
            held.append(leaf)
    exposed = [
        leaf
        for was, leaf, will in zip(held, plain.leaves, chosen.leaves, strict=True)
        if not will and was.data and split(was.data) is not None
    ]
    for was, found in zip(opened.document.comments, opened.comments, strict=True):
        hidden[found.text] += was.text.startswith(ENC_PREFIX)
    for comment, will in zip(plain.comments, chosen.comments, strict=True):
        hidden[comment.text] -= will
    return exposed, sum(count for count in hidden.values() if count > 0)


def _chosen(document: Document, selection: Selection) -> Chosen:
    if selection.needs_comments and not document.comments:
        document = document.format.scan(document.text, comments=True)
    return selection.choose(document)


class Seen:
    """The ``paths`` of the values that removed recipients could read.

    ``ranks`` has a number for each path: 0 if its name calls it a secret, 2 for a number or a bool, else 1.
    ``alone`` is False if they needed keys of other groups as well.
    """

    def __init__(self, types: dict[Path, str], alone: bool) -> None:
        self.paths = list(types)
        self.ranks = [
            0 if called_a_secret(path) else 1 if type in ("str", "bytes") else 2
            for path, type in types.items()
        ]
        self.alone = alone
