"""The output of encconf: messages on stderr, all in one form, and data on stdout, unchanged.

::

    encconf: error[no-key]: secrets.enc.yaml: …
    encconf: hint: …

Only messages are colored, never data.  On a terminal, a status line says how far a command is and which
service it is waiting for.
"""

from __future__ import annotations

import os
import sys
import time

from encconf.errors import EncconfError, UsageError
from encconf.record import Record
from encconf.text.printable import escaped, printable, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_RED, _YELLOW, _CYAN = "1;31", "1;33", "36"


class Console:
    """The two streams of the command line.

    ``color`` is ``auto``, ``always`` or ``never``.  A ``quiet`` console prints no notes and no progress.
    """

    PROGRAM = "encconf"

    def __init__(self, color: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.environ = environ
        self.color = color
        self.keys: dict[str, str] = {}  # variables that options set, for credentials only
        self._colored = wants_color(color, 2, environ)
        self.quiet = False
        self._status: Status | None = None

    def note(self, text: str) -> None:
        """Report what was done."""
        if not self.quiet:
            self._say(text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Report what may be wrong, and what to do about it."""
        self._say(text, "warning", _YELLOW)
        if hint:
            self.hint(hint)

    def error(self, error: EncconfError) -> None:
        """Report what is wrong, with the slug to search for, and what to do about it."""
        about = f"{one_line(error.file)}: " if error.file else ""
        self._say(about + error.message, f"error[{error.slug}]", _RED)
        if error.hint:
            self.hint(hint_of(error))

    def hint(self, text: str) -> None:
        """Say what to do."""
        self._say(text, "hint", _CYAN)

    def data(self, data: str | bytes) -> None:
        """Write a result to stdout, all of it.  Raises OutputError, or BrokenPipeError."""
        from encconf.io.fileio import write_stdout

        write_stdout(data)

    def json(self, value: object) -> None:
        """Write a value as JSON to stdout."""
        from json import dumps

        self.data(dumps(value, indent=2) + "\n")

    def lines(self, text: str) -> None:
        """Write lines for people to stdout; on a terminal, long lines are broken between words."""
        width = width_of(1, self.environ)
        parts = [part for line in text.removesuffix("\n").split("\n") for part in wrapped(line, width)]
        self.data("".join(f"{part}\n" for part in parts) if text else "")

    def can_ask(self) -> bool:
        """Whether somebody can be asked: stdin and stderr are terminals."""
        return is_terminal(0) and is_terminal(2)

    def ask(self, question: str) -> str:
        """The line that the user types.  Raises EOFError at the end of the input."""
        self.write(f"{self.PROGRAM}: {question} ")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip()

    def confirm(self, question: str) -> bool:
        """Whether the user answers yes.  Raises UsageError where nobody can be asked."""
        if not self.can_ask():
            raise UsageError(
                "cannot ask for confirmation: this is not a terminal",
                hint="use --yes to accept all changes, or --dry-run to see them",
            )
        try:
            return self.ask(f"{question} [y/N]").lower().startswith("y")
        except EOFError:
            return False

    def progress(self, total: int, doing: str) -> Progress:
        """A progress bar for a command over more than a few files."""
        return Progress(self.status() if total > _MANY else None, total, doing)

    def status(self) -> Status | None:
        """The status line, None if stderr is not a terminal that can show one."""
        if self._status is None and not self.quiet and is_terminal(2) and self.environ.get("TERM") != "dumb":
            self._status = Status(self._colored)
        return self._status

    def _paint(self, color: str, text: str) -> str:
        return f"\033[{color}m{text}\033[0m" if self._colored else text

    def _say(self, text: str, kind: str = "", color: str = "") -> None:
        lines = f"{self.PROGRAM}: {kind}{kind and ': '}{paragraph(text)}".split("\n")
        width = width_of(2, self.environ)
        message = "\n".join([part for line in lines for part in wrapped(line, width)] + [""])
        if kind:  # painted last: colors take no columns
            message = message.replace(kind, self._paint(color, kind), 1)
        self.write(message)

    def write(self, text: str) -> None:
        """Write a text to stderr as it is, above the status line."""
        if self._status is not None and self._status.print(text):
            return
        _write_stderr(text)


def hint_of(error: EncconfError) -> str:
    """The hint of an error; in commands such as ``encconf edit FILE``, FILE becomes the name of the file."""
    hint, file = error.hint or "", error.file
    if " FILE" not in hint or not file or not os.path.exists(file):
        return hint
    import re

    word = quoted(printable(file, 4096))
    return re.sub(r"(encconf [^.;]*?) FILE\b", lambda found: f"{found[1]} {word}", hint)


_MANY = 4
_BAR = 24  # columns of a full bar
_NARROW = 40  # a terminal that is narrower breaks lines itself
_OFTEN = 0.05  # seconds between two drawings of a bar
_SOON = 1.0  # seconds of waiting before the status line mentions it


class Progress(Record):
    """``with Progress(…) as step:``, and ``step()`` after each file.  Without a status, draws nothing."""

    _status: Status | None
    _total: int
    _doing: str

    def __enter__(self) -> Callable[[], None]:
        if self._total > _MANY:
            collect_garbage()
        status = self._status
        if status is None:
            return lambda: None
        status.begin(self._total, self._doing)
        return status.step

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.end()


class Status:
    """The status line, the last line of a terminal: a progress bar, and the service that is waited for.

    Whichever thread has something to show draws it, and it disappears when there is nothing to show.
    """

    def __init__(self, colored: bool) -> None:
        from _thread import RLock

        self._colored = colored
        self._lock = RLock()
        self._shown = 0  # columns of the line on the terminal
        self._held = False
        self._total = self._done = 0
        self._drawn = 0.0
        self._doing = ""
        self._waiting: dict[object, tuple[float, str]] = {}
        self._ticking = False

    def begin(self, total: int, doing: str) -> None:
        """Show a progress bar from the first `step` on."""
        self._total, self._done, self._doing = total, 0, doing

    def step(self) -> None:
        """Count one more file as done."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if now - self._drawn > _OFTEN or self._done == self._total:
                self._drawn = now
                self._draw()

    def end(self) -> None:
        """Remove the progress bar."""
        with self._lock:
            self._total = 0
            self._draw()

    def watch(self, what: str) -> Callable[[], None]:
        """Show that ``what`` is waited for, after a second; call the result when the answer has arrived."""
        from threading import Thread

        ticket = object()
        with self._lock:
            self._waiting[ticket] = (time.monotonic(), what)
            if not self._ticking:
                self._ticking = True
                Thread(target=self._tick, daemon=True).start()

        def done() -> None:
            with self._lock:
                del self._waiting[ticket]
                if not self._waiting and self._shown:
                    self._draw()

        return done

    def quietly(self, ask: Callable[[str], str]) -> Callable[[str], str]:
        """The same function, with the status line hidden while it asks."""

        def asked(question: str) -> str:
            with self._lock:
                self._held = True
                self._draw()
            try:
                return ask(question)
            finally:
                self._held = False

        return asked

    def print(self, text: str) -> bool:
        """Print a text above the status line; False if the line is not shown."""
        with self._lock:
            if not self._shown:
                return False
            self._show("", text)
            self._draw()
            return True

    def _tick(self) -> None:
        before = ""
        while True:
            time.sleep(0.2)
            with self._lock:
                if not self._waiting:
                    self._ticking = False
                    return
                if before != (before := self._slow()):
                    self._draw()

    def _draw(self) -> None:
        """Draw the status line, or erase it if there is nothing to show."""
        if not self._held and ((self._total and self._done) or self._slow()):
            self._show(self._line(width_of(2, {}) or 80))
        elif self._shown:
            self._show("")

    def _show(self, line: str, above: str = "") -> None:
        """Replace the status line, and print a text above it."""
        _write_stderr("\r" + " " * self._shown + "\r" + above + self._colored_bar(line))
        self._shown = display_width(line)

    def _slow(self) -> str:
        """What encconf has been waiting for longest, and for how long; "" if that is not long."""
        since, what = min(self._waiting.values(), default=(0.0, ""))
        seconds = time.monotonic() - since
        if not what or seconds < _SOON:
            return ""
        others = len({name for _, name in self._waiting.values()}) - 1
        more = f" and {others} more" if others else ""
        return f"waiting for {visible(what)}{more} ({seconds:.0f} s)"

    def _line(self, width: int) -> str:
        """The status line, shorter than the terminal: a line that wraps cannot be erased."""
        line = ""
        if self._total and self._done:
            filled = _BAR * self._done // self._total
            line = f"{self._doing} [{'#' * filled}{'-' * (_BAR - filled)}] {self._done}/{self._total} "
        line += self._slow()
        while display_width(line) >= width:
            line = line[:-1]
        return line

    def _colored_bar(self, line: str) -> str:
        """The line with its progress bar colored, if all of it is there."""
        before, bracket, rest = line.partition("[")
        bar, end, after = rest.partition("]")
        if not (self._colored and self._done and end):
            return line
        return f"{before}{bracket}\033[{_CYAN}m{bar}\033[0m{end}{after}"


def display_width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _write_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # stderr is closed or full, so there is nowhere to report it


def width_of(descriptor: int, environ: Mapping[str, str]) -> int:
    """The width of the terminal of a stream, 0 if it is none; COLUMNS takes precedence."""
    if not is_terminal(descriptor):
        return 0
    if (columns := environ.get("COLUMNS", "")).isdecimal():
        return int(columns)
    try:
        return os.get_terminal_size(descriptor).columns
    except OSError:
        return 0


def wrapped(line: str, width: int) -> list[str]:
    """A line, broken between words into lines that fit; a longer word is not broken, nor is one in color."""
    if width < _NARROW or len(line) <= width or "\033" in line:
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    if len(indent) >= width:
        return [line]
    lines: list[str] = []
    while len(line) > width:
        at = line.rfind(" ", len(indent), width + 1)
        at = at if at > 0 else line.find(" ", width)
        if at < 0:
            break
        lines.append(line[:at].rstrip(" "))
        line = indent + line[at:].lstrip(" ")
    return [*lines, line] if line.strip() else lines


def collect_garbage() -> None:
    """Collect garbage from here on, for a command that runs for long.

    `encconf.cli.run` switches it off, because most commands end in a moment.  libyaml's parser and its
    loader refer to each other: some 150 kB for each text.
    """
    import gc

    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()


def wants_color(mode: str | None, descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether to color a stream: --color decides, then NO_COLOR, then the variables that force color."""
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
    """The text with control characters escaped: it may contain names from a file of somebody else."""
    return escaped(text, "\n\t")


def paragraph(text: str) -> str:
    """A message, in which a name with a line break cannot begin another message or a command to CI."""
    first, *more = visible(text).split("\n")
    lines = [first, *(line if not line or line.startswith("  ") else f"  {line}" for line in more)]
    return "\n".join(map(_no_command, lines))


def _no_command(line: str) -> str:
    """The line, changed if a CI system would take it for a command: ``::error::…``, ``##[error]…``."""
    body = line.lstrip()
    if not body.startswith(("::", "##")):
        return line
    return f"{line[: len(line) - len(body)]}\\x{ord(body[0]):02x}{body[1:]}"


def one_line(text: str) -> str:
    """A name for one line of a list: it cannot end the line or make a command of it."""
    return _no_command(visible(text).replace("\n", "\\n").replace("\t", "\\t"))


def as_text(word: str) -> str:
    """A word of the command line as text: UTF-8, whatever the locale.  Raises UsageError."""
    if word.isascii():
        return word
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        raise UsageError("a word of the command line is not UTF-8", hint="write it in UTF-8") from None
