"""The two sides that `encconf.audit.diff` compares: the text, values and ``sops`` block of each."""

from __future__ import annotations

from contextlib import suppress

from encconf import formats
from encconf.engine import cipher, opening, plaintext
from encconf.engine.metadata import Metadata
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    EncconfError,
    KeyAccessError,
    MacError,
    MetadataError,
    NotEncryptedError,
)
from encconf.formats import sniff
from encconf.identities.credentials import Credentials
from encconf.text.document import Comment, Leaf, Value
from encconf.text.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Side:
    """One side.  ``label`` is its name in messages; ``text`` is None if the file does not exist there.

    ``found`` is the given format, or that of a SOPS file according to its content, or None.  ``format`` is
    ``found``, or else the format that the ``path`` says.
    """

    def __init__(self, label: str, path: str, text: str | None, format: str | None = None) -> None:
        self.label = label
        self.path = path
        self.text = text
        self.found = format or sniff.find(text or "", path)
        self.format = self.found or formats.of_path(path)


class Item:
    """One value of a side.  ``enc`` is its ciphertext, or None if it is plaintext."""

    __slots__ = ("aad", "data", "document", "enc", "path", "readable", "type")

    def __init__(self, document: int, leaf: Leaf, value: Value, *, opened: bool) -> None:
        self.document = document
        self.path: Path = leaf.path
        self.aad = leaf.aad
        self.data = value.data
        self.type = value.type
        self.enc = value.sealed
        self.readable = True
        if not opened and value.data is not None and (parts := cipher.split(value.data)) is not None:
            self.enc = value.data.decode().rstrip()
            self.type = parts[2]
            self.readable = False

    @property
    def value(self) -> str | None:
        """The value as text."""
        return None if self.data is None else self.data.decode("utf-8", "backslashreplace")

    @property
    def size(self) -> int:
        """The length of the value in bytes."""
        if self.readable or self.enc is None:
            return len(self.data or b"")
        parts = cipher.split(self.enc)
        return len(parts[0]) - cipher.TAG_SIZE if parts else 0


class Content:
    """The content of a side, decrypted if that is possible."""

    def __init__(self, side: Side, credentials: Credentials | None) -> None:
        self.side = side
        self.metadata: Metadata | None = None
        self.opened: opening.Opened | None = None
        self.readable = True
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self.items: list[Item] = []
        self.comments: list[tuple[str, str, str | None]] = []  # place, text, ciphertext
        self.shape: list[str] = []
        if side.text is None:
            return
        try:
            self._read(side.text, credentials)
        except EncconfError as error:
            raise error.about(side.label) from None

    def plain(self) -> str | None:
        """Return the plaintext."""
        return plaintext.plain_text(self.opened) if self.opened is not None else self.side.text

    def _read(self, text: str, credentials: Credentials | None) -> None:
        try:
            document = formats.get(self.side.format).scan(text, comments=True)
        except EmptyDocumentError:
            return
        with suppress(NotEncryptedError):
            self.metadata = Metadata.of(document)
        if self.metadata is not None:
            if credentials is not None:
                self._open(text, credentials)
            self.readable = self.opened is not None
        values: Sequence[Value] = document.leaves
        comments: Sequence[Comment] = document.comments
        if self.opened is not None:
            document, values, comments = self.opened.document, self.opened.values, self.opened.comments
        self.shape = document.shape
        numbers = {id(tree): number for number, tree in enumerate(document.trees)}
        opened = self.opened is not None or self.metadata is None
        for leaf, value in zip(document.leaves, values, strict=True):
            number = numbers.get(id(leaf.scope.root.node), 0)
            item = Item(number, leaf, value, opened=opened)
            if item.type == "comment":
                self.comments.append((leaf.scope.aad, item.value or "", item.enc))
            else:
                self.items.append(item)
        for comment in comments:
            enc = comment.text if comment.text.startswith(cipher.PREFIX) else comment.sealed
            self.comments.append((comment.scope.aad, comment.text, enc))

    def _open(self, text: str, credentials: Credentials) -> None:
        format = self.side.format
        try:
            try:
                self.opened = opening.open_text(text, format=format, credentials=credentials)
            except MacError as error:
                self.notes.append(f"{self.side.label}: {error.message}")
                self.opened = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True)
        except KeyAccessError as error:
            self.reasons.append(f"{self.side.label}: {error.message.partition(chr(10))[0]}")
        except (DecryptError, MetadataError) as error:
            self.notes.append(f"{self.side.label}: {error.message}")
