"""Find mistakes in the rules themselves: the part of `encconf.audit.check` that is about ``.sops.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from encconf.audit.findings import Finding, printable
from encconf.audit.rulebook import Rulebook, Rules
from encconf.errors import EncconfError
from encconf.text.printable import counted, listed

_FORMAT = (
    "The format of a file comes from its name and content; no setting changes it. "
    "To give another one, use --input-type and --output-type."
)


def of_rules(book: Rulebook, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about the .sops.yaml files that were read.

    ``whole`` says that all files of the repository were checked, so that unused rules can be reported.
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
        yield from _unselected(rules, name)
        for notice in list(rules.config.notices):
            place = rules.place(notice.partition(" ")[0])
            hint = _FORMAT if re.search(r"\b(?:in|out)put_type\b", notice) else None
            yield Finding("config-notice", name, notice, place=place, hint=hint)
        yield from _each(rules, name, whole=whole)


def _each(rules: Rules, name: str, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about each rule."""
    sound = True
    for use in rules.uses:
        at, rule = rules.place(use.name), use.rule
        if isinstance(rule, EncconfError):
            # Something else fills in a template before sops reads it.
            severity = "note" if _is_template(rules, use.number) else "warning"
            yield Finding("bad-config", name, rule.message, place=at, hint=rule.hint, severity=severity)
            sound = False
            continue
        if not rule.groups:
            said = f"{rule.name} names no key: name one on the command line or in the environment"
            yield Finding("config-notice", name, said, place=at, severity="note", hint="")
        if len(rule.groups) > 1 and not rule.threshold:
            said = f"{rule.name} has {len(rule.groups)} key groups and no shamir_threshold: to open a file,"
            said += " you need a key of every group"
            yield Finding("accidental-quorum", name, said, place=at)
        if whole and sound and not use.used:
            said = f"path_regex {printable(use.regex)}," if use.regex else "which has no path_regex,"
            yield Finding("unused-rule", name, f"{rule.name}, {said} applies to no file", place=at)


def _is_template(rules: Rules, number: int) -> bool:
    """Whether a rule has a variable to be filled in, such as ``${AGE_KEY}`` or ``{{ age_key }}``."""
    leaves = rules.config.leaves if rules.config is not None else ()
    own = (leaf.data or b"" for leaf in leaves if leaf.path[:2] == ("creation_rules", number))
    return any(re.search(rb"\$\{\w+\}|\{\{.*\}\}|\A\s*<[^<>]+>\s*\Z", data) for data in own)


def _unselected(rules: Rules, name: str) -> Iterator[Finding]:
    """Yield a finding for each selection that files have, but that their rule does not say."""
    for use in rules.uses:
        for selection, files in use.selections.items():
            entry = " and ".join(selection.as_written())
            count = counted(len(files), "file has", "files have")
            yield Finding(
                "rule-without-selection",
                name,
                f"{use.name} does not say which values are encrypted, and {count} {entry}: "
                f"{listed(map(printable, files), 3)}",
                place=rules.place(use.name),
                hint=f"In new files, every value is encrypted. To make them match, add {entry} to the rule.",
            )
