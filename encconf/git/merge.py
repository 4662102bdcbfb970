"""``encconf git merge``: merge three versions of an encrypted file for git.

With a key, all three versions are opened and their plaintexts are merged (`encconf.merge`).  The result is
encrypted under our data key, and unchanged values keep the ciphertext that either side has for them.  The
recipients are merged, too.  If one is removed, or the sides have different data keys, the result gets a new
data key.

A conflict is kept *inside* the encrypted file (`encconf.git.conflict`) until ``encconf edit`` resolves it.

Without a key, the ciphertexts themselves are merged (`merge_without_key`).  The result has no valid MAC.
``encconf edit`` merges the same versions again with a key, and compares the results (`reseal`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from encconf import formats
from encconf.engine import opening, plaintext, sealing
from encconf.engine.admission import Admission, Objections, in_full, rule_of, same_recipients
from encconf.engine.metadata import (
    CONFLICT,
    PARENTS,
    UNMERGED,
    Metadata,
    ciphertext_in,
    with_block,
    without_block,
)
from encconf.envelope import DATA_KEY_SIZE, WrappedKey, removes_access
from encconf.envelope.unwrap import DataKeyCache
from encconf.errors import (
    DecryptError,
    EncconfError,
    KeyAccessError,
    LostBlockError,
    MacError,
    NoMatchingRuleError,
    StrangerError,
    UndecidedError,
    UnmergedError,
)
from encconf.git import ask, before, place, repository, run, version
from encconf.git.conflict import open_conflict, with_conflict
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.merge import LABELS, Merged
from encconf.merge import merge as merge_texts
from encconf.record import Record
from encconf.text.document import Document
from encconf.text.path import spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from encconf.git.conflict import Labels
    from encconf.keys import MasterKey
    from encconf.rules.config import Notify, Rule

    Texts = tuple[str, str, str]
    """Base, ours and theirs."""
    T = TypeVar("T")


# --- the result -----------------------------------------------------------------------------------

WITH_A_KEY = "ask somebody who can open the file to merge; to undo this merge: git merge --abort"
TAKE_ONE = "take one side with git checkout --ours or --theirs, and change it with encconf edit"
LOOK = "check every value yourself and save the file with: encconf edit --ignore-mac FILE"
ADMIT = (
    "nothing was merged; if they may read the file, run git merge --abort, add them to .sops.yaml, "
    "commit that, and try again"
)
RULE = (
    "nothing was merged; if that is right, run git merge --abort, change the rule in .sops.yaml, "
    "commit that, and try again"
)
COPY = (
    "nothing was merged: run git merge --abort, and look at that version; if all of them may read it, give "
    "it a new data key on its branch: encconf decrypt -i FILE, then encconf encrypt -i FILE"
)


class Outcome(Record):
    """The result of a merge: the text to write, and the paths that conflict in it.

    ``reason`` is why they conflict, if not because both sides changed them.  ``keyless`` says that no key
    opened the versions, and ``sealed`` that the file has a valid MAC.
    """

    text: str
    conflicts: Sequence[str] = ()
    reason: str = ""
    keyless: bool = False
    sealed: bool = True


# --- our repository: the rule in our last commit, and other versions of the file ------------------
# While git merges, the ``.sops.yaml`` in the work tree may already be theirs, since git's older strategies
# write files early.  So it is read from ``HEAD``.  Only a ``.sops.yaml`` outside the repository is read
# from the disk.


class Repository(Record):
    """What a merge needs to know about the repository.

    ``rule`` returns the creation rule of our ``.sops.yaml`` for the file, or None.  ``version`` returns the
    text of another version by its id, or None if the repository does not have it.  ``parents`` returns the
    ids of base, ours and theirs, separated by blanks.  ``follows`` says whether the version with an
    id came just before a text of ours or theirs.  ``objection`` returns the error for a version that may be a
    copy of another file, which some of the recipients may not open.
    """

    rule: Callable[[], Rule | None] = lambda: None
    version: Callable[[str], str | None] = lambda id: None
    parents: Callable[[], str] = lambda: ""
    follows: Callable[[str, str, bool], bool] = lambda id, text, ours: True
    objection: Callable[[_Side, Sequence[MasterKey]], StrangerError | None] = lambda side, gaining: None


NOWHERE = Repository()
"""The answers outside a repository."""


def of_merge(path: str, names: Sequence[str]) -> Repository:
    """Return this repository for the merge of a file.  ``names`` are the files with base, ours and theirs."""
    return Repository(
        rule=lambda: our_rule(path),
        version=version,
        parents=lambda: " ".join(run(["hash-object", "--no-filters", "--", *names])[1].split()),
        follows=lambda id, text, ours: follows(path, id, text, ours),
        objection=lambda side, gaining: _copied(path, side, gaining),
    )


def _copied(path: str, side: _Side, gaining: Sequence[MasterKey]) -> StrangerError | None:
    """Return the error for a side that may be a copy of a file which some recipients may not open."""
    from encconf.git.copies import Copies
    from encconf.rules.config import find_rule

    here = place(path)

    def rule(other: str) -> Rule:
        there = place(other)
        if here is None or there is None or there[0] != here[0]:
            return find_rule(other)  # of a submodule, or around one: this merge does not change it
        if (found := our_rule(other)) is None:
            raise NoMatchingRuleError("our .sops.yaml has no rule for it")
        return found

    if side.opened is None:
        return None
    return Copies([]).objection(path, side.opened.metadata, gaining, rule, side.opened.data_key)


def our_rule(path: str) -> Rule | None:
    """Return the creation rule of our ``.sops.yaml`` for a file, or None if no usable rule exists."""
    from encconf.rules import config

    root = _work_tree()
    for each in config.places(path, os.getcwd()):
        try:
            text = _ours(each, root)
            if text is not None:
                return config.load(each, text).rule_for(os.path.abspath(path))
        except EncconfError:
            return None
    return None


def _work_tree() -> str | None:
    """Return the work tree of the merge.

    If git's variables name the repository, the folders need not have a ``.git``.  Without GIT_WORK_TREE, git
    then takes the current folder.
    """
    if "GIT_DIR" in os.environ:
        return os.path.abspath(os.environ.get("GIT_WORK_TREE", os.curdir))
    return repository(os.getcwd())


def _ours(path: str, root: str | None) -> str | None:
    """Return the text of a configuration: of our last commit, or from the disk outside the repository."""
    from encconf.rules.config import refuse_foreign

    inside = os.path.relpath(path, root) if root is not None else ".."
    if inside.partition(os.sep)[0] != "..":
        return version(f"HEAD:{inside.replace(os.sep, '/')}")
    if not os.path.exists(path):
        return None
    refuse_foreign(path)
    return fileio.read_text(path)


def follows(path: str, id: str, text: str, ours: bool) -> bool:
    """Whether the version with this id is the one that came before a text of a file.

    A text of ``ours`` is that of the last commit or of the work tree.  A text of theirs can be on any branch.
    Every commit that introduced it must have replaced that version.
    """
    if ours:
        return before(path, text) == id
    import hashlib

    folder, name = os.path.split(os.path.abspath(path))
    data = text.encode()
    made = hashlib.new("sha1" if len(id) == 40 else "sha256", b"blob %d\0" % len(data) + data).hexdigest()
    theirs = [variable[8:] for variable in os.environ if variable.startswith("GITHEAD_")]
    output = ask(
        folder, "log", "--raw", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--full-history",
        f"--find-object={made}", "--format=", "--all", "HEAD", *theirs, "--", name,
    )  # fmt: skip
    changes = [line.split(" ") for line in (output or "").splitlines() if line.startswith(":")]
    came_after = {old for _, _, old, new, *_ in changes if new == made}
    return came_after == {id}


# --- merging with a key ---------------------------------------------------------------------------

_DEEPEST = 8  # how many merges without a key may follow each other


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
) -> Outcome | None:
    """Merge three versions of a file, or return None if neither ours nor theirs is encrypted.

    ``base`` may be "".  The result has only recipients that our ``.sops.yaml`` names for the file, or that
    our side has already.

    Raises StrangerError for other recipients, UndecidedError if only a person can decide, and whatever
    opening and encrypting raise.
    """
    if not ("sops" in ours or "sops" in theirs):
        return None  # a plaintext need not be one that encconf can read
    merging = _Merge(format, credentials or Credentials.from_env(), labels, repository, notify)
    return merging((base, ours, theirs))


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

    def __call__(self, texts: Texts) -> Outcome | None:
        base, ours, theirs = texts
        sides = [formats.scan_any(text, self.format, comments=True) for text in (ours, theirs)]
        if all(side.block is None for side in sides):
            return None
        documents = [formats.scan_any(base, self.format, comments=True), *sides]
        if self.credentials.cache is None:
            self.credentials.cache = DataKeyCache()  # usually, all three have the same wrapped key
        try:
            opened = self._opened(documents)
        except KeyAccessError as error:
            if error.unexpected:
                self.notify(error.message)  # one of the user's own keys failed
            try:
                return merge_without_key(documents, self.repository)
            except UndecidedError as undecided:
                raise undecided from error
        return self._with_key(*opened)

    # --- with a key ------------------------------------------------------------------------------

    def _opened(self, documents: Sequence[Document]) -> list[_Side]:
        """Open the three versions.  A key that opens one also opens the others with the same data key."""
        sides: dict[int, _Side] = {}
        for last in (False, True):
            failed: KeyAccessError | None = None
            for at, which in ((1, "our side"), (2, "their side"), (0, "the common version")):
                try:
                    if at not in sides:
                        sides[at] = self._side(documents[at], which, checked=at != 0 or self.depth > 0)
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

    def _side(self, document: Document, which: str, *, checked: bool) -> _Side:
        """Open one version.  If it is ``checked`` (each side is), it must have a valid MAC."""
        format, credentials = self.format, self.credentials
        if document.block is None:
            return self._plain_side(document, which, checked=checked)
        try:
            if CONFLICT in document.block and not checked:  # git's merge of several bases has a conflict
                conflict = open_conflict(document.text, format=format, credentials=credentials)
                return _Side(conflict.merged.base, conflict.opened)
            keyless = PARENTS in document.block
            if keyless and checked:
                document = formats.scan_any(self._reseal_side(document.text, which), format, comments=True)
            try:
                opened = opening.open_text(document, format=format, credentials=credentials)
            except MacError as error:
                if checked:
                    raise
                if not keyless:
                    self.notify(f"{which}: {error.message}")
                opened = opening.open_text(document, format=format, credentials=credentials, ignore_mac=True)
        except (DecryptError, MacError) as error:
            if not checked and isinstance(error, DecryptError):
                message = "the common version cannot be decrypted, so it is not known who changed what"
                raise UndecidedError(message, hint=TAKE_ONE) from None
            error.message = f"{which}: {error.message}"
            raise
        return _Side(plaintext.plain_text(opened), opened)

    def _plain_side(self, document: Document, which: str, *, checked: bool) -> _Side:
        """Return a version that is not encrypted, if it may be so."""
        if self.depth and document.text.strip():
            raise UnmergedError(f"{which} is not encrypted: anyone could have written it", hint=LOOK)
        if checked and (place := ciphertext_in(document)) is not None:
            raise LostBlockError(f"{place} of {which}")
        return _Side(document.text, None)

    def _reseal_side(self, text: str, which: str) -> str:
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
        merging = _Merge(format, credentials, self.labels, self.repository, self.notify, self.depth + 1)
        outcome = merging((base, ours, theirs))
        if outcome is None:
            raise UnmergedError("the versions it was merged from are not encrypted", hint=LOOK)
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
        source, block = _source(twin, block, [each.metadata.groups for each in known])
        wanted = rule_of(block)
        renews = self._renews(ours, theirs, known, wanted)
        admission = Admission(
            self.repository.rule,
            refusal=refusal,
            copied=lambda gaining: self._objection((ours, theirs), gaining),
        )
        # Versions that are merged again may be those that somebody without a key has picked.
        refuse_listing(block, admission, ours.metadata, trusts_ours=self.depth == 0)
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
            sources=[side.opened for side in (ours, theirs) if side.opened is not None],
            credentials=self.credentials,
        )
        if merged.conflicts:
            text = with_conflict(text, merged, self.labels, self.format, self.credentials)
        return Outcome(text, merged.conflicts, reason)

    def _objection(self, sides: Sequence[_Side], gaining: Sequence[MasterKey]) -> StrangerError | None:
        """Return the error for a side with the data key of another file of the repository.

        Its values, or its data key, would be for all who are ``gaining`` them.
        """
        for side, which in zip(sides, ("our side", "their side"), strict=True):
            error = self.repository.objection(side, gaining)
            if error is not None:
                error.message, error.hint = f"{which}: {error.message}", COPY
                return error
        return None

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


def _source(
    twin: opening.Opened, block: Metadata, known: list[list[list[WrappedKey]]]
) -> tuple[opening.Opened, Metadata]:
    """Return the twin for `encrypt`, with the wrapped keys of all recipients that hold its data key already.

    Also returns the merged block: shares of the data key are those of one version.
    ``known`` are the groups of the versions that have the same data key.
    """
    own = twin.metadata
    held = own.groups
    if len(block.groups) > 1:  # shares of different splits do not fit together, so take one version's
        for groups in (held, *known):
            if holders(groups) == holders(block.groups):
                held, block = groups, block.replace(groups=groups)
                break
    else:
        single = [groups[0] for groups in (*known, held) if len(groups) == 1]
        wraps = {wrapped.key: wrapped for group in single for wrapped in group}
        group = [wraps[wrapped.key] for wrapped in block.groups[0] if wrapped.key in wraps]
        if [group] != held:
            held = [group]
    metadata = own.replace(groups=held, unknown=block.unknown)
    current = held is own.groups and block.unknown == own.unknown
    return twin.replace(metadata=metadata, current=twin.current and current), block


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


# --- without a key: the ciphertexts themselves, unless both sides changed the same value ----------
# Only a holder of the key can make a MAC for the result.  The block's member ``encconf_merge`` names the
# versions that were merged.  Someone who can open them can then merge them again and compare the results
# (`reseal`).

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def merge_without_key(documents: Sequence[Document], repository: Repository) -> Outcome:
    """Merge the ciphertexts of base, ours and theirs.  Raises UndecidedError if the merge needs a key."""
    format = documents[0].format
    was, here, there = (Metadata.of(each) if each.block is not None else None for each in documents)
    if here is None or there is None:
        raise UndecidedError(
            "one side is encrypted and the other is not, and none of your keys opens it", hint=WITH_A_KEY
        )
    for metadata in (here, there):
        if CONFLICT in metadata.unknown:
            raise UnmergedError(f"{metadata.unmerged}", hint="resolve it first with: encconf edit FILE")
    if not _same_data_key(here, there):
        raise UndecidedError("one side has a new data key, so merging needs a key", hint=WITH_A_KEY)
    block = merged_block(was, here, there)
    if reason := _needs_key(here, there, block):
        raise UndecidedError(f"{reason}, so merging needs a key", hint=WITH_A_KEY)
    refuse_listing(block, Admission(repository.rule), here)
    plain = list(map(without_block, documents))
    merged = merge_texts(*plain, format=format.name)
    if merged.conflicts:
        paths = "the file" if merged.whole else listed(merged.conflicts, 5)
        raise UndecidedError(
            f"both sides changed {paths}, and none of your keys opens the values", hint=WITH_A_KEY
        )
    for at, metadata in ((1, here), (2, there)):
        if merged.text == plain[at] and metadata.unmerged is None:  # keep its MAC: it covers no keys
            if same_holders(block, metadata) and block.unknown == metadata.unknown:
                return Outcome(documents[at].text, keyless=True)
            kept = metadata.replace(groups=block.groups, threshold=block.threshold, unknown=block.unknown)
            return Outcome(with_block(format.scan(merged.text), kept), keyless=True)
    # An old MAC is never valid with a new date.
    unknown = {**block.unknown, PARENTS: repository.parents()}
    block = block.replace(lastmodified=sealing.lastmodified(), mac=here.mac, unknown=unknown)
    return Outcome(with_block(format.scan(merged.text), block), keyless=True, sealed=False)


def _needs_key(here: Metadata, there: Metadata, block: Metadata) -> str:
    """Return why two blocks cannot be merged into ``block`` without a key, or ""."""
    if here.selection != there.selection:
        return "one side changed which values are encrypted"
    if len(block.groups) > 1 and not (same_holders(block, here) or same_holders(block, there)):
        return "both sides changed the key groups"
    return ""


def _same_data_key(here: Metadata, there: Metadata) -> bool:
    """Whether any master key has the same wrapped data key in both blocks."""
    wrapped = [{(each.key, each.enc) for group in side.groups for each in group} for side in (here, there)]
    return bool(wrapped[0] & wrapped[1])


def parents_of(text: str, format: str) -> list[str]:
    """Return the ids of the versions that a file was merged from without a key: base, ours, theirs.

    Raises UnmergedError if the file does not name them.
    """
    ids = str(Metadata.of(formats.get(format).scan(text)).unknown.get(PARENTS, "")).split()
    if len(ids) != 3 or not all(_ID.match(each) for each in ids):
        raise UnmergedError("the file does not record which versions it was merged from", hint=LOOK)
    return ids


def misplaced(before: str) -> str:
    """Return the message about a file that was not merged into the version that git had before it."""
    return (
        f"was not merged into the version that git had before it, but into {before[:12]}; "
        "values may be older than they were"
    )


def differences(one: opening.Opened, other: opening.Opened) -> list[str]:
    """Return the paths of the values that differ in two opened files, and the names of other differences."""
    found: list[str] = []
    if not same_holders(one.metadata, other.metadata):
        found.append("who can open it")
    if one.metadata.selection != other.metadata.selection:
        found.append("which values are encrypted")
    here, there = (
        {
            leaf.path: (value.type, value.data)
            for leaf, value in zip(each.document.leaves, each.values, strict=True)
        }
        for each in (one, other)
    )
    for path in {**here, **there}:
        if here.get(path) != there.get(path):
            found.append(spell(path))
    if not found and one.document.outline != other.document.outline:
        found.append("its structure")
    comments = [[comment.text for comment in each.comments] for each in (one, other)]
    if not found and comments[0] != comments[1]:
        found.append("its comments")
    return found


# --- the sops block: who can open the file, and what is encrypted ---------------------------------
# A recipient or a selection that only their side names is refused, unless our ``.sops.yaml`` names it, too.
# Who gets the data key if the merge wraps it, `encconf.engine.admission` decides.


def refusal(found: Objections, rule: Rule | None) -> StrangerError:
    """Return the error for recipients, or groups of them, that a merge may not list."""
    if not found.strangers:
        return found.error("the merged file would not be as its rule in our .sops.yaml says", RULE)
    where = "our .sops.yaml does not name" if rule is not None else "no .sops.yaml of ours names"
    return found.error(f"the merged file would have recipients that {where}", ADMIT)


def refuse_listing(
    block: Metadata, admission: Admission, ours: Metadata | None, *, trusts_ours: bool = True
) -> None:
    """Raise StrangerError unless our rule or our version of the file allows everything that a block allows.

    This decides what the merged file may list and encrypt.  Who gets the data key from us, if it is wrapped,
    only the ``admission`` decides: an entry of our version admits no one.
    """
    wanted = rule_of(block)
    own = rule_of(ours) if ours is not None and trusts_ours else None
    reselects = ours is not None and wanted.selection != ours.selection
    if own is not None and not reselects and same_recipients(own, wanted):
        return  # the recipients are ours, and every value stays encrypted: no rule is needed
    named = admission.rule
    trusted = [named] if named is not None else []
    if own is not None:  # what our version lists may stay, but the settings of our rule count as well
        if named is not None:
            own = named.replace(groups=own.groups, threshold=own.threshold)
        trusted = [own, *trusted]
    found = Objections(wanted.groups, wanted, trusted)
    if found:
        raise refusal(found, named)
    if reselects and (named is None or wanted.selection != named.selection):
        raise StrangerError(
            "their side changes which values are encrypted, but our .sops.yaml does not", hint=RULE
        )


def merged_block(base: Metadata | None, ours: Metadata | None, theirs: Metadata | None) -> Metadata:
    """Merge all but the MAC: keys, selection and unknown members.  A plaintext side (None) does not count."""
    here, there = ours or theirs, theirs or ours
    assert here is not None
    assert there is not None
    selection = _merged_value(
        base.selection if base else None, here.selection, there.selection, "which values are encrypted"
    )
    threshold = _merged_value(
        base.threshold if base else None, here.threshold, there.threshold, "how many key groups are needed"
    )
    groups = _merged_groups(base.groups if base else None, here.groups, there.groups)
    unknown: dict[str, object] = {}
    for name in {**here.unknown, **there.unknown}:
        old, mine, yours = (each.unknown.get(name) if each else None for each in (base, here, there))
        value = yours if mine == old else mine
        if value is not None and name not in UNMERGED:
            unknown[name] = value
    return here.renewed(groups=groups, threshold=threshold, selection=selection, unknown=unknown)


def _merged_value(was: T | None, here: T, there: T, what: str) -> T:
    if here == there or there == was:
        return here
    if here == was:
        return there
    raise UndecidedError(f"both sides changed {what}", hint=TAKE_ONE)


def _merged_groups(
    base: list[list[WrappedKey]] | None, ours: list[list[WrappedKey]], theirs: list[list[WrappedKey]]
) -> list[list[WrappedKey]]:
    """Merge who can open the file: return the recipients of both sides, and those that either side added."""
    if len(ours) != len(theirs) or (base is not None and len(base) != len(ours)):
        mine, yours = holders(ours), holders(theirs)
        chosen = _merged_value(holders(base) if base is not None else None, mine, yours, "the key groups")
        return ours if chosen == mine else theirs
    groups: list[list[WrappedKey]] = []
    for at, (here, there) in enumerate(zip(ours, theirs, strict=True)):
        was = {wrapped.key for wrapped in base[at]} if base is not None else set()
        ours_has, theirs_has = ({wrapped.key for wrapped in side} for side in (here, there))
        group = [wrapped for wrapped in here if wrapped.key in theirs_has or wrapped.key not in was]
        group += [wrapped for wrapped in there if wrapped.key not in ours_has and wrapped.key not in was]
        if not group:
            raise UndecidedError(
                "each side removed the recipients of the other: nobody could open the file",
                hint="take one side with git checkout --ours or --theirs, then run: encconf updatekeys FILE",
            )
        groups.append(group)
    return groups


def holders(groups: list[list[WrappedKey]]) -> list[set[MasterKey]]:
    """Return the master keys of each group."""
    return [{wrapped.key for wrapped in group} for group in groups]


def same_holders(one: Metadata, other: Metadata) -> bool:
    """Whether two blocks have the same master keys in the same groups."""
    return holders(one.groups) == holders(other.groups)
