"""``encconf update``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import ALLOW_PLAINTEXT, CREDENTIALS, DRY_RUN, INPUT_TYPE
from encconf.verbs.update import Options, run

COMMAND = Command(
    "update",
    """Replace the plaintext of an encrypted file.

    Reads the new plaintext from stdin or --from. Only the lines that changed are re-encrypted; the file
    keeps its recipients and its selection of encrypted values.
    """,
    Options,
    run,
    arguments=[Argument("file", named=True)],
    options=[
        Option("--from", metavar="FILE", field="source", help="Read the plaintext from this file."),
        DRY_RUN,
        ALLOW_PLAINTEXT,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf update secrets.enc.yaml < secrets.yaml",
        "encconf update -n secrets.enc.yaml --from new.yaml",
    ],
)
