"""``encconf unset``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, IGNORE_MAC, INPUT_TYPE
from encconf.verbs.set import UnsetOptions, unset

COMMAND = Command(
    "unset",
    """Remove one value from a file.""",
    UnsetOptions,
    unset,
    arguments=[Argument("file", named=True), Argument("path", utf8=True)],
    options=[
        Option("--idempotent", help="Succeed even if the value does not exist."),
        IGNORE_MAC,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=["encconf unset secrets.enc.yaml database.old_password"],
)
