"""``encconf exec-file``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, USER
from encconf.verbs.execute import FileOptions, run_file

COMMAND = Command(
    "exec-file",
    """Run a shell command on a decrypted file, as sops does.

    {} in the command becomes the path of the plaintext: a named pipe in a private folder, which can be read
    once.
    """,
    FileOptions,
    run_file,
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
