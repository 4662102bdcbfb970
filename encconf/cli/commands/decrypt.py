"""``encconf decrypt``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    FILENAME_OVERRIDE,
    IGNORE_MAC,
    IN_PLACE,
    INPUT_TYPE,
    RECURSIVE,
)
from encconf.verbs.decrypt import Options, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def decrypt(options: Options, console: Console) -> None:
    """Decrypt a file, or several."""
    run(options, console)


COMMAND = Command(
    "decrypt",
    """Decrypt files to stdout, in place or to a folder.

    Prints the original text, byte for byte. Without FILE, or with -, reads stdin.

    FILE is a file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder. Several files are printed as
    a YAML stream, with --- between them; if one of them fails, nothing is printed. With -i, they are
    decrypted in place, and with -o to a folder: deploy/db.enc.yaml is written to FOLDER/deploy/db.yaml. If
    one of them fails then, the others are still done.
    """,
    Options,
    decrypt,
    arguments=[Argument("file")],
    options=[
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help=(
                "Write the result to this file (-: stdout), or the results of several files to this "
                "folder. Only you can read the files."
            ),
        ),
        IN_PLACE,
        Option("--force", "-f", help="Overwrite other files in the folder that --output names."),
        RECURSIVE,
        DRY_RUN,
        FAIL_FAST,
        Option(
            "--extract",
            metavar="PATH",
            empty=True,
            utf8=True,
            help='Print only the value at this path: a.b[0], or ["a"]["b"][0].',
        ),
        IGNORE_MAC,
        INPUT_TYPE,
        Option(
            "--output-type",
            metavar="FORMAT",
            help="Write this format: yaml, json, dotenv, ini, toml, binary.",
        ),
        FILENAME_OVERRIDE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf decrypt secrets.enc.yaml",
        "encconf decrypt -o secrets.yaml secrets.enc.yaml",
        "encconf decrypt deploy/*.yaml | kubectl apply -f -",
        "encconf decrypt -r -o /run/app deploy",
    ],
)
