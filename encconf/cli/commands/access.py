"""``encconf access``: who can read which files, as a table, a list, JSON or a page."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence

from encconf.audit import access, leaving
from encconf.audit.access import STATES, FileAccess, Person, Reader, Report, alike, folder_of
from encconf.audit.leaving import Place
from encconf.audit.names import Names, kind, origins
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console, Paper, display_width, width_of
from encconf.cli.shared import JSON, RECIPIENTS
from encconf.errors import ConflictError, MissingFileError, about, at_most_one
from encconf.io import fileio
from encconf.io.descriptors import is_terminal
from encconf.keys import MasterKey
from encconf.record import VerbOptions
from encconf.text.printable import counted, listed, one_line, quoted
from encconf.verbs import batch, files

_BARE = "nothing encrypted"
_SIGNS = {"reads": "●", "part": "◐", "exposed": "!", "former": "○", "": "·"}
_COLORS = {"reads": "32", "part": "33", "exposed": "1;31", "former": "2", "": "2"}
_ROWS = 12  # the most rows without --verbose; the files of a row have the same readers
_ALL = 1 << 30
_VALUES = 5  # the most values that the report about a person names in a repository
_NAMES = 3  # the most files that a row names; the others are counted
_MANY = 20  # with more files, a terminal shows one row for all that have the same readers


class Options(VerbOptions):
    file: Sequence[str] = ()
    people: Sequence[str] = ()
    person: str | None = None
    recipients: Sequence[str] = ()
    html: str | None = None
    no_history: bool = False
    verbose: bool = False
    json: bool = False
    config: str | None = None


def report(options: Options, console: Console) -> None:
    """Report who can read which files."""
    file, html, json = options.file, options.html, options.json
    if json and html in fileio.STDOUT:
        raise ConflictError("--json and --html - both write to stdout")
    at_most_one(people=options.people, person=options.person)
    at_most_one(people=options.people, html=html, hint="in the page, you select the people yourself")
    paths = _encrypted(console, file)
    if not paths and not json and html is None:
        return
    names = Names.for_files(paths, options.config, options.recipients)
    names.origins = origins(os.getcwd())
    now = int(time.time())
    with console.progress(len(paths), "reading") as step:
        found = access.report(paths, names, history=not options.no_history, now=now, step=step)
    asked = _asked(options, found)
    who = found.keys_of(options.person) if options.person is not None else []
    if options.person is not None:
        _say_names(console, options.person.strip(), who)
    here = leaving.places(found, who)
    if html is not None:
        _report_as_page(options, console, html, found, who, here)
    if json:
        data = access.to_json(found, asked)
        console.json({**data, "person": leaving.to_json(who, here)} if who else data)
    elif html is None:
        one = len(file) == 1 and not os.path.isdir(file[0]) and len(paths) == 1
        screen = _Screen(console)
        lines = (
            screen.person(found, who, here, verbose=options.verbose)
            if who
            else screen.report(found, asked, one=one, verbose=options.verbose)
        )
        console.lines("".join(f"{line.rstrip()}\n" for line in lines))
    if not who:
        _warn(console, found)
    for problem in found.problems:
        console.error(problem)
    if found.problems:
        raise SystemExit(1)


def _encrypted(console: Console, file: Sequence[str]) -> list[str]:
    """Return the files to report about.  Without encrypted files here, says so."""
    try:
        return batch.files(console, file or ["."], recursive=True)
    except MissingFileError:
        if file:
            raise
        console.note("no encrypted files found here")
        return []


def _asked(options: Options, found: access.Report) -> list[access.Person]:
    """Return the people that the user asks about, each once."""
    words = (word for words in options.people for word in words.split(",") if word.strip())
    return list(dict.fromkeys(person for word in words for person in found.called(word)))


def _report_as_page(
    options: Options,
    console: Console,
    file: str,
    found: access.Report,
    who: Sequence[access.Person],
    here: Sequence[leaving.Place],
) -> None:
    """Write the report as a page: of everything, or of one person."""
    from encconf.audit.page import page

    title = options.person or os.path.basename(os.path.abspath(os.curdir))
    text = leaving.page(found, title, who, here) if who else page(found, title=title)
    count = _count(found)
    if who:
        files_here = sum(len(place.rows) for place in here)
        count = f"{counted(files_here, 'file')} in {counted(len(here), 'repository', 'repositories')}"
    _write_page(console, file, text, count)


ACCESS = Command(
    "access",
    """List who can read which files, alone or together, and since when; needs no key.

    Without FILE, or for a folder, lists every encrypted file there. For one FILE, shows every detail. The
    dates come from git's history.

    The names of keys come from:

    - .sops.yaml: a comment after a key (age1… # alice), or an anchor before it (&alice age1…)
    - .sops.recipients: a file next to .sops.yaml that has names of keys
    - --recipients FILE: a file that you name

    A file with names of keys has lines NAME KEY, age recipients below a line # NAME, or SSH public keys. It
    may also be the output of github.com/USER.keys, saved as USER.keys.

    Exit code 1: a file could not be read.
    """,
    Options,
    report,
    arguments=[Argument("file")],
    options=[
        Option(
            "--people",
            "-p",
            metavar="NAMES",
            help="List what these names or keys can open together (comma-separated).",
        ),
        Option(
            "--person",
            metavar="NAME",
            help="Report what a person can and could read, by repository, and what to change if they leave.",
        ),
        RECIPIENTS,
        Option("--html", metavar="FILE", help="Write an HTML report to this file (-: stdout)."),
        Option("--no-history", help="Do not read dates from git's history."),
        Option("--verbose", help="List every file and every set of readers."),
        JSON,
        CONFIG,
    ],
    examples=[
        "encconf access",
        "encconf access deploy/prod/db.enc.yaml",
        "encconf access --people alice,bob deploy/",
        "encconf access --person bob --html bob.html ~/src/*",
        "encconf access --recipients team/ --html access.html",
    ],
)


def _write_page(console: Console, output: str, whole: str, count: str) -> None:
    from encconf.audit.page import GENERATOR

    if output in fileio.STDOUT:
        console.data(whole)
    else:
        path = fileio.resolve(output)
        with about(output, instead=path):
            files.write_own(path, whole, GENERATOR)
        console.note(f"wrote {output}: {count}")


def _warn(console: Console, found: Report) -> None:
    """Warn about keys that can still open a file and should not, and about an incomplete history."""
    exposed: dict[tuple[str, ...], list[FileAccess]] = {}
    dropped: dict[tuple[str, ...], list[FileAccess]] = {}
    for file in found.files:
        if gone := tuple(reader.person.short for reader in file.readers if reader.exposed):
            exposed.setdefault(gone, []).append(file)
        if left := tuple(
            reader.person.short for reader in file.readers if reader.person.dropped and not reader.former
        ):
            dropped.setdefault(left, []).append(file)
    for who, same in exposed.items():
        console.warn(
            f"{_named(same)}: removed, but can still decrypt because the data key is the same: "
            f"{', '.join(who)}",
            hint=f"encconf rotate {_command_names(same)}; then change the secrets as well",
        )
    for who, same in dropped.items():
        console.warn(
            f"{_named(same)}: still encrypted for keys that .sops.yaml no longer contains: {', '.join(who)}",
            hint=f"encconf updatekeys {_command_names(same)}; then change the secrets as well",
        )
    if bare := [file for file in found.files if file.bare]:
        console.warn(
            f"{_named(bare)}: {_BARE}, so anyone with the file can read it",
            hint=f"encconf explain {_command_names(bare[:1])} says why",
        )
    if found.shallow:
        console.note(
            "this clone has only part of the history: people may have been able to read files for longer"
        )


def _say_names(console: Console, word: str, who: Sequence[Person]) -> None:
    """Say if a word may name several people: a name has several keys, or a key has several names."""
    if len(who) > 1:
        keys = listed((each.label if each.former else each.key.label for each in who), 5)
        console.note(
            f"{one_line(word)} is the name of {len(who)} keys, maybe of different people: {keys} "
            "(to report one, name the key)"
        )
    for each in who:
        if len(each.names) > 1:
            console.note(f"{one_line(each.key.label)} has several names: {listed(each.names, 5)}")


def _command_names(files: Sequence[FileAccess]) -> str:
    return " ".join(quoted(file.path) for file in files) if len(files) <= _NAMES else "FILE"


def _count(found: Report) -> str:
    people = [person for person in found.people if not person.service]
    services = len(found.people) - len(people)
    return (
        f"{counted(len(found.files), 'file')}, {counted(len(people), 'person', 'people')}"
        f"{', ' + counted(services, 'service') if services else ''}"
    )


class _Screen(Paper):
    """The printed report: a colored table that fits the terminal, or otherwise one plain line per file."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._terminal = is_terminal(1)
        self._width = width_of(1, console.environ) or (80 if self._terminal else 100_000)

    def report(self, found: Report, asked: Sequence[Person], *, one: bool, verbose: bool) -> list[str]:
        """Return the lines about the people ``asked`` for, about ``one`` file, or about all files."""
        if asked:
            self._people(found, asked)
        elif one:
            for file in found.files:  # none if it cannot be read
                self._file(found, file)
        else:
            self._matrix(found, verbose=verbose)
        return self.lines

    # --- many files ---

    def _matrix(self, found: Report, *, verbose: bool) -> None:
        """Print a table of files and people if it fits, otherwise a line for each file."""
        people = [person for person in found.people if any(file.of(person) for file in found.files)]
        short = len(found.files) > _MANY and not verbose
        rows = alike(found.files) if short else [[file] for file in found.files]
        name = max((display_width(_label(files_alike)) for files_alike in rows), default=0)
        labels = [one_line(person.short) for person in people]
        room = self._width - min(name, 60) - 1
        if not self._terminal or 3 * len(people) > room + max(0, min(name, 60) - 24):
            self._list(found, _ALL if verbose else _ROWS)
            return
        numbered = sum(display_width(label) + 2 for label in labels) > room
        heads = [str(number) for number in range(1, len(people) + 1)] if numbered else labels
        widths = [display_width(head) + 2 for head in heads]
        name = min(name, 60, max(24, self._width - sum(widths) - 1))
        self.say(self._dim(_count(found)))
        self.say()
        self.say(
            " " * name + "".join(_centred(head, width) for head, width in zip(heads, widths, strict=True))
        )
        shown = {""}
        for files_alike in rows:
            file = files_alike[0]
            readers = [file.of(person) for person in people]
            states = [reader.state if reader else "" for reader in readers]
            shown.update(states)
            signs = [
                self.paint(_COLORS[state], _centred(_SIGNS[state], width))
                for state, width in zip(states, widths, strict=True)
            ]
            note = f"  {file.quorum} of {len(file.groups)} groups" if len(file.groups) > 1 else ""
            note = f"  {_BARE}" if file.bare else note
            if name + sum(widths) + len(note) > self._width:
                note = ""
            label = one_line(_label(files_alike))
            self.say(_padded(_shortened(label, name), name) + "".join(signs) + self._dim(note))
        self.say()
        legend = [f"{_SIGNS[state]} {words}" for state, words in STATES.items() if state in shown]
        self.say(self._dim("   ".join(legend)))
        if numbered:
            self.say()
            wide = max(map(display_width, labels)) + 6
            each = max(1, self._width // wide)
            cells = [f"{number:>3} {label}" for number, label in enumerate(labels, 1)]
            for start in range(0, len(cells), each):
                self.say("".join(_padded(cell, wide) for cell in cells[start : start + each]))

    def _list(self, found: Report, most: int) -> None:
        """Print one line for all files that have the same readers, now and in the past."""
        rows = alike(found.files)
        left = rows[most:] if len(rows) > most + 1 else []
        for files_alike in rows[: len(rows) - len(left)]:
            file = files_alike[0]
            groups = [_listed(group) for group in file.groups]
            line = f"{_named(files_alike)}: "
            if len(groups) > 1:
                line += f"{file.quorum} of {len(groups)} groups: "
            line += " | ".join(groups)
            if file.bare:
                line = f"{_named(files_alike)}: {_BARE}"
            for state, words in (("exposed", "removed, but still knows the data key"), ("former", "once")):
                gone = [one_line(reader.person.short) for reader in file.readers if reader.state == state]
                if gone:
                    line += f" ({words}: {', '.join(gone)})"
            self.say(line)
        if left:
            count = counted(sum(map(len, left)), "file")
            self.say(f"and {count} with other readers (--verbose lists them, --json lists all)")

    # --- one file ---

    def _file(self, found: Report, file: FileAccess) -> None:
        """Print everything about one file."""
        several = f", needs {file.quorum} of its {len(file.groups)} key groups"
        what = f", {file.label}" if file.proposes else ""
        changed = f", changed {file.metadata.lastmodified[:10]}" if file.metadata.lastmodified else ""
        changed += several if len(file.groups) > 1 else ""
        self.say(f"{one_line(file.path)}{self._dim(what + changed)}")
        if file.bare:
            self.say(f"  {self.paint('33', _BARE)}: anyone with the file can read it")
        readers = [reader for reader in file.readers if not reader.former]
        former = [reader for reader in file.readers if reader.former]
        for number in range(len(file.groups)):
            inside = [reader for reader in readers if number in reader.groups]
            if len(file.groups) > 1:
                self.say(f"  group {number + 1}")
            self._rows(found, file, inside, "    " if len(file.groups) > 1 else "  ")
        if former:
            self.say("  not any more")
            self._rows(found, file, former, "    ")
        if file.history is not None:
            for span in file.history.plain:
                end = f"until {access.day(span.end)} ({span.end.commit[:7]})" if span.end else "until now"
                self.say(
                    f"  {self.paint('33', 'as plaintext')} in git {end}: anyone with the repository has it"
                )
        if len(file.groups) > 1:
            sets, complete = file.quorums()
            self.say("  open it together")
            for people in sets[:12]:
                self.say(f"    {' + '.join(one_line(person.label) for person in people)}")
            if len(sets) > 12 or not complete:
                more = f"and {len(sets) - 12} other sets" if complete else "and many other sets"
                self.say(self._dim(f"    {more}: one of each of any {file.quorum} groups"))

    def _rows(self, found: Report, file: FileAccess, readers: Sequence[Reader], indent: str) -> None:
        cells = [
            (
                one_line(reader.person.label),
                ", ".join(dict.fromkeys(_kind_text(found, reader, key) for key in reader.keys)),
                ", ".join(one_line(key.label) for key in reader.keys) if reader.person.name else "",
                access.when(found, file, reader),
            )
            for reader in readers
        ]
        widths = [max((display_width(row[column]) for row in cells), default=0) for column in range(3)]
        for reader, row in zip(readers, cells, strict=True):
            sign = self.paint(_COLORS[reader.state], _SIGNS[reader.state])
            parts = [_padded(cell, width) for cell, width in zip(row, widths, strict=False) if width]
            self.say(f"{indent}{sign} {'  '.join([*parts, row[3]])}")

    # --- some people ---

    def _people(self, found: Report, asked: Sequence[Person]) -> None:
        """Print what these people can open, alone and together."""
        who = " and ".join(dict.fromkeys(one_line(person.name or person.label) for person in asked))
        rows: list[tuple[str, str, str]] = []
        for file in found.files:
            readers = [reader for person in asked if (reader := file.of(person))]
            alone = [reader for reader in readers if reader.alone]
            parts = [reader for reader in readers if reader.groups]
            gone = [reader for reader in readers if reader.former]
            held = {group for reader in parts for group in reader.groups}
            if file.opens_for(asked):
                detail = ", ".join(
                    (f"{one_line(reader.person.label)} " if len(asked) > 1 else "")
                    + access.when(found, file, reader)
                    for reader in alone or parts
                )
                rows.append(("reads", file.path, detail.strip() if alone else f"together: {detail}"))
            elif parts:
                rows.append(("part", file.path, _who_is_missing(file, held)))
            elif gone:
                state = "exposed" if any(reader.exposed for reader in gone) else "former"
                detail = ", ".join(access.when(found, file, reader) for reader in gone)
                rows.append((state, file.path, detail))
        opened = [state for state, _, _ in rows].count("reads")
        self.say(f"{who}: {opened} of {counted(len(found.files), 'file')}")
        width = min(60, max((display_width(one_line(path)) for _, path, _ in rows), default=0))
        for state, path, detail in rows:
            sign = self.paint(_COLORS[state], _SIGNS[state])
            self.say(f"  {sign} {_padded(one_line(path), width)}  {self._dim(detail)}")

    # --- one person, who leaves ---

    def person(
        self, found: Report, who: Sequence[Person], here: Sequence[Place], *, verbose: bool
    ) -> list[str]:
        """Return the lines about what a person can read in each repository, and what to change."""
        called = one_line(who[0].name or who[0].former or who[0].label)
        keys = ", ".join(one_line(each.key.label) for each in who)
        self.say(f"{called} ({keys})" if called != keys else called)
        for state, number in leaving.sums(found, here).items():
            folders = sum(any(row.state == state for row in place.rows) for place in here)
            where = f" in {counted(folders, 'repository', 'repositories')}" if folders > 1 else ""
            self.say(f"  {self._sign(state)} {leaving.WORDS[state]}: {counted(number, 'file')}{where}")
        for place in here:
            self.say()
            self.say(one_line(place.folder))
            rows = [(row.state, one_line(row.name), row.when) for row in place.rows]
            if len(rows) > _ROWS and not verbose:  # one row for all files with the same state and time
                alike: dict[tuple[str, str], list[str]] = {}
                for state, name, when in rows:
                    alike.setdefault((state, when), []).append(name)
                rows = [(state, listed(names, _NAMES), when) for (state, when), names in alike.items()]
            width = min(60, max(display_width(name) for _, name, _ in rows))
            for state, name, when in rows:
                self.say(f"  {self._sign(state)} {_padded(name, width)}  {self._dim(when)}")
            names = list(dict.fromkeys(one_line(value) for row in place.rows for value in row.values))
            if names:
                self.say(f"  change: {listed(names, _VALUES)}")
            if place.command:
                self.say(f"  run: {place.command}")
        return self.lines

    def _sign(self, state: str) -> str:
        return self.paint(_COLORS[state], _SIGNS[state])

    def _dim(self, text: str) -> str:
        return self.paint("2", text)


def _label(files_alike: Sequence[FileAccess]) -> str:
    """Return the label of a row: its file, or the folder of several files and their number."""
    if len(files_alike) == 1:
        return files_alike[0].label
    return f"{folder_of(files_alike) or './'} ({len(files_alike)} files)"


def _named(files_alike: Sequence[FileAccess]) -> str:
    """Return the names of the files of a line, or their folder and the first few names."""
    if len(files_alike) <= _NAMES:
        return ", ".join(one_line(file.label) for file in files_alike)
    folder = folder_of(files_alike)
    names = [one_line(file.label.removeprefix(folder)) for file in files_alike[:_NAMES]]
    inside = f"{one_line(folder)} ({', '.join(names)}" if folder else f"({', '.join(names)}"
    return f"{inside} and {len(files_alike) - _NAMES} more)"


def _listed(group: Sequence[Person]) -> str:
    """Return the names of a key group.  A name that several of its keys have is there once."""
    count = Counter(person.name for person in group)
    named: dict[str, None] = {}
    for person in group:
        several = count[person.name] if person.name else 1
        named.setdefault(f"{person.name} ({several} keys)" if several > 1 else person.short)
    return ", ".join(map(one_line, named))


def _kind_text(found: Report, reader: Reader, key: MasterKey) -> str:
    """Return the kind of a key, and the owner of its SSH key if that name differs from the reader's."""
    origin = found.origins.get(key.name)
    return f"{kind(key)}, of {origin}" if origin and origin != reader.person.label else kind(key)


def _who_is_missing(file: FileAccess, held: set[int]) -> str:
    """Return who is needed in addition to the people with keys of the ``held`` groups."""
    missing = file.quorum - len(held)
    groups = [group for number, group in enumerate(file.groups) if number not in held]
    if missing == 1:
        others = dict.fromkeys(one_line(person.label) for group in groups for person in group)
        return f"only with one of: {', '.join(others)}"
    said = ["(" + " or ".join(one_line(person.label) for person in group) + ")" for group in groups]
    return f"only with {missing} of: {', '.join(said)}"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _centred(text: str, width: int) -> str:
    left = (width - display_width(text) + 1) // 2
    return " " * left + text + " " * (width - left - display_width(text))


def _shortened(text: str, width: int) -> str:
    """Return a path, with ``…`` in place of its middle if it is too long."""
    if display_width(text) <= width:
        return text
    keep = max(width - 1, 2)
    head, tail = text[: keep // 3], text[-(keep - keep // 3) :]
    while display_width(head) + 1 + display_width(tail) > width and tail:
        tail = tail[1:]
    return f"{head}…{tail}"
