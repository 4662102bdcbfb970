"""The rule for a file: of .sops.yaml, of the command line, or of both."""

from __future__ import annotations

from encconf import config as configs
from encconf.errors import (
    BadKeyError,
    ConfigError,
    ConflictError,
    NoConfigError,
    NoMatchingRuleError,
)
from encconf.keys import master_key, parse_list
from encconf.selection import DEFAULT, KINDS, Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.cli.console import Console
    from encconf.cli.table import Value

_KEY_OPTIONS = ("pgp", "age")
"""Key types that have an option, in the order in which sops puts them into a group."""


def find_rule(
    console: Console, target: str, *, also: Sequence[str] = (), config: str | None, **options: Value
) -> configs.Rule:
    """The rule to encrypt ``target`` by; ``options`` are those of the table's KEYS and SELECTION.

    Keys of the command line stand in for those of .sops.yaml, which then need not be there; so does
    a selection of the command line for the rule's.

    Raises ConflictError for two selections; NoConfigError, NoMatchingRuleError and whatever else
    keeps .sops.yaml from saying something that is needed.
    """
    keys = [
        master_key(type, value)
        for type in _KEY_OPTIONS
        for given in _texts(options[type])
        for value in parse_list(given)
    ]
    kinds = [kind for kind in KINDS if options[kind]]
    if len(kinds) > 1:
        said = " and ".join("--" + kind.replace("_", "-") for kind in kinds)
        raise ConflictError(f"{said} exclude each other")
    rule: configs.Rule | None = None
    try:
        rule = configs.find_rule(target, also=also, config=config, notify=console.warn)
    except (NoConfigError, NoMatchingRuleError) as error:
        if not keys:
            if error.hint:
                error.hint += "; --age and --pgp name keys here"
            raise
    except (ConfigError, BadKeyError):
        if not (keys and kinds):
            raise
    selection = rule.selection if rule is not None else DEFAULT
    mac_only = bool(options["mac_only_encrypted"]) or selection.mac_only_encrypted
    kind, pattern = (kinds[0], str(options[kinds[0]])) if kinds else (selection.kind, selection.pattern)
    selection = Selection(kind, pattern, mac_only)
    if rule is None or keys:
        return configs.Rule([keys], None, selection, "the command line")
    return configs.Rule(rule.groups, rule.threshold, selection, rule.name, rule.indents)


def rule_of(text: str, format: str) -> configs.Rule:
    """The rule that an encrypted text was made by, as it says itself."""
    from encconf import formats
    from encconf.metadata import Metadata

    metadata = Metadata.of(formats.module(format).scan(text))
    groups = [[wrapped.key for wrapped in group] for group in metadata.groups]
    return configs.Rule(groups, metadata.threshold or None, metadata.selection, "the file itself")


def _texts(value: Value) -> list[str]:
    return value if isinstance(value, list) else []
