"""``encconf help error SLUG``: what an error or a finding means, and what to do about it.

help/errors.txt explains every slug that encconf prints in ``error[…]``, with its exit code.  It is also the
source of docs/reference/errors.md.  The findings of ``encconf check`` are in `encconf.audit.findings.KINDS`.
"""

from __future__ import annotations

from typing import NamedTuple

from encconf.audit.findings import KINDS, entries
from encconf.cli.console import Console
from encconf.errors import UsageError
from encconf.io.fileio import packaged
from encconf.text.words import did_you_mean


class Entry(NamedTuple):
    """The exit code of an error, what it means, and what to do."""

    code: int
    meaning: str
    do: str


ENTRIES = {
    slug: Entry(int(words[0]), meaning, do)
    for slug, words, meaning, do in entries(packaged("encconf.cli", "help/errors.txt"))
}


def slugs() -> list[str]:
    """Return the slugs of all errors and findings."""
    return [*ENTRIES, *(kind for kind in KINDS if kind not in ENTRIES)]


def show(console: Console, slugs: list[str]) -> None:
    """Print the entries of errors or findings, or without slugs the list of errors.  Raises UsageError."""
    if not slugs:
        width = max(map(len, ENTRIES))
        console.lines("".join(f"{slug:{width}}  {ENTRIES[slug].meaning}\n" for slug in ENTRIES))
        return
    console.lines("\n".join(_text(slug) for slug in slugs))


def _text(slug: str) -> str:
    texts = []
    entry = ENTRIES.get(slug)
    if entry is not None:
        texts += [f"error[{slug}], exit code {entry.code}", entry.meaning, entry.do]
    if slug in KINDS:
        kind = KINDS[slug]
        texts += [f"{kind.severity}[{slug}], a finding of encconf check", f"{kind.title}.", kind.help]
    if not texts:
        hint = did_you_mean(slug, [*ENTRIES, *KINDS]) or "encconf help error lists all errors"
        raise UsageError(f"unknown error {slug!r}", hint=hint)
    return "".join(f"{text}\n" for text in texts)
