"""Find what differs between two versions of a file, or between two files, without showing a value.

With a key, the values are compared, so a new data key alone does not change any value.  Without a key,
structure and ciphertexts are compared.  Equal ``ENC[…]`` texts are equal values; different ones may also be
equal values, unless their types or lengths differ.  Either side may be plaintext, and the formats may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from encconf import formats
from encconf.audit.names import Names, identity
from encconf.audit.pairing import Change, Pairing
from encconf.audit.sides import Content, Side
from encconf.engine.metadata import Metadata
from encconf.envelope.groups import quorum
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.keys import MasterKey

    Json = dict[str, object]


@dataclass(slots=True, eq=False, repr=False)
class Difference:
    """Everything that differs between two sides.

    ``data_key`` is ``same``, ``new``, ``unknown`` or "" (a side is not encrypted).  ``added_keys`` and
    ``removed_keys`` are recipients; ``regrouped`` are those that moved to other key groups.  ``quorum`` (how
    many of how many key groups are needed), ``selection`` (None if a side is not encrypted) and ``encrypted``
    are pairs: before and after.
    ``comments`` are the numbers of changed, added and removed comments.  ``notes`` say what could not be
    compared, and ``reasons`` why a side was not opened.  ``keyed`` says that values were compared, not
    ciphertexts.  ``one_file`` says that both sides are versions of the same file.
    """

    old: Side
    new: Side
    one_file: bool
    keyed: bool = True
    changes: list[Change] = field(default_factory=list)
    comments: tuple[int, int, int] = (0, 0, 0)
    added_keys: list[MasterKey] = field(default_factory=list)
    removed_keys: list[MasterKey] = field(default_factory=list)
    regrouped: list[MasterKey] = field(default_factory=list)
    data_key: str = ""
    quorum: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    selection: tuple[Selection, Selection] | None = None
    encrypted: tuple[bool, bool] = (False, False)
    structure: bool = False
    layout: bool = False
    resealed: bool = False
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

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
    found = Difference(old, new, one_file)
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
        found.notes += content.notes
    found.changes = Pairing(before, after, by_value=found.keyed).run()
    _compare_blocks(found, before, after)
    _compare_comments(found, before, after)
    if found.keyed and not found.changes and not any(found.comments):
        found.structure = before.shape != after.shape and old.format == new.format
        if not found.structure and old.format == new.format and None not in (old.text, new.text):
            found.layout = before.plain() != after.plain()
    if one_file and all(found.encrypted) and not found.differs:
        found.resealed = True
    return found


def _agree(side: Side, other: Side) -> None:
    """Give a plaintext side the format of the other side, if its own name does not say the format."""
    if side.text is None or not formats.get(side.format).single_value or side.found or other.found is None:
        return
    with suppress(UnicodeEncodeError):
        side.text.encode()
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
    encs = [{item.enc for item in content.items} | {block.mac, block.layout} for content, block in sides]
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
