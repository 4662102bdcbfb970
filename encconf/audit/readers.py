"""The data of `encconf.audit.access`: who can read which files, and since when.

Keys are compared, never their names: a person is whoever holds one key.  If a key was replaced, because it
was stolen for example, its name is that of another key today, but whoever holds it still reads what it opens.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product

from encconf.audit import names as naming
from encconf.engine.metadata import Metadata
from encconf.envelope.groups import quorum
from encconf.errors import EncconfError, UsageError
from encconf.text.printable import listed, printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.history import FileHistory, Span
    from encconf.git.log import Moment
    from encconf.keys import MasterKey

MAX_SETS = 1000
"""How many sets of people `FileAccess.quorums` considers for one file before it gives up."""

STATES = {
    "reads": "can read it",
    "part": "can read it only together with others",
    "former": "could read it in the past",
    "exposed": "was removed, but still knows its data key",
}
"""The values of `Reader.state`, in words."""


@dataclass(slots=True, eq=False)
class Person:
    """Whoever holds one key, and so can read files, or could in the past.

    ``name`` is the key's name, or else ``former`` is its former name; both are "" for a key without one.
    ``label`` is different for each person of a report: the name, a former name with the key, or the key.
    ``dropped`` says that the configuration contained the key once, and does not contain it any more.
    """

    key: MasterKey
    name: str = ""
    former: str = ""
    label: str = ""
    dropped: bool = False

    @property
    def named(self) -> bool:
        """Whether the label contains a name."""
        return bool(self.name or self.former)

    @property
    def short(self) -> str:
        """The label, with a long key shortened."""
        return self.label if self.named else naming.short(self.key)

    @property
    def service(self) -> bool:
        """Whether the key belongs to a service, whose own policies say who may use it."""
        return naming.is_service(self.key)

    @property
    def kind(self) -> str:
        """The kind of the key."""
        return naming.kind(self.key)


def label_all(people: Sequence[Person]) -> None:
    """Set the labels.  A name that several keys have is followed by the key."""
    count = Counter(person.name for person in people)
    for person in people:
        if person.former:
            person.label = f"{person.former} (former, {naming.short(person.key)})"
        elif count[person.name] == 1:
            person.label = person.name or person.key.label
        else:
            person.label = f"{person.name} ({naming.short(person.key)})" if person.name else person.key.label
    same = Counter(person.label for person in people)
    for person in people:
        if same[person.label] > 1:  # a label is shortened, so two keys may have the same
            whole = printable(person.key.name)
            person.label = f"{person.name or person.former} ({whole})" if person.named else whole


@dataclass(slots=True, eq=False)
class Reader:
    """What one person can do with one file.

    ``groups`` are the numbers (from 0) of the key groups that contain their key; there are none for a
    person who was removed.  ``alone`` says that these groups are enough to open the file.  ``times`` are
    sorted, the oldest first, and empty without the history.  ``dated`` is the date in the file's own entry
    (RFC 3339), if the key's type has one.  ``keys`` are the spellings of the key in the file.
    """

    person: Person
    groups: list[int] = field(default_factory=list)
    keys: list[MasterKey] = field(default_factory=list)
    alone: bool = False
    dated: str | None = None
    times: list[Span] = field(default_factory=list)

    @property
    def former(self) -> bool:
        """Whether they were removed."""
        return not self.groups

    @property
    def exposed(self) -> bool:
        """Whether they were removed, but still know the file's data key."""
        return self.former and any(time.known for time in self.times)

    @property
    def last(self) -> Span | None:
        """The time that ended last."""
        return max(self.times, key=lambda time: time.end.time if time.end else 0, default=None)

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.groups:
            return "reads" if self.alone else "part"
        return "exposed" if self.exposed else "former"

    @property
    def since(self) -> Moment | None:
        """The commit since which they can read it, or None if it is not known or not committed."""
        return next((time.start for time in self.times if not time.end and time.start.commit), None)


@dataclass(slots=True, eq=False)
class FileAccess:
    """One file: its key groups, how many of them are needed, and its readers, former readers last.

    ``bare`` says that none of its values is encrypted, so everyone can read it.
    """

    path: str
    format: str
    metadata: Metadata
    groups: list[list[Person]] = field(default_factory=list)
    history: FileHistory | None = None
    bare: bool = False
    _by_person: dict[Person, Reader] = field(default_factory=dict)

    @property
    def quorum(self) -> int:
        """How many key groups are needed."""
        return quorum(self.metadata.threshold, self.metadata.groups)

    @property
    def readers(self) -> list[Reader]:
        """Everyone who can open it, alone or with others, or could in the past."""
        return list(self._by_person.values())

    def of(self, person: Person) -> Reader | None:
        """Return the reader for a person, or None if they can never have read the file."""
        return self._by_person.get(person)

    def reader(self, person: Person) -> Reader:
        """Return the reader for a person, which is added if it is new."""
        return self._by_person.setdefault(person, Reader(person))

    def opens_for(self, people: Iterable[Person]) -> bool:
        """Whether these people can open it together."""
        held = {group for person in people if (reader := self.of(person)) for group in reader.groups}
        return bool(self.groups) and len(held) >= self.quorum

    def quorums(self, limit: int = MAX_SETS) -> tuple[list[list[Person]], bool]:
        """Return the smallest sets of people who can open it together, and whether these are all."""
        choices = (
            frozenset(chosen)
            for groups in combinations([group for group in self.groups if group], self.quorum)
            for chosen in product(*groups)
        )
        seen = list(dict.fromkeys(islice(choices, limit)))
        complete = next(choices, None) is None
        seen.sort(key=len)
        least: list[frozenset[Person]] = []
        for chosen in seen:
            if not any(smaller <= chosen for smaller in least):
                least.append(chosen)
        order = {reader.person: at for at, reader in enumerate(self.readers)}
        return [sorted(chosen, key=lambda person: order[person]) for chosen in least], complete


@dataclass(slots=True, eq=False)
class Report:
    """All files and people.

    ``now`` is the time of the report, in seconds since 1970.  ``dated`` says that git was asked since when.
    ``shallow`` says that the clone lacks a part of the history.  ``origins`` says which SSH key an age
    recipient was made from.  ``problems`` are the errors of the files that could not be read.
    """

    now: int
    dated: bool
    origins: dict[str, str]
    shallow: bool = False
    files: list[FileAccess] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    problems: list[EncconfError] = field(default_factory=list)

    def called(self, word: str) -> list[Person]:
        """Return the people for a word: a label, a key, a name or a former name, or a part of one.

        A name may be that of several keys.  Raises UsageError if nobody has this name, or people with
        different names could be meant.
        """
        word = word.strip()
        folded = word.casefold()
        for test in (
            lambda person: word in (person.label, person.key.name, person.key.label),
            lambda person: word == person.name,
            lambda person: word == person.former,
            lambda person: folded == person.name.casefold(),
            lambda person: folded == person.former.casefold(),
            lambda person: bool(word) and folded in person.label.casefold(),
        ):
            found = [person for person in self.people if word and test(person)]
            if len({person.name or person.former or person.label for person in found}) == 1:
                return found
            if found:
                some = listed((person.label for person in found), 5)
                raise UsageError(f"{word!r} may be any of: {some}", hint="write the whole name")
        labels = [person.label for person in self.people]
        hint = did_you_mean(word, labels) or f"the readers are: {listed(labels) or 'none'}"
        raise UsageError(f"no present or former reader is called {word!r}", hint=hint)


def alike(files: Sequence[FileAccess]) -> list[list[FileAccess]]:
    """Group files that have the same readers in the same states, in the order of each group's first file."""
    found: dict[object, list[FileAccess]] = {}
    for file in files:
        states = frozenset((id(reader.person), reader.state) for reader in file.readers)
        groups = tuple(tuple(map(id, group)) for group in file.groups)
        found.setdefault((file.bare, file.quorum, groups, states), []).append(file)
    return list(found.values())


def folder_of(files: Sequence[FileAccess]) -> str:
    """Return the innermost folder that contains all of these files, with a slash at its end, or ""."""
    common = os.path.commonprefix([file.path for file in files])  # noqa: RUF071  # cut at a slash below
    return common[: common.rfind("/") + 1]
