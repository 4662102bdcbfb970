"""``encconf exec-env``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, USER
from encconf.errors import about
from encconf.verbs import files
from encconf.verbs.execute import Shell, with_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Shell):
    """The file, and the command."""

    file: str
    command: str
    input_type: str | None = None


def exec_env(options: Options, console: Console) -> None:
    """Replace this process with a shell command that has the top-level values of a file as variables.

    They override other variables.
    """
    source = files.read(options.file, input_type=options.input_type)
    opened = source.open(console.credentials(), console.warn)
    with about(source.label):
        with_variables(options, console, opened, options.command)


COMMAND = Command(
    "exec-env",
    """Run a shell command with the values of a file in its environment, as sops does.

    The file's values override existing variables, names are used unchanged, and nested values are not
    allowed.
    """,
    Options,
    exec_env,
    arguments=[Argument("file"), Argument("command")],
    options=[
        Option("--pristine", help="Start the command with only the values in its environment."),
        USER,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    examples=["encconf exec-env secrets.enc.env 'echo $PASSWORD'"],
)
