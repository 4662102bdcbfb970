"""Find the ciphertexts to reuse when a text is encrypted again: those of unchanged values and comments.

A ciphertext is reused at most once, and only for the same place, type and bytes.
"""

from __future__ import annotations

from encconf.engine.comments import comment_aad, stored
from encconf.text.align import align
from encconf.text.document import Document, Leaf, aads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.opening import Opened
    from encconf.formats import Format

    Token = tuple[bytes, tuple[str, bytes | None]]


def tokens(leaves: list[Leaf], module: Format) -> list[Token]:
    """What must be equal for a ciphertext to be reused: place, type and bytes."""
    return list(zip(aads(leaves), map(module.token, leaves), strict=True))


def reused_leaves(sources: Sequence[Opened], plain: Document, module: Format) -> list[Leaf | None]:
    """For each leaf of a plaintext, the old leaf whose ciphertext it keeps, or None for a new value."""
    reused: list[Leaf | None] = [None] * len(plain.leaves)
    now = tokens(plain.leaves, module)
    for source in sources:
        old = source.document.leaves
        # Two branches may share a ciphertext from their common past: it is reused once.
        used = {leaf.sealed for leaf in filter(None, reused) if leaf.sealed is not None}
        for at, index in enumerate(align(tokens(old, module), now)):
            if index is not None and reused[at] is None and old[index].sealed not in used:
                reused[at] = old[index]
    return reused


def reused_comments(
    sources: Sequence[Opened], plain: Document, final: Document, module: Format
) -> dict[int, str]:
    """Return the ciphertexts that comments of the ``final`` text keep, by the comment's number."""
    reused: dict[int, str] = {}
    now = _with_comments(plain.leaves, final, module)
    for opened in sources:
        before = _with_comments(opened.document.leaves, opened.document, module)
        taken = align([token for token, _, _ in before], [token for token, _, _ in now])
        used = set(reused.values())
        for (_, index, _), source in zip(now, taken, strict=True):
            enc = before[source][2] if source is not None else None
            if index is not None and enc is not None and index not in reused and enc not in used:
                reused[index] = enc
        _add_misplaced(reused, opened.document, final)
    return reused


def _add_misplaced(reused: dict[int, str], old: Document, final: Document) -> None:
    """Keep the ciphertexts of comments that sops encrypted for another place as well."""
    used = set(reused.values())
    astray: dict[bytes, list[str]] = {}
    for comment in reversed(old.comments):
        if comment.misplaced and comment.sealed and comment.sealed not in used:
            astray.setdefault(stored(comment), []).append(comment.sealed)
    if not astray:
        return
    for index, comment in enumerate(final.comments):
        left = astray.get(stored(comment))
        if index not in reused and left:
            reused[index] = left.pop()


def _with_comments(
    leaves: list[Leaf], document: Document, module: Format
) -> list[tuple[Token, int | None, str | None]]:
    """Return the tokens of leaves and comments in text order, with each comment's number and ciphertext.

    ``leaves`` have the plaintexts.  ``document``, with as many leaves, has the places and comments.
    """
    items: list[tuple[int, tuple[Token, int | None, str | None]]] = [
        (place.start, (token, None, leaf.sealed))
        for leaf, place, token in zip(leaves, document.leaves, tokens(leaves, module), strict=True)
    ]
    for index, comment in enumerate(document.comments):
        token = (comment_aad(comment.scope.aad), ("comment", stored(comment)))
        items.append((comment.start, (token, index, comment.sealed)))
    items.sort(key=lambda item: item[0])
    return [item for _, item in items]
