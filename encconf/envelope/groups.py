"""Key groups: how many of them open a file, and how two sets of them differ."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.envelope.wrapped import WrappedKey
    from encconf.keys import MasterKey


def quorum(threshold: int | None, groups: Sequence[object]) -> int:
    """How many of these key groups open a file: 1 of one, else as many as the threshold says, by default all.

    It is at least 2 of several, since one share of a key is useless.
    """
    return max(threshold or len(groups), 2) if len(groups) > 1 else 1


def only_in(these: Sequence[Sequence[MasterKey]], those: Sequence[Sequence[MasterKey]]) -> list[MasterKey]:
    """The keys in these groups that are in none of those: removed ones, or added ones with both exchanged."""
    known = {key for group in those for key in group}
    return list(dict.fromkeys(key for group in these for key in group if key not in known))


def are_spoiled(held: Sequence[Sequence[WrappedKey]]) -> bool:
    """Whether a key must be wrapped again the next time the file is written."""
    return any(wrapped.spoiled for group in held for wrapped in group)


def shuts_out(
    held: Sequence[Sequence[WrappedKey]],
    held_threshold: int,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
) -> bool:
    """Whether somebody who can get the data key must lose access; arguments as for `wrap_again`.

    That is so if a key was removed or is in another group, or if more groups are needed: the old shares are
    in the history, and still fit together.
    """
    if len(held) != len(groups):
        return True
    if quorum(threshold, groups) > quorum(held_threshold, held):
        return True
    pairs = zip(held, groups, strict=True)
    return any({wrapped.key for wrapped in before} - set(after) for before, after in pairs)
