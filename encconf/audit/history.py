"""Find out from git since when, and until when, each reader of encrypted files could read them.

One ``git log`` lists the changes, and one ``git cat-file`` reads the versions (`encconf.git.log`).  For a few
files, the log is limited to them.  The time is linear in the output of both.  No key is needed: the ``sops``
block says who could read a version, and a ciphertext that stayed the same shows that the data key was kept.
"""

from __future__ import annotations

import re
import sys
from binascii import a2b_base64
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256

from encconf import formats
from encconf.audit.names import Names, identity
from encconf.engine.metadata import metadata_of
from encconf.errors import EncconfError, NotEncryptedError
from encconf.git import ask, by_repository, log, question
from encconf.git import start as start_git
from encconf.git.log import LOG, UNCOMMITTED, Entry, Moment, contents
from encconf.io import fileio
from encconf.keys import MasterKey

_TAG = re.compile(rb",tag:([A-Za-z0-9+/]{16})")
_BLOCKS = 1000
"""How many blocks are kept, so that equal ones are read once."""
_MEMBER = re.compile(rb"""\n[ \t]*["']?(?:sops_)?(?:mac|lastmodified)["']?[ \t]*[:=].*""")


@dataclass(slots=True, eq=False)
class Span:
    """A time in which a key could open a file.

    Each moment may be `UNCOMMITTED`.  ``end`` is None if the span has not ended.  ``until`` is when the file
    got another data key than those that the reader knows (``data_keys``, by number), or None if it has one
    of those.
    """

    start: Moment
    end: Moment | None = None
    until: Moment | None = None
    data_keys: set[int] = field(default_factory=set)

    @property
    def known(self) -> bool:
        """Whether it ended, but the reader knows the file's present data key."""
        return self.end is not None and self.until is None


@dataclass(slots=True, eq=False)
class Version:
    """One version of a file: its keys by identity, and what it has in common with others of its data key.

    ``tags`` are the tags of its ciphertexts, and the wrapped data keys.  ``subkeys`` has the key id in the
    message of each PGP key that is named otherwise there.
    """

    keys: dict[str, MasterKey] = field(default_factory=dict)
    tags: frozenset[bytes] = frozenset()
    subkeys: dict[str, str] = field(default_factory=dict)
    encrypted: bool = True


_NOTHING = Version()


def histories(
    root: str,
    paths: Collection[str],
    read: Callable[[str], bytes],
    listing: log.Listing | None = None,
    limit: int | None = None,
) -> Iterator[tuple[str, FileHistory]]:
    """Yield the path and the history of each file.

    ``paths`` are relative to the top of the repository, and ``read`` returns a file's present bytes.
    ``listing`` is git's list of all changes, if git was started already.  Without
    a commit or without git, the histories have only the present keys.  Of all files, only the names of their
    versions are in memory at a time.  Versions beyond ``limit`` bytes in all are not read, as if a partial
    clone lacked them, and the listing counts as ``cut``.
    """
    reader = _Reader()
    if not paths or not ask(root, "rev-parse", "--verify", "--quiet", "HEAD"):
        for path in paths:
            yield path, _reported((), {}, None, reader.version(path, read(path)))
        return
    with closing(listing or log.Listing(root, paths)) as listed:
        heads = log.heads_of(root, set(paths))
        changes = listed.changes(paths)
    wanted: dict[str, dict[str, str]] = {}  # for each file, its blobs with their names at that time
    for path in paths:
        names = ((blob, change.path) for change in changes[path] for blob in (*change.old, change.new))
        wanted[path] = {blob: name for blob, name in (*names, (heads.get(path, ""), path)) if blob}
    left = limit if limit is not None else sys.maxsize

    def version(name: str) -> Version:
        nonlocal left
        if left < 0:
            listed.cut = True
            return _NOTHING
        data = next(blobs) or b""
        left -= len(data)
        return reader.version(name, data)

    with closing(contents(root, [blob for its in wanted.values() for blob in its])) as blobs:
        for path in paths:
            known = {blob: version(name) for blob, name in wanted.pop(path).items()}
            head = known.get(heads.get(path, ""))
            yield path, _reported(changes.pop(path), known, head, reader.version(path, read(path)))


class Leavers:
    """The keys that were removed from files, and still know the data key, according to git.

    Somebody may remove their own entry from a file before anyone else removes them: then the file has the
    recipients of its rule, and the data key that they know.  ``of`` has the keys by file, and ``shallow``
    says that a part of the history is missing.  With ``seconds``, older history is left out if git takes
    longer.  ``listing`` is git's list for one of the repositories, if git was started already.

    Whoever has a data key can encrypt everything again with another one that they know, and no history shows
    that.
    """

    limit = 4 << 30
    """How many bytes of older versions are read at most, with ``seconds``: about half a minute.

    A branch can have thousands of versions of a large file in a pack of a few kilobytes.
    """

    def __init__(
        self, paths: Iterable[str], seconds: float | None = None, listing: log.Listing | None = None
    ) -> None:
        self.of: dict[str, list[MasterKey]] = {}
        self.shallow = False
        for root, inside in by_repository(paths).items():
            self.shallow = self.shallow or log.is_shallow(root)

            def read(name: str, inside: Mapping[str, str] = inside) -> bytes:
                try:
                    return fileio.read_bytes(inside[name], regular=True)
                except EncconfError:
                    return b""

            mine = listing if listing is not None and listing.root == root else None
            with closing(mine or log.Listing(root, inside, seconds)) as listed:
                limit = self.limit if seconds is not None else None
                for name, history in histories(root, inside, read, listed, limit):
                    if found := history.leavers:
                        self.of[inside[name]] = found
                self.shallow = self.shallow or listed.cut


def name_former(names: Names, keys: Iterable[MasterKey]) -> None:
    """Add the former names of keys that have no name now to ``names``."""
    unnamed = [key for key in keys if names.given(key) is None]
    if unnamed:
        asking_former(names)(unnamed)


def asking_former(names: Names) -> Callable[[Iterable[MasterKey]], None]:
    """Return a function that adds former names of keys to ``names``, from older versions of its files.

    git runs in the background until you call the function with the keys.
    """
    # -m is for versions that were made by a merge.
    words = (*LOG, "-m", "--format=", "HEAD", "--")
    answers = {
        root: start_git(*question(root, *words, *paths)) for root, paths in by_repository(names.files).items()
    }

    def learn(keys: Iterable[MasterKey]) -> None:
        unnamed = {key.name for key in keys if names.given(key) is None}
        for root, answer in answers.items():
            _, output = answer()
            found = log.entries(output) if unnamed else ()
            blobs = {entry.new: entry.path for entry in found if entry.new}
            for path, data in zip(blobs.values(), contents(root, blobs), strict=True):
                text = (data or b"").decode(errors="replace")
                if any(name in text for name in unnamed):
                    names.add_old(path, text)

    return learn


# --- versions ------------------------------------------------------------------------------------


class _Reader:
    """Reads who can open a version.  Equal blocks are read once."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Block] = {}

    def version(self, path: str, data: bytes) -> Version:
        if not data.strip():
            return _NOTHING  # the file is empty, or a partial clone does not have it
        found = formats.find(data, path)
        if found is None:
            return Version(encrypted=False)
        try:
            if data[:2] in formats.UTF16:
                data = fileio.encode(fileio.decode(data))
            keys, wrapped, subkeys = self._block(data, formats.get(found).envelope or found)
        except (NotEncryptedError, UnicodeDecodeError):
            return Version(encrypted=False)
        except EncconfError:
            # Conflict markers, for example: the readers are unknown, so no reader counts as removed.
            return _NOTHING
        return Version(keys, wrapped | frozenset(_TAG.findall(data)), subkeys)

    def _block(self, data: bytes, format: str) -> _Block:
        block = formats.get(format).from_entry(data)
        if block is not None:
            about = _MEMBER.sub(b"", block)
            with suppress(EncconfError):
                if (known := self._known.get(about)) is None:
                    if len(self._known) >= _BLOCKS:
                        self._known.clear()
                    known = self._known[about] = _block(block, format)
                return known
        return _block(data, format)


_Block = tuple[dict[str, MasterKey], frozenset[bytes], dict[str, str]]


def _block(data: bytes, format: str) -> _Block:
    """Return the keys of a block, a hash of each wrapped data key, and the subkeys of PGP."""
    entries = [wrapped for group in metadata_of(data.decode(), format).groups for wrapped in group]
    names = [identity(wrapped.key) for wrapped in entries]
    texts = (wrapped.enc.strip().encode() for wrapped in entries)
    subkeys: dict[str, str] = {}
    for name, wrapped in zip(names, entries, strict=True):
        # Of two entries for one key, one may be of somebody else.
        if wrapped.key.TYPE == "pgp" and names.count(name) == 1:
            id = message_key_id(wrapped.enc)
            subkeys |= {name: id} if id and not name.endswith(id) else {}
    keys = dict(zip(names, (wrapped.key for wrapped in entries), strict=True))
    return keys, frozenset(sha256(text).digest() for text in texts if text), subkeys


def message_key_id(enc: str) -> str:
    """Return the id of the key that a PGP message is encrypted for, which is often a subkey, or "".

    It is in the first packet, as 16 hexadecimal digits (RFC 4880, section 5.1).
    """
    body = "".join(line for line in enc.split("\n\n", 1)[-1].splitlines() if not line.startswith("-"))
    try:
        data = a2b_base64(body[:64])
    except ValueError:
        return ""
    if len(data) < 16 or not data[0] & 0x80:
        return ""
    if data[0] & 0x40:
        tag, size = data[0] & 0x3F, 1 if data[1] < 192 else 2 if data[1] < 224 else 5
    else:
        tag, size = data[0] >> 2 & 0xF, (1, 2, 4, 0)[data[0] & 3]
    packet = data[1 + size :]
    return packet[1:9].hex().upper() if tag == 1 and packet[0] == 3 and any(packet[1:9]) else ""


# --- what happened -------------------------------------------------------------------------------


class FileHistory:
    """The history of one file, which is built from one commit after the other.

    ``spans`` are the spans of each key, oldest first, and ``keys`` the keys; both by `names.identity`.
    ``leavers`` are the keys that were removed, but know the present data key.
    ``plain`` are the times in which the file was committed as plaintext.
    """

    def __init__(self) -> None:
        self.keys: dict[str, MasterKey] = {}
        self.spans: dict[str, list[Span]] = {}
        self.plain: list[Span] = []
        self.leavers: list[MasterKey] = []
        self._last = UNCOMMITTED  # the newest commit so far
        self._subkeys: dict[str, set[str]] = {}
        self._gone: list[Version] = []  # what was last deleted, or replaced by plaintext
        self._data_keys: dict[Version, int] = {}  # the number of each version's data key

    def change(self, change: Entry, known: Mapping[str, Version]) -> None:
        """Apply one commit."""
        moment = self._last = change.moment
        new = known[change.new] if change.new else None
        if new is _NOTHING:
            return
        olds = [known[blob] for blob in change.old if known[blob] is not _NOTHING]
        before: set[str] = set().union(*(old.keys for old in olds))
        after = new.keys if new is not None else {}
        self.keys.update(after)
        self._learn_subkeys(new)
        for key in before - set(after):
            _note(self.spans.get(key, []), False, moment)
        for key in after:
            if key not in before:
                _note(self.spans.setdefault(key, []), True, moment)
        sealed = [old for old in olds if old.tags]
        if new is None or not new.encrypted:
            self._gone = sealed or self._gone
        else:
            self._learn(new, self._data_key(new, sealed or self._gone), moment)
        _note(self.plain, new is not None and not new.encrypted, moment)

    def merge(self, head: Version) -> None:
        """Apply the keys of the last commit, since a merge may have kept the changes of only one side."""
        self.keys.update(head.keys)
        for key in head.keys:
            span = self.spans.setdefault(key, [Span(self._last)])[-1]
            span.end = span.until = None
        for key in set(self.spans) - set(head.keys):
            _note(self.spans[key], False, self._last)
        if head.encrypted and self._last.commit:
            self._learn(head, self._data_key(head, self._gone), self._last)

    def end(self, head: Version | None, now: Version) -> None:
        """Apply what is not committed, and find out until when each key knew the data key."""
        self.keys.update(now.keys)
        self._learn_subkeys(now)
        for key in {**self.spans, **now.keys}:
            _note(self.spans.setdefault(key, []), key in now.keys, UNCOMMITTED)
        number = self._data_key(now, [head] if head is not None and head.tags else self._gone)
        for spans in self.spans.values():
            for span in spans:
                if number in span.data_keys:
                    span.until = None
                elif span.end and not span.until:
                    span.until = UNCOMMITTED
        self._join_subkeys(now)
        gone = (key for key in self.spans if now.keys and key not in now.keys)
        self.leavers = [self.keys[key] for key in gone if any(span.known for span in self.spans[key])]
        self._data_keys.clear()  # it holds every version, and there may be thousands of files
        self._gone = []

    def _learn_subkeys(self, version: Version | None) -> None:
        for key, id in version.subkeys.items() if version is not None else ():
            self._subkeys.setdefault(key, set()).add(id)

    def _join_subkeys(self, now: Version) -> None:
        """Join the spans of a PGP key and those of its subkey, since a file may name either."""
        pgp = [key for key in self.spans if key.startswith("pgp:")]
        ids = {key: {key[-16:], *self._subkeys.get(key, ())} for key in pgp}
        current = {id: key for key in pgp if key in now.keys for id in ids[key]}
        for key in [key for key in pgp if key not in now.keys]:
            if (same := next((current[id] for id in ids[key] if id in current), None)) is not None:
                earlier = self.spans.pop(key)
                first = min(earlier[0].start, self.spans[same][0].start, key=lambda moment: moment.time)
                self.spans[same][0].start = first

    def _data_key(self, version: Version, olds: Sequence[Version]) -> int:
        """Return the number of a version's data key.

        It has that of an older version if any ciphertext stayed the same, or if it has none.
        """
        alike = (old for old in olds if not version.tags or old.tags & version.tags)
        same = next(alike, version)
        fresh = len(self._data_keys)
        return self._data_keys.setdefault(version, self._data_keys.setdefault(same, fresh))

    def _learn(self, version: Version, number: int, moment: Moment) -> None:
        """Note who knows the data key of a version, and whose knowledge it ends."""
        for key, spans in self.spans.items():
            if key in version.keys:
                spans[-1].data_keys.add(number)
            for span in spans:
                if span.end and not span.until and number not in span.data_keys:
                    span.until = moment


def _note(spans: list[Span], now: bool, moment: Moment) -> None:
    """Begin a span if it is so ``now`` and none is running; end the one that is running if it is not so."""
    running = bool(spans) and spans[-1].end is None
    if now and not running:
        spans.append(Span(moment))
    elif running and not now:
        spans[-1].end = moment


def _reported(
    changes: Sequence[Entry], known: Mapping[str, Version], head: Version | None, now: Version
) -> FileHistory:
    """Return the history of a file, up to the last commit and the work tree."""
    history = FileHistory()
    for change in changes:
        history.change(change, known)
    if head is not None and head is not _NOTHING:
        history.merge(head)
    history.end(head, now)
    return history
