"""A data key wrapped for those who hold it already, and for others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from oracle import AgeKey
from wrapping import wrap_again, wrap_for

from encconf.envelope import WrappedKey, shamir
from encconf.errors import ConfigError, EmptyGroupError, MasterKeyError, WrapError
from encconf.identities.credentials import Credentials
from encconf.keys import master_key

if TYPE_CHECKING:
    from encconf.keys import MasterKey

IDENTITIES = [AgeKey.generate() for _ in range(3)]
A, B, C = (master_key("age", each.recipient) for each in IDENTITIES)
MINE = Credentials({"SOPS_AGE_KEY": "\n".join(each.identity for each in IDENTITIES)})
DATA_KEY = os.urandom(32)
NOW = "2026-01-02T03:04:05Z"

Groups = list[list["MasterKey"]]


def wrapped(groups: Groups, threshold: int | None = None) -> list[list[WrappedKey]]:
    return wrap_for(DATA_KEY, groups, threshold, MINE, NOW)


def again(
    held: list[list[WrappedKey]], threshold: int, groups: Groups, wanted: int | None = None
) -> tuple[list[list[WrappedKey]], int]:
    return wrap_again(DATA_KEY, held, threshold, groups, wanted, MINE, NOW)


def parts(groups: list[list[WrappedKey]]) -> list[bytes]:
    """What is in the first key of each group."""
    return [group[0].key.unwrap(group[0].enc, MINE) for group in groups]


@pytest.mark.parametrize(
    ("groups", "said"),
    [([], "no master key was named"), ([[]], "a key group is empty"), ([[A], []], "a key group is empty")],
)
def test_without_recipients(groups: Groups, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        wrapped(groups)


def test_a_new_data_key_without_recipients() -> None:
    with pytest.raises(EmptyGroupError, match="no master key was named"):
        again([], 0, [])


def test_a_threshold_that_no_rule_has_is_not_kept() -> None:
    """One group of two would be enough; the shares are new, and the file says 2."""
    held = wrapped([[A], [B]])
    groups, threshold = again(held, 1, [[A], [B]], 2)
    assert threshold == 2
    assert groups[0][0].enc != held[0][0].enc


def test_as_many_groups_as_there_are_parts() -> None:
    plain: Any = [[Plain()] for _ in range(256)]
    assert len(wrapped(plain[:255], 2)) == 255
    with pytest.raises(ConfigError, match="does not fit 256 key groups"):
        wrapped(plain, 2)


def test_where_nothing_changes_nothing_is_asked() -> None:
    one, two = wrapped([[A, B]]), wrapped([[A], [B]])
    for held, threshold, groups, wanted in (
        (one, 0, [[A, B]], None),
        (one, 3, [[A, B]], 2),  # a threshold without groups says nothing
        (two, 2, [[A], [B]], None),
        (two, 2, [[A], [B]], 2),
    ):
        assert again(held, threshold, groups, wanted) == (held, threshold)
        assert again(held, threshold, groups, wanted)[0] is held


def test_those_who_are_added_are_asked_alone() -> None:
    held = wrapped([[A, B]])
    groups, threshold = again(held, 0, [[C, A]], 5)
    assert threshold == 0
    assert [each.key for each in groups[0]] == [C, A]
    assert groups[0][1] is held[0][0]
    assert parts(groups) == [DATA_KEY]
    groups, _ = again(held, 0, [[B]])
    assert groups == [[held[0][1]]]
    groups, _ = again(held, 0, [[B, A]])
    assert groups == [[held[0][1], held[0][0]]]


def test_what_is_spoiled_is_wrapped_again_if_the_recipients_change() -> None:
    held = wrapped([[A, B]])
    held[0][0].spoiled = True
    assert again(held, 0, [[A, B]])[0] is held
    groups, _ = again(held, 0, [[A, B, C]])
    assert groups[0][0].enc != held[0][0].enc
    assert groups[0][1] is held[0][1]


@pytest.mark.parametrize(
    ("before", "threshold", "after", "wanted", "needed"),
    [
        ([[A, B]], 0, [[A], [B]], None, 2),
        ([[A], [B], [C]], 3, [[A], [B], [C]], 2, 2),
        ([[A], [B]], 2, [[B], [A]], None, 2),
        ([[A], [B]], 2, [[A, C], [B]], None, 2),
        ([], 0, [[A], [B], [C]], 2, 2),
        ([[A], [B]], 2, [[A], [B], [C]], None, 3),
    ],
)
def test_another_splitting_is_for_all(
    before: Groups, threshold: int, after: Groups, wanted: int | None, needed: int
) -> None:
    held = wrapped(before, threshold) if before else []
    groups, now = again(held, threshold, after, wanted)
    assert now == needed
    assert [[each.key for each in group] for group in groups] == after
    assert not {each.enc for group in groups for each in group} & {
        each.enc for group in held for each in group
    }
    found = parts(groups)
    assert shamir.combine(found[:needed]) == shamir.combine(found[-needed:]) == DATA_KEY
    if needed > 2:
        assert shamir.combine(found[: needed - 1]) != DATA_KEY


@pytest.mark.parametrize("before", [[], [[A], [B]]])
def test_one_group_has_the_whole_key(before: Groups) -> None:
    groups, threshold = again(wrapped(before) if before else [], 2 if before else 0, [[A, C]], 2)
    assert threshold == 0
    assert parts(groups) == [DATA_KEY]


class Plain:
    """A key that wraps nothing."""

    TYPE, DATED, name, label, listed = "plain", False, "x", "plain x", False

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        return data_key.hex()


class Broken:
    """A key whose service has a fault."""

    TYPE, DATED, name, listed = "broken", False, "x", False

    def __init__(self, temporary: bool) -> None:
        self.label = "broken x"
        self.temporary = temporary

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        error = MasterKeyError("no answer")
        error.temporary = self.temporary
        raise error


@pytest.mark.parametrize(("faults", "temporary"), [("t", True), ("tt", True), ("tf", False), ("f", False)])
def test_a_failure_is_temporary_where_all_are(faults: str, temporary: bool) -> None:
    keys: Any = [Broken(fault == "t") for fault in faults]
    with pytest.raises(WrapError) as caught:
        wrapped([[*keys, A]])
    assert caught.value.temporary is temporary
    assert f"{len(faults)} of its {len(faults) + 1} master keys" in caught.value.message
    with pytest.raises(WrapError, match="for its only master key"):
        wrapped([keys[:1]])
