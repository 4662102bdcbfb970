"""Text to text: other keys, other groups and new data keys."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import engine
import pytest
from engine import changed_lines, credentials, rotated, rule
from formats.edited import YAML
from oracle import AgeKey, Sops

from encconf import api
from encconf.audit.names import Names
from encconf.engine import sealing
from encconf.engine.admission import Admission
from encconf.errors import (
    ConfigError,
    EmptyGroupError,
    EncconfError,
    MacMismatchError,
    MetadataError,
    NotEncryptedError,
    PlaintextError,
    StrangerError,
    UnmergedError,
)
from encconf.keys import master_key
from encconf.rules import config
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.verbs import rekey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from encconf.engine.recipients import Plan
    from encconf.keys import MasterKey


def planned_rotation(enc: str, remove: Sequence[MasterKey] = ()) -> Plan:
    return rekey.plan_change(
        enc, lambda rule: rekey.with_keys(rule, (), remove), format="yaml", new_data_key=True
    )


class TestTexts:
    def test_rotate(self, age_key: AgeKey, sops: Sops) -> None:
        open_with, other = credentials(age_key), AgeKey.generate()
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        notes: list[str] = []
        after = rotated(
            enc,
            format="yaml",
            add=[master_key("age", other.recipient)],
            remove=[master_key("age", AgeKey.generate().recipient)],
            credentials=open_with,
            notify=notes.append,
        )
        assert "has no key" in notes[0]
        assert api.decrypt(after, format="yaml", credentials=credentials(other)) == YAML
        sops.decrypt(after, "yaml")
        ours = {line for line in enc.splitlines() if "ENC[" in line}
        assert not ours & set(after.splitlines())
        with pytest.raises(ConfigError):
            rotated(enc, format="yaml", remove=[master_key("age", age_key.recipient)], credentials=open_with)

    def test_somebody_comes(self, age_key: AgeKey) -> None:
        open_with, other = credentials(age_key), AgeKey.generate()
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        plan = rekey.plan(enc, rule(age_key, other), format="yaml")
        assert (plan.changes, plan.removes) == (True, False)
        after = rekey.carry_out(plan, credentials=open_with)
        assert api.decrypt(after, format="yaml", credentials=credentials(other)) == YAML
        # Values, MAC and the first entry are the bytes that they were.
        assert changed_lines(enc, after)[0] == []

    @pytest.mark.parametrize("rotate", [True, False])
    def test_somebody_goes(self, age_key: AgeKey, rotate: bool) -> None:
        other = AgeKey.generate()
        enc = api.encrypt(YAML, rule(age_key, other), format="yaml", credentials=credentials(age_key))
        plan = rekey.plan(enc, rule(age_key), format="yaml")
        assert plan.removes
        after = rekey.carry_out(plan, rotate=rotate, credentials=credentials(age_key))
        assert api.decrypt(after, format="yaml", credentials=credentials(age_key)) == YAML
        with pytest.raises(EncconfError):
            api.decrypt(after, format="yaml", credentials=credentials(other))
        kept = {line for line in enc.splitlines() if "ENC[" in line} & set(after.splitlines())
        assert bool(kept) is not rotate

    def test_the_selection_follows(self, age_key: AgeKey) -> None:
        open_with = credentials(age_key)
        first = Selection("encrypted_regex", "^b$")
        enc = api.encrypt(YAML, rule(age_key, selection=first), format="yaml", credentials=open_with)
        assert "two  # c" in enc
        wanted = rule(age_key)
        assert not rekey.plan(enc, wanted, format="yaml").changes
        other = Selection("encrypted_regex", "^l$")
        with pytest.raises(PlaintextError, match=r"in the file: a\.b"):
            rekey.plan(enc, wanted, format="yaml", selection=other)
        plan = rekey.plan(enc, wanted, format="yaml", selection=other, allow_plaintext=True)
        after = rekey.carry_out(plan, credentials=open_with)
        assert "two  # c" not in after
        assert 'b: "x"' in after
        assert api.decrypt(after, format="yaml", credentials=open_with) == YAML

    def test_a_threshold_of_one_group_and_the_selection_of_one_value_are_no_change(
        self, age_key: AgeKey
    ) -> None:
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=credentials(age_key))
        enc = enc.replace("    version: ", "    shamir_threshold: 1\n    version: ")
        assert not rekey.plan(enc, rule(age_key), format="yaml").changes
        enc = api.encrypt("x\n", rule(age_key), format="binary", credentials=credentials(age_key))
        plan = rekey.plan(enc, rule(age_key), format="binary", selection=Selection("encrypted_regex", "^x$"))
        assert (plan.reselects, plan.changes) == (False, False)

    def test_who_was_removed_before_makes_a_new_data_key_and_has_seen_the_values(
        self, age_key: AgeKey
    ) -> None:
        left, other = (master_key("age", AgeKey.generate().recipient) for _ in range(2))
        enc = api.encrypt("a: 1\n", rule(age_key), format="yaml", credentials=credentials(age_key))
        plan = rekey.plan(enc, rule(age_key), format="yaml")
        assert plan.seen() is None
        plan = plan.replace(leavers=(left,))
        assert (plan.changes, plan.removes) == (True, False)
        assert (plan.renews(), plan.renews(rotate=False)) == (True, False)
        assert (seen := plan.seen()) is not None
        assert (seen.paths, seen.alone) == ([("a",)], True)
        both = rekey.plan_lines(plan.replace(leavers=(left, other)), rotate=True)
        assert both == [
            "every value is re-encrypted with a new data key, because these know the old one and were "
            f"removed before: {left.name}, {other.name}"
        ]
        # With two groups, nobody knows which one they were in: they may have needed keys of the other.
        groups = [[master_key("age", age_key.recipient)], [other]]
        enc = api.encrypt("a: 1\n", Rule(groups, 2), format="yaml", credentials=credentials(age_key))
        plan = rekey.plan(enc, Rule(groups, 2), format="yaml")
        assert (plan.thresholds, plan.changes) == ((2, 2), False)
        plan = plan.replace(leavers=(left,))
        assert (seen := plan.seen()) is not None
        assert not seen.alone

    def test_who_is_not_admitted_gets_no_data_key(self, age_key: AgeKey) -> None:
        other = master_key("age", AgeKey.generate().recipient)
        enc = api.encrypt("a: 1\n", rule(age_key), format="yaml", credentials=credentials(age_key))
        ours = Admission(lambda: rule(age_key))
        plan = rekey.plan_change(
            enc, lambda rule: rekey.with_keys(rule, [other]), format="yaml", admission=ours
        )
        with pytest.raises(StrangerError):
            rekey.carry_out(plan, credentials=credentials(age_key))
        plan = plan.replace(admission=ours.naming([other]))
        assert other.name in rekey.carry_out(plan, credentials=credentials(age_key))
        unchanged = rekey.with_keys(rule(age_key), remove=[other])  # nothing to say to anyone
        assert unchanged.groups == rule(age_key).groups

    def test_a_long_list_of_what_somebody_has_seen(self) -> None:
        seen = {"bob": {tuple(f"path{number}" for number in range(30)): ["a.yaml"]}}
        whole, short = rekey.seen_text(seen), rekey.seen_text(seen, short=True)
        assert (whole.count("path"), whole.count("\n")) == (30, 32)
        assert (short.count("path"), short.count("\n")) == (18, 21)
        assert "… 30 values in 1 file in all" in short

    def test_a_selection_that_exposes_only_comments_is_refused(self, age_key: AgeKey) -> None:
        enc = api.encrypt('# c\na: ""\n', rule(age_key), format="yaml", credentials=credentials(age_key))
        other = Selection("encrypted_regex", "^x$")
        with pytest.raises(PlaintextError, match="in the file: 1 comment"):
            rekey.plan(enc, rule(age_key), format="yaml", selection=other)

    @pytest.mark.parametrize("of_sops", [False, True])
    def test_an_encrypted_comment_that_exposes_a_value_is_refused(
        self, age_key: AgeKey, sops: Sops, of_sops: bool
    ) -> None:
        """Whether it does is known only when the comment is decrypted."""
        text = "# free\na: x\nl:\n    # secret\n    - y\n    # free\n    - z\n# secret\nb: y\n"
        who, other = credentials(age_key), Selection("unencrypted_comment_regex", "free")
        enc = api.encrypt(text, rule(age_key), format="yaml", credentials=who)
        if of_sops:
            enc = sops.encrypt(text, "yaml", age=age_key.recipient)
        plan = rekey.plan(enc, rule(age_key), format="yaml", selection=other)
        with pytest.raises(PlaintextError) as caught:
            rekey.carry_out(plan, credentials=who)
        assert caught.value.message.endswith("in the file: 2 comments, a, l[1]")
        plan = rekey.plan(enc, rule(age_key), format="yaml", selection=other, allow_plaintext=True)
        after = rekey.carry_out(plan, credentials=who)
        assert "# free\na: x\n" in after
        assert " - z\n" in after

    def test_unknown_metadata_stays(self, age_key: AgeKey) -> None:
        open_with = credentials(age_key)
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        enc = enc.replace("    version: ", "    future: kept\n    version: ")
        other = AgeKey.generate()
        plan = rekey.plan(enc, rule(age_key, other), format="yaml")
        for after in (
            rotated(enc, format="yaml", credentials=open_with),
            rekey.carry_out(plan, credentials=open_with),
            engine.change(enc, "yaml", (("x",), 1), credentials=open_with),
        ):
            assert "future: kept" in after

    def test_who_shuts_somebody_out_gets_a_new_data_key(self, age_key: AgeKey) -> None:
        """Also in rare cases: what the old parts give when combined must not open the new file."""
        a, b, c = ([master_key("age", AgeKey.generate().recipient)] for _ in range(3))
        own = master_key("age", age_key.recipient)
        groups = [[own, *a], [own, *b], c]
        enc = api.encrypt(
            YAML,
            Rule(groups, 2, rule(age_key).selection, ""),
            format="yaml",
            credentials=credentials(age_key),
        )
        ours = {line for line in enc.splitlines() if ": ENC[" in line and "mac" not in line}
        for wanted, threshold, removes in (
            (groups, 2, False),
            ([groups[0], groups[1], [*c, *a]], 2, False),
            (groups, 3, True),
            (groups, None, True),
            ([[own, *b], [own, *a], c], 2, True),
            ([*groups, [own]], 2, True),
            (groups[:2], 2, True),
        ):
            plan = rekey.plan(enc, Rule(wanted, threshold), format="yaml")
            assert (plan.removes, plan.renews()) == (removes, removes)
            assert not plan.renews(rotate=False)
            if (threshold or 9) < 3:
                after = rekey.carry_out(plan, credentials=credentials(age_key))
                assert (not ours & set(after.splitlines())) is removes
            again = sealing.encrypt(
                YAML.replace("two", "2wo"),
                Rule(wanted, threshold, plan.rule.selection, ""),
                format="yaml",
                twin=enc,
                edits_twin=True,
                credentials=credentials(age_key),
            )
            assert (not ours & set(again.splitlines())) is removes

    def test_groups(self, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=credentials(age_key))
        group = [master_key("age", other.recipient)]
        plan = rekey.plan_change(enc, lambda rule: rekey.with_group(rule, group, None), format="yaml")
        assert plan.thresholds == (0, 2)
        two = rekey.carry_out(plan, credentials=credentials(age_key))
        assert api.decrypt(two, format="yaml", credentials=credentials(age_key, other)) == YAML
        for one in (age_key, other):
            with pytest.raises(EncconfError):
                api.decrypt(two, format="yaml", credentials=credentials(one))
        plan = rekey.plan_change(two, lambda rule: rekey.without_group(rule, 0, 1), format="yaml")
        last = rekey.carry_out(plan, credentials=credentials(age_key, other))
        assert api.decrypt(last, format="yaml", credentials=credentials(other)) == YAML
        assert "shamir_threshold" not in last


SHAPES = {"a": 0, "ab": 0, "b a": 2, "ab c": 2, "a b c": 2, "c b": 2, "a  b c": 3}
"""Key groups, with how many of them are needed; two blanks instead of a threshold mean that all are."""


NAMES = {name: AgeKey.generate().recipient for name in "abc"}


class TestWords:
    """What a plan changes, for every change from one of some key groups to another."""

    def configuration(self, shape: str) -> str:
        groups = ", ".join(f"{{age: [{', '.join(map(NAMES.get, each))}]}}" for each in shape.split())
        threshold = "" if SHAPES[shape] == 0 or "  " in shape else f", shamir_threshold: {SHAPES[shape]}"
        return f"creation_rules: [{{key_groups: [{groups}]{threshold}}}]\n"

    def plan(self, old: str, new: str) -> Plan:
        before, after = (
            config.load("/x/.sops.yaml", self.configuration(shape)).rule(0) for shape in (old, new)
        )
        enc = api.encrypt("a: 1\nb: x\n", before, format="yaml", credentials=credentials())
        return rekey.plan(enc, after, format="yaml")

    def test_group_by_group_as_sops_does(self, sops: Sops, tmp_path: Path) -> None:
        pairs = [*itertools.combinations(SHAPES, 2), *zip([*SHAPES][1:], SHAPES, strict=False)]
        for old, new in [*pairs, ("ab", "ab"), ("ab c", "ab c")]:
            plan = self.plan(old, new)
            (tmp_path / "a.yaml").write_text(plan.document.text)
            (tmp_path / ".sops.yaml").write_text(self.configuration(new))
            done = sops.run("updatekeys", "a.yaml", cwd=tmp_path, input="n\n", check=False)
            _, asks, said = done.stdout.decode().partition("The following changes will be made to")
            theirs = [line for line in said.splitlines()[1:-1] if "shamir_threshold" not in line]
            assert rekey.group_lines(plan) == theirs or not asks, (old, new)
            assert plan.changes is (bool(asks) or SHAPES[old] != SHAPES[new]), (old, new)
            if SHAPES[old] == SHAPES[new] == 2 and asks:
                assert rekey.threshold_lines(*plan.thresholds) == [said.splitlines()[1]]

    def test_how_many_groups_are_needed(self) -> None:
        for old, new in itertools.product(SHAPES, SHAPES):
            before, after = SHAPES[old], SHAPES[new]
            said = [f"+++ shamir_threshold: {after}", f"--- shamir_threshold: {before}"]
            if before == after:
                said = [f"shamir_threshold: {after}"]
            said = [line for line in said if not line.endswith(" 0")]
            assert rekey.threshold_lines(*self.plan(old, new).thresholds) == said, (old, new)

    def test_whoever_cannot_open_the_file_any_more_makes_a_new_data_key(self) -> None:
        def opens(shape: str, keys: Iterable[str]) -> bool:
            return sum(not set(keys).isdisjoint(group) for group in shape.split()) >= max(SHAPES[shape], 1)

        everyone = [set(keys) for size in range(4) for keys in itertools.combinations("abc", size)]
        for old, new in itertools.product(SHAPES, SHAPES):
            plan = self.plan(old, new)
            loses = any(opens(old, keys) and not opens(new, keys) for keys in everyone)
            assert plan.removes or not loses, (old, new)
            grows = all(set(each) <= set(more) for each, more in zip(old.split(), new.split(), strict=False))
            if len(plan.old) == len(plan.new) and grows and SHAPES[old] >= SHAPES[new]:
                assert not plan.removes, (old, new)
            gone = set(old) - set(new) - {" "}
            assert {key.name for key in plan.removed} == {NAMES[each] for each in gone}
            seen = plan.seen()
            assert (seen is not None) is bool(gone), (old, new)
            assert seen is None or seen.alone is opens(old, gone), (old, new)

    def test_what_becomes_of_the_data_key(self) -> None:
        adds, removes, stays = self.plan("a", "ab"), self.plan("ab", "a"), self.plan("a", "a")
        moves = self.plan("ab c", "a b c")
        left = master_key("age", NAMES["c"])
        renewed = "every value is re-encrypted with a new data key"
        knows = ", because a removed recipient knows the old one"
        before = f", because {left.name} knows the old one and was removed before"
        for plan, rotate, said in (
            (adds, True, []),
            (adds, False, []),
            (adds.replace(new_data_key=True), False, [renewed]),
            (removes, True, [renewed + knows]),
            (removes, False, ["the data key is kept, although a removed recipient knows it"]),
            (removes.replace(new_data_key=True), False, [renewed + knows]),
            (moves, True, [renewed]),
            (moves, False, ["the data key is kept, although removed recipients know it"]),
            (stays, True, []),
            (stays.replace(new_data_key=True), False, [renewed]),
            (stays.replace(leavers=(left,)), True, [renewed + before]),
            (stays.replace(leavers=(left,)), False, []),
            (removes.replace(leavers=(left,)), True, [renewed + before]),
            (
                adds.replace(locks_out=True),
                True,
                ["your own key is removed, and you cannot open the file any more"],
            ),
        ):
            groups = [] if plan.document is stays.document else rekey.group_lines(plan)
            groups = [*rekey.threshold_lines(*plan.thresholds), *groups]
            assert rekey.plan_lines(plan, rotate=rotate) == [*groups, *said]
            assert plan.renews(rotate=rotate) is (renewed in "".join(said))

    def test_keys_have_their_names(self) -> None:
        names = Names()
        names.add_text(f"creation_rules:\n  - age:\n      - {NAMES['a']} # alice\n")
        names.add_old(".sops.yaml", f"creation_rules:\n  - age:\n      - {NAMES['b']} # bob\n")
        assert rekey.plan_lines(self.plan("ab", "a b c"), rotate=False, names=names)[1:-1] == [
            "Group 1",
            f"    {NAMES['a']} (alice)",
            f"--- {NAMES['b']} (bob, former)",
            "Group 2",
            f"+++ {NAMES['b']} (bob, former)",
            "Group 3",
            f"+++ {NAMES['c']}",
        ]
        gone = tuple(master_key("age", NAMES[each]) for each in "ab")
        for leavers, said in (
            (gone[:1], f"because alice ({NAMES['a']}) knows the old one and was removed before"),
            (
                gone,
                "because these know the old one and were removed before: "
                f"alice ({NAMES['a']}), bob (former, {NAMES['b']})",
            ),
        ):
            (line,) = rekey.plan_lines(self.plan("a", "a").replace(leavers=leavers), rotate=True, names=names)
            assert line == f"every value is re-encrypted with a new data key, {said}"

    @pytest.mark.parametrize("count", [1, 10, 11, 30])
    def test_many_files(self, count: int) -> None:
        names = [f"f{number}.yaml" for number in range(count)]
        few = names if count <= 10 else ["f0.yaml", "f1.yaml", "f2.yaml", f"and {count - 3} more files"]
        plans = {("one", "two"): names, ("three",): ["new\nline"]}
        for short, shown in ((False, names), (True, few)):
            said = rekey.plans_text(plans, short=short)
            assert said.split("\n\n") == ["\n".join([*shown, "  one", "  two"]), "new\\nline\n  three\n"]

    @pytest.mark.parametrize("paths", [1, 5, 18, 19, 30])
    def test_many_values_that_somebody_has_seen(self, paths: int) -> None:
        every = [f"path{number}" for number in range(paths)]
        seen = {"bob": {tuple(every): ["a.yaml"]}, "eve": {("x", "y"): ["b.yaml", "c.yaml"]}}
        first = ["bob could read these values. Change them at their source:", "a.yaml"]
        first += [f"  {each}" for each in every]
        last = [
            "eve could read these values. Change them at their source:",
            "b.yaml",
            "c.yaml",
            "  x",
            "  y",
            "",
        ]
        assert rekey.seen_text(seen).split("\n\n") == ["\n".join(first), "\n".join(last)]
        if len(first) > 20:
            more = "--verbose lists them, and --checklist FILE writes a list to tick off"
            first[20:] = [f"… {paths} values in 1 file in all: {more}"]
        assert rekey.seen_text(seen, short=True).split("\n\n") == ["\n".join(first), "\n".join(last)]

    def test_values_in_many_files_are_counted_for_each(self) -> None:
        seen = {"bob": {tuple("abcdefghijklmnop"): ["1", "2", "3"], ("x",): ["4"]}}
        assert "… 49 values in 4 files in all" in rekey.seen_text(seen, short=True)


def test_rotate_changes_no_layout(sops: Sops, age_key: AgeKey) -> None:
    """The values of a file of sops's stay on the lines where they are."""
    text = 'a: b\nm: |\n    x\n    y\nn: |+\n    x\n\nl:\n    - |\n        z\n    - "22:22"\nf: .inf\n'
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    ours = rotated(theirs, format="yaml", credentials=credentials(age_key))

    def layout(sealed: str) -> str:
        return re.sub(r"ENC\[.*?\]", "ENC", sealed.partition("sops:")[0])

    assert layout(ours) == layout(theirs)
    assert sops.decrypt(ours, "yaml") == sops.decrypt(theirs, "yaml")


def keys(count: int) -> list[MasterKey]:
    return [master_key("age", AgeKey.generate().recipient) for _ in range(count)]


class TestRules:
    """What becomes of the rule that a file was encrypted by."""

    SELECTION = Selection("encrypted_regex", "^a$")

    def rule(self, *groups: list[MasterKey], threshold: int | None = None) -> Rule:
        return Rule(list(groups), threshold, self.SELECTION, "the file itself")

    def test_a_rule_without_groups_gets_its_first(self) -> None:
        a, b = keys(2)
        assert rekey.with_keys(Rule([]), [a, b]).groups == [[a, b]]

    def test_keys_are_added_to_the_first_group_and_removed_from_all(self) -> None:
        a, b, c, new = keys(4)
        before = self.rule([a, b], [b, c], threshold=2)
        after = rekey.with_keys(before, [new, new, a], [b])
        assert after.groups == [[a, new], [c]]
        assert (after.threshold, after.selection) == (2, self.SELECTION)
        assert before.groups == [[a, b], [b, c]]

    def test_the_last_key_of_a_group_stays(self) -> None:
        a, b = keys(2)
        with pytest.raises(EmptyGroupError):
            rekey.with_keys(self.rule([a], [b]), [], [b])
        assert rekey.with_keys(self.rule([a], [b]), keys(1), [a]).groups[1] == [b], "its place is taken"

    def test_a_key_that_is_not_there(self) -> None:
        a, b = keys(2)
        notes: list[str] = []
        assert rekey.with_keys(self.rule([a]), [], [b], notify=notes.append).groups == [[a]]
        assert notes == [f"the file has no key age {b.name}"]

    @pytest.mark.parametrize(
        ("threshold", "given", "after"), [(None, None, None), (2, None, 2), (2, 3, 3), (None, 1, 1)]
    )
    def test_one_group_more(self, threshold: int | None, given: int | None, after: int | None) -> None:
        a, b, c = keys(3)
        found = rekey.with_group(self.rule([a], [b], threshold=threshold), [c, c], given)
        assert found.groups == [[a], [b], [c]]
        assert (found.threshold, found.selection) == (after, self.SELECTION)

    def test_no_group_without_keys(self) -> None:
        with pytest.raises(EmptyGroupError):
            rekey.with_group(self.rule(keys(1)), [], None)

    def test_one_group_less(self) -> None:
        a, b, c = keys(3)
        three = self.rule([a], [b], [c], threshold=2)
        found = rekey.without_group(three, 1, None)
        assert (found.groups, found.threshold) == ([[a], [c]], 2)
        assert three.groups == [[a], [b], [c]]
        assert rekey.without_group(self.rule([a], [b]), 0, None).groups == [[b]]
        one = rekey.without_group(self.rule([a], [b], threshold=2), 0, 1)
        assert (one.groups, one.threshold) == ([[b]], None), "one group has no threshold"

    @pytest.mark.parametrize(
        ("count", "threshold", "index", "given", "why"),
        [
            (2, 2, 0, None, "impossible to satisfy: it is 2, and 1 key group is left"),
            (3, None, 0, 3, "impossible to satisfy"),
            (2, 1, 2, 1, "no key group 2: it has 2"),
            (2, 1, -1, 1, "no key group -1"),
            (1, None, 0, 1, "the only key group"),
        ],
    )
    def test_groups_that_have_to_stay(
        self, count: int, threshold: int | None, index: int, given: int | None, why: str
    ) -> None:
        groups = [[key] for key in keys(count)]
        with pytest.raises(ConfigError, match=why):
            rekey.without_group(self.rule(*groups, threshold=threshold), index, given)


class TestWhatHasNoPlan:
    def test_a_text_that_is_not_encrypted(self, age_key: AgeKey) -> None:
        with pytest.raises(NotEncryptedError):
            rekey.plan("a: 1\n", rule(age_key), format="yaml")
        with pytest.raises(NotEncryptedError):
            planned_rotation("a: 1\n")
        with pytest.raises(NotEncryptedError):
            rekey.plan_change("a: 1\n", lambda rule: rule, format="yaml")
        with pytest.raises(MetadataError):
            rekey.plan_change("a: 1\nsops: 1\n", lambda rule: rule, format="yaml")

    def test_a_group_without_keys(self, age_key: AgeKey) -> None:
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=credentials(age_key))
        with pytest.raises(EmptyGroupError):
            rekey.plan(enc, Rule([*rule(age_key).groups, []]), format="yaml")


def test_the_same_keys_change_nothing(age_key: AgeKey) -> None:
    enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=credentials(age_key))
    assert not rekey.plan_change(enc, lambda rule: rule, format="yaml").changes
    assert not rekey.plan_change(
        enc, lambda by: rekey.with_keys(by, rule(age_key).groups[0]), format="yaml"
    ).changes
    assert planned_rotation(enc).changes


def test_what_could_be_read_is_listed_before_it_is_changed(age_key: AgeKey) -> None:
    other = AgeKey.generate()
    enc = api.encrypt(YAML, rule(age_key, other), format="yaml", credentials=credentials(age_key))
    plan = planned_rotation(enc, [master_key("age", other.recipient)])
    seen = plan.seen()
    assert seen is not None
    assert seen.alone
    assert ("a", "b") in seen.paths
    assert planned_rotation(enc).seen() is None


def test_an_unfinished_merge_keeps_its_recipients(age_key: AgeKey) -> None:
    """The record of the merge is bound to the recipients of that time."""
    enc = api.encrypt("a: 1\n", rule(age_key), format="yaml", credentials=credentials(age_key))
    text = enc.replace("    version: ", "    encconf_merge: x y z\n    version: ")
    plan = rekey.plan_change(text, lambda by: rekey.with_keys(by, keys(1)), format="yaml")
    with pytest.raises(UnmergedError):
        rekey.carry_out(plan, credentials=credentials(age_key))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("".join(f"k{number}: x\n" for number in range(23)), "k18, k19 and 3 more"),
        ("".join(f"k{number}: x\n" for number in range(20)), "k18, k19"),
        ("# one\na: x\n# two\nb: y\n", "2 comments, a, b"),
        ("# one\na: x\n", "1 comment, a"),
    ],
)
def test_what_a_rule_would_put_into_plaintext_is_named(age_key: AgeKey, text: str, said: str) -> None:
    enc = api.encrypt(text, rule(age_key), format="yaml", credentials=credentials(age_key))
    nothing = Selection("encrypted_regex", "^nothing$")
    with pytest.raises(PlaintextError) as caught:
        rekey.plan(enc, rule(age_key), format="yaml", selection=nothing)
    assert caught.value.message.endswith(said)
    assert (caught.value.hint or "").endswith("unencrypted_suffix: _unencrypted")


def test_a_changed_file_gets_a_new_data_key_only_if_that_is_meant(age_key: AgeKey) -> None:
    who = credentials(age_key)
    bent = api.encrypt("a: 1\nb_unencrypted: free\n", rule(age_key), credentials=who).replace("free", "bent")
    with pytest.raises(MacMismatchError):
        rotated(bent, format="yaml", credentials=who)
    after = rotated(bent, format="yaml", credentials=who, ignore_mac=True)
    assert api.loads(after, credentials=who) == {"a": 1, "b_unencrypted": "bent"}
