"""Find the changes that git's commits made to files, and read old versions of files.

This covers the branch that is checked out, everything merged into it, and renames that change nothing else.
The dates are those of the commits.  Whoever commits can set them.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass

from encconf.git import by_repository, question, said
from encconf.io import programs
from encconf.io.fileio import LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
    from typing import IO, Final

LOG: Final = ("log", "--raw", "-z", "--no-abbrev", "--no-color", "--ignore-submodules=all")
"""The arguments of git that list changes."""
_FILE_MODES = ("100644", "100755")


class Moment:
    """A commit: its ``time`` in seconds since 1970, and its hash.

    A commit can have any date.  A time after the year 9999 becomes the end of that year.
    """

    __slots__ = ("commit", "time")

    def __init__(self, time: int, commit: str) -> None:
        self.time = min(max(time, 0), _LAST)
        self.commit = commit


_LAST: Final = 253_402_300_799
UNCOMMITTED: Final = Moment(_LAST, "")
"""The moment of a change that is not committed: after every commit."""


@dataclass(slots=True, eq=False)
class Entry:
    """The change of one file in one commit, or between two trees, as git prints it.

    ``modes`` and ``blobs`` are those of each old version (a merge has one for each parent), and then of the
    new one; "" is for a version that does not exist.  Links and submodules have blobs, too.  ``status`` is
    git's letter (M for a merge).  ``path`` is the file's name, and ``before`` its name before the change.
    """

    moment: Moment
    modes: list[str]
    blobs: list[str]
    status: str
    before: str
    path: str

    @property
    def old(self) -> list[str]:
        """The old blob of each parent that has the file, as a regular file."""
        return [blob for blob in map(_file, self.modes[:-1], self.blobs) if blob]

    @property
    def new(self) -> str:
        """The new blob, or "" if the file is no longer there as a regular file."""
        return _file(self.modes[-1], self.blobs[-1])


def _file(mode: str, blob: str) -> str:
    return blob if mode in _FILE_MODES else ""


_PART: Final = 1 << 17
FEW: Final = 8
"""Up to this number of files, git is faster if it looks only for them."""
_RENAMES: Final = 20  # how many renames of one file are followed if git looks only for it
_COMMIT: Final = "%x01%H%x00%ct"
COMMIT: Final = f"--format={_COMMIT}"
"""The argument that makes git print the commit of each change."""
_MERGED: Final = ("-c", "-M100%", "--topo-order")


def heads_of(root: str, paths: Collection[str]) -> dict[str, str]:
    """Return the blob of each of these files in the last commit."""
    heads = {}
    for entry in said(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD").split("\0"):
        about, _, path = entry.partition("\t")
        words = about.split()
        if path in paths and len(words) == 3 and words[0] in _FILE_MODES:
            heads[path] = words[2]
    return heads


class Listing:
    """git's list of the changes to files, newest commit first.

    It is for all files, or for a few ``paths``.  git runs in the background.  It prints into a file without
    a name, so git never waits for its reader, and a long history is never in memory.  If git takes more than
    ``seconds``, or fails, older changes are missing, as in a shallow clone; then ``cut`` is true.
    """

    def __init__(
        self, root: str, paths: Collection[str] = (), seconds: float | None = None, start: str = "HEAD"
    ) -> None:
        import tempfile
        from subprocess import DEVNULL

        self.root = root
        self.cut = False
        self._few = 0 < len(paths) <= FEW
        self._end = time.monotonic() + seconds if seconds is not None else None
        self._git: subprocess.Popen[bytes] | None = None
        # It begins each commit.  No name of a file can have it, since it is a random one.
        self._mark = os.urandom(8).hex()
        which = ("--full-history", start, "--", *paths) if self._few else (start, "--")
        words = (*LOG, *_MERGED, f"--format={self._mark}{_COMMIT}", *which)
        arguments, environ = question(root, *words)
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (close() does it)
            self._git = programs.start(
                ["git", *arguments], environ, stdin=DEVNULL, stdout=self._file, stderr=DEVNULL
            )
        except OSError:
            self.cut = True

    def close(self) -> None:
        """Stop git, if it still runs."""
        if self._git is not None:
            self._git.kill()
            self._git.wait()
            self._git = None
            self._file.close()

    def changes(self, paths: Iterable[str]) -> dict[str, list[Entry]]:
        """Return the changes to each path, also under earlier names, oldest first."""
        found = self._read(paths)
        if self._few:
            for path in found:
                found[path] = _with_earlier_names(self.root, path, found[path])
        return {path: changes[::-1] for path, changes in found.items()}

    def _read(self, paths: Iterable[str]) -> dict[str, list[Entry]]:
        """Return the changes to each path, newest first.  Renames that git lists are followed."""
        now = {path: path for path in paths}  # today's name of each path in the list
        found: dict[str, list[Entry]] = {path: [] for path in now}
        for commit in self._commits(now):
            for entry in _parsed(commit, now):
                if entry.status == "R":
                    now.setdefault(entry.before, now[entry.path])
                else:
                    found[now[entry.path]].append(entry)
        return found

    def _commits(self, paths: Mapping[str, str]) -> Iterator[list[str]]:
        """Yield what git printed for each commit that has one of the paths."""
        for output in self._parts():
            text = output.decode(errors="surrogateescape")
            if not paths.keys().isdisjoint(text.split("\0")):
                for commit in text.split(self._mark):
                    if not paths.keys().isdisjoint(words := commit.split("\0")):
                        yield words

    def _parts(self) -> Iterator[bytes]:
        """Yield what git printed, in parts that begin with a commit."""
        from subprocess import TimeoutExpired

        if self._git is None:
            return
        try:
            self.cut = self._git.wait(max(self._end - time.monotonic(), 0) if self._end else None) != 0
        except TimeoutExpired:
            self.cut = True
            self._git.kill()
            self._git.wait()
        self._file.seek(0)
        rest: list[bytes] = []
        while part := self._file.read(_PART):
            if (at := part.rfind(self._mark.encode())) >= 0:
                yield b"".join((*rest, part[:at]))
                rest, part = [], part[at:]
            rest.append(part)
        yield b"".join(rest)


def _with_earlier_names(root: str, name: str, changes: list[Entry]) -> list[Entry]:
    """Add the changes to a file under its earlier names, which git did not look for.  Newest first."""
    found = list(changes)
    seen = {name}
    for _ in range(_RENAMES):
        added = [change for change in changes if change.new and not change.old and change.path == name]
        if not added:
            break
        first = added[-1]
        # List all changes of that commit: one of them may be the rename.
        output = said(root, "log", "--no-walk", *LOG[1:], *_MERGED, COMMIT, first.moment.commit, "--")
        renamed = (entry for entry in entries(output) if entry.status == "R" and entry.path == name)
        before = next((entry.before for entry in renamed), None)
        if before is None or before in seen:
            break
        found.remove(first)
        name = before
        seen.add(name)
        with closing(Listing(root, [name], start=f"{first.moment.commit}^")) as earlier:
            changes = earlier._read([name])[name]
        found += changes
    return found


def entries(output: str) -> Iterator[Entry]:
    """Parse what ``git log``, ``diff-tree`` or ``diff-index`` print with ``--raw -z`` and `COMMIT`."""
    return _parsed(output.split("\0"), None)


def _parsed(output: Iterable[str], paths: Collection[str] | None) -> Iterator[Entry]:
    """Yield the entries in the words that git printed, or only those of ``paths``."""
    words = iter(output)
    moment = Moment(0, "")
    for word in words:
        if word.startswith("\x01"):
            seconds = next(words, "")
            moment = Moment(int(seconds) if seconds.isdecimal() else 0, word[1:])
        elif (about := word.lstrip("\n")).startswith(":"):
            parents = len(about) - len(about.lstrip(":"))
            status = about[about.rindex(" ") + 1]
            before = path = next(words, "")
            if parents == 1 and status in "RC":
                path = next(words, "")
            if paths is not None and path not in paths:
                continue
            fields = about.lstrip(":").split(" ")[:-1]
            known = [field if field.strip("0") else "" for field in fields]
            kind = status if parents == 1 else "M"
            yield Entry(moment, known[: parents + 1], known[parents + 1 :], kind, before, path)


def is_shallow(root: str) -> bool:
    """Whether a clone lacks old commits, or contents of files."""
    return _is_partial(root) or said(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def _is_partial(root: str) -> bool:
    """Whether a clone lacks contents of files (``git clone --filter``)."""
    return bool(said(root, "config", "--get-regexp", r"^remote\..*\.promisor$"))


def contents(
    root: str, blobs: Iterable[str], environ: Mapping[str, str] = os.environ
) -> Generator[bytes | None, None, None]:
    """Yield the bytes of each blob, in order, or None for a blob that is missing, damaged or too long.

    git before 2.45 ends at the first blob that a partial clone lacks, since it must not fetch it.  Then a
    second process is asked only for the blobs that the clone has.
    """
    left = deque(blobs)
    for data in _printed(root, tuple(left), environ):
        left.popleft()
        yield data
    there = _present(root) if left and _is_partial(root) else frozenset()
    again = _printed(root, [blob for blob in left if blob in there], environ)
    for blob in left:
        yield next(again, None) if blob in there else None


def left_out(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield those files that a sparse checkout leaves out, with their content in the index."""
    for root, files in by_repository(paths).items():
        blobs: dict[str, str] = {}
        for entry in said(root, "ls-files", "-t", "-s", "-z").split("\0"):
            about, _, name = entry.partition("\t")
            if name in files and about.startswith("S "):
                _, mode, blob, _ = about.split()
                blobs |= {name: blob} if _file(mode, blob) else {}
        for name, data in zip(blobs, contents(root, blobs.values()), strict=True):
            if data is not None:
                yield files[name], data


def _printed(root: str, blobs: Sequence[str], environ: Mapping[str, str]) -> Iterator[bytes | None]:
    """Yield what git prints for each blob (None if it is missing or too long), until it ends."""
    if not blobs:
        return
    from subprocess import DEVNULL, PIPE
    from threading import Thread

    arguments, environ = question(root, "cat-file", "--batch", environ=environ)
    with (
        suppress(BrokenPipeError),
        programs.start(["git", *arguments], environ, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as git,
    ):
        assert git.stdin is not None
        assert git.stdout is not None
        # git prints while it reads, so a thread writes the names.
        Thread(target=_write, args=(git.stdin, blobs), daemon=True).start()
        for _ in blobs:
            head = git.stdout.readline().split()
            if not head:
                return
            size = int(head[2]) if len(head) == 3 else -1
            data = git.stdout.read(min(size, LIMIT) + 1)
            for at in range(LIMIT, size, _PART):  # the rest of a blob that is too long
                git.stdout.read(min(size - at, _PART))
            yield data[:-1] if size >= 0 and len(data) == size + 1 else None


def _write(pipe: IO[bytes], blobs: Sequence[str]) -> None:
    with suppress(BrokenPipeError, ValueError), pipe:  # git has ended, or the pipe is closed already
        pipe.write("".join(f"{blob}\n" for blob in blobs).encode())


def _present(root: str) -> frozenset[str]:
    """Return the names of all objects that a clone has."""
    words = ("--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
    return frozenset(said(root, "cat-file", *words).split())
