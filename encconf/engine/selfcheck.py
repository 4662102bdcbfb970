"""Checks on a finished encrypted text before it is returned.

The text must hold the intended ciphertexts, and decrypting it must give the original text.  These checks
catch values that were written wrongly, a lost block, comments that cannot be read again, and files that are
too large.
"""

from __future__ import annotations

from operator import and_

from encconf.engine.comments import open_comments
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened, without_nulls
from encconf.engine.plaintext import plain_text
from encconf.engine.seal import unseal
from encconf.errors import EmitError, LimitError
from encconf.rules.selection import Chosen
from encconf.text.document import Document
from encconf.text.path import spell


def check_finished(
    plain: Document,
    chosen: bytearray,
    final: Document,
    now_chosen: bytearray,
    sealed: list[str | None],
    metadata: Metadata,
) -> None:
    """Raise EmitError unless a finished text holds exactly what it should.

    It should have the leaves of the plaintext, with the ``chosen`` ones replaced by the ciphertexts in
    ``sealed``, and the block.  A string gets its plaintext back: this run has encrypted or decrypted its
    ciphertext, with the same data key and for the same path, so decrypting it once more would show nothing.
    """
    fits = final.shape == plain.shape and chosen == now_chosen
    # A file without its block is lost: the block holds the only copy of the data key.
    if fits and all(part.block is not None for part in final.parts):
        there = Metadata.of(final)
        fits = (there.mac, there.selection) == (metadata.mac, metadata.selection)
        fits = fits and _wraps(there) == _wraps(metadata)
    else:
        fits = False
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
            # A ciphertext does not authenticate its type: a reader checks values of other types.
            if leaf.type == "str" and leaf.scope.aad == found.scope.aad:
                found.data, found.sealed = leaf.data, enc
        if not fits:
            raise EmitError(
                f"the value at {spell(leaf.path)} cannot be encrypted in its place",
                hint="write the value differently, for example in double quotes on one line",
            )


def comes_back(document: Document, original: str, data_key: bytes, chosen: Chosen | None = None) -> bool:
    """Whether a finished document, opened as a reader opens it, gives the original text to the byte.

    ``chosen`` is what its selection chooses, if the caller knows.  Raises LimitError for a text that is too
    large to be read, and MacMismatchError if its block has another selection than its MAC.
    """
    from encconf.io import fileio

    if len(document.text.encode("utf-8", "surrogateescape")) > fileio.LIMIT:
        raise LimitError(
            f"the encrypted file would be larger than {fileio.LIMIT >> 20} MiB, the most that encconf reads",
            hint="split the file; for large binary data, encrypt it with age and keep only its key here",
        )
    metadata = Metadata.of(document)
    opened = Opened(document, metadata, chosen or metadata.selection.choose(document), data_key)
    closed = [leaf.sealed is None for leaf in document.leaves]
    unseal(document, bytearray(map(and_, opened.chosen.leaves, closed)), data_key)
    opened.check_mac()
    without_nulls(document)
    opened.comments = open_comments(opened)
    return plain_text(opened) == original


def _wraps(metadata: Metadata) -> list[list[str]]:
    """Return every wrapped data key by group, sorted: a block lists them by type."""
    return [sorted(wrapped.enc for wrapped in group) for group in metadata.groups]
