"""What an encrypted text says of itself without a key."""

from __future__ import annotations

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api
from encconf.errors import NotEncryptedError
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

ONE, TWO = AgeKey.generate(), AgeKey.generate()
TEXT = "a: x\nn: 5\nf: 1.5\nb: true\nz:\nl: [s]\nregion_unencrypted: eu\ne: ''\n"


def test_leaves_and_their_types() -> None:
    found = api.inspect(api.encrypt(TEXT, rule(ONE), credentials=credentials(ONE)))
    assert {leaf.path: (leaf.type, leaf.encrypted) for leaf in found.leaves} == {
        ("a",): ("str", True),
        ("n",): ("int", True),
        ("f",): ("float", True),
        ("b",): ("bool", True),
        ("z",): ("null", False),
        ("l", 0): ("str", True),
        ("region_unencrypted",): ("str", False),
        ("e",): ("str", False),  # what is empty is never encrypted
    }
    assert (found.encrypted, found.plain) == (5, 3)
    assert (found.format, found.threshold) == ("yaml", 0)
    assert "x" not in "".join(repr(leaf) for leaf in found.leaves if leaf.path == ("a",))[20:]


def test_who_can_open_it_and_which_values_are_encrypted() -> None:
    by = Rule([rule(ONE).groups[0], rule(TWO).groups[0]], 2, Selection("encrypted_regex", "^a$"))
    found = api.inspect(api.encrypt(TEXT, by, credentials=credentials(ONE)))
    assert found.groups == [[("age", ONE.recipient)], [("age", TWO.recipient)]]
    assert found.threshold == 2
    assert found.selection == by.selection
    assert [leaf.path for leaf in found.leaves if leaf.encrypted] == [("a",)]
    assert found.version
    assert found.lastmodified


def test_what_comments_choose() -> None:
    by = rule(ONE, selection=Selection("encrypted_comment_regex", "^ secret"))
    found = api.inspect(api.encrypt("a: x\n# secret\nb: y\n", by, credentials=credentials(ONE)))
    assert [leaf.path for leaf in found.leaves if leaf.encrypted] == [("b",)]


def test_nothing_of_it_is_authenticated() -> None:
    text = api.encrypt("a: x\n", rule(ONE), credentials=credentials(ONE))
    assert api.inspect(text.replace("mac: ENC", "mac: XYZ")).encrypted == 1


def test_a_plain_text() -> None:
    with pytest.raises(NotEncryptedError):
        api.inspect("a: 1\n")
