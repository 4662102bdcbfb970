"""``encconf rotate``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    ADD_KEYS,
    CHANGED,
    CHECKLIST,
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    IGNORE_MAC,
    INPUT_TYPE,
    JSON,
    OUTPUT,
    RECURSIVE,
    REMOVE_KEYS,
    VERBOSE,
)
from encconf.verbs.rotate import Options, run

COMMAND = Command(
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
    Options,
    run,
    arguments=[Argument("file")],
    options=[
        RECURSIVE,
        CHANGED,
        DRY_RUN,
        VERBOSE,
        JSON,
        *ADD_KEYS,
        *REMOVE_KEYS,
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
