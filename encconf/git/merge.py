"""``encconf git merge``: three versions of an encrypted file made one, as git asks for it.

With a key, all three are opened and their plain texts merged (`encconf.merge`); the result is encrypted
under the data key that is there, with every ciphertext that either side has for a value that stays.  Who
can open it is merged, too; where somebody goes who knows the data key, there is a new one.

What cannot be decided is kept *inside* the encrypted file: its values are ours, and the block's member
``encconf_conflict`` has the rest, encrypted.  Its MAC is bound to that, so that neither encconf nor sops
opens the file before ``encconf edit`` has shown both sides, with markers, and saved what counts.

Without a key, ciphertexts are merged as they stand, if no two sides changed the same one.  Nobody can make
a MAC for that but a holder of the key; the member ``encconf_merge`` names the versions that were merged, so
that ``encconf edit`` can merge them again and see that the file is nothing but that (`reseal`).
"""

from __future__ import annotations

import re

from encconf import api, formats
from encconf.engine import opening, plaintext, seal, sealing
from encconf.engine.admission import Objections, in_full, rule_of
from encconf.engine.cipher import split, unlock
from encconf.engine.metadata import CONFLICT, PARENTS, Metadata
from encconf.envelope.data_key import DATA_KEY_SIZE, DataKeyCache, shuts_out
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    EncconfError,
    KeyAccessError,
    MacError,
    MacMismatchError,
    StrangerError,
    UndecidedError,
    UnmergedError,
)
from encconf.identities.credentials import Credentials
from encconf.merge import Merged
from encconf.merge import merge as merge_texts
from encconf.rules.config import Rule
from encconf.text.document import Document, splice
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from encconf.envelope.data_key import WrappedKey
    from encconf.keys import MasterKey

    T = TypeVar("T")
    Notify = Callable[[str], None]
    Fetch = Callable[[str], str | None]
    Labels = tuple[str, str, str]
    OurRule = Callable[[], Rule | None]
    """What our ``.sops.yaml`` says of the file, None where it says nothing."""
    Follows = Callable[[str, str, bool], bool]
    """Whether git had a version, by its id, just before a text; True for a text of our side."""
    Texts = tuple[str, str, str]
    """Base, ours and theirs."""

LABELS = ("ours", "base", "theirs")
_PLACE = "encconf conflict 1"  # what the conflict's ciphertext is authenticated with, beside the MAC
# What the file's MAC is authenticated with: no file can say that as its date, since it is not UTF-8.
_PURPOSE = b"\xffencconf conflict 2 %b"
_FIRST_PURPOSE = b"%b encconf conflict 1"  # what encconf wrote at first; it is not a date, either
_MAX_SIZE = 64 << 20
_DEEPEST = 8  # merges without a key, one upon the other
_WITH_A_KEY = "let somebody merge who can open the file; git merge --abort goes back"
_TAKE_ONE = "take one side with git checkout --ours or --theirs, and change it with encconf edit"


def _no_rule() -> Rule | None:
    return None


class Outcome:
    """What came of a merge: the text to write, and the paths that are at odds in it.

    ``keyless`` says that nobody could open the versions; ``sealed`` whether the file has a MAC.
    """

    __slots__ = ("conflicts", "keyless", "sealed", "text")

    def __init__(
        self, text: str, conflicts: Sequence[str] = (), *, keyless: bool = False, sealed: bool = True
    ) -> None:
        self.text = text
        self.conflicts = list(conflicts)
        self.keyless = keyless
        self.sealed = sealed


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has a ``sops`` block.  Raises ParseError."""
    return "sops" in text and _scanned(text, format).block is not None


def merge(
    base: str,
    ours: str,
    theirs: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    labels: Labels = LABELS,
    fetch: Fetch | None = None,
    parents: Callable[[], str] | None = None,
    rule: OurRule = _no_rule,
    follows: Follows | None = None,
    notify: Notify | None = None,
) -> Outcome:
    """Merge three versions of a file, of which ours or theirs is encrypted; ``base`` may be "".

    ``fetch`` gives the text of another version by git's id, None for one that is not there, and
    ``parents`` the ids of these three, with blanks between.  ``rule`` gives what our ``.sops.yaml`` says of
    the file: only a recipient that it names, or that our side has already, can join.  ``follows`` says
    whether git had a version just before a text that was merged without a key.

    Raises StrangerError where only their side, or only the file, names a recipient; UndecidedError where
    only people can say what is to be; and whatever opening and encrypting raise.
    """
    run = _Merge(format, credentials or Credentials.from_env(), labels, fetch, notify, rule, follows)
    return run((base, ours, theirs), parents)


class _Side:
    """One version: ``opened`` is None for one that is not encrypted."""

    __slots__ = ("opened", "plain")

    def __init__(self, plain: str, opened: opening.Opened | None) -> None:
        self.plain = plain
        self.opened = opened

    @property
    def metadata(self) -> Metadata | None:
        return self.opened.metadata if self.opened is not None else None

    @property
    def data_key(self) -> bytes | None:
        return self.opened.data_key if self.opened is not None else None


class _Merge:
    """One merge, and those of earlier versions that it needs.

    ``depth`` is 0 for what git asks for, and more for what is merged again, so that it gets its MAC: there
    somebody without a key has named the versions, and all must have been sealed by somebody with one.
    """

    __slots__ = ("credentials", "depth", "fetch", "follows", "format", "labels", "notify", "rule")

    def __init__(
        self,
        format: str,
        credentials: Credentials,
        labels: Labels,
        fetch: Fetch | None,
        notify: Notify | None,
        rule: OurRule = _no_rule,
        follows: Follows | None = None,
        depth: int = 0,
    ) -> None:
        self.format = format
        self.credentials = credentials
        self.labels = labels
        self.fetch = fetch
        self.notify = notify
        self.rule = rule
        self.follows = follows
        self.depth = depth
        if credentials.cache is None:
            credentials.cache = DataKeyCache()  # all three have the same wrapped key, mostly

    def __call__(self, texts: Texts, parents: Callable[[], str] | None) -> Outcome:
        try:
            sides = self._opened(texts)
        except KeyAccessError as error:
            if self.notify is not None and " failed: " in error.message:
                self.notify(error.message)  # a key that should have opened it: no stranger is merging
            try:
                return _without_key(texts, self.format, parents, self.rule)
            except UndecidedError as undecided:
                raise undecided from error
        return self._with_key(*sides)

    # --- with a key ------------------------------------------------------------------------------

    def _opened(self, texts: Texts) -> list[_Side]:
        """The three versions.  A key that opens one opens all that have the same data key."""
        sides: list[_Side | None] = [None, None, None]
        for last in (False, True):
            failed: KeyAccessError | None = None
            for at, which in ((1, "our side"), (2, "their side"), (0, "the common version")):
                if sides[at] is not None:
                    continue
                try:
                    side = sides[at] = self._side(texts[at], which, checked=at != 0 or self.depth > 0)
                except KeyAccessError as error:
                    failed = error
                    continue
                if side.opened is not None:
                    self._share(side.opened)
            if failed is not None and (last or not any(side and side.opened for side in sides)):
                raise failed
        return [side for side in sides if side is not None]

    def _share(self, opened: opening.Opened) -> None:
        """Whoever got a file's data key by one of its master keys needs no other for it."""
        if len(opened.metadata.groups) == 1:
            for wrapped in opened.metadata.groups[0]:
                self.credentials.cache.fetch(wrapped, DATA_KEY_SIZE, lambda: opened.data_key)

    def _side(self, text: str, which: str, *, checked: bool) -> _Side:
        """One version, opened; ``checked`` if it needs a MAC, as what gets into the result does."""
        format, credentials = self.format, self.credentials
        document = _scanned(text, format)
        if document.block is None:
            if self.depth and text.strip():
                raise UnmergedError(f"{which} is not encrypted: anybody can have written it", hint=_LOOK)
            return _Side(text, None)
        try:
            if CONFLICT in document.block and not checked:  # git has merged several, which were at odds
                conflict = open_conflict(text, format=format, credentials=credentials)
                return _Side(conflict.merged.base, conflict.opened)
            if PARENTS in document.block and checked and self.fetch is not None:
                text = self._resealed(text, which, self.fetch)
            try:
                opened = opening.open_text(text, format=format, credentials=credentials)
            except MacError as error:
                if checked:
                    raise
                if self.notify is not None and PARENTS not in document.block:
                    self.notify(f"{which}: {error.message}")
                opened = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True)
        except DecryptError as error:
            if not checked:
                message = "the common version cannot be decrypted, so that nothing shows who changed what"
                raise UndecidedError(message, hint=_TAKE_ONE) from None
            error.message = f"{which}: {error.message}"
            raise
        except MacError as error:
            error.message = f"{which}: {error.message}"
            raise
        return _Side(plaintext.plain_text(opened), opened)

    def _resealed(self, text: str, which: str, fetch: Fetch) -> str:
        """A side that was merged without a key, with its MAC."""
        sealed = reseal(
            text, format=self.format, credentials=self.credentials, fetch=fetch, rule=self.rule,
            notify=self.notify, depth=self.depth,
        )  # fmt: skip
        if self.notify is None:
            return sealed
        self.notify(f"{which} was merged without a key, and gets its MAC now")
        before = parents_of(text, self.format)[1]
        if self.follows is not None and not self.follows(before, text, which == "our side"):
            self.notify(f"{which} {misplaced(before)}")
        return sealed

    def _with_key(self, base: _Side, ours: _Side, theirs: _Side) -> Outcome:
        notify = self.notify
        if notify is not None:
            for side, which in ((ours, "our"), (theirs, "their")):
                if side.opened is None:
                    notify(f"{which} side is not encrypted; the merged file is")
        twin = _twin(ours, theirs)
        block = _merged_block(base.metadata, ours.metadata, theirs.metadata)
        opened = [side.opened for side in (base, ours, theirs) if side.opened is not None]
        known = [each for each in opened if each.data_key == twin.data_key]
        source = _source(twin, block, [each.metadata.groups for each in known])
        groups = [[wrapped.key for wrapped in group] for group in block.groups]
        renews = self._renews(ours, theirs, known, groups, block.threshold)
        admit(block, self.rule, ours.metadata, wraps_all=renews or self.depth > 0)
        if notify is not None:
            _tell_who(notify, base, ours, theirs)
        merged = merge_texts(base.plain, ours.plain, theirs.plain, format=self.format)
        text = api.encrypt(
            merged.text,
            Rule(groups, block.threshold or None, block.selection),
            format=self.format,
            twin=source,
            donors=[each for each in known if each is not twin and each is not base.opened],
            new_data_key=renews,
            credentials=self.credentials,
        )
        if merged.conflicts:
            text = _with_conflict(text, merged, self.labels, self.format, self.credentials)
        return Outcome(text, merged.conflicts)

    def _renews(
        self,
        ours: _Side,
        theirs: _Side,
        known: list[opening.Opened],
        groups: list[list[MasterKey]],
        threshold: int,
    ) -> bool:
        """Whether the result gets a new data key; says so.

        It does where a recipient is removed who knows the one of the ``known`` versions, and where the sides
        have different ones: anybody can make one and encrypt for our recipients, to read what the other side
        adds.  (In a rebase, "ours" is what has come from elsewhere.)
        """
        gone = any(
            shuts_out(each.metadata.groups, each.metadata.threshold, groups, threshold) for each in known
        )
        if gone and self.notify is not None:
            self.notify("a recipient was removed: every value gets a new data key")
        differ = ours.data_key != theirs.data_key and theirs.opened is not None
        if differ and not gone and ours.opened is not None and self.notify is not None:
            self.notify("the sides have different data keys: every value gets a new one")
        return gone or differ


def admit(block: Metadata, rule: OurRule, ours: Metadata | None, *, wraps_all: bool = False) -> None:
    """Raise StrangerError unless our rule, or our own version of the file, allows all that a block does.

    Nothing authenticates recipients, key groups and selection: anyone who can push a branch can change them.
    Where the data key is wrapped for all, only our rule counts: they may have changed our version, too.
    """
    wanted = rule_of(block)
    own = [rule_of(ours)] if ours is not None and not wraps_all else []
    reselects = ours is not None and wanted.selection != ours.selection
    if own and not reselects and not Objections(wanted, own):
        return  # nobody joins, and every value stays encrypted: no rule is needed
    named = rule()
    found = Objections(wanted, [*own, named] if named is not None else own)
    if found:
        where = "our .sops.yaml does not name" if named is not None else "no .sops.yaml of ours names"
        raise found.error(f"the merged file would be for recipients that {where}", _ADMIT)
    if reselects and (named is None or wanted.selection != named.selection):
        raise StrangerError(
            "their side changes which values are encrypted, and our .sops.yaml does not say so", hint=_ADMIT
        )


def _tell_who(notify: Notify, base: _Side, ours: _Side, theirs: _Side) -> None:
    """Say who joins and who goes by their side alone."""
    was, here, there = (
        [wrapped.key for group in side.metadata.groups for wrapped in group] if side.metadata else []
        for side in (base, ours, theirs)
    )
    if not (was or here):
        return
    new = dict.fromkeys(in_full(key) for key in there if key not in {*was, *here})
    gone = dict.fromkeys(in_full(key) for key in was if key in here and key not in there)
    if new:
        notify(f"their side adds {', '.join(new)}")
    if gone and theirs.metadata is not None:
        notify(f"their side removes {', '.join(gone)}")


def _twin(ours: _Side, theirs: _Side) -> opening.Opened:
    """The version whose data key and ciphertexts the result starts from: ours, if it is encrypted."""
    opened = ours.opened or theirs.opened
    assert opened is not None, "neither side is encrypted"
    return opened


def _source(twin: opening.Opened, block: Metadata, known: list[list[list[WrappedKey]]]) -> opening.Opened:
    """What `api.encrypt` is to start from: the chosen version, held by all who hold its data key already."""
    own = twin.metadata
    held = own.groups
    if len(block.groups) > 1:  # the parts of one splitting do not fit those of another
        for groups in (held, *known):
            if _keys(groups) == _keys(block.groups):
                held = block.groups = groups
                break
    else:
        single = [groups[0] for groups in (*known, held) if len(groups) == 1]
        holders = {wrapped.key: wrapped for group in single for wrapped in group}
        group = [holders[wrapped.key] for wrapped in block.groups[0] if wrapped.key in holders]
        if [group] != held:
            held = [group]
    document = twin.document
    if held is not own.groups or block.unknown != own.unknown:
        document.block_text = None  # it is spelled anew
    metadata = Metadata(held, own.threshold, own.selection, own.lastmodified, own.mac, own.layout)
    metadata.unknown = block.unknown
    source = opening.Opened(document, metadata, twin.chosen, twin.data_key)
    source.comments = twin.comments
    return source


# --- who can open it -----------------------------------------------------------------------------


def _merged_block(base: Metadata | None, ours: Metadata | None, theirs: Metadata | None) -> Metadata:
    """The block but for its MAC: keys, selection and unknown members; a plain side has no opinion."""
    here, there = ours or theirs, theirs or ours
    assert here is not None
    assert there is not None
    was = base or (here if ours is None or theirs is None else None)
    selection = _three(
        was.selection if was else None, here.selection, there.selection, "which values are encrypted"
    )
    threshold = _three(
        was.threshold if was else None, here.threshold, there.threshold, "how many key groups it takes"
    )
    groups = _merged_groups(was.groups if was else None, here.groups, there.groups)
    unknown: dict[str, object] = {}
    for name in {**here.unknown, **there.unknown}:
        old, mine, yours = (each.unknown.get(name) if each else None for each in (was, here, there))
        value = yours if mine == old else mine
        if value is not None and name not in (CONFLICT, PARENTS):
            unknown[name] = value
    return Metadata(groups, threshold, selection, "", unknown=unknown)


def _three(was: T | None, here: T, there: T, what: str) -> T:
    if here == there or there == was:
        return here
    if here == was:
        return there
    raise UndecidedError(f"both sides changed {what}", hint=_TAKE_ONE)


def _merged_groups(
    base: list[list[WrappedKey]] | None, ours: list[list[WrappedKey]], theirs: list[list[WrappedKey]]
) -> list[list[WrappedKey]]:
    """Who can open the file: whom both sides have, and whom either has added."""
    if len(ours) != len(theirs) or (base is not None and len(base) != len(ours)):
        mine, yours = _keys(ours), _keys(theirs)
        chosen = _three(_keys(base) if base is not None else None, mine, yours, "the key groups")
        return ours if chosen == mine else theirs
    groups: list[list[WrappedKey]] = []
    for at, (here, there) in enumerate(zip(ours, theirs, strict=True)):
        was = {wrapped.key for wrapped in base[at]} if base is not None else set()
        ours_has, theirs_has = ({wrapped.key for wrapped in side} for side in (here, there))
        group = [wrapped for wrapped in here if wrapped.key in theirs_has or wrapped.key not in was]
        group += [wrapped for wrapped in there if wrapped.key not in ours_has and wrapped.key not in was]
        if not group:
            raise UndecidedError(
                "the sides have taken out each other's keys: nobody could open the file",
                hint="take one side with git checkout --ours or --theirs, then run: encconf updatekeys FILE",
            )
        groups.append(group)
    return groups


def _keys(groups: list[list[WrappedKey]]) -> list[set[MasterKey]]:
    return [{wrapped.key for wrapped in group} for group in groups]


def _same_holders(one: Metadata, other: Metadata) -> bool:
    return _keys(one.groups) == _keys(other.groups)


# --- what is at odds -----------------------------------------------------------------------------


class Conflict:
    """An encrypted file with two sides: ``opened`` is ours, without the mark, ``merged`` has both."""

    __slots__ = ("labels", "merged", "opened")

    def __init__(self, opened: opening.Opened, merged: Merged, labels: Labels) -> None:
        self.opened = opened
        self.merged = merged
        self.labels = labels


def _with_conflict(text: str, merged: Merged, labels: Labels, format: str, credentials: Credentials) -> str:
    """Put the other sides into an encrypted text with ours, and let its MAC fit nothing but that."""
    module = formats.module(format)
    try:
        opened = opening.open_text(text, format=format, credentials=credentials)
    except KeyAccessError:
        paths = ", ".join(merged.conflicts[:5])
        raise UndecidedError(
            f"both sides changed {paths}, and you are no longer among those who can open the file",
            hint="let somebody merge who can open it",
        ) from None
    document, data_key = opened.document, opened.data_key
    settings = opened.metadata.selection.to_entries()
    date = opened.metadata.lastmodified
    mac = seal.seal_mac(document, opened.chosen.leaves, settings, data_key, date, _PURPOSE)
    import json
    import zlib

    record = {
        "base": merged.base,
        "theirs": merged.theirs,
        "paths": merged.conflicts,
        "labels": labels,
        "whole": merged.whole,
    }
    packed = zlib.compress(json.dumps(record).encode(), 9)
    enc = seal.Encryptor(data_key)("bytes", packed, f"{_PLACE} {mac}".encode())
    assert document.block_text is not None
    block = module.amend(document.block_text, {"mac": mac, CONFLICT: enc})
    return splice(text, module.attach(document, block))


def open_conflict(
    text: str, *, format: str, credentials: Credentials | None = None, notify: Notify | None = None
) -> Conflict:
    """Open a file that says it holds a conflict.

    Raises MacMismatchError if that is not as it was written.
    """
    opened = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True, notify=notify)
    metadata = opened.metadata
    try:
        opened.check_mac(_PURPOSE)
    except MacMismatchError:
        opened.check_mac(_FIRST_PURPOSE)
    parts = split(str(metadata.unknown.get(CONFLICT)).encode())
    place = f"{_PLACE} {metadata.mac}".encode()
    packed = unlock(opened.data_key, parts[0], parts[1], place) if parts is not None else None
    if packed is None:
        raise MacMismatchError(
            "the file's conflict was changed without its key",
            hint="get both sides again with: git checkout --merge FILE",
        )
    import json
    import zlib

    record = json.loads(zlib.decompressobj().decompress(packed, _MAX_SIZE))
    merged = Merged(
        plaintext.plain_text(opened), record["base"], record["theirs"], record["paths"], whole=record["whole"]
    )
    return Conflict(opened, merged, tuple(record["labels"]))


# --- without a key -------------------------------------------------------------------------------


def _without_key(
    texts: Texts, format: str, parents: Callable[[], str] | None, rule: OurRule = _no_rule
) -> Outcome:
    documents = [_scanned(text, format) for text in texts]
    was, here, there = (Metadata.of(each) if each.block is not None else None for each in documents)
    if here is None or there is None:
        raise UndecidedError(
            "one side is encrypted, the other isn't, and no key of yours opens it", hint=_WITH_A_KEY
        )
    for metadata in (here, there):
        if CONFLICT in metadata.unknown:
            raise UnmergedError(f"{metadata.unmerged}", hint="see to it first, with: encconf edit FILE")
    if not _same_data_key(here, there):
        raise UndecidedError(
            "one side has a new data key, so that it takes a key to merge the values", hint=_WITH_A_KEY
        )
    block = _merged_block(was, here, there)
    if here.selection != there.selection:
        raise UndecidedError(
            "one side changed which values are encrypted, and it takes a key to do so", hint=_WITH_A_KEY
        )
    if len(block.groups) > 1 and not (_same_holders(block, here) or _same_holders(block, there)):
        raise UndecidedError(
            "both sides changed the key groups, and it takes a key to split the data key", hint=_WITH_A_KEY
        )
    admit(block, rule, here)
    plain = [_detached(text, document) for text, document in zip(texts, documents, strict=True)]
    merged = merge_texts(*plain, format=format)
    if merged.conflicts:
        paths = "the file" if merged.whole else ", ".join(merged.conflicts[:5])
        raise UndecidedError(
            f"both sides changed {paths}, and no key of yours opens the values", hint=_WITH_A_KEY
        )
    for at, metadata in ((1, here), (2, there)):
        if merged.text == plain[at] and metadata.unmerged is None:  # its MAC stays: it covers no keys
            if _same_holders(block, metadata) and block.unknown == metadata.unknown:
                return Outcome(texts[at], keyless=True)
            block.lastmodified, block.mac, block.layout = metadata.lastmodified, metadata.mac, metadata.layout
            return Outcome(_attached(merged.text, block, format), keyless=True)
    # With another date than its own, the old MAC can be taken for no other one, by nobody.
    block.lastmodified, block.mac = sealing.lastmodified(), here.mac
    block.unknown[PARENTS] = parents() if parents is not None else ""
    return Outcome(_attached(merged.text, block, format), keyless=True, sealed=False)


def _scanned(text: str, format: str) -> Document:
    try:
        return formats.module(format).scan(text)
    except EmptyDocumentError:
        return Document(text, format)
    except EncconfError:
        if not text.strip():  # there was no common version
            return Document(text, format)
        raise


def _same_data_key(here: Metadata, there: Metadata) -> bool:
    """Whether some key holds the very same ciphertext in both."""
    wrapped = [{(each.key, each.enc) for group in side.groups for each in group} for side in (here, there)]
    return bool(wrapped[0] & wrapped[1])


def _detached(text: str, document: Document) -> str:
    if document.block is None or document.format == "binary":
        return text
    return splice(text, formats.module(document.format).detach(document))


def _attached(text: str, block: Metadata, format: str) -> str:
    module = formats.module(format)
    return splice(text, module.attach(module.scan(text), module.render_block(block.to_block())))


# --- the MAC, later ------------------------------------------------------------------------------

_LOOK = "look at every value yourself, and save what counts, with: encconf edit --ignore-mac FILE"
_ADMIT = (
    "nothing was written; if they may read it, go back (git merge --abort), name them in .sops.yaml, "
    "commit that, and try again"
)
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def parents_of(text: str, format: str) -> list[str]:
    """The ids of the versions that a file was merged from without a key, as it says: base, ours, theirs.

    Raises UnmergedError if it doesn't.
    """
    ids = str(Metadata.of(formats.module(format).scan(text)).unknown.get(PARENTS, "")).split()
    if len(ids) != 3 or not all(_ID.match(each) for each in ids):
        raise UnmergedError("the file does not say which versions it was merged from", hint=_LOOK)
    return ids


def misplaced(before: str) -> str:
    """What to say of a file whose parents are not those that git had."""
    return (
        f"was not merged into the version that git had before it, but into {before[:12]}; "
        "values may be older than they were"
    )


def reseal(
    text: str,
    *,
    format: str,
    fetch: Fetch,
    credentials: Credentials | None = None,
    rule: OurRule = _no_rule,
    notify: Notify | None = None,
    depth: int = 0,
) -> str:
    """A file that was merged without a key, with a MAC: if it is what a merge of its parents gives.

    ``fetch`` gives the content of a version by git's id, None for one that is not there; ``depth`` is that
    of the merge that waits for this one.  Raises UnmergedError when the file cannot be checked in this way,
    or is something else.
    """
    credentials = credentials or Credentials.from_env()
    ids = parents_of(text, format)
    if depth > _DEEPEST:
        raise UnmergedError("too many merges without a key stand one upon the other", hint=_LOOK)
    there = opening.open_text(text, format=format, credentials=credentials, ignore_mac=True)
    base, ours, theirs = (fetch(each) for each in ids)
    if base is None or ours is None or theirs is None:
        raise UnmergedError("the versions it was merged from are not in this repository", hint=_LOOK)
    run = _Merge(format, credentials, LABELS, fetch, notify, rule, depth=depth + 1)
    outcome = run((base, ours, theirs), None)
    if outcome.keyless:
        raise UnmergedError("no key of yours opens the versions it was merged from", hint=_WITH_A_KEY)
    if outcome.conflicts:
        raise UnmergedError("a merge of its parents leaves something to decide", hint=_LOOK)
    again = opening.open_text(outcome.text, format=format, credentials=credentials)
    found = _differences(there, again)
    if found:
        named = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise UnmergedError(f"the file is not what a merge of its parents gives: {named}", hint=_LOOK)
    return outcome.text


def _differences(one: opening.Opened, other: opening.Opened) -> list[str]:
    """The paths in which two opened files say something else, and what else differs."""
    found: list[str] = []
    if not _same_holders(one.metadata, other.metadata):
        found.append("who can open it")
    if one.metadata.selection != other.metadata.selection:
        found.append("which values are encrypted")
    here, there = (
        {leaf.path: (leaf.type, leaf.data) for leaf in each.document.leaves} for each in (one, other)
    )
    for path in {**here, **there}:
        if here.get(path) != there.get(path):
            found.append(spell(path))
    if not found and one.document.shape != other.document.shape:
        found.append("its structure")
    comments = [[comment.text for comment in each.document.comments] for each in (one, other)]
    if not found and comments[0] != comments[1]:
        found.append("its comments")
    return found
