"""The regular expressions of rules: they mean what they mean to Go's ``regexp``, and run on RE2 (google-re2).

sops 3.13.3 matches keys, comments and paths with Go's ``regexp.Match``: unanchored and on UTF-8, ``.`` does
not match a line feed, and ``$`` matches only at the very end.  RE2 has the same syntax and meaning, and its
time is linear in the length of the text.  This module removes the differences: it refuses ``\\C`` and group
names outside ASCII, and reads a byte that is not UTF-8 as U+FFFD.  Patterns come from repositories, so their
length, memory and total work are limited.

Some patterns of Go are errors here: the long and the loosely spelled names of Unicode classes of Go 1.25
(``\\p{Letter}`` and ``\\p{greek}`` for ``\\pL`` and ``\\p{Greek}``), and patterns that are too large, such
as ``\\pL{100}``.  Two differences remain: a ``\\B`` on its own can match inside a character, and
``\\x{D800}`` matches U+FFFD.

Without google-re2, `encconf.rules.plain_pattern` runs the patterns that are plain enough.
"""

from __future__ import annotations

from encconf.errors import PatternError
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.rules.plain_pattern import Machine

MAX_LENGTH = 4096
"""The longest pattern, in characters."""
MAX_MEMORY = 1 << 20
"""How much memory a compiled pattern may take, in bytes.  RE2 refuses a larger one."""
MAX_WORK = 1 << 29
"""The limit on program size times bytes searched, for all searches of a pattern: a second at worst."""
FREE_SIZE = 500
"""Work counts only for the part of a program above this size: 250 instructions in each direction."""


class Pattern:
    """A compiled pattern; made by `compile`."""

    def __init__(self, text: str, regex: Any) -> None:
        self.text = text
        self._regex = regex
        # The program, and about as much again for the search backwards.
        self._size: int = max(2 * regex.programsize - FREE_SIZE, 0)
        self._work = MAX_WORK

    def search(self, text: str | bytes) -> bool:
        """Whether the pattern matches somewhere in the text.

        Raises PatternError once all searches together exceed `MAX_WORK`, which no real use does.
        """
        data = _utf8(text)
        self._work -= self._size * (len(data) + 16)  # 16: what a search costs before its first byte
        if self._work < 0:
            raise self._takes_too_long()
        return self._regex.search(data) is not None

    def _takes_too_long(self) -> PatternError:
        return PatternError(f"the pattern {_shown(self.text)} takes too long", hint="avoid large repetitions")

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


class _PlainPattern(Pattern):
    """A pattern that runs without google-re2."""

    def __init__(self, text: str, machine: Machine) -> None:
        self.text = text
        self._machine = machine

    def search(self, text: str | bytes) -> bool:
        """Like `Pattern.search`."""
        from encconf.rules.plain_pattern import WorkError

        try:
            return self._machine.search(_utf8(text).decode())
        except WorkError:
            raise self._takes_too_long() from None


def compile(text: str) -> Pattern:
    """Compile a pattern.

    Raises PatternError if Go or RE2 cannot compile it, or if it is too long or too large.  The error names
    the place in the pattern if RE2 does.  Without google-re2, the error names the pattern that needs it.
    """
    if len(text) > MAX_LENGTH:
        raise PatternError(f"a pattern of {len(text)} characters is too long (at most {MAX_LENGTH})")
    try:
        source = text.encode()
    except UnicodeEncodeError:
        raise PatternError(f"the pattern {_shown(text)} holds a lone surrogate") from None
    if "\\C" in text and _has_any_byte(text):
        raise _syntax_error(text, r"invalid escape sequence: \C")
    try:
        import re2
    except ImportError:
        return _plain(text)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        if "(?" in text and not text.isascii():
            for name in re2.compile(source, options).groupindex:  # bytes, like the pattern
                if not name.isascii():
                    raise _syntax_error(text, f"invalid named capture group: <{name.decode()}>")
        options.never_capture = True  # thousands of groups would take megabytes in each search
        return Pattern(text, re2.compile(source, options))
    except re2.error as error:
        said = error.args[0]
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise _syntax_error(text, reason) from None


def _plain(text: str) -> Pattern:
    from encconf.rules.plain_pattern import Machine, NeedsRe2Error

    try:
        return _PlainPattern(text, Machine(text))
    except NeedsRe2Error:
        from encconf.text.packages import how_to_install

        raise PatternError(
            f"the pattern {_shown(text)} is wrong, or needs the package google-re2",
            hint=f"{how_to_install('google-re2')}; without it, a pattern can have characters, ., [classes],"
            r" (groups), |, *, +, ?, ^, $, \d, \w, \s, and (?i) at its start",
        ) from None


def _has_any_byte(text: str) -> bool:
    r"""Whether the pattern has the escape ``\C``, which is any byte to RE2 and an error to Go."""
    import re

    # Between \Q and \E, a backslash is a backslash.
    return any(found[0] == "\\C" for found in re.finditer(r"(?s)\\Q.*?(?:\\E|\Z)|\\.", text))


def _utf8(text: str | bytes) -> bytes:
    """Return the bytes to search.  Each byte or lone surrogate that is not UTF-8 becomes U+FFFD, as in Go."""
    try:
        if isinstance(text, str):
            return text.encode()
        text.decode()
        return text
    except UnicodeError:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text).encode()


def _syntax_error(text: str, said: str) -> PatternError:
    reason, _, piece = said.partition(": ")
    at = text.find(piece)
    if piece and piece != text:
        place = f" at character {at + 1}" if at >= 0 and text.count(piece) == 1 else ""
        reason = f"{reason} {_shown(piece)}{place}"
    return PatternError(
        f"the pattern {_shown(text)} is not a valid RE2 regular expression: {reason}",
        hint=r"RE2 has no look-around, back references or possessive quantifiers, and \z is the end of the"
        r" text: https://github.com/google/re2/wiki/Syntax",
    )


def _shown(text: str) -> str:
    """Return a pattern in quotes, for a message."""
    return f'"{printable(text, 80)}"'
