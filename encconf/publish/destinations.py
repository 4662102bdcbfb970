"""Find the destination rule of a file, as in sops 3.13.3 (config/config.go)."""

from __future__ import annotations

from encconf.errors import ConfigError, about
from encconf.rules.config import Config
from encconf.rules.creation import compiled
from encconf.rules.destination import Destination

_KINDS = {"s3_bucket": "s3", "gcs_bucket": "gcs", "vault_path": "vault"}


def find(config: Config, path: str) -> Destination:
    """Return the first destination rule whose ``path_regex`` matches ``path``, exactly as it was typed.

    Raises ConfigError if no rule matches, or if the rule does not name exactly one destination.
    """
    with about(config.path):
        for found in config.destinations:
            regex = found.path_regex
            if not regex or compiled(f"{found.place}.path_regex", regex).search(path):
                _complete(found)
                found.rule = config.use(found.recreation) if found.recreation.names_keys else None
                return found
        raise ConfigError(
            f"no matching destination found in config for {path!r}",
            hint="add a rule whose path_regex matches this name to destination_rules",
        )


def _complete(found: Destination) -> None:
    settings = found.settings
    kinds = [name for name in _KINDS if name in settings]
    if len(kinds) != 1:
        said = " and ".join(kinds) if kinds else "no destination"
        raise ConfigError(f"{found.place} has {said}: it must have exactly one of {', '.join(_KINDS)}")
    found.kind = _KINDS[kinds[0]]
    for name in ("s3_prefix", "gcs_prefix", "vault_path"):
        if ".." in str(settings.get(name)).split("/"):
            raise ConfigError(f'{found.place}.{name} has a step "..", which would leave its place')
    if found.kind == "vault":
        version = found.vault_kv_version
        if version not in (0, 1, 2):
            raise ConfigError(f"{found.place}.vault_kv_version is {version}, not 1 or 2")
        settings["vault_kv_version"] = version or 2
        settings.setdefault("vault_kv_mount_name", "secret/")
