"""``encconf git textconv``: an encrypted file as plain text, for ``git diff`` to compare.

A failure would stop the whole diff, so this never fails: what cannot be decrypted is shown encrypted.  It
never asks for a passphrase, since git runs it next to its pager.
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
    """The plain text of a file's content, and why it is not plain if it isn't.

    ``path`` may be one of git's temporary files; its last part is the file's own name.  A file
    that is not encrypted is given back as it is, without a reason.  Data keys are looked up in ``keys``
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
    except Exception as error:  # a bug, but not one that may stop git diff
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
