"""Helpers for tests of programs that load encrypted files: throwaway keys, and a guard for real keys.

With pytest, use the fixtures of `encconf.integrations.pytest`, which are based on this package.

>>> from encconf.testing import TestKey, guarded
>>> key = TestKey.generate()
>>> with guarded(key, "my test"):
...     path = key.write(tmp_path / "s.enc.yaml", {"db": {"password": "x"}})
...     encconf.load_config(path)
{'db': {'password': 'x'}}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

from encconf import api, formats
from encconf.engine import changes
from encconf.engine.loading import path_of
from encconf.errors import MasterKeyError, WrongTypeError
from encconf.identities import credentials
from encconf.identities.credentials import GUARD, KEY_VARIABLES, SETTINGS, AgeSource, Credentials, expanded
from encconf.io import fileio
from encconf.keys.age import AgeKey, rage
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection
from encconf.shape.values import plain, plain_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["TestKey", "guarded"]


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


# --- the guard ------------------------------------------------------------------------------------
# Inside a guard, only the test's own key opens files, and no real key.
#
# The guard works where `Credentials.from_env` makes the credentials that encconf uses by default: in this
# process, and in those that it starts, which get the test's name in ENCCONF_GUARD, its key in SOPS_AGE_KEY,
# and no other variable that names keys.  Credentials that a program makes itself (``Credentials(…)``) are not
# guarded, nor is the program sops.

_NAMES_KEYS = (
    *KEY_VARIABLES,
    *SETTINGS.values(),
    *("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_KEYSERVICE", "SOPS_GPG_EXEC"),
)


_ADVICE = (
    "encrypt the file with the test's own key (encconf_file), "
    "or mark the test: @pytest.mark.encconf_real_keys"
)


@contextmanager
def guarded(key: TestKey, test: str) -> Iterator[None]:
    """Inside the block, encconf opens files only with ``key``.

    ``test`` is the name of the test in errors.  Opening a file for another key raises KeyAccessError, which
    names the test and each place of a real key that was not read.

    >>> with guarded(TestKey.generate(), "my test"):  # doctest: +SKIP
    ...     encconf.load_config("prod.enc.yaml")
    """
    before = credentials.guard
    credentials.guard = None
    real = Credentials.from_env(dict(os.environ))
    variables = {name: os.environ.pop(name) for name in (*_NAMES_KEYS, GUARD) if name in os.environ}
    os.environ.update({"SOPS_AGE_KEY": key.identity, GUARD: test.replace("\0", "")})
    credentials.guard = lambda made: _Guarded(made, real, key.identity, test)
    try:
        yield
    finally:
        credentials.guard = before
        for name in ("SOPS_AGE_KEY", GUARD):
            os.environ.pop(name, None)  # the test may have removed it
        os.environ.update(variables)


def guarded_by_parent(made: Credentials) -> Credentials:
    """Return the credentials of a process that a guarded test started, which gave it SOPS_AGE_KEY."""
    others = {name: value for name, value in made.environ.items() if name != "SOPS_AGE_KEY"}
    real = Credentials(others, home=made.home, config_home=made.config_home, platform=made.platform)
    return _Guarded(made, real, made.environ.get("SOPS_AGE_KEY", ""), os.environ[GUARD])


class _Guarded(Credentials):
    """Credentials that have the age identity of a test, and refuse all real keys, which are ``real``."""

    def __init__(self, made: Credentials, real: Credentials, identity: str, test: str) -> None:
        # They have no home folder, since real logins would be read from it, for example Vault's token.
        super().__init__({**made.environ, "SOPS_AGE_KEY": identity}, notify=made.notify)
        self._real = real
        self._identity = identity
        self._test = test
        self.advice = _ADVICE

    def age_sources(self) -> list[AgeSource]:
        """Return the test's key, and the places of real keys, which fail when they are read."""
        own = AgeSource("encconf_key", "text", self._identity)
        real = [source for source in self._real.age_sources() if _is_there(source, self._real.home)]
        return [own, *(_Forbidden(source, self._test) for source in real)]

    def named(self, setting: str) -> tuple[str, list[str]]:
        """Return no login."""
        return "", []

    @property
    def gpg(self) -> str:
        """Raises MasterKeyError."""
        raise self._refusal("gpg with the keyring of this user")

    def client(self, name: Hashable, make: Callable[[], T]) -> T:
        """Raises MasterKeyError for a key service."""
        service = name[0] if isinstance(name, tuple) and name else name
        raise self._refusal(f"a key service ({service})")

    def _refusal(self, what: str) -> MasterKeyError:
        return MasterKeyError(
            f"{self._test} must not use {what}",
            hint=_ADVICE,
        )


class _Forbidden(AgeSource):
    """A place with a real key.  Reading it fails."""

    def __init__(self, source: AgeSource, test: str) -> None:
        super().__init__(source.variable, source.how, source.where, ssh=source.ssh)
        self._test = test

    def read(self, recipient: str, credentials: Credentials) -> bytes | None:
        self.broken = True
        self.fail(f"not read: {self._test} must not use real keys")
        return None


def _is_there(source: AgeSource, home: str | None) -> bool:
    if not source.where:
        return False
    return source.how != "file" or os.path.exists(expanded(source.where, home))
