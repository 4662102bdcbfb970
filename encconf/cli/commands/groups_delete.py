"""``encconf groups delete``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command
from encconf.cli.shared import CREDENTIALS, DRY_RUN, FILE, IN_PLACE, INPUT_TYPE, JSON, THRESHOLD
from encconf.verbs.groups import Deleting, delete

COMMAND = Command(
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
