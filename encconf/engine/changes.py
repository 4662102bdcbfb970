"""Change an encrypted text: set or remove values, or replace its whole plaintext.

Text in, text out.  Set and unset mean what they mean in sops 3.13.3 (sops.go: Set, Unset).  A change leaves
every other byte and every other ciphertext as it is.  After edits, the result is read again and compared with
the intended values.  If the data key must be wrapped again, the caller's ``admission`` decides who gets it
(`encconf.engine.admission`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite

from encconf import formats
from encconf.engine import opening, plaintext
from encconf.engine.effects import Effect, effect_of
from encconf.engine.metadata import Metadata
from encconf.engine.opening import Opened
from encconf.engine.sealing import encrypt_again
from encconf.errors import (
    AlreadyEncryptedError,
    EmitError,
    EncconfError,
    InputError,
    LimitError,
    MacError,
    MacMismatchError,
    PathNotFoundError,
    PlainValueError,
    bounded,
)
from encconf.formats import goyaml
from encconf.formats.writing import missing, put_plain, settled, value_at
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.text.document import ENC_BYTES, OMITTED, Document, Value, content_of, filled, mapped
from encconf.text.path import Path, spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.engine.admission import Admission
    from encconf.rules.config import Notify
    from encconf.text.document import Plain

    Check = Callable[[Opened, str, Document], None]
    Review = Callable[[Effect], None]


_MOST = 2_000_000  # values to remove at once, times the values of the file: about half a second


REMOVED: Any = object()
"""As the value of an edit: remove what is at the path."""


class AsBefore(Record):
    """As an edit's value: a text.  It becomes a number or boolean if it looks like one and replaces one."""

    text: str


def heard(notify: Notify | None, format: str) -> Notify | None:
    """Return what passes on a warning, but not of a ``\\n``: a value that is given has a real line break."""
    if notify is None or format != "dotenv":
        return notify
    from encconf.formats.dotenv import BREAK

    return lambda text: None if text.endswith(BREAK) else notify(text)


# --- values --------------------------------------------------------------------------------------


@bounded
def change(
    opened: Opened,
    *edits: tuple[Path, Any],
    target: str | None = None,
    idempotent: bool = False,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    admission: Admission | None = None,
    check: Check | None = None,
    review: Review | None = None,
    notify: Notify | None = None,
) -> str:
    """Return the encrypted text after edits, or the same text if the edits change nothing.

    ``edits`` are pairs of a path and a value, made in order.  The value replaces what is at the path, or
    becomes a new last entry; it may be `REMOVED` or `AsBefore`.  ``target`` is the format of the result, if
    it is another one.  With ``idempotent``, a text that does not change keeps its own format.

    With ``ignore_mac`` the MAC was not checked, and the file gets a new data key.  If a data key is wrapped,
    the ``admission`` decides who gets it.  ``check`` is called before anything is encrypted, with the opened
    text, the plaintext before, and the document of the one after, and may raise.  ``review`` is called with
    what each edit does, before it is made, and may raise.

    Raises PathNotFoundError for a path that cannot exist, EmitError for a value that the format cannot hold
    there, and whatever opening, checking and encrypting raise.
    """
    document = opened.document
    before, after = _edited(opened, edits, review)
    notify = heard(notify, document.format.name)
    changes = after.text != before
    if check is not None and changes:
        check(opened, before, after)
    given = [where for where, value in edits if value is not REMOVED]
    vouches = opening.unvouched(opened) != opening.unvouched(opened, given)
    if (
        not changes
        and not ignore_mac
        and not vouches
        and (idempotent or target in (None, document.format.name))
    ):
        return document.text
    return encrypt_again(
        opened,
        after,
        target=target,
        new_data_key=ignore_mac,
        admission=admission,
        given=given,
        credentials=credentials,
        notify=notify,
    )


@bounded
def update(
    opened: Opened,
    plain: str,
    *,
    credentials: Credentials | None = None,
    admission: Admission | None = None,
    check: Check | None = None,
    notify: Notify | None = None,
) -> str:
    """Return the encrypted text with a new plaintext, which need not come from this file.

    So the file may be a stranger's: it keeps its data key only if its author knew the secrets
    (`encconf.engine.reuse`).  The parameters are those of `change`.
    """
    before = plaintext.plain_text(opened)
    if plain == before:
        return opened.document.text
    after = formats.scan_any(plain, opened.document.format.name, comments=True)
    if check is not None:
        check(opened, before, after)
    return encrypt_again(
        opened, after, admission=admission, edits=False, credentials=credentials, notify=notify
    )


def _edited(opened: Opened, edits: Sequence[tuple[Path, Any]], review: Review | None) -> tuple[str, Document]:
    """Return the plaintext before the edits, and the document after them."""
    wanted = [
        (path, _like_the_old(opened, path, value.text) if isinstance(value, AsBefore) else value)
        for path, value in edits
    ]
    near = plaintext.moved_document(opened)
    if near is not None:
        try:
            return near.text, _made(near, wanted, review)
        except EmitError:  # the exact plaintext may spell a value differently, such as a number
            pass
    before = plaintext.text_to_change(opened)
    return before, _made(formats.scan_any(before, opened.document.format.name), wanted, review)


def _made(document: Document, edits: Sequence[tuple[Path, Any]], review: Review | None) -> Document:
    """Return the document after edits, made at once, or in parts if one depends on the layout of another."""
    try:
        return _with(document, *edits, review=review)
    except EmitError:
        half = len(edits) // 2
        if not half:
            raise
        return _made(_made(document, edits[:half], review), edits[half:], review)


def place(document: Document, path: Path) -> Path:
    """Return where a file has what readers of its format see at a path: ``export A`` in dotenv for ``A``.

    Raises EmitError if it is there more than once.
    """
    found = document.format.located(document, path)
    if len(found) > 1:
        raise EmitError(
            f"the file has {spell(path)} on {len(found)} lines",
            hint="keep one of them, with: encconf edit FILE",
        )
    return found[0]


def from_json(text: str, *, as_int: Callable[[str], int | float] = int) -> Plain:
    """Return the value of a JSON text.  ``as_int`` converts its whole numbers.

    Raises InputError if it is not JSON, or if no file can hold it: a number beyond the range of floats or
    64-bit integers, or half a surrogate pair.
    """
    from json import dumps, loads

    def number(word: str, read: Callable[[str], int | float] = float) -> int | float:
        found = read(word)
        if not (isfinite(found) if isinstance(found, float) else -(2**63) <= found < 2**63):
            raise ValueError(word)
        return found

    try:
        value: Plain = loads(
            text, parse_constant=number, parse_float=number, parse_int=lambda word: number(word, as_int)
        )
        dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InputError(
            "the value is not JSON, or no file can hold it", hint="a JSON string needs double quotes"
        ) from None
    return value


@bounded
def put(text: str, path: Path, value: Plain, *, format: str, any_keys: bool = False) -> str:
    """Return a plaintext with a value put at a path.  Raises what `change` raises.

    With ``any_keys``, keys of the YAML text need not be strings.
    """
    return put_all(text, [(path, value)], format=format, any_keys=any_keys)


def put_all(text: str, edits: Iterable[tuple[Path, Plain]], *, format: str, any_keys: bool = False) -> str:
    """Like `put`, for several values, none of which is at or below the path of another."""
    return _with(_scanned(text, format, any_keys), *edits, any_keys=any_keys).text


def drop(text: str, *paths: Path, format: str, any_keys: bool = False) -> str:
    """Return a plaintext without the values at these paths.  Raises what `change` raises."""
    edits = ((path, REMOVED) for path in paths)
    return _with(_scanned(text, format, any_keys), *edits, any_keys=any_keys).text


def _scanned(text: str, format: str, any_keys: bool, *, comments: bool = False) -> Document:
    if any_keys:
        from encconf.formats.yaml import Yaml

        return Yaml().scan(text, comments=comments, any_keys=True)
    return formats.scan_any(text, format, comments=comments)


def _with(
    document: Document, *edits: tuple[Path, Any], review: Review | None = None, any_keys: bool = False
) -> Document:
    """Return the document after edits, whose values may be `REMOVED`.  Raises what `change` raises."""
    meant = _values(document)
    writing = formats.writing_of(document.format)
    whole = writing.tree(document)
    root = writing.root(whole)
    made: set[Path] = set()
    above: set[Path] = set()
    for path, value in edits:
        steps = {path[:size] for size in range(len(path) + 1)}
        if path in above or not made.isdisjoint(steps):
            raise EmitError("an edit depends on an edit before it")  # `_made` makes it later
        made.add(path)
        above |= steps
        if value is REMOVED:
            if not path:
                raise missing(())
            value_at(meant, path)
            path = settled(meant, path)
            if review is not None:
                review(effect_of(meant, path, None, removed=True))
            writing.drop_plain(meant, path)
            writing.drop(root, path)
            continue
        refuse_reserved(path)
        writing.check(path, value)
        named, path = path, settled(meant, path)
        if review is not None:
            review(effect_of(meant, path, value, named=named))
        meant = put_plain(meant, path, mapped(value, writing.stored))
        writing.put(root, path, value)
    return _checked(whole.text, meant, document.format.name, any_keys)


def refuse_reserved(path: Path) -> None:
    """Raise AlreadyEncryptedError for a path in the place of the ``sops`` block."""
    if path[:1] == ("sops",):
        raise AlreadyEncryptedError(
            'the name "sops" is reserved for the sops block', hint="choose another name"
        )


def _checked(text: str, meant: object, format: str, any_keys: bool = False) -> Document:
    """Scan a changed text, with its comments.  Raises EmitError if its values are not exactly ``meant``."""
    after: Document | None
    try:
        after = _scanned(text, format, any_keys, comments=True)
    except LimitError:
        raise
    except EncconfError:
        after = None
    if after is None or _values(after) != meant:
        why = "perhaps because of an anchor and its aliases; " if "&" in text and "*" in text else ""
        raise EmitError(
            "the change cannot be made without changing something else",
            hint=f"{why}change it with: encconf edit FILE",
        )
    return after


def _values(document: Document) -> Any:
    """Return the first document's values as sops stores them."""
    trees = content_of(document)
    return trees[0] if trees else {}


def _like_the_old(opened: Opened, path: Path, value: str) -> Plain:
    """Return the value, as a number or boolean if it looks like the one that it replaces."""
    values = [OMITTED if each.type == "comment" else each for each in opened.values]
    trees = filled(opened.document.items, values)[0]
    try:
        old = value_at(trees[0] if trees else {}, path)
    except PathNotFoundError:
        return value
    if not isinstance(old, Value):
        return value
    try:
        type, data = goyaml.resolve(value, None, True)
        new = goyaml.parse(type, data) if data is not None else None
    except EncconfError:
        return value
    if type == old.type or (type == "int" and old.type == "float"):
        return new if isinstance(new, (bool, int, float)) and isfinite(new) else value
    return value


# --- plaintext in an encrypted file --------------------------------------------------------------


def open_with_plain_values(
    text: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> tuple[Opened, list[Path]]:
    """Open a file to which someone added values in plaintext.  Also returns their paths.

    The MAC must match the file without these values, so that nothing else was changed.  If plaintext replaced
    an encrypted value, the MAC cannot match, and you need ``ignore_mac``.  Raises MacMismatchError, and
    LimitError if removing these values would take long, and what `encconf.engine.opening.open_text` raises.
    """
    credentials = credentials or Credentials.from_env()
    document = formats.get(format).scan(text, comments=True)
    paths = _plain_paths(document)
    if not ignore_mac and not any(
        _fits_without(document, removed, credentials) for removed in _added(document, set(paths))
    ):
        raise MacMismatchError(
            f"plaintext at {listed(map(spell, paths), 20)}, and the MAC does not fit the rest: "
            "values were replaced or changed",
            hint="compare it with an older version; to accept it as it is: encconf edit --ignore-mac FILE",
        )
    opened = opening.open_text(
        text, format=format, credentials=credentials, ignore_mac=True, accept_plain=True, notify=notify
    )
    return opened, paths


def _plain_paths(document: Document) -> list[Path]:
    """Return the paths of the values in plaintext that the selection encrypts."""
    chosen = Metadata.of(document).selection.choose(document).leaves
    paths = dict.fromkeys(
        leaf.path
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.data and not leaf.data.startswith(ENC_BYTES)
    )
    return list(paths)


def _fits_without(document: Document, removed: Sequence[Path], credentials: Credentials) -> bool:
    """Whether the MAC fits without these values.  Raises LimitError if removing them would take long."""
    if len(removed) * len(document.leaves) > _MOST:  # each is looked for among all values
        raise LimitError(
            f"{len(removed):,} values in plaintext are too many to check the MAC without them",
            hint="compare it with an older version; to accept it as it is: encconf edit --ignore-mac FILE",
        )
    format = document.format.name
    try:
        opening.open_text(
            drop(document.text, *removed, format=format), format=format, credentials=credentials
        )
    except (MacError, EmitError, PathNotFoundError, PlainValueError):
        return False
    return True


def _added(document: Document, plain: set[Path]) -> Iterator[list[Path]]:
    """Yield what may have been added with the plaintext values, the last path first.

    This is all that contains only them and empty values; or what is in it, if it was an empty collection.
    """
    kept: set[Path] = set()
    for leaf in document.leaves:
        if leaf.path not in plain and leaf.data:
            kept |= {leaf.path[:end] for end in range(len(leaf.path))}
    paths = [leaf.path for leaf in document.leaves if leaf.path in plain]
    ends = [next((end for end in range(1, len(path)) if path[:end] not in kept), len(path)) for path in paths]
    for more in (0, 1):
        tops = (path[: end + more] for path, end in zip(paths, ends, strict=True))
        yield list(dict.fromkeys(tops))[::-1]
