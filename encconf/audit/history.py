"""Since when: the readers of encrypted files in the history of a git repository.

One ``git log`` for what changed (of a few files, for these alone), one ``git cat-file`` for the versions of
the files in question; time is linear in both.  Followed are the branch that is checked out, everything
merged into it, and renames that change nothing else.  Dates are those of commits as committed, which
whoever commits can set.
No key is needed and none is used: who could read a version stands in its ``sops`` block, and that a
data key was kept shows in ciphertexts that are the same before and after.
"""

from __future__ import annotations

import os
import re
from contextlib import closing, suppress
from itertools import islice

from encconf import formats
from encconf.audit.names import identity
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError, NotEncryptedError
from encconf.formats import sniff
from encconf.git import ask, question, repository
from encconf.git import start as start_git
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from typing import IO, Final

    from encconf.audit.names import Names
    from encconf.keys import MasterKey

CHUNK: Final = 256  # versions asked for at a time: their names fit into a pipe
_FILE_MODES = ("100644", "100755")
_TAG = re.compile(rb",tag:([A-Za-z0-9+/]{16})")
_MEMBER = re.compile(rb"""(?m)^[ \t]*["']?(?:sops_)?(?:mac|lastmodified)["']?[ \t]*[:=].*$""")


class Moment:
    """A commit: ``time`` in seconds since 1970, and its hash.

    Whoever commits can write any date; one after the year 9999 counts as its end, none at all as 1970.
    """

    __slots__ = ("commit", "time")

    def __init__(self, time: int, commit: str) -> None:
        self.time = min(max(time, 0), _LAST)
        self.commit = commit


_LAST: Final = 253_402_300_799


class Span:
    """A time in which a key could open a file.

    ``start`` is None for what is not committed yet; ``end`` is None while it lasts, or when its end is
    not committed.  ``until`` is when the data key that it knew went out of use, None as long as it has not.
    """

    __slots__ = ("end", "epoch", "over", "start", "until")

    def __init__(self, start: Moment | None) -> None:
        self.start = start
        self.end: Moment | None = None
        self.over = False
        self.until: Moment | None = None
        self.epoch = 0


class FileHistory:
    """One file: the spans of each key (by `names.identity`), oldest first.

    ``keys`` are the keys by identity.  ``plain`` are the times in which it was committed without being
    encrypted; ``first`` is where its history begins.
    """

    __slots__ = ("first", "keys", "plain", "spans")

    def __init__(self) -> None:
        self.keys: dict[str, MasterKey] = {}
        self.spans: dict[str, list[Span]] = {}
        self.plain: list[Span] = []
        self.first: Moment | None = None


class Version:
    """What one version of a file says: its keys by identity, and marks of its ciphertexts."""

    __slots__ = ("encrypted", "keys", "tags")

    def __init__(self, keys: dict[str, MasterKey], tags: frozenset[bytes], encrypted: bool) -> None:
        self.keys = keys
        self.tags = tags
        self.encrypted = encrypted


_NOTHING: Final = Version({}, frozenset(), True)


def is_shallow(root: str) -> bool:
    """Whether a clone has only a part of the history: it was cut off, or contents were left out."""
    partial = _git(root, "config", "--get-regexp", r"^remote\..*\.promisor$")
    return bool(partial) or _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def histories(root: str, files: Mapping[str, bytes]) -> dict[str, FileHistory]:
    """The history of each file; ``files`` are paths from the top of the repository, and bytes now.

    Empty histories where there is no commit, or no git.
    """
    reader = _Reader()
    if not files or not _git(root, "rev-parse", "--verify", "--quiet", "HEAD"):
        return {path: _ended(FileHistory(), reader.version(path, data)) for path, data in files.items()}
    changes = _changes(root, files)
    heads = _heads(root)
    wanted: list[tuple[str, str]] = []
    for path in files:
        for change in changes[path]:
            wanted += [(blob, change.path) for blob in (*change.old, change.new) if blob]
        if path in heads:
            wanted.append((heads[path], path))
    found: dict[str, FileHistory] = {}
    versions = _versions(root, wanted, reader)
    for path, data in files.items():
        known: dict[str, Version] = {}
        for change in changes[path]:
            for blob in (*change.old, change.new):
                if blob:
                    known[blob] = next(versions)
        head = next(versions) if path in heads else None
        found[path] = _told(changes[path], known, head, reader.version(path, data))
    return found


def name_former(names: Names, keys: Iterable[MasterKey]) -> None:
    """As `asking_former`, at once."""
    unnamed = [key for key in keys if names.given(key) is None]
    if unnamed:
        asking_former(names)(unnamed)


def asking_former(names: Names) -> Callable[[Iterable[MasterKey]], None]:
    """Let ``names`` learn what keys without a name were called once, from older versions of its files.

    git works by itself until the answer is called for, with the keys in question.
    """
    by_root: dict[str, list[str]] = {}
    for file in names.files:
        real = os.path.realpath(file)
        if (root := repository(os.path.dirname(real))) is not None:
            by_root.setdefault(root, []).append(os.path.relpath(real, root).replace(os.sep, "/"))
    # With -m: a merge, too, may be where a version is from.
    words = (*_LOG, "-m", "--format=", "HEAD", "--")
    answers = {root: start_git(*question(root, *words, *paths)) for root, paths in by_root.items()}

    def learn(keys: Iterable[MasterKey]) -> None:
        unnamed = {key.name for key in keys if names.given(key) is None}
        for root, answer in answers.items():
            _, output = answer()
            blobs = _blobs(output) if unnamed else {}
            for path, data in zip(blobs.values(), contents(root, blobs), strict=True):
                text = (data or b"").decode(errors="replace")
                if any(name in text for name in unnamed):
                    names.add_old(path, text)

    return learn


def _blobs(output: str) -> dict[str, str]:
    """The versions that git log names, and their paths; the newest first."""
    blobs: dict[str, str] = {}
    words = iter(output.split("\0"))
    for word in words:
        if (entry := word.lstrip("\n")).startswith(":"):
            path, blob = next(words), entry.split(" ")[3]
            if blob.strip("0"):
                blobs[blob] = path
    return blobs


# --- git -----------------------------------------------------------------------------------------


class _Change:
    """What one commit did to a file: blobs before (of each parent that had one) and after."""

    __slots__ = ("moment", "new", "old", "path")

    def __init__(self, moment: Moment, path: str, old: list[str], new: str) -> None:
        self.moment = moment
        self.path = path
        self.old = old
        self.new = new


_FEW: Final = 8
"""For so many files, git is faster when it looks only for them."""
_RENAMES: Final = 20  # of one file that are followed when git looks for it alone
_MERGED: Final = ("-c", "-M100%", "--topo-order", "--format=%x01%H%x00%ct")
_LOG: Final = ("log", "--raw", "-z", "--no-abbrev", "--no-color", "--ignore-submodules=all")


def _git(root: str, *arguments: str) -> str:
    return ask(root, *arguments) or ""


def _heads(root: str) -> dict[str, str]:
    """The blob of each file of the last commit."""
    heads = {}
    for entry in _git(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD").split("\0"):
        about, _, path = entry.partition("\t")
        words = about.split()
        if len(words) == 3 and words[0] in _FILE_MODES:
            heads[path] = words[2]
    return heads


def _changes(root: str, paths: Iterable[str]) -> dict[str, list[_Change]]:
    """The changes to each path, oldest first, also those under earlier names."""
    names = {path: path for path in paths}
    if len(names) > _FEW:
        found = _read_log(_git(root, *_LOG, *_MERGED, "HEAD", "--"), names)
    else:
        output = _git(root, *_LOG, *_MERGED, "--full-history", "HEAD", "--", *names)
        found = _read_log(output, names)
        for name in names:
            found[name] = _with_earlier_names(root, name, found[name])
    return {name: list(reversed(changes)) for name, changes in found.items()}


def _with_earlier_names(root: str, name: str, changes: list[_Change]) -> list[_Change]:
    """The changes to a file, newest first, also those before it was renamed, which git was not asked for."""
    found = list(changes)
    seen = {name}
    for _ in range(_RENAMES):
        added = [change for change in changes if change.new and not change.old and change.path == name]
        if not added:
            break
        first = added[-1]
        # What the commit did, to whatever file.
        words = _git(root, "log", "--no-walk", *_LOG[1:], *_MERGED, first.moment.commit, "--").split("\0")
        before = _renamed_from(words, name)
        if before is None or before in seen:
            break
        found.remove(first)
        name = before
        seen.add(name)
        output = _git(root, *_LOG, *_MERGED, "--full-history", f"{first.moment.commit}^", "--", name)
        changes = _read_log(output, {name: name})[name]
        found += changes
    return found


def _renamed_from(words: Sequence[str], name: str) -> str | None:
    """What a commit, in the words of git log, has renamed to a name."""
    for at, word in enumerate(words[:-2]):
        entry = word.lstrip("\n")
        renames = entry.startswith(":") and not entry.startswith("::") and entry.rpartition(" ")[2][:1] == "R"
        if renames and words[at + 2] == name:
            return words[at + 1]
    return None


def _read_log(output: str, names: Mapping[str, str]) -> dict[str, list[_Change]]:
    """The changes to each name in what git log says, newest first; renames in it are followed."""
    now = dict(names)  # what a path of then is called today
    found: dict[str, list[_Change]] = {path: [] for path in now}
    words = iter(output.split("\0"))
    moment = Moment(0, "")
    for word in words:
        if word.startswith("\x01"):
            seconds = next(words)
            moment = Moment(int(seconds) if seconds.isdecimal() else 0, word[1:])
        elif (entry := word.lstrip("\n")).startswith(":"):
            fields = entry.split(" ")
            parents = len(entry) - len(entry.lstrip(":"))
            path = next(words)
            if parents == 1 and fields[-1][0] in "RC":
                before, path = path, next(words)
                if path in now and fields[-1][0] == "R":
                    now.setdefault(before, now[path])
                    continue
            if path not in now:
                continue
            modes = [field.lstrip(":") for field in fields[: parents + 1]]
            blobs = fields[parents + 1 : -1]
            there = [
                blob if mode in _FILE_MODES and blob.strip("0") else ""
                for mode, blob in zip(modes, blobs, strict=True)
            ]
            old = [blob for blob in there[:-1] if blob]
            found[now[path]].append(_Change(moment, path, old, there[-1]))
    return found


def _versions(root: str, wanted: Sequence[tuple[str, str]], reader: _Reader) -> Iterator[Version]:
    """What each blob says, in order; a blob may be asked for again."""
    # Consecutive versions of a file share a blob: what was new is what is old next.
    last: dict[str, Version] = {}
    with closing(contents(root, _anew(wanted))) as blobs:
        for start in range(0, len(wanted), CHUNK):
            here: dict[str, Version] = {}
            for blob, path in wanted[start : start + CHUNK]:
                version = here.get(blob) or last.get(blob)
                here[blob] = version or reader.version(path, next(blobs) or b"")
                yield here[blob]
            last = here


def _anew(wanted: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The blobs that are not in the same chunk already, nor in the one before."""
    last: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        here: set[str] = set()
        for blob, _ in wanted[start : start + CHUNK]:
            if blob not in here and blob not in last:
                yield blob
            here.add(blob)
        last = here


def contents(root: str, blobs: Iterable[str]) -> Generator[bytes | None, None, None]:
    """The bytes of each blob, in order, None for one that is missing or damaged; from one process."""
    import subprocess

    arguments, environ = question(root, "cat-file", "--batch")
    process = subprocess.Popen(
        ["git", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, suppress(BrokenPipeError):  # closing it
        names = iter(blobs)
        while chunk := list(islice(names, CHUNK)):
            with suppress(BrokenPipeError):  # git ends at a damaged object; what follows is missing, too
                process.stdin.write("".join(f"{blob}\n" for blob in chunk).encode())
                process.stdin.flush()
            for _ in chunk:
                yield _answer(process.stdout)


def _answer(pipe: IO[bytes]) -> bytes | None:
    """One object, None for one that is missing (of a partial clone)."""
    head = pipe.readline().split()
    if len(head) != 3:
        return None
    size = int(head[2])
    data = pipe.read(size + 1)[:size]
    return data if len(data) == size else None


# --- versions ------------------------------------------------------------------------------------


class _Reader:
    """Reads who can open a version; blocks that say the same are read once."""

    def __init__(self) -> None:
        self._known: dict[bytes, dict[str, MasterKey]] = {}

    def version(self, path: str, data: bytes) -> Version:
        if not data.strip():
            return _NOTHING  # nobody could learn anything from it; or a partial clone lacks it
        found = sniff.find(data, path)
        if found is None:
            return Version({}, frozenset(), False)
        try:
            if data[:2] in sniff.UTF16:
                data = fileio.encode(fileio.decode(data))
            keys = self._keys(data, "json" if found == "binary" else found)
        except (NotEncryptedError, UnicodeDecodeError):
            return Version({}, frozenset(), False)
        except EncconfError:
            # A conflict's markers, say: who could read it cannot be told, and nobody is said to be out.
            return _NOTHING
        return Version(keys, frozenset(_TAG.findall(data)), True)

    def _keys(self, data: bytes, format: str) -> dict[str, MasterKey]:
        block = sniff.from_block(data, format)
        if block is None:
            return _keys(data, format)
        about = _MEMBER.sub(b"", block)
        if (keys := self._known.get(about)) is None:
            try:
                keys = _keys(block, format)
            except EncconfError:
                return _keys(data, format)
            self._known[about] = keys
        return keys


def _keys(data: bytes, format: str) -> dict[str, MasterKey]:
    metadata = Metadata.of(formats.module(format).scan(data.decode()))
    return {identity(wrapped.key): wrapped.key for group in metadata.groups for wrapped in group}


# --- what happened -------------------------------------------------------------------------------


def _told(
    changes: Sequence[_Change], known: Mapping[str, Version], head: Version | None, now: Version
) -> FileHistory:
    """Put the changes of a file together, up to the last commit and to what is there now."""
    history = FileHistory()
    history.keys.update(now.keys)
    epoch = 0  # goes up when no ciphertext is left: then the data key is new
    rotations: dict[int, Moment] = {}
    open_: dict[str, Span] = {}
    last: Moment | None = None
    for change in changes:
        moment = last = change.moment
        history.first = history.first or moment
        olds = [known[blob] for blob in change.old if known[blob] is not _NOTHING]
        new = known[change.new] if change.new else None
        if new is _NOTHING:
            continue
        before: set[str] = set().union(*(old.keys for old in olds))
        after = set(new.keys) if new is not None else set()
        if new is not None:
            history.keys.update(new.keys)
        epoch_before = epoch
        if new is not None and new.encrypted and _all_new(olds, new):
            epoch += 1
            rotations[epoch] = moment
        for key in before - after:
            if (span := open_.pop(key, None)) is not None:
                span.end, span.over, span.epoch = moment, True, epoch_before
        for key in after - before:
            if key not in open_:
                open_[key] = span = Span(moment)
                history.spans.setdefault(key, []).append(span)
        _note_plain(history, new is not None and not new.encrypted, moment)
    if head is not None and head is not _NOTHING:
        history.keys.update(head.keys)
        # Branches were merged, perhaps with the changes of one side only.
        for key in set(head.keys) - set(open_):
            spans = history.spans.setdefault(key, [])
            if spans:
                spans[-1].end, spans[-1].over = None, False
            else:
                spans.append(Span(last))
            open_[key] = spans[-1]
        for key in set(open_) - set(head.keys):
            span = open_.pop(key)
            span.end, span.over, span.epoch = last, True, epoch
    rotated_now = head is not None and _all_new([head], now)
    for key in set(open_) - set(now.keys):
        open_[key].over = True
        open_[key].epoch = epoch
    for spans in history.spans.values():
        for span in spans:
            if span.over:
                span.until = rotations.get(span.epoch + 1)
    if rotated_now:
        _close_uncommitted(history, epoch)
    for key in set(now.keys) - set(open_):
        history.spans.setdefault(key, []).append(Span(None))
    return history


_NOT_COMMITTED: Final = Moment(0, "")


def _close_uncommitted(history: FileHistory, epoch: int) -> None:
    for spans in history.spans.values():
        for span in spans:
            if span.over and span.epoch == epoch:
                span.until = _NOT_COMMITTED


def _ended(history: FileHistory, now: Version) -> FileHistory:
    history.keys.update(now.keys)
    for key in now.keys:
        history.spans[key] = [Span(None)]
    return history


def _all_new(olds: Sequence[Version], new: Version) -> bool:
    """Whether no ciphertext of before is left: a new data key, as far as one can tell without it."""
    tags: frozenset[bytes] = frozenset().union(*(old.tags for old in olds))
    return bool(tags) and bool(new.tags) and not tags & new.tags


def _note_plain(history: FileHistory, plain: bool, moment: Moment) -> None:
    running = bool(history.plain) and not history.plain[-1].over
    if plain and not running:
        history.plain.append(Span(moment))
    elif not plain and running:
        history.plain[-1].end, history.plain[-1].over = moment, True
