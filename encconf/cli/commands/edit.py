"""``encconf edit``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.shared import ALLOW_PLAINTEXT, CREDENTIALS, IGNORE_MAC, INPUT_TYPE, KEYS, SELECTION
from encconf.verbs.edit import Options, run

EDIT = Command(
    "edit",
    """Edit an encrypted file in your editor.

    Opens the plaintext in $SOPS_EDITOR, $EDITOR, vim, nano or vi. When you save and close it, only the
    lines you changed are re-encrypted. If FILE does not exist, it starts from an example, encrypted for the
    keys in .sops.yaml or in the options. With -, edits stdin and prints the result.

    Exit code 200: you changed nothing.
    """,
    Options,
    run,
    arguments=[Argument("file")],
    options=[IGNORE_MAC, ALLOW_PLAINTEXT, INPUT_TYPE, *KEYS, *SELECTION, *CREDENTIALS, CONFIG],
    examples=[
        "encconf edit secrets.enc.yaml",
        "EDITOR='code --wait' encconf edit secrets.enc.yaml",
    ],
)
