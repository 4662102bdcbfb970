"""Publish to a KV engine, version 1 or 2, of HashiCorp Vault or OpenBao.

Settings: ``vault_path``, ``vault_address`` (by default VAULT_ADDR), ``vault_kv_mount_name`` (``secret/``),
``vault_kv_version`` (2).  Token, TLS and namespace are those for transit keys (see
`encconf.providers.vault`).  The token and the values are sent only to VAULT_ADDR and to the addresses in
SOPS_HC_VAULT_ALLOWLIST.

Permissions: ``read`` and ``create`` or ``update`` on ``MOUNT/data/PATH`` (version 1: ``MOUNT/PATH``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.publish import failed
from encconf.text.printable import printable

_DEFAULT = "https://127.0.0.1:8200"  # the default of Vault itself


def address(settings: Mapping[str, str | int], name: str, environ: Mapping[str, str]) -> str:
    """Return the URL of the secret: ``ADDRESS/v1/MOUNT/data/PATH``; for version 1, without ``data``."""
    server = settings.get("vault_address") or environ.get("VAULT_ADDR") or _DEFAULT
    return f"{server}/v1/{_path(settings, name)}"


def _path(settings: Mapping[str, str | int], name: str) -> str:
    mount = str(settings.get("vault_kv_mount_name") or "secret/")
    folder = str(settings["vault_path"])
    parts = [mount, folder] if settings.get("vault_kv_version") == 1 else [mount, "data/", folder]
    return "".join(part if part.endswith("/") else f"{part}/" for part in parts) + name


def put(
    settings: Mapping[str, str | int], name: str, content: bytes | dict[str, object], credentials: Credentials
) -> bool:
    """Write the values as a new version.  Returns False if the newest version already has them."""
    from encconf.providers import vault
    from encconf.providers.https import is_path, origin

    environ = credentials.environ
    server = origin(str(settings.get("vault_address") or environ.get("VAULT_ADDR") or _DEFAULT))
    if server is None:
        raise failed("vault", "its address is not a plain URL", "write https://HOST or https://HOST:PORT")
    path = _path(settings, name)
    parts = path.split("/")
    if not is_path(parts):
        raise failed("vault", f"{printable(path)[:200]} is not the path of a secret")

    first = settings.get("vault_kv_version") == 1
    try:
        found = vault.ask(server, credentials, "GET", parts, "", again=False)
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


def _same(old: Any, new: Any) -> bool:
    """Whether two values are the same JSON.  1.0 equals 1, since Vault returns it as 1; True does not."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)
