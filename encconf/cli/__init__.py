"""The command line: `main` reads it, calls one command, and turns errors into messages and codes.

A command line without mistakes is read without click: see `encconf.cli.quick`.
"""

from __future__ import annotations

import os
import sys

from encconf.cli.console import Console, as_text
from encconf.errors import EncconfError, InputError, LimitError, NotModifiedError, UsageError, exit_code_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from encconf.cli.options import Values
    from encconf.cli.table import Command  # which sops does not load


AUDIT = "/etc/sops/audit.yaml"
"""The file that switches the audit log of a machine on, as in sops."""


def run() -> NoReturn:
    """The program ``encconf``: run `main` and exit at once.

    Finalizing the interpreter would take longer than many commands do, and so would collecting garbage in a
    process that ends in a moment.
    """
    import gc

    gc.disable()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # closed from the start
                stream.flush()
        except BrokenPipeError:
            code = code or 141
        except (OSError, ValueError):
            code = code or 3  # there is nowhere to report it
    os._exit(code)


def main(argv: list[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return the exit code.

    Codes are those of sops 3.13.3; 130 after Ctrl-C, 141 if the reader of stdout has closed it.
    Raises only SystemExit, for a signal and for completion.
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
        return call.ended(error)


class _Call:
    """One command line: ``console`` is as its options say, ``failure`` is the exit code of its errors."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.failure: int | None = None

    def run(self, argv: list[str], program: str) -> int:
        """Call the command that the words name, and return the exit code."""
        if program in ("sops", "sops.exe") or (argv[:1] == ["--version"] and len(argv) > 1):
            return self._run_as_sops(argv)
        completing = "_ENCCONF_COMPLETE" in os.environ
        if not completing and self._is_done_without_the_table(argv):
            return 0
        called: tuple[Command, Values] | None = None
        if not completing:
            from encconf.cli import quick

            called = quick.parse(argv)
            if called is None:
                from encconf.cli.sops_line import takes

                if takes(argv):
                    return self._run_as_sops(argv)
        if called is None:
            from encconf.cli import full

            called = full.parse(argv)
            if called is None:  # the help was printed
                return 0
        command, values = called
        self.failure = command.failure
        _from_environment(command, values)
        _as_texts(values)
        if (color := values.pop("color")) is not None:
            self.console = Console(str(color))
        self.console.quiet = values.pop("without_notes", False) is True
        self.console.keys = _whose_keys(values)
        _function_of(command.target)(self.console, **values)
        return 0

    def _is_done_without_the_table(self, argv: list[str]) -> bool:
        """Whether this did it: the version, the overview, or what git's companion knows."""
        if argv in (["--version"], ["-v"]):
            from encconf.cli.version import show_version

            show_version(self.console)
            return True
        if not argv:
            from encconf.cli.overview import overview

            return overview(self.console)
        if len(argv) == 3 and argv[:2] == ["git", "textconv"]:
            from encconf.git import companion

            plain = companion.plaintext_of(argv[2])
            if plain is not None:
                self.console.data(plain)
            return plain is not None
        return False

    def _run_as_sops(self, argv: list[str]) -> int:
        from encconf.cli import sops

        self.console = console = sops.SopsConsole()
        return sops.main(argv, console)

    def ended(self, error: BaseException) -> int:
        """Report what a command raised, and return the exit code; raises SystemExit again."""
        if isinstance(error, NotModifiedError):  # not a mistake: the user changed nothing
            self.console.note(str(error))
            if error.hint:
                self.console.hint(error.hint)
            return self.failure or error.exit_code
        if isinstance(error, UnicodeEncodeError):
            error = UsageError("a word of the command line, or a name, is not UTF-8")
        elif isinstance(error, (MemoryError, RecursionError)):
            what = "memory" if isinstance(error, MemoryError) else "stack"
            error = LimitError(f"encconf ran out of {what}")
        elif isinstance(error, FileNotFoundError) and not _is_somewhere():
            error = InputError("the current folder no longer exists", hint="change to another folder")
        if isinstance(error, EncconfError):
            self.console.error(error)
            return self.failure or exit_code_of(error)
        if isinstance(error, (KeyboardInterrupt, BrokenPipeError)):
            return 130 if isinstance(error, KeyboardInterrupt) else 141
        if isinstance(error, Exception):
            return _unexpected(error, self.console, self.failure or 1)
        raise error


def _is_somewhere() -> bool:
    """Whether the current folder exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _is_audited() -> bool:
    """Whether the audit log is on: `AUDIT` exists, or encconf may not look, which is an error later."""
    try:
        os.stat(AUDIT)
    except OSError as error:
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))
    return True


def _from_environment(command: Command, values: Values) -> None:
    """Set options that were not given from their variables."""
    for option in command.options:
        if option.env and values[option.dest] == option.default():
            value = os.environ.get(option.env)
            if not value:
                continue
            if option.choices and value not in option.choices:
                raise UsageError(f"{option.env} must be one of: {', '.join(option.choices)}")
            values[option.dest] = [value] if option.kind == "*" else value


# Values that are text; in names of files, the bytes count instead.
_TEXTS = ("value", "extract", "section", "age", "add_age", "rm_age", "prefix", "nested_separator")
_TEXTS_END = ("_regex", "_suffix")


def _as_texts(values: Values) -> None:
    for dest, value in values.items():
        if dest in _TEXTS or dest.endswith(_TEXTS_END) or (dest == "path" and "file" in values):
            if isinstance(value, str):
                values[dest] = as_text(value)
            elif isinstance(value, list):
                values[dest] = [as_text(each) for each in value]


def _whose_keys(values: Values) -> dict[str, str]:
    """Remove the options that choose the keys to open files with, and return them as variables."""
    services, profile = values.pop("keyservice", None), values.pop("aws_profile", None)
    found: dict[str, str] = {}
    if isinstance(services, list) and services:
        found["SOPS_KEYSERVICE"] = ",".join(services)
    if profile:
        found["ENCCONF_AWS_PROFILE"] = str(profile)
    return found


def _function_of(target: str) -> Callable[..., None]:
    """The function that a row names as ``module:function``; its module is imported here."""
    module, _, name = target.partition(":")
    __import__(module)
    function: Callable[..., None] = getattr(sys.modules[module], name)
    return function


def _unexpected(error: Exception, console: Console, code: int) -> int:
    """Report a bug by its type and place, without its message, which could contain plaintext."""
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
