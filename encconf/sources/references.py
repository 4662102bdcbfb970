"""Resolve references: when a file is loaded, secrets that are kept elsewhere replace them.

::

    password: ref+vault://secret/data/app#/password
    url: postgres://app:ref+awssm://app/db#/password+@db.example.com/app

The syntax is that of helmfile's vals (its README, and pkg/expansion/expand_match.go): ``ref+`` or
``secretref+`` and the address of a source, up to a blank, a line break or a plus sign.  A plus sign right
after it is part of the reference.  A value that is just a reference may also have encconf's own form,
without ``//``.  A resolved value is text, and is not searched for references again.  A reference inside a
reference is refused.

The text of a file decides what is fetched.  So only references that `Resolve` allows are resolved, and only
in values that the file's MAC covers.  Keys that open files are refused: those that ENCCONF_IDENTITY and
similar settings name, and any age identity.  Each secret is fetched once, at the same time as the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from encconf import sources
from encconf.errors import SourceError, UnresolvedError, is_temporary
from encconf.identities.credentials import Credentials
from encconf.io import threads
from encconf.record import Record
from encconf.sources import Uri
from encconf.sources.reference_rules import Resolve as Resolve
from encconf.sources.reference_rules import checked, key_addresses, key_error, uncovered_error, widened
from encconf.sources.reference_text import pieces_of
from encconf.text.document import Document, Value
from encconf.text.path import Path, spell

Place = tuple[str, Document, Sequence[Value], bytearray | None]
"""A file's name (or ""), its document, its values, and which of them its MAC covers (None means all)."""

LIMIT: Final = 1000
"""How many references one call resolves."""

VALUE_LIMIT: Final = 1 << 20
"""The largest value that replaces a reference, in bytes (1 MiB)."""

TOTAL_LIMIT: Final = 64 << 20
"""How many bytes all values together may have that replace references (64 MiB, like a file)."""

_WIDTH = 16  # how many calls run at a time
_IDENTITY = re.compile(r"AGE-SECRET-KEY-[A-Z]*-?1|AGE-PLUGIN-[A-Z0-9-]+1", re.ASCII | re.IGNORECASE)


class _Found(Record):
    """One reference: its place, its address, and its value, or why it has none."""

    file: str
    path: Sequence[str | int]
    uri: Uri | None = None
    answer: str | SourceError = ""


def resolve(
    places: Sequence[Place], rules: Resolve | bool, credentials: Credentials, under: Path = ()
) -> list[dict[int, str]]:
    """Return the texts for the leaves with references, by their numbers, for each of some opened documents.

    If ``rules`` is True, those of the environment are used.  Only leaves ``under`` a path are resolved.
    Raises UnresolvedError, which lists every path that could not be resolved, and no value.
    """
    rules = rules if isinstance(rules, Resolve) else Resolve.from_env(credentials.environ)
    keys: set[tuple[str, str]] = set()
    found: list[_Found] = []
    texts: list[tuple[int, int, list[str | _Found]]] = []  # the place, the leaf, and the leaf's pieces
    for number, (file, document, values, covered) in enumerate(places):
        for index, leaf in enumerate(document.leaves):
            made: list[str | _Found] = []
            for literal, address in pieces_of(leaf, values[index], under):
                if address is None:
                    made.append(literal)
                    continue
                reference = _Found(file, leaf.path)
                made.append(reference)
                found.append(reference)
                if len(found) > LIMIT:
                    raise UnresolvedError(
                        f"the files have more than {LIMIT} references", hint="load fewer files at once"
                    )
                keys = keys or key_addresses(credentials)
                try:
                    if covered is not None and not covered[index]:
                        raise uncovered_error()
                    reference.uri = checked(address, rules, credentials, keys)
                except SourceError as error:
                    reference.answer = error
            if made:
                texts.append((number, index, made))
    _check(found)  # before anything is fetched
    _fetch(found, rules, widened(credentials, rules))
    _check(found)
    results: list[dict[int, str]] = [{} for _ in places]
    for number, index, made in texts:
        results[number][index] = "".join(
            str(piece.answer) if isinstance(piece, _Found) else piece for piece in made
        )
    return results


def _check(found: Sequence[_Found]) -> None:
    """Raise one error for all problems.  If they are in one file, it names the file as other errors do."""
    problems = [(each, each.answer) for each in found if isinstance(each.answer, SourceError)]
    if not problems:
        return
    files = {reference.file for reference, _ in problems}
    which = "its only reference" if len(found) == 1 else f"{len(problems)} of {len(found)} references"
    lines = [f"{which} could not be resolved"]
    for reference, error in problems:
        where = spell(reference.path)
        if len(files) > 1:
            where = f"{reference.file}: {where}"
        what = f"  {reference.uri.label}" if reference.uri is not None else ""
        lines.append(f"  {where}{what}  {error.message}".replace("\n", "\n    "))
    hints = dict.fromkeys(error.hint for _, error in problems if error.hint)
    unresolved = UnresolvedError("\n".join(lines), hint="; ".join(hints) if len(hints) < 3 else None)
    unresolved.temporary = all(is_temporary(error) for _, error in problems)
    unresolved.file = files.pop() or None if len(files) == 1 else None
    raise unresolved


def _fetch(found: Sequence[_Found], rules: Resolve, credentials: Credentials) -> None:
    """Fetch the value of each address once, and give it to its references."""
    by_secret: dict[object, dict[Uri, list[_Found]]] = {}
    for reference in found:
        if reference.uri is not None:
            by_secret.setdefault(reference.uri.secret, {}).setdefault(reference.uri, []).append(reference)

    def ask(uris: Iterable[Uri]) -> dict[Uri, str | SourceError]:
        return {uri: _answer(uri, credentials) for uri in uris}

    jobs = [[uris] for uris in by_secret.values()]
    given = threads.race(ask, jobs, rules.call_timeout, rules.timeout, _WIDTH)
    total = 0
    for (uris,), (answers,) in zip(jobs, given, strict=True):
        if not isinstance(answers, dict):
            late = answers.message if answers is not None else f"no answer within {rules.timeout:g} s for all"
            answers = dict.fromkeys(uris, SourceError(late, reason="slow"))
        for uri, references in uris.items():
            for reference in references:
                reference.answer = answer = answers[uri]
                total += len(answer) if isinstance(answer, str) else 0
    if total > TOTAL_LIMIT:
        raise UnresolvedError(f"the values of the references are larger than {TOTAL_LIMIT >> 20} MiB")


def _answer(uri: Uri, credentials: Credentials) -> str | SourceError:
    try:
        text = sources.fetch_text(uri, credentials)
    except SourceError as error:
        return error
    if len(text.encode()) > VALUE_LIMIT:
        return SourceError(f"the value is larger than {VALUE_LIMIT >> 10} KiB", reason="wrong")
    shown = text
    if "encode" in uri.query:
        from binascii import a2b_base64

        with suppress(ValueError):  # a fallback
            shown = a2b_base64(text).decode("latin-1")
    return key_error() if _IDENTITY.search(shown) else text
