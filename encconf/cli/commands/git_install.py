"""``encconf git install``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from encconf.cli.command import Argument, Command
from encconf.cli.shared import GLOBAL
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Base):
    pattern: Sequence[str] = ()
    everywhere: bool = False


def install(options: Options, console: Console) -> None:
    """Set git up to compare and merge by value in this repository, or in all repositories of the user."""
    from encconf.git.install import install

    done = install(os.getcwd(), list(options.pattern), everywhere=options.everywhere, environ=console.environ)
    for line in done or ["git is set up already"]:
        console.note(line)


COMMAND = Command(
    "git install",
    """Let git diff and merge encrypted files by their values.

    Sets up the diff driver, the merge driver and the merge tool in this clone's configuration. Adds lines
    to .gitattributes for *.enc.yaml and similar names, for the files that are encrypted here or that
    .sops.yaml covers, and for each PATTERN.

    People without a key see the encrypted text.
    """,
    Options,
    install,
    arguments=[Argument("pattern")],
    options=[GLOBAL],
    examples=[
        "encconf git install",
        "encconf git install 'secrets/*.yaml'",
    ],
)
