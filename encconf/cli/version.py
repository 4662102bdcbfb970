"""``encconf version``."""

from __future__ import annotations

from encconf import __version__
from encconf.cli.console import Console

SOPS_VERSION = "3.13.3"
"""The sops whose format encconf writes, as in `encconf.engine.metadata`, which costs an import."""


def version_line() -> str:
    """``encconf X (sops Y)``."""
    return f"encconf {__version__} (sops {SOPS_VERSION})"


def show_version(console: Console) -> None:
    """Print the version."""
    console.data(version_line() + "\n")
