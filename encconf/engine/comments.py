"""Comments and their ciphertexts: what sops stores for a comment, and under which keys.

`encconf.formats.yaml_comments` decides which values a comment belongs to.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine.cipher import aes_gcm, split, unlock
from encconf.text.document import Comment, UnsealedComment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.opening import Notify, Opened
    from encconf.text.document import Document, Edit, Value


def open_comments(opened: Opened, notify: Notify | None = None) -> Opened:
    """Return the opened document with its comments decrypted, too.

    Only comments that the file's selection encrypts are decrypted.  No MAC covers comments: if somebody moved
    a ciphertext to a place that is not encrypted, the next edit would write it as plaintext.
    """
    document = opened.document
    module = formats.get(document.format)
    # sops puts any bytes into dotenv and INI files, as lone surrogates here.
    errors = "surrogateescape" if formats.get(document.format).flat else "replace"
    edits: list[Edit] = []
    comments: list[Comment] = []
    lost = 0
    key = aes_gcm(opened.data_key)
    places: list[bytes] = []
    for comment, is_chosen in zip(document.comments, opened.chosen.comments, strict=True):
        parts = split(comment.text) if is_chosen else None
        if parts is None or parts[2] != "comment":
            comments.append(comment)
            continue
        data = unlock(key, *parts[:2], comment_aad(comment.scope.aad))
        misplaced = data is None
        if data is None:
            # go-yaml puts a few comments in unexpected places.  GCM's tag shows which guess is right.
            places = places or _all_places(document)
            guesses = (unlock(key, *parts[:2], place) for place in places)
            data = next((guess for guess in guesses if guess is not None), None)
        plain = None if data is None else module.comment_text(data.decode("utf-8", errors))
        if plain is None:
            lost += 1
            comments.append(comment)
            continue
        if isinstance(comment.scope.node, list) and plain.strip(" ") == "":
            plain = plain[1:]
        comments.append(UnsealedComment(comment, plain, misplaced=misplaced))
        edits.append((comment.start, comment.end, plain))
    if lost and notify:
        from encconf.text.printable import counted

        notify(f"could not decrypt {counted(lost, 'encrypted comment')}: left unchanged")
    return opened.replace(comments=comments, comment_edits=edits + _of_items(document, opened.values))


def _of_items(document: Document, values: Sequence[Value]) -> list[Edit]:
    """Return the edits that turn list items that sops stored for comments back into comments."""
    items = [
        (leaf, value.data)
        for leaf, value in zip(document.leaves, values, strict=True)
        if value.type == "comment" and value.data is not None
    ]
    counts: dict[int, int] = {}
    for leaf, _ in items:
        counts[id(leaf.scope)] = counts.get(id(leaf.scope), 0) + 1
    comment = formats.get(document.format).comment
    return [
        comment(document, leaf, data, alone=counts[id(leaf.scope)] == len(leaf.scope.node))
        for leaf, data in items
    ]


def stored(comment: Comment) -> bytes:
    """The bytes that are encrypted for a comment.

    sops would turn a bare ``#`` inside a list into an item.  So an empty comment is stored as one blank, one
    blank as two, and so on.
    """
    data = comment.text.encode("utf-8", "surrogateescape")
    return data + b" " if isinstance(comment.scope.node, list) and not data.strip(b" ") else data


def comment_aad(aad: str) -> bytes:
    """The additional data with which sops authenticates a comment in a scope."""
    return aad.encode("utf-8", "surrogateescape") or b":"  # sops joins no keys and adds its colon


def _all_places(document: Document) -> list[bytes]:
    """The additional data of every place where sops may have put a comment."""
    places = {b":"}
    pending: list[tuple[object, str]] = [(tree, "") for tree in document.trees]
    while pending:
        node, aad = pending.pop()
        if isinstance(node, dict):
            pending.extend((item, f"{aad}{key}:") for key, item in node.items())
        elif isinstance(node, list):
            pending.extend((item, aad) for item in node)
        else:
            continue
        places.add(comment_aad(aad))
    return sorted(places)
