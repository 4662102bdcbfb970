"""``encconf set``, ``unset`` and ``update``: change values of a file."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import ask_for_value
from encconf.cli.shared import (
    ALLOW_PLAINTEXT,
    CREDENTIALS,
    DRY_RUN,
    IGNORE_MAC,
    INPUT_TYPE,
    KEYS,
    SELECTION,
)
from encconf.verbs.set import Options, UnsetOptions, UpdateOptions, run, unset, update

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def set_value(options: Options, console: Console) -> None:
    """Set one value, which the user is asked for if the command line does not have it."""
    run(options, console, lambda path: ask_for_value(path, _EMPTY))


_EMPTY = "to store an empty value, give it as an argument: ''"

SET = Command(
    "set",
    """Set one value of a file.

    Without VALUE, encconf prompts for it (hidden) or reads it from stdin, so it stays out of your shell
    history. Empty input is an error; for an empty value, pass ''.

    VALUE is stored as a string. But if it looks like a number or a boolean and replaces one, it stays one.
    The path users[] appends an item to a list. To replace a whole mapping or list by a value, or a value by
    one, use --force. encconf says what was changed or added, without values. If FILE does not exist, it is
    created for the keys in .sops.yaml or in the options. A file that exists keeps its keys and its selection,
    whatever the options say: encconf updatekeys and encconf encrypt change them.
    """,
    Options,
    set_value,
    arguments=[
        Argument("file", named=True),
        Argument("path", utf8=True),
        Argument("value", utf8=True, secret=True),
    ],
    options=[
        Option("--json", help="Parse VALUE as JSON: a number, a list, a mapping …"),
        Option("--string", help="Treat VALUE as a string, whatever it looks like."),
        Option("--force", help="Replace a whole mapping or list by a value, or a value by one."),
        ALLOW_PLAINTEXT,
        IGNORE_MAC,
        INPUT_TYPE,
        *KEYS,
        *SELECTION,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf set secrets.enc.yaml database.password",
        "encconf set secrets.enc.yaml database.port 5433",
        "pwgen 30 1 | encconf set secrets.enc.yaml api.token",
        'encconf set --json secrets.enc.yaml users[] \'{"name": "carol"}\'',
    ],
)


UNSET = Command(
    "unset",
    """Remove one value from a file.""",
    UnsetOptions,
    unset,
    arguments=[Argument("file", named=True), Argument("path", utf8=True)],
    options=[
        Option("--idempotent", help="Succeed even if the value does not exist."),
        IGNORE_MAC,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=["encconf unset secrets.enc.yaml database.old_password"],
)


UPDATE = Command(
    "update",
    """Replace the plaintext of an encrypted file.

    Reads the new plaintext from stdin or --from. Only the lines that changed are re-encrypted; the file
    keeps its recipients and its selection of encrypted values.
    """,
    UpdateOptions,
    update,
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
