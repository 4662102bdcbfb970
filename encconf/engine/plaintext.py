"""The plaintext of an opened document, byte for byte the text that was encrypted.

The values and comments are spliced into the encrypted text, the ``sops`` block is removed, and the layout
record (`encconf.engine.layout`) restores what the encrypted text cannot show.
"""

from __future__ import annotations

from itertools import accumulate

from encconf.engine.cipher import split, unlock
from encconf.engine.metadata import LAYOUT_AAD
from encconf.errors import EmitError, EncconfError
from encconf.text.document import (
    ENC_PREFIX,
    Document,
    Edit,
    Leaf,
    Part,
    Scope,
    Unsealed,
    Value,
    aads,
    overlap,
    splice,
)
from encconf.text.path import Path, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.opening import Opened
    from encconf.text.document import Format

    Token = tuple[bytes, tuple[str, bytes | None]]


def plain_text(opened: Opened, *, layout: bool = True) -> str:
    """Return the plaintext of an opened document.  Without ``layout``, values have sops's spelling.

    Even then, line breaks, blank lines and comments are the original ones, except at the end of the text.
    """
    document = opened.document
    text = document.text
    format = document.format
    comments = opened.comment_edits
    literals = _literals(format, opened)
    detach = format.detach(document)
    canonical = splice(text, _around(literals, comments, text) + detach)
    packed = open_layout(opened)
    if packed is None:
        return canonical
    from encconf.engine import layout as layouts

    record = layouts.Layout.unpack(packed)
    if record is None:
        return canonical
    if not layout:
        record.of_gaps_only()
        if not record.gaps and not record.newline:
            return canonical
    result = layouts.restore_whole(record, canonical)
    if record.whole is None and (edits := layouts.apply(record, format, document, literals)) is not None:
        result = layouts.finish(record, format, splice(text, _around(edits, comments, text) + detach))
    # A record that is older than the file can give a text with other values.
    return result if result is not None and _says(format, result, opened) else canonical


def masked(opened: Opened, mask: str) -> Opened:
    """Return an opened document with a mask for each encrypted value, and for comments.

    Its `plain_text` has the layout of the encrypted text: the layout record may have values in it.
    """
    values = [
        value.replaced("str", mask.encode())
        if value.sealed is not None and value.data is not None and value.type != "comment"
        else value
        for value in opened.values
    ]
    comments = [
        (comment.start, comment.end, f" {mask}")
        for comment in opened.document.comments
        if comment.text.lstrip().startswith(ENC_PREFIX)
    ]
    return opened.replace(
        values=values,
        comments=opened.document.comments,
        comment_edits=comments,
        metadata=opened.metadata.replace(layout=None),
    )


def moved_document(opened: Opened) -> Document | None:
    """Return the document of the plaintext without a scan: the opened one's leaves, at their new offsets.

    It has items and parts, but no comments.  Returns None if the plaintext must be scanned.  The
    caller checks that the format reads every value as it was encrypted (`encconf.engine.changes`).
    """
    document = opened.document
    format = document.format
    if opened.metadata.layout is not None or _is_special(opened) or not format.movable(document):
        return None
    literals = _literals(format, opened)
    edits = sorted([*filter(None, literals), *opened.comment_edits, *format.detach(document)])
    if overlap(edits):
        return None
    from bisect import bisect_left

    starts = [start for start, _, _ in edits]
    shifts = [0, *accumulate(len(new) - (end - start) for start, end, new in edits)]

    def now(at: int) -> int:
        return at + shifts[bisect_left(starts, at)]

    moved = Document(splice(document.text, edits), document.format)
    moved.regular = document.regular
    pairs = zip(opened.values, literals, strict=True)
    scopes: dict[int, Scope] = {}  # by the id of the old one
    for item in document.items:
        if isinstance(item, Scope):
            parent = scopes[id(item.parent)] if item.parent is not None else None
            again = scopes[id(item.again)] if item.again is not None else None
            scopes[id(item)] = new = Scope(parent, item.step, item.keys, item.aad, item.listed, again)
            new.start, new.end, new.head, new.sign = map(now, item.places)
            moved.items.append(new)
            continue
        value, edit = next(pairs)
        start = now(item.start)
        end = now(edit[0]) + len(edit[2]) if edit is not None else now(item.end)
        scope = scopes[id(item.scope)]
        head, sign = now(item.head), now(item.sign)
        moved.items.append(
            Leaf(scope, item.step, start, end, item.style, value.type, value.data, item.note, head, sign)
        )
    moved.merges = [scopes[id(scope)] for scope in document.merges]
    for part in document.parts:
        moved.parts.append(Part(now(part.start)))
    return moved


def _is_special(opened: Opened) -> bool:
    """Whether a document has comments among its values, or values that may extend over the lines below."""
    return any(value.type == "comment" for value in opened.values) or bool(beginning_with_quote(opened))


def text_to_change(opened: Opened) -> str:
    """Return the `plain_text`, to change one of its values.

    Raises EmitError where a value cannot be separated from the lines below it.
    """
    text = plain_text(opened)
    if before := beginning_with_quote(opened):
        refuse_torn(opened.document.format.scan(text), before)
    return text


def _literals(format: Format, opened: Opened) -> list[Edit | None]:
    """Return the edit for each value whose text changes, or None."""
    literal, respelled, document = format.literal, format.respelled, opened.document
    return [
        None
        if value.data is None or value.type == "comment"
        else literal(document, leaf, value.type, value.data)
        if isinstance(value, Unsealed)
        else respelled(document, leaf)
        for leaf, value in zip(document.leaves, opened.values, strict=True)
    ]


def _around(literals: Sequence[Edit | None], comments: Sequence[Edit], text: str) -> list[Edit]:
    """Combine the edits of values and comments.  The header of a block scalar may contain a comment."""
    edits = sorted(filter(None, literals))
    apart: list[Edit] = []
    at = 0
    for start, end, plain in sorted(comments):
        while at < len(edits) and edits[at][1] <= start:
            at += 1
        if at < len(edits) and edits[at][0] <= start:
            value = edits[at]
            edits[at] = (value[0], value[1], value[2].replace(text[start:end], plain, 1))
        else:
            apart.append((start, end, plain))
    return edits + apart


def open_layout(opened: Opened) -> bytes | None:
    """Decrypt the layout record.  Returns None if the file has none."""
    parts = split(opened.metadata.layout or "")
    if parts is None:
        return None
    # None if somebody without the key wrote it: then the layout of the encrypted text is used.
    return unlock(opened.data_key, parts[0], parts[1], LAYOUT_AAD)


def _says(format: Format, text: str, opened: Opened) -> bool:
    """Whether a plaintext holds exactly the values of an opened document."""
    try:
        found = format.scan(text)
    except EncconfError:
        return False
    pairs = zip(opened.document.leaves, opened.values, strict=True)
    wanted = [(leaf, value) for leaf, value in pairs if value.type != "comment"]
    return found.outline == opened.document.outline and tokens(found.leaves, found.leaves, format) == tokens(
        [leaf for leaf, _ in wanted], [value for _, value in wanted], format
    )


# --- values that begin with a quote --------------------------------------------------------------
#
# In a dotenv file that sops wrote, a value may begin with a quote and not end with one.  In the plaintext,
# such a value extends to the next quote of its kind, and the lines in between, which held other values,
# become part of it.


def beginning_with_quote(opened: Opened) -> set[tuple[Path, bytes]]:
    """Return the paths and bytes of the values that begin with a quote.  Few files have any."""
    return {
        (leaf.path, value.data)
        for leaf, value in zip(opened.document.leaves, opened.values, strict=True)
        if value.data and value.data.lstrip(b" \t").startswith((b'"', b"'"))
    }


def refuse_torn(plain: Document, before: set[tuple[Path, bytes]]) -> None:
    """Raise EmitError if a value of `beginning_with_quote` extends over others in a plaintext."""
    if not before:
        return
    unclosed = plain.format.unclosed
    for leaf in plain.leaves:
        first = unclosed(plain, leaf)
        if first is not None and (leaf.path, first) in before:
            raise EmitError(
                f"the value at {spell(leaf.path)} begins with a quote that ends several lines later",
                hint="put the whole value in the other kind of quotes, with: encconf edit FILE",
            )


def tokens(leaves: Sequence[Leaf], values: Sequence[Value], format: Format) -> list[Token]:
    """What must be equal for a ciphertext to be reused: place, type and bytes."""
    return list(zip(aads(leaves), map(format.token, values), strict=True))
