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
