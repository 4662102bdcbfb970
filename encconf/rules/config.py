"""``.sops.yaml``: which keys a file is encrypted for, and which of its values.

The grammar and its meaning are those of sops 3.13.3 (config/config.go), and the file is decoded as sops's
YAML library does.  encconf differs on purpose:

- Its messages are its own, and it reports unknown members.
- It looks for the file from the target upwards before it looks from the current folder upwards.
- A rule may match a second name of the file.
- It raises an error where sops would write an unprotected file: for a selection regex that does not compile,
  or a rule without keys.
- Indents of ``stores`` apply only to texts that are converted to another format.  Any other text keeps its
  own layout.

The text is untrusted.  The types of members are checked when it is loaded, but keys and patterns only in the
chosen rule.  So a rule with keys that this version does not know does not affect the other rules.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from types import ModuleType

from encconf.errors import (
    BadKeyError,
    ConfigError,
    EmptyDocumentError,
    EmptyGroupError,
    EncconfError,
    ForeignConfigError,
    LimitError,
    MissingFileError,
    NoConfigError,
    NoMatchingRuleError,
    NotEncryptedError,
    ParseError,
    PatternError,
    about,
)
from encconf.io.fileio import near, read_text, upwards
from encconf.keys import CONTEXT, TABLE, MasterKey, in_config_order, master_key, row_of
from encconf.record import Record
from encconf.rules.pattern import Pattern
from encconf.rules.selection import DEFAULT, KINDS, PROPOSED, Selection
from encconf.text.document import Leaf
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

Notify = Callable[[str], None]

NAME = ".sops.yaml"
IGNORED = ".sops.yml"
"""A name that people give to the file by mistake.  Neither sops nor encconf reads it."""
MAX_LEVELS = 100
"""How many folders upwards encconf looks for the file, as sops does."""
MAX_SIZE = 1 << 20
"""The longest configuration, in characters.  A real one rarely has a thousandth of that."""
MAX_RULES = 1000
"""The most creation rules.  This is limited because a hostile pattern takes milliseconds to compile."""

_WITHOUT_SETTINGS = ("dotenv", "ini")  # names that sops knows in ``stores``, and that have no settings
_INDENTS = {"yaml": 0, "json": -1, "json_binary": -1}


class Rule:
    """The keys to encrypt a file for, and the values to encrypt.  `find_rule` reads it from ``.sops.yaml``.

    >>> rule = find_rule("secrets.enc.yaml")  # doctest: +SKIP
    >>> [key.name for group in rule.groups for key in group]  # doctest: +SKIP
    ['age1…']

    ``groups`` are the key groups; there is one, unless the data key is split.  ``threshold`` is how many of
    several groups are needed to decrypt (None: all).  ``name`` identifies the rule in messages.
    ``selects`` is False for a rule of ``.sops.yaml`` that does not say which values to encrypt.
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

    def replace(self, **changes: object) -> Rule:
        """Return a copy with other values for the named fields.  Derive rules with it: no field is lost."""
        if unknown := changes.keys() - vars(self).keys():
            raise TypeError(f"a rule has no {', '.join(sorted(unknown))}")
        derived = Rule.__new__(Rule)
        derived.__dict__ = {**vars(self), **changes}
        return derived

    def for_proposal(self) -> Rule:
        """Return the rule for a proposal for a file of this rule."""
        return self.replace(selection=PROPOSED, selects=True)

    def selection_for(self, own: Selection) -> Selection:
        """Return the selection that an encrypted file should have; ``own`` is the one that it has.

        If the rule does not say which values to encrypt, the file keeps its own selection, as with
        ``sops updatekeys``.
        """
        if self.selects:
            return self.selection
        return Selection(own.kind, own.pattern, own.mac_only_encrypted or self.selection.mac_only_encrypted)

    def __repr__(self) -> str:
        return f"Rule({self.groups!r}, {self.threshold!r}, {self.selection!r}, {self.name!r})"


# --- finding -------------------------------------------------------------------------------------


def find_config(
    target: str | None, cwd: str, *, notify: Notify | None = None, foreign: bool = False
) -> str | None:
    """Return the path of the ``.sops.yaml`` for a file, or None.

    Raises ConfigError if it belongs to another user, or if its name is spelled in another way; but not if
    ``foreign`` (for reports, which encrypt nothing).

    encconf looks in the target's folder and its parents, then in ``cwd`` and its parents; sops looks only in
    the latter.  ``notify`` gets a warning about a ``.sops.yml`` in one of these folders: sops ignores it.
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
    if found is not None and not foreign:
        refuse_foreign(found)
        _refuse_respelled(found)
    return found


def refuse_foreign(path: str) -> None:
    """Raise ForeignConfigError for a configuration that was found, but belongs to another user."""
    from encconf.io.trust import is_foreign

    if is_foreign(path):
        hint = (
            "its owner would choose who can decrypt your files; if you trust it, name it (--config FILE or "
            "SOPS_CONFIG), or let git accept its repository: git config --global --add safe.directory FOLDER"
        )
        raise ForeignConfigError("it belongs to another user and is not used", hint=hint).about(path)


def is_respelled(name: str) -> bool:
    """Whether a name is that of a configuration on a file system that ignores upper and lower case."""
    return name != NAME and name.casefold() == NAME


def _refuse_respelled(path: str) -> None:
    """Raise ConfigError if the file system ignores case, and the file is called ``.SOPS.yaml``, say.

    Elsewhere, encconf does not read this file, so a reviewer of a branch may not notice it.
    """
    folder = os.path.dirname(path)
    if not os.path.exists(os.path.join(folder, NAME.upper())):
        return  # this is so on almost every file system
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if NAME not in names and (own := next(filter(is_respelled, names), None)):
        hint = f"if you trust it: git mv {own} {NAME}"
        raise ConfigError(f"it is called {own}, so others have no {NAME} here", hint=hint).about(path)


def places(target: str | None, cwd: str) -> list[str]:
    """Return the paths at which `find_config` looks, in order."""
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
    """Return the creation rule for a file, from its ``.sops.yaml`` or from the file ``config``.

    >>> rule = find_rule("secrets.enc.yaml")  # doctest: +SKIP

    The rule of a proposal (`proposal_name`) is that of the file that it is for, but it encrypts the
    proposed value.

    ``also`` are other names of the file, which a rule may match too.  ``read`` is a cache: it keeps each
    configuration that was read, by path.  ``notify`` gets warnings about the configuration.  Raises
    NoConfigError, NoMatchingRuleError or ConfigError, also for a ``.sops.yaml`` of another user.
    """
    cwd = cwd or os.getcwd()
    target = os.fspath(path)
    if file := proposed_file(target):
        return find_rule(file, config=config, cwd=cwd, read=read, notify=notify).for_proposal()
    found = config if config is not None else find_config(target, cwd, notify=notify)
    if found is None:
        raise NoConfigError(f"no {NAME} was found for this file", hint="create one with encconf init")
    found = os.path.join(cwd, found)
    loaded = read.get(found) if read is not None else None
    if loaded is None:
        try:
            loaded = load(found)
        except EncconfError as error:
            if read is not None:
                read[found] = _Unusable.by(found, error)
            raise
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
    """Whether a creation rule ``matches`` a file.  ``reason`` continues a sentence after "path_regex X"."""

    place: str
    path_regex: str
    matches: bool
    reason: str


class Config(Record):
    """A loaded ``.sops.yaml``, made by `load`.

    ``notices`` are warnings about it, such as members that mean nothing; choosing a rule may add more.
    ``indents`` are those of ``stores``, in characters (yaml: 0 means 4; json: -1 means a tab).  ``leaves``
    are the values of the text.
    """

    path: str
    _creations: list[Creation] | None
    destinations: list[Destination]
    indents: Mapping[str, int]
    notices: list[str]
    leaves: list[Leaf]
    _paths: ModuleType
    _folder: str

    def rule_for(self, path: str, *, also: Sequence[str] = ()) -> Rule:
        """Return the first creation rule whose ``path_regex`` matches ``path`` or a name in ``also``.

        Patterns are matched against the path relative to this configuration's folder, with ``/`` between
        folders (on Windows also with ``\\``, and with the capitals of the names on disk, not those of
        ``path``).  For a file outside that folder, it is the absolute path.

        Raises NoMatchingRuleError, or NoConfigError if there are no creation rules at all.  Raises
        PatternError, BadKeyError or ConfigError if the matching rule, or a pattern before it, cannot be used.
        """
        with about(self.path):
            if self._creations is None:
                raise NoConfigError("it has no creation_rules", hint="add them, with a rule for this file")
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
        """The ``path_regex`` of each creation rule; "" if it has none."""
        return [creation.path_regex for creation in self._creations or ()]

    def names(self, path: str, also: Sequence[str] = ()) -> list[str]:
        """Return the names of a file that a ``path_regex`` is matched against (see `rule_for`)."""
        paths = self._paths
        prefix = self._folder + paths.sep
        found: dict[str, None] = {}
        for name in (path, *also):
            whole: str = paths.abspath(name)
            if paths.sep == "\\":
                whole = _on_disk(whole, paths)
            if paths.normcase(whole[: len(prefix)]) == paths.normcase(prefix):
                whole = whole[len(prefix) :]
            found[whole.replace("\\", "/") if paths.sep == "\\" else whole] = None
        return list(found)

    def first(self, names: Sequence[str]) -> int | None:
        """Return the number of the first creation rule that matches one of the `names` of a file, or None.

        Raises PatternError if a pattern up to there cannot be used.
        """
        for number, creation in enumerate(self._creations or ()):
            if self._matches(creation, names):
                return number
        return None

    def rule(self, number: int) -> Rule:
        """Return a creation rule by its number, counted from 0.  Raises what `rule_for` raises.

        A rule that names no keys is returned without any: the command line or the environment names them.
        """
        with about(self.path):
            return self.use((self._creations or [])[number], keyless=True)

    def tried(self, path: str, *, also: Sequence[str] = (), limit: int = MAX_RULES) -> list[Tried]:
        """Return for each creation rule whether it matches a file and why (see `rule_for`)."""
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
        empty = "" if self._creations else ": creation_rules is empty"
        lines = [f"no matching creation rules found for {' or '.join(map(quoted, names))}{empty}"]
        for rule in self.tried(path, also=also, limit=20):
            lines.append(f"  {rule.place}  path_regex {quoted(rule.path_regex)} {rule.reason}")
        count = len(self._creations or ())
        if count > 20:
            lines.append(f"  and {count - 20} more, which do not match")
        return NoMatchingRuleError(
            "\n".join(lines),
            hint=rules_hint(self._folder),
        )

    def use(self, creation: Creation, *, keyless: bool = False) -> Rule:
        """Return the usable rule for a creation rule as written; ``keyless`` says that it need not name keys.

        Raises ConfigError if it cannot be used.
        """
        groups = creation.key_groups()
        if keyless and not any(groups):
            groups = []
        threshold = creation.threshold
        if any(not group for group in groups):
            raise EmptyGroupError(
                f"{creation.place} has an empty key group: nobody could decrypt the file",
                hint="name at least one key, for example: age: age1…",
            )
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
        selection, selects = creation.selection(), bool(creation.kinds)
        return Rule(groups, needed or None, selection, creation.place, selects=selects)

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


class _Unusable(Config):
    """A configuration that cannot be loaded: no file has a rule, and each gets the same ``error``."""

    error: EncconfError

    @classmethod
    def by(cls, path: str, error: EncconfError) -> _Unusable:
        from copy import copy

        return cls(path, None, [], {}, [], [], os.path, "", copy(error))

    def rule_for(self, path: str, *, also: Sequence[str] = ()) -> Rule:
        """Raise the error.  It is a new one, since each is about another file, and has its own traceback."""
        from copy import copy

        raise copy(self.error)


def rules_hint(folder: str) -> str:
    """Return a hint for a file without a rule: how rules are matched."""
    return (
        f"add a rule whose path_regex matches the file's path relative to {folder}; "
        "a rule without path_regex matches every file"
    )


def _on_disk(path: str, paths: ModuleType) -> str:
    """Return a path of Windows with the capitals that it has on disk; a link keeps its own name."""
    try:
        real: str = paths.realpath(path)
    except OSError:
        return path
    return real if paths.normcase(real) == paths.normcase(path) else path


def _why_not(regex: str, names: Sequence[str], whole: str) -> str:
    """Guess why a valid pattern does not match."""
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


def load(path: str, text: str | None = None, *, paths: ModuleType = os.path) -> Config:
    """Load a configuration from its file, or from the ``text`` of one that need not exist.

    ``paths`` is the module for paths (`ntpath` or `posixpath`).
    Raises ConfigError, with the place, if the text is not YAML or a member has the wrong type.
    """
    text = read_text(path) if text is None else text
    with about(path):
        if len(text) > MAX_SIZE:
            raise ConfigError(f"a configuration of {len(text)} characters is too long (at most {MAX_SIZE})")
        notices: list[str] = []
        content, leaves = tree(text)
        root = Section(content, "")
        notices += [
            f"{name} is ignored at the top level: it is a setting of a creation rule"
            for name in settings()
            if root.has(name)
        ]
        sections = root.sections("creation_rules")
        if len(sections) > MAX_RULES:
            raise ConfigError(f"{len(sections)} creation_rules are too many (at most {MAX_RULES})")
        creations = [Creation(section, notices) for section in sections]
        destinations = [Destination(section, notices) for section in root.sections("destination_rules")]
        stores = root.section("stores")
        indents: dict[str, int] = {}
        for name, default in _INDENTS.items():
            store = stores.section(name)
            indents[name] = indent = store.integer("indent", default)
            store.report(notices)
            if indent < default:
                notices.append(f"{store.place}.indent is {indent}, which sops refuses")
        for name in _WITHOUT_SETTINGS:
            stores.section(name).report(notices)
        stores.report(notices)
        root.report(notices)
        folder = paths.dirname(paths.abspath(path))
        written = creations if root.members.get("creation_rules") is not None else None
        return Config(path, written, destinations, indents, notices, leaves, paths, folder)


# --- a creation rule as it is written -------------------------------------------------------------
# The types of its members are checked when it is read, its keys and patterns when it is used.
# `encconf.keys.TABLE` says which members name keys of which type.

Named = tuple[str, object, str]  # a master key as written: type, value, place in the file

# A rule may name a profile for all its AWS keys; in a key group, each key names its own.
_PROFILE = "aws_profile"


class Creation:
    """A creation rule as it is written: its types are checked, its keys and patterns are not.

    ``notices`` gets a notice for each member that means nothing.
    """

    def __init__(self, section: Section, notices: list[str]) -> None:
        self._section = section
        self.place = section.place
        self.path_regex = section.string("path_regex")
        self.threshold = section.integer("shamir_threshold")
        self.mac_only_encrypted = section.boolean("mac_only_encrypted")
        self.kinds = {kind: text for kind in KINDS if (text := section.string(kind))}
        _learn(section, settings())
        # Outside of key groups, most members with keys are checked only when the rule is used, as in sops.
        self._flat = [type for type, row in in_config_order() if section.has(row.member)]
        for row in TABLE.values():
            if row.only_list:
                section.strings(row.member)
        section.string(_PROFILE)
        self._groups = [list(_group(group, notices)) for group in section.sections("key_groups")]
        section.report(notices)
        self._pattern: Pattern | None = None
        self._left = 0

    def pattern(self) -> Pattern:
        """Return the compiled path_regex.  Raises PatternError."""
        if self._pattern is None or self._left == 0:
            # The total work of a compiled pattern is limited, but this one may be tried on many files.
            self._pattern = compiled(f"{self.place}.path_regex", self.path_regex)
            self._left = 1000
        self._left -= 1
        return self._pattern

    @property
    def names_keys(self) -> bool:
        """Whether the rule has a member that names keys."""
        return bool(self._groups or self._flat)

    def key_groups(self) -> list[list[MasterKey]]:
        """Return the keys, in sops's order.  As in sops, repeated keys are dropped only in ``key_groups``."""
        if self._groups:
            return [list(dict.fromkeys(_master_keys(group))) for group in self._groups]
        more = {_PROFILE: self._section.string(_PROFILE)}
        named: list[Named] = []
        for type in self._flat:
            row = TABLE[type]
            for place, text in self._section.keys(row.member):
                named.append((type, row.with_settings(text, more), place))
        return [list(_master_keys(named))]

    def selection(self) -> Selection:
        """Return the selection.  Raises ConfigError if there are two, PatternError for a malformed regex."""
        if len(self.kinds) > 1:
            raise ConfigError(
                f"{self.place} has {' and '.join(self.kinds)}: only one of these settings is allowed"
            )
        for kind, text in self.kinds.items():
            if kind.endswith("_regex"):
                compiled(f"{self.place}.{kind}", text)
            return Selection(kind, text, self.mac_only_encrypted)
        return Selection(DEFAULT.kind, DEFAULT.pattern, self.mac_only_encrypted)


def _learn(section: Section, known: Collection[str]) -> None:
    """Load the plug-ins for the types of keys that the members of a section name.  Raises PluginError."""
    for name in section.members:
        if name not in known:
            row_of(name)


def _group(section: Section, notices: list[str]) -> Iterator[Named]:
    """Yield the keys that a key group names; those of the groups merged into it come first."""
    _learn(section, ("merge", *(row.name_in_group for row in TABLE.values())))
    for merged in section.sections("merge"):
        yield from _group(merged, notices)
    for type, row in in_config_order():
        if row.settings:
            for key in section.sections(row.name_in_group):
                read = {name: key.texts if name == CONTEXT else key.string for name in row.settings}
                yield type, {name: value for name in row.settings if (value := read[name](name))}, key.place
                key.report(notices)
            continue
        for place, text in section.strings(row.name_in_group):
            if not row.commas:
                yield type, text, place
            elif text:
                for part in text.split(","):
                    yield type, part.strip(), place
    section.report(notices)


def _master_keys(named: Sequence[Named]) -> Iterator[MasterKey]:
    for type, value, place in named:
        try:
            yield master_key(type, value)
        except BadKeyError as error:
            raise BadKeyError(f"{place}: {error.message}", hint=error.hint) from None


def compiled(place: str, text: str) -> Pattern:
    """Return the compiled pattern at a place of the file.  Raises PatternError, which names the place."""
    from encconf.rules.pattern import compile

    try:
        return compile(text)
    except PatternError as error:
        hint = error.hint
        if place.endswith(".path_regex") and text.startswith("*"):
            hint = "this looks like a shell pattern; the regular expression for *.yaml is \\.yaml$"
        raise PatternError(f"{place}: {error.message}", hint=hint) from None


def settings() -> tuple[str, ...]:
    """Return the names of the members of a creation rule."""
    keys = (row.member for _, row in in_config_order())
    return ("path_regex", *keys, _PROFILE, "key_groups", "shamir_threshold", *KINDS, "mac_only_encrypted")


# --- a destination rule: where a file is published, and how it is encrypted there -----------------
# The types of its members are checked here.

_PLACES = (
    *("s3_bucket", "s3_prefix", "gcs_bucket", "gcs_prefix"),
    *("vault_path", "vault_address", "vault_kv_mount_name"),
)
"""The members that say where to publish."""


class Destination:
    """A destination rule.  ``settings`` are those of its members that say where to publish.

    `encconf.publish.find_destination` completes ``settings``, and sets ``kind`` (s3, gcs or vault) and
    ``rule``.
    The published file is encrypted by that rule; None means that it is published decrypted or as it is.
    """

    kind = ""
    rule: Rule | None = None

    def __init__(self, section: Section, notices: list[str]) -> None:
        self.place = section.place
        self.path_regex = section.string("path_regex")
        self.settings: dict[str, str | int] = {
            name: text for name in _PLACES if (text := section.string(name))
        }
        self.vault_kv_version = section.integer("vault_kv_version")
        self.omit_extensions = section.boolean("omit_extensions")
        self.recreation = Creation(section.section("recreation_rule"), notices)
        section.report(notices)


# --- the names of a plaintext file, of the encrypted file next to it, and of proposals -------------


def encrypted_name(path: str) -> str:
    """Return ``secrets.enc.yaml`` for ``secrets.yaml``, "" for a name that has ``.enc`` already."""
    folder, name = os.path.split(path)
    if name == ".env":  # the extension is all there is
        return os.path.join(folder, ".enc.env")
    if name == ".enc.env":
        return ""
    stem, extension = os.path.splitext(path)
    return "" if stem.endswith(".enc") else f"{stem}.enc{extension}"


def meant_by(error: EncconfError, path: str) -> str:
    """Return as a hint which file is meant by a path that is missing or not encrypted, or ""."""
    if isinstance(error, MissingFileError):
        return near(path) if not error.hint and not os.path.lexists(path) else ""
    name = encrypted_name(path) if type(error) is NotEncryptedError else ""
    return f"did you mean {printable(name)}?" if name and os.path.isfile(name) else ""


def plain_name(path: str) -> str:
    """Return the opposite of `encrypted_name`; a name without ``.enc`` stays as it is."""
    folder, name = os.path.split(path)
    if name == ".enc.env":
        return os.path.join(folder, ".env")
    stem, extension = os.path.splitext(path)
    return stem.removesuffix(".enc") + extension


PROPOSAL = ".proposal-"
"""What the names of proposals have in them."""
_ID = 8


def proposal_name(path: str, id: str) -> str:
    """Return the name of a proposal for a file.  ``id`` has eight hexadecimal digits.

    sops reads the file as JSON.  Patterns such as ``*.enc.yaml``, with which programs look for their files,
    do not match it.
    """
    return f"{path}{PROPOSAL}{id}.json"


def proposed_file(path: str) -> str:
    """Return the file that a proposal is for, according to its name; "" for any other name."""
    file, mark, rest = path.rpartition(PROPOSAL)
    id, dot, extension = rest.partition(".")
    is_id = len(id) == _ID and all(digit in "0123456789abcdef" for digit in id)
    return file if mark and is_id and dot and extension == "json" and os.path.basename(file) else ""


# --- the text as sections, and their members as the types that they must have ---------------------
# It is decoded as by the YAML library of sops 3.13.3 (go-yaml): aliases and merge keys are applied, a null
# counts as missing, and a word like ``yes`` is a boolean if one is expected.  This module does not know
# what the members mean.

_MAX_NOTICES = 50
_SHOWN = 120  # characters of a word of the file in a message
# Words that go-yaml accepts where it expects a boolean, in addition to those of YAML 1.2.
_YES = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})


class Scalar(Record):
    """A value that is not null: its type as go-yaml sees it, and its text.

    The text of a string is the string.  That of any other value is its spelling: for a string member, go-yaml
    reads ``0x1F`` as these four characters.
    """

    type: str
    text: str
    data: bytes


def tree(text: str) -> tuple[object, list[Leaf]]:
    """Return the first document as dicts, lists, `Scalar` and None, with aliases and merge keys applied.

    Also returns the leaves of all documents.  Raises ConfigError for another text than YAML.
    """
    from encconf.formats.yaml import Yaml

    yaml = Yaml()
    try:
        document = yaml.scan(text, any_keys=True)  # sops ignores keys of other types, so they are no error
        values = [_scalar(text, leaf) for leaf in document.leaves]
        return yaml.loaded(document, values)[0], document.leaves
    except EmptyDocumentError:
        return None, []
    except (ParseError, LimitError) as error:
        found = ConfigError(error.message)
        if isinstance(error, ParseError) and error.line and error.column:
            found.place = error.line, error.column
        raise found from None


def _scalar(text: str, leaf: Leaf) -> Scalar | None:
    """Return the value of a leaf, or None for null."""
    if leaf.data is None:
        return None
    said = leaf.data.decode("utf-8", "replace") if leaf.type == "str" else _spelling(text, leaf)
    return Scalar(leaf.type, said, leaf.data)


def _spelling(text: str, leaf: Leaf) -> str:
    """Return how a leaf is written.  For an alias, this is how its anchor is written."""
    from encconf.text.document import Leaf

    while True:
        source = getattr(leaf.note, "source", leaf.note)
        if not isinstance(source, Leaf):
            return text[leaf.start : leaf.end]
        leaf = source


class Section:
    """One mapping of the file.  Each method reads a member as the type that it must have.

    As in go-yaml, a null counts as missing, also in a list.  If a string is expected, a number or boolean is
    read as it is written.
    """

    def __init__(self, node: object, place: str) -> None:
        if node is not None and not isinstance(node, dict):
            raise _wrong(place or "the configuration", "a mapping", node)
        self.members: dict[str, object] = node or {}
        self.place = place
        self._prefix = f"{place}." if place else ""
        self._known: dict[str, None] = {}

    def report(self, notices: list[str]) -> None:
        """Add a notice for each member that is not a setting, which is one that was never read."""
        unknown = [name for name in self.members if name not in self._known]
        if not unknown or len(notices) >= _MAX_NOTICES:
            return
        for name in unknown[:_MAX_NOTICES]:
            meant = did_you_mean(name.lower(), self._known, 0.55 if self.place else 0.75)
            if meant or self.place:  # at the top level, people keep anchors under names of their own
                ignored = f"{printable(self._prefix + name, _SHOWN)} is not a setting and is ignored"
                notices.append(f"{ignored}: {meant}" if meant else ignored)

    def has(self, name: str) -> bool:
        """Whether there is a member with this name, which may be null."""
        self._known[name] = None
        return name in self.members

    def _member(self, name: str) -> tuple[object, str]:
        """Return a member, or None if it is missing, and its place."""
        self._known[name] = None
        return self.members.get(name), self._prefix + name

    def string(self, name: str) -> str:
        """Return a string, or "" if it is missing."""
        node, place = self._member(name)
        return "" if node is None else _string(node, place)

    def integer(self, name: str, default: int = 0) -> int:
        """Return a signed integer of 64 bits."""
        node, place = self._member(name)
        if node is None:
            return default
        if (
            not isinstance(node, Scalar)
            or node.type not in ("int", "float")
            or not node.data.lstrip(b"-").isdigit()
            or len(node.data) > 20
        ):
            raise _wrong(place, "an integer", node)
        number = int(node.data)
        if not -(1 << 63) <= number < 1 << 63:
            raise ConfigError(f"{place} is too large")
        return number

    def boolean(self, name: str) -> bool:
        """Return a boolean, or False if it is missing."""
        node, place = self._member(name)
        if node is None:
            return False
        if isinstance(node, Scalar):
            if node.type == "bool":
                return node.data.lower() == b"true"
            if node.type == "str" and node.text in _YES | _NO:
                return node.text in _YES
        raise _wrong(place, "true or false", node)

    def section(self, name: str) -> Section:
        """Return a mapping, which is empty if it is missing."""
        return Section(*self._member(name))

    def sections(self, name: str) -> list[Section]:
        """Return a list of mappings."""
        return [Section(node, place) for place, node in self._items(name)]

    def strings(self, name: str) -> list[tuple[str, str]]:
        """Return a list of strings, each with its place."""
        return [(place, _string(node, place)) for place, node in self._items(name)]

    def texts(self, name: str) -> dict[str, str]:
        """Return a mapping of strings."""
        section = self.section(name)
        return {member: section.string(member) for member in section.members}

    def keys(self, name: str) -> list[tuple[str, str]]:
        """Return keys with their places, from a string with commas or from a list of such strings."""
        node, place = self._member(name)
        if node is None:
            return []
        items, wanted = [(place, node)], "a string or a list of strings"
        if isinstance(node, list):
            items, wanted = [(f"{place}[{index}]", item) for index, item in enumerate(node)], "a string"
        found: list[tuple[str, str]] = []
        for at, item in items:
            if not isinstance(item, Scalar) or item.type != "str":
                raise _wrong(at, wanted, item)
            found += [(at, part.strip()) for part in item.text.split(",")]
        return [(at, text) for at, text in found if text]

    def _items(self, name: str) -> list[tuple[str, object]]:
        node, place = self._member(name)
        if node is None:
            return []
        if not isinstance(node, list):
            raise _wrong(place, "a list", node)
        return [(f"{place}[{index}]", item) for index, item in enumerate(node) if item is not None]


def _string(node: object, place: str) -> str:
    if isinstance(node, Scalar):
        return node.text
    raise _wrong(place, "a string", node)


_TYPES = {"str": "a string", "int": "a number", "float": "a number", "bool": "a boolean", "time": "a date"}


def _wrong(place: str, wanted: str, node: object) -> ConfigError:
    if isinstance(node, Scalar):
        found = _TYPES[node.type]
    else:
        found = "a mapping" if isinstance(node, dict) else "a list" if isinstance(node, list) else "null"
    return ConfigError(f"{printable(place, _SHOWN)} must be {wanted}, not {found}")


def quoted(text: str) -> str:
    """Return a word of the file in quotes, for a message."""
    return f'"{printable(text, _SHOWN)}"'
