"""The result of a merge, and hints for a merge that has none."""

from __future__ import annotations

from collections.abc import Sequence

from encconf.record import Record

WITH_A_KEY = "ask somebody who can open the file to merge; to undo this merge: git merge --abort"
TAKE_ONE = "take one side with git checkout --ours or --theirs, and change it with encconf edit"
LOOK = "check every value yourself and save the file with: encconf edit --ignore-mac FILE"
ADMIT = (
    "nothing was written; if they may read the file, run git merge --abort, add them to .sops.yaml, "
    "commit that, and try again"
)


class Outcome(Record):
    """The result of a merge: the text to write, and the paths that conflict in it.

    ``reason`` is why they conflict, if not because both sides changed them.  ``keyless`` says that no key
    opened the versions, and ``sealed`` that the file has a valid MAC.
    """

    text: str
    conflicts: Sequence[str] = ()
    reason: str = ""
    keyless: bool = False
    sealed: bool = True
