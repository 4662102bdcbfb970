"""Generated three-way merges whose result is known: two edits of one text that do not touch each other.

An edit replaces pieces of a text, each of which stands in it once; the sides of a case are the base with
one edit each, and the result is the base with both.  What the edits are is written by hand for each
format, their pairs are not.
"""

from __future__ import annotations

import itertools

Edit = tuple[tuple[str, str], ...]

_YAML = """\
# the settings
app:
  name: shop
  debug: false   # never in production

# where the data is
db:
  host: localhost
  port: 5432
  password: "hunter2"
  options:
    ssl: true
    pool: 10

users:
  - alice
  - bob
  - carol

hooks:
  - name: start
    run: ./start.sh
  - name: stop
    run: ./stop.sh

sizes: [1, 2, 3]

text: |
  first line
  second line
note_unencrypted: free to read
last: 1
"""
_YAML_EDITS: dict[str, Edit] = {
    "change": (('"hunter2"', '"hunter3"'),),
    "add": (("  port: 5432\n", "  port: 5432\n  user: admin\n"),),
    "delete": (("    pool: 10\n", ""),),
    "list-add": (("  - bob\n", "  - bob\n  - dave\n"),),
    "list-delete": (("  - alice\n", ""),),
    "item-change": (("    run: ./stop.sh\n", "    run: ./stop.sh --now\n"),),
    "item-add": (("  - name: start\n", "  - name: prepare\n    run: ./prepare.sh\n  - name: start\n"),),
    "flow-add": (("1, 2, 3]", "1, 2, 3, 4]"),),
    "comment-change": (("# where the data is\n", "# where the data lives\n"),),
    "comment-add": (("last: 1\n", "# the end\nlast: 1\n"),),
    "comment-delete": (("   # never in production", ""),),
    "move": (
        ("text: |\n  first line\n  second line\n", ""),
        ("db:\n", "text: |\n  first line\n  second line\ndb:\n"),
    ),
    "block-change": (("  second line\n", "  second line\n  third line\n"),),
    "restyle": (("name: shop", "name: 'shop'"),),
    "type": (("debug: false", 'debug: "false"'),),
    "plain": (("free to read", "read by anyone"),),
    "section": (("last: 1\n", "last: 1\nextra:\n  a: 1\n  b: [x, y]\n"),),
    "blank": (("\n\nhooks:\n", "\nhooks:\n"),),
}  # fmt: skip

_JSON = """\
{
  "app": {
    "name": "shop",
    "debug": false
  },
  "db": {
    "host": "localhost",
    "port": 5432,
    "password": "hunter2",
    "options": {"ssl": true, "pool": 10, "wait": 1.5}
  },
  "users": [
    "alice",
    "bob",
    "carol"
  ],
  "hooks": [
    {"name": "start", "run": "./start.sh"},
    {"name": "stop", "run": "./stop.sh"}
  ],
  "text": "line\\nline",
  "note_unencrypted": "free to read",
  "last": null
}
"""
_JSON_EDITS: dict[str, Edit] = {
    "change": (('"hunter2"', '"hunter3"'),),
    "add": (('    "port": 5432,\n', '    "port": 5432,\n    "user": "admin",\n'),),
    "delete": ((' "pool": 10,', ""),),
    "list-add": (('    "bob",\n', '    "bob",\n    "dave",\n'),),
    "list-delete": (('    "alice",\n', ""),),
    "item-change": (("./stop.sh", "./stop.sh --now"),),
    "move": (('  "text": "line\\nline",\n', ""), ('  "db": {\n', '  "text": "line\\nline",\n  "db": {\n')),
    "restyle": (('"shop"', '"\\u0073hop"'),),
    "type": (('"debug": false', '"debug": "false"'),),
    "plain": (("free to read", "read by anyone"),),
    "section": (('  "last": null\n', '  "last": null,\n  "extra": {"a": [1, 2]}\n'),),
}

_DOTENV = """\
# the settings
APP_NAME=shop
DEBUG=false

# where the data is
DB_HOST=localhost
DB_PORT=5432
DB_PASSWORD="hunter2"
DB_POOL=10

USERS=alice,bob

# free
note_unencrypted=free to read
TOKEN=abc
LAST=1
"""
_DOTENV_EDITS: dict[str, Edit] = {
    "change": (("hunter2", "hunter3"),),
    "add": (("DB_PORT=5432\n", "DB_PORT=5432\nDB_USER=admin\n"),),
    "delete": (("DB_POOL=10\n", ""),),
    "comment-change": (("# where the data is\n", "# where the data lives\n"),),
    "comment-add": (("LAST=1\n", "# the end\nLAST=1\n"),),
    "comment-delete": (("# free\n", ""),),
    "move": (("TOKEN=abc\n", ""), ("DEBUG=false\n", "TOKEN=abc\nDEBUG=false\n")),
    "restyle": (("APP_NAME=shop", "APP_NAME='shop'"),),
    "plain": (("free to read", "read by anyone"),),
    "end": (("LAST=1\n", "LAST=1\nEXTRA=2\n"),),
}

_INI = """\
; the settings
[app]
name = shop
debug = false

; where the data is
[db]
host = localhost
port = 5432
password = hunter2
pool = 10

[users]
; the first
admin = alice
other = bob

[notes]
note_unencrypted = free to read
last = 1
"""
_INI_EDITS: dict[str, Edit] = {
    "change": (("hunter2", "hunter3"),),
    "add": (("port = 5432\n", "port = 5432\nuser = admin\n"),),
    "delete": (("pool = 10\n", ""),),
    "comment-change": (("; where the data is\n", "; where the data lives\n"),),
    "comment-add": (("last = 1\n", "; the end\nlast = 1\n"),),
    "comment-delete": (("; the first\n", ""),),
    "restyle": (("name = shop", "name=shop"),),
    "plain": (("free to read", "read by anyone"),),
    "section": (("last = 1\n", "last = 1\n\n[extra]\na = 1\n"),),
    "section-delete": (("[users]\n; the first\nadmin = alice\nother = bob\n\n", ""),),
}

_TOML = """\
# the settings
title = "shop"

[app]
debug = false   # never in production

# where the data is
[db]
host = "localhost"
port = 5432
password = "hunter2"
options = { ssl = true, pool = 10, wait = 1.5 }
users = [
  "alice",
  "bob",
  "carol",
]

[[hooks]]
name = "start"
run = "./start.sh"

[[hooks]]
name = "stop"
run = "./stop.sh"

[text]
long = \"\"\"
first line
second line
\"\"\"
note_unencrypted = "free to read"
last = 1
"""
_TOML_EDITS: dict[str, Edit] = {
    "change": (('"hunter2"', '"hunter3"'),),
    "add": (("port = 5432\n", 'port = 5432\nuser = "admin"\n'),),
    "delete": ((" pool = 10,", ""),),
    "list-add": (('  "bob",\n', '  "bob",\n  "dave",\n'),),
    "list-delete": (('  "alice",\n', ""),),
    "item-change": (('"./stop.sh"', '"./stop.sh --now"'),),
    "item-add": (("[text]\n", '[[hooks]]\nname = "clean"\nrun = "./clean.sh"\n\n[text]\n'),),
    "comment-change": (("# where the data is\n", "# where the data lives\n"),),
    "comment-add": (("last = 1\n", "# the end\nlast = 1\n"),),
    "comment-delete": (("   # never in production", ""),),
    "restyle": (('"shop"', "'shop'"),),
    "type": (("debug = false", 'debug = "false"'),),
    "plain": (("free to read", "read by anyone"),),
    "section": (("last = 1\n", "last = 1\n\n[extra]\na = 1\n"),),
}

TEXTS = {
    "yaml": (_YAML, _YAML_EDITS),
    "json": (_JSON, _JSON_EDITS),
    "dotenv": (_DOTENV, _DOTENV_EDITS),
    "ini": (_INI, _INI_EDITS),
    "toml": (_TOML, _TOML_EDITS),
}

# Two edits of one place: what is added in front of a line, or behind it, has no other order.
_TOGETHER = {frozenset({"comment-add", "section"}), frozenset({"comment-add", "end"})}


class Case:
    """A merge: three texts, and the one that comes out."""

    def __init__(
        self, format: str, names: tuple[str, str], base: str, ours: str, theirs: str, merged: str
    ) -> None:
        self.format = format
        self.names = names
        self.base = base
        self.ours = ours
        self.theirs = theirs
        self.merged = merged

    @property
    def id(self) -> str:
        return f"{self.format}-{self.names[0]}-{self.names[1]}"


def edited(text: str, edit: Edit) -> str:
    """A text with an edit in it."""
    for old, new in edit:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    return text


def cases() -> list[Case]:
    """Every pair of edits in every format, and every edit made by both sides."""
    found = []
    for format, (base, edits) in TEXTS.items():
        for one, other in itertools.combinations(edits, 2):
            if frozenset({one, other}) in _TOGETHER or _overlap(edits[one], edits[other]):
                continue
            ours, theirs = edited(base, edits[one]), edited(base, edits[other])
            found.append(Case(format, (one, other), base, ours, theirs, edited(ours, edits[other])))
        for name, edit in edits.items():
            both = edited(base, edit)
            found.append(Case(format, (name, name), base, both, both, both))
    return found


def _overlap(one: Edit, other: Edit) -> bool:
    """Whether a piece that one edit replaces is part of what the other does."""
    return any(a in b or b in a for a, _ in one for b, _ in other)


CASES = cases()
