"""``encconf encrypt``."""

from __future__ import annotations

import os
import stat

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    FILENAME_OVERRIDE,
    IN_PLACE,
    INPUT_TYPE,
    KEYS,
    OUTPUT,
    SELECTION,
)
from encconf.text.printable import quoted
from encconf.verbs import files
from encconf.verbs.encrypt import Options, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def encrypt(options: Options, console: Console) -> None:
    """Encrypt a file, or several, and print what a user of sops may not expect."""
    job = run(options, console)
    if job is None:
        return
    if job.hint:
        console.hint(job.hint)
    if job.target is not None and not options.output and not job.in_place and _is_redirected():
        console.hint(
            "unlike sops, this prints nothing to stdout; to print it: "
            f"encconf encrypt -o - {quoted(job.source.label)}"
        )
    if options.file and job.source.path is not None:
        (files.warn_of_committed if job.in_place else files.warn_if_exposed)(console, [options.file[0]])


ENCRYPT = Command(
    "encrypt",
    """Encrypt files.

    Writes secrets.yaml, encrypted, to secrets.enc.yaml next to it. If that file already exists, you can
    decrypt it and it has the same secrets, only the lines that changed are re-encrypted. The first rule in
    .sops.yaml that matches the file sets its recipients and which values are encrypted.

    FILE is a file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder, whose plaintext files are
    encrypted if a path_regex in .sops.yaml matches them. If one of several files fails, the others are
    still done. Without FILE, or with -, encrypts stdin to stdout.
    """,
    Options,
    encrypt,
    arguments=[Argument("file")],
    options=[
        OUTPUT,
        IN_PLACE,
        Option(
            "--force",
            "-f",
            help=(
                "Overwrite the output file even if it is not encrypted; if it is newer than the plaintext, "
                "and has other values or cannot be opened; if the plaintext is empty; or if values that the "
                "file encrypts become plaintext."
            ),
        ),
        Option(
            "--recursive",
            "-r",
            help="Include the files in folders that a path_regex in .sops.yaml matches.",
        ),
        DRY_RUN,
        FAIL_FAST,
        INPUT_TYPE,
        Option("--output-type", metavar="FORMAT", help="Write the encrypted file in this format."),
        FILENAME_OVERRIDE,
        *KEYS,
        *SELECTION,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf encrypt secrets.yaml",
        "encconf encrypt -i config/prod.yaml --encrypted-regex '^(password|token)$'",
        "encconf encrypt --age age1… -o - secrets.json",
        "encconf encrypt -r -n deploy",
    ],
)


def _is_redirected() -> bool:
    """Whether stdout is a regular file, which suggests that the user expects the result in it."""
    try:
        return stat.S_ISREG(os.fstat(1).st_mode)
    except OSError:
        return False
