"""Three versions of a `sops` block made one: who may join, who goes, and what a side brings along."""

from __future__ import annotations

import re

import pytest
from git.sides import AB, ABC, ALICE, ALL, BOB, CAROL, DAVE, STRANGER, A, merged, rule

from encconf import api
from encconf.engine.admission import Admission
from encconf.errors import StrangerError, UndecidedError
from encconf.git import merge as blocks
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.verbs import rekey


def with_member(text: str, value: str) -> str:
    return re.sub(r"(?m)^( +)mac: ", lambda found: f"{found[1]}custom: {value}\n{found[0]}", text)


def test_a_member_that_one_side_adds_to_the_block() -> None:
    base = api.encrypt("a: 1\nb: 1\n", rule([ALICE]), credentials=ALL)
    ours = api.encrypt("a: 2\nb: 1\n", twin=base, credentials=ALL)
    theirs = api.encrypt("a: 1\nb: 2\n", twin=base, credentials=ALL)
    for credentials in (ALL, STRANGER):
        assert "custom: one\n" in merged(base, with_member(ours, "one"), theirs, credentials=credentials)
        assert "custom: two\n" in merged(base, ours, with_member(theirs, "two"), credentials=credentials)
        both = merged(base, with_member(ours, "one"), with_member(theirs, "two"), credentials=credentials)
        assert "custom: one\n" in both
        old = with_member(base, "one")
        assert "custom" not in merged(old, with_member(ours, "one"), theirs, credentials=credentials)
        assert "custom" not in merged(old, ours, with_member(theirs, "one"), credentials=credentials)


def members(text: str) -> list[set[str]]:
    return [{recipient for _, recipient in group} for group in api.inspect(text).groups]


def test_a_key_group_that_one_side_adds() -> None:
    two, three = rule([ALICE], [BOB], threshold=2), rule([ALICE], [BOB], [CAROL], threshold=2)
    base = api.encrypt("a: 1\nb: 1\n", two, credentials=ALL)
    more = api.encrypt("a: 2\nb: 1\n", three, twin=base, credentials=ALL)
    other = api.encrypt("a: 1\nb: 2\n", twin=base, credentials=ALL)
    for sides in ((more, other), (other, more)):
        text = merged(base, *sides, by=three)
        assert members(text) == [{key.recipient} for key in (ALICE, BOB, CAROL)]
        assert api.decrypt(text, credentials=ALL) == "a: 2\nb: 2\n"
    # Both sides made the file: there is no common version to tell who has added what.
    with pytest.raises(UndecidedError, match="key groups"):
        merged("", api.encrypt("a: 1\n", two, credentials=ALL), api.encrypt("a: 1\n", three, credentials=ALL))


def test_each_side_removes_a_key_from_another_group() -> None:
    base = api.encrypt("a: 1\nb: 1\n", rule([ALICE, CAROL], [BOB, DAVE], threshold=2), credentials=ALL)
    sides = []
    for at, text in enumerate(("a: 2\nb: 1\n", "a: 1\nb: 2\n")):
        groups = [[ALICE, CAROL], [BOB, DAVE]]
        groups[at].pop()
        plan = rekey.plan(
            api.encrypt(text, twin=base, credentials=ALL), rule(*groups, threshold=2), format="yaml"
        )
        sides.append(rekey.carry_out(plan, rotate=False, credentials=ALL))
    with pytest.raises(UndecidedError):
        merged(base, *sides, credentials=STRANGER)
    text = merged(base, *sides, by=rule([ALICE], [BOB], threshold=2))
    assert members(text) == [{ALICE.recipient}, {BOB.recipient}]


def refuse_listing(block: Rule, ours: Rule | None, named: Rule | None, *, trusts_ours: bool = True) -> None:
    """What `encconf.git.merge.refuse_listing` says of a merged block, as files say it."""
    from encconf import formats
    from encconf.engine.metadata import Metadata

    def said(by: Rule) -> Metadata:
        return Metadata.of(formats.get("yaml").scan(api.encrypt("a: 1\n", by, credentials=ALL)))

    blocks.refuse_listing(
        said(block),
        Admission(lambda: named),
        said(ours) if ours is not None else None,
        trusts_ours=trusts_ours,
    )


A_B, B_A, A_B_C = rule([ALICE], [BOB]), rule([BOB], [ALICE]), rule([ALICE], [BOB], [CAROL], threshold=2)

THREE = rule([ALICE], [BOB], [CAROL], threshold=3)

ONLY_A = Rule(A.groups, selection=Selection("encrypted_regex", "^a$"))


@pytest.mark.parametrize(
    ("block", "ours", "named"),
    [
        (A, A, None),  # nothing changes: no rule is needed
        (A, AB, None),  # one goes
        (AB, A, AB),  # a recipient that our rule names is added
        (AB, A, ABC),
        (A_B, AB, AB),  # it takes two where one was enough
        (AB, A_B, AB),  # our rule says that one is enough
        (A_B_C, THREE, A_B_C),
        (THREE, A_B_C, None),
        (ONLY_A, A, ONLY_A),
    ],
)
def test_what_a_merge_may_do(block: Rule, ours: Rule, named: Rule | None) -> None:
    refuse_listing(block, ours, named)


@pytest.mark.parametrize(
    ("block", "ours", "named", "said"),
    [
        (AB, A, None, f"no .sops.yaml of ours names: age {BOB.recipient}"),
        (AB, A, A, f"our .sops.yaml does not name: age {BOB.recipient}"),
        (ABC, A, AB, f"does not name: age {CAROL.recipient}"),
        (AB, A_B, A_B, "1 key group instead of 2"),
        (AB, A_B, None, "1 key group instead of 2"),
        (B_A, A_B, A_B, f"age {BOB.recipient}, age {ALICE.recipient}"),
        (A_B_C, THREE, THREE, "2 key groups can open it, and the rule needs 3"),
        (A_B_C, A_B, A_B, f"age {CAROL.recipient}, 3 key groups instead of 2"),
        (ONLY_A, A, None, "which values are encrypted"),
        (ONLY_A, A, A, "which values are encrypted"),
    ],
    ids=map(str, range(10)),  # the keys are new ones in every process
)
def test_what_a_merge_may_not_do(block: Rule, ours: Rule, named: Rule | None, said: str) -> None:
    with pytest.raises(StrangerError, match=re.escape(said)) as error:
        refuse_listing(block, ours, named)
    todo = "add them to .sops.yaml" if "age " in said else "change the rule in .sops.yaml"
    assert todo in str(error.value.hint)


def test_our_version_does_not_count_if_somebody_without_a_key_picked_it() -> None:
    refuse_listing(AB, AB, AB, trusts_ours=False)
    for named in (A, None):
        with pytest.raises(StrangerError, match=BOB.recipient):
            refuse_listing(AB, AB, named, trusts_ours=False)
    with pytest.raises(StrangerError, match="which values"):
        refuse_listing(ONLY_A, A, A, trusts_ours=False)
    refuse_listing(ONLY_A, None, A, trusts_ours=False)


@pytest.mark.parametrize("side", ["our", "their"])
def test_a_plain_side_has_no_opinion_of_who_can_open_the_file(side: str) -> None:
    """Neither has a common version that was plain: who joins on the encrypted side stays."""
    enc, plain = api.encrypt("a: 2\nb: 1\n", AB, credentials=ALL), "a: 1\nb: 2\n"
    sides = (plain, enc) if side == "our" else (enc, plain)
    text = merged("a: 1\nb: 1\n", *sides, by=AB)
    assert members(text) == [{ALICE.recipient, BOB.recipient}]
