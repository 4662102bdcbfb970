"""``--quiet``: a console without notes and progress.  Results, warnings and errors stay."""

from __future__ import annotations

from encconf.cli.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Status


class QuietConsole(Console):
    """Does not say what was done."""

    __slots__ = ()

    def note(self, text: str) -> None:
        """Say nothing."""

    def status(self) -> Status | None:
        """No line that says what goes on."""
        return None
