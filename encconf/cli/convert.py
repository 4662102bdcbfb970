"""``--output-type`` and ``--extract``: an opened document, or a part of it, in another format."""

from __future__ import annotations

from encconf import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.api import Opened
    from encconf.path import Path


def converted(
    opened: Opened, format: str, *, path: Path = (), layout: bool = True, indent: int | None = None
) -> str:
    """The plain text in a format; in its own it is what was encrypted, with ``layout`` to the byte.

    A ``path`` takes a part of the first document: a string as it is, a mapping as a document.
    Raises PathNotFoundError; EmitError for what the format cannot hold.
    """
    document = opened.document
    if not path and format == document.format:
        return api.plain_text(opened, layout=layout)
    from encconf import changes, emit

    trees, notes = emit.trees_of(document)
    if not path:
        return emit.render(trees, format, notes, indent=indent)
    return emit.value(changes.find(trees[0], path), format, notes, indent=indent)


def plain_as(text: str, format: str, target: str) -> str:
    """A plain text in another format."""
    if format == target:
        return text
    from encconf import emit, formats

    document = formats.module(format).scan(text, comments=True)
    trees, notes = emit.trees_of(document)
    return emit.render(trees, target, notes)
