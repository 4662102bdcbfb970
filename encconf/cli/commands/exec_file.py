"""``encconf exec-file``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, USER
from encconf.verbs import files
from encconf.verbs.execute import ShellOnFile, on_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(ShellOnFile):
    """The file, and the command."""

    file: str
    command: str
    input_type: str | None = None
    output_type: str | None = None


def exec_file(options: Options, console: Console) -> None:
    """Run a shell command on the decrypted file.  Exits with the command's code."""
    source = files.read(options.file, input_type=options.input_type)
    plain = source.decrypted(console.credentials(), console.warn, output_type=options.output_type)
    on_file(options, console, plain, options.command)


COMMAND = Command(
    "exec-file",
    """Run a shell command on a decrypted file, as sops does.

    {} in the command becomes the path of the plaintext: a named pipe in a private folder, which can be read
    once.
    """,
    Options,
    exec_file,
    arguments=[Argument("file"), Argument("command")],
    options=[
        Option("--no-fifo", help="Use a regular file instead of a named pipe."),
        Option("--filename", metavar="NAME", help="The file's name (by default, tmp-file)."),
        USER,
        INPUT_TYPE,
        Option("--output-type", metavar="FORMAT", help="The format to write (by default, the file's)."),
        *CREDENTIALS,
    ],
    examples=["encconf exec-file secrets.enc.json 'jq .password {}'"],
)
