"""Checks on a finished encrypted text before it is given out: it says what was meant, and it comes back.

A spelling mistake, a lost block, a comment that is not read again and a file that is too large end here.
"""

from __future__ import annotations

from encconf.engine.comments import open_comments
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened
from encconf.engine.plaintext import plain_text
from encconf.engine.seal import unseal
from encconf.errors import EmitError, LimitError
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.rules.selection import Chosen, Selection
    from encconf.text.document import Document


def check_finished(
    plain: Document,
    chosen: bytearray,
    final: Document,
    now_chosen: bytearray,
    sealed: list[str | None],
    metadata: Metadata,
) -> None:
    """Raise EmitError unless a finished text holds exactly what was meant.

    That is the ``chosen`` leaves of the plain text as the ciphertexts in ``sealed``, and the block.
    """
    fits = len(final.leaves) == len(plain.leaves) and final.shape == plain.shape and chosen == now_chosen
    # Without its block a file is lost: it holds the only copy of the data key.
    fits = fits and all(part.block is not None for part in final.parts)
    if fits:
        there = Metadata.of(final)
        fits = there.mac == metadata.mac and _wraps(there) == _wraps(metadata)
    if not fits:
        raise EmitError(
            "the text cannot be encrypted without changing its structure",
            hint="please report the layout that causes this; nothing was written",
        )
    for leaf, found, enc in zip(plain.leaves, final.leaves, sealed, strict=True):
        if enc is None:
            fits = found.type == leaf.type and found.data == leaf.data
        else:
            fits = found.type == "str" and found.data == enc.encode()
        if not fits:
            raise EmitError(
                f"the value at {spell(leaf.path)} cannot be encrypted in its place",
                hint="write the value differently, for example in double quotes on one line",
            )


def comes_back(
    document: Document, original: str, data_key: bytes, selection: Selection, chosen: Chosen | None = None
) -> bool:
    """Open a finished document as a reader does; whether that gives the original text, to the byte.

    ``chosen`` is what the ``selection`` of this run chooses there, if it is known.  Raises LimitError for a
    text that is too large to be read.
    """
    _refuse_larger(document.text)
    metadata = Metadata.of(document)
    if chosen is None or metadata.selection != selection:
        chosen = metadata.selection.choose(document)
    opened = Opened(document, metadata, chosen, data_key)
    unseal(document, opened.chosen.leaves, data_key)
    opened.check_mac()
    opened.comments = open_comments(opened)
    return plain_text(opened) == original


def _refuse_larger(result: str) -> None:
    """Refuse to write what is not read again for its size."""
    from encconf.io import fileio

    if 4 * len(result) > fileio.LIMIT and len(result.encode("utf-8", "surrogateescape")) > fileio.LIMIT:
        raise LimitError(
            f"the encrypted file would be larger than {fileio.LIMIT >> 20} MiB, the most that encconf reads",
            hint="split the file; for large binary data, encrypt it with age and keep only its key here",
        )


def _wraps(metadata: Metadata) -> list[list[str]]:
    """Every wrapped data key, by group; a block lists them by type."""
    return [sorted(wrapped.enc for wrapped in group) for group in metadata.groups]
