"""Every case of the corpus, as plain text and encrypted; what is encrypted, the real sops opens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from engine import credentials, rotated, rule
from merge.corpus import CASES, TEXTS, Case
from oracle import AgeKey, Sops
from pace import at_most

from encconf import api, formats
from encconf.errors import KeyAccessError, UndecidedError, UnmergedError
from encconf.git import merge as merging
from encconf.git.conflict import open_conflict
from encconf.git.merge import Outcome, Repository
from encconf.merge import merge as merge_texts
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection
from encconf.verbs import rekey

ALICE, BOB = AgeKey.generate(), AgeKey.generate()
_ENC = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")


def merge(*texts: str, named: tuple[AgeKey, ...] = (), **options: Any) -> Outcome:
    """A merge where our .sops.yaml names Alice, Bob and these."""
    by = rule(ALICE, BOB, *named)
    asked = Repository(rule=lambda: by, parents=options.pop("parents", lambda: ""))
    return merging.merge(*texts, repository=asked, **options)


def seal(case: Case, *keys: AgeKey) -> tuple[str, str, str]:
    """The three texts encrypted, one after the other as people do it."""
    mine = credentials(ALICE)
    base = api.encrypt(case.base, rule(*keys), format=case.format, credentials=mine)
    ours, theirs = (
        api.encrypt(text, format=case.format, twin=base, credentials=mine)
        for text in (case.ours, case.theirs)
    )
    return base, ours, theirs


def values(text: str, format: str) -> object:
    return formats.get(format).load_plain(text)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_plain(case: Case) -> None:
    merged = merge_texts(case.base, case.ours, case.theirs, format=case.format)
    assert merged.conflicts == []
    assert merged.text == case.merged
    assert merge_texts(case.base, case.theirs, case.ours, format=case.format).text == case.merged


SEALED = CASES[::3]


@pytest.mark.parametrize("case", SEALED, ids=[case.id for case in SEALED])
def test_encrypted(case: Case) -> None:
    """The plain result, under the ciphertexts that the sides have."""
    base, ours, theirs = seal(case, ALICE)
    outcome = merge(base, ours, theirs, format=case.format, credentials=credentials(ALICE))
    assert (outcome.conflicts, outcome.keyless, outcome.sealed) == ([], False, True)
    check(outcome.text, case, ALICE)
    block = formats.get(case.format).scan(outcome.text).block or {}
    new = sealed(outcome.text) - sealed(ours) - sealed(theirs)
    assert new <= {block["mac"], block.get("encconf_layout")}
    # The MACs of all three are the same if they were made within one second: no value's.
    macs = {(formats.get(case.format).scan(side).block or {}).get("mac") for side in (base, ours, theirs)}
    unchanged = (sealed(base) & sealed(ours) & sealed(theirs)) - macs
    assert unchanged <= sealed(outcome.text)


def sealed(text: str) -> set[str]:
    return set(_ENC.findall(text))


def check(enc: str, case: Case, key: AgeKey) -> None:
    """An encrypted text says what the case's result does, its spelling included; sops agrees."""
    assert api.decrypt(enc, format=case.format, credentials=credentials(key)) == case.merged
    if case.format != "toml":  # which sops does not have
        said = Sops(key.environ()).decrypt(enc, case.format)
        assert values(said, case.format) == values(case.merged, case.format)


# Pairs of edits for what else may differ: two that meet in a file, one for each format.
KEYS = [
    next(case for case in CASES if case.format == format and case.names == ("change", "add"))
    for format in TEXTS
]
by_format = pytest.mark.parametrize("case", KEYS, ids=[case.format for case in KEYS])


@by_format
def test_somebody_comes_on_each_side(case: Case) -> None:
    carol = AgeKey.generate()
    base, ours, theirs = seal(case, ALICE)
    mine = credentials(ALICE)
    ours, theirs = (
        rekey.carry_out(rekey.plan(text, rule(ALICE, key), format=case.format), credentials=mine)
        for text, key in ((ours, BOB), (theirs, carol))
    )
    notes: list[str] = []
    outcome = merge(
        base, ours, theirs, format=case.format, credentials=mine, notify=notes.append, named=(carol,)
    )
    assert notes == [f"their side adds age {carol.recipient}"]
    for key in (ALICE, BOB, carol):
        check(outcome.text, case, key)
    assert sealed(base) & sealed(ours) & sealed(theirs) <= sealed(outcome.text)


@by_format
@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("rotated", [False, True])
def test_somebody_goes_on_one_side(case: Case, side: str, rotated: bool) -> None:
    """Who is taken out can open neither the result nor, by the old data key, any value of it."""
    base, ours, theirs = seal(case, ALICE, BOB)
    mine = credentials(ALICE)
    sides = {"ours": ours, "theirs": theirs}
    plan = rekey.plan(sides[side], rule(ALICE), format=case.format)
    sides[side] = rekey.carry_out(plan, rotate=rotated, credentials=mine)
    notes: list[str] = []
    outcome = merge(base, *sides.values(), format=case.format, credentials=mine, notify=notes.append)
    check(outcome.text, case, ALICE)
    with pytest.raises(KeyAccessError):
        api.decrypt(outcome.text, format=case.format, credentials=credentials(BOB))
    assert not sealed(outcome.text) & sealed(base)
    assert any("every value is re-encrypted" in note for note in notes)


@by_format
@pytest.mark.parametrize("side", ["ours", "theirs", "both"])
def test_a_new_data_key_on_one_side(case: Case, side: str) -> None:
    """The result gets another one: anybody could have made the one that is new."""
    base, ours, theirs = seal(case, ALICE)
    mine = credentials(ALICE)
    if side != "theirs":
        ours = rotated(ours, format=case.format, credentials=mine)
    if side != "ours":
        theirs = rotated(theirs, format=case.format, credentials=mine)
    outcome = merge(base, ours, theirs, format=case.format, credentials=mine)
    check(outcome.text, case, ALICE)
    assert not sealed(outcome.text) & (sealed(base) | sealed(ours) | sealed(theirs))


@by_format
@pytest.mark.parametrize("side", [1, 2])
def test_one_side_is_not_encrypted(case: Case, side: int) -> None:
    """Anyone could have written its values, so a person decides, who sees what the merge would be."""
    versions = list(seal(case, ALICE))
    versions[side] = (case.base, case.ours, case.theirs)[side]
    base, ours, theirs = versions
    mine = credentials(ALICE)
    outcome = merge(base, ours, theirs, format=case.format, credentials=mine)
    assert outcome.conflicts == ["."]
    assert "side is not encrypted, so anyone could have written its values" in outcome.reason
    with pytest.raises(UnmergedError):
        api.decrypt(outcome.text, format=case.format, credentials=mine)
    found = open_conflict(outcome.text, format=case.format, credentials=mine).merged
    assert (found.text, found.base, found.theirs) == (
        (case.merged, case.theirs, case.theirs) if side == 1 else (case.ours, case.ours, case.merged)
    )
    with pytest.raises(UndecidedError):
        merge(base, ours, theirs, format=case.format, credentials=credentials(BOB))


@by_format
def test_the_common_version_was_not_encrypted(case: Case) -> None:
    _, ours, theirs = seal(case, ALICE)
    check(
        merge(case.base, ours, theirs, format=case.format, credentials=credentials(ALICE)).text, case, ALICE
    )


@by_format
def test_both_sides_made_the_file(case: Case) -> None:
    """Without a common version, equal values and what only one side has are no conflict."""
    mine = credentials(ALICE)
    ours, theirs = (
        api.encrypt(text, rule(ALICE, *others), format=case.format, credentials=mine)
        for text, others in ((case.base, []), (case.theirs, [BOB]))
    )
    outcome = merge("", ours, theirs, format=case.format, credentials=mine)
    assert outcome.conflicts == []
    check(outcome.text, Case(case.format, case.names, "", case.base, case.theirs, case.theirs), BOB)


SOPS_FORMATS = [case for case in KEYS if case.format != "toml"]  # which sops does not have


@pytest.mark.parametrize("case", SOPS_FORMATS, ids=[case.format for case in SOPS_FORMATS])
def test_sops_made_the_changes(case: Case) -> None:
    """Files in sops's own layout, with its kind of MAC."""
    sops = Sops(ALICE.environ())
    base = sops.encrypt(case.base, case.format, age=ALICE.recipient)
    sides = []
    for text in (case.ours, case.theirs):
        plain = sops.decrypt(sops.encrypt(text, case.format, age=ALICE.recipient), case.format)
        sides.append(sops.edit(base, case.format, f"text = {plain!r}"))
    outcome = merge(base, *sides, format=case.format, credentials=credentials(ALICE))
    assert outcome.conflicts == []
    assert values(sops.decrypt(outcome.text, case.format), case.format) == values(case.merged, case.format)


@pytest.mark.parametrize("format", ["yaml", "dotenv"])
def test_the_work_grows_with_the_file_and_no_faster(format: str) -> None:
    """Seconds, where it would be minutes if every value were looked for among all others."""
    line = "key{0}: value{0}\n" if format == "yaml" else "KEY{0}=value{0}\n"
    base = "".join(line.format(number) for number in range(20_000))
    ours, theirs = base.replace("value7\n", "mine\n"), base.replace("value19999\n", "yours\n")
    with at_most(40):
        merged = merge_texts(base, ours, theirs, format=format)
    assert merged.text == ours.replace("value19999\n", "yours\n")


# A text, and what each side replaces in it.
LAYOUTS: dict[str, tuple[str, tuple[str, str], tuple[str, str]]] = {
    "stream": ("a: 1\nb: 2\n---\nc: 3\nd: 4\n", ("a: 1", "a: 9"), ("d: 4", "d: 8\ne: 5")),
    "flow root": ("{a: 1, b: [1, 2], c: 3}\n", ("a: 1", "a: 9"), ("c: 3", "c: 8, d: 4")),
    "crlf": ("a: 1\r\nb: 2\r\n# c\r\nc: 3\r\n", ("a: 1", "a: 9"), ("c: 3", "c: 8")),
    "crlf to lf": ("a: 1\r\nb: 2\r\nc: 3\r\n", ("\r\n", "\n"), ("c: 3", "c: 8")),
    "byte order mark": ("\ufeffa: 1\nb: 2\nc: 3\n", ("a: 1", "a: 9"), ("c: 3", "c: 8")),
    "anchors": ("x: &x [1, 2]\ny: *x\nz: 3\nw:\n  v: 1\n", ("z: 3", "z: 9"), ("v: 1", "v: 8")),
    "merge key": ("p: &p\n  a: 1\n  b: 2\nq:\n  <<: *p\n  c: 3\nz: 1\n", ("a: 1", "a: 9"), ("c: 3", "c: 8")),
    "spellings": (
        "a: 0x1F\nb: 1_000\nc: >\n  folded\n  text\nd: 2024-02-29\n",
        ("0x1F", "0x2F"),
        ("folded", "fold"),
    ),
    "no line break": ("a: 1\nb: 2\nc: 3", ("a: 1", "a: 9"), ("c: 3", "c: 8\nd: 4")),
    "blanks": ("a:   1   # x\nb:\n    - x\n    -   y\n", ("a:   1", "a:   9"), ("- x", "- z")),
    "equal items": ("l: [a, a, b]\nk: 1\n", ("[a, a, b]", "[a, b]"), ("k: 1", "k: 2")),
}
SELECTIONS = {
    "all": DEFAULT,
    "keys": Selection("encrypted_regex", "^(a|c|d|l)$"),
    "comments": Selection("unencrypted_comment_regex", "^x"),
}


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_yaml(layout: str, selection: str) -> None:
    """With a key and without."""
    base, one, other = LAYOUTS[layout]
    case = Case(
        "yaml", ("", ""), base, base.replace(*one), base.replace(*other), base.replace(*one).replace(*other)
    )
    mine = credentials(ALICE)
    by = Rule(rule(ALICE).groups, selection=SELECTIONS[selection])
    texts = [api.encrypt(base, by, credentials=mine)]
    texts += [api.encrypt(text, twin=texts[0], credentials=mine) for text in (case.ours, case.theirs)]
    check(merge(*texts, format="yaml", credentials=mine).text, case, ALICE)
    ids = {f"{number}" * 40: text for number, text in enumerate(texts)}
    outcome = merge(*texts, format="yaml", credentials=credentials(BOB), parents=lambda: " ".join(ids))
    assert (outcome.keyless, outcome.sealed) == (True, False)
    asked = Repository(rule=lambda: by, version=ids.get)
    whole = merging.reseal(outcome.text, format="yaml", repository=asked, credentials=mine)
    check(whole, case, ALICE)
