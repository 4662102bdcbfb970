"""``encconf decrypt`` and ``get``, which print what is in a file, and ``filestatus``."""

from __future__ import annotations

from encconf import formats
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.shared import (
    CREDENTIALS,
    DRY_RUN,
    FAIL_FAST,
    FILENAME_OVERRIDE,
    IGNORE_MAC,
    IN_PLACE,
    INPUT_TYPE,
    JSON,
    RECURSIVE,
    RESOLVE,
)
from encconf.errors import about
from encconf.io.descriptors import is_terminal
from encconf.record import VerbOptions
from encconf.text.words import bool_word
from encconf.verbs import files
from encconf.verbs.decrypt import GetOptions, Options, read_value, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def decrypt(options: Options, console: Console) -> None:
    """Decrypt a file, or several."""
    run(options, console)


DECRYPT = Command(
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
            help=f"Write this format: {', '.join(formats.NAMES)}.",
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


def get(options: GetOptions, console: Console) -> None:
    """Print one value of a file, or all of it."""
    said = read_value(options, console)
    if options.json or is_terminal(1):
        said = said if said.endswith("\n") else said + "\n"
    console.content(said)


GET = Command(
    "get",
    """Print one value of a file.

    Prints a string as it is, and a mapping or list in the file's format. PATH is a.b[0], or sops's
    ["a"]["b"][0]. Without PATH, or with ., prints the whole file.
    """,
    GetOptions,
    get,
    arguments=[Argument("file"), Argument("path", utf8=True)],
    options=[JSON, RESOLVE, IGNORE_MAC, INPUT_TYPE, *CREDENTIALS, CONFIG],
    examples=[
        "encconf get secrets.enc.yaml database.password",
        "encconf get secrets.enc.yaml users[0] --json",
    ],
)


class StatusOptions(VerbOptions):
    file: str
    input_type: str | None = None
    config: str | None = None


def filestatus(options: StatusOptions, console: Console) -> None:
    """Print ``{"encrypted":true}`` or ``{"encrypted":false}``."""
    source = files.read(options.file, input_type=options.input_type)
    format = source.format
    with about(source.label):
        encrypted = files.is_encrypted(source.text, format)
    console.data(f'{{"encrypted":{bool_word(encrypted)}}}\n')


FILESTATUS = Command(
    "filestatus",
    """Print whether a file is encrypted, as JSON.""",
    StatusOptions,
    filestatus,
    arguments=[Argument("file")],
    options=[INPUT_TYPE, CONFIG],
    examples=["encconf filestatus secrets.enc.yaml"],
)
