"""Publishing a file to the destination that a rule of ``.sops.yaml`` names.

As in sops 3.13.3 (cmd/sops/subcommand/publish, publish/): a bucket of S3 or Google Cloud Storage gets
the encrypted file, re-encrypted if the rule has a ``recreation_rule``; a KV engine of Vault or
OpenBao gets the decrypted values.  Each kind of destination is one module with
``put``; `encconf.publish.destinations` finds the rule.  Nothing is ever deleted at a destination.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import ModuleType

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened
from encconf.engine.plan import Plan
from encconf.errors import EncconfError, MasterKeyError, PublishError, UnmergedError
from encconf.formats import emit
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.rules.config import Rule
from encconf.rules.destination import Destination

Content = bytes | dict[str, object]

KINDS = {"s3": "Amazon S3", "gcs": "Google Cloud Storage", "vault": "Vault"}
"""What a destination's kind is called, by its module's name."""


class Prepared(Record):
    """What will be put at a destination: the file's bytes, or for Vault its values.

    ``plan`` has its recipients there, None if it stays as it is or is decrypted.
    """

    content: Content
    plan: Plan | None


def _module(kind: str) -> ModuleType:
    return __import__(f"encconf.publish.{kind}", fromlist=["put"])


def name_there(file: str, root: str | None = None, *, omit_extensions: bool) -> str:
    """The name of a file below its destination: its path in the folder ``root``, or else its own name."""
    path = os.path.basename(file) if root is None else os.path.relpath(file, root).replace(os.sep, "/")
    if omit_extensions:
        folder, slash, base = path.rpartition("/")
        stem, dot, _ = base.rpartition(".")  # as in Go: all of .env is an extension
        return f"{folder}{slash}{stem}" if dot else path
    return path


def address(destination: Destination, name: str, environ: Mapping[str, str]) -> str:
    """Where a name will be, as sops prints it: ``s3://BUCKET/PREFIX…``, ``gcs://…``, a URL of Vault."""
    kind, settings = destination.kind, destination.settings
    if kind != "vault":
        return f"{kind}://{'/'.join(in_bucket(kind, settings, name))}"
    text: str = _module(kind).address(settings, name, environ)
    return text


def in_bucket(kind: str, settings: Mapping[str, str | int], name: str) -> tuple[str, str]:
    """The bucket for a file, and the name of its object there."""
    return str(settings[f"{kind}_bucket"]), f"{settings.get(f'{kind}_prefix', '')}{name}"


def prepare(
    text: str,
    format: str,
    destination: Destination,
    credentials: Credentials,
    *,
    rule: Rule | None = None,
    notify: Callable[[str], None] | None = None,
) -> Prepared:
    """What to put there for an encrypted text, which is decrypted only if the destination needs it.

    ``rule`` is what to encrypt it by instead of the destination's own.  Raises NotEncryptedError,
    UnmergedError and whatever opening and encrypting raise.
    """
    decrypted = destination.kind == "vault"
    rule = None if decrypted else rule or destination.rule
    if rule is None and not decrypted:
        unmerged = Metadata.of(formats.module(format).scan(text)).unmerged
        if unmerged is not None:
            raise UnmergedError(unmerged, hint="resolve it with: encconf edit FILE")
        return Prepared(text.encode("utf-8", "surrogateescape"), None)
    opened = opening.open_text(text, format=format, credentials=credentials, notify=notify)
    if rule is None:
        return Prepared(_values(opened), None)
    plan = Plan(opened.document, opened.metadata, rule, selects=True, new_data_key=True)
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
    """The values as JSON has them; of several documents the last one counts, as in sops."""
    trees, _ = emit.trees_of(opened.document)
    values: dict[str, object] = {}
    for tree in trees:
        values.update(emit.plain_of(tree, emit.plain_value))
    return values


def put(destination: Destination, name: str, content: Content, credentials: Credentials) -> bool:
    """Put it there; returns False if it was there already.  Raises PublishError.

    Each attempt is limited in time by the credentials' ``call_limit``, and what may pass is tried again.
    """
    try:
        done: bool = _module(destination.kind).put(destination.settings, name, content, credentials)
    except MasterKeyError as error:
        # The message is right, but the exit code is that of keys.
        raise failed(destination.kind, error.message, error.hint) from None
    return done


def failed(kind: str, reason: str, hint: str | None = None) -> EncconfError:
    """The error of a destination that did not take the file."""
    return PublishError(f"{KINDS[kind]}: {reason.removeprefix(f'{KINDS[kind]}: ')}", hint=hint)
