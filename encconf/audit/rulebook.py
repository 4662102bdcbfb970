"""Which creation rule applies to a file, for very many files: each ``.sops.yaml`` is read once.

The answers are those of `encconf.rules.config.find_rule`.  A ``.sops.yaml`` that cannot be used, or a rule
that cannot, is kept with its error.  A comment in it can accept findings (`encconf.audit.findings`)::

    # encconf: ignore short-value, plain-twin=examples/*
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from encconf.audit.findings import Ignored, Lines
from encconf.errors import EncconfError, PatternError, UsageError
from encconf.io import fileio
from encconf.rules import config as configs
from encconf.text.document import Leaf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.names import Names
    from encconf.keys import MasterKey

_IGNORE = r"(?m)^[ \t]*#[ \t]*encconf:[ \t]*ignore[ \t]+(.+?)[ \t]*$"
_NO_NAME = "\x1f"  # that no file has; whatever matches it matches everything
_LONG = 32  # characters shown of a key without a name
_END = 16  # characters: a long key id of PGP
_WHOLE_TEXT = re.compile(r"\\[Az]|\(\?[A-Za-z]*-")  # the ends of a text, and switching flags off


class Rules:
    """One ``.sops.yaml``.  ``config`` is None where ``error`` says why it cannot be used.

    ``rest`` is the number of the rule that takes whatever the rules before it leave, None if there is none;
    ``used`` are the numbers of the rules that `find` and `takes_none` have given.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.text = ""
        self.config: configs.Config | None = None
        self.error: EncconfError | None = None
        self.ignored = Ignored(())
        self.used: set[int] = set()
        self._prefix = os.path.dirname(os.path.abspath(path)).rstrip(os.sep) + os.sep
        self._all: dict[int, bool] = {}
        self._rules: dict[int, configs.Rule | EncconfError] = {}
        self._names: Names | None = None
        self._lines: dict[str, tuple[int, int]] | None = None
        try:
            self.text = fileio.read_text(path)
            self.config = configs.load(path, self.text)
        except EncconfError as error:
            self.error = error
        # For most files, one search says that only the rule for whatever is left applies.
        self.rest: int | None = None
        before = self.patterns
        try:
            self.rest = next(filter(self.takes_all, range(len(before))), None)
            before = before[: self.rest]
        except PatternError:
            pass
        self._search = _lines_with(before)

    @property
    def patterns(self) -> list[str]:
        """The path_regex of each creation rule."""
        return self.config.patterns if self.config is not None else []

    def relative(self, whole: str) -> str:
        """A name as the rules see it, of an absolute path."""
        if os.sep == "/" and whole.startswith(self._prefix):
            return whole[len(self._prefix) :]
        return self.config.names(whole)[0] if self.config is not None else whole

    def find(self, whole: str) -> int | None:
        """The number of the rule of a file, None if it has none.

        Raises PatternError for a pattern on the way that cannot be used.
        """
        name = self.relative(whole)
        if self.config is None:
            return None
        number = self.rest if self._leaves(name) else self.config.first([name])
        if number is not None:
            self.used.add(number)
        return number

    def takes_none(self, folders: Sequence[tuple[str, Sequence[str]]]) -> bool:
        """Whether the rule of all these files is `rest`: one search answers for all.

        ``folders`` are paths that end with a separator, each with the base names of its files.  When it is
        False, `find` may still say so of each of them.
        """
        if not all(place.startswith(self._prefix) for place, _ in folders):
            return False
        inner = [(place[len(self._prefix) :], bases) for place, bases in folders]
        if not self._leaves("\n".join(place + f"\n{place}".join(bases) for place, bases in inner)):
            return False
        if self.rest is not None:
            self.used.add(self.rest)
        return True

    def _leaves(self, names: str) -> bool:
        """Whether one search says that the rules before `rest` match none of some names, one a line."""
        try:
            return self._search is not None and not self._search(names)
        except PatternError:  # all searches together took long
            return False

    def rule(self, number: int) -> configs.Rule:
        """The rule of a number.  Raises what keeps it from being used."""
        found = self._rules.get(number)
        if found is None:
            assert self.config is not None
            try:
                found = self.config.keyless(number) or self.config.rule(number)
            except EncconfError as error:
                found = error
            self._rules[number] = found
        if isinstance(found, EncconfError):
            raise found
        return found

    def closest(self, whole: str) -> int | None:
        """The number of the rule that was perhaps meant for a file: its path_regex is like the name."""
        from difflib import get_close_matches

        name = self.relative(whole)
        plain = [re.sub(r"[\\^$()?]|\.[*+]", "", regex) for regex in self.patterns]
        best = get_close_matches(name[:200], [each[:200] for each in plain], 1, 0.75)
        return plain.index(best[0]) if best and best[0] in plain else None

    def takes_all(self, number: int) -> bool:
        """Whether a rule matches every name: then it says how to encrypt, and not what."""
        found = self._all.get(number)
        if found is None:
            from encconf.rules.pattern import compile

            regex = self.patterns[number]
            found = self._all[number] = not regex or compile(regex).search(_NO_NAME)
        return found

    def who(self, key: MasterKey) -> str:
        """A key with its type, and the name that it has in the configuration or a recipients file.

        Of a long key without a name, the end: `encconf explain` shows all of it.
        """
        if self._names is None:
            from encconf.audit.names import Names

            self._names = Names.of_config(self.path)
        said = self._names.full(key)
        unnamed = said == key.label and len(said) > _LONG
        return f"{key.TYPE} {'…' + said[-_END:] if unnamed else said}"

    def place(self, of: str) -> tuple[int, int]:
        """Line and column of a place such as ``creation_rules[0].path_regex``, (1, 1) if it is not there."""
        if self._lines is None:
            from encconf.text.path import spell

            self._lines = {}
            lines = Lines(self.text)
            for leaf in self.leaves():
                for end in range(1, len(leaf.path) + 1):
                    self._lines.setdefault(spell(leaf.path[:end]), lines(leaf.start))
        while of not in self._lines and of:  # a list without items, say, has no place of its own
            of = of.rpartition(".")[0]
        return self._lines.get(of, (1, 1))

    def leaves(self) -> list[Leaf]:
        """What is written in it, none if it cannot be parsed."""
        from encconf.formats.yaml import scan

        try:
            return scan(self.text, any_keys=True).leaves
        except EncconfError:
            return []

    def read_ignored(self) -> list[tuple[tuple[int, int], str]]:
        """Read what its comments accept into `ignored`; returns mistakes there, with their places."""
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
    """A search in names, one a line: if it finds nothing, no pattern matches any of them.

    It may find something that no pattern matches, across two lines.  None if ``(?m)`` does not make a pattern
    work line by line, where one of them cannot be used, and where it may be for names with backslashes.
    """
    from encconf.rules.pattern import compile

    if not patterns:
        return lambda names: False
    if os.sep != "/" or any(_WHOLE_TEXT.search(pattern) for pattern in patterns):
        return None
    try:
        for pattern in patterns:
            compile(pattern)
        return compile("(?m:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")").search
    except PatternError:
        return None


class Rulebook:
    """Every ``.sops.yaml`` that applies to some files; ``config`` replaces all of them."""

    def __init__(self, config: str | None, cwd: str) -> None:
        self.cwd = cwd
        self._config = os.path.join(cwd, config) if config is not None else None
        self._folders: dict[str, Rules | None] = {}
        self._read: dict[str, Rules] = {}

    def of(self, folder: str) -> Rules | None:
        """The rules for the files of a folder (an absolute path), None if there are none."""
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
                last = configs.find_config(None, self.cwd)
                known[folder] = self._load(last) if last is not None else None
            folder = parent
        rules = known[folder]
        for each in below:
            known[each] = rules
        return rules

    @property
    def read(self) -> list[Rules]:
        """All that have been read, in the order of their paths."""
        return [self._read[path] for path in sorted(self._read)]

    def _load(self, path: str) -> Rules:
        if path not in self._read:
            self._read[path] = Rules(path)
        return self._read[path]
