"""Open an encrypted text: get its data key, decrypt its leaves and comments, and check its MAC.

`encconf.engine.plaintext` makes a plaintext of the result, and `encconf.engine.loading` Python values.
"""

from __future__ import annotations

from functools import wraps

from encconf import formats
from encconf.engine import cipher
from encconf.engine.cipher import PREFIX, is_ciphertext
from encconf.engine.metadata import Metadata
from encconf.engine.metadata import Opened as Opened
from encconf.errors import (
    DecryptError,
    InputError,
    LimitError,
    MacMismatchError,
    ParseError,
    ProposalError,
    UnmergedError,
    UsageError,
    WrongTypeError,
)
from encconf.formats import Format, goyaml, sniff
from encconf.identities.credentials import Credentials
from encconf.rules.selection import DEFAULT
from encconf.text.document import Unsealed, Value
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from encconf.envelope.cache import DataKeyCache
    from encconf.text.document import Document

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
    values = cipher.unseal(document, chosen.leaves, data_key, accept_plain=accept_plain)
    opened = Opened(document, metadata, chosen, data_key, values)
    if not ignore_mac:
        try:
            opened.check_mac()
        except MacMismatchError:
            if metadata.unmerged is not None:
                hint = "resolve it with: encconf edit FILE"
                raise UnmergedError(metadata.unmerged, hint=hint) from None
            opened = _as_spelled_by_sops(opened)
            try:
                opened.check_mac()
            except MacMismatchError:
                opened = _as_older_sops(format, opened)
                opened.check_mac()
    return opened if format.null is None else opened.replace(values=without_nulls(document, opened.values))


def without_nulls(document: Document, values: list[Value]) -> list[Value]:
    """Return the values with strings for what another program takes for a null (`Format.null`).

    The MAC must be checked before, since it leaves out nulls.
    """
    if (null := formats.get(document.format).null) is None:
        return values
    return [Value("str", null) if value.data is None else value for value in values]


def _as_spelled_by_sops(opened: Opened) -> Opened:
    """Return the opened document with encrypted booleans and floats in sops's spelling.

    sops also reads others, such as ``true`` and ``1e3``.  rops counts floats as they are spelled.
    """
    values = list(opened.values)
    for index, value in enumerate(values):
        if value.sealed is None or value.type not in ("bool", "float"):
            continue
        number = goyaml.parse(value.type, value.data)
        if isinstance(number, (bool, float)):
            values[index] = Unsealed(value.type, goyaml.stored(number)[1], value.sealed.encode())
    return opened.replace(values=values)


def _as_older_sops(format: Format, opened: Opened) -> Opened:
    """Return the opened document with plaintext numbers as floats, as sops before 3.13.2 reads them."""
    values = list(opened.values)
    for index, leaf in enumerate(opened.document.leaves):
        if not opened.chosen.leaves[index] and format.fragile(leaf):
            assert leaf.data is not None
            number = float(leaf.data) or -0.0  # a zero is fragile when it is spelled -0
            values[index] = Value("float", goyaml.format_float(number))
    return opened.replace(values=values)


@bounded
def open_values(
    text: str,
    format: str | None,
    credentials: Credentials | None,
    cache: DataKeyCache | None,
    name: str = "",
) -> Opened:
    """Open a text for its values.  Without ``format``, its content decides the format.

    If sops stored a ``.toml`` or ``.env.sops`` as a binary file, the values are those of the text inside.
    """
    given = format
    format = format or sniff.format_of(text, name)
    single = formats.get(format).single_value
    inner = formats.of_inner(name) if single and not given else format
    if formats.get(inner).single_value:
        raise no_values()
    opened = open_encrypted(text, formats.get(format), credentials, comments=False, cache=cache)
    if not single:
        return opened
    from encconf.engine.plaintext import plain_text

    document = formats.get(inner).scan(plain_text(opened))
    if document.block is not None:
        raise InputError("it was encrypted twice", hint="decrypt it once, then load the result")
    # All of it was encrypted.
    values: list[Value] = [Unsealed(leaf.type, leaf.data, b"") for leaf in document.leaves]
    metadata = opened.metadata.renewed(selection=DEFAULT)
    return Opened(document, metadata, DEFAULT.choose(document), opened.data_key, values)


def no_values() -> UsageError:
    hint = "get them with decrypt; if it has another format, give it: format='yaml'"
    return UsageError("a binary file has bytes, not values", hint=hint)


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
    from encconf.engine.plaintext import open_comments

    return open_comments(opened, notify)


def still_sealed(opened: Opened) -> DecryptError | None:
    """Return the error for a value that is still a ciphertext after decryption, or None."""
    for index, value in enumerate(opened.values):
        if value.data and value.data.startswith(_CIPHERTEXT) and is_ciphertext(value.data):
            if value.sealed is None:
                what = "is encrypted, but the file's selection leaves it out, so it is not decrypted"
                hint = "restore the file's selection, or an older version of the file"
            else:
                what = "was encrypted twice: the file had lost its sops block before"
                hint = "decrypt the file once (encconf decrypt), then put back the block that it had before"
            path = spell(opened.document.leaves[index].path)
            return DecryptError(f"the value at {path} {what}", hint=hint)
    return None


PROPOSAL = "proposal_for"
"""The first member of a proposal (`encconf.audit.proposals`)."""


def is_proposal(document: Document) -> bool:
    """Whether a document is a value that somebody without a key proposes for a file."""
    first = next(iter(document.leaves), None)
    return first is not None and first.step == PROPOSAL and first.scope.step is None


def refuse_proposal(document: Document) -> None:
    """Raise ProposalError for a proposal.  Whatever gives values to programs calls this."""
    if is_proposal(document):
        raise ProposalError(
            "the file is a proposal, whose value does not count before somebody accepts it",
            hint="encconf accept FILE shows what is proposed for FILE",
        )


def refuse_to_change(document: Document) -> None:
    """Raise ProposalError for a proposal: only its ``value`` is encrypted, so others would be plaintext."""
    if is_proposal(document):
        raise ProposalError(
            "the file is a proposal, which cannot be changed",
            hint="remove it, and propose another value: encconf propose",
        )


def refuse_unloadable(opened: Opened) -> None:
    """Raise what `refuse_proposal` raises, and `still_sealed`: a program would take it for the secret."""
    refuse_proposal(opened.document)
    if (error := still_sealed(opened)) is not None:
        raise error


def refuse_ciphertexts(opened: Opened) -> None:
    """Raise `still_sealed`: a program would take the ciphertext for the secret."""
    if (error := still_sealed(opened)) is not None:
        raise error
