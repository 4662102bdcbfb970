"""Keep tests from using real keys: inside a guard, only the test's own key opens files.

The guard works where `Credentials.from_env` makes the credentials that encconf uses by default: in this
process, and in those that it starts, which get the test's name in ENCCONF_GUARD, its key in SOPS_AGE_KEY, and
no other variable that names keys.  Credentials that a program makes itself (``Credentials(…)``) are not
guarded, nor is the program sops.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from encconf.errors import MasterKeyError
from encconf.identities import credentials
from encconf.identities.credentials import GUARD, KEY_VARIABLES, SETTINGS, AgeSource, Credentials, expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from typing import TypeVar

    from encconf.testing.key import TestKey

    T = TypeVar("T")

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
