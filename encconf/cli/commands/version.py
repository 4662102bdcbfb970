"""``encconf version``, and the versions of encconf and sops."""

from __future__ import annotations

from encconf import SOPS_VERSION, __version__
from encconf.cli.command import Command
from encconf.cli.console import Console
from encconf.record import Options


def version() -> str:
    """Return the line ``encconf X (sops Y)``."""
    return f"encconf {__version__} (sops {SOPS_VERSION})\n"


def show_version(_: Options, console: Console) -> None:
    """Print the versions."""
    console.data(version())


COMMAND = Command("version", "Print the version.", Options, show_version)
