"""What is at odds stays in the file, encrypted, and nothing opens the file before somebody has decided."""

from __future__ import annotations

import json
import re

import pytest
from engine import rotated
from git.sides import (
    ALICE,
    BOB,
    CAROL,
    MINE,
    STRANGER,
    changed,
    credentials,
    merge,
    reseal,
    rule,
    seal,
    versions,
)
from merge.corpus import TEXTS, edited
from oracle import FIXTURES, AgeKey, Sops, SopsError

from encconf import api
from encconf.engine import sealing
from encconf.errors import KeyAccessError, MacMismatchError, ParseError, UndecidedError, UnmergedError
from encconf.git.conflict import open_conflict
from encconf.merge import mark, marked
from encconf.merge import merge as merge_texts
from encconf.rules.config import Rule
from encconf.verbs import rekey


def both_changed(format: str) -> tuple[str, str, str]:
    """A conflict, beside one edit of theirs that is none."""
    base, edits = TEXTS[format]
    ours, theirs = base.replace("hunter2", "hunter-ours"), base.replace("hunter2", "hunter-theirs")
    return base, ours, edited(theirs, edits["delete"])


CASES = {format: both_changed(format) for format in TEXTS}
CASES["binary"] = ("one\ntwo\n", "one\nTWO\n", "one\n2\n")
STREAM = "a: 1\nb: 2\n---\nc: 3\n"
CASES["yaml stream"] = (STREAM, STREAM.replace("3", "4"), STREAM.replace("3", "5").replace("1", "6"))
CRLF = "a: 1\r\nb: 2\r\nc: [1, 2]\r\n"
CASES["yaml crlf"] = (CRLF, CRLF.replace("2\r", "3\r"), CRLF.replace("2\r", "4\r"))
CASES["yaml comments"] = ("# a\nx: 1\n", "# b\nx: 1\n", "# c\nx: 1\n")
CASES["yaml layout"] = ("x: 1\n", "x: {a: 1,\n    b: 2}\n", "x:\n    - 1\n")
CASES["yaml deleted"] = ("x: 1\ny: 2\n", "y: 2\n", "x: 3\ny: 2\n")
CASES["yaml emptied"] = ("x: 1\n", "x: 2\n", "y: 2\n")


@pytest.mark.parametrize("name", CASES)
def test_it_goes_into_the_file_and_comes_out(name: str) -> None:
    format = name.split()[0]
    plain = CASES[name]
    base, ours, theirs = versions(*plain, format)
    outcome = merge(base, ours, theirs, format=format, credentials=MINE, labels=("mine", "old", "yours"))
    assert outcome.conflicts
    with pytest.raises(UnmergedError) as error:
        api.decrypt(outcome.text, format=format, credentials=MINE)
    assert "encconf edit" in str(error.value.hint)
    if format != "toml":
        with pytest.raises(SopsError):
            Sops(ALICE.environ()).decrypt(outcome.text, format)
    conflict = open_conflict(outcome.text, format=format, credentials=MINE)
    wanted = merge_texts(*plain, format=format)
    assert conflict.merged.text == wanted.text
    assert conflict.merged.theirs == wanted.theirs
    assert conflict.merged.base == wanted.base
    assert conflict.labels == ("mine", "old", "yours")
    text, size = mark(conflict.merged)
    assert marked(text, size)
    # Whatever is saved is the file, and of what was at odds nothing is left in it.
    again = sealing.encrypt(wanted.theirs, None, format=format, twin=conflict.opened, credentials=MINE)
    assert "encconf_conflict" not in again
    assert api.decrypt(again, format=format, credentials=MINE) == wanted.theirs
    if format != "toml":
        Sops(ALICE.environ()).decrypt(again, format)


def test_it_says_what_is_at_odds() -> None:
    base, ours, theirs = versions(*both_changed("yaml"), "yaml")
    outcome = merge(base, ours, theirs, format="yaml", credentials=MINE)
    assert outcome.conflicts == ["db.password"]
    assert "hunter" not in outcome.text


@pytest.mark.parametrize("members", ["own: *x", "<<: *m", "own: [*x, *m]"])
@pytest.mark.parametrize("which", ["ours", "theirs", "all"])
def test_a_block_with_an_alias_of_an_anchor_outside(members: str, which: str) -> None:
    plain = "x_unencrypted: &x v\nm_unencrypted: &m\n    q: w\na: 1\n"
    texts = versions(plain, plain.replace("a: 1", "a: 2"), plain.replace("a: 1", "a: 3"), "yaml")
    base, ours, theirs = (
        text.replace("sops:\n", f"sops:\n    {members}\n") if which in (name, "all") else text
        for name, text in zip(("base", "ours", "theirs"), texts, strict=True)
    )
    outcome = merge(base, ours, theirs, format="yaml", credentials=MINE)
    assert outcome.conflicts == ["a"]
    conflict = open_conflict(outcome.text, format="yaml", credentials=MINE)
    assert (conflict.merged.text, conflict.merged.theirs) == (
        plain.replace("a: 1", "a: 2"),
        plain.replace("a: 1", "a: 3"),
    )


def test_only_what_is_at_odds_is_marked() -> None:
    text, size = mark(merge_texts(*both_changed("yaml"), format="yaml"))
    assert size == 7
    assert text.count("<<<<<<< ours\n") == 1
    between = re.findall(
        r"<<<<<<< ours\n(.*)\|\|\|\|\|\|\| base\n(.*)=======\n(.*)>>>>>>> theirs\n", text, re.S
    )
    assert between == [tuple(f'  password: "hunter{name}"\n' for name in ("-ours", "2", "-theirs"))]
    assert "pool" not in text


def test_markers_are_longer_where_the_text_has_some() -> None:
    base = "a: 1\nb: |\n  x\n=======\n"  # no YAML, but somebody's text
    text, size = mark(merge_texts(base, base.replace("1", "2"), base.replace("1", "3"), format="binary"))
    assert size == 8
    assert "\n<<<<<<<< ours\n" in f"\n{text}"
    assert not marked(base, size)


def test_a_rotation_and_a_conflict_together() -> None:
    base, ours, theirs = versions(*both_changed("yaml"), "yaml")
    theirs = rotated(theirs, format="yaml", credentials=MINE)
    outcome = merge(base, ours, theirs, format="yaml", credentials=MINE)
    conflict = open_conflict(outcome.text, format="yaml", credentials=MINE)
    assert "hunter-theirs" in conflict.merged.theirs


def test_whoever_is_taken_out_does_not_decide() -> None:
    plain = both_changed("yaml")
    base = api.encrypt(plain[0], rule([ALICE, BOB]), credentials=MINE)
    ours, theirs = (api.encrypt(text, twin=base, credentials=MINE) for text in plain[1:])
    theirs = rotated(theirs, format="yaml", remove=rule([BOB]).groups[0], credentials=MINE)
    merge(base, ours, theirs, format="yaml", credentials=MINE)
    with pytest.raises(UndecidedError):  # his data key opens ours, which does not help
        merge(base, ours, theirs, format="yaml", credentials=credentials(BOB))
    # Taken out without a new data key, he can still read both sides, but write nothing for himself.
    plan = rekey.plan(api.encrypt(plain[2], twin=base, credentials=MINE), rule([ALICE]), format="yaml")
    theirs = rekey.carry_out(plan, rotate=False, credentials=MINE)
    with pytest.raises(UndecidedError, match="can no longer open the file"):
        merge(base, ours, theirs, format="yaml", credentials=credentials(BOB))


# --- who can open it -----------------------------------------------------------------------------


def test_each_takes_the_other_out() -> None:
    base = api.encrypt("a: 1\n", rule([ALICE, BOB]), credentials=MINE)
    ours = rotated(base, format="yaml", remove=rule([BOB]).groups[0], credentials=MINE)
    alice = rule([ALICE]).groups[0]
    theirs = rotated(base, format="yaml", remove=alice, credentials=credentials(BOB))
    both = credentials(ALICE, BOB)
    with pytest.raises(UndecidedError, match="nobody could open the file"):
        merge(base, ours, theirs, format="yaml", credentials=both)


def test_key_groups() -> None:
    """Somebody comes into one group on each side: the data key is split again, into as many parts."""
    base = api.encrypt("a: 1\nb: 2\n", rule([ALICE], [BOB], threshold=2), credentials=MINE)
    both = credentials(ALICE, BOB)
    ours = changed(base, "a: 2\nb: 2\n", rule([ALICE, CAROL], [BOB], threshold=2))
    theirs = api.encrypt("a: 1\nb: 3\n", twin=base, credentials=both)
    for one, other in ((ours, theirs), (theirs, ours)):
        by = rule([ALICE, CAROL], [BOB], threshold=2)
        outcome = merge(base, one, other, format="yaml", credentials=both, by=by)
        assert api.decrypt(outcome.text, credentials=both) == "a: 2\nb: 3\n"
        carol = credentials(CAROL, BOB)
        assert api.decrypt(outcome.text, credentials=carol) == "a: 2\nb: 3\n"
        environ = {"SOPS_AGE_KEY": f"{CAROL.identity}\n{BOB.identity}"}
        assert "b: 3" in Sops(environ).decrypt(outcome.text, "yaml")
        with pytest.raises(KeyAccessError):
            api.decrypt(outcome.text, credentials=MINE)


def test_both_change_what_is_encrypted() -> None:
    from encconf.rules.selection import Selection

    base = seal("a: 1\nb: 2\n", "yaml")
    ours, theirs = (
        api.encrypt(
            "a: 1\nb: 2\n", Rule(rule([ALICE]).groups, None, Selection("encrypted_regex", pattern)),
            twin=base, credentials=MINE,
        )
        for pattern in ("^a$", "^b$")
    )  # fmt: skip
    with pytest.raises(UndecidedError, match="which values are encrypted"):
        merge(base, ours, theirs, format="yaml", credentials=MINE)
    changed = seal("a: 1\nb: 3\n", "yaml", base)
    outcome = merge(base, ours, changed, format="yaml", credentials=MINE)
    assert "b: 3\n" in outcome.text
    assert api.decrypt(outcome.text, credentials=MINE) == "a: 1\nb: 3\n"


# --- without a key -------------------------------------------------------------------------------


def test_a_conflict_is_no_part_of_another_file() -> None:
    """Its ciphertext is bound to the MAC, and so to the values, of the file that it was made in."""
    plain = both_changed("yaml")
    base, ours, theirs = versions(*plain, "yaml")
    first = merge(base, ours, theirs, format="yaml", credentials=MINE).text
    second = merge(
        base, ours, seal(plain[2].replace("alice", "eve"), "yaml", base), format="yaml", credentials=MINE
    ).text
    member = re.compile(r"encconf_conflict: (.*)")
    found = member.search(first)
    assert found is not None
    mixed = member.sub(found[0], second)
    assert mixed != second
    with pytest.raises(MacMismatchError):
        open_conflict(mixed, format="yaml", credentials=MINE)


RECORD = {"base": "a: 1\n", "theirs": "a: 2\n", "paths": ["a"], "labels": ["a", "b", "c"], "whole": False}
WRONG = [
    {"base": 1},
    {"theirs": None},
    {"paths": [1]},
    {"paths": 1},
    {"labels": ["a", "b"]},
    {"labels": [1, 2, 3]},
]
RECORDS = ["", "[]", "{}", "1", json.dumps(RECORD)[:-1], *(json.dumps({**RECORD, **each}) for each in WRONG)]


@pytest.mark.parametrize("record", RECORDS)
def test_a_conflict_that_cannot_be_read(record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the key can write one."""
    texts = versions(*both_changed("yaml"), "yaml")
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda value: record)
        text = merge(*texts, format="yaml", credentials=MINE).text
    with pytest.raises(ParseError, match="the file's conflict cannot be read"):
        open_conflict(text, format="yaml", credentials=MINE)
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda value, dumps=json.dumps: dumps(RECORD))
        text = merge(*texts, format="yaml", credentials=MINE).text
    assert open_conflict(text, format="yaml", credentials=MINE).merged.base == "a: 1\n"


def forged(enc: str, ids: list[str]) -> str:
    """An encrypted text that says it was merged from these, as whoever can push could write it."""
    return re.sub(
        r"(?m)^( +)mac: ", lambda found: f"{found[1]}encconf_merge: {' '.join(ids)}\n{found[0]}", enc
    )


@pytest.mark.parametrize("what", ["plain parents", "plain theirs", "base", "theirs"])
def test_all_parents_must_be_sealed(what: str) -> None:
    """Without the key, no value gets in through made-up parents."""
    plain = "flag_unencrypted: 1\na: {}\nb: {}\n"
    base, ours, theirs = versions(plain.format(1, 1), plain.format(2, 2), plain.format(1, 2), "yaml")
    evil = ours.replace("flag_unencrypted: 1", "flag_unencrypted: 666")
    b = {text: re.findall(r"(?m)^b: .*\n", text)[0] for text in (base, ours)}
    text, *parents = {
        "plain parents": (evil, "flag_unencrypted: 1\n", ours, "flag_unencrypted: 666\n"),
        "plain theirs": (
            evil,
            base,
            ours,
            plain.format(1, 1).replace("flag_unencrypted: 1", "flag_unencrypted: 666"),
        ),
        "base": (ours.replace(b[ours], b[base]), base.replace(b[base], b[ours]), ours, base),
        "theirs": (evil, base, ours, theirs.replace("flag_unencrypted: 1", "flag_unencrypted: 666")),
    }[what]
    ids = [digit * 40 for digit in "abc"]
    with pytest.raises(MacMismatchError):
        reseal(
            forged(text, ids),
            format="yaml",
            credentials=MINE,
            version=dict(zip(ids, parents, strict=True)).get,
        )


def test_no_new_recipient_gets_in_before_it_is_decided() -> None:
    """New keys alone need no MAC; but what a merge has left is not to look as if somebody had seen to it."""
    base, ours, theirs = versions(*both_changed("yaml"), "yaml")
    conflict = merge(base, ours, theirs, format="yaml", credentials=MINE).text
    base, ours, theirs = versions("a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n", "yaml")
    keyless = merge(base, ours, theirs, format="yaml", credentials=STRANGER, parents=lambda: "").text
    for text in (conflict, keyless):
        plan = rekey.plan(text, rule([ALICE, BOB]), format="yaml")
        with pytest.raises(UnmergedError) as error:
            rekey.carry_out(plan, credentials=MINE)
        assert "encconf edit" in str(error.value.hint)


@pytest.mark.parametrize(
    ("format", "base", "ours", "theirs", "comment"),
    [
        ("yaml", "a: v\n", "a:\n  b: 1\n", "a: v # why\n", "# why"),
        ("yaml", "a: v # old\n", "a:\n  b: 1\n", "a: v # new\n", "# new"),
        ("yaml", "a:\n  b: 1\n", "a: v\n", "a:\n  # why\n  b: 1\n", "# why"),
        ("toml", 'a = "v"\n', "a = [1]\n", 'a = "v" # why\n', "# why"),
    ],
)
def test_a_comment_beside_another_value(format: str, base: str, ours: str, theirs: str, comment: str) -> None:
    """One side makes a collection of a value, or the other way round; the other says why it is there."""
    for sides in ((ours, theirs), (theirs, ours)):
        merged = merge_texts(base, *sides, format=format)
        assert merged.conflicts
        assert comment in mark(merged)[0]


def test_a_named_item_that_both_sides_take_out() -> None:
    base = "a:\n- name: x\n  v: 1\n- name: y\n  v: 1\n- name: z\n  v: 1\n"
    gone = base.replace("- name: y\n  v: 1\n", "")
    ours, theirs = gone.replace("x\n  v: 1", "x\n  v: 2"), gone.replace("z\n  v: 1", "z\n  v: 3")
    merged = merge_texts(base, ours, theirs, format="yaml")
    assert (merged.text, merged.conflicts) == ("a:\n- name: x\n  v: 2\n- name: z\n  v: 3\n", [])
    one = merge_texts(base, ours, gone, format="yaml")
    assert (one.text, one.conflicts) == (ours, [])


def test_a_comment_that_one_of_two_new_members_has() -> None:
    base, bare, commented = "a: 1\n", "a: 1\nb: 2\n", "a: 1\nb: 2 # why\n"
    for sides in ((bare, commented), (commented, bare)):
        merged = merge_texts(base, *sides, format="yaml")
        assert (merged.text, merged.conflicts) == (commented, [])


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("ab", "a", "ba"),  # taken out, and moved
        ("ab", "b", "aba"),  # taken out, and repeated
        ("abcd", "abdc", "dabc"),  # moved to two places
        ("a", "ax", "x"),  # added in two places
    ],
)
def test_an_item_that_would_be_there_again(base: str, ours: str, theirs: str) -> None:
    texts = ["".join(["a:\n", *(f"- {item}\n" for item in items)]) for items in (base, ours, theirs)]
    one, other = merge_texts(*texts, format="yaml"), merge_texts(texts[0], *texts[:0:-1], format="yaml")
    assert one.conflicts == other.conflicts == ["a"]


# --- the seal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["encconf conflict 1", "encconf conflict 2", "\xffencconf conflict 2"])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("form", ["new", "first"])
def test_the_seal_cannot_be_removed_without_a_key(mark: str, kept: bool, form: str) -> None:
    if form == "new":
        base, ours, theirs = versions(*both_changed("yaml"), "yaml")
        text, mine = merge(base, ours, theirs, format="yaml", credentials=MINE).text, MINE
    else:
        text = (FIXTURES / "strict1" / "conflict.yaml").read_text()
        mine = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    if not kept:
        text = re.sub(r"(?m)^ *encconf_conflict:.*\n", "", text)
    for spelled in (rf'lastmodified: "\1 {mark}"', rf'lastmodified: "{mark} \1"'):
        bent = re.sub(r'lastmodified: "([^"]*)"', spelled, text)
        assert bent != text
        with pytest.raises((MacMismatchError, UnmergedError)):
            api.loads(bent, credentials=mine)
        with pytest.raises((MacMismatchError, UnmergedError)):
            api.decrypt(bent, credentials=mine)


def test_conflicts_of_before_can_be_resolved() -> None:
    text = (FIXTURES / "strict1" / "conflict.yaml").read_text()
    mine = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    conflict = open_conflict(text, format="yaml", credentials=mine)
    assert (conflict.merged.text, conflict.merged.theirs) == ("a: 1\nb: ours\n", "a: 1\nb: theirs\n")
    with pytest.raises(UnmergedError):
        api.loads(text, credentials=mine)


def test_a_side_with_a_conflict_is_not_merged_without_a_key() -> None:
    base, ours, theirs = versions(*both_changed("yaml"), "yaml")
    conflicting = merge(base, ours, theirs, format="yaml", credentials=MINE).text
    for sides in ((conflicting, theirs), (theirs, conflicting)):
        with pytest.raises(UnmergedError, match="a merge left a conflict in the file") as caught:
            merge(base, *sides, format="yaml", credentials=STRANGER)
        assert caught.value.hint == "resolve it first with: encconf edit FILE"


@pytest.mark.parametrize("value", ["x", "ENC[x]", "[]"])
def test_a_conflict_that_is_no_ciphertext(value: str) -> None:
    text = merge(*versions(*both_changed("yaml"), "yaml"), format="yaml", credentials=MINE).text
    changed_text = re.sub(r"(?m)encconf_conflict: .*$", f"encconf_conflict: {value}", text)
    assert changed_text != text
    with pytest.raises(MacMismatchError, match="conflict was changed without its key"):
        open_conflict(changed_text, format="yaml", credentials=MINE)
