"""RSA keys of Azure Key Vault and Managed HSM, by azure-keyvault-keys and azure-identity.

Behaviour of sops 3.13.2 (azkv/keysource.go): RSA-OAEP-256, done by the service, so that it can refuse.
Differences: an address that is not Key Vault's gets a token only if the user allows it, and the token
is never one for anything else; the machine's metadata service is asked last, and only where nothing in
the environment says who one is.  Not here: user name and password, which Azure has withdrawn.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from encconf.credentials import printable
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.keys import member
from encconf.keys.https import cause, missing, one_line, origin, permitted, timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from encconf.credentials import Credentials

    Step = tuple[str, Any]  # what it is called in a report, a credential of azure-identity

ALLOW_LIST = "ENCCONF_AZURE_ALLOWLIST"
_FORM = "https://VAULT.vault.azure.net/keys/NAME[/VERSION]"
_DOMAINS = tuple(
    f"{kind}.{cloud}"
    for kind in ("vault", "managedhsm")
    for cloud in ("azure.net", "azure.cn", "usgovcloudapi.net")
)
_SCOPES = frozenset(f"https://{domain}/.default" for domain in _DOMAINS)
_URL = re.compile(r"(https://[^/]+)/keys/([^/]+)(?:/([^/]*))?")  # as sops reads it
_VAULT = re.compile(rf"https://[a-z0-9-]+\.(?:{'|'.join(map(re.escape, _DOMAINS))})")
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_VERSION = re.compile(r"[0-9A-Za-z]{0,64}")
_BASE64 = re.compile(r"[0-9A-Za-z_-]+")
# Only an answer that says "later" is retried; 20 s for each, the first included, stay below 75 s.
_COUNTS = {"retry_total": 2, "retry_status": 2, "retry_connect": 0, "retry_read": 0}
_LONGEST_WAIT = 10.0  # seconds between them, whatever the answer says
_KINDS = tuple(
    f"{kind}credential"
    for kind in (
        *("environment", "workloadidentity", "managedidentity"),
        *("azurecli", "azurepowershell", "azuredevelopercli"),
    )
)
_FRESH = 300  # seconds that a token must have left to be used again


class AzureKey:
    """A key in a vault, in one of its versions.

    URI: ``https://VAULT.vault.azure.net/keys/NAME[/VERSION]``, or the mapping ``vaultUrl``, ``key``,
    ``version``.  Without a version the newest is found out when something is encrypted, and that
    is what the metadata then say; until then the key equals each of its versions.

    Environment: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or AZURE_CLIENT_CERTIFICATE_PATH
    (AZURE_CLIENT_CERTIFICATE_PASSWORD, AZURE_CLIENT_SEND_CERTIFICATE_CHAIN), or AZURE_FEDERATED_TOKEN_FILE;
    AZURE_AUTHORITY_HOST; AZURE_ADDITIONALLY_ALLOWED_TENANTS (``;`` between); AZURE_TOKEN_CREDENTIALS
    (``prod``, ``dev`` or one credential's name) as for DefaultAzureCredential.  If none says who one is: the
    managed identity of IDENTITY_ENDPOINT or MSI_ENDPOINT, else ``az``, PowerShell and ``azd``, else the
    machine's metadata service.  Those, and proxies, are found by azure-identity in the process's own
    environment.  ENCCONF_AZURE_ALLOWLIST: addresses beside Key Vault's that may get a token.
    SSL_CERT_FILE: authorities of certificates.

    Permissions: ``keys/encrypt`` and ``keys/decrypt`` (role Key Vault Crypto User; as data actions
    ``Microsoft.KeyVault/vaults/keys/encrypt/action`` and ``…/decrypt/action``), and ``keys/get``
    (``Microsoft.KeyVault/vaults/keys/read``) to encrypt without a version.
    """

    TYPE = "azure_kv"
    DATED = True
    __slots__ = ("_newest", "key_name", "vault_url", "version")

    def __init__(self, vault_url: str, key_name: str, version: str = "") -> None:
        self.vault_url = vault_url
        self.key_name = key_name
        self.version = version
        # What was found out for an empty version.  Only the first counts: entries made before and after
        # a rotation of the key must not change places.  A list, since append is atomic.
        self._newest: list[str] = []

    @property
    def name(self) -> str:
        """The URI; without a version where none was asked for."""
        versionless = f"{self.vault_url.rstrip('/')}/keys/{self.key_name}"
        return f"{versionless}/{self.version}" if self.version else versionless

    @property
    def label(self) -> str:
        """The URI."""
        return printable(self.name)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """RSA-OAEP-256, as unpadded base64url.

        Raises BadKeyError, NotMyKeyError when there is no credential, and MasterKeyError.
        """
        value = b2a_base64(data_key, newline=False).decode().translate(_TO_URL).rstrip("=")
        return self._ask("encrypt", value, credentials)

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let the service decrypt; raises NotMyKeyError when there is no credential, and MasterKeyError."""
        value = enc.strip().rstrip("=")
        if not _BASE64.fullmatch(value):
            raise MasterKeyError("its enc is not base64url")
        answer = self._ask("decrypt", value, credentials)
        try:
            return a2b_base64(answer.translate(_FROM_URL) + "=" * (-len(answer) % 4), strict_mode=True)
        except (Base64Error, ValueError):
            raise MasterKeyError("the service gave back something that is not base64url") from None

    def to_entry(self) -> dict[str, object]:
        """``vault_url``, ``name``, ``version`` (the one that encrypted, where none was asked for)."""
        version = self.version or "".join(self._newest[:1])
        return {"vault_url": self.vault_url, "name": self.key_name, "version": version}

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> AzureKey:
        """Read an entry; nothing is checked before it is used."""
        return cls(*(member(entry, name) for name in ("vault_url", "name", "version")))

    @classmethod
    def from_config(cls, value: object) -> AzureKey:
        """A URI's text, or a mapping of ``vaultUrl``, ``key`` and ``version``; raises BadKeyError."""
        if isinstance(value, dict):
            parts = [value.get(name) or "" for name in ("vaultUrl", "key", "version")]
            key = cls(*(part.strip() if isinstance(part, str) else "" for part in parts))
        elif isinstance(value, str):
            match = _URL.fullmatch(value.strip())
            if match is None:
                # With an @ it may hold a password.
                shown = "this" if "@" in value else printable(value.strip())[:80] or "an empty text"
                raise BadKeyError(
                    f"{shown} is not the address of an Azure key", hint=f"it looks like {_FORM}"
                )
            key = cls(match[1], match[2], match[3] or "")
        else:
            raise BadKeyError("an Azure key is a text or a mapping", hint=_FORM)
        key._checked()
        return key

    def _checked(self) -> str:
        """The vault's origin; raises BadKeyError for an address or a name that nothing may be sent to."""
        server = origin(self.vault_url)
        if server is None or not server.startswith("https://"):
            raise BadKeyError("its vault URL is not an address", hint=f"it looks like {_FORM}")
        if not _NAME.fullmatch(self.key_name) or not _VERSION.fullmatch(self.version):
            raise BadKeyError("its name or version is not one", hint=f"it looks like {_FORM}")
        return server

    def _ask(self, verb: str, value: str, credentials: Credentials) -> str:
        """What the service makes of a value; both are unpadded base64url."""
        server = self._checked()
        of_azure = _permit(server, credentials.environ)
        try:
            from azure.core import exceptions
            from azure.core.rest import HttpRequest
            from azure.identity import CredentialUnavailableError
            from azure.keyvault.keys import KeyClient
        except ImportError as error:
            raise missing("Azure", error, "azure") from None

        connections = credentials.client(("azure_kv", "connections"), lambda: _connections(credentials))
        tokens = credentials.client(("azure_kv", "tokens"), lambda: _Tokens(_steps(credentials, connections)))
        # Made for each call: its way of asking for tokens is not safe among threads.  Connections,
        # tokens and what the vault said about them are kept.
        client = KeyClient(
            server,
            tokens,
            verify_challenge_resource=of_azure,
            permit_redirects=False,
            retry_policy=_retry_policy(),
            **connections,
        )
        options: dict[str, Any] = {"timeout": credentials.key_limit, "retry_on_methods": ["GET", "POST"]}
        try:
            version = self.version
            if not version and verb == "encrypt":
                version = self._find_newest(client, options)
            # Not CryptographyClient: it fetches the public key before each call, even to decrypt, and
            # then encrypts by itself, even for a key that is disabled.
            path = f"/keys/{self.key_name}/{version}/{verb}"
            question = {"alg": "RSA-OAEP-256", "value": value}
            response = client.send_request(HttpRequest("POST", path, json=question), **options)
            if 300 <= response.status_code < 400:
                raise MasterKeyError(
                    f"{server} wants to send the token elsewhere, and redirects are not followed"
                )
            if response.status_code != 200:
                raise exceptions.HttpResponseError(response=response)
            found = response.json()["value"].rstrip("=")
            if not _BASE64.fullmatch(found):
                raise ValueError("a value is not base64url")
        except CredentialUnavailableError as error:
            if tokens.configured:
                raise MasterKeyError(f"Azure gave no token: {one_line(error.message)}") from None
            raise NotMyKeyError(f"no Azure credential\nlooked in: {error.message}") from None
        except exceptions.AzureError as error:
            raise _failure(error, server, credentials) from None
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            reason = _first_sentence(str(error))
            raise MasterKeyError(f"the answer of {server} is not that of a key vault: {reason}") from None
        return str(found)

    def _find_newest(self, client: Any, options: dict[str, Any]) -> str:
        """The version to encrypt with; asks for it once in the life of this key."""
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

    def __repr__(self) -> str:
        return f"AzureKey({self.name!r})"


_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")


def _permit(server: str, environ: Mapping[str, str]) -> bool:
    """Whether the address is Azure's own; if not, raises MasterKeyError unless the user allows it."""
    if _VAULT.fullmatch(server):
        return True
    places = permitted(environ, ALLOW_LIST)
    if places is not None and server not in places:
        raise MasterKeyError(
            f"an Azure token goes only to Key Vault and {ALLOW_LIST}, not to {server}",
            hint=f"if this server may have it: export {ALLOW_LIST}={server}",
        )
    return False


# --- tokens --------------------------------------------------------------------------------


class _Tokens:
    """A credential for the SDK: the first of some that is there, for Key Vault only; it keeps the tokens.

    ``configured`` is whether the environment says which one, so that it should be there.
    """

    def __init__(self, steps: list[Step]) -> None:
        from threading import Lock

        self.configured = len(steps) == 1
        self._steps = steps
        self._lock = Lock()
        self._kept: dict[object, Any] = {}

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **options: Any
    ) -> Any:
        """A token for these scopes; raises ClientAuthenticationError."""
        from time import time

        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import CredentialUnavailableError

        # The scope is what the vault asked for, and the vault's address came from a file.
        if not _SCOPES.issuperset(scopes):
            raise ClientAuthenticationError("the server asked for a token that is not for Key Vault")
        asked = (scopes, tenant_id, options.get("enable_cae"))
        with self._lock:  # else all that wait would ask as well
            kept = self._kept.get(asked)
            if kept is not None and not claims and kept.expires_on - time() > _FRESH:
                return kept
            notes = []
            for step in self._steps:
                label, credential = step
                try:
                    token = credential.get_token(*scopes, claims=claims, tenant_id=tenant_id, **options)
                except CredentialUnavailableError as error:
                    notes.append(error.message if self.configured else _note(label, error.message))
                    continue
                self._steps = [step]
                self._kept[asked] = token
                return token
        raise CredentialUnavailableError(message=", ".join(notes))


def _steps(credentials: Credentials, connections: dict[str, Any]) -> list[Step]:
    """The credentials to try; raises MasterKeyError when the environment's settings are unusable."""
    import logging

    for library in ("azure", "msal"):  # what they say in warnings is in our errors
        logger = logging.getLogger(library)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    environ = credentials.environ
    wanted = environ.get("AZURE_TOKEN_CREDENTIALS", "").strip().lower()
    if wanted not in ("", "dev", "prod", *_KINDS):
        raise MasterKeyError(
            f"AZURE_TOKEN_CREDENTIALS={one_line(wanted)} is no credential that is known here"
        )
    try:
        return list(_chosen(wanted, environ, int(credentials.call_limit) or 1, connections))
    except (OSError, ValueError) as error:
        raise MasterKeyError(f"the AZURE_* settings cannot be used: {one_line(error)}") from None


def _chosen(
    wanted: str, environ: Mapping[str, str], limit: int, connections: dict[str, Any]
) -> Iterator[Step]:
    import azure.identity as identity

    def wants(group: str, name: str) -> bool:
        return wanted in ("", group, name)

    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    more = environ.get("AZURE_ADDITIONALLY_ALLOWED_TENANTS", "")
    settings: dict[str, Any] = {
        **connections,
        "authority": environ.get("AZURE_AUTHORITY_HOST") or "login.microsoftonline.com",
        "additionally_allowed_tenants": [name for name in (part.strip() for part in more.split(";")) if name],
    }
    if tenant and client:
        if wants("prod", "environmentcredential"):
            if secret := environ.get("AZURE_CLIENT_SECRET"):
                yield (
                    "AZURE_CLIENT_SECRET",
                    identity.ClientSecretCredential(tenant, client, secret, **settings),
                )
                return
            if path := environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
                certificate = identity.CertificateCredential(
                    tenant,
                    client,
                    path,
                    password=environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
                    send_certificate_chain=environ.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower()
                    in ("1", "true"),
                    **settings,
                )
                yield "AZURE_CLIENT_CERTIFICATE_PATH", certificate
                return
        path = environ.get("AZURE_FEDERATED_TOKEN_FILE")
        if path and wants("prod", "workloadidentitycredential"):
            workload = identity.WorkloadIdentityCredential(
                tenant_id=tenant, client_id=client, token_file_path=path, **settings
            )
            yield "AZURE_FEDERATED_TOKEN_FILE", workload
            return
    managed = wants("prod", "managedidentitycredential")
    named = managed and (environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"))
    if not named:
        yield "AZURE_CLIENT_ID, AZURE_TENANT_ID", _Unset(identity)
        tools = {
            "Azure CLI": identity.AzureCliCredential,
            "PowerShell": identity.AzurePowerShellCredential,
            "Azure Developer CLI": identity.AzureDeveloperCliCredential,
        }
        for label, tool in tools.items():
            if wants("dev", tool.__name__.lower()):
                yield label, tool(process_timeout=limit)
    if managed:
        # One second to connect, as DefaultAzureCredential takes to find out whether it is there.
        options = connections if named else {"connection_timeout": 1, "read_timeout": limit, **_COUNTS}
        yield "managed identity", identity.ManagedIdentityCredential(client_id=client or None, **options)


class _Unset:
    """The environment, where it holds no complete credential: a line in the report."""

    def __init__(self, identity: Any) -> None:
        self._error = identity.CredentialUnavailableError

    def get_token(self, *scopes: str, **options: Any) -> Any:
        raise self._error(message="no complete credential")


def _connections(credentials: Credentials) -> dict[str, Any]:
    """The settings of every client: one set of connections, and few retries."""
    from azure.core.pipeline.transport import RequestsTransport

    connect, read = timeouts(credentials)
    transport = RequestsTransport(
        connection_timeout=connect,
        read_timeout=read,
        connection_verify=credentials.environ.get("SSL_CERT_FILE") or True,
    )
    transport.open()
    return {"transport": transport, **_COUNTS}


def _retry_policy() -> Any:
    """The SDK's, but that no answer can make it wait for hours."""
    from azure.core.pipeline.policies import RetryPolicy

    class Patience(RetryPolicy):  # type: ignore[type-arg]
        def get_retry_after(self, response: Any) -> float | None:
            wait = super().get_retry_after(response)
            return wait and min(wait, _LONGEST_WAIT)

    return Patience(retry_backoff_factor=0.5, **_COUNTS)


# --- errors --------------------------------------------------------------------------------


def _failure(error: Any, server: str, credentials: Credentials) -> MasterKeyError:
    """The service's, or the network's, own reason."""
    from azure.core import exceptions

    if isinstance(error, (exceptions.ServiceRequestTimeoutError, exceptions.ServiceResponseTimeoutError)):
        return MasterKeyError(f"{server} did not answer within {credentials.call_limit:g} s")
    if not isinstance(error, exceptions.HttpResponseError):
        reason = cause(error) or one_line(error.message)
        return MasterKeyError(f"{server} cannot be reached: {reason}")
    if error.status_code is None:  # before the vault was asked
        return MasterKeyError(f"Azure gave no token: {cause(error) or _first_sentence(error.message)}")
    said = error.error
    inner = said.innererror.get("code") if said and isinstance(said.innererror, dict) else None
    if said:
        reason = one_line(f"{inner or said.code}: {said.message}")
    else:
        reason = _first_sentence(error.message) or f"HTTP {error.status_code}"
    hint = None
    if error.status_code == 429:
        reason = f"the service throttles: {reason}"
    elif error.status_code == 403 and inner != "KeyDisabled":
        hint = "the identity needs keys/encrypt and keys/decrypt: the role Key Vault Crypto User"
    return MasterKeyError(f"Azure: {reason}", hint=hint)


def _first_sentence(text: str) -> str:
    """Azure's messages go on about how to find help."""
    return one_line(re.split(r"\.\s|\n", text.strip(), maxsplit=1)[0]).rstrip(".")


def _note(label: str, text: str) -> str:
    """``Azure CLI (not found on path)``: why one of several is not there."""
    sentence = re.sub(r"^\w+ authentication unavailable[,.] ", "", text)
    return f"{label} ({_first_sentence(sentence).removeprefix(label).strip().removeprefix('is ')})"
