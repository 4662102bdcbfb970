"""Read files with ``NAME=value`` lines as python-dotenv, systemd, shells or docker read them, and write them.

- ``dotenv`` is python-dotenv 1.2: see `encconf.formats.dotenv.bindings`.
- ``systemd`` is ``EnvironmentFile=``: see `encconf.formats.envfile`.
- ``shell`` is how ``. ./file`` reads it, with POSIX's words and quotes; ``$`` and backquotes are expanded.
- ``docker`` is ``docker run --env-file`` (docker/cli, pkg/kvfile): everything after the first ``=`` is the
  value, including quotes and blanks.

Only variables of the file itself are expanded.  Values never contain variables of this process, and no
command is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from encconf import formats
from encconf.errors import EmitError, LimitError, UsageError
from encconf.formats import emit, envfile
from encconf.formats.dotenv import bindings, expanded, with_line_feeds
from encconf.record import Record
from encconf.text import document
from encconf.text.printable import listed


class Variable(Record):
    """A name with its expanded ``value``, and the value as ``written``.  ``comments`` come before it.

    ``needs`` lists what the dialect would expand, but is not in the file: names of other variables, or
    ``$(`` or a backquote for a command.  In this case, ``value`` is not expanded.
    """

    name: str
    written: str
    value: str
    needs: list[str]
    comments: list[str]


class Reading(Record):
    """A text as a dialect reads it: the last value of each name, in order.

    ``lost`` are the numbers of lines that the dialect cannot read, ``twice`` the names with several values,
    and ``trailing`` the comments at the end.
    """

    dialect: str
    variables: dict[str, Variable]
    lost: list[int]
    twice: list[str]
    trailing: list[str]

    @property
    def values(self) -> dict[str, str]:
        """Names and expanded values."""
        return {name: variable.value for name, variable in self.variables.items()}

    @property
    def written(self) -> dict[str, str]:
        """Names and values as written."""
        return {name: variable.written for name, variable in self.variables.items()}


def read(text: str, dialect: str) -> Reading:
    """Read a text in a dialect.  Raises UsageError for an unknown dialect."""
    read = _READERS.get(dialect)
    if read is None:
        raise UsageError(f"unknown dialect {dialect!r}", hint=f"dialects are: {', '.join(DIALECTS)}")
    reader = _Reader(text, dialect)
    read(reader)
    return reader.reading


def guess(path: str) -> str:
    """Return the likely dialect of a path: systemd in folders for services, or else dotenv."""
    return "systemd" if re.search(r"/etc/(default|sysconfig|conf\.d|systemd)/", path) else "dotenv"


def differences(text: str, reading: Reading) -> dict[str, list[str]]:
    """Return the names that other dialects read differently, or not at all, with those dialects."""
    found: dict[str, list[str]] = {}
    for dialect in DIALECTS:
        if dialect == reading.dialect:
            continue
        try:
            other = read(text, dialect).variables
        except LimitError:  # of a dialect that expands more
            other = {}
        for name in {**reading.variables, **other}:
            ours, theirs = reading.variables.get(name), other.get(name)
            if ours is None or theirs is None or (ours.value, ours.needs) != (theirs.value, theirs.needs):
                found.setdefault(name, []).append(dialect)
    return found


# shells
_BETWEEN = re.compile(r"[ \t\n]*")
_BLANKS = re.compile(r"[ \t]*")
_REST = re.compile(r"[^\n]*")
_EXPORTED = re.compile(r"(?:export[ \t]+)?")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_QUIET = re.compile(  # commands that change no value
    r"(?:set[ \t]+[-+](?:a|o[ \t]+allexport)|export(?:[ \t]+[A-Za-z_][A-Za-z0-9_]*)+)[ \t]*(?=[\n;#]|\Z)"
)
_WORD = re.compile(
    r"""
    '(?P<single>[^']*)'
    | \\(?P<escaped>[^\n])
    | "(?P<double>(?:\\.|[^"\\])*)"
    | (?P<plain>(?:[^ \t\n'"\\;&|<>()]|\\\n)+)
    """,
    re.VERBOSE | re.DOTALL,
)
# A backslash with what follows, a variable, or anything else that a shell would expand.
_MEANT = re.compile(
    r"""\\(?P<escaped>.) | \$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\} | (?P<name>[A-Za-z_][A-Za-z0-9_]*))
    | (?P<other>\$[{(0-9@*#?$!'"-]|`)""",
    re.DOTALL | re.VERBOSE,
)


EXPANDED_LIMIT = 16 << 20
"""How many characters the variables of a text may add to other values.  An environment holds less."""

_ANY_LINE_BREAKS = ("dotenv",)
"""The dialects that read each line break as a line feed, even in a value, as python-dotenv and node do."""


class _Reader:
    def __init__(self, text: str, dialect: str) -> None:
        if dialect in _ANY_LINE_BREAKS:
            text = with_line_feeds(text)
        self.text = text.removeprefix("\ufeff") if dialect == "docker" else text
        self.reading = Reading(dialect, {}, [], [], [])
        self.bare: set[str] = set()
        self._counted = (0, 1)  # an offset and its line, to continue counting from
        self._expanded = 0
        self._line: list[tuple[str, Variable | None]] = []  # what a line of a shell has changed, from what

    def add(self, name: str, written: str, value: str | None = None, needs: list[str] | None = None) -> None:
        """Add a variable.  Its value is expanded only if ``needs`` is empty."""
        variables = self.reading.variables
        if name in variables:
            self.reading.twice.append(name)
        self._line.append((name, variables.get(name)))
        value = written if value is None or needs else value
        variables[name] = Variable(name, written, value, needs or [], self.reading.trailing)
        self.reading.trailing = []

    def known(self, name: str) -> str | None:
        """Return the value of an earlier variable, or None if it is not known."""
        variable = self.reading.variables.get(name)
        return self.counted(variable.value) if variable is not None and not variable.needs else None

    def counted(self, value: str) -> str:
        """Count a value that becomes part of another.  Raises LimitError if they get too long together."""
        self._expanded += len(value)
        if self._expanded > EXPANDED_LIMIT:
            raise LimitError(
                f"its variables expand to more than {EXPANDED_LIMIT >> 20} MiB",
                hint="write the final values into the file",
            )
        return value

    def lose(self, at: int) -> None:
        """Note the line of an offset, which is after the previous one, as one that cannot be read."""
        before, line = self._counted
        self._counted = at, line + self.text.count("\n", before, at)
        self.reading.lost.append(self._counted[1])

    def dotenv(self) -> None:
        for line in bindings(self.text):
            if line.comment is not None:
                self.reading.trailing.append(line.comment)
            elif line.name is None:
                self.lose(line.start)
            elif line.value is None:
                self.lose(line.start)  # a name without a value; it loses an earlier value
                self.reading.variables.pop(line.name, None)
                self.bare.add(line.name)
            else:
                self.add(line.name, line.value, *self._interpolated(line.value))

    def _interpolated(self, written: str) -> tuple[str, list[str]]:
        needs: list[str] = []

        def value(name: str, default: str | None) -> str:
            found = self.known(name)
            if found is None and name not in self.reading.variables and name not in self.bare:
                found = default
            if found is None:
                needs.append(name)
            return found or ""

        return expanded(written, value), needs

    def systemd(self) -> None:
        for at, name, value in envfile.scan(self.text):
            if not name:
                self.reading.trailing.append((value or "")[1:])
            elif value is None:
                self.lose(at)
            else:
                self.add(name, value)

    def shell(self) -> None:
        at = 0
        while (start := _end_of(_BETWEEN, self.text, at)) < len(self.text):
            if "\n" in self.text[at:start]:
                self._line.clear()
            at = start
            if self.text[at] == "#":
                end = _end_of(_REST, self.text, at)
                self.reading.trailing.append(self.text[at + 1 : end].removesuffix("\r"))
                at = end
                continue
            quiet = _QUIET.match(self.text, at)
            end = quiet.end() if quiet is not None else self._shell_line(at)
            sign = self.text[end : end + 2]
            if end == at or sign in (";;", ";&"):
                self._syntax_error(at)
                return
            at = end + (sign[:1] == ";")

    def _syntax_error(self, at: int) -> None:
        """Note a line that a shell cannot read: it reads nothing of this line and of those below it."""
        for name, before in reversed(self._line):
            if before is None:
                del self.reading.variables[name]
            else:
                self.reading.variables[name] = before
        while at < len(self.text):
            self.lose(at)
            at = _end_of(_BETWEEN, self.text, _end_of(_REST, self.text, at))

    def _shell_line(self, at: int) -> int:
        """Read the assignments of one command, and return its end.  Any other command counts as lost."""
        start, at = at, _end_of(_EXPORTED, self.text, at)
        exported = at > start
        pending: list[tuple[str, str, str, list[str]]] = []
        values: dict[str, str] = {}

        def known(name: str) -> str | None:
            return self.counted(values[name]) if name in values else self.known(name)

        while assignment := _ASSIGNMENT.match(self.text, at):
            name = assignment[1]
            needs: list[str] = []
            written, _ = _shell_word(self.text, assignment.end(), None, needs)
            value, end = _shell_word(self.text, assignment.end(), known, needs)
            pending.append((name, written, value, needs))
            if not needs and not exported:  # export expands all its words before it assigns any
                values[name] = value
            at = _end_of(_BLANKS, self.text, end)
        if at < len(self.text) and self.text[at] not in "\n;#":
            self.lose(start)
            return _end_of(_REST, self.text, at)
        for variable in pending:
            self.add(*variable)
        return _end_of(_REST, self.text, at) if self.text[at : at + 1] == "#" else at

    def docker(self) -> None:
        for number, whole in enumerate(self.text.split("\n"), 1):
            line = whole.removesuffix("\r").lstrip()
            name, equals, value = line.partition("=")
            if line.startswith("#"):
                self.reading.trailing.append(line[1:])
            elif line and (not equals or not name or re.search(r"\s", name)):
                self.reading.lost.append(number)
            elif line:
                self.add(name, value)


_READERS = {
    "dotenv": _Reader.dotenv,
    "systemd": _Reader.systemd,
    "shell": _Reader.shell,
    "docker": _Reader.docker,
}
DIALECTS = tuple(_READERS)


def _shell_word(
    text: str, at: int, known: Callable[[str], str | None] | None, needs: list[str]
) -> tuple[str, int]:
    """Return a word and where it ends.  With ``known``, it is expanded; ``needs`` gets what is unknown."""

    def meant(sign: re.Match[str]) -> str:
        if (escaped := sign["escaped"]) is not None:
            return escaped.replace("\n", "") if escaped in '"\\$`\n' else sign[0]
        if known is None:
            return sign[0]
        name = sign["braced"] or sign["name"]
        value = known(name) if name else None
        if value is None:
            needs.append(name or sign[0])
        return value or ""

    parts: list[str] = []
    while part := _WORD.match(text, at):
        at = part.end()
        single, escaped, double, plain = part.groups()
        if single is not None:
            parts.append(single)
        elif escaped is not None:
            parts.append(escaped)
        elif said := _joined(plain if plain is not None else double):
            if known is not None and plain is not None:
                needs += _only_shells_know(said, text[at : at + 1], first=not parts)
            parts.append(_MEANT.sub(meant, said))
    return "".join(parts), at


def _only_shells_know(said: str, next: str, *, first: bool) -> list[str]:
    """Return what only a shell expands in a part of a word without quotes: a home folder, and ``$'…'``."""
    found = ["~"] if re.search(r"(?:\A|:)~" if first else r":~", said) else []
    return [*found, f"${next}"] if said.endswith("$") and next in ("'", '"') else found


def _joined(part: str) -> str:
    """Return a part of a word without the ends of continued lines: a shell removes them first of all."""
    return re.sub(r"\\(.)", lambda sign: "" if sign[1] == "\n" else sign[0], part, flags=re.S)


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the match of a pattern ends, or ``at`` if it does not match."""
    found = pattern.match(text, at)
    return found.end() if found is not None else at


# --- variables as plaintext in one of encconf's formats -------------------------------------------
# The text is read again, so that a value that the format cannot store is found before anything is saved.

Value = str | bool | int

FORMATS = ("yaml", "json", "toml", "dotenv")
"""The formats in which variables can be written.  JSON loses the comments."""


SPELLED: Final = re.compile(r"(?i:true|false)|-?(?:0|[1-9][0-9]{0,17})")
"""Texts that `cast` turns into a boolean or a whole number."""


def misread(values: Mapping[str, str]) -> list[str]:
    """Return notes about values that a Python program may misread, other than the words true and false.

    In Python, every text is true, except the empty one.  A default does not replace an empty text.
    """
    said = []
    words = [name for name, text in values.items() if text.lower() in ("0", "no", "off")]
    empty = [name for name, text in values.items() if not text]
    if words:
        said.append(f"{listed(words)}: kept as text, which is true in Python")
    if empty:
        verb = "is" if len(empty) == 1 else "are"
        said.append(f"{listed(empty)} {verb} set but empty, so defaults in your code do not apply")
    return said


def cast(values: Mapping[str, str]) -> dict[str, Value]:
    """Return the values.  Texts that spell a boolean or a whole number are converted."""
    return {name: _cast(text) if SPELLED.fullmatch(text) else text for name, text in values.items()}


def _cast(text: str) -> bool | int:
    word = text.lower()
    return word == "true" if word in ("true", "false") else int(text)


def render(reading: Reading, values: Mapping[str, Value], format: str) -> str:
    """Return a text that loads as ``values`` in a format, with the comments of ``reading``.

    Raises UsageError for a format that is not in `FORMATS`, EmitError for a value that it cannot store.
    """
    if format not in FORMATS:
        raise UsageError(
            f"variables cannot be stored as {format}", hint="use -o NAME.enc.yaml, .json, .toml or .env"
        )
    before = {name: reading.variables[name].comments for name in values}
    if format == "dotenv":
        lines = []
        for name, value in values.items():
            lines += [f"#{comment}" for comment in before[name]]
            lines.append(f"{name}={_word(str(value))}")
        text = "".join(f"{line}\n" for line in [*lines, *(f"#{comment}" for comment in reading.trailing)])
    else:
        members = {
            name: document.Value(type(value).__name__, str(value).encode()) for name, value in values.items()
        }
        comments: emit.Comments = {
            name: [(comment, False) for comment in above] for name, above in before.items() if above
        }
        if reading.trailing:
            comments[None] = [(comment, False) for comment in reading.trailing]
        text = emit.render([emit.CommentedDict(members, comments)], format)
    _check(text, values, format)
    return text


def _word(value: str) -> str:
    """Return a value without quotes if sops reads it back as it is, or else in double quotes."""
    line = value.replace("\n", "\\n")
    if "\\n" not in value and formats.get("dotenv").load_plain(f"A={line}\n")[0].get("A") == value:
        return line
    signs = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
    return f'"{"".join(signs.get(sign, sign) for sign in value)}"'


def _check(text: str, values: Mapping[str, Value], format: str) -> None:
    read = formats.get(format).load_plain(text)[0] if values else {}
    wrong = [name for name in {**values, **read} if read.get(name) != values.get(name)]
    if wrong:
        raise EmitError(
            f"{', '.join(wrong[:5])} cannot be stored exactly in {format}", hint="use -o NAME.enc.yaml"
        )
