"""``encconf git textconv``: decrypt a file so that ``git diff`` can compare the plaintext.

A failure would stop the whole diff, so textconv never fails.  It shows a file that it cannot decrypt as it
is.  It never asks for a passphrase, since git runs it beside a pager.
"""

from __future__ import annotations

import os

from encconf.errors import EncconfError
from encconf.formats import sniff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.companion import KnownKeys
    from encconf.identities.credentials import Credentials


def textconv(
    data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None = None
) -> tuple[bytes, str | None]:
    """Return the plaintext of a file's content and None, or the content as it is and the reason.

    ``path`` may be one of git's temporary files; its last part is the file's own name.  A file
    that is not encrypted is returned as it is, without a reason.  Data keys are looked up in ``keys``
    first, and added to them.
    """
    if b"sops" not in data and data[:2] not in sniff.UTF16:
        return data, None
    try:
        return _decrypted(data, path, keys, credentials), None
    except EncconfError as error:
        from encconf.errors import NotEncryptedError

        if isinstance(error, NotEncryptedError):
            return data, None
        reason = error.message.partition("\n")[0]
    except Exception as error:  # a bug must not stop git diff, either
        reason = f"unexpected {type(error).__name__}"
    return data, f"{os.path.basename(path)}: shown encrypted: {reason}"


def _decrypted(data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None) -> bytes:
    from encconf.engine import opening, plaintext
    from encconf.identities.credentials import Credentials
    from encconf.io import fileio

    if credentials is None:
        credentials = Credentials.from_env()
        credentials.prompt = None
    credentials.cache = keys
    format = sniff.format_of(data, path)
    opened = opening.open_text(fileio.decode(data), format=format, credentials=credentials)
    return fileio.encode(plaintext.plain_text(opened))
