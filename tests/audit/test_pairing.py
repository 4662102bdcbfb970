"""Which value of one text is which of another, and what became of it."""

from __future__ import annotations

import random

import pytest
from audit.sealed_texts import CASES, PLAIN, again, rule, seal
from audit.two_sides import EVERYBODY, changes_in, compare
from engine import rotated
from oracle import AgeKey, Sops

from encconf import formats
from encconf.audit import diff
from encconf.audit.diff import Change, Difference, Side
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection
from encconf.text.path import spell

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
            assert changes_in(found) == wanted
            assert found.keyed
            assert found.differs

    def test_a_list_that_becomes_one_of_its_items(self) -> None:
        """Both places have the same additional data, and the value is the same."""
        before, after = "a:\n  - one\n  - two\nb: c\n", "a: one\nb: c\n"
        sealed = seal(before)
        for old, new in ((before, after), (sealed, again(sealed, after))):
            assert changes_in(compare(old, new)) == ["moved a[0] > a", "removed a[1]"]

    def test_a_short_value_is_not_known_at_another_place(self) -> None:
        """``true`` may be any value, encrypted or not."""
        before, after = "a: true\nx: y\n", "b: true\nx: y\n"
        for old, new in ((before, after), (seal(before), seal(after)), (before, seal(after))):
            assert sorted(changes_in(compare(old, new))) == ["added b", "removed a"]

    def test_without_a_key(self) -> None:
        # A secret that stays: without one, the file would get a new data key.
        before = PLAIN + "api_key: k9Vq2mXw7RtY4bZd\n"
        sealed = seal(before)
        plain = (
            before.replace("hunter2", "hunter3")
            .replace("15432", "115432")
            .replace("db.internal", "dc.internal")
        )
        new = again(sealed, plain.replace("token: t0ken-canary\n", "extra: value\n"))
        found = compare(sealed, new, key=False)
        # Another length, or type, is another value for sure; the same length may be the same value.
        assert changes_in(found) == [
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
        after = rotated(sealed, format="yaml", credentials=EVERYBODY)
        found = compare(sealed, after)
        assert changes_in(found) == []
        assert found.data_key == "new"
        assert found.differs
        found = compare(sealed, after, key=False)
        assert {change.certain for change in found.changes} == {False}
        assert found.data_key == "new"

    def test_without_a_key_a_moved_ciphertext_is_known(self) -> None:
        """In a list it stays good; under another key it cannot be decrypted."""
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

    def test_the_same_keys_need_no_pairing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then the changes are those that pairing would find, also with lists, types and plaintext values."""
        choice = random.Random(7)
        values = ["one", "two", "1", "1.0", "true", "null", '"1"', '""', "k9Vq2mXw7RtY4bZd"]
        some = rule(selection=Selection("encrypted_regex", "^(a|list)$"))

        def text() -> str:
            a, b, c, d, e, f = (choice.choice(values) for _ in range(6))
            begin = f"a: {a}\nlist:\n  # {choice.choice('xy')}\n  - {b}\n  - {c}\n"
            return f"{begin}m:\n  n: {d}\n---\na: {e}\nb: {f}\n"

        def told(found: Difference) -> list[object]:
            names = [name for name in Change.__slots__ if name not in ("before", "after")]
            changes = [[getattr(change, name) for name in names] for change in found.changes]
            return [changes, found.comments, found.structure, found.layout, found.resealed, found.data_key]

        kinds: set[str] = set()
        for _ in range(150):
            old, new = (choice.choice([each, seal(each), seal(each, some)]) for each in (text(), text()))
            key = choice.randrange(4) > 0
            found = compare(old, new, key=key)
            with monkeypatch.context() as patch:
                patch.setattr(diff, "compared_in_place", lambda before, after: None)
                assert told(found) == told(compare(old, new, key=key))
            kinds |= {change.kind for change in found.changes}
        assert kinds >= {"changed", "cleared", "sealed"}

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
            assert changes_in(compare(sealed, after, name=name)) == [f"changed {path}"]
        for after in (sealed, seal(plain, format=format)):
            assert changes_in(compare(sealed, after, name=name)) == []

    def test_two_formats(self) -> None:
        sealed = seal('{"a": "value", "b": 2, "c": true}\n', format="json")
        same = compare("a: value\nb: 2\nc: true\n", sealed, one_file=False, other="s.json")
        assert not same.differs
        other = compare("a: value\nb: 3\nc: true\n", sealed, one_file=False, other="s.json")
        assert changes_in(other) == ["changed b"]
        env = seal("B=2\n", format="dotenv")
        assert not compare("B: 2\n", env, one_file=False, other="s.env").differs

    def test_a_file_that_sops_wrote(self, sops: Sops, age_key: AgeKey) -> None:
        old = sops.encrypt(PLAIN, "yaml", age=age_key.recipient)
        new = sops.encrypt(PLAIN.replace("hunter2", "hunter3"), "yaml", age=age_key.recipient)
        by = Credentials({"SOPS_AGE_KEY": age_key.identity}, home="/nonexistent")
        found = diff.compare(
            Side("a", "s.yaml", old), Side("b", "s.yaml", new), one_file=False, credentials=by
        )
        assert changes_in(found) == ["changed db.password"]
