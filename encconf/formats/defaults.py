"""The functions of `encconf.formats.Format` for a format that does not define its own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.formats import Prepared
    from encconf.text.document import Document, Edit, Leaf

SEALS_EMPTY = False
NULL = None
EMPTY = ""


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Return None: sops can read every text of the format back."""
    return None


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Return the edit that removes the item: the format cannot have a comment there."""
    return leaf.start, leaf.end, ""


def comment_text(plain: str) -> str | None:
    """Return None: the format has no comments."""
    return None


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Return type and bytes: the format distinguishes all types."""
    return leaf.type, leaf.data


def shows_types(document: Document) -> bool:
    """Return True: each leaf has the type of its value."""
    return True


def tells_integers(document: Document) -> bool:
    """Return True: each ciphertext states the type of its value, whichever program wrote it."""
    return True


def fragile(leaf: Leaf) -> bool:
    """Return False: all releases of sops read a value the same way."""
    return False


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """Return None: all readers agree on where a value ends."""
    return None


def caveat(leaf: Leaf) -> str | None:
    """Return None: all readers agree on the values."""
    return None


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """Return the span of the leaf: it has no tag, anchor or header."""
    return leaf.start, leaf.end


def settle(document: Document) -> None:
    """Change nothing: readers see the values that sops stores."""
