"""``encconf keys add``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CHANGED,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    GROUP_KEYS,
    INPUT_TYPE,
    JSON,
    RECURSIVE,
    YES,
)
from encconf.verbs.keys_add import Options, run

COMMAND = Command(
    "keys add",
    """Add a person to .sops.yaml and to the files.

    With --name, the words are the person's keys: an age recipient, an SSH key, a PGP fingerprint, or the
    name of a KMS key. They are added to every rule of .sops.yaml, or with --for to the rules of some files,
    in the style that the file has. Then the files get the new recipient, as with updatekeys.

    Without --name, the words are files, and the keys of --age and similar are added to the first key group of
    these files only. No value is re-encrypted, and .sops.yaml does not change.
    """,
    Options,
    run,
    arguments=[Argument("file")],
    options=[
        Option("--name", metavar="NAME", utf8=True, help="Add the keys of this person to .sops.yaml."),
        Option(
            "--for",
            metavar="FILE",
            field="for_files",
            help="With --name: only to the rules of this file, pattern or folder. Repeatable.",
        ),
        Option("--group", metavar="NUMBER", help="With --name: to this key group of rules with several."),
        YES,
        RECURSIVE,
        CHANGED,
        DRY_RUN,
        JSON,
        FAIL_FAST,
        *GROUP_KEYS,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf keys add --name bob age1…",
        "encconf keys add --name bob --for deploy/staging age1…",
        "encconf keys add --age age1… secrets.enc.yaml",
    ],
)
