"""Texts from foreign files and services, made fit for a message."""

from __future__ import annotations


def printable(text: str, limit: int = 0) -> str:
    """The text on one line and without what could move a terminal's cursor, cut to ``limit`` characters."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def escaped(text: str, allowed: str = "") -> str:
    """The text with all that is not printable made visible, but for the characters that are ``allowed``."""
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)
