"""What is reused of an encrypted file when a text is encrypted again: its data key and ciphertexts.

The data key of a file is reused only if its author knew our secrets (`author_knew`).  A ciphertext is reused
at most once, and only for the same place, type and bytes.
"""

from __future__ import annotations

from itertools import islice

from encconf.engine.opening import comment_aad, comment_bytes
from encconf.engine.plaintext import tokens
from encconf.text.align import align
from encconf.text.document import Unsealed, paths
from encconf.text.path import called_a_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.engine.opening import Opened
    from encconf.engine.plaintext import Token
    from encconf.text.document import Comment, Document, Format, Leaf, Value

    Old = tuple[Leaf, Value]
    """A leaf of an encrypted text, and its value."""


# --- the data key --------------------------------------------------------------------------------

# Words, and no regular expressions: to compile these would take longer than all that `author_knew` does.
_COMMON = (
    b"change", b"example", b"sample", b"dummy", b"placeholder", b"replace", b"insert", b"fill", b"your",
    b"todo", b"default", b"passw", b"secret", b"test", b"admin", b"root", b"postgres", b"localhost",
    b"qwerty", b"abcd", b"1234", b"{{",
)  # fmt: skip
"""Parts of secrets that everyone uses in examples and while developing, in lower case."""
_PUBLIC = (b"CERTIFICATE-----", b"PUBLIC KEY-----", b"sha256", b"sha512")
_PUBLIC_BEGINNINGS = (
    b"LS0tLS1CRUdJTiBDRVJU", b"LS0tLS1CRUdJTiBQVUJM", b"ssh-", b"age1", b"AKIA", b"ASIA", b"pk_", b"AIza",
)  # fmt: skip
"""What only looks like a secret: certificates and public keys (also in base64), digests, ids."""
_REFERENCES = (b"ref+", b"<", b"$")
"""How references and placeholders begin."""
_DIGITS = frozenset(b"0123456789")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NOT_GENERATED = bytes(set(range(256)) - _DIGITS - _LETTERS - set(b"+/_="))
_SPACES = bytes.maketrans(_NOT_GENERATED, b" " * len(_NOT_GENERATED))


def author_knew(old: Opened, plain: Document) -> bool:
    """Whether the author of an encrypted file knew the secrets of this plaintext.

    A stranger can encrypt a file for our recipients, with a data key that they know.  They know the names of
    our keys and the lengths of our values, and they can guess a port or a host, or find a certificate, but
    not know our secrets.  So the file must have at least half of the plaintext's values that are hard to
    guess, encrypted and at the same places, and at least one of them.
    """
    pairs = zip(paths(old.document.leaves), old.values, strict=True)
    known = {(path, value.type, value.data) for path, value in pairs if isinstance(value, Unsealed)}
    new: list[Leaf] = []
    same: list[Leaf] = []
    for path, leaf in zip(paths(plain.leaves), plain.leaves, strict=True):
        (same if (path, leaf.type, leaf.data) in known else new).append(leaf)
    needed = max(sum(map(is_hard_to_guess, new)), 1)
    # Looking at all of the old values would take a tenth of an `encrypt`.
    found = islice(filter(is_hard_to_guess, same), needed)
    return len(list(found)) == needed


def is_hard_to_guess(leaf: Leaf) -> bool:
    """Whether a value is a secret that someone could hardly guess, even knowing its name and length.

    That is a text of at least 6 bytes whose name says that it is a secret, and that has nothing of the
    passwords in examples; or 16 letters and digits in a row, as in generated secrets.  Words, numbers,
    addresses, and what is public anyway do not count.  Since a wrong guess shows (the file changes in git),
    a few random letters are enough.
    """
    data = leaf.data
    if leaf.type not in ("str", "bytes") or data is None or len(data) < 6:
        return False
    if data.startswith(_PUBLIC_BEGINNINGS) or any(part in data for part in _PUBLIC):
        return False
    for run in data.translate(_SPACES).split():
        signs = set(run)
        if len(run) >= 16 and len(signs) >= 10 and signs & _DIGITS and signs & _LETTERS:
            return True
    if not called_a_secret(leaf.path) or len(set(data)) < 5 or data.startswith(_REFERENCES):
        return False
    low = data.lower()
    return not any(part in low for part in _COMMON)


# --- ciphertexts ---------------------------------------------------------------------------------


def reused_leaves(sources: Sequence[Opened], plain: Document, format: Format) -> list[Old | None]:
    """For each leaf of a plaintext, the old leaf whose ciphertext it keeps, or None for a new value."""
    reused: list[Old | None] = [None] * len(plain.leaves)
    now = tokens(plain.leaves, plain.leaves, format)
    for source in sources:
        leaves, values = source.document.leaves, source.values
        # Two branches may share a ciphertext from their common past: it is reused once.
        used = {value.sealed for _, value in filter(None, reused) if value.sealed is not None}
        for at, index in enumerate(align(tokens(leaves, values, format), now)):
            if index is not None and reused[at] is None and values[index].sealed not in used:
                reused[at] = leaves[index], values[index]
    return reused


def reused_comments(
    sources: Sequence[Opened], plain: Document, final: Document, format: Format
) -> dict[int, str]:
    """Return the ciphertexts that comments of the ``final`` text keep, by the comment's number."""
    reused: dict[int, str] = {}
    now = _with_comments(plain.leaves, final.leaves, final.comments, format)
    for opened in sources:
        before = _with_comments(opened.values, opened.document.leaves, opened.comments, format)
        taken = align([token for token, _, _ in before], [token for token, _, _ in now])
        used = set(reused.values())
        for (_, index, _), source in zip(now, taken, strict=True):
            enc = before[source][2] if source is not None else None
            if index is not None and enc is not None and index not in reused and enc not in used:
                reused[index] = enc
        _add_misplaced(reused, opened.comments, final)
    return reused


def _add_misplaced(reused: dict[int, str], old: Sequence[Comment], final: Document) -> None:
    """Keep the ciphertexts of comments that sops encrypted for another place as well."""
    used = set(reused.values())
    astray: dict[bytes, list[str]] = {}
    for comment in reversed(old):
        if comment.misplaced and comment.sealed and comment.sealed not in used:
            astray.setdefault(comment_bytes(comment), []).append(comment.sealed)
    if not astray:
        return
    for index, comment in enumerate(final.comments):
        left = astray.get(comment_bytes(comment))
        if index not in reused and left:
            reused[index] = left.pop()


def _with_comments(
    values: Sequence[Value], leaves: Sequence[Leaf], comments: Sequence[Comment], format: Format
) -> list[tuple[Token, int | None, str | None]]:
    """Return the tokens of values and comments in text order, with each comment's number and ciphertext.

    ``leaves`` have the places of the values.
    """
    items: list[tuple[int, tuple[Token, int | None, str | None]]] = [
        (leaf.start, (token, None, value.sealed))
        for value, leaf, token in zip(values, leaves, tokens(leaves, values, format), strict=True)
    ]
    for index, comment in enumerate(comments):
        token = (comment_aad(comment.scope.aad), ("comment", comment_bytes(comment)))
        items.append((comment.start, (token, index, comment.sealed)))
    items.sort(key=lambda item: item[0])
    return [item for _, item in items]
