"""Who can read which encrypted files, what several people can open together, and since when.

Told from the ``sops`` blocks alone, without a key.  A person is a name (`encconf.audit.names`) with
all keys that have it; a key without a name stands for itself.  Nobody can add a reader to a file
without its data key, but anyone who can write to it can take an entry away or put one there that opens
nothing: what is said here of a file is as trustworthy as its history.
"""

from __future__ import annotations

import os
from functools import partial
from itertools import combinations, islice, product

from encconf import formats
from encconf.audit import names as naming
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError, UsageError
from encconf.formats import sniff
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final

    from encconf.audit.history import FileHistory, Moment, Span
    from encconf.audit.names import Names
    from encconf.keys import MasterKey

    Json = dict[str, object]

MAX_SETS: Final = 1000
"""How many sets of people are looked at for one file before `FileAccess.quorums` gives up."""

_LONG: Final = 32
_END: Final = 24


class Person:
    """Somebody who can read files, or could: a name and the keys that have it, first seen first.

    ``label`` is the name, or the key's own label where nobody gave it one (not ``named``).
    """

    __slots__ = ("keys", "label", "named")

    def __init__(self, label: str, named: bool) -> None:
        self.label = label
        self.named = named
        self.keys: list[MasterKey] = []

    @property
    def short(self) -> str:
        """The label; of a long key without a name its kind and how it ends, since all begin alike."""
        if self.named or len(self.label) <= _LONG:
            return self.label
        end = self.label.rstrip("/").rpartition("/")[2]
        return f"{self.kind} {end if len(end) <= _END else '…' + self.label[-6:]}"

    @property
    def service(self) -> bool:
        """Whether all keys belong to services: who may use them is said elsewhere."""
        return all(naming.is_service(key) for key in self.keys)

    @property
    def kind(self) -> str:
        """The sorts of the keys."""
        return ", ".join(dict.fromkeys(naming.kind(key) for key in self.keys))

    def __repr__(self) -> str:
        return f"Person({self.label!r})"


class Time:
    """A time in which somebody could read a file, as `encconf.audit.history.Span`.

    ``until`` says when the data key that was known went out of use: None while that has not been seen.
    """

    __slots__ = ("end", "over", "start", "until")

    def __init__(self, span: Span) -> None:
        self.start = span.start
        self.end = span.end
        self.over = span.over
        self.until = span.until


class Reader:
    """What one person can do with one file.

    ``groups`` are the numbers (from 0) of the key groups with a key of theirs, none for somebody who
    is gone; ``alone`` says that these are enough.  ``times`` are oldest first, empty where history was
    not asked for.  ``dated`` is the date in the file's own entry (RFC 3339), where its type has one.
    """

    __slots__ = ("alone", "dated", "groups", "keys", "person", "times")

    def __init__(self, person: Person) -> None:
        self.person = person
        self.groups: list[int] = []
        self.keys: list[MasterKey] = []
        self.alone = False
        self.dated: str | None = None
        self.times: list[Time] = []

    @property
    def former(self) -> bool:
        """Whether they hold no key any more."""
        return not self.groups

    @property
    def exposed(self) -> bool:
        """Whether they are gone and yet know the data key that is in use."""
        return self.former and any(time.over and time.until is None for time in self.times)

    @property
    def state(self) -> str:
        """``reads``, ``part`` (others are needed), ``exposed`` or ``former``."""
        if self.groups:
            return "reads" if self.alone else "part"
        return "exposed" if self.exposed else "former"

    @property
    def since(self) -> Moment | None:
        """The commit since which they can, None where it is not known or not committed."""
        running = [time.start for time in self.times if not time.over and time.start is not None]
        since = min(running, key=_time, default=None)
        for time in reversed(self.times):  # an older key that was replaced: there was no time between
            if since and time.start and time.end and time.start.time < since.time <= time.end.time:
                since = time.start
        return since


class FileAccess:
    """One file: its key groups, how many of them it takes, and its readers, former ones last."""

    __slots__ = ("_by_person", "format", "groups", "history", "lastmodified", "path", "quorum")

    def __init__(self, path: str, format: str, metadata: Metadata) -> None:
        self.path = path
        self.format = format
        self.lastmodified = metadata.lastmodified
        self.groups: list[list[Person]] = []
        self.quorum = max(metadata.threshold or len(metadata.groups), 2) if len(metadata.groups) > 1 else 1
        self.history: FileHistory | None = None
        self._by_person: dict[Person, Reader] = {}

    @property
    def readers(self) -> list[Reader]:
        """All who can do something with it, or could."""
        return list(self._by_person.values())

    def of(self, person: Person) -> Reader | None:
        """What a person can do with it, None for nothing."""
        return self._by_person.get(person)

    def reader(self, person: Person) -> Reader:
        """The same for somebody who may be new."""
        return self._by_person.setdefault(person, Reader(person))

    def opens_for(self, people: Iterable[Person]) -> bool:
        """Whether these people can open it together."""
        held = {group for person in people if (reader := self.of(person)) for group in reader.groups}
        return bool(self.groups) and len(held) >= self.quorum

    def quorums(self, limit: int = MAX_SETS) -> tuple[list[list[Person]], bool]:
        """The smallest sets of people who can open it together, and whether these are all."""
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


class Report:
    """All files and people; ``problems`` are files that could not be read, ``shallow`` a cut-off history.

    ``origins`` says of age recipients which SSH key they belong to.
    """

    __slots__ = ("dated", "files", "now", "origins", "people", "problems", "shallow")

    def __init__(self, now: int) -> None:
        self.now = now
        self.dated = False
        self.shallow = False
        self.origins: dict[str, str] = {}
        self.files: list[FileAccess] = []
        self.people: list[Person] = []
        self.problems: list[EncconfError] = []

    def person(self, word: str) -> Person:
        """The person that a word means: a name, a key, a label, or a part that only one has.

        Raises UsageError.
        """
        word = word.strip()
        for test in (
            lambda person: person.label == word,
            lambda person: any(word in (key.name, key.label) for key in person.keys),
            lambda person: person.label.casefold() == word.casefold(),
            lambda person: bool(word) and word.casefold() in person.label.casefold(),
        ):
            found = [person for person in self.people if test(person)]
            if len(found) == 1:
                return found[0]
            if found:
                some = ", ".join(person.label for person in found[:5])
                raise UsageError(f"{word!r} may be any of: {some}", hint="write the whole name")
        from difflib import get_close_matches

        labels = [person.label for person in self.people]
        close = get_close_matches(word, labels, 1)
        hint = f"did you mean: {close[0]}" if close else f"there are: {', '.join(labels[:8]) or 'none'}"
        raise UsageError(f"no file is or was encrypted for anybody called {word!r}", hint=hint)


def _time(moment: Moment) -> int:
    return moment.time


def alike(files: Sequence[FileAccess]) -> list[list[FileAccess]]:
    """The files in groups with the same readers, in the same states; in the order of the first of each."""
    found: dict[object, list[FileAccess]] = {}
    for file in files:
        states = frozenset((id(reader.person), reader.state) for reader in file.readers)
        groups = tuple(tuple(map(id, group)) for group in file.groups)
        found.setdefault((file.quorum, groups, states), []).append(file)
    return list(found.values())


def folder_of(files: Sequence[FileAccess]) -> str:
    """The innermost folder that has all of some files, with a slash at its end, or ""."""
    common = os.path.commonprefix([file.path for file in files])  # noqa: RUF071  # cut at a slash below
    return common[: common.rfind("/") + 1]


def report(
    paths: Sequence[str],
    names: Names,
    *,
    history: bool = True,
    now: int,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Read who can open each of some files, of which those that are not encrypted are left out.

    ``now`` is the time of the report in seconds since 1970.  With ``history``, git is asked since when.
    ``step`` is called after each file.
    """
    found = Report(now)
    found.origins = {name: f"SSH key {origin}" for name, origin in names.origins.items()}
    found.dated = history
    contents: dict[str, bytes] = {}
    read: list[tuple[FileAccess, Metadata]] = []
    for path in paths:
        step()
        try:
            data = fileio.read_bytes(path)
            format = sniff.format_of(data, path)
            text = fileio.decode(data)
            metadata = Metadata.of(formats.module(format).scan(text))
        except EncconfError as error:
            found.problems.append(error.about(path))
            continue
        contents[path] = data
        read.append((FileAccess(path, format, metadata), metadata))
        found.files.append(read[-1][0])
    if history:
        from encconf.audit.history import asking_former, name_former

        keys = {wrapped.key for _, metadata in read for group in metadata.groups for wrapped in group}
        unnamed = any(names.given(key) is None for key in keys)
        learn = asking_former(names) if unnamed else partial(name_former, names)  # side by side
        _add_histories(found, contents)
        former = [key for file in found.files if file.history for key in file.history.keys.values()]
        learn([*keys, *former])
    people = _People(names)
    for file, metadata in read:
        _add_readers(file, metadata, people)
        _add_former(file, people, now)
    found.people = sorted(
        people.all, key=lambda person: (person.service, not person.named, person.label.casefold())
    )
    return found


def _add_readers(file: FileAccess, metadata: Metadata, people: _People) -> None:
    for number, group in enumerate(metadata.groups):
        members: dict[Person, None] = {}
        for wrapped in group:
            person = people.of(wrapped.key)
            members[person] = None
            reader = file.reader(person)
            if number not in reader.groups:
                reader.groups.append(number)
            reader.keys.append(wrapped.key)
            if wrapped.created_at and (reader.dated is None or wrapped.created_at < reader.dated):
                reader.dated = wrapped.created_at
        file.groups.append(list(members))
    for reader in file.readers:
        reader.alone = len(reader.groups) >= file.quorum


class _People:
    """Persons by the identities of their keys."""

    __slots__ = ("_by_identity", "_by_label", "_names", "all")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._by_identity: dict[str, Person] = {}
        self._by_label: dict[tuple[str, bool], Person] = {}
        self.all: list[Person] = []

    def of(self, key: MasterKey) -> Person:
        identity = naming.identity(key)
        person = self._by_identity.get(identity)
        if person is None:
            name = self._names.given(key)
            # Labels are shortened: two keys without a name may have the same one.
            place = (name, True) if name else (identity, False)
            person = self._by_label.get(place)
            if person is None:
                person = self._by_label[place] = Person(name or key.label, bool(name))
                self.all.append(person)
            person.keys.append(key)
            self._by_identity[identity] = person
        return person


def _add_histories(found: Report, contents: dict[str, bytes]) -> None:
    """Ask git since when each file is as it is, and how it was before."""
    from encconf.audit.history import histories, is_shallow
    from encconf.git import repository

    by_root: dict[str, dict[str, FileAccess]] = {}
    for file in found.files:
        real = os.path.realpath(file.path)
        root = repository(os.path.dirname(real))
        if root is not None:
            inside = os.path.relpath(real, root).replace(os.sep, "/")
            by_root.setdefault(root, {})[inside] = file
    for root, files in by_root.items():
        found.shallow = found.shallow or is_shallow(root)
        wanted = {inside: contents[file.path] for inside, file in files.items()}
        for inside, history in histories(root, wanted).items():
            files[inside].history = history


def _add_former(file: FileAccess, people: _People, now: int) -> None:
    """Add since when people can read a file, and who could once."""
    history = file.history
    if history is None:
        return
    for identity, spans in history.spans.items():
        reader = file.reader(people.of(history.keys[identity]))
        if not any(naming.identity(key) == identity for key in reader.keys):
            reader.keys.append(history.keys[identity])
        reader.times += map(Time, spans)
    for reader in file.readers:
        reader.times.sort(key=lambda time: time.start.time if time.start else now)


# --- telling -------------------------------------------------------------------------------------


def day(moment: Moment | None) -> str:
    """``2026-03-01``, in UTC; "" for no moment, and what is not committed."""
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(moment.time)) if moment and moment.commit else ""


def when(found: Report, file: FileAccess, reader: Reader) -> str:
    """Since when somebody can read a file, or until when they could: part of a sentence, or ""."""
    if not found.dated or file.history is None:
        return f"added {reader.dated[:10]}" if reader.dated else ""
    if not reader.former:
        since = reader.since
        if since is not None:
            return f"since {day(since)} ({since.commit[:7]})"
        return f"added {reader.dated[:10]}, not committed" if reader.dated else "not committed"
    last = max(reader.times, key=lambda time: time.end.time if time.end else found.now, default=None)
    if last is None:
        return ""
    start = f"{day(last.start)} to " if last.start else "until "
    end = f"{day(last.end)} ({last.end.commit[:7]})" if last.end else "now: not committed"
    if reader.exposed:
        return f"{start}{end}; the data key is still the same"
    kept = last.until
    if kept is not None and last.end is not None and kept.time > last.end.time:
        return f"{start}{end}; with the same data key until {day(kept)}"
    return f"{start}{end}"


def to_json(found: Report, asked: Sequence[Person] = ()) -> Json:
    """The report as plain data; with people ``asked`` about, what they can open together."""
    data: Json = {
        "generated": _stamp(found.now),
        "history": found.dated,
        "shallow": found.shallow,
        "people": [
            {
                "name": person.label,
                "named": person.named,
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
                    for key in person.keys
                ],
                "reads": [file.path for file in found.files if _state(file, person) == "reads"],
                "needs_others": [file.path for file in found.files if _state(file, person) == "part"],
                "could_read": [file.path for file in found.files if _state(file, person) == "former"],
                "knows_data_key": [file.path for file in found.files if _state(file, person) == "exposed"],
            }
            for person in found.people
        ],
        "files": [_file_json(file) for file in found.files],
        "problems": [{"file": problem.file, "error": problem.message} for problem in found.problems],
    }
    if asked:
        data["together"] = {
            "people": [person.label for person in asked],
            "files": [file.path for file in found.files if file.opens_for(asked)],
        }
    return data


def _state(file: FileAccess, person: Person) -> str:
    reader = file.of(person)
    return reader.state if reader else ""


def _file_json(file: FileAccess) -> Json:
    sets, complete = file.quorums() if len(file.groups) > 1 else ([], True)
    data: Json = {
        "path": file.path,
        "format": file.format,
        "lastmodified": file.lastmodified,
        "groups": [[person.label for person in group] for group in file.groups],
        "quorum": file.quorum,
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
                        "over": time.over,
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
        data["plain_text"] = [
            {"from": _moment(span.start), "to": _moment(span.end)} for span in file.history.plain
        ]
    return data


def _moment(moment: Moment | None) -> Json | None:
    if moment is None or not moment.commit:
        return None
    return {"date": _stamp(moment.time), "commit": moment.commit}


def _stamp(seconds: int) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
