"""The files that `encconf.audit.check` checks, by folder, with the rule of each.

Questions with one answer for a whole folder are asked only once: which ``.sops.yaml`` applies, and whether
any name says that its file is encrypted.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from encconf import formats
from encconf.audit import meant
from encconf.audit.rulebook import Rulebook, Rules, RuleUse
from encconf.errors import PatternError
from encconf.rules.config import Rule

_WORDS = (*meant.WORDS, ".encconf-")
"""If a name has none of these, it does not call its file encrypted, and `encconf.io` did not leave it."""
_AT_ONCE = 64
"""How many folders are checked together, since one search in all their names often answers for all."""


class Folder:
    """Some files of one folder, by their base names.

    ``name`` is the folder's part of the files' names, and ``place`` is its path.  Both end with a separator,
    unless ``name`` is empty.  ``alike`` says that the same rule applies to all files: the one that matches
    every name (`Rules.rest`), or none.  ``dull`` says that, in addition, no name says that its file is
    encrypted or was left behind by a killed command, so only the content of each file can say so.
    """

    __slots__ = ("alike", "bases", "dull", "name", "place", "rules")

    def __init__(self, name: str, place: str, bases: list[str], rules: Rules | None) -> None:
        self.name = name
        self.place = place
        self.bases = bases
        self.rules = rules
        self.alike = self.dull = False


def by_folder(names: Iterable[str], cwd: str, book: Rulebook) -> list[Folder]:
    """Group files by folder, in the order of each folder's first file.  Names may be relative to ``cwd``."""
    if os.sep != "/":
        names = (name.replace(os.sep, "/") for name in names)
    files: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folder, slash, base = name.rpartition("/")
        files[folder + slash].append(base)
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
    """Set `Folder.alike` and `Folder.dull` of folders with the same rules.  Returns whether all are dull."""
    alike = rules is None or rules.takes_none([(folder.place, folder.bases) for folder in folders])
    names = "\n".join(base for folder in folders for base in folder.bases).lower()
    dull = alike and not any(word in names for word in _WORDS)
    for folder in folders:
        folder.alike, folder.dull = alike, dull
    return dull


class Named:
    """A file that is not read yet: its ``name`` as it was given, its ``whole`` path, and its ``format``.

    ``chosen`` is its rule (one of ``rules``) or None.  ``unsure`` says that its rule is not
    known, because ``rules`` or one of them cannot be used.  ``meant`` is the severity of a finding that the
    file is plaintext, or "" if it need not be encrypted.
    """

    __slots__ = ("base", "chosen", "format", "meant", "name", "rules", "unsure", "whole")

    def __init__(self, folder: Folder, base: str) -> None:
        self.name = f"{folder.name}{base}"
        self.base = base
        self.whole = f"{folder.place}{base}"
        self.rules = rules = folder.rules
        self.chosen: RuleUse | None = None
        self.unsure = rules is not None and rules.config is None
        if rules is not None:
            try:
                self.chosen = rules.rest if folder.alike else rules.find(self.whole)
            except PatternError:
                self.unsure = True
        self.format = formats.of_path(base)
        self.meant = ""
        if self.is_covered if self.chosen is not None else self.has_encrypted_name:
            self.meant = "error"
        elif self.chosen is not None and not formats.get(self.format).single_value and meant.is_secrets(base):
            self.meant = "warning"

    @property
    def has_encrypted_name(self) -> bool:
        """Whether its name says that it is an encrypted file of a format."""
        return not formats.get(self.format).single_value and meant.has_encrypted_name(self.base)

    @property
    def is_covered(self) -> bool:
        """Whether its rule says that it must be encrypted.  A rule that matches every name does not."""
        return self.chosen is not None and (self.has_encrypted_name or not self.chosen.takes_all)

    def rule(self, cwd: str) -> tuple[Rule | None, str]:
        """Return its rule, or None if no rule is usable, and the rule's name in messages."""
        if self.chosen is None:
            return None, ""
        rule = self.chosen.rule  # `encconf.audit.rulecheck` reports an error
        return rule if isinstance(rule, Rule) else None, self.chosen.where(cwd)
