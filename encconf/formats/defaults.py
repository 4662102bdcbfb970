"""What a format does where it has no rule of its own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.formats import Prepared
    from encconf.text.document import Document, Edit, Leaf

SEALS_EMPTY = False
NULL = None
EMPTY = ""


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """There is nothing that sops could not read back."""
    return None


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Remove a comment that sops stored as a list's item: the format has no such comments."""
    return leaf.start, leaf.end, ""


def comment_text(plain: str) -> str | None:
    """The format has no comments."""
    return None


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Type and bytes: the format tells all types apart."""
    return leaf.type, leaf.data


def shows_types(document: Document) -> bool:
    """Each leaf has its value's type."""
    return True


def tells_integers(document: Document) -> bool:
    """Each ciphertext states its value's type, whichever program wrote it."""
    return True


def fragile(leaf: Leaf) -> bool:
    """All releases of sops read a value alike."""
    return False


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """All readers agree on where a value ends."""
    return None


def caveat(leaf: Leaf) -> str | None:
    """All readers agree on the values."""
    return None


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """A leaf's own span: nothing else belongs to its spelling."""
    return leaf.start, leaf.end


def settle(document: Document) -> None:
    """The values need no change."""
