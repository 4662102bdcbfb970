"""What our repository says of a file that is merged: its rule in our last commit, and its other versions.

While git merges, a ``.sops.yaml`` in the work tree may be theirs already (git's older strategies write
files as they go), so it is read from ``HEAD``.  Only one that is outside of the repository is read from
the disk.
"""

from __future__ import annotations

import os

from encconf.errors import EncconfError
from encconf.git import ask, before, repository, run, version
from encconf.io import fileio
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from encconf.rules.config import Rule


class Repository(Record):
    """What a merge asks.

    ``rule`` gives the creation rule of our ``.sops.yaml``, None where that says nothing; ``version`` the text
    of another version by its id, None for one that is not there; ``parents`` the ids of base, ours and
    theirs, with blanks between.  ``follows`` says whether a version, by its id, came just before a text of
    ours or theirs.
    """

    rule: Callable[[], Rule | None] = lambda: None
    version: Callable[[str], str | None] = lambda id: None
    parents: Callable[[], str] = lambda: ""
    follows: Callable[[str, str, bool], bool] = lambda id, text, ours: True


NOWHERE = Repository()
"""What is said outside of a repository."""


def of_merge(path: str, names: Sequence[str]) -> Repository:
    """This repository, while git merges a file; ``names`` are those of base, ours and theirs on the disk."""
    return Repository(
        rule=lambda: our_rule(path),
        version=version,
        parents=lambda: " ".join(run(["hash-object", "--no-filters", "--", *names])[1].split()),
        follows=lambda id, text, ours: follows(path, id, text, ours),
    )


def our_rule(path: str) -> Rule | None:
    """The creation rule of our ``.sops.yaml`` for a file, None where there is none that can be used."""
    from encconf.rules import config

    root = repository(os.getcwd())
    for place in config.places(path, os.getcwd()):
        try:
            text = _ours(place, root)
            if text is not None:
                return config.load(place, text).rule_for(os.path.abspath(path))
        except EncconfError:
            return None
    return None


def _ours(place: str, root: str | None) -> str | None:
    """A configuration as it is in our last commit, or outside of the repository."""
    inside = os.path.relpath(place, root) if root is not None else ".."
    if inside.partition(os.sep)[0] != "..":
        return version(f"HEAD:{inside.replace(os.sep, '/')}")
    return fileio.read_text(place) if os.path.exists(place) else None


def follows(path: str, id: str, text: str, ours: bool) -> bool:
    """Whether a version, by its id, is the one that git had before a text of a file.

    A text of ``ours`` is that of the last commit or of the work tree.  One of theirs can be on any branch:
    wherever it came, it must have come after that version.
    """
    if ours:
        return before(path, text) == id
    import hashlib

    folder, name = os.path.split(os.path.abspath(path))
    data = text.encode()
    made = hashlib.new("sha1" if len(id) == 40 else "sha256", b"blob %d\0" % len(data) + data).hexdigest()
    theirs = [variable[8:] for variable in os.environ if variable.startswith("GITHEAD_")]
    output = ask(
        folder, "log", "--raw", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--full-history",
        f"--find-object={made}", "--format=", "--all", "HEAD", *theirs, "--", name,
    )  # fmt: skip
    changes = [line.split(" ") for line in (output or "").splitlines() if line.startswith(":")]
    came_after = {old for _, _, old, new, *_ in changes if new == made}
    return came_after == {id}
