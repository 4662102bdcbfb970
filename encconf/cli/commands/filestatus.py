"""``encconf filestatus``: print whether a file is encrypted, in the form that sops prints."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.console import Console
from encconf.cli.shared import INPUT_TYPE
from encconf.text.words import bool_word
from encconf.verbs.filestatus import Options, run


def filestatus(options: Options, console: Console) -> None:
    """Print ``{"encrypted":true}`` or ``{"encrypted":false}``."""
    console.data(f'{{"encrypted":{bool_word(run(options))}}}\n')


COMMAND = Command(
    "filestatus",
    """Print whether a file is encrypted, as JSON.""",
    Options,
    filestatus,
    arguments=[Argument("file")],
    options=[INPUT_TYPE, CONFIG],
    examples=["encconf filestatus secrets.enc.yaml"],
)
