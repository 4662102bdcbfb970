"""A format for a test: dotenv, but a value never goes on in the next line."""

from __future__ import annotations

from encconf.errors import ParseError
from encconf.formats import dotenv
from encconf.formats.dotenv import *  # noqa: F403 — all but what is defined below
from encconf.text.document import Document


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse lines into leaves with spans."""
    document = dotenv.scan(text, comments=comments)
    for leaf in document.leaves:
        if "\n" in text[leaf.start : leaf.end]:
            line = text.count("\n", 0, leaf.start) + 1
            raise ParseError("a value goes on in the next line", line=line)
    document.format = "toy"
    return document
