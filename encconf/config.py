"""``.sops.yaml``: which keys a file is encrypted for, and which of its values.

Grammar and meaning are those of sops 3.13.3 (config/config.go), decoded as its YAML library does.
It differs on purpose in what it tells and where it looks: the file is looked for from the target
upwards before the current folder; a rule may match a second name of the file; unknown members are
reported; and what sops would turn into an unprotected file (a selection regex that does not
compile, a rule without keys) is an error.  Indents of ``stores`` are read but mean nothing to
encconf, which keeps a text's own layout.

The text is untrusted.  Shapes are checked when it is loaded, keys and patterns only in the rule
that is chosen, so a rule for keys that this version does not know harms no other rule.
"""

from __future__ import annotations

import os

from encconf.errors import (
    BadKeyError,
    ConfigError,
    EmptyDocumentError,
    LimitError,
    NoConfigError,
    NoMatchingRuleError,
    ParseError,
    PatternError,
)
from encconf.selection import DEFAULT, KINDS, Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from encconf.document import Leaf
    from encconf.keys import MasterKey
    from encconf.pattern import Pattern

    Notify = Callable[[str], None]
    Named = tuple[str, object, str]  # a master key as written: type, value, place in the file

NAME = ".sops.yaml"
_OTHER_NAME = ".sops.yml"
MAX_LEVELS = 100
"""How many folders upwards the file is looked for, as in sops."""
MAX_GROUPS = 255
"""As many parts as Shamir's scheme can make of a data key."""
MAX_SIZE = 1 << 20
"""The longest configuration, in characters; a thousandth of it is much."""
MAX_RULES = 1000
"""How many creation rules there may be: a hostile pattern takes some milliseconds to compile."""
_MAX_NOTICES = 50

# The words of sops, which its clients look for.
_NO_CONFIG = (
    "config file not found, or has no creation rules, and no keys provided through command line options"
)

# Members that name keys and the metadata's name of their type, in the order in which sops takes them.
_FLAT = {
    "age": "age",
    "pgp": "pgp",
    "kms": "kms",
    "gcp_kms": "gcp_kms",
    "hckms": "hckms",
    "azure_keyvault": "azure_kv",
    "hc_vault_transit_uri": "hc_vault",
}
# In a key group: the same for keys that are texts, and for those that are mappings of texts.
_GROUP_MAPPINGS = {
    "kms": ("kms", ("arn", "role", "context", "aws_profile")),
    "gcp_kms": ("gcp_kms", ("resource_id",)),
    "hckms": ("hckms", ("key_id",)),
    "azure_keyvault": ("azure_kv", ("vaultUrl", "key", "version")),
}
_GROUP_MEMBERS = ("merge", "age", "pgp", *_GROUP_MAPPINGS, "hc_vault")
_RULE_MEMBERS = (
    "path_regex",
    *_FLAT,
    "aws_profile",
    "key_groups",
    "shamir_threshold",
    *KINDS,
    "mac_only_encrypted",
)
_DESTINATION_KINDS = {"s3_bucket": "s3", "gcs_bucket": "gcs", "vault_path": "vault"}
_DESTINATION_TEXTS = (
    *("s3_bucket", "s3_prefix", "gcs_bucket", "gcs_prefix"),
    *("vault_path", "vault_address", "vault_kv_mount_name"),
)
_DESTINATION_MEMBERS = (
    "path_regex",
    *_DESTINATION_TEXTS,
    "vault_kv_version",
    "recreation_rule",
    "omit_extensions",
)
_INDENTS = {"yaml": 0, "json": -1, "json_binary": -1}

# What go-yaml takes for a boolean where it wants one, beside YAML 1.2's own words.
_YES = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})


class Rule:
    """What a file is encrypted by.

    ``groups`` are the key groups, one unless the data key is split; ``threshold`` how many of
    several groups are needed (None: all); ``name`` says which rule it is, for messages;
    ``indents`` are those of ``stores`` in characters (yaml: 0 means 4; json: -1 means a tab).
    ``selects`` is False for a rule of ``.sops.yaml`` that does not say which values are encrypted.
    """

    __slots__ = ("groups", "indents", "name", "selection", "selects", "threshold")

    def __init__(
        self,
        groups: list[list[MasterKey]],
        threshold: int | None = None,
        selection: Selection = DEFAULT,
        name: str = "",
        indents: Mapping[str, int] = _INDENTS,
        *,
        selects: bool = True,
    ) -> None:
        self.groups = groups
        self.threshold = threshold
        self.selection = selection
        self.name = name
        self.indents = indents
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


class Destination:
    """Where a file is published: ``kind`` is s3, gcs or vault, ``settings`` the members that say where.

    ``rule`` is what it is encrypted by there, None to publish it decrypted or as it is.
    """

    __slots__ = ("kind", "name", "omit_extensions", "rule", "settings")

    def __init__(
        self,
        name: str,
        kind: str,
        settings: Mapping[str, str | int],
        rule: Rule | None,
        omit_extensions: bool,
    ) -> None:
        self.name = name
        self.kind = kind
        self.settings = settings
        self.rule = rule
        self.omit_extensions = omit_extensions


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
        other = os.path.join(os.path.dirname(path), _OTHER_NAME)
        if ignored is None and os.path.exists(other):
            ignored = other
    if ignored is not None and notify is not None:
        notify(f"{ignored} is ignored: the file must be called {NAME}")
    return found


def places(target: str | None, cwd: str) -> list[str]:
    """Every path at which `find_config` looks, in its order."""
    starts = [cwd] if target is None else [os.path.dirname(os.path.join(cwd, target)), cwd]
    folders = dict.fromkeys(folder for start in starts for folder in _upwards(start))
    return [os.path.join(folder, NAME) for folder in folders]


def _upwards(start: str) -> Iterator[str]:
    folder = os.path.abspath(start)
    for _ in range(MAX_LEVELS):
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


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

    ``also`` are other names by which a rule may know the file.  ``read`` keeps what has been read
    already, by path.  ``notify`` hears of what is odd in the configuration.  Raises NoConfigError,
    NoMatchingRuleError, or what `load` raises.
    """
    from encconf import fileio

    cwd = cwd or os.getcwd()
    target = os.fspath(path)
    found = config if config is not None else find_config(target, cwd, notify=notify)
    if found is None:
        raise NoConfigError(
            _NO_CONFIG,
            hint=f"write a {NAME} beside the file or above it (encconf init makes one), or name keys",
        )
    found = os.path.join(cwd, found)
    loaded = read.get(found) if read is not None else None
    if loaded is None:
        loaded = load(found, fileio.read_text(found))
        if read is not None:
            read[found] = loaded
    try:
        return loaded.rule_for(os.path.join(cwd, target), also=[os.path.join(cwd, name) for name in also])
    finally:
        if notify is not None:
            for notice in loaded.notices:
                notify(f"{found}: {notice}")


# --- rules ---------------------------------------------------------------------------------------


class Tried:
    """A creation rule and a file: whether it ``matches``; ``reason`` are words that follow "path_regex X"."""

    __slots__ = ("matches", "path_regex", "place", "reason")

    def __init__(self, place: str, path_regex: str, matches: bool, reason: str) -> None:
        self.place = place
        self.path_regex = path_regex
        self.matches = matches
        self.reason = reason


class Config:
    """A loaded ``.sops.yaml``; made by `load`.

    ``notices`` are sentences about what is odd in it: members that mean nothing, and what came up
    when a rule was chosen.
    """

    __slots__ = ("_creations", "_destinations", "_folder", "_paths", "indents", "notices", "path")

    def __init__(
        self,
        path: str,
        creations: list[_Creation] | None,
        destinations: list[_Section],
        indents: Mapping[str, int],
        notices: list[str],
        paths: ModuleType,
    ) -> None:
        self.path = path
        self.indents = indents
        self.notices = notices
        self._creations = creations
        self._destinations = destinations
        self._paths = paths
        self._folder: str = paths.dirname(paths.abspath(path))

    def rule_for(self, path: str, *, also: Sequence[str] = ()) -> Rule:
        """The first creation rule whose ``path_regex`` matches ``path`` or a name in ``also``.

        Names are taken relative to this file's folder, with ``/`` between folders (on Windows a
        pattern for ``\\`` is taken too); a file outside of it has its absolute path.

        Raises NoMatchingRuleError; NoConfigError if there are no creation rules at all; PatternError,
        BadKeyError or ConfigError if the matching rule, or a pattern before it, cannot be used.
        """
        try:
            return self._rule_for(path, also)
        except (ConfigError, BadKeyError) as error:
            raise error.about(self.path) from error.__cause__

    def _rule_for(self, path: str, also: Sequence[str]) -> Rule:
        if self._creations is None:
            raise NoConfigError(_NO_CONFIG, hint="add creation_rules to it, or name keys")
        names = self.names(path, also)
        number = self.first(names)
        if number is None:
            raise self._no_match(path, also, names)
        chosen = self._creations[number]
        if len(names) > 1:
            later = (other for other in self._creations if self._matches(other, names[:1]))
            own = next(later, chosen)
            if own is not chosen:
                self._notice(
                    f"{chosen.place} was chosen for {' or '.join(map(_quoted, names[1:]))}; for"
                    f" {_quoted(names[0])} alone it would be {own.place}"
                )
        return self._use(chosen)

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
        try:
            return self._use((self._creations or [])[number])
        except (ConfigError, BadKeyError) as error:
            raise error.about(self.path) from error.__cause__

    def keyless(self, number: int) -> Rule | None:
        """What a creation rule says that names no key: the command line or the environment does.

        None for a rule that names keys.  Raises ConfigError for one that cannot be used for another reason.
        """
        creation = (self._creations or [])[number]
        if creation.names_keys and any(creation.key_groups()):
            return None
        return Rule(
            [], None, creation.selection(), creation.place, self.indents, selects=bool(creation.kinds)
        )

    def tried(self, path: str, *, also: Sequence[str] = (), limit: int = MAX_RULES) -> list[Tried]:
        """The creation rules, and whether and why each matches a file; see `rule_for`."""
        names, whole = self.names(path, also), self._paths.abspath(path)
        found = []
        for creation in (self._creations or ())[:limit]:
            regex = creation.path_regex
            try:
                matches = self._matches(creation, names)
                if not regex:
                    reason = "is not there, so every file matches"
                else:
                    reason = "matches" if matches else _why_not(regex, names, whole)
            except PatternError as error:
                matches, reason = False, f"cannot be used: {error.message}"
            found.append(Tried(creation.place, regex, matches, reason))
        return found

    def destination_for(self, path: str) -> Destination:
        """The first destination rule whose ``path_regex`` matches ``path``, which is taken as typed.

        Raises ConfigError if none does, or if the rule does not name exactly one destination.
        """
        try:
            for section in self._destinations:
                regex = section.string("path_regex")
                if not regex or _pattern(f"{section.place}.path_regex", regex).search(path):
                    return self._destination(section)
            raise ConfigError(f"no matching destination found in config for {path!r}")
        except (ConfigError, BadKeyError) as error:
            raise error.about(self.path) from error.__cause__

    def _destination(self, section: _Section) -> Destination:
        settings: dict[str, str | int] = {
            name: text for name in _DESTINATION_TEXTS if (text := section.string(name))
        }
        kinds = [name for name in _DESTINATION_KINDS if name in settings]
        if len(kinds) != 1:
            said = " and ".join(kinds) if kinds else "no destination"
            raise ConfigError(
                f"{section.place} has {said}: it must have exactly one of {', '.join(_DESTINATION_KINDS)}"
            )
        for name in ("s3_prefix", "gcs_prefix", "vault_path"):
            if ".." in str(settings.get(name, "")).split("/"):
                raise ConfigError(f'{section.place}.{name} has a step "..", which would leave its place')
        if kinds == ["vault_path"]:
            version = section.integer("vault_kv_version")
            if version not in (0, 1, 2):
                raise ConfigError(f"{section.place}.vault_kv_version is {version}, not 1 or 2")
            settings["vault_kv_version"] = version or 2
            settings.setdefault("vault_kv_mount_name", "secret/")
        again = section.section("recreation_rule")
        creation = _Creation(again)
        rule = self._use(creation) if creation.names_keys else None
        return Destination(
            section.place, _DESTINATION_KINDS[kinds[0]], settings, rule, section.boolean("omit_extensions")
        )

    def _relative(self, path: str) -> str:
        paths = self._paths
        whole: str = paths.abspath(path)
        prefix = self._folder + paths.sep
        if paths.normcase(whole[: len(prefix)]) == paths.normcase(prefix):
            whole = whole[len(prefix) :]
        return whole.replace("\\", "/") if paths.sep == "\\" else whole

    def _matches(self, creation: _Creation, names: Sequence[str]) -> bool:
        if not creation.path_regex:
            return True
        pattern = creation.pattern()
        windows = self._paths.sep == "\\"
        for name in names:
            if pattern.search(name) or (windows and pattern.search(name.replace("/", "\\"))):
                return True
        return False

    def _no_match(self, path: str, also: Sequence[str], names: Sequence[str]) -> NoMatchingRuleError:
        lines = [f"no matching creation rules found for {' or '.join(map(_quoted, names))}"]
        for rule in self.tried(path, also=also, limit=20):
            lines.append(f"  {rule.place}  path_regex {_quoted(rule.path_regex)} {rule.reason}")
        count = len(self._creations or ())
        if not count:
            lines.append("  there are no rules in it")
        elif count > 20:
            lines.append(f"  and {count - 20} more, which do not match")
        return NoMatchingRuleError(
            "\n".join(lines),
            hint=f"a path_regex is looked for in the path relative to {self._folder}; a rule without one"
            " matches every file",
        )

    def _use(self, creation: _Creation) -> Rule:
        """Turn a rule as written into one that can be used."""
        groups = creation.key_groups()
        threshold = creation.threshold
        if any(not group for group in groups):
            raise ConfigError(
                f"{creation.place} has an empty key group: nobody could decrypt the file",
                hint="name at least one key, for example: age: age1…",
            )
        if len(groups) > MAX_GROUPS:
            raise ConfigError(f"{creation.place} has {len(groups)} key groups, more than {MAX_GROUPS}")
        if threshold < 0 or (len(groups) > 1 and threshold and not 2 <= threshold <= len(groups)):
            raise ConfigError(
                f"{creation.place}.shamir_threshold is {threshold}, with {len(groups)} key groups",
                hint="it says how many of the key groups are needed to decrypt: from 2 to all of them",
            )
        if len(groups) > 1 and not threshold:
            self._notice(
                f"{creation.place} has {len(groups)} key groups and no shamir_threshold, so one key of each"
                f" of them is needed to decrypt; if any one key should do, put them all under one dash of"
                f" key_groups, otherwise write shamir_threshold: {len(groups)}"
            )
        needed = threshold if len(groups) > 1 else 0  # one group has no threshold
        return Rule(
            groups,
            needed or None,
            creation.selection(),
            creation.place,
            self.indents,
            selects=bool(creation.kinds),
        )

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


class _Creation:
    """A creation rule as it is written: shapes checked, keys and patterns not."""

    __slots__ = (
        "_flat", "_groups", "_left", "_pattern", "_section", "kinds", "mac_only_encrypted", "path_regex",
        "place", "threshold",
    )  # fmt: skip

    def __init__(self, section: _Section) -> None:
        self._section = section
        self.place = section.place
        self.path_regex = section.string("path_regex")
        self.threshold = section.integer("shamir_threshold")
        self.mac_only_encrypted = section.boolean("mac_only_encrypted")
        self.kinds = {kind: text for kind in KINDS if (text := section.string(kind))}
        # Most flat members are looked at only when the rule is used, as in sops.
        self._flat = [name for name in _FLAT if name in section.members]
        section.strings("hckms")
        section.string("aws_profile")
        self._groups = [list(_group(group)) for group in section.sections("key_groups")]
        self._pattern: Pattern | None = None
        self._left = 0

    def pattern(self) -> Pattern:
        """The compiled path_regex.  Raises PatternError."""
        if self._pattern is None or self._left == 0:
            # (What a pattern may cost is bounded over its life; here it is asked for file after file.)
            self._pattern = _pattern(f"{self.place}.path_regex", self.path_regex)
            self._left = 1000
        self._left -= 1
        return self._pattern

    @property
    def names_keys(self) -> bool:
        return bool(self._groups or self._flat)

    def key_groups(self) -> list[list[MasterKey]]:
        """The keys, in sops's order; it drops repeated ones only where key groups are spelled out."""
        if self._groups:
            return [list(dict.fromkeys(_master_keys(group))) for group in self._groups]
        profile = self._section.string("aws_profile")
        named: list[Named] = []
        for name in self._flat:
            for place, text in self._section.keys(name):
                value = {"arn": text, "aws_profile": profile} if name == "kms" and profile else text
                named.append((_FLAT[name], value, place))
        return [list(_master_keys(named))]

    def selection(self) -> Selection:
        if len(self.kinds) > 1:
            raise ConfigError(
                f"{self.place} has {' and '.join(self.kinds)}: only one rule can say what is encrypted"
            )
        for kind, text in self.kinds.items():
            if kind.endswith("_regex"):
                _pattern(f"{self.place}.{kind}", text)
            return Selection(kind, text, self.mac_only_encrypted)
        return Selection(DEFAULT.kind, DEFAULT.pattern, self.mac_only_encrypted)


def _group(section: _Section) -> Iterator[Named]:
    """The keys that a key group names, those of the groups merged into it first."""
    for merged in section.sections("merge"):
        yield from _group(merged)
    for place, text in section.strings("age"):
        for recipient in text.split(",") if text else ():
            yield "age", recipient.strip(), place
    for place, text in section.strings("pgp"):
        yield "pgp", text, place
    for name, (type, members) in _GROUP_MAPPINGS.items():
        for key in section.sections(name):
            value: dict[str, object] = {
                member: text for member in members if member != "context" and (text := key.string(member))
            }
            if name == "kms" and (context := key.texts("context")):
                value["context"] = context
            yield type, value, key.place
    for place, text in section.strings("hc_vault"):
        yield "hc_vault", text, place


def _master_keys(named: Sequence[Named]) -> Iterator[MasterKey]:
    from encconf.keys import master_key

    for type, value, place in named:
        try:
            yield master_key(type, value)
        except BadKeyError as error:
            raise BadKeyError(f"{place}: {error.message}", hint=error.hint) from None


def _pattern(place: str, text: str) -> Pattern:
    from encconf.pattern import compile

    try:
        return compile(text)
    except PatternError as error:
        hint = error.hint
        if place.endswith(".path_regex") and text.startswith("*"):
            hint = "this looks like a shell pattern: the regular expression for *.yaml is \\.yaml$"
        raise PatternError(f"{place}: {error.message}", hint=hint) from None


def _why_not(regex: str, names: Sequence[str], whole: str) -> str:
    """Why a pattern that compiles does not match, as far as a guess can tell."""
    from encconf.pattern import compile

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


def _quoted(text: str) -> str:
    return f'"{_printable(text)}"'


# --- loading -------------------------------------------------------------------------------------


def load(path: str, text: str, *, paths: ModuleType = os.path) -> Config:
    """Read a configuration.

    ``path`` is where it is, which need not exist; ``paths`` the rules of its paths (`ntpath` or
    `posixpath`).  Raises ConfigError for what is not YAML or not of the grammar, naming the place.
    """
    try:
        return _load(path, text, paths)
    except (ParseError, LimitError) as error:
        raise ConfigError(error.message, file=path) from None
    except ConfigError as error:
        raise error.about(path) from None


def _load(path: str, text: str, paths: ModuleType) -> Config:
    if len(text) > MAX_SIZE:
        raise ConfigError(f"a configuration of {len(text)} characters is too long, {MAX_SIZE} is the limit")
    notices: list[str] = []
    root = _Section(_tree(text), "")
    root.report(("creation_rules", "destination_rules", "stores"), notices)

    creations: list[_Creation] | None = None
    if root.members.get("creation_rules") is not None:
        creations = []
        sections = root.sections("creation_rules")
        if len(sections) > MAX_RULES:
            raise ConfigError(f"{len(sections)} creation_rules are too many, {MAX_RULES} is the limit")
        for section in sections:
            _report_rule(section, notices)
            creations.append(_Creation(section))

    destinations = root.sections("destination_rules")
    for section in destinations:
        section.report(_DESTINATION_MEMBERS, notices)
        for name in ("path_regex", *_DESTINATION_TEXTS):
            section.string(name)
        section.integer("vault_kv_version")
        section.boolean("omit_extensions")
        again = section.section("recreation_rule")
        _report_rule(again, notices)
        _Creation(again)

    stores = root.section("stores")
    stores.report((*_INDENTS, "dotenv", "ini"), notices)
    indents: dict[str, int] = {}
    for name, default in _INDENTS.items():
        store = stores.section(name)
        store.report(("indent",), notices)
        indents[name] = indent = store.integer("indent", default)
        if indent < default:
            notices.append(f"{store.place}.indent is {indent}, which sops refuses")
    for name in ("dotenv", "ini"):
        stores.section(name).report((), notices)
    return Config(path, creations, destinations, indents, notices, paths)


def _report_rule(section: _Section, notices: list[str]) -> None:
    section.report(_RULE_MEMBERS, notices)
    groups = section.sections("key_groups")
    for group in groups:  # which grows by the groups merged into them
        group.report(_GROUP_MEMBERS, notices)
        for name, (_, members) in _GROUP_MAPPINGS.items():
            for key in group.sections(name):
                key.report(members, notices)
        groups += group.sections("merge")


class _Scalar:
    """A value that is not null: its type as go-yaml sees it, and its text.

    The text of a string is the string, that of anything else how it is spelled: go-yaml puts
    ``0x1F`` into a text member as it stands.
    """

    __slots__ = ("data", "text", "type")

    def __init__(self, type: str, text: str, data: bytes) -> None:
        self.type = type
        self.text = text
        self.data = data


def _tree(text: str) -> object:
    """The first document as dicts, lists, `_Scalar` and None, aliases and merge keys applied."""
    from encconf.formats.yaml import merge, scan

    try:
        document = scan(text, any_keys=True)  # sops ignores what its settings are not in
    except EmptyDocumentError:
        return None
    for leaf in document.leaves:
        value = None
        if leaf.data is not None:
            said = leaf.data.decode("utf-8", "replace") if leaf.type == "str" else _spelling(text, leaf)
            value = _Scalar(leaf.type, said, leaf.data)
        leaf.scope.node[leaf.step] = value
    merge(document)
    return document.trees[0]


def _spelling(text: str, leaf: Leaf) -> str:
    """How a leaf is written, at its anchor if it is an alias."""
    from encconf.document import Leaf

    while True:
        source = getattr(leaf.note, "source", leaf.note)
        if not isinstance(source, Leaf):
            return text[leaf.start : leaf.end]
        leaf = source


class _Section:
    """One mapping of the file: its members, each read as the type it must have.

    As in go-yaml a null counts as missing, also in a list, and a number or boolean that stands
    where a text is wanted is taken as it is spelled.
    """

    __slots__ = ("members", "place")

    def __init__(self, node: object, place: str) -> None:
        if node is not None and not isinstance(node, dict):
            raise _wrong(place or "the configuration", "a mapping", node)
        self.members: dict[str, object] = node or {}
        self.place = place

    def report(self, known: Sequence[str], notices: list[str]) -> None:
        """Add a notice for each member that means nothing."""
        unknown = [name for name in self.members if name not in known]
        if not unknown or len(notices) >= _MAX_NOTICES:
            return
        from difflib import get_close_matches

        for name in unknown[:_MAX_NOTICES]:
            if not self.place and name in _RULE_MEMBERS:
                notices.append(f"{name} is ignored at the top: it is a setting of a creation rule")
                continue
            best = get_close_matches(name[:80].lower(), known, 1, 0.55 if self.place else 0.75)
            if best or self.place:  # at the top people keep anchors under names of their own
                meant = f": did you mean {best[0]}?" if best else ""
                notices.append(f"{_printable(self._at(name))} is not a setting and is ignored{meant}")

    def string(self, name: str) -> str:
        """A text, "" when it is missing."""
        node = self.members.get(name)
        return "" if node is None else _string(node, self._at(name))

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number, of 64 bits with its sign."""
        node = self.members.get(name)
        if node is None:
            return default
        if (
            not isinstance(node, _Scalar)
            or node.type not in ("int", "float")
            or not node.data.lstrip(b"-").isdigit()
            or len(node.data) > 20
        ):
            raise _wrong(self._at(name), "an integer", node)
        number = int(node.data)
        if not -(1 << 63) <= number < 1 << 63:
            raise ConfigError(f"{self._at(name)} is too large")
        return number

    def boolean(self, name: str) -> bool:
        """True or false, false when it is missing."""
        node = self.members.get(name)
        if node is None:
            return False
        if isinstance(node, _Scalar):
            if node.type == "bool":
                return node.data.lower() == b"true"
            if node.type == "str" and node.text in _YES | _NO:
                return node.text in _YES
        raise _wrong(self._at(name), "true or false", node)

    def section(self, name: str) -> _Section:
        """A mapping, empty when it is missing."""
        return _Section(self.members.get(name), self._at(name))

    def sections(self, name: str) -> list[_Section]:
        """A list of mappings."""
        return [_Section(node, place) for place, node in self._items(name)]

    def strings(self, name: str) -> list[tuple[str, str]]:
        """A list of texts, each with its place."""
        return [(place, _string(node, place)) for place, node in self._items(name)]

    def texts(self, name: str) -> dict[str, str]:
        """A mapping of texts."""
        section = self.section(name)
        return {member: section.string(member) for member in section.members}

    def keys(self, name: str) -> list[tuple[str, str]]:
        """Keys with their places: a string with commas or a list of such strings, and nothing else."""
        node, place = self.members.get(name), self._at(name)
        if node is None:
            return []
        items, wanted = [(place, node)], "a string or a list of strings"
        if isinstance(node, list):
            items, wanted = [(f"{place}[{index}]", item) for index, item in enumerate(node)], "a string"
        found: list[tuple[str, str]] = []
        for at, item in items:
            if not isinstance(item, _Scalar) or item.type != "str":
                raise _wrong(at, wanted, item)
            found += [(at, part.strip()) for part in item.text.split(",")]
        return [(at, text) for at, text in found if text]

    def _items(self, name: str) -> list[tuple[str, object]]:
        node, place = self.members.get(name), self._at(name)
        if node is None:
            return []
        if not isinstance(node, list):
            raise _wrong(place, "a list", node)
        return [(f"{place}[{index}]", item) for index, item in enumerate(node) if item is not None]

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def _string(node: object, place: str) -> str:
    if isinstance(node, _Scalar):
        return node.text
    raise _wrong(place, "a string", node)


_TYPES = {"str": "a string", "int": "a number", "float": "a number", "bool": "a boolean", "time": "a date"}


def _wrong(place: str, wanted: str, node: object) -> ConfigError:
    if isinstance(node, _Scalar):
        found = _TYPES[node.type]
    else:
        found = "a mapping" if isinstance(node, dict) else "a list" if isinstance(node, list) else "null"
    return ConfigError(f"{_printable(place)} must be {wanted}, not {found}")


def _printable(text: str) -> str:
    """Words of the file for a message: on one line, not too long."""
    short = text if len(text) <= 120 else text[:119] + "…"
    return "".join(char if char.isprintable() else "?" for char in short)
