"""Helpers for tests of the engine: rules and credentials for age keys, and comparisons."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes
from encconf.engine.opening import open_encrypted, open_text
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection
from encconf.text.document import Document, Leaf, Scope, splice
from encconf.verbs import rekey

if TYPE_CHECKING:
    from encconf.engine.opening import Opened
    from encconf.keys import MasterKey
    from encconf.text.path import Path

KEY = bytes(range(32))
"""A data key."""


def opened_for(key: AgeKey, *others: AgeKey, text: str, format: str = "yaml") -> Opened:
    """Encrypt a text for keys, and open it with the first."""
    who = credentials(key)
    enc = api.encrypt(text, rule(key, *others), format=format, credentials=who)
    return open_text(enc, format=format, credentials=who)


def rule(*keys: AgeKey, selection: Selection | None = None) -> Rule:
    """Return a creation rule with one group of age keys."""
    return Rule([[master_key("age", key.recipient) for key in keys]], None, selection or DEFAULT)


def credentials(*keys: AgeKey) -> Credentials:
    """Return credentials with only these keys, and none of this machine."""
    secrets = " ".join(key.identity for key in keys)
    return Credentials.from_env({"SOPS_AGE_KEY": secrets, "HOME": "/nonexistent", "PATH": os.environ["PATH"]})


def change(
    text: str,
    format: str,
    *edits: tuple[Path, Any],
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    **options: Any,
) -> str:
    """Open an encrypted text, and make edits in it, with the options of `changes.change`."""
    notify = options.get("notify")
    found = open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
    return changes.change(found, *edits, credentials=credentials, ignore_mac=ignore_mac, **options)


def update(
    text: str, format: str, plain: str, *, credentials: Credentials | None = None, **options: Any
) -> str:
    """Open an encrypted text, and replace its plaintext, with the options of `changes.update`."""
    found = open_text(text, format=format, credentials=credentials)
    return changes.update(found, plain, credentials=credentials, **options)


def with_members(text: str, format: str, new: Mapping[str, object]) -> str:
    """Return an encrypted text whose block has other members.  None removes one."""
    handler = formats.get(format)
    document = handler.scan(text)
    members = {**(document.block or {}), **new}
    block = handler.render_block({name: value for name, value in members.items() if value is not None})
    return splice(text, handler.attach(document, block))


def opened(text: str, format: str, key: AgeKey) -> tuple[Document, bytes, bytearray]:
    """Decrypt a text.  Returns the document, its data key, and which of the leaves were encrypted."""
    found = open_encrypted(text, format, credentials(key), comments=True)
    return found.document, found.data_key, found.chosen.leaves


def rotated(
    text: str,
    *,
    format: str,
    add: Sequence[MasterKey] = (),
    remove: Sequence[MasterKey] = (),
    credentials: Credentials,
    ignore_mac: bool = False,
    notify: Callable[[str], None] | None = None,
) -> str:
    """Rotate an encrypted text: a new data key, and keys added or removed."""
    plan = rekey.plan_change(
        text,
        lambda rule: rekey.with_keys(rule, add, remove, notify=notify),
        format=format,
        new_data_key=True,
    )
    return rekey.carry_out(plan, credentials=credentials, ignore_mac=ignore_mac, notify=notify)


def sealed_leaves(text: str, format: str) -> list[Leaf]:
    """Return the encrypted leaves of a text, without decrypting them."""
    leaves = formats.get(format).scan(text).leaves
    return [leaf for leaf in leaves if leaf.type == "str" and leaf.data and leaf.data.startswith(b"ENC[")]


def values(value: object) -> object:
    """Return values in a form in which those that sops writes alike are equal: 3.0 and 3, -0.0 and 0."""
    if isinstance(value, Mapping):
        return {key: values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [values(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value) or 0.0)
    return value


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that a diff would show as removed, and those as added."""
    import difflib

    removed, added = [], []
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith("- "):
            removed.append(line[2:])
        elif line.startswith("+ "):
            added.append(line[2:])
    return removed, added


def by_hand(*values: tuple[str, bytes | None]) -> Document:
    """Make a document with a list ``l`` of these values, which are pairs of a type and bytes."""
    document = Document("", formats.get("yaml"))
    root = Scope()
    items = Scope(root, "l", ("l",), "l:", listed=True)
    document.items = [root, items]
    document.items += [Leaf(items, index, 0, 0, "", type, data) for index, (type, data) in enumerate(values)]
    return document
