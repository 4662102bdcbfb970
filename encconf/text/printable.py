"""Text from other people's files and services, made safe to print in a message."""

from __future__ import annotations


def printable(text: str, limit: int = 0) -> str:
    """The text on one line, without control characters, cut to ``limit`` characters."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def quoted(word: str) -> str:
    """A word, quoted for a shell."""
    import shlex

    return shlex.quote(word)


def escaped(text: str, allowed: str = "") -> str:
    """The text with escapes for all characters that are not printable, except those in ``allowed``."""
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)
