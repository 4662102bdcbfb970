"""``--quiet``: a console that prints results, warnings and errors, but no notes and no progress."""

from __future__ import annotations

from encconf.cli.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Status


class QuietConsole(Console):
    """A console that does not report what was done."""

    __slots__ = ()

    def note(self, text: str) -> None:
        """Print nothing."""

    def status(self) -> Status | None:
        """No status line."""
        return None
