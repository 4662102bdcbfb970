"""Paths into documents, in encconf's spelling and in sops's."""

from __future__ import annotations

import re
from itertools import product

import pytest

from encconf.errors import PathSyntaxError
from encconf.text.path import END, MAX_STEPS, called_a_secret, parse, parse_sops, spell


class TestPaths:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("", ()),
            (".", ()),
            ("a", ("a",)),
            ("a.b[0]", ("a", "b", 0)),
            (".a.b", ("a", "b")),
            ('["a"]["b"][0]', ("a", "b", 0)),
            ("['a'].b", ("a", "b")),
            ('a["x.y"][0].c', ("a", "x.y", 0, "c")),
            ('["with[0]"]', ("with[0]",)),
            ("a[-1]", ("a", -1)),
            ("a[]", ("a", END)),
            ("two words.ü", ("two words", "ü")),
            ('[""]', ("",)),
        ],
    )
    def test_both_spellings(self, text: str, path: tuple[str | int, ...]) -> None:
        assert parse(text) == path
        assert parse(spell(path)) == path

    @pytest.mark.parametrize("text", ["a[b]", "a..b", "a[0]b", "a.", "[", "]", 'a["b"', "a[0", "[x]y"])
    def test_what_is_no_path(self, text: str) -> None:
        with pytest.raises(PathSyntaxError) as caught:
            parse(text)
        assert caught.value.exit_code == 91
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("", ()),
            ('["a"]["b"][0]', ("a", "b", 0)),
            ("['a'][0]", ("a", 0)),
            ('["it\'s"]', ("it's",)),
            ('["a]', ("",)),  # as sops reads it
            ("[-1]", (-1,)),
        ],
    )
    def test_the_spelling_of_sops(self, text: str, path: tuple[str | int, ...]) -> None:
        assert parse_sops(text) == path

    @pytest.mark.parametrize("text", ["a", "a.b", '["a"', '["]', "[]", "[x]", 'x["a"]', "[1.5]"])
    def test_what_is_no_path_to_sops(self, text: str) -> None:
        with pytest.raises(PathSyntaxError):
            parse_sops(text)


def test_the_longest_path_and_keys_with_quotes() -> None:
    assert len(parse("a" + ".a" * (MAX_STEPS - 1))) == MAX_STEPS
    with pytest.raises(PathSyntaxError, match=f"more than {MAX_STEPS} steps"):
        parse("a" + ".a" * MAX_STEPS)
    for path, text in ((("a b",), '["a b"]'), (('a"b',), "['a\"b']"), (("it's",), '["it\'s"]')):
        assert (spell(path), parse(text)) == (text, path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "."),
        (("a",), "a"),
        (("a", "b", 0, "c"), "a.b[0].c"),
        ((0, "a", -1), "[0].a[-1]"),
        (("a", END), "a[]"),
        (("x.y", "a b", ""), '["x.y"]["a b"][""]'),
        (("a\nb",), '["a\\nb"]'),
    ],
)
def test_the_shorter_spelling(path: tuple[str | int, ...], text: str) -> None:
    assert spell(path) == text


def test_names_of_secrets() -> None:
    for name in ("password", "DB_PASSWORD", "dbPassword", "api-key", "tokens", "auth.key", "pwd", "dsn"):
        assert called_a_secret(("a", name)), name
        assert called_a_secret(("a", name, 0, 1)), name
    for name in ("passwordless", "keyboard", "compass", "key", "a", "tokenizer"):
        assert not called_a_secret(("password", name)), name
    assert not called_a_secret(())
    assert not called_a_secret((0,))


def test_names_of_secrets_as_a_pattern_says() -> None:
    pattern = re.compile(
        r"(?:^|[^a-z]|(?<=[a-z])(?=[A-Z]))"
        r"(?i:passw(?:or)?d|pwd|passphrase|secret|token|credential|dsn"
        r"|(?:api|private|secret|access|signing|encryption|master|shared|ssh|auth)[-_. ]?key)[sS]?\Z"
    )
    words = ("password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "dsn")
    words += ("api_key", "sshkey", "auth.key", "key", "pass")
    found = 0
    for begin, word, end in product(("", "my", "MY", "x_", "é", "2"), words, ("", "s", "_1", "id")):
        for name in (word, word.upper(), word.capitalize()):
            for whole in (begin + name + end, begin + name + end.upper()):
                expected = pattern.search(whole) is not None
                assert called_a_secret((whole,)) is expected, whole
                found += expected
    assert found > 500
