"""The gate: who may get the data key of a file.

Nothing authenticates the recipients, key groups and selection that a sops block lists: anyone who can write
to a file can change them without a key.  So an entry in a block admits no one.  A recipient is admitted if

- the command line names it, or the caller in Python,
- our own ``.sops.yaml`` names it for the file, in that key group, or
- there is no usable rule for the file, and it is your own key.

`wrap_again` wraps a data key, and only for `Admitted` recipients, which only this module makes.  It wraps for
as few as possible: those who can open the file already keep their entries, admitted or not.  The caller
passes the rules; of the disk, only your own keys are read.
"""

from __future__ import annotations

from encconf.envelope import quorum
from encconf.envelope.wrap import Admitted, wrap_for
from encconf.errors import EncconfError, StrangerError
from encconf.record import Record
from encconf.rules.config import Rule
from encconf.text.printable import counted, printable, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from encconf.engine.metadata import Metadata
    from encconf.envelope import WrappedKey
    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey

    Groups = Sequence[Sequence[MasterKey]]

CALLER = "the command line or the caller"
"""What admits a recipient that the call itself names."""
LINK = "look at that file, since a branch may have the link; to change the file by its own rule, name it"
"""The hint for a link to a file that some recipients may not read."""
YOURSELF = "yourself"
"""What admits your own key."""


def rule_of(metadata: Metadata) -> Rule:
    """Return the rule that a file was encrypted by, according to its own block.  It admits no one."""
    return Rule(metadata.keys, metadata.threshold or None, metadata.selection, "the file itself")


def in_full(key: MasterKey) -> str:
    """The type and full name of a key, so that a person can decide whether to trust it."""
    return f"{key.TYPE} {printable(key.name) or '(no name)'}"


# --- who is admitted -----------------------------------------------------------------------------


class Admission:
    """Who may get the data key of a ``file``.

    ``find`` returns the file's rule in our ``.sops.yaml``, or None, or raises.  It is called once, and only
    if someone needs the data key.  ``named`` are the recipients that the call names.  ``refusal`` gets the
    objections and the rule, and returns another error.  ``copied`` gets all who would get the
    data key or the values and are not named, and returns the error if the file may be a copy of one that they
    may not open.
    """

    def __init__(
        self,
        find: Callable[[], Rule | None] = lambda: None,
        *,
        file: str = "",
        named: Sequence[MasterKey] = (),
        refusal: Callable[[Objections, Rule | None], StrangerError] | None = None,
        copied: Callable[[Sequence[MasterKey]], StrangerError | None] = lambda gaining: None,
    ) -> None:
        self._find = find
        self._named = dict.fromkeys(key for key in named if not key.listed)
        self._file = file
        self._refusal = refusal
        self._copied = copied
        self._looked = False
        self._rule: Rule | None = None
        self._missing: EncconfError | None = None
        self._before: Groups | None = None

    @classmethod
    def of(cls, rule: Rule | None) -> Admission:
        """Return the admission of all recipients of a rule, which the caller made or has from ``.sops.yaml``.

        Keys from the block of a file are not admitted: such a rule names only the others.
        """
        keys = _flat(rule.groups) if rule is not None else []
        return cls(named=keys) if any(key.listed for key in keys) else cls(lambda: rule)

    def naming(self, keys: Sequence[MasterKey]) -> Admission:
        """Return this admission with more recipients that the call names."""
        more = Admission(self._find, file=self._file, named=[*self._named, *keys])
        more._refusal, more._before, more._copied = self._refusal, self._before, self._copied
        return more

    def regrouping(self, before: Groups) -> Admission:
        """Return this admission for a user who moves keys between the groups of a file.

        ``before`` are its groups, to which the rule may still apply, instead of to the new ones.
        """
        moved = self.naming(())
        moved._before = before
        return moved

    @property
    def rule(self) -> Rule | None:
        """The file's rule in our ``.sops.yaml``, or None if no usable one exists."""
        if not self._looked:
            try:
                self._rule = self._find()
            except EncconfError as error:
                self._missing = error
            self._looked = True
        return self._rule

    def admit(self, wanted: Rule, credentials: Credentials) -> list[list[Admitted]]:
        """Admit all recipients of a rule.  Raises StrangerError, which names each stranger in full."""
        return self._admit(Wrapping.of(None, wanted), credentials)

    def check(
        self,
        held: Metadata,
        wanted: Rule | None,
        credentials: Credentials,
        *,
        new_data_key: bool = False,
    ) -> None:
        """Raise StrangerError if `wrap_again` would, for an existing file."""
        if new_data_key:
            self.admit(wanted or rule_of(held), credentials)
        else:
            self._admit(Wrapping.of(held, wanted), credentials)

    def _admit(self, wrapping: Wrapping, credentials: Credentials) -> list[list[Admitted]]:
        """Admit the keys to wrap for, to a file that will list what is wanted."""
        groups, wanted, is_part = wrapping.groups, wrapping.wanted, wrapping.is_part
        # The keys of the call and of the rule are used, not the equal ones of the file.
        keys = {key: (key, CALLER) for key in self._named}
        needs_rule = wrapping.changes or any(key not in keys for key in _flat(groups))
        rule = self.rule if needs_rule else None
        if rule is not None:  # without those of a block
            rule = rule.replace(groups=[[key for key in group if not key.listed] for group in rule.groups])
            for key in _flat(rule.groups):
                keys.setdefault(key, (key, rule.name or CALLER))
            if is_part:  # the groups of the rule do not matter for a part of one group
                rule = rule.replace(groups=[_flat(rule.groups)])
        else:
            unnamed = dict.fromkeys(key for key in _flat(groups) if key not in keys)
            keys |= {key: (key, YOURSELF) for key in unnamed if key.is_own(credentials)}
        free = keys.keys() if rule is None else self._named.keys()  # for any group
        trusted = [rule] if rule is not None else []

        def objections_to(groups: Groups, before: Groups | None = None) -> Objections:
            others = [[key for key in group if key not in free] for group in groups]
            return Objections(others, wanted, trusted, before=before)

        objections = objections_to(groups)
        if objections and self._before is not None and keys.keys() >= {*_flat(groups)}:
            objections = objections_to(self._before, before=self._before)
        if objections:
            error = (self._refusal or self._ordinary_refusal)(objections, rule)
            raise (error.about(self._file) if self._file else error) from self._missing
        gaining = [key for key in _flat(groups) if key not in self._named]
        if gaining and not is_part and rule is not None:
            gaining += _flat(rule.groups)  # with a new data key, nothing would show that it is a copy
        if gaining and (copy := self._copied(gaining)) is not None:
            raise copy.about(self._file) if self._file else copy
        return [[_admitted(*keys[key]) for key in group] for group in groups]

    def _ordinary_refusal(self, found: Objections, rule: Rule | None) -> StrangerError:
        """Return the error for a file.  A hint has no key that is ready to paste."""
        if not found.strangers:
            return found.error(
                "the file would not be as its rule in .sops.yaml says",
                "give it the key groups and the threshold of the rule, or change the rule first",
            )
        if rule is not None:
            return found.error(
                "the file has recipients that .sops.yaml does not name, and they would get the data key",
                f"encconf updatekeys {quoted(self._file or 'FILE')} updates the file to match .sops.yaml; "
                "add recipients who may read it there",
            )
        return found.error(
            "only the file names its recipients, and anyone could have added one; they would get the data "
            "key",
            "find out who they are, and write a .sops.yaml that names the recipients who may read the file",
        )


def _admitted(key: MasterKey, by: str) -> Admitted:
    """Make an `Admitted`.  No other function does; its constructor refuses."""
    made = object.__new__(Admitted)
    object.__setattr__(made, "key", key)
    object.__setattr__(made, "by", by)
    return made


def objection(rule: Rule, wanted: Rule, *, before: Groups | None = None) -> str:
    """What the settings of a rule object to in a file that will list the ``wanted`` groups, or "".

    This is the one place for settings of .sops.yaml about who can open a file.  It is asked whenever the
    recipients of a file change, also if a merge only lists them, and whenever a data key is wrapped for some
    that the caller does not name.  ``before`` are the groups of a file whose user moves keys between groups:
    it is enough that these fit the rule.
    """
    groups, threshold = (wanted.groups, wanted.threshold) if before is None else (before, None)
    if len(rule.groups) not in (1, len(groups)):
        return f"{counted(len(groups), 'key group')} instead of {len(rule.groups)}"
    needed, least = quorum(threshold, groups), quorum(rule.threshold, rule.groups)
    if needed < least:
        return f"{counted(needed, 'key group')} can open it, and the rule needs {least}"
    return ""


class Objections:
    """What a file would allow that no trusted rule allows.

    ``groups`` are the keys to look for in the rules, and ``wanted`` is all that the file will list.
    ``strangers`` are the keys that no trusted rule names in that key group.  ``others`` are phrases about the
    file as a whole (see `objection`, also for ``before``).
    """

    def __init__(
        self, groups: Groups, wanted: Rule, trusted: Sequence[Rule], *, before: Groups | None = None
    ) -> None:
        count = len(groups)
        fitting = [rule for rule in trusted if len(rule.groups) in (1, count)]
        self.strangers: list[MasterKey] = []
        for at, group in enumerate(groups):
            named = {  # a rule with other groups, or one, names keys for each of them
                key
                for rule in fitting or trusted
                for key in (rule.groups[at] if len(rule.groups) == count else _flat(rule.groups))
            }
            self.strangers += [key for key in group if key not in named and key not in self.strangers]
        found = [objection(rule, wanted, before=before) for rule in trusted]
        self.others = found[-1:] if all(found) else []

    def __bool__(self) -> bool:
        return bool(self.strangers or self.others)

    def __str__(self) -> str:
        return ", ".join([*map(in_full, self.strangers), *self.others])

    def error(self, message: str, hint: str) -> StrangerError:
        """The error to stop with: the message, followed by the list of these objections."""
        return StrangerError(f"{message}: {self}", self.strangers, hint=hint)


def _flat(groups: Groups) -> list[MasterKey]:
    return [key for group in groups for key in group]


# --- wrapping ------------------------------------------------------------------------------------


def wrap_again(
    data_key: bytes,
    held: Metadata | None,
    wanted: Rule | None,
    admission: Admission,
    credentials: Credentials,
    now: str,
) -> tuple[list[list[WrappedKey]], int]:
    """Return the data key, wrapped for the groups of a rule, and the threshold to write.

    ``held`` is the file's metadata, or None for a new data key.  Without a rule, the file keeps its groups.
    If nothing changes, the groups of ``held`` themselves are returned.  If there is one group before and
    after, the data key is wrapped only for added keys.  Otherwise it is wrapped for all, since the shares are
    new.  A key that an old sops spoiled is then wrapped again, too (see `WrappedKey`).

    ``now`` is as for `wrap_for`.  Raises what it raises, and StrangerError for those whom the ``admission``
    does not admit, and for a file that its rule does not allow.
    """
    wrapping = Wrapping.of(held, wanted)
    admitted = admission._admit(wrapping, credentials)
    wanted = wrapping.wanted
    made: list[list[WrappedKey]] = [[]]
    if any(admitted) or not wrapping.is_part:
        made = wrap_for(data_key, admitted, wanted.threshold, credentials, now)
    if held is None or not wrapping.is_part:
        return made, quorum(wanted.threshold, wanted.groups) if len(wanted.groups) > 1 else 0
    if not any(admitted) and held.keys == wanted.groups:
        return held.groups, held.threshold
    known = {wrapped.key: wrapped for wrapped in (*held.groups[0], *made[0])}
    return [[known[key] for key in wanted.groups[0]]], 0


class Wrapping(Record):
    """The recipients to wrap a data key for, so that a file lists the ``wanted`` groups.

    ``groups`` are their keys.  If ``is_part``, these are only a part of the file's one group, or none.
    ``changes`` says that the file lists other recipients than before, or is a new one.
    """

    wanted: Rule
    groups: Groups
    is_part: bool
    changes: bool

    @classmethod
    def of(cls, held: Metadata | None, wanted: Rule | None) -> Wrapping:
        """Compare the metadata that a file has (None for a new data key) with a rule (None to keep it)."""
        if held is None:
            assert wanted is not None, "a new data key needs a rule"
            return cls(wanted, wanted.groups, is_part=False, changes=True)
        own = rule_of(held)
        keeps, wanted = wanted is None, wanted or own
        if len(own.groups) == len(wanted.groups) == 1:
            changes = not same_recipients(own, wanted)
            # Anyone can write an entry that claims to be spoiled: while only values change, none is wrapped.
            kept = {wrapped.key for wrapped in held.groups[0] if not (wrapped.spoiled and changes)}
            added = [key for key in wanted.groups[0] if key not in kept]
            return cls(wanted, [added], is_part=True, changes=changes)
        same = own.groups == wanted.groups and quorum(wanted.threshold, wanted.groups) == held.threshold
        if same or keeps:
            return cls(wanted, [[]], is_part=True, changes=False)
        return cls(wanted, wanted.groups, is_part=False, changes=True)


def same_recipients(one: Rule, other: Rule) -> bool:
    """Whether two rules have the same keys in the same groups, of which the same number is needed."""
    return [set(group) for group in one.groups] == [set(group) for group in other.groups] and (
        quorum(one.threshold, one.groups) == quorum(other.threshold, other.groups)
    )
