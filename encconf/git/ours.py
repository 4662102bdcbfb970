"""Look up a file that is being merged in our repository: its rule in our last commit, and other versions.

While git merges, the ``.sops.yaml`` in the work tree may already be theirs, since git's older strategies
write files early.  So it is read from ``HEAD``.  Only a ``.sops.yaml`` outside the repository is read from
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
    """What a merge needs to know about the repository.

    ``rule`` returns the creation rule of our ``.sops.yaml`` for the file, or None.  ``version`` returns the
    text of another version by its id, or None if the repository does not have it.  ``parents`` returns the
    ids of base, ours and theirs, separated by blanks.  ``follows`` says whether the version with an
    id came just before a text of ours or theirs.
    """

    rule: Callable[[], Rule | None] = lambda: None
    version: Callable[[str], str | None] = lambda id: None
    parents: Callable[[], str] = lambda: ""
    follows: Callable[[str, str, bool], bool] = lambda id, text, ours: True


NOWHERE = Repository()
"""The answers outside a repository."""


def of_merge(path: str, names: Sequence[str]) -> Repository:
    """Return this repository for the merge of a file.  ``names`` are the files with base, ours and theirs."""
    return Repository(
        rule=lambda: our_rule(path),
        version=version,
        parents=lambda: " ".join(run(["hash-object", "--no-filters", "--", *names])[1].split()),
        follows=lambda id, text, ours: follows(path, id, text, ours),
    )


def our_rule(path: str) -> Rule | None:
    """Return the creation rule of our ``.sops.yaml`` for a file, or None if no usable rule exists."""
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
    """Return the text of a configuration: of our last commit, or from the disk outside the repository."""
    from encconf.rules.config import refuse_foreign

    inside = os.path.relpath(place, root) if root is not None else ".."
    if inside.partition(os.sep)[0] != "..":
        return version(f"HEAD:{inside.replace(os.sep, '/')}")
    if not os.path.exists(place):
        return None
    refuse_foreign(place)
    return fileio.read_text(place)


def follows(path: str, id: str, text: str, ours: bool) -> bool:
    """Whether the version with this id is the one that came before a text of a file.

    A text of ``ours`` is that of the last commit or of the work tree.  A text of theirs can be on any branch.
    Every commit that introduced it must have replaced that version.
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
