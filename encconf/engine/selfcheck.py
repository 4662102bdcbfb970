"""Checks on a finished encrypted text before it is returned.

The text must hold the intended ciphertexts, and decrypting it must give the original text.  These checks
catch values that were written wrongly, a lost block, comments that cannot be read again, and files that are
too large.
"""

from __future__ import annotations

from operator import and_

from encconf.engine.cipher import unseal
from encconf.engine.comments import open_comments
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened, without_nulls
from encconf.engine.plaintext import plain_text
from encconf.errors import EmitError, LimitError
from encconf.rules.selection import Chosen
from encconf.text.document import Document, Unsealed, Value
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def check_finished(
    plain: Document,
    chosen: bytearray,
    final: Document,
    now_chosen: bytearray,
    sealed: list[str | None],
    values: Sequence[Value],
    metadata: Metadata,
) -> list[Value | None]:
    """Raise EmitError unless a finished text holds exactly what it should.

    It should have the leaves of the plaintext with their ``values``, with the ``chosen`` ones replaced by the
    ciphertexts in ``sealed``, and the block.

    Returns the values that `comes_back` need not decrypt: strings whose ciphertexts this run has encrypted or
    decrypted, with the same data key and for the same path, so decrypting them again would show nothing.
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
    known: list[Value | None] = []
    for leaf, value, found, enc in zip(plain.leaves, values, final.leaves, sealed, strict=True):
        if enc is None:
            fits = found.type == value.type and found.data == value.data
            known.append(None)
        else:
            data = enc.encode()
            fits = found.type == "str" and found.data == data
            # A ciphertext does not authenticate its type: a reader checks values of other types.
            certain = value.type == "str" and leaf.scope.aad == found.scope.aad
            known.append(Unsealed("str", value.data, data) if certain else None)
        if not fits:
            raise EmitError(
                f"the value at {spell(leaf.path)} cannot be encrypted in its place",
                hint="write the value differently, for example in double quotes on one line",
            )
    return known


def comes_back(
    document: Document,
    original: str,
    data_key: bytes,
    chosen: Chosen | None = None,
    known: Sequence[Value | None] = (),
) -> bool:
    """Whether a finished document, opened as a reader opens it, gives the original text to the byte.

    ``chosen`` is what its selection chooses, and ``known`` has values, if the caller knows them.  Raises
    LimitError for a text that is too large to be read, and MacMismatchError if its block has another
    selection than its MAC.
    """
    from encconf.io import fileio

    if len(document.text.encode("utf-8", "surrogateescape")) > fileio.LIMIT:
        raise LimitError(
            f"the encrypted file would be larger than {fileio.LIMIT >> 20} MiB, the most that encconf reads",
            hint="split the file; for large binary data, encrypt it with age and keep only its key here",
        )
    metadata = Metadata.of(document)
    chosen = chosen or metadata.selection.choose(document)
    known = known or [None] * len(document.leaves)
    closed = bytearray(map(and_, chosen.leaves, [value is None for value in known]))
    values = unseal(document, closed, data_key)
    values = [value if value is not None else found for value, found in zip(known, values, strict=True)]
    opened = Opened(document, metadata, chosen, data_key, values)
    opened.check_mac()
    opened = opened.replace(values=without_nulls(document, values))
    return plain_text(open_comments(opened)) == original


def _wraps(metadata: Metadata) -> list[list[str]]:
    """Return every wrapped data key by group, sorted: a block lists them by type."""
    return [sorted(wrapped.enc for wrapped in group) for group in metadata.groups]
