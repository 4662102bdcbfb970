"""``encconf keys list``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Command
from encconf.cli.shared import JSON
from encconf.verbs.people import Listing, list_all

COMMAND = Command(
    "keys list",
    """List who is in which rule of .sops.yaml.

    For who can read which file, and since when, see access.
    """,
    Listing,
    list_all,
    options=[JSON, CONFIG],
    examples=["encconf keys list"],
)
