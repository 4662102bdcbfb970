"""``encconf version``, and the versions of encconf and sops."""

from __future__ import annotations

from encconf import __version__
from encconf.cli.console import Console

SOPS_VERSION = "3.13.3"
"""The version of sops whose format encconf writes.

`encconf.engine.metadata` has it too, but importing that module takes time.
"""


def show_version(console: Console) -> None:
    """Print ``encconf X (sops Y)``."""
    console.data(f"encconf {__version__} (sops {SOPS_VERSION})\n")
