"""``file:/PATH``: a file's bytes (vals: ``ref+file:///PATH``, ``ref+file://relative/path``).

``~/`` is the home folder, and a relative path starts in the current folder.  Write ``%3F``, ``%23`` and
``%25`` for a question mark, a number sign and a percent sign in a path.

Permissions: to read the file.  If everyone may read it, encconf shows a notice.  Only regular files of at
most 16 MiB are read, without waiting.  Errors: missing, denied, wrong (a folder, a device, too large).
`store` creates files with mode 0600, in a folder that exists.
"""

from __future__ import annotations

import os

from encconf.errors import (
    ChangedError,
    EncconfError,
    InputDeniedError,
    InputError,
    MissingFileError,
    OutputError,
    SourceError,
)
from encconf.identities.credentials import Credentials, expanded
from encconf.io import fileio
from encconf.io.descriptors import reason
from encconf.sources import LIMIT, Probe, Uri, exists_error
from encconf.text.printable import printable

QUERY = ()


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the content of the file."""
    path = _path(uri, credentials)
    data = read(path)
    if credentials.platform != "win32" and _is_readable_by_all(path):
        credentials.say(f"{printable(path)}: everyone on this machine can read this secret: chmod 600 it")
    return data


def _is_readable_by_all(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o004)
    except OSError:  # the file was removed
        return False


def read(path: str) -> bytes:
    """Read the bytes of a regular file.  Raises SourceError."""
    try:
        return fileio.read_bytes(path, regular=True, limit=LIMIT)
    except MissingFileError as error:
        hint = printable(fileio.near(path)) or "create it, or correct the path"
        raise SourceError(error.message, reason="missing", hint=hint) from None
    except InputDeniedError as error:
        hint = "chown the file, or chmod it and its folders"
        raise SourceError(error.message, reason="denied", hint=hint) from None
    except InputError as error:
        hint = "name a regular file, of at most 16 MiB"
        raise SourceError(error.message, hint=hint) from None


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Write the file in one step, with mode 0600."""
    path = _path(uri, credentials)
    try:
        path = fileio.resolve(path)
        if os.path.lexists(path) and not replace:
            raise exists_error()
        fileio.write_atomic(path, value, mode=0o600, replacing=fileio.ANYTHING if replace else None)
    except ChangedError:
        raise exists_error() from None
    except (OutputError, OSError) as error:
        text = error.message if isinstance(error, EncconfError) else reason(error)
        raise SourceError(
            text, reason="denied", hint="check that the folder exists and that this user can write to it"
        ) from None


def _path(uri: Uri, credentials: Credentials) -> str:
    if uri.path.startswith("~/") and not credentials.home:
        raise SourceError(
            "HOME is unset, so ~ names no folder", reason="unusable", hint="set HOME, or name the whole path"
        )
    return expanded(uri.path, credentials.home)


def probe(credentials: Credentials) -> Probe:
    """Return that this scheme can be used.  It always can."""
    return Probe(True)
