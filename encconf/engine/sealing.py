"""Encrypt a plaintext, and open the result again before it is returned.

`encrypt` decides who can open the result and which data key it gets.  `Sealing` makes the text.  The result
keeps as much as possible of its encrypted twin: the ciphertexts of unchanged values, the block, or
everything.
"""

from __future__ import annotations

import os
import time
from itertools import compress
from operator import and_, not_

from encconf import formats
from encconf.engine import cipher
from encconf.engine.admission import Admission, Wrapping, rule_of, wrap_again
from encconf.engine.cipher import split, unseal
from encconf.engine.mac import seal_mac
from encconf.engine.metadata import LAYOUT_AAD, Metadata, ciphertext_in, rewritten
from encconf.engine.opening import (
    Opened,
    comment_aad,
    comment_bytes,
    open_comments,
    open_text,
    refuse_additions,
    unvouched,
    without_nulls,
)
from encconf.engine.plaintext import beginning_with_quote, open_layout, plain_text, refuse_torn
from encconf.envelope import DATA_KEY_SIZE, removes_access
from encconf.errors import (
    AlreadyEncryptedError,
    ConfigError,
    EmitError,
    EncconfError,
    LimitError,
    LostBlockError,
    MacMismatchError,
    UsageError,
    bounded,
)
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.rules.selection import DEFAULT, Chosen, Selection
from encconf.text.document import Document, Edit, Unsealed, Value, overlap, splice
from encconf.text.path import spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from encconf.engine.reuse import Old
    from encconf.rules.config import Notify, Rule
    from encconf.text.document import Prepared
    from encconf.text.path import Path

    Written = tuple[Document, list[Edit], list[Value | None]]
    """A text with encrypted values, the edits that encrypt its comments, and values for `comes_back`."""


@bounded
def encrypt(
    text: str | Document,
    rule: Rule | None,
    *,
    format: str,
    twin: str | Opened | None = None,
    donors: Sequence[Opened] = (),
    new_data_key: bool = False,
    admission: Admission | None = None,
    edits_twin: bool | None = None,
    sources: Sequence[Opened] | None = None,
    given: Collection[Path] = (),
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> str:
    """See `encconf.encrypt`.

    A caller that has scanned the text already, with its comments, passes the document, and one that has
    opened the twin passes that.  ``donors`` are other opened texts, such as that of another branch: their
    ciphertexts may be reused, too, if they have the twin's data key.  ``admission`` decides who may get the
    data key; by default the recipients that the rule names.  ``edits_twin`` says that the text was made from
    the twin's plaintext, so its data key stays; by default that is so without a rule.

    ``sources`` are the texts that the plaintext comes from, by default the twin if the text was made from it,
    and ``given`` the paths of values that the user has given: the strict check vouches for all names, so it
    is left out if one is `opening.unvouched` in a source.
    """
    credentials = credentials or Credentials.from_env()
    opened = opened_twin(twin, rule, format, credentials, notify)
    selection = _selection(rule, opened, format, notify)
    plain = scan_plain(text, format)
    if opened is not None:
        refuse_torn(plain, beginning_with_quote(opened))
    if not plain.format.single_value:
        old_texts = (opened.values, opened.comments) if opened is not None else ()
        if (place := ciphertext_in(plain, *old_texts)) is not None:
            raise LostBlockError(place)
    chosen = selection.choose(plain)
    if new_data_key and rule is None:
        raise UsageError("a new data key needs a rule that names its recipients")
    admission = admission or Admission.of(rule)
    edits_twin = rule is None if edits_twin is None else edits_twin
    kept = None
    if opened is not None and not new_data_key:
        kept = _twin_to_keep(opened, plain, rule, edits_twin=edits_twin, notify=notify)
    data_key = kept.data_key if kept is not None else os.urandom(DATA_KEY_SIZE)
    held = kept.metadata if kept is not None else None
    if rule is None and kept is None and opened is not None:
        rule = rule_of(opened.metadata)
    now = lastmodified()
    groups, threshold = wrap_again(data_key, held, rule, admission, credentials, now)
    old = opened.metadata if opened is not None else Metadata([], 0, selection, "")
    metadata = old.renewed(groups=groups, threshold=threshold, selection=selection, lastmodified=now)
    there = twin.document.text if isinstance(twin, Opened) else twin
    credentials.audit("encrypt", plain.text if there is None else there)
    # A ciphertext under another data key would be lost: what is reused is not decrypted once more.
    fitting = [donor for donor in donors if donor.data_key == data_key]
    reusable = (kept, *fitting) if kept is not None else ()
    if sources is None:
        sources = [opened] if opened is not None and edits_twin else []
    unsure = {path for source in sources for path in unvouched(source, given)}
    strict = not unsure or not any(
        leaf.path in unsure for leaf in compress(plain.leaves, map(not_, chosen.leaves))
    )
    sealing = Sealing(plain, metadata, data_key, reusable, opened, notify, strict=strict, vouches=bool(given))
    result = sealing.run(chosen)
    if kept is not None and not kept.metadata.version and result != kept.document.text:
        # A block of rops has neither a version nor a selection, and sops needs both.  The indentation of the
        # new block may be another one, so the result has to be checked again, as a whole.
        sealing = Sealing(plain, metadata, data_key, reusable, opened, None, strict=strict, renders=True)
        return sealing.run(chosen)
    return result


def opened_twin(
    twin: str | Opened | None,
    rule: Rule | None,
    format: str,
    credentials: Credentials,
    notify: Notify | None,
) -> Opened | None:
    """Open the twin.  Returns None if it cannot be opened and a rule says how to encrypt without it."""
    if not isinstance(twin, str):
        return twin
    try:
        return open_text(twin, format=format, credentials=credentials)
    except EncconfError as error:
        if rule is None:
            raise
        if notify:
            notify(f"the existing encrypted file cannot be opened, so it is not reused: {error}")
        return None


def _selection(rule: Rule | None, twin: Opened | None, format: str, notify: Notify | None) -> Selection:
    """The selection of the rule, or else of the twin."""
    if rule is not None:
        selection = rule.selection
    elif twin is not None:
        selection = twin.metadata.selection
    else:
        raise UsageError("no recipients were given", hint="give a rule or an encrypted twin")
    if formats.get(format).single_value and selection != DEFAULT:
        if notify and rule is not None:
            notify(f"{selection.kind} is ignored: a binary file is a single value, which is always encrypted")
        return DEFAULT
    return selection


def _twin_to_keep(
    twin: Opened, plain: Document, rule: Rule | None, *, edits_twin: bool, notify: Notify | None
) -> Opened | None:
    """Return the twin if its data key and its ciphertexts may be kept.

    That is not so if the rule removes a recipient, who knows the data key.  If the plaintext was not made
    from the twin, its author must have known the plaintext's secrets.  Otherwise anyone may have made it: a
    stranger, with a data key that they know, for our recipients.  And it may be the copy of another file, so
    the rule must not add a recipient, who would get the data key of that file.
    """
    held = twin.metadata
    if rule is not None and removes_access(held.groups, held.threshold, rule.groups, rule.threshold):
        if notify:
            notify("a recipient was removed: every value is re-encrypted with a new data key")
        return None
    if edits_twin:
        return twin
    if any(Wrapping.of(held, rule).groups):
        if notify:
            notify("a recipient was added: every value is re-encrypted with a new data key")
        return None
    from encconf.engine.reuse import author_knew

    if author_knew(twin, plain) or plain_text(twin) == plain.text:  # then nothing new is encrypted
        return twin
    if notify:
        notify(
            "every value is re-encrypted with a new data key, because nothing shows that the author of the "
            "existing encrypted file knew these secrets"
        )
    return None


@bounded
def scan_plain(text: str | Document, format: str) -> Document:
    """Scan a text to encrypt, unless it is scanned already.  Raises AlreadyEncryptedError and ParseError."""
    plain = formats.get(format).scan(text, comments=True) if isinstance(text, str) else text
    if any(part.block is not None for part in plain.parts):
        raise AlreadyEncryptedError(
            'the file is already encrypted, or has a top-level entry named "sops"',
            hint="to change an encrypted file, use: encconf edit FILE",
        )
    return plain


def lastmodified() -> str:
    """One second ago, as an RFC 3339 date in UTC.

    If sops rewrites a file with the same values and date, it keeps the nonce of the MAC.  Our nonce says
    that encconf wrote the file, so the date must differ from the one that sops would write.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))


class SealedDraft(Record):
    """A plaintext and the ciphertexts of its values, on the way to the encrypted text.

    ``metadata`` has the MAC.  ``edits`` write the ciphertexts and the block.
    """

    plain: Document
    prepared: Prepared | None
    chosen: bytearray
    values: list[Value]
    sealed: list[str | None]
    metadata: Metadata
    edits: list[Edit]


_NUMBERS = {"int", "float"}


class Sealing:
    """One run of `encrypt`: makes the encrypted text of a plaintext.

    ``twin`` is the text that is replaced, whatever its data key.  ``reusable`` are files under the data key,
    whose ciphertexts are reused: the twin, if its data key is ``kept``, and donors.  With ``renders``, the
    block is rendered again.  The MAC has the ``strict`` check or not; one that ``vouches`` for values of the
    twin is written even if nothing else changes.
    """

    def __init__(
        self,
        given: Document,
        metadata: Metadata,
        data_key: bytes,
        reusable: Sequence[Opened],
        twin: Opened | None,
        notify: Notify | None,
        *,
        strict: bool = True,
        vouches: bool = False,
        renders: bool = False,
    ) -> None:
        self.format = given.format
        self.given = given
        self.original = given.text
        self.metadata = metadata
        self.selection = metadata.selection
        self.data_key = data_key
        self.encrypt = cipher.Encryptor(data_key)
        self.reusable = reusable
        self.twin = twin
        self.kept = old = reusable[0] if reusable else None
        self.notify = notify
        self.strict, self.vouches = strict, vouches
        self.keeps_block = (
            old is not None
            and old.current
            and old.document.block_text is not None
            and not renders
            and old.metadata.groups is metadata.groups
            and old.metadata.selection == metadata.selection
        )
        """Whether the block differs from the one that is kept only in its date, MAC and layout record."""

    def run(self, choice: Chosen) -> str:
        """Return the encrypted text.  ``choice`` says which leaves and comments to encrypt.

        There are three ways to write it.  The result of each is read again, and must give the original text.
        """
        draft = self._draft(choice)
        result = written = None
        if draft.prepared is None:
            result, moved, written = self._at_once(draft, choice)
            if moved:
                written = self._values_first(draft)
                result = self._comments_last(written)
        if result is None:
            result = self._with_layout(draft, written or self._values_first(draft))
        return self._finished(result, draft)

    def _draft(self, choice: Chosen) -> SealedDraft:
        """Return the plaintext with the ciphertexts of its values, and the edits that write them."""
        format = self.format
        chosen = choice.leaves
        plain, prepared = self._prepared(chosen)
        reused = self.reused(plain, self.reusable)
        self._warn(chosen, reused)
        bare = not any(chosen) and not any(choice.comments) and any(leaf.data for leaf in plain.leaves)
        if self.notify and bare:
            matches = "matches nothing in it" if self.selection.by_match else "matches all of it"
            self.notify(f"nothing in the file is encrypted: {self.selection.as_written()[0]} {matches}")
        values, encs, were_plain = self.seal_leaves(
            plain,
            chosen,
            reused,
            retypes=self.keeps_block,
            integers=self.kept is not None and format.tells_integers(self.kept.document),
        )
        if format.null is not None:
            for index, enc in enumerate(encs):
                if enc is None and values[index].data == format.null:
                    values[index] = Value("null", None)  # as in the finished text
        edits = [
            format.sealed(plain, leaf, enc, was_plain=bool(was_plain))
            for leaf, enc, was_plain in zip(plain.leaves, encs, were_plain, strict=True)
            if enc is not None
        ]
        settings, date = self.selection.to_entries(), self.metadata.lastmodified
        mac = seal_mac(plain, values, chosen, settings, self.data_key, date, strict=self.strict)
        metadata = self.metadata.replace(mac=mac)
        edits += format.attach(plain, self._block(metadata))
        return SealedDraft(plain, prepared, chosen, values, encs, metadata, edits)

    def _at_once(self, draft: SealedDraft, choice: Chosen) -> tuple[str | None, bool, Written | None]:
        """Write the encrypted comments together with the values: this needs one scan.

        Returns the text, or None if it does not give the original one.  Also returns whether comments belong
        to other items than in the plaintext, or are in the place of values; and what `_values_first` would
        return, if there are no comments.
        """
        plain = draft.plain
        comments = self.seal_comments(plain, plain, choice)
        edits = sorted(draft.edits + comments)
        if overlap(edits):
            return None, True, None
        final, now_chosen, known = self._scan_finished(draft, edits)
        now, before = (
            [(comment.scope.aad, comment.scope.listed) for comment in each.comments]
            for each in (final, plain)
        )
        if now_chosen.comments != choice.comments or now != before:
            return None, True, None
        if comes_back(final, self.original, self.data_key, now_chosen, known):
            return final.text, False, None
        return None, False, None if comments else (final, comments, known)

    def _comments_last(self, written: Written) -> str | None:
        """Encrypt the comments that the text has after its values are written.

        Returns None if the result does not give the original text.
        """
        final, comments, known = written
        if not comments:
            return final.text if comes_back(final, self.original, self.data_key, known=known) else None
        result = splice(final.text, comments)
        again = self.format.scan(result, comments=True)
        return result if comes_back(again, self.original, self.data_key) else None

    def _values_first(self, draft: SealedDraft) -> Written:
        """Return the text with encrypted values and the block, and the edits that encrypt its comments.

        What a comment belongs to may depend on what follows it, so the block must be in place.
        """
        final, now_chosen, known = self._scan_finished(draft, draft.edits)
        comments = self.seal_comments(draft.plain, final, now_chosen)
        return final, comments, known

    def _prepared(self, chosen: bytearray) -> tuple[Document, Prepared | None]:
        """Return the document in a form that sops can read, and what was respelled for that."""
        format, given = self.format, self.given
        prepared = format.prepare(given, chosen, comments=self.selection.needs_comments)
        if prepared is None:
            return given, None
        plain = format.scan(prepared.text, comments=True)
        if [leaf.data for leaf in given.leaves] != [leaf.data for leaf in plain.leaves]:
            raise EmitError(
                "the text cannot be written in the form that sops reads without changing a value",
                hint="please report the layout that causes this; nothing was written",
            )
        if self.selection.choose(plain).leaves != chosen:
            # sops copies the comments of an anchored collection to each alias; a flow collection has none.
            # In INI, sops joins all comments of a key.
            raise EmitError(
                "the selection depends on comments that sops finds in other places",
                hint="write out the collection in an alias's place, with its comments; in INI, make the "
                "comments of one key lines that follow each other",
            )
        return plain, prepared

    def _scan_finished(
        self, draft: SealedDraft, edits: list[Edit]
    ) -> tuple[Document, Chosen, list[Value | None]]:
        """Apply edits to the plaintext, scan the result, and check that it holds what it should.

        Also returns the values that need not be decrypted to check the rest.
        """
        final = self.format.scan(splice(draft.plain.text, edits), comments=True)
        now_chosen = self.selection.choose(final)
        known = check_finished(
            draft.plain, draft.chosen, final, now_chosen.leaves, draft.sealed, draft.values, draft.metadata
        )
        return final, now_chosen, known

    def _finished(self, result: str, draft: SealedDraft) -> str:
        """Return the twin if only the MAC and its date differ from it."""
        old, mac = self.kept, draft.metadata.mac
        if old is None or old.metadata.mac is None or mac is None or self.vouches:
            return result
        before, now = old.metadata.lastmodified, self.metadata.lastmodified
        again = result.replace(mac, old.metadata.mac)
        if before != now and again.count(now) == len(draft.plain.parts):
            again = again.replace(now, before)
        return again if again == old.document.text else result

    def _warn(self, chosen: bytearray, reused: list[Old | None]) -> None:
        """Warn about new values that other programs read differently: one line for each reason."""
        if self.notify is None:
            return
        places: dict[str, list[str]] = {}
        before: set[tuple[Path, bytes | None]] | None = None  # the values that the file has already
        for leaf, is_chosen, old in zip(self.given.leaves, chosen, reused, strict=True):
            reason = self.format.caveat(leaf) if old is None else None
            if reason is not None and self.twin is not None:  # a new data key reuses nothing
                if before is None:
                    there = zip(self.twin.document.leaves, self.twin.values, strict=True)
                    before = {(known.path, value.data) for known, value in there}
                reason = None if (leaf.path, leaf.data) in before else reason
            if not is_chosen and self.format.fragile(leaf):
                reason = "sops before 3.13.2 misreads the plaintext number"
            if reason is not None:
                places.setdefault(reason, []).append(spell(leaf.path))
        for reason, paths in places.items():
            self.notify(f"{listed(paths, 3)}: {reason}")

    def _block(self, metadata: Metadata) -> str:
        """Return the text of the block: the twin's with a new MAC, if nothing else has changed."""
        old, text = self.kept, None
        if old is not None and old.document.block_text and not old.metadata.unmerged and self.keeps_block:
            text = rewritten(old.document.block_text, old.metadata, metadata)
        return text or self.format.render_block(metadata.to_block())

    def _with_layout(self, draft: SealedDraft, written: Written) -> str:
        """Write the text, with a layout record if decrypting would not give the original text otherwise."""
        format = self.format
        final, comments, _ = written
        literals: list[Edit | None] = []
        for value, found, enc in zip(draft.values, final.leaves, draft.sealed, strict=True):
            if enc is None or value.data is None:
                literals.append(None)
            else:
                literals.append(format.literal(final, found, value.type, value.data))
        detach = format.detach(final)
        canonical = splice(final.text, [edit for edit in literals if edit is not None] + detach)
        if canonical == self.original:
            result = splice(final.text, comments)
        else:
            layout = self._layout(draft, final, literals, canonical)
            block = self._block(draft.metadata.replace(layout=layout))
            result = splice(final.text, comments + format.attach(final, block))
        if not comes_back(format.scan(result, comments=True), self.original, self.data_key):
            raise EmitError(
                "the text would not decrypt to exactly the same text and comments",
                hint="please report the layout or comment that causes this; nothing was written",
            )
        return result

    def _layout(
        self, draft: SealedDraft, final: Document, literals: list[Edit | None], canonical: str
    ) -> str | None:
        """Return the ciphertext of the layout record: the twin's, if it says the same."""
        from encconf.engine import layout as layouts

        record = layouts.record(
            self.format, self.original, draft.plain, final, literals, canonical, draft.prepared
        )
        packed = record.pack()
        old = self.kept
        if old is not None and old.metadata.layout is not None and open_layout(old) == packed:
            return old.metadata.layout
        return self.encrypt("bytes", packed, LAYOUT_AAD)

    # --- ciphertexts ---

    def reused(self, plain: Document, sources: Sequence[Opened]) -> list[Old | None]:
        """For each leaf of a plaintext, what has the ciphertext that it keeps, or None for a new value.

        That is its old leaf in one of the ``sources`` with its value.
        """
        if not sources:
            return [None] * len(plain.leaves)
        from encconf.engine.reuse import reused_leaves

        return reused_leaves(sources, plain, self.format)

    def seal_leaves(
        self,
        plain: Document,
        chosen: bytearray,
        reused: list[Old | None],
        *,
        retypes: bool,
        integers: bool = False,
    ) -> tuple[list[Value], list[str | None], bytearray]:
        """Return each leaf's value, its ciphertext (None for plaintext), and if that was a plain scalar.

        If ``retypes`` is True, a leaf takes the type of the ciphertext that it keeps, since an old sops may
        have stored an integer as a float (see `formats.json.Json.token`).  Otherwise, a leaf keeps only a
        ciphertext of its own type.  If ``integers`` is True, an integer never becomes a float, nor a float an
        integer.
        """
        values: list[Value] = list(plain.leaves)
        encs: list[str | None] = [None] * len(plain.leaves)
        were_plain = bytearray(len(plain.leaves))
        new: list[int] = []
        # If the twin gets a new data key, its lines stay as they were.
        before = self.reused(plain, [self.twin] if self.twin and not self.reusable else [])
        for index, (leaf, is_chosen, old) in enumerate(zip(plain.leaves, chosen, reused, strict=True)):
            if not is_chosen or leaf.data is None or (not leaf.data and not self.format.seals_empty):
                continue
            was = old[1] if old is not None else None
            enc = was.sealed if was is not None else None
            if leaf.data == self.format.null and was is not None and enc is None:
                continue  # rops left it as plaintext, and would do so again
            if (
                was is not None
                and enc is not None
                and (
                    was.type == leaf.type
                    or (retypes and not (integers and {was.type, leaf.type} == _NUMBERS))
                )
            ):
                values[index] = was
                encs[index] = enc
            else:
                new.append(index)
                old = before[index]
            were_plain[index] = old is not None and old[0].style == ""
        made = self.encrypt.leaves([plain.leaves[index] for index in new])
        for index, enc in zip(new, made, strict=True):
            encs[index] = enc
        return values, encs, were_plain

    def seal_comments(self, plain: Document, final: Document, chosen: Chosen) -> list[Edit]:
        """Return the edits that encrypt the chosen comments of the ``final`` text.  Raises ConfigError."""
        if not final.comments:
            return []
        reused: dict[int, str] = {}
        if self.reusable:
            from encconf.engine.reuse import reused_comments

            reused = reused_comments(self.reusable, plain, final, self.format)
        edits: list[Edit] = []
        for index, comment in enumerate(final.comments):
            if not chosen.comments[index]:
                continue
            data = comment_bytes(comment)
            if not data or split(data):
                # A comment that could not be decrypted must not be encrypted twice.
                continue
            enc = reused.get(index) or self.encrypt("comment", data, comment_aad(comment.scope.aad))
            selection = self.selection
            if selection.kind == "unencrypted_comment_regex" and selection.matches(enc):
                raise ConfigError(
                    "unencrypted_comment_regex matches an encrypted comment: the file could not be read back",
                    hint="make the pattern more exact, for example by anchoring it with ^ and $",
                )
            edits.append((comment.start, comment.end, enc))
        return edits


# --- checks of the finished text ----------------------------------------------------------------
#
# The text must hold the intended ciphertexts, and decrypting it must give the original text.  These checks
# catch values that were written wrongly, a lost block, comments that cannot be read again, and files that are
# too large.


def check_finished(
    plain: Document,
    chosen: bytearray,
    final: Document,
    now_chosen: bytearray,
    sealed: list[str | None],
    values: Sequence[Value],
    metadata: Metadata,
) -> list[Value | None]:
    """Raise EmitError unless a finished text holds exactly what it should.

    It should have the leaves of the plaintext with their ``values``, with the ``chosen`` ones replaced by the
    ciphertexts in ``sealed``, and the block.

    Returns the values that `comes_back` need not decrypt: strings whose ciphertexts this run has encrypted or
    decrypted, with the same data key and for the same path, so decrypting them again would show nothing.
    """
    fits = final.outline == plain.outline and chosen == now_chosen
    # A file without its block is lost: the block holds the only copy of the data key.
    if fits and all(part.block is not None for part in final.parts):
        there = Metadata.of(final)
        one, other = (  # a block lists keys by type
            [sorted(wrapped.enc for wrapped in group) for group in each.groups] for each in (there, metadata)
        )
        fits = (there.mac, there.selection, one) == (metadata.mac, metadata.selection, other)
    else:
        fits = False
    if not fits:
        raise EmitError(
            "the text cannot be encrypted without changing its structure",
            hint="please report the layout that causes this; nothing was written",
        )
    known: list[Value | None] = []
    for leaf, value, found, enc in zip(plain.leaves, values, final.leaves, sealed, strict=True):
        if enc is None:
            fits = found.type == value.type and found.data == value.data
            known.append(None)
        else:
            data = enc.encode()
            fits = found.type == "str" and found.data == data
            # A ciphertext does not authenticate its type: a reader checks values of other types.
            certain = value.type == "str" and leaf.scope.aad == found.scope.aad
            known.append(Unsealed("str", value.data, data) if certain else None)
        if not fits:
            raise EmitError(
                f"the value at {spell(leaf.path)} cannot be encrypted in its place",
                hint="write the value differently, for example in double quotes on one line",
            )
    return known


def comes_back(
    document: Document,
    original: str,
    data_key: bytes,
    chosen: Chosen | None = None,
    known: Sequence[Value | None] = (),
) -> bool:
    """Whether a finished document, opened as a reader opens it, gives the original text to the byte.

    ``chosen`` is what its selection chooses, and ``known`` has values, if the caller knows them.  Raises
    LimitError for a text that is too large to be read, MacMismatchError if its block has another selection
    than its MAC, and EmitError for what `open_text` refuses because anyone could have added it.
    """
    from encconf.io import fileio

    if len(document.text.encode("utf-8", "surrogateescape")) > fileio.LIMIT:
        raise LimitError(
            f"the encrypted file would be larger than {fileio.LIMIT >> 20} MiB, the most that encconf reads",
            hint="split the file; for large binary data, encrypt it with age and keep only its key here",
        )
    metadata = Metadata.of(document)
    chosen = chosen or metadata.selection.choose(document)
    known = known or [None] * len(document.leaves)
    closed = bytearray(map(and_, chosen.leaves, [value is None for value in known]))
    values = unseal(document, closed, data_key)
    values = [value if value is not None else found for value, found in zip(known, values, strict=True)]
    opened = Opened(document, metadata, chosen, data_key, values)
    strict = opened.check_mac()
    try:
        refuse_additions(opened, strict=strict)
    except MacMismatchError as error:
        raise EmitError(
            f"the encrypted file could not be opened: {error.message}",
            hint="change it, or leave mac_only_encrypted out of the rule, so that the MAC covers it",
        ) from None
    return plain_text(open_comments(without_nulls(opened))) == original


# --- opened files again, and other formats -------------------------------------------------------


def refuse_encrypted(text: str, name: str, format: str) -> None:
    """Raise AlreadyEncryptedError if a text is a SOPS file of a format other than ``format``.

    Raises LostBlockError for a file of an unknown name that was one.

    `encrypt` itself refuses a SOPS file of the same format.
    """
    if (found := formats.find(text, name)) not in (None, format):
        raise AlreadyEncryptedError(
            f"this is already a SOPS file, in {found} format",
            hint="to change it: encconf edit FILE; to encrypt it again as a whole: --input-type binary",
        )
    if found is None and formats.get(format).single_value and formats.has_ciphertext(text):
        raise LostBlockError("a value in it")


def encrypt_again(
    opened: Opened,
    plain: str | Document,
    rule: Rule | None = None,
    *,
    target: str | None = None,
    new_data_key: bool = False,
    admission: Admission | None = None,
    edits: bool = True,
    given: Collection[Path] = (),
    credentials: Credentials | None = None,
    notify: Notify | None = None,
) -> str:
    """Return the encrypted text of an opened file, with another plaintext, rule, data key or format.

    Without a ``rule``, the file keeps its keys and its selection.  If a data key must be wrapped, the
    ``admission`` decides who gets it.  Unchanged values keep their ciphertexts, unless the file gets a new
    data key.  It always gets one if ``target`` is another format, and if the plaintext does not come from the
    file (``edits`` is False) and the file may be a stranger's.  ``given`` is as for `encrypt`.
    """
    format = opened.document.format.name
    if isinstance(plain, Document) and not plain.parts:
        plain = plain.text  # it has no document to encrypt, and the error says so
    twin: Opened | None = opened
    admission = admission or Admission.of(rule)
    if target not in (None, format):
        plain = plain_as(plain, format, target)
        twin, new_data_key, format = None, False, target
    if twin is None or new_data_key:
        rule = rule or rule_of(opened.metadata)
    return encrypt(
        plain,
        rule,
        format=format,
        twin=twin,
        new_data_key=new_data_key,
        admission=admission,
        edits_twin=edits,
        sources=[opened] if edits else [],
        given=given,
        credentials=credentials,
        notify=notify,
    )


def plain_as(
    plain: str | Document,
    format: str,
    target: str,
    *,
    indent: int | None = None,
    rewrite: bool = False,
    whole: bool = False,
) -> str | Document:
    """Convert a plaintext to another format, or with ``rewrite`` rewrite it in its own format.

    Unless it is to be ``whole``, a format that holds one document gets the first one, as in sops.
    Raises AlreadyEncryptedError, and what reading and writing the text raise.
    """
    if format == target and not (rewrite and formats.get(format).indent is not None):
        return plain
    from encconf.formats import emit

    # The trees lack a sops block, so it would be lost: `scan_plain` refuses one.
    document = scan_plain(plain, format) if isinstance(plain, str) else plain
    trees = emit.trees_of(document)
    if whole:
        emit.refuse_several(trees, target)
    return emit.render(trees, target, indent=indent)
