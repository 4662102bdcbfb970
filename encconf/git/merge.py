"""``encconf git merge``: merge three versions of an encrypted file for git.

With a key, all three versions are opened and their plaintexts are merged (`encconf.merge`).  The result is
encrypted under the old data key, and unchanged values keep the ciphertext that either side has for them.
The recipients are merged, too.  If one is removed, the result gets a new data key.

A conflict is kept *inside* the encrypted file (`encconf.git.conflict`) until ``encconf edit`` resolves it.

Without a key, the ciphertexts themselves are merged (`encconf.git.keyless`).  The result has no valid MAC.
``encconf edit`` merges the same versions again with a key, and compares the results (`reseal`).
"""

from __future__ import annotations

from encconf import formats
from encconf.engine import opening, plaintext, sealing
from encconf.engine.admission import Admission, in_full, rule_of
from encconf.engine.metadata import CONFLICT, PARENTS, Metadata, ciphertext_in
from encconf.envelope import DATA_KEY_SIZE, WrappedKey, removes_access
from encconf.envelope.cache import DataKeyCache
from encconf.errors import (
    DecryptError,
    KeyAccessError,
    LostBlockError,
    MacError,
    UndecidedError,
    UnmergedError,
)
from encconf.git.block import admit, holders, merged_block, refusal
from encconf.git.conflict import open_conflict, with_conflict
from encconf.git.keyless import differences, merge_without_key, misplaced, parents_of
from encconf.git.ours import NOWHERE, Repository
from encconf.git.outcome import LOOK, TAKE_ONE, WITH_A_KEY, Outcome
from encconf.identities.credentials import Credentials
from encconf.merge import Merged
from encconf.merge import merge as merge_texts
from encconf.record import Record
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Notify
    from encconf.git.conflict import Labels
    from encconf.rules.config import Rule

    Texts = tuple[str, str, str]
    """Base, ours and theirs."""

LABELS = ("ours", "base", "theirs")
_DEEPEST = 8  # how many merges without a key may follow each other


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has a ``sops`` block.  Raises ParseError."""
    return "sops" in text and formats.scan_any(text, format).block is not None


def merge(
    base: str,
    ours: str,
    theirs: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    labels: Labels = LABELS,
    repository: Repository = NOWHERE,
    notify: Notify = lambda notice: None,
) -> Outcome:
    """Merge three versions of a file, of which ours or theirs is encrypted.  ``base`` may be "".

    The result has only recipients that our ``.sops.yaml`` names for the file, or that our side has already.

    Raises StrangerError for other recipients, UndecidedError if only a person can decide, and whatever
    opening and encrypting raise.
    """
    run = _Merge(format, credentials or Credentials.from_env(), labels, repository, notify)
    return run((base, ours, theirs))


class _Side(Record):
    """One version.  ``opened`` is None if it is not encrypted."""

    plain: str
    opened: opening.Opened | None

    @property
    def metadata(self) -> Metadata | None:
        return self.opened.metadata if self.opened is not None else None

    @property
    def data_key(self) -> bytes | None:
        return self.opened.data_key if self.opened is not None else None


class _Merge(Record):
    """One merge, and the merges of earlier versions that it needs.

    ``depth`` is 0 for the merge that git asks for.  It is greater if versions are merged again for the MAC
    of their result.  Someone without a key may have named these versions, so each must have a valid MAC.
    """

    format: str
    credentials: Credentials
    labels: Labels
    repository: Repository
    notify: Notify
    depth: int = 0

    def __call__(self, texts: Texts) -> Outcome:
        if self.credentials.cache is None:
            self.credentials.cache = DataKeyCache()  # usually, all three have the same wrapped key
        try:
            sides = self._opened(texts)
        except KeyAccessError as error:
            if error.unexpected:
                self.notify(error.message)  # one of the user's own keys failed
            try:
                return merge_without_key(texts, self.format, self.repository)
            except UndecidedError as undecided:
                raise undecided from error
        return self._with_key(*sides)

    # --- with a key ------------------------------------------------------------------------------

    def _opened(self, texts: Texts) -> list[_Side]:
        """Open the three versions.  A key that opens one also opens the others with the same data key."""
        sides: dict[int, _Side] = {}
        for last in (False, True):
            failed: KeyAccessError | None = None
            for at, which in ((1, "our side"), (2, "their side"), (0, "the common version")):
                try:
                    if at not in sides:
                        sides[at] = self._side(texts[at], which, checked=at != 0 or self.depth > 0)
                        self._share(sides[at].opened)
                except KeyAccessError as error:
                    failed = error
            if failed is not None and (last or not any(side.opened for side in sides.values())):
                raise failed
        return [sides[at] for at in range(3)]

    def _share(self, opened: opening.Opened | None) -> None:
        """Put the data key into the cache for each master key of a file, so that none of them is asked."""
        if opened is not None and len(opened.metadata.groups) == 1:
            for wrapped in opened.metadata.groups[0]:
                self.credentials.cache.fetch(wrapped, DATA_KEY_SIZE, lambda: opened.data_key)

    def _side(self, text: str, which: str, *, checked: bool) -> _Side:
        """Open one version.  If it is ``checked`` (each side is), it must have a valid MAC."""
        format, credentials = self.format, self.credentials
        document = formats.scan_any(text, format, comments=True)
        if document.block is None:
            if self.depth and text.strip():
                raise UnmergedError(f"{which} is not encrypted: anyone could have written it", hint=LOOK)
            if checked and (place := ciphertext_in(document)) is not None:
                raise LostBlockError(f"{place} of {which}")
            return _Side(text, None)
        try:
            if CONFLICT in document.block and not checked:  # git's merge of several bases has a conflict
                conflict = open_conflict(text, format=format, credentials=credentials)
                return _Side(conflict.merged.base, conflict.opened)
            keyless = PARENTS in document.block
            if keyless and checked:
                text = self._resealed(text, which)
                document = formats.scan_any(text, format, comments=True)
            try:
                opened = opening.open_text(document, format=format, credentials=credentials)
            except MacError as error:
                if checked:
                    raise
                if not keyless:
                    self.notify(f"{which}: {error.message}")
                opened = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True)
        except (DecryptError, MacError) as error:
            if not checked and isinstance(error, DecryptError):
                message = "the common version cannot be decrypted, so it is not known who changed what"
                raise UndecidedError(message, hint=TAKE_ONE) from None
            error.message = f"{which}: {error.message}"
            raise
        return _Side(plaintext.plain_text(opened), opened)

    def _resealed(self, text: str, which: str) -> str:
        """Add the MAC to a side that was merged without a key."""
        sealed = self.reseal(text)
        self.notify(f"{which} was merged without a key; its MAC is added now")
        before = parents_of(text, self.format)[1]
        # If older versions are merged again, what git had before them does not matter.
        if not self.depth and not self.repository.follows(before, text, which == "our side"):
            self.notify(f"{which} {misplaced(before)}")
        return sealed

    def reseal(self, text: str) -> str:
        """See `reseal`."""
        format, credentials = self.format, self.credentials
        ids = parents_of(text, format)
        if self.depth > _DEEPEST:
            raise UnmergedError("too many merges in a row without a key", hint=LOOK)
        there = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True)
        base, ours, theirs = map(self.repository.version, ids)
        if base is None or ours is None or theirs is None:
            raise UnmergedError("the versions it was merged from are not in this repository", hint=LOOK)
        run = _Merge(format, credentials, self.labels, self.repository, self.notify, self.depth + 1)
        outcome = run((base, ours, theirs))
        if outcome.keyless:
            raise UnmergedError("none of your keys opens the versions it was merged from", hint=WITH_A_KEY)
        if outcome.conflicts:
            raise UnmergedError("merging its parents again has a conflict", hint=LOOK)
        again = opening.open_text(outcome.text, format=format, credentials=credentials)
        found = differences(there, again)
        if found:
            named = listed(found, 5)
            raise UnmergedError(f"the file is not the result of merging its parents: {named}", hint=LOOK)
        return outcome.text

    def _with_key(self, base: _Side, ours: _Side, theirs: _Side) -> Outcome:
        # The twin's data key and ciphertexts are reused, unless the result gets a new data key.
        twin = ours.opened or theirs.opened
        assert twin is not None, "neither side is encrypted"
        block = merged_block(base.metadata, ours.metadata, theirs.metadata)
        opened = [side.opened for side in (base, ours, theirs) if side.opened is not None]
        known = [each for each in opened if each.data_key == twin.data_key]
        source = _source(twin, block, [each.metadata.groups for each in known])
        wanted = rule_of(block)
        renews = self._renews(ours, theirs, known, wanted)
        admission = Admission(self.repository.rule, refusal=refusal)
        # Versions that are merged again may be those that somebody without a key has picked.
        admit(block, admission, ours.metadata, trusts_ours=self.depth == 0)
        admission.check(source.metadata, wanted, self.credentials, new_data_key=renews)
        _notify_recipients(self.notify, base, ours, theirs)
        merged = merge_texts(base.plain, ours.plain, theirs.plain, format=self.format)
        left = merged.document.leaves if merged.document is not None else merged.text.strip()
        if not left and ours.plain.strip() and theirs.plain.strip():
            self.notify("no value is left in the merged file: each side removed what the other kept")
        merged, reason = self._undecided(merged, ours, theirs)
        text = sealing.encrypt(
            merged.document or merged.text,
            wanted,
            format=self.format,
            twin=source,
            donors=[each for each in known if each is not twin and each is not base.opened],
            new_data_key=renews,
            admission=admission,
            edits_twin=True,
            credentials=self.credentials,
        )
        if merged.conflicts:
            text = with_conflict(text, merged, self.labels, self.format, self.credentials)
        return Outcome(text, merged.conflicts, reason)

    def _undecided(self, merged: Merged, ours: _Side, theirs: _Side) -> tuple[Merged, str]:
        """Make a conflict of what a side that is not encrypted changes: anyone could have written it.

        Returns the merge, and why it is a conflict if that is the reason.
        """
        for side, other, which in ((ours, theirs, "our"), (theirs, ours, "their")):
            if side.opened is not None:
                continue
            if merged.text == other.plain and not merged.conflicts:  # none of its values is used
                self.notify(f"{which} side is not encrypted; the merged file is")
                break
            reason = f"{which} side is not encrypted, so anyone could have written its values"
            versions = (merged.text, theirs.plain) if side is ours else (ours.plain, merged.theirs)
            return Merged(versions[0], other.plain, versions[1], ["."], whole=True), reason
        return merged, ""

    def _renews(self, ours: _Side, theirs: _Side, known: list[opening.Opened], wanted: Rule) -> bool:
        """Whether the result gets a new data key.  Notifies the user if it does.

        It gets one if a removed recipient knows the data key of the ``known`` versions, and if the sides have
        different data keys: anyone can make one and encrypt it for our recipients, to read what the other
        side adds.  (In a rebase, "ours" is the other branch.)
        """
        removes = any(
            removes_access(each.metadata.groups, each.metadata.threshold, wanted.groups, wanted.threshold)
            for each in known
        )
        if removes:
            self.notify("a recipient was removed: every value is re-encrypted with a new data key")
        differ = ours.data_key != theirs.data_key and theirs.opened is not None
        if differ and not removes and ours.opened is not None:
            self.notify("the two sides have different data keys: every value is re-encrypted with a new one")
        return removes or differ


def _notify_recipients(notify: Notify, base: _Side, ours: _Side, theirs: _Side) -> None:
    """Name the recipients that only their side adds or removes.

    Those that our side adds are named if the sides have different data keys.  In a rebase, ours is the other
    branch, and someone without a key can make a data key of their own.
    """
    was, here, there = (
        [wrapped.key for group in side.metadata.groups for wrapped in group] if side.metadata else []
        for side in (base, ours, theirs)
    )
    if not (was or here):
        return
    added = dict.fromkeys(in_full(key) for key in there if key not in {*was, *here})
    removed = dict.fromkeys(in_full(key) for key in was if key in here and key not in there)
    joined = dict.fromkeys(in_full(key) for key in here if key not in {*was, *there})
    if joined and theirs.data_key not in (None, ours.data_key):
        notify(f"our side adds {', '.join(joined)}")
    if added:
        notify(f"their side adds {', '.join(added)}")
    if removed and theirs.metadata is not None:
        notify(f"their side removes {', '.join(removed)}")


def _source(twin: opening.Opened, block: Metadata, known: list[list[list[WrappedKey]]]) -> opening.Opened:
    """Return the twin for `encrypt`, with the wrapped keys of all recipients that hold its data key already.

    ``known`` are the groups of the versions that have the same data key.
    """
    own = twin.metadata
    held = own.groups
    if len(block.groups) > 1:  # shares of different splits do not fit together, so take one version's
        for groups in (held, *known):
            if holders(groups) == holders(block.groups):
                held = block.groups = groups
                break
    else:
        single = [groups[0] for groups in (*known, held) if len(groups) == 1]
        wraps = {wrapped.key: wrapped for group in single for wrapped in group}
        group = [wraps[wrapped.key] for wrapped in block.groups[0] if wrapped.key in wraps]
        if [group] != held:
            held = [group]
    metadata = own.replace(groups=held, unknown=block.unknown)
    current = held is own.groups and block.unknown == own.unknown
    return twin.replace(metadata=metadata, current=twin.current and current)


def reseal(
    text: str,
    *,
    format: str,
    repository: Repository,
    credentials: Credentials | None = None,
    notify: Notify = lambda notice: None,
) -> str:
    """Return a file that was merged without a key, with a MAC, if merging its parents again gives the same.

    Raises UnmergedError if the file differs, or if it cannot be checked in this way.
    """
    return _Merge(format, credentials or Credentials.from_env(), LABELS, repository, notify).reseal(text)
