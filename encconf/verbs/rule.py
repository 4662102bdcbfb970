"""Find the rule for a file, in .sops.yaml, in the options of a verb, or in both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from encconf.engine.admission import LINK, Admission, in_full
from encconf.errors import (
    BadKeyError,
    ConfigError,
    EncconfError,
    NoConfigError,
    NoMatchingRuleError,
    StrangerError,
    at_most_one,
)
from encconf.keys import TABLE, MasterKey, master_key, parse_list
from encconf.record import VerbOptions
from encconf.rules import config as configs
from encconf.rules.selection import DEFAULT, KINDS, Selection
from encconf.text.printable import one_line, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.metadata import Metadata
    from encconf.verbs.front import Front

Keys = Mapping[str, Sequence[str]]
"""The master keys that a user named, by type.  Each text is a comma-separated list."""
NO_KEYS: Keys = {}


class Selecting(VerbOptions):
    """The options of a verb that encrypts by a rule.

    ``keys`` replace those of .sops.yaml, so no rule is needed then.  A selection replaces that of the rule.
    """

    keys: Keys = NO_KEYS
    encrypted_regex: str | None = None
    unencrypted_regex: str | None = None
    encrypted_suffix: str | None = None
    unencrypted_suffix: str | None = None
    encrypted_comment_regex: str | None = None
    unencrypted_comment_regex: str | None = None
    mac_only_encrypted: bool = False
    config: str | None = None

    @property
    def selections(self) -> dict[str, str]:
        """The selections that are given, by their kinds."""
        return {kind: pattern for kind in KINDS if (pattern := getattr(self, kind))}


def rule_for(
    target: str,
    options: Selecting,
    *,
    also: Sequence[str] = (),
    read: dict[str, configs.Config] | None = None,
    notify: Callable[[str], None],
) -> configs.Rule:
    """Return the rule to encrypt ``target`` by.

    Raises ConflictError for two selections.  Raises NoConfigError, NoMatchingRuleError and other errors of
    .sops.yaml if it is needed.
    """
    keys = named_keys(options.keys)
    selections = options.selections
    at_most_one(**selections)
    rule: configs.Rule | None = None
    try:
        rule = configs.find_rule(target, also=also, config=options.config, read=read, notify=notify)
    except (NoConfigError, NoMatchingRuleError) as error:
        if not keys:
            if error.hint:
                error.hint += "; or name recipients with --age, --pgp or similar"
            raise
    except (ConfigError, BadKeyError):
        if not (keys and selections):
            raise
    selection = rule.selection if rule is not None else DEFAULT
    mac_only = options.mac_only_encrypted or selection.mac_only_encrypted
    kind, pattern = next(iter(selections.items()), (selection.kind, selection.pattern))
    selection = Selection(kind, pattern, mac_only)
    if rule is None:
        return configs.Rule([keys], None, selection, "the command line")
    if keys:
        return rule.replace(groups=[keys], threshold=None, selection=selection, name="the command line")
    return rule.replace(selection=selection)


def refuse_link(
    file: str,
    rule: configs.Rule,
    options: Selecting,
    *,
    encrypted: Callable[[str], str],
    read: dict[str, configs.Config] | None = None,
) -> None:
    """Raise StrangerError for a link to a plaintext that some recipients may not read.

    A branch can have one, and a pattern such as ``dev/*.yaml`` of a shell names it.  ``rule`` is that of the
    link, and ``encrypted`` returns the name of the encrypted file for a plaintext.  Recipients of the command
    line are the user's choice.
    """
    if os.path.realpath(file) == os.path.abspath(file) or named_keys(options.keys):
        return
    from encconf.git.copies import is_tracked_link, linked

    if (real := linked(file)) is None:
        return
    try:
        found = configs.find_rule(encrypted(real), also=[real], config=options.config, read=read)
        allowed, why = [key for group in found.groups for key in group], f"{found.name} of .sops.yaml"
    except EncconfError:
        if not is_tracked_link(file):
            return  # it is your own
        allowed, why = [], ".sops.yaml"
    strangers = [key for group in rule.groups for key in group if key not in allowed]
    if strangers:
        who = ", ".join(map(in_full, strangers))
        said = f"it is a link to {one_line(os.path.relpath(real))}, and {why} does not name {who}"
        raise StrangerError(said, strangers, hint=LINK).about(file)


def admission_to(file: str, config: str | None, *, named: Sequence[MasterKey] = ()) -> Admission:
    """Return who may get the data key of an encrypted file, which may be a copy of another one, or a link.

    ``named`` are the recipients that the user names.
    """

    def copied(gaining: Sequence[MasterKey]) -> StrangerError | None:
        from encconf.git.copies import Copies

        read: dict[str, configs.Config] = {}
        error = Copies([]).objection_to(
            file, gaining, lambda other: configs.find_rule(other, config=config, read=read)
        )
        if error is not None:
            error.hint = error.hint or copy_hint(file)
        return error

    return Admission(lambda: configs.find_rule(file, config=config), file=file, named=named, copied=copied)


def copy_hint(file: str) -> str:
    """Return what to do about a file that may be a copy of another one."""
    return (
        f"look at it: encconf decrypt {quoted(file)}; if they may read this, "
        "give it a new data key: encconf decrypt -i FILE, then encconf encrypt -i FILE"
    )


def warn_of_other(front: Front, file: str, options: Selecting, metadata: Metadata) -> None:
    """Warn if an encrypted file has other recipients or another selection than the options name.

    It keeps its own: the options are for a file that is new.
    """
    if named := named_keys(options.keys):
        from encconf.audit.names import identity

        has = {identity(wrapped.key) for group in metadata.groups for wrapped in group}
        if {*map(identity, named)} != has:
            front.warn(
                f"{one_line(file)} exists and keeps its recipients: those on the command line are for a new "
                "file",
                hint=f"to add one: encconf keys add --age RECIPIENT {quoted(file)}",
            )
    selection = metadata.selection
    if any((selection.kind, selection.pattern) != each for each in options.selections.items()):
        front.warn(
            f"{one_line(file)} exists and keeps its selection ({selection}): "
            "that on the command line is for a new file"
        )


def is_named(target: str, source: str, *, config: str | None, read: dict[str, configs.Config]) -> bool:
    """Whether a ``path_regex`` of .sops.yaml matches a file that would be encrypted as ``target``.

    A rule without ``path_regex`` applies to every file, so it does not count.  Raises ConfigError and
    InputError.
    """
    path = config or configs.find_config(target, os.getcwd())
    if path is None:
        return False
    if path not in read:
        read[path] = configs.load(path)
    loaded = read[path]
    number = loaded.first(loaded.names(os.path.abspath(target), [os.path.abspath(source)]))
    return number is not None and bool(loaded.patterns[number])


def named_keys(keys: Keys, **about: object) -> list[MasterKey]:
    """Return the master keys that a user named.

    ``about`` has settings for the types of keys that have them.  Raises BadKeyError.
    """
    return [
        master_key(type, row.with_settings(value, about))
        for type, row in TABLE.items()
        for words in keys.get(type, ())
        for value in parse_list(words)
    ]
