"""An age key for tests, and files that it opens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from encconf import api, formats
from encconf.engine import changes
from encconf.engine.loading import path_of
from encconf.errors import WrongTypeError
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.keys.age import AgeKey, rage
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection
from encconf.shape.values import plain, plain_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TestKey:
    """An age key for tests.

    ``identity`` is the secret line ``AGE-SECRET-KEY-1…``, and ``recipient`` the public key ``age1…``.

    >>> key = TestKey.generate()
    >>> path = key.write("s.enc.yaml", {"db": {"password": "x"}})  # doctest: +SKIP
    >>> load_config(path, credentials=key.credentials())  # doctest: +SKIP
    {'db': {'password': 'x'}}
    """

    __test__ = False  # pytest: this is not a class of tests

    def __init__(self, identity: str, recipient: str) -> None:
        self.identity = identity
        self.recipient = recipient

    @classmethod
    def generate(cls) -> TestKey:
        """Return a new X25519 key."""
        identity = rage().x25519.Identity.generate()
        return cls(str(identity), str(identity.to_public()))

    def encrypt(
        self, data: Mapping[str, Any] | str, *, format: str = "yaml", selection: Selection = DEFAULT
    ) -> str:
        """Return the encrypted text of values in a dict, or of a plaintext that you wrote yourself.

        Raises WrongTypeError for other data, EmitError for values that the format cannot hold, LimitError for
        deeply nested ones, ParseError for a text that is not in the format.
        """
        if not isinstance(data, (str, Mapping)):
            raise WrongTypeError(f"data must be a dict or a str, not {type(data).__name__}")
        text = data if isinstance(data, str) else _text(data, format)
        rule = Rule([[AgeKey.from_config(self.recipient)]], None, selection, "encconf.testing")
        return api.encrypt(text, rule, format=format, credentials=self.credentials())

    def write(
        self, path: str | os.PathLike[str], data: Mapping[str, Any] | str, *, format: str | None = None
    ) -> Path:
        """Write an encrypted file with mode 0600, and return its path.  Missing folders are created.

        Without ``format``, the name decides the format.  Raises what `encrypt` raises, and OutputError.
        """
        target = Path(path_of(path, "write"))
        target.parent.mkdir(parents=True, exist_ok=True)
        text = self.encrypt(data, format=format or formats.of_path(target.name))
        fileio.write_atomic(fileio.resolve(str(target)), text, mode=0o600)
        return target

    def credentials(self) -> Credentials:
        """Return credentials that have only this key."""
        return Credentials({"SOPS_AGE_KEY": self.identity})

    def __repr__(self) -> str:
        return f"TestKey({self.recipient!r})"


def _text(data: Mapping[str, Any], format: str) -> str:
    text = formats.get(format).empty
    for key, value in data.items():
        path = (plain_key(key, ()),)
        text = changes.put(text, path, plain(value, path), format=format)
    return text
