"""Which values are encrypted: as sops decides, for plain texts and for encrypted ones."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from oracle import AgeKey, Sops, SopsError, scratch
from pace import at_most

from encconf import formats
from encconf.errors import MetadataError, PatternError
from encconf.rules.selection import DEFAULT, EVERYTHING, KINDS, Selection
from encconf.text.document import Comment, Document, Leaf, Scope

T = TypeVar("T")

# --- against the real sops -----------------------------------------------------------------------


def of_sops(sops: Sops, recipient: str, selection: Selection, text: str) -> str:
    """What sops makes of a YAML text; the comment kinds are flags of its old command line only."""
    file = Path(scratch()) / "selection.yaml"
    file.write_bytes(text.encode())
    flag = f"--{selection.kind.replace('_', '-')}={selection.pattern}"
    verb = ["--encrypt"] if selection.needs_comments else ["encrypt"]
    options = ["--age", recipient, flag]
    args = [*options, *verb] if selection.needs_comments else [*verb, *options]
    return sops.run(*args, str(file)).stdout.decode()


def seen(document: Document) -> tuple[list[bool], list[bool]]:
    """Which leaves and which comments of an encrypted text are ciphertexts, each in order of place.

    sops turns an encrypted comment of a list into an item of it.
    """
    leaves: list[bool] = []
    comments = [(comment.start, comment.text.startswith("ENC[")) for comment in document.comments]
    for leaf in document.leaves:
        data = leaf.data or b""
        if data.startswith(b"ENC[") and data.endswith(b"type:comment]"):
            comments.append((leaf.start, True))
        else:
            leaves.append(data.startswith(b"ENC["))
    return leaves, [sealed for _, sealed in sorted(comments)]


def pairs(items: list[T], flags: bytearray) -> list[tuple[T, int]]:
    return list(zip(items, flags, strict=True))


def agree(sops: Sops, recipient: str, selection: Selection, text: str) -> None:
    plain = formats.get("yaml").scan(text, comments=True)
    chosen = selection.choose(plain)
    out = of_sops(sops, recipient, selection, text)
    theirs = formats.get("yaml").scan(out, comments=True)
    leaves, comments = seen(theirs)

    assert [bool(flag and leaf.data) for leaf, flag in pairs(plain.leaves, chosen.leaves)] == leaves
    if "*" not in text:  # there sops has a comment for every copy
        ours = [bool(flag and comment.text) for comment, flag in pairs(plain.comments, chosen.comments)]
        assert ours == comments

    # The same decisions again from the encrypted text, as decryption takes them.
    try:
        sops.decrypt(out, "yaml")
    except SopsError:
        # sops moves comments when it writes, makes items of those in lists, and cannot always find them
        # again where they count; then there is nothing to compare with.
        if selection.needs_comments:
            return
        raise
    again = selection.choose(theirs)
    for leaf, flag in pairs(theirs.leaves, again.leaves):
        if leaf.data:
            assert bool(flag) is leaf.data.startswith(b"ENC["), leaf.path


KEYS_AND_PATHS = """\
top: 1
secret_unencrypted: a
nested_unencrypted:
    password: x
    list: [1, {deep: 2, password: 3}]
data:
    - password: y
      other: z
    - plain
    - - password: [q, {a: b}]
stringData: {a: 1, b_enc: null, c: ""}
password:
    pass_enc: 1
    "été_enc": 2.5
enc: true
x_ENC: 2024-01-02
empty: {}
none: []
---
data: {password_enc: 7, x: [y]}
other: z
"""

# Comments directly before items, at several depths, before lists and their items, inline and last.
COMMENTS = """\
# enc
first: 1
second: 2
# note
# enc
third:
    a: 1
    # public
    b: 2
fourth:
    # enc
    a: 1
    b:
        c: 2
    # enc
    # more
    d:
        e: 3
        # public
        f: 4
fifth:
    - 1
    # enc
    - 2
    - 3
    # note
    # enc
    # last word
    - a: 4
      # public
      b: 5
    - [6, 7]
sixth: 6 # enc
seventh: 7 # public
eighth:
    - 8 # enc
    - 9
#
ninth: 9
# public
tenth:
    eleven: 11
# enc
"""

ALIASES = """\
a: &x
    # enc
    k: v
    l: w
b: *x
c:
    - *x
    # public
    - &y
      # enc
      - p
      - q
# enc
d: *y
e: {f: *x}
g:
    # enc
    h: &z hello
i: *z
j: &outer
    k: *x
    # enc
    l: 1
m: *outer
n: &marked
    # public
    o: *outer
p: *marked
"""

BY_KEY = [
    DEFAULT,
    Selection("unencrypted_suffix", "_enc"),
    Selection("unencrypted_suffix", "a"),
    Selection("encrypted_suffix", "_enc"),
    Selection("encrypted_suffix", "é_enc"),
    Selection("encrypted_suffix", "data"),
    Selection("unencrypted_regex", "^(data|password)$"),
    Selection("unencrypted_regex", "."),
    Selection("encrypted_regex", "^(data|stringData)$"),
    Selection("encrypted_regex", "(?i)_enc$"),
    Selection("encrypted_regex", "pass"),
    Selection("encrypted_regex", "^.t.$|deep"),
]
BY_COMMENT = [
    Selection(kind, pattern)
    for kind in ("encrypted_comment_regex", "unencrypted_comment_regex")
    for pattern in ("^ enc$", "^ public$", "^ (public|note)", "(enc|more)$", "last", "^$")
    if (kind, pattern) != ("unencrypted_comment_regex", "(enc|more)$")
]


@pytest.mark.parametrize("selection", BY_KEY, ids=repr)
@pytest.mark.parametrize("text", [KEYS_AND_PATHS, COMMENTS, ALIASES], ids=["keys", "comments", "aliases"])
def test_key_rules_as_sops(text: str, selection: Selection, sops: Sops, age_key: AgeKey) -> None:
    agree(sops, age_key.recipient, selection, text)


@pytest.mark.parametrize("selection", BY_COMMENT, ids=repr)
@pytest.mark.parametrize("text", [COMMENTS, ALIASES, KEYS_AND_PATHS], ids=["comments", "aliases", "keys"])
def test_comment_rules_as_sops(text: str, selection: Selection, sops: Sops, age_key: AgeKey) -> None:
    agree(sops, age_key.recipient, selection, text)


def generated(dice: random.Random) -> str:
    """A YAML text of mappings and lists, with comments before items and beside values."""
    said = (" enc", " public", " note", "enc", " some words")
    keys = ["a", "b", "data", "password", "x_enc", "y_enc", "z_unencrypted", "stringData"]

    def before(indent: str) -> list[str]:
        return [f"{indent}#{dice.choice(said)}" for _ in range(dice.choice((0, 0, 0, 1, 1, 2)))]

    def scalar() -> str:
        value = dice.choice(("1", "word", '"quoted"', "true", "null", '""'))
        return value + dice.choice(("", "", "", " # enc"))

    def mapping(indent: str, depth: int) -> list[str]:
        lines: list[str] = []
        for key in dice.sample(keys, dice.randint(1, 4)):
            lines += before(indent)
            kind = dice.random() if depth else 0
            if kind < 0.5:
                lines.append(f"{indent}{key}: {scalar()}")
            elif kind < 0.8:
                lines += [f"{indent}{key}:", *mapping(indent + "    ", depth - 1)]
            else:
                lines.append(f"{indent}{key}:")
                for _ in range(dice.randint(1, 3)):
                    lines += before(indent + "    ")
                    item = [scalar()]
                    if depth > 1 and dice.random() < 0.4:
                        item = [line[len(indent) + 6 :] for line in mapping(indent + "      ", 0)]
                        item = [line for line in item if not line.startswith("#")]
                    lines.append(f"{indent}    - {item[0]}")
                    lines += [f"{indent}      {line}" for line in item[1:]]
        return lines

    return "\n".join(mapping("", 3)) + "\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_generated_documents_as_sops(kind: str, seed: int, sops: Sops, age_key: AgeKey) -> None:
    pattern = "_enc" if kind.endswith("_suffix") else "^ enc$" if "comment" in kind else "^(data|.*enc)$"
    agree(sops, age_key.recipient, Selection(kind, pattern), generated(random.Random(seed)))


def test_json_as_sops(sops: Sops, age_key: AgeKey) -> None:
    tree = {"data": {"a": 1, "b": [True, {"c_enc": "x"}]}, "line\nbreak": "y", "x_enc": [["z"]], "n": None}
    text = json.dumps(tree)
    for selection in BY_KEY:
        flag = f"--{selection.kind.replace('_', '-')}"
        out = sops.encrypt(text, "json", flag, selection.pattern, age=age_key.recipient)
        chosen = selection.choose(formats.get("json").scan(text)).leaves
        theirs = [(leaf.data or b"").startswith(b"ENC[") for leaf in formats.get("json").scan(out).leaves]
        plain = formats.get("json").scan(text).leaves
        assert [bool(flag and leaf.data) for leaf, flag in pairs(plain, chosen)] == theirs, selection


# --- what is decided, spelled out ----------------------------------------------------------------


def by_hand() -> Document:
    """``{a: {b: 1, c: [2, {d: 3}]}, e: 4}`` with comments at each level."""
    document = Document("", formats.get("yaml"))
    root = Scope()
    a = Scope(root, "a", ("a",), "a:")
    c = Scope(a, "c", ("a", "c"), "a:c:", listed=True)
    item = Scope(c, 1, ("a", "c"), "a:c:")
    places: list[tuple[Scope, str | int]] = [(a, "b"), (c, 0), (item, "d"), (root, "e")]
    document.items = [Leaf(scope, step, 0, 0, "", "int", b"1") for scope, step in places]
    said: list[tuple[Scope, str, str | int | None]] = [
        (root, "one", "a"),
        (root, "two", "a"),
        (a, "three", "b"),
        (a, "four", "c"),
        (c, "five", 1),
        (item, "six", "d"),
        (root, "seven", "e"),
        (root, "eight", None),
    ]
    document.comments = [Comment(scope, text, 0, 0, before) for scope, text, before in said]
    return document


@pytest.mark.parametrize(
    ("pattern", "leaves", "comments"),
    [
        ("one", "1110", "01111100"),  # not itself, but the comment after it and all below
        ("two", "1110", "00111100"),
        ("three", "1000", "00000000"),
        ("four", "0110", "00001100"),
        ("five", "0010", "00000100"),
        ("six", "0010", "00000000"),
        ("seven", "0001", "00000000"),
        ("eight", "0000", "00000000"),
    ],
)
def test_encrypted_comment_regex(pattern: str, leaves: str, comments: str) -> None:
    chosen = Selection("encrypted_comment_regex", pattern).choose(by_hand())
    assert "".join(map(str, chosen.leaves)) == leaves
    assert "".join(map(str, chosen.comments)) == comments


@pytest.mark.parametrize(("block", "leaves"), [({}, "111100"), (None, "100000")])
def test_a_comment_that_sops_made_an_item_keeps_the_comments_before_it(
    block: dict[str, object] | None, leaves: str
) -> None:
    """``[#mark, ENC comment, ENC comment, {x: ENC}, ENC]``; in a plaintext such an item is only a text."""
    document = Document("", formats.get("yaml"))
    document.block = block
    root = Scope()
    items = Scope(root, "l", ("l",), "l:", listed=True)
    item = Scope(items, 2, ("l",), "l:")
    comment = b"ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]"
    value = comment.replace(b"comment", b"str")
    places: list[tuple[Scope, str | int, bytes]] = [
        (items, 0, comment),
        (items, 1, comment),
        (item, "x", value),
        (item, "y", comment),  # the value of a key is no comment
        (items, 3, value),
        (items, 4, value),  # behind an item that is a value, and no comment
    ]
    document.items = [Leaf(scope, step, 0, 0, "", "str", data) for scope, step, data in places]
    document.comments = [Comment(items, "mark", 0, 0, 0)]
    chosen = Selection("encrypted_comment_regex", "mark").choose(document)
    assert "".join(map(str, chosen.leaves)) == leaves


@pytest.mark.parametrize(
    ("step", "data"),
    [
        (0, b"ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"),  # a value
        (0, b"in plain,type:comment]"),  # one that only looks like a comment
        (0, b""),
        (0, None),
        ("k", b"ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]"),  # no item of a list
    ],
)
def test_a_comment_counts_for_the_next_item_alone(step: str | int, data: bytes | None) -> None:
    """``[#mark, data, b]``: a comment marks only the item right after it."""
    document = Document("", formats.get("yaml"))
    document.block = {}
    root = Scope()
    items = Scope(root, "l", ("l",), "l:", listed=True)
    document.items = [Leaf(items, step, 0, 0, "", "str", data), Leaf(items, 1, 0, 0, "", "str", b"b")]
    document.comments = [Comment(items, "mark", 0, 0, step)]
    chosen = Selection("encrypted_comment_regex", "mark").choose(document)
    assert list(chosen.leaves) == [1, 0]


def test_what_makes_two_rules_the_same() -> None:
    one = Selection("encrypted_regex", "x", True)
    others = [
        Selection("unencrypted_regex", "x", True),
        Selection("encrypted_regex", "y", True),
        Selection("encrypted_regex", "x", False),
    ]
    assert one == Selection("encrypted_regex", "x", True)
    assert hash(one) == hash(Selection("encrypted_regex", "x", True))
    assert one not in others
    assert one != ("encrypted_regex", "x", True)
    assert len({one, *others}) == 4
    assert repr(one) == "Selection('encrypted_regex', 'x', True)"


def test_a_rule_in_words() -> None:
    """As `encconf diff` shows a changed rule."""
    assert str(DEFAULT) == "unencrypted_suffix _unencrypted"
    assert str(Selection("encrypted_regex", "^a$", True)) == "encrypted_regex ^a$ mac_only_encrypted"


def test_the_mac_covers_every_value_unless_the_rule_says_otherwise() -> None:
    assert Selection("encrypted_suffix", "_x").mac_only_encrypted is False
    assert DEFAULT.mac_only_encrypted is EVERYTHING.mac_only_encrypted is False


def test_the_rules_of_sops_and_rops() -> None:
    assert DEFAULT.to_entries() == {"unencrypted_suffix": "_unencrypted"}
    assert EVERYTHING.to_entries() == {"unencrypted_suffix": "\n"}
    assert Selection.from_entries({}, EVERYTHING) == EVERYTHING


@pytest.mark.parametrize(
    ("pattern", "leaves", "comments"),
    [
        ("one", "0001", "00000011"),
        ("two", "0001", "10000011"),  # itself too, but not the comment before it
        ("four", "1001", "11100011"),
        ("seven", "1110", "11111101"),
        ("eight", "1111", "11111110"),
        ("nothing", "1111", "11111111"),
    ],
)
def test_unencrypted_comment_regex(pattern: str, leaves: str, comments: str) -> None:
    chosen = Selection("unencrypted_comment_regex", pattern).choose(by_hand())
    assert "".join(map(str, chosen.leaves)) == leaves
    assert "".join(map(str, chosen.comments)) == comments


@pytest.mark.parametrize(
    ("kind", "pattern", "leaves", "comments"),
    [
        ("encrypted_suffix", "c", "0110", "00001100"),
        ("unencrypted_suffix", "c", "1001", "11110011"),
        ("encrypted_regex", "^d$", "0010", "00000000"),
        ("unencrypted_regex", "^d$", "1101", "11111111"),
        ("encrypted_regex", "^[01]$", "0000", "00000000"),  # an index is no key
        ("unencrypted_regex", "a|e", "0000", "11000011"),
    ],
)
def test_key_rules(kind: str, pattern: str, leaves: str, comments: str) -> None:
    chosen = Selection(kind, pattern).choose(by_hand())
    assert "".join(map(str, chosen.leaves)) == leaves
    assert "".join(map(str, chosen.comments)) == comments


@pytest.mark.parametrize(
    "selection",
    [
        DEFAULT,
        Selection("encrypted_suffix", "c"),
        Selection("unencrypted_regex", "^d$"),
        Selection("encrypted_regex", "^[01]$"),
        Selection("encrypted_regex", "a|d"),
        Selection("encrypted_comment_regex", "x"),
        Selection("unencrypted_comment_regex", "x"),
    ],
)
def test_a_path_alone_says_what_a_document_without_comments_does(selection: Selection) -> None:
    yaml = formats.get("yaml")
    document = yaml.scan("a: [1, {b: 2}]\nc: {d: {e: 3}}\nd: 4\nf: [[5]]\n", comments=True)
    chosen = selection.choose(document).leaves
    assert [selection.encrypts(leaf.path) for leaf in document.leaves] == list(map(bool, chosen))


def test_a_pattern_that_does_not_compile_protects_nothing_and_is_refused() -> None:
    with pytest.raises(PatternError):
        Selection("encrypted_regex", "(?!a)").choose(by_hand())


def test_matches() -> None:
    assert Selection("encrypted_suffix", "_x").matches("a_x")
    assert not Selection("encrypted_suffix", "_x").matches("_xa")
    assert Selection("encrypted_regex", "_x").matches("a_xa")


# --- as members of the sops block ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mac_only", [True, False])
def test_entries(kind: str, mac_only: bool) -> None:
    selection = Selection(kind, "x", mac_only)
    entries = selection.to_entries()
    assert entries == ({kind: "x", "mac_only_encrypted": True} if mac_only else {kind: "x"})
    assert Selection.from_entries(entries) == selection
    assert hash(Selection.from_entries(entries)) == hash(selection)
    assert entries.keys() <= Selection.NAMES
    assert selection.needs_comments is ("comment" in kind)


@pytest.mark.parametrize("entries", [{}, {"mac": "x"}, {"encrypted_regex": ""}, {"encrypted_suffix": None}])
def test_a_block_without_a_rule_means_the_default(entries: dict[str, object]) -> None:
    assert Selection.from_entries(entries) == DEFAULT
    assert DEFAULT.to_entries() == {"unencrypted_suffix": "_unencrypted"}


@pytest.mark.parametrize(
    ("value", "meaning"),
    [(True, True), (False, False), ("true", True), ("false", False), ("", False), (1, True), (0, False)],
)
def test_mac_only_encrypted_as_loosely_typed_as_in_sops(value: object, meaning: bool) -> None:
    assert Selection.from_entries({"mac_only_encrypted": value}).mac_only_encrypted is meaning


@pytest.mark.parametrize(("value", "text"), [(12, "12"), (True, "1"), (False, "0"), (0, "0")])
def test_numbers_are_taken_as_texts(value: object, text: str) -> None:
    found = Selection.from_entries({"encrypted_suffix": value})
    assert (found.kind, found.pattern) == ("encrypted_suffix", text)


@pytest.mark.parametrize(
    "entries",
    [
        {"encrypted_regex": "a", "unencrypted_suffix": "b"},
        {"encrypted_comment_regex": "a", "encrypted_regex": "b"},
        {"encrypted_regex": ["a"]},
        {"unencrypted_suffix": {"a": "b"}},
        {"mac_only_encrypted": "perhaps"},
        {"mac_only_encrypted": []},
    ],
)
def test_malformed_entries(entries: dict[str, object]) -> None:
    with pytest.raises(MetadataError, match="sops block"):
        Selection.from_entries(entries)


# --- cost ----------------------------------------------------------------------------------------


def test_suffix_rules_load_no_re2() -> None:
    code = (
        "import sys; from encconf.text.document import *; from encconf.rules.selection import *\n"
        "d = Document('', 'yaml'); root = Scope()\n"
        "d.items = [Leaf(root, 'a', 0, 0, '', 'int', b'1')]\n"
        "assert DEFAULT.choose(d).leaves == b'\\1'; assert 're2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    "selection",
    [DEFAULT, Selection("encrypted_regex", "^(data|key7)"), Selection("encrypted_comment_regex", "enc")],
    ids=repr,
)
def test_cost_grows_with_the_leaves_whatever_the_depth(selection: Selection) -> None:
    document = Document("", formats.get("yaml"))
    scope = Scope()
    for number in range(50_000):  # deeper than any stack
        document.items.append(Leaf(scope, f"key{number}", 0, 0, "", "int", b"1"))
        document.comments.append(Comment(scope, f"c{number}", 0, 0, f"key{number}"))
        scope = Scope(scope, f"step{number}", (), "")
    with at_most(2):
        selection.choose(document)


@pytest.mark.parametrize(
    "pattern",
    ["^(data|stringData)$", "^a: b #", "yes", "it's", "^(" + "|".join(f"key{n}" for n in range(99)) + ")$"],
)
def test_as_written_in_a_configuration(pattern: str) -> None:
    """A long pattern is written as a whole, since a part of it would encrypt less."""
    selection = Selection("encrypted_regex", pattern, True)
    written = yaml.safe_load("\n".join(selection.as_written()))
    assert written == selection.to_entries()
