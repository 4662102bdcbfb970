"""``encconf propose``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import ask_for_value
from encconf.cli.shared import CREDENTIALS
from encconf.verbs import proposals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def propose(options: proposals.Proposing, console: Console) -> None:
    """Propose one value, which the user is asked for."""
    proposals.propose(options, console, lambda path: ask_for_value(path, _EMPTY))


_EMPTY = "type the value, or give it on stdin; an empty value is no secret"

COMMAND = Command(
    "propose",
    """Propose a value for a file that you cannot open; needs no key.

    Prompts for the value (hidden), or reads it from stdin. Writes it to a small encrypted file beside FILE,
    for the recipients that .sops.yaml names for FILE. Nothing uses the value before somebody who can open
    FILE runs encconf accept.
    """,
    proposals.Proposing,
    propose,
    arguments=[Argument("file", named=True), Argument("path", utf8=True, secret=True)],
    options=[
        Option("--json", help="Parse the value as JSON: a number, a list, a mapping …"),
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf propose secrets.enc.yaml stripe.api_key",
        "pwgen 30 1 | encconf propose secrets.enc.yaml database.password",
    ],
)
