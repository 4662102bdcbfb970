"""Regular expressions of rules: what Go's ``regexp`` means, through RE2 (google-re2).

sops 3.13.3 matches keys, comments and paths with Go's ``regexp.Match``: unanchored, on UTF-8,
``.`` without the line feed, ``$`` only at the very end.  RE2 has the same syntax and meaning, and
its time is linear in the text.  The differences are evened out here: ``\\C`` and group names
outside ASCII are refused, and a byte that is not UTF-8 counts as U+FFFD.  Patterns come from
repositories, so their length, memory and total work are bounded.

Not taken, though Go takes them: the long and the loosely spelled names of Unicode classes of Go 1.25
(``\\p{Letter}`` and ``\\p{greek}`` for ``\\pL`` and ``\\p{Greek}``), and what is too large, ``\\pL{100}``
say.  Those are errors here, never another meaning.  Not evened out: ``\\B`` with nothing beside it can
match inside a character, and ``\\x{D800}`` matches U+FFFD.
"""

from __future__ import annotations

from encconf.errors import PatternError
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_LENGTH = 4096
"""The longest pattern, in characters."""
MAX_MEMORY = 1 << 20
"""How much a compiled pattern may take, in bytes; RE2 refuses what does not fit."""
MAX_WORK = 1 << 29
"""The bound on program size times bytes searched, over a pattern's life: about a second at worst."""
FREE_SIZE = 500
"""How large a program may be for its work not to count: 250 instructions, there and back."""


class Pattern:
    """A compiled pattern; made by `compile`."""

    def __init__(self, text: str, regex: Any) -> None:
        self.text = text
        self._regex = regex
        # The program, and about as much for the way back.
        self._size: int = max(2 * regex.programsize - FREE_SIZE, 0)
        self._work = MAX_WORK

    def search(self, text: str | bytes) -> bool:
        """Whether the pattern matches somewhere in the text.

        Raises PatternError once all searches together have cost more than any real one does.
        """
        data = _utf8(text)
        self._work -= self._size * (len(data) + 16)  # 16: what a search costs before its first byte
        if self._work < 0:
            raise PatternError(
                f"the pattern {_shown(self.text)} takes too long",
                hint="avoid large repetitions",
            )
        return self._regex.search(data) is not None

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def compile(text: str) -> Pattern:
    """Compile a pattern.

    Raises PatternError, with the place in the pattern where RE2 tells it, for what Go or RE2
    cannot compile and for patterns that are too long or too large.
    """
    import re2

    if len(text) > MAX_LENGTH:
        raise PatternError(f"a pattern of {len(text)} characters is too long (at most {MAX_LENGTH})")
    try:
        source = text.encode()
    except UnicodeEncodeError:
        raise PatternError(f"the pattern {_shown(text)} holds a lone surrogate") from None
    if _has_any_byte(text):
        raise _syntax_error(text, r"invalid escape sequence: \C")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        if "(?" in text and not text.isascii():
            for name in re2.compile(source, options).groupindex:  # bytes, as the pattern is
                if not name.isascii():
                    raise _syntax_error(text, f"invalid named capture group: <{name.decode()}>")
        options.never_capture = True  # thousands of groups would cost megabytes a search
        return Pattern(text, re2.compile(source, options))
    except re2.error as error:
        said = error.args[0]
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise _syntax_error(text, reason) from None


def _has_any_byte(text: str) -> bool:
    r"""Whether the escape ``\C`` is there: any byte in RE2, an error in Go."""
    at = 0
    while (at := text.find("\\", at)) >= 0:
        escaped = text[at + 1 : at + 2]
        if escaped == "C":
            return True
        at += 2
        if escaped == "Q":
            end = text.find("\\E", at)
            if end < 0:
                return False
            at = end + 2
    return False


def _utf8(text: str | bytes) -> bytes:
    """The bytes to search: each byte or half character that is not UTF-8 is U+FFFD, as Go reads it."""
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
    """A pattern for a message."""
    return f'"{printable(text, 80)}"'
