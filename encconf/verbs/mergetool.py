"""Merge two versions of an encrypted file in the user's editor."""

from __future__ import annotations

import os

from encconf.errors import EncconfError, UsageError
from encconf.io import fileio, trust
from encconf.record import Options as Base
from encconf.verbs.merge import merged_by_value, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Base):
    """The files of the versions, and of the result."""

    base: str
    ours: str
    theirs: str
    merged: str


def run(options: Options, front: Front) -> None:
    """Merge two versions into a file, and open an editor for the conflicts."""
    base, merged = options.base, options.merged
    path = trust.fixed(os.path.dirname(merged), os.path.basename(merged))
    now = fileio.read_text(path, binary=True)
    names = base if os.path.lexists(base) else os.devnull, options.ours, options.theirs
    labels = "LOCAL", "BASE", "REMOTE"
    try:
        format, outcome = merged_by_value(front, merged, names, labels)
    except EncconfError as error:
        raise error.about(merged) from error.__cause__
    if outcome is None:
        raise UsageError("neither side is encrypted", hint="use any other merge tool").about(merged)
    if not outcome.conflicts:
        fileio.write_atomic(path, outcome.text, replacing=now)
        report(front, merged, outcome)
        return
    from encconf.engine.admission import Admission
    from encconf.git.conflict import open_conflict
    from encconf.git.merge import our_rule
    from encconf.verbs.session import Resolution, Session

    conflict = open_conflict(outcome.text, format=format, credentials=front.credentials())
    draft = Resolution(conflict)
    draft.admission = Admission(lambda: our_rule(merged), file=merged)
    Session(front, merged, path, draft, now, unfinished=True).run()
    front.note(f"wrote {merged}")
