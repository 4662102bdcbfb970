"""RSA keys of Azure Key Vault and Managed HSM, with azure-keyvault-keys and azure-identity.

It behaves like sops 3.13.3 (azkv/keysource.go): the service does RSA-OAEP-256, so that it can refuse.
There are differences: an address outside Key Vault gets a token only if the user allows it, and only tokens
for Key Vault are used.  The machine's metadata service is asked last, and only if the environment has no
login.  A login with user name and password, which Azure has withdrawn, is not supported.
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from encconf.errors import BadKeyError, MasterKeyError
from encconf.keys import MasterKey, as_given, base64_bytes
from encconf.providers import needing
from encconf.providers.https import origin, redirect_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials

_FORM = "https://VAULT.vault.azure.net/keys/NAME[/VERSION]"
_URL = re.compile(r"(https://[^/]+)/keys/([^/]+)(?:/([^/]*))?")  # as sops reads it
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_VERSION = re.compile(r"[0-9A-Za-z]{0,64}")
_BASE64 = re.compile(r"[0-9A-Za-z_-]+")
_NEEDS = "the identity needs keys/encrypt and keys/decrypt: the role Key Vault Crypto User"


class AzureKey(MasterKey):
    """A key in a vault, in one of its versions.

    URI: ``https://VAULT.vault.azure.net/keys/NAME[/VERSION]``, or the mapping ``vaultUrl``, ``key``,
    ``version``.  Without a version, encryption looks up the newest and writes it to the metadata.  Until
    then, the key is equal to each of its versions.

    Environment: `encconf.providers.azure` lists the variables.

    Permissions: ``keys/encrypt`` and ``keys/decrypt`` (role Key Vault Crypto User; as data actions
    ``Microsoft.KeyVault/vaults/keys/encrypt/action`` and ``…/decrypt/action``), and ``keys/get``
    (``Microsoft.KeyVault/vaults/keys/read``) to encrypt without a version.
    """

    TYPE = "azure_kv"
    ATTRIBUTES = ("vault_url", "key_name", "version")
    vault_url: str
    key_name: str
    version: str

    def __init__(self, vault_url: str, key_name: str, version: str = "") -> None:
        super().__init__(vault_url, key_name, version)
        # The versions that were looked up for an empty one.  Only the first counts, so that a rotation of the
        # key in between has no effect.  This is a list, since append is atomic.
        self._newest: list[str] = []

    @property
    def name(self) -> str:
        """The URI, without a version if none was given."""
        versionless = f"{self.vault_url.rstrip('/')}/keys/{self.key_name}"
        return f"{versionless}/{self.version}" if self.version else versionless

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the ciphertext of RSA-OAEP-256 in unpadded base64url.

        Raises BadKeyError, NotMyKeyError if there is no credential, and MasterKeyError.
        """
        value = b2a_base64(data_key, newline=False).decode().translate(_TO_URL).rstrip("=")
        return self._ask("encrypt", value, credentials)

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let the service decrypt.  Raises NotMyKeyError if there is no credential, and MasterKeyError."""
        value = enc.strip().rstrip("=")
        if not _BASE64.fullmatch(value):
            raise MasterKeyError("its enc is not base64url")
        answer = self._ask("decrypt", value, credentials)
        text = answer.translate(_FROM_URL) + "=" * (-len(answer) % 4)
        return base64_bytes(text, "the service returned something that is not base64url")

    def to_entry(self) -> dict[str, object]:
        """Return the members.  If no version was given, they have the one that encrypted."""
        return {**super().to_entry(), "version": self.version or "".join(self._newest[:1])}

    @classmethod
    def from_config(cls, value: str | dict[str, str]) -> AzureKey:
        """Read a URI, or a mapping of ``vaultUrl``, ``key`` and ``version``.  Raises BadKeyError."""
        if isinstance(value, dict):
            key = cls(*(value.get(name, "").strip() for name in ("vaultUrl", "key", "version")))
        else:
            match = _URL.fullmatch(value.strip())
            if match is None:
                # An address with an @ may contain a password.
                shown = "this" if "@" in value else as_given(value.strip())
                raise BadKeyError(
                    f"{shown} is not the address of an Azure key", hint=f"it looks like {_FORM}"
                )
            key = cls(match[1], match[2], match[3] or "")
        key._checked()
        return key

    def _checked(self) -> str:
        """Return the vault's origin.  Raises BadKeyError for an address or a name that cannot be used."""
        server = origin(self.vault_url)
        if server is None or not server.startswith("https://"):
            raise BadKeyError("its vault URL is not an address", hint=f"it looks like {_FORM}")
        if not _NAME.fullmatch(self.key_name) or not _VERSION.fullmatch(self.version):
            raise BadKeyError("its name or version is not one", hint=f"it looks like {_FORM}")
        return server

    def _ask(self, verb: str, value: str, credentials: Credentials) -> str:
        """Let the service encrypt or decrypt a value.  Value and result are unpadded base64url."""
        from encconf.providers import azure

        server = self._checked()
        with needing("Azure", "azure"):
            from azure.core import exceptions
            from azure.core.rest import HttpRequest
            from azure.keyvault.keys import KeyClient

        def call(client: Any, options: dict[str, Any]) -> str:
            version = self.version
            if not version and verb == "encrypt":
                version = self._find_newest(client, options)
            # CryptographyClient fetches the public key before each call, even to decrypt, and then
            # encrypts locally, even for a key that is disabled.
            path = f"/keys/{self.key_name}/{version}/{verb}"
            question = {"alg": "RSA-OAEP-256", "value": value}
            response = client.send_request(HttpRequest("POST", path, json=question), **options)
            if 300 <= response.status_code < 400:
                raise redirect_error(server)
            if response.status_code != 200:
                raise exceptions.HttpResponseError(response=response)
            found = response.json()["value"].rstrip("=")
            if not _BASE64.fullmatch(found):
                raise ValueError("a value is not base64url")
            return str(found)

        retried = {"retry_on_methods": ["GET", "POST"]}
        return azure.ask(server, credentials, KeyClient, call, needs=_NEEDS, options=retried)

    def _find_newest(self, client: Any, options: dict[str, Any]) -> str:
        """Return the version to encrypt with, which is looked up once."""
        if not self._newest:
            version = client.get_key(self.key_name, **options).properties.version
            if not version or not _VERSION.fullmatch(version):
                raise ValueError("a key has no version")
            self._newest.append(version)
        return self._newest[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AzureKey):
            return False
        if self.version and other.version:
            return self.name == other.name
        return self._versionless() == other._versionless()

    def __hash__(self) -> int:
        return hash((self.TYPE, *self._versionless()))

    def _versionless(self) -> tuple[str, str]:
        return self.vault_url.rstrip("/"), self.key_name


_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")
