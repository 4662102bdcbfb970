"""The findings of `encconf.audit.check`: their kinds and severities.

`KINDS` is the complete list, made from findings.txt.  Reports, documentation and tests use it.  A finding
names files, keys, lines and public identifiers; it never contains a value.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property

from encconf.errors import UsageError
from encconf.io.fileio import packaged
from encconf.record import Record
from encconf.text.printable import printable as made_printable
from encconf.text.printable import quoted as made_quoted
from encconf.text.words import did_you_mean

SEVERITIES = ("note", "warning", "error")
"""In ascending order."""


class Kind(Record):
    """One kind of finding: its default severity, what it means, and what to do about it.

    ``unchecked`` says that something could not be checked, rather than that it is wrong.  ``by_cause`` says
    that the message is the same for all findings with the same cause; other messages name a value or a file.
    """

    severity: str
    title: str
    help: str
    unchecked: bool
    by_cause: bool


def entries(text: str) -> Iterator[tuple[str, list[str], str, str]]:
    """Yield the entries of a text: a slug with words about it, what it means, and what to do.

    The meaning and the advice are below the slug, indented by two columns.  A line that is indented by four
    columns continues the line before it.
    """
    for entry in text.replace("\n    ", " ").replace("\n  ", "\0").splitlines():
        head, meaning, do = entry.split("\0")
        slug, *words = head.split()
        yield slug, words, meaning, do


KINDS = {
    slug: Kind(words[0], title, help, "unchecked" in words, "by-cause" in words)
    for slug, words, title, help in entries(packaged("encconf.audit", "findings.txt"))
}


class Finding:
    """One finding.

    ``file`` is the name that the caller used.  ``line`` and ``column`` count from 1; 0 means no place.
    ``path`` is the path of a value, such as ``a.b[0]``, or "" for the whole file.  A report for people has
    one line for all findings of a kind with the same ``cause``.
    """

    __slots__ = ("cause", "column", "file", "hint", "line", "message", "path", "severity", "slug")

    def __init__(
        self,
        slug: str,
        file: str,
        message: str,
        *,
        hint: str | None = None,
        place: tuple[int, int] = (0, 0),
        path: str = "",
        severity: str | None = None,
        cause: str | None = None,
    ) -> None:
        kind = KINDS[slug]
        self.cause = cause or (message if kind.by_cause else kind.title)
        self.slug = slug
        self.file = file
        self.message = message
        self.hint = _about(kind.help if hint is None else hint, file, path)
        self.line, self.column = place
        self.path = path
        self.severity = severity or kind.severity

    @property
    def rank(self) -> int:
        """The severity as a number: 0 for a note, 2 for an error."""
        return SEVERITIES.index(self.severity)


def _about(help: str, file: str, path: str) -> str:
    """Return a kind's help with FILE and PATH filled in, quoted for a shell."""
    if path:
        help = help.replace(" PATH", f" {quoted(path)}")
    return help.replace(" FILE", f" {quoted(file)}")


def quoted(word: str) -> str:
    """Return an untrusted word as an argument of a command, quoted for a shell."""
    return made_quoted(printable(word, 4096))


class Ignored:
    """Kinds of findings to leave out: ``SLUG`` everywhere, or ``SLUG=GLOB`` for files that match the glob.

    A glob matches the whole name, relative to the folder that it was written for (``*`` also matches ``/``),
    or the name without its folders.  Raises UsageError for an unknown kind.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._globs: dict[str, list[str]] = {}
        for word in words:
            slug, equals, glob = word.partition("=")
            if slug not in KINDS:
                raise UsageError(
                    f"unknown kind of finding: {printable(slug)}",
                    hint=did_you_mean(slug, KINDS) or f"the kinds are: {', '.join(KINDS)}",
                )
            self._globs.setdefault(slug, []).append(glob if equals else "*")

    def __contains__(self, item: tuple[str, str]) -> bool:
        slug, name = item
        base = name.rpartition("/")[2]
        return any(fnmatchcase(name, glob) or fnmatchcase(base, glob) for glob in self._globs.get(slug, ()))


class Lines:
    """Converts offsets into a text to lines and columns, which count from 1.  Columns are in characters."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self._text))]

    def __call__(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def printable(text: str, limit: int = 200) -> str:
    """Return an untrusted text for a message: on one line, shortened, and without control characters."""
    return made_printable(text, limit)


def leading(name: str) -> str:
    """Return a file's name for the start of a line.  CI systems would execute a name like ``::error…``."""
    shown = printable(name, 4096)
    return f"./{shown}" if shown.lstrip().startswith(("::", "##")) else shown
