"""YAML through the event stream of ruamel.yaml: the same document from both of its parsers."""

from __future__ import annotations

import sys

import pytest
import ruamel.yaml
from formats.test_yaml_fast import facts
from generate import yaml_text
from oracle import FIXTURES

from encconf import formats
from encconf.errors import EncconfError, LimitError, ParseError
from encconf.formats import yaml_events
from encconf.formats.yaml_events import MAX_TAG_DIRECTIVES, TooNewError, read
from encconf.formats.yaml_words import Properties

yaml = formats.get("yaml")

HARD = sorted((FIXTURES / "hard" / "kept").glob("*.yaml"))


def both(text: str) -> bool:
    """The pure parser gives what libyaml gives, wherever both take the text; returns whether they do."""
    try:
        fast = read(text, True, pure=False)
        slow = read(text, True, pure=True)
    except (EncconfError, TooNewError):
        return False
    for document in (fast, slow):
        for part in document.parts:
            part.start = 0  # before a directive, or after it
        for leaf in document.leaves:
            if leaf.type == "null" and leaf.start == leaf.end:
                leaf.start = leaf.end = 0  # nothing stands there: where, the parsers see differently
            note = leaf.note
            if isinstance(note, Properties):
                leaf.note = (note.start, note.tag, note.tag_start, note.tag_end)
            elif note is not None:
                leaf.note = type(note).__name__
    assert facts(fast) == facts(slow)
    return True


def test_without_the_c_parser() -> None:
    assert sum(both(yaml_text(seed)) for seed in range(120)) >= 116


def test_where_the_c_parser_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [http://host]\n"
    with pytest.raises(TooNewError):
        read(text, True, pure=False)
    monkeypatch.setitem(sys.modules, "ruamel.yaml.cyaml", None)
    monkeypatch.delattr(ruamel.yaml, "cyaml")
    assert [leaf.data for leaf in read(text, True, pure=False).leaves] == [b"http://host"]


def test_without_the_c_parser_hard() -> None:
    assert sum(both(path.read_bytes().decode()) for path in HARD) >= 127


def test_byte_order_mark() -> None:
    text = "\ufeffa: 1 # c\nb: x\n"
    assert both(text)
    for pure in (False, True):
        document = read(text, True, pure=pure)
        assert [text[leaf.start : leaf.end] for leaf in document.leaves] == ["1", "x"]
        assert [text[comment.start : comment.end] for comment in document.comments] == [" c"]


def test_a_colon_inside_a_flow_scalar() -> None:
    """libyaml 0.1.7 refuses it, sops takes it."""
    document = yaml.scan("a: [http://host:80/x, b:c]\n")
    assert [leaf.data for leaf in document.leaves] == [b"http://host:80/x", b"b:c"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\na: 2\n", 2, 1),
        ("a: 1\n1: 2\n", 2, 1),
        ("a: 1\nb: [\n", 3, 1),
        ("- a\n", 1, 1),
        ("a: *x\n", 1, 4),
        ("a: 18446744073709551615\n", 1, 4),
        ("a: !!int x\n", 1, 10),
    ],
)
def test_errors_say_where(text: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        yaml.scan(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_errors_do_not_quote_values() -> None:
    for text in (
        "a: 'topsecret\n",
        "a: {topsecret\n",
        "topsecret: !!int topsecret\n",
        "a: @topsecret\n",
        "a: *topsecret\n",
    ):
        with pytest.raises(EncconfError) as caught:
            yaml.scan(text)
        assert "topsecret" not in f"{caught.value} {caught.value.hint}"


def test_depth_and_aliases_are_limited() -> None:
    with pytest.raises(LimitError):
        yaml.scan("a: " + "[" * 5000)
    with pytest.raises(LimitError):
        yaml.scan("a: &a [" + "x, " * 1000 + "]\nb: [" + "*a, " * 1000 + "]\n")
    with pytest.raises(LimitError):
        yaml.scan("\n".join(f"{'k' * 1000}{n}:\n  - a: {{b: 1}}" for n in range(1)) + "\n" + deep_keys())


def deep_keys() -> str:
    """One path of long keys with many collections at its end: its length counts for each of them."""
    lines = [" " * depth + "k" * 1000 + ":" for depth in range(150)]
    lines += [" " * 150 + f"m{n}: {{}}" for n in range(1000)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "tag", "word"),
    [
        ("d: !x,y |\n  q\n", "!x,y", "|\n  q\n"),
        ("d: !!s]x q\n", "!!s]x", "q"),
        ("d: &a !x,y 'q'\n", "!x,y", "'q'"),
        ('d: &a !x[ "q"\n', "!x[", '"q"'),
        ("d: !<tag:x,y> q\n", "!<tag:x,y>", "q"),
        ("d: [!x, q]\n", "!x,", "q"),
        ("d: [!x ]\n", "!x", ""),
        ("d: !x # c\n  q\n", "!x", "q"),
    ],
)
def test_a_tag_ends_at_a_blank(text: str, tag: str, word: str) -> None:
    """As in sops, which takes all of these."""
    assert both(text)
    leaf = read(text, False, pure=False).leaves[0]
    assert isinstance(leaf.note, Properties)
    assert (leaf.note.tag, text[leaf.start : leaf.end]) == (tag, word)


@pytest.mark.parametrize(
    ("text", "tag", "word"),
    [
        ("d: !t &a value\ne: *a\n", "!t", "value"),
        ('d: !t &a "v"\n', "!t", '"v"'),
        ("d: !!str  &a |\n  x\n", "!!str", "|\n  x\n"),
        ("d: [!t &a v]\n", "!t", "v"),
        ("d: ['a!b',!e!t &a v]\n", "!e!t", "v"),
        ("d:\n  - !t &a 'v'\n", "!t", "'v'"),
    ],
)
def test_a_tag_in_front_of_an_anchor(text: str, tag: str, word: str) -> None:
    """The parser in Python starts such a value at the anchor."""
    text = ("%TAG !e! tag:e,2000:\n---\n" if "!e!" in text else "") + text
    assert both(text)
    leaf = next(leaf for leaf in read(text, False, pure=True).leaves if text[leaf.start : leaf.end] == word)
    assert isinstance(leaf.note, Properties)
    assert (leaf.note.tag, text[leaf.note.start :][: len(tag)]) == (tag, tag)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('a: "x\ue000"\n\ufeffb: y\n', {"a": "x\ue000", "\ufeffb": "y"}),
        ("&k key: v\nb: *k\n", {"key": "v", "b": "key"}),
        ("a: &x\n  b: 1\nc: *x\nd: {e: *x}\n", {"a": {"b": 1}, "c": {"b": 1}, "d": {"e": {"b": 1}}}),
        ("a: [&x 1, *x]\n", {"a": [1, 1]}),
        ("&r\na: &s [1]\nb: [*s]\n", {"a": [1], "b": [[1]]}),
        ("a: 1\r\ufeffb: x\ufeff\r", {"a": 1, "\ufeffb": "x\ufeff"}),
    ],
)
def test_anchors_and_marks_within_the_text(text: str, tree: object) -> None:
    assert formats.get("yaml").load_plain(text) == [tree]


def test_keys_that_sops_cannot_read() -> None:
    yaml = formats.get("yaml")
    for text, said in (
        ('"a\\/b": 1\n', r"sops cannot read the escape"),
        ('!!binary "/w==": 1\n', "a key is not UTF-8 text"),
    ):
        with pytest.raises(ParseError, match=said):
            yaml.scan(text)
    assert yaml.load_plain('"ab": "c\\td"\n') == [{"ab": "c\td"}]
    assert yaml.load_plain("a\\/b: 1\n? 'c\\/d'\n") == [{"a\\/b": 1, "c\\/d": None}]


@pytest.mark.parametrize("line", ["\n", "\r", "\u2028"])
def test_tag_directives_are_limited(line: str) -> None:
    """The parsers compare each one with all others.  A text may mention as many as it likes."""
    many = MAX_TAG_DIRECTIVES + 1
    with pytest.raises(LimitError, match="%TAG directives"):
        yaml.scan(line.join(f"%TAG !{number}! !x" for number in range(many)) + f"{line}---{line}a: 1\n")
    yaml.scan("a: " + "x %TAG " * many + "\n")
    yaml.scan("".join(f"%TAG !{number}! !x\n" for number in range(2)) + "---\na: 1\n")


@pytest.mark.parametrize("pure", [False, True])
def test_keys_that_are_no_strings(pure: bool) -> None:
    with pytest.raises(ParseError, match="a key is an integer, not a string"):
        read("1: 2\n", False, pure=pure)
    document = read("1: 2\ntrue: 3\n~: 4\n", False, pure=pure, any_keys=True)
    assert [leaf.step for leaf in document.leaves] == ["1", "true", "~"]


@pytest.mark.parametrize("text", ["[a]: 1\n", "{a: 1}: 2\n", "? - a\n: b\n", "x: {[a]: 1}\n"])
@pytest.mark.parametrize("pure", [False, True])
def test_keys_that_are_collections(text: str, pure: bool) -> None:
    with pytest.raises(ParseError, match="a key is a collection, not a string"):
        read(text, False, pure=pure)


def test_documents_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_events, "MAX_DOCUMENTS", 3)
    assert len(read("--- {a: 1}\n" * 3, False, pure=False).parts) == 3
    with pytest.raises(LimitError, match="more than 3 documents"):
        read("--- {a: 1}\n" * 4, False, pure=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sops:\n    mac: x\na: 1\na: 2\n", "line 4, column 1: the mapping has the same key twice"),
        ("a: 1\n---\nb: 1\nb: 2\n", "line 4, column 1: the mapping has the same key twice"),
        ("sops:\n    mac: x\na: 1\nsops:\n    mac: y\n", "there are two sops blocks in one document"),
        ("a: {sops: 1}\nsops:\n    mac: x\nb: {sops: 1, sops: 2}\n", "the mapping has the same key twice"),
    ],
)
def test_keys_and_blocks_that_are_there_twice(text: str, message: str) -> None:
    for pure in (False, True):
        with pytest.raises(ParseError, match=message):
            read(text, True, pure=pure)


def test_after_an_encrypted_document_a_key_may_be_there_twice() -> None:
    text = "a: 1\nsops:\n    mac: x\n---\nb: 1\nb: 2\nsops:\n    mac: x\n"
    for pure in (False, True):
        assert [leaf.step for leaf in read(text, True, pure=pure).leaves] == ["a", "b", "b"]


def test_a_comment_inside_a_block_is_no_comment_of_the_document() -> None:
    text = "a: 1\nsops:\n    # x\n    mac: x\n    # y\n# z\nb: 2\n"
    for pure in (False, True):
        assert [comment.text for comment in read(text, True, pure=pure).comments] == [" z"]


NOT_FOR_SOPS = [
    ("~\n", 1, 1), ("# c\nnull\n", 2, 1), ("--- ~\n", 1, 5), ("a: 1\n---\n~\n", 3, 1),
    ("x\n", 1, 1), ("'x'\n", 1, 1), ("# c\n\n  1\n", 3, 3), ("- a\n", 1, 1), ("--- |\n x\n", 1, 5),
    ("[a]\n", 1, 1), ("a: 1\n---\nx\n", 3, 1), ("a: 1\n--- [\n]\n", 2, 5), ("!!str x\n", 1, 7),
    ("&a x\n", 1, 4), ('""\n', 1, 1), ("? [a]\n: 1\n", 1, 3), ("a: &a *a\n", 0, 0), ("*a\n", 1, 1),
    ("a: 1\n*b : 2\n", 2, 1), ("a: &a\n- *a\n", 2, 3), ("a: &a {b: 1}\n*a : 2\n", 2, 1),
    ("a: &a 1\n*a : 2\n", 2, 1), ("a: &a b\nb: 1\n*a : 2\n", 3, 1), ("a: 1\n!!int b: 2\n", 2, 7),
    ("a:\n  ~: 2\n", 2, 3), ("a: {b: 1,\n  b: 2}\n", 2, 3), ("a: {1: 1}\n", 1, 5),
    ("%YAML 1.2\n---\na: 1\n", 0, 0), ("a: !!float x\n", 1, 12), ("a:\n- !!binary '='\n", 2, 12),
]  # fmt: skip


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize(("text", "line", "column"), NOT_FOR_SOPS)
def test_what_sops_cannot_store_is_found_where_it_is(text: str, line: int, column: int, pure: bool) -> None:
    with pytest.raises(ParseError) as caught:
        read(text, True, pure=pure)
    if line:
        assert (caught.value.line, caught.value.column) == (line, column)


def test_a_character_that_yaml_does_not_allow() -> None:
    for pure in (False, True):
        with pytest.raises(ParseError, match="at position 3"):
            read("a: \x07\n", False, pure=pure)
