"""The files for a command over many files: files, folders, patterns, and what changed in git.

A folder or a pattern means the encrypted files in it, whatever their names (`encconf.formats.sniff`); in a
repository, those that git does not ignore.  Links inside a folder are not followed.  A file that is named is
always included, so that a mistake in it is reported.  So is a folder that you may not read, or such a file if
its name has a format.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator

from encconf import formats
from encconf.cli.console import Console
from encconf.cli.files import STDIN
from encconf.errors import InputError, MissingFileError, UsageError
from encconf.formats import sniff
from encconf.git import repository, worktree
from encconf.io import fileio, replace
from encconf.rules.config import NAME as CONFIG_NAME

_MAGIC = re.compile(r"[*?[]")
_SKIPPED = frozenset({".git", ".hg", ".svn", ".jj", "node_modules", "__pycache__", ".venv", ".tox"})


def files(
    console: Console,
    paths: list[str],
    *,
    recursive: bool,
    changed: bool,
    encrypted: bool = True,
    plain: Callable[[str], bool] | None = None,
) -> list[str]:
    """The files that ``paths`` name, each once, in their order; inside a folder by name.

    A folder needs ``recursive``; a word with ``*``, ``?``, ``[…]``, or ``**`` for any folders, is a pattern
    unless a file has that name.  ``changed`` includes only files that are new or differ from the last commit,
    staged or not, also in folders; without paths, in the whole repository.  Without ``encrypted``, all files
    of a folder count.  With ``plain``, a pattern means files that are not encrypted, and a folder those of
    them for which ``plain`` returns true, even if git ignores them, as it should ignore plaintext.

    If nothing changed, the list is empty.  Raises MissingFileError if no file is named or a folder or pattern
    has none, UsageError for a folder without ``recursive``, and for ``changed`` outside a repository.
    """
    if not paths and not changed:
        raise MissingFileError("no file was given", hint="give files, patterns, or a folder with -r")
    wanted = _Wanted(console, encrypted, plain)
    if changed:
        found = wanted.among(_changed(paths))
    else:
        found = [name for path in paths for name in _named(path, recursive, wanted)]
    once: dict[object, str] = {}
    for name in found:
        once.setdefault(_identity(name), name)
    return list(once.values())


def _identity(name: str) -> object:
    """The same value for all names of a file: symbolic links and hard links."""
    if name in STDIN:
        return name
    try:
        state = os.stat(name)
    except OSError:
        return os.path.realpath(name)
    return (state.st_dev, state.st_ino) if state.st_nlink > 1 else os.path.realpath(name)


class _Wanted:
    """The files of a folder that count."""

    def __init__(self, console: Console, encrypted: bool, plain: Callable[[str], bool] | None) -> None:
        self.console = console
        self.encrypted = encrypted
        self.plain = plain
        self.kind = "file to encrypt" if plain else "encrypted file" if encrypted else "file"

    def in_folder(self, folder: str) -> list[str]:
        if self.plain is None:
            return self.among(below(folder))
        return list(filter(self.plain, self.among(_walked(folder, -1))))

    def matching(self, pattern: str) -> list[str]:
        return self.among(_matching(pattern, below if self.plain is None else _walked))

    def among(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._counts(name)]

    def _counts(self, name: str) -> bool:
        base = os.path.basename(name)
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
            found = sniff.glance(name) and sniff.find(fileio.read_bytes(name), name) is not None
            return not found if self.plain else found
        except (FileNotFoundError, NotADirectoryError, MissingFileError):
            return False
        except OSError as error:
            if formats.of_path(name) != "binary":
                return True  # reading it gives the error that says why
            self.console.warn(f"{name} cannot be read and is skipped: {(error.strerror or '').lower()}")
        except InputError as error:
            self.console.warn(f"{error} (skipped)")
        return False


def _named(path: str, recursive: bool, wanted: _Wanted) -> list[str]:
    kind = wanted.kind
    if path not in STDIN and os.path.isdir(path):
        if not recursive:
            every = "the files in it that .sops.yaml names" if wanted.plain else f"every {kind} in it"
            raise UsageError(f"{path} is a folder", hint=f"use -r to include {every}")
        if found := wanted.in_folder(path):
            return found
        raise MissingFileError(
            f"no {kind} in this folder",
            hint="a path_regex in .sops.yaml must match its name; encconf explain FILE shows which does"
            if wanted.plain
            else None,
        ).about(path)
    if is_pattern(path):
        if found := wanted.matching(path):
            return found
        raise MissingFileError(f"no {kind} matches this pattern").about(path)
    return [path]


def _changed(paths: list[str]) -> Iterator[str]:
    """The files that changed, of those that paths name or of this repository."""
    if not paths:
        here = os.path.realpath(".")
        yield from map(os.path.relpath, _changes(repository(here) or here))
    known: dict[str, frozenset[str]] = {}
    for path in paths:
        if path in STDIN:
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
    names = worktree.changed(folder)
    if names is None:
        raise UsageError(
            "--changed needs git, and this folder is not in a repository that git can read",
            hint="run it inside a git repository, with git installed",
        )
    return names


def below(folder: str, depth: int = -1) -> list[str]:
    """The files in a folder and its folders, sorted: those that git lists, or all if it lists none.

    Without git, folders of version control, packages and caches are left out, and so are those deeper than
    ``depth`` steps, unless that is negative.  A folder that may not be read is listed itself.
    """
    return worktree.listed(folder) or _walked(folder, depth)


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


def is_pattern(path: str) -> bool:
    """Whether a word of the command line is a pattern, and no file has that name."""
    return path not in STDIN and _MAGIC.search(path) is not None and not os.path.lexists(path)


def _matching(pattern: str, listing: Callable[[str, int], list[str]]) -> list[str]:
    """The files that match a pattern, below the folder that it begins with."""
    steps = os.path.normpath(pattern).split(os.sep)
    first = next(at for at, step in enumerate(steps) if _MAGIC.search(step))
    base = os.sep.join(steps[:first]) or (os.sep if first else ".")
    if not os.path.isdir(base):
        return []
    depth = -1 if "**" in steps else len(steps) - first - 1
    return [name for name in listing(base, depth) if _matches(os.path.normpath(name).split(os.sep), steps)]


def _matches(name: list[str], pattern: list[str]) -> bool:
    """Whether the steps of a name match those of a pattern, in which ``**`` is any number of steps."""
    from fnmatch import fnmatchcase

    if not name or not pattern:
        return not name and not pattern
    if pattern[0] == "**":
        return len(pattern) == 1 or _matches(name, pattern[1:]) or _matches(name[1:], pattern)
    return fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])
