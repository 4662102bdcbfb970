"""Write the access report as a single HTML page, which needs no network and no other file.

The table is plain HTML (``page.html``), so you can read it without scripts.  A script (``page.js``, with data
about files and people in a block of JSON) adds search, order, filters and details.  The content security
policy (`head`) allows only that script and the styles (``page.css``), by their hashes.
Names of files and people are untrusted, so each is escaped by `shown` or, in JSON, by `_json`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import time

from encconf.audit import access
from encconf.audit.access import STATES, FileAccess, Person, Report
from encconf.audit.names import kind
from encconf.io.fileio import packaged
from encconf.text.printable import counted, escaped

_HEADS = {"reads": "Reads", "part": "Part", "former": "Once", "exposed": "Still open"}
_MANY = 60  # if there are more files than this, those with the same readers share a row
_FEW = 8  # up to this many columns, there is room for horizontal names
_FLAT = 16  # the longest horizontal name, in characters

GENERATOR = '<meta name="generator" content="encconf access">'
"""The line by which encconf recognizes a page that it wrote."""


def page(found: Report, *, title: str) -> str:
    """Return the page's text.  ``title`` says what it is about, for example the folder's name."""
    script = packaged("encconf.audit", "page.js")
    people = found.people
    few = len(people) <= _FEW and all(len(person.label) <= _FLAT for person in people)
    return packaged("encconf.audit", "page.html").format(
        head=head(f"{shown(title)}: who can read what", script),
        title=shown(title),
        when=when(found),
        caveat="; this clone has only a part of the history" if found.dated and found.shallow else "",
        stats=_stats(found),
        attention=_attention(found),
        legend=_legend(found),
        few=' class="few"' if few else "",
        columns="<col>" * len(people),
        heads=_heads(people),
        rows=_rows(found),
        counts="".join(f'<th scope="col" class="count">{name}</th>' for name in _HEADS.values()),
        people=_people(found),
        data=_json(_data(found)),
        script=script,
    )


def head(title: str, script: str = "") -> str:
    """Return the head of a page, whose policy allows only our styles and this script.  ``title`` is HTML."""
    style = packaged("encconf.audit", "page.css")
    runs = f"script-src '{digest(script)}'; " if script else ""
    policy = f"default-src 'none'; {runs}style-src '{digest(style)}'; img-src data:; base-uri 'none'"
    return packaged("encconf.audit", "head.html").format(
        generator=GENERATOR, policy=f"{policy}; form-action 'none'", title=title, style=style
    )


def when(found: Report) -> str:
    """Return the time of a report in words."""
    return time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(found.now)).lstrip("0")


# --- parts ---------------------------------------------------------------------------------------


def _stats(found: Report) -> str:
    services = sum(person.service for person in found.people)
    exposed = sum(any(reader.exposed for reader in file.readers) for file in found.files)
    numbers = {
        "Files": len(found.files),
        "People": len(found.people) - services,
        "Services": services,
        "Need several people": sum(file.quorum > 1 for file in found.files),
        "Open to somebody who was removed": exposed,
    }
    cells = [
        f"<div{' class=alarm' if name.startswith('Open') else ''}><dt>{name}</dt><dd>{number}</dd></div>"
        for name, number in numbers.items()
        if number or name == "Files"
    ]
    return f'<dl class="stats">{"".join(cells)}</dl>\n'


def _attention(found: Report) -> str:
    notes: dict[str, list[FileAccess]] = {}
    for file in found.files:
        for note in _notes(file):
            notes.setdefault(note, []).append(file)
    if not notes:
        return ""
    items = "".join(
        f"<li><code>{shown(files[0].path)}</code>{_others(files)} <p>{shown(note)}</p></li>"
        for note, files in notes.items()
    )
    head = f"{len(notes)} {'thing' if len(notes) == 1 else 'things'} to look at"
    opened = " open" if len(notes) <= 3 else ""
    return f'<details class="attention"{opened}><summary>{head}</summary><ul>{items}</ul></details>\n'


def _others(files: list[FileAccess]) -> str:
    """Return a foldable list of the other files with the same note."""
    if len(files) == 1:
        return ""
    paths = "\n".join(shown(file.path) for file in files[1:])
    count = counted(len(files) - 1, "other file")
    return f" <details><summary>and {count}</summary><pre>{paths}</pre></details>"


def _notes(file: FileAccess) -> list[str]:
    """Return what needs attention: removed people who still know the data key, and plaintext in git."""
    notes = ["None of its values is encrypted, so anyone can read it."] if file.bare else []
    for reader in file.readers:
        if reader.exposed:
            date = access.day(reader.last.end if reader.last else None)
            when = f" on {date}" if date else ""
            notes.append(
                f"{reader.person.label} was removed{when}, but the data key is the same, so they can still "
                "read the file as it is now. Rotate it, and change its secrets."
            )
    for span in file.history.plain if file.history else ():
        until = f" until {access.day(span.end)}" if span.end else ""
        notes.append(f"It was in git as plaintext{until}: anyone with the repository can read that version.")
    return notes


def _legend(found: Report) -> str:
    return "".join(
        f'<li><span class="s {state}"></span>{words}</li>'
        for state, words in STATES.items()
        if any(reader.state == state for file in found.files for reader in file.readers)
    )


def _heads(people: list[Person]) -> str:
    return "".join(
        f'<th scope="col" class="who{" service" if person.service else ""}" data-sort="{at}">'
        f'<button type="button" title="{shown(person.label)}, {shown(person.kind)}: sort">'
        f"<span>{shown(person.short)}</span></button></th>"
        for at, person in enumerate(people)
    )


def _rows(found: Report) -> str:
    place = {person: at for at, person in enumerate(found.people)}
    numbers = {id(file): at for at, file in enumerate(found.files)}
    grouped = access.alike(found.files) if len(found.files) > _MANY else [[file] for file in found.files]
    return "\n".join(_row([numbers[id(file)] for file in files], files, place) for files in grouped)


def _row(numbers: list[int], files: list[FileAccess], place: dict[Person, int]) -> str:
    """Return the row of a file, or the foldable row of several files that have the same readers."""
    file = files[0]
    cells = ["<td class=none></td>"] * len(place)
    for reader in file.readers:
        state = reader.state
        cells[place[reader.person]] = f'<td class="s {state}"><span class=unseen>{_HEADS[state]}</span></td>'
    number = sum(not reader.former for reader in file.readers)
    groups = f"{file.quorum} of {len(file.groups)} groups"
    quorum = f' <em class="pill">{groups}</em>' if file.quorum > 1 else ""
    if file.proposes:
        quorum += ' <em class="pill">proposal</em>'
    if len(files) == 1:
        folder, slash, name = file.path.rpartition("/")
        head = (
            f'<tr data-at="{numbers[0]}"><th scope="row" class="name"><button type="button">'
            f"<small>{shown(folder + slash)}</small><b>{shown(name)}</b></button>{quorum}</th>"
        )
    else:
        paths = "\n".join(shown(each.path) for each in files)
        head = (
            f'<tr data-files="{" ".join(map(str, numbers))}"><th scope="row" class="name"><details>'
            f"<summary><small>{shown(access.folder_of(files))}</small><b>{len(files)} files</b></summary>"
            f"<pre>{paths}</pre></details>{quorum}</th>"
        )
    return f'{head}<td class="number">{number}</td>{"".join(cells)}</tr>'


def _people(found: Report) -> str:
    rows = []
    for at, person in enumerate(found.people):
        states = [reader.state for file in found.files if (reader := file.of(person))]
        keys = f"<code>{shown(person.key.label)}</code>"
        counts = "".join(
            f'<td class="count{" zero" if not states.count(state) else ""}" data-label="{name}">'
            f"{states.count(state)}</td>"
            for state, name in _HEADS.items()
        )
        label = shown(person.label)
        pick = f'<input type="checkbox" class="pick scripted" aria-label="Count {label} in">'
        rows.append(
            f'<tr data-at="{at}"><th scope="row">{pick}<button type="button">{label}</button></th>'
            f'<td>{shown(person.kind)}</td><td class="keys">{keys}</td>{counts}</tr>'
        )
    return "\n".join(rows)


def _data(found: Report) -> object:
    """Return the data for the script."""
    place = {person: at for at, person in enumerate(found.people)}
    files = []
    for file in found.files:
        readers = [
            [place[reader.person], reader.state, escaped(access.when(found, file, reader))]
            for reader in sorted(file.readers, key=lambda reader: place[reader.person])
        ]
        notes = [escaped(note) for note in _notes(file)]
        files.append(
            {
                "path": escaped(file.path),
                "quorum": file.quorum,
                "groups": [[place[person] for person in group] for group in file.groups],
                "readers": readers,
                "notes": notes,
                "attention": bool(notes),
            }
        )
    return {
        "states": STATES,
        "people": [
            {
                "label": escaped(person.label),
                "head": escaped(person.short),
                "service": person.service,
                "keys": [[kind(person.key), escaped(person.key.label)]],
            }
            for person in found.people
        ],
        "files": files,
    }


# --- text ----------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """Return an untrusted text for a place between tags or in double quotes.

    Unprintable characters are made visible, also those that change the direction of the text.
    """
    return html.escape(escaped(text), quote=True)


def _json(data: object) -> str:
    """Return JSON that contains no character of markup."""
    import json

    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
