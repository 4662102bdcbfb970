"""Which values of a document are encrypted: the six rules of sops, and ``mac_only_encrypted``.

The decisions are those of sops 3.13.3 (sops.go: shouldBeEncrypted, walkBranch, walkSlice).  Any
key on a value's path decides, so a match covers the whole subtree; indexes of sequences are no
keys.  Comment rules look at the comments directly before an item, at every level of its path.

Unlike sops, which takes a pattern that does not compile for one that never matches, such a
pattern is an error: it would leave secrets in plain sight.
"""

from __future__ import annotations

from encconf.errors import MetadataError
from encconf.record import Record
from encconf.text.printable import printable
from encconf.text.words import FALSE, TRUE, weak_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from encconf.text.document import Document, Leaf, Scope

KINDS = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)
_MAC_ONLY = "mac_only_encrypted"
_PREFIX = b"ENC[AES256_GCM,"
_COMMENT = b",type:comment]"


class Chosen(Record):
    """What is encrypted: one byte, 0 or 1, for each leaf and each comment of a document."""

    leaves: bytearray
    comments: bytearray


class Selection(Record):
    """One rule.

    ``kind`` is one of `KINDS`, ``pattern`` its suffix or regular expression (see
    `encconf.rules.pattern`).  With ``mac_only_encrypted`` the MAC covers the encrypted values only.
    """

    NAMES = frozenset({*KINDS, _MAC_ONLY})
    """The members of the ``sops`` block that say it."""

    kind: str
    pattern: str
    mac_only_encrypted: bool = False

    @classmethod
    def from_entries(cls, entries: Mapping[str, object], default: Selection | None = None) -> Selection:
        """Read the members of a ``sops`` block; empty ones count as missing.

        A block that names no rule means the ``default``, or else the suffix ``_unencrypted``.  Raises
        MetadataError for two rules, and for values of a wrong type.
        """
        found = [(kind, text) for kind in KINDS if (text := _text(kind, entries.get(kind)))]
        if len(found) > 1:
            raise MetadataError(
                f"the sops block has {found[0][0]} and {found[1][0]}: only one of these settings is allowed"
            )
        mac_only = _flag(entries.get(_MAC_ONLY))
        default = default or DEFAULT
        return cls(*found[0], mac_only) if found else cls(default.kind, default.pattern, mac_only)

    def to_entries(self) -> dict[str, str | bool]:
        """The members of the ``sops`` block that say this rule."""
        entries: dict[str, str | bool] = {self.kind: self.pattern}
        if self.mac_only_encrypted:
            entries[_MAC_ONLY] = True
        return entries

    @property
    def needs_comments(self) -> bool:
        """Whether the rule looks at comments, so that `choose` needs a document scanned with them."""
        return self.kind in ("unencrypted_comment_regex", "encrypted_comment_regex")

    @property
    def by_match(self) -> bool:
        """Whether a match means encrypted; otherwise it means left alone."""
        return not self.kind.startswith("un")

    def matches(self, text: str) -> bool:
        """Whether the suffix or regex matches a key (or a comment's text, what follows the ``#``)."""
        return self.matcher()(text)

    def choose(self, document: Document) -> Chosen:
        """Decide for every leaf and comment of a document, encrypted or not yet.

        Raises PatternError for a regex that does not compile, or that takes too long.
        """
        if self.needs_comments:
            return self._choose_by_comments(document)
        match = self.matcher()
        by_match = self.by_match
        inside = _inherited(lambda scope: type(scope.step) is str and match(scope.step))
        leaves = bytearray(len(document.leaves))
        scope = None
        within = False
        for index, leaf in enumerate(document.leaves):
            if leaf.scope is not scope:  # neighbours mostly share one
                scope = leaf.scope
                within = inside(scope)
            step = leaf.step
            if (within or (type(step) is str and match(step))) is by_match:
                leaves[index] = 1
        return Chosen(leaves, bytearray(inside(comment.scope) is by_match for comment in document.comments))

    def _choose_by_comments(self, document: Document) -> Chosen:
        match = self.matcher()
        by_match = self.by_match
        origin = _origins(document)
        # Of each item with comments before it, as (scope, step): whether one of them matches.
        before: dict[tuple[int, str | int | None], bool] = {}
        own: list[bool] = []
        for comment in document.comments:
            item = (id(comment.scope), comment.before)
            earlier = before.get(item, False)
            before[item] = matching = earlier or match(comment.text)
            # A comment that says "encrypt" is not encrypted for it; one that says "leave alone" is.
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
        """The same test as `matches`, for many texts.  Raises PatternError."""
        suffix = self.pattern
        if self.kind.endswith("_suffix"):
            return lambda text: text.endswith(suffix)
        from encconf.rules.pattern import compile

        search = compile(self.pattern).search
        known: dict[str, bool] = {}

        def match(text: str) -> bool:
            found = known.get(text)
            if found is None:
                found = known[text] = search(text)
            return found

        return match

    def __str__(self) -> str:
        said = f"{self.kind} {printable(self.pattern)}"
        return f"{said} {_MAC_ONLY}" if self.mac_only_encrypted else said

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[str, str, bool]:
        return self.kind, self.pattern, self.mac_only_encrypted

    def __repr__(self) -> str:
        return f"Selection({self.kind!r}, {self.pattern!r}, {self.mac_only_encrypted!r})"


DEFAULT = Selection("unencrypted_suffix", "_unencrypted")
"""What sops does when nothing is said."""
EVERYTHING = Selection("unencrypted_suffix", "\n")
"""A rule under which every value is encrypted: no key ends so."""


def _inherited(own: Callable[[Scope], bool]) -> Callable[[Scope], bool]:
    """A test that holds for a scope when ``own`` does for it or for one around it.

    ``own`` is asked once for each scope, and nesting takes no stack.
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
    """The index after an encrypted comment that sops made an item of a list; None for every other leaf.

    sops takes it for a value that ends the comments before the next item, and so cannot open files that
    it wrote under ``encrypted_comment_regex`` (getsops/sops#2281).
    """
    data = leaf.data
    if isinstance(leaf.step, int) and data and data.startswith(_PREFIX) and data.endswith(_COMMENT):
        return leaf.step + 1
    return None


def _origins(document: Document) -> dict[int, int]:
    """By id, the scope that each copy stands for: sops copies a collection's comments for an alias too.

    A format that unfolds aliases says where a leaf is from: ``note.source`` is the leaf that it
    copies, ``note.root`` the outermost scope of the copy.
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


def _text(name: str, value: object) -> str:
    """A member as text; "" when missing."""
    text = weak_text(value)
    if text is None:
        raise MetadataError(f"{name} in the sops block is not a string")
    return text


def _flag(value: object) -> bool:
    if value in TRUE:
        return True
    if value is None or value == "" or value in FALSE:
        return False
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise MetadataError(f"{_MAC_ONLY} in the sops block is not true or false")
