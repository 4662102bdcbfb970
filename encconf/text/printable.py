"""Make text from other people's files and services safe to print in a message."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def printable(text: str, limit: int = 0) -> str:
    """Return the text on one line, without control characters, cut to ``limit`` characters."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def quoted(word: str) -> str:
    """Quote a word for a shell.  It stays on one line: ``$'…'`` if not all of it is printable."""
    import shlex

    if word.isprintable():
        return shlex.quote(word)
    data = ((sign, sign.encode("utf-8", "surrogateescape")) for sign in word)
    return f"$'{''.join(_in_quotes(sign, its) for sign, its in data)}'"


def _in_quotes(sign: str, data: bytes) -> str:
    """Return a character, whose bytes are ``data``, between the quotes of ``$'…'``."""
    if sign in "\\'":
        return f"\\{sign}"
    return sign if sign.isprintable() else "".join(f"\\{byte:03o}" for byte in data)


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return a list of names as ``a, b and 3 more``, on one line."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(map(escaped, known[:most])) + more


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def escaped(text: str, allowed: str = "") -> str:
    """Escape all characters of a text that are not printable, except those in ``allowed``."""
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)


def visible(text: str) -> str:
    """Escape the control characters of a text, which may contain names from an untrusted file."""
    return escaped(text, "\n\t")


def no_command(line: str) -> str:
    """Escape the first character of a line that a CI system would obey: ``::error::…``, ``##[error]…``."""
    body = line.lstrip()
    if not body.startswith(("::", "##")):
        return line
    return f"{line[: len(line) - len(body)]}\\x{ord(body[0]):02x}{body[1:]}"


def one_line(text: str) -> str:
    """Escape a name, so that it cannot end its line or give commands to a CI system."""
    return no_command(visible(text).replace("\n", "\\n").replace("\t", "\\t"))
