"""One change to an encrypted text: set or unset a value, replace all of it, other keys, other groups.

Text in, text out, on top of `encconf.api`; what each verb means is as in sops 3.13.3 (sops.go: Set,
Unset; rotate.go, updatekeys.go, groups) unless it says otherwise.  A change keeps every byte it is
not about, and every ciphertext; the result of `set_value` and `unset` is read again and compared with
what was meant.  A data key may be wrapped again for those whom the file names: who they are, callers
have seen to (`encconf.engine.admission`).
"""

from __future__ import annotations

from math import isfinite

from encconf import formats
from encconf.engine import opening, plaintext
from encconf.engine.cipher import PREFIX
from encconf.engine.metadata import Metadata
from encconf.errors import (
    AlreadyEncryptedError,
    EmitError,
    EmptyDocumentError,
    EncconfError,
    MacError,
    MacMismatchError,
    PathBlockedError,
    PathNotFoundError,
)
from encconf.formats import goyaml
from encconf.formats.plain import drop_plain, missing, put_plain, settled
from encconf.identities.credentials import Credentials
from encconf.text import tree as tree_of_text
from encconf.text.document import Document, Leaf, says
from encconf.text.path import spell
from encconf.verbs.encrypt import encrypt_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from encconf.engine.opening import Opened
    from encconf.formats import Writing
    from encconf.rules.selection import Selection
    from encconf.text.path import Path
    from encconf.text.tree import Plain

    Notify = Callable[[str], None]
    Check = Callable[[str, str], None]  # is given the plain text before and after, and raises

_NAMED = 20  # paths in one message


REMOVED: Any = object()
"""In a list of changes: the value is removed."""


# --- values --------------------------------------------------------------------------------------


def tree(document: Document) -> Any:
    """The first document's values as dicts and lists, with a `Leaf` for each single value."""
    from encconf.formats.emit import trees_of

    return trees_of(document)[0][0]


def find(node: Any, path: Path) -> Any:
    """What is at a path of a `tree`.

    Raises PathNotFoundError, which names the keys that are there: they are not secret.
    """
    for at, step in enumerate(path):
        here = spell(path[: at + 1])
        if isinstance(node, dict):
            if step not in node:
                raise _no_key(node, path[: at + 1])
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int):
            if not -len(node) <= step < len(node):
                raise PathNotFoundError(f"there is nothing at {here}: the list has {len(node)} items")
            node = node[step]
        else:
            what = "a list" if isinstance(node, list) else "a single value"
            raise PathBlockedError(f"there is nothing at {here}: {spell(path[:at])} is {what}")
    return node


def _no_key(node: dict[str, object], path: Path) -> PathNotFoundError:
    """The error for the last step of a path into a mapping that lacks it."""
    from difflib import get_close_matches

    step, here = path[-1], spell(path)
    if isinstance(step, int):
        return PathNotFoundError(f"there is nothing at {here}: a mapping has keys, not indexes")
    close = get_close_matches(step, node, 1)
    keys = ", ".join(spell([key]) for key in list(node)[:8]) + (", …" if len(node) > 8 else "")
    hint = f"the keys there are: {keys}" if keys else None
    if close:
        hint = f"did you mean {spell([*path[:-1], close[0]])}?"
    return PathNotFoundError(f"there is nothing at {here}", hint=hint)


@opening.bounded
def set_value(
    text: str | Opened,
    path: Path,
    value: Plain,
    *,
    format: str,
    keep_type: bool = False,
    target: str | None = None,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    check: Check | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with a value at a path, in the place of what is there or as a new last entry.

    With ``keep_type`` a string that spells a number or a boolean becomes one if it replaces one.
    ``check`` is given the plain text before and after, and may raise.  The same text comes back
    when the value is there already.  With ``ignore_mac`` the file gets a new data key.  ``target`` is
    another format for the result.

    Raises PathNotFoundError for a path that cannot be, EmitError for a value that the format cannot
    hold there, and whatever opening and encrypting raise.
    """
    opened = _opened(text, format, credentials, ignore_mac, notify)
    new = _as_before(opened, path, value) if keep_type and isinstance(value, str) else value
    before, after = _changed(opened, lambda document: _with(document, path, new))
    if check is not None and after.text != before:
        check(before, after.text)
    return _again(opened, before, after, target, credentials, ignore_mac, notify)


@opening.bounded
def unset(
    text: str | Opened,
    path: Path,
    *,
    format: str,
    target: str | None = None,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """An encrypted text without what is at a path; raises PathNotFoundError, and as `set_value`."""
    opened = _opened(text, format, credentials, ignore_mac, notify)
    before, after = _changed(opened, lambda document: _without(document, path))
    return _again(opened, before, after, target, credentials, ignore_mac, notify)


@opening.bounded
def change(
    text: str,
    operations: Sequence[tuple[Path, Any]],
    *,
    format: str,
    credentials: Credentials | None = None,
    check: Callable[[str, str, Metadata], None] | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with several values set or removed: (path, value), or (path, `REMOVED`).

    ``check`` gets the plaintext before and after and the file's metadata.  Raises as `set_value`.
    """
    opened = opening.open_text(text, format=format, credentials=credentials, notify=notify)

    def changed(document: Document) -> Document:
        for path, value in operations:
            document = _without(document, path) if value is REMOVED else _with(document, path, value)
        return document

    before, after = _changed(opened, changed)
    if check is not None:
        check(before, after.text, opened.metadata)
    return _again(opened, before, after, None, credentials, False, notify)


@opening.bounded
def update(
    text: str,
    plain: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    check: Check | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with another plain text in it; what did not change keeps its ciphertext."""
    opened = opening.open_text(text, format=format, credentials=credentials, notify=notify)
    before = plaintext.plain_text(opened)
    if check is not None and plain != before:
        check(before, plain)
    return _again(opened, before, plain, None, credentials, False, notify)


def _opened(
    text: str | Opened, format: str, credentials: Credentials | None, ignore_mac: bool, notify: Notify | None
) -> Opened:
    if not isinstance(text, str):
        return text
    return opening.open_text(
        text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify
    )


def _changed(opened: Opened, change: Callable[[Document], Document]) -> tuple[str, Document]:
    """The plain text of an opened one before a change, and its document after it."""
    near = plaintext.moved_document(opened)
    if near is not None:
        try:
            return near.text, change(near)
        except EmitError:  # the text may say in another way what was encrypted: as a number of another type
            pass
    before = plaintext.text_to_change(opened)
    return before, change(_scanned(before, opened.document.format))


def put(text: str, path: Path, value: Plain, *, format: str) -> str:
    """A plain text with a value at a path; raises as `set_value`."""
    return _with(_scanned(text, format), path, value).text


def drop(text: str, path: Path, *, format: str) -> str:
    """A plain text without the value at a path; raises as `unset`."""
    return _without(_scanned(text, format), path).text


def _with(document: Document, path: Path, value: Plain) -> Document:
    """The document with a value at a path, read again with its comments; raises as `set_value`."""
    if path[:1] == ("sops",):
        raise AlreadyEncryptedError(
            'the name "sops" is reserved for the sops block', hint="choose another name"
        )
    writing = formats.writing(document.format)
    writing.check(path, value)
    before = _said(document)
    path = settled(before, path)
    meant = put_plain(before, path, _stored(value, writing))
    whole = writing.tree(document)
    tree_of_text.put(writing.root(whole), path, value, writing)
    return _checked(whole.text, meant, document.format)


def _without(document: Document, path: Path) -> Document:
    """The document without the value at a path, as `_with`."""
    if not path:
        raise missing(())
    before = _said(document)
    find(before, path)
    path = settled(before, path)
    meant = drop_plain(before, path)
    writing = formats.writing(document.format)
    whole = writing.tree(document)
    tree_of_text.drop(writing.root(whole), path, writing)
    return _checked(whole.text, meant, document.format)


def _checked(text: str, meant: object, format: str) -> Document:
    """The document of a changed text, if it says what was meant and nothing else."""
    after: Document | None
    try:
        after = _scanned(text, format, comments=True)
    except EncconfError:
        after = None
    if after is None or _said(after) != meant:
        raise EmitError(
            "the change cannot be made without changing something else",
            hint="perhaps because of an anchor and its aliases; change it with: encconf edit FILE",
        )
    return after


def _scanned(text: str, format: str, *, comments: bool = False) -> Document:
    """The text's document; one without trees for no text at all."""
    try:
        return formats.module(format).scan(text, comments=comments)
    except EmptyDocumentError:
        return Document(text, format)


def _said(document: Document) -> Any:
    """What the first document says."""
    trees = says(document)
    return trees[0] if trees else {}


def _stored(value: Plain, writing: Writing) -> Any:
    """What sops stores for a value."""
    if isinstance(value, dict):
        return {key: _stored(item, writing) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item, writing) for item in value]
    return writing.stored(value)


def _as_before(opened: Opened, path: Path, value: str) -> Plain:
    """The value as a number or boolean if it replaces one and spells one."""
    try:
        old = find(tree(opened.document), path)
    except PathNotFoundError:
        return value
    if not isinstance(old, Leaf) or old.type not in ("int", "float", "bool"):
        return value
    try:
        type, data = goyaml.resolve(value, None, True)
        new = goyaml.parse(type, data) if data is not None else None
    except EncconfError:
        return value
    if type == old.type or (type == "int" and old.type == "float"):
        return new if isinstance(new, (bool, int, float)) and isfinite(new) else value
    return value


def _again(
    opened: Opened,
    before: str,
    after: str | Document,
    target: str | None,
    credentials: Credentials | None,
    ignore_mac: bool,
    notify: Notify | None,
) -> str:
    document = opened.document
    changed = after if isinstance(after, str) else after.text
    if changed == before and not ignore_mac and target in (None, document.format):
        return document.text
    return encrypt_again(
        opened,
        after if isinstance(after, Document) and after.parts else changed,
        target=target,
        new_data_key=ignore_mac,
        credentials=credentials,
        notify=notify,
    )


def left_plaintext(
    before: str, after: str, *, format: str, file: Selection, rule: Selection
) -> list[tuple[str | int, ...]]:
    """The paths of new or changed values that the file's selection leaves as plaintext and its rule encrypts.

    ``file`` is the selection in the encrypted file, ``rule`` the one that .sops.yaml gives now.
    """
    if file.kind == rule.kind and file.pattern == rule.pattern:
        return []
    module = formats.module(format)
    document = module.scan(after, comments=file.needs_comments or rule.needs_comments)
    known = {(leaf.path, leaf.data) for leaf in module.scan(before).leaves} if before.strip() else set()
    chosen = zip(document.leaves, file.choose(document).leaves, rule.choose(document).leaves, strict=True)
    return [
        leaf.path
        for leaf, by_file, by_rule in chosen
        if by_rule and not by_file and leaf.data and (leaf.path, leaf.data) not in known
    ]


def plaintext_message(paths: Sequence[tuple[str | int, ...]], rule: str) -> str:
    """The message about values that `left_plaintext` found."""
    named = ", ".join(spell(path) for path in paths[:5]) + (", …" if len(paths) > 5 else "")
    return (
        f"{named} would be saved as plaintext: {rule} of .sops.yaml encrypts such values, "
        "but the file's own selection does not"
    )


# --- plaintext in an encrypted file --------------------------------------------------------------


def open_with_plain_values(
    text: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> tuple[Opened, list[Path]]:
    """Open a file into which somebody wrote values in plaintext, and where they are.

    The MAC must fit the file without them: then nothing else was changed.  That holds for values that
    were added; one that replaced an encrypted value needs ``ignore_mac``.  Raises MacMismatchError
    otherwise, and what `encconf.engine.opening.open_text` raises.
    """
    document = formats.module(format).scan(text, comments=True)
    chosen = Metadata.of(document).selection.choose(document).leaves
    paths = [
        leaf.path
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.data and not leaf.data.startswith(PREFIX.encode())
    ]
    credentials = credentials or Credentials.from_env()
    if not ignore_mac:
        try:
            rest = text
            for path in _tops(document, set(paths)):
                rest = drop(rest, path, format=format)
            opening.open_text(rest, format=format, credentials=credentials)
        except (MacError, EmitError, PathNotFoundError):
            named = ", ".join(map(spell, paths[:_NAMED]))
            raise MacMismatchError(
                f"plaintext at {named}, and the MAC does not fit the rest: values were replaced or changed",
                hint=(
                    "compare it with an older version; to accept it as it is: encconf edit --ignore-mac FILE"
                ),
            ) from None
    opened = opening.open_text(
        text, format=format, credentials=credentials, ignore_mac=True, accept_plain=True, notify=notify
    )
    return opened, paths


def _tops(document: Document, plain: set[Path]) -> list[Path]:
    """The outermost paths that hold nothing but such plain values, the last one first."""
    kept: set[Path] = set()
    for leaf in document.leaves:
        if leaf.path not in plain:
            kept |= {leaf.path[:end] for end in range(len(leaf.path))}
    tops = [
        next(path[:end] for end in range(1, len(path) + 1) if path[:end] not in kept)
        for path in (leaf.path for leaf in document.leaves)
        if path in plain
    ]
    return list(dict.fromkeys(tops))[::-1]
