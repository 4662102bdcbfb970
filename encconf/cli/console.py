"""What encconf says: messages on stderr in one form, data on stdout untouched.

::

    encconf: error[no-key]: secrets.enc.yaml: …
    encconf: hint: …

Colour is for messages only, and decided for stderr alone; data is never coloured.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from encconf.errors import EncconfError

_RED, _YELLOW, _CYAN = "1;31", "1;33", "36"


class Console:
    """The two streams of the command line.  ``color`` is ``auto``, ``always`` or ``never``."""

    __slots__ = ("_colored", "environ")
    PROGRAM = "encconf"

    def __init__(self, color: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.environ = environ
        self._colored = wants_color(color, 2, environ)

    def note(self, text: str) -> None:
        """Say what was done."""
        self._say("", text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Say what may be wrong, and what to do about it."""
        self._say(self._paint(_YELLOW, "warning") + ": ", text)
        if hint:
            self.hint(hint)

    def error(self, error: EncconfError) -> None:
        """Say what is wrong, with the word to search for, and what to do about it."""
        self._say(self._paint(_RED, f"error[{error.slug}]") + ": ", str(error))
        if error.hint:
            self.hint(error.hint)

    def hint(self, text: str) -> None:
        """Say what to do."""
        self._say(self._paint(_CYAN, "hint") + ": ", text)

    def data(self, data: str | bytes) -> None:
        """Write a result to stdout, all of it.  Raises OutputError, or BrokenPipeError."""
        from encconf.fileio import write_stdout

        write_stdout(data)

    def can_ask(self) -> bool:
        """Whether somebody is there: stdin and stderr are terminals."""
        return is_terminal(0) and is_terminal(2)

    def ask(self, question: str) -> str:
        """A line that somebody types.  Raises EOFError at the end of the input."""
        self._write(f"{self.PROGRAM}: {question} ")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip()

    def progress(self, total: int, doing: str) -> Progress:
        """A bar on stderr while a command works through many files, where somebody looks."""
        return Progress(total, doing, shown=total > _MANY and is_terminal(2))

    def _paint(self, color: str, text: str) -> str:
        return f"\033[{color}m{text}\033[0m" if self._colored else text

    def _say(self, kind: str, text: str) -> None:
        self._write(f"{self.PROGRAM}: {kind}{visible(text)}\n")

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return  # nobody can be told that nobody can be told


_MANY = 4


class Progress:
    """``with Progress(…) as step:``, and ``step()`` after each file.  Nothing is drawn unless ``shown``."""

    __slots__ = ("_bar", "_doing", "_total")

    def __init__(self, total: int, doing: str, *, shown: bool) -> None:
        self._total = total
        self._doing = doing
        self._bar: object = None
        if shown:
            from rich.console import Console as Terminal
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Terminal(stderr=True), transient=True, redirect_stdout=False)

    def __enter__(self) -> Callable[[], None]:
        bar = self._bar
        if bar is None:
            return lambda: None
        from rich.progress import Progress as Bar

        assert isinstance(bar, Bar)
        bar.start()
        task = bar.add_task(self._doing, total=self._total)
        return lambda: bar.advance(task)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()  # type: ignore[attr-defined]


def wants_color(mode: str | None, descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether to colour what goes to a stream: the option, then NO_COLOR, then the force variables."""
    if mode in ("always", "never"):
        return mode == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return is_terminal(descriptor)


def is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is open on a terminal."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def visible(text: str) -> str:
    """The text with control characters shown, not sent: names in it may come from a foreign file."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
