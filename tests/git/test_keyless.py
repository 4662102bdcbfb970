"""Merging without a key: the ciphertexts themselves, and a MAC by somebody with a key later."""

from __future__ import annotations

import pytest
from engine import rotated
from git.sides import (
    AB,
    ALICE,
    ALL,
    BOB,
    CAROL,
    DAVE,
    MINE,
    STRANGER,
    A,
    changed,
    credentials,
    merge,
    merged,
    reseal,
    rule,
    seal,
    versions,
)
from merge.corpus import TEXTS, edited
from oracle import Sops, SopsError

from encconf import api, formats
from encconf.engine.metadata import Metadata, with_block
from encconf.errors import KeyAccessError, UndecidedError, UnmergedError
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.verbs import rekey


def test_a_plain_parent_is_none_of_a_merge_without_a_key() -> None:
    """But an empty one is: there was no common version."""
    one = api.encrypt("a: 1\n", A, credentials=ALL)
    ours, theirs = (api.encrypt(text, twin=one, credentials=ALL) for text in ("a: 1\nb: 2\n", "a: 1\nc: 3\n"))
    ids = {digit * 40: text for digit, text in zip("012", ("", ours, theirs), strict=True)}
    keyless = merged("", ours, theirs, credentials=STRANGER, parents=lambda: " ".join(ids))
    text = reseal(keyless, format="yaml", version=ids.get, credentials=ALL)
    assert api.decrypt(text, credentials=ALL) == "a: 1\nb: 2\nc: 3\n"


def test_what_has_no_mac_yet_gets_none_from_a_merge_of_recipients() -> None:
    base = api.encrypt("a: 1\nb: 1\n", A, credentials=ALL)
    one, two = (api.encrypt(text, twin=base, credentials=ALL) for text in ("a: 2\nb: 1\n", "a: 1\nb: 2\n"))
    parents = " ".join(digit * 40 for digit in "012")
    unsealed = merged(base, one, two, credentials=STRANGER, parents=lambda: parents)
    plan = rekey.plan(base, AB, format="yaml")
    joined = rekey.carry_out(plan, credentials=ALL)
    for sides in ((unsealed, joined), (joined, unsealed)):
        outcome = merge(base, *sides, by=AB, format="yaml", credentials=STRANGER)
        assert (outcome.keyless, outcome.sealed) == (True, False)
        assert "encconf_merge" in outcome.text


@pytest.mark.parametrize("format", TEXTS)
def test_leaf_by_leaf(format: str) -> None:
    """Every format; the MAC comes later, from somebody who can merge the same versions."""
    base, edits = TEXTS[format]
    plain = base, edited(base, edits["change"]), edited(base, edits["add"])
    texts = versions(*plain, format)
    ids = {f"{number}" * 40: text for number, text in enumerate(texts)}
    outcome = merge(*texts, format=format, credentials=STRANGER, parents=lambda: " ".join(ids))
    assert (outcome.conflicts, outcome.keyless, outcome.sealed) == ((), True, False)
    with pytest.raises(UnmergedError):
        api.decrypt(outcome.text, format=format, credentials=MINE)
    if format != "toml":
        with pytest.raises(SopsError):
            Sops(ALICE.environ()).decrypt(outcome.text, format)
    with pytest.raises(KeyAccessError):
        reseal(outcome.text, format=format, version=ids.get, credentials=STRANGER)
    whole = reseal(outcome.text, format=format, version=ids.get, credentials=MINE)
    wanted = edited(plain[1], edits["add"])
    assert api.decrypt(whole, format=format, credentials=MINE) == wanted
    if format != "toml":
        Sops(ALICE.environ()).decrypt(whole, format)


@pytest.mark.parametrize(
    "ids",
    [
        *("", "a b c", "1 2", " ".join(["0" * 40] * 3), " ".join(["../../x"] * 3)),
        *(f"{'1' * 40} x y", f"x {'1' * 40} y", f"x y {'1' * 40}", f"{'1' * 40} {'1' * 40} ../x", "1" * 40),
    ],
)
def test_parents_that_are_none(ids: str) -> None:
    texts = versions("a: 1\nb: 2\n", "a: 2\nb: 2\n", "a: 1\nb: 3\n", "yaml")
    outcome = merge(*texts, format="yaml", credentials=STRANGER, parents=lambda: ids)
    said = "the versions it was merged from are not" if "0" in ids else "does not record which versions"
    with pytest.raises(UnmergedError, match=said):
        reseal(outcome.text, format="yaml", version=lambda id: None, credentials=MINE)


def test_who_can_open_it_is_merged_without_a_key() -> None:
    base = api.encrypt("a: 1\nb: 2\n", rule([ALICE]), credentials=MINE)
    ours = changed(base, "a: 2\nb: 2\n", rule([ALICE, BOB]))
    theirs = changed(base, "a: 1\nb: 3\n", rule([ALICE, CAROL]))
    ids = {f"{number}" * 40: text for number, text in enumerate((base, ours, theirs))}
    outcome = merge(base, ours, theirs, format="yaml", credentials=STRANGER, parents=lambda: " ".join(ids))
    for key in (ALICE, BOB, CAROL):
        whole = reseal(outcome.text, format="yaml", version=ids.get, credentials=credentials(key))
        assert api.decrypt(whole, credentials=credentials(key)) == "a: 2\nb: 3\n"


@pytest.mark.parametrize("format", [*TEXTS, "binary"])
@pytest.mark.parametrize("turned", [False, True])
def test_only_who_can_open_it_has_changed_on_one_side(format: str, turned: bool) -> None:
    """No value is merged, so that the MAC is the one that is there."""
    base, edits = TEXTS.get(format, ("one\n", {"change": [("one", "two")]}))
    new = edited(base, edits["change"])
    first = seal(base, format)
    wider = rekey.carry_out(rekey.plan(first, rule([ALICE, BOB]), format=format), credentials=MINE)
    sides = wider, seal(new, format, first)
    outcome = merge(first, *(sides[::-1] if turned else sides), format=format, credentials=STRANGER)
    assert (outcome.keyless, outcome.sealed) == (True, True)
    assert api.decrypt(outcome.text, format=format, credentials=credentials(BOB)) == new
    if format != "toml":
        Sops(BOB.environ()).decrypt(outcome.text, format)


def test_what_stays_is_not_written_in_another_way() -> None:
    base = seal("a: 1\nb: 2\n", "yaml")
    ours = seal("a: 2\nb: 2\n", "yaml", base).replace("sops:\n", "sops: # as sops wrote it\n")
    for sides in ((ours, base), (base, ours)):
        assert merge(base, *sides, format="yaml", credentials=STRANGER).text == ours


def test_the_values_that_both_sides_changed_are_named() -> None:
    texts = versions("a: 1\nb: 2\nc: 3\n", "a: 2\nb: 2\nc: 4\n", "a: 3\nb: 3\nc: 5\n", "yaml")
    with pytest.raises(UndecidedError, match=r"^both sides changed a, c, and none of your keys"):
        merge(*texts, format="yaml", credentials=STRANGER)


def test_both_sides_changed_a_binary_file() -> None:
    with pytest.raises(UndecidedError, match="both sides changed the file"):
        merge(*versions("one", "two", "three", "binary"), format="binary", credentials=STRANGER)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_both_sides_change_who_is_in_which_group(count: int) -> None:
    """Shares of a data key are only those of one side."""
    groups = [[ALICE, BOB, CAROL], [DAVE], [ALICE]][:count]
    base = api.encrypt("a: 1\nb: 2\n", rule(*groups, threshold=2 if count > 1 else None), credentials=ALL)

    def without(number: int, text: str) -> str:
        document = formats.get("yaml").scan(api.encrypt(text, twin=base, credentials=ALL))
        block = Metadata.of(document)
        first = [wrapped for at, wrapped in enumerate(block.groups[0]) if at != number]
        return with_block(document, block.replace(groups=[first, *block.groups[1:]]))

    ours, theirs = without(1, "a: 2\nb: 2\n"), without(2, "a: 1\nb: 3\n")
    if count == 1:
        assert merge(base, ours, theirs, format="yaml", credentials=STRANGER, parents=lambda: "").keyless
        return
    with pytest.raises(UndecidedError, match="both sides changed the key groups, so merging needs a key"):
        merge(base, ours, theirs, format="yaml", credentials=STRANGER)
    names = rule(*groups, threshold=2)
    for sides in ((ours, base), (base, ours)):
        assert merge(base, *sides, by=names, format="yaml", credentials=STRANGER).keyless


def test_one_side_that_is_not_encrypted_takes_a_key() -> None:
    base = seal("a: 1\nb: 2\n", "yaml")
    ours = seal("a: 2\nb: 2\n", "yaml", base)
    for sides in ((ours, "a: 1\nb: 3\n"), ("a: 1\nb: 3\n", ours)):
        with pytest.raises(UndecidedError, match="one side is encrypted and the other is not"):
            merge(base, *sides, format="yaml", credentials=STRANGER)


def test_versions_that_are_not_encrypted_say_nothing_about_a_merge() -> None:
    texts = versions("a: 1\nb: 2\n", "a: 2\nb: 2\n", "a: 1\nb: 3\n", "yaml")
    ids = " ".join(digit * 40 for digit in "012")
    keyless = merge(*texts, format="yaml", credentials=STRANGER, parents=lambda: ids).text
    with pytest.raises(UnmergedError, match="are not encrypted"):
        reseal(keyless, format="yaml", version=lambda id: "a: 1\nb: 2\n", credentials=MINE)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_no_version_of_a_merge_may_be_plaintext(which: int) -> None:
    plain = "a: 1\nb: 2\n", "a: 2\nb: 2\n", "a: 1\nb: 3\n"
    known = list(versions(*plain, "yaml"))
    ids = " ".join(digit * 40 for digit in "012")
    keyless = merge(*known, format="yaml", credentials=STRANGER, parents=lambda: ids).text
    known[which] = plain[which]
    with pytest.raises(UnmergedError, match="is not encrypted: anyone could have written it"):
        reseal(keyless, format="yaml", version=lambda id: known[int(id[0])], credentials=MINE)


def test_which_values_are_encrypted_takes_a_key() -> None:
    """Whichever side has changed that."""
    base = seal("a: 1\nb: 2\n", "yaml")
    less = Rule(rule([ALICE]).groups, None, Selection("encrypted_regex", "^a$"))
    one = api.encrypt("a: 1\nb: 2\n", less, twin=base, credentials=MINE)
    other = api.encrypt("a: 1\nb: 3\n", twin=base, credentials=MINE)
    for sides in ((one, other), (other, one)):
        with pytest.raises(UndecidedError, match="one side changed which values are encrypted"):
            merge(base, *sides, format="yaml", credentials=STRANGER)


def test_a_new_data_key_takes_a_key() -> None:
    base, ours, theirs = versions("a: 1\nb: 2\n", "a: 2\nb: 2\n", "a: 1\nb: 3\n", "yaml")
    theirs = rotated(theirs, format="yaml", credentials=MINE)
    with pytest.raises(UndecidedError, match="new data key"):
        merge(base, ours, theirs, format="yaml", credentials=STRANGER)


def test_too_many_merges_without_a_key() -> None:
    base = seal("a: 1\nb: 2\n", "yaml")
    known: dict[str, str] = {}

    def name(text: str) -> str:
        known[f"{len(known):040d}"] = text
        return list(known)[-1]

    def next_one(ours: str, number: int) -> str:
        theirs = seal(f"a: 1\nb: 2\nc{number}: 1\n", "yaml", base)
        ids = " ".join(map(name, (base, ours, theirs)))
        return merge(base, ours, theirs, format="yaml", credentials=STRANGER, parents=lambda: ids).text

    text = seal("a: 5\nb: 2\n", "yaml", base)
    for number in range(9):
        text = next_one(text, number)
    assert "c8: 1" in api.decrypt(
        reseal(text, format="yaml", version=known.get, credentials=MINE), credentials=MINE
    )
    with pytest.raises(UnmergedError, match="too many"):
        reseal(next_one(text, 9), format="yaml", version=known.get, credentials=MINE)
