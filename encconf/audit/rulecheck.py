"""Find mistakes in the rules themselves: the part of `encconf.audit.check` that is about ``.sops.yaml``."""

from __future__ import annotations

import os
from collections.abc import Iterator

from encconf.audit.findings import Finding, printable
from encconf.audit.rulebook import Rulebook, Rules
from encconf.errors import EncconfError
from encconf.rules.selection import Selection
from encconf.text.printable import counted, listed

Selections = dict[tuple[Rules, int, Selection], list[str]]  # files by configuration, rule and own selection


def of_rules(book: Rulebook, selections: Selections, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about the .sops.yaml files that were read.

    ``selections`` are the selections of files whose rules do not say which values to encrypt.  ``whole`` says
    that all files of the repository were checked, so that unused rules can be reported.
    """
    for rules in book.read:
        name = os.path.relpath(rules.path, book.cwd)
        for place, said in rules.read_ignored():
            yield Finding("config-notice", name, f"encconf: ignore …: {said}", place=place)
        if rules.error is not None:
            error = rules.error
            yield Finding("bad-config", name, error.message, place=(1, 1), hint=error.hint)
            continue
        assert rules.config is not None
        yield from _unselected(rules, name, selections)
        for notice in list(rules.config.notices):
            place = rules.place(notice.partition(" ")[0])
            yield Finding("config-notice", name, notice, place=place)
        yield from _each(rules, name, whole=whole)


def _each(rules: Rules, name: str, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about each rule."""
    sound = True
    for number, regex in enumerate(rules.patterns):
        at = rules.place(f"creation_rules[{number}]")
        try:
            if regex:
                rules.takes_all(number)
            rule = rules.rule(number)
        except EncconfError as error:
            said, hint = error.message, error.hint
            yield Finding("bad-config", name, said, place=at, hint=hint, severity="warning")
            sound = False
            continue
        if not rule.groups:
            said = f"{rule.name} names no key: name one on the command line or in the environment"
            yield Finding("config-notice", name, said, place=at, severity="note", hint="")
        if len(rule.groups) > 1 and not rule.threshold:
            said = f"{rule.name} has {len(rule.groups)} key groups and no shamir_threshold: to open a file,"
            said += " you need a key of every group"
            yield Finding("accidental-quorum", name, said, place=at)
        if whole and sound and number not in rules.used:
            said = f"path_regex {printable(regex)}," if regex else "which has no path_regex,"
            yield Finding("unused-rule", name, f"{rule.name}, {said} applies to no file", place=at)


def _unselected(rules: Rules, name: str, selections: Selections) -> Iterator[Finding]:
    """Yield a finding for each selection that files have, but that their rule does not say."""
    for (chosen, number, selection), files in selections.items():
        if chosen is not rules:
            continue
        entry = " and ".join(selection.as_written())
        count = counted(len(files), "file has", "files have")
        yield Finding(
            "rule-without-selection",
            name,
            f"creation_rules[{number}] does not say which values are encrypted, and {count} {entry}: "
            f"{listed([printable(file) for file in files], 3)}",
            place=rules.place(f"creation_rules[{number}]"),
            hint=f"In new files, every value is encrypted. To make them match, add {entry} to the rule.",
        )
