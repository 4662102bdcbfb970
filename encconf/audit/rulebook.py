"""Find the creation rules of very many files.  Each ``.sops.yaml`` is read once.

The answers are those of `encconf.rules.config.find_rule`.  If a ``.sops.yaml`` or a rule cannot be used, its
error is kept.  A comment in a ``.sops.yaml`` can accept findings (`encconf.audit.findings`)::

    # encconf: ignore short-value, plain-twin=examples/*
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import groupby

from encconf import formats
from encconf.audit import guesses
from encconf.audit.findings import Ignored, Lines, printable
from encconf.audit.names import key_id
from encconf.errors import EncconfError, PatternError, UsageError
from encconf.io import fileio
from encconf.rules import config as configs
from encconf.rules.config import PROPOSAL, Rule, compiled, proposed_file
from encconf.rules.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.names import Names
    from encconf.keys import MasterKey


_IGNORE = r"(?m)^[ \t]*#[ \t]*encconf:[ \t]*ignore[ \t]+(.+?)[ \t]*$"
# A pattern that matches all of these names counts as one that matches every name.  The first one has no
# character that people write in patterns, so few patterns are tried on the others.
_ANY_NAMES = ("\x1f", "a/b/c/d.e/f-g.yaml", "x" * 255, "ä", *"azAZ09._-+@~")
_WILD = r"(?<!\\)[*+?\[|]|\\[wWdDsS]"
_FILE = r"\w\\\.\w+\$?\Z"
_LONG = 32  # characters shown of a key without a name
_WHOLE_TEXT = re.compile(r"\\[Az]|\(\?[A-Za-z]*-")  # \A, \z, and groups that switch flags off


class RuleUse:
    """One creation rule, and what is known about the files that it applies to.

    ``used`` says that there are such files.  ``covered`` is the number of files that must be encrypted
    because of it, and ``sealed`` the number of its files that are.  If it does not say which values to
    encrypt, ``selections`` are the files by their own selection.
    """

    def __init__(self, rules: Rules, number: int, regex: str) -> None:
        self.rules = rules
        self.number = number
        self.regex = regex
        self.name = f"creation_rules[{number}]"
        self.used = False
        self.covered = 0
        self.sealed = 0
        self.selections: dict[Selection, list[str]] = defaultdict(list)

    @cached_property
    def takes_all(self) -> bool:
        """Whether it matches every name.  Such a rule says how to encrypt files, but not which.

        Raises PatternError.
        """
        if not self.regex:
            return True
        return all(map(compiled(f"{self.name}.path_regex", self.regex).search, _ANY_NAMES))

    @cached_property
    def rule(self) -> configs.Rule | EncconfError:
        """The rule, or the error that says why it cannot be used."""
        assert self.rules.config is not None
        try:
            compiled(f"{self.name}.path_regex", self.regex)
            return self.rules.config.rule(self.number)
        except EncconfError as error:
            return error

    @property
    def is_narrow(self) -> bool:
        """Whether it names exact files, or most of the files that it covers are encrypted."""
        exact = re.search(_FILE, self.regex) is not None and not re.search(_WILD, self.regex)
        return exact or 2 * self.sealed > self.covered

    def where(self, cwd: str) -> str:
        """Return its name in messages."""
        return f"{self.name} of {printable(os.path.relpath(self.rules.path, cwd))}"


class Rules:
    """One ``.sops.yaml``.  If it cannot be used, ``config`` is None and ``error`` says why.

    ``rest`` is the first rule that matches every name, or None.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.text = ""
        self.config: configs.Config | None = None
        self.error: EncconfError | None = None
        self.ignored = Ignored(())
        self._prefix = os.path.dirname(os.path.abspath(path)).rstrip(os.sep) + os.sep
        try:
            self.text = fileio.read_text(path)
            self.config = configs.load(path, self.text)
        except EncconfError as error:
            self.error = error
        patterns = self.config.patterns if self.config is not None else []
        self.uses = [RuleUse(self, number, regex) for number, regex in enumerate(patterns)]
        # For most files, one search shows that no rule before `rest` applies.
        self.rest: RuleUse | None = None
        with suppress(PatternError):
            self.rest = next((use for use in self.uses if use.takes_all), None)
        self._search = _lines_with(patterns[: self.rest.number] if self.rest is not None else patterns)

    def relative(self, whole: str) -> str:
        """Return the name that rules are matched against, for an absolute path."""
        if os.sep == "/" and whole.startswith(self._prefix):
            return whole[len(self._prefix) :]
        return self.config.names(whole)[0] if self.config is not None else whole

    def find(self, whole: str) -> RuleUse | None:
        """Return a file's rule, or None.

        Raises PatternError if a pattern that must be tried cannot be used.
        """
        name = self.relative(whole)
        if self.config is None:
            return None
        if self._leaves(name):
            use = self.rest
        else:
            number = self.config.first([name])
            use = self.uses[number] if number is not None else None
        if use is not None:
            use.used = True
        return use

    def takes_none(self, folders: Sequence[tuple[str, Sequence[str]]]) -> bool:
        """Whether one search shows that no rule before `rest` matches any of these files.

        ``folders`` are paths that end with a separator, each with the base names of its files.  If the
        result is False, `find` may still return `rest` for each file.
        """
        if not all(place.startswith(self._prefix) for place, _ in folders):
            return False
        inner = [(place[len(self._prefix) :], bases) for place, bases in folders]
        if not self._leaves("\n".join(place + f"\n{place}".join(bases) for place, bases in inner)):
            return False
        if self.rest is not None:
            self.rest.used = True
        return True

    def _leaves(self, names: str) -> bool:
        """Whether one search shows that the rules before `rest` match none of the names, one per line."""
        try:
            return self._search is not None and not self._search(names)
        except PatternError:  # all searches together have exceeded their limit
            return False

    def closest(self, whole: str) -> RuleUse | None:
        """Return a rule whose path_regex is similar to the name of a file, or None."""
        from difflib import get_close_matches

        name = self.relative(whole)
        plain = {re.sub(r"[\\^$()?]|\.[*+]", "", use.regex)[:200]: use for use in reversed(self.uses)}
        best = get_close_matches(name[:200], plain, 1, 0.75)
        return plain[best[0]] if best else None

    @cached_property
    def names(self) -> Names:
        """The names of keys in the configuration and in the recipients file beside it."""
        from encconf.audit.names import Names

        return Names.of_config(self.path)

    def who(self, key: MasterKey) -> str:
        """Return a key with its type, and its name in the configuration or a recipients file.

        For a long key without a name, only its id is shown; `encconf explain` shows the whole key.
        """
        said = self.names.full(key)
        unnamed = said == key.label and len(said) > _LONG
        return f"{key.TYPE} {key_id(key) if unnamed else said}"

    @cached_property
    def _lines(self) -> dict[str, tuple[int, int]]:
        from encconf.text.path import spell

        found: dict[str, tuple[int, int]] = {}
        lines = Lines(self.text)
        for leaf in self.config.leaves if self.config is not None else ():
            for end in range(1, len(leaf.path) + 1):
                found.setdefault(spell(leaf.path[:end]), lines(leaf.start))
        return found

    def place(self, of: str) -> tuple[int, int]:
        """Return line and column of a place, such as ``creation_rules[0].path_regex``, or else (1, 1)."""
        while of not in self._lines and of:  # for example, an empty list has no place of its own
            of = of.rpartition(".")[0]
        return self._lines.get(of, (1, 1))

    def read_ignored(self) -> list[tuple[tuple[int, int], str]]:
        """Set `ignored` to the findings that its comments accept.  Returns mistakes, with their places."""
        lines = Lines(self.text)
        words: list[str] = []
        wrong: list[tuple[tuple[int, int], str]] = []
        for comment in re.finditer(_IGNORE, self.text) if "encconf:" in self.text else ():
            for word in re.split(r"[,\s]+", comment[1]):
                try:
                    Ignored([word])
                    words.append(word)
                except UsageError as error:
                    said = f"{error.message} ({error.hint})" if error.hint else error.message
                    wrong.append((lines(comment.start(1)), said))
        self.ignored = Ignored(words)
        return wrong


def _lines_with(patterns: list[str]) -> Callable[[str], bool] | None:
    """Return a search in names, one per line: if it finds nothing, no pattern matches any of the names.

    It may find a match across two lines that no pattern matches.  Returns None if a pattern cannot be used or
    does not work line by line with ``(?m)``, or on Windows, where patterns may be for ``\\``.
    """
    from encconf.rules.pattern import compile

    if not patterns:
        return lambda names: False
    if os.sep != "/" or any(_WHOLE_TEXT.search(pattern) for pattern in patterns):
        return None
    with suppress(PatternError):
        for pattern in patterns:
            compile(pattern)
        return compile("(?m:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")").search
    return None


class Rulebook:
    """Every ``.sops.yaml`` that applies to the checked files.  ``config`` replaces all of them."""

    def __init__(self, config: str | None, cwd: str) -> None:
        self.cwd = cwd
        self._config = os.path.join(cwd, config) if config is not None else None
        self._folders: dict[str, Rules | None] = {}
        self._read: dict[str, Rules] = {}

    def of(self, folder: str) -> Rules | None:
        """Return the rules for the files of a folder (an absolute path), or None."""
        if self._config is not None:
            return self._load(self._config)
        known = self._folders
        below: list[str] = []
        while folder not in known:
            if os.access(f"{folder}{os.sep}{configs.NAME}", os.F_OK):
                known[folder] = self._load(os.path.join(folder, configs.NAME))
                break
            below.append(folder)
            parent = os.path.dirname(folder)
            if parent == folder:
                last = configs.find_config(None, self.cwd, foreign=True)
                known[folder] = self._load(last) if last is not None else None
            folder = parent
        rules = known[folder]
        for each in below:
            known[each] = rules
        return rules

    @property
    def read(self) -> list[Rules]:
        """All configurations that have been read, sorted by path."""
        return [self._read[path] for path in sorted(self._read)]

    def _load(self, path: str) -> Rules:
        if path not in self._read:
            self._read[path] = Rules(path)
        return self._read[path]


# --- the files to check, by folder, with the rule of each -------------------------------------------
# Questions with one answer for a whole folder are asked only once: which ``.sops.yaml`` applies, and whether
# any name says that its file is encrypted.

_WORDS = (*guesses.WORDS, ".encconf-", PROPOSAL)
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
        place = os.path.normpath(os.path.join(here, folder))
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
    names = "\n".join(base for folder in folders for base in folder.bases).casefold()
    some: list[tuple[str, Sequence[str]]] = [(folder.place, folder.bases) for folder in folders]
    if PROPOSAL in names:  # the rule of a proposal is that of the file that it is for
        some = [(place, [proposed_file(base) or base for base in bases]) for place, bases in some]
    alike = rules is None or rules.takes_none(some)
    dull = alike and not any(word in names for word in _WORDS)
    for folder in folders:
        folder.alike, folder.dull = alike, dull
    return dull


class Named:
    """A file that is not read yet: its ``name`` as it was given, its ``whole`` path, and its ``format``.

    ``chosen`` is its rule (one of ``rules``) or None.  ``unsure`` says that its rule is not
    known, because ``rules`` or one of them cannot be used.  ``meant`` is the severity of a finding that the
    file is plaintext, or "" if it need not be encrypted.  ``proposes_for`` is the base name of the file that
    a proposal is for, whose rule applies, or "".
    """

    __slots__ = ("base", "chosen", "format", "meant", "name", "proposes_for", "rules", "unsure", "whole")

    def __init__(self, folder: Folder, base: str) -> None:
        self.name = f"{folder.name}{base}"
        self.base = base
        self.whole = f"{folder.place}{base}"
        self.rules = rules = folder.rules
        self.chosen: RuleUse | None = None
        self.proposes_for = proposed_file(base)
        self.unsure = rules is not None and rules.config is None
        if rules is not None:
            try:
                ruled = f"{folder.place}{self.proposes_for or base}"
                self.chosen = rules.rest if folder.alike else rules.find(ruled)
            except PatternError:
                self.unsure = True
        self.format = formats.of_path(base)
        self.meant = ""
        if self.proposes_for or (self.is_covered if self.chosen is not None else self.has_encrypted_name):
            self.meant = "error"
        elif (
            self.chosen is not None and not formats.get(self.format).single_value and guesses.is_secrets(base)
        ):
            self.meant = "warning"

    @property
    def has_encrypted_name(self) -> bool:
        """Whether its name says that it is an encrypted file of a format."""
        return not formats.get(self.format).single_value and guesses.has_encrypted_name(self.base)

    @property
    def is_covered(self) -> bool:
        """Whether its rule says that it must be encrypted.  A rule that matches every name does not."""
        return self.chosen is not None and (self.has_encrypted_name or not self.chosen.takes_all)

    def rule(self, cwd: str) -> tuple[Rule | None, str]:
        """Return its rule, or None if no rule is usable, and the rule's name in messages."""
        if self.chosen is None:
            return None, ""
        rule = self.chosen.rule  # `encconf.audit.check` reports an error
        if not isinstance(rule, Rule):
            return None, self.chosen.where(cwd)
        return rule.for_proposal() if self.proposes_for else rule, self.chosen.where(cwd)
