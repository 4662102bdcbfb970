"""The user's own configuration file, ``encconf/config.toml`` in the folder for such files.

::

    identity = "keyring:encconf/identity"          # or a list
    pgp_passphrase = "vault:secret/me#pgp"
    age_passphrase = "cmd:pass show age"

Each value is the address of a source (`encconf.sources`).  Anyone who can write the file can run programs
and use keys, so it must belong to the user (or root), and others must not be able to write it.  The file is
read only when an identity or a passphrase is needed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Sequence

from encconf.errors import InputError, MasterKeyError
from encconf.io import fileio
from encconf.text.words import did_you_mean


def load(path: str, known: Collection[str]) -> dict[str, list[str]]:
    """Return the addresses by setting.  Raises MasterKeyError, also for a setting that is not ``known``."""
    return _settings(_read(path), known)


def _read(path: str) -> str:
    try:
        return fileio.read_text(path, own=True)
    except InputError as error:
        raise MasterKeyError(error.message, hint=error.hint) from None


def _settings(text: str, known: Collection[str]) -> dict[str, list[str]]:
    try:
        parsed = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MasterKeyError(f"it is not TOML: {str(error)[:200]}") from None
    found: dict[str, list[str]] = {}
    for name, value in parsed.items():
        if name not in known:
            raise MasterKeyError(
                f"{name[:60]!r} is not a setting",
                hint=did_you_mean(name, known) or f"the settings are {', '.join(known)}",
            )
        several = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) and item.strip() for item in several):
            raise MasterKeyError(
                f"{name} is not the address of a source", hint=f'{name} = "keyring:encconf/{name}", or a list'
            )
        found[name] = [item.strip() for item in several]
    return found


def add_identity(path: str, address: str, known: Collection[str]) -> list[str] | None:
    """Add the address of a source of identities to the file, or create the file with mode 0600.

    If the file has this setting already, returns its sources, without a change.  Raises MasterKeyError for a
    file that cannot be used, and OutputError if it cannot be written.
    """
    path = fileio.resolve(path)
    old = _read(path) if os.path.lexists(path) else None
    settings = _settings(old or "", known)
    if "identity" in settings:
        return settings["identity"]
    # Write it at the top, before any table.
    fileio.write_atomic(
        path, f"identity = {_quoted(address)}\n{old or ''}", mode=None if old else 0o600, replacing=old
    )
    return None


def setting(name: str, addresses: Sequence[str]) -> str:
    """Return the line of the file for several sources."""
    return f"{name} = [{', '.join(map(_quoted, addresses))}]"


def _quoted(text: str) -> str:
    """Return a text as a TOML string.  TOML has JSON's escapes."""
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
