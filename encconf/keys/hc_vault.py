"""Keys of the transit engine of HashiCorp Vault and OpenBao, by hvac.

Behaviour of sops 3.13.2 (hcvault/keysource.go), with these differences.  The token goes to VAULT_ADDR
and SOPS_HC_VAULT_ALLOWLIST only (sops: anywhere, unless the list is set), no redirect is followed,
and names from the file are percent-encoded, ``..`` refused.  Not here: logging in (AppRole and the
like: bring a token), VAULT_AGENT_ADDR, VAULT_CACERT_BYTES and the client's rate limit.
"""

from __future__ import annotations

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from encconf.credentials import printable
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.keys import member
from encconf.keys.https import cause, missing, one_line, origin, permitted, timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from encconf.credentials import Credentials

ALLOW_LIST = "SOPS_HC_VAULT_ALLOWLIST"
_FORM = "https://vault.example.com:8200/v1/transit/keys/NAME"
_ANSWER_LIMIT = 1 << 20  # bytes; a wrapped data key has 89
_RETRIES = 2  # of an answer that says "later"; 20 s each, the first included, stay below 75 s
_LATER = (412, 429, 500, 502, 503, 504)
_TOKEN_LIMIT = 1 << 16

# sops looks for both of these anywhere in the path, and refuses what fits the first.
_PREFIXED = re.compile(r"/[^/]+/v\d+/[^/]+/[^/]+/[^/]+", re.ASCII)
_PATH = re.compile(r"/v\d+/[^/]+/[^/]+/[^/]+", re.ASCII)
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#@\\\s]+)(?P<path>/[^?#]*)")


class VaultKey:
    """A key of a transit engine, at any mount path.

    URI: ``https://HOST[:PORT]/v1/ENGINE/keys/NAME``, ENGINE with slashes where the mount is nested.

    Environment: VAULT_TOKEN, else the file ``~/.vault-token``; VAULT_ADDR and SOPS_HC_VAULT_ALLOWLIST
    (``all``, ``none``, or addresses) say where the token may go; VAULT_NAMESPACE; VAULT_CACERT,
    VAULT_CAPATH (else SSL_CERT_FILE), VAULT_CLIENT_CERT with VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME,
    VAULT_SKIP_VERIFY.  Without a token VAULT_ADDR is asked all the same: it may be an agent that
    adds its own.  Proxies are those of requests (HTTPS_PROXY, NO_PROXY of the process).

    Permissions: ``update`` on ``ENGINE/encrypt/NAME`` to encrypt, on ``ENGINE/decrypt/NAME`` to decrypt.
    """

    TYPE = "hc_vault"
    DATED = True
    __slots__ = ("address", "engine", "key_name")

    def __init__(self, address: str, engine: str, key_name: str) -> None:
        self.address = address
        self.engine = engine
        self.key_name = key_name

    @property
    def name(self) -> str:
        """The URI."""
        return f"{self.address}/v1/{self.engine}/keys/{self.key_name}"

    @property
    def label(self) -> str:
        """The URI."""
        return printable(self.name)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """``vault:v1:`` and base64, as the server gives it, by the key's newest version.

        Raises BadKeyError, NotMyKeyError when there is no token, and MasterKeyError.
        """
        plaintext = b2a_base64(data_key, newline=False).decode()
        enc = self._ask("encrypt", {"plaintext": plaintext}, "ciphertext", credentials)
        if not enc or not enc.isascii() or not enc.isprintable():
            raise MasterKeyError("the server gave back something that is not a ciphertext")
        return enc

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let the server decrypt; raises NotMyKeyError when there is no token, and MasterKeyError."""
        plaintext = self._ask("decrypt", {"ciphertext": enc}, "plaintext", credentials)
        try:
            return a2b_base64(plaintext, strict_mode=True)
        except (Base64Error, ValueError):
            raise MasterKeyError("the server gave back something that is not base64") from None

    def to_entry(self) -> dict[str, object]:
        """``vault_address``, ``engine_path``, ``key_name``."""
        return {"vault_address": self.address, "engine_path": self.engine, "key_name": self.key_name}

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> VaultKey:
        """Read an entry; nothing is checked before it is used."""
        return cls(*(member(entry, name) for name in ("vault_address", "engine_path", "key_name")))

    @classmethod
    def from_config(cls, value: object) -> VaultKey:
        """A URI's text; raises BadKeyError."""
        if not isinstance(value, str):
            raise BadKeyError("a Vault key is a text", hint=_FORM)
        uri = value.strip()
        match = _URI.fullmatch(uri)
        path = match["path"] if match else ""
        if match is None or not uri.isprintable() or not _PATH.search(path):
            # With an @ it may hold a password.
            shown = "this" if "@" in uri else printable(uri)[:80] or "an empty text"
            raise BadKeyError(f"{shown} is not the address of a Vault key", hint=f"it looks like {_FORM}")
        if _PREFIXED.search(path):
            raise BadKeyError(
                f"{printable(uri)[:160]} has something before /v1/, which is not supported",
                hint=f"it looks like {_FORM}",
            )
        parts = path.strip("/").split("/")
        key = cls(
            f"{match['scheme'].lower()}://{match['host']}", "/".join(filter(None, parts[1:-2])), parts[-1]
        )
        key._checked()
        return key

    def _checked(self) -> str:
        """The server's origin; raises BadKeyError for an address or a name that nothing may be sent to."""
        server = origin(self.address)
        if server is None:
            raise BadKeyError(
                "its vault_address is not a plain address", hint="https://HOST or https://HOST:PORT"
            )
        parts = [*self.engine.split("/"), self.key_name]
        if any(part in ("", ".", "..") or not part.isprintable() for part in parts) or "/" in self.key_name:
            raise BadKeyError("its engine_path or key_name is not one", hint=f"it looks like {_FORM}")
        return server

    def _ask(self, verb: str, question: dict[str, str], wanted: str, credentials: Credentials) -> str:
        """The member ``wanted`` of the answer to ``ENGINE/VERB/NAME``."""
        server = self._checked()
        token, places = _token(credentials)
        _permit(server, credentials.environ, places if not token else "")
        try:
            import requests
            from hvac import exceptions
            from hvac.adapters import JSONAdapter
            from hvac.api.secrets_engines import Transit
        except ImportError as error:
            raise missing("Vault", error, "vault") from None

        session = credentials.client(("hc_vault", server), lambda: _session(credentials.environ))
        adapter = JSONAdapter(
            base_uri=server,
            token=token,
            cert=session.cert,
            verify=session.verify,
            timeout=timeouts(credentials),
            allow_redirects=False,
            session=session,
            namespace=credentials.environ.get("VAULT_NAMESPACE"),
        )
        ask = getattr(Transit(adapter), f"{verb}_data")
        try:
            answer = ask(name=self.key_name, mount_point=self.engine, **question)
        except exceptions.VaultError as error:
            refused = self._refused(error, verb, token)
            if not token and (
                isinstance(error, exceptions.Forbidden) or "missing client token" in refused.message
            ):
                raise NotMyKeyError(f"no Vault token, and {server} wants one\nlooked in: {places}") from None
            raise refused from None
        except requests.RequestException as error:
            raise _unreached(error, server, credentials) from None
        except OSError as error:
            raise MasterKeyError(f"the VAULT_* settings for TLS cannot be used: {one_line(error)}") from None
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            answer = None  # hvac expects the JSON of a Vault
        if getattr(answer, "is_redirect", False):
            raise MasterKeyError(
                f"{server} wants to send the token elsewhere, and redirects are not followed",
                hint="name the active server's own address in the key",
            )
        try:
            found = answer["data"][wanted]
        except (TypeError, LookupError):
            found = None
        if not isinstance(found, str):
            raise MasterKeyError(f"the answer of {server} is not that of a Vault")
        return found

    def _refused(self, error: Any, verb: str, token: str) -> MasterKeyError:
        """The server's own reasons."""
        kind = type(error).__name__
        said = error.errors if isinstance(error.errors, list) else []
        words = "; ".join(str(text) for text in said) or error.text or kind
        # No Vault repeats the token; this one may be none.
        reason = one_line(words.replace(token, "…") if token else words)
        hint = None
        if kind == "Forbidden":
            path = printable(f"{self.engine}/{verb}/{self.key_name}")
            hint = f"the token must be valid, and its policy needs update on {path}"
        elif kind == "RateLimitExceeded":
            reason = f"the server throttles: {reason}"
        return MasterKeyError(f"Vault: {reason}", hint=hint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VaultKey) and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.TYPE, self.name))

    def __repr__(self) -> str:
        return f"VaultKey({self.name!r})"


def _token(credentials: Credentials) -> tuple[str, str]:
    """The token ("" when there is none), and where was looked for it; raises MasterKeyError."""
    place = "VAULT_TOKEN"
    token = credentials.environ.get(place, "").strip()
    found = "unset" if place not in credentials.environ else "empty"
    looked = f"VAULT_TOKEN ({found}), ~/.vault-token "
    if not token and credentials.home:
        place = "~/.vault-token"
        try:
            with open(os.path.join(credentials.home, ".vault-token"), "rb") as file:
                token = file.read(_TOKEN_LIMIT).decode("ascii").strip()
            looked += "(empty)"
        except (FileNotFoundError, NotADirectoryError):
            looked += "(not there)"
        except OSError as error:
            raise MasterKeyError(f"~/.vault-token cannot be read: {(error.strerror or '').lower()}") from None
        except UnicodeDecodeError:
            token = "\0"
    elif not token:
        looked += "(no home)"
    if not token.isascii() or not token.isprintable() or " " in token:
        raise MasterKeyError(f"{place} holds characters that no Vault token has")
    return token, looked


def _permit(server: str, environ: Mapping[str, str], no_token: str) -> None:
    """Raise unless the token may go to this server.  ``no_token`` says where one was looked for in vain."""
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
        f"a Vault token goes only to VAULT_ADDR ({now}) and {ALLOW_LIST}, not to {server}",
        hint=f"if this server may have it: export VAULT_ADDR={server}, or add {server} to {ALLOW_LIST}",
    )


def _session(environ: Mapping[str, str]) -> Any:
    """Connections to one server, with the TLS settings of the environment; raises MasterKeyError."""
    import io

    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    server_name = environ.get("VAULT_TLS_SERVER_NAME")
    names: dict[str, Any] = (
        {"server_hostname": server_name, "assert_hostname": server_name} if server_name else {}
    )

    class Connections(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **{**options, **names})

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **{**options, **names})

    def bound(response: Any, **_: Any) -> None:
        body = response.raw.read(_ANSWER_LIMIT + 1, decode_content=False)
        response.close()
        response.raw = io.BytesIO(body if len(body) <= _ANSWER_LIMIT else b"")

    # read=False: a call that took too long is not made again; the last answer is given back as it is.
    retry = Retry(
        total=_RETRIES,
        connect=0,
        read=False,
        other=0,
        status_forcelist=_LATER,
        allowed_methods=None,
        backoff_factor=0.5,
        raise_on_status=False,
        respect_retry_after_header=False,  # it may be any number of hours
    )
    session = requests.Session()
    session.mount("https://", Connections(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.headers["Accept-Encoding"] = "identity"
    session.hooks["response"].append(bound)

    skip = environ.get("VAULT_SKIP_VERIFY", "")
    if skip not in ("", *_TRUE, *_FALSE):
        raise MasterKeyError("VAULT_SKIP_VERIFY is neither true nor false")
    if skip in _TRUE:
        session.verify = False
    elif roots := environ.get("VAULT_CACERT") or environ.get("VAULT_CAPATH") or environ.get("SSL_CERT_FILE"):
        session.verify = roots
    certificate, key = environ.get("VAULT_CLIENT_CERT"), environ.get("VAULT_CLIENT_KEY")
    if bool(certificate) != bool(key):
        raise MasterKeyError("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are of use only together")
    if certificate and key:
        session.cert = (certificate, key)
    return session


# What Go's strconv.ParseBool takes.
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def _unreached(error: Any, server: str, credentials: Credentials) -> MasterKeyError:
    """Why there was no answer."""
    from requests import exceptions

    reason = cause(error)
    if isinstance(error, exceptions.Timeout):
        return MasterKeyError(f"{server} did not answer within {credentials.call_limit:g} s")
    if isinstance(error, exceptions.SSLError):
        return MasterKeyError(
            f"no trusted connection to {server}: {reason or 'TLS failed'}",
            hint="VAULT_CACERT names the file with the authority of its certificate",
        )
    if isinstance(error, exceptions.ProxyError):
        return MasterKeyError(f"the proxy does not lead to {server}: {reason or 'it refused'}")
    return MasterKeyError(f"{server} cannot be reached: {reason or type(error).__name__}")
