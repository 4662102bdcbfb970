"""Open an encrypted text: get its data key, decrypt its leaves and comments, and check its MAC.

`encconf.engine.plaintext` makes a plaintext of the result, and `encconf.engine.loading` Python values.
"""

from __future__ import annotations

from functools import wraps

from encconf import formats
from encconf.engine import mac, seal
from encconf.engine.cipher import PREFIX, is_ciphertext
from encconf.engine.metadata import Metadata
from encconf.errors import (
    DecryptError,
    LimitError,
    MacMismatchError,
    ParseError,
    UnmergedError,
    WrongTypeError,
)
from encconf.formats import Format, goyaml
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from encconf.envelope.cache import DataKeyCache
    from encconf.rules.selection import Chosen
    from encconf.text.document import Document, Edit

    P = ParamSpec("P")
    T = TypeVar("T")
    Notify = Callable[[str], None]


_CIPHERTEXT = PREFIX.encode()


def bounded(function: Callable[P, T]) -> Callable[P, T]:
    """Raise LimitError if a file needs more memory or stack than is available.

    The limits of the formats should apply first.  This is for small machines and for deeply nested callers.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (MemoryError, RecursionError) as error:
            what = "memory" if isinstance(error, MemoryError) else "stack"
        raise LimitError(f"the file needs more {what} than there is") from None

    return call


def as_text(given: object, *, binary: bool = False) -> str:
    """Return a text, decoded if it was given as bytes.

    Raises WrongTypeError, InputError for bytes that are not UTF-8, ParseError for half of a surrogate pair.
    """
    if isinstance(given, str):
        try:
            if not given.isascii():
                given.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ParseError(f"not a character at position {error.start}: half of a surrogate pair") from None
        return given
    if isinstance(given, (bytes, bytearray)):
        from encconf.io import fileio

        return fileio.decode(bytes(given), binary=binary)
    hint = None
    if isinstance(given, (dict, list)):
        hint = "serialize it first, for example with json.dumps"
    raise WrongTypeError(f"expected str or bytes, not {type(given).__name__}", hint=hint)


class Opened(Record):
    """An encrypted document whose leaves are decrypted, with its metadata and data key.

    ``comments`` are the edits that decrypt its comments, or None if they were not requested.
    """

    document: Document
    metadata: Metadata
    chosen: Chosen
    data_key: bytes
    comments: list[Edit] | None = None

    @property
    def covered(self) -> bytearray | None:
        """Which leaves the MAC covers (1), or None for all."""
        return self.chosen.leaves if self.metadata.selection.mac_only_encrypted else None

    def check_mac(self, purpose: bytes = mac.ORDINARY) -> None:
        """Raise MacMissingError or MacMismatchError.  ``purpose`` is as for `mac.check_mac`."""
        mac.check_mac(
            self.document,
            self.chosen.leaves,
            self.metadata.selection.to_entries(),
            self.data_key,
            self.metadata.lastmodified,
            self.metadata.mac,
            purpose,
        )


def open_encrypted(
    text: str | Document,
    format: Format,
    credentials: Credentials | None,
    *,
    comments: bool,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    cache: DataKeyCache | None = None,
) -> Opened:
    """Get a text's data key, decrypt its values and check its MAC.  `open_text` decrypts comments, too.

    A caller that has scanned the text already, with its comments, passes the document.
    """
    document = formats.scan_encrypted(text, format, comments=comments) if isinstance(text, str) else text
    metadata = Metadata.of(document)
    if metadata.selection.needs_comments and not comments:
        document = format.scan(document.text, comments=True)
    chosen = metadata.selection.choose(document)
    credentials = credentials or Credentials.from_env()
    from encconf.envelope.unwrap import open_data_key  # encrypting needs none of what opens

    data_key = open_data_key(metadata.groups, metadata.threshold, credentials, cache)
    credentials.audit("decrypt", document.text)
    seal.unseal(document, chosen.leaves, data_key, accept_plain=accept_plain)
    opened = Opened(document, metadata, chosen, data_key)
    if not ignore_mac:
        try:
            opened.check_mac()
        except MacMismatchError:
            if metadata.unmerged is not None:
                hint = "resolve it with: encconf edit FILE"
                raise UnmergedError(metadata.unmerged, hint=hint) from None
            _as_spelled_by_sops(opened)
            try:
                opened.check_mac()
            except MacMismatchError:
                _as_older_sops(format, opened)
                opened.check_mac()
    without_nulls(document)
    return opened


def without_nulls(document: Document) -> None:
    """Make strings of what another program takes for a null (`Format.null`).  The MAC is checked by now."""
    if (null := formats.get(document.format).null) is not None:
        for leaf in document.leaves:
            if leaf.data is None:
                leaf.type, leaf.data = "str", null


def _as_spelled_by_sops(opened: Opened) -> None:
    """Count encrypted booleans and floats in sops's spelling.

    sops also reads others, such as ``true`` and ``1e3``.  rops counts floats as they are spelled.
    """
    for leaf in opened.document.leaves:
        if leaf.sealed is None or leaf.type not in ("bool", "float"):
            continue
        value = goyaml.parse(leaf.type, leaf.data)
        if isinstance(value, (bool, float)):
            leaf.data = goyaml.stored(value)[1]


def _as_older_sops(format: Format, opened: Opened) -> None:
    """Read plaintext numbers as floats, as sops before 3.13.2 did."""
    for leaf, is_chosen in zip(opened.document.leaves, opened.chosen.leaves, strict=True):
        if not is_chosen and format.fragile(leaf):
            assert leaf.data is not None
            number = float(leaf.data) or -0.0  # a zero is fragile when it is spelled -0
            leaf.type, leaf.data = "float", goyaml.format_float(number)


@bounded
def open_text(
    text: str | Document,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    notify: Notify | None = None,
) -> Opened:
    """Open an encrypted text with its comments, to get its plaintext or as the twin of `encconf.encrypt`.

    The data key is unwrapped once, even if the file is written again.  With ``accept_plain``, values that
    are plaintext but should be encrypted stay as they are.  Raises what `encconf.decrypt` raises.
    """
    module = formats.get(format)
    opened = open_encrypted(
        text, module, credentials, comments=True, ignore_mac=ignore_mac, accept_plain=accept_plain
    )
    from encconf.engine.comments import open_comments

    opened.comments = open_comments(opened, notify)
    return opened


def still_sealed(opened: Opened) -> DecryptError | None:
    """Return the error for a value that is still a ciphertext after decryption, or None."""
    for leaf in opened.document.leaves:
        if leaf.data and leaf.data.startswith(_CIPHERTEXT) and is_ciphertext(leaf.data):
            if leaf.sealed is None:
                what = "is encrypted, but the file's selection leaves it out, so it is not decrypted"
                hint = "restore the file's selection, or an older version of the file"
            else:
                what = "was encrypted twice: the file had lost its sops block before"
                hint = "decrypt the file once (encconf decrypt), then put back the block that it had before"
            return DecryptError(f"the value at {spell(leaf.path)} {what}", hint=hint)
    return None


def refuse_ciphertexts(opened: Opened) -> None:
    """Raise `still_sealed`: a program would take the ciphertext for the secret."""
    if (error := still_sealed(opened)) is not None:
        raise error
