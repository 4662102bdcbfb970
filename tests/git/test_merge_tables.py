"""Every combination of what two sides can do to a file: who can open the merge, and with what."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import Any

import pytest
from engine import credentials, rotated
from git.sides import ABC, ALICE, ALL, BOB, CAROL, STRANGER, changed, repository, rule

from encconf import api
from encconf.engine.admission import Admission
from encconf.engine.metadata import Metadata
from encconf.engine.opening import open_text
from encconf.envelope import WrappedKey
from encconf.errors import EncconfError, MacError, StrangerError, UndecidedError
from encconf.git.merge import merge, merged_block, refuse_listing, reseal
from encconf.keys.age import AgeKey as Recipient
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection
from encconf.verbs import rekey

PEOPLE = {"A": ALICE, "B": BOB, "C": CAROL}
KEYS = {name: Recipient.from_config(key.recipient) for name, key in PEOPLE.items()}


def some(names: str, least: int = 1) -> list[str]:
    """Every choice of names, as text."""
    counts = range(least, len(names) + 1)
    return ["".join(each) for each in chain.from_iterable(combinations(names, count) for count in counts)]


def decided(was: object, here: object, there: object) -> object:
    """What a merge of one thing takes: the change, if one side changed it.  Raises ValueError if both did."""
    changes = {each for each in (here, there) if each != was}
    if len(changes) > 1:
        raise ValueError
    return changes.pop() if changes else was


def kept(was: str, here: str, there: str) -> str:
    """Whether each person is in a merged group: of two changes to one of them, none contradict each other."""
    return "".join(name for name in "ABC" if decided(name in was, name in here, name in there))


# --- the blocks -----------------------------------------------------------------------------------


def block(side: str, *groups: str, threshold: int = 0, **more: Any) -> Metadata:
    wrapped = [[WrappedKey(KEYS[name], f"{side}{name}") for name in group] for group in groups]
    return Metadata(wrapped, threshold, **{"selection": DEFAULT, "lastmodified": "x", "mac": "y", **more})


def encs(metadata: Metadata) -> list[list[str]]:
    return [[wrapped.enc for wrapped in group] for group in metadata.groups]


def test_who_is_in_the_only_group() -> None:
    for was, here, there in product(some("ABC", 0), some("ABC"), some("ABC")):
        base = block("0", was) if was else None
        wanted = kept(was, here, there)
        if not wanted:
            with pytest.raises(UndecidedError, match="each side removed the recipients of the other"):
                merged_block(base, block("1", here), block("2", there))
            continue
        found = encs(merged_block(base, block("1", here), block("2", there)))
        assert len(found) == 1
        assert sorted(found[0]) == sorted(f"{'1' if name in here else '2'}{name}" for name in wanted)


def test_who_is_in_which_of_two_groups() -> None:
    for was, here, there in product(product(["A", "AB"], some("BC")), repeat=3):
        wanted = [kept(*each) for each in zip(was, here, there, strict=True)]
        sides = block("0", *was), block("1", *here), block("2", *there)
        if not all(wanted):
            with pytest.raises(UndecidedError, match="each side removed the recipients of the other"):
                merged_block(*sides)
            continue
        found = merged_block(*sides)
        assert [{enc[1] for enc in group} for group in encs(found)] == [{*group} for group in wanted]


def test_one_side_changes_how_many_groups_there_are() -> None:
    shapes = [("A",), ("A", "B"), ("A", "C"), ("A", "B", "C")]
    for was, here, there in product([(), *shapes], shapes, shapes):
        if len({len(each) for each in (was, here, there) if each}) == 1:
            continue
        base = block("0", *was) if was else None
        try:
            wanted = decided(was, here, there)
        except ValueError:
            with pytest.raises(UndecidedError, match="both sides changed the key groups"):
                merged_block(base, block("1", *here), block("2", *there))
            continue
        found = encs(merged_block(base, block("1", *here), block("2", *there)))
        side = "1" if wanted == here else "2"
        assert found == [[f"{side}{name}" for name in group] for group in wanted]  # type: ignore[attr-defined]


NO_BASE = object()


@pytest.mark.parametrize("name", ["threshold", "selection", "member"])
def test_each_setting_is_that_of_the_side_that_changed_it(name: str) -> None:
    values = {
        "threshold": [0, 1, 2],
        "selection": [DEFAULT, Selection("encrypted_regex", "x"), Selection("encrypted_suffix", "x")],
        "member": ["x", ["y"], None],
    }[name]
    words = {"threshold": "how many key groups are needed", "selection": "which values are encrypted"}

    def side(number: str, value: Any) -> Metadata:
        if name != "member":
            return block(number, "A", **{name: value})
        return block(number, "A", unknown={} if value is None else {"member": value})

    def value_of(metadata: Metadata) -> Any:
        return metadata.unknown.get("member") if name == "member" else getattr(metadata, name)

    for was, here, there in product([NO_BASE, *values], values, values):
        base = None if was is NO_BASE else side("0", was)
        given = base, side("1", here), side("2", there)
        both = here != was and there != was and here != there
        if name == "member":  # of two changes, ours is as good as theirs
            wanted = here if here != (None if was is NO_BASE else was) else there
            assert value_of(merged_block(*given)) == wanted
        elif both:
            with pytest.raises(UndecidedError, match=f"both sides changed {words[name]}"):
                merged_block(*given)
        else:
            assert value_of(merged_block(*given)) == (here if here != was else there)


def test_a_side_that_is_plain_changes_nothing_in_the_block() -> None:
    sides = [block("1", "BC"), block("1", "A", unknown={"x": 1})]
    for base, side in product([None, block("0", "AB", threshold=2)], sides):
        for found in (merged_block(base, side, None), merged_block(base, None, side)):
            assert encs(found) == encs(side)
            assert (found.threshold, found.selection, found.unknown) == (0, DEFAULT, side.unknown)
            assert (found.mac, found.lastmodified) == (None, "")


def test_whom_and_what_a_merged_block_may_name() -> None:
    """Whoever our version or our rule names; and the values that our version or our rule has encrypted."""
    other = Selection("encrypted_regex", "x")
    for wanted, ours, named, trusts in product(
        some("ABC"), some("ABC", 0), [*some("ABC"), None], [True, False]
    ):
        for selection, own, ruled in product([DEFAULT, other], repeat=3):
            rule_of_ours = None if named is None else Rule([[KEYS[name] for name in named]], selection=ruled)
            our_block = block("1", ours, selection=own) if ours else None
            merged = block("2", wanted, selection=selection)
            trusted = {*(named or ""), *(ours if trusts else "")}
            reselects = our_block is not None and selection != own
            refused = ""
            if not {*wanted} <= trusted:
                refused = "the merged file would have recipients that"
            elif reselects and (rule_of_ours is None or ruled != selection):
                refused = "their side changes which values are encrypted"

            def check(
                merged: Any = merged, rule: Any = rule_of_ours, mine: Any = our_block, trusts: bool = trusts
            ) -> None:
                refuse_listing(merged, Admission(lambda: rule), mine, trusts_ours=trusts)

            if refused:
                with pytest.raises(StrangerError, match=refused):
                    check()
            else:
                check()


# --- files ----------------------------------------------------------------------------------------

BASE, OURS, THEIRS = "a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n"


def side(base: str, text: str, names: str, *, renewed: bool) -> str:
    """A version with another text and other recipients, which has a new data key only if it is renewed."""
    text = changed(base, text)
    if renewed:
        text = rotated(text, format="yaml", credentials=ALL)
    wanted = rule([PEOPLE[name] for name in names])
    return rekey.carry_out(rekey.plan(text, wanted, format="yaml"), rotate=False, credentials=ALL)


EVERY = [
    (here, there, renewed)
    for here, there in product(["AB", "A", "B", "ABC"], repeat=2)
    for renewed in product([False, True], repeat=2)
    if not any(renewed) or (here == "AB") is not (there == "AB")  # enough of them
]


@pytest.fixture(scope="module")
def files() -> dict[Any, str]:
    base = api.encrypt(BASE, rule([ALICE, BOB]), credentials=ALL)
    found: dict[Any, str] = {"base": base}
    for number, text in ((1, OURS), (2, THEIRS)):
        for names, renewed in product(["AB", "A", "B", "ABC"], [False, True]):
            found[number, names, renewed] = side(base, text, names, renewed=renewed)
    return found


def data_key(text: str) -> bytes:
    return open_text(text, format="yaml", credentials=ALL).data_key


def who_opens(text: str) -> str:
    """The people who can, by trying."""
    found = ""
    for name, key in PEOPLE.items():
        try:
            api.decrypt(text, credentials=credentials(key))
        except EncconfError:
            continue
        found += name
    return found


@pytest.mark.parametrize(("here", "there", "renewed"), EVERY)
def test_files_with_a_key(files: dict[Any, str], here: str, there: str, renewed: tuple[bool, bool]) -> None:
    base, ours, theirs = files["base"], files[1, here, renewed[0]], files[2, there, renewed[1]]
    said: list[str] = []

    def merged() -> Any:
        asked = repository({}, ABC)
        return merge(base, ours, theirs, format="yaml", credentials=ALL, repository=asked, notify=said.append)

    wanted = kept("AB", here, there)
    if not wanted:
        with pytest.raises(UndecidedError, match="each side removed the recipients of the other"):
            merged()
        return
    outcome = merged()
    assert ([*outcome.conflicts], outcome.keyless, outcome.sealed) == ([], False, True)
    assert who_opens(outcome.text) == wanted
    assert api.decrypt(outcome.text, credentials=ALL) == "a: 3\nb: 4\n"
    differ = data_key(ours) != data_key(theirs)
    assert differ is (renewed != (False, False))
    # Who knows the data key of ours, and can no longer open the file.
    knew = {*here} | ({*"AB"} | ({*there} if not differ else set()) if not renewed[0] else set())
    removed = knew - {*wanted}
    assert (data_key(outcome.text) != data_key(ours)) is (differ or bool(removed))
    lines = {
        "a recipient was removed: every value is re-encrypted with a new data key": bool(removed),
        "the two sides have different data keys: every value is re-encrypted with a new one": (
            differ and not removed
        ),
        f"our side adds age {CAROL.recipient}": differ and "C" in here and "C" not in there,
        f"their side adds age {CAROL.recipient}": "C" in there and "C" not in here,
    }
    gone = [f"age {PEOPLE[name].recipient}" for name in "AB" if name in here and name not in there]
    lines[f"their side removes {', '.join(gone)}"] = bool(gone)
    assert {*said} == {line for line, is_said in lines.items() if is_said}


@pytest.mark.parametrize(("here", "there", "renewed"), EVERY)
def test_files_without_a_key(
    files: dict[Any, str], here: str, there: str, renewed: tuple[bool, bool]
) -> None:
    """What comes out once somebody adds the MAC is the merge with a key."""
    base, ours, theirs = files["base"], files[1, here, renewed[0]], files[2, there, renewed[1]]
    ids = {f"{number}" * 40: text for number, text in enumerate((base, ours, theirs))}

    def merged() -> Any:
        asked = repository({"parents": lambda: " ".join(ids)}, ABC)
        return merge(base, ours, theirs, format="yaml", credentials=STRANGER, repository=asked)

    wanted = kept("AB", here, there)
    if renewed != (False, False):
        with pytest.raises(UndecidedError, match="new data key"):
            merged()
        return
    if not wanted or not {*here} & {*there}:
        with pytest.raises(UndecidedError):
            merged()
        return
    outcome = merged()
    assert ([*outcome.conflicts], outcome.keyless, outcome.sealed) == ([], True, False)
    with pytest.raises(MacError):
        api.decrypt(outcome.text, credentials=ALL)
    for name in wanted:
        asked = repository({"version": ids.get}, ABC)
        text = reseal(outcome.text, format="yaml", repository=asked, credentials=credentials(PEOPLE[name]))
        assert api.decrypt(text, credentials=ALL) == "a: 3\nb: 4\n"
        assert who_opens(text) == wanted
