"""Who can read which encrypted files and since when, and which files several people can open together.

This needs no key: it reads only the ``sops`` blocks.  Nobody can add a reader to a file without its data key,
but anyone who can write to the file can remove an entry, or add one that opens nothing.  So the report is
only as trustworthy as the history of the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from encconf import formats
from encconf.audit import names as naming
from encconf.audit import readers
from encconf.audit.names import Names
from encconf.audit.readers import FileAccess, Person, Reader, Report
from encconf.audit.sealed import has_ciphertext, is_bare
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError, as_data
from encconf.formats import sniff
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.log import Moment
    from encconf.keys import MasterKey

    Json = dict[str, object]


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
    contents: dict[str, bytes] = {}
    for path in paths:
        step()
        try:
            data = fileio.read_bytes(path)
            format = sniff.format_of(data, path)
            document = formats.scan_encrypted(fileio.decode(data), formats.get(format))
            metadata = Metadata.of(document)
            bare = not has_ciphertext(document) and _is_bare(document.text, format, metadata)
        except EncconfError as error:
            found.problems.append(error.about(path))
            continue
        contents[path] = data
        found.files.append(FileAccess(path, format, metadata, bare=bare))
    if history:
        from encconf.audit.history import asking_former, name_former

        keys = {wrapped.key for file in found.files for group in file.metadata.groups for wrapped in group}
        # git looks for former names in the background, while it is also asked about the files.
        unnamed = any(names.given(key) is None for key in keys)
        learn = asking_former(names) if unnamed else partial(name_former, names)
        _add_histories(found, contents)
        former = [key for file in found.files if file.history for key in file.history.keys.values()]
        learn([*keys, *former])
    people = _People(names)
    for file in found.files:
        _add_readers(file, people)
        _add_former(file, people)
    readers.label_all(people.all)
    found.people = sorted(
        people.all,
        key=lambda person: (person.service, not person.name, not person.former, person.label.casefold()),
    )
    return found


def _is_bare(text: str, format: str, metadata: Metadata) -> bool:
    document = formats.get(format).scan(text, comments=True)
    return is_bare(document, metadata.selection.choose(document))


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
            person = Person(key, name or "", former or "", dropped=self._names.is_dropped(key))
            self._by_identity[identity] = person
        return person


def _add_histories(found: Report, contents: dict[str, bytes]) -> None:
    """Add the history of each file, according to git."""
    from encconf.audit.history import histories
    from encconf.git import by_repository
    from encconf.git.log import is_shallow

    files = {file.path: file for file in found.files}
    for root, paths in by_repository(files).items():
        found.shallow = found.shallow or is_shallow(root)
        present = {inside: contents[path] for inside, path in paths.items()}
        for inside, history in histories(root, paths, present.__getitem__):
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
