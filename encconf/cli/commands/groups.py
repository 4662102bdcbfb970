"""``encconf groups add`` and ``encconf groups delete``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command
from encconf.cli.shared import CREDENTIALS, DRY_RUN, FILE, GROUP_KEYS, IN_PLACE, INPUT_TYPE, JSON, THRESHOLD
from encconf.verbs.groups import Adding, Deleting, add, delete

ADD = Command(
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


DELETE = Command(
    "groups delete",
    """Remove a key group from a file.

    INDEX counts from 0. The file is re-encrypted with a new data key.
    """,
    Deleting,
    delete,
    arguments=[Argument("index")],
    options=[FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, INPUT_TYPE, *CREDENTIALS],
    examples=["encconf groups delete -i -f secrets.enc.yaml 1"],
)
