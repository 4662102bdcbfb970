"""``encconf version``, and the versions of encconf and sops."""

from __future__ import annotations

from encconf import SOPS_VERSION, __version__
from encconf.cli.console import Console


def show_version(console: Console) -> None:
    """Print ``encconf X (sops Y)``."""
    console.data(f"encconf {__version__} (sops {SOPS_VERSION})\n")
