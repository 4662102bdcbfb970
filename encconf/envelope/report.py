"""Report why a data key could not be opened or wrapped, and what was tried."""

from __future__ import annotations

from collections.abc import Sequence

from encconf.envelope.calls import Failure
from encconf.envelope.opening import Opening
from encconf.errors import KeyAccessError, NotMyKeyError, is_temporary

_ASK = (
    "ask someone who can open the file to add your recipient to .sops.yaml and run: encconf updatekeys FILE"
)


def no_access(openings: Sequence[Opening], quorum: int) -> KeyAccessError:
    """Return the error for a file of which fewer than ``quorum`` groups could be opened."""
    failed = [failure for opening in openings for failure in opening.failures]
    if not failed:
        why, lines = "the file has no master keys", []
    elif quorum == 1:
        why = f"none of its {len(failed)} master keys could be used"
        if len(failed) == 1:
            why = "its only master key could not be used"
        lines = lines_of(failed, "  ")
    else:
        opened = sum(opening.by is not None for opening in openings)
        why = f"it needs {quorum} of its {len(openings)} key groups, and {opened} could be opened"
        lines = []
        for number, opening in enumerate(openings, 1):
            if opening.by is None:
                lines += [f"  group {number}: not opened", *lines_of(opening.failures, "    ")]
            else:
                lines.append(f"  group {number}: opened by {opening.by.TYPE} {opening.by.label}")
    hint = _ASK
    causes = {
        error.message.split("\n")[0]: error for _, error in failed if not isinstance(error, NotMyKeyError)
    }
    temporary = bool(causes) and all(map(is_temporary, causes.values()))
    if temporary:
        hint = "try again when the service can be reached"
    elif causes:
        hint = f"fix what failed above, or {_ASK}"
    if len(causes) == 1:  # people read only the first line, so it repeats the cause
        why = f"{next(iter(causes))} ({why})"
    error = KeyAccessError("\n".join([f"cannot get the data key: {why}", *lines]), hint=hint)
    error.temporary, error.unexpected = temporary, bool(causes)
    return error


def lines_of(failures: Sequence[Failure], indent: str) -> list[str]:
    """Return lines with type, name and reason in columns, and further lines (hints, places) below the name.

    A key that should have worked is marked as failed, but not a key that belongs to someone else.  If
    adjacent keys have the same further lines, these are shown once.
    """
    if not failures:
        return []
    types = max(len(key.TYPE) for key, _ in failures)
    labels = max(len(key.label) for key, _ in failures)
    below = " " * (len(indent) + types + 2)
    lines: list[str] = []
    details: list[list[str]] = []
    for _, error in failures:
        more = error.message.split("\n")[1:]
        if error.hint and not isinstance(error, NotMyKeyError):
            more.insert(0, f"hint: {error.hint}")
        details.append(more)
    for at, (key, error) in enumerate(failures):
        reason = error.message.split("\n")[0]
        mark = "" if isinstance(error, NotMyKeyError) else "failed: "
        lines.append(f"{indent}{key.TYPE:{types}}  {key.label:{labels}}  {mark}{reason}")
        if at + 1 == len(failures) or details[at + 1] != details[at]:
            lines += [below + line for line in details[at]]
    return lines
