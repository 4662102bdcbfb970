"""Publish a file to the destination that a rule of ``.sops.yaml`` names.

This works as in sops 3.13.3 (cmd/sops/subcommand/publish, publish/).  A bucket of S3 or Google Cloud Storage
gets the encrypted file, re-encrypted if the rule has a ``recreation_rule``.  A KV engine of Vault or OpenBao
gets the decrypted values.  Each kind of destination is a module with ``put``.  Nothing is ever deleted at a
destination.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import ModuleType

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened
from encconf.engine.recipients import Plan
from encconf.errors import ConfigError, EncconfError, MasterKeyError, PublishError, UnmergedError, about
from encconf.formats import emit
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.rules.config import Config, Destination, Rule, compiled
from encconf.text.printable import printable

Content = bytes | dict[str, object]

KINDS = {"s3": "Amazon S3", "gcs": "Google Cloud Storage", "vault": "Vault"}
"""The name of each kind of destination, by its module's name."""


_SETTINGS = {"s3_bucket": "s3", "gcs_bucket": "gcs", "vault_path": "vault"}
"""The kind of destination by the setting that names it."""


class Prepared(Record):
    """What will be written to a destination: the file's bytes, or for Vault its values.

    ``plan`` has the recipients of the published file, or is None if it is published as it is or decrypted.
    """

    content: Content
    plan: Plan | None


def _module(kind: str) -> ModuleType:
    return __import__(f"encconf.publish.{kind}", fromlist=["put"])


def find_destination(config: Config, path: str) -> Destination:
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
    kinds = [name for name in _SETTINGS if name in settings]
    if len(kinds) != 1:
        said = " and ".join(kinds) if kinds else "no destination"
        raise ConfigError(f"{found.place} has {said}: it must have exactly one of {', '.join(_SETTINGS)}")
    found.kind = _SETTINGS[kinds[0]]
    for name in ("s3_prefix", "gcs_prefix", "vault_path"):
        if ".." in str(settings.get(name)).split("/"):
            raise ConfigError(f'{found.place}.{name} has a step "..", which would leave its place')
    if found.kind == "vault":
        version = found.vault_kv_version
        if version not in (0, 1, 2):
            raise ConfigError(f"{found.place}.vault_kv_version is {version}, not 1 or 2")
        settings["vault_kv_version"] = version or 2
        settings.setdefault("vault_kv_mount_name", "secret/")


def name_there(file: str, root: str | None = None, *, omit_extensions: bool) -> str:
    """Return the name of a file at its destination: its path relative to ``root``, or else its base name."""
    path = os.path.basename(file) if root is None else os.path.relpath(file, root).replace(os.sep, "/")
    if omit_extensions:
        folder, slash, base = path.rpartition("/")
        stem, dot, _ = base.rpartition(".")  # as in Go, the whole name .env is an extension
        return f"{folder}{slash}{stem}" if dot else path
    return path


def address(destination: Destination, name: str, environ: Mapping[str, str]) -> str:
    """Return the address of a published file, as sops prints it: ``s3://BUCKET/…``, ``gcs://…``, a URL."""
    kind, settings = destination.kind, destination.settings
    if kind != "vault":
        return f"{kind}://{'/'.join(in_bucket(kind, settings, name))}"
    text: str = _module(kind).address(settings, name, environ)
    return text


def in_bucket(kind: str, settings: Mapping[str, str | int], name: str) -> tuple[str, str]:
    """Return the bucket for a file, and the name of its object there."""
    return str(settings[f"{kind}_bucket"]), f"{settings.get(f'{kind}_prefix', '')}{name}"


def refuse_unready(text: str, format: str) -> None:
    """Raise UnmergedError for a file whose merge is not finished, and ProposalError for a proposal.

    Raises NotEncryptedError for plaintext.
    """
    document = formats.scan_encrypted(text, formats.get(format))
    opening.refuse_proposal(document)
    unmerged = Metadata.of(document).unmerged
    if unmerged is not None:
        raise UnmergedError(unmerged, hint="resolve it with: encconf edit FILE")


def prepare(
    text: str,
    format: str,
    destination: Destination,
    credentials: Credentials,
    *,
    rule: Rule | None = None,
    notify: Callable[[str], None] | None = None,
) -> Prepared:
    """Return what to publish for an encrypted text.  It is decrypted only if the destination needs that.

    ``rule`` replaces the destination's own rule for encrypting it.  Raises NotEncryptedError,
    UnmergedError, ProposalError and whatever opening and encrypting raise.
    """
    refuse_unready(text, format)
    decrypted = destination.kind == "vault"
    rule = None if decrypted else rule or destination.rule
    if rule is None and not decrypted:
        return Prepared(text.encode("utf-8", "surrogateescape"), None)
    opened = opening.open_text(text, format=format, credentials=credentials, notify=notify)
    if rule is None:
        return Prepared(_values(opened), None)
    plan = Plan(opened.document, opened.metadata, rule, new_data_key=True)
    enc = api.encrypt(
        plaintext.plain_text(opened),
        rule,
        format=format,
        twin=opened,
        new_data_key=True,
        credentials=credentials,
        notify=notify,
    )
    return Prepared(enc.encode("utf-8", "surrogateescape"), plan)


def _values(opened: Opened) -> dict[str, object]:
    """Return the values as JSON data.  If documents have the same key, the last one wins, as in sops."""
    values: dict[str, object] = {}
    for tree in opened.trees():
        values.update(emit.plain_of(tree))
    return values


def put(destination: Destination, name: str, content: Content, credentials: Credentials) -> bool:
    """Write the content to the destination.  Returns False if it was already there.  Raises PublishError.

    The time for each attempt is limited by the credentials' ``call_limit``.  A temporary error leads to
    another attempt.
    """
    try:
        done: bool = _module(destination.kind).put(destination.settings, name, content, credentials)
    except MasterKeyError as error:
        # The message is right, but the exit code would be the one for keys.
        message = error.message
        if destination.kind != "vault":
            bucket, _ = in_bucket(destination.kind, destination.settings, name)
            message = f"bucket {printable(bucket)[:80]}: {message}"
        raise failed(destination.kind, message, error.hint) from None
    return done


def failed(kind: str, reason: str, hint: str | None = None) -> EncconfError:
    """Return the error of a destination that did not accept the file."""
    return PublishError(f"{KINDS[kind]}: {reason.removeprefix(f'{KINDS[kind]}: ')}", hint=hint)
