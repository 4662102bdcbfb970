"""The whole report about two sides, for everything that can differ: what is said, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from audit.sealed_texts import rule, seal
from audit.two_sides import ALICE, BOB, CAROL, EVERYBODY
from engine import rotated
from oracle import AgeKey, Sops

from encconf.audit import diff
from encconf.audit.diff import Side, between, to_json
from encconf.audit.names import Names
from encconf.engine import sealing
from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection

NAMES = {key.recipient: name for key, name in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol"))}
FEW = Credentials({"SOPS_AGE_KEY": BOB.identity}, home="/nonexistent")


def again(twin: str, plain: str) -> str:
    """The file with another text, under the same data key."""
    return sealing.encrypt(plain, None, format="yaml", twin=twin, edits_twin=True, credentials=EVERYBODY)


def words_of(change: dict[str, Any]) -> str:
    """A change in a few words: the types are those in words, of the old and of the new side."""
    words = [f"{change['kind']}{'' if change['certain'] else '?'}"]
    words += [f"{change['old_path']}>{change['new_path']}", f"{change['old_type']}>{change['new_type']}"]
    assert change["path"] == (change["new_path"] or change["old_path"])
    words += [f"in {change['document']}"] if change["document"] else []
    words += [f"same={change['same_value']}"] if "same_value" in change else []
    words += ["undecryptable"] if change.get("undecryptable", False) else []
    return " ".join(words)


def pair(of: dict[str, Any] | None) -> str:
    return f"{of['old']}>{of['new']}" if of is not None else "None"


def report_of(found: diff.Difference) -> list[str]:
    """All of a report that is not as for two encrypted sides that are the same."""
    data: dict[str, Any] = to_json(found, Names(), values=False)  # type: ignore[assignment]
    lines = [words_of(change) for change in data["changes"]]
    if any(data["comments"].values()):
        lines.append(" ".join(f"{count} {kind}" for kind, count in data["comments"].items() if count))
        lines[-1] = f"comments: {lines[-1]}"
    for kind, keys in data["recipients"].items():
        lines += [f"{kind} {NAMES[key['key']]}" for key in keys]
    both = {"threshold": "1>1", "groups": "1>1", "encrypted": "True>True"}
    lines += [f"{name} {pair(data[name])}" for name, usual in both.items() if pair(data[name]) != usual]
    selection = data["selection"]
    if selection is not None and selection["old"] != selection["new"]:
        lines.append("selection")
    lines += [f"data key {data['data_key']}"] if data["data_key"] != "same" else []
    lines += [name for name in ("structure", "layout", "resealed", "renamed") if data[name]]
    lines += [f"{side} is not there" for side in ("old", "new") if data[side] is None]
    lines += ["by ciphertext"] if data["compared"] == "ciphertexts" else []
    lines += data["notes"]
    if data["differs"] != bool(lines) or data["differs"] is None:
        lines.append(f"differs: {data['differs']}")
    return lines


def report(
    old: str | None,
    new: str | None,
    *,
    key: Credentials | None = EVERYBODY,
    one_file: bool = True,
    name: str = "s.yaml",
    other: str = "",
) -> list[str]:
    sides = Side("old", name, old), Side("new", other or name, new)
    return report_of(diff.compare(*sides, one_file=one_file, credentials=key))


PLAIN = "a: first value\nb: second value\nn: 15432\n"
NO_PAIR = ["threshold None", "groups None"]
"""What is said if a side is not encrypted."""
SOME = rule(selection=Selection("encrypted_regex", "^b$"))


def test_the_same_text() -> None:
    sealed = seal(PLAIN)
    for key in (EVERYBODY, FEW, None):
        assert report(sealed, sealed, key=key)[-1] == "differs: False"
        assert report(PLAIN, PLAIN, key=key)[-1] == "differs: False"
        assert "encrypted False>False" in report(PLAIN, PLAIN, key=key)
        assert not diff.compare(Side("a", "s.yaml", None), Side("b", "s.yaml", None), one_file=True).differs
    for broken in ("a: [\n", "sops: 1\na: ENC[AES256_GCM,data:x\n"):
        with pytest.raises(EncconfError) as caught:
            report(broken, broken)
        assert caught.value.file == "old"


CHANGES: list[tuple[str, str, list[str], list[str]]] = [
    # What is replaced by what; what is said with a key, and without one.
    ("first value", "other value", ["changed a>a string>string"], ["changed? a>a string>string"]),
    ("first value", "another value", ["changed a>a string>string"], ["changed a>a string>string"]),
    ("first value", "1", ["changed a>a string>number"], ["changed a>a string>number"]),
    ("first value", "true", ["changed a>a string>boolean"], ["changed a>a string>boolean"]),
    ("first value", "null", ["changed a>a string>null"], ["changed a>a string>null"]),
    ("first value", "''", ["changed a>a string>string"], ["changed a>a string>string"]),
    ("first value", "2001-02-03T04:05:06Z", ["changed a>a string>date"], ["changed a>a string>date"]),
    ("15432", "15433", ["changed n>n number>number"], ["changed? n>n number>number"]),
    ("15432", "1.5", ["changed n>n number>number"], ["changed n>n number>number"]),
    ("15432", "'15432'", ["changed n>n number>string"], ["changed n>n number>string"]),
    ("a: ", "c: ", ["moved a>c string>string"], ["added None>c None>string", "removed a>None string>None"]),
    ("n: ", "m: ", ["added None>m None>number", "removed n>None number>None"], []),
    ("a: first value\n", "", ["removed a>None string>None"], ["removed a>None string>None"]),
    ("n: 15432\n", "", ["removed n>None number>None"], ["removed n>None number>None"]),
    ("n: 15432\n", "n: 15432\nx: y\n", ["added None>x None>string"], ["added None>x None>string"]),
    (
        "a: first value\n",
        "x: y\na: first value\n",
        ["added None>x None>string"],
        ["added None>x None>string"],
    ),
    ("n: ", "---\nn: ", ["removed n>None number>None", "added None>n None>number in 1"], []),
]


@pytest.mark.parametrize(
    ("old", "new", "with_key", "without"), CHANGES, ids=[f"{x[0]} → {x[1]}" for x in CHANGES]
)
def test_a_value(old: str, new: str, with_key: list[str], without: list[str]) -> None:
    plain = PLAIN.replace(old, new)
    sealed = seal(PLAIN)
    found = diff.compare(Side("", "s.yaml", PLAIN), Side("", "s.yaml", plain), one_file=True)
    kinds = [change.types for change in found.changes]
    assert [change.retyped for change in found.changes] == [
        "" not in (before, after) and before != after for before, after in kinds
    ]
    assert report(sealed, again(sealed, plain)) == with_key
    assert report(sealed, seal(plain)) == [*with_key, "data key new"]
    assert report(sealed, seal(plain), one_file=False) == [*with_key, "data key new"]
    neither = [*NO_PAIR, "encrypted False>False", "data key None"]
    assert report(PLAIN, plain) == [*with_key, *neither]
    assert report(PLAIN, plain, key=None) == [*with_key, *neither]
    before, after = report(sealed, plain), report(PLAIN, seal(plain))
    assert before == [*with_key, *NO_PAIR, "encrypted True>False", "data key None"]
    assert after == [*with_key, *NO_PAIR, "encrypted False>True", "data key None"]
    if without:
        assert report(sealed, again(sealed, plain), key=None) == [*without, "by ciphertext"]


def test_an_empty_value_that_is_filled_and_the_other_way_round() -> None:
    """Nothing was encrypted before."""
    for empty, kind in (("''", "string"), ("null", "null")):
        one, other = (seal(f"a: {value}\nb: other words\n") for value in (empty, "some words"))
        for old, new, kinds in ((one, other, f"{kind}>string"), (other, one, f"string>{kind}")):
            assert report(old, new) == [f"changed a>a {kinds}", "data key new"]


def test_the_same_text_in_two_formats() -> None:
    said = report("A=1\n", "A=1\n", name="s.env", other="s.ini.env", one_file=False)
    assert said[-1] == "differs: False"
    said = report("A=1\n", "A=1\n", name="s.env", other="s.bin", one_file=False)
    assert said[:2] == ["added None>data None>string", "removed A>None string>None"]
    sides = (Side("", "s", '{"a": 1}\n', "yaml"), Side("", "s", '{"a":1}\n', "json"))
    found = diff.compare(*sides, one_file=True)
    assert (found.differs, found.resealed) == (False, False)


def test_a_ciphertext_on_a_line_of_its_own_is_the_same() -> None:
    sealed = seal(PLAIN)
    moved = re.sub(r"^a: (ENC.*)", r"a: |\n    \1", sealed)
    assert report(sealed, moved, key=None) == ["resealed", "by ciphertext"]


def test_a_value_that_looks_like_a_ciphertext_is_one_that_differs() -> None:
    """Its selection leaves it unencrypted, so that nobody decrypts it."""
    sealed = seal("a: other words\nx_unencrypted: one\n")
    old, new = (
        re.sub("one", re.findall(r"a: (ENC.*)", seal(f"a: {value}\n"))[0], sealed, count=1)
        for value in ("b", "c")
    )
    assert report(old, new)[0] == "changed x_unencrypted>x_unencrypted string>string"


def test_what_says_that_the_data_key_is_the_same() -> None:
    """A wrapped data key that both have, or a value; but not two entries that have none."""
    sealed = seal(PLAIN, rule([ALICE, BOB]))
    changed = again(sealed, PLAIN.replace("first", "1st").replace("second", "2nd").replace("15432", "1"))
    assert "by ciphertext" in report(sealed, changed, key=None)
    assert not any("data key" in line for line in report(sealed, changed, key=None))
    wrapped = re.sub(r"(-----BEGIN AGE ENCRYPTED FILE-----\n +)....", r"\1AAAA", sealed)
    assert not any("data key" in line for line in report(sealed, wrapped, key=None))
    entry = "    pgp:\n        - fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n          enc: ''\n    age:"
    one, other = (seal(PLAIN).replace("    age:", entry, 1) for _ in range(2))
    assert "data key new" in report(one, other, key=None)


def test_an_entry_that_is_there_twice() -> None:
    sealed = seal(PLAIN)
    (entry,) = re.findall(r"        - enc: \|\n(?:            .*\n)+          recipient: .*\n", sealed)
    twice = sealed.replace(entry, entry * 2)
    assert report(sealed, twice, key=None) == ["resealed", "by ciphertext"]


def test_another_data_key_and_the_same_values() -> None:
    sealed = seal(PLAIN)
    after = rotated(sealed, format="yaml", credentials=EVERYBODY)
    assert report(sealed, after) == ["data key new"]
    assert report(sealed, after, one_file=False) == ["data key new", "differs: False"]
    unsure = [
        f"changed? {key}>{key} {kind}>{kind}"
        for key, kind in (("a", "string"), ("b", "string"), ("n", "number"))
    ]
    assert report(sealed, after, key=None) == [*unsure, "data key new", "by ciphertext"]
    other = report(sealed, after, key=None, one_file=False)
    assert other == [*unsure, "data key new", "by ciphertext", "differs: None"]


@pytest.mark.parametrize("count", range(1, 6))
def test_how_many_ciphertexts_say_that_the_data_key_is_new(count: int) -> None:
    """The MAC counts, too; a few values may all have been changed."""
    plain = "".join(f"k{number}: value {number}\n" for number in range(count))
    for old, new in (
        (seal(plain), seal(plain)),
        (seal(plain), seal(plain + "x: y\n")),
        (seal(plain + "x: y\n"), seal(plain)),
    ):
        said = report(old, new, key=None)
        assert f"data key {'new' if count + 1 > 3 else 'unknown'}" in said


def test_one_side_in_plaintext() -> None:
    sealed = seal(PLAIN)
    same = [*NO_PAIR, "encrypted True>False", "data key None"]
    assert report(sealed, PLAIN) == same
    assert report(sealed, PLAIN, one_file=False) == [*same, "differs: False"]
    unsure = [
        f"changed? {key}>{key} {kind}>{kind}"
        for key, kind in (("a", "string"), ("b", "string"), ("n", "number"))
    ]
    assert report(sealed, PLAIN, key=None) == [*unsure, *same, "by ciphertext"]
    assert report(sealed, PLAIN, key=None, one_file=False) == [
        *unsure,
        *same,
        "by ciphertext",
        "differs: None",
    ]


def test_values_that_are_encrypted_no_longer_and_now() -> None:
    everything, some = seal(PLAIN), seal(PLAIN, SOME)
    crossed = [("a", "string"), ("n", "number")]
    for old, new, kind in ((everything, some, "cleared"), (some, everything, "sealed")):
        wanted = [f"{kind} {key}>{key} {type}>{type} same=True" for key, type in crossed]
        assert report(old, new) == [*wanted, "selection", "data key new"]
        wanted = [f"{kind}? {key}>{key} {type}>{type} same=False" for key, type in crossed]
        wanted.insert(1, "changed? b>b string>string")
        assert report(old, new, key=None) == [*wanted, "selection", "data key unknown", "by ciphertext"]
    other = seal(PLAIN.replace("first", "other").replace("15432", "''"), SOME)
    wanted = ["cleared a>a string>string same=False", "changed n>n number>string"]
    assert report(everything, other) == [*wanted, "selection", "data key new"]


def test_recipients_and_groups() -> None:
    shapes: dict[str, Any] = {
        "A": rule([ALICE]),
        "AB": rule([ALICE, BOB]),
        "BA": rule([BOB, ALICE]),
        "A B": rule([ALICE], [BOB], threshold=2),
        "B A": rule([BOB], [ALICE], threshold=2),
        "A BC": rule([ALICE], [BOB, CAROL], threshold=2),
        "AC B": rule([ALICE, CAROL], [BOB], threshold=2),
        "A B C": rule([ALICE], [BOB], [CAROL], threshold=2),
        "A B C, all": rule([ALICE], [BOB], [CAROL], threshold=3),
        "AB A": rule([ALICE, BOB], [ALICE], threshold=2),
    }
    texts = {
        shape: seal("a: value 1\nb: value 2\nc: value 3\nd: value 4\n", by) for shape, by in shapes.items()
    }

    def groups(shape: str) -> dict[str, list[int]]:
        split = shape.removesuffix(", all").split()
        return {name: [at for at, group in enumerate(split) if name in group] for name in "ABC"}

    def needed(shape: str) -> int:
        return 3 if "all" in shape else min(len(shape.split()), 2)

    people = {"A": "alice", "B": "bob", "C": "carol"}
    for one, first in texts.items():
        for other, second in texts.items():
            if one == other:
                continue
            was, now = groups(one), groups(other)
            wanted = [f"added {people[name]}" for name in now if now[name] and not was[name]]
            wanted += [f"removed {people[name]}" for name in now if was[name] and not now[name]]
            wanted += [
                f"regrouped {people[name]}"
                for name in now
                if was[name] and now[name] and was[name] != now[name]
            ]
            pairs = (
                (needed(one), needed(other)),
                (len(one.removesuffix(", all").split()), len(other.removesuffix(", all").split())),
            )
            for name, (before, after) in zip(("threshold", "groups"), pairs, strict=True):
                wanted += [f"{name} {before}>{after}"] if (before, after) != (1, 1) else []
            found = [line for line in report(first, second) if line != "differs: False"]
            assert sorted(found) == sorted([*wanted, "data key new"]), (one, other)
            same = {line for line in wanted if ">" not in line or len({*line.split()[1].split(">")}) > 1}
            differ = diff.compare(
                Side("", "s.yaml", first), Side("", "s.yaml", second), one_file=False, credentials=EVERYBODY
            )
            assert differ.differs == bool(same)
            unsure = diff.compare(Side("", "s.yaml", first), Side("", "s.yaml", second), one_file=False)
            assert (unsure.decided, unsure.differs) == (bool(same), True)


def test_a_file_that_is_not_there() -> None:
    sealed = seal("a: value\n", rule([ALICE, BOB]))
    usual = ["threshold None", "groups None"]
    assert report(None, sealed) == [
        "added None>a None>string", "added alice", "added bob", *usual, "encrypted False>True",
        "data key None", "old is not there",
    ]  # fmt: skip
    assert report(sealed, None, key=None) == [
        "removed a>None string>None", "removed alice", "removed bob", *usual, "encrypted True>False",
        "data key None", "new is not there", "by ciphertext",
    ]  # fmt: skip
    assert report(None, "# one\n") == [*usual, "encrypted False>False", "data key None", "old is not there"]
    commented = seal("# one\na: value\n", rule([ALICE, BOB]))  # comments are no difference then
    assert report(None, commented) == report(None, sealed)
    assert report(commented, None) == report(sealed, None)
    assert report(None, sealed, name="s.txt", other="s.yaml") == report(None, sealed)
    for sides in ((None, sealed), (sealed, None)):  # and it was not renamed
        assert report(*sides, other="t.yaml") == report(*sides)
    plain = [*usual, "encrypted False>False", "data key None"]
    assert report("", "a: value\n") == ["added None>a None>string", *plain]
    assert report("a: value\n", "") == ["removed a>None string>None", *plain]


def test_renamed() -> None:
    sealed = seal(PLAIN)
    usual = [*NO_PAIR, "data key None"]
    assert report(sealed, sealed, other="t.yaml") == [*usual, "renamed"]
    assert report(sealed, sealed, other="t.yaml", one_file=False) == [*usual, "differs: False"]
    changed = again(sealed, PLAIN.replace("first", "other"))
    assert report(sealed, changed, other="t.yaml") == ["changed a>a string>string", "renamed"]


def comments(text: str, new: str) -> list[str]:
    sealed = seal(text)
    found = report(sealed, again(sealed, new))
    assert report(sealed, seal(new)) == [*found, "data key new"]
    plain = [
        line
        for line in report(text, new)
        if not line.startswith(("threshold", "groups", "encrypted", "data key"))
    ]
    assert plain == found
    assert report(sealed, again(sealed, new), key=None) == [*found, "by ciphertext"]
    return found


COMMENTED = "# one\na: first value\nm:\n    # two\n    b: value\n    # three\n"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("# one", "# 1", "1 changed"),
        ("# one(.*)# two", r"# 1\1# 2", "2 changed"),
        ("# one", "# 1\n# one", "1 added"),
        ("# one", "# one\n# one", "1 added"),
        ("# one\n", "", "1 removed"),
        ("    # three\n", "", "1 removed"),
        ("# one(.*)    # two", r"\1    # one\n    # two", "1 added 1 removed"),
        ("# one(.*)# three", r"# 1\n# 2\1# 3", "2 changed 1 added"),
    ],
)
def test_comments(old: str, new: str, wanted: str) -> None:
    """They belong to the mapping that they are in."""
    text = re.sub(old, new, COMMENTED, flags=re.DOTALL)
    assert comments(COMMENTED, text) == [f"comments: {wanted}"]
    sealed = seal(COMMENTED)
    changed = again(sealed, text.replace("first", "other"))
    assert report(sealed, changed) == ["changed a>a string>string", f"comments: {wanted}"]


def test_layout_and_comments() -> None:
    sealed, text = seal(COMMENTED), COMMENTED.replace("m:", "\n\nm:")
    for one_file in (False, True):
        assert report(sealed, again(sealed, text), one_file=one_file) == ["layout"]
    assert report(COMMENTED, text) == [*NO_PAIR, "encrypted False>False", "data key None", "layout"]
    other = text.replace("one", "1")  # what differs in the layout is not looked for then
    assert report(sealed, again(sealed, other)) == ["comments: 1 changed"]


def test_comments_that_cannot_be_compared() -> None:
    """Only their number is known with another data key, or if one side is plaintext."""
    text = "# one\n# two\na: 1st value\nb: 2nd value\nc: 3rd value\n"
    few = text.replace("# two\n", "")
    for old, new, wanted in (
        (seal(text), seal(text.replace("one", "1")), []),
        (seal(text), seal(few), ["comments: 1 removed"]),
        (seal(text), few, ["comments: 1 removed"]),
        (text, seal(few), ["comments: 1 removed"]),
        (few, seal(text.replace("one", "1")), ["comments: 1 added"]),
        (text, few.replace("one", "1"), ["comments: 1 changed 1 removed"]),
    ):
        said = [line for line in report(old, new, key=None) if line.startswith("comments")]
        assert said == wanted
    # A selection that leaves comments in plaintext.
    by = rule(selection=Selection("encrypted_regex", "^[abc]$"))
    said = report(seal(text, by), seal(text.replace("one", "1"), by), key=None)
    assert "comments: 1 changed" in said


def test_two_formats() -> None:
    """Comments, structure and layout are those of one format."""
    env = "# one\nA=1\nB=first value\n"
    sealed = seal(env, format="dotenv")
    plain = [*NO_PAIR, "encrypted False>True", "data key None"]
    for text in ("A: 1\nB: first value\n", "# other\nB: first value\n\nA: '1'\n"):
        found = report(text, sealed, one_file=False, other="s.env")
        assert [line for line in found if not line.startswith("moved")] == [*plain, "differs: False"], text
    for text, wanted in (
        ("A: 1\nB: other value\n", ["changed B>B string>string"]),
        ("A: 1\n", ["added None>B None>string"]),
    ):
        assert report(text, sealed, one_file=False, other="s.env") == [*wanted, *plain]
    json = '{"A": "1", "B": "first value"}\n'
    yaml = "A: 1\nB: first value\n"
    said = report(yaml, json, one_file=False, other="s.json")
    assert said == ["changed A>A number>string", *NO_PAIR, "encrypted False>False", "data key None"]
    assert report("A: {}\n", '{"A": []}\n', one_file=False, other="s.json")[-1] == "differs: False"


def test_structure_and_layout() -> None:
    for old, new in (
        ("a: {}\nb: value\n", "a: []\nb: value\n"),
        ("a: {}\nb: value\n", "b: value\n"),
        ("a: {}\nb: {c: value}\n", "b: {c: value}\n"),
    ):
        sealed = seal(old)
        assert report(sealed, again(sealed, new)) == ["structure"]
        assert report(sealed, again(sealed, new), one_file=False) == ["structure"]
    for old, new in (
        ("a: value\n", "a:  value\n"),
        ("a: value\n", "'a': value\n"),
        ("a: {b: value}\n", "a:\n    b: value\n"),
    ):
        sealed = seal(old)
        assert report(sealed, again(sealed, new)) == ["layout"]
    assert report(seal("a: {}\nb: value\n"), seal("a: []\nb: value\n"), one_file=False) == [
        "data key new",
        "structure",
    ]


def test_encrypted_again() -> None:
    sealed = seal(PLAIN)
    after = re.sub(r"lastmodified: \"?20", 'lastmodified: "19', sealed)
    after = re.sub(r'(lastmodified: "19[^"\n]*)"?', r'\1"', after)
    mac = "the file's MAC cannot be decrypted: it or lastmodified was changed"
    for key in (EVERYBODY, None):
        found = report(sealed, after, key=key)
        assert found[0] == "resealed"
        assert report(sealed, after, key=key, one_file=False)[-1] == "differs: False"
        assert ("new: " + mac in found) == (key is EVERYBODY)
    assert report(PLAIN, PLAIN + "\n")[-1] == "layout"


def test_a_merge_that_is_not_finished() -> None:
    sealed = seal(PLAIN)
    after = sealed.replace("    mac: ", "    encconf_merge: 0123\n    mac: ")
    found = diff.compare(Side("old", "s.yaml", sealed), Side("new", "s.yaml", after), one_file=True)
    assert found.resealed
    assert found.unmerged is not None
    changed = after.replace("a: ENC", "c: ENC")
    assert (
        diff.compare(Side("old", "s.yaml", sealed), Side("new", "s.yaml", changed), one_file=True).unmerged
        is None
    )
    assert (
        diff.compare(Side("old", "s.yaml", sealed), Side("new", "s.yaml", after), one_file=False).unmerged
        is None
    )


def test_what_cannot_be_opened() -> None:
    """The reason is given for each side, and the first advice."""
    sealed = seal(PLAIN)
    for_both = seal(PLAIN, rule([ALICE, BOB]))
    unsure = [
        f"changed? {key}>{key} {kind}>{kind}"
        for key, kind in (("a", "string"), ("b", "string"), ("n", "number"))
    ]
    for old, new, closed in (
        (sealed, seal(PLAIN), ("old", "new")),
        (sealed, for_both, ("old",)),
        (for_both, sealed, ("new",)),
    ):
        found = diff.compare(
            Side("old", "s.yaml", old), Side("new", "s.yaml", new), one_file=True, credentials=FEW
        )
        assert [reason.partition(": ")[0] for reason in found.reasons] == [*closed]
        assert all("\n" not in reason and "of your keys" in reason for reason in found.reasons)
        assert not found.keyed
        assert found.advice
        said = report_of(found)
        assert said[:3] == unsure
        assert said[-len(closed) :] == found.reasons
    assert (
        diff.compare(Side("old", "s.yaml", sealed), Side("new", "s.yaml", for_both), one_file=True).advice
        is None
    )
    broken = re.sub(r"(a: ENC\[AES256_GCM,data:)..", r"\1AA", sealed)
    said = report(sealed, broken)
    assert said[-1].startswith("new: the value at a cannot be decrypted")
    assert report(broken, sealed)[-1].startswith("old: the value at a cannot be decrypted")


def test_ciphertexts_that_were_moved() -> None:
    """Under another key they cannot be decrypted."""
    sealed = seal("l: [value 1, value 2, value 3]\na: value 4\nb: value 5\n")
    assert report(sealed, sealed.replace("a: ENC", "c: ENC"), key=None) == [
        "moved a>c string>string undecryptable", "by ciphertext",
    ]  # fmt: skip
    # Short ones, too; but not short plaintext, which could be any.
    sealed = seal("n: 1\nx_unencrypted: 1\n")
    assert report(sealed, sealed.replace("n: ENC", "m: ENC").replace("x_un", "y_un"), key=None) == [
        "moved n>m number>number undecryptable", "added None>y_unencrypted None>number",
        "removed x_unencrypted>None number>None", "by ciphertext",
    ]  # fmt: skip


MOVES: list[tuple[str, str, list[str]]] = [
    # A list.
    ("l: [one, two, three]\n", "l: [zero, one, two, three]\n", ["added None>l[0] None>string"]),
    ("l: [one, two, three]\n", "l: [two, three]\n", ["removed l[0]>None string>None"]),
    ("l: [one, two, three]\n", "l: [one, 2.5, three]\n", ["changed l[1]>l[1] string>number"]),
    ("l: [one, two, three]\n", "l: [one, three, two]\n", ["moved l[2]>l[1] string>string"]),
    ("l: [one, one, one]\n", "l: [one, one]\n", ["removed l[2]>None string>None"]),
    ("l: [{a: one}, {a: two}]\n", "l: [{a: zero}, {a: one}, {a: two}]\n", ["added None>l[0].a None>string"]),
    (
        "l: [{a: one, b: x}, {a: two, b: x}]\n",
        "l: [{a: two, b: x}]\n",
        ["removed l[0].a>None string>None", "removed l[0].b>None string>None"],
    ),
    (
        "l: [{a: one, b: x}, {a: two, b: x}]\n",
        "l: [{a: one, b: y}, {a: two, b: x}]\n",
        ["changed l[0].b>l[0].b string>string"],
    ),
    (
        "l: [one, two, three]\n",
        "l: [zero, one, 2.5, three]\n",
        ["added None>l[0] None>string", "changed l[1]>l[2] string>number"],
    ),
    (
        "l: [{a: one}, {a: 1}, {a: three}]\n",
        "l: [{a: one}, {b: x}, {a: 2}, {a: three}]\n",
        ["added None>l[1].b None>string", "changed l[1].a>l[2].a number>number"],
    ),
    # A value of six bytes is known at another place, if there is one of it.
    ("a: sixsix\nz: 0\n", "b: sixsix\nz: 0\n", ["moved a>b string>string"]),
    ("a: fives\nz: 0\n", "b: fives\nz: 0\n", ["removed a>None string>None", "added None>b None>string"]),
    (
        "a: sixsix\nb: sixsix\nz: 0\n",
        "c: sixsix\nz: 0\n",
        ["removed a>None string>None", "removed b>None string>None", "added None>c None>string"],
    ),
    (
        "a: sixsix\nz: 0\n",
        "b: sixsix\nc: sixsix\nz: 0\n",
        ["removed a>None string>None", "added None>b None>string", "added None>c None>string"],
    ),
    ("a: sixsix\nb: {}\n", "b: {a: sixsix}\n", ["moved a>b.a string>string"]),
    # A mapping that was renamed: short values follow the long one, if they are the same.
    (
        "db: {host: example, port: 1, tls: true}\nz: 0\n",
        "base: {host: example, port: 1, tls: true}\nz: 0\n",
        [
            "moved db.host>base.host string>string",
            "moved db.port>base.port number>number",
            "moved db.tls>base.tls boolean>boolean",
        ],
    ),
    (
        "db: {host: example, port: 1, tls: true}\nz: 0\n",
        "base: {host: example, port: 2, tls: true}\nz: 0\n",
        [
            "moved db.host>base.host string>string",
            "removed db.port>None number>None",
            "added None>base.port None>number",
            "moved db.tls>base.tls boolean>boolean",
        ],
    ),
    (
        "db: {host: example, port: 1}\nother: {port: 1}\nz: 0\n",
        "base: {host: example, port: 1}\nz: 0\n",
        [
            "moved db.host>base.host string>string",
            "moved db.port>base.port number>number",
            "removed other.port>None number>None",
        ],
    ),
    (
        "db: {x: {host: example, port: 1}, n: 2}\nz: 0\n",
        "db: {y: {host: example, port: 1}, n: 2}\nz: 0\n",
        ["moved db.x.host>db.y.host string>string", "moved db.x.port>db.y.port number>number"],
    ),
    (
        "a: {x: {host: example}, y: {n: 1}}\nz: 0\n",
        "b: {x: {host: example}, y: {n: 1}}\nz: 0\n",
        ["moved a.x.host>b.x.host string>string", "moved a.y.n>b.y.n number>number"],
    ),
    (
        "db: {host: example, port: 1}\nz: 0\n",
        "n: 5\nm: 5\nbase: {host: example, port: 1}\nz: 0\n",
        [
            "added None>n None>number",
            "added None>m None>number",
            "moved db.host>base.host string>string",
            "moved db.port>base.port number>number",
        ],
    ),
    # Two paths with the same additional data.
    ('"a:b": {c: one}\nz: 0\n', 'a: {"b:c": one}\nz: 0\n', ["moved a:b.c>a.b:c string>string"]),
    # A value that left a mapping takes no others with it.
    (
        "a: {host: example, n: 1}\nz: 0\n",
        "host: example\nn: 1\nz: 0\n",
        ["moved a.host>host string>string", "removed a.n>None number>None", "added None>n None>number"],
    ),
    (
        "host: example\nn: 1\nz: 0\n",
        "a: {host: example, n: 1}\nz: 0\n",
        ["moved host>a.host string>string", "added None>a.n None>number", "removed n>None number>None"],
    ),
    # In another document.
    ("a: sixsix\n---\nb: x\n", "b: x\n---\na: sixsix\n", []),
]


@pytest.mark.parametrize(("old", "new", "wanted"), MOVES, ids=[f"{x[0]} → {x[1]}" for x in MOVES])
def test_where_a_value_went(old: str, new: str, wanted: list[str]) -> None:
    def changes(found: list[str]) -> list[str]:
        return [line for line in found if re.match("(added|removed|moved|changed) .*>", line)]

    found = changes(report(old, new))
    if wanted:
        assert sorted(found) == sorted(wanted)
    sealed = seal(old)
    assert changes(report(sealed, again(sealed, new))) == found
    assert changes(report(sealed, seal(new))) == found


def test_values_are_shown_only_if_they_are_asked_for() -> None:
    old, new = 'a: one\nb: null\nc: three\nd: "\\xe4"\n', 'a: two\nb: null\nd: "\\xe5"\ne: five\n'
    found = diff.compare(
        Side("old", "s.yaml", seal(old)), Side("new", "s.yaml", new), one_file=True, credentials=EVERYBODY
    )
    data: dict[str, Any] = to_json(found, Names(), values=True)  # type: ignore[assignment]
    assert [(each["old_value"], each["new_value"]) for each in data["changes"]] == [
        ("one", "two"), ("ä", "å"), (None, "five"), ("three", None),
    ]  # fmt: skip
    assert "old_value" not in str(to_json(found, Names(), values=False))
    closed = diff.compare(Side("old", "s.yaml", seal(old)), Side("new", "s.yaml", new), one_file=True)
    data = to_json(closed, Names(), values=True)  # type: ignore[assignment]
    assert {each["old_value"] for each in data["changes"]} == {None}
    assert {each["new_value"] for each in data["changes"]} == {"two", None, "å", "five"}
    closed = diff.compare(Side("old", "s.yaml", new), Side("new", "s.yaml", seal(old)), one_file=True)
    data = to_json(closed, Names(), values=True)  # type: ignore[assignment]
    assert {each["old_value"] for each in data["changes"]} == {"two", None, "å", "five"}
    assert {each["new_value"] for each in data["changes"]} == {None}
    closed = diff.compare(Side("old", "s.yaml", seal(old)), Side("new", "s.yaml", new), one_file=True)
    nothing = diff.compare(Side("old", "s.yaml", "a: null\n"), Side("new", "s.yaml", "a: 1\n"), one_file=True)
    (change,) = to_json(nothing, Names(), values=True)["changes"]  # type: ignore[misc, attr-defined]
    assert (change["old_value"], change["new_value"], change["old_type"]) == (None, "1", "null")
    assert [nothing.count(kind) for kind in ("changed", "added", "unknown")] == [1, 0, 0]
    assert [closed.count(kind) for kind in ("changed", "added", "removed", "unknown")] == [0, 1, 1, 2]


def test_changes_are_in_the_order_of_the_new_text() -> None:
    """What was removed comes after what is left of its mapping."""
    old = "a: {x: one, y: two, z: three}\nb: one\nc: {x: one}\nd: {x: one, y: two}\ne: one\n"
    new = "a: {x: 1, z: 3}\nb: 1\nd: {n: 5, x: 1}\ne: 1\nf: {n: 5}\n"
    assert [line.split(" ")[1] for line in report(old, new) if line[:4] in ("chan", "adde", "remo")] == [
        "a.x>a.x", "a.z>a.z", "a.y>None", "b>b", "None>d.n", "d.x>d.x", "c.x>None", "d.y>None", "e>e",
        "None>f.n",
    ]  # fmt: skip


def test_comments_in_the_lists_of_sops(sops: Sops, age_key: AgeKey) -> None:
    """sops writes them as items, which have numbers, and encconf counts them as comments."""
    by = Credentials({"SOPS_AGE_KEY": age_key.identity}, home="/nonexistent")
    text = "l:\n    # one\n    - first value\n    # two\n    - second value\n"
    sealed = sops.encrypt(text, "yaml", age=age_key.recipient)
    for new, wanted in (
        (text, []),
        (text.replace("one", "1"), ["comments: 1 changed"]),
        (text.replace("    # two\n", ""), ["comments: 1 removed"]),
        (text.replace("first", "other"), ["changed l[1]>l[1] string>string"]),
    ):
        said = report(sealed, sops.encrypt(new, "yaml", age=age_key.recipient), key=by)
        assert [
            line for line in said if "list" not in line and line[:7] in ("comment", "changed", "removed")
        ] == wanted


# --- what a verb has done to a file ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a: one\n", "a: one\n", []),
        ("a: one\n", "a: two\n", ["changed a"]),
        ("a: one\n", "a: 2\n", ["changed a (str → int)"]),
        ("a: one\n", "a: one\nb: two\n", ["added b"]),
        ("a: one\nb: two\n", "a: one\n", ["removed b"]),
        ("a: sixsix\n", "b: sixsix\n", ["moved a to b"]),
        ("l: [one, two]\n", "l: [zero, one, two]\n", ["added l[0]"]),
        ("a: one\n", "# x\na: one\n", ["added 1 comment"]),
        ("# x\n# y\na: one\n", "# z\na: one\n", ["changed 1 comment", "removed 1 comment"]),
        ("# x\na: one\n", "# y\na: two\n", ["changed a", "changed 1 comment"]),
        ("a: one\n", "a:  one\n", ["changed the layout only"]),
        ("a: {}\n", "a: []\n", ["changed the layout only"]),
        ("a: one\n", "a: [\n", []),
        ("a: [\n", "a: one\n", []),
        ("l: [one, two]\n", "l: [two, one]\n", ["moved l[1] to l[0]"]),
    ],
)
def test_what_was_done_in_words(old: str, new: str, said: list[str]) -> None:
    assert list(map(str, between("s.yaml", old, new, "yaml"))) == said


# --- which format a side has ---------------------------------------------------------------------------


def test_the_format_of_a_side() -> None:
    """The given one; else what an encrypted text is; else what the name says."""
    sealed = {
        format: seal(text, format=format)
        for format, text in (("yaml", "a: 1\n"), ("json", '{"a": 1}\n'), ("dotenv", "A=1\n"))
    }
    for path, named in (("s.yaml", "yaml"), ("s.json", "json"), ("s.env", "dotenv"), ("s", "binary")):
        for text in ("a: 1\n", "", None):
            side = Side("x", path, text)
            assert (side.found, side.format) == (None, named)
        assert Side("x", path, "a: 1\n", "ini").format == "ini"
        assert Side("x", path, sealed["yaml"]).format == "yaml"
    assert Side("x", "s", sealed["json"]).format == "json"


def test_a_name_that_says_no_format_is_read_like_the_other_side() -> None:
    sealed = seal(PLAIN)
    changed = PLAIN.replace("first", "other")
    wanted = ["changed a>a string>string", *NO_PAIR]
    for name, other in (("s.txt", "s.yaml"), ("s.txt", "s.txt"), ("s.yaml", "s.txt")):
        for old, new, encrypted in ((sealed, changed, "True>False"), (PLAIN, seal(changed), "False>True")):
            if "txt" not in (name if encrypted == "False>True" else other):
                continue
            found = report(old, new, name=name, other=other, one_file=False)
            assert found == [*wanted, f"encrypted {encrypted}", "data key None"]
    # A binary file that is encrypted stays one, and so does what is said to be one.
    for side in (Side("old", "s.txt", seal(PLAIN, format="binary")), Side("old", "s.txt", PLAIN, "binary")):
        diff.compare(side, Side("new", "s.yaml", sealed), one_file=False, credentials=EVERYBODY)
        assert side.format == "binary"
    # Two that say nothing are compared as they are, and so is what is no text.
    assert report("a: 1\n", "a: 2\n", name="s.txt")[:1] == ["changed data>data string>string"]
    said = diff.compare(
        Side("old", "s.txt", "a: \udcff\n"),
        Side("new", "s.txt", sealed),
        one_file=True,
        credentials=EVERYBODY,
    )
    assert said.old.format == "binary"


def test_a_side_that_was_read_or_opened_before_is_not_read_again() -> None:
    from encconf import formats
    from encconf.engine.opening import open_text

    sealed = seal(PLAIN)
    changed = again(sealed, PLAIN.replace("first", "other"))
    opened = open_text(sealed, format="yaml", credentials=EVERYBODY)
    for old in (sealed, opened):
        for new in (changed, formats.get("yaml").scan(changed, comments=True)):
            sides = Side("old", "s.yaml", old), Side("new", "s.yaml", new)
            assert report_of(diff.compare(*sides, one_file=True, credentials=EVERYBODY)) == [
                "changed a>a string>string"
            ]
    document = formats.get("yaml").scan(PLAIN, comments=True)
    side = Side("x", "s.yaml", document)
    assert (side.text, side.document, side.opened) == (PLAIN, document, None)
    side = Side("x", "s.yaml", opened)
    assert (side.text, side.document, side.opened) == (sealed, opened.document, opened)
    side = Side("x", "s.yaml", PLAIN)
    assert (side.text, side.document, side.opened) == (PLAIN, None, None)
