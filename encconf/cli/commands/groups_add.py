"""``encconf groups add``."""

from __future__ import annotations

from encconf.cli.command import Command
from encconf.cli.shared import CREDENTIALS, DRY_RUN, FILE, GROUP_KEYS, IN_PLACE, INPUT_TYPE, JSON, THRESHOLD
from encconf.verbs.groups import Adding, add

COMMAND = Command(
    "groups add",
    """Add a key group to a file.

    To open a file that has several groups, you need one key of each group, or of as many groups as
    --threshold says.
    """,
    Adding,
    add,
    options=[FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, *GROUP_KEYS, INPUT_TYPE, *CREDENTIALS],
    examples=["encconf groups add -i -f secrets.enc.yaml --age age1… --threshold 2"],
)
