"""``encconf exec``, ``encconf exec-env`` and ``encconf exec-file``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command, Option
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, NAMING, RESOLVE
from encconf.errors import about
from encconf.verbs import files
from encconf.verbs.execute import Options, Shell, ShellOnFile, on_file, run, with_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


_USER = Option("--user", metavar="NAME", help="Run the command as this user.")

EXEC = Command(
    "exec",
    """Run a program with the values of files in its environment.

    db.password becomes DB_PASSWORD. Variables that are already set take precedence, and later files
    override earlier ones.

    The program replaces encconf: there is no shell in between, and signals and the exit code are the
    program's own. It does not get the variables that open files: SOPS_AGE_KEY, VAULT_TOKEN,
    CONJUR_AUTHN_API_KEY and similar.

    With --redact, encconf stays, and removes the values from the program's stdout and stderr: as they are, in
    base64 and hexadecimal, and escaped for URLs, JSON, HTML and shells, also if they are split over lines.
    Values of less than 6 characters are not removed, nor is a value in whose middle the program pauses for 40
    ms, nor what it writes elsewhere.

    With --watch, encconf stays, and restarts the program when a value of a file has changed, or sends it a
    signal. With --resolve, it also fetches the values of references again. While files cannot be opened or a
    server is away, the program keeps its values.
    """,
    Options,
    run,
    arguments=[Argument("file", required=True)],
    options=[
        Option("--override", help="Let values from the files override variables that are set."),
        Option("--pristine", help="Start the program with only the values in its environment."),
        Option("--keep-keys", help="Keep the variables that open files in the program's environment."),
        Option("--print-sources", help="Show which file each variable comes from."),
        Option("--redact", help="Replace the encrypted values in what the program prints with asterisks."),
        Option("--watch", help="Restart the program when a value has changed."),
        Option(
            "--signal",
            metavar="NAME",
            help="With --watch: send this signal, such as HUP, instead of restarting.",
        ),
        Option(
            "--every",
            metavar="SECONDS",
            help="With --watch: load all values again after this time (by default, references after 60).",
        ),
        RESOLVE,
        *NAMING,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    rest="argv",
    rest_usage=["-- PROGRAM", "[ARGUMENTS]..."],
    examples=[
        "encconf exec secrets.enc.yaml -- ./manage.py runserver",
        "encconf exec common.enc.env prod.enc.yaml --prefix APP_ -- env",
        "encconf exec --redact test.enc.yaml -- npm test",
        "encconf exec --watch secrets.enc.yaml -- ./server",
    ],
)


class EnvOptions(Shell):
    """The file, and the command."""

    file: str
    command: str
    input_type: str | None = None


def exec_env(options: EnvOptions, console: Console) -> None:
    """Replace this process with a shell command that has the top-level values of a file as variables.

    They override other variables.
    """
    source = files.read(options.file, input_type=options.input_type)
    opened = source.open(console.credentials(), console.warn)
    with about(source.label):
        with_variables(options, console, opened, options.command)


EXEC_ENV = Command(
    "exec-env",
    """Run a shell command with the values of a file in its environment, as sops does.

    The file's values override existing variables, names are used unchanged, and nested values are not
    allowed.
    """,
    EnvOptions,
    exec_env,
    arguments=[Argument("file"), Argument("command")],
    options=[
        Option("--pristine", help="Start the command with only the values in its environment."),
        _USER,
        INPUT_TYPE,
        *CREDENTIALS,
    ],
    examples=["encconf exec-env secrets.enc.env 'echo $PASSWORD'"],
)


class FileOptions(ShellOnFile):
    """The file, and the command."""

    file: str
    command: str
    input_type: str | None = None
    output_type: str | None = None


def exec_file(options: FileOptions, console: Console) -> None:
    """Run a shell command on the decrypted file.  Exits with the command's code."""
    source = files.read(options.file, input_type=options.input_type)
    plain = source.decrypted(console.credentials(), console.warn, output_type=options.output_type)
    on_file(options, console, plain, options.command)


EXEC_FILE = Command(
    "exec-file",
    """Run a shell command on a decrypted file, as sops does.

    {} in the command becomes the path of the plaintext: a named pipe in a private folder, which can be read
    once.
    """,
    FileOptions,
    exec_file,
    arguments=[Argument("file"), Argument("command")],
    options=[
        Option("--no-fifo", help="Use a regular file instead of a named pipe."),
        Option("--filename", metavar="NAME", help="The file's name (by default, tmp-file)."),
        _USER,
        INPUT_TYPE,
        Option("--output-type", metavar="FORMAT", help="The format to write (by default, the file's)."),
        *CREDENTIALS,
    ],
    examples=["encconf exec-file secrets.enc.json 'jq .password {}'"],
)
