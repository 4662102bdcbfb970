"""``encconf get``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.shared import CREDENTIALS, IGNORE_MAC, INPUT_TYPE, JSON, RESOLVE
from encconf.io.descriptors import is_terminal
from encconf.verbs.get import Options, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def get(options: Options, console: Console) -> None:
    """Print one value of a file, or all of it."""
    said = run(options, console)
    if options.json or is_terminal(1):
        said = said if said.endswith("\n") else said + "\n"
    console.content(said)


COMMAND = Command(
    "get",
    """Print one value of a file.

    Prints a string as it is, and a mapping or list in the file's format. PATH is a.b[0], or sops's
    ["a"]["b"][0]. Without PATH, or with ., prints the whole file.
    """,
    Options,
    get,
    arguments=[Argument("file"), Argument("path", utf8=True)],
    options=[JSON, RESOLVE, IGNORE_MAC, INPUT_TYPE, *CREDENTIALS, CONFIG],
    examples=[
        "encconf get secrets.enc.yaml database.password",
        "encconf get secrets.enc.yaml users[0] --json",
    ],
)
