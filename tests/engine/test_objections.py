"""Who may join a file, and what is said of those who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oracle import AgeKey

from encconf.engine.admission import Objections, in_full, rule_of
from encconf.engine.metadata import Metadata
from encconf.envelope import WrappedKey
from encconf.errors import StrangerError
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

if TYPE_CHECKING:
    from encconf.keys import MasterKey

A, B, C = (master_key("age", AgeKey.generate().recipient) for _ in range(3))


def rule(*groups: list[MasterKey], threshold: int | None = None) -> Rule:
    return Rule(list(groups), threshold)


@pytest.mark.parametrize(
    ("wanted", "trusted", "strangers"),
    [
        (rule([A]), [rule([A, B])], []),
        (rule([A, C]), [rule([A, B])], [C]),
        (rule([A, C]), [rule([A]), rule([C])], []),  # each of the rules can name one
        (rule([C, A]), [], [C, A]),
        (rule([A], [B]), [rule([A], [B])], []),
        (rule([B], [A]), [rule([A], [B])], [B, A]),  # named, but for the other group
        (rule([A], [B]), [rule([A, B])], []),  # a rule without groups names keys for all of them
        (rule([C], [C, A]), [rule([A, B])], [C]),  # once
        (rule([A], [C]), [rule([A], [B], [C])], []),  # no rule has so many groups: each names for all
        (rule([A], [B]), [rule([A], [B], [C]), rule([B])], [A]),  # one that has goes before
    ],
)
def test_strangers(wanted: Rule, trusted: list[Rule], strangers: list[MasterKey]) -> None:
    found = Objections(wanted.groups, wanted, trusted)
    assert found.strangers == strangers
    assert bool(found) is bool(strangers or found.others)


@pytest.mark.parametrize(
    ("wanted", "trusted", "others"),
    [
        (rule([A], [B]), [rule([A], [B], [C])], ["2 key groups instead of 3"]),
        (rule([A]), [rule([A], [B])], ["1 key group instead of 2"]),
        (rule([A], [B], threshold=1), [rule([A], [B])], []),  # a part is of no use alone
        (
            rule([A], [B], [C], threshold=2),
            [rule([A], [B], [C])],
            ["2 key groups can open it, and the rule needs 3"],
        ),
        (rule([A], [B], threshold=2), [rule([A], [B])], []),
        (rule([A], [B]), [rule([A], [B], threshold=2)], []),
        (rule([A], [B]), [rule([A], [B], threshold=1)], []),  # more than the rule asks for
        (rule([A], [B], threshold=1), [rule([A], [B], threshold=1)], []),
        (rule([A], [B], [C], threshold=2), [rule([A], [B], [C]), rule([A], [B], [C], threshold=2)], []),
        (rule([A], [B], threshold=1), [rule([A, B])], []),  # one key is enough by the rule
        (rule([A, B], threshold=5), [rule([A, B])], []),  # without groups, no threshold counts
        (rule([A, B]), [rule([A, B], threshold=5)], []),
        (rule([A], [B], threshold=1), [], []),
    ],
)
def test_key_groups(wanted: Rule, trusted: list[Rule], others: list[str]) -> None:
    found = Objections(wanted.groups, wanted, trusted)
    assert found.others == others
    assert bool(found) is bool(others or found.strangers)


def test_what_is_said() -> None:
    wanted = rule([A], [C], [B], threshold=2)
    found = Objections(wanted.groups, wanted, [rule([A], [B], [B])])
    said = f"age {C.name}, 2 key groups can open it, and the rule needs 3"
    assert str(found) == said
    error = found.error("not for these", "ask them")
    assert isinstance(error, StrangerError)
    assert error.message == f"not for these: {said}"
    assert error.strangers == [C]
    assert error.hint == "ask them"


def test_a_name_is_shown_in_full_and_cannot_hide() -> None:
    assert in_full(A) == f"age {A.name}"
    assert in_full(master_key("pgp", "0" * 40)) == f"pgp {'0' * 40}"


def test_the_rule_of_a_file() -> None:
    selection = Selection("encrypted_regex", "^x", True)
    groups = [[WrappedKey(A, "x"), WrappedKey(B, "y")], [WrappedKey(C, "z")]]
    found = rule_of(Metadata(groups, 2, selection, ""))
    assert (found.groups, found.threshold, found.selection) == ([[A, B], [C]], 2, selection)
    assert found.name == "the file itself"
    assert rule_of(Metadata(groups, 0, selection, "")).threshold is None
