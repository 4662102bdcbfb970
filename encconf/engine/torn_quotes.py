"""Values that begin with a quote, in dotenv files that sops wrote.

sops stores a value that begins with a quote and does not end with one.  In the plaintext, such a value
extends to the next quote of its kind, and the lines in between, which held other values, become part of it.
"""

from __future__ import annotations

from encconf import formats
from encconf.errors import EmitError
from encconf.text.document import Document
from encconf.text.path import Path, spell


def quoted(document: Document) -> set[tuple[Path, bytes]]:
    """Return the paths and bytes of the values that begin with a quote.  Few files have any."""
    return {
        (leaf.path, leaf.data)
        for leaf in document.leaves
        if leaf.data and leaf.data.lstrip(b" \t").startswith((b'"', b"'"))
    }


def refuse_torn(plain: Document, before: set[tuple[Path, bytes]]) -> None:
    """Raise EmitError if one of the `quoted` values extends over other values in a plaintext."""
    if not before:
        return
    unclosed = formats.get(plain.format).unclosed
    for leaf in plain.leaves:
        first = unclosed(plain, leaf)
        if first is not None and (leaf.path, first) in before:
            raise EmitError(
                f"the value at {spell(leaf.path)} begins with a quote that ends several lines later",
                hint="put the whole value in the other kind of quotes, with: encconf edit FILE",
            )
