"""A quirk of values that begin with a quote, in dotenv files that sops wrote.

sops stores a value that begins with a quote and has no other.  In the plain text, the next quote of the
kind ends it, and takes in the lines between: what were values of their own.
"""

from __future__ import annotations

from encconf import formats
from encconf.errors import EmitError
from encconf.text.path import spell

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
                f"the value at {spell(leaf.path)} begins with a quote that ends several lines later",
                hint="put the whole value in the other kind of quotes, with: encconf edit FILE",
            )
