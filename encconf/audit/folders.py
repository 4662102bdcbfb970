"""The files that `encconf.audit.check` looks at, by folder, with the rule of each.

What is the same for all files of a folder is found out once: which ``.sops.yaml`` is theirs, and whether
any of their names says something.
"""

from __future__ import annotations

import os
from collections import defaultdict

from encconf import formats
from encconf.audit import meant
from encconf.audit.findings import printable
from encconf.errors import EncconfError, PatternError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from encconf.audit.rulebook import Rulebook, Rules
    from encconf.rules.config import Rule

IGNORED: Final = ".sops.yml"
"""A name that people give to a configuration, and that nobody reads."""
_WORDS: Final = (*meant.WORDS, ".encconf-")
"""Where no name has one of these, it is not `IGNORED`, and `encconf.io` left no such file."""


class Folder:
    """Files of one folder, as (name, base name).  ``place`` is its path, with a separator at its end.

    ``alike``: no rule takes any of them but the one that takes whatever is left.  ``dull``: nor does any of
    their names say that it is encrypted, or was left by a killed command, so only the content can.
    """

    __slots__ = ("alike", "dull", "files", "place", "rules")

    def __init__(self, book: Rulebook, place: str, files: list[tuple[str, str]]) -> None:
        bases = [base for _, base in files]
        words = "\n".join(bases).lower()
        self.files = files
        self.rules = book.of(place)
        self.place = place if place.endswith(os.sep) else place + os.sep
        self.alike = self.rules is None or self.rules.takes_none(place, bases)
        self.dull = self.alike and not any(word in words for word in _WORDS)

    def named(self, name: str, base: str) -> Named:
        """One of its files, with its rule."""
        whole = f"{self.place}{base}"
        number, unsure = None, self.rules is not None and self.rules.config is None
        if self.rules is not None:
            try:
                number = self.rules.rest if self.alike else self.rules.find(whole)
            except PatternError:
                unsure = True
        return Named(name, base, whole, self.rules, number, unsure=unsure)


def by_folder(names: Iterable[str], cwd: str, book: Rulebook) -> list[Folder]:
    """The folders of some files, in the order of their first ones; names may be relative to ``cwd``."""
    files: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in names:
        folder, slash, base = (name if os.sep == "/" else name.replace(os.sep, "/")).rpartition("/")
        files[folder or slash].append((name, base))
    here = os.path.abspath(cwd)
    return [
        Folder(book, os.path.normpath(os.path.join(here, folder)), found) for folder, found in files.items()
    ]


class Named:
    """A file before anything of it is read: its ``name`` as it was given, ``whole`` path and ``format``.

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
        return "warning" if self.format != "binary" and meant.SECRETS.search(self.base) else ""

    @property
    def is_called(self) -> bool:
        """Whether its name says that it is an encrypted file of a format."""
        return self.format != "binary" and meant.CALLED.search(self.base) is not None

    @property
    def is_covered(self) -> bool:
        """Whether it is for its rule to say that it is encrypted: not by one that takes whatever there is."""
        if self.rules is None or self.number is None:
            return False
        return self.is_called or not self.rules.takes_all(self.number)

    def rule(self, cwd: str) -> tuple[Rule | None, str]:
        """Its rule, None where it has none that can be used, and what to call it in ``cwd``."""
        if self.rules is None or self.number is None:
            return None, ""
        where = f"creation_rules[{self.number}] of {printable(os.path.relpath(self.rules.path, cwd))}"
        try:
            return self.rules.rule(self.number), where
        except EncconfError:
            return None, where  # `encconf.audit.rulecheck` says why
