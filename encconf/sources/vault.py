"""``vault:MOUNT/PATH#FIELD``: a KV secret of HashiCorp Vault or OpenBao, version 1 or 2.

The server is asked once for the version of each mount.  The API's paths, ``secret/data/app``, work, too.
``version=N`` is an older version (of KV 2).  Without ``#FIELD``, the value is the JSON of all fields.  In
vals' form, the last part of the path is the field if none is named: ``ref+vault://secret/app/password``.

These parameters are from vals: ``address``, ``namespace``, ``auth_method``, ``token_env``, ``token_file``,
``role_id``, ``secret_id``, ``username``, ``password_env``, ``password_file``, and ``proto``, which has no
effect (in vals, only if its configuration names a host).  `encconf.providers.vault` says which variables are
read, and where a token may go.

Permissions: ``read`` on ``MOUNT/data/PATH`` (KV 1: ``MOUNT/PATH``); to write, ``create`` and ``update`` as
well.  Limits: ``Credentials.call_limit`` for each request, two more if the server says "later".  Errors:
missing (no such secret, or its version is deleted), denied, expired (the token or the JWT is no longer
valid), unreachable (also sealed, or throttled), slow, wrong, unusable (no VAULT_ADDR, no token, no requests).
"""

from __future__ import annotations

from encconf.errors import ExistsError, MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.io.threads import Lock
from encconf.providers import vault
from encconf.providers.https import is_path, origin
from encconf.providers.vault import identity, settings
from encconf.sources import Probe, Uri, exists_error, variable, version_in
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LOGIN = ("auth_method", "token_env", "token_file", "role_id", "secret_id")
_LOGIN_BY_NAME = ("username", "password_env", "password_file")
OWN_FIELDS = True  # `store` can write single fields
QUERY = ("version", "address", "proto", "namespace", *_LOGIN, *_LOGIN_BY_NAME)
_FORM = "vault:MOUNT/PATH#FIELD"


def canonical(uri: Uri) -> Uri:
    """Return the address with its field.  In vals' form, that may be the last part of the path."""
    if not uri.vals or uri.field is not None:
        return uri
    body, _, field = uri.body.rstrip("/").rpartition("/")
    if "/" not in body:
        raise SourceError("it names no field", hint="ref+vault://MOUNT/PATH#/FIELD")
    return Uri(uri.scheme, body, uri.query, Uri("vault", field).path, vals=True)


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the members of a secret as JSON."""
    import json

    place = _Place(uri, credentials)
    data, version = _read(place, uri)
    if data is None:
        path = printable(place.name)[:200]
        message = "Vault has no such secret"
        hint = f"correct the path, or: vault kv put {path} FIELD=VALUE"
        if version or uri.query.get("version"):
            message = (
                "this version of the secret is deleted"
                if version
                else "this version of the secret does not exist"
            )
            hint = f"see: vault kv metadata get {path}"
        raise SourceError(message, reason="missing", hint=hint)
    return json.dumps(data, ensure_ascii=False).encode(errors="surrogatepass")


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Write a field and keep the others.  Without a field, ``value`` is a JSON object of all fields."""
    import json

    from encconf.sources import fields

    place = _Place(uri, credentials)
    data, version = _read(place, uri)
    if uri.field is not None:
        data = fields.insert(data or {}, uri.field, value, replace=replace)
    elif data is not None and not replace:
        raise exists_error("choose another name, or add a field to it: #FIELD")
    else:
        fields.members(value)  # raises SourceError for anything else
        data = json.loads(value)
    if place.kv == 2:
        # The server refuses the write if another program, or this call before it was repeated, has written.
        try:
            place.ask("POST", {"data": data, "options": {"cas": version}}, "create and update")
        except MasterKeyError as error:
            if "check-and-set" in error.message:
                raise ExistsError(error.message, hint=error.hint) from None
            raise
    else:
        place.ask("POST", data, "create and update")


class _Place:
    """Where a secret is: the server, the mount with its version, and the path."""

    def __init__(self, uri: Uri, credentials: Credentials) -> None:
        self._credentials = credentials
        self._server = _server(uri, credentials)
        self._namespace = uri.query.get("namespace")
        self._who = identity(credentials, uri.query)
        parts = [part for part in uri.path.split("/") if part]
        if len(parts) < 2 or not is_path(parts):
            raise SourceError("expected a mount and the path of a secret", hint=_FORM)
        mount, self.kv = self._mount(parts)
        rest = parts[len(mount) :]
        if self.kv == 2:
            # The path has the API's spelling or that of the vault command.
            rest = rest[1:] if rest[0] == "data" and len(rest) > 1 else rest
        self.name = "/".join([*mount, *rest])
        self.parts = [*mount, *(["data"] if self.kv == 2 else []), *rest]

    def ask(self, method: str, body: Any = None, needs: str = "read", **query: str) -> dict[str, Any]:
        """Return the answer to a request for the secret, also if there is none.  Raises MasterKeyError."""
        path = printable("/".join(self.parts))[:200]
        return self._ask(self.parts, method, f"{needs} on {path}", json=body, params=query)

    def _ask(self, parts: list[str], method: str, needs: str, **options: Any) -> dict[str, Any]:
        who, namespace = self._who, self._namespace
        return vault.ask(
            self._server, self._credentials, method, parts, needs, who=who, namespace=namespace, **options
        )

    def _mount(self, parts: list[str]) -> tuple[list[str], int]:
        """Return the parts of the path that are the mount, and the mount's version of KV."""
        which = self._server, self._namespace
        known: dict[tuple[str, ...], int] = self._credentials.client(("vault mounts", *which), dict)
        with self._credentials.client(("vault mounts' lock", *which), Lock):
            for mount, kv in known.items():  # no mount is inside another
                if tuple(parts[: len(mount)]) == mount:
                    return list(mount), kv
            try:
                answer = self._ask(["sys", "internal", "ui", "mounts", *parts], "GET", "")
                data = answer["data"]
                mount = tuple(part for part in str(data["path"]).split("/") if part)
                kv = 2 if (data.get("options") or {}).get("version") == "2" else 1
            except MasterKeyError as error:
                if error.reason != "denied":
                    raise
                # The token has no permission on this mount.  The error for the secret itself says more.
                return parts[:1], 2 if parts[1] == "data" else 1
            except (TypeError, LookupError, AttributeError):  # a server without this path
                return parts[:1], 1
            if tuple(parts[: len(mount)]) != mount or len(parts) == len(mount):
                raise SourceError("expected a mount and the path of a secret", hint=_FORM)
            known[mount] = kv
            return list(mount), kv


def _server(uri: Uri, credentials: Credentials) -> str:
    hint = "export VAULT_ADDR=https://vault.example.com:8200"
    server = origin(uri.query.get("address") or variable(settings(credentials), "VAULT_ADDR", hint))
    if server is None:
        raise SourceError("the address of Vault is not a plain URL", hint="https://HOST or https://HOST:PORT")
    return server


def _read(place: _Place, uri: Uri) -> tuple[dict[str, Any] | None, int]:
    """Return the members (or None) and the newest version (or 0)."""
    query = {}
    if version := version_in(uri, "Vault secret"):
        if place.kv == 1:
            raise SourceError(
                "this mount is KV version 1, which has no older versions", hint="leave ?version out"
            )
        query["version"] = version
    answer = place.ask("GET", **query)
    found = answer.get("data")
    if place.kv == 1:
        return (found if isinstance(found, dict) else None), 0
    data, about = (found.get("data"), found.get("metadata")) if isinstance(found, dict) else (None, None)
    number = about.get("version") if isinstance(about, dict) else None
    return (data if isinstance(data, dict) else None), (number if isinstance(number, int) else 0)


def probe(credentials: Credentials) -> Probe:
    """Ask the server about the token, or log in."""
    if not settings(credentials).get("VAULT_ADDR"):
        return Probe(False, missing=["VAULT_ADDR"])
    server = _server(Uri("vault", "-/-"), credentials)
    who = identity(credentials)
    if who.method == "token" and not who.token:
        return Probe(False, missing=[f"a token ({who.places.strip()})"], note=server)
    data = vault.valid(server, credentials, who=who)
    if data is None:
        return Probe(False, missing=["a token that is valid"], note=server)
    policies = ", ".join(map(str, data.get("policies") or []))
    return Probe(
        True, printable(str(data.get("display_name") or who.method)), note=printable(f"policies: {policies}")
    )
