"""``env:NAME``: the value of an environment variable (vals: ``ref+envsubst://$NAME``).

Permissions: none.  Errors: missing if it is unset or empty.
Every child process, and this user's other programs (by /proc), can read the environment.
"""

from __future__ import annotations

import re

from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Probe, Uri
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

QUERY = ()


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the variable's value.  Bytes that are not text are kept."""
    name = name_in(uri)
    value = credentials.environ.get(name)
    if value is None:
        hint = did_you_mean(name, credentials.environ, 0.8) or "set it where you start this program"
        raise SourceError("this variable is not set", reason="missing", hint=printable(hint, 80))
    return value.encode(errors="surrogateescape")


def name_in(uri: Uri) -> str:
    """Return the name of the variable in an address."""
    return re.sub(r"\A\$(?:\{(.*)\}|(.*))\Z", r"\1\2", uri.path)


def probe(credentials: Credentials) -> Probe:
    """Return that this scheme can be used.  It always can."""
    return Probe(True)
