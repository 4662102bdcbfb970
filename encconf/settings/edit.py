"""Change an encrypted file from Python: a dict in a ``with`` block.

encconf compares the dict before and after the block, and sets and removes as few values as possible, as
``encconf set`` and ``unset`` do.  Comments, layout, mode and the ciphertexts of other values stay.
Reordering keys changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager

from encconf import formats
from encconf.engine import changes, checks, loading
from encconf.engine.admission import Admission
from encconf.engine.loading import check, path_of
from encconf.errors import EmitError, about, bounded
from encconf.io import fileio, locks
from encconf.rules.config import find_rule
from encconf.shape.values import plain, plain_key, same
from encconf.text.path import Path, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Container, Iterator, Mapping
    from typing import Any

    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Notify
    from encconf.text.document import Document


@contextmanager
def edit(
    path: str | os.PathLike[str],
    *,
    mask: bool = False,
    format: str | None = None,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> Iterator[dict[str, Any]]:
    """Open an encrypted file as a dict, and save what the block changed in it.

    Nothing is written if the block raises an error or changes nothing.  The file's own selection decides
    whether a new value is encrypted.  Values are dicts, lists, str, int, float, bool and None.  With
    ``mask``, values that were encrypted print as asterisks, but their real text is saved.  Other calls of
    `edit`, and ``encconf set``, wait for the block to end, for at most 60 seconds, so keep it short.
    ``notify`` gets warnings, for example about recipients of the file that its rule in ``.sops.yaml`` does
    not name, who can read the new values.

    Raises ChangedError if the file changed in the meantime (nothing is written), PlaintextError if a new
    value would stay in plaintext although ``.sops.yaml`` says to encrypt it, ConfigError or another error if
    ``.sops.yaml`` cannot be read, WrongTypeError for a value of another type, EmitError for one that the
    format cannot hold, LimitError for one that contains itself, and what `load_config` raises.

    >>> with edit("secrets.enc.yaml") as doc:  # doctest: +SKIP
    ...     doc["db"]["password"] = new_password
    """
    name = path_of(path, "edit")
    check(format=format, mask=mask, credentials=credentials)
    target = fileio.resolve(name)
    with locks.Turn(target):
        text = fileio.read_text(target)
        with about(name, frames=False):
            format = format or formats.format_of(text, name)
            masker = loading.masker_for(mask)
            opened, doc = loading.open_to_edit(text, format, masker, credentials, notify)
        before = loading.copied(doc)  # the block may change the original
        yield doc
        try:
            with about(name, frames=False):
                _save(name, target, opened, before, doc, credentials, notify)
        finally:
            del doc, before, opened  # error trackers print local variables


@bounded
def _save(
    name: str,
    target: str,
    opened: Opened,
    before: dict[str, Any],
    doc: dict[str, Any],
    credentials: Credentials | None,
    notify: Notify | None,
) -> None:
    """Write what the block changed."""
    edits = list(differences(before, doc))
    if not edits:
        return
    document = opened.document
    inherited = document.format.inherited(document)
    saves = any(value is not changes.REMOVED for _, value in edits)
    after = changes.change(
        opened,
        *[_stored(document, inherited, *edit) for edit in edits],
        credentials=credentials,
        admission=Admission(lambda: find_rule(name), file=name),
        check=checks.edits_check(name, None, saves=saves),
        notify=notify,
    )
    if notify is not None and saves and (rule := checks.known_rule(name, None)) is not None:
        metadata = opened.metadata
        checks.warn_of_readers(name, metadata, rule, lambda text, hint: notify(f"{text}; {hint}"))
    if after != document.text:
        fileio.write_atomic(target, after, replacing=document.text)


def _stored(
    document: Document, inherited: Mapping[Path, Container[object]], seen: Path, value: Any
) -> tuple[Path, Any]:
    """Return the edit of the file that makes an edit of what `load_config` returns."""
    path = changes.place(document, seen)
    if value is changes.REMOVED:
        if path[-1] in inherited.get(path[:-1], ()):
            raise EmitError(
                f"{spell(path)} cannot be removed: the merge key << would give it another value",
                hint="set it to None, or remove it from the mapping that is merged, too",
            )
        return path, value
    return path, document.format.unsettled(path, seen, value)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the edits that turn the old value into the new one, in an order in which they can be made.

    An edit is a path and a value, or `changes.REMOVED`.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield (*path, key), changes.REMOVED
        for key, value in new.items():
            here = (*path, plain_key(key, path))
            if key in old:
                yield from differences(old[key], value, here)
            else:
                yield here, plain(value, here)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_differences(old, new, path)
    elif not same(old, new):
        yield path, plain(new, path)


def _list_differences(old: list[Any], new: list[Any], path: Path) -> Iterator[tuple[Path, Any]]:
    removed = []
    kept = 0
    for at, value in enumerate(old):
        if kept < len(new) and same(value, new[kept]):
            kept += 1
        else:
            removed.append(at)
    if 0 < kept == len(new) < len(old):  # nothing but the removed items differs
        for at in reversed(removed):
            yield (*path, at), changes.REMOVED
    elif len(new) < len(old):
        yield path, plain(new, path)
    else:
        for at, value in enumerate(new):
            if at < len(old):
                yield from differences(old[at], value, (*path, at))
            else:
                yield (*path, at), plain(value, (*path, at))
