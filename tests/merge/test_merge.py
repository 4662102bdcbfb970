"""Merges by hand: what each mechanism decides, one small case each."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oracle import AgeKey

from encconf import api
from encconf.engine import rekey
from encconf.errors import StrangerError, UndecidedError
from encconf.git import block as blocks
from encconf.git import merge as merging
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.merge import Merged, mark, marked, merge, size_for
from encconf.merge.reading import read
from encconf.merge.weave import merge_items
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

ALICE, BOB, CAROL, DAVE = (AgeKey.generate() for _ in range(4))
ALL = Credentials({"SOPS_AGE_KEY": "\n".join(key.identity for key in (ALICE, BOB, CAROL, DAVE))})
STRANGER = Credentials(AgeKey.generate().environ())


def rule(*groups: list[AgeKey], threshold: int | None = None) -> Rule:
    return Rule([[Recipient.from_config(key.recipient) for key in group] for group in groups], threshold)


def listed(items: str) -> str:
    return "".join(["l:\n", *(f"- {item}\n" for item in items)])


# --- sequences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("cd", "c", "z", None),  # one takes out, the other writes all anew
        ("abc", "ac", "azc", None),  # one takes out what the other has made another
        ("abc", "xbc", "aby", "xby"),
        ("abc", "bca", "abz", "bza"),
        ("abcd", "bcd", "abcx", "bcx"),
        ("ab", "b", "az", "z"),
    ],
)
def test_g_lists(base: str, ours: str, theirs: str, merged: str | None) -> None:
    for sides in ((ours, theirs), (theirs, ours)):
        found = merge(listed(base), *map(listed, sides), format="yaml")
        assert found.conflicts == ([] if merged is not None else ["l"])
        assert found.text == listed(merged if merged is not None else sides[0])


def test_g_items_in_step_only_where_all_are_in_their_places() -> None:
    """A list of the same length may be another one: its items have moved by one."""
    slots = merge_items("abc", "bcx", "abz", "ours").slots
    assert (0, 0, 0) not in slots
    assert merge_items("abc", "axc", "ayc", "ours").slots[1] == (1, 1, 1)


# --- mappings and documents ----------------------------------------------------------------------


def test_g_an_entry_taken_out_and_changed() -> None:
    base, gone, changed = "x: 1\ny: 2\n", "y: 2\n", "x: 3\ny: 2\n"
    for ours, theirs in ((gone, changed), (changed, gone)):
        found = merge(base, ours, theirs, format="yaml")
        assert (found.text, found.base, found.theirs, found.conflicts) == (ours, base, theirs, ["x"])


def test_g_a_named_item_taken_out_and_changed() -> None:
    """The rest of the list is merged in all three texts."""

    def items(**values: int) -> str:
        return "l:\n" + "".join(f"- name: {name}\n  v: {value}\n" for name, value in values.items())

    gone, changed = items(b=1, c=1), items(a=2, b=2)
    for ours, theirs in ((gone, changed), (changed, gone)):
        found = merge(items(a=1, b=1), ours, theirs, format="yaml")
        assert found.conflicts == ["l"]
        assert found.base == items(a=1, b=2, c=1)
        wanted = {gone: items(b=2, c=1), changed: items(a=2, b=2, c=1)}
        assert (found.text, found.theirs) == (wanted[ours], wanted[theirs])


@pytest.mark.parametrize(
    ("format", "base", "path"),
    [
        ("yaml", "a: 1\n", "a"),
        ("yaml", "b: 2\n---\na: 1\n", "[1].a"),
        ("json", '{"a": 1}\n', "a"),
        ("ini", "[s]\na = 1\n", '["section.s"].a'),
        ("dotenv", "a=1\n", "a"),
    ],
)
def test_g_the_path_of_a_conflict(format: str, base: str, path: str) -> None:
    found = merge(base, base.replace("1", "8"), base.replace("1", "9"), format=format)
    assert (found.conflicts, found.whole) == ([path], False)


@pytest.mark.parametrize(
    "text",
    [
        "--- # x\n# a\n...\n",
        "%YAML 1.1\n---\n# a\n",
        "--- {a: 1} # x\n...\n# y\n",
        "# only\n",
        "\n",
        "--- # x\na: 1\n... # y\n",
        "a: 1\n---\n# b\n---\nc: 1\n",
    ],
)
def test_g_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert read(text, "yaml").tree.text == text


def test_g_a_document_keeps_its_markers() -> None:
    found = merge(
        "--- # x\n# a\n...\n", "--- # x\n# a\nk: 1\n...\n", "--- # x\n# a\n# b\n...\n", format="yaml"
    )
    assert (found.text, found.conflicts) == ("--- # x\n# a\nk: 1\n# b\n...\n", [])
    empty = "a: 1\n# x\nb: 2\n---\n"
    found = merge(empty, empty.replace("1", "3"), empty.replace("2", "4"), format="yaml")
    assert (found.text, found.conflicts) == ("a: 3\n# x\nb: 4\n---\n", [])
    found = merge("--- {a: 1}\n...\n", "--- {a: 1, b: 2}\n...\n", "--- {a: 3}\n... # x\n", format="yaml")
    assert (found.text, found.conflicts) == ("--- {a: 3, b: 2}\n... # x\n", [])


# --- comments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "base"),
    [
        ("yaml", "a: 1\nk: 1\n# x \nb: 2\n"),
        ("yaml", "m:\n  a: 1\n  k: 1\n  # x \n  b: 2\n"),
        ("dotenv", "a=1\nk=1\n# x \nb=2\n"),
        ("ini", "[s]\na = 1\nk = 1\n# x \nb = 2\n"),
        ("toml", "a = 1\nk = 1\n# x \nb = 2\n"),
    ],
)
def test_d4_blanks_behind_a_comment(format: str, base: str) -> None:
    """One side takes them out, the other changes a value somewhere: git has no conflict there."""
    trimmed, changed = base.replace("# x \n", "# x\n"), re.sub(r"(a ?[:=] ?)1", r"\g<1>5", base)
    wanted = changed.replace("# x \n", "# x\n")
    for ours, theirs in ((trimmed, changed), (changed, trimmed)):
        found = merge(base, ours, theirs, format=format)
        assert (found.text, found.conflicts) == (wanted, [])
        # Whoever adds blanks is heard, too.
        assert merge(wanted, changed, changed, format=format).text == changed


def test_d4_both_sides_change_the_blanks() -> None:
    found = merge("a: 1\n# x \nb: 2\n", "a: 1\n# x  \nb: 2\n", "a: 1\n# x\nb: 3\n", format="yaml")
    assert (found.text, found.conflicts) == ("a: 1\n# x  \nb: 3\n", [])


@pytest.mark.parametrize("start", ["---\n", ""])
def test_d5_a_comment_in_a_document_without_values(start: str) -> None:
    base, filled, more = f"{start}# a\n", f"{start}# a\nk: v\n", f"{start}# a\n# b\n"
    for ours, theirs in ((filled, more), (more, filled)):
        found = merge(base, ours, theirs, format="yaml")
        assert found.conflicts == []
        assert sorted(found.text.splitlines()) == sorted([*filled.splitlines(), "# b"])
    emptied = merge(filled, base, f"{start}# a\nk: v\n# b\n", format="yaml")
    assert (emptied.text, emptied.conflicts) == (more, [])


def test_d5_a_comment_behind_the_sign_of_a_block_scalar() -> None:
    """One side explains a value, the other changes it."""
    base = "a: |-\n  one\n  two\nb: 1\n"
    told, changed = base.replace("|-", "|- # why"), base.replace("two", "three")
    for ours, theirs in ((told, changed), (changed, told)):
        found = merge(base, ours, theirs, format="yaml")
        assert (found.text, found.conflicts) == (changed.replace("|-", "|- # why"), [])
        for other in ("a: x\nb: 1\n", "b: 2\n"):
            assert merge(base, told, other, format="yaml").conflicts


def test_d5_a_comment_that_no_side_takes_out_stays() -> None:
    """Where the pieces cannot be put together with it, the file is at odds."""
    found = merge("---\n# a\nk: v\n", "---\n# a\n{}\n", "---\n# a\nk: v\n# b\n", format="yaml")
    assert found.conflicts
    found = merge(
        "l: [ [a: 1 # c\n] ]\n", "l: [ [a: 1 # c\n] ]\nb: 1\n", "l: [ [a: 1 # d\n] ]\n", format="yaml"
    )
    assert "# d" in found.text


# --- the block -----------------------------------------------------------------------------------


def merged(base: str, ours: str, theirs: str, by: Rule | None = None, **options: Any) -> str:
    credentials = options.pop("credentials", ALL)
    return merging.merge(
        base, ours, theirs, format="yaml", credentials=credentials, rule=lambda: by, **options
    ).text


def with_member(text: str, value: str) -> str:
    return re.sub(r"(?m)^( +)mac: ", lambda found: f"{found[1]}custom: {value}\n{found[0]}", text)


def test_g_a_member_that_one_side_adds_to_the_block() -> None:
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


def test_g_a_key_group_that_one_side_adds() -> None:
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


def test_g_each_side_removes_a_key_from_another_group() -> None:
    base = api.encrypt("a: 1\nb: 1\n", rule([ALICE, CAROL], [BOB, DAVE], threshold=2), credentials=ALL)
    sides = []
    for at, text in enumerate(("a: 2\nb: 1\n", "a: 1\nb: 2\n")):
        groups = [[ALICE, CAROL], [BOB, DAVE]]
        groups[at].pop()
        plan = rekey.plan(
            api.encrypt(text, twin=base, credentials=ALL), rule(*groups).groups, 2, format="yaml"
        )
        sides.append(rekey.carry_out(plan, rotate=False, credentials=ALL))
    with pytest.raises(UndecidedError):
        merged(base, *sides, credentials=STRANGER)
    text = merged(base, *sides, by=rule([ALICE], [BOB], threshold=2))
    assert members(text) == [{ALICE.recipient}, {BOB.recipient}]


# --- who may join --------------------------------------------------------------------------------


def admit(block: Rule, ours: Rule | None, named: Rule | None, *, wraps_all: bool = False) -> None:
    """What `encconf.git.block.admit` says of a merged block, as files say it."""
    from encconf import formats
    from encconf.engine.metadata import Metadata

    def said(by: Rule) -> Metadata:
        return Metadata.of(formats.module("yaml").scan(api.encrypt("a: 1\n", by, credentials=ALL)))

    blocks.admit(said(block), lambda: named, said(ours) if ours is not None else None, wraps_all=wraps_all)


A, AB, ABC = rule([ALICE]), rule([ALICE, BOB]), rule([ALICE, BOB, CAROL])
A_B, B_A, A_B_C = rule([ALICE], [BOB]), rule([BOB], [ALICE]), rule([ALICE], [BOB], [CAROL], threshold=2)
THREE = rule([ALICE], [BOB], [CAROL], threshold=3)
ONLY_A = Rule(A.groups, selection=Selection("encrypted_regex", "^a$"))


@pytest.mark.parametrize(
    ("block", "ours", "named"),
    [
        (A, A, None),  # nothing changes: no rule is needed
        (A, AB, None),  # one goes
        (AB, A, AB),  # one joins whom our rule names
        (AB, A, ABC),
        (A_B, AB, AB),  # it takes two where one was enough
        (AB, A_B, AB),  # our rule says that one is enough
        (A_B_C, THREE, A_B_C),
        (THREE, A_B_C, None),
        (ONLY_A, A, ONLY_A),
    ],
)
def test_b3_what_a_merge_may_do(block: Rule, ours: Rule, named: Rule | None) -> None:
    admit(block, ours, named)


@pytest.mark.parametrize(
    ("block", "ours", "named", "said"),
    [
        (AB, A, None, f"no .sops.yaml of ours names: age {BOB.recipient}"),
        (AB, A, A, f"our .sops.yaml does not name: age {BOB.recipient}"),
        (ABC, A, AB, f"does not name: age {CAROL.recipient}"),
        (AB, A_B, A_B, "1 key groups instead of 2"),
        (AB, A_B, None, "1 key groups instead of 2"),
        (B_A, A_B, A_B, f"age {BOB.recipient}, age {ALICE.recipient}"),
        (A_B_C, THREE, THREE, "2 key groups are enough to open it instead of 3"),
        (A_B_C, A_B, A_B, f"age {CAROL.recipient}, 3 key groups instead of 2"),
        (ONLY_A, A, None, "which values are encrypted"),
        (ONLY_A, A, A, "which values are encrypted"),
    ],
    ids=map(str, range(10)),  # the keys are new ones in every process
)
def test_b3_what_a_merge_may_not_do(block: Rule, ours: Rule, named: Rule | None, said: str) -> None:
    with pytest.raises(StrangerError, match=re.escape(said)) as error:
        admit(block, ours, named)
    assert "add them to .sops.yaml" in str(error.value.hint)


def test_b3_where_all_are_wrapped_for_our_version_does_not_count() -> None:
    admit(AB, AB, AB, wraps_all=True)
    for named in (A, None):
        with pytest.raises(StrangerError, match=BOB.recipient):
            admit(AB, AB, named, wraps_all=True)
    with pytest.raises(StrangerError, match="which values"):
        admit(ONLY_A, A, A, wraps_all=True)
    admit(ONLY_A, None, A, wraps_all=True)


# --- a side that is not encrypted ----------------------------------------------------------------


@pytest.mark.parametrize("side", ["our", "their"])
def test_g_it_is_said_which_side_is_not_encrypted(side: str) -> None:
    base = api.encrypt("a: 1\nb: 1\n", A, credentials=ALL)
    enc, plain = api.encrypt("a: 2\nb: 1\n", twin=base, credentials=ALL), "a: 1\nb: 2\n"
    notes: list[str] = []
    sides = (plain, enc) if side == "our" else (enc, plain)
    text = merged(base, *sides, by=A, notify=notes.append)
    assert notes == [f"{side} side is not encrypted; the merged file is"]
    assert api.decrypt(text, credentials=ALL) == "a: 2\nb: 2\n"


@pytest.mark.parametrize("side", ["our", "their"])
def test_g_a_plain_side_has_no_opinion_of_who_can_open_the_file(side: str) -> None:
    """Neither has a common version that was plain: who joins on the encrypted side stays."""
    enc, plain = api.encrypt("a: 2\nb: 1\n", AB, credentials=ALL), "a: 1\nb: 2\n"
    sides = (plain, enc) if side == "our" else (enc, plain)
    text = merged("a: 1\nb: 1\n", *sides, by=AB)
    assert members(text) == [{ALICE.recipient, BOB.recipient}]


def test_g_a_plain_parent_is_none_of_a_merge_without_a_key() -> None:
    """But an empty one is: there was no common version."""
    one = api.encrypt("a: 1\n", A, credentials=ALL)
    ours, theirs = (api.encrypt(text, twin=one, credentials=ALL) for text in ("a: 1\nb: 2\n", "a: 1\nc: 3\n"))
    ids = {digit * 40: text for digit, text in zip("012", ("", ours, theirs), strict=True)}
    keyless = merged("", ours, theirs, credentials=STRANGER, parents=lambda: " ".join(ids))
    text = merging.reseal(keyless, format="yaml", fetch=ids.get, credentials=ALL, rule=lambda: A)
    assert api.decrypt(text, credentials=ALL) == "a: 1\nb: 2\nc: 3\n"


@pytest.mark.parametrize("side", ["our", "their"])
def test_b3_who_goes_by_their_side_is_told_in_full(side: str) -> None:
    base = api.encrypt("a: 1\nb: 1\n", AB, credentials=ALL)
    plan = rekey.plan(base, A.groups, None, format="yaml")
    removed = rekey.carry_out(plan, rotate=False, credentials=ALL)
    other = api.encrypt("a: 1\nb: 2\n", twin=base, credentials=ALL)
    notes: list[str] = []
    merged(base, *((removed, other) if side == "our" else (other, removed)), by=AB, notify=notes.append)
    told = [f"their side removes age {BOB.recipient}"] if side == "their" else []
    assert notes == ["a recipient was removed: every value is re-encrypted with a new data key", *told]


@pytest.mark.parametrize("side", ["our", "their"])
def test_g_a_side_with_a_conflict_in_it_is_not_merged(side: str) -> None:
    """As a common version it is: git has merged several then.  As a side, somebody has to decide first."""
    from encconf.errors import UnmergedError

    base = api.encrypt("a: 1\nb: 1\n", A, credentials=ALL)
    two, three, other = (
        api.encrypt(text, twin=base, credentials=ALL)
        for text in ("a: 2\nb: 1\n", "a: 3\nb: 1\n", "a: 1\nb: 2\n")
    )
    odd = merged(base, two, three)
    assert "encconf_conflict" in odd
    with pytest.raises(UnmergedError, match=f"^{side} side: "):
        merged(base, *((odd, other) if side == "our" else (other, odd)))
    assert api.decrypt(
        merged(odd, two, api.encrypt("a: 2\nb: 5\n", twin=two, credentials=ALL)), credentials=ALL
    )


def test_g_what_has_no_mac_yet_gets_none_from_a_merge_of_recipients() -> None:
    base = api.encrypt("a: 1\nb: 1\n", A, credentials=ALL)
    one, two = (api.encrypt(text, twin=base, credentials=ALL) for text in ("a: 2\nb: 1\n", "a: 1\nb: 2\n"))
    unsealed = merged(base, one, two, credentials=STRANGER, parents=lambda: "")
    plan = rekey.plan(base, AB.groups, None, format="yaml")
    joined = rekey.carry_out(plan, credentials=ALL)
    for sides in ((unsealed, joined), (joined, unsealed)):
        outcome = merging.merge(
            base, *sides, format="yaml", credentials=STRANGER, rule=lambda: AB, parents=lambda: ""
        )
        assert (outcome.keyless, outcome.sealed) == (True, False)
        assert "encconf_merge" in outcome.text


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "marked_text"),
    [
        ("a\n", "a\n", "a\n", "a\n"),
        ("a\nx\n", "a\n", "a\nx\n", "a\nx\n"),  # both have added the same
        ("x\ny\n", "", "x\ny\n", "x\ny\n"),
        ("a\nx\n", "a\n", "a\ny\n", "a\n<<x\n||==y\n>>"),
        ("a\nb\nx\n", "a\nb\n", "a\n", "a\n<<b\nx\n||b\n==>>"),
        ("a\nx\n", "a\nb\n", "a\ny\n", "a\n<<x\n||b\n==y\n>>"),
        # Each place is that of its own text, whatever came before it.
        (
            "a\n1\n2\n3\nc\nX\ne\n",
            "a\nb\nc\nd\ne\n",
            "a\nc\nY\nZ\ne\n",
            "a\n<<1\n2\n3\n||b\n==>>c\n<<X\n||d\n==Y\nZ\n>>e\n",
        ),
        ("0\na\nx\n", "a\nb\n", "a\ny\n", "<<0\n||==>>a\n<<x\n||b\n==y\n>>"),
        ("a\nx", "a\nb", "a\ny", "a\n<<x\n||b\n==y\n>>"),  # without a line break at the end
    ],
)
def test_what_is_at_odds_is_between_markers(ours: str, base: str, theirs: str, marked_text: str) -> None:
    text, size = mark(Merged(ours, base, theirs, []))
    assert size == 7
    for sign, label in (("<", "ours"), ("|", "base"), (">", "theirs")):
        text = text.replace(f"{sign * 7} {label}\n", sign * 2)
    assert text.replace("=======\n", "==") == marked_text


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("sign", "<|=>")
def test_markers_of_the_text_itself(sign: str, size: int) -> None:
    line = sign * size
    for end in ("\n", " x\n", "\r\n", ""):
        text = f"a\n{line}{end}"
        assert marked(text, size) == 2
        assert marked(text, size + 1) == marked(f"a\n-{text[2:]}", size) == 0
        assert marked(f"a\n{line}x\n", size) == 0
        for texts in ((text, "", ""), ("", text, ""), ("", "", text)):
            assert size_for(*texts) == (8 if size == 7 else 7)
    both = f"a\n{sign * 7}\n{sign * 8} x\n"
    assert size_for(both) == 9
    assert mark(Merged("x\n", both, "y\n", []))[1] == 9


def test_markers_end_as_the_lines_do() -> None:
    text, _ = mark(Merged("a\r\nx\r\n", "a\r\n", "a\r\ny", []))
    assert text == "a\r\n<<<<<<< ours\r\nx\r\n||||||| base\r\n=======\r\ny\r\n>>>>>>> theirs\r\n"
    text, _ = mark(Merged("x\n", "", "y\n", []), ("mine", "old", "yours"))
    assert text == "<<<<<<< mine\nx\n||||||| old\n=======\ny\n>>>>>>> yours\n"


def test_what_needs_no_merge() -> None:
    for texts, wanted in (
        (("1", "2", "2"), "2"),
        (("1", "1", "2"), "2"),
        (("1", "2", "1"), "2"),
        (("", "x", "x"), "x"),
    ):
        for format in ("yaml", "binary"):
            found = merge(*texts, format=format)
            assert (found.text, found.base, found.theirs) == (wanted, wanted, wanted)
            assert (found.conflicts, found.whole) == ([], False)
    found = merge("1", "2", "3", format="binary")
    assert (found.text, found.base, found.theirs) == ("2", "1", "3")
    assert (found.conflicts, found.whole) == (["."], True)


@pytest.mark.parametrize("at", range(3))
def test_marks_of_the_file_are_merged_too(at: int) -> None:
    """A byte order mark, and the kind of line break: who has changed it counts."""
    plain = ["a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n"]
    wanted = "a: 3\nb: 4\n"
    texts = list(plain)
    texts[at] = "\ufeff" + texts[at]
    assert merge(*texts, format="yaml").text == ("" if at == 0 else "\ufeff") + wanted
    texts = list(plain)
    texts[at] = texts[at].replace("\n", "\r\n")
    assert merge(*texts, format="yaml").text == (wanted if at == 0 else wanted.replace("\n", "\r\n"))
