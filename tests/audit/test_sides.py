"""The two sides that a diff compares, and what else than values differs."""

from __future__ import annotations

import pytest
from audit.sealed_texts import PLAIN, again, rule, seal
from audit.two_sides import ALICE, BOB, CAROL, changes_in, compare

from encconf.errors import EncconfError
from encconf.rules.selection import Selection


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
        selection = Selection("encrypted_regex", ".*")
        found = compare(seal(), seal(by=rule(selection=selection)), key=False)
        assert found.selection == (Selection("unencrypted_suffix", "_unencrypted"), selection)

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
        assert (found.layout, found.structure, found.differs, changes_in(found)) == (True, False, True, [])
        found = compare("a: {}\n", "a: []\n")
        assert (found.structure, found.differs, changes_in(found)) == (True, True, [])

    def test_sealed_again(self) -> None:
        sealed = seal()
        mac = next(line for line in sealed.splitlines() if line.lstrip().startswith("lastmodified"))
        found = compare(sealed, sealed.replace(mac, mac.replace("20", "19", 1)), key=False)
        assert (found.resealed, found.differs, changes_in(found)) == (True, True, [])

    def test_the_same_bytes(self) -> None:
        sealed = seal()
        for text in (sealed, PLAIN):
            assert not compare(text, text, key=False).differs

    def test_a_file_that_came_or_went(self) -> None:
        sealed = seal("a: value\nb: other\n", rule([ALICE, BOB]))
        found = compare(None, sealed)
        assert changes_in(found) == ["added a", "added b"]
        assert [key.name for key in found.added_keys] == [ALICE.recipient, BOB.recipient]
        found = compare(sealed, None, key=False)
        assert changes_in(found) == ["removed a", "removed b"]
        assert [key.name for key in found.removed_keys] == [ALICE.recipient, BOB.recipient]

    def test_one_version_in_plain_text(self) -> None:
        found = compare(seal(), PLAIN)
        assert (found.encrypted, changes_in(found), found.differs) == ((True, False), [], True)
        # A plain file beside its encrypted one is another file: that one is encrypted is no difference.
        assert not compare(PLAIN, seal(), one_file=False).differs

    def test_two_files_of_different_data_keys(self) -> None:
        assert not compare(seal(), seal(), one_file=False).differs
        assert compare(seal(), seal(by=rule([ALICE, BOB])), one_file=False).differs

    def test_what_is_unknown_without_a_key(self) -> None:
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

    def test_a_mac_that_does_not_fit_is_reported(self) -> None:
        sealed = seal("a: one\nb: two\n")
        changed = "".join(line for line in sealed.splitlines(keepends=True) if not line.startswith("b:"))
        found = compare(sealed, changed)
        assert changes_in(found) == ["removed b"]
        assert [note.partition(":")[0] for note in found.notes] == ["new"]

    def test_one_that_cannot_be_read(self) -> None:
        with pytest.raises(EncconfError) as caught:
            compare(seal(), "a: [hunter2\n")
        assert caught.value.file == "new"
        assert "hunter2" not in str(caught.value)
