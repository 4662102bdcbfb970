"""List the files in a folder that git tracks, would add, or sees as changed, with one call of git each.

Names are sorted, and begin with ``folder`` as it was given ("" and "." add nothing).  They may contain
any character, and bytes that are not UTF-8 are lone surrogates, as everywhere in Python.  The files of a
submodule, and of a repository inside the folder, are not listed.  A tracked file may no longer be on the
disk, or may be a link.  The functions return None outside a repository, without git, and if git refuses
(for example because the repository belongs to another user).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from encconf.git import ask, question, repository, start, without_filters


def tracked(folder: str) -> list[str] | None:
    """Return the files of the index, that is, of the next commit."""
    return _listing(folder, "--cached")()


def listed(folder: str) -> list[str] | None:
    """Return tracked files, and those that the next ``git add .`` would add: all but ignored files."""
    return _listing(folder, "--cached", "--others", "--exclude-standard")()


def changed(folder: str) -> list[str] | None:
    """Return the files that differ from the last commit, staged or not, and new files that are not ignored.

    Deleted files are not among them.  git does not run the filters of its configuration.
    """
    real = os.path.realpath(folder or ".")
    root = repository(real)
    if root is None:
        return None
    output = ask(
        real, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames",
        "--ignore-submodules=all", "--", ".", environ=without_filters(real),
    )  # fmt: skip
    if output is None:
        return None
    # git prints names relative to the top of the work tree.
    inside = "" if real == root else os.path.relpath(real, root).replace(os.sep, "/") + "/"
    found = [entry[3 + len(inside) :] for entry in output.split("\0") if entry[3:].startswith(inside)]
    return [name for name in _named(folder, found) if os.path.lexists(name)]


class Known:
    """The files that git tracks or ignores.  git is asked once for each repository, and only if needed.

    Names are relative to ``cwd``, or absolute.
    """

    def __init__(self, cwd: str = ".") -> None:
        self._cwd = cwd
        self._all: frozenset[str] | None = None
        self._sets: dict[tuple[str, bool], frozenset[str] | None] = {}

    def everything(self, cwd: str, root: str | None) -> Callable[[], list[str] | None]:
        """Start to list everything that git tracks in the repository ``root``.

        git runs in the background until you call the returned function, which returns the names, or None
        without a repository or if git fails.  From then on, `tracked` uses only these names.
        """
        self._all = frozenset()
        if root is None:
            return lambda: None
        above = os.path.relpath(root, cwd)
        answer = _listing(above, "--cached")

        def names() -> list[str] | None:
            found = answer()
            if found is not None and above != ".":  # make names below the current folder relative to it
                here = os.path.join(above, os.path.relpath(cwd, root), "")
                found = [name.removeprefix(here) for name in found]
            self._all = frozenset(found or ())
            return found

        return names

    def tracked(self, name: str) -> bool:
        """Whether a file is in git's index."""
        if self._all is not None:
            return name in self._all
        return os.path.lexists(os.path.join(self._cwd, name)) and self._has(name, new=False)

    def exposed(self, name: str) -> bool:
        """Whether a plaintext file could be committed, that is, git does not ignore it."""
        return self._all is not None or self._has(name, new=True)

    def _has(self, name: str, *, new: bool) -> bool:
        """Whether git lists a file, or would add it (``new``).  If git fails, the answer is the safe one."""
        folder, base = os.path.split(os.path.abspath(os.path.join(self._cwd, name)))
        folder = os.path.realpath(folder)
        root = repository(folder)
        if root is None:
            return new
        key = root, new
        if key not in self._sets:
            names = (listed if new else tracked)(root)
            self._sets[key] = frozenset(names) if names is not None else None
        known = self._sets[key]
        return new if known is None else os.path.join(folder, base) in known


def _listing(folder: str, *which: str) -> Callable[[], list[str] | None]:
    """Start git in the background, and return a function that returns the names."""
    real = os.path.realpath(folder or ".")
    if repository(real) is None:
        return lambda: None
    answer = start(*question(real, "ls-files", "-z", *which))

    def names() -> list[str] | None:
        code, output = answer()
        return _named(folder, output.split("\0")) if code == 0 else None

    return names


def _named(folder: str, names: Iterable[str]) -> list[str]:
    """Return each name once, below ``folder``, without repositories ("name/").

    git lists a file with a conflict several times.
    """
    found = [name for name in sorted(dict.fromkeys(names)) if name[-1:] not in ("", "/")]
    if folder in ("", "."):
        return found
    return [os.path.join(folder, name) for name in found]
