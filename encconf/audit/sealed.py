"""Check one encrypted file without its key: its values, its ``sops`` block, and whether it fits its rule."""

from __future__ import annotations

import re
from collections.abc import Callable

from encconf.audit import DIRECTIVE, guesses
from encconf.audit.findings import Finding, Lines, printable
from encconf.engine import cipher
from encconf.engine.mac import is_date
from encconf.engine.metadata import Metadata
from encconf.engine.recipients import Plan, Reselection
from encconf.errors import EncconfError
from encconf.rules.config import Rule
from encconf.rules.selection import Chosen, Selection
from encconf.text.document import ENC_BYTES, ENC_PREFIX, Document, Leaf
from encconf.text.path import called_a_secret, spell
from encconf.text.printable import counted, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.envelope import WrappedKey
    from encconf.keys import MasterKey

    Who = Callable[[MasterKey], str]

_AT_MOST = 50
"""How many findings of one kind are reported for one file."""
SHORT = 4
"""A value with at most this many bytes is short."""

_ARMOR = {"age": "-----BEGIN AGE ENCRYPTED FILE-----", "pgp": "-----BEGIN PGP MESSAGE-----"}
# These are compiled when they are first needed.
_EMPTY = r"""(?<![^\s"':,{\[])([^\s"':,{\[]++)["']?[ \t]*+:\s{0,20}[{\[]\s{0,20}[}\]]"""
"""A key with an empty collection."""


class Sealed:
    """An encrypted file.  Its findings are added to ``findings``.

    ``rule`` is its creation rule, or None.  ``is_proposal`` is whether its name says that it is a proposal.
    ``block`` is the line and the column of its ``sops`` block.  ``counts`` has the number of its findings by
    kind.  ``lengths`` are the lengths of the encrypted values' plaintext in bytes, by path.  ``ivs`` maps
    each nonce to the first value that has it.
    """

    def __init__(
        self, file: str, document: Document, metadata: Metadata, chosen: Chosen, findings: list[Finding]
    ) -> None:
        self.file = file
        self.text = document.text
        self.document, self.format = document, document.format
        self.metadata = metadata
        self.chosen = chosen
        self.findings = findings
        self.rule: Rule | None = None
        self.is_proposal = False
        self.counts: dict[str, int] = {}
        self.lengths: dict[tuple[str | int, ...], int] = {}
        self.ivs: dict[bytes, Leaf] = {}
        self._last: dict[str, Finding] = {}
        self._lines = Lines(document.text)
        start, _ = document.parts[0].block or (0, 0)  # there is one: nothing else has metadata
        self.block = self._lines(start)

    @property
    def data_keys(self) -> list[tuple[str, str, str]]:
        """Type and name of each master key, and the wrapped data key.  Equal ones mean the same data key."""
        return [
            (wrapped.key.TYPE, wrapped.key.name, wrapped.enc)
            for group in self.metadata.groups
            for wrapped in group
            if wrapped.enc
        ]

    def find(
        self,
        slug: str,
        message: str,
        leaf: Leaf | None = None,
        *,
        at: int | None = None,
        severity: str | None = None,
        hint: str | None = None,
        cause: str | None = None,
    ) -> None:
        """Add a finding, at a leaf, at an offset, or at the ``sops`` block.

        The message about a leaf continues its path.
        """
        count = self.counts[slug] = self.counts.get(slug, 0) + 1
        if count > _AT_MOST:
            return
        path = ""
        if leaf is not None:
            at, path = leaf.start, spell(leaf.path)
            message = f"{printable(path)} {message}"
        place = self.block if at is None else self._lines(at)
        found = self._last[slug] = Finding(
            slug, self.file, message, place=place, path=path, severity=severity, hint=hint, cause=cause
        )
        self.findings.append(found)

    def find_nonce(self, leaf: Leaf, where: str) -> None:
        """Add a finding that a ciphertext has the same nonce as another one, which is at ``where``."""
        self.find("equal-iv", f"is encrypted with the same nonce as {printable(where)}", leaf)

    def release(self, *, text: bool) -> None:
        """Forget the document, and the text unless ``text``.  From now on, no leaf can have a finding.

        They take ten times as much memory as the rest.
        """
        del self.document, self.chosen, self.lengths, self.ivs, self._lines
        if not text:
            del self.text

    def finish(self) -> None:
        """Add the number of omitted findings to the last finding of each kind."""
        for slug, count in self.counts.items():
            if count > _AT_MOST:
                self._last[slug].message += f" (and {count - _AT_MOST} more such places in this file)"


def ciphertext(leaf: Leaf) -> bytes:
    """Return the ciphertext of a leaf; a line break of a block scalar is not part of it."""
    return (leaf.data or b"").rstrip()


def label(key: MasterKey) -> str:
    """Return a key's label, with its type."""
    return f"{key.TYPE} {key.label}"


def is_bare(document: Document, chosen: Chosen) -> bool:
    """Whether a document has values, but none is encrypted, and its selection chooses none.

    A file has nothing to encrypt yet if the values that it chooses are all empty, or null, or ``data: {}``.
    """
    leaves = document.leaves
    if any(chosen.leaves) or not any(leaf.data for leaf in leaves) or has_ciphertext(document):
        return False
    if any(comment.text.strip().startswith(ENC_PREFIX) for comment in document.comments):
        return False
    selection = Metadata.of(document).selection
    match = selection.matcher() if selection.by_match and not selection.needs_comments else None
    return match is None or not any(match(found[1]) for found in re.finditer(_EMPTY, document.text))


def has_ciphertext(document: Document) -> bool:
    """Whether any value of a document is a ciphertext."""
    return any(leaf.data is not None and leaf.data.startswith(ENC_BYTES) for leaf in document.leaves)


def check_sealed(sealed: Sealed, rule: Rule | None, place: str, who: Who = label) -> None:
    """Check an encrypted file by itself, and against its rule if there is a usable one.

    ``place`` is the rule's name in messages, and ``who`` returns that of a key.
    """
    _block(sealed, rule)
    if is_bare(sealed.document, sealed.chosen):
        said = f"no value is encrypted, because its selection chooses none: {sealed.metadata.selection}"
        sealed.find("nothing-encrypted", said)
    found = None
    if rule is not None:
        try:
            found = compare_with_rule(sealed, rule, place, who)
        except EncconfError as error:
            sealed.find("selection-differs", f"{place}: {error.message}")
    _values(sealed, found, place)
    _comments(sealed)


def _block(sealed: Sealed, rule: Rule | None) -> None:
    metadata = sealed.metadata
    groups = metadata.groups
    if not groups or not all(groups):
        what = "has an empty key group" if groups else "names no key, so nobody can open the file"
        sealed.find("bad-block", f"the sops block {what}")
    if metadata.unmerged is not None:
        sealed.find("unmerged", metadata.unmerged)
    elif not metadata.mac:
        sealed.find("no-mac", "the sops block has no mac")
    elif cipher.split(metadata.mac) is None:
        sealed.find("bad-block", "mac in the sops block is not a ciphertext")
    if not is_date(metadata.lastmodified):
        sealed.find("bad-block", "lastmodified in the sops block is not a date")
    if metadata.layout is not None and cipher.split(metadata.layout) is None:
        sealed.find("bad-block", "encconf_layout in the sops block is not a ciphertext")
    if metadata.threshold > len(groups) > 1:  # one group has no threshold
        sealed.find(
            "bad-block",
            f"it needs {metadata.threshold} of {len(groups)} key groups, so nobody can open the file",
        )
    for wrapped in (wrapped for group in groups for wrapped in group):
        _entry(sealed, wrapped, rule)


def _entry(sealed: Sealed, wrapped: WrappedKey, rule: Rule | None) -> None:
    """Check what the sops block says of one recipient."""
    enc = wrapped.enc.strip()
    if not enc or not enc.startswith(_ARMOR.get(wrapped.key.TYPE, "")):
        what = "has something that is not a data key" if enc else "has no data key"
        sealed.find("bad-block", f"the entry of {label(wrapped.key)} in the sops block {what}")
    if wrapped.entry.get("aws_profile"):
        named = rule is None or any(
            key.to_entry().get("aws_profile") for group in rule.groups for key in group
        )
        hint = None if named else _NO_PROFILE
        sealed.find("aws-profile", f"the key {label(wrapped.key)} has an aws_profile", hint=hint)


def compare_with_rule(sealed: Sealed, rule: Rule, place: str, who: Who = label) -> Reselection | None:
    """Add findings about how a file differs from its rule.

    Returns what the rule's selection would change, or None.  Raises PatternError if it cannot be used.
    """
    wanted = Plan(sealed.document, sealed.metadata, rule)
    old, new = wanted.old, wanted.new
    if new and wanted.regroups and _readers(old) != _readers(new):
        hint = (_PROPOSED if sealed.is_proposal else _EXTRA) if wanted.removed else None
        sealed.find("keys-differ", f"{_difference(wanted, who)} ({place})", hint=hint)
    before, after = wanted.thresholds
    if new and before != after:
        sealed.find(
            "threshold-differs",
            f"the file {_takes(before, len(old))}; {place} says that it {_takes(after, len(new))}",
        )
    mine, theirs = sealed.metadata.selection, rule.selection_for(sealed.metadata.selection)
    if mine == theirs or sealed.document.format.single_value:
        return None
    found = Reselection(sealed.document, mine, theirs)
    said = f"the file has {mine}; {place} has {theirs}"
    severity, hint = None, _safe_hint(found, mine)
    if not found.sealed and not found.stronger:
        said += ", but it would encrypt none of the plaintext values"
        own = " and ".join(mine.as_written())
        severity, hint = "note", f"If the file's selection is right, add it to the rule: {own}."
    sealed.find("selection-differs", said, severity=severity, hint=hint)
    return found


def _readers(groups: list[list[MasterKey]]) -> list[set[MasterKey]]:
    """Return the keys of each group.  An SSH key becomes its age recipient, which opens the same files."""
    from encconf.keys.ssh import as_age

    return [{as_age(key) for key in group} for group in groups]


def _safe_hint(found: Reselection, mine: Selection) -> str | None:
    """Return a hint about a different selection, or None (the usual hint) if the rule's exposes nothing."""
    if not found.exposed and not found.comments:
        return None
    kinds = ((len(found.exposed), "encrypted value"), (found.comments, "encrypted comment"))
    what = " and ".join(counted(count, kind) for count, kind in kinds if count)
    return (
        f"The rule would also decrypt {what}: give it a selection that includes them. "
        f"The file's own selection is {' and '.join(mine.as_written())}."
    )


def _difference(wanted: Plan, who: Who) -> str:
    """Return, in words, the recipients that only the file has and those that only the rule names."""
    parts = []
    if more := list(map(who, wanted.removed)):
        parts.append(f"encrypted for {listed(more, 5)} as well, which the rule does not name")
    if less := list(map(who, wanted.added)):
        parts.append(f"not encrypted for {listed(less, 5)}, which the rule names")
    if not parts:
        parts.append(
            f"the keys are in other groups than in the rule ({len(wanted.old)} here, {len(wanted.new)} there)"
        )
    return ", and ".join(parts)


def _takes(threshold: int, groups: int) -> str:
    return f"needs {threshold} of {groups} key groups to open" if threshold else "has one key group"


def _values(sealed: Sealed, found: Reselection | None, place: str) -> None:
    by_rule = {id(leaf) for leaf in found.sealed} if found is not None else ()
    hint = _safe_hint(found, sealed.metadata.selection) if found is not None else None
    match = cipher.ENC.match
    for index, leaf in enumerate(sealed.document.leaves):
        data = leaf.data
        chosen = sealed.chosen.leaves[index]
        if not data:
            if chosen and data is not None:
                sealed.find("short-value", "is empty, which everyone can see", leaf, hint=_EMPTY_HINT)
            continue
        parts = match(data)
        if parts is None:
            _plaintext(sealed, leaf, data, place if id(leaf) in by_rule else "", hint, is_chosen=bool(chosen))
            continue
        if not chosen:
            said = "is a ciphertext, but the file's selection leaves it unencrypted"
            sealed.find("never-decrypted", said, leaf)
        text, iv, tag, kind = parts.groups()
        # Sizes in base64: 32 bytes for the nonce, 16 for the tag.
        if len(iv) != 44 or len(tag) != 24 or len(text) % 4 or kind.decode() not in cipher.TYPES:
            sealed.find("bad-value", "has a damaged ciphertext", leaf)
            continue
        if chosen:
            sealed.lengths[leaf.path] = size = len(text) * 3 // 4 - text.count(b"=")
            if size <= SHORT or kind == b"bool":
                _short(sealed, leaf, kind, size)
        earlier = sealed.ivs.setdefault(iv, leaf)
        if earlier is not leaf:
            _same_nonce(sealed, leaf, earlier, kind)


def _same_nonce(sealed: Sealed, leaf: Leaf, earlier: Leaf, kind: bytes) -> None:
    """Check a value that has the nonce of an earlier one.

    A boolean, number or comment may have been copied; so may a value in another document.
    """
    where = spell(earlier.path)
    if ciphertext(leaf) != ciphertext(earlier):
        sealed.find_nonce(leaf, where)
    elif kind == b"str" and earlier.path != leaf.path:
        sealed.find("equal-value", f"has the same ciphertext as {printable(where)}", leaf)


def _plaintext(
    sealed: Sealed, leaf: Leaf, data: bytes, by_rule: str, hint: str | None, *, is_chosen: bool
) -> None:
    """Check a value that is not a ciphertext.  ``by_rule`` is the rule that would encrypt it, or ""."""
    if data.startswith(ENC_BYTES):
        sealed.find("bad-value", "has a ciphertext that is cut off or damaged", leaf)
    elif is_chosen:
        sealed.find("plain-value", "is plaintext, but the file's selection encrypts it", leaf)
    elif by_rule:
        sealed.find("plain-by-rule", f"is plaintext, though {by_rule} encrypts such values", leaf, hint=hint)
    elif "nothing-encrypted" in sealed.counts:
        return  # all values have that one cause
    elif why := guesses.why_secret(leaf):
        sealed.find("plain-secret", f"is plaintext and {why}", leaf)


def _short(sealed: Sealed, leaf: Leaf, kind: bytes, size: int) -> None:
    """Add a finding for a value whose length or type reveals it, unless it is just a number or boolean."""
    if kind != b"str" and not called_a_secret(leaf.path):
        return
    said = f"has {counted(size, 'byte')}, which can be guessed"
    if kind == b"bool":
        said = "is true or false: the length of its ciphertext says which"
    sealed.find("short-value", said, leaf)


_NO_PROFILE = "The rule names none: encconf updatekeys FILE removes it. Set AWS_PROFILE instead."
_EXTRA = (
    "encconf updatekeys FILE updates the file to match the rule, which removes the others. "
    "To keep somebody, name their key in the rule first."
)
_PROPOSED = "The others know the value. Remove the file, and propose another value."
_EMPTY_HINT = "sops and encconf never encrypt an empty value; ignore this if that is not a secret"


def _comments(sealed: Sealed) -> None:
    for comment, chosen in zip(sealed.document.comments, sealed.chosen.comments, strict=True):
        text = comment.text.strip()
        if chosen and text and not text.startswith(ENC_PREFIX) and not re.match(DIRECTIVE, text):
            sealed.find(
                "plain-comment",
                "this comment is plaintext, but the file's comments are encrypted",
                at=comment.start,
            )
