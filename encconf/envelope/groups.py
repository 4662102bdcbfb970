"""Key groups: how many of them open a file, and how two sets of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from encconf.envelope.wrapped import WrappedKey
from encconf.keys import MasterKey


def quorum(threshold: int | None, groups: Sequence[object]) -> int:
    """Return how many of these key groups are needed to open a file: the threshold, or by default all.

    Of several groups, at least 2 are needed, since one share of a key is useless.
    """
    return max(threshold or len(groups), 2) if len(groups) > 1 else 1


def only_in(these: Sequence[Sequence[MasterKey]], those: Sequence[Sequence[MasterKey]]) -> list[MasterKey]:
    """Return the keys in these groups that are in none of those groups."""
    known = {key for group in those for key in group}
    return list(dict.fromkeys(key for group in these for key in group if key not in known))


def are_spoiled(held: Sequence[Sequence[WrappedKey]]) -> bool:
    """Whether the data key must be wrapped again the next time the file is written (see `WrappedKey`)."""
    return any(wrapped.spoiled for group in held for wrapped in group)


def removes_access(
    held: Sequence[Sequence[WrappedKey]],
    held_threshold: int,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
) -> bool:
    """Whether someone who can get the data key now must lose access.  The arguments are as for `wrap_again`.

    That is so if a key was removed or is in another group, or if more groups are needed than before: the
    old shares are in the history, and still fit together.
    """
    if len(held) != len(groups):
        return True
    if quorum(threshold, groups) > quorum(held_threshold, held):
        return True
    pairs = zip(held, groups, strict=True)
    return any({wrapped.key for wrapped in before} - set(after) for before, after in pairs)
