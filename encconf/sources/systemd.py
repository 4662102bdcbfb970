"""``systemd:NAME``: a credential that systemd gives to this unit.

If the unit has ``LoadCredential=NAME:…``, ``LoadCredentialEncrypted=`` or ``SetCredential=``, systemd puts a
file into the folder $CREDENTIALS_DIRECTORY, which only the unit's user can read.  A credential from a folder
has the name ``ID_FILE``.

Permissions: only those of the unit.  No call waits.  Errors: unusable (not in a unit with credentials),
missing, denied, wrong (not the name of a credential).
"""

from __future__ import annotations

import os
import re

from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.io.descriptors import reason
from encconf.sources import Probe, Uri, file
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

QUERY = ()
FOLDER = "CREDENTIALS_DIRECTORY"
# systemd accepts the name of a file without a colon or a control character.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/:\x00-\x1f\x7f]{1,255}")


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the credential's bytes."""
    name = uri.path
    if not valid(name):
        raise SourceError(
            "this is not the name of a credential",
            hint="use the name before the colon in LoadCredential=NAME:PATH",
        )
    folder = credentials.environ.get(FOLDER)
    hint = f"add to the unit's [Service]: LoadCredential={printable(name)}:/path/to/the/secret"
    if not folder:
        unset = f"systemd gave this process no credentials: {FOLDER} is unset"
        raise SourceError(unset, reason="unusable", hint=hint)
    try:
        return file.read(os.path.join(folder, name))
    except SourceError as error:
        if error.reason != "missing":
            raise
        hint = printable(did_you_mean(name, _names(folder), 0.8), 80) or hint
        raise SourceError("the unit has no credential of this name", reason="missing", hint=hint) from None


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def valid(name: str) -> bool:
    """Whether systemd accepts a name for a credential."""
    return _NAME.fullmatch(name) is not None and len(os.fsencode(name)) <= 255


def probe(credentials: Credentials) -> Probe:
    """Return whether this runs in a unit with credentials, and their names."""
    folder = credentials.environ.get(FOLDER)
    if not folder:
        return Probe(False, missing=[f"{FOLDER} (set by systemd in a unit with LoadCredential=)"])
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        return Probe(False, missing=[f"{FOLDER}={printable(folder)} ({reason(error)})"])
    shown = ", ".join(printable(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    return Probe(True, note=f"credentials: {shown or 'none'}")
