"""What a plan changes about a file: what another selection would encrypt, and expose."""

from __future__ import annotations

import itertools

from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine.opening import open_text
from encconf.engine.recipients import Reselection, Seen, encrypted_values, exposed_by
from encconf.rules.selection import DEFAULT, KINDS, Selection
from encconf.text.document import Document

A, B, NONE = (Selection("encrypted_regex", f"^{name}$") for name in ("a", "b", "none"))


def encrypted(key: AgeKey, text: str, selection: Selection, *, comments: bool = True) -> Document:
    enc = api.encrypt(text, rule(key, selection=selection), format="yaml", credentials=credentials(key))
    return formats.scan_encrypted(enc, formats.get("yaml"), comments=comments)


def changed(document: Document, old: Selection, new: Selection) -> tuple[list[str], list[str], int]:
    found = Reselection(document, old, new)
    return (
        [str(leaf.path[0]) for leaf in found.sealed],
        [str(leaf.path[0]) for leaf in found.exposed],
        found.comments,
    )


def test_values_that_another_selection_encrypts_and_exposes(age_key: AgeKey) -> None:
    document = encrypted(age_key, 'a: 1\nb: 2\nempty: ""\n', B)
    assert changed(document, B, A) == (["a"], ["b"], 0)
    assert changed(document, B, B) == ([], [], 0)
    assert changed(encrypted(age_key, "x: 1\nb: 2\na: 3\n", A), A, B) == (["b"], ["a"], 0)
    assert changed(document, B, DEFAULT) == (["a"], [], 0)
    # Values that are not as the old selection says: plaintext stays plaintext, and a ciphertext is one.
    assert changed(document, A, NONE) == ([], [], 0)
    assert changed(document, NONE, B) == ([], [], 0)


def is_encrypted(data: bytes | str | None) -> bool:
    return b"ENC[" in (data.encode() if isinstance(data, str) else data or b"")


EVERY = [
    DEFAULT,
    Selection("encrypted_suffix", "_x"),
    Selection("unencrypted_suffix", "_x"),
    *(Selection(kind, pattern) for kind in KINDS if "_regex" in kind for pattern in ("^ ?a", "^b_?|note$")),
]


def test_what_every_other_selection_changes_is_what_it_encrypts_differently(age_key: AgeKey) -> None:
    """The judges are the texts that each selection encrypts."""
    text = 'a: x\na_x: 1\n# note\nb: {a: true, n: 1.5}\n# a\nb_x: [y, 2]\nempty: ""\nz: ~\n'
    texts = [encrypted(age_key, text, each) for each in EVERY]
    plain = formats.scan_any(text, "yaml", comments=True)
    for (old, before), (new, after) in itertools.product(zip(EVERY, texts, strict=True), repeat=2):
        pairs = zip(before.leaves, after.leaves, strict=True)
        sealed = [(was, is_encrypted(was.data), is_encrypted(will.data)) for was, will in pairs]
        exposed = [leaf for leaf, was, will in sealed if was and not will]
        comments = sum(
            is_encrypted(was.text) and not is_encrypted(will.text)
            for was, will in zip(before.comments, after.comments, strict=True)
        )
        opened = open_text(before.text, format="yaml", credentials=credentials(age_key))
        leaves, count = exposed_by(new, opened, plain)
        assert ([leaf.path for leaf in leaves], count) == ([leaf.path for leaf in exposed], comments)
        if not new.needs_comments:  # without a key, an encrypted comment matches nothing
            found = Reselection(before, old, new)
            assert (found.exposed, found.comments) == (exposed, comments)
            assert found.sealed == [leaf for leaf, was, will in sealed if will and not was]


def test_comments_that_another_selection_exposes(age_key: AgeKey) -> None:
    document = encrypted(age_key, "# one\na: 1\n# two\nb: 2\n", DEFAULT)
    assert changed(document, DEFAULT, NONE) == ([], ["a", "b"], 2)
    assert changed(document, DEFAULT, DEFAULT) == ([], [], 0)
    assert changed(document, NONE, DEFAULT) == ([], [], 0)
    assert changed(encrypted(age_key, "# one\na: 1\n", A), DEFAULT, NONE) == ([], ["a"], 0)


def test_a_selection_by_comments_reads_them(age_key: AgeKey) -> None:
    by_comment = Selection("encrypted_comment_regex", "secret")
    document = encrypted(age_key, "# secret\na: 1\nb: 2\n", NONE, comments=False)
    assert not document.comments
    assert changed(document, NONE, by_comment) == (["a"], [], 0)


def test_the_mac_covers_more(age_key: AgeKey) -> None:
    document = encrypted(age_key, "a: 1\n", A)
    less = Selection("encrypted_regex", "^a$", True)
    assert Reselection(document, less, A).stronger
    assert not any(Reselection(document, old, less).stronger for old in (A, less))
    assert not Reselection(document, A, A).stronger


def test_encrypted_comments_in_a_list_are_no_values(age_key: AgeKey) -> None:
    enc = api.encrypt(
        "l:\n  - x\na: 1\nplain: 2\n",
        rule(age_key, selection=Selection("encrypted_regex", "^(l|a)$")),
        format="yaml",
        credentials=credentials(age_key),
    )
    found = encrypted_values(formats.scan_encrypted(enc, formats.get("yaml")))
    assert found == {("l", 0): "str", ("a",): "int"}
    enc = enc.replace("type:str", "type:comment", 1)
    assert encrypted_values(formats.scan_encrypted(enc, formats.get("yaml"))) == {("a",): "int"}


def test_what_somebody_has_seen_is_ranked_by_how_secret_it_looks() -> None:
    seen = Seen({("db", "password"): "int", ("host",): "str", ("cert",): "bytes", ("port",): "int"}, True)
    assert seen.paths == [("db", "password"), ("host",), ("cert",), ("port",)]
    assert seen.ranks == [0, 1, 1, 2]
