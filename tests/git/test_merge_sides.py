"""The merge of three versions, without git: who can open it, what it starts from, and what is said."""

from __future__ import annotations

import re
from typing import Any

import engine
import pytest
from engine import rotated
from git.sides import AB, ABC, ALICE, ALL, BOB, CAROL, A, changed, merged, repository, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes
from encconf.engine.metadata import Metadata
from encconf.engine.opening import open_text
from encconf.envelope import WrappedKey
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    LostBlockError,
    MacError,
    StrangerError,
    UndecidedError,
    UnmergedError,
)
from encconf.git.conflict import open_conflict
from encconf.git.merge import Outcome, Repository, differences, merge, reseal
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.text.document import splice
from encconf.verbs import rekey

yaml = formats.get("yaml")

BASE, OURS, THEIRS = "a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n"
MERGED = "a: 3\nb: 4\n"
OURS_NAMES_ALL = Repository(rule=lambda: ABC)


def holder(*keys: AgeKey, **environ: str) -> Credentials:
    return Credentials({"SOPS_AGE_KEY": "\n".join(key.identity for key in keys), **environ})


def seal(text: str, by: Rule | None = None, twin: str | None = None) -> str:
    if twin is not None:
        return changed(twin, text, by, credentials=holder(ALICE, BOB))
    return api.encrypt(text, by or rule([ALICE]), credentials=holder(ALICE, BOB))


def joined(*texts: str, by: Rule = ABC, **options: Any) -> tuple[Outcome, list[str]]:
    """What becomes of base, ours and theirs, and what is said."""
    said: list[str] = []
    options = {"credentials": holder(ALICE), **options}
    asked = repository(options, by)
    return merge(*texts, format="yaml", repository=asked, notify=said.append, **options), said


def opened(text: str, *keys: AgeKey) -> str:
    return api.decrypt(text, credentials=holder(*(keys or (ALICE,))))


def wraps(text: str) -> set[str]:
    """The wrapped data keys of a file."""
    return {wrapped.enc for group in Metadata.of(yaml.scan(text)).groups for wrapped in group}


def line(text: str, name: str) -> str:
    return re.findall(rf"(?m)^{name}: .*$", text)[0]


def test_nothing_is_merged_if_neither_side_is_encrypted() -> None:
    for text in (BASE, "", "sops: 1\n", "not: [yaml\n", "# sops\n"):
        assert merge(seal(BASE), text, BASE, format="yaml", credentials=holder(ALICE)) is None


def test_nothing_is_said_of_an_ordinary_merge() -> None:
    base = seal(BASE)
    outcome, said = joined(base, seal(OURS, twin=base), seal(THEIRS, twin=base))
    assert said == []
    assert opened(outcome.text) == MERGED
    assert wraps(outcome.text) == wraps(base)


@pytest.mark.parametrize("plain", ["our", "their"])
def test_one_side_is_not_encrypted(plain: str) -> None:
    base = seal(BASE)
    ours, theirs = (OURS, seal(THEIRS, twin=base)) if plain == "our" else (seal(OURS, twin=base), THEIRS)
    outcome, said = joined(base, ours, theirs)
    assert outcome.reason == f"{plain} side is not encrypted, so anyone could have written its values"
    assert (outcome.conflicts, said) == (["."], [])
    with pytest.raises(UnmergedError):
        opened(outcome.text)
    conflict = open_conflict(outcome.text, format="yaml", credentials=holder(ALICE))
    theirs_or_ours = (MERGED, THEIRS) if plain == "our" else (OURS, MERGED)
    assert (conflict.merged.text, conflict.merged.theirs) == theirs_or_ours


@pytest.mark.parametrize("plain", ["our", "their"])
def test_a_side_that_only_decrypted_the_file(plain: str) -> None:
    """None of its values is new, so there is nothing to decide."""
    base = seal(BASE)
    ours, theirs = (BASE, seal(THEIRS, twin=base)) if plain == "our" else (seal(THEIRS, twin=base), BASE)
    outcome, said = joined(base, ours, theirs)
    assert said[-1] == f"{plain} side is not encrypted; the merged file is"
    assert opened(outcome.text) == THEIRS


@pytest.mark.parametrize("plain", ["our", "their"])
def test_both_sides_change_a_value_and_one_is_not_encrypted(plain: str) -> None:
    """The value of the encrypted side is in the merged text, and the conflict is about the whole file."""
    base, mine, other = seal("a: 1\n"), "a: 2\n", "a: 3\n"
    ours, theirs = (mine, seal(other, twin=base)) if plain == "our" else (seal(mine, twin=base), other)
    outcome, said = joined(base, ours, theirs)
    assert outcome.reason == f"{plain} side is not encrypted, so anyone could have written its values"
    assert (outcome.conflicts, said) == (["."], [])
    conflict = open_conflict(outcome.text, format="yaml", credentials=holder(ALICE))
    assert (conflict.merged.text, conflict.merged.theirs) == (mine, other)


def test_only_their_side_is_encrypted() -> None:
    outcome, said = joined(BASE, OURS, seal(THEIRS, rule([ALICE, BOB])))
    assert (outcome.conflicts, said) == (["."], [])
    assert "encconf_conflict" in outcome.text


@pytest.mark.parametrize("side", ["our", "their"])
def test_a_side_that_lost_its_block(side: str) -> None:
    """Its ciphertexts are no values, so it is no plaintext."""
    base = seal(BASE)
    lost = base[: base.index("sops:")]
    sides = (lost, seal(THEIRS, twin=base)) if side == "our" else (seal(OURS, twin=base), lost)
    with pytest.raises(LostBlockError, match=f"of {side} side"):
        joined(base, *sides)


def test_a_base_that_lost_its_block_decides_nothing() -> None:
    base = seal(BASE)
    outcome, _ = joined(base[: base.index("sops:")], seal(OURS, twin=base), seal(THEIRS, twin=base))
    assert sorted(outcome.conflicts) == ["a", "b"]


def test_a_side_without_any_text_has_kept_nothing() -> None:
    base = seal(BASE)
    outcome, said = joined(base, base, "")
    assert not [line for line in said if "no value is left" in line]
    assert outcome.conflicts == ["."]
    said = []
    with pytest.raises(EmptyDocumentError):
        merge(
            base,
            "",
            base,
            format="yaml",
            credentials=holder(ALICE),
            repository=OURS_NAMES_ALL,
            notify=said.append,
        )
    assert said == []


def test_somebody_without_a_key_hears_of_no_trouble() -> None:
    base = seal(BASE)
    texts = base, seal(OURS, twin=base), seal(THEIRS, twin=base)
    outcome, said = joined(*texts, credentials=holder(BOB))
    assert outcome.keyless
    assert said == []


def test_who_should_have_a_key_hears_why_it_is_of_no_use() -> None:
    base = seal(BASE)
    texts = base, seal(OURS, twin=base), seal(THEIRS, twin=base)
    broken = Credentials({"SOPS_AGE_KEY_CMD": "/nonexistent/keys"})
    outcome, said = joined(*texts, credentials=broken)
    assert outcome.keyless
    assert len(said) == 1
    assert "of your keys opens this file" in said[0]
    assert merge(*texts, format="yaml", repository=OURS_NAMES_ALL, credentials=broken).keyless


def test_a_version_that_cannot_be_read() -> None:
    base = seal(BASE)
    ours, theirs = seal(OURS, twin=base), seal(THEIRS, twin=base)
    swapped = {
        text: text.replace(line(text, "a"), "a: " + line(text, "b")[3:]) for text in (base, ours, theirs)
    }
    with pytest.raises(UndecidedError, match=r"^the common version cannot be decrypted"):
        joined(swapped[base], ours, theirs)
    with pytest.raises(DecryptError, match=r"^our side: "):
        joined(base, swapped[ours], theirs)
    with pytest.raises(DecryptError, match=r"^their side: "):
        joined(base, ours, swapped[theirs])


def test_a_version_whose_mac_is_wrong() -> None:
    plain = "x_unencrypted: 1\n"
    base = seal(BASE + plain)
    ours, theirs = seal(OURS + plain, twin=base), seal(THEIRS + plain, twin=base)
    changed = {text: text.replace("x_unencrypted: 1", "x_unencrypted: 2") for text in (base, ours, theirs)}
    outcome, said = joined(changed[base], ours, theirs)
    assert len(said) == 1
    assert said[0].startswith("the common version: MAC mismatch")
    assert opened(outcome.text) == MERGED + plain
    assert merge(changed[base], ours, theirs, format="yaml", credentials=holder(ALICE)).text
    with pytest.raises(MacError, match=r"^our side: MAC"):
        joined(base, changed[ours], theirs)
    with pytest.raises(MacError, match=r"^their side: MAC"):
        joined(base, ours, changed[theirs])


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("which", ["our side", "their side", "the common version"])
def test_a_side_that_was_merged_without_a_key(which: str, follows: bool) -> None:
    base = seal(BASE)
    known = {"1" * 40: base, "2" * 40: seal(OURS, twin=base), "3" * 40: seal(THEIRS, twin=base)}
    parents = " ".join(known)
    keyless = joined(*known.values(), credentials=holder(BOB), parents=lambda: parents)[0].text
    asked: list[tuple[str, bool]] = []

    def answer(before: str, text: str, ours: bool) -> bool:
        assert text == keyless
        asked.append((before, ours))
        return follows

    other = seal("c: 5\n" + BASE, twin=base)
    texts = {
        "our side": (base, keyless, other),
        "their side": (base, other, keyless),
        "the common version": (
            keyless,
            seal("c: 5\n" + MERGED, twin=base),
            seal(MERGED + "d: 6\n", twin=base),
        ),
    }[which]
    outcome, said = joined(*texts, version=known.get, follows=answer)
    got = opened(outcome.text)
    if which == "the common version":  # it decides nothing alone, and needs no MAC
        assert got == "c: 5\n" + MERGED + "d: 6\n"
        assert (said, asked) == ([], [])
        return
    assert got == "c: 5\n" + MERGED
    assert asked == [("2" * 40, which == "our side")]
    assert said[0] == f"{which} was merged without a key; its MAC is added now"
    assert len(said) == (1 if follows else 2)
    if not follows:
        assert said[1].startswith(f"{which} was not merged into the version that git had before it")
    here = Repository(rule=lambda: ABC, version=known.get)
    silent = merge(*texts, format="yaml", credentials=holder(ALICE), repository=here)
    assert opened(silent.text) == got
    with pytest.raises(UnmergedError):  # without the versions, it cannot be checked
        joined(*texts, follows=answer)
    for gone in known:
        with pytest.raises(UnmergedError, match="not in this repository"):
            joined(*texts, version={**known, gone: None}.get)


def test_a_file_that_is_not_the_merge_it_says() -> None:
    base = seal(BASE)
    ours = seal(OURS, twin=base)
    known = {"1" * 40: base, "2" * 40: ours, "3" * 40: seal(THEIRS, twin=base)}
    parents = " ".join(known)
    keyless = joined(*known.values(), credentials=holder(BOB), parents=lambda: parents)[0].text
    again = keyless.replace(line(keyless, "b"), line(ours, "b"))
    options: Any = {"format": "yaml", "credentials": holder(ALICE)}
    with pytest.raises(UnmergedError, match=r"not the result of merging its parents: b\n"):
        reseal(again, repository=Repository(rule=lambda: ABC, version=known.get), **options)
    many = "".join(f"k{number}: 1\n" for number in range(6))
    base = seal(BASE + many)
    ours = seal(OURS + many, twin=base)
    known = {"1" * 40: base, "2" * 40: ours, "3" * 40: seal(THEIRS + many, twin=base)}
    keyless = joined(*known.values(), credentials=holder(BOB), parents=lambda: parents)[0].text
    for number in range(6):
        keyless = keyless.replace(f"\nk{number}: ", f"\nj{number}_unencrypted: 1\nk{number}: ")
    with pytest.raises(UnmergedError) as caught:
        reseal(keyless, repository=Repository(rule=lambda: ABC, version=known.get), **options)
    assert caught.value.message.endswith(" and 1 more")
    assert caught.value.message.count("j") == 5


def test_comments_that_differ_are_named_if_nothing_else_differs() -> None:
    texts = ("# c\na: 1\n", "# d\na: 2\n", "# d\na: 1\n")
    one, two, three = (open_text(seal(text), format="yaml", credentials=holder(ALICE)) for text in texts)
    assert [differences(one, each) for each in (one, two, three)] == [[], ["a"], ["its comments"]]


def test_what_differs_is_named() -> None:
    texts = (seal("a: 1\n"), seal("a: 2\n"))
    one, other = (open_text(text, format="yaml", credentials=holder(ALICE)) for text in texts)
    less = other.replace(metadata=other.metadata.replace(selection=Selection("encrypted_regex", "^b$")))
    assert differences(one, one) == []
    assert differences(one, less) == ["which values are encrypted", "a"]
    wide = one.replace(metadata=one.metadata.replace(groups=[*one.metadata.groups, *one.metadata.groups]))
    assert differences(wide, one) == ["who can open it"]


# --- what the result starts from -----------------------------------------------------------------


def test_the_ciphertexts_are_ours_first() -> None:
    base = seal(BASE + "c: 5\n")
    ours, theirs = seal("a: 9\nb: 2\nc: 5\n", twin=base), seal("a: 9\nb: 4\nc: 5\n", twin=base)
    assert line(ours, "a") != line(theirs, "a")
    text = joined(base, ours, theirs)[0].text
    assert line(text, "a") == line(ours, "a")
    assert line(text, "b") == line(theirs, "b")
    assert line(text, "c") == line(base, "c")


def test_different_data_keys() -> None:
    base = seal(BASE)
    ours = seal(OURS, twin=base)
    theirs = rotated(seal(THEIRS, twin=base), format="yaml", credentials=holder(ALICE))
    for one, other in ((ours, theirs), (theirs, ours)):
        outcome, said = joined(base, one, other)
        assert said == ["the two sides have different data keys: every value is re-encrypted with a new one"]
        assert opened(outcome.text) == MERGED
        assert not wraps(outcome.text) & (wraps(ours) | wraps(theirs))
    silent = merge(base, ours, theirs, format="yaml", repository=OURS_NAMES_ALL, credentials=holder(ALICE))
    assert opened(silent.text) == MERGED


def test_who_comes_and_who_goes_is_said() -> None:
    base = seal(BASE, rule([ALICE, BOB]))
    ours = seal(OURS, twin=base)
    theirs = seal(THEIRS, rule([ALICE, CAROL]), twin=base)
    outcome, said = joined(base, ours, theirs)
    assert said == [
        "a recipient was removed: every value is re-encrypted with a new data key",
        f"their side adds age {CAROL.recipient}",
        f"their side removes age {BOB.recipient}",
    ]
    assert opened(outcome.text, CAROL) == MERGED
    _, said = joined(base, theirs, ours)  # in a rebase, our side is the other branch
    assert said == [
        "the two sides have different data keys: every value is re-encrypted with a new one",
        f"our side adds age {CAROL.recipient}",
    ]
    _, said = joined(base, seal(OURS, ABC, twin=base), seal(THEIRS, twin=base))
    assert said == []  # with the same data key, a holder of a key has added them
    silent = merge(base, ours, theirs, format="yaml", repository=OURS_NAMES_ALL, credentials=holder(ALICE))
    assert opened(silent.text, CAROL) == MERGED


def test_who_comes_is_said_where_only_one_of_the_others_is_encrypted() -> None:
    theirs = seal(THEIRS, rule([ALICE, BOB]))
    adds = f"their side adds age {BOB.recipient}"
    assert joined(BASE, seal(OURS), theirs)[1][-1] == adds
    assert joined(seal(BASE), OURS, theirs)[1] == [adds]
    assert joined(BASE, OURS, theirs)[1] == []
    # A side that is not encrypted removes no recipient.
    base = seal(BASE, rule([ALICE, BOB]))
    assert joined(base, seal(OURS, twin=base), THEIRS)[1] == []


def test_both_sides_add_somebody() -> None:
    """What was wrapped stays as it was wrapped, by either side."""
    base = seal(BASE)
    ours, theirs = seal(OURS, rule([ALICE, BOB]), base), seal(THEIRS, rule([ALICE, CAROL]), base)
    outcome, said = joined(base, ours, theirs)
    assert said == [f"their side adds age {CAROL.recipient}"]
    assert wraps(outcome.text) == wraps(ours) | wraps(theirs)
    for key in (ALICE, BOB, CAROL):
        assert opened(outcome.text, key) == MERGED


def test_new_shares_are_not_for_strangers_in_our_version() -> None:
    """Our version lists a stranger in each group; theirs adds Carol, and our rule names her."""
    both = holder(ALICE, BOB)
    base = api.encrypt(BASE, rule([ALICE], [BOB], threshold=2), credentials=both)
    theirs = changed(base, THEIRS, rule([ALICE, CAROL], [BOB], threshold=2), credentials=both)
    names_all = rule([ALICE, CAROL], [BOB], threshold=2)
    evil = AgeKey.generate()
    document = yaml.scan(base)
    block = Metadata.of(document)
    entry = WrappedKey(master_key("age", evil.recipient), "garbage")
    listed = block.replace(groups=[[*group, entry] for group in block.groups]).to_block()
    ours = splice(base, yaml.attach(document, yaml.render_block(listed)))
    for rebased in (False, True):
        sides = (theirs, ours) if rebased else (ours, theirs)
        with pytest.raises(StrangerError, match=evil.recipient) as caught:
            joined(base, *sides, by=names_all, credentials=both)
        assert evil.recipient not in str(caught.value.hint)
    merged_text = joined(base, base, theirs, by=names_all, credentials=both)[0].text
    assert opened(merged_text, BOB, CAROL) == THEIRS


@pytest.mark.parametrize("turned", [False, True])
def test_the_shares_are_those_of_the_side_that_adds_somebody(turned: bool) -> None:
    """Shares of different splits do not fit together."""
    both = holder(ALICE, BOB)
    by = rule([ALICE, CAROL], [BOB], threshold=2)
    base = api.encrypt(BASE, rule([ALICE], [BOB], threshold=2), credentials=both)
    ours = api.encrypt(OURS, twin=base, credentials=both)
    theirs = changed(base, THEIRS, by, credentials=both)
    sides = (theirs, ours) if turned else (ours, theirs)
    text = joined(base, *sides, by=by, credentials=both)[0].text
    assert wraps(text) == wraps(theirs)
    for key in (ALICE, CAROL):
        assert opened(text, key, BOB) == MERGED


@pytest.mark.parametrize("turned", [False, True])
def test_one_side_gives_up_key_groups(turned: bool) -> None:
    """A part of the data key is no data key: none of the old ones gets into a file without groups."""
    base = seal(BASE, rule([ALICE], [BOB]))
    both = holder(ALICE, BOB)
    ours, theirs = seal(OURS, twin=base), seal(THEIRS, rule([ALICE, BOB]), base)
    if turned:
        ours, theirs = theirs, ours
    by = rule([ALICE, BOB])
    outcome, _ = joined(base, ours, theirs, by=by, credentials=both)
    for key in (ALICE, BOB):
        assert opened(outcome.text, key) == MERGED


@pytest.mark.parametrize("turned", [False, True])
def test_one_side_splits_the_data_key(turned: bool) -> None:
    base = seal(BASE, rule([ALICE, BOB]))
    ours, theirs = seal(OURS, twin=base), seal(THEIRS, rule([ALICE], [BOB]), base)
    if turned:
        ours, theirs = theirs, ours
    outcome, _ = joined(base, ours, theirs, by=rule([ALICE], [BOB]), credentials=holder(ALICE, BOB))
    assert opened(outcome.text, ALICE, BOB) == MERGED
    metadata = Metadata.of(yaml.scan(outcome.text))
    assert [[wrapped.key.name for wrapped in group] for group in metadata.groups] == [
        [ALICE.recipient],
        [BOB.recipient],
    ]


def test_the_same_groups_keep_their_parts() -> None:
    base = seal(BASE, rule([ALICE], [BOB]))
    ours, theirs = seal(OURS, twin=base), seal(THEIRS, twin=base)
    outcome, said = joined(base, ours, theirs, by=rule([ALICE], [BOB]), credentials=holder(ALICE, BOB))
    assert said == []
    assert wraps(outcome.text) == wraps(base)
    assert opened(outcome.text, ALICE, BOB) == MERGED


def test_no_cache_of_data_keys_is_taken_away() -> None:
    """A merge brings its own only where the caller has none."""
    from encconf.envelope.unwrap import DataKeyCache

    mine = holder(ALICE)
    cache = mine.cache = DataKeyCache()
    base = seal(BASE)
    joined(base, seal(OURS, twin=base), seal(THEIRS, twin=base), credentials=mine)
    assert mine.cache is cache


def test_parents_that_no_key_of_ours_opens() -> None:
    known = dict.fromkeys(("1" * 40, "2" * 40, "3" * 40), seal(BASE, rule([BOB])))
    text = re.sub("(?m)^( +)mac: ", rf"\1encconf_merge: {' '.join(known)}\n\g<0>", seal(BASE))
    with pytest.raises(UnmergedError, match="none of your keys opens the versions"):
        reseal(text, format="yaml", credentials=holder(ALICE), repository=Repository(version=known.get))


def test_parents_whose_merge_has_a_conflict() -> None:
    """Whoever merged them without a key could not decide the conflict."""
    base = seal(BASE)
    ours = seal(OURS, twin=base)
    known = {"1" * 40: base, "2" * 40: ours, "3" * 40: seal("a: 5\nb: 2\n", twin=base)}
    text = re.sub("(?m)^( +)mac: ", rf"\1encconf_merge: {' '.join(known)}\n\g<0>", ours)
    here = Repository(rule=lambda: ABC, version=known.get)
    with pytest.raises(UnmergedError, match="merging its parents again has a conflict"):
        reseal(text, format="yaml", credentials=holder(ALICE), repository=here)


def test_the_keys_of_this_machine_open_what_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    base = seal(BASE)
    known = {"1" * 40: base, "2" * 40: seal(OURS, twin=base), "3" * 40: seal(THEIRS, twin=base)}
    here = Repository(rule=lambda: ABC, version=known.get, parents=lambda: " ".join(known))
    keyless = merge(*known.values(), format="yaml", repository=here)
    assert keyless.keyless
    monkeypatch.setenv("SOPS_AGE_KEY", ALICE.identity)
    assert opened(reseal(keyless.text, format="yaml", repository=here)) == MERGED
    assert opened(merge(*known.values(), format="yaml", repository=here).text) == MERGED


def test_members_that_others_put_into_the_block() -> None:
    base = seal(BASE)
    ours, theirs = seal(OURS, twin=base), seal(THEIRS, twin=base)
    added = re.sub("(?m)^( +)mac: ", r"\1from_elsewhere: 1\n\g<0>", theirs)
    assert added != theirs
    for one, other in ((ours, added), (added, ours)):
        assert "from_elsewhere: 1" in joined(base, one, other)[0].text
    # A block that says nothing new is left as it is, blanks included.
    spread = ours.replace("\n    mac:", "\n\n    mac:")
    assert "\n\n    mac:" in joined(base, spread, theirs)[0].text


@pytest.mark.parametrize("side", ["our", "their"])
def test_it_is_said_which_side_is_not_encrypted(side: str) -> None:
    base = api.encrypt("a: 1\nb: 1\n", A, credentials=ALL)
    enc, plain = api.encrypt("a: 2\nb: 1\n", twin=base, credentials=ALL), "a: 1\nb: 2\n"
    sides = (plain, enc) if side == "our" else (enc, plain)
    outcome = merge(base, *sides, format="yaml", repository=Repository(rule=lambda: A), credentials=ALL)
    assert outcome.reason.startswith(f"{side} side is not encrypted")
    ours = open_conflict(outcome.text, format="yaml", credentials=ALL).merged.text
    assert ours == ("a: 2\nb: 2\n" if side == "our" else "a: 2\nb: 1\n")


@pytest.mark.parametrize("side", ["our", "their"])
def test_a_side_with_a_conflict_in_it_is_not_merged(side: str) -> None:
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


@pytest.mark.parametrize("side", ["our", "their"])
def test_a_recipient_that_their_side_removes_is_named_in_full(side: str) -> None:
    base = api.encrypt("a: 1\nb: 1\n", AB, credentials=ALL)
    plan = rekey.plan(base, A, format="yaml")
    removed = rekey.carry_out(plan, rotate=False, credentials=ALL)
    other = api.encrypt("a: 1\nb: 2\n", twin=base, credentials=ALL)
    notes: list[str] = []
    merged(base, *((removed, other) if side == "our" else (other, removed)), by=AB, notify=notes.append)
    notices = [f"their side removes age {BOB.recipient}"] if side == "their" else []
    assert notes == ["a recipient was removed: every value is re-encrypted with a new data key", *notices]


@pytest.mark.parametrize("format", ["dotenv", "yaml"])
def test_a_merge_that_leaves_no_value_says_so(format: str) -> None:
    """Each side removed what the other kept.  git would have a conflict for two neighbouring lines."""
    who, sign = holder(ALICE), "=" if format == "dotenv" else ": "
    lines = [f"{name}{sign}1\n" for name in "AB"]
    base = api.encrypt("".join(lines), rule([ALICE]), format=format, credentials=who)
    sides = [engine.change(base, format, ((name,), changes.REMOVED), credentials=who) for name in "AB"]
    notes: list[str] = []
    options = {"credentials": who, "repository": repository({}, A), "notify": notes.append}
    outcome = merge(base, *sides, format=format, **options)
    assert api.loads(outcome.text, format=format, credentials=who) == {}
    assert notes == ["no value is left in the merged file: each side removed what the other kept"]
