"""Find what differs between two versions of a file, or between two files, without showing a value.

With a key, the values are compared, so a new data key alone does not change any value.  Without a key,
structure and ciphertexts are compared.  Equal ``ENC[…]`` texts are equal values; different ones may also be
equal values, unless their types or lengths differ.  Either side may be plaintext, and the formats may differ.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from encconf import formats
from encconf.engine import cipher, opening, plaintext
from encconf.engine.metadata import Metadata
from encconf.envelope import quorum
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    EncconfError,
    KeyAccessError,
    MacError,
    MetadataError,
    NotEncryptedError,
)
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection
from encconf.text.align import align, in_order
from encconf.text.document import ENC_PREFIX, Comment, Leaf, Value
from encconf.text.path import Path, spell
from encconf.text.printable import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.names import Names
    from encconf.keys import MasterKey
    from encconf.text.document import Document

    Json = dict[str, object]


class Difference:
    """Everything that differs between two sides.

    ``data_key`` is ``same``, ``new``, ``unknown`` or "" (a side is not encrypted).  ``added_keys`` and
    ``removed_keys`` are recipients; ``regrouped`` are those that moved to other key groups.  ``quorum`` (how
    many of how many key groups are needed), ``selection`` (None if a side is not encrypted) and ``encrypted``
    are pairs: before and after.
    ``comments`` are the numbers of changed, added and removed comments.  ``notes`` say what could not be
    compared, ``reasons`` why a side was not opened, and ``advice`` what to do about it.  ``keyed`` says that
    values were compared, not ciphertexts.  ``one_file`` says that both sides are versions of the same file.
    ``unmerged`` is what an unfinished merge left in it, if nothing else differs.
    """

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
        self.selection: tuple[Selection, Selection] | None = None
        self.encrypted = (False, False)
        self.structure = self.layout = self.resealed = False
        self.unmerged: str | None = None
        self.notes: list[str] = []
        self.reasons: list[str] = []
        self.advice: str | None = None

    @property
    def differs(self) -> bool:
        """Whether there is any difference.

        Two different files may differ in their data keys, and in whether they are encrypted at all.
        """
        return bool(self.changes) or self._differs_otherwise

    @property
    def decided(self) -> bool:
        """Whether `differs` is certain.  Without a key, different ciphertexts may be the same values."""
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
            or self.reselected
            or self.structure
            or self.layout
            or (self.one_file and (one != other or self.data_key == "new" or self.resealed))
            or self.renamed
            or (self.old.text is None) != (self.new.text is None)
        )

    @property
    def reselected(self) -> bool:
        """Whether the selection changed."""
        return self.selection is not None and self.selection[0] != self.selection[1]

    @property
    def renamed(self) -> bool:
        """Whether the file was renamed."""
        both = self.old.text is not None and self.new.text is not None
        return self.one_file and both and self.old.path != self.new.path

    @property
    def recipients(self) -> list[MasterKey]:
        """The keys that were added, removed or moved to another group."""
        return [*self.added_keys, *self.removed_keys, *self.regrouped]

    def count(self, kind: str) -> int:
        """Return how many certain changes are of a kind; for ``unknown``, how many are not certain."""
        return sum((change.kind if change.certain else "unknown") == kind for change in self.changes)


def compare(old: Side, new: Side, *, one_file: bool, credentials: Credentials | None = None) -> Difference:
    """Compare two sides.  Without ``credentials``, no file is opened.

    Raises ParseError or MetadataError, with the side's label, if a side cannot be read.
    """
    found = Difference(old, new, one_file=one_file)
    _agree(old, new)
    _agree(new, old)
    if old.text == new.text and old.format == new.format:
        if old.text is not None:  # this raises an error if the text cannot be read
            content = Content(old, None)
            found.encrypted = (content.metadata is not None,) * 2
        return found
    before, after = Content(old, credentials), Content(new, credentials)
    found.encrypted = (before.metadata is not None, after.metadata is not None)
    found.keyed = before.readable and after.readable
    for content in (before, after):
        found.reasons += content.reasons
        found.advice = found.advice or content.advice
        found.notes += content.notes
    in_place = compared_in_place(before, after) if found.keyed else None
    found.changes = Pairing(before, after, by_value=found.keyed).run() if in_place is None else in_place
    _compare_blocks(found, before, after)
    _compare_comments(found, before, after)
    if found.keyed and not found.changes and not any(found.comments):
        found.structure = before.outline != after.outline and old.format == new.format
        if not found.structure and old.format == new.format and None not in (old.text, new.text):
            found.layout = before.plain() != after.plain()
    if one_file and all(found.encrypted) and not found.differs:
        found.resealed = True
        found.unmerged = after.metadata.unmerged if after.metadata is not None else None
    return found


def _agree(side: Side, other: Side) -> None:
    """Give a plaintext side the format of the other side, if its own name does not say the format."""
    if side.text is None or not formats.get(side.format).single_value or side.found or other.found is None:
        return
    try:
        side.text.encode()
    except UnicodeEncodeError:
        return
    side.format = other.found


# --- comments and blocks -------------------------------------------------------------------------


def _compare_comments(found: Difference, before: Content, after: Content) -> None:
    one, other = before.side, after.side
    if None in (one.text, other.text) or one.format != other.format:  # JSON has no comments, for example
        return
    old, new = _counted(before.comments, found), _counted(after.comments, found)
    lost, fresh = _by_place(old - new), _by_place(new - old)
    changed = (lost & fresh).total()
    found.comments = (changed, fresh.total() - changed, lost.total() - changed)


def _by_place(comments: Counter[tuple[str, str]]) -> Counter[str]:
    return Counter(place for place, _ in comments.elements())


def _counted(comments: Iterable[tuple[str, str, str | None]], found: Difference) -> Counter[tuple[str, str]]:
    """Return how often each comment occurs at each place.  Without a key, ciphertexts are counted."""
    counts: Counter[tuple[str, str]] = Counter()
    one, other = found.encrypted
    for place, text, enc in comments:
        if not found.keyed and (enc is not None or one != other):
            text = enc if enc and found.data_key == "same" else "a comment that cannot be compared"
        counts[place, text] += 1
    return counts


def _compare_blocks(found: Difference, before: Content, after: Content) -> None:
    old, new = before.metadata, after.metadata
    if all(found.encrypted) or None in (found.old.text, found.new.text):
        was, now = _groups(old), _groups(new)
        found.added_keys = [key for name, (key, _) in now.items() if name not in was]
        found.removed_keys = [key for name, (key, _) in was.items() if name not in now]
        found.regrouped = [
            key for name, (key, groups) in now.items() if name in was and was[name][1] != groups
        ]
    if old is not None and new is not None:
        found.quorum = (_quorum(old), _quorum(new))
        found.selection = (old.selection, new.selection)
        found.data_key = _data_key((before, old), (after, new))


def _groups(metadata: Metadata | None) -> dict[str, tuple[MasterKey, tuple[int, ...]]]:
    """Return each key by its identity, with the numbers of its groups."""
    from encconf.audit.names import identity

    found: dict[str, tuple[MasterKey, tuple[int, ...]]] = {}
    for number, group in enumerate(metadata.groups if metadata is not None else ()):
        for wrapped in group:
            name = identity(wrapped.key)
            key, groups = found.get(name, (wrapped.key, ()))
            found[name] = (key, groups if number in groups else (*groups, number))
    return found


def _quorum(metadata: Metadata) -> tuple[int, int]:
    return quorum(metadata.threshold, metadata.groups), len(metadata.groups)


def _data_key(*sides: tuple[Content, Metadata]) -> str:
    old, new = (content.opened for content, _ in sides)
    if old is not None and new is not None:
        return "same" if old.data_key == new.data_key else "new"
    wraps = [{(w.key.TYPE, w.enc) for group in block.groups for w in group if w.enc} for _, block in sides]
    encs = [{item.enc for item in content.items()} | {block.mac, block.layout} for content, block in sides]
    nothing = {None, ""}
    if wraps[0] & wraps[1] or (encs[0] & encs[1]) - nothing:
        return "same"
    # One or two values may all have changed at once; of many values, at least one would be unchanged.
    return "new" if min(len(each - nothing) for each in encs) > 3 else "unknown"


# --- as data -------------------------------------------------------------------------------------


def to_json(found: Difference, names: Names, *, values: bool) -> Json:
    """Return a difference as JSON data.  With ``values``, it includes the secret values."""
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
    both = found.selection or ()  # neither if a side is not encrypted
    return {
        "old": found.old.label if found.old.text is not None else None,
        "new": found.new.label if found.new.text is not None else None,
        "renamed": found.renamed,
        "differs": found.differs if found.decided else None,
        "compared": "values" if found.keyed else "ciphertexts",
        "encrypted": _old_and_new(found.encrypted),
        "changes": changes,
        "comments": dict(zip(("changed", "added", "removed"), found.comments, strict=True)),
        "recipients": {
            name: list(map(names.to_json, keys))
            for name, keys in (
                ("added", found.added_keys),
                ("removed", found.removed_keys),
                ("regrouped", found.regrouped),
            )
        },
        "data_key": found.data_key or None,
        "threshold": _old_and_new([needed for needed, _ in both and found.quorum]),
        "groups": _old_and_new([groups for _, groups in both and found.quorum]),
        "selection": _old_and_new([each.to_entries() for each in both]),
        "structure": found.structure,
        "layout": found.layout,
        "resealed": found.resealed,
        "notes": [*found.notes, *found.reasons],
    }


def _old_and_new(pair: Sequence[object]) -> Json | None:
    return dict(zip(("old", "new"), pair, strict=True)) if pair else None


# --- the two sides that are compared: the text, values and sops block of each -----------------------


class Side:
    """One side.  ``label`` is its name in messages; ``text`` is None if the file does not exist there.

    A caller that has scanned the text already, with its comments, passes the document as the ``text``, and
    one that has opened it passes that.
    ``found`` is the given format, or that of a SOPS file according to its content, or None.  ``format`` is
    ``found``, or else the format that the ``path`` says.
    """

    def __init__(
        self, label: str, path: str, text: str | Document | opening.Opened | None, format: str | None = None
    ) -> None:
        self.label = label
        self.path = path
        self.opened = text if isinstance(text, opening.Opened) else None
        known = text.document if isinstance(text, opening.Opened) else text
        self.document = None if isinstance(known, str) else known
        self.text = known if known is None or isinstance(known, str) else known.text
        self.found = format or formats.find(self.text or "", path)
        self.format = self.found or formats.of_path(path)


class Item:
    """One value of a side.

    ``enc`` is its ciphertext, or None if it is plaintext.  ``size`` is the length of the value in bytes.
    """

    __slots__ = ("aad", "data", "document", "enc", "path", "readable", "size", "type")

    def __init__(self, document: int, leaf: Leaf, value: Value, *, opened: bool) -> None:
        self.document = document
        self.path: Path = leaf.path
        self.aad = leaf.aad
        self.data = value.data
        self.type = value.type
        self.enc = value.sealed
        self.readable = True
        self.size = len(value.data or b"")
        if not opened and value.data is not None and (parts := cipher.split(value.data)) is not None:
            self.enc = value.data.decode().rstrip()
            self.type = parts[2]
            self.readable = False
            self.size = len(parts[0]) - cipher.TAG_SIZE

    @property
    def value(self) -> str | None:
        """The value as text."""
        return None if self.data is None else self.data.decode("utf-8", "backslashreplace")


class Content:
    """The content of a side, decrypted if that is possible."""

    def __init__(self, side: Side, credentials: Credentials | None) -> None:
        self.side = side
        self.metadata: Metadata | None = None
        self.opened: opening.Opened | None = None
        self.readable = True
        self.reasons: list[str] = []
        self.advice: str | None = None
        self.notes: list[str] = []
        self.leaves: Sequence[Leaf] = ()
        self.values: Sequence[Value] = ()
        self.comments: list[tuple[str, str, str | None]] = []  # place, text, ciphertext
        self.outline: list[str] = []
        if side.text is None:
            return
        try:
            self._read(side.text, credentials)
        except EncconfError as error:
            raise error.about(side.label) from None

    def item(self, index: int) -> Item:
        """Return a leaf with its value."""
        leaf = self.leaves[index]
        root = leaf.scope.root
        number = self._numbers[id(root.again or root)]  # a dotenv file may continue its root
        return Item(number, leaf, self.values[index], opened=self.readable)

    def _all_items(self) -> list[Item]:
        return list(map(self.item, range(len(self.leaves))))

    def items(self) -> list[Item]:
        """Return all values.  Comments that sops stores as values are among the ``comments`` instead."""
        return [item for item in self._all_items() if item.type != "comment"]

    def plain(self) -> str | None:
        """Return the plaintext."""
        return plaintext.plain_text(self.opened) if self.opened is not None else self.side.text

    def _read(self, text: str, credentials: Credentials | None) -> None:
        try:
            document = self.side.document or formats.get(self.side.format).scan(text, comments=True)
        except EmptyDocumentError:
            return
        try:
            self.metadata = Metadata.of(document)
        except NotEncryptedError:
            self.metadata = None
        if self.metadata is not None:
            self.opened = self.side.opened
            if self.opened is None and credentials is not None:
                self._open(text, credentials)
            self.readable = self.opened is not None
        self.values = document.leaves
        comments: Sequence[Comment] = document.comments
        if self.opened is not None:
            document, self.values, comments = self.opened.document, self.opened.values, self.opened.comments
        self.leaves = document.leaves
        self.outline = document.outline
        self._numbers = {id(root): number for number, root in enumerate(document.roots)}
        if not self.readable or any(value.type == "comment" for value in self.values):
            for leaf, item in zip(self.leaves, self._all_items(), strict=True):
                if item.type == "comment":
                    self.comments.append((leaf.scope.aad, item.value or "", item.enc))
        for comment in comments:
            enc = comment.text if comment.text.startswith(ENC_PREFIX) else comment.sealed
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
            self.advice = error.hint
        except (DecryptError, MetadataError) as error:
            self.notes.append(f"{self.side.label}: {error.message}")


# --- pairs of values, and how each changed ----------------------------------------------------------
# If an item is inserted into a list, the items after it do not count as moved.  A `Change` holds a value only
# if its side could be opened.

_TYPES = {
    "str": "string", "int": "number", "float": "number", "bool": "boolean", "time": "date", "null": "null",
    "bytes": "bytes", "comment": "comment",
}  # fmt: skip
_WEIGHTY = 6
"""How many bytes a value must have to be recognized at another path.  ``true`` could be any value."""
_MAX_RENAMED = 50
"""How many renamed mappings are considered."""


class Change:
    """How one value changed.

    ``kind`` is ``added``, ``removed``, ``changed``, ``moved``, ``cleared`` (it was encrypted, and is
    plaintext now) or ``sealed`` (the other way round).  ``certain`` is False if only the ciphertext is known
    to differ.  ``old`` and ``new`` are its paths, or None on a side without the value.  ``document`` is the
    number (from 0) of the YAML document.  ``kinds`` are the types of sops before and after, or "", and
    ``types`` are these in words.
    ``same`` says that the value itself is known to be unchanged.  ``lost`` says that a ciphertext was moved
    to a place where it cannot be decrypted.
    """

    __slots__ = (
        "after", "before", "certain", "document", "kind", "kinds", "lost", "new", "old", "same"
    )  # fmt: skip

    def __init__(self, kind: str, old: Item | None, new: Item | None, *, same: bool = False) -> None:
        self.kind = kind
        self.before, self.after = old, new
        self.same = same
        self.certain = True
        self.lost = False
        if old and new:
            differ = (old.readable and new.readable) or old.type != new.type or old.size != new.size
            self.certain = same or differ
            if kind == "moved":
                self.lost = old.enc is not None and old.enc == new.enc and old.aad != new.aad
        self.old = old.path if old else None
        self.new = new.path if new else None
        self.document = (new or old).document  # type: ignore[union-attr]
        self.kinds = (old.type if old else "", new.type if new else "")

    def __str__(self) -> str:
        """What changed, in the words of `Effect`."""
        from encconf.engine.effects import Effect

        if self.kind == "moved":
            return f"moved {spell(self.old or ())} to {spell(self.path)}"
        return str(Effect(self.kind, self.path, *self.kinds))

    @property
    def old_value(self) -> str | None:
        """The value before, or None if there was none, or if it cannot be read."""
        return self.before.value if self.before and self.before.readable else None

    @property
    def new_value(self) -> str | None:
        """The value now, as ``old_value``."""
        return self.after.value if self.after and self.after.readable else None

    @property
    def path(self) -> Path:
        """The path of the value now, or its former path if it was removed."""
        return self.new or self.old or ()

    @property
    def types(self) -> tuple[str, str]:
        """The types before and after in words, or ""."""
        old, new = (_TYPES.get(kind, kind) for kind in self.kinds)
        return old, new

    @property
    def retyped(self) -> bool:
        """Whether the value has another type now."""
        return self.types[0] != self.types[1] and all(self.types)


def _token(value: Item | Value, *, typed: bool) -> tuple[str, bytes | None]:
    """Return a key that is the same for equal values.  Flat formats hold only strings."""
    return (_TYPES.get(value.type, value.type) if typed else "", value.data)


def _typed(before: Content, after: Content) -> bool:
    return not any(formats.get(each.side.format).flat for each in (before, after))


def _both_encrypted(before: Content, after: Content) -> bool:
    return before.metadata is not None and after.metadata is not None


def _crossed(old: Item, new: Item) -> str:
    """Return ``cleared`` or ``sealed`` if only one of two values in encrypted files is encrypted, or ""."""
    if not old.data or not new.data or (old.enc is None) == (new.enc is None):
        return ""
    return "cleared" if new.enc is None else "sealed"


def compared_in_place(before: Content, after: Content) -> list[Change] | None:
    """Return the changes if both sides have the same keys, and no list item changed, or else None.

    That is the usual case, and then `Pairing` would pair each value with the one at its place.
    """
    if before.outline != after.outline:
        return None
    typed, both_encrypted = _typed(before, after), _both_encrypted(before, after)
    changes: list[Change] = []
    for index, (was, now) in enumerate(zip(before.values, after.values, strict=True)):
        same = was.data == now.data and _token(was, typed=typed) == _token(now, typed=typed)
        if same and not both_encrypted:
            continue
        old, new = before.item(index), after.item(index)
        kind = (_crossed(old, new) if both_encrypted else "") or ("" if same else "changed")
        if not kind:
            continue
        if any(isinstance(step, int) for step in new.path):
            return None
        changes.append(Change(kind, old, new, same=same))
    return changes


class Pairing:
    """Pairs the values of two sides.  Without ``by_value``, it compares ciphertexts instead of values."""

    def __init__(self, before: Content, after: Content, *, by_value: bool) -> None:
        self.old = before.items()
        self.new = after.items()
        self.by_value = by_value
        self.typed = _typed(before, after)
        self.both_encrypted = _both_encrypted(before, after)
        self.left_old = dict.fromkeys(range(len(self.old)))
        self.left_new = dict.fromkeys(range(len(self.new)))
        self.changes: list[tuple[int, Change]] = []  # with the position in the report

    def run(self) -> list[Change]:
        """Return how each value changed, in the order of the second text."""
        taken = align(
            [(item.document, item.aad, self._value(item)) for item in self.old],
            [(item.document, item.aad, self._value(item)) for item in self.new],
        )
        pairs = [(i, j) for j, i in enumerate(taken) if i is not None]
        steady = set(in_order(pairs))  # the rest has moved
        for i, j in pairs:
            old, new = self.old[i].path, self.new[j].path
            stays = old == new or ((i, j) in steady and _shape(old) == _shape(new))
            self._pair(i, j, same=True, moved=not stays)
        self._change_between(sorted(steady))
        self._change_at({(self.old[i].document, self.old[i].path): i for i in self.left_old})
        self._move()
        if self.left_old:
            last = {(item.document, item.path[:-1]): j for j, item in enumerate(self.new)}
        for i in self.left_old:  # each comes after what is left of its collection
            item = self.old[i]
            place = last.get((item.document, item.path[:-1]), min(i, len(self.new)))
            self.changes.append((2 * place + 2, Change("removed", item, None)))
        for j in self.left_new:
            self.changes.append((2 * j + 1, Change("added", None, self.new[j])))
        return [change for _, change in sorted(self.changes, key=lambda entry: entry[0])]

    def _value(self, item: Item) -> object:
        """Return a key that is the same for equal values."""
        if not self.by_value and item.enc is not None:
            return item.enc
        return _token(item, typed=self.typed)

    def _pair(self, i: int, j: int, *, same: bool = False, moved: bool = False) -> None:
        """Note that two values belong together; ``same`` says that they are equal."""
        del self.left_old[i], self.left_new[j]
        old, new = self.old[i], self.new[j]
        crossed = _crossed(old, new) if self.both_encrypted else ""
        kind = "moved" if moved else crossed or ("" if same else "changed")
        if kind:
            self.changes.append((2 * j + 1, Change(kind, old, new, same=same)))

    def _change_between(self, steady: list[tuple[int, int]]) -> None:
        """Pair values with the same keys between the same pairs of unchanged values."""
        olds, news = [i for i, _ in steady], [j for _, j in steady]
        gaps: dict[tuple[int, int, bytes], list[int]] = {}
        for i in self.left_old:
            item = self.old[i]
            gaps.setdefault((bisect_left(olds, i), item.document, item.aad), []).append(i)
        for j in list(self.left_new):
            item = self.new[j]
            waiting = gaps.get((bisect_left(news, j), item.document, item.aad))
            if waiting:
                self._pair(waiting.pop(0), j)

    def _change_at(self, places: dict[tuple[int, Path], int]) -> None:
        """Pair values with the same path."""
        for j in list(self.left_new):
            i = places.get((self.new[j].document, self.new[j].path))
            if i is not None:
                self._pair(i, j)

    def _move(self) -> None:
        """Pair values that moved to another path, and the values of mappings that were renamed."""
        places = {(self.new[j].document, self.new[j].path): j for j in self.left_new}
        renamed: dict[tuple[Path, Path], None] = {}
        once_old, once_new = self._once(self.old, self.left_old), self._once(self.new, self.left_new)
        for value, i in once_old.items():
            j = once_new.get(value)
            if j is not None:
                renamed.setdefault(_prefixes(self.old[i].path, self.new[j].path))
                self._pair(i, j, same=True, moved=True)
        for i in list(self.left_old):
            old = self.old[i]
            for before, after in islice(renamed, _MAX_RENAMED):
                if not before or not after or old.path[: len(before)] != before:
                    continue
                j = places.get((old.document, (*after, *old.path[len(before) :])))
                if j in self.left_new and self._value(old) == self._value(self.new[j]):
                    self._pair(i, j, same=True, moved=True)
                    break

    def _once(self, items: Sequence[Item], left: Iterable[int]) -> dict[object, int]:
        """Return the values that can be recognized elsewhere: those that are long enough and occur once."""
        found: dict[object, int] = {}
        for at in left:
            if items[at].size >= _WEIGHTY or (not self.by_value and items[at].enc is not None):
                value = self._value(items[at])
                found[value] = -1 if value in found else at
        return {value: at for value, at in found.items() if at >= 0 and items[at].size}


def _shape(path: Path) -> list[str | None]:
    """Return a path without the numbers of list items, which change if another item is inserted."""
    return [step if isinstance(step, str) else None for step in path]


def _prefixes(old: Path, new: Path) -> tuple[Path, Path]:
    """Return two paths without their common end."""
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    return old[: len(old) - same], new[: len(new) - same]


def between(
    file: str, before: str | opening.Opened, after: str | Document, format: str
) -> list[Change | str]:
    """Return what differs between two plaintexts of a file.  As text, it has no values.

    Items that are inserted into a list are recognized, and values that moved to another path.  A caller that
    has opened the first text or scanned the second one passes that (see `Side`).
    """
    try:
        found = compare(Side(file, file, before, format), Side(file, file, after, format), one_file=True)
    except EncconfError:  # the file is written, and that is what counts
        return []
    said: list[Change | str] = [
        change
        for change in found.changes
        if change.kind != "moved" or (change.old is not None and change.old != change.new)
    ]
    if any(found.comments):
        words = zip(found.comments, ("changed", "added", "removed"), strict=True)
        said += [f"{word} {counted(count, 'comment')}" for count, word in words if count]
    if not said and (found.structure or found.layout):
        said.append("changed the layout only")
    return said
