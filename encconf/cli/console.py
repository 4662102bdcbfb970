"""The output of encconf: data on stdout, unchanged, and messages on stderr, in this form.

::

    encconf: error[no-key]: secrets.enc.yaml: …
    encconf: hint: …

Messages are colored, data never is.  On a terminal, a status line shows the progress of a command and the
service that it waits for.
"""

from __future__ import annotations

import os
import sys
import time

from encconf.errors import SOMEBODY, EncconfError, MissingFileError, NotEncryptedError, UsageError
from encconf.io.descriptors import is_terminal, shows_colors
from encconf.text.printable import no_command, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from encconf.identities.credentials import Credentials


_RED, _YELLOW, _CYAN = "1;31", "1;33", "36"


class Console:
    """The stdout and stderr of the command line.

    ``color`` is ``auto``, ``always`` or ``never``.  A ``quiet`` console prints no notes and no progress.
    """

    PROGRAM = "encconf"

    def __init__(self, color: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.environ = environ
        self.color = color
        self.keys: dict[str, str] = {}  # variables set by options; only credentials use them
        self._colored = wants_color(color, 2, environ)
        self.quiet = False
        self._status: Status | None = None

    def note(self, text: str) -> None:
        """Print what was done."""
        if not self.quiet:
            self._say(text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Print what may be wrong, and what to do about it."""
        self._say(text, "warning", _YELLOW)
        if hint:
            self.hint(hint)

    def error(self, error: EncconfError) -> None:
        """Print what is wrong, with the slug of the error if it has one, and what to do about it."""
        about = f"{one_line(error.file)}: " if error.file else ""
        kind = "error" if error.slug == EncconfError.slug else f"error[{error.slug}]"
        self._say(about + error.message, kind, _RED)
        if hint := hint_of(error):
            self.hint(hint)

    def hint(self, text: str) -> None:
        """Print what to do."""
        self._say(text, "hint", _CYAN)

    def data(self, data: str | bytes) -> None:
        """Write all of a result to stdout.  Raises OutputError or BrokenPipeError."""
        from encconf.io.fileio import write_stdout

        write_stdout(data)

    def content(self, text: str) -> None:
        """Write the text of a file, or a value, to stdout.  A terminal would obey its control characters."""
        self.data(visible(text.replace("\r\n", "\n")) if is_terminal(1) else text)

    def json(self, value: object) -> None:
        """Write a value as JSON to stdout."""
        from json import dumps

        self.data(dumps(value, indent=2) + "\n")

    def lines(self, text: str) -> None:
        """Write lines for people to stdout.  On a terminal, long lines are wrapped."""
        width = width_of(1, self.environ)
        parts = [part for line in text.removesuffix("\n").split("\n") for part in wrapped(line, width)]
        self.data("".join(f"{part}\n" for part in parts) if text else "")

    def can_ask(self) -> bool:
        """Whether encconf can ask the user: stdin and stderr are terminals."""
        return is_terminal(0) and is_terminal(2)

    def ask(self, question: str) -> str:
        """Print a question, and return the line that the user types.  Raises EOFError at the end of stdin."""
        self.write(f"{self.PROGRAM}: {visible(question)} ")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip()

    def confirm(self, question: str) -> bool:
        """Ask a question, and return whether the answer is yes.  Raises UsageError without a terminal."""
        if not self.can_ask():
            raise UsageError(
                "cannot ask for confirmation: this is not a terminal",
                hint="use --yes to accept all changes, or --dry-run to see them",
            )
        try:
            return self.ask(f"{question} [y/N]").lower().startswith("y")
        except EOFError:
            return False

    def credentials(self) -> Credentials:
        """Return the credentials to open files with.  Their warnings are printed."""
        from encconf.identities.credentials import Credentials

        environ = {**self.environ, **self.keys} if self.keys else self.environ
        found = Credentials.from_env(environ, notify=self.warn)
        status = self.status()
        if status is not None:
            found.watch = status.watch
            if found.prompt is not None:
                found.prompt = status.quietly(found.prompt)
        return found

    def progress(self, total: int, doing: str) -> AbstractContextManager[Callable[[], None]]:
        """Show a progress bar for a command on several files: ``with progress(…) as step:``, for each file.

        Without a status line, it draws nothing.
        """
        from contextlib import nullcontext

        if total > _MANY:
            collect_garbage()
        status = self.status() if total > _MANY else None
        return nullcontext(lambda: None) if status is None else status.begin(total, doing)

    def status(self) -> Status | None:
        """Return the status line, or None if stderr is not a terminal that can show one."""
        if self._status is None and not self.quiet and is_terminal(2) and self.environ.get("TERM") != "dumb":
            self._status = Status()
        return self._status

    def _say(self, text: str, kind: str = "", color: str = "") -> None:
        lines = f"{self.PROGRAM}: {kind}{kind and ': '}{paragraph(text)}".split("\n")
        width = width_of(2, self.environ)
        message = "\n".join([part for line in lines for part in wrapped(line, width)] + [""])
        if kind and self._colored:  # after wrapping, because color codes take no columns
            message = message.replace(kind, f"\033[{color}m{kind}\033[0m", 1)
        self.write(message)

    def write(self, text: str) -> None:
        """Write a text to stderr unchanged, above the status line."""
        if self._status is not None and self._status.print(text):
            return
        _write_stderr(text)


def hint_of(error: EncconfError) -> str:
    """Return the hint of an error.  It names the people to ask, or the file that is meant."""
    hint, file = error.hint or "", error.file
    if file and isinstance(error, (MissingFileError, NotEncryptedError)):
        from encconf.rules.config import meant_by

        hint = meant_by(error, file) or hint
    if SOMEBODY in hint:
        from encconf.verbs.people import with_names

        hint = with_names(hint, file)
    return hint


_MANY = 4
_BAR = 24  # the width of the bar in columns
_NARROW = 40  # lines are not wrapped for a narrower terminal
_COLUMN = 34  # a second column that begins later does not stay a column
_REDRAW = 0.05  # the least time between two drawings of a bar, in seconds
_PATIENCE = 1.0  # seconds of waiting before the status line shows it


class Status:
    """The status line at the bottom of a terminal: a progress bar, and the service that encconf waits for.

    Any thread can draw it.  It is erased when it has nothing to show.
    """

    def __init__(self) -> None:
        from _thread import RLock

        self._lock = RLock()
        self._shown = 0  # the width of the line on the terminal
        self._held = False
        self._total = self._done = 0
        self._drawn = 0.0
        self._doing = ""
        self._waiting: dict[object, tuple[float, str]] = {}
        self._ticking = False

    def begin(self, total: int, doing: str) -> Status:
        """Start a progress bar, which ends with this context.  It becomes visible after the first `step`."""
        self._total, self._done, self._doing = total, 0, doing
        return self

    def __enter__(self) -> Callable[[], None]:
        return self.step

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._total = 0
            self._draw()

    def step(self) -> None:
        """Count one more file as done."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if now - self._drawn > _REDRAW or self._done == self._total:
                self._drawn = now
                self._draw()

    def watch(self, what: str) -> Callable[[], None]:
        """Show after a second that encconf waits for ``what``.  Call the result when the wait is over."""
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
        """Wrap a function that asks the user, so that the status line is hidden meanwhile."""

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
        """Print a text above the status line.  Returns False, without printing, if the line is not shown."""
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
                if before != (before := self._longest_wait()):
                    self._draw()

    def _draw(self) -> None:
        """Draw the status line, or erase it if there is nothing to show."""
        if not self._held and ((self._total and self._done) or self._longest_wait()):
            self._show(self._line(width_of(2, {}) or 80))
        elif self._shown:
            self._show("")

    def _show(self, line: str, above: str = "") -> None:
        """Replace the status line, and print the text ``above`` it."""
        _write_stderr("\r" + " " * self._shown + "\r" + above + line)
        self._shown = display_width(line)

    def _longest_wait(self) -> str:
        """Return the longest wait, as text: for what, and how long.  "" if no wait is long."""
        since, what = min(self._waiting.values(), default=(0.0, ""))
        seconds = time.monotonic() - since
        if not what or seconds < _PATIENCE:
            return ""
        others = len({name for _, name in self._waiting.values()}) - 1
        more = f" and {others} more" if others else ""
        return f"waiting for {visible(what)}{more} ({seconds:.0f} s)"

    def _line(self, width: int) -> str:
        """Return the status line, cut to less than the width: the terminal could not erase a wrapped line."""
        line = ""
        if self._total and self._done:
            filled = _BAR * self._done // self._total
            line = f"{self._doing} [{'#' * filled}{'-' * (_BAR - filled)}] {self._done}/{self._total} "
        line += self._longest_wait()
        while display_width(line) >= width:
            line = line[:-1]
        return line


def display_width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _write_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # stderr is closed or full, so no stream is left to report the error on


def width_of(descriptor: int, environ: Mapping[str, str]) -> int:
    """Return the width of a terminal, or 0 for other streams.  COLUMNS overrides the real width."""
    if not is_terminal(descriptor):
        return 0
    if (columns := environ.get("COLUMNS", "")).isdecimal():
        return int(columns)
    try:
        return os.get_terminal_size(descriptor).columns
    except OSError:
        return 0


_PROGRAMS = "encconf|git|chmod|echo|mkdir|pip|pipx|rm|systemctl|uv"  # of the commands in messages


def wrapped(line: str, width: int) -> list[str]:
    """Wrap a line between words.  Words that are too long stay whole, and so do lines with color codes.

    A second column, which two blanks set apart, stays a column.  A command at the end of the line stays
    whole: it is to be copied, and a shell would take its second line for another command.
    """
    if width < _NARROW or len(line) <= width or "\033" in line:
        return [line]
    import re

    command = re.search(rf": ((?:{_PROGRAMS}) (?:(?![,;] | \(| or ).)+)$", line)
    if command is None:
        return _broken(line, width)
    lines = _broken(line, width)
    if any(part.endswith(command[1]) for part in lines):
        return lines
    blanks = len(line) - len(line.lstrip(" ")) + 2
    return [*wrapped(line[: command.start() + 1], width), " " * blanks + command[1]]


def _broken(line: str, width: int) -> list[str]:
    import re
    from textwrap import wrap

    first = re.match(r" *\S+(?: \S+)*  +", line)
    indent = first.end() if first and first.end() <= _COLUMN else len(line) - len(line.lstrip(" ")) + 2
    if indent >= width:
        return [line]
    return wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )


class Paper:
    """The lines of a printed report, with colors if stdout is to be colored."""

    def __init__(self, console: Console) -> None:
        self._colored = wants_color(console.color, 1, console.environ)
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        """Add a line."""
        self.lines.append(line)

    def paint(self, color: str, text: str) -> str:
        """Return the text in a color, which is an ANSI code such as ``1;31``, if the report is colored."""
        return f"\033[{color}m{text}\033[0m" if self._colored and text.strip() else text


def collect_garbage() -> None:
    """Switch garbage collection on, for a command that runs for a long time.

    `encconf.cli.run` switches it off, because most commands are short.  A long one could fill the memory with
    objects that refer to each other: those of some libraries, and YAML's parser where libyaml is missing.
    """
    import gc

    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(5_000)
        gc.enable()


def wants_color(mode: str | None, descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether to color a stream.  --color decides first, then NO_COLOR, then variables that force color."""
    if mode in ("always", "never"):
        return mode == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return shows_colors(descriptor)


def paragraph(text: str) -> str:
    """Make a message safe: a name with a line break can fake no other message, and no command to CI."""
    first, *more = visible(text).split("\n")
    lines = [first, *(line if not line or line.startswith("  ") else f"  {line}" for line in more)]
    return "\n".join(map(no_command, lines))


def ask_for_value(path: str, hint: str) -> str:
    """Ask for the value of a path without showing it, or read all of stdin without its last line break.

    Raises UsageError, with this hint, if it is empty, which usually means that a variable is not set.
    """
    from encconf.io import fileio

    if is_terminal(0):
        import getpass

        try:
            text = getpass.getpass(f"encconf: value of {path} (hidden): ")
        except (EOFError, KeyboardInterrupt) as end:
            _write_stderr("\n")  # the line of the prompt is not ended yet
            if isinstance(end, KeyboardInterrupt):
                raise
            text = ""
    else:
        text = fileio.read_stdin().removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError(f"no value was given for {path}; nothing was changed", hint=hint)
    return text


def word_as_text(word: str) -> str:
    """Decode a word of the command line as UTF-8, whatever the locale.  Raises UsageError."""
    if word.isascii():
        return word
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        raise UsageError("a word of the command line is not UTF-8", hint="write it in UTF-8") from None
