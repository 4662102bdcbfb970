"""``.sops.yaml``: which keys a file is encrypted for, and which of its values.

Grammar and meaning are those of sops 3.13.3 (config/config.go), decoded as its YAML library does.
It differs on purpose in its messages and in where it looks: encconf looks for the file from the target
upwards before the current folder; a rule may match a second name of the file; unknown members are
reported; and what sops would turn into an unprotected file (a selection regex that does not
compile, a rule without keys) is an error.  Indents of ``stores`` are for texts that are converted to
another format; any other text keeps its own layout.

The text is untrusted.  Shapes are checked when it is loaded, keys and patterns only in the rule
that is chosen, so a rule for keys that this version does not know harms no other rule.
"""

from __future__ import annotations

import os
from itertools import islice

from encconf import formats
from encconf.errors import (
    ConfigError,
    EmptyGroupError,
    LimitError,
    NoConfigError,
    NoMatchingRuleError,
    ParseError,
    PatternError,
    about,
)
from encconf.io.fileio import read_text, upwards
from encconf.record import Record
from encconf.rules.creation import Creation, report_members, settings
from encconf.rules.destination import Destination
from encconf.rules.grammar import Section, quoted, tree
from encconf.rules.selection import DEFAULT, Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from encconf.keys import MasterKey

    Notify = Callable[[str], None]

NAME = ".sops.yaml"
IGNORED = ".sops.yml"
"""A name that people give to the file, and that neither sops nor encconf reads."""
MAX_LEVELS = 100
"""How many folders upwards the file is looked for, as in sops."""
MAX_GROUPS = 255
"""As many parts as Shamir's scheme can make of a data key."""
MAX_SIZE = 1 << 20
"""The longest configuration, in characters; a thousandth of it is much."""
MAX_RULES = 1000
"""How many creation rules there may be: a hostile pattern takes some milliseconds to compile."""

# The words of sops, which its clients look for.
_NO_CONFIG = (
    "config file not found, or has no creation rules, and no keys provided through command line options"
)

_INDENTS = {"yaml": 0, "json": -1, "json_binary": -1}


class Rule:
    """What a file is encrypted by; `find_rule` makes it from ``.sops.yaml``.

    >>> rule = find_rule("secrets.enc.yaml")  # doctest: +SKIP
    >>> [key.name for group in rule.groups for key in group]  # doctest: +SKIP
    ['age1…']

    ``groups`` are the key groups, one unless the data key is split; ``threshold`` how many of
    several groups are needed (None: all); ``name`` says which rule it is, for messages;
    ``selects`` is False for a rule of ``.sops.yaml`` that does not say which values are encrypted.
    """

    def __init__(
        self,
        groups: list[list[MasterKey]],
        threshold: int | None = None,
        selection: Selection = DEFAULT,
        name: str = "",
        *,
        selects: bool = True,
    ) -> None:
        self.groups = groups
        self.threshold = threshold
        self.selection = selection
        self.name = name
        self.selects = selects

    def selection_for(self, own: Selection) -> Selection:
        """The selection that an encrypted file should have, which has its ``own``.

        A rule that does not say which values are encrypted accepts the file's own selection, as
        ``sops updatekeys`` does.
        """
        if self.selects:
            return self.selection
        return Selection(own.kind, own.pattern, own.mac_only_encrypted or self.selection.mac_only_encrypted)

    def __repr__(self) -> str:
        return f"Rule({self.groups!r}, {self.threshold!r}, {self.selection!r}, {self.name!r})"


# --- finding -------------------------------------------------------------------------------------


def find_config(target: str | None, cwd: str, *, notify: Notify | None = None) -> str | None:
    """The path of the ``.sops.yaml`` for a file, None if there is none.

    Looked for in the target's folder and its parents, then in ``cwd`` and its parents; sops looks
    in the latter only.  ``notify`` hears of a ``.sops.yml`` on the way, which sops ignores.
    """
    found: str | None = None
    ignored: str | None = None
    for path in places(target, cwd):
        if os.path.exists(path):
            found = path
            break
        other = os.path.join(os.path.dirname(path), IGNORED)
        if ignored is None and os.path.exists(other):
            ignored = other
    if ignored is not None and notify is not None:
        notify(f"{ignored} is ignored: the file must be called {NAME}")
    return found


def places(target: str | None, cwd: str) -> list[str]:
    """Every path at which `find_config` looks, in its order."""
    starts = [cwd] if target is None else [os.path.dirname(os.path.join(cwd, target)), cwd]
    folders = dict.fromkeys(folder for start in starts for folder in islice(upwards(start), MAX_LEVELS))
    return [os.path.join(folder, NAME) for folder in folders]


def find_rule(
    path: str | os.PathLike[str],
    *,
    also: Sequence[str] = (),
    config: str | None = None,
    cwd: str | None = None,
    read: dict[str, Config] | None = None,
    notify: Notify | None = None,
) -> Rule:
    """The creation rule for a file, from the ``.sops.yaml`` found for it or from ``config``.

    >>> rule = find_rule("secrets.enc.yaml")  # doctest: +SKIP

    ``also`` are other names for which a rule may match.  ``read`` keeps the configurations that have been
    read already, by path.  ``notify`` gets warnings about the configuration.  Raises NoConfigError,
    NoMatchingRuleError or ConfigError.
    """
    cwd = cwd or os.getcwd()
    target = os.fspath(path)
    found = config if config is not None else find_config(target, cwd, notify=notify)
    if found is None:
        raise NoConfigError(_NO_CONFIG, hint=f"create a {NAME} with encconf init")
    found = os.path.join(cwd, found)
    loaded = read.get(found) if read is not None else None
    if loaded is None:
        loaded = load_file(found)
        if read is not None:
            read[found] = loaded
    try:
        return loaded.rule_for(os.path.join(cwd, target), also=[os.path.join(cwd, name) for name in also])
    finally:
        if notify is not None:
            for notice in loaded.notices:
                notify(f"{found}: {notice}")


# --- rules ---------------------------------------------------------------------------------------


class Tried(Record):
    """A creation rule and a file: whether it ``matches``; ``reason`` are words that follow "path_regex X"."""

    place: str
    path_regex: str
    matches: bool
    reason: str


class Config(Record):
    """A loaded ``.sops.yaml``; made by `load`.

    ``notices`` are sentences about what is odd in it: members that mean nothing, and what came up
    when a rule was chosen.  ``indents`` are those of ``stores`` in characters (yaml: 0 means 4; json: -1
    means a tab).
    """

    path: str
    _creations: list[Creation] | None
    destinations: list[Destination]
    indents: Mapping[str, int]
    notices: list[str]
    _paths: ModuleType
    _folder: str

    def rule_for(self, path: str, *, also: Sequence[str] = ()) -> Rule:
        """The first creation rule whose ``path_regex`` matches ``path`` or a name in ``also``.

        Names are taken relative to this file's folder, with ``/`` between folders (on Windows a
        pattern for ``\\`` is taken too); a file outside of it has its absolute path.

        Raises NoMatchingRuleError; NoConfigError if there are no creation rules at all; PatternError,
        BadKeyError or ConfigError if the matching rule, or a pattern before it, cannot be used.
        """
        with about(self.path):
            if self._creations is None:
                raise NoConfigError(_NO_CONFIG, hint="add creation_rules to it")
            names = self.names(path, also)
            number = self.first(names)
            if number is None:
                raise self._no_match(path, also, names)
            chosen = self._creations[number]
            own = self.first(names[:1])
            if own is not None and own != number:
                self._notice(
                    f"{chosen.place} applies because of the name {' or '.join(map(quoted, names[1:]))}; for"
                    f" {quoted(names[0])} alone it would be {self._creations[own].place}"
                )
            return self.use(chosen)

    @property
    def patterns(self) -> list[str]:
        """The ``path_regex`` of each creation rule, "" where it has none."""
        return [creation.path_regex for creation in self._creations or ()]

    def names(self, path: str, also: Sequence[str] = ()) -> list[str]:
        """The names of a file that a ``path_regex`` is looked for in, see `rule_for`."""
        return list(dict.fromkeys(self._relative(name) for name in (path, *also)))

    def first(self, names: Sequence[str]) -> int | None:
        """The number of the first creation rule that matches one of such ``names``, None if none does.

        Raises PatternError for a pattern on the way that cannot be used.
        """
        for number, creation in enumerate(self._creations or ()):
            if self._matches(creation, names):
                return number
        return None

    def rule(self, number: int) -> Rule:
        """The creation rule of a number, from 0 on; raises as `rule_for`."""
        with about(self.path):
            return self.use((self._creations or [])[number])

    def keyless(self, number: int) -> Rule | None:
        """What a creation rule says that names no key: the command line or the environment does.

        None for a rule that names keys.  Raises ConfigError for one that cannot be used for another reason.
        """
        creation = (self._creations or [])[number]
        if creation.names_keys and any(creation.key_groups()):
            return None
        return self._made(creation, [])

    def tried(self, path: str, *, also: Sequence[str] = (), limit: int = MAX_RULES) -> list[Tried]:
        """The creation rules, and whether and why each matches a file; see `rule_for`."""
        names, whole = self.names(path, also), self._paths.abspath(path)
        found = []
        for creation in (self._creations or ())[:limit]:
            regex = creation.path_regex
            try:
                matches = self._matches(creation, names)
                if not regex:
                    reason = "is missing, so every file matches"
                else:
                    reason = "matches" if matches else _why_not(regex, names, whole)
            except PatternError as error:
                matches, reason = False, f"cannot be used: {error.message}"
            found.append(Tried(creation.place, regex, matches, reason))
        return found

    def _relative(self, path: str) -> str:
        paths = self._paths
        whole: str = paths.abspath(path)
        prefix = self._folder + paths.sep
        if paths.normcase(whole[: len(prefix)]) == paths.normcase(prefix):
            whole = whole[len(prefix) :]
        return whole.replace("\\", "/") if paths.sep == "\\" else whole

    def _matches(self, creation: Creation, names: Sequence[str]) -> bool:
        if not creation.path_regex:
            return True
        pattern = creation.pattern()
        windows = self._paths.sep == "\\"
        for name in names:
            if pattern.search(name) or (windows and pattern.search(name.replace("/", "\\"))):
                return True
        return False

    def _no_match(self, path: str, also: Sequence[str], names: Sequence[str]) -> NoMatchingRuleError:
        lines = [f"no matching creation rules found for {' or '.join(map(quoted, names))}"]
        for rule in self.tried(path, also=also, limit=20):
            lines.append(f"  {rule.place}  path_regex {quoted(rule.path_regex)} {rule.reason}")
        count = len(self._creations or ())
        if not count:
            lines.append("  it has no rules")
        elif count > 20:
            lines.append(f"  and {count - 20} more, which do not match")
        return NoMatchingRuleError(
            "\n".join(lines),
            hint=rules_hint(self._folder),
        )

    def use(self, creation: Creation) -> Rule:
        """Turn a rule as written into one that can be used."""
        groups = creation.key_groups()
        threshold = creation.threshold
        if any(not group for group in groups):
            raise EmptyGroupError(
                f"{creation.place} has an empty key group: nobody could decrypt the file",
                hint="name at least one key, for example: age: age1…",
            )
        if len(groups) > MAX_GROUPS:
            raise ConfigError(f"{creation.place} has {len(groups)} key groups, more than {MAX_GROUPS}")
        if threshold < 0 or (len(groups) > 1 and threshold and not 2 <= threshold <= len(groups)):
            raise ConfigError(
                f"{creation.place}.shamir_threshold is {threshold}, with {len(groups)} key groups",
                hint="it is the number of key groups needed to decrypt: from 2 to all of them",
            )
        if len(groups) > 1 and not threshold:
            self._notice(
                f"{creation.place} has {len(groups)} key groups and no shamir_threshold, so one key of each"
                f" of them is needed to decrypt; if any one key should be enough, put all keys in one group,"
                f" otherwise set shamir_threshold: {len(groups)}"
            )
        needed = threshold if len(groups) > 1 else 0  # one group has no threshold
        return self._made(creation, groups, needed or None)

    def _made(self, creation: Creation, groups: list[list[MasterKey]], threshold: int | None = None) -> Rule:
        selection, selects = creation.selection(), bool(creation.kinds)
        return Rule(groups, threshold, selection, creation.place, selects=selects)

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


def rules_hint(folder: str) -> str:
    """How rules are matched, for a file that none covers."""
    return (
        f"path_regex is matched against the path relative to {folder}; a rule without one covers every file"
    )


def _why_not(regex: str, names: Sequence[str], whole: str) -> str:
    """Why a pattern that compiles does not match, as far as a guess can tell."""
    from encconf.rules.pattern import compile

    pattern = compile(regex)
    if pattern.search(whole):
        return "matches the absolute path only"
    if any(pattern.search(name.rpartition("/")[2]) for name in names):
        return "matches the name without its folders only"
    try:
        if any(compile(f"(?i){regex}").search(name) for name in names):
            return "differs in upper and lower case"
    except PatternError:
        pass
    return "does not match"


# --- loading -------------------------------------------------------------------------------------


def load(path: str, text: str, *, paths: ModuleType = os.path) -> Config:
    """Read a configuration.

    ``path`` is where it is, which need not exist; ``paths`` the rules of its paths (`ntpath` or
    `posixpath`).  Raises ConfigError for what is not YAML or not of the grammar, naming the place.
    """
    with about(path):
        try:
            return _load(path, text, paths)
        except (ParseError, LimitError) as error:
            raise ConfigError(error.message) from None


def load_file(path: str) -> Config:
    """Read the configuration in a file.  Raises what reading it and `load` raise."""
    return load(path, read_text(path))


def _load(path: str, text: str, paths: ModuleType) -> Config:
    if len(text) > MAX_SIZE:
        raise ConfigError(f"a configuration of {len(text)} characters is too long (at most {MAX_SIZE})")
    notices: list[str] = []
    root = Section(tree(text), "")
    notices += [
        f"{name} is ignored at the top level: it is a setting of a creation rule"
        for name in settings()
        if name in root.members
    ]
    root.report(("creation_rules", "destination_rules", "stores", *settings()), notices)

    creations: list[Creation] | None = None
    if root.members.get("creation_rules") is not None:
        creations = []
        sections = root.sections("creation_rules")
        if len(sections) > MAX_RULES:
            raise ConfigError(f"{len(sections)} creation_rules are too many (at most {MAX_RULES})")
        for section in sections:
            report_members(section, notices)
            creations.append(Creation(section))

    destinations = [Destination(section, notices) for section in root.sections("destination_rules")]
    stores = root.section("stores")
    others = [row.name for row in formats.ROWS.values() if row.flat]
    stores.report((*_INDENTS, *others), notices)
    indents: dict[str, int] = {}
    for name, default in _INDENTS.items():
        store = stores.section(name)
        store.report(("indent",), notices)
        indents[name] = indent = store.integer("indent", default)
        if indent < default:
            notices.append(f"{store.place}.indent is {indent}, which sops refuses")
    for name in others:
        stores.section(name).report((), notices)
    folder = paths.dirname(paths.abspath(path))
    return Config(path, creations, destinations, indents, notices, paths, folder)
