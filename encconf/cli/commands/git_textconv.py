"""``encconf git textconv``."""

from __future__ import annotations

import os

from encconf.cli.command import Argument, Command
from encconf.errors import LimitError
from encconf.io import fileio
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Base):
    file: str
    note: str | None = None


def textconv(options: Options, console: Console) -> None:
    """Print the plaintext of a file.  If that fails, print it unchanged, and one line on stderr says why."""
    from encconf.errors import KeyAccessError
    from encconf.git import companion
    from encconf.git import textconv as conversion

    file = options.file
    keys = companion.KnownKeys()
    try:
        data = fileio.read_bytes(file)
    except LimitError:
        with open(file, "rb") as whole:
            console.data(whole.read())
        return
    shown, error = conversion.textconv(data, file, keys)
    console.data(shown)
    if error is None:
        companion.keep(keys)
        return
    is_new = None
    if options.note and isinstance(error, KeyAccessError):
        is_new = conversion.note(options.note, data, file)
    if is_new is not False:
        others = ", and all other versions that no key of yours opens" if is_new else ""
        console.note(f"{os.path.basename(file)}{others}: shown encrypted: {conversion.reason_of(error)}")


COMMAND = Command(
    "git textconv",
    """Print a file as plaintext, for git diff.

    A file that cannot be decrypted is printed as it is, so git diff never fails. NOTE is the name of a
    file for the recipients of files that no key of yours opens; encconf git install sets it.
    """,
    Options,
    textconv,
    arguments=[Argument("file"), Argument("note")],
    examples=["encconf git textconv secrets.enc.yaml"],
)
