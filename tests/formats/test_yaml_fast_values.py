"""Values that are read without a YAML library: what they are, and what is left to libyaml."""

from __future__ import annotations

import tracemalloc

import pytest

from encconf.formats import yaml_fast
from encconf.text.document import Leaf, Scope


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ('"a" # c', (3, b"a")),
        ("'a'", (3, b"a")),
        ('""', (2, b"")),
        ('"a\\n\\"b"', (8, b'a\n"b')),
        ("'it''s'  # c", (7, b"it's")),
        ('"a\\\\"', (5, b"a\\")),
        ("'a\\n'", (5, b"a\\n")),
        ('"a\\x41"', None),
        ("'a", None),
        ('"a" b', None),
        ('"a"#b', None),
        ("x", None),
        ('""x"', None),
        ("''x'", None),
        ("'''x'", (5, b"'x")),
        ("''''", (4, b"'")),
        ('"\\""', (4, b'"')),
        ('"', None),
    ],
)
def test_quoted(rest: str, found: tuple[int, bytes] | None) -> None:
    assert yaml_fast.quoted(rest) == found


@pytest.mark.parametrize(
    ("rest", "data"),
    [
        ("|\n  a\n  b", b"a\nb\n"),
        ("|-\n  a\n\n", b"a"),
        ("|+\n  a\n\n", b"a\n\n\n"),
        ("|\n  a\n\n   b", b"a\n\n b\n"),
        (">\n  a\n  b\n\n  c", b"a b\nc\n"),
        (">-\n  a\n\n\n  b", b"a\n\nb"),
        (">+\n  a\n", b"a\n\n"),
        (">\n  a\n   b", None),
        ("|-  \n  a\n\n", b"a"),
        (">+ \n  a\n", b"a\n\n"),
        (">  \n  a\n\n  b", b"a\nb\n"),
    ],
)
def test_block_scalar(rest: str, data: bytes | None) -> None:
    assert yaml_fast.block_scalar(rest, 2) == (None if data is None else (len(rest) + 1, data))


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("[a, 'b c', \"d\"] # x", [("a", "str", ","), ("b c", "str", "'"), ("d", "str", '"')]),
        ("[1, true, -2.5]", [("1", "int", ","), ("True", "bool", ","), ("-2.5", "float", ",")]),
        ("[ http.//x/y ]", [("http.//x/y", "str", ",")]),
    ],
)
def test_words(rest: str, words: list[tuple[str, str, str]]) -> None:
    flow = yaml_fast.matched(yaml_fast.FLOW, rest)
    assert flow is not None
    scope = Scope(listed=True).inside("l", listed=True)
    items: list[Scope | Leaf] = []
    assert yaml_fast.add_words(scope, 3, flow[0], items)
    leaves = [item for item in items if isinstance(item, Leaf)]
    assert [((leaf.data or b"").decode(), leaf.type, leaf.style) for leaf in leaves] == words
    assert [leaf.step for leaf in leaves] == list(range(len(words)))
    for leaf, (word, _, style) in zip(leaves, words, strict=True):
        assert rest[leaf.start - 3 : leaf.end - 3].strip("'\"").capitalize() == word.capitalize(), style


def test_a_word_that_sops_refuses() -> None:
    scope = Scope(listed=True)
    assert not yaml_fast.add_words(scope, 0, "[9223372036854775808]", [])


@pytest.mark.parametrize("rest", ["[a: b]", "[[a]]", "[a,]", "[&a b]", "[a] b", "{a: b}", "[", "[a#, b"])
def test_other_brackets(rest: str) -> None:
    assert yaml_fast.matched(yaml_fast.FLOW, rest) is None


@pytest.mark.parametrize(
    ("rest", "word"),
    [("a b # c", "a b"), ("a:b", "a:b"), ("a#b", "a#b"), ("a: b", None), ("a:", None), ("a  ", "a")],
)
def test_plain_scalars(rest: str, word: str | None) -> None:
    found = yaml_fast.matched(yaml_fast.PLAIN_SCALAR, rest)
    assert (found and found[1]) == word


LONG = 1_000_000
LONG_VALUES = {
    "single": "'" + "x" * LONG + "' # c",
    "double": '"' + "x" * LONG + '\\n"',
    "words": "b " * (LONG // 2) + "# c",
    "list": "[" + "b," * (LONG // 2) + "c]",
}


@pytest.mark.parametrize("value", LONG_VALUES.values(), ids=LONG_VALUES)
def test_patterns_are_not_matched_with_long_values(value: str) -> None:
    """They would take more than a hundred bytes for each character."""
    tracemalloc.start()
    try:
        assert yaml_fast.scan(f"a: {value}\n", True) is None
        assert tracemalloc.get_traced_memory()[1] < 20 * LONG
    finally:
        tracemalloc.stop()


def test_a_long_value_in_quotes_is_read() -> None:
    document = yaml_fast.scan(f"a: '{'x' * LONG}'\nb: {'y' * LONG}\n", True)
    assert document is not None
    assert [len(leaf.data or b"") for leaf in document.leaves] == [LONG, LONG]
