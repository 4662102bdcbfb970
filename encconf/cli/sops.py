"""encconf as ``sops``: the command line, messages and exit codes of sops 3.13.3.

`encconf.cli.sops_line` parses the line, `encconf.cli.sops_run` has what the commands share, and the commands
are in `encconf.cli.sops_texts` and `encconf.cli.sops_keys`.  docs/sops-differences.md lists what differs from
sops.

Programs call it instead of sops, so the messages that they depend on are those of sops.  Nothing here
imports click, and ``--version`` needs no further imports.
"""

from __future__ import annotations

import os

from encconf import SOPS_VERSION
from encconf.cli.console import Console, paragraph
from encconf.errors import (
    NO_IDENTITY,
    EmptyGroupError,
    EncconfError,
    KeyAccessError,
    LostBlockError,
    NoConfigError,
    NotEncryptedError,
    NotModifiedError,
    UnwrittenError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.cli.sops_line import Line


class SopsConsole(Console):
    """A console that prints as sops does: errors without a prefix, and notes only with ``--verbose``."""

    PROGRAM = "sops"

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(None, environ)
        self.verbose = False

    def note(self, text: str) -> None:
        """Print what was done, if ``--verbose`` was given."""
        if self.verbose:
            super().note(text)

    def error(self, error: EncconfError) -> None:
        """Print what is wrong, in sops's words, and what to do about it."""
        error = as_sops(error)
        self.write(paragraph(str(error)) + "\n")
        if error.hint:
            self.hint(error.hint)


def main(argv: list[str], said: SopsConsole) -> int:
    """Run one command line of sops and return its exit code."""
    if argv in (["--version"], ["-v"], ["--version", "--disable-version-check"]):
        said.data(_VERSION)
        return 0
    try:
        if argv[-1:] == ["--generate-bash-completion"]:
            from encconf.cli.sops_line import words

            said.data(words(argv[:-1]))
            return 0
        from encconf.cli.sops_line import parse

        line = parse(argv, said.environ)
        said.verbose = line.root.flags.verbose or line.flags.verbose
        if line.root.flags.version:
            said.data(_VERSION)
        elif (
            line.flags.help
            or line.command.endswith(" help")
            or (line.args[:1] in (["help"], ["h"]) and not line.command)
        ):
            from encconf.cli.sops_line import help_text

            said.data(help_text(line))
        else:
            _run(said, line)
    except EncconfError as error:
        said.error(error)
        return error.exit_code
    return 0


def _run(said: SopsConsole, line: Line) -> None:
    """Call the function of the command."""
    if line.command.startswith("completion "):
        from encconf.cli.sops_line import completion

        said.data(completion(line))
        return
    from encconf.cli.sops_run import Run
    from encconf.cli.sops_texts import COMMANDS

    if line.command not in COMMANDS:  # those for keys load more
        from encconf.cli.sops_keys import COMMANDS
    COMMANDS[line.command](Run(said, line))


_VERSION = f"sops {SOPS_VERSION}\n"


_SAID = {
    EmptyGroupError: "Could not generate data key: [empty key group provided]",
    NoConfigError: "config file not found, or has no creation rules, and no keys provided "
    "through command line options",
    NotEncryptedError: "sops metadata not found",
    NotModifiedError: "File has not changed, exiting.",
}


def as_sops(error: EncconfError) -> EncconfError:
    """Give an error sops's message and exit code if programs depend on them.  Returns the error."""
    if isinstance(error, LostBlockError):
        error.message = f"{_SAID[NotEncryptedError]}: {error.message}"
        return error
    for kind, said in _SAID.items():
        if isinstance(error, kind):
            error.message = said
            error.hint = error.file = None
    if isinstance(error, KeyAccessError):
        error.message = error.message.replace(NO_IDENTITY, "no identity matched any of the recipients")
        if "data key" not in error.message:  # programs look for these words
            error.message = f"cannot get the data key: {error.message}"
    elif isinstance(error, UnwrittenError):
        error.exit_code = 1
    return error
