"""``encconf git textconv``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command
from encconf.errors import LimitError
from encconf.io import fileio
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Base):
    file: str


def textconv(options: Options, console: Console) -> None:
    """Print the plaintext of a file.  If that fails, print it unchanged, and one line on stderr says why."""
    from encconf.git import companion
    from encconf.git.textconv import textconv

    file = options.file
    keys = companion.KnownKeys()
    try:
        data = fileio.read_bytes(file)
    except LimitError:
        with open(file, "rb") as whole:
            console.data(whole.read())
        return
    shown, reason = textconv(data, file, keys)
    console.data(shown)
    if reason is not None:
        console.note(reason)
    else:
        companion.keep(keys)


COMMAND = Command(
    "git textconv",
    """Print a file as plaintext, for git diff.

    A file that cannot be decrypted is printed as it is, so git diff never fails.
    """,
    Options,
    textconv,
    arguments=[Argument("file")],
    examples=['git config diff.encconf.textconv "encconf git textconv"'],
)
