"""Which files git knows in a folder, which it would take, and which have changed: one call of git each.

Names begin with ``folder`` as it was given ("" and "." add nothing), and come sorted; they may hold
any character, and bytes that are not UTF-8 as lone surrogates, as everywhere in Python.  A submodule,
and a repository inside the folder, is another repository: its files are not listed.  What git tracks
may be gone from the disk, or be a link.  The functions return None if that is unknown: outside of
a repository, without git, and where git refuses (a repository of another user).
"""

from __future__ import annotations

import os

from encconf.git import ask, question, repository, start, without_filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def tracked(folder: str) -> list[str] | None:
    """The files of the index, that is, of the next commit."""
    return asking_tracked(folder)()


def asking_tracked(folder: str) -> Callable[[], list[str] | None]:
    """As `tracked`, but git runs in the background until the result is called."""
    return _listing(folder, "--cached")


def listed(folder: str) -> list[str] | None:
    """What is tracked, and what the next ``git add .`` would take: all but ignored files."""
    return _listing(folder, "--cached", "--others", "--exclude-standard")()


def changed(folder: str) -> list[str] | None:
    """The files that differ from the last commit, staged or not, and those that are new and not ignored.

    What has been deleted is not among them.  git runs no filter of its configuration.
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
    # Names are those from the top of the working tree.
    inside = "" if real == root else os.path.relpath(real, root).replace(os.sep, "/") + "/"
    found = [entry[3 + len(inside) :] for entry in output.split("\0") if entry[3:].startswith(inside)]
    return [name for name in _named(folder, found) if os.path.lexists(name)]


class Known:
    """The files that git tracks or ignores: git is asked once for each repository, and only if needed.

    Names are relative to ``cwd``, or absolute.
    """

    def __init__(self, cwd: str = ".") -> None:
        self._cwd = cwd
        self._all: frozenset[str] | None = None
        self._sets: dict[tuple[str, bool], frozenset[str] | None] = {}

    def everything(self, cwd: str, root: str | None) -> Callable[[], list[str] | None]:
        """A function that lists what git tracks in this repository, None if there is none or git cannot.

        From then on, only these files are tracked.  git works in the background until the function is called.
        """
        self._all = frozenset()
        if root is None:
            return lambda: None
        above = os.path.relpath(root, cwd)
        answer = asking_tracked(above)

        def names() -> list[str] | None:
            found = answer()
            if found is not None and above != ".":  # names below the current folder are relative to it
                here = os.path.join(above, os.path.relpath(cwd, root), "")
                found = [name.removeprefix(here) for name in found]
            self._all = frozenset(found or ())
            return found

        return names

    def tracked(self, name: str) -> bool:
        """Whether a file is in git's index."""
        if self._all is not None:
            return name in self._all
        return os.path.lexists(os.path.join(self._cwd, name)) and self._has(name, new=False, unknown=False)

    def exposed(self, name: str) -> bool:
        """Whether a plaintext file could be committed: not if git ignores it."""
        return self._all is not None or self._has(name, new=True, unknown=True)

    def _has(self, name: str, *, new: bool, unknown: bool) -> bool:
        folder, base = os.path.split(os.path.abspath(os.path.join(self._cwd, name)))
        folder = os.path.realpath(folder)
        root = repository(folder)
        if root is None:
            return unknown
        key = root, new
        if key not in self._sets:
            names = (listed if new else tracked)(root)
            self._sets[key] = frozenset(names) if names is not None else None
        known = self._sets[key]
        return unknown if known is None else os.path.join(folder, base) in known


def _listing(folder: str, *which: str) -> Callable[[], list[str] | None]:
    real = os.path.realpath(folder or ".")
    if repository(real) is None:
        return lambda: None
    answer = start(*question(real, "ls-files", "-z", *which))

    def names() -> list[str] | None:
        code, output = answer()
        return _named(folder, output.split("\0")) if code == 0 else None

    return names


def _named(folder: str, names: Iterable[str]) -> list[str]:
    """Each name once (git names a file with a conflict several times), but no repositories ("name/")."""
    found = [name for name in sorted(dict.fromkeys(names)) if name[-1:] not in ("", "/")]
    if folder in ("", "."):
        return found
    return [os.path.join(folder, name) for name in found]
