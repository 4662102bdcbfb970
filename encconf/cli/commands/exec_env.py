"""``encconf exec-env``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, USER
from encconf.verbs.execute import EnvOptions, run_env

COMMAND = Command(
    "exec-env",
    """Run a shell command with the values of a file in its environment, as sops does.

    The file's values override existing variables, names are used unchanged, and nested values are not
    allowed.
    """,
    EnvOptions,
    run_env,
    arguments=[Argument("file"), Argument("command")],
    options=[
        Option("--pristine", help="Start the command with only the values in its environment."),
        USER,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    examples=["encconf exec-env secrets.enc.env 'echo $PASSWORD'"],
)
