"""Publish a file to the destination that a rule of ``.sops.yaml`` names.

This works as in sops 3.13.3 (cmd/sops/subcommand/publish, publish/).  A bucket of S3 or Google Cloud Storage
gets the encrypted file, re-encrypted if the rule has a ``recreation_rule``.  A KV engine of Vault or OpenBao
gets the decrypted values.  Each kind of destination has a function that puts a file there.  Nothing is ever
deleted at a destination.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from operator import attrgetter
from typing import Any

from encconf import formats
from encconf.engine import opening, plaintext, sealing
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened
from encconf.engine.recipients import Plan
from encconf.errors import ConfigError, EncconfError, MasterKeyError, PublishError, UnmergedError, about
from encconf.formats import emit
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.rules.config import Config, Destination, Rule, compiled
from encconf.text.printable import one_line, printable

Content = bytes | dict[str, object]
Settings = Mapping[str, str | int]

KINDS = {"s3": "Amazon S3", "gcs": "Google Cloud Storage", "vault": "Vault"}
"""The name of each kind of destination."""

_SETTINGS = {"s3_bucket": "s3", "gcs_bucket": "gcs", "vault_path": "vault"}
"""The kind of destination by the setting that names it."""


class Prepared(Record):
    """What will be written to a destination: the file's bytes, or for Vault its values.

    ``plan`` has the recipients of the published file, or is None if it is published as it is or decrypted.
    """

    content: Content
    plan: Plan | None


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


def going_elsewhere(
    others: Iterable[str], destination: Destination, config: Callable[[str], Config | None]
) -> str | None:
    """Return the first of the files that a file may be a copy of which has another destination, or None.

    Anyone can copy a file to where it is sent to other people, and wait until somebody sends it.  ``config``
    returns the configuration of a file.
    """
    for other in others:
        place = ""
        with suppress(EncconfError):
            place = find_destination(found, other).place if (found := config(other)) is not None else ""
        if place != destination.place:
            return other
    return None


def copied(other: str) -> str:
    """Return the message about a file that may be a copy of another one."""
    name = one_line(os.path.relpath(other))
    return f"it has the data key of {name}, so it may be a copy of that file, which goes elsewhere"


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
        mount = settings.setdefault("vault_kv_mount_name", "secret/")
        if str(mount).strip("/").partition("/")[0] in _NO_MOUNTS:
            raise ConfigError(f"{found.place}.vault_kv_mount_name is {mount}, which is not a KV engine")


_NO_MOUNTS = ("sys", "auth", "identity", "cubbyhole")
"""Vault's own paths.  What is written there changes who may do what, and a rule may be anyone's."""


def name_there(file: str, root: str | None = None, *, omit_extensions: bool) -> str:
    """Return the name of a file at its destination: its path relative to ``root``, or else its base name."""
    path = os.path.basename(file) if root is None else os.path.relpath(file, root).replace(os.sep, "/")
    if omit_extensions:
        folder, slash, base = path.rpartition("/")
        stem, dot, _ = base.rpartition(".")  # as in Go, the whole name .env is an extension
        return f"{folder}{slash}{stem}" if dot else path
    return path


def address(destination: Destination, name: str, environ: Mapping[str, str]) -> str:
    """Return the address of a published file, as sops prints it: ``s3://BUCKET/…``, ``gcs://…``, a URL.

    The URL of a secret is ``ADDRESS/v1/MOUNT/data/PATH``; for version 1, without ``data``.
    """
    kind, settings = destination.kind, destination.settings
    if kind != "vault":
        return f"{kind}://{'/'.join(in_bucket(kind, settings, name))}"
    server = settings.get("vault_address") or environ.get("VAULT_ADDR") or _VAULT
    return f"{server}/v1/{_vault_path(settings, name)}"


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
    enc = sealing.encrypt(
        plaintext.plain_text(opened),
        rule,
        format=format,
        twin=opened,
        new_data_key=True,
        edits_twin=True,
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
        return _PUT[destination.kind](destination.settings, name, content, credentials)
    except MasterKeyError as error:
        # The message is right, but the exit code would be the one for keys.
        message = error.message
        if destination.kind != "vault":
            bucket, _ = in_bucket(destination.kind, destination.settings, name)
            message = f"bucket {printable(bucket)[:80]}: {message}"
        raise _failed(destination.kind, message, error.hint) from None


def _failed(kind: str, reason: str, hint: str | None = None) -> EncconfError:
    """Return the error of a destination that did not accept the file."""
    return PublishError(f"{KINDS[kind]}: {reason.removeprefix(f'{KINDS[kind]}: ')}", hint=hint)


# --- Amazon S3 --------------------------------------------------------------------------------------
# With botocore (the base of boto3).  Settings: ``s3_bucket``, ``s3_prefix``.  Credentials, profile and region
# are those of the environment (see `encconf.providers.aws`).  AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names a
# server to use instead of Amazon's.
#
# Permissions: s3:PutObject on ``arn:aws:s3:::BUCKET/PREFIX*``.

_S3_TYPE = "application/octet-stream"


def put_s3(settings: Settings, name: str, content: Content, credentials: Credentials) -> bool:
    """Write the object.  An existing one is overwritten."""
    from encconf.providers import aws

    bucket, key = in_bucket("s3", settings, name)
    region = aws.home_region(credentials)
    if not region:
        raise _failed("s3", "no region is set for the bucket", "set AWS_REGION")
    parameters = {"Bucket": bucket, "Key": key, "Body": content, "ContentType": _S3_TYPE}
    needs = f"s3:PutObject on arn:aws:s3:::{printable(f'{bucket}/{key}')[:200]}"
    ways = aws.ways("", "", region, credentials)
    aws.ask("s3", "put_object", parameters, ways, credentials, needs=needs)
    return True


# --- Google Cloud Storage ---------------------------------------------------------------------------
# With google-cloud-storage.  Settings: ``gcs_bucket``, ``gcs_prefix``.  Credentials are those for Google's
# KMS (see `encconf.providers.gcp`).  STORAGE_EMULATOR_HOST names a server to use instead of Google's;
# it needs no credentials.
#
# Permissions: storage.objects.create, and storage.objects.delete to overwrite an object.

_GCS_TYPE = "text/plain; charset=utf-8"  # the type that Go's client sets


def put_gcs(settings: Settings, name: str, content: Content, credentials: Credentials) -> bool:
    """Write the object.  An existing one is overwritten."""
    from encconf.providers import gcp, needing, within
    from encconf.providers.https import as_it_is

    with needing("publishing to Google Cloud Storage", "gcs", "google-cloud-storage"):
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage import Client
        from requests import RequestException

    bucket, key = in_bucket("gcs", settings, name)
    try:
        client = _gcs_client(Client, credentials)
        attrgetter("_http")(client).auth = as_it_is
        blob = client.bucket(bucket).blob(key)
        # The SDK limits only each wait, and would try again for two minutes.
        within(
            "it",
            credentials.call_limit,
            lambda: blob.upload_from_string(content, content_type=_GCS_TYPE, timeout=credentials.call_limit),
        )
    except (GoogleAPIError, GoogleAuthError, RequestException, OSError, ValueError) as error:
        needs = "you need storage.objects.create and, to replace an existing object, storage.objects.delete"
        raise gcp.failure(error, "it", credentials, needs) from None
    return True


def _gcs_client(kind: Any, credentials: Credentials) -> Any:
    emulator = credentials.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        from google.auth.credentials import AnonymousCredentials

        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        return kind(
            project="-", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
        )
    from encconf.providers import gcp

    return kind(project="-", credentials=gcp.identity(credentials))


# --- Vault and OpenBao ------------------------------------------------------------------------------
# A KV engine, version 1 or 2.  Settings: ``vault_path``, ``vault_address`` (by default VAULT_ADDR),
# ``vault_kv_mount_name`` (``secret/``), ``vault_kv_version`` (2).  Token, TLS and namespace are those for
# transit keys (see `encconf.providers.vault`).  The token and the values are sent only to VAULT_ADDR and to
# the addresses in SOPS_HC_VAULT_ALLOWLIST.
#
# Permissions: ``read`` and ``create`` or ``update`` on ``MOUNT/data/PATH`` (version 1: ``MOUNT/PATH``).

_VAULT = "https://127.0.0.1:8200"  # the default of Vault itself


def _vault_path(settings: Settings, name: str) -> str:
    mount = str(settings.get("vault_kv_mount_name") or "secret/")
    folder = str(settings["vault_path"])
    parts = [mount, folder] if settings.get("vault_kv_version") == 1 else [mount, "data/", folder]
    return "".join(part if part.endswith("/") else f"{part}/" for part in parts) + name


def put_vault(settings: Settings, name: str, content: Content, credentials: Credentials) -> bool:
    """Write the values as a new version.  Returns False if the newest version already has them."""
    from encconf.providers import vault
    from encconf.providers.https import is_path, origin

    environ = credentials.environ
    server = origin(str(settings.get("vault_address") or environ.get("VAULT_ADDR") or _VAULT))
    if server is None:
        raise _failed("vault", "its address is not a plain URL", "write https://HOST or https://HOST:PORT")
    path = _vault_path(settings, name)
    parts = path.split("/")
    if not is_path(parts):
        raise _failed("vault", f"{printable(path)[:200]} is not the path of a secret")

    def get(steps: list[str]) -> dict[str, Any]:
        return vault.ask(server, credentials, "GET", steps, "", again=False)

    first = settings.get("vault_kv_version") == 1
    if first:
        _refuse_other_engines(server, credentials, parts)
    try:
        found = get(parts)
        if _same(found["data"] if first else found["data"]["data"], content):
            return False
    except MasterKeyError as error:
        if error.reason != "denied" or not error.code:
            raise
        credentials.say(f"{printable(path)} cannot be read, so a new version is written in any case")
    except (TypeError, LookupError):
        pass  # the secret does not exist yet
    needs = printable(f"create and update on {path}")
    vault.ask(server, credentials, "POST", parts, needs, json=content if first else {"data": content})
    return True


def _refuse_other_engines(server: str, credentials: Credentials, parts: list[str]) -> None:
    """Raise PublishError if a path is in an engine that is not KV, where values could be settings."""
    from encconf.providers import vault

    engine = vault.engine_of(server, credentials, parts, again=False)
    if engine is not None and engine[0] not in ("kv", "generic"):
        name = printable(f"{parts[0]} is an engine of the type {engine[0]}")[:200]
        raise _failed("vault", f"{name}, not KV", "correct vault_kv_mount_name")


def _same(old: Any, new: Any) -> bool:
    """Whether two values are the same JSON.  1.0 equals 1, since Vault returns it as 1; True does not."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


_PUT: dict[str, Callable[[Settings, str, Content, Credentials], bool]] = {
    "s3": put_s3,
    "gcs": put_gcs,
    "vault": put_vault,
}
