"""Where a file is published: its destination rule, as in sops 3.13.3 (config/config.go)."""

from __future__ import annotations

from collections.abc import Mapping

from encconf.errors import ConfigError, about
from encconf.record import Record
from encconf.rules.config import Config, Rule
from encconf.rules.creation import compiled
from encconf.rules.destination import DestinationRule

_KINDS = {"s3_bucket": "s3", "gcs_bucket": "gcs", "vault_path": "vault"}


class Destination(Record):
    """Where a file is published: ``kind`` is s3, gcs or vault, ``settings`` the members that say where.

    ``rule`` is what it is encrypted by there, None to publish it decrypted or as it is.
    """

    name: str
    kind: str
    settings: Mapping[str, str | int]
    rule: Rule | None
    omit_extensions: bool


def find(config: Config, path: str) -> Destination:
    """The first destination rule whose ``path_regex`` matches ``path``, which is taken as typed.

    Raises ConfigError if none does, or if the rule does not name exactly one destination.
    """
    with about(config.path):
        for rule in config.destinations:
            regex = rule.path_regex
            if not regex or compiled(f"{rule.place}.path_regex", regex).search(path):
                return _destination(config, rule)
        raise ConfigError(f"no matching destination found in config for {path!r}")


def _destination(config: Config, rule: DestinationRule) -> Destination:
    settings: dict[str, str | int] = {**rule.settings}
    kinds = [name for name in _KINDS if name in settings]
    if len(kinds) != 1:
        said = " and ".join(kinds) if kinds else "no destination"
        raise ConfigError(f"{rule.place} has {said}: it must have exactly one of {', '.join(_KINDS)}")
    for name in ("s3_prefix", "gcs_prefix", "vault_path"):
        if ".." in rule.settings.get(name, "").split("/"):
            raise ConfigError(f'{rule.place}.{name} has a step "..", which would leave its place')
    if kinds == ["vault_path"]:
        version = rule.vault_kv_version
        if version not in (0, 1, 2):
            raise ConfigError(f"{rule.place}.vault_kv_version is {version}, not 1 or 2")
        settings["vault_kv_version"] = version or 2
        settings.setdefault("vault_kv_mount_name", "secret/")
    recreation = config.use(rule.recreation) if rule.recreation.names_keys else None
    return Destination(rule.place, _KINDS[kinds[0]], settings, recreation, rule.omit_extensions)
