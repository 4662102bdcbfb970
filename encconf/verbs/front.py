"""What a verb is given by the program that runs it: functions that say what it does, ask, and take results.

The verbs import this module only for types.  `encconf.cli.console.Console` has these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials


class Front(Protocol):
    """The front end of a verb."""

    PROGRAM: str
    environ: Mapping[str, str]

    def note(self, text: str) -> None:
        """Say what was done."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Say what may be wrong, and what to do about it."""

    def hint(self, text: str) -> None:
        """Say what to do."""

    def error(self, error: EncconfError) -> None:
        """Say what failed.  The verb goes on."""

    def data(self, data: str | bytes) -> None:
        """Take a result."""

    def content(self, text: str) -> None:
        """Take a result that may hold any characters: the text of a file, or a value."""

    def json(self, value: object) -> None:
        """Take a result as JSON."""

    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""

    def ask(self, question: str) -> str:
        """Ask, and return the answer.  Raises EOFError if none comes."""

    def confirm(self, question: str) -> bool:
        """Ask, and return whether the answer is yes.  Raises UsageError if there is nobody to ask."""

    def progress(self, total: int, doing: str) -> AbstractContextManager[Callable[[], None]]:
        """Show how many of several files are done: ``with front.progress(…) as step:``, for each file."""

    def credentials(self) -> Credentials:
        """Return the credentials to open files with."""
