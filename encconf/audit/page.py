"""The access report as one HTML page that needs nothing else: no network, no other file.

The table is plain HTML, so that it can be read without scripts; a script
(``page.js``, about files and people in a block of JSON) adds search, order, filters and details.  Its
content security policy lets nothing in but that script and the styles (``page.css``), by their hashes.
Names of files and people are foreign: each goes through `_text` or, as JSON, `_json`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import time

from encconf.audit import access, readers
from encconf.audit.names import kind
from encconf.audit.readers import STATES, FileAccess, Person, Report
from encconf.text.printable import escaped

_HEADS = {"reads": "Reads", "part": "Part", "former": "Once", "exposed": "Still open"}
_MANY = 60  # beyond so many files, those with the same readers share a row
_FEW = 8  # so many columns have room for names that lie flat
_FLAT = 16  # and such are the longest of those names

GENERATOR = '<meta name="generator" content="encconf access">'
"""The mark of a page that encconf wrote."""


def page(found: Report, *, title: str) -> str:
    """The page's text; ``title`` says what it is about, the folder's name for example."""
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    people = [person for person in found.people if any(file.of(person) for file in found.files)]
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{_text(title)}: who can read what</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#matrix">To the table</a>
<header class="top">
<div>
<h1>Who can read what <span>{_text(title)}</span></h1>
<p class="about">Encrypted files and whose keys open them, as of {_when(found.now)}{_caveat(found)}.</p>
</div>
<button type="button" id="theme" class="plain theme scripted">Dark</button>
</header>
{_stats(found, people)}{_attention(found)}
<nav class="tabs scripted" role="tablist" aria-label="Views">
<button type="button" role="tab" id="tab-matrix" aria-controls="matrix" aria-selected="true">Files</button>
<button type="button" role="tab" id="tab-people" aria-controls="people" aria-selected="false">People</button>
</nav>
<main>
<section id="matrix" role="tabpanel" aria-labelledby="tab-matrix">
{_tools(found)}
{_matrix(found, people)}
</section>
<section id="people" role="tabpanel" aria-labelledby="tab-people">
{_people(found, people)}
</section>
</main>
<footer>
<p>Made by encconf access from the files and git's history, without a key. For a key held by a service, that
service's own policies decide who has access.</p>
<p>Anyone who could read a file in the past may have kept its values, and can still read that version in the
repository's history. Change a secret at its source if they should no longer know it.</p>
</footer>
<dialog id="detail" aria-labelledby="detail-title">
<header><h2 id="detail-title"></h2><button type="button" id="close" class="plain">Close</button></header>
<div class="body" id="detail-body"></div>
</dialog>
<script type="application/json" id="data">{_json(_data(found, people))}</script>
<script>{script}</script>
</body>
</html>
"""


# --- parts ---------------------------------------------------------------------------------------


def _stats(found: Report, people: list[Person]) -> str:
    services = sum(person.service for person in people)
    exposed = sum(any(reader.exposed for reader in file.readers) for file in found.files)
    numbers = {
        "Files": len(found.files),
        "People": len(people) - services,
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
        f"<li><code>{_text(files[0].path)}</code>{_others(files)} <p>{_text(note)}</p></li>"
        for note, files in notes.items()
    )
    head = f"{len(notes)} {'thing' if len(notes) == 1 else 'things'} to look at"
    opened = " open" if len(notes) <= 3 else ""
    return f'<details class="attention"{opened}><summary>{head}</summary><ul>{items}</ul></details>\n'


def _others(files: list[FileAccess]) -> str:
    """The other files with the same note, to unfold."""
    if len(files) == 1:
        return ""
    paths = "\n".join(_text(file.path) for file in files[1:])
    count = f"{len(files) - 1} other file{'s' if len(files) > 2 else ''}"
    return f" <details><summary>and {count}</summary><pre>{paths}</pre></details>"


def _notes(file: FileAccess) -> list[str]:
    """What needs attention: removed people who can still read the file, and plaintext in git's history."""
    notes = []
    for reader in file.readers:
        if reader.exposed:
            ends = [time.end for time in reader.times if time.end]
            when = f" on {access.day(ends[-1])}" if ends else ""
            notes.append(
                f"{reader.person.label} was removed{when}, but the data key is the same, so they can still "
                "read the file as it is now. Rotate it, and change its secrets."
            )
    for span in file.history.plain if file.history else ():
        until = f" until {access.day(span.end)}" if span.end else ""
        notes.append(f"It was in git as plaintext{until}: anyone with the repository can read that version.")
    return notes


def _tools(found: Report) -> str:
    legend = "".join(
        f'<li><span class="s {state}"></span>{words}</li>'
        for state, words in STATES.items()
        if any(reader.state == state for file in found.files for reader in file.readers)
    )
    return f"""\
<form class="tools scripted" id="tools" role="search">
<label class="find">Find files
<input type="search" id="find" placeholder="part of a path" autocomplete="off"></label>
<label class="half">Find people
<input type="search" id="find-people" placeholder="names" autocomplete="off"></label>
<label class="half">Show <select id="filter">
<option value="all">all files</option>
<option value="several">that need several people</option>
<option value="services">that a service can open</option>
<option value="out">that somebody could read in the past</option>
<option value="attention">to look at</option>
<option value="together" hidden disabled>for the ticked people</option>
</select></label>
</form>
<div class="said"><p id="count" role="status"></p><ul class="legend" aria-label="Signs">{legend}</ul></div>"""


def _matrix(found: Report, people: list[Person]) -> str:
    few = len(people) <= _FEW and all(len(person.label) <= _FLAT for person in people)
    heads = "".join(
        f'<th scope="col" class="who{" service" if person.service else ""}" data-sort="{at}">'
        f'<button type="button" title="{_text(person.label)}, {_text(person.kind)}: sort">'
        f"<span>{_text(person.short)}</span></button></th>"
        for at, person in enumerate(people)
    )
    place = {person: at for at, person in enumerate(people)}
    numbers = {id(file): at for at, file in enumerate(found.files)}
    grouped = readers.alike(found.files) if len(found.files) > _MANY else [[file] for file in found.files]
    rows = "\n".join(_row([numbers[id(file)] for file in files], files, place) for files in grouped)
    return f"""\
<div class="box" tabindex="0" role="region" aria-label="Files and who can read them">
<table id="files"{' class="few"' if few else ""}>
<caption class="unseen">One row for each file, or for files with the same readers; one column for each
reader</caption>
<colgroup><col><col>{"<col>" * len(people)}</colgroup>
<thead><tr>
<th scope="col" class="name head" data-sort="path" aria-sort="ascending">
<button type="button">File</button></th>
<th scope="col" class="number head" data-sort="readers"><button type="button">Readers</button></th>
{heads}
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p class="empty" id="nothing" hidden>No file matches.</p>
</div>"""


def _row(numbers: list[int], files: list[FileAccess], place: dict[Person, int]) -> str:
    """The row of a file, or of several that have the same readers, which unfolds."""
    file = files[0]
    cells = ["<td class=none></td>"] * len(place)
    for reader in file.readers:
        state = reader.state
        cells[place[reader.person]] = f'<td class="s {state}"><span class=unseen>{_HEADS[state]}</span></td>'
    number = sum(not reader.former for reader in file.readers)
    groups = f"{file.quorum} of {len(file.groups)} groups"
    quorum = f' <em class="pill">{groups}</em>' if file.quorum > 1 else ""
    if len(files) == 1:
        folder, slash, name = file.path.rpartition("/")
        head = (
            f'<tr data-at="{numbers[0]}"><th scope="row" class="name"><button type="button">'
            f"<small>{_text(folder + slash)}</small><b>{_text(name)}</b></button>{quorum}</th>"
        )
    else:
        paths = "\n".join(_text(each.path) for each in files)
        head = (
            f'<tr data-files="{" ".join(map(str, numbers))}"><th scope="row" class="name"><details>'
            f"<summary><small>{_text(readers.folder_of(files))}</small><b>{len(files)} files</b></summary>"
            f"<pre>{paths}</pre></details>{quorum}</th>"
        )
    return f'{head}<td class="number">{number}</td>{"".join(cells)}</tr>'


def _people(found: Report, people: list[Person]) -> str:
    rows = []
    for at, person in enumerate(people):
        states = [reader.state for file in found.files if (reader := file.of(person))]
        keys = "".join(f"<code>{_text(key.label)}</code>" for key in person.keys)
        counts = "".join(
            f'<td class="count{" zero" if not states.count(state) else ""}" data-label="{name}">'
            f"{states.count(state)}</td>"
            for state, name in _HEADS.items()
        )
        label = _text(person.label)
        pick = f'<input type="checkbox" class="pick scripted" aria-label="Count {label} in">'
        rows.append(
            f'<tr data-at="{at}"><th scope="row">{pick}<button type="button">{label}</button></th>'
            f'<td>{_text(person.kind)}</td><td class="keys">{keys}</td>{counts}</tr>'
        )
    heads = "".join(f'<th scope="col" class="count">{name}</th>' for name in _HEADS.values())
    body = "\n".join(rows)
    return f"""\
<div class="together scripted"><output id="together"></output>
<button type="button" class="plain" id="show-together" hidden>Show the files</button>
<button type="button" class="plain" id="clear" hidden>Clear</button></div>
<div class="box" tabindex="0" role="region" aria-label="People and their keys">
<table class="people" id="people-table">
<caption class="unseen">One row for each reader; numbers of files</caption>
<thead><tr><th scope="col">Who</th><th scope="col">Kind</th><th scope="col">Keys</th>{heads}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>"""


def _data(found: Report, people: list[Person]) -> object:
    """What the script needs to know."""
    place = {person: at for at, person in enumerate(people)}
    files = []
    for file in found.files:
        readers = [
            [place[reader.person], reader.state, _shown(access.when(found, file, reader))]
            for reader in sorted(file.readers, key=lambda reader: place[reader.person])
        ]
        notes = [_shown(note) for note in _notes(file)]
        files.append(
            {
                "path": _shown(file.path),
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
                "label": _shown(person.label),
                "head": _shown(person.short),
                "service": person.service,
                "keys": [[kind(key), _shown(key.label)] for key in person.keys],
            }
            for person in people
        ],
        "files": files,
    }


# --- text ----------------------------------------------------------------------------------------


def _when(seconds: int) -> str:
    return time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(seconds)).lstrip("0")


def _caveat(found: Report) -> str:
    if not found.dated:
        return ""
    return "; this clone has only a part of the history" if found.shallow else ""


def _shown(text: str) -> str:
    """A foreign text, with what is not printable (also what turns the direction of writing) made visible."""
    return escaped(text)


def _text(text: str) -> str:
    """A foreign text for between tags, or between double quotes."""
    return html.escape(_shown(text), quote=True)


def _json(data: object) -> str:
    """JSON in which nothing looks like markup."""
    import json

    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _resource(name: str) -> str:
    from importlib.resources import files

    return files("encconf.audit").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
