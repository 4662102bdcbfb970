"""Who can read which encrypted files and since when, and which files several people can open together.

This needs no key: it reads only the ``sops`` blocks.  Nobody can add a reader to a file without its data key,
but anyone who can write to the file can remove an entry, or add one that opens nothing.  So the report is
only as trustworthy as the history of the files.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, islice, product

from encconf import formats
from encconf.audit import names as naming
from encconf.audit import proposals
from encconf.audit.names import Names
from encconf.audit.sealed import has_ciphertext, is_bare
from encconf.engine.metadata import Metadata
from encconf.engine.opening import is_proposal
from encconf.envelope import quorum
from encconf.errors import EncconfError, ProposalError, UsageError, as_data
from encconf.io import fileio
from encconf.keys import is_personal
from encconf.rules.config import proposed_file
from encconf.text.path import spell
from encconf.text.printable import listed, printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.log import Moment
    from encconf.keys import MasterKey
    from encconf.text.document import Document

    Json = dict[str, object]
    from encconf.audit.history import FileHistory, Span


def report(
    paths: Sequence[str],
    names: Names,
    *,
    history: bool = True,
    now: int,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Find out who can open each file.  A file that cannot be read is listed in the report's problems.

    ``now`` is the time of the report, in seconds since 1970.  With ``history``, the report also says since
    when, according to git.  ``step`` is called for each file.
    """
    found = Report(now, history, {name: f"SSH key {origin}" for name, origin in names.origins.items()})
    for path in paths:
        step()
        try:
            data = fileio.read_bytes(path)
            format = formats.format_of(data, path)
            document = formats.scan_encrypted(fileio.decode(data), formats.get(format))
            metadata = Metadata.of(document)
            bare = not has_ciphertext(document) and _is_bare(document.text, format, metadata)
            proposes = _proposes(document, path)
        except EncconfError as error:
            found.problems.append(error.about(path))
            continue
        found.files.append(FileAccess(path, format, metadata, bare=bare, proposes=proposes))
    if history:
        from encconf.audit.history import asking_former, name_former

        keys = {wrapped.key for file in found.files for group in file.metadata.groups for wrapped in group}
        # git looks for former names in the background, while it is also asked about the files.
        unnamed = any(names.given(key) is None for key in keys)
        learn = asking_former(names) if unnamed else partial(name_former, names)
        _add_histories(found)
        former = [key for file in found.files if file.history for key in file.history.keys.values()]
        learn([*keys, *former])
    people = _People(names)
    for file in found.files:
        _add_readers(file, people)
        _add_former(file, people)
    label_all(people.all)
    found.people = sorted(
        people.all,
        key=lambda person: (person.service, not person.name, not person.former, person.label.casefold()),
    )
    return found


def _is_bare(text: str, format: str, metadata: Metadata) -> bool:
    document = formats.get(format).scan(text, comments=True)
    return is_bare(document, metadata.selection.choose(document))


def _proposes(document: Document, path: str) -> str:
    """Return what a proposal is, such as ``db.password for prod.enc.yaml``, or "" for any other file."""
    if not is_proposal(document):
        return ""
    try:
        where = proposals.place_in(document, path)
    except ProposalError:  # check says what is wrong with it
        return path
    return f"{spell(where)} for {proposed_file(path)}"


def _add_readers(file: FileAccess, people: _People) -> None:
    for number, group in enumerate(file.metadata.groups):
        members: dict[Person, None] = {}
        for wrapped in group:
            person = people.of(wrapped.key)
            members[person] = None
            reader = file.reader(person)
            if number not in reader.groups:
                reader.groups.append(number)
            if wrapped.key not in reader.keys:
                reader.keys.append(wrapped.key)
            reader.dated = min(filter(None, (reader.dated, wrapped.created_at)), default=None)
        file.groups.append(list(members))
    for reader in file.readers:
        reader.alone = len(reader.groups) >= file.quorum


class _People:
    """The people of a report, by the identities of their keys."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._by_identity: dict[str, Person] = {}

    @property
    def all(self) -> list[Person]:
        return list(self._by_identity.values())

    def of(self, key: MasterKey) -> Person:
        identity = naming.identity(key)
        person = self._by_identity.get(identity)
        if person is None:
            name, former = self._names.given(key), self._names.former(key)
            person = Person(
                key,
                name or "",
                former or "",
                dropped=self._names.is_dropped(key),
                names=self._names.every(key),
            )
            self._by_identity[identity] = person
        return person


def _add_histories(found: Report) -> None:
    """Add the history of each file, according to git."""
    from encconf.audit.history import histories
    from encconf.git import by_repository
    from encconf.git.log import is_shallow

    files = {file.path: file for file in found.files}
    for root, paths in by_repository(files).items():
        found.shallow = found.shallow or is_shallow(root)

        def read(inside: str, paths: Mapping[str, str] = paths) -> bytes:
            try:
                return fileio.read_bytes(paths[inside])
            except EncconfError:  # it was removed meanwhile
                return b""

        for inside, history in histories(root, paths, read):
            files[paths[inside]].history = history


def _add_former(file: FileAccess, people: _People) -> None:
    """Add since when people can read a file, and who could read it in the past."""
    history = file.history
    if history is None:
        return
    for identity, spans in history.spans.items():
        reader = file.reader(people.of(history.keys[identity]))
        reader.keys = reader.keys or [history.keys[identity]]
        reader.times = spans


# --- in words, and as data -------------------------------------------------------------------------


def day(moment: Moment | None) -> str:
    """Return a date in UTC, such as ``2026-03-01``; "" for None, or if the moment is not a commit's."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment.time)) if moment and moment.commit else ""


def when(found: Report, file: FileAccess, reader: Reader) -> str:
    """Return since when a person can read a file, or until when they could: part of a sentence, or ""."""
    if not found.dated or file.history is None:
        return f"added {reader.dated[:10]}" if reader.dated else ""
    if not reader.former:
        since = reader.since
        if since is not None:
            return f"since {day(since)} ({since.commit[:7]})"
        return f"added {reader.dated[:10]}, not committed" if reader.dated else "not committed"
    last = reader.last
    if last is None or last.end is None:
        return ""
    start = f"{day(last.start)} to " if last.start.commit else "until "
    end = f"{day(last.end)} ({last.end.commit[:7]})" if last.end.commit else "now: not committed"
    if reader.exposed:
        return f"{start}{end}; the data key is still the same"
    if last.until and last.until.commit and last.until.time > last.end.time:
        return f"{start}{end}; with the same data key until {day(last.until)}"
    return f"{start}{end}"


def to_json(found: Report, asked: Sequence[Person] = ()) -> Json:
    """Return the report as JSON data, with the files that the people in ``asked`` can open together."""
    data: Json = {
        "generated": _stamp(found.now),
        "history": found.dated,
        "shallow": found.shallow,
        "people": [
            {
                "name": person.label,
                "named": person.named,
                "former": bool(person.former),
                "service": person.service,
                "kind": person.kind,
                "keys": [
                    {
                        "type": key.TYPE,
                        "key": key.name,
                        "label": key.label,
                        "kind": naming.kind(key),
                        **({"origin": found.origins[key.name]} if key.name in found.origins else {}),
                    }
                    for key in (person.key,)
                ],
                **{name: _files_in(found, state, person) for name, state in _LISTS.items()},
            }
            for person in found.people
        ],
        "files": [_file_json(file) for file in found.files],
        "problems": [{"file": problem.file, "error": as_data(problem)} for problem in found.problems],
    }
    if asked:
        data["together"] = {
            "people": [person.label for person in asked],
            "files": [file.path for file in found.files if file.opens_for(asked)],
        }
    return data


_LISTS = {"reads": "reads", "needs_others": "part", "could_read": "former", "knows_data_key": "exposed"}
"""The lists of a person's files in JSON, with the state of the person in each list."""


def _files_in(found: Report, state: str, person: Person) -> list[str]:
    return [file.path for file in found.files if (it := file.of(person)) and it.state == state]


def _file_json(file: FileAccess) -> Json:
    sets, complete = file.quorums() if len(file.groups) > 1 else ([], True)
    data: Json = {
        "file": file.path,
        "format": file.format,
        "lastmodified": file.metadata.lastmodified,
        "nothing_encrypted": file.bare,
        "proposes": file.proposes or None,
        "groups": [[person.label for person in group] for group in file.groups],
        "threshold": file.quorum,
        "readers": [
            {
                "name": reader.person.label,
                "state": reader.state,
                "groups": reader.groups,
                "keys": [{"type": key.TYPE, "key": key.name} for key in reader.keys],
                "since": _moment(reader.since),
                "added": reader.dated,
                "times": [
                    {
                        "from": _moment(time.start),
                        "to": _moment(time.end),
                        "over": time.end is not None,
                        "data_key_until": _moment(time.until),
                    }
                    for time in reader.times
                ],
            }
            for reader in file.readers
        ],
    }
    if len(file.groups) > 1:
        data["smallest_sets"] = [[person.label for person in people] for people in sets]
        data["smallest_sets_complete"] = complete
    if file.history is not None:
        data["plaintext"] = [
            {"from": _moment(span.start), "to": _moment(span.end)} for span in file.history.plain
        ]
    return data


def _moment(moment: Moment | None) -> Json | None:
    if moment is None or not moment.commit:
        return None
    return {"date": _stamp(moment.time), "commit": moment.commit}


def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# --- the data: who can read which files, and since when ---------------------------------------------
# Keys are compared, never their names: a person is whoever holds one key.  If a key was replaced, because it
# was stolen for example, its name is that of another key today, but whoever holds it still reads what it
# opens.

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
    ``names`` are all names that different repositories give to the key.
    """

    key: MasterKey
    name: str = ""
    former: str = ""
    label: str = ""
    dropped: bool = False
    names: Sequence[str] = ()

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
        return not is_personal(self.key)

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

    ``bare`` says that none of its values is encrypted, so everyone can read it.  ``proposes`` says which
    value of which file it proposes, if it is a proposal.
    """

    path: str
    format: str
    metadata: Metadata
    groups: list[list[Person]] = field(default_factory=list)
    history: FileHistory | None = None
    bare: bool = False
    proposes: str = ""
    _by_person: dict[Person, Reader] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The path, or what a proposal is: its path has random digits."""
        return f"proposed: {self.proposes}" if self.proposes else self.path

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

    def quorums(self) -> tuple[list[list[Person]], bool]:
        """Return the smallest sets of people who can open it together, and whether these are all."""
        choices = (
            frozenset(chosen)
            for groups in combinations([group for group in self.groups if group], self.quorum)
            for chosen in product(*groups)
        )
        seen = list(dict.fromkeys(islice(choices, MAX_SETS)))
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
            lambda person: word in person.names,
            lambda person: folded == person.name.casefold(),
            lambda person: folded == person.former.casefold(),
            lambda person: bool(word) and folded in person.label.casefold(),
        ):
            found = [person for person in self.people if word and test(person)]
            if found and all(word in person.names for person in found):
                return found
            if len({person.name or person.former or person.label for person in found}) == 1:
                return found
            if found:
                some = listed((person.label for person in found), 5)
                raise UsageError(f"{word!r} may be any of: {some}", hint="write the whole name")
        labels = [person.label for person in self.people]
        hint = did_you_mean(word, labels) or f"the readers are: {listed(labels) or 'none'}"
        raise UsageError(f"no present or former reader is called {word!r}", hint=hint)

    def keys_of(self, word: str) -> list[Person]:
        """Return whoever holds a key of a person: every key that has, or had, a name in any repository.

        A word that is a key means this key only.  Raises as `called`.
        """
        found = self.called(word)
        if word.strip() in {form for person in found for form in (person.key.name, person.key.label)}:
            return found
        names = {word.strip()} if any(word.strip() in person.names for person in found) else set()
        names = names or {person.name or person.former for person in found} - {""}
        more = [each for each in self.people if not names.isdisjoint((*each.names, each.name or each.former))]
        return list(dict.fromkeys([*found, *more]))


def alike(files: Sequence[FileAccess]) -> list[list[FileAccess]]:
    """Group files that have the same readers in the same states, in the order of each group's first file."""
    found: dict[object, list[FileAccess]] = {}
    for file in files:
        states = frozenset((id(reader.person), reader.state) for reader in file.readers)
        groups = tuple(tuple(map(id, group)) for group in file.groups)
        found.setdefault((file.bare, bool(file.proposes), file.quorum, groups, states), []).append(file)
    return list(found.values())


def folder_of(files: Sequence[FileAccess]) -> str:
    """Return the innermost folder that contains all of these files, with a slash at its end, or ""."""
    common = os.path.commonprefix([file.path for file in files])  # noqa: RUF071  # cut at a slash below
    return common[: common.rfind("/") + 1]
