"""HashiCorp Vault and OpenBao, with hvac: the login, connections, and why a call failed.

`encconf.providers.vault_identity` finds the token, or what is needed to log in.

VAULT_ADDR and SOPS_HC_VAULT_ALLOWLIST (``all``, ``none``, or addresses) say which servers may get a token or
a login.  These variables are read, too: VAULT_NAMESPACE, VAULT_CACERT, VAULT_CAPATH (else SSL_CERT_FILE),
VAULT_CLIENT_CERT with VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME, VAULT_SKIP_VERIFY.  All of these may begin
with BAO_ if BAO_ADDR is set and VAULT_ADDR is not.  Proxies are those of requests (HTTPS_PROXY, NO_PROXY
of the process).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.providers import ODD_ANSWER, Login, needing, one_line
from encconf.providers.https import Server, Trust, is_path, origin, permitted
from encconf.providers.vault_identity import Identity, identity, settings
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALLOW_LIST = "SOPS_HC_VAULT_ALLOWLIST"

# The reasons of `encconf.errors.UnavailableError` for hvac's exceptions.
_REASONS = {
    "Forbidden": "denied",
    "Unauthorized": "denied",
    "InvalidPath": "missing",
    "InvalidRequest": "wrong",
    "UnsupportedOperation": "wrong",
}
NO_MOUNT = "no handler for route"


def ask(
    server: str,
    credentials: Credentials,
    call: Callable[[Any], Any],
    needs: str,
    *,
    who: Identity | None = None,
    namespace: str | None = None,
) -> Any:
    """Return what ``call`` returns for hvac's adapter for a server, with a token of these credentials.

    ``server`` is an origin (see `encconf.providers.https.origin`).  ``needs`` is what the token's policy must
    allow, for the hint of a refusal.  ``who`` is by default the login of the environment.  If a login's token
    is refused, ``call`` is repeated after a new login.  Raises NotMyKeyError if there is no token, and
    MasterKeyError.  An answer that is not a JSON object is an error, too: it may be a proxy's page.
    """
    environ = settings(credentials)
    who = who or identity(credentials)
    namespace = namespace or environ.get("VAULT_NAMESPACE")
    _permit(server, environ, who.places if who.method == "token" and not who.token else "")
    with needing("Vault", "vault"):
        import hvac.exceptions  # noqa: F401
        from hvac.adapters import JSONAdapter

    connections = credentials.client(("vault", server), lambda: _connections(server, credentials, environ))

    class Adapter(JSONAdapter):  # type: ignore[misc]  # hvac has no types
        def request(self, *args: Any, **options: Any) -> Any:
            answer = super().request(*args, **options)
            if not isinstance(answer, dict) and getattr(answer, "status_code", 200) == 200:
                raise _odd_answer(connections)
            return answer

    def adapter(token: str) -> Any:
        return Adapter(
            base_uri=server,
            token=token,
            cert=connections.session.cert,
            verify=connections.session.verify,
            timeout=connections.timeouts,
            session=connections.session,
            namespace=namespace,
        )

    def made(token: str) -> Any:
        return _made(lambda: call(adapter(token)), connections, needs, [token])

    if who.method == "token":
        try:
            return made(who.token)
        except MasterKeyError as error:
            denied = error.reason == "denied" or "missing client token" in error.message
            if not who.token and denied:
                raise NotMyKeyError(
                    f"no Vault token, which {server} requires\nlooked in: {who.places}"
                ) from None
            if needs and denied and _is_refused(server, credentials, who, namespace):
                raise MasterKeyError(
                    "the Vault token is not valid, or has expired",
                    reason="expired",
                    hint="log in again: vault login",
                ) from None
            raise
    login = credentials.client(("vault login", server, namespace, who.key), Login)
    return login.call(lambda: log_in(adapter(""), who, connections), made, "denied")


def url(steps: Iterable[str]) -> str:
    """Return the URL of a path, below the server's address."""
    from urllib.parse import quote

    return "/v1/" + "/".join(quote(step, safe="") for step in steps)


def valid(
    server: str, credentials: Credentials, *, who: Identity | None = None, namespace: str | None = None
) -> dict[str, Any] | None:
    """Return what the server knows about the token, or None if the token is not valid.

    A token without the default policy may not ask about itself.  Then a list of mounts is read, which every
    valid token may read, even if the list is empty.
    """
    for path in ("auth/token/lookup-self", "sys/internal/ui/mounts"):

        def look(adapter: Any, path: str = path) -> Any:
            return adapter.get(f"/v1/{path}")

        try:
            answer = ask(server, credentials, look, "", who=who, namespace=namespace)
        except MasterKeyError as error:
            if error.reason != "denied" or not error.code:
                raise
            continue
        own = path.startswith("auth/") and isinstance(answer, dict) and answer.get("data")
        return own if isinstance(own, dict) else {}
    return None


def _is_refused(server: str, credentials: Credentials, who: Identity, namespace: str | None) -> bool:
    """Whether the server does not know the token.  If it does, the token's policy was the reason."""
    try:
        return valid(server, credentials, who=who, namespace=namespace) is None
    except MasterKeyError:
        return False


def log_in(adapter: Any, who: Identity, server: Server) -> tuple[str, float]:
    """Log in, and return a new token and for how many seconds it may be used."""
    payload = who.payload()
    parts = ["auth", *who.mount.split("/"), "login"]
    if who.method == "userpass":
        parts.append(payload.pop("username"))
    if not is_path(parts):
        raise MasterKeyError(
            "the mount of Vault's login is not valid", reason="wrong", hint="set VAULT_AUTH_MOUNT"
        )

    def post() -> Any:
        return adapter.post(url=url(parts), json=payload)

    hidden = [value for name, value in payload.items() if name not in ("role", "role_id")]
    try:
        answer = _made(post, server, "", hidden)
    except MasterKeyError as error:
        reason = error.reason
        if error.code and reason in ("denied", "wrong", "missing"):
            reason = "expired" if "expired" in error.message else "denied"
        hint = _LOGIN_HINTS.get(who.method) if error.code and reason in ("denied", "expired") else None
        message = f"logging in by {who.method}: {error.message}"
        raise MasterKeyError(message, reason=reason, hint=hint or error.hint) from None
    try:
        auth = answer["auth"]
        token, lifetime = auth["client_token"], auth["lease_duration"]
        if isinstance(token, str) and token.isascii() and token.isprintable():
            # The token is used a little shorter than it is valid.  0 means that it is valid forever.
            return token, float(lifetime) * 0.9 or float("inf")
    except (TypeError, LookupError, ValueError):
        pass
    raise _odd_answer(server)


_LOGIN_HINTS = {
    "approle": "check the role id and the secret id, and that the secret id may still be used",
    "kubernetes": "check that the service account is bound to the role, with a token of this cluster",
    "jwt": "check that the JWT is still valid and that its issuer, audience and subject match the role",
    "userpass": "check the name and the password",
}


def _made(call: Callable[[], Any], server: Server, needs: str, hidden: list[str]) -> Any:
    """Return what a call returns.  Raises MasterKeyError for all errors of hvac and requests."""
    from hvac import exceptions

    try:
        with needing("Vault", "vault"):
            return call()
    except exceptions.VaultError as error:
        raise _refused(error, needs, hidden) from None
    except OSError as error:
        raise server.failure(error) from None
    except (*ODD_ANSWER, ValueError):  # hvac expects the JSON of a Vault server
        raise _odd_answer(server) from None


def _odd_answer(server: Server) -> MasterKeyError:
    return MasterKeyError(f"{server.name} did not answer like a Vault server")


def _refused(error: Any, needs: str, hidden: list[str]) -> MasterKeyError:
    """Return an error with the server's own reasons."""
    kind = type(error).__name__
    said = error.errors if isinstance(error.errors, list) else []
    words = "; ".join(str(text) for text in said) or error.text or kind
    for secret in filter(None, hidden):  # Vault never quotes them, but another server may
        words = words.replace(secret, "…")
    detail = one_line(words)
    reason, hint = _REASONS.get(kind, "unreachable"), None
    if NO_MOUNT in words:
        # This is the server's text for a path that belongs to no mount.
        reason, detail = "wrong", f"{detail} (no secrets engine is mounted there)"
        hint = "vault secrets list shows the mounts; is VAULT_NAMESPACE right?"
    elif "is sealed" in words:
        reason, hint = "unreachable", "ask an administrator to unseal it: vault operator unseal"
    elif kind == "VaultNotInitialized":
        hint = "ask an administrator to initialize it: vault operator init"
    elif kind == "Forbidden" and needs:
        hint = f"the token's policy needs {needs}"
    elif kind == "RateLimitExceeded":
        detail = f"the server throttles: {detail}"
    return MasterKeyError(f"Vault: {detail}", reason=reason, hint=hint, code=kind)


def _permit(server: str, environ: Mapping[str, str], no_token: str) -> None:
    """Raise an error unless the token may go to this server.  ``no_token`` lists places without a token."""
    places = permitted(environ, ALLOW_LIST)
    address = environ.get("VAULT_ADDR", "").strip()
    chosen = origin(address)
    if places is None or server in places:
        return
    if server == chosen and environ.get(ALLOW_LIST, "").strip() != "none":
        return
    if no_token:
        raise NotMyKeyError(f"no Vault token\nlooked in: {no_token}")
    now = chosen or ("not a plain address" if address else "unset")
    raise MasterKeyError(
        f"encconf sends a Vault token only to VAULT_ADDR ({now}) and the servers in {ALLOW_LIST}, not to "
        f"{server}",
        reason="denied",
        hint=f"if you trust this server: export VAULT_ADDR={server}, or add {server} to {ALLOW_LIST}",
    )


def _connections(server: str, credentials: Credentials, environ: Mapping[str, str]) -> Server:
    """Return connections to one server, with the TLS settings of the environment.  Raises MasterKeyError."""
    skip = environ.get("VAULT_SKIP_VERIFY", "")
    if skip not in ("", *TRUE, *FALSE):
        raise MasterKeyError("VAULT_SKIP_VERIFY is neither true nor false")
    roots = environ.get("VAULT_CACERT") or environ.get("VAULT_CAPATH") or environ.get("SSL_CERT_FILE")
    certificate, key = environ.get("VAULT_CLIENT_CERT"), environ.get("VAULT_CLIENT_KEY")
    if bool(certificate) != bool(key):
        raise MasterKeyError("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY must be set together")
    trust = Trust(
        skip not in TRUE and (roots or True),
        "VAULT_CACERT",
        server_name=environ.get("VAULT_TLS_SERVER_NAME"),
        certificate=(certificate, key) if certificate and key else None,
        own="VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
    )
    return Server(server, credentials, trust, moved="use the address of the active server")
