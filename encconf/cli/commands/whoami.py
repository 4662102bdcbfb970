"""``encconf whoami``."""

from __future__ import annotations

from encconf.cli.command import Command
from encconf.cli.shared import CREDENTIALS, JSON
from encconf.verbs.people import Asking, whoami

COMMAND = Command(
    "whoami",
    """Print your recipients, and which files of this repository they open.

    A recipient is the public part of a key: send it to somebody who can add you (keys add).
    """,
    Asking,
    whoami,
    options=[JSON, *CREDENTIALS],
    examples=["encconf whoami"],
)
