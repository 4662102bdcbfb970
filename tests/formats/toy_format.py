"""A format for a test: dotenv, but a value never goes on in the next line."""

from __future__ import annotations

from encconf.errors import ParseError
from encconf.formats.dotenv import Dotenv
from encconf.text.document import Document


class Toy(Dotenv):
    name = "toy"

    def scan(self, text: str, *, comments: bool = False) -> Document:
        document = super().scan(text, comments=comments)
        for leaf in document.leaves:
            if "\n" in text[leaf.start : leaf.end]:
                line = text.count("\n", 0, leaf.start) + 1
                raise ParseError("a value goes on in the next line", line=line)
        return document
