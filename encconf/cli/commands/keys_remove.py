"""``encconf keys remove``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.shared import CHECKLIST, CREDENTIALS, DRY_RUN, FAIL_FAST, INPUT_TYPE, JSON, YES
from encconf.verbs.people import Removing, remove

COMMAND = Command(
    "keys remove",
    """Remove a person from .sops.yaml and from the files.

    WHO is a name that .sops.yaml gives to a key (an anchor, a comment, or a line of .sops.recipients), or
    the key itself. The files get new data keys, and a report lists the values that the person could read:
    change these secrets at their source as well.

    If folders follow WHO, the person leaves the projects in these folders, one after another; -n shows all
    plans. A name must then be that of one key, or you confirm each project.
    """,
    Removing,
    remove,
    arguments=[Argument("who", required=True, named=True, utf8=True)],
    options=[YES, DRY_RUN, CHECKLIST, JSON, FAIL_FAST, INPUT_TYPE, *CREDENTIALS, CONFIG],
    examples=[
        "encconf keys remove bob",
        "encconf keys remove -n bob",
        "encconf keys remove --checklist bob.md bob",
        "encconf keys remove -n bob ~/src/*",
    ],
)
