"""``encconf publish``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, DRY_RUN, INPUT_TYPE, JSON, YES
from encconf.verbs.publish import Options, run

COMMAND = Command(
    "publish",
    """Send files to the destinations in .sops.yaml: S3, Google Cloud Storage, Vault.

    encconf prints each file's destination, and asks for confirmation before it sends anything. With -r, it
    sends the encrypted files of a folder, by their path within it.

    - S3, Google Cloud Storage: get the encrypted file, re-encrypted if the destination rule has a
      recreation_rule
    - Vault, OpenBao: a KV engine gets the decrypted values

    Exit codes:

    - 0: all files were sent
    - 1: a destination did not accept a file
    - 128: a file could not be decrypted
    """,
    Options,
    run,
    arguments=[Argument("file", required=True, named=True)],
    options=[
        YES,
        DRY_RUN,
        Option("--recursive", "-r", help="Publish the encrypted files in folders."),
        Option("--omit-extensions", help="Remove the file extension from the name at the destination."),
        JSON,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf publish -n secrets.enc.yaml",
        "encconf publish -y -r deploy/",
        "encconf publish --json -y secrets.enc.yaml",
    ],
)
