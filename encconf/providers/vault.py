"""HashiCorp Vault and OpenBao: the login, connections, and why a call failed.

`encconf.providers.vault_identity` finds the token, or what is needed to log in.

VAULT_ADDR and SOPS_HC_VAULT_ALLOWLIST (``all``, ``none``, or addresses) say which servers may get a token or
a login.  These variables are read, too: VAULT_NAMESPACE, VAULT_CACERT, VAULT_CAPATH (else SSL_CERT_FILE),
VAULT_CLIENT_CERT with VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME, VAULT_SKIP_VERIFY.  All of these may begin
with BAO_ if BAO_ADDR is set and VAULT_ADDR is not.  Proxies are those of requests (HTTPS_PROXY, NO_PROXY
of the process).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.providers import Login, needing, one_line
from encconf.providers.https import Server, Trust, is_path, origin, permitted, reason_of
from encconf.providers.vault_identity import Identity, identity, settings
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALLOW_LIST = "SOPS_HC_VAULT_ALLOWLIST"

_REASONS = {401: "denied", 403: "denied", 404: "missing", 412: "unreachable"}
NO_MOUNT = "no handler for route"


def ask(
    server: str,
    credentials: Credentials,
    method: str,
    steps: Sequence[str],
    needs: str,
    *,
    who: Identity | None = None,
    namespace: str | None = None,
    again: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Return a server's answer to a request for the path of these steps, with a token of these credentials.

    ``server`` is an origin (see `encconf.providers.https.origin`).  ``needs`` is what the token's policy must
    allow, for the hint of a refusal.  ``who`` is by default the login of the environment.  If a login's token
    is refused, the request is repeated after a new login, unless ``again`` is false.  ``options`` are those
    of requests.  Raises NotMyKeyError without a token, and MasterKeyError.  An answer that is not a JSON
    object is an error, too: it may be a proxy's page.
    """
    environ = settings(credentials)
    who = who or identity(credentials)
    namespace = (namespace or environ.get("VAULT_NAMESPACE", "")).strip() or None
    if namespace and not (namespace.isascii() and namespace.isprintable()):
        raise MasterKeyError(
            "the namespace of Vault is not a name", reason="wrong", hint="check VAULT_NAMESPACE"
        )
    _permit(server, environ, who.places if who.method == "token" and not who.token else "")
    with needing("Vault", "vault"):
        connections = credentials.client(
            ("vault", server), lambda: _connections(server, credentials, environ)
        )

    def send(token: str) -> dict[str, Any]:
        headers = {"X-Vault-Namespace": namespace, "X-Vault-Token": token or None}
        return _answer(connections, method, steps, headers, [token], needs=needs, **options)

    if who.method == "token":
        try:
            return send(who.token)
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
    return login.call(lambda: log_in(who, connections, namespace), send, "denied" if again else None)


def valid(
    server: str, credentials: Credentials, *, who: Identity | None = None, namespace: str | None = None
) -> dict[str, Any] | None:
    """Return what the server knows about the token, or None if the token is not valid.

    A token without the default policy may not ask about itself.  Then a list of mounts is read, which every
    valid token may read, even if the list is empty.
    """
    for path in (["auth", "token", "lookup-self"], ["sys", "internal", "ui", "mounts"]):
        try:
            answer = ask(server, credentials, "GET", path, "", who=who, namespace=namespace)
        except MasterKeyError as error:
            if error.reason != "denied" or not error.code:
                raise
            continue
        if "data" not in answer:
            raise _odd_answer(server)
        own = path[0] == "auth" and answer["data"]
        return own if isinstance(own, dict) else {}
    return None


def _is_refused(server: str, credentials: Credentials, who: Identity, namespace: str | None) -> bool:
    """Whether the server does not know the token.  If it does, the token's policy was the reason."""
    try:
        return valid(server, credentials, who=who, namespace=namespace) is None
    except MasterKeyError:
        return False


def log_in(who: Identity, server: Server, namespace: str | None) -> tuple[str, float]:
    """Log in, and return a new token and for how many seconds it may be used."""
    payload = who.payload()
    parts = ["auth", *who.mount.split("/"), "login"]
    if who.method == "userpass":
        parts.append(payload.pop("username"))
    if not is_path(parts):
        raise MasterKeyError(
            "the mount of Vault's login is not valid", reason="wrong", hint="set VAULT_AUTH_MOUNT"
        )

    hidden = [value for name, value in payload.items() if name not in ("role", "role_id")]
    try:
        answer = _answer(server, "POST", parts, {"X-Vault-Namespace": namespace}, hidden, json=payload)
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
    raise _odd_answer(server.name)


_LOGIN_HINTS = {
    "approle": "check the role id and the secret id, and that the secret id may still be used",
    "kubernetes": "check that the service account is bound to the role, with a token of this cluster",
    "jwt": "check that the JWT is still valid and that its issuer, audience and subject match the role",
    "userpass": "check the name and the password",
}


def _answer(
    server: Server,
    method: str,
    steps: Sequence[str],
    headers: Mapping[str, str | None],
    hidden: Sequence[str],
    *,
    needs: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Return the answer to a request, {} if it has no content.  Raises MasterKeyError.

    The error quotes none of the ``hidden`` texts.
    """
    from urllib.parse import quote

    path = "/v1/" + "/".join(quote(step, safe="") for step in steps)
    answer = server.ask(method, path, headers={"X-Vault-Request": "true", **headers}, **options)
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    said = found if isinstance(found, dict) else {}
    if answer.status_code in (200, 404) and said is not found:
        raise _odd_answer(server.name)
    if answer.ok:
        return said
    error = _refused(answer.status_code, said.get("errors"), answer.text, needs, hidden)
    if method == "GET" and error.reason == "missing":
        return said  # the answer about a deleted version has this status, too
    raise error


def _odd_answer(server: str) -> MasterKeyError:
    return MasterKeyError(f"{server} did not answer like a Vault server")


def _refused(status: int, errors: object, text: str, needs: str, hidden: Sequence[str]) -> MasterKeyError:
    """Return an error with the server's own reasons."""
    said = errors if isinstance(errors, list) else []
    words = "; ".join(map(str, said)) or text or f"HTTP {status}"
    for secret in filter(None, hidden):  # Vault never quotes them, but another server may
        words = words.replace(secret, "…")
    detail = one_line(words)
    reason, hint = reason_of(status, _REASONS), None
    if NO_MOUNT in words:
        # This is the server's text for a path that belongs to no mount.
        reason, detail = "wrong", f"{detail} (no secrets engine is mounted there)"
        hint = "vault secrets list shows the mounts; is VAULT_NAMESPACE right?"
    elif "is sealed" in words:
        reason, hint = "unreachable", "ask an administrator to unseal it: vault operator unseal"
    elif status == 501:
        hint = "ask an administrator to initialize it: vault operator init"
    elif status == 403 and needs:
        hint = f"the token's policy needs {needs}"
    elif status == 429:
        detail = f"the server throttles: {detail}"
    return MasterKeyError(f"Vault: {detail}", reason=reason, hint=hint, code=str(status))


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
