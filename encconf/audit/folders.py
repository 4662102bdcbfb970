"""The files that `encconf.audit.check` looks at, by folder, with the rule of each.

Questions that have one answer for a folder are asked once: which ``.sops.yaml`` applies, and whether any
name is a sign of an encrypted file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import groupby

from encconf import formats
from encconf.audit import meant
from encconf.audit.findings import printable
from encconf.audit.rulebook import Rulebook, Rules
from encconf.errors import EncconfError, PatternError
from encconf.rules.config import Rule

_WORDS = (*meant.WORDS, ".encconf-")
"""Where no name has one of these, it is not `IGNORED`, and `encconf.io` left no such file."""
_AT_ONCE = 64
"""How many folders are looked at together, since one search in all their names often answers for all."""


class Folder:
    """Some files of one folder, by their base names.

    ``name`` is the folder as the files' names have it, and ``place`` its path; both end with a separator,
    unless ``name`` is empty.  ``alike``: no rule takes any of the files but the one that takes whatever is
    left.  ``dull``: nor does any of their names say that it is encrypted, or was left by a killed command,
    so only the content can.
    """

    __slots__ = ("alike", "bases", "dull", "name", "place", "rules")

    def __init__(self, name: str, place: str, bases: list[str], rules: Rules | None) -> None:
        self.name = name
        self.place = place
        self.bases = bases
        self.rules = rules
        self.alike = self.dull = False

    def named(self, base: str) -> Named:
        """One of its files, with its rule."""
        whole = f"{self.place}{base}"
        number, unsure = None, self.rules is not None and self.rules.config is None
        if self.rules is not None:
            try:
                number = self.rules.rest if self.alike else self.rules.find(whole)
            except PatternError:
                unsure = True
        return Named(f"{self.name}{base}", base, whole, self.rules, number, unsure=unsure)


def by_folder(names: Iterable[str], cwd: str, book: Rulebook) -> list[Folder]:
    """The folders of some files, in the order of their first ones; names may be relative to ``cwd``."""
    if os.sep != "/":
        names = (name.replace(os.sep, "/") for name in names)
    files: dict[str, list[str]] = {}
    last, bases = None, []
    for name in names:
        folder, slash, base = name.rpartition("/")
        if folder != last or not folder:  # else it is a neighbour, as most are
            last, bases = folder, files.setdefault(folder + slash, [])
        bases.append(base)
    here = os.path.abspath(cwd)
    found = []
    for folder, bases in files.items():
        place = os.path.normpath(os.path.join(here, folder)) if folder else here
        rules = book.of(place)
        found.append(Folder(folder, place if place.endswith(os.sep) else place + os.sep, bases, rules))
    for rules, same in groupby(found, key=lambda folder: folder.rules):
        waiting = list(same)
        for at in range(0, len(waiting), _AT_ONCE):
            some = waiting[at : at + _AT_ONCE]
            if not _look(some, rules):
                for one in some:
                    _look([one], rules)
    return found


def _look(folders: Sequence[Folder], rules: Rules | None) -> bool:
    """Set `Folder.alike` and `Folder.dull` of folders with the same rules, for all alike; whether all are."""
    alike = rules is None or rules.takes_none([(folder.place, folder.bases) for folder in folders])
    names = "\n".join(base for folder in folders for base in folder.bases).lower()
    dull = alike and not any(word in names for word in _WORDS)
    for folder in folders:
        folder.alike, folder.dull = alike, dull
    return dull


class Named:
    """A file that is not read yet: its ``name`` as it was given, its ``whole`` path, and its ``format``.

    ``number`` is that of its rule in ``rules``, None if it has none; ``unsure``: because its rules, or one of
    them, cannot be used.  ``meant`` says how serious it would be if the file were plaintext, "" where nothing
    says that it is encrypted.
    """

    __slots__ = ("base", "format", "meant", "name", "number", "rules", "unsure", "whole")

    def __init__(
        self, name: str, base: str, whole: str, rules: Rules | None, number: int | None, *, unsure: bool
    ) -> None:
        self.name = name
        self.base = base
        self.whole = whole
        self.rules = rules
        self.number = number
        self.unsure = unsure
        self.format = formats.of_path(base)
        self.meant = self._meant()

    def _meant(self) -> str:
        if self.rules is None or self.number is None:
            return "error" if self.is_called else ""
        if self.is_covered:
            return "error"
        return "warning" if self.format != "binary" and meant.is_secrets(self.base) else ""

    @property
    def is_called(self) -> bool:
        """Whether its name says that it is an encrypted file of a format."""
        return self.format != "binary" and meant.is_called(self.base)

    @property
    def is_covered(self) -> bool:
        """Whether its rule says that it is encrypted: a rule that matches every name does not."""
        if self.rules is None or self.number is None:
            return False
        return self.is_called or not self.rules.takes_all(self.number)

    def rule(self, cwd: str) -> tuple[Rule | None, str]:
        """Its rule, None if it has none that can be used, and what to call the rule in ``cwd``."""
        if self.rules is None or self.number is None:
            return None, ""
        where = f"creation_rules[{self.number}] of {printable(os.path.relpath(self.rules.path, cwd))}"
        try:
            return self.rules.rule(self.number), where
        except EncconfError:
            return None, where  # `encconf.audit.rulecheck` says why
