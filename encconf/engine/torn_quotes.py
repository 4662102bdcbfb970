"""A quirk of values that begin with a quote, in dotenv files that sops wrote.

sops stores a value that begins with a quote and has no other.  In the plain text, the next quote of the
kind ends it, and takes in the lines between: what were values of their own.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine.seal import path_text
from encconf.errors import EmitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document
    from encconf.text.path import Path


def quoted(document: Document) -> set[tuple[Path, bytes]]:
    """The values that begin with a quote, by their paths: few files have any."""
    return {
        (leaf.path, leaf.data)
        for leaf in document.leaves
        if leaf.data and leaf.data.lstrip(b" \t").startswith((b'"', b"'"))
    }


def refuse_torn(plain: Document, before: set[tuple[Path, bytes]]) -> None:
    """Refuse a plain text in which one of the values that were `quoted` takes in other values."""
    if not before:
        return
    unclosed = formats.module(plain.format).unclosed
    for leaf in plain.leaves:
        first = unclosed(plain, leaf)
        if first is not None and (leaf.path, first) in before:
            raise EmitError(
                f"the value at {path_text(leaf.path)} begins with a quote that ends lines below it",
                hint="put the whole value between quotes of the other kind, with: encconf edit FILE",
            )
