"""What differs between two versions of a file, told without telling a value.

With a key, what the values are is compared, so that a new data key alone is no change of values.
Without one, structure and ciphertexts are: the same ``ENC[…]`` text is the same value; another one may
be, unless its type or length says that it is not.  Either side may be plain text; formats may differ.
Values that moved in a list because something came before them are where they were.  Nothing here
prints; `Change` holds values only for those who can open both sides anyway.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from itertools import islice

from encconf import formats
from encconf.audit.names import identity
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
from encconf.text.align import align, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey
    from encconf.text.document import Leaf, Scope
    from encconf.text.path import Path

    Json = dict[str, object]

_TYPES: Final = {
    "str": "string", "int": "number", "float": "number", "bool": "boolean", "time": "date", "null": "null",
    "bytes": "bytes", "comment": "comment",
}  # fmt: skip
_WEIGHTY: Final = 6
"""How many bytes a value must have to be recognized at another place: a lone ``true`` says nothing."""


_MAX_RENAMED: Final = 50
"""How many mappings are followed when they were renamed."""


class Side:
    """One of the two: ``label`` is what to call it; ``text`` None: not there.

    The format is that of a SOPS file by its content, else by the ``path``; `found` is the first alone.
    """

    __slots__ = ("format", "found", "label", "path", "text")

    def __init__(self, label: str, path: str, text: str | None, format: str | None = None) -> None:
        self.label = label
        self.path = path
        self.text = text
        self.found = format or sniff.find(text or "", path)
        self.format = self.found or formats.of_path(path)


class Change:
    """What happened to one value.

    ``kind`` is ``added``, ``removed``, ``changed``, ``moved``, ``cleared`` (it was encrypted, and is in
    clear now) or ``sealed`` (the other way round); ``certain`` is False where another ciphertext is all
    that is known.  ``old`` and ``new`` are its paths, None where it is not there; ``document`` is the
    number (from 0) of the YAML document.  ``types`` are sops's, before and after, "" for none.
    ``same`` says that the value is known to be what it was.  ``lost`` says that a ciphertext was moved to
    where it cannot be decrypted.
    """

    __slots__ = (
        "certain", "document", "kind", "lost", "new", "new_value", "old", "old_value", "same", "types",
    )  # fmt: skip

    def __init__(self, kind: str, old: _Item | None, new: _Item | None, *, certain: bool = True) -> None:
        self.kind = kind
        self.certain = certain
        self.old = old.path if old else None
        self.new = new.path if new else None
        self.document = (new or old).document  # type: ignore[union-attr]
        self.types = (_type(old), _type(new))
        self.old_value = old.value if old and old.readable else None
        self.new_value = new.value if new and new.readable else None
        self.same = False
        self.lost = False

    @property
    def path(self) -> Path:
        """Where it is, or was."""
        path = self.new if self.new is not None else self.old
        assert path is not None
        return path

    @property
    def retyped(self) -> bool:
        """Whether it is of another type now."""
        return self.types[0] != self.types[1] and all(self.types)

    def __repr__(self) -> str:
        return f"Change({self.kind!r}, {self.old!r}, {self.new!r}, certain={self.certain})"


def _type(item: _Item | None) -> str:
    return _TYPES.get(item.type, item.type) if item else ""


class Difference:
    """All that differs between two sides.

    ``data_key`` is ``same``, ``new``, ``unknown`` or "" (a side is not encrypted).  ``added_keys`` and
    ``removed_keys`` are recipients, ``regrouped`` those in other key groups.  ``quorum`` (how many of how
    many key groups are needed), ``selection`` and ``encrypted`` are pairs of before and after.
    ``comments`` are numbers: changed, added, removed.  ``notes`` are sentences about what could not be
    compared, ``reasons`` why a side was not opened.  ``keyed``: values were compared.  ``one_file``: both
    sides are versions of the same file.
    """

    __slots__ = (
        "added_keys", "changes", "comments", "data_key", "encrypted", "keyed", "layout", "new", "notes",
        "old", "one_file", "quorum", "reasons", "regrouped", "removed_keys", "resealed", "selection",
        "structure",
    )  # fmt: skip

    def __init__(self, old: Side, new: Side, *, one_file: bool) -> None:
        self.old = old
        self.new = new
        self.one_file = one_file
        self.keyed = True
        self.changes: list[Change] = []
        self.comments = (0, 0, 0)
        self.added_keys: list[MasterKey] = []
        self.removed_keys: list[MasterKey] = []
        self.regrouped: list[MasterKey] = []
        self.data_key = ""
        self.quorum = ((0, 0), (0, 0))
        self.selection = ("", "")
        self.encrypted = (False, False)
        self.structure = False
        self.layout = False
        self.resealed = False
        self.notes: list[str] = []
        self.reasons: list[str] = []

    @property
    def differs(self) -> bool:
        """Whether there is anything to tell.

        How it was sealed, and whether it was, counts for two versions of one file only.
        """
        return bool(self.changes) or self._differs_otherwise

    @property
    def decided(self) -> bool:
        """Whether `differs` is sure: without a key, other ciphertexts may hold the same values."""
        if self.keyed or self.one_file or self._differs_otherwise:
            return True
        return not self.changes or any(change.certain for change in self.changes)

    @property
    def _differs_otherwise(self) -> bool:
        one, other = self.encrypted
        return bool(
            any(self.comments)
            or self.recipients
            or self.quorum[0] != self.quorum[1]
            or self.selection[0] != self.selection[1]
            or self.structure
            or self.layout
            or (self.one_file and (one != other or self.data_key == "new" or self.resealed))
            or self.renamed
            or (self.old.text is None) != (self.new.text is None)
        )

    @property
    def renamed(self) -> bool:
        """Whether the file was called otherwise."""
        both = self.old.text is not None and self.new.text is not None
        return self.one_file and both and self.old.path != self.new.path

    @property
    def recipients(self) -> list[MasterKey]:
        """The keys that have come, gone, or changed places."""
        return [*self.added_keys, *self.removed_keys, *self.regrouped]

    def count(self, kind: str) -> int:
        """How many changes are of a kind, or ``unknown``: not certain."""
        return sum((change.kind if change.certain else "unknown") == kind for change in self.changes)


def compare(old: Side, new: Side, *, one_file: bool, credentials: Credentials | None = None) -> Difference:
    """What differs; without ``credentials`` nothing is opened.

    Raises ParseError and MetadataError for a side that cannot be read, with its label.
    """
    found = Difference(old, new, one_file=one_file)
    _agree(old, new)
    _agree(new, old)
    if old.text == new.text and old.format == new.format:
        if old.text is not None:  # what cannot be read is not told to be the same
            content = _Content(old, None)
            found.encrypted = (content.metadata is not None,) * 2
        return found
    before, after = _Content(old, credentials), _Content(new, credentials)
    found.encrypted = (before.metadata is not None, after.metadata is not None)
    found.keyed = before.readable and after.readable
    for content in (before, after):
        found.reasons += content.reasons
        found.notes += content.notes
    _Pairing(found, before, after).run()
    if before.metadata is not None and after.metadata is not None:
        _compare_blocks(found, before, after)
    elif old.text is None or new.text is None:
        for content, keys in ((before, found.removed_keys), (after, found.added_keys)):
            keys += [key for key, _ in _groups(content.metadata).values()] if content.metadata else []
    _compare_comments(found, before, after)
    if found.keyed and not found.changes and not any(found.comments):
        found.structure = before.shape != after.shape and old.format == new.format
        if not found.structure and old.format == new.format and None not in (old.text, new.text):
            found.layout = before.plain() != after.plain()
    if one_file and all(found.encrypted) and not found.differs:
        found.resealed = True
    return found


def _agree(side: Side, other: Side) -> None:
    """Read a plain text whose name says no format as what the other side is."""
    if side.text is None or side.format != "binary" or side.found or other.found is None:
        return
    with suppress(UnicodeEncodeError):
        side.text.encode()
        side.format = other.found


# --- the sides -----------------------------------------------------------------------------------


class _Item:
    """One value of a side; ``enc`` is its ciphertext, None for one in clear."""

    __slots__ = ("aad", "data", "document", "enc", "path", "readable", "type")

    def __init__(self, document: int, leaf: Leaf, *, opened: bool) -> None:
        self.document = document
        self.path: Path = leaf.path
        self.aad = leaf.aad
        self.data = leaf.data
        self.type = leaf.type
        self.enc = leaf.sealed
        self.readable = True
        if not opened and leaf.data is not None and (parts := cipher.split(leaf.data)) is not None:
            self.enc = leaf.data.decode().rstrip()
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
        parts = cipher.split(self.enc.encode())
        return len(parts[0]) - cipher.TAG_SIZE if parts else 0


class _Content:
    """A side as it was read, and opened if that can be."""

    def __init__(self, side: Side, credentials: Credentials | None) -> None:
        self.side = side
        self.metadata: Metadata | None = None
        self.opened: opening.Opened | None = None
        self.readable = True
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self.items: list[_Item] = []
        self.comments: list[tuple[bytes, str, str | None]] = []  # place, text, ciphertext
        self.shape: list[str] = []
        if side.text is None:
            return
        try:
            self._read(side.text, credentials)
        except EncconfError as error:
            raise error.about(side.label) from None

    def plain(self) -> str | None:
        """The plain text."""
        return plaintext.plain_text(self.opened) if self.opened is not None else self.side.text

    def _read(self, text: str, credentials: Credentials | None) -> None:
        try:
            document = formats.module(self.side.format).scan(text, comments=True)
        except EmptyDocumentError:
            return
        with suppress(NotEncryptedError):
            self.metadata = Metadata.of(document)
        if self.metadata is not None:
            if credentials is not None:
                self._open(text, credentials)
            self.readable = self.opened is not None
            document = self.opened.document if self.opened is not None else document
        self.shape = document.shape
        numbers = {id(tree): number for number, tree in enumerate(document.trees)}
        opened = self.opened is not None or self.metadata is None
        for leaf in document.leaves:
            number = numbers.get(id(_root(leaf.scope).node), 0)
            item = _Item(number, leaf, opened=opened)
            if item.type == "comment":
                self.comments.append((leaf.scope.aad.encode(), item.value or "", item.enc))
            else:
                self.items.append(item)
        for comment in document.comments:
            enc = comment.text if comment.text.startswith(cipher.PREFIX) else comment.sealed
            self.comments.append((comment.scope.aad.encode(), comment.text, enc))

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


def _root(scope: Scope) -> Scope:
    while scope.parent is not None:
        scope = scope.parent
    return scope


# --- values --------------------------------------------------------------------------------------


class _Pairing:
    """Which value of one side is which of the other, and what became of it."""

    def __init__(self, found: Difference, before: _Content, after: _Content) -> None:
        self.found = found
        self.old = before.items
        self.new = after.items
        self.by_value = found.keyed
        self.typed = not any(formats.ROWS[each.side.format].flat for each in (before, after))
        self.both_encrypted = all(found.encrypted)
        self.left_old = dict.fromkeys(range(len(self.old)))
        self.left_new = dict.fromkeys(range(len(self.new)))
        self.changes: list[tuple[int, Change]] = []  # with where to tell it
        self.last: dict[tuple[int, Path], int] = {}

    def run(self) -> None:
        taken = align(
            [(item.document, item.aad, self._value(item)) for item in self.old],
            [(item.document, item.aad, self._value(item)) for item in self.new],
        )
        pairs = [(i, j) for j, i in enumerate(taken) if i is not None]
        steady = set(in_order(pairs))  # the rest has moved
        for i, j in pairs:
            self._same(i, j, moved=(i, j) not in steady and self.old[i].path != self.new[j].path)
        self._change_between(sorted(steady))
        self._change_at({(self.old[i].document, self.old[i].path): i for i in self.left_old})
        self._move()
        for i in self.left_old:
            self.changes.append((self._place(i), Change("removed", self.old[i], None)))
        for j in self.left_new:
            self.changes.append((2 * j + 1, Change("added", None, self.new[j])))
        self.found.changes = [change for _, change in sorted(self.changes, key=lambda entry: entry[0])]

    def _value(self, item: _Item) -> object:
        """What is the same for values that are."""
        if not self.by_value and item.enc is not None:
            return item.enc
        kind = {"int": "number", "float": "number"}.get(item.type, item.type) if self.typed else ""
        return (kind, item.data)

    def _same(self, i: int, j: int, *, moved: bool) -> None:
        del self.left_old[i], self.left_new[j]
        old, new = self.old[i], self.new[j]
        if moved:
            self.changes.append((2 * j + 1, Change("moved", old, new)))
        elif self.both_encrypted and (old.enc is None) != (new.enc is None) and old.data:
            kind = "cleared" if new.enc is None else "sealed"
            change = Change(kind, old, new)
            change.same = True
            self.changes.append((2 * j + 1, change))

    def _changed(self, i: int, j: int) -> None:
        del self.left_old[i], self.left_new[j]
        old, new = self.old[i], self.new[j]
        surely = old.type != new.type or old.size != new.size or (old.readable and new.readable)
        kind = "changed"
        if self.both_encrypted and new.data and old.data and (old.enc is None) != (new.enc is None):
            kind = "cleared" if new.enc is None else "sealed"
        self.changes.append((2 * j + 1, Change(kind, old, new, certain=surely)))

    def _change_between(self, steady: list[tuple[int, int]]) -> None:
        """Pair what has the same keys and stands between the same neighbours."""
        olds, news = [i for i, _ in steady], [j for _, j in steady]
        gaps: dict[tuple[int, int, bytes], list[int]] = {}
        for i in self.left_old:
            item = self.old[i]
            gaps.setdefault((bisect_left(olds, i), item.document, item.aad), []).append(i)
        for j in list(self.left_new):
            item = self.new[j]
            waiting = gaps.get((bisect_left(news, j), item.document, item.aad))
            if waiting:
                self._changed(waiting.pop(0), j)

    def _change_at(self, places: dict[tuple[int, Path], int]) -> None:
        """Pair what has the same path."""
        for j in list(self.left_new):
            i = places.get((self.new[j].document, self.new[j].path))
            if i is not None:
                self._changed(i, j)

    def _move(self) -> None:
        """Find values again at other paths, and mappings that were renamed with all that is in them."""
        places = {(self.new[j].document, self.new[j].path): j for j in self.left_new}
        renamed: dict[tuple[Path, Path], None] = {}
        once_old, once_new = self._once(self.old, self.left_old), self._once(self.new, self.left_new)
        for value, i in once_old.items():
            j = once_new.get(value)
            if j is not None:
                renamed.setdefault(_prefixes(self.old[i].path, self.new[j].path))
                self._moved(i, j)
        for i in list(self.left_old):
            old = self.old[i]
            for before, after in islice(renamed, _MAX_RENAMED):
                if not before or not after or old.path[: len(before)] != before:
                    continue
                j = places.get((old.document, (*after, *old.path[len(before) :])))
                if j in self.left_new and self._value(old) == self._value(self.new[j]):
                    self._moved(i, j)
                    break

    def _once(self, items: Sequence[_Item], left: Iterable[int]) -> dict[object, int]:
        """The values that can be recognized: long enough, and there once."""
        found: dict[object, int] = {}
        for at in left:
            if items[at].size >= _WEIGHTY or items[at].enc is not None:
                value = self._value(items[at])
                found[value] = -1 if value in found else at
        return {value: at for value, at in found.items() if at >= 0 and items[at].size}

    def _moved(self, i: int, j: int) -> None:
        del self.left_old[i], self.left_new[j]
        change = Change("moved", self.old[i], self.new[j])
        change.lost = self.old[i].enc is not None and self.old[i].enc == self.new[j].enc
        self.changes.append((2 * j + 1, change))

    def _place(self, i: int) -> int:
        """Where to tell of what is gone: behind what is left of the collection that it was in."""
        if not self.last:
            self.last = {(item.document, item.path[:-1]): j for j, item in enumerate(self.new)}
        item = self.old[i]
        return 2 * self.last.get((item.document, item.path[:-1]), min(i, len(self.new))) + 2


def _prefixes(old: Path, new: Path) -> tuple[Path, Path]:
    """Two paths without the end that they share."""
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    return old[: len(old) - same], new[: len(new) - same]


# --- all else ------------------------------------------------------------------------------------


def _compare_comments(found: Difference, before: _Content, after: _Content) -> None:
    if before.side.text is None or after.side.text is None:
        return
    old, new = _counted(before.comments, found), _counted(after.comments, found)
    changed = added = removed = 0
    for place in old.keys() | new.keys():
        was, now = old.get(place, {}), new.get(place, {})
        gone = sum(max(0, number - now.get(text, 0)) for text, number in was.items())
        come = sum(max(0, number - was.get(text, 0)) for text, number in now.items())
        changed += min(gone, come)
        removed += gone - min(gone, come)
        added += come - min(gone, come)
    if before.side.format == after.side.format:  # JSON, say, has none
        found.comments = (changed, added, removed)


def _counted(
    comments: Iterable[tuple[bytes, str, str | None]], found: Difference
) -> dict[bytes, dict[str, int]]:
    """How often each comment stands at each place; without a key its ciphertext stands for it."""
    counts: dict[bytes, dict[str, int]] = {}
    one, other = found.encrypted
    for place, text, enc in comments:
        if not found.keyed and (enc is not None or one != other):
            text = enc if enc and found.data_key == "same" else "one that nobody can compare"
        texts = counts.setdefault(place, {})
        texts[text] = texts.get(text, 0) + 1
    return counts


def _compare_blocks(found: Difference, before: _Content, after: _Content) -> None:
    old, new = before.metadata, after.metadata
    assert old is not None
    assert new is not None
    was, now = _groups(old), _groups(new)
    found.added_keys = [key for name, (key, _) in now.items() if name not in was]
    found.removed_keys = [key for name, (key, _) in was.items() if name not in now]
    found.regrouped = [key for name, (key, groups) in now.items() if name in was and was[name][1] != groups]
    found.quorum = (_quorum(old), _quorum(new))
    found.selection = (_selection(old), _selection(new))
    found.data_key = _data_key(before, after)


def _groups(metadata: Metadata) -> dict[str, tuple[MasterKey, tuple[int, ...]]]:
    """Each key with the numbers of its groups."""
    found: dict[str, tuple[MasterKey, tuple[int, ...]]] = {}
    for number, group in enumerate(metadata.groups):
        for wrapped in group:
            name = identity(wrapped.key)
            key, groups = found.get(name, (wrapped.key, ()))
            found[name] = (key, groups if number in groups else (*groups, number))
    return found


def _quorum(metadata: Metadata) -> tuple[int, int]:
    groups = len(metadata.groups)
    return (max(metadata.threshold or groups, 2) if groups > 1 else 1, groups)


def _selection(metadata: Metadata) -> str:
    selection = metadata.selection
    return f"{selection.kind} {selection.pattern}" + (" (MAC over these only)" * selection.mac_only_encrypted)


def _data_key(before: _Content, after: _Content) -> str:
    if before.opened is not None and after.opened is not None:
        return "same" if before.opened.data_key == after.opened.data_key else "new"
    old, new = before.metadata, after.metadata
    assert old is not None
    assert new is not None
    wraps = [{(w.key.TYPE, w.enc) for group in each.groups for w in group if w.enc} for each in (old, new)]
    encs = [
        {item.enc for item in content.items if item.enc}
        | {enc for enc in (metadata.mac, metadata.layout) if enc}
        for content, metadata in ((before, old), (after, new))
    ]
    if wraps[0] & wraps[1] or encs[0] & encs[1]:
        return "same"
    # A value or two may all have been changed at once; of many, one would have stayed.
    return "new" if min(len(encs[0]), len(encs[1])) > 3 else "unknown"


# --- as data -------------------------------------------------------------------------------------


def to_json(found: Difference, *, values: bool) -> Json:
    """One difference as plain data; with ``values`` also what is secret."""
    from encconf.text.path import spell

    changes: list[Json] = []
    for change in found.changes:
        entry: Json = {
            "kind": change.kind,
            "path": spell(change.path),
            "certain": change.certain,
            "old_path": spell(change.old) if change.old is not None else None,
            "new_path": spell(change.new) if change.new is not None else None,
            "document": change.document,
            "old_type": change.types[0] or None,
            "new_type": change.types[1] or None,
        }
        if change.kind in ("cleared", "sealed"):
            entry["same_value"] = change.same
        if change.lost:
            entry["undecryptable"] = True
        if values:
            entry["old_value"], entry["new_value"] = change.old_value, change.new_value
        changes.append(entry)
    return {
        "old": found.old.label if found.old.text is not None else None,
        "new": found.new.label if found.new.text is not None else None,
        "renamed": found.renamed,
        "differs": found.differs if found.decided else None,
        "compared": "values" if found.keyed else "ciphertexts",
        "encrypted": list(found.encrypted),
        "changes": changes,
        "comments": dict(zip(("changed", "added", "removed"), found.comments, strict=True)),
        "recipients": {
            name: [{"type": key.TYPE, "key": key.name} for key in keys]
            for name, keys in (
                ("added", found.added_keys),
                ("removed", found.removed_keys),
                ("regrouped", found.regrouped),
            )
        },
        "data_key": found.data_key or None,
        "quorum": [f"{needed} of {groups}" for needed, groups in found.quorum]
        if all(found.encrypted)
        else None,
        "selection": list(found.selection) if all(found.encrypted) else None,
        "structure": found.structure,
        "layout": found.layout,
        "resealed": found.resealed,
        "notes": [*found.notes, *found.reasons],
    }
