"""The command line: `main` parses it, calls one command, and turns errors into messages and exit codes.

click is imported only for help and completion.
"""

from __future__ import annotations

import os
import sys

from encconf.cli.console import Console
from encconf.errors import (
    EncconfError,
    InputError,
    LimitError,
    MissingFileError,
    NotModifiedError,
    UsageError,
    exit_code_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from encconf.cli.command import Command, Values


AUDIT = "/etc/sops/audit.yaml"
"""If this file exists, the audit log is on, as in sops."""


def run() -> NoReturn:
    """Run `main` and exit at once.  This is the program ``encconf``.

    Finalizing the interpreter takes longer than many commands.  The same is true of collecting garbage.  And
    with other threads at work, as after a signal, it may abort the process, which leaves a core dump.
    """
    import gc

    gc.disable()
    # Packages of services warn about old versions of Python and of each other, on every start.  Users of a
    # program can do nothing with that.  `warnings`, which is seldom loaded, obeys this when it is.
    if not sys.warnoptions:
        sys.warnoptions.append("ignore::FutureWarning")
        if "warnings" in sys.modules:
            sys.modules["warnings"].simplefilter("ignore", FutureWarning)
    # gRPC prints a line of its own to stderr for each connection that fails.  encconf reports the error.  Not
    # in `os.environ`, so that no program gets this setting.
    if "GRPC_VERBOSITY" not in os.environ:
        os.putenv("GRPC_VERBOSITY", "NONE")
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # None if it was closed when the program started
                stream.flush()
        except BrokenPipeError:
            code = code or 141
        except (OSError, ValueError):
            code = code or 3  # no stream is left to report the error on
    os._exit(code)


def main(argv: list[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return the exit code.

    The exit codes are those of sops 3.13.3, 130 after Ctrl-C, and 141 if the reader of stdout has closed it.
    The only exception raised is SystemExit: for a signal, after completion, and from commands.
    """
    from encconf.io.fileio import open_standard_streams

    open_standard_streams()
    program = ""
    if argv is None:
        argv = sys.argv[1:]
        program = os.path.basename(sys.argv[0])
    call = _Call(Console())
    if _is_audited():
        from encconf import auditlog

        auditlog.start(AUDIT)
    try:
        return call.run(argv, program)
    except BaseException as error:
        if isinstance(error, MemoryError):
            error.__traceback__ = error.__context__ = None  # frees the memory that the command still uses
        return call.ended(error)


class _Call:
    """One run of the command line.

    The options set up ``console``.  ``failure`` is the exit code for every error of the command; if it is
    None, each error has its own.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.failure: int | None = None

    def run(self, argv: list[str], program: str) -> int:
        """Call the command that the arguments name, and return the exit code."""
        if program in ("sops", "sops.exe") or (argv[:1] == ["--version"] and len(argv) > 1):
            return self._run_as_sops(argv)
        if os.environ.get("_ENCCONF_COMPLETE"):
            from encconf.cli import usage

            usage.complete()
        if not argv:
            from encconf.cli.commands.help import show_overview

            show_overview(self.console)
            return 0
        if (answer := _at_once(argv)) is not None:
            self.console.data(answer)
            return 0
        from encconf.cli import parser

        try:
            command, values = parser.parse(argv)
        except (UsageError, MissingFileError):
            from encconf.cli.sops_line import is_for_sops

            if is_for_sops(argv):
                return self._run_as_sops(argv)
            raise
        if command.function is None:
            from encconf.cli.commands.help import show_usage

            show_usage(self.console, command)
        self.failure = command.failure
        _prepare(command, values)
        if (color := values["color"]) is not None:
            self.console = Console(str(color))
        self.console.quiet = values["quiet"] is True
        self.console.keys = _key_variables(values)
        command.function(command.options_of(values), self.console)
        return 0

    def _run_as_sops(self, argv: list[str]) -> int:
        from encconf.cli import sops

        self.console = console = sops.SopsConsole()
        return sops.main(argv, console)

    def ended(self, error: BaseException) -> int:
        """Report what a command raised, and return the exit code.  Raises a SystemExit again."""
        if isinstance(error, NotModifiedError):  # printed as a note, because it is not a mistake
            self.console.note(str(error))
            if error.hint:
                self.console.hint(error.hint)
            return self.failure or error.exit_code
        if isinstance(error, UnicodeEncodeError):
            error = UsageError("a word of the command line, or a name, is not UTF-8")
        elif isinstance(error, (MemoryError, RecursionError)):
            what = "memory" if isinstance(error, MemoryError) else "stack"
            error = LimitError(f"encconf ran out of {what}")
        elif isinstance(error, FileNotFoundError) and not _current_folder_exists():
            error = InputError("the current folder no longer exists", hint="change to another folder")
        if isinstance(error, EncconfError):
            self.console.error(error)
            return self.failure or exit_code_of(error)
        if isinstance(error, (KeyboardInterrupt, BrokenPipeError)):
            return 130 if isinstance(error, KeyboardInterrupt) else 141
        if isinstance(error, Exception):
            return _unexpected(error, self.console, self.failure or 1)
        raise error


def _at_once(argv: list[str]) -> str | bytes | None:
    """Return what to print without the table of commands, which takes a millisecond, or None."""
    if argv in (["--version"], ["-v"]):
        from encconf.cli.commands.help import version

        return version()
    if argv[:2] == ["git", "textconv"] and len(argv) in (3, 5) and not os.environ.get("ENCCONF_PRINT"):
        from encconf.git import textconv

        return textconv.plaintext_of(argv[2 if len(argv) == 3 else 3])  # 5: from the driver, with --
    return None


def _current_folder_exists() -> bool:
    """Whether the current folder exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _is_audited() -> bool:
    """Whether the audit log is on: `AUDIT` exists, or encconf has no access to it, which fails later."""
    try:
        os.stat(AUDIT)
    except OSError as error:
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))
    return True


def _prepare(command: Command, values: Values) -> None:
    """Set the options that were not given from their variables.

    Raises UsageError for stdin or an empty value where a command takes none.  Raises MissingFileError for an
    empty FILE, which would be the current folder.
    """
    from encconf.io.fileio import STDIN

    words = {
        dest: value if isinstance(value, list) else [value] if isinstance(value, str) else []
        for dest, value in values.items()
    }
    hint = "a variable may not be set"
    for argument in command.arguments:
        if argument.named and {*STDIN} & {*words[argument.dest]}:
            raise UsageError(f"{command.name} needs a file, not stdin")
    if "" in words.get("file", ()):
        raise MissingFileError("the name of a file is empty", hint=hint)
    for option in command.options:
        if not option.empty and not all(word.strip(" ,") for word in words[option.dest]):
            raise UsageError(f"{option.names[0]} has an empty value", hint=hint)
        if option.env and not values[option.dest] and (value := os.environ.get(option.env)):
            if option.choices and value not in option.choices:
                raise UsageError(f"{option.env} must be one of: {', '.join(option.choices)}")
            values[option.dest] = [value] if option.many else value


def _key_variables(values: Values) -> dict[str, str]:
    """Return the options that choose the keys to open files with, as variables."""
    services, profile = values.get("keyservice"), values.get("aws_profile")
    found: dict[str, str] = {}
    if isinstance(services, list) and services:
        found["SOPS_KEYSERVICE"] = ",".join(services)
    if profile:
        found["ENCCONF_AWS_PROFILE"] = str(profile)
    return found


def _unexpected(error: Exception, console: Console, code: int) -> int:
    """Report an unexpected exception by its type and place.  Its message could contain plaintext."""
    if os.environ.get("ENCCONF_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = ""
    if place is not None:
        frame = place.tb_frame.f_code
        where = f" in {os.path.basename(frame.co_filename)}:{place.tb_lineno} ({frame.co_name})"
    bug = EncconfError(
        f"unexpected {type(error).__name__}{where}; this is a bug in encconf",
        hint="ENCCONF_DEBUG=1 shows more, perhaps values of the file too; please report it without those",
    )
    bug.slug = "internal"
    console.error(bug)
    return code
