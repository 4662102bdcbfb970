"""A key type of somebody else's: a name, and the secret of that name in TOY_SECRETS ("NAME=SECRET …")."""

from __future__ import annotations

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials


class ToyKey(keys.MasterKey):
    TYPE = "toy"

    toy_name: str

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        nonce = os.urandom(12)
        sealed = nonce + self._cipher(credentials).encrypt(nonce, data_key, None)
        return b2a_base64(sealed, newline=False).decode()

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        cipher = self._cipher(credentials)
        try:
            data = a2b_base64(enc.encode(), strict_mode=True)
            return cipher.decrypt(data[:12], data[12:], None)
        except (Base64Error, ValueError, InvalidTag):
            raise MasterKeyError("its enc is damaged") from None

    def _cipher(self, credentials: Credentials) -> AESGCM:
        if not self.name:
            raise BadKeyError("a toy key has no name")
        pairs = (word.partition("=") for word in credentials.environ.get("TOY_SECRETS", "").split())
        secrets = {name: secret for name, _, secret in pairs}
        if self.name not in secrets:
            raise NotMyKeyError("its secret is not in TOY_SECRETS")
        return AESGCM(sha256(secrets[self.name].encode()).digest())

    @classmethod
    def from_config(cls, value: object) -> ToyKey:
        if isinstance(value, dict):
            value = value.get("toy_name")
        if not isinstance(value, str) or not re.fullmatch(r"toy-[a-z]{1,20}", value.strip()):
            raise BadKeyError("a toy key is toy- and a word")
        return cls(value.strip())


ROW = keys.KeyType(
    "plugins.toy_key:ToyKey",
    "Toy",
    "toy keys",
    option="toy",
    metavar="NAMES",
    variable="TOY_KEYS",
    member="toy",
    settings=("toy_name",),
    number=99,
    fields=("toy_name",),
    secrets=("TOY_SECRETS",),
)
