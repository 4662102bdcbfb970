"""``encconf diff``: what it tells of two versions, with and without a key, and that it tells no values."""

from __future__ import annotations

import json
import random
import time

import pytest
from audit.sealed_texts import CASES, PLAIN, again, rule, seal
from oracle import FIXTURES, AgeKey, Sops

from encconf import formats
from encconf.audit import diff
from encconf.audit.diff import Difference
from encconf.audit.sides import Side
from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection
from encconf.text.path import spell
from encconf.verbs import rekey

ALICE, BOB, CAROL = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt") for name in ("alice", "bob", "carol"))
EVERYBODY = Credentials(
    {"SOPS_AGE_KEY": " ".join(key.identity for key in (ALICE, BOB, CAROL))}, home="/nonexistent"
)
NOW = "changed-canary"


def compare(
    old: str | None,
    new: str | None,
    *,
    key: bool = True,
    one_file: bool = True,
    name: str = "s.yaml",
    other: str = "",
) -> Difference:
    sides = Side("old", name, old), Side("new", other or name, new)
    return diff.compare(*sides, one_file=one_file, credentials=EVERYBODY if key else None)


def told(found: Difference) -> list[str]:
    """Each change in a few words: its kind (with ? where it is uncertain) and its paths."""
    lines = []
    for change in found.changes:
        where = spell(change.path)
        if change.kind == "moved" and change.old is not None:
            where = f"{spell(change.old)} > {where}"
        lines.append(f"{change.kind}{'' if change.certain else '?'} {where}")
    return lines


CASE_IDS = [
    "changed", "number", "type", "removed", "key renamed", "mapping renamed", "added",
    "first of a list added", "last of a list removed", "first of a list removed",
]  # fmt: skip


class TestValues:
    @pytest.mark.parametrize(("old", "new", "wanted"), CASES, ids=CASE_IDS)
    def test_with_a_key(self, old: str, new: str, wanted: list[str]) -> None:
        assert PLAIN.count(old) == 1
        plain = PLAIN.replace(old, new)
        sealed = seal()
        for before, after in (
            (sealed, again(sealed, plain)),  # one data key
            (sealed, seal(plain)),  # two of them
            (PLAIN, plain),  # in clear
            (PLAIN, seal(plain)),  # one of both
            (sealed, plain),
        ):
            found = compare(before, after)
            assert told(found) == wanted
            assert found.keyed
            assert found.differs

    def test_without_a_key(self) -> None:
        sealed = seal()
        plain = (
            PLAIN.replace("hunter2", "hunter3")
            .replace("15432", "115432")
            .replace("db.internal", "dc.internal")
        )
        new = again(sealed, plain.replace("token: t0ken-canary\n", "extra: value\n"))
        found = compare(sealed, new, key=False)
        # Another length, or type, is another value for sure; the same length may be the same value.
        assert told(found) == [
            "changed? db.host",
            "changed? db.password",
            "changed db.port",
            "added extra",
            "removed token",
        ]
        assert not found.keyed
        assert found.data_key == "same"

    def test_the_same_values_under_another_data_key(self) -> None:
        sealed = seal()
        rotated = rekey.rotate(sealed, format="yaml", credentials=EVERYBODY)
        found = compare(sealed, rotated)
        assert told(found) == []
        assert found.data_key == "new"
        assert found.differs
        found = compare(sealed, rotated, key=False)
        assert {change.certain for change in found.changes} == {False}
        assert found.data_key == "new"

    def test_without_a_key_a_moved_ciphertext_is_known(self) -> None:
        """In a list it stays good; under another key nobody can decrypt it."""
        sealed = seal("a:\n  - one-value\n  - another-value\n")
        lines = sealed.splitlines(keepends=True)
        swapped = "".join([lines[0], lines[2], lines[1], *lines[3:]])
        (change,) = compare(sealed, swapped, key=False).changes
        assert (change.kind, change.certain, change.lost) == ("moved", True, False)
        (change,) = compare(sealed, swapped).changes
        assert (change.kind, change.lost) == ("moved", False)
        sealed = seal("a: one-value\nb: another-value\n")
        (change,) = compare(sealed, sealed.replace("a: ENC", "c: ENC"), key=False).changes
        assert (change.kind, change.lost) == ("moved", True)

    def test_a_value_that_lost_its_ciphertext(self) -> None:
        everything, some = rule(), rule(selection=Selection("encrypted_regex", "password|token"))
        found = compare(seal(), seal(by=some))
        assert [change.kind for change in found.changes] == ["cleared"] * 7
        assert all(change.same for change in found.changes)
        found = compare(seal(by=some), seal(by=everything))
        assert [change.kind for change in found.changes] == ["sealed"] * 7
        plain = PLAIN.replace("db.internal", "dbx.internal")
        (changed,) = [
            change for change in compare(seal(by=everything), seal(plain, some)).changes if not change.same
        ]
        assert (changed.kind, spell(changed.path)) == ("cleared", "db.host")

    def test_numbers_of_documents(self) -> None:
        plain = "a: one\n---\nb: two\n"
        found = compare(seal(plain), seal(plain.replace("two", "three")))
        (change,) = found.changes
        assert (change.document, spell(change.path)) == (1, "b")

    @pytest.mark.parametrize(
        ("name", "plain", "old", "new", "path"),
        [
            ("s.json", '{"a": "value", "b": [1, 2]}\n', "2", "3", "b[1]"),
            ("s.env", "A=value\nB=other\n", "other", "another", "B"),
            ("s.ini", "[a]\nb = value\n", "value", "other", "a.b"),
            ("s.toml", 'a = "value"\n[t]\nb = 2\n', "2", "3", "t.b"),
            ("s.bin", "any bytes\n", "any", "other", "data"),
        ],
        ids=["json", "dotenv", "ini", "toml", "binary"],
    )
    def test_every_format(self, name: str, plain: str, old: str, new: str, path: str) -> None:
        format = formats.of_path(name)
        other = plain.replace(old, new)
        sealed = seal(plain, format=format)
        for after in (again(sealed, other, format), seal(other, format=format)):
            assert told(compare(sealed, after, name=name)) == [f"changed {path}"]
        for after in (sealed, seal(plain, format=format)):
            assert told(compare(sealed, after, name=name)) == []

    def test_two_formats(self) -> None:
        sealed = seal('{"a": "value", "b": 2, "c": true}\n', format="json")
        same = compare("a: value\nb: 2\nc: true\n", sealed, one_file=False, other="s.json")
        assert not same.differs
        other = compare("a: value\nb: 3\nc: true\n", sealed, one_file=False, other="s.json")
        assert told(other) == ["changed b"]
        env = seal("B=2\n", format="dotenv")
        assert not compare("B: 2\n", env, one_file=False, other="s.env").differs

    def test_a_file_that_sops_wrote(self, sops: Sops, age_key: AgeKey) -> None:
        old = sops.encrypt(PLAIN, "yaml", age=age_key.recipient)
        new = sops.encrypt(PLAIN.replace("hunter2", "hunter3"), "yaml", age=age_key.recipient)
        by = Credentials({"SOPS_AGE_KEY": age_key.identity}, home="/nonexistent")
        found = diff.compare(
            Side("a", "s.yaml", old), Side("b", "s.yaml", new), one_file=False, credentials=by
        )
        assert told(found) == ["changed db.password"]


class TestTheRest:
    def test_recipients(self) -> None:
        old, new = seal(by=rule([ALICE, BOB])), seal(by=rule([BOB, CAROL]))
        for key in (True, False):
            found = compare(old, new, key=key)
            assert [each.name for each in found.added_keys] == [CAROL.recipient]
            assert [each.name for each in found.removed_keys] == [ALICE.recipient]
            assert not found.regrouped

    def test_groups_and_threshold(self) -> None:
        old = seal(by=rule([ALICE], [BOB], [CAROL], threshold=3))
        new = seal(by=rule([ALICE], [BOB, CAROL], threshold=2))
        found = compare(old, new, key=False)
        assert found.quorum == ((3, 3), (2, 2))
        assert [each.name for each in found.regrouped] == [CAROL.recipient]

    def test_selection(self) -> None:
        found = compare(seal(), seal(by=rule(selection=Selection("encrypted_regex", ".*"))), key=False)
        assert found.selection == ("unencrypted_suffix _unencrypted", "encrypted_regex .*")

    def test_comments(self) -> None:
        sealed = seal()
        for plain, counts in (
            (PLAIN.replace("the database", "the data base"), (1, 0, 0)),
            (PLAIN.replace("token:", "# new\ntoken:"), (0, 1, 0)),
            (PLAIN.removeprefix("# the database\n"), (0, 0, 1)),
        ):
            for after in (again(sealed, plain), plain, seal(plain)):
                assert compare(sealed, after).comments == counts
            assert compare(sealed, again(sealed, plain), key=False).comments == counts

    def test_layout_and_shape(self) -> None:
        sealed = seal()
        found = compare(sealed, again(sealed, PLAIN.replace("token:", "\n\ntoken:")))
        assert (found.layout, found.structure, found.differs, told(found)) == (True, False, True, [])
        found = compare("a: {}\n", "a: []\n")
        assert (found.structure, found.differs, told(found)) == (True, True, [])

    def test_sealed_again(self) -> None:
        sealed = seal()
        mac = next(line for line in sealed.splitlines() if line.lstrip().startswith("lastmodified"))
        found = compare(sealed, sealed.replace(mac, mac.replace("20", "19", 1)), key=False)
        assert (found.resealed, found.differs, told(found)) == (True, True, [])

    def test_the_same_bytes(self) -> None:
        sealed = seal()
        for text in (sealed, PLAIN):
            assert not compare(text, text, key=False).differs

    def test_a_file_that_came_or_went(self) -> None:
        sealed = seal("a: value\nb: other\n", rule([ALICE, BOB]))
        found = compare(None, sealed)
        assert told(found) == ["added a", "added b"]
        assert [key.name for key in found.added_keys] == [ALICE.recipient, BOB.recipient]
        found = compare(sealed, None, key=False)
        assert told(found) == ["removed a", "removed b"]
        assert [key.name for key in found.removed_keys] == [ALICE.recipient, BOB.recipient]

    def test_one_version_in_plain_text(self) -> None:
        found = compare(seal(), PLAIN)
        assert (found.encrypted, told(found), found.differs) == ((True, False), [], True)
        # A plain file beside its encrypted one is another file: that one is encrypted is no difference.
        assert not compare(PLAIN, seal(), one_file=False).differs

    def test_two_files_of_different_data_keys(self) -> None:
        assert not compare(seal(), seal(), one_file=False).differs
        assert compare(seal(), seal(by=rule([ALICE, BOB])), one_file=False).differs

    def test_what_nobody_can_say_without_a_key(self) -> None:
        for old, new in ((PLAIN, seal()), (seal(), seal())):
            found = compare(old, new, one_file=False, key=False)
            assert found.differs
            assert not found.decided
        for old, new in (
            (PLAIN.replace("hunter2", "hunter22"), seal()),  # a length
            (PLAIN, seal(PLAIN + "more: value\n")),  # a key
            (seal(), seal(by=rule([BOB]))),
        ):
            assert compare(old, new, one_file=False, key=False).decided

    def test_a_mac_that_does_not_fit_is_told(self) -> None:
        sealed = seal("a: one\nb: two\n")
        changed = "".join(line for line in sealed.splitlines(keepends=True) if not line.startswith("b:"))
        found = compare(sealed, changed)
        assert told(found) == ["removed b"]
        assert [note.partition(":")[0] for note in found.notes] == ["new"]

    def test_one_that_cannot_be_read(self) -> None:
        with pytest.raises(EncconfError) as caught:
            compare(seal(), "a: [hunter2\n")
        assert caught.value.file == "new"
        assert "hunter2" not in str(caught.value)


def test_a_diff_is_what_was_done() -> None:
    """Random changes of random trees: each is told, and nothing else, with one data key and with two."""
    choice = random.Random(1)
    for _ in range(60):
        tree = {f"k{number}": f"value-{choice.random()}" for number in range(choice.randrange(1, 12))}
        other = dict(tree)
        wanted = set()
        for key in list(tree):
            act = choice.randrange(4)
            if act == 0:
                del other[key]
                wanted.add(f"removed {key}")
            elif act == 1:
                other[key] = f"value-{choice.random()}"
                wanted.add(f"changed {key}")
        if choice.randrange(2):
            other["new"] = f"value-{choice.random()}"
            wanted.add("added new")
        old, new = (json.dumps(each, indent=1) + "\n" for each in (tree, other))
        sealed = seal(old, format="json")
        for after in (again(sealed, new, "json"), seal(new, format="json"), new):
            assert set(told(compare(sealed, after, name="s.json"))) == wanted


def test_linear_in_the_number_of_values() -> None:
    def measure(count: int) -> float:
        old = "".join(f"- name: name-{number}\n  value: value-{number}\n" for number in range(count))
        new = "".join(
            f"- name: name-{number}\n  value: other-{number}\n" for number in range(count - 1, -1, -1)
        )
        start = time.process_time()
        found = compare(f"a:\n{old}", f"a:\n{new}")
        assert len(found.changes) >= count
        return time.process_time() - start

    measure(10)
    small, large = measure(500) + 0.05, measure(5000)
    assert large < 30 * small
