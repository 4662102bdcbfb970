"""Commands on many files: find them, from files, folders, patterns and changes in git, and work on them.

A folder or a pattern means its encrypted files, whatever their names (`encconf.formats.find`).  In a
repository, files that git ignores are left out.  Links inside a folder are not followed.  A named file is
always included, so that a mistake in it is reported.  For the same reason, a folder that you cannot read is
included, and so is such a file if its name has a format.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence

from encconf import formats
from encconf.errors import (
    EncconfError,
    InputError,
    MissingFileError,
    NoConfigError,
    NoMatchingRuleError,
    UsageError,
    exit_code_of,
)
from encconf.io import fileio
from encconf.text.printable import counted, listed, one_line, quoted
from encconf.verbs.files import is_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git import Known
    from encconf.verbs.front import Front


_MAGIC = r"[*?[]"
_SKIPPED = frozenset(
    [".git", ".hg", ".svn", ".jj", "node_modules", "__pycache__", "site-packages", ".venv", "venv", ".tox"]
)


def files(
    front: Front,
    paths: Sequence[str],
    *,
    recursive: bool = False,
    changed: bool = False,
    encrypted: bool = True,
    proposals: bool = True,
    plain: Callable[[str], bool] | None = None,
) -> list[str]:
    """Return the files that ``paths`` name, in their order and each once.  A folder is sorted by name.

    - A folder needs ``recursive``.
    - A word with ``*``, ``?`` or ``[…]`` is a pattern, unless a file has that name.  ``**`` is any folders.
    - ``changed`` keeps only files that are new or differ from the last commit, staged or not.  It
      needs no ``recursive``.  Without paths, it means the whole repository.
    - Without ``encrypted``, all files of a folder count.
    - Without ``proposals``, those of a folder or pattern do not count: nothing may use their values.
    - With ``plain``, a pattern means files that are not encrypted, and a folder means those of them for which
      ``plain`` returns true.  Files that git ignores count too, because git should ignore plaintext.

    If nothing changed, the list is empty.  Raises MissingFileError if no file is named, or if a folder or
    pattern has none.  Raises UsageError for a folder without ``recursive``, for ``changed`` outside a
    repository, and for a bare repository.
    """
    if not paths and not changed:
        raise MissingFileError("no file was given", hint="give files, patterns, or a folder with -r")
    from encconf.git import need_files

    need_files(paths or ["."])
    wanted = _Wanted(front, encrypted, plain, proposals)
    if changed:
        found = wanted.among(_changed(paths))
    else:
        found = [name for path in paths for name in _named(path, recursive, wanted)]
    once: dict[object, str] = {}
    for name in found:
        once.setdefault(_identity(name), name)
    return list(once.values())


def _identity(name: str) -> object:
    """Return a value that is equal for all names of a file, such as symbolic links and hard links."""
    if name in fileio.STDIN:
        return name
    try:
        state = os.stat(name)
    except OSError:
        return os.path.realpath(name)
    return (state.st_dev, state.st_ino) if state.st_nlink > 1 else os.path.realpath(name)


class _Wanted:
    """The choice of the files in a folder that count."""

    def __init__(
        self, front: Front, encrypted: bool, plain: Callable[[str], bool] | None, proposals: bool
    ) -> None:
        self.front = front
        self.proposals = proposals
        self._known: Known | None = None
        self.encrypted = encrypted
        self.plain = plain
        self.listing = _walked if plain else below
        self.kind = "file to encrypt" if plain else "encrypted file" if encrypted else "file"

    def in_folder(self, folder: str) -> list[str]:
        found = self.among(self.listing(folder, -1))
        return found if self.plain is None else list(filter(self.plain, found))

    def among(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._counts(name)]

    def _counts(self, name: str) -> bool:
        from encconf.io import replace
        from encconf.rules.config import NAME as CONFIG_NAME
        from encconf.rules.config import proposed_file

        base = os.path.basename(name)
        if not self.proposals and proposed_file(base):
            return False
        if (self.encrypted and replace.is_leftover(base)) or (self.plain and base == CONFIG_NAME):
            return False
        try:
            mode = os.lstat(name).st_mode
            if stat.S_ISDIR(mode):
                return not os.access(name, os.R_OK | os.X_OK)
            if not stat.S_ISREG(mode):
                return False
            if not self.encrypted:
                return True
            found = formats.glance(name) and formats.find(fileio.read_bytes(name), name) is not None
            return not found if self.plain else found and not self._left_by_mergetool(name, base)
        except (FileNotFoundError, NotADirectoryError, MissingFileError):
            return False
        except OSError as error:
            if not formats.get(formats.of_path(name)).single_value:
                return True  # reading it later raises the error
            self.front.warn(f"{name} cannot be read and is skipped: {(error.strerror or '').lower()}")
        except InputError as error:
            self.front.warn(f"{error} (skipped)")
        return False

    def _left_by_mergetool(self, name: str, base: str) -> bool:
        """Whether an encrypted file is a version that git mergetool left behind, and that git does not track.

        Such files are skipped with a warning.  One that git tracks counts: others may read it.
        """
        if re.search(r"_(?:BACKUP|BASE|LOCAL|REMOTE)_\d+(?:\.[^.]+)?$|\.orig$", base) is None:
            return False
        from encconf.git import Known, repository

        self._known = self._known or Known()
        if repository(os.path.dirname(os.path.abspath(name))) is None or self._known.tracked(name):
            return False
        said = f"{one_line(name)} is skipped: git mergetool left it"
        self.front.warn(said, hint="compare it, then delete it")
        return True


def _named(path: str, recursive: bool, wanted: _Wanted) -> list[str]:
    kind = wanted.kind
    if path not in fileio.STDIN and os.path.isdir(path):
        if not recursive:
            every = "the files in it that .sops.yaml names" if wanted.plain else f"every {kind} in it"
            raise UsageError(f"{path} is a folder", hint=f"use -r to include {every}")
        if found := wanted.in_folder(path):
            return found
        hint = "a path_regex in .sops.yaml must match the names of its files"
        raise MissingFileError(f"no {kind} in this folder", hint=hint if wanted.plain else None).about(path)
    if is_pattern(path):
        if found := wanted.among(_matching(path, wanted.listing)):
            return found
        raise MissingFileError(f"no {kind} matches this pattern").about(path)
    return [path]


def _changed(paths: Sequence[str]) -> Iterator[str]:
    """Yield the changed files among those that ``paths`` name, or without paths, of this repository."""
    from encconf.git import repository

    if not paths:
        here = os.path.realpath(".")
        yield from map(os.path.relpath, _changes(repository(here) or here))
    known: dict[str, frozenset[str]] = {}
    for path in paths:
        if path in fileio.STDIN:
            raise UsageError("--changed is for files, not for stdin")
        if os.path.isdir(path):
            yield from _changes(path)
            continue
        if not is_pattern(path) and not os.path.lexists(path):
            raise MissingFileError("no such file").about(path)
        for name in _matching(path, below) if is_pattern(path) else [path]:
            real = os.path.realpath(name)
            root = repository(os.path.dirname(real)) or ""
            if root not in known:
                known[root] = frozenset(_changes(root or os.path.dirname(real)))
            if real in known[root]:
                yield name if not os.path.islink(name) else real


def _changes(folder: str) -> list[str]:
    from encconf.git import changed

    names = changed(folder)
    if names is None:
        raise UsageError(
            "--changed needs git, and this folder is not in a repository that git can read",
            hint="run it inside a git repository, with git installed",
        )
    return names


def below(folder: str, depth: int = -1) -> list[str]:
    """Return the files below a folder, sorted: those that git lists, or all if it lists none.

    Without git, folders of version control, packages and caches are left out.  So are folders deeper than
    ``depth`` steps, unless that is negative.  A folder that cannot be read is in the list itself.
    """
    from encconf.git import listed

    return listed(folder) or _walked(folder, depth)


def _walked(folder: str, depth: int) -> list[str]:
    found = _walk(folder, depth)
    return sorted(map(os.path.normpath, found) if folder in ("", ".") else found)


def _walk(folder: str, depth: int) -> Iterator[str]:
    top = os.path.join(folder, "").count(os.sep)
    closed: list[str] = []
    for place, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        deep = os.path.join(place, "").count(os.sep) - top
        folders[:] = [] if deep == depth else [name for name in folders if name not in _SKIPPED]
        yield from (os.path.join(place, name) for name in names)
    yield from closed


# --- patterns --------------------------------------------------------------------------------------


def _matching(pattern: str, listing: Callable[[str, int], list[str]]) -> list[str]:
    """Return the files that match a pattern, below the folder that it begins with."""
    steps = os.path.normpath(pattern).split(os.sep)
    first = next(at for at, step in enumerate(steps) if re.search(_MAGIC, step))
    base = os.sep.join(steps[:first]) or (os.sep if first else ".")
    if not os.path.isdir(base):
        return []
    depth = -1 if "**" in steps else len(steps) - first - 1
    return [name for name in listing(base, depth) if _matches(os.path.normpath(name).split(os.sep), steps)]


def _matches(name: list[str], pattern: list[str]) -> bool:
    """Whether the steps of a name match those of a pattern.  ``**`` matches any number of steps."""
    from fnmatch import fnmatchcase

    if not name or not pattern:
        return not name and not pattern
    if pattern[0] == "**":
        return len(pattern) == 1 or _matches(name, pattern[1:]) or _matches(name[1:], pattern)
    return fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])


# --- the work on them -----------------------------------------------------------------------------
# Threads read and encrypt or decrypt several files at the same time (`encconf.io.threads`).  The results
# are written one by one, in the order of the command line.  If a signal or a full disk interrupts the
# command, each file is either unchanged or complete, and another run does the rest.


class Batch:
    """A command and its files.  A subclass defines the methods `work` and `settle`.

    It keeps only the name and the state or error of each file.  ``doing`` is the text of the progress bar.
    With ``dry_run`` it changes nothing, and with ``fail_fast`` it stops at the first error.  ``resume`` is
    the option that makes another run start at a later file.  Commands without this option skip the files
    that are done already.
    """

    resume = ""

    def __init__(self, front: Front, doing: str, *, dry_run: bool = False, fail_fast: bool = False) -> None:
        self.front = front
        self.doing = doing
        self.dry_run = dry_run
        self.fail_fast = fail_fast
        self.credentials = front.credentials()
        self.alone = True
        self.notices: dict[str, list[tuple[str, str | None]]] = {}  # warnings and their hints, by file
        self.plans: dict[tuple[str, ...], list[str]] = {}  # in a dry run: files by their plan
        self.paths: Sequence[str] = ()
        self.errors: dict[str, EncconfError] = {}  # of the files that failed
        self.states: dict[str, str] = {}
        self._printed_warnings: set[str] = set()
        self._causes: dict[tuple[str, str], list[str]] = {}  # the files that failed, by slug and cause

    # --- for subclasses ----------------------------------------------------------------------

    def work(self, file: str) -> object:
        """Do the part that can run in a thread, at the same time as for other files.  Raises EncconfError."""
        raise NotImplementedError

    def settle(self, file: str, done: object) -> str:
        """Write and report one file, given the result of its `work`, and return its state.

        Raises EncconfError.  The states are ``changed``, ``unchanged`` and ``would-change``.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Prepare the work.  May give files a state, so that they are not done."""

    def begin(self) -> None:
        """Do what must happen before the first file is settled."""

    def report(self) -> None:
        """Print the results, also after an error or a signal."""
        if self.plans:
            from encconf.verbs import rekey

            self.front.data(rekey.plans_text(self.plans))

    # --- running -----------------------------------------------------------------------------

    def run(self, paths: Sequence[str]) -> None:
        """Process the files.  Raises the error of a single file, or one that says how many failed."""
        from encconf.io import process

        self.alone = len(paths) == 1
        if len(paths) > 1:
            from encconf.envelope.unwrap import DataKeyCache

            self.credentials.cache = DataKeyCache()
        self.paths = paths
        try:
            with process.SignalGuard():
                self.prepare()
                if not self.stopped:
                    self.go(self.doing, self.work, self.settle, self.begin)
            if self.stopped:
                self._print_left("stopped")
        except EncconfError:
            raise
        except BaseException:  # a signal, or a bug in encconf
            self._print_left("interrupted")
            raise
        finally:
            if not self.alone:
                self._print_same_causes()
            self.report()
        if self.errors:
            raise self._failure()

    @property
    def left(self) -> list[str]:
        """The files that have no state yet."""
        return [path for path in self.paths if path not in self.states]

    @property
    def stopped(self) -> bool:
        """Whether a file failed and --fail-fast was given."""
        return self.fail_fast and bool(self.errors)

    def go(
        self,
        doing: str,
        work: Callable[[str], object],
        settle: Callable[[str, object], str],
        begin: Callable[[], None] | None = None,
    ) -> None:
        """Work on the files that are left, and settle them in order.  A terminal shows a progress bar.

        If ``settle`` returns "", the file gets no state.
        """
        from contextlib import closing

        from encconf.io.threads import side_by_side

        paths = self.left
        with self.front.progress(len(paths), doing) as step, closing(side_by_side(work, paths)) as results:
            for file, done in results:
                if begin is not None and not isinstance(done, EncconfError):
                    begin()
                    begin = None
                try:
                    if isinstance(done, EncconfError):
                        raise done
                    self._settle(file, done, settle)
                except EncconfError as error:
                    self.fail(file, error)
                    if self.fail_fast:
                        return
                step()

    def _settle(self, file: str, done: object, settle: Callable[[str, object], str]) -> None:
        self.print_warnings(file)
        try:
            if state := settle(file, done):
                self.states[file] = state
        finally:
            self.print_warnings(file)

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove temporary files that killed commands left behind."""
        from encconf.io import replace

        for folder in dict.fromkeys(os.path.dirname(os.path.realpath(path)) for path in paths):
            for name in replace.sweep(folder):
                path = one_line(os.path.join(folder, name))
                self.front.note(f"removed {path}, left by a killed command")

    # --- messages ----------------------------------------------------------------------------

    def warner(self, file: str) -> Callable[..., None]:
        """Return a function that stores a warning and its hint, because `work` must not print."""
        kept = self.notices.setdefault(file, [])
        return lambda text, hint=None: kept.append((text, hint))

    def print_warnings(self, file: str) -> None:
        """Print the warnings of a file, except those that were printed for an earlier file."""
        for text, hint in self.notices.pop(file, ()):
            if text not in self._printed_warnings:
                self.front.warn(text, hint)
            self._printed_warnings.add(text)

    def fail(self, file: str, error: EncconfError) -> None:
        """Store an error, and print it unless it was printed for a file with the same cause."""
        if error.file == os.path.realpath(file):
            error.file = file
        elif not (self.alone and isinstance(error, NoConfigError)):
            error.about(file)
        cause = error.message
        if isinstance(error, NoMatchingRuleError):
            cause = cause.partition("\n")[2]  # without the first line, which names the file
        alike = self._causes.setdefault((error.slug, cause), [])
        if not self.alone and not alike:
            self.front.error(error)
        alike.append(file)
        self.errors[file] = error.with_traceback(None)  # its frames would keep the text of the file in memory
        self.states[file] = "failed"

    def _print_same_causes(self) -> None:
        """Say which other files failed for a reason that was printed already."""
        for alike in self._causes.values():
            first, *others = map(one_line, alike)
            if others:
                count = counted(len(others), "other file")
                self.front.note(f"{first}: the same for {count}: {listed(others, 3)}")

    def _failure(self) -> EncconfError:
        if self.alone:
            return next(iter(self.errors.values()))
        named = listed(map(one_line, self.errors), 10)
        last = EncconfError(f"{len(self.errors)} of {len(self.paths)} files failed: {named}")
        codes = {exit_code_of(error) for error in self.errors.values()}
        last.exit_code = codes.pop() if len(codes) == 1 else 1
        return last

    def _print_left(self, why: str) -> None:
        """Say how far the command got, and how to resume it."""
        if self.alone or self.dry_run:
            return
        done = sum(status in ("changed", "unchanged") for status in self.states.values())
        count = f"{done} of {len(self.paths)} files are done"
        failed = f", {len(self.errors)} failed" if self.errors else ""
        self.front.warn(f"{why}: {count}{failed}; the others were not changed")
        # After --fail-fast, the files before the one that failed may only be planned.
        again = self.errors if self.stopped else ()
        first = next((path for path in self.paths if path not in self.states or path in again), "")
        if first:
            start = f", with {self.resume} {quoted(first)}" if self.resume else ""
            self.front.hint(f"to continue, repeat the command{start}")
