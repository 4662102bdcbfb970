"""The gate: a data key is wrapped only for recipients that `encconf.engine.admission` admits."""

from __future__ import annotations

import ast
import functools
import os
from pathlib import Path
from typing import Any

import pytest
from engine import credentials, rule
from oracle import AgeKey

import encconf
from encconf import api, formats, keys
from encconf.engine import admission as gate
from encconf.engine import sealing
from encconf.engine.admission import CALLER, YOURSELF, Admission, rule_of
from encconf.engine.metadata import Metadata
from encconf.envelope import WrappedKey
from encconf.envelope.wrap import Admitted, wrap_for
from encconf.errors import ConfigError, NoConfigError, StrangerError
from encconf.git import merge
from encconf.keys import MasterKey, master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT

PACKAGE = Path(encconf.__file__).parent
ME, BOB, STRANGER = (AgeKey.generate() for _ in range(3))
MINE = credentials(ME)
NOW = "2026-01-02T03:04:05Z"


def listed(key: AgeKey) -> MasterKey:
    """A key as the block of a file lists it."""
    return keys.from_entry("age", {"recipient": key.recipient})


def named(key: AgeKey) -> MasterKey:
    return master_key("age", key.recipient)


def metadata(*groups: list[MasterKey], threshold: int = 0, spoiled: bool = False) -> Metadata:
    """A block that lists keys, with something in each entry that no key opens."""
    held = [[WrappedKey(key, "garbage", None, {}, spoiled) for key in group] for group in groups]
    return Metadata(held, threshold, DEFAULT, "")


def raising(error: Exception) -> Any:
    def find() -> Rule:
        raise error

    return find


# --- nothing else makes an admission -------------------------------------------------------------


def test_nothing_but_the_gate_makes_an_admission() -> None:
    with pytest.raises(TypeError, match="admits recipients"):
        Admitted()
    with pytest.raises(TypeError, match="admits recipients"):
        type("Mine", (Admitted,), {})
    ((admitted,),) = Admission(named=[named(ME)]).admit(Rule([[named(ME)]]), MINE)
    with pytest.raises(TypeError, match="does not change"):
        admitted.key = named(STRANGER)
    with pytest.raises(TypeError):
        type(admitted)(named(STRANGER), "me")  # type: ignore[call-arg]


@pytest.mark.parametrize("guest", [named(ME), None, "age1"])
def test_a_data_key_is_wrapped_only_for_who_was_admitted(guest: Any) -> None:
    with pytest.raises(TypeError, match="was not admitted"):
        wrap_for(bytes(32), [[guest]], None, MINE, NOW)


@functools.cache
def _nodes() -> list[tuple[str, ast.AST]]:
    """All nodes of the syntax trees of the package, each with its file."""
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


def _uses(name: str) -> set[str]:
    """The files that use a name or an attribute, except as the name of a parameter."""
    return {
        file
        for file, node in _nodes()
        if name in (getattr(node, "id", None), getattr(node, "attr", None))
        or (isinstance(node, ast.alias) and node.name == name)
    }


def test_every_caller_goes_through_the_gate() -> None:
    assert _uses("wrap_for") == {"engine/admission.py"}
    assert _uses("wrap_again") == {"engine/sealing.py", "verbs/rekey.py"}
    assert _uses("Admitted") == {"engine/admission.py", "envelope/wrap.py"}
    assert _uses("_admitted") == {"engine/admission.py"}
    # Those that wrap with one key are the gate's own way, the key services, and the tests for key types.
    ways = {"envelope/wrap.py", "keys/service.py", "keyservice.py"}
    others = {"testing/contracts/master_key.py", "cli/console.py"}  # the latter breaks lines
    assert _uses("wrap") - others <= ways | {"engine/admission.py"}


# --- who is admitted -----------------------------------------------------------------------------


def test_who_is_admitted_and_why() -> None:
    found = Admission(lambda: Rule([[named(BOB)]], name="creation_rules[2]"), named=[named(STRANGER)])
    ((one, two),) = found.admit(Rule([[listed(BOB), listed(STRANGER)]]), MINE)
    assert (one.by, two.by) == ("creation_rules[2]", CALLER)
    assert not one.key.listed, "the rule's own key, not that of the file"
    assert not two.key.listed
    ((own,),) = Admission().admit(Rule([[listed(ME)]]), MINE)
    assert own.by == YOURSELF
    assert repr(own).endswith(", admitted by yourself>")


@pytest.mark.parametrize(
    "admission",
    [
        Admission(),
        Admission(named=[listed(STRANGER)]),
        Admission(lambda: Rule([[listed(STRANGER)]])),
        Admission.of(Rule([[listed(STRANGER)]])),
        Admission.of(Rule([[listed(STRANGER), named(ME)]])),
        Admission().naming([listed(STRANGER)]),
        Admission(lambda: Rule([[named(ME)]])),
        Admission(raising(NoConfigError("none"))),
        Admission(raising(ConfigError("damaged"))),
    ],
    ids=map(str, range(9)),
)
def test_an_entry_in_a_block_admits_no_one(admission: Admission) -> None:
    for wanted in (Rule([[listed(STRANGER)]]), Rule([[listed(ME)], [listed(STRANGER)]], 2)):
        with pytest.raises(StrangerError) as caught:
            admission.admit(wanted, MINE)
        assert STRANGER.recipient in caught.value.message, "named in full"
        assert STRANGER.recipient not in str(caught.value.hint)


def test_you_are_admitted_where_no_rule_says_who_is() -> None:
    wanted = Rule([[listed(ME)]])
    for find in (raising(NoConfigError("none")), raising(ConfigError("damaged")), lambda: None):
        Admission(find).admit(wanted, MINE)
    with pytest.raises(StrangerError):
        Admission(lambda: Rule([[named(BOB)]])).admit(wanted, MINE)


def test_a_key_that_opens_an_entry_is_not_therefore_its_recipient(age_key: AgeKey) -> None:
    """A stranger writes their recipient into an entry that is encrypted for us."""
    text = api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))
    forged = text.replace(age_key.recipient, STRANGER.recipient)
    opens = credentials(age_key)
    assert api.decrypt(forged, credentials=opens) == "a: 1\n"
    with pytest.raises(StrangerError):
        Admission().admit(rule_of(Metadata.of(formats.get("yaml").scan(forged))), opens)


def test_the_rule_is_looked_up_once_and_only_if_the_recipients_change() -> None:
    asked = []

    def find() -> Rule:
        asked.append(1)
        return Rule([[named(BOB)]])

    admission = Admission(find, named=[named(ME)])
    held = metadata([listed(STRANGER)])
    admission.check(held, None, MINE)
    admission.check(held, Rule([[listed(STRANGER)]]), MINE)
    assert asked == []
    admission.check(held, Rule([[listed(STRANGER), named(ME)]]), MINE)
    admission.check(held, Rule([[listed(STRANGER), named(BOB)]]), MINE)
    admission.check(held, Rule([[named(BOB)]]), MINE, new_data_key=True)
    assert asked == [1]


def test_what_is_said_of_key_groups() -> None:
    two = Rule([[named(ME)], [named(BOB)]])
    with pytest.raises(StrangerError) as caught:
        Admission(lambda: two, file="s.yaml").admit(Rule([[named(ME)]]), MINE)
    assert caught.value.message.endswith("as its rule in .sops.yaml says: 1 key group instead of 2")
    assert "key groups" in str(caught.value.hint)


def test_what_is_said_to_a_stranger() -> None:
    wanted = Rule([[listed(STRANGER)]])
    for admission, message, hint in (
        (
            Admission(lambda: Rule([[named(ME)]]), file="s.yaml"),
            "that .sops.yaml does not name",
            "encconf updatekeys s.yaml",
        ),
        (Admission(file="s.yaml"), "only the file names its recipients", "write a .sops.yaml"),
        (
            Admission(refusal=lambda found, rule: found.error("not in a merge", "abort it")),
            "not in a merge",
            "abort it",
        ),
        (
            Admission(refusal=lambda found, rule: found.error("not in a merge", "abort it")).naming(
                [named(ME)]
            ),
            "not in a merge",
            "abort",
        ),
    ):
        with pytest.raises(StrangerError) as caught:
            admission.admit(wanted, MINE)
        assert message in caught.value.message
        assert hint in str(caught.value.hint)
        assert caught.value.file in ("s.yaml", None)


def test_a_rule_of_a_file_names_those_who_were_added_to_it_and_yourself() -> None:
    """As of `keys add` in Python: the rule has keys of the block and new ones."""
    mixed = Rule([[listed(ME), named(BOB)]])
    ((me, bob),) = Admission.of(mixed).admit(mixed, MINE)
    assert (me.by, bob.by) == (YOURSELF, CALLER)
    # Where nothing in it is from a block, its key groups count, and your own key alone does not.
    ours = Rule([[named(BOB)], [named(STRANGER)]], 2)
    ((bob,), (other,)) = Admission.of(ours).admit(ours, MINE)
    assert bob.by == other.by == CALLER
    for wanted in (Rule([[named(BOB)]]), Rule([[named(ME)], [named(STRANGER)]], 2)):
        with pytest.raises(StrangerError):
            Admission.of(ours).admit(wanted, MINE)


def test_a_check_is_for_the_keys_that_the_file_will_have() -> None:
    held = metadata([listed(ME), listed(STRANGER)])
    own = Admission(lambda: Rule([[named(ME)]]))
    own.check(held, None, MINE)
    own.check(held, Rule([[listed(ME)]]), MINE, new_data_key=True)
    with pytest.raises(StrangerError):
        own.check(held, Rule([[listed(ME), listed(STRANGER)]]), MINE, new_data_key=True)
    with pytest.raises(StrangerError):
        own.check(held, None, MINE, new_data_key=True)
    with pytest.raises(StrangerError):
        own.check(held, Rule([[listed(ME), named(BOB)]]), MINE)


def test_a_file_that_keeps_its_groups_keeps_a_threshold_that_it_does_not_state() -> None:
    held = metadata([listed(ME)], [listed(STRANGER)])
    assert gate.wrap_again(bytes(32), held, None, Admission(), MINE, NOW) == (held.groups, 0)
    with pytest.raises(StrangerError):  # a rule says 2, so there are new shares
        gate.wrap_again(bytes(32), held, rule_of(held), Admission(), MINE, NOW)
    ours = Admission(named=[named(ME), named(BOB)])
    twice = metadata([listed(ME), listed(ME)])
    assert gate.wrap_again(bytes(32), twice, None, ours, MINE, NOW)[0] is twice.groups
    two = Rule([[named(ME)], [named(BOB)]], 2)
    groups, threshold = gate.wrap_again(bytes(32), None, two, ours, MINE, NOW)
    assert ([[each.key for each in group] for group in groups], threshold) == (two.groups, 2)
    one, threshold = gate.wrap_again(bytes(32), None, Rule([[named(ME)]], 3), ours, MINE, NOW)
    assert (len(one), threshold) == (1, 0)


A, B, C = named(ME), named(BOB), named(STRANGER)


@pytest.mark.parametrize(
    ("before", "wanted", "ours", "said"),
    [
        ([[A]], [[A], [C]], [[A, B]], None),  # a rule without groups names keys for all of them
        ([[A], [B]], [[A], [B], [C]], [[A], [B]], None),  # the rule is that of the groups before
        ([[A], [B]], [[A], [B], [C]], [[A], [B], [C]], None),  # it is that of the new ones
        ([[A], [B], [C]], [[A], [C]], [[A], [C]], None),
        ([[A], [B]], [[B]], [[A], [B]], None),
        ([[A, B], [B]], [[A, B], [B], [C]], [[A], [B]], f"age {BOB.recipient}"),  # one who could open both
        ([[A], [B]], [[A], [B], [C]], [[A]], f"age {BOB.recipient}"),
    ],
    ids=map(str, range(7)),
)
def test_a_user_may_move_keys_between_groups(
    before: list[list[MasterKey]],
    wanted: list[list[MasterKey]],
    ours: list[list[MasterKey]],
    said: str | None,
) -> None:
    """The groups that the file had, or those that it gets, are those of the rule."""
    admission = Admission(lambda: Rule(ours, 2 if len(ours) > 1 else None), named=[C]).regrouping(before)
    if said is None:
        admission.admit(Rule(wanted, 1), MINE)
        return
    with pytest.raises(StrangerError, match=said):
        admission.admit(Rule(wanted), MINE)


def test_that_every_key_is_named_does_not_replace_the_groups_of_a_rule() -> None:
    two = Admission(lambda: Rule([[A], [B], [C]], 3), named=[A, B, C])
    with pytest.raises(StrangerError, match="1 key group instead of 3"):
        two.admit(Rule([[A, B]]), MINE)
    held = metadata([A], [B], [C], threshold=3)
    two.check(held, Rule([[A], [B], [C]], 3), MINE)
    with pytest.raises(StrangerError, match="2 key groups can open it"):
        two.check(held, Rule([[A], [B], [C]], 2), MINE)
    ((admitted,),) = Admission(named=[A]).admit(Rule([[A]]), MINE)
    assert admitted.by == CALLER, "also if it is your own"


def test_who_moves_keys_brings_no_stranger() -> None:
    admission = Admission(lambda: Rule([[A], [B]], 2)).regrouping([[A], [B]])
    with pytest.raises(StrangerError, match=STRANGER.recipient):
        admission.admit(Rule([[A], [B], [listed(STRANGER)]]), MINE)
    with pytest.raises(StrangerError, match="3 key groups"):  # keys are not moved between groups here
        Admission(lambda: Rule([[A], [B]], 2)).admit(Rule([[A], [B], [A]]), MINE)


def test_a_setting_of_the_rule_counts_on_every_way_to_change_who_can_open_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A setting that encconf may get later is written in `objection`, and nowhere else."""

    def least(rule: Rule, wanted: Rule, *, before: object = None) -> str:
        count = sum(map(len, wanted.groups))
        return f"only {count} recipients" if count < vars(rule).get("min_recipients", 0) else ""

    monkeypatch.setattr(gate, "objection", least)
    ours = Rule([[A, B, C]])
    vars(ours)["min_recipients"] = 2
    one, two = Rule([[A]]), Rule([[A, B]])
    held, shares = metadata([listed(ME), listed(BOB)]), metadata([listed(ME)], [listed(BOB)], threshold=2)
    for admission in (Admission(lambda: ours), Admission(lambda: ours, named=[A, B, C]), Admission.of(ours)):
        gate.wrap_again(bytes(32), None, two, admission, MINE, NOW)
        gate.wrap_again(bytes(32), metadata([listed(ME)]), two, admission, MINE, NOW)
        merge.refuse_listing(held, admission, metadata([listed(ME)]))
        for act in (
            lambda admission: gate.wrap_again(bytes(32), None, one, admission, MINE, NOW),
            lambda admission: gate.wrap_again(bytes(32), held, one, admission, MINE, NOW),
            lambda admission: gate.wrap_again(bytes(32), shares, one, admission, MINE, NOW),
            lambda admission: gate.wrap_again(
                bytes(32), shares, one, admission.regrouping([[A], [B]]), MINE, NOW
            ),
            lambda admission: admission.admit(one, MINE),
            lambda admission: admission.check(held, one, MINE),
            lambda admission: admission.check(metadata([listed(ME)]), None, MINE, new_data_key=True),
            lambda admission: merge.refuse_listing(metadata([listed(ME)]), admission, held),
            lambda admission: merge.refuse_listing(metadata([listed(ME)]), admission, None),
        ):
            with pytest.raises(StrangerError, match="only 1 recipients"):
                act(admission)


# --- for which recipients a data key is wrapped --------------------------------------------------


def again(held: Metadata, wanted: Rule | None, admission: Admission) -> list[list[WrappedKey]]:
    groups, _ = gate.wrap_again(os.urandom(32), held, wanted, admission, MINE, NOW)
    return groups


def test_one_group_keeps_the_entries_that_it_has() -> None:
    held = metadata([listed(ME), listed(STRANGER)])
    assert again(held, None, Admission()) is held.groups
    ((one, two, new),) = again(
        held, Rule([[*held.groups[0][0:0], listed(ME), listed(STRANGER), named(BOB)]]),
        Admission(named=[named(BOB)]),
    )  # fmt: skip
    assert (one, two) == (held.groups[0][0], held.groups[0][1])
    assert new.enc != "garbage"


@pytest.mark.parametrize(
    ("held", "added"),
    [
        (
            metadata([listed(ME), listed(STRANGER)], spoiled=True),
            [[listed(ME), listed(STRANGER), named(BOB)]],
        ),
        (
            metadata([listed(ME)], [listed(BOB), listed(STRANGER)], threshold=2),
            [[listed(ME), named(BOB)], [listed(BOB), listed(STRANGER)]],
        ),
    ],
    ids=["spoiled, and one is added", "new shares"],
)  # fmt: skip
def test_where_the_file_s_own_entries_are_wrapped_again_strangers_are_refused(
    held: Metadata, added: list[list[MasterKey]]
) -> None:
    wanted = Rule(added, held.threshold or None)
    ours = Rule([[named(ME), named(BOB)]])
    admission = Admission(lambda: ours, named=[named(BOB)])
    for act in (
        lambda: again(held, wanted, admission),
        lambda: admission.check(held, wanted, MINE),
    ):
        with pytest.raises(StrangerError, match=STRANGER.recipient) as caught:
            act()
        assert [key.name for key in caught.value.strangers] == [STRANGER.recipient]


@pytest.mark.parametrize("groups", [[[ME, STRANGER]], [[ME], [STRANGER]]])
def test_while_the_recipients_stay_no_entry_is_wrapped_whatever_it_claims(groups: list[list[Any]]) -> None:
    held = metadata(*([listed(key) for key in group] for group in groups), threshold=2, spoiled=True)
    for wanted in (None, Rule([[named(key) for key in group] for group in groups], 2)):
        assert again(held, wanted, Admission(lambda: Rule([[named(ME), named(STRANGER)]]))) is held.groups


def test_a_new_data_key_for_a_rule_made_from_a_file_needs_an_admission(age_key: AgeKey) -> None:
    text = api.encrypt("a: 1\n", rule(age_key, BOB), credentials=credentials(age_key))
    own = rule_of(Metadata.of(formats.get("yaml").scan(text)))
    opens = credentials(age_key)
    with pytest.raises(StrangerError, match=BOB.recipient):
        sealing.encrypt("a: 2\n", own, format="yaml", credentials=opens)
    with pytest.raises(StrangerError, match=BOB.recipient):
        sealing.encrypt("a: 2\n", own, format="yaml", twin=text, new_data_key=True, credentials=opens)
