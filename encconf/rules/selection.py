"""Which values of a document are encrypted: the six rules of sops, and ``mac_only_encrypted``.

The decisions are those of sops 3.13.3 (sops.go: shouldBeEncrypted, walkBranch, walkSlice).  A rule is tested
on every key of a value's path, so a match covers the whole subtree; indexes of lists are not tested.  Comment
rules are tested on the comments directly before an item, at every level of its path.

A pattern that does not compile is an error.  To sops, it is a pattern that never matches, which would leave
secrets in plaintext.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from encconf.errors import MetadataError
from encconf.record import Record
from encconf.text.document import ENC_BYTES, Document, Leaf, Scope
from encconf.text.printable import printable
from encconf.text.words import FALSE, TRUE, weak_text

KINDS = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)
_MAC_ONLY = "mac_only_encrypted"
_COMMENT = b",type:comment]"


class Chosen(Record):
    """Which leaves and comments of a document are encrypted: one byte, 0 or 1, for each."""

    leaves: bytearray
    comments: bytearray


class Selection(Record):
    """One rule for which values are encrypted.

    ``kind`` is one of `KINDS`, ``pattern`` its suffix or regular expression (see
    `encconf.rules.pattern`).  With ``mac_only_encrypted``, the MAC covers only the encrypted values.
    """

    NAMES = frozenset({*KINDS, _MAC_ONLY})
    """The members of the ``sops`` block that hold the selection."""

    kind: str
    pattern: str
    mac_only_encrypted: bool = False

    @classmethod
    def from_entries(cls, entries: Mapping[str, object], default: Selection | None = None) -> Selection:
        """Read the selection from the members of a ``sops`` block.  Empty members count as missing.

        If the block names no rule, the result is ``default``, or else the suffix ``_unencrypted``.  Raises
        MetadataError for two rules, or a value of the wrong type.
        """
        found: list[tuple[str, str]] = []
        for kind in KINDS:
            if (text := weak_text(entries.get(kind))) is None:
                raise MetadataError(f"{kind} in the sops block is not a string")
            if text:
                found.append((kind, text))
        if len(found) > 1:
            raise MetadataError(
                f"the sops block has {found[0][0]} and {found[1][0]}: only one of these settings is allowed"
            )
        mac_only = _flag(entries.get(_MAC_ONLY))
        default = default or DEFAULT
        return cls(*found[0], mac_only) if found else cls(default.kind, default.pattern, mac_only)

    def to_entries(self) -> dict[str, str | bool]:
        """Return the members of the ``sops`` block for this selection."""
        entries: dict[str, str | bool] = {self.kind: self.pattern}
        if self.mac_only_encrypted:
            entries[_MAC_ONLY] = True
        return entries

    def as_written(self) -> list[str]:
        """Return the members as they are written in .sops.yaml."""
        from encconf.formats.yaml_words import plain

        entries = self.to_entries().items()
        return [f"{name}: {plain(value) if isinstance(value, str) else 'true'}" for name, value in entries]

    @property
    def needs_comments(self) -> bool:
        """Whether the rule looks at comments, so that `choose` needs a document scanned with them."""
        return self.kind in ("unencrypted_comment_regex", "encrypted_comment_regex")

    @property
    def by_match(self) -> bool:
        """Whether a match means that a value is encrypted; otherwise it means plaintext."""
        return not self.kind.startswith("un")

    def matches(self, text: str) -> bool:
        """Whether the suffix or regex matches a key, or a comment's text after the ``#``."""
        return self.matcher()(text)

    def encrypts(self, path: Sequence[str | int]) -> bool:
        """Whether a value at a path is encrypted, if no comments are before it."""
        match = self.matcher() if not self.needs_comments else lambda _: False
        return any(match(step) for step in path if isinstance(step, str)) is self.by_match

    def choose(self, document: Document) -> Chosen:
        """Decide which leaves and comments of a document, plaintext or encrypted, are to be encrypted.

        Raises PatternError if a regex does not compile or takes too long.
        """
        if self.needs_comments:
            return self._choose_by_comments(document)
        match = self.matcher()
        by_match = self.by_match
        inside = _inherited(lambda scope: type(scope.step) is str and match(scope.step))
        # Most files have far fewer keys and collections than values.
        steps = {leaf.step for leaf in document.leaves}
        matching = {step for step in steps if type(step) is str and match(step)}
        within = {scope: inside(scope) for scope in {leaf.scope for leaf in document.leaves}}
        leaves = bytearray(
            [(within[leaf.scope] or leaf.step in matching) is by_match for leaf in document.leaves]
        )
        return Chosen(leaves, bytearray(inside(comment.scope) is by_match for comment in document.comments))

    def _choose_by_comments(self, document: Document) -> Chosen:
        match = self.matcher()
        by_match = self.by_match
        origin = _origins(document)
        # For each item with comments before it, as (scope, step): whether one of them matches.
        before: dict[tuple[int, str | int | None], bool] = {}
        own: list[bool] = []
        for comment in document.comments:
            item = (id(comment.scope), comment.before)
            earlier = before.get(item, False)
            before[item] = matching = earlier or match(comment.text)
            # A comment that says "encrypt" is not encrypted for that; one that says "plaintext" is plaintext.
            own.append(earlier if by_match else matching)

        def marked(scope: Scope | None, step: str | int | None) -> bool:
            place = id(scope)
            return before.get((origin.get(place, place), step), False)

        inside = _inherited(lambda scope: marked(scope.parent, scope.step))
        encrypted = document.block is not None
        leaves = bytearray()
        for leaf in document.leaves:
            found = marked(leaf.scope, leaf.step)
            leaves.append((inside(leaf.scope) or found) is by_match)
            if found and encrypted and (after := _after_comment(leaf)) is not None:
                before[id(leaf.scope), after] = True
        comments = bytearray(
            (inside(comment.scope) or matching) is by_match
            for comment, matching in zip(document.comments, own, strict=True)
        )
        return Chosen(leaves, comments)

    def matcher(self) -> Callable[[str], bool]:
        """Return a function that does the test of `matches` on many texts.  Raises PatternError."""
        suffix = self.pattern
        if self.kind.endswith("_suffix"):
            return lambda text: text.endswith(suffix)
        from encconf.rules.pattern import compile

        return cache(compile(self.pattern).search)

    def __str__(self) -> str:
        said = f"{self.kind} {printable(self.pattern)}"
        return f"{said} {_MAC_ONLY}" if self.mac_only_encrypted else said

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.kind, self.pattern, self.mac_only_encrypted))

    def __repr__(self) -> str:
        return f"Selection({self.kind!r}, {self.pattern!r}, {self.mac_only_encrypted!r})"


DEFAULT = Selection("unencrypted_suffix", "_unencrypted")
"""The selection that sops uses if none is set."""
EVERYTHING = Selection("unencrypted_suffix", "\n")
"""A selection that encrypts every value, since no key ends with a line break."""
PROPOSED = Selection("encrypted_regex", "^value$")
"""The selection of a proposal, whatever the rule says: file and path are readable, the value is not."""


def _inherited(own: Callable[[Scope], bool]) -> Callable[[Scope], bool]:
    """Return a test that is true for a scope if ``own`` is true for it or for a scope around it.

    ``own`` is called once for each scope.  The test does not recurse, so deep nesting is safe.
    """
    known: dict[int, bool] = {}

    def inside(scope: Scope) -> bool:
        undecided: list[Scope] = []
        at: Scope | None = scope
        while at is not None and id(at) not in known:
            undecided.append(at)
            at = at.parent
        found = at is not None and known[id(at)]
        for at in reversed(undecided):
            found = known[id(at)] = found or own(at)
        return found

    return inside


def _after_comment(leaf: Leaf) -> int | None:
    """Return the index after a leaf that is an encrypted comment in a list, or None for any other leaf.

    sops writes such a comment as an item of the list.  When it reads the file, it takes the item for a value,
    so the comments before the next item end there, and sops cannot open files that it wrote with
    ``encrypted_comment_regex`` (getsops/sops#2281).
    """
    data = leaf.data
    if isinstance(leaf.step, int) and data and data.startswith(ENC_BYTES) and data.endswith(_COMMENT):
        return leaf.step + 1
    return None


def _origins(document: Document) -> dict[int, int]:
    """Map the id of each copied scope to the id of its original.

    sops copies the comments of a collection together with the collection, for an alias.
    A format that copies collections for aliases says where a leaf comes from: ``note.source`` is the original
    leaf, ``note.root`` the outermost scope of the copy.
    """
    origin: dict[int, int] = {}
    for leaf in document.leaves:
        source = getattr(leaf.note, "source", None)
        if source is None:
            continue
        copy: Scope | None = leaf.scope
        original = source.scope
        while copy is not None and id(copy) not in origin:
            origin[id(copy)] = origin.get(id(original), id(original))
            if copy is leaf.note.root:  # type: ignore[attr-defined]
                break
            copy, original = copy.parent, original.parent
    return origin


def _flag(value: object) -> bool:
    if value in TRUE:
        return True
    if value is None or value == "" or value in FALSE:
        return False
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise MetadataError(f"{_MAC_ONLY} in the sops block is not true or false")
