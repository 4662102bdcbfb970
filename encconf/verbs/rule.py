"""Find the rule for a file, in .sops.yaml, in the command line, or in both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from encconf.cli.options import Value, exclude, text
from encconf.errors import BadKeyError, ConfigError, NoConfigError, NoMatchingRuleError
from encconf.keys import TABLE, MasterKey, master_key, parse_list
from encconf.rules import config as configs
from encconf.rules.selection import DEFAULT, KINDS, Selection


def find_rule(
    target: str,
    options: Mapping[str, Value],
    *,
    also: Sequence[str] = (),
    read: dict[str, configs.Config] | None = None,
    notify: Callable[[str], None],
) -> configs.Rule:
    """Return the rule to encrypt ``target`` by.

    ``options`` are KEYS, SELECTION and CONFIG of the table.  Keys of the command line replace those of
    .sops.yaml, so no rule is needed then.  A selection of the command line replaces that of the rule.

    Raises ConflictError for two selections.  Raises NoConfigError, NoMatchingRuleError and other errors of
    .sops.yaml if it is needed.
    """
    keys = named_keys(options)
    kinds = [kind for kind in KINDS if options.get(kind)]
    exclude(options, *KINDS)
    rule: configs.Rule | None = None
    try:
        rule = configs.find_rule(target, also=also, config=text(options, "config"), read=read, notify=notify)
    except (NoConfigError, NoMatchingRuleError) as error:
        if not keys:
            if error.hint:
                error.hint += "; or name recipients with --age, --pgp or similar"
            raise
    except (ConfigError, BadKeyError):
        if not (keys and kinds):
            raise
    selection = rule.selection if rule is not None else DEFAULT
    mac_only = bool(options.get("mac_only_encrypted")) or selection.mac_only_encrypted
    kind, pattern = (kinds[0], str(options[kinds[0]])) if kinds else (selection.kind, selection.pattern)
    selection = Selection(kind, pattern, mac_only)
    if rule is None:
        return configs.Rule([keys], None, selection, "the command line")
    if keys:
        return rule.replace(groups=[keys], threshold=None, selection=selection, name="the command line")
    return rule.replace(selection=selection)


def is_named(target: str, source: str, *, config: str | None, read: dict[str, configs.Config]) -> bool:
    """Whether a ``path_regex`` of .sops.yaml matches a file that would be encrypted as ``target``.

    A rule without ``path_regex`` applies to every file, so it does not count.  Raises ConfigError and
    InputError.
    """
    path = config or configs.find_config(target, os.getcwd())
    if path is None:
        return False
    if path not in read:
        read[path] = configs.load_file(path)
    loaded = read[path]
    number = loaded.first(loaded.names(os.path.abspath(target), [os.path.abspath(source)]))
    return number is not None and bool(loaded.patterns[number])


KEY_OPTIONS = {row.option.replace("-", "_"): type for type, row in TABLE.items()}
"""The type of key of each option, by the option's keyword without ``add_`` or ``rm_``."""


def named_keys(options: Mapping[str, Value], prefix: str = "", **about: object) -> list[MasterKey]:
    """Return the master keys that options name.  Each value is a comma-separated list.

    ``about`` has settings for the types of keys that have them.  Raises BadKeyError.
    """
    found: list[MasterKey] = []
    for option, type in KEY_OPTIONS.items():
        given = options.get(prefix + option)
        for words in given if isinstance(given, list) else [given] if isinstance(given, str) else []:
            for value in parse_list(words):
                found.append(master_key(type, TABLE[type].with_settings(value, about)))
    return found
