"""``encconf updatekeys``, ``rotate``, ``groups add`` and ``groups delete``: change who can open files."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option, key_options
from encconf.cli.shared import (
    CHANGED,
    CHECKLIST,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    GROUP_KEYS,
    IGNORE_MAC,
    IN_PLACE,
    INPUT_TYPE,
    JSON,
    OUTPUT,
    RECURSIVE,
    VERBOSE,
    YES,
)
from encconf.verbs.recipients import (
    AddingGroup,
    DeletingGroup,
    Rotating,
    Updating,
    add_group,
    delete_group,
    rotate,
    updatekeys,
)

UPDATEKEYS = Command(
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
    Updating,
    updatekeys,
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


ROTATE = Command(
    "rotate",
    """Re-encrypt files with a new data key.

    Re-encrypts every value, for the file's keys plus those you add, minus those you remove. If you remove
    any, a report lists the values they could read.

    FILE is a file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder. If one file fails, the
    others are still done. If interrupted, encconf prints how to resume.

    Exit codes:

    - 0: all files are done
    - 130: interrupted
    - other: files failed; the code of their error if it is the same for all, otherwise 1
    """,
    Rotating,
    rotate,
    arguments=[Argument("file")],
    options=[
        RECURSIVE,
        CHANGED,
        DRY_RUN,
        VERBOSE,
        JSON,
        *key_options("add-", "Add these {plural} (comma-separated).", field="add"),
        *key_options("rm-", "Remove these {plural} (comma-separated).", field="remove"),
        Option("--resume-at", metavar="FILE", help="Start with this file; skip those before it."),
        CHECKLIST,
        FAIL_FAST,
        OUTPUT,
        IGNORE_MAC,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf rotate secrets.enc.yaml",
        "encconf rotate -r .",
        "encconf rotate -r --rm-age age1… deploy",
        "encconf rotate -r --resume-at deploy/web.enc.yaml deploy",
    ],
)


_FILE = Option("--file", "-f", metavar="FILE", help="The file to change.")
_THRESHOLD = Option(
    "--threshold",
    "--shamir-secret-sharing-threshold",
    metavar="NUMBER",
    empty=True,
    help="How many key groups are needed to open the file (by default, all).",
)

GROUPS_ADD = Command(
    "groups add",
    """Add a key group to a file.

    To open a file that has several groups, you need one key of each group, or of as many groups as
    --threshold says.
    """,
    AddingGroup,
    add_group,
    options=[_FILE, IN_PLACE, DRY_RUN, JSON, _THRESHOLD, *GROUP_KEYS, INPUT_TYPE, *CREDENTIALS],
    examples=["encconf groups add -i -f secrets.enc.yaml --age age1… --threshold 2"],
)


GROUPS_DELETE = Command(
    "groups delete",
    """Remove a key group from a file.

    INDEX counts from 0. The file is re-encrypted with a new data key.
    """,
    DeletingGroup,
    delete_group,
    arguments=[Argument("index")],
    options=[_FILE, IN_PLACE, DRY_RUN, JSON, _THRESHOLD, INPUT_TYPE, *CREDENTIALS],
    examples=["encconf groups delete -i -f secrets.enc.yaml 1"],
)
