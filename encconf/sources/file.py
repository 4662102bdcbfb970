"""``file:/PATH``: a file's bytes (vals: ``ref+file:///PATH``, ``ref+file://relative/path``).

``~/`` is the home folder; a relative path starts in the current one.  A question mark, a number sign
or a percent sign in a path is written ``%3F``, ``%23``, ``%25``.

Permissions: to read the file.  A notice is given when others than its owner and group may.  Regular files
only, up to 16 MiB; nothing here waits.  Errors: missing, denied, wrong (a folder, a device, too large).
`store` makes a new file with mode 0600, and its folder must be there.
"""

from __future__ import annotations

import os
import stat

from encconf.errors import ChangedError, OutputError, SourceError
from encconf.io import fileio
from encconf.sources import LIMIT, Probe, there_already
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.identities.credentials import Credentials
    from encconf.sources import Uri

QUERY = ()
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """The whole file."""
    path = _path(uri, credentials)
    data, mode = read(path)
    if mode & 0o004 and credentials.platform != "win32":
        credentials.say(f"{printable(path)}: everybody on this machine can read this secret: chmod 600 it")
    return data


def read(path: str) -> tuple[bytes, int]:
    """The bytes of a regular file and its mode; raises SourceError."""
    try:
        # Without waiting, for a pipe that nobody writes to.
        descriptor = os.open(path, _FLAGS | getattr(os, "O_CLOEXEC", 0))
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
                raise SourceError(f"it is {what}", hint="name a regular file")
            data = bytearray()
            while len(data) <= LIMIT and (part := os.read(descriptor, LIMIT + 1 - len(data))):
                data += part
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(
            "there is no such file", reason="missing", hint="create it, or correct the path"
        ) from None
    except PermissionError:
        raise SourceError(
            "this user may not read it", reason="denied", hint="chown the file, or chmod it and its folders"
        ) from None
    except OSError as error:
        reason = (error.strerror or "not a path").lower()
        raise SourceError(f"it cannot be read: {reason}", hint="correct the path") from None
    if len(data) > LIMIT:
        raise SourceError("it is larger than any secret (16 MiB)", hint="name a smaller file")
    return bytes(data), mode


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Write it in one step, with mode 0600."""
    path = _path(uri, credentials)
    try:
        path = fileio.resolve(path)
        if os.path.lexists(path) and not replace:
            raise there_already()
        fileio.write_atomic(path, value, mode=0o600, replacing=fileio.ANYTHING if replace else None)
    except ChangedError:
        raise there_already() from None
    except (OutputError, OSError) as error:
        text = error.message if isinstance(error, OutputError) else (error.strerror or "").lower()
        raise SourceError(
            text, reason="denied", hint="is the folder there, and may this user write to it?"
        ) from None


def _path(uri: Uri, credentials: Credentials) -> str:
    path = uri.path
    if path.startswith("~/"):
        if not credentials.home:
            raise SourceError(
                "there is no home folder", reason="unusable", hint="set HOME, or name the whole path"
            )
        path = credentials.home + path[1:]
    return path


def probe(credentials: Credentials) -> Probe:
    """Always usable."""
    return Probe(True)
