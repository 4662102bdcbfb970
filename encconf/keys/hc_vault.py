"""Keys of the transit engine of HashiCorp Vault and OpenBao.

It behaves like sops 3.13.3 (hcvault/keysource.go), with four differences.  The token goes only to VAULT_ADDR
and SOPS_HC_VAULT_ALLOWLIST (sops sends it anywhere, unless the list is set).  Redirects are not followed.
Names from the file are percent-encoded and may not be ``..``.  The engine is not a path that Vault reserves.
In addition, it logs in with AppRole, JWT and others (see `encconf.providers.vault`).  VAULT_AGENT_ADDR,
VAULT_CACERT_BYTES and the client's rate limit are not supported.
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from encconf.errors import BadKeyError, MasterKeyError
from encconf.keys import MasterKey, as_given, base64_bytes
from encconf.providers.https import is_path, origin
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.identities.credentials import Credentials

_FORM = "https://vault.example.com:8200/v1/transit/keys/NAME"

# sops looks for both patterns anywhere in the path, and refuses a path that matches the first.
_PREFIXED = re.compile(r"/[^/]+/v\d+/[^/]+/[^/]+/[^/]+", re.ASCII)
_PATH = re.compile(r"/v\d+/[^/]+/[^/]+/[^/]+", re.ASCII)
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#@\\\s]+)(?P<path>/[^?#]*)")


_OF_VAULT = ("sys", "auth", "identity", "cubbyhole", "audit")
"""Mounts that Vault reserves.  The entry of a file must not choose a call that changes something there.

Below a namespace, which can be the beginning of a path, ``sys`` and ``auth`` are reserved, too.
"""


_USUAL = "transit"
"""The path where Vault mounts a transit engine by default, so that nobody mounts another engine there."""


class VaultKey(MasterKey):
    """A key of a transit engine, at any mount path.

    URI: ``https://HOST[:PORT]/v1/ENGINE/keys/NAME``.  ENGINE has slashes if the mount is nested.

    Environment: The token is VAULT_TOKEN, else the file ``~/.vault-token``, or that of another
    VAULT_AUTH_METHOD.  VAULT_ADDR and SOPS_HC_VAULT_ALLOWLIST (``all``, ``none``, or addresses) say where the
    token may go.  VAULT_NAMESPACE, VAULT_CACERT and the other variables of `encconf.providers.vault` are
    read, too.  VAULT_ADDR is asked even without a token: it may be an agent that adds its own.

    Permissions: ``update`` on ``ENGINE/encrypt/NAME`` to encrypt, and on ``ENGINE/decrypt/NAME`` to decrypt.
    """

    TYPE = "hc_vault"
    ATTRIBUTES = ("address", "engine", "key_name")
    address: str
    engine: str
    key_name: str

    @property
    def name(self) -> str:
        """The URI."""
        return f"{self.address}/v1/{self.engine}/keys/{self.key_name}"

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return ``vault:v1:`` and base64, as the server encrypts it with the key's newest version.

        Raises BadKeyError, NotMyKeyError if there is no token, and MasterKeyError.
        """
        plaintext = b2a_base64(data_key, newline=False).decode()
        enc = self._ask("encrypt", {"plaintext": plaintext}, "ciphertext", credentials)
        if not enc or not enc.isascii() or not enc.isprintable():
            raise MasterKeyError("the server returned something that is not a ciphertext")
        return enc

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let the server decrypt.  Raises NotMyKeyError if there is no token, and MasterKeyError."""
        plaintext = self._ask("decrypt", {"ciphertext": enc}, "plaintext", credentials)
        return base64_bytes(plaintext, "the server returned something that is not base64")

    @classmethod
    def from_config(cls, value: str) -> VaultKey:
        """Read a URI.  Raises BadKeyError."""
        uri = value.strip()
        match = _URI.fullmatch(uri)
        path = match["path"] if match else ""
        if match is None or not uri.isprintable() or not _PATH.search(path):
            # An address with an @ may contain a password.
            shown = "this" if "@" in uri else as_given(uri)
            raise BadKeyError(f"{shown} is not the address of a Vault key", hint=f"it looks like {_FORM}")
        if _PREFIXED.search(path):
            raise BadKeyError(
                f"{as_given(uri)} has something before /v1/, which is not supported",
                hint=f"it looks like {_FORM}",
            )
        parts = path.strip("/").split("/")
        key = cls(
            f"{match['scheme'].lower()}://{match['host']}", "/".join(filter(None, parts[1:-2])), parts[-1]
        )
        key._checked()
        return key

    def _checked(self) -> str:
        """Return the server's origin.  Raises BadKeyError for an address or a name that cannot be used."""
        server = origin(self.address)
        if server is None:
            raise BadKeyError(
                "its vault_address is not a plain address", hint="https://HOST or https://HOST:PORT"
            )
        engine = self.engine.split("/")
        if not is_path([*engine, self.key_name]) or "/" in self.key_name:
            raise BadKeyError("its engine_path or key_name is not one", hint=f"it looks like {_FORM}")
        if engine[0] in _OF_VAULT or any(step in ("sys", "auth") for step in engine[:-1]):
            raise BadKeyError(
                "its engine_path is not that of a transit engine: Vault keeps its own settings there",
                hint=f"it looks like {_FORM}",
            )
        return server

    def _ask(self, verb: str, question: dict[str, str], wanted: str, credentials: Credentials) -> str:
        """Return the member ``wanted`` of the answer to ``ENGINE/VERB/NAME``."""
        from encconf.providers import vault

        server, engine = self._checked(), self.engine.split("/")
        if self.engine != _USUAL:
            self._refuse_other_engines(server, engine, credentials)
        steps = [*engine, verb, self.key_name]
        needs = printable(f"update on {self.engine}/{verb}/{self.key_name}")
        answer = vault.ask(server, credentials, "POST", steps, needs, json=question)
        try:
            found = answer["data"][wanted]
        except (TypeError, LookupError):
            found = None
        if not isinstance(found, str):
            raise vault.odd_answer(server)
        return found

    def _refuse_other_engines(self, server: str, engine: list[str], credentials: Credentials) -> None:
        """Raise BadKeyError if the path is not a transit engine: KV version 1 would store the question.

        Otherwise the entry of a file could write there, with the token of whoever opens the file.
        """
        from encconf.providers import vault

        known = credentials.client(("vault engines", server), dict[str, "tuple[str, list[str]] | None"])
        if self.engine not in known:
            known[self.engine] = vault.engine_of(server, credentials, engine)
        found = known[self.engine]
        if found is None:
            return  # the token may do nothing there
        kind, mount = found
        if "transit" not in kind:
            wrong = f"an engine of the type {printable(kind)[:40]}"
        elif engine[-len(mount) :] != mount:  # a namespace may come before the mount
            wrong = "a path in one"
        else:
            return
        raise BadKeyError(
            f"its engine_path is not that of a transit engine, but {wrong}", hint=f"it looks like {_FORM}"
        )
