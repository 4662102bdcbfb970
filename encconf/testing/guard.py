"""Keep tests from using real keys: inside a guard, only the test's own key opens files.

The guard works where `Credentials.from_env` makes the credentials that encconf uses by default: in this
process, and in those that it starts, which get the test's name in ENCCONF_GUARD, its key in SOPS_AGE_KEY, and
no other variable that names keys.  Credentials that a program makes itself (``Credentials(…)``) are not
guarded, nor is the program sops.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from encconf.identities import credentials
from encconf.identities.credentials import GUARD, KEY_VARIABLES, SETTINGS, Credentials, Guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from encconf.testing.key import TestKey

_NAMES_KEYS = (
    *KEY_VARIABLES,
    *SETTINGS.values(),
    *("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_KEYSERVICE", "SOPS_GPG_EXEC"),
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
    credentials.guard = lambda made: Guarded(made, real, key.identity, test)
    try:
        yield
    finally:
        credentials.guard = before
        for name in ("SOPS_AGE_KEY", GUARD):
            os.environ.pop(name, None)  # the test may have removed it
        os.environ.update(variables)
