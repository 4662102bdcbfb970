"""``encconf keys add``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.shared import (
    CHANGED,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    GROUP_KEYS,
    INPUT_TYPE,
    JSON,
    RECURSIVE,
)
from encconf.verbs.keys_add import Options, run

COMMAND = Command(
    "keys add",
    """Add recipients to files.

    Adds them to the first key group of each file and gives them its data key. No value is re-encrypted, and
    .sops.yaml does not change. To re-encrypt every value as well, use rotate --add-age.
    """,
    Options,
    run,
    arguments=[Argument("file")],
    options=[RECURSIVE, CHANGED, DRY_RUN, JSON, FAIL_FAST, *GROUP_KEYS, INPUT_TYPE, *CREDENTIALS, CONFIG],
    examples=["encconf keys add --age age1… secrets.enc.yaml"],
)
