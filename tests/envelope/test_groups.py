"""Key groups: how many it takes to open a file, and who comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oracle import AgeKey

from encconf.envelope import WrappedKey, are_spoiled, only_in, quorum, removes_access
from encconf.keys import master_key

if TYPE_CHECKING:
    from encconf.keys import MasterKey

A, B, C = (master_key("age", AgeKey.generate().recipient) for _ in range(3))

Groups = list[list["MasterKey"]]


@pytest.mark.parametrize(
    ("threshold", "groups", "needed"),
    [
        (None, [[A]], 1),
        (0, [[A]], 1),
        (3, [[A, B, C]], 1),  # a threshold without groups says nothing
        (None, [[A], [B]], 2),
        (0, [[A], [B], [C]], 3),
        (2, [[A], [B], [C]], 2),
        (3, [[A], [B], [C]], 3),
        (1, [[A], [B]], 2),
        (None, [], 1),
    ],
)
def test_quorum(threshold: int | None, groups: Groups, needed: int) -> None:
    assert quorum(threshold, groups) == needed


def test_who_is_only_here() -> None:
    assert only_in([[A, B], [B, C]], [[A]]) == [B, C]
    assert only_in([[A], [B]], [[B], [A]]) == []
    assert only_in([], [[A]]) == []
    assert only_in([[C, A]], []) == [C, A]


def held(groups: Groups) -> list[list[WrappedKey]]:
    return [[WrappedKey(key, "enc") for key in group] for group in groups]


@pytest.mark.parametrize(
    ("before", "threshold", "groups", "wanted", "shut_out"),
    [
        ([[A]], 0, [[A]], None, False),
        ([[A]], 0, [[A, B]], None, False),
        ([[A, B]], 0, [[A]], None, True),
        ([[A, B]], 0, [[B, A]], None, False),
        ([[A], [B]], 0, [[A], [B]], None, False),
        ([[A], [B]], 0, [[A, C], [B]], None, False),
        ([[A, C], [B]], 0, [[A], [B]], None, True),  # one group is enough to miss somebody
        ([[A], [B]], 0, [[B], [A]], None, True),  # the parts of before are in the history
        ([[A], [B], [C]], 2, [[A], [B], [C]], None, True),  # it takes more groups now
        ([[A], [B], [C]], 2, [[A], [B], [C]], 3, True),
        ([[A], [B], [C]], 3, [[A], [B], [C]], 2, False),  # and fewer here
        ([[A], [B], [C]], 0, [[A], [B], [C]], 3, False),
        ([[A], [B]], 0, [[A, B]], None, True),
        ([[A, B]], 0, [[A], [B]], None, True),
        ([], 0, [[A]], None, True),
    ],
)
def test_who_is_shut_out(
    before: Groups, threshold: int, groups: Groups, wanted: int | None, shut_out: bool
) -> None:
    assert removes_access(held(before), threshold, groups, wanted) is shut_out


def test_one_spoiled_key_is_enough() -> None:
    groups = held([[A], [B, C]])
    assert not are_spoiled(groups)
    assert not are_spoiled([])
    groups[1][0].spoiled = True
    assert are_spoiled(groups)
