"""What a person can read in one or many repositories, and what to change when they leave.

This is a view of the report of `encconf.audit.access`, and needs no key, either.  It has the names of values,
which are plaintext in encrypted files, but no value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from encconf import formats
from encconf.audit import access
from encconf.audit.access import FileAccess, Person, Reader, Report
from encconf.audit.names import Names
from encconf.engine.recipients import Seen, encrypted_values
from encconf.errors import EncconfError
from encconf.git import repository
from encconf.io import fileio
from encconf.io.fileio import packaged
from encconf.keys import TABLE
from encconf.record import Record
from encconf.rules.config import find_config
from encconf.text.path import spell
from encconf.text.printable import counted, quoted

ORDER = ("exposed", "reads", "part", "former")
"""The states of a person's files, the most urgent first."""


class Row(Record):
    """A file that the person can or could read: the ``state`` and the time in words.

    ``values`` are the values that they can read now, or with the data key that they know, secrets first.
    """

    file: FileAccess
    name: str
    state: str
    when: str
    values: Sequence[str] = ()


class Place(Record):
    """A repository (or a folder outside of one) with files of the person, and the command that ends it."""

    folder: str
    rows: Sequence[Row]
    command: str | None

    @property
    def values(self) -> int:
        return sum(len(row.values) for row in self.rows)


def places(found: Report, who: Sequence[Person]) -> list[Place]:
    """Return the repositories with files that a person can or could read; ``who`` are the person's keys."""
    rows: dict[str, list[tuple[FileAccess, list[Reader]]]] = {}
    roots: dict[str, str] = {}
    for file in found.files:
        readers = [reader for person in who if (reader := file.of(person))]
        if readers:
            folder = os.path.dirname(os.path.abspath(file.path))
            if folder not in roots:
                roots[folder] = repository(folder) or folder
            rows.setdefault(roots[folder], []).append((file, readers))
    return [_place(found, root, here) for root, here in rows.items()]


def _place(found: Report, root: str, here: Iterable[tuple[FileAccess, list[Reader]]]) -> Place:
    rows = []
    still: dict[Person, None] = {}
    for file, readers in here:
        reader = min(readers, key=lambda reader: ORDER.index(reader.state))
        state = "reads" if file.opens_for([each.person for each in readers]) else reader.state
        values = _values(file) if state != "former" else []
        name = os.path.relpath(file.path, root)
        rows.append(Row(file, name, state, access.when(found, file, reader), values))
        still |= {each.person: None for each in readers if each.state != "former"}
    rows.sort(key=lambda row: ORDER.index(row.state))
    return Place(os.path.relpath(root), rows, _command(root, [*still]))


def _command(root: str, still: Sequence[Person]) -> str | None:
    """Return the command that removes keys from the files of a repository, or None without keys."""
    if not still:
        return None
    inside = os.path.relpath(root)
    lead = "" if inside == os.curdir else f"cd {quoted(inside)} && "
    config = find_config(os.path.join(root, "x"), root, foreign=True)
    if config is None:
        options = [f"--rm-{TABLE[each.key.TYPE].option} {quoted(each.key.name)}" for each in still]
        return f"{lead}encconf rotate -r {' '.join(options)} ."
    names = Names.of_config(config)
    inside_rules = [person.key for person in still if names.contain(person.key)]
    if not inside_rules:
        return f"{lead}encconf updatekeys -r ."
    words = dict.fromkeys(quoted(names.given(key) or key.name) for key in inside_rules)
    return f"{lead}encconf keys remove {' '.join(words)}"


def _values(file: FileAccess) -> list[str]:
    """Return the paths of the encrypted values, secrets first."""
    try:
        data = fileio.read_bytes(file.path)
        document = formats.scan_any(fileio.decode(data), formats.format_of(data, file.path))
    except EncconfError:  # it changed meanwhile
        return []
    if document.format.single_value:
        return ["the whole file"]
    seen = Seen(encrypted_values(document), alone=True)
    ranked = sorted(zip(seen.ranks, seen.paths, strict=True), key=lambda each: each[0])
    return [spell(path) for _, path in ranked]


# --- in words, as data, and as a page ----------------------------------------------------------------

WORDS = {
    "exposed": "was removed, but knows the data key",
    "reads": "can read",
    "part": "can read with others",
    "former": "could read in the past",
}


def sums(found: Report, here: Sequence[Place]) -> dict[str, int]:
    """Return how many files are in each state."""
    states = [row.state for place in here for row in place.rows]
    return {state: states.count(state) for state in ORDER if state in states}


def to_json(who: Sequence[Person], here: Sequence[Place]) -> dict[str, object]:
    """Return the view as JSON data."""
    return {
        "keys": [person.key.name for person in who],
        "repositories": [
            {
                "folder": place.folder,
                "command": place.command,
                "files": [
                    {"file": row.file.path, "state": row.state, "when": row.when, "values": list(row.values)}
                    for row in place.rows
                ],
            }
            for place in here
        ],
    }


def page(found: Report, called: str, who: Sequence[Person], here: Sequence[Place]) -> str:
    """Return a page that needs no script and no other file.  Every name in it is untrusted."""
    from encconf.audit.page import head, shown, when

    numbers = {
        "Repositories": len(here),
        **{WORDS[state].capitalize(): number for state, number in sums(found, here).items()},
        "Values to change": sum(place.values for place in here),
    }
    stats = "".join(f"<div><dt>{name}</dt><dd>{number}</dd></div>" for name, number in numbers.items())
    return packaged("encconf.audit", "leaving.html").format(
        head=head(f"{shown(called)}: what to change"),
        title=shown(called),
        when=when(found),
        caveat="; some clones have only a part of the history" if found.dated and found.shallow else "",
        keys=", ".join(f"<code>{shown(person.key.name)}</code>" for person in who),
        stats=f'<dl class="stats">{stats}</dl>',
        places="\n".join(map(_section, here)),
    )


def _section(place: Place) -> str:
    from encconf.audit.page import shown

    rows = "".join(
        f'<tr><td><code>{shown(row.name)}</code></td><td class="{row.state}">{WORDS[row.state]}</td>'
        f"<td>{shown(row.when)}</td><td>{_listed(row.values)}</td></tr>\n"
        for row in place.rows
    )
    then = f"<p>Run <code>{shown(place.command)}</code>, and change the values.</p>" if place.command else ""
    return (
        f'<section class="place"><h2>{shown(place.folder)}</h2>{then}<div class="box"><table>'
        '<thead><tr><th scope="col">File</th><th scope="col">State</th><th scope="col">When</th>'
        f'<th scope="col">Values to change</th></tr></thead><tbody>\n{rows}</tbody></table></div></section>'
    )


def _listed(values: Sequence[str]) -> str:
    from encconf.audit.page import shown

    if not values:
        return ""
    names = "\n".join(map(shown, values))
    return f"<details><summary>{counted(len(values), 'value')}</summary><pre>{names}</pre></details>"
