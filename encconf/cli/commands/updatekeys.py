"""``encconf updatekeys``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CHANGED,
    CHECKLIST,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    INPUT_TYPE,
    JSON,
    RECURSIVE,
    VERBOSE,
    YES,
)
from encconf.verbs.updatekeys import Options, run

COMMAND = Command(
    "updatekeys",
    """Update the recipients of files to those in .sops.yaml.

    New recipients get the existing data key. If a recipient was removed, the file is re-encrypted with a
    new data key, because they may have kept the old one, and a report lists the values they could read.

    FILE is a file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder. If one file fails, the
    others are still done. Run it again to do only the files that are left.

    Exit codes:

    - 0: all files are done
    - 130: interrupted
    - other: files failed; the code of their error if it is the same for all, otherwise 1
    """,
    Options,
    run,
    arguments=[Argument("file", named=True)],
    options=[
        RECURSIVE,
        CHANGED,
        YES,
        DRY_RUN,
        VERBOSE,
        JSON,
        CHECKLIST,
        FAIL_FAST,
        Option("--selection", help="Also update which values are encrypted, as the rule says."),
        Option(
            "--allow-plaintext",
            help="With --selection: decrypt values in the file that the rule no longer selects.",
        ),
        Option("--keep-data-key", help="Keep the data key when a recipient is removed, as sops does."),
        Option(
            "--ssh-to-age",
            help="Write the age recipients that correspond to the rule's ssh-ed25519 keys, for sops-nix.",
        ),
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf updatekeys secrets.enc.yaml",
        "encconf updatekeys -r -n .",
        "encconf updatekeys -r -y .",
        "encconf updatekeys -y 'deploy/**/*.enc.yaml'",
        "encconf updatekeys -r -y --checklist leaving.md .",
    ],
)
