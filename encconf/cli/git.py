"""``encconf git …``."""

from __future__ import annotations

import os

from encconf import fileio
from encconf.errors import LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def textconv(console: Console, *, file: str) -> None:
    """Print a file as plain text, or as it is, with one line on stderr that says why."""
    from encconf.git.textconv import textconv

    try:
        data = fileio.read_bytes(file)
    except LimitError:
        with open(file, "rb") as whole:
            console.data(whole.read())
        return
    text, reason = textconv(data, file)
    console.data(text)
    if reason is not None:
        console.note(reason)


def install(console: Console, *, everywhere: bool) -> None:
    """Set up plain diffs in this repository, or for all of the user's."""
    from encconf.git.install import install

    done = install(os.getcwd(), everywhere=everywhere, environ=console.environ)
    for line in done or ["git is set up already"]:
        console.note(line)
