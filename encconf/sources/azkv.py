"""``azkv:VAULT/NAME[/VERSION]``: a secret of Azure Key Vault (vals: ``ref+azurekeyvault://VAULT/NAME``).

VAULT is the vault's name, or its whole host name in another cloud (``v.vault.usgovcloudapi.net``).
The version can also be the parameter ``version``.  Values are text.

`encconf.providers.azure` says which login is used and where a token may go.  On a machine of Azure, the login
is the machine's managed identity.

Permissions: secrets/get (role Key Vault Secrets User); to write, secrets/set (Key Vault Secrets Officer).
Limits: ``Credentials.call_limit`` for each request, two more where Azure says "later",
``Credentials.key_limit`` in all.  Errors: missing (also: disabled), denied, expired (the client's secret or
token), unreachable (also: throttled), slow, wrong, unusable (no credential, no azure-keyvault-secrets).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from encconf.errors import InputError, SourceError
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.providers import azure, needing
from encconf.providers.https import origin
from encconf.sources import Probe, Uri, as_text, machine, refuse_existing
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


QUERY = ("version",)
_FORM = "azkv:VAULT/NAME"
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_VERSION = re.compile(r"[0-9A-Za-z]{0,64}")


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the secret's text."""
    server, name, version = _parts(uri)

    def call(client: Any, options: dict[str, Any]) -> str:
        value = client.get_secret(name, version or None, **options).value
        if not isinstance(value, str):
            raise ValueError("a secret has no value")
        return value

    needs = "the identity needs secrets/get: the role Key Vault Secrets User"
    return _ask(server, call, credentials, needs).encode(errors="surrogatepass")


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Add a version to the secret, or create it."""
    server, name, version = _parts(uri)
    if version:
        raise SourceError("Azure chooses the name of a new version", hint=f"leave it out: {_FORM}")
    text = as_text(value, "Key Vault")
    if not replace:
        refuse_existing(lambda: fetch(uri, credentials))
    needs = "the identity needs secrets/set: the role Key Vault Secrets Officer"
    _ask(server, lambda client, options: client.set_secret(name, text, **options), credentials, needs)


def _parts(uri: Uri) -> tuple[str, str, str]:
    """Return the vault's origin, the name, and the version or ""."""
    vault, _, rest = uri.path.rstrip("/").partition("/")
    name, _, version = rest.partition("/")
    version = version or uri.query.get("version", "")
    server = origin(f"https://{vault}" if "." in vault else f"https://{vault}.vault.azure.net")
    if server is None or not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise SourceError("expected the name of a vault and of a secret", hint=_FORM)
    return server, name, version


def _ask(server: str, call: Callable[[Any, dict[str, Any]], T], credentials: Credentials, needs: str) -> T:
    with needing("Azure", "azure"):
        from azure.keyvault.secrets import SecretClient
    return azure.ask(server, credentials, SecretClient, call, needs=needs)


def probe(credentials: Credentials) -> Probe:
    """Ask for a token if the environment has a login.  This runs no programs such as az."""
    with needing("Azure", "azure"):
        from azure.keyvault.secrets import SecretClient  # noqa: F401
    who = azure.sign_in(credentials)
    if who is not None:
        return Probe(True, printable(who))
    if machine() == "azure":
        return Probe(True, "the machine's managed identity", note="it was not tried")
    user = _az_user(credentials)
    if user:
        return Probe(True, user, note="logged in with az, which was not tried")
    names = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    return Probe(False, missing=[f"an identity ({names}, or az login)"])


def _az_user(credentials: Credentials) -> str | None:
    """Return the user who is logged in with ``az``, from the files in its folder, or None."""
    import json

    default = os.path.join(credentials.home or os.devnull, ".azure")
    folder = credentials.environ.get("AZURE_CONFIG_DIR") or default
    try:
        path = os.path.join(folder, "azureProfile.json")
        accounts = json.loads(fileio.read_bytes(path, regular=True).decode("utf-8-sig"))["subscriptions"]
        return next(
            printable(str(account["user"]["name"])) for account in accounts if account.get("isDefault")
        )
    except (InputError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None
