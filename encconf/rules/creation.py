"""A creation rule as it is written in ``.sops.yaml``.

The types of its members are checked when it is read, its keys and patterns when it is used.
`encconf.keys.TABLE` says which members name keys of which type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from encconf.errors import BadKeyError, ConfigError, PatternError
from encconf.keys import CONTEXT, TABLE, MasterKey, in_config_order, master_key, row_of
from encconf.rules.grammar import Section
from encconf.rules.pattern import Pattern
from encconf.rules.selection import DEFAULT, KINDS, Selection

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
