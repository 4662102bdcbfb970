"""Azure Key Vault, with Azure's SDK and azure-identity: the login, clients, and why a call failed.

These variables name a login: AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET, with
AZURE_CLIENT_CERTIFICATE_PATH (AZURE_CLIENT_CERTIFICATE_PASSWORD, AZURE_CLIENT_SEND_CERTIFICATE_CHAIN), or
with AZURE_FEDERATED_TOKEN_FILE.  AZURE_AUTHORITY_HOST, AZURE_ADDITIONALLY_ALLOWED_TENANTS (separated by
``;``) and AZURE_TOKEN_CREDENTIALS (``prod``, ``dev`` or one credential's name) are as for
DefaultAzureCredential.  If these name no login, the managed identity of IDENTITY_ENDPOINT or MSI_ENDPOINT is
used, else ``az``, PowerShell and ``azd``, else the machine's metadata service.  azure-identity finds those,
and proxies, in the process's own environment.  ENCCONF_AZURE_ALLOWLIST lists addresses outside Key Vault
that may get a token.  SSL_CERT_FILE has certificate authorities.

Only tokens for Key Vault are used.  They go only to Key Vault's addresses and those in the list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.io import programs
from encconf.providers import ODD_ANSWER, late, needing, one_line, quiet, timeouts
from encconf.providers.https import as_it_is, cause, check_permitted, reason_of
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")
    Step = tuple[str, Any]  # a credential of azure-identity, after its name in a report


_LOGIN = "log in with az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
ALLOW_LIST = "ENCCONF_AZURE_ALLOWLIST"
_DOMAINS = tuple(
    f"{kind}.{cloud}"
    for kind in ("vault", "managedhsm")
    for cloud in ("azure.net", "azure.cn", "usgovcloudapi.net")
)
_SCOPES = frozenset(f"https://{domain}/.default" for domain in _DOMAINS)
_VAULT = re.compile(rf"https://[a-z0-9-]+\.(?:{'|'.join(map(re.escape, _DOMAINS))})")
# Only answers that say "later" are retried.  Three calls of 20 s stay below 75 s.
_COUNTS = {"retry_total": 2, "retry_status": 2, "retry_connect": 0, "retry_read": 0}
LONGEST_WAIT = 10.0  # how many seconds an answer can make us wait between two calls
_KINDS = tuple(
    f"{kind}credential"
    for kind in (
        *("environment", "workloadidentity", "managedidentity"),
        *("azurecli", "azurepowershell", "azuredevelopercli"),
    )
)
_FRESH = 300  # how many seconds a token must still be valid to be used again

# The reasons of `encconf.errors.UnavailableError` for statuses.
_REASONS = {401: "expired", 403: "denied", 404: "missing"}


def _permit(server: str, environ: Mapping[str, str]) -> bool:
    """Whether an address is Azure's own.  Raises MasterKeyError for others, unless the user allows them."""
    if _VAULT.fullmatch(server):
        return True
    check_permitted(server, environ, ALLOW_LIST, "an Azure token", "Key Vault")
    return False


def ask(
    server: str,
    credentials: Credentials,
    kind: Callable[..., Any],
    call: Callable[[Any, dict[str, Any]], T],
    *,
    needs: str,
    options: Mapping[str, Any] | None = None,
) -> T:
    """Return what ``call`` returns for a client of this ``kind`` for a vault, and options for its calls.

    ``server`` is an origin, and ``needs`` is the hint for a refusal.  Raises MasterKeyError if the vault
    refuses or may not be asked, NotMyKeyError if there is no credential, and MissingExtraError.
    """
    of_azure = _permit(server, credentials.environ)
    connections = _connections(credentials)
    tokens = credentials.client(("azure", "tokens"), lambda: _Tokens(_steps(credentials, connections)))
    # Each call gets a new client, since a client asks for tokens in a way that is not thread-safe.
    # Connections, tokens and the vault's challenge are kept.
    client = kind(
        server,
        tokens,
        verify_challenge_resource=of_azure,
        permit_redirects=False,
        retry_policy=_retry_policy(),
        **connections,
    )
    with _explaining(server, credentials, needs, tokens):
        try:
            return call(client, {"timeout": credentials.key_limit, **(options or {})})
        except (*ODD_ANSWER, ValueError) as error:
            reason = _first_sentence(str(error))
            raise MasterKeyError(f"{server} did not answer like a key vault: {reason}") from None


def sign_in(credentials: Credentials) -> str | None:
    """Get a token for Key Vault with the environment's login, and return the login's name, or None.

    Runs no program and asks no metadata service.  Raises MasterKeyError, and MissingExtraError.
    """
    steps = _steps(credentials, _connections(credentials))
    if len(steps) != 1:
        return None
    label, _ = steps[0]
    tokens = _Tokens(steps)
    with _explaining("Azure", credentials, "", tokens):
        tokens.get_token("https://vault.azure.net/.default")
    return credentials.environ.get("AZURE_CLIENT_ID") or label


@contextmanager
def _explaining(server: str, credentials: Credentials, needs: str, tokens: _Tokens) -> Iterator[None]:
    """Turn the SDK's errors inside the context into MasterKeyErrors."""
    from azure.core import exceptions
    from azure.identity import CredentialUnavailableError

    try:
        yield
    except CredentialUnavailableError as error:
        if tokens.configured:
            raise MasterKeyError(
                f"Azure gave no token: {one_line(error.message)}", reason="unusable"
            ) from None
        raise NotMyKeyError(f"no Azure credential\nlooked in: {error.message}", hint=_LOGIN) from None
    except exceptions.AzureError as error:
        raise _failure(error, server, credentials, needs) from None


class _Tokens:
    """A credential for the SDK, which uses the first one available, only for Key Vault, and keeps its tokens.

    ``configured`` is whether the environment names a credential, so that it should be available.
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
        """Return a token for these scopes.  Raises ClientAuthenticationError."""
        from time import time

        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import CredentialUnavailableError

        # The vault names the scope, and the vault's address is from a file, which is not trusted.
        if not _SCOPES.issuperset(scopes):
            raise ClientAuthenticationError("the server asked for a token that is not for Key Vault")
        asked = (scopes, tenant_id, options.get("enable_cae"))
        with self._lock:  # otherwise all waiting threads would ask, too
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


class _Tool(Record):
    """A credential of the SDK that starts a program of PATH, by one of its ``names``."""

    credential: Any
    names: tuple[str, ...]

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Return the token of a program that no branch can change, and which starts only such programs."""
        from azure.identity import CredentialUnavailableError

        others = [name for name in self.names if not programs.is_first(name)]
        with programs.for_children():
            # Windows looks in the current folder first, whatever PATH is.
            trusted = all(map(programs.is_first, self.names))
            if trusted and (not others or any(programs.find(name, os.environ) for name in self.names)):
                return self.credential.get_token(*scopes, **options)
        raise CredentialUnavailableError(message="not run from the current folder or the work tree")


def _steps(credentials: Credentials, connections: dict[str, Any]) -> list[Step]:
    """Return the credentials to try.  Raises MasterKeyError if the environment's settings are unusable."""
    quiet("azure", "msal")
    environ = credentials.environ
    wanted = environ.get("AZURE_TOKEN_CREDENTIALS", "").strip().lower()
    if wanted not in ("", "dev", "prod", *_KINDS):
        raise MasterKeyError(f"AZURE_TOKEN_CREDENTIALS={one_line(wanted)} is not a known credential")
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

    def unset(*_: str, **__: Any) -> Any:
        raise identity.CredentialUnavailableError(message="no complete credential")

    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    more = environ.get("AZURE_ADDITIONALLY_ALLOWED_TENANTS", "")
    settings: dict[str, Any] = {
        **connections,
        "authority": environ.get("AZURE_AUTHORITY_HOST") or "login.microsoftonline.com",
        "additionally_allowed_tenants": [name for name in (part.strip() for part in more.split(";")) if name],
    }
    secret, workload = identity.ClientSecretCredential, identity.WorkloadIdentityCredential
    certificate = partial(
        identity.CertificateCredential,
        password=environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
        send_certificate_chain=environ.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower()
        in ("1", "true"),
    )
    complete: tuple[tuple[str, str, str, Callable[..., Any]], ...] = (
        ("environmentcredential", "AZURE_CLIENT_SECRET", "client_secret", secret),
        ("environmentcredential", "AZURE_CLIENT_CERTIFICATE_PATH", "certificate_path", certificate),
        ("workloadidentitycredential", "AZURE_FEDERATED_TOKEN_FILE", "token_file_path", workload),
    )
    for name, variable, parameter, make in complete:
        value = environ.get(variable)
        if tenant and client and value and wants("prod", name):
            yield variable, make(tenant_id=tenant, client_id=client, **{parameter: value}, **settings)
            return
    managed = wants("prod", "managedidentitycredential")
    named = managed and (environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"))
    if not named:
        # The report has a line that says that the environment has no complete credential.
        yield "AZURE_CLIENT_ID, AZURE_TENANT_ID", SimpleNamespace(get_token=unset)
        tools = (
            ("Azure CLI", identity.AzureCliCredential, ("az", "az.cmd")),
            ("PowerShell", identity.AzurePowerShellCredential, ("pwsh", "powershell")),
            ("Azure Developer CLI", identity.AzureDeveloperCliCredential, ("azd",)),
        )
        for label, tool, names in tools:
            if not wants("dev", tool.__name__.lower()):
                continue
            yield label, _Tool(tool(process_timeout=limit), names)
    if managed:
        # One second to connect is as long as DefaultAzureCredential waits for the metadata service.
        options = connections if named else {"connection_timeout": 1, "read_timeout": limit, **_COUNTS}
        yield "managed identity", identity.ManagedIdentityCredential(client_id=client or None, **options)


def _connections(credentials: Credentials) -> dict[str, Any]:
    """Return the settings of every client: shared connections, few retries.  Raises MissingExtraError."""
    with needing("Azure", "azure"):
        import azure.identity  # noqa: F401
        from azure.core.pipeline.transport import RequestsTransport

    def connections() -> dict[str, Any]:
        connect, read = timeouts(credentials)
        transport = RequestsTransport(
            connection_timeout=connect,
            read_timeout=read,
            connection_verify=credentials.environ.get("SSL_CERT_FILE") or True,
        )
        transport.open()
        transport.session.auth = as_it_is
        return {"transport": transport, **_COUNTS}

    return credentials.client(("azure", "connections"), connections)


def _retry_policy() -> Any:
    """Return the SDK's policy for retries, except that no answer can make it wait for hours."""
    from azure.core.pipeline.policies import RetryPolicy

    class Patience(RetryPolicy):  # type: ignore[type-arg]
        def get_retry_after(self, response: Any) -> float | None:
            wait = super().get_retry_after(response)
            return wait and min(wait, LONGEST_WAIT)

    return Patience(retry_backoff_factor=0.5, **_COUNTS)


def _failure(error: Any, server: str, credentials: Credentials, needs: str) -> MasterKeyError:
    """Return an error with the service's or the network's own reason."""
    from azure.core import exceptions

    connect, answer = timeouts(credentials)
    if isinstance(error, exceptions.ServiceRequestTimeoutError):
        return late(server, connect)
    if isinstance(error, exceptions.ServiceResponseTimeoutError):
        return late(server, answer)
    if not isinstance(error, exceptions.HttpResponseError):
        detail = cause(error) or one_line(error.message)
        return MasterKeyError(f"{server} cannot be reached: {detail}", reason="unreachable")
    if error.status_code is None:  # before the vault was asked
        network = cause(error)
        detail = network or _first_sentence(error.message)
        reason = "expired" if "expired" in detail else "denied"
        hint = None if network else _LOGIN
        return MasterKeyError(f"Azure gave no token: {detail}", reason=reason, hint=hint)
    said = error.error
    inner = said.innererror.get("code") if said and isinstance(said.innererror, dict) else None
    if said:
        detail = one_line(f"{inner or said.code}: {said.message}")
    else:
        detail = _first_sentence(error.message) or f"HTTP {error.status_code}"
    reason, hint = reason_of(error.status_code, _REASONS), None
    if error.status_code == 429:
        detail = f"the service throttles: {detail}"
    elif error.status_code == 403 and inner in ("KeyDisabled", "SecretDisabled"):
        reason = "missing"
    elif error.status_code == 403:
        hint = needs
    return MasterKeyError(f"Azure: {detail}", reason=reason, hint=hint)


def _first_sentence(text: str) -> str:
    """Return the first sentence of Azure's message.  The others only say where to find help."""
    return one_line(re.split(r"\.\s|\n", text.strip(), maxsplit=1)[0]).rstrip(".")


def _note(label: str, text: str) -> str:
    """Return why one of several credentials is not available, as in ``Azure CLI (not found on path)``."""
    sentence = re.sub(r"^\w+ authentication unavailable[,.] ", "", text)
    return f"{label} ({_first_sentence(sentence).removeprefix(label).strip().removeprefix('is ')})"
