"""Which ciphertexts a text gets: kept ones, new ones, and none."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.engine.cipher import split, unlock
from encconf.engine.metadata import Metadata
from encconf.engine.sealing import Sealing
from encconf.errors import ConfigError
from encconf.rules.selection import DEFAULT, Selection

KEY = bytes(range(32))
TEXT = """\
# a comment
a: 1
empty: ""
none: null
b_unencrypted: plain
ünder:
  - one
  - list: [two]
"""


def test_new_ciphertexts_are_those_of_the_values_in_their_places() -> None:
    yaml = formats.get("yaml")
    document = yaml.scan(TEXT, comments=True)
    made = Sealing(document, Metadata([], 0, DEFAULT, ""), KEY, (), None, None)
    reused = made.reused(document, ())
    assert reused == [None] * 6
    _, encs, were_plain = made.seal_leaves(document, DEFAULT.choose(document).leaves, reused, retypes=False)
    assert not any(were_plain)
    found = {}
    nonces = set()
    for leaf, enc in zip(document.leaves, encs, strict=True):
        parts = split(enc.encode()) if enc is not None else None
        if parts is not None:
            nonces.add(parts[1])
            found[leaf.path] = (parts[2], unlock(KEY, parts[0], parts[1], leaf.aad))
    assert found == {
        ("a",): ("int", b"1"),
        ("ünder", 0): ("str", b"one"),
        ("ünder", 1, "list", 0): ("str", b"two"),
    }
    assert len(nonces) == 3


def test_comments_and_a_rule_that_an_encrypted_one_would_match() -> None:
    yaml = formats.get("yaml")
    document = yaml.scan(TEXT, comments=True)
    made = Sealing(document, Metadata([], 0, DEFAULT, ""), KEY, (), None, None)
    ((start, end, enc),) = made.seal_comments(document, document, DEFAULT.choose(document))
    assert TEXT[start:end] == " a comment"
    parts = split(enc.encode())
    assert parts is not None
    assert unlock(KEY, parts[0], parts[1], b":") == b" a comment"
    rule = Selection("unencrypted_comment_regex", "ENC")
    made = Sealing(document, Metadata([], 0, rule, ""), KEY, (), None, None)
    with pytest.raises(ConfigError, match="unencrypted_comment_regex matches an encrypted comment"):
        made.seal_comments(document, document, rule.choose(document))
