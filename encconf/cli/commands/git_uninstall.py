"""``encconf git uninstall``."""

from __future__ import annotations

import os

from encconf.cli.command import Command
from encconf.cli.shared import GLOBAL
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Base):
    everywhere: bool = False


def uninstall(options: Options, console: Console) -> None:
    """Remove from git's settings what `git install` added."""
    from encconf.git.install import uninstall

    done = uninstall(os.getcwd(), everywhere=options.everywhere, environ=console.environ)
    for line in done or ["nothing to do"]:
        console.note(line)


COMMAND = Command(
    "git uninstall",
    """Undo git install.""",
    Options,
    uninstall,
    options=[GLOBAL],
    examples=["encconf git uninstall"],
)
