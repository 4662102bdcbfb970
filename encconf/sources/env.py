"""``env:NAME``: a variable of the environment, as it is (vals: ``ref+envsubst://$NAME``).

Permissions: none.  Errors: missing if it is unset or empty.
Every child, and this user's other programs (/proc), can read the environment.
"""

from __future__ import annotations

import re

from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Probe, Uri

QUERY = ()


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """The variable's value; bytes that are not text stay as they are."""
    value = credentials.environ.get(name_in(uri))
    if value is None:
        raise SourceError(
            "this variable is not set", reason="missing", hint="set it where you start this program"
        )
    return value.encode(errors="surrogateescape")


def name_in(uri: Uri) -> str:
    """The variable that an address names."""
    return re.sub(r"\A\$(?:\{(.*)\}|(.*))\Z", r"\1\2", uri.path)


def probe(credentials: Credentials) -> Probe:
    """Always usable."""
    return Probe(True)
